//! The way from a directory down to one that may lie any number of levels below it, with few open descriptors.
//!
//! Only the lowest directories of the way are open. One further up is opened again from below, as `..`, and must then
//! be the one that it was: a tree that is moved meanwhile is an error, never a way out. Nothing here recurses, and no
//! path is handed to the system as a whole, which takes 4,095 bytes at most.
//! [`Way`] is the same without descriptors: a name, and the way to the directory that holds it.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Result;

use super::open_directory;

/// How many directories of a way are open, besides the one that it begins in.
const OPEN: usize = 16;

/// An inode: device and number.
type Id = (u64, u64);

fn id(directory: BorrowedFd<'_>) -> Result<Id> {
    rustix::fs::fstat(directory).map(|stat| (stat.st_dev, stat.st_ino))
}

/// Where one stands below a directory.
#[derive(Debug)]
pub(crate) struct Descent {
    base: OwnedFd,
    /// The upper levels, whose descriptors are closed.
    closed: Vec<Id>,
    /// The levels below those, down to where one stands.
    open: VecDeque<OwnedFd>,
    /// Where the name of each level ends in `path`.
    ends: Vec<usize>,
    path: Vec<u8>,
}

impl Descent {
    /// Stands in `base` itself.
    pub(crate) fn new(base: OwnedFd) -> Self {
        Self { base, closed: vec![], open: VecDeque::new(), ends: vec![], path: vec![] }
    }

    /// The directory that one stands in.
    pub(crate) fn here(&self) -> BorrowedFd<'_> {
        self.open.back().unwrap_or(&self.base).as_fd()
    }

    /// The way to it.
    pub(crate) fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.path))
    }

    /// Keeps nothing but the directory that one stands in.
    pub(crate) fn into_here(mut self) -> OwnedFd {
        self.open.pop_back().unwrap_or(self.base)
    }

    /// Goes down to `name`, which is no link.
    ///
    /// # Errors
    /// When there is no such directory. One then stands where one stood.
    pub(crate) fn enter(&mut self, name: &OsStr) -> Result<()> {
        let below = open_directory(self.here(), name)?;
        self.push(below, name)
    }

    /// As [`Descent::enter`], with the directory opened already.
    pub(crate) fn push(&mut self, below: OwnedFd, name: &OsStr) -> Result<()> {
        if self.open.len() >= OPEN
            && let Some(first) = self.open.front()
        {
            self.closed.push(id(first.as_fd())?);
            self.open.pop_front();
        }
        self.open.push_back(below);
        if !self.path.is_empty() {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(name.as_bytes());
        self.ends.push(self.path.len());
        Ok(())
    }

    /// Goes up by one level; nothing happens at the base.
    ///
    /// # Errors
    /// When the directory is no longer where it was. One then stands in the base.
    pub(crate) fn leave(&mut self) -> Result<()> {
        let Some(left) = self.open.pop_back() else { return Ok(()) };
        self.ends.pop();
        self.path.truncate(self.ends.last().copied().unwrap_or(0));
        if self.open.is_empty()
            && let Some(known) = self.closed.pop()
        {
            match above(left.as_fd(), known) {
                Ok(directory) => self.open.push_back(directory),
                Err(errno) => {
                    self.restart();
                    return Err(errno);
                }
            }
        }
        Ok(())
    }

    fn restart(&mut self) {
        self.closed.clear();
        self.open.clear();
        self.ends.clear();
        self.path.clear();
    }

    /// Goes where `trail` leads from the base, having gone along it before; `same` of its places are what they were.
    ///
    /// # Errors
    /// When there is no such directory. One then stands in the last one on the way that there is.
    pub(crate) fn follow(&mut self, trail: &Trail, same: usize) -> Result<BorrowedFd<'_>> {
        while self.ends.len() > same {
            self.leave()?;
        }
        for place in trail.0.get(self.ends.len()..).unwrap_or_default() {
            self.enter(&place.name)?;
        }
        Ok(self.here())
    }
}

/// The directory above `directory`, which must be `known`.
fn above(directory: BorrowedFd<'_>, known: Id) -> Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    let above = rustix::fs::openat(directory, "..", flags, Mode::empty())?;
    if id(above.as_fd())? == known { Ok(above) } else { Err(rustix::io::Errno::STALE) }
}

/// A place in a tree: its name, and the place that holds it.
#[derive(Debug)]
pub(crate) struct Way {
    above: Option<Arc<Way>>,
    name: OsString,
    /// How many names lead to it.
    depth: usize,
}

impl Way {
    /// The place that ways begin at, with an empty path.
    pub(crate) fn start() -> Arc<Self> {
        Arc::new(Self { above: None, name: OsString::new(), depth: 0 })
    }

    /// The place `name` in this one.
    pub(crate) fn join(self: &Arc<Self>, name: OsString) -> Arc<Self> {
        Arc::new(Self { above: Some(Arc::clone(self)), name, depth: self.depth + 1 })
    }

    /// Its name in the place above it.
    pub(crate) fn name(&self) -> &OsStr {
        &self.name
    }

    /// The path from the start.
    pub(crate) fn path(&self) -> PathBuf {
        let mut names = vec![];
        let mut place = self;
        while let Some(above) = &place.above {
            names.push(place.name.as_os_str());
            place = above;
        }
        names.into_iter().rev().collect()
    }
}

/// All places on a way, the start left out. Going from one way to the next costs what differs.
#[derive(Debug, Default)]
pub(crate) struct Trail(Vec<Arc<Way>>);

impl Trail {
    /// Turns to another way; how many places stay.
    pub(crate) fn turn(&mut self, way: &Arc<Way>) -> usize {
        let mut new = vec![];
        let mut place = way;
        let same = loop {
            let Some(above) = &place.above else { break 0 };
            if self.0.get(place.depth - 1).is_some_and(|known| Arc::ptr_eq(known, place)) {
                break place.depth;
            }
            new.push(Arc::clone(place));
            place = above;
        };
        self.0.truncate(same);
        self.0.extend(new.into_iter().rev());
        same
    }

    /// As [`Trail::turn`], with `path` kept what it leads to.
    pub(crate) fn turn_path(&mut self, way: &Arc<Way>, path: &mut PathBuf) {
        let before = self.0.len();
        let same = self.turn(way);
        for _ in same..before {
            path.pop();
        }
        path.extend(self.0.get(same..).unwrap_or_default().iter().map(|place| &place.name));
    }
}

impl Drop for Way {
    /// One place after the other: each would otherwise drop the one above it, which takes stack.
    fn drop(&mut self) {
        let mut above = self.above.take();
        while let Some(mut place) = above.and_then(Arc::into_inner) {
            above = place.above.take();
        }
    }
}

#[cfg(test)]
mod tests;
