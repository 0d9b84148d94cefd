//! What the layers below a layer say of a directory or file.
//!
//! overlayfs copies a directory up as soon as something below it is touched, and a file when it is opened to be
//! written, also when nothing of their own changes. A layer need not say again what the ones below it say already, and
//! BuildKit's do not. As there, a directory that has only another time is the same; unlike there, a file counts as the
//! same only after a look at its content.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, Stat};
use rustix::io::{Errno, Result};

use super::ExportError;
use crate::rootfs::{Entry, EntryKind, Owners, is_opaque, is_whiteout, mtime, xattrs};
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

    /// Whether a directory or file is there already with all that `entry` says of it.
    pub(super) fn says(&self, entry: &Entry<'_>) -> Result<bool> {
        let may_be_said = match entry.kind() {
            EntryKind::Directory => !is_opaque(entry.directory, entry.name)?,
            // Names of one file belong together.
            EntryKind::File => entry.stat.st_nlink < 2,
            EntryKind::Symlink | EntryKind::Special => false,
        };
        let Some(above) = entry.path.parent().filter(|_| may_be_said) else { return Ok(false) };
        for layer in &self.layers {
            let here = match open(layer.as_fd(), above) {
                Ok(here) => here,
                Err(Errno::NOENT) if !hides_lower(layer.as_fd(), entry.path)? => continue,
                // Something else is above it.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(false),
                Err(errno) => return Err(errno),
            };
            match self.owners.stat(here.as_fd(), entry.name) {
                Ok(there) => return self.is_same(entry, here.as_fd(), &there),
                Err(Errno::NOENT) if !hides_lower(layer.as_fd(), entry.path)? => {}
                Err(Errno::NOENT) => return Ok(false),
                Err(errno) => return Err(errno),
            }
        }
        Ok(false)
    }

    /// Whether `entry` is what the directory `here` has under its name, with the metadata `there`.
    fn is_same(&self, entry: &Entry<'_>, here: BorrowedFd<'_>, there: &Stat) -> Result<bool> {
        let is_directory = entry.kind() == EntryKind::Directory;
        let own = |stat: &Stat| {
            let of_file = (stat.st_size, mtime(stat));
            (stat.st_mode, stat.st_uid, stat.st_gid, (!is_directory).then_some(of_file))
        };
        Ok(own(there) == own(&entry.stat)
            && !is_whiteout(there)
            && xattrs(here, entry.name)? == xattrs(entry.directory, entry.name)?
            && (is_directory || has_content(entry, here)?))
    }
}

/// Whether a file has the content of the one with the same name in `here`.
fn has_content(entry: &Entry<'_>, here: BorrowedFd<'_>) -> Result<bool> {
    let open = |directory| {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::openat(directory, entry.name, flags, Mode::empty()).map(File::from)
    };
    let (mut left, mut right) = (open(entry.directory)?, open(here)?);
    let failed = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    let mut buffers = (vec![], vec![]);
    loop {
        buffers.0.clear();
        buffers.1.clear();
        left.by_ref().take(BLOCK).read_to_end(&mut buffers.0).map_err(failed)?;
        right.by_ref().take(BLOCK).read_to_end(&mut buffers.1).map_err(failed)?;
        if buffers.0 != buffers.1 || buffers.0.is_empty() {
            return Ok(buffers.0 == buffers.1);
        }
    }
}

/// How many bytes of two files are compared at a time.
const BLOCK: u64 = 256 * 1024;

fn open(layer: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd> {
    if path.as_os_str().is_empty() {
        return rustix::io::fcntl_dupfd_cloexec(layer, 0);
    }
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
