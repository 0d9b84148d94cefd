//! Copies files from a tree into a root, as BuildKit's file operation `copy` does.
//!
//! The rules that matter: a destination that ends in a slash or is a directory takes the source inside
//! it; the contents of a source directory are merged into an existing one; a file replaces a file or a
//! link but never a directory; modification times are kept.
//! Several threads copy, a directory at a time. A directory gets its metadata when everything is there.
//! Files that an earlier copy left are linked instead, see [`Again`].

mod again;
mod directory;
mod file;
mod target;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::mode::ModeChange;
use super::scan::{Listed, Listing, Select, Visitor};
use super::tree::{Match, Tree};
use super::walk::{Entry, EntryKind, Visibility, Xattrs, open_xattrs};
use super::{Metadata, NewDirectories, Owners, Root, RootError, link_target, mtime};
use crate::sync::lock;

pub use again::{Again, Mark};
use directory::{Directory, Open, Place, Spot, kind_below};
use file::Read;
pub use target::Target;

/// What was being done when a directory of the source met a link.
pub const OVER_A_LINK: &str = "cannot copy a directory over the link";

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
            // Permissions alone: set-id and sticky bits are for what is copied.
            mode: self.mode.as_ref().and_then(ModeChange::bits).unwrap_or(0o755) & 0o777,
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
    copy_to(tree, source, select, Target::prepare(source, root, destination, options)?, options, None)
        .map(drop)
}

/// As [`copy`], to a place that has been looked up; `again` knows what an earlier copy left. Returns the paths from the
/// target of all files that may be object files; `None` when they take too much memory.
///
/// # Errors
/// As for [`copy`].
pub fn copy_to(
    tree: &Tree,
    source: &Match,
    select: Select<'_>,
    target: Target,
    options: &CopyOptions,
    again: Option<&Again>,
) -> Result<Option<Vec<PathBuf>>, RootError> {
    let copier = Copier {
        tree,
        options,
        target,
        again,
        made: Mutex::default(),
        places: Mutex::default(),
        links: Mutex::default(),
        objects: Mutex::default(),
    };
    tree.scan(source, select, options.threads, &copier, None)?;
    copier.finish()
}

struct Copier<'a> {
    tree: &'a Tree,
    options: &'a CopyOptions,
    target: Target,
    again: Option<&'a Again>,
    /// Directories that still have to get their metadata.
    made: Mutex<Vec<Arc<Directory>>>,
    /// Where threads stood that look at something else now.
    places: Mutex<Vec<Place>>,
    /// Where the first of several names of one file went.
    links: Mutex<HashMap<(u64, u64), FirstName>>,
    /// Files that may be object files, from the target.
    objects: Mutex<Objects>,
}

/// Where the first name of a file went, and whether that may be an object file. Locked while it is copied: the others
/// need it complete.
type FirstName = Arc<Mutex<Option<(Arc<Directory>, OsString, bool)>>>;

/// Paths, as long as they take no more than [`Objects::MOST`] bytes.
#[derive(Default)]
struct Objects {
    paths: Vec<PathBuf>,
    bytes: usize,
}

impl Objects {
    const MOST: usize = 64 << 20;

    fn add(&mut self, paths: Vec<PathBuf>) {
        self.bytes += paths.iter().map(|path| path.as_os_str().len()).sum::<usize>();
        if self.bytes <= Self::MOST {
            self.paths.extend(paths);
        }
    }

    fn into_paths(self) -> Option<Vec<PathBuf>> {
        (self.bytes <= Self::MOST).then_some(self.paths)
    }
}

impl Visitor for Copier<'_> {
    type State = Option<Arc<Directory>>;
    type Error = RootError;

    fn visit(&self, listing: &Listing<'_>, state: &Self::State) -> Result<(), RootError> {
        let mut work = Work { directory: state.clone(), buffer: vec![], marks: vec![], objects: vec![] };
        let copied = |listed: &&Listed| !listed.is_directory() && listed.visibility == Visibility::Show;
        let copied: Vec<&Listed> = listing.entries.iter().filter(copied).collect();
        if copied.is_empty() {
            return Ok(());
        }
        let each = |work: &mut Work, open: Option<Open<'_>>| {
            copied.iter().try_for_each(|listed| {
                let path = listing.path_of(listed);
                let spot =
                    open.map_or_else(|| Spot::of(&self.target), |open| Spot::inside(open, &listed.name));
                self.entry(&listing.entry(listed, &path), spot, work)
            })
        };
        match state {
            Some(directory) => {
                self.ensure(directory)?;
                self.within(directory, |open| each(&mut work, Some(open)))?;
            }
            None => each(&mut work, None)?,
        }
        if let Some(again) = self.again {
            again.note(work.marks);
        }
        lock(&self.objects).add(work.objects);
        Ok(())
    }

    fn enter(
        &self,
        listing: &Listing<'_>,
        listed: &Listed,
        above: &Self::State,
    ) -> Result<Self::State, RootError> {
        let xattrs = listing.entry(listed, &listing.path_of(listed)).xattrs()?;
        let directory = Arc::new(Directory::new(above.clone(), listed.name.clone(), listed.stat, xattrs));
        if listed.visibility == Visibility::Show {
            self.ensure(&directory)?;
        }
        Ok(Some(directory))
    }
}

/// What a thread carries from file to file of one directory.
struct Work {
    directory: Option<Arc<Directory>>,
    buffer: Vec<u8>,
    marks: Vec<Mark>,
    objects: Vec<PathBuf>,
}

impl Copier<'_> {
    fn shown(&self, path: &Path) -> PathBuf {
        self.target.located.path.join(path)
    }

    /// How owners are kept where the copy goes.
    fn owners(&self) -> Owners {
        self.target.located.owners
    }

    fn entry(&self, entry: &Entry<'_>, spot: Spot<'_>, work: &mut Work) -> Result<(), RootError> {
        let Spot { directory, name, .. } = spot;
        let shown = self.shown(entry.path);
        let fail = |errno| RootError::new("cannot write", &shown, errno);
        match entry.kind() {
            EntryKind::File => return self.file(entry, spot, work),
            // Visited as a listing of its own.
            EntryKind::Directory => return Ok(()),
            EntryKind::Symlink => {
                let target = link_target(entry)?;
                self.make(spot, &shown, &mut || {
                    rustix::fs::symlinkat(OsStr::from_bytes(&target), directory, name)
                })?;
            }
            EntryKind::Special => {
                let kind = FileType::from_raw_mode(entry.stat.st_mode);
                let mode = Mode::from_raw_mode(entry.stat.st_mode);
                let mut made = false;
                self.make(spot, &shown, &mut || {
                    made = self.owners().make_special(directory, name, (kind, mode, entry.stat.st_rdev))?;
                    Ok(())
                })?;
                if !made {
                    return Ok(());
                }
            }
        }
        let metadata = self.metadata(&entry.stat, entry.xattrs()?);
        metadata.apply(self.owners(), directory, name).map_err(fail)
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

    fn file(&self, entry: &Entry<'_>, spot: Spot<'_>, work: &mut Work) -> Result<(), RootError> {
        let is_object = if entry.stat.st_nlink < 2 {
            self.lone_file(entry, spot, work)?
        } else {
            self.linked_file(entry, spot, work)?
        };
        if is_object {
            work.objects.push(entry.path.to_owned());
        }
        Ok(())
    }

    /// A file of several names, of which one is copied; whether it may be an object file.
    fn linked_file(&self, entry: &Entry<'_>, spot: Spot<'_>, work: &mut Work) -> Result<bool, RootError> {
        let inode = (entry.stat.st_dev, entry.stat.st_ino);
        let first = Arc::clone(lock(&self.links).entry(inode).or_default());
        let mut first = lock(&first);
        if let Some((above, first, is_object)) = &*first {
            let shown = self.shown(entry.path);
            self.within(above, |from| {
                self.make(spot, &shown, &mut || {
                    rustix::fs::linkat(from.here(), first, spot.directory, spot.name, AtFlags::empty())
                })
            })?;
            return Ok(*is_object);
        }
        let is_object = self.new_file(entry, spot, &mut work.buffer)?.is_object;
        *first = work.directory.clone().map(|above| (above, entry.name.to_owned(), is_object));
        Ok(is_object)
    }

    /// A file of one name: linked, if an earlier copy of it is there. Whether it may be an object file.
    fn lone_file(&self, entry: &Entry<'_>, spot: Spot<'_>, work: &mut Work) -> Result<bool, RootError> {
        if let Some(again) = self.again
            && let Some(earlier) = spot.earlier
            && let Some(is_object) = again.find(entry.path, &entry.stat)
        {
            let link = || rustix::fs::linkat(earlier, spot.name, spot.directory, spot.name, AtFlags::empty());
            let is_free = !matches!(kind_below(spot), Ok(Some(kind)) if kind.is_dir());
            // Whatever is wrong with the earlier one, a copy is as good.
            if is_free && link().is_ok() {
                work.marks.push(again::mark(entry.path, &entry.stat, is_object));
                return Ok(is_object);
            }
        }
        let Read { stat, is_object } = self.new_file(entry, spot, &mut work.buffer)?;
        if self.again.is_some_and(|again| again.is_certain(&stat)) {
            work.marks.push(again::mark(entry.path, &stat, is_object));
        }
        Ok(is_object)
    }

    fn new_file(&self, entry: &Entry<'_>, spot: Spot<'_>, buffer: &mut Vec<u8>) -> Result<Read, RootError> {
        let Spot { directory, name, .. } = spot;
        let shown = self.shown(entry.path);
        let read = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let from = rustix::fs::openat(entry.directory, entry.name, read, Mode::empty())
            .map_err(|errno| RootError::new("cannot read", entry.path, errno))?;
        let write = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(entry.stat.st_mode & 0o777) | Mode::RUSR | Mode::WUSR;
        let mut to = None;
        self.make(spot, &shown, &mut || {
            rustix::fs::openat(directory, name, write, mode).map(|fd| to = Some(fd))
        })?;
        let Some(to) = to else { return Ok(Read { stat: entry.stat, is_object: true }) };
        let xattrs = open_xattrs(from.as_fd())
            .map_err(|errno| RootError::new("cannot read extended attributes of", entry.path, errno))?;
        let (from, to) = (File::from(from), File::from(to));
        // The result of a step does not change any more; a directory of the user may.
        let settle = self.tree.is_root_owned();
        let read = file::contents(&from, &to, &entry.stat, settle, buffer)
            .map_err(|error| RootError::new("cannot copy to", &shown, error))?;
        let mut stat = read.stat;
        // Owners are as they were shown, not as the kernel has them.
        (stat.st_uid, stat.st_gid) = (entry.stat.st_uid, entry.stat.st_gid);
        let metadata = self.metadata(&stat, xattrs);
        metadata
            .apply_to_open(self.owners(), to.as_fd(), (directory, name))
            .map_err(|errno| RootError::new("cannot write", &shown, errno))?;
        Ok(read)
    }

    /// Makes something that is no directory with `create`; a file or link that is in the way goes first.
    fn make(
        &self,
        spot: Spot<'_>,
        shown: &Path,
        create: &mut dyn FnMut() -> rustix::io::Result<()>,
    ) -> Result<(), RootError> {
        let Spot { directory, name, .. } = spot;
        let fail = |errno| RootError::new("cannot write", shown, errno);
        let in_the_way = || {
            if self.options.replace {
                return Ok(());
            }
            Err(RootError::new("cannot replace a directory with the file", shown, Errno::ISDIR))
        };
        if kind_below(spot).map_err(fail)?.is_some_and(FileType::is_dir) {
            in_the_way()?;
        }
        match create() {
            Err(Errno::EXIST) => {}
            result => return result.map_err(fail),
        }
        let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(fail)?;
        if FileType::from_raw_mode(stat.st_mode).is_dir() {
            in_the_way()?;
            super::remove_all(directory, name)
                .map_err(|error| RootError::new("cannot remove", shown, error.source))?;
        } else {
            rustix::fs::unlinkat(directory, name, AtFlags::empty()).map_err(fail)?;
        }
        create().map_err(fail)
    }
}
