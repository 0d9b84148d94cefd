//! A sorted walk over a directory tree, by descriptors.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Stat};

use super::{RootError, open_directory};

/// What kind of file an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A device, named pipe or socket.
    Special,
}

/// One name in a directory that a walk stands in.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The open directory that holds it.
    pub directory: BorrowedFd<'a>,
    /// Its name there.
    pub name: &'a OsStr,
    /// Its path from where the walk began; empty for the start itself.
    pub path: &'a Path,
    /// Its metadata, links not followed.
    pub stat: Stat,
}

impl Entry<'_> {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> EntryKind {
        match FileType::from_raw_mode(self.stat.st_mode) {
            FileType::Directory => EntryKind::Directory,
            FileType::RegularFile => EntryKind::File,
            FileType::Symlink => EntryKind::Symlink,
            FileType::BlockDevice
            | FileType::CharacterDevice
            | FileType::Fifo
            | FileType::Socket
            | FileType::Unknown => EntryKind::Special,
        }
    }

    /// Extended attributes as sorted pairs, without those that overlayfs keeps for itself.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn xattrs(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>, RootError> {
        let fail = |errno| RootError::new("cannot read extended attributes of", self.path, errno);
        xattrs(self.directory, self.name).map_err(fail)
    }
}

/// Extended attributes of a name, sorted, without those of overlayfs and of the security modules of this
/// host (which label files by themselves).
pub(crate) fn xattrs(
    directory: BorrowedFd<'_>,
    name: &OsStr,
) -> rustix::io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let path = descriptor_path(directory, name);
    let mut list = vec![0_u8; 1024];
    let length = loop {
        match rustix::fs::llistxattr(&path, list.as_mut_slice()) {
            Ok(length) => break length,
            Err(rustix::io::Errno::RANGE) => list.resize(list.len() * 4, 0),
            Err(rustix::io::Errno::OPNOTSUPP) => return Ok(vec![]),
            Err(errno) => return Err(errno),
        }
    };
    list.truncate(length);
    let mut out = vec![];
    for key in list.split(|byte| *byte == 0).filter(|key| !key.is_empty() && is_kept(key)) {
        let mut value = vec![0_u8; 256];
        let length = loop {
            match rustix::fs::lgetxattr(&path, OsStr::from_bytes(key), value.as_mut_slice()) {
                Ok(length) => break length,
                Err(rustix::io::Errno::RANGE) => value.resize(value.len() * 4, 0),
                Err(errno) => return Err(errno),
            }
        };
        value.truncate(length);
        out.push((key.to_owned(), value));
    }
    out.sort();
    Ok(out)
}

fn is_kept(key: &[u8]) -> bool {
    !key.starts_with(b"user.overlay.") && !key.starts_with(b"trusted.") && key != b"security.selinux"
}

/// The path of a name in an open directory, for system calls that take no descriptor.
pub(crate) fn descriptor_path(directory: BorrowedFd<'_>, name: &OsStr) -> PathBuf {
    use std::os::fd::AsRawFd as _;
    Path::new(&format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name)
}

/// Visits `name` in `directory` and everything below it, names sorted by byte, directories before what
/// is in them. `visit` says whether to go down into a directory.
///
/// # Errors
/// When a directory cannot be read, or `visit` fails.
pub fn walk<E: From<RootError>>(
    directory: BorrowedFd<'_>,
    name: &OsStr,
    visit: &mut dyn FnMut(&Entry<'_>) -> Result<bool, E>,
) -> Result<(), E> {
    // One level per directory on the way down, so that depth costs descriptors and not stack.
    struct Level {
        directory: OwnedFd,
        path: PathBuf,
        names: std::vec::IntoIter<OsString>,
    }
    let enter = |parent: BorrowedFd<'_>, name: &OsStr, path: PathBuf| -> Result<Level, RootError> {
        let fail = |errno| RootError::new("cannot list", &path, errno);
        let directory = open_directory(parent, name).map_err(fail)?;
        let names = list(directory.as_fd()).map_err(fail)?.into_iter();
        Ok(Level { directory, path, names })
    };
    let mut step = |parent: BorrowedFd<'_>, name: &OsStr, path: &Path| -> Result<bool, E> {
        let stat = match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(errno) => return Err(RootError::new("cannot look at", path, errno).into()),
        };
        let entry = Entry { directory: parent, name, path, stat };
        Ok(visit(&entry)? && entry.kind() == EntryKind::Directory)
    };

    let mut levels = vec![];
    if step(directory, name, Path::new(""))? {
        levels.push(enter(directory, name, PathBuf::new())?);
    }
    while let Some(level) = levels.last_mut() {
        let Some(name) = level.names.next() else {
            levels.pop();
            continue;
        };
        let path = level.path.join(&name);
        if step(level.directory.as_fd(), &name, &path)? {
            let below = enter(level.directory.as_fd(), &name, path)?;
            levels.push(below);
        }
    }
    Ok(())
}

/// The sorted names in a directory.
pub(crate) fn list(directory: BorrowedFd<'_>) -> rustix::io::Result<Vec<OsString>> {
    let mut names = vec![];
    let mut buffer = Vec::with_capacity(32 * 1024);
    let mut entries = rustix::fs::RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let name = entry?.file_name().to_bytes().to_owned();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(&name).to_owned());
        }
    }
    names.sort();
    Ok(names)
}
