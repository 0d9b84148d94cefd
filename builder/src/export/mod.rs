//! Writes results: as an OCI image (layout directory or tar) or as plain files.
//!
//! One result per platform comes in; every exporter writes to a temporary name beside its destination
//! and renames at the end, so a failed or killed build leaves the destination as it was. The bytes do
//! not depend on the order of threads, the host or the clock: times come from the layers, names are
//! sorted.

mod below;
mod files;
mod image;
mod layer;
mod layout;
mod temporary;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::rootfs::RootError;
use crate::sandbox::SandboxError;
use crate::store::StoreError;

pub use files::write_files;
pub use image::{Assembled, assemble};
pub use layout::{Form, write_layout};

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
    /// A layer cannot be read.
    #[error(transparent)]
    Read(#[from] RootError),
    /// A result cannot be mounted to be read.
    #[error(transparent)]
    Mount(#[from] SandboxError),
    /// A manifest or configuration cannot be written as JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The folder that holds `path`.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl ExportError {
    fn write(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { action, path, source }
    }
}
