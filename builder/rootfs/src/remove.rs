//! Removes whole trees: of any depth, with few descriptors, and also while somebody still writes to them.
//!
//! Everything of ours that is removed as a tree goes through here; the standard library's `remove_dir_all` recurses and
//! holds a descriptor a level.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::{Errno, Result};

use super::RootError;
use super::descent::Descent;
use super::scan::list_kinds;

/// How often directories that somebody puts something into meanwhile are emptied again, in one removal.
const ATTEMPTS: usize = 64;

/// Removes a name and everything below it; no error when it is not there.
///
/// # Errors
/// When something cannot be removed, or is made again all the time.
pub fn remove_all(directory: BorrowedFd<'_>, name: &OsStr) -> std::result::Result<(), RootError> {
    let fail = |errno| RootError::new("cannot remove", name, errno);
    match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR) => {}
        Err(errno) => return Err(fail(errno)),
    }
    let base = rustix::io::fcntl_dupfd_cloexec(directory, 0).map_err(fail)?;
    let mut removal = Removal { descent: Descent::new(base), left: vec![], attempts: ATTEMPTS };
    removal
        .run(name)
        .map_err(|errno| RootError::new("cannot remove", removal.descent.path().join(name), errno))
}

/// As [`remove_all`], of a path.
///
/// # Errors
/// As for [`remove_all`].
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let Some(name) = path.file_name() else { return Err(io::ErrorKind::InvalidInput.into()) };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let parent = match File::open(parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        parent => parent?,
    };
    remove_all(parent.as_fd(), name).map_err(|error| error.source)
}

struct Removal {
    /// Stands in the directory that is being emptied.
    descent: Descent,
    /// What is left in each directory on the way, the base's first.
    left: Vec<std::vec::IntoIter<(OsString, bool)>>,
    attempts: usize,
}

impl Removal {
    fn run(&mut self, name: &OsStr) -> Result<()> {
        self.left.push(vec![(name.to_owned(), true)].into_iter());
        while let Some(names) = self.left.last_mut() {
            match names.next() {
                Some((name, true)) => self.enter(&name)?,
                Some((name, false)) => match self.unlink(&name, AtFlags::empty()) {
                    Err(Errno::ISDIR) => self.enter(&name)?,
                    result => result?,
                },
                None => self.leave(name)?,
            }
        }
        Ok(())
    }

    /// Goes into a directory to empty it.
    fn enter(&mut self, name: &OsStr) -> Result<()> {
        let entered = match self.descent.enter(name) {
            Err(Errno::ACCESS) => {
                open_up(self.descent.here(), name)?;
                self.descent.enter(name)
            }
            result => result,
        };
        match entered {
            Ok(()) => {
                let names = list_kinds(self.descent.here())?.into_iter();
                let names: Vec<_> =
                    names.map(|(name, kind, _)| (name, kind == FileType::Directory)).collect();
                self.left.push(names.into_iter());
                Ok(())
            }
            // Somebody else was first.
            Err(Errno::NOENT) => Ok(()),
            // It is something else by now.
            Err(Errno::NOTDIR | Errno::LOOP) => self.unlink(name, AtFlags::empty()),
            Err(errno) => Err(errno),
        }
    }

    /// Removes the directory that has been emptied, from above; `top` is where everything began.
    fn leave(&mut self, top: &OsStr) -> Result<()> {
        self.left.pop();
        let Some(name) = self.descent.path().file_name().map(OsStr::to_owned) else { return Ok(()) };
        match self.descent.leave() {
            Ok(()) => {}
            // Moved meanwhile: once more from where one certainly is.
            Err(Errno::STALE) => {
                self.again()?;
                self.left = vec![vec![(top.to_owned(), true)].into_iter()];
                return Ok(());
            }
            Err(errno) => return Err(errno),
        }
        match self.unlink(&name, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                self.again()?;
                self.enter(&name)
            }
            Err(Errno::NOTDIR) => self.unlink(&name, AtFlags::empty()),
            result => result,
        }
    }

    /// Removes one name from the directory that is being emptied.
    fn unlink(&self, name: &OsStr, flags: AtFlags) -> Result<()> {
        let directory = self.descent.here();
        let is_ours = !self.descent.path().as_os_str().is_empty();
        match rustix::fs::unlinkat(directory, name, flags) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            // A user who is not root takes rights from directories, and gets them back.
            Err(Errno::ACCESS) if is_ours => {
                rustix::fs::fchmod(directory, Mode::RWXU)?;
                rustix::fs::unlinkat(directory, name, flags)
            }
            Err(errno) => Err(errno),
        }
    }

    /// Counts what has to be done again because the tree changes.
    fn again(&mut self) -> Result<()> {
        self.attempts = self.attempts.checked_sub(1).ok_or(Errno::NOTEMPTY)?;
        Ok(())
    }
}

/// Lets the owner into a directory.
fn open_up(directory: BorrowedFd<'_>, name: &OsStr) -> Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    // By its descriptor: the name may be a link by now.
    rustix::fs::chmod(format!("/proc/self/fd/{}", found.as_raw_fd()), Mode::RWXU)
}

#[cfg(test)]
mod tests;
