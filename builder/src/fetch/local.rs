//! Directories of the user, read where they lie: no copy, no transfer.

use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use crate::rootfs::{Filter, RootError, Tree};

/// A directory that a build may read.
#[derive(Debug, Clone)]
pub struct LocalSource {
    /// Where it lies.
    pub path: PathBuf,
    /// What of it is hidden, by its ignore file.
    pub filter: Option<Arc<dyn Filter>>,
}

impl LocalSource {
    /// Opens the directory as it is now.
    ///
    /// # Errors
    /// When it is not there or is no directory.
    pub fn open(&self) -> Result<Tree, RootError> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(&self.path, flags, Mode::empty())
            .map_err(|errno| RootError::new("cannot open directory", &self.path, errno))?;
        Ok(Tree::context(directory, self.filter.clone()))
    }
}
