//! Syntax tree, settings and image configurations to one definition per target platform.
//!
//! Pure: what it does not know about images it asks for ([`LowerError::MissingImages`]) and is called again. Operations
//! are byte-equal to those of BuildKit's front end; `docs/dockerfile-to-llb.md` lists the differences. The stages are
//! set up (`stages`), images and ONBUILD triggers resolved (`resolve`), then the instructions of every stage that the
//! target needs go one by one into the graph (`dispatch` and the modules named after instructions).

mod config;
mod context;
mod copy;
mod dispatch;
mod env;
mod epoch;
mod expose;
mod git;
mod gofmt;
mod images;
mod instructions;
mod named;
pub mod outline;
pub mod paths;
pub mod plan;
mod platforms;
mod problems;
mod resolve;
mod run;
mod stages;
mod state;

pub use config::{BuildConfig, MainContext, NamedContext, NetworkMode, NoCache, ResolveMode, Ulimit};
pub use context::{DOWNLOAD, remote_context, source_definition};
pub use epoch::epoch_sources;
pub use git::without_secrets;
pub use images::{ImageKey, ImageRequest, ImageSource, ResolvedImage, ResolvedImages, stand_in};
pub use named::replaced_stages;
pub use platforms::to_op;
pub use problems::problems;
pub use resolve::empty_image;

use std::collections::{BTreeMap, BTreeSet};

use platform_db::Platform;

use crate::dockerfile::{Diagnostic, Dockerfile};
use crate::lint::Base;
use crate::llb::pb;
use crate::oci::image::Image;
use stages::Target;

/// The result of lowering: one entry per target platform.
#[derive(Debug, Clone, PartialEq)]
pub struct Lowered {
    /// In the order of [`BuildConfig::target_platforms`].
    pub targets: Vec<LoweredTarget>,
}

/// What to build for one platform.
#[derive(Debug, Clone, PartialEq)]
pub struct LoweredTarget {
    /// The platform.
    pub platform: Platform,
    /// The graph; empty when the result is scratch.
    pub definition: pb::Definition,
    /// The image configuration, without `rootfs.diff_ids` of the layers to come.
    pub image: Image,
    /// The base image's configuration, as it was.
    pub base_image: Option<Image>,
    /// What is known of the images that stages begin with, by stage index: for the checks.
    pub bases: BTreeMap<usize, Base>,
    /// The stages that the target needs, by index: for the checks.
    pub stages: BTreeSet<usize>,
    /// `SOURCE_DATE_EPOCH` in seconds.
    pub epoch: Option<i64>,
}

/// Why a Dockerfile cannot be lowered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LowerError {
    /// Configurations of these images are needed; find them and call again.
    #[error("{} image configurations are needed first", .0.len())]
    MissingImages(Vec<ImageRequest>),
    /// Something in the Dockerfile or its settings is wrong.
    #[error("{}", .0.message)]
    Invalid(Box<Diagnostic>),
}

impl From<Diagnostic> for LowerError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Invalid(Box::new(diagnostic))
    }
}

/// Whether a context or a source of ADD is a git repository by its form.
#[must_use]
pub fn is_git_url(text: &str) -> bool {
    // A malformed one is one, too: the lowering says what is wrong with it.
    !matches!(git::Repository::parse(text), Ok(None))
}

/// Lowers a Dockerfile for every target platform.
///
/// # Errors
/// An instruction that cannot be carried out, or images whose configuration is not known yet.
pub fn lower(
    file: &Dockerfile,
    config: &BuildConfig,
    images: &ResolvedImages,
) -> Result<Lowered, LowerError> {
    let (platforms, implicit) = config.platforms();
    let mut targets = Vec::with_capacity(platforms.len());
    let mut missing: Vec<ImageRequest> = Vec::new();
    for platform in platforms {
        match Target::new(file, config, images, platform, implicit)?.lower() {
            Ok(target) => targets.push(target),
            Err(LowerError::MissingImages(requests)) => {
                for request in requests {
                    if !missing.iter().any(|known| known.key == request.key) {
                        missing.push(request);
                    }
                }
            }
            Err(error) => return Err(error),
        }
    }
    if missing.is_empty() { Ok(Lowered { targets }) } else { Err(LowerError::MissingImages(missing)) }
}
