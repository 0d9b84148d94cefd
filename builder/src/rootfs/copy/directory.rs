//! The directories of a copy: made when something in them is shown, open while something is copied to them, and given
//! their metadata when everything is there.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::fs::{AtFlags, FileType, Mode, Stat};
use rustix::io::Errno;

use super::super::walk::{Xattrs, xattrs};
use super::super::{Located, Metadata, RootError, is_whiteout, open_beneath, open_directory, set_time};
use super::{Again, Copier, OVER_A_LINK, Target};
use crate::sync::{into_inner, lock};

pub(super) struct Made {
    /// From the target.
    path: PathBuf,
    metadata: Metadata,
    /// It was there before: only its time is put back.
    keep: bool,
}

/// A directory of the copy. It is made when something in it is shown.
pub(super) struct Directory {
    pub(super) above: Option<Arc<Directory>>,
    pub(super) name: OsString,
    /// From the target; empty for the target itself.
    pub(super) path: PathBuf,
    pub(super) source: Stat,
    pub(super) xattrs: Xattrs,
    pub(super) place: Mutex<Place>,
}

/// How far a directory of the copy has come.
#[derive(Default)]
pub(super) struct Place {
    pub(super) made: bool,
    pub(super) open: Option<Arc<Open>>,
}

/// A directory of the copy, opened.
pub(super) struct Open {
    here: OwnedFd,
    /// The same in the layers below, when this is one layer of a tree.
    below: Option<OwnedFd>,
    /// The same in the earlier copy.
    earlier: Option<OwnedFd>,
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
    pub(super) fn inside(open: &'a Open, name: &'a OsStr) -> Self {
        let borrowed = |fd: &'a Option<OwnedFd>| fd.as_ref().map(AsFd::as_fd);
        Self {
            directory: open.here.as_fd(),
            name,
            below: borrowed(&open.below),
            earlier: borrowed(&open.earlier),
        }
    }

    /// The target itself, which is no directory.
    pub(super) fn of(target: &'a Target) -> Self {
        let Located { directory, name, .. } = &target.located;
        Self { directory: directory.as_fd(), name, below: None, earlier: None }
    }
}

impl Copier<'_> {
    /// Opens a directory of the copy, making it and those above it first.
    pub(super) fn open(&self, directory: &Directory) -> Result<Arc<Open>, RootError> {
        let mut place = lock(&directory.place);
        if let Some(open) = &place.open {
            return Ok(Arc::clone(open));
        }
        self.ensure(directory, &mut place)?;
        let above = self.above(directory)?;
        let spot = self.spot(directory, above.as_deref());
        let fail = |errno| RootError::new("cannot write", self.shown(&directory.path), errno);
        let here = open_directory(spot.directory, spot.name).map_err(fail)?;
        let (below, earlier) = if above.is_some() {
            let same = |fd: Option<BorrowedFd<'_>>| fd.and_then(|fd| open_directory(fd, spot.name).ok());
            (same(spot.below), same(spot.earlier))
        } else {
            let clone =
                |fd: &OwnedFd| fd.try_clone().map_err(|error| RootError::new("cannot open", "/", error));
            let earlier = self.again.and_then(Again::directory);
            (self.target.below.as_ref().map(clone).transpose()?, earlier.map(clone).transpose()?)
        };
        let open = Arc::new(Open { here, below, earlier });
        place.open = Some(Arc::clone(&open));
        Ok(open)
    }

    fn above(&self, directory: &Directory) -> Result<Option<Arc<Open>>, RootError> {
        directory.above.as_ref().map(|above| self.open(above)).transpose()
    }

    fn spot<'a>(&'a self, directory: &'a Directory, above: Option<&'a Open>) -> Spot<'a> {
        above.map_or_else(|| Spot::of(&self.target), |above| Spot::inside(above, &directory.name))
    }

    /// Makes a directory of the copy, and those above it.
    pub(super) fn ensure(&self, directory: &Directory, place: &mut Place) -> Result<(), RootError> {
        if place.made {
            return Ok(());
        }
        let above = self.above(directory)?;
        let spot = self.spot(directory, above.as_deref());
        let shown = self.shown(&directory.path);
        // Open to its maker until everything is in it.
        let mode = Mode::from_raw_mode(directory.source.st_mode & 0o7777) | Mode::RWXU;
        self.make_directory(spot, mode, &shown)?;
        let metadata = self.metadata(&directory.source, directory.xattrs.clone());
        let keep = directory.path.as_os_str().is_empty() && self.target.existed;
        lock(&self.made).push(Made { path: directory.path.clone(), metadata, keep });
        place.made = true;
        Ok(())
    }

    /// Makes a directory where none is; what else is there has to go.
    fn make_directory(&self, spot: Spot<'_>, mode: Mode, shown: &Path) -> Result<(), RootError> {
        let Spot { directory, name, .. } = spot;
        let fail = |errno| RootError::new("cannot write", shown, errno);
        let in_the_way = |kind: FileType| {
            if self.options.replace {
                return Ok(());
            }
            let action =
                if kind.is_symlink() { OVER_A_LINK } else { "cannot copy a directory over the file" };
            Err(RootError::new(action, shown, Errno::NOTDIR))
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
            metadata.apply(self.owners(), directory, name).map_err(fail)?;
        }
        Ok(())
    }

    /// Opens a directory that this copy made, without following links.
    pub(super) fn reopen(&self, path: &Path) -> Result<OwnedFd, RootError> {
        let fail = |errno| RootError::new("cannot write", self.shown(path), errno);
        let Located { directory, name, .. } = &self.target.located;
        let top = open_directory(directory.as_fd(), name).map_err(fail)?;
        open_beneath(top, path).map_err(fail)
    }

    /// Gives the directories their metadata.
    pub(super) fn finish(self) -> Result<Vec<PathBuf>, RootError> {
        let made = std::mem::take(&mut *lock(&self.made));
        for Made { path, metadata, keep } in made.into_iter().rev() {
            let fail = |errno| RootError::new("cannot write", self.shown(&path), errno);
            let (fd, itself) = (self.reopen(&path)?, OsStr::new("."));
            match metadata.time {
                Some(time) if keep => set_time(fd.as_fd(), itself, time).map_err(fail)?,
                _ => metadata.apply(self.owners(), fd.as_fd(), itself).map_err(fail)?,
            }
        }
        Ok(into_inner(self.objects))
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
