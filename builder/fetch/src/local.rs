//! Directories of the user, read where they lie: no copy, no transfer.

use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use xx_build_rootfs::{Filter, RootError, Tree};

/// Opens the directory `path` as it is now, without what `filter` hides.
///
/// # Errors
/// When it is not there or is no directory.
pub fn open_local(path: &Path, filter: Option<Arc<dyn Filter>>) -> Result<Tree, RootError> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(path, flags, Mode::empty())
        .map_err(|errno| RootError::new("cannot open directory", path, errno))?;
    Ok(Tree::context(directory, filter))
}
