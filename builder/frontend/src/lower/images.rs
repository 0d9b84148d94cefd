//! Image configurations as questions and answers.
//!
//! The lowering does no I/O. When it meets an image it does not know, it goes on as far as it can, then returns the
//! list of [`ImageRequest`]s; the caller finds the answers and calls again with [`ResolvedImages`].

use std::collections::BTreeMap;

use platform_db::Platform;
use serde_json::json;

use crate::oci::digest::Digest;
use crate::source_text::Span;

/// Where an image is looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImageSource {
    /// A registry, by reference.
    Registry,
    /// An OCI layout that a named context points at.
    OciLayout {
        /// The context's store name.
        store: String,
    },
}

/// Identifies an image in questions and answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageKey {
    /// Where to look.
    pub source: ImageSource,
    /// Registry: the full reference with tag or digest. Layout: tag or digest as the user gave it, or empty.
    pub reference: String,
    /// Which platform of it.
    pub platform: Platform,
}

/// An image the lowering needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRequest {
    /// Which image.
    pub key: ImageKey,
    /// Its name in the Dockerfile.
    pub name: String,
    /// The instruction that needs it.
    pub span: Span,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedImage {
    /// Digest of the manifest or index that the reference stands for.
    pub digest: Digest,
    /// Bytes of the image configuration for the platform.
    pub config: Vec<u8>,
}

/// The answers so far.
pub type ResolvedImages = BTreeMap<ImageKey, ResolvedImage>;

/// An answer for an image of which nothing is known but that it has files.
#[must_use]
pub fn stand_in(key: &ImageKey) -> ResolvedImage {
    let (platform, digest) = (&key.platform, Digest::of(key.reference.as_bytes()));
    let config = json!({
        "os": platform.os(), "architecture": platform.arch(), "variant": platform.variant(),
        "rootfs": { "type": "layers", "diff_ids": [digest.to_string()] },
    });
    ResolvedImage { digest, config: config.to_string().into_bytes() }
}
