//! Files below a root directory, reached by descriptors.
//!
//! Every path here is relative to a directory that is held open, and every component of it is opened by
//! itself with `openat2` and `RESOLVE_NO_SYMLINKS`: a symbolic link is read and walked *inside the root*,
//! as `chroot` would, so nothing a base image or a build context contains can lead outside.
//!
//! Users of this module: unpacking of layers, COPY and ADD, the local output. It knows nothing of images
//! or instructions.

#![forbid(unsafe_code)]

pub mod accounts;
mod copy;
mod decompress;
mod descent;
mod layers;
mod metadata;
mod mode;
mod owner;
mod pattern;
mod remove;
mod scan;
pub mod sync;
mod tree;
mod unpack;
mod walk;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps};
use thiserror::Error;

pub use copy::{Again, CopyOptions, Mark, OVER_A_LINK, Target, copy, copy_to};
pub use decompress::decompressed;
use descent::Descent;
pub use layers::{Layers, MAX_LAYERS};
pub use metadata::Metadata;
pub use mode::{BadMode, Clause, ModeChange};
pub use owner::{Device, MORE_IDS, NoId, OWNER_ATTRIBUTE, Owner, Owners};
pub use pattern::has_wildcard;
pub use remove::{remove_all, remove_tree};
pub use scan::list_kinds;
pub use scan::{Listed, Listing, Select, Visitor};
pub use tree::{Absence, Match, Matches, Missing, Tree};
pub use unpack::{Archive, is_archive, unpack};
pub use walk::{Entry, EntryKind, Filter, Visibility, Xattrs, descriptor_path, list, walk};
pub use walk::{is_opaque, xattrs};

/// A file operation inside a root that did not work.
#[derive(Debug, Error)]
#[error("{action} `{}`: {source}", shortened(path))]
pub struct RootError {
    /// What was being done, such as `cannot create`.
    pub action: &'static str,
    /// The path as it is seen inside the root.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

impl RootError {
    /// Whether it is about a user or group that there is not here.
    #[must_use]
    pub fn lacks_id(&self) -> bool {
        self.source.get_ref().is_some_and(|source| source.is::<NoId>())
    }

    /// Says of a path what could not be done to it, and why.
    pub fn new(action: &'static str, path: impl AsRef<Path>, source: impl Into<io::Error>) -> Self {
        Self { action, path: path.as_ref().to_owned(), source: source.into() }
    }
}

/// A path as a message shows it: of a very long one the ends.
fn shortened(path: &Path) -> String {
    const EACH: usize = 200;
    let path = path.to_string_lossy();
    let (first, last) =
        (path.ceil_char_boundary(EACH), path.floor_char_boundary(path.len().saturating_sub(EACH)));
    match (path.get(..first), path.get(last..)) {
        (Some(start), Some(end)) if last > first + EACH => format!("{start}...{end}"),
        _ => path.into_owned(),
    }
}

/// Bytes of the longest path that the system takes. Trees go deeper, but an archive with a longer name is unpacked
/// nowhere: none is taken, and none is written.
pub const LONGEST_PATH: usize = 4095;

/// As many links as the kernel follows in one path.
const MAX_LINKS: usize = 40;

/// A directory whose contents are looked at as if it were `/`.
#[derive(Debug, Clone, Copy)]
pub struct Root<'a> {
    fd: BorrowedFd<'a>,
    owners: Owners,
}

/// A name in an open directory: what a path led to. The name may not exist.
#[derive(Debug)]
pub struct Located {
    /// The directory that holds it.
    pub directory: OwnedFd,
    /// Its name there; `.` for the root itself.
    pub name: OsString,
    /// The path inside the root with all links resolved, without a leading slash.
    pub path: PathBuf,
    owners: Owners,
}

impl Located {
    /// Its metadata, without following a link; `None` when there is nothing.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn stat(&self) -> Result<Option<Stat>, RootError> {
        match self.owners.stat(self.directory.as_fd(), &self.name) {
            Ok(stat) => Ok(Some(stat)),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(errno) => Err(RootError::new("cannot look at", &self.path, errno)),
        }
    }
}

/// How directories are made that a path needs.
#[derive(Debug, Clone, Copy)]
pub struct NewDirectories {
    /// Permission bits.
    pub mode: u32,
    /// User and group.
    pub owner: (u32, u32),
    /// Modification time in nanoseconds since 1970; now when `None`.
    pub time: Option<i64>,
}

impl<'a> Root<'a> {
    /// Looks at the directory `fd` as a root, whose files have their owners as `owners` says.
    #[must_use]
    pub fn new(fd: &'a impl AsFd, owners: Owners) -> Self {
        Self { fd: fd.as_fd(), owners }
    }

    /// How the owners of its files are kept.
    #[must_use]
    pub fn owners(&self) -> Owners {
        self.owners
    }

    /// Another descriptor of its directory.
    ///
    /// # Errors
    /// When there is none left.
    pub fn try_clone(&self) -> io::Result<OwnedFd> {
        self.fd.try_clone_to_owned()
    }

    /// Follows `path` to the name it stands for; only the last component may be missing.
    ///
    /// # Errors
    /// When a directory on the way is missing or is not a directory, or links go round in circles.
    pub fn locate(&self, path: &Path, follow_last: bool) -> Result<Located, RootError> {
        self.locate_with_links(path, follow_last).map(|(located, _)| located)
    }

    /// As [`Root::locate`]; also gives the paths of the links that were followed.
    ///
    /// # Errors
    /// As for [`Root::locate`].
    pub fn locate_with_links(
        &self,
        path: &Path,
        follow_last: bool,
    ) -> Result<(Located, Vec<PathBuf>), RootError> {
        Walker::new(*self, path)?.run(path, follow_last, None)
    }

    /// As [`Root::locate`], but makes missing directories on the way (not the last component itself).
    ///
    /// # Errors
    /// As for [`Root::locate`], and when a directory cannot be made.
    pub fn locate_or_create(
        &self,
        path: &Path,
        follow_last: bool,
        directories: NewDirectories,
    ) -> Result<Located, RootError> {
        let owners = self.owners;
        let mut make = |directory: BorrowedFd<'_>, name: &OsStr, _: &Path| {
            make_directory(owners, directory, name, directories)
        };
        let (located, _) = Walker::new(*self, path)?.run(path, follow_last, Some(&mut make))?;
        Ok(located)
    }

    /// Makes the directory `path` and those above it, where they are missing, and opens it.
    ///
    /// # Errors
    /// When something on the way is not a directory or cannot be made.
    pub fn create_directories(&self, path: &Path, directories: NewDirectories) -> Result<OwnedFd, RootError> {
        let owners = self.owners;
        self.create_directories_with(path, &mut |directory, name, _| {
            make_directory(owners, directory, name, directories)
        })
    }

    /// As [`Root::create_directories`], with each directory made by `make`.
    pub(crate) fn create_directories_with(&self, path: &Path, make: Make<'_>) -> Result<OwnedFd, RootError> {
        let (located, _) = Walker::new(*self, path)?.run(path, true, Some(make))?;
        if located.stat()?.is_none() {
            make(located.directory.as_fd(), &located.name, &located.path)
                .map_err(|errno| RootError::new("cannot create directory", path, errno))?;
        }
        open_directory(located.directory.as_fd(), &located.name)
            .map_err(|errno| RootError::new("cannot open directory", path, errno))
    }

    /// Opens the directory `path`.
    ///
    /// # Errors
    /// When it is not there or is no directory.
    pub fn open_directory(&self, path: &Path) -> Result<OwnedFd, RootError> {
        let located = self.locate(path, true)?;
        open_directory(located.directory.as_fd(), &located.name)
            .map_err(|errno| RootError::new("cannot open directory", path, errno))
    }

    /// Reads the regular file `path`, at most `limit` bytes of it; `None` when there is none.
    ///
    /// # Errors
    /// When it is larger than `limit`, no regular file, or cannot be read.
    pub fn read_file(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, RootError> {
        use std::io::Read as _;
        let fail = |source: io::Error| RootError::new("cannot read", path, source);
        let Some(file) = self.open_file(path)? else { return Ok(None) };
        let mut bytes = vec![];
        file.take(limit + 1).read_to_end(&mut bytes).map_err(fail)?;
        if bytes.len() as u64 > limit {
            return Err(fail(io::Error::other(format!("it is larger than {limit} bytes"))));
        }
        Ok(Some(bytes))
    }

    /// Opens the regular file `path` for reading; `None` when there is none.
    ///
    /// # Errors
    /// When it is no regular file, or cannot be opened.
    pub fn open_file(&self, path: &Path) -> Result<Option<std::fs::File>, RootError> {
        let fail = |source: io::Error| RootError::new("cannot read", path, source);
        let located = match self.locate(path, true) {
            Ok(located) => located,
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(stat) = located.stat()? else { return Ok(None) };
        if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(fail(io::Error::other("it is not a regular file")));
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = rustix::fs::openat(&located.directory, &located.name, flags, Mode::empty())
            .map_err(|errno| fail(errno.into()))?;
        Ok(Some(fd.into()))
    }
}

/// Makes a directory: in an open one, with this name, and the path from the root that leads to it.
type Make<'m> = &'m mut dyn FnMut(BorrowedFd<'_>, &OsStr, &Path) -> io::Result<()>;

/// Walks a path component by component, links included.
struct Walker<'a> {
    root: Root<'a>,
    /// Where the walk stands.
    descent: Descent,
    /// Components still to go, the next one last.
    rest: Vec<OsString>,
    /// Paths of the links that were followed.
    followed: Vec<PathBuf>,
}

impl<'a> Walker<'a> {
    fn new(root: Root<'a>, path: &Path) -> Result<Self, RootError> {
        let mut walker = Self { root, descent: Self::begin(root, path)?, rest: vec![], followed: vec![] };
        walker.push_components(path.as_os_str().as_bytes());
        Ok(walker)
    }

    fn begin(root: Root<'_>, path: &Path) -> Result<Descent, RootError> {
        rustix::io::fcntl_dupfd_cloexec(root.fd, 0)
            .map(Descent::new)
            .map_err(|errno| RootError::new("cannot open the root of", path, errno))
    }

    fn push_components(&mut self, path: &[u8]) {
        let components = path.split(|byte| *byte == b'/').rev();
        let components = components.filter(|component| !matches!(*component, b"" | b"."));
        self.rest.extend(components.map(|component| OsStr::from_bytes(component).to_owned()));
    }

    fn run(
        mut self,
        path: &Path,
        follow_last: bool,
        mut create: Option<Make<'_>>,
    ) -> Result<(Located, Vec<PathBuf>), RootError> {
        while let Some(name) = self.rest.pop() {
            if name == ".." {
                self.descent.leave().map_err(|errno| RootError::new("cannot resolve", path, errno))?;
                continue;
            }
            let last = self.rest.is_empty();
            let directory = self.descent.here();
            let link = if last && !follow_last { None } else { read_link(directory, &name) };
            if let Some(target) = link {
                self.follow(path, &name, &target)?;
            } else if last {
                return Ok(self.located(name));
            } else {
                let opened = match (open_directory(directory, &name), &mut create) {
                    (Err(rustix::io::Errno::NOENT), Some(make)) => {
                        let path = self.shown(&name);
                        make(directory, &name, &path).and_then(|()| Ok(open_directory(directory, &name)?))
                    }
                    (result, _) => result.map_err(io::Error::from),
                };
                let opened = opened.and_then(|fd| Ok(self.descent.push(fd, &name)?));
                opened.map_err(|errno| RootError::new("cannot enter", self.shown(&name), errno))?;
            }
        }
        Ok(self.located(OsString::from(".")))
    }

    fn follow(&mut self, path: &Path, link: &OsStr, target: &[u8]) -> Result<(), RootError> {
        self.followed.push(self.shown(link));
        if self.followed.len() > MAX_LINKS {
            return Err(RootError::new("cannot resolve", path, rustix::io::Errno::LOOP));
        }
        if target.starts_with(b"/") {
            self.descent = Self::begin(self.root, path)?;
        }
        self.push_components(target);
        Ok(())
    }

    fn shown(&self, name: &OsStr) -> PathBuf {
        self.descent.path().join(name)
    }

    fn located(self, name: OsString) -> (Located, Vec<PathBuf>) {
        let path = if name == "." { self.descent.path().to_owned() } else { self.shown(&name) };
        let directory = self.descent.into_here();
        (Located { directory, name, path, owners: self.root.owners }, self.followed)
    }
}

/// The target of a symbolic link; `None` when `name` is none.
pub fn read_link(directory: BorrowedFd<'_>, name: &OsStr) -> Option<Vec<u8>> {
    rustix::fs::readlinkat(directory, name, Vec::new()).ok().map(std::ffi::CString::into_bytes)
}

/// The target of the symbolic link that `entry` is.
///
/// # Errors
/// When it cannot be read.
pub fn link_target(entry: &Entry<'_>) -> Result<Vec<u8>, RootError> {
    read_link(entry.directory, entry.name)
        .ok_or_else(|| RootError::new("cannot read link", entry.path, rustix::io::Errno::INVAL))
}

/// Opens the directory `name` without following links.
///
/// # Errors
/// When there is no such directory.
pub fn open_directory(directory: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::openat2(
        directory,
        name,
        flags,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )
}

/// Opens the directory that `path` leads to from `directory`, without following links.
///
/// # Errors
/// When there is no such directory.
pub fn open_beneath(mut directory: OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    // One call takes a path of 4095 bytes at most.
    let mut rest = path;
    while !rest.as_os_str().is_empty() {
        let mut part = rest;
        while part.as_os_str().len() > 4000 {
            part = part.parent().unwrap_or(Path::new(""));
        }
        directory = rustix::fs::openat2(&directory, part, flags, Mode::empty(), resolve)?;
        rest = rest.strip_prefix(part).unwrap_or(Path::new(""));
    }
    Ok(directory)
}

fn make_directory(
    owners: Owners,
    directory: BorrowedFd<'_>,
    name: &OsStr,
    new: NewDirectories,
) -> io::Result<()> {
    rustix::fs::mkdirat(directory, name, Mode::from_raw_mode(new.mode))?;
    // Explicitly, as the umask is not ours to change in a process with threads; but a directory in one whose files
    // have its group is such a directory too.
    let inherited = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode & 0o2000;
    rustix::fs::chmodat(directory, name, Mode::from_raw_mode(new.mode | inherited), AtFlags::empty())?;
    if new.owner != (0, 0) {
        owners.change(directory, name, new.owner)?;
    }
    if let Some(time) = new.time {
        set_time(directory, name, time)?;
    }
    Ok(())
}

/// Sets access and modification time, in nanoseconds since 1970, of a name itself.
///
/// # Errors
/// When the system call fails.
pub fn set_time(directory: BorrowedFd<'_>, name: &OsStr, nanoseconds: i64) -> rustix::io::Result<()> {
    rustix::fs::utimensat(directory, name, &timestamps(nanoseconds), AtFlags::SYMLINK_NOFOLLOW)
}

/// A time in nanoseconds since 1970 as access and modification time.
fn timestamps(nanoseconds: i64) -> Timestamps {
    let time = Timespec {
        tv_sec: nanoseconds.div_euclid(1_000_000_000),
        tv_nsec: nanoseconds.rem_euclid(1_000_000_000),
    };
    Timestamps { last_access: time, last_modification: time }
}

/// Modification time in nanoseconds since 1970.
#[must_use]
pub fn mtime(stat: &Stat) -> i64 {
    stat.st_mtime.saturating_mul(1_000_000_000).saturating_add(stat.st_mtime_nsec as i64)
}

/// Change time in nanoseconds since 1970.
#[must_use]
pub fn ctime(stat: &Stat) -> i64 {
    stat.st_ctime.saturating_mul(1_000_000_000).saturating_add(stat.st_ctime_nsec as i64)
}

/// The coarsest time stamps of file systems in use, in nanoseconds.
const COARSEST: i64 = 2_000_000_000;

/// Whether `stat` is old enough at `now` (nanoseconds since 1970) that any later change shows in its change time.
/// After a change just now, a second one could leave all time stamps as they are.
#[must_use]
pub fn has_settled(stat: &Stat, now: i64) -> bool {
    ctime(stat) < now.saturating_sub(COARSEST)
}

/// How overlayfs marks a name as removed: a character device without a number.
#[must_use]
pub fn is_whiteout(stat: &Stat) -> bool {
    rustix::fs::FileType::from_raw_mode(stat.st_mode).is_char_device() && stat.st_rdev == 0
}

/// Marks a name as removed from the layers below.
///
/// # Errors
/// When it cannot be made.
pub fn make_whiteout(directory: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<()> {
    rustix::fs::mknodat(directory, name, rustix::fs::FileType::CharacterDevice, Mode::empty(), 0)
}
