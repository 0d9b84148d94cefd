//! Copies files from a tree into a root, as BuildKit's file operation `copy` does.
//!
//! The rules that matter: a destination that ends in a slash or is a directory takes the source inside
//! it; the contents of a source directory are merged into an existing one; a file replaces a file or a
//! link but never a directory; modification times are kept.
//! Several threads copy, a directory at a time. A directory gets its metadata when everything is there.

mod file;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::mode::ModeChange;
use super::scan::{Listed, Listing, Select, Visitor};
use super::tree::{Match, Tree};
use super::walk::{Entry, EntryKind, Visibility, Xattrs, open_xattrs};
use super::{
    Located, Metadata, NewDirectories, Owners, Root, RootError, link_target, mtime, open_directory, set_time,
};

/// How files are copied.
#[derive(Debug, Clone)]
pub struct CopyOptions {
    /// User and group of everything that is written; kept from the source when `None`.
    pub owner: Option<(u32, u32)>,
    /// Permission bits of everything that is written; kept when `None`.
    pub mode: Option<ModeChange>,
    /// Modification time in nanoseconds since 1970; kept when `None`.
    pub time: Option<i64>,
    /// A source directory stands for what is in it.
    pub contents_only: bool,
    /// What is in the way is removed even if it is of another kind.
    pub replace: bool,
    /// How many threads copy.
    pub threads: usize,
}

impl CopyOptions {
    fn directories(&self) -> NewDirectories {
        NewDirectories {
            mode: self.mode.as_ref().and_then(ModeChange::bits).unwrap_or(0o755),
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
    select: Select<'_>,
    root: Root<'_>,
    destination: &str,
    options: &CopyOptions,
) -> Result<(), RootError> {
    let target = prepare(source, root, destination, options)?;
    let copier = Copier {
        tree,
        owners: root.owners(),
        options,
        top_existed: target.stat()?.is_some(),
        target,
        made: Mutex::default(),
        links: Mutex::default(),
    };
    tree.scan(source, select, options.threads, &copier, None)?;
    copier.finish()
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
        // The root of a tree has no name of its own: it is merged into the directory.
        let is_root = source.name == "/";
        let name = if is_root { OsString::from(".") } else { source.name.clone() };
        let path = if is_root { target.path } else { target.path.join(&name) };
        return Ok(Located { directory, name, path, owners: root.owners() });
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
    /// Directories that still have to get their metadata.
    made: Mutex<Vec<Made>>,
    /// Where the first of several names of one file went.
    links: Mutex<HashMap<(u64, u64), PathBuf>>,
}

struct Made {
    /// From the target.
    path: PathBuf,
    metadata: Metadata,
    /// It was there before: only its time is put back.
    keep: bool,
}

/// A directory of the copy. It is made when something in it is shown.
struct Directory {
    above: Option<Arc<Directory>>,
    name: OsString,
    /// From the target; empty for the target itself.
    path: PathBuf,
    source: Stat,
    xattrs: Xattrs,
    open: Mutex<Option<Arc<OwnedFd>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Visitor for Copier<'_> {
    type State = Option<Arc<Directory>>;
    type Error = RootError;

    fn visit(&self, listing: &Listing<'_>, state: &Self::State) -> Result<(), RootError> {
        let mut buffer = vec![];
        for listed in listing.entries {
            if listed.is_directory() || listed.visibility != Visibility::Show {
                continue;
            }
            let path = listing.path_of(listed);
            let entry = listing.entry(listed, &path);
            match state {
                Some(directory) => {
                    let directory = self.open(directory)?;
                    self.entry(&entry, directory.as_fd(), &listed.name, &mut buffer)?;
                }
                None => self.entry(&entry, self.target.directory.as_fd(), &self.target.name, &mut buffer)?,
            }
        }
        Ok(())
    }

    fn enter(
        &self,
        listing: &Listing<'_>,
        listed: &Listed,
        above: &Self::State,
    ) -> Result<Self::State, RootError> {
        let path = listing.path_of(listed);
        let directory = Arc::new(Directory {
            above: above.clone(),
            name: if above.is_some() { listed.name.clone() } else { self.target.name.clone() },
            source: listed.stat,
            xattrs: listing.entry(listed, &path).xattrs()?,
            path,
            open: Mutex::default(),
        });
        if listed.visibility == Visibility::Show {
            self.open(&directory)?;
        }
        Ok(Some(directory))
    }
}

impl Copier<'_> {
    fn shown(&self, path: &Path) -> PathBuf {
        self.target.path.join(path)
    }

    /// Opens a directory of the copy, making it and those above it first.
    fn open(&self, directory: &Directory) -> Result<Arc<OwnedFd>, RootError> {
        let mut open = lock(&directory.open);
        if let Some(fd) = &*open {
            return Ok(Arc::clone(fd));
        }
        let above = directory.above.as_ref().map(|above| self.open(above)).transpose()?;
        let above = above.as_ref().map_or(self.target.directory.as_fd(), |fd| fd.as_fd());
        let (name, shown) = (&directory.name, self.shown(&directory.path));
        let fail = |errno| RootError::new("cannot write", &shown, errno);
        // Open to its maker until everything is in it.
        let mode = Mode::from_raw_mode(directory.source.st_mode & 0o7777) | Mode::RWXU;
        match rustix::fs::mkdirat(above, name, mode) {
            Ok(()) => {}
            Err(Errno::EXIST) => self.existing_directory(above, name, mode, &shown)?,
            Err(errno) => return Err(fail(errno)),
        }
        let fd = Arc::new(open_directory(above, name).map_err(fail)?);
        let metadata = self.metadata(&directory.source, directory.xattrs.clone());
        let keep = directory.path.as_os_str().is_empty() && self.top_existed;
        lock(&self.made).push(Made { path: directory.path.clone(), metadata, keep });
        *open = Some(Arc::clone(&fd));
        Ok(fd)
    }

    fn entry(
        &self,
        entry: &Entry<'_>,
        directory: BorrowedFd<'_>,
        name: &OsStr,
        buffer: &mut Vec<u8>,
    ) -> Result<(), RootError> {
        let shown = self.shown(entry.path);
        let fail = |errno| RootError::new("cannot write", &shown, errno);
        match entry.kind() {
            EntryKind::File => return self.file(entry, directory, name, buffer),
            // Visited as a listing of its own.
            EntryKind::Directory => return Ok(()),
            EntryKind::Symlink => {
                let target = link_target(entry)?;
                self.make(directory, name, &shown, &mut || {
                    rustix::fs::symlinkat(OsStr::from_bytes(&target), directory, name)
                })?;
            }
            EntryKind::Special => {
                let kind = FileType::from_raw_mode(entry.stat.st_mode);
                let mode = Mode::from_raw_mode(entry.stat.st_mode);
                let mut made = false;
                self.make(directory, name, &shown, &mut || {
                    made = self.owners.make_special(directory, name, (kind, mode, entry.stat.st_rdev))?;
                    Ok(())
                })?;
                if !made {
                    return Ok(());
                }
            }
        }
        let metadata = self.metadata(&entry.stat, entry.xattrs()?);
        metadata.apply(self.owners, directory, name).map_err(fail)
    }

    /// What a copy of something with this metadata gets.
    fn metadata(&self, stat: &Stat, xattrs: Xattrs) -> Metadata {
        let kind = FileType::from_raw_mode(stat.st_mode);
        let changed = self.options.mode.as_ref().map(|mode| mode.apply(stat.st_mode, kind.is_dir()));
        Metadata {
            owner: self.options.owner.unwrap_or_else(|| self.tree.owner(stat)),
            mode: (!kind.is_symlink()).then(|| changed.unwrap_or(stat.st_mode)),
            time: Some(self.options.time.unwrap_or_else(|| mtime(stat))),
            xattrs: self.tree.xattrs(xattrs),
        }
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
        &self,
        entry: &Entry<'_>,
        directory: BorrowedFd<'_>,
        name: &OsStr,
        buffer: &mut Vec<u8>,
    ) -> Result<(), RootError> {
        if entry.stat.st_nlink < 2 {
            return self.new_file(entry, directory, name, buffer);
        }
        // Held while the first name is copied: the others need it complete.
        let mut links = lock(&self.links);
        let inode = (entry.stat.st_dev, entry.stat.st_ino);
        match links.get(&inode) {
            Some(first) => {
                let shown = self.shown(entry.path);
                let above = self.reopen(first.parent().unwrap_or(Path::new("")))?;
                let first = first.file_name().unwrap_or_default();
                self.make(directory, name, &shown, &mut || {
                    rustix::fs::linkat(&above, first, directory, name, AtFlags::empty())
                })
            }
            None => {
                self.new_file(entry, directory, name, buffer)?;
                links.insert(inode, entry.path.to_owned());
                Ok(())
            }
        }
    }

    fn new_file(
        &self,
        entry: &Entry<'_>,
        directory: BorrowedFd<'_>,
        name: &OsStr,
        buffer: &mut Vec<u8>,
    ) -> Result<(), RootError> {
        let shown = self.shown(entry.path);
        let read = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let from = rustix::fs::openat(entry.directory, entry.name, read, Mode::empty())
            .map_err(|errno| RootError::new("cannot read", entry.path, errno))?;
        let write = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(entry.stat.st_mode & 0o777) | Mode::RUSR | Mode::WUSR;
        let mut to = None;
        self.make(directory, name, &shown, &mut || {
            rustix::fs::openat(directory, name, write, mode).map(|fd| to = Some(fd))
        })?;
        let Some(to) = to else { return Ok(()) };
        let xattrs = open_xattrs(from.as_fd())
            .map_err(|errno| RootError::new("cannot read extended attributes of", entry.path, errno))?;
        let (from, to) = (File::from(from), File::from(to));
        // The result of a step does not change any more; a directory of the user may.
        let settle = self.tree.is_root_owned();
        let mut stat = file::contents(&from, &to, &entry.stat, settle, buffer)
            .map_err(|error| RootError::new("cannot copy to", &shown, error))?;
        // Owners are as they were shown, not as the kernel has them.
        (stat.st_uid, stat.st_gid) = (entry.stat.st_uid, entry.stat.st_gid);
        let metadata = self.metadata(&stat, xattrs);
        metadata
            .apply_to_open(self.owners, to.as_fd(), (directory, name))
            .map_err(|errno| RootError::new("cannot write", &shown, errno))
    }

    /// Opens a directory that this copy made, without following links.
    fn reopen(&self, path: &Path) -> Result<OwnedFd, RootError> {
        let fail = |errno| RootError::new("cannot write", self.shown(path), errno);
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let mut directory = open_directory(self.target.directory.as_fd(), &self.target.name).map_err(fail)?;
        // One call takes a path of 4095 bytes at most.
        let mut rest = path;
        while !rest.as_os_str().is_empty() {
            let mut part = rest;
            while part.as_os_str().len() > 4000 {
                part = part.parent().unwrap_or(Path::new(""));
            }
            directory = rustix::fs::openat2(&directory, part, flags, Mode::empty(), resolve).map_err(fail)?;
            rest = rest.strip_prefix(part).unwrap_or(Path::new(""));
        }
        Ok(directory)
    }

    /// Gives the directories their metadata.
    fn finish(self) -> Result<(), RootError> {
        let made = std::mem::take(&mut *lock(&self.made));
        for Made { path, metadata, keep } in made.into_iter().rev() {
            let fail = |errno| RootError::new("cannot write", self.shown(&path), errno);
            let (fd, itself) = (self.reopen(&path)?, OsStr::new("."));
            match metadata.time {
                Some(time) if keep => set_time(fd.as_fd(), itself, time).map_err(fail)?,
                _ => metadata.apply(self.owners, fd.as_fd(), itself).map_err(fail)?,
            }
        }
        Ok(())
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
