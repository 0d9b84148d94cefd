//! How much a directory holds: what `du` shows, and what tells after a power cut whether it is still whole.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::Path;

use crate::rootfs::{Entry, EntryKind, Owners, RootError, Visibility, walk};

/// Sums over a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Extent {
    /// Bytes that it takes on the disk, a file of several names counted once.
    pub(super) disk: u64,
    /// Bytes in its files.
    pub(super) content: u64,
    /// Names in it, itself not counted.
    pub(super) entries: u64,
}

/// Measures the directory `path`.
///
/// # Errors
/// When it cannot be read.
pub(super) fn measure(path: &Path) -> Result<Extent, RootError> {
    let directory = File::open(path).map_err(|error| RootError::new("cannot open directory", path, error))?;
    let mut extent = Extent::default();
    let mut linked = HashSet::new();
    let everything = |_: &Path, _: bool| Visibility::Show;
    walk(Owners::Real, directory.as_fd(), OsStr::new("."), &everything, &mut |entry: &Entry<'_>| {
        let stat = &entry.stat;
        let first = stat.st_nlink < 2
            || entry.kind() == EntryKind::Directory
            || linked.insert((stat.st_dev, stat.st_ino));
        if first {
            extent.disk += stat.st_blocks.unsigned_abs() * 512;
        }
        if entry.kind() == EntryKind::File {
            extent.content += stat.st_size.unsigned_abs();
        }
        extent.entries += u64::from(!entry.path.as_os_str().is_empty());
        Ok::<(), RootError>(())
    })?;
    Ok(extent)
}
