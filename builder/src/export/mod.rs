//! Writes results: as an OCI image (layout directory or tar, also for `docker load`) or as plain files (in a
//! directory or a tar).
//!
//! One result per platform comes in; every exporter writes to a temporary name beside its destination
//! and renames at the end, so a failed or killed build leaves the destination as it was. The bytes do
//! not depend on the order of threads, the host or the clock: times come from the layers, names are
//! sorted.

mod below;
mod compressor;
mod files;
mod image;
mod layer;
mod layout;
mod options;
mod temporary;

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::rootfs::RootError;
use crate::sandbox::SandboxError;
use crate::store::StoreError;

pub use files::{FileOptions, write_archive, write_files};
pub use image::{Assembled, assemble};
pub use layout::{Form, write_layout};
pub use options::{Annotation, AnnotationLevel, Compression, ImageOptions};

use temporary::Temporary;

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

/// Has `write` fill the file `destination`, which is replaced when all is there; `-` is standard output.
fn write_stream(
    destination: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    if destination == Path::new("-") {
        let mut to = BufWriter::with_capacity(1 << 18, std::io::stdout().lock());
        write(&mut to)?;
        return to.flush().map_err(ExportError::write("write", destination));
    }
    let folder = destination.parent().filter(|folder| !folder.as_os_str().is_empty());
    let part = Temporary::file(folder.unwrap_or(Path::new(".")))?;
    let mut to = BufWriter::with_capacity(1 << 18, part.open());
    write(&mut to)?;
    to.flush().map_err(ExportError::write("write", destination))?;
    drop(to);
    part.persist(destination)
}

impl ExportError {
    fn write(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { action, path, source }
    }
}
