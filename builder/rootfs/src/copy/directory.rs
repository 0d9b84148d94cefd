//! The directories of a copy: made when something in them is shown, open while something is copied to them, and given
//! their metadata when everything is there.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rustix::fs::{AtFlags, FileType, Mode, Stat};
use rustix::io::Errno;

use super::super::descent::{Descent, Trail, Way};
use super::super::walk::{Xattrs, xattrs};
use super::super::{Located, Metadata, RootError, is_whiteout, open_directory, set_time};
use super::{Again, Copier, OVER_A_LINK, Target};
use crate::sync::{into_inner, lock};

/// A directory of the copy. It is made when something in it is shown.
pub(super) struct Directory {
    above: Option<Arc<Directory>>,
    /// From the target.
    way: Arc<Way>,
    source: Stat,
    xattrs: Xattrs,
    made: Mutex<bool>,
}

impl Directory {
    /// The directory `name` in the one above; the target itself when there is none above.
    pub(super) fn new(above: Option<Arc<Self>>, name: OsString, source: Stat, xattrs: Xattrs) -> Self {
        let way = above.as_ref().map_or_else(Way::start, |above| above.way.join(name));
        Self { above, way, source, xattrs, made: Mutex::new(false) }
    }
}

impl Drop for Directory {
    /// One directory after the other: each would otherwise drop the one above it, which takes stack.
    fn drop(&mut self) {
        let mut above = self.above.take();
        while let Some(mut directory) = above.and_then(Arc::into_inner) {
            above = directory.above.take();
        }
    }
}

/// Where a thread stands: in the copy, and in the same directory of what else there is. All begin at the target.
pub(super) struct Place {
    trail: Trail,
    here: Descent,
    /// In the layers below, when this is one layer of a tree.
    below: Option<Descent>,
    /// In the earlier copy.
    earlier: Option<Descent>,
}

/// The directories of a [`Place`], as far as they are there.
#[derive(Clone, Copy)]
pub(super) struct Open<'a> {
    here: BorrowedFd<'a>,
    below: Option<BorrowedFd<'a>>,
    earlier: Option<BorrowedFd<'a>>,
}

impl<'a> Open<'a> {
    /// The directory of the copy.
    pub(super) fn here(self) -> BorrowedFd<'a> {
        self.here
    }
}

impl Place {
    /// Goes to a directory of the copy.
    fn go(&mut self, way: &Arc<Way>) -> rustix::io::Result<Open<'_>> {
        let Self { trail, here, below, earlier } = self;
        let same = trail.turn(way);
        let here = here.follow(trail, same)?;
        // Elsewhere it need not be.
        let [below, earlier] = [below, earlier].map(|there| there.as_mut()?.follow(trail, same).ok());
        Ok(Open { here, below, earlier })
    }
}

/// A name that something is copied to.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) directory: BorrowedFd<'a>,
    pub(super) name: &'a OsStr,
    pub(super) below: Option<BorrowedFd<'a>>,
    pub(super) earlier: Option<BorrowedFd<'a>>,
}

impl<'a> Spot<'a> {
    pub(super) fn inside(open: Open<'a>, name: &'a OsStr) -> Self {
        let Open { here, below, earlier } = open;
        Self { directory: here, name, below, earlier }
    }

    /// The target itself, which is no directory.
    pub(super) fn of(target: &'a Target) -> Self {
        let Located { directory, name, .. } = &target.located;
        Self { directory: directory.as_fd(), name, below: None, earlier: None }
    }
}

impl Copier<'_> {
    /// Does something in a directory of the copy, which is made.
    pub(super) fn within<T>(
        &self,
        directory: &Directory,
        work: impl FnOnce(Open<'_>) -> Result<T, RootError>,
    ) -> Result<T, RootError> {
        let fail = |errno| RootError::new("cannot write", self.shown(&directory.way.path()), errno);
        let last = lock(&self.places).pop();
        let mut place = last.map_or_else(|| self.place(), Ok).map_err(fail)?;
        let result = place.go(&directory.way).map_err(fail).and_then(work);
        lock(&self.places).push(place);
        result
    }

    /// The target itself, and what else there is.
    fn place(&self) -> rustix::io::Result<Place> {
        let from = |fd: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(fd, 0).map(Descent::new);
        let Located { directory, name, .. } = &self.target.located;
        Ok(Place {
            trail: Trail::default(),
            here: Descent::new(open_directory(directory.as_fd(), name)?),
            below: self.target.below.as_ref().map(from).transpose()?,
            earlier: self.again.and_then(Again::directory).map(from).transpose()?,
        })
    }

    /// Makes a directory of the copy, and those above it.
    pub(super) fn ensure(&self, directory: &Arc<Directory>) -> Result<(), RootError> {
        let mut missing = vec![];
        let mut next = Some(directory);
        while let Some(directory) = next.filter(|directory| !*lock(&directory.made)) {
            missing.push(directory);
            next = directory.above.as_ref();
        }
        for directory in missing.into_iter().rev() {
            let mut made = lock(&directory.made);
            if *made {
                continue;
            }
            let shown = || self.shown(&directory.way.path());
            // Open to its maker until everything is in it.
            let mode = Mode::from_raw_mode(directory.source.st_mode & 0o7777) | Mode::RWXU;
            match &directory.above {
                Some(above) => self.within(above, |open| {
                    self.make_directory(Spot::inside(open, directory.way.name()), mode, &shown)
                })?,
                None => self.make_directory(Spot::of(&self.target), mode, &shown)?,
            }
            *made = true;
            drop(made);
            lock(&self.made).push(Arc::clone(directory));
        }
        Ok(())
    }

    /// Makes a directory where none is; what else is there has to go.
    fn make_directory(
        &self,
        spot: Spot<'_>,
        mode: Mode,
        shown: &dyn Fn() -> PathBuf,
    ) -> Result<(), RootError> {
        let Spot { directory, name, .. } = spot;
        let fail = |errno| RootError::new("cannot write", shown(), errno);
        let in_the_way = |kind: FileType| {
            if self.options.replace {
                return Ok(());
            }
            let action =
                if kind.is_symlink() { OVER_A_LINK } else { "cannot copy a directory over the file" };
            Err(RootError::new(action, shown(), Errno::NOTDIR))
        };
        let below = kind_below(spot).map_err(fail)?;
        if let Some(kind) = below.filter(|kind| !kind.is_dir()) {
            in_the_way(kind)?;
        }
        match rustix::fs::mkdirat(directory, name, mode) {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(fail)?;
                let kind = FileType::from_raw_mode(stat.st_mode);
                if kind.is_dir() {
                    return Ok(());
                }
                in_the_way(kind)?;
                rustix::fs::unlinkat(directory, name, AtFlags::empty()).map_err(fail)?;
                rustix::fs::mkdirat(directory, name, mode).map_err(fail)?;
            }
            Err(errno) => return Err(fail(errno)),
        }
        // Attributes stay, all else is the source's.
        if let Some(fd) = spot.below.filter(|_| below.is_some_and(FileType::is_dir)) {
            let metadata = Metadata { xattrs: xattrs(fd, name).map_err(fail)?, ..Metadata::default() };
            let applied = metadata.apply(self.owners(), directory, name);
            applied.map_err(|error| RootError::new("cannot write", shown(), error))?;
        }
        Ok(())
    }

    /// Gives the directories their metadata; returns what may be object files.
    pub(super) fn finish(self) -> Result<Option<Vec<PathBuf>>, RootError> {
        let made = std::mem::take(&mut *lock(&self.made));
        for directory in made.into_iter().rev() {
            let metadata = self.metadata(&directory.source, directory.xattrs.clone());
            let keep = directory.above.is_none() && self.target.existed;
            self.within(&directory, |Open { here, .. }| {
                let done = match metadata.time {
                    Some(time) if keep => set_time(here, OsStr::new("."), time).map_err(Into::into),
                    _ => metadata.apply(self.owners(), here, OsStr::new(".")),
                };
                done.map_err(|errno| RootError::new("cannot write", self.shown(&directory.way.path()), errno))
            })?;
        }
        Ok(into_inner(self.objects).into_paths())
    }
}

/// What the layers below have in a place, if anything.
pub(super) fn kind_below(spot: Spot<'_>) -> rustix::io::Result<Option<FileType>> {
    let Some(below) = spot.below else { return Ok(None) };
    match rustix::fs::statat(below, spot.name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if is_whiteout(&stat) => Ok(None),
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}
