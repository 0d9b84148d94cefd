//! Writes results: as an OCI image (layout directory or tar, also for `docker load`) or as plain files (in a
//! directory or a tar).
//!
//! One result per platform comes in; every exporter writes to a temporary name beside its destination
//! and renames at the end, so a failed or killed build leaves the destination as it was. What cannot be replaced (a
//! device, a pipe) is written into. The bytes do not depend on the order of threads, the host or the clock: times come from the layers, names are
//! sorted.

#![forbid(unsafe_code)]

mod below;
mod compressor;
mod destination;
mod files;
mod image;
mod layer;
mod layout;
mod merge;
mod options;
mod temporary;
pub mod verify;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use thiserror::Error;

use xx_build_fetch::FetchError;
use xx_build_frontend::oci::digest::Digest;
use xx_build_rootfs::RootError;
use xx_build_sandbox::SandboxError;
use xx_build_store::StoreError;

pub use destination::{Destination, resolved, write_file};
pub use files::{FileOptions, Written, write_archive, write_files};
pub use image::{Assembled, assemble};
pub use layout::{Form, write_layout};
pub use options::{Annotation, AnnotationLevel, Compression, ImageOptions};

/// Why a result could not be written.
#[derive(Debug, Error)]
pub enum ExportError {
    /// A file of the destination cannot be written.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Write {
        /// What was being done, such as `write`.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Two platforms have a file of one name, and no folders of their own.
    #[error("cannot overwrite `{}` from {first} with {second} when split option is disabled", path.display())]
    Overwrite {
        /// The file.
        path: PathBuf,
        /// The platform that has it already.
        first: String,
        /// The other one.
        second: String,
    },
    /// A layer cannot be read.
    #[error(transparent)]
    Read(#[from] RootError),
    /// A result cannot be mounted to be read.
    #[error(transparent)]
    Mount(#[from] SandboxError),
    /// A manifest or configuration cannot be written as JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A layer of a base image has to be fetched again.
    #[error("blob {digest} of a base image is not in the store any more")]
    NoBase {
        /// Its name.
        digest: Digest,
    },
    /// A damaged blob of a base image cannot be had again.
    #[error("blob {digest} of the store is damaged, and the base image that it came with: {source}")]
    Base {
        /// Its name.
        digest: Digest,
        /// What is wrong with the base image.
        source: Box<FetchError>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ExportError {
    fn write(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = if path == Path::new("-") { Path::new("standard output") } else { path }.to_owned();
        move |source| Self::Write { action, path, source }
    }

    /// The blob of the store that has to be had anew.
    #[must_use]
    pub fn damaged_blob(&self) -> Option<Digest> {
        match self {
            Self::Store(StoreError::Damaged { digest, .. }) | Self::NoBase { digest } => Some(*digest),
            Self::Write { .. }
            | Self::Overwrite { .. }
            | Self::Read(_)
            | Self::Mount(_)
            | Self::Json(_)
            | Self::Base { .. }
            | Self::Store(_) => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Overwrite { .. } => {
                Some("leave `platform-split=false` out, or put `$TARGETARCH` into the names of the files")
            }
            Self::Write { source, .. } if source.kind() == ErrorKind::BrokenPipe => {
                Some("whoever reads the output has ended before all of it was there")
            }
            Self::Store(StoreError::Damaged { .. }) => Some(
                "it has been removed: build again, and it is made or fetched anew; is the disk in order?",
            ),
            Self::Base { source, .. } => source.hint(),
            Self::NoBase { .. } => Some(
                "name the base image with `--build-context NAME=oci-layout://DIR`: it is fetched from there again",
            ),
            Self::Write { .. } | Self::Read(_) | Self::Mount(_) | Self::Json(_) | Self::Store(_) => None,
        }
    }
}
