//! A sorted walk over a directory tree, by descriptors.

use std::ffi::{OsStr, OsString};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat};

use super::descent::Descent;
use super::{OWNER_ATTRIBUTE, Owners, RootError};

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

/// Extended attributes: names and values, sorted.
pub type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// One name in a directory that a walk stands in.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The open directory that holds it.
    pub directory: BorrowedFd<'a>,
    /// Its name there.
    pub name: &'a OsStr,
    /// Its path from where the walk began; empty for the start itself.
    pub path: &'a Path,
    /// Its metadata, links not followed, with the owner and kind that it is said to have.
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

    /// Extended attributes as sorted pairs, without those that overlayfs and [`Owners`] keep for themselves.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn xattrs(&self) -> Result<Xattrs, RootError> {
        let fail = |errno| RootError::new("cannot read extended attributes of", self.path, errno);
        xattrs(self.directory, self.name).map_err(fail)
    }
}

/// Extended attributes of a name, sorted, without those of overlayfs and of the security modules of this
/// host (which label files by themselves).
///
/// # Errors
/// When the file cannot be opened or read.
pub fn xattrs(directory: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<Xattrs> {
    let path = descriptor_path(directory, name);
    read_xattrs(
        |list| rustix::fs::llistxattr(&path, list),
        |key, value| rustix::fs::lgetxattr(&path, key, value),
    )
}

/// As [`xattrs`], of a file that is open.
pub(super) fn open_xattrs(file: BorrowedFd<'_>) -> rustix::io::Result<Xattrs> {
    read_xattrs(
        |list| rustix::fs::flistxattr(file, list),
        |key, value| rustix::fs::fgetxattr(file, key, value),
    )
}

fn read_xattrs(
    list: impl Fn(&mut [u8]) -> rustix::io::Result<usize>,
    get: impl Fn(&OsStr, &mut [u8]) -> rustix::io::Result<usize>,
) -> rustix::io::Result<Xattrs> {
    let mut names = vec![0_u8; 1024];
    let length = loop {
        match list(names.as_mut_slice()) {
            Ok(length) => break length,
            Err(rustix::io::Errno::RANGE) => names.resize(names.len() * 4, 0),
            Err(rustix::io::Errno::OPNOTSUPP) => return Ok(vec![]),
            Err(errno) => return Err(errno),
        }
    };
    names.truncate(length);
    let mut out = vec![];
    for key in names.split(|byte| *byte == 0).filter(|key| !key.is_empty() && is_kept(key)) {
        let mut value = vec![0_u8; 256];
        let length = loop {
            match get(OsStr::from_bytes(key), value.as_mut_slice()) {
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

/// Whether a directory hides what is below it in lower layers.
///
/// # Errors
/// When the attribute is there and cannot be read.
pub fn is_opaque(directory: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<bool> {
    let mut value = [0_u8; 8];
    match rustix::fs::lgetxattr(descriptor_path(directory, name), "user.overlay.opaque", &mut value[..]) {
        Ok(length) => Ok(value.get(..length) == Some(b"y")),
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Whether an attribute belongs to the file rather than to the machinery that keeps it.
pub(super) fn is_kept(key: &[u8]) -> bool {
    !key.starts_with(b"user.overlay.")
        && !key.starts_with(b"trusted.")
        && key != b"security.selinux"
        && key != OWNER_ATTRIBUTE.as_bytes()
}

/// The path of a name in an open directory, for system calls that take no descriptor.
#[must_use]
pub fn descriptor_path(directory: BorrowedFd<'_>, name: &OsStr) -> PathBuf {
    use std::os::fd::AsRawFd as _;
    Path::new(&format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name)
}

/// Whether an entry takes part in a walk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Visibility {
    /// It is visited.
    Show,
    /// It is not, but something below it may be; it is then visited just before that.
    Enter,
    /// Neither it nor anything below it.
    Hide,
}

impl Visibility {
    /// What is visible through both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Hide, _) | (_, Self::Hide) => Self::Hide,
            (Self::Show, Self::Show) => Self::Show,
            (Self::Enter, _) | (_, Self::Enter) => Self::Enter,
        }
    }
}

/// Decides by path what a walk visits.
pub trait Filter: std::fmt::Debug + Send + Sync {
    /// Whether the entry at `path` (relative, no leading slash, never empty) is visible.
    fn look(&self, path: &Path, is_directory: bool) -> Visibility;
}

/// A directory that a walk stands in or below.
struct Level {
    /// Its name in the level above.
    name: OsString,
    /// How much of the walk's path leads to it.
    length: usize,
    names: std::vec::IntoIter<OsString>,
    /// Its metadata while it waits for something visible below it.
    pending: Option<Stat>,
}

/// Visits `name` in `directory` and everything below it that `look` shows; names sorted by byte,
/// directories before what is in them. `owners` says how their owners are kept.
///
/// # Errors
/// When a directory cannot be read, or `visit` fails.
pub fn walk<E: From<RootError>>(
    owners: Owners,
    directory: BorrowedFd<'_>,
    name: &OsStr,
    look: &dyn Fn(&Path, bool) -> Visibility,
    visit: &mut dyn FnMut(&Entry<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let directory = rustix::io::fcntl_dupfd_cloexec(directory, 0)
        .map_err(|errno| RootError::new("cannot list", name, errno))?;
    let mut walk =
        Walk { owners, look, visit, descent: Descent::new(directory), levels: vec![], path: PathBuf::new() };
    walk.entry(name.to_owned())?;
    while let Some(level) = walk.levels.last_mut() {
        if let Some(name) = level.names.next() {
            walk.path.push(&name);
            if !walk.entry(name)? {
                walk.path.pop();
            }
        } else {
            walk.levels.pop();
            walk.leave()?;
            walk.path.pop();
        }
    }
    Ok(())
}

struct Walk<'a, E> {
    owners: Owners,
    look: &'a dyn Fn(&Path, bool) -> Visibility,
    visit: &'a mut dyn FnMut(&Entry<'_>) -> Result<(), E>,
    /// Stands in the last of the levels.
    descent: Descent,
    levels: Vec<Level>,
    path: PathBuf,
}

impl<E: From<RootError>> Walk<'_, E> {
    /// Visits `name`, which the path leads to; whether it was entered.
    fn entry(&mut self, name: OsString) -> Result<bool, E> {
        let stat = match self.owners.stat(self.descent.here(), &name) {
            Ok(stat) => stat,
            // Listed and not there: a mark of overlayfs where there is nothing to remove, or just gone.
            Err(rustix::io::Errno::NOENT) if !self.path.as_os_str().is_empty() => return Ok(false),
            Err(errno) => return Err(RootError::new("cannot look at", &self.path, errno).into()),
        };
        let is_directory = FileType::from_raw_mode(stat.st_mode).is_dir();
        let is_start = self.path.as_os_str().is_empty();
        let visibility = if is_start { Visibility::Show } else { (self.look)(&self.path, is_directory) };
        if visibility == Visibility::Show {
            self.show_pending()?;
            let entry = Entry { directory: self.descent.here(), name: &name, path: &self.path, stat };
            (self.visit)(&entry)?;
        }
        if !is_directory || visibility == Visibility::Hide {
            return Ok(false);
        }
        let fail = |errno| RootError::new("cannot list", &self.path, errno);
        self.descent.enter(&name).map_err(fail)?;
        let names = list(self.descent.here()).map_err(fail)?.into_iter();
        let pending = (visibility == Visibility::Enter).then_some(stat);
        self.levels.push(Level { name, length: self.path.as_os_str().len(), names, pending });
        Ok(true)
    }

    fn leave(&mut self) -> Result<(), RootError> {
        self.descent.leave().map_err(|errno| RootError::new("cannot return from", &self.path, errno))
    }

    /// Visits the directories that were entered without being shown: the last ones.
    fn show_pending(&mut self) -> Result<(), E> {
        let waiting = self.levels.iter().rev().take_while(|level| level.pending.is_some()).count();
        for _ in 0..waiting {
            self.leave()?;
        }
        let first = self.levels.len().saturating_sub(waiting);
        for level in self.levels.iter_mut().skip(first) {
            let path = self.path.as_os_str().as_bytes().get(..level.length).unwrap_or_default();
            let path = Path::new(OsStr::from_bytes(path));
            if let Some(stat) = level.pending.take() {
                let entry = Entry { directory: self.descent.here(), name: &level.name, path, stat };
                (self.visit)(&entry)?;
            }
            self.descent.enter(&level.name).map_err(|errno| RootError::new("cannot list", path, errno))?;
        }
        Ok(())
    }
}

/// The sorted names in a directory.
///
/// # Errors
/// When it cannot be read.
pub fn list(directory: BorrowedFd<'_>) -> rustix::io::Result<Vec<OsString>> {
    // The descriptor may have been listed before.
    rustix::fs::seek(directory, rustix::fs::SeekFrom::Start(0))?;
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
