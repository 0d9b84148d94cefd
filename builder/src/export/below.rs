//! What the layers below a layer say of a directory.
//!
//! overlayfs copies a directory up as soon as something below it is touched, also when nothing of its own
//! changes. A layer need not say again what the ones below it say already, and BuildKit's do not.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::{Errno, Result};

use super::ExportError;
use crate::rootfs::{Entry, Owners, is_opaque, xattrs};
use crate::store::Layer;

/// The layers below one, the next one first.
pub(super) struct Below {
    layers: Vec<File>,
    owners: Owners,
}

impl Below {
    pub(super) fn open(layers: &[Layer], owners: Owners) -> std::result::Result<Self, ExportError> {
        let open = |layer: &Layer| File::open(&layer.path).map_err(ExportError::write("read", &layer.path));
        Ok(Self { layers: layers.iter().map(open).collect::<std::result::Result<_, _>>()?, owners })
    }

    /// Whether a directory is there already with all that `entry` says of it.
    pub(super) fn says(&self, entry: &Entry<'_>) -> Result<bool> {
        if is_opaque(entry.directory, entry.name)? {
            return Ok(false);
        }
        for layer in &self.layers {
            match open(layer.as_fd(), entry.path) {
                Ok(found) => return self.is_same(entry, found.as_fd()),
                Err(Errno::NOENT) if !hides_lower(layer.as_fd(), entry.path)? => {}
                // Something else is there, or above it.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(false),
                Err(errno) => return Err(errno),
            }
        }
        Ok(false)
    }

    fn is_same(&self, entry: &Entry<'_>, found: BorrowedFd<'_>) -> Result<bool> {
        let itself = OsStr::new(".");
        let own = |stat: &Stat| (stat.st_mode, stat.st_uid, stat.st_gid, stat.st_mtime, stat.st_mtime_nsec);
        let there = self.owners.stat(found, itself)?;
        Ok(own(&there) == own(&entry.stat) && xattrs(found, itself)? == xattrs(entry.directory, entry.name)?)
    }
}

fn open(layer: BorrowedFd<'_>, path: &Path) -> Result<rustix::fd::OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    rustix::fs::openat2(layer, path, flags, Mode::empty(), resolve)
}

/// Whether a directory above `path` hides what lower layers have in it, or is none here.
fn hides_lower(layer: BorrowedFd<'_>, path: &Path) -> Result<bool> {
    for above in path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
        match open(layer, above) {
            Ok(directory) if is_opaque(directory.as_fd(), OsStr::new("."))? => return Ok(true),
            Ok(_) | Err(Errno::NOENT) => {}
            Err(Errno::NOTDIR | Errno::LOOP) => return Ok(true),
            Err(errno) => return Err(errno),
        }
    }
    Ok(false)
}

/// Whether an entry is a directory.
pub(super) fn is_directory(entry: &Entry<'_>) -> bool {
    FileType::from_raw_mode(entry.stat.st_mode).is_dir()
}
