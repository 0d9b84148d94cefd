//! Copies files from a tree into a root, as BuildKit's file operation `copy` does.
//!
//! The rules that matter: a destination that ends in a slash or is a directory takes the source inside
//! it; the contents of a source directory are merged into an existing one; a file replaces a file or a
//! link but never a directory; modification times are kept.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::tree::{Match, Tree};
use super::walk::{Entry, EntryKind, Visibility};
use super::{
    Located, Metadata, NewDirectories, Owners, Root, RootError, link_target, mtime, open_directory, set_time,
};

/// How files are copied.
#[derive(Debug, Clone)]
pub struct CopyOptions {
    /// User and group of everything that is written; kept from the source when `None`.
    pub owner: Option<(u32, u32)>,
    /// Permission bits of everything that is written; kept when `None`.
    pub mode: Option<u32>,
    /// Modification time in nanoseconds since 1970; kept when `None`.
    pub time: Option<i64>,
    /// A source directory stands for what is in it.
    pub contents_only: bool,
    /// What is in the way is removed even if it is of another kind.
    pub replace: bool,
}

impl CopyOptions {
    fn directories(&self) -> NewDirectories {
        NewDirectories {
            mode: self.mode.unwrap_or(0o755),
            owner: self.owner.unwrap_or((0, 0)),
            time: self.time,
        }
    }
}

/// Copies `source` to the path `destination` of `root`; of a directory, only what `select` chooses.
///
/// # Errors
/// When something cannot be read or written, or a file would have to replace a directory.
pub fn copy(
    tree: &Tree,
    source: &Match,
    select: &dyn Fn(&Path, bool) -> Visibility,
    root: Root<'_>,
    destination: &str,
    options: &CopyOptions,
) -> Result<(), RootError> {
    let target = prepare(source, root, destination, options)?;
    let mut copier = Copier {
        tree,
        owners: root.owners(),
        options,
        top_existed: target.stat()?.is_some(),
        target,
        open: vec![],
        links: HashMap::new(),
        buffer: vec![],
    };
    tree.walk(source, select, &mut |entry: &Entry<'_>| copier.entry(entry))?;
    copier.leave(None)
}

/// Finds the name that the source gets, making the directories above it.
fn prepare(
    source: &Match,
    root: Root<'_>,
    destination: &str,
    options: &CopyOptions,
) -> Result<Located, RootError> {
    let into = destination.ends_with('/') || destination.ends_with("/.");
    let path = Path::new(destination);
    if into {
        drop(root.create_directories(path, options.directories())?);
    }
    let target = root.locate_or_create(path, true, options.directories())?;
    let source_is_directory =
        source.located().stat()?.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir());
    let existing = target.stat()?.map(|stat| FileType::from_raw_mode(stat.st_mode));
    let inside = if source_is_directory {
        !options.contents_only && existing.is_some()
    } else {
        existing.is_some_and(FileType::is_dir)
    };
    if inside {
        let directory = open_directory(target.directory.as_fd(), &target.name)
            .map_err(|errno| RootError::new("cannot open directory", &target.path, errno))?;
        let path = target.path.join(&source.name);
        return Ok(Located { directory, name: source.name.clone(), path, owners: root.owners() });
    }
    if source_is_directory && options.contents_only && existing.is_none() {
        drop(root.create_directories(&target.path, options.directories())?);
    }
    Ok(target)
}

struct Copier<'a> {
    tree: &'a Tree,
    /// How owners are kept where the copy goes.
    owners: Owners,
    options: &'a CopyOptions,
    target: Located,
    /// Whether the topmost directory was there before, and keeps its metadata.
    top_existed: bool,
    /// Directories being filled, the deepest last.
    open: Vec<OpenDirectory>,
    /// Where the first of several names of one file went.
    links: HashMap<(u64, u64), (OwnedFd, OsString)>,
    buffer: Vec<u8>,
}

/// A directory that gets its metadata when it is complete.
struct OpenDirectory {
    path: PathBuf,
    fd: OwnedFd,
    metadata: Metadata,
    keep: bool,
}

impl Copier<'_> {
    fn entry(&mut self, entry: &Entry<'_>) -> Result<(), RootError> {
        self.leave(Some(entry.path))?;
        let parent = self.open.last().map(|open| &open.fd);
        let (directory, name) = match parent {
            Some(fd) if !entry.path.as_os_str().is_empty() => (fd.as_fd(), entry.name),
            _ => (self.target.directory.as_fd(), self.target.name.as_os_str()),
        };
        let directory = rustix::io::fcntl_dupfd_cloexec(directory, 0)
            .map_err(|errno| RootError::new("cannot open", entry.path, errno))?;
        let name = name.to_owned();
        let shown = self.target.path.join(entry.path);
        let fail = |errno| RootError::new("cannot write", &shown, errno);
        match entry.kind() {
            EntryKind::Directory => return self.directory(entry, directory.as_fd(), &name, &shown),
            EntryKind::File => self.file(entry, directory.as_fd(), &name, &shown)?,
            EntryKind::Symlink => {
                let target = link_target(entry)?;
                self.make(directory.as_fd(), &name, &shown, &mut || {
                    rustix::fs::symlinkat(OsStr::from_bytes(&target), &directory, &name)
                })?;
            }
            EntryKind::Special => {
                let kind = FileType::from_raw_mode(entry.stat.st_mode);
                let mode = Mode::from_raw_mode(entry.stat.st_mode);
                let mut made = false;
                self.make(directory.as_fd(), &name, &shown, &mut || {
                    let what = (kind, mode, entry.stat.st_rdev);
                    made = self.owners.make_special(directory.as_fd(), &name, what)?;
                    Ok(())
                })?;
                if !made {
                    return Ok(());
                }
            }
        }
        let metadata = self.metadata(entry)?;
        metadata.apply(self.owners, directory.as_fd(), &name).map_err(fail)
    }

    fn metadata(&self, entry: &Entry<'_>) -> Result<Metadata, RootError> {
        Ok(Metadata {
            owner: self.options.owner.unwrap_or_else(|| self.tree.owner(entry)),
            mode: (entry.kind() != EntryKind::Symlink)
                .then_some(self.options.mode.unwrap_or(entry.stat.st_mode)),
            time: Some(self.options.time.unwrap_or_else(|| mtime(&entry.stat))),
            xattrs: self.tree.xattrs(entry)?,
        })
    }

    /// Completes the directories that do not hold `path`; all of them when `None`.
    fn leave(&mut self, path: Option<&Path>) -> Result<(), RootError> {
        while let Some(last) = self.open.last() {
            if path.is_some_and(|path| path != last.path && path.starts_with(&last.path)) {
                return Ok(());
            }
            let Some(done) = self.open.pop() else { return Ok(()) };
            let fail = |errno| RootError::new("cannot write", &done.path, errno);
            let (fd, itself) = (done.fd.as_fd(), OsStr::new("."));
            match done.metadata.time {
                Some(time) if done.keep => set_time(fd, itself, time).map_err(fail)?,
                _ => done.metadata.apply(self.owners, fd, itself).map_err(fail)?,
            }
        }
        Ok(())
    }

    fn directory(
        &mut self,
        entry: &Entry<'_>,
        directory: BorrowedFd<'_>,
        name: &OsStr,
        shown: &Path,
    ) -> Result<(), RootError> {
        let fail = |errno| RootError::new("cannot write", shown, errno);
        let mode = Mode::from_raw_mode(entry.stat.st_mode & 0o7777);
        match rustix::fs::mkdirat(directory, name, mode) {
            Ok(()) => {}
            Err(Errno::EXIST) => self.existing_directory(directory, name, mode, shown)?,
            Err(errno) => return Err(fail(errno)),
        }
        let top = entry.path.as_os_str().is_empty();
        self.open.push(OpenDirectory {
            path: entry.path.to_owned(),
            fd: open_directory(directory, name).map_err(fail)?,
            metadata: self.metadata(entry)?,
            keep: top && self.top_existed,
        });
        Ok(())
    }

    /// Something is where a directory is to be: another one will do.
    fn existing_directory(
        &self,
        directory: BorrowedFd<'_>,
        name: &OsStr,
        mode: Mode,
        shown: &Path,
    ) -> Result<(), RootError> {
        let fail = |errno| RootError::new("cannot write", shown, errno);
        let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(fail)?;
        if FileType::from_raw_mode(stat.st_mode).is_dir() {
            return Ok(());
        }
        if !self.options.replace {
            return Err(RootError::new("cannot copy a directory over the file", shown, Errno::NOTDIR));
        }
        rustix::fs::unlinkat(directory, name, AtFlags::empty()).map_err(fail)?;
        rustix::fs::mkdirat(directory, name, mode).map_err(fail)
    }

    fn file(
        &mut self,
        entry: &Entry<'_>,
        directory: BorrowedFd<'_>,
        name: &OsStr,
        shown: &Path,
    ) -> Result<(), RootError> {
        let inode = (entry.stat.st_dev, entry.stat.st_ino);
        if entry.stat.st_nlink > 1 {
            if let Some((first, first_name)) = self.links.get(&inode) {
                return self.make(directory, name, shown, &mut || {
                    rustix::fs::linkat(first, first_name, directory, name, AtFlags::empty())
                });
            }
            let duplicate = rustix::io::fcntl_dupfd_cloexec(directory, 0)
                .map_err(|errno| RootError::new("cannot open", shown, errno))?;
            self.links.insert(inode, (duplicate, name.to_owned()));
        }
        let read = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let from = rustix::fs::openat(entry.directory, entry.name, read, Mode::empty())
            .map_err(|errno| RootError::new("cannot read", entry.path, errno))?;
        let write = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(entry.stat.st_mode & 0o777);
        let mut to = None;
        self.make(directory, name, shown, &mut || {
            rustix::fs::openat(directory, name, write, mode).map(|fd| to = Some(fd))
        })?;
        let Some(to) = to else { return Ok(()) };
        self.contents(&entry.stat, File::from(from), File::from(to))
            .map_err(|error| RootError::new("cannot copy to", shown, error))
    }

    /// Small files by one read and one write, the others inside the kernel.
    fn contents(&mut self, stat: &Stat, mut from: File, mut to: File) -> std::io::Result<()> {
        const SMALL: i64 = 64 * 1024;
        if stat.st_size > SMALL {
            if rustix::fs::ioctl_ficlone(&to, &from).is_ok() {
                return Ok(());
            }
            return std::io::copy(&mut from, &mut to).map(drop);
        }
        self.buffer.clear();
        from.read_to_end(&mut self.buffer)?;
        to.write_all(&self.buffer)
    }

    /// Makes something with `create`; a file or link that is in the way goes first.
    fn make(
        &self,
        directory: BorrowedFd<'_>,
        name: &OsStr,
        shown: &Path,
        create: &mut dyn FnMut() -> rustix::io::Result<()>,
    ) -> Result<(), RootError> {
        let fail = |errno| RootError::new("cannot write", shown, errno);
        match create() {
            Err(Errno::EXIST) => {}
            result => return result.map_err(fail),
        }
        let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(fail)?;
        if !FileType::from_raw_mode(stat.st_mode).is_dir() {
            rustix::fs::unlinkat(directory, name, AtFlags::empty()).map_err(fail)?;
        } else if self.options.replace {
            super::remove_all(directory, name)
                .map_err(|error| RootError::new("cannot remove", shown, error.source))?;
        } else {
            return Err(RootError::new("cannot replace a directory with the file", shown, Errno::ISDIR));
        }
        create().map_err(fail)
    }
}
