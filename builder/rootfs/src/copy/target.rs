//! Where a copy goes.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, Stat};
use rustix::io::Errno;

use super::super::{Located, Root, RootError, open_beneath, open_directory};
use super::{CopyOptions, Match};

/// The name that a source gets, in a directory that is open.
#[derive(Debug)]
pub struct Target {
    pub(super) located: Located,
    /// Whether the topmost directory was there before, and keeps its metadata.
    pub(super) existed: bool,
    /// The same directory in the layers below, if this is one layer of a tree and they have it.
    pub(super) below: Option<OwnedFd>,
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode).is_dir()
}

impl Target {
    /// Finds the name that the source gets, making the directories above it.
    ///
    /// # Errors
    /// When a directory cannot be made.
    pub fn prepare(
        source: &Match,
        root: Root<'_>,
        destination: &str,
        options: &CopyOptions,
    ) -> Result<Self, RootError> {
        let into = destination.ends_with('/') || destination.ends_with("/.");
        let path = Path::new(destination);
        if into {
            drop(root.create_directories(path, options.directories())?);
        }
        let target = root.locate_or_create(path, true, options.directories())?;
        let source_is_directory = source.located().stat()?.is_some_and(|stat| is_directory(&stat));
        let existing = target.stat()?;
        let inside = if source_is_directory {
            !options.contents_only && existing.is_some()
        } else {
            existing.is_some_and(|stat| is_directory(&stat))
        };
        if inside {
            let directory = open_directory(target.directory.as_fd(), &target.name)
                .map_err(|errno| RootError::new("cannot open directory", &target.path, errno))?;
            // The root of a tree has no name of its own: it is merged into the directory.
            let is_root = source.name == "/";
            let name = if is_root { OsString::from(".") } else { source.name.clone() };
            let path = if is_root { target.path } else { target.path.join(&name) };
            return Self::at(Located { directory, name, path, owners: root.owners() });
        }
        if source_is_directory && options.contents_only && existing.is_none() {
            drop(root.create_directories(&target.path, options.directories())?);
        }
        Self::at(target)
    }

    fn at(located: Located) -> Result<Self, RootError> {
        let existed = located.stat()?.is_some();
        Ok(Self { located, existed, below: None })
    }

    /// Its path in the root, with all links resolved, without a leading slash.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.located.path
    }

    /// Whether a directory can be copied to it without replacing something of another kind.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn takes_directory(&self) -> Result<bool, RootError> {
        Ok(self.located.stat()?.is_none_or(|stat| is_directory(&stat)))
    }

    /// Goes from a mounted overlay, which nobody else uses, to its upper directory `upper`, which nothing has been
    /// copied to yet; `base` shows the layers below. There files are made without the overlay's detours, and can
    /// be links to files of other layers.
    ///
    /// # Errors
    /// When a directory cannot be brought up into the layer or opened.
    pub fn in_layer<E: From<RootError>>(
        self,
        upper: OwnedFd,
        base: impl FnOnce() -> Result<OwnedFd, E>,
    ) -> Result<Self, E> {
        let Self { located: Located { directory, name, path, owners }, existed, .. } = self;
        let fail = |errno| RootError::new("cannot write", &path, errno);
        // The root of a mount comes as a mere path, which takes no `fchmod`: it is opened like any other directory.
        let nearest = if existed { name.as_os_str() } else { OsStr::new(".") };
        let nearest = open_directory(directory.as_fd(), nearest).map_err(fail)?;
        // The overlay brings a directory up, and all above it, when its mode is set, be it to what it was.
        let stat = rustix::fs::fstat(&nearest).map_err(fail)?;
        rustix::fs::fchmod(&nearest, Mode::from_raw_mode(stat.st_mode & 0o7777)).map_err(fail)?;
        drop(nearest);
        let above = if name == "." { path.as_path() } else { path.parent().unwrap_or(Path::new("")) };
        let directory = open_beneath(upper, above).map_err(fail)?;
        let below = if existed {
            match open_beneath(base()?, &path) {
                Ok(below) => Some(below),
                // Made just now.
                Err(Errno::NOENT) => None,
                Err(errno) => return Err(fail(errno).into()),
            }
        } else {
            None
        };
        Ok(Self { located: Located { directory, name, path, owners }, existed, below })
    }
}
