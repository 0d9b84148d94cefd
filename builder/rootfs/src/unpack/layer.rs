//! What an image layer says of the layers below it, and what it takes from them.
//!
//! `.wh.` names remove files of the layers below, whatever the order in the archive: a layer's own file of that name
//! stays, and its own directory hides what was in the removed one. Directories that a layer names only as a part of a
//! path are those of the layers below; and a hard link may lead to a file of theirs.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, XattrFlags};
use rustix::io::Errno;

use super::super::layers::{Below, Layers};
use super::super::walk::{descriptor_path, xattrs};
use super::super::{Located, Metadata, Owners, Root, RootError, make_whiteout, mtime, read_link};

/// A name in front of which this stands is removed.
const PREFIX: &[u8] = b".wh.";
/// Everything that the layers below have in the directory is removed.
const ALL: &str = ".wh..wh..opq";

/// The layers below one that is unpacked, and what is said of them.
pub(super) struct Layer<'a> {
    below: &'a Layers,
    /// Removed names, each with the directory that holds it.
    removed: Vec<(PathBuf, OsString)>,
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode).is_dir()
}

impl<'a> Layer<'a> {
    pub(super) fn new(below: &'a Layers) -> Self {
        Self { below, removed: vec![] }
    }

    /// Takes a name as a mark, if it is one; `path` is the directory that holds it.
    pub(super) fn takes_mark(
        &mut self,
        directory: BorrowedFd<'_>,
        path: &Path,
        name: &OsStr,
    ) -> rustix::io::Result<bool> {
        let Some(hidden) = name.as_bytes().strip_prefix(PREFIX) else { return Ok(false) };
        if name == ALL {
            hide(directory, OsStr::new("."))?;
        } else if !matches!(hidden, b"" | b"." | b"..") && !hidden.starts_with(PREFIX) {
            self.removed.push((path.to_owned(), OsStr::from_bytes(hidden).to_owned()));
        }
        Ok(true)
    }

    /// Takes a device 0:0 as containerd has it: it is overlayfs' own mark of a removed name.
    pub(super) fn take_device_mark(&mut self, path: &Path, name: &OsStr) {
        self.removed.push((path.to_owned(), name.to_owned()));
    }

    /// Removes what was to be removed, as overlayfs has it: a character device 0:0, or a mark on the directory.
    pub(super) fn remove(&self, root: Root<'_>) -> Result<(), RootError> {
        for (above, name) in &self.removed {
            // Replaced by a later entry: then nothing of the layers below shows there anyway.
            let Ok(Located { directory, path, .. }) = root.locate(&above.join(name), false) else { continue };
            let made = match rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(own) if is_directory(&own) => hide(directory.as_fd(), name),
                Ok(_) => Ok(()),
                // Where there is nothing to remove, the mark would be listed as a name.
                Err(Errno::NOENT) => match self.below.find(&path) {
                    Ok(Some(_)) => make_whiteout(directory.as_fd(), name),
                    answer => answer.map(drop),
                },
                Err(errno) => Err(errno),
            };
            made.map_err(|errno| RootError::new("cannot remove", above.join(name), errno))?;
        }
        Ok(())
    }

    /// Hides what the layers below have in a directory that takes the place of something else.
    pub(super) fn replaced(
        &self,
        directory: BorrowedFd<'_>,
        name: &OsStr,
        path: &Path,
    ) -> rustix::io::Result<()> {
        match self.below.find(path)? {
            Some(below) if is_directory(&below.stat) => hide(directory, name),
            Some(_) | None => Ok(()),
        }
    }

    /// What the directory `path` is in the layers below, if it is there.
    pub(super) fn directory(&self, path: &Path) -> rustix::io::Result<Option<Metadata>> {
        let (Some(below), Some(name)) = (self.below.find(path)?, path.file_name()) else { return Ok(None) };
        if !is_directory(&below.stat) {
            return Ok(None);
        }
        metadata(&below, name).map(Some)
    }

    /// Brings what lies at `path` up from the layers below, to a name that is free; whether there was something.
    pub(super) fn bring_up(&self, path: &Path, to: BorrowedFd<'_>, owners: Owners) -> io::Result<bool> {
        let (Some(below), Some(name)) = (self.below.find(path)?, path.file_name()) else { return Ok(false) };
        let kind = FileType::from_raw_mode(below.stat.st_mode);
        let mut metadata = metadata(&below, name)?;
        if kind.is_dir() {
            return Ok(false);
        } else if kind.is_file() {
            let read = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
            let mut from = File::from(rustix::fs::openat(&below.directory, name, read, Mode::empty())?);
            let write = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut copy = File::from(rustix::fs::openat(to, name, write, Mode::RUSR | Mode::WUSR)?);
            io::copy(&mut from, &mut copy)?;
        } else if kind.is_symlink() {
            let target = read_link(below.directory.as_fd(), name).ok_or(Errno::INVAL)?;
            rustix::fs::symlinkat(OsStr::from_bytes(&target), to, name)?;
            metadata.mode = None;
        } else {
            let mode = Mode::from_raw_mode(below.stat.st_mode & 0o777);
            owners.make_special(to, name, (kind, mode, below.stat.st_rdev))?;
        }
        metadata.apply(owners, to, name)?;
        Ok(true)
    }
}

fn metadata(below: &Below, name: &OsStr) -> rustix::io::Result<Metadata> {
    let Stat { st_uid, st_gid, st_mode, .. } = below.stat;
    Ok(Metadata {
        owner: (st_uid, st_gid),
        mode: Some(st_mode),
        time: Some(mtime(&below.stat)),
        xattrs: xattrs(below.directory.as_fd(), name)?,
    })
}

/// Marks a directory: what the layers below have in it does not show.
fn hide(directory: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<()> {
    let path = descriptor_path(directory, name);
    rustix::fs::lsetxattr(path, "user.overlay.opaque", b"y", XattrFlags::empty())
}
