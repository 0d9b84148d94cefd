//! Where an output is written before it gets its name, beside its destination.
//!
//! It is locked while its build lives. What a killed build left is not, and goes with the next output to the
//! same folder.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, RenameFlags, flock, renameat_with};

use super::ExportError;
use xx_build_rootfs::remove_tree;

const PREFIX: &str = ".xx-build.";
const SUFFIX: &str = ".tmp";
/// The mode of a directory that others are not to enter.
const PRIVATE: u32 = 0o700;

/// A file or directory that is removed when dropped, unless it got its name.
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
    file: File,
    /// The mode that a directory gets with its name, unless it is given another one before.
    mode: Option<u32>,
}

impl Temporary {
    /// An empty file in `folder`.
    pub(super) fn file(folder: &Path) -> Result<Self, ExportError> {
        Self::create(folder, |path| File::create_new(path))
    }

    /// An empty directory in `folder`, which nobody else may enter as long as it is temporary.
    pub(super) fn directory(folder: &Path) -> Result<Self, ExportError> {
        let mut new = Self::create(folder, |path| fs::create_dir(path).and_then(|()| File::open(path)))?;
        let made = rustix::fs::fstat(&new.file).and_then(|stat| {
            rustix::fs::fchmod(&new.file, Mode::from_raw_mode(PRIVATE)).map(|()| stat.st_mode)
        });
        new.mode =
            Some(made.map_err(|errno| ExportError::write("create", &new.path)(errno.into()))? & 0o7777);
        Ok(new)
    }

    fn create(folder: &Path, make: impl Fn(&Path) -> std::io::Result<File>) -> Result<Self, ExportError> {
        sweep(folder);
        for number in 0.. {
            let path = folder.join(format!("{PREFIX}{}.{number}{SUFFIX}", std::process::id()));
            let file = match make(&path) {
                // Another container's process of this number, or swept before it was locked.
                Err(error) if matches!(error.kind(), std::io::ErrorKind::AlreadyExists) => continue,
                result => result.map_err(ExportError::write("write to the directory", folder))?,
            };
            let locked = flock(&file, FlockOperation::NonBlockingLockExclusive);
            if locked.is_ok() && path.exists() {
                return Ok(Self { path, file, mode: None });
            }
        }
        Err(ExportError::write("create", folder)(std::io::ErrorKind::AlreadyExists.into()))
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file itself, open for writing.
    pub(super) fn open(&self) -> &File {
        &self.file
    }

    /// Gives it its name, replacing what has it; or gives it back with the error.
    pub(super) fn persist(self, target: &Path) -> Result<(), (Self, std::io::Error)> {
        fs::rename(&self.path, target).map_err(|error| (self, error))
    }

    /// Gives a directory its name, if nothing has it.
    pub(super) fn appear(&self, target: &Path) -> rustix::io::Result<()> {
        if let Some(mode) = &self.mode
            && rustix::fs::fstat(&self.file)?.st_mode & 0o7777 == PRIVATE
        {
            rustix::fs::fchmod(&self.file, Mode::from_raw_mode(*mode))?;
        }
        renameat_with(CWD, &self.path, CWD, target, RenameFlags::NOREPLACE)
    }

    /// Gives a directory the place of the one at `target`, which is removed with this.
    pub(super) fn exchange(&self, target: &Path) -> rustix::io::Result<()> {
        renameat_with(CWD, &self.path, CWD, target, RenameFlags::EXCHANGE)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Whether a name is one of these.
pub(super) fn is_temporary(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(PREFIX.as_bytes()) && name.ends_with(SUFFIX.as_bytes())
}

/// Best effort: what stays is swept the next time.
fn remove(path: &Path) {
    let _ = remove_tree(path);
}

/// Removes what killed builds left in `folder`.
pub(super) fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        if !is_temporary(&entry.file_name()) {
            continue;
        }
        // Whoever can write to the folder can put something else there: opening a named pipe would wait, a device act.
        if !entry.file_type().is_ok_and(|kind| kind.is_file() || kind.is_dir()) {
            continue;
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = rustix::fs::open(entry.path(), flags, Mode::empty()) else { continue };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            remove(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_nobody_holds_is_swept() {
        let folder = tempfile::tempdir().expect("a directory");
        let list = || fs::read_dir(folder.path()).expect("listed").count();
        fs::create_dir_all(folder.path().join(".xx-build.1.0.tmp/deep")).expect("a directory");
        fs::write(folder.path().join(".xx-build.2.0.tmp"), "").expect("a file");
        fs::write(folder.path().join("kept.tmp"), "").expect("a file");
        let pipe = folder.path().join(".xx-build.3.0.tmp");
        rustix::fs::mkfifoat(CWD, &pipe, Mode::RWXU).expect("a named pipe");
        std::os::unix::fs::symlink("kept.tmp", folder.path().join(".xx-build.4.0.tmp")).expect("a link");
        let one = Temporary::directory(folder.path()).expect("a directory");
        assert_eq!(one.open().metadata().expect("a directory").permissions().mode() & 0o777, PRIVATE);
        let two = Temporary::file(folder.path()).expect("a file");
        assert_eq!(list(), 5, "two that are in use, and three of somebody else");
        two.persist(&folder.path().join("named")).expect("renamed");
        drop(one);
        assert_eq!(list(), 4);
    }
}
