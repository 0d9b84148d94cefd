//! What the layers below a layer say of a name.
//!
//! overlayfs copies a directory up as soon as something below it is touched, and a file when it is opened to be
//! written, also when nothing of their own changes; a COPY over the same base writes again what is there. A layer need
//! not say again what the ones below it say already, and BuildKit's do not. As there, a directory that has only another
//! time is the same; unlike there, a file counts as the same only after a look at its content.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, Result};

use super::ExportError;
use xx_build_rootfs::{Entry, EntryKind, Layers, Owners, is_opaque, mtime, read_link, xattrs};
use xx_build_store::Layer;

/// The layers below one.
pub(super) struct Below {
    layers: Layers,
    /// There are none. Such a layer may come to lie on others, for which its marks count.
    is_nothing: bool,
    /// Files of several names, by what they are here, and what they are below.
    linked: RefCell<HashMap<(u64, u64), (u64, u64)>>,
}

impl Below {
    pub(super) fn open(layers: &[Layer], owners: Owners) -> std::result::Result<Self, ExportError> {
        let paths: Vec<PathBuf> = layers.iter().map(|layer| layer.path.clone()).collect();
        Self::of(&paths, owners)
    }

    /// As [`Below::open`], of their directories.
    pub(super) fn of(paths: &[PathBuf], owners: Owners) -> std::result::Result<Self, ExportError> {
        let layers =
            Layers::open(paths, owners).map_err(|(path, error)| ExportError::write("read", &path)(error))?;
        Ok(Self { layers, is_nothing: paths.is_empty(), linked: RefCell::default() })
    }

    /// Whether a name is there already with all that `entry` says of it.
    pub(super) fn says(&self, entry: &Entry<'_>) -> Result<bool> {
        let is_directory = entry.kind() == EntryKind::Directory;
        if is_directory && is_opaque(entry.directory, entry.name)? {
            return Ok(false);
        }
        match self.layers.find(entry.path)? {
            Some(there) => Ok(is_same(entry, there.directory.as_fd(), &there.stat)?
                && (is_directory || self.is_linked_alike(&entry.stat, &there.stat))),
            None => Ok(false),
        }
    }

    /// Whether names of one file, as far as they were asked for, are names of one file below as well.
    fn is_linked_alike(&self, here: &Stat, there: &Stat) -> bool {
        let id = |stat: &Stat| (stat.st_dev, stat.st_ino);
        here.st_nlink < 2
            || here.st_nlink == there.st_nlink
                && *self.linked.borrow_mut().entry(id(here)).or_insert(id(there)) == id(there)
    }

    /// Whether a mark that removes `path` removes anything.
    pub(super) fn has(&self, path: &Path) -> Result<bool> {
        Ok(self.is_nothing || self.layers.find(path)?.is_some())
    }

    /// Whether a mark that hides what is in the directory `path` hides anything.
    pub(super) fn has_directory(&self, path: &Path) -> Result<bool> {
        let is_directory = |stat: &Stat| FileType::from_raw_mode(stat.st_mode).is_dir();
        Ok(self.is_nothing || self.layers.find(path)?.is_some_and(|there| is_directory(&there.stat)))
    }
}

/// Whether `entry` is what the directory `here` has under its name, with the metadata `there`.
fn is_same(entry: &Entry<'_>, here: BorrowedFd<'_>, there: &Stat) -> Result<bool> {
    let is_directory = entry.kind() == EntryKind::Directory;
    let own = |stat: &Stat| {
        let of_file = (stat.st_size, stat.st_rdev, mtime(stat));
        (stat.st_mode, stat.st_uid, stat.st_gid, (!is_directory).then_some(of_file))
    };
    Ok(own(there) == own(&entry.stat)
        && xattrs(here, entry.name)? == xattrs(entry.directory, entry.name)?
        && match entry.kind() {
            EntryKind::Directory | EntryKind::Special => true,
            EntryKind::File => has_content(entry, here)?,
            EntryKind::Symlink => read_link(entry.directory, entry.name) == read_link(here, entry.name),
        })
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
