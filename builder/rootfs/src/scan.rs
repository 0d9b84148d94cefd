//! A look at a whole tree by several threads, one directory at a time and in no order.
//!
//! A [`walk`](super::walk) is sorted and on one thread, which is what writing an archive needs. Digesting and
//! copying a build context need neither: a thread takes a directory, lists it, looks at its entries and puts
//! its subdirectories back for whoever is free. What a directory hands down to those below it is the
//! visitor's `State`.
//! Not here: what is done with the entries, and putting results in order.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

use super::descent::{Descent, Trail, Way};
use super::tree::{Match, Tree};
use super::walk::{Entry, Visibility};
use super::{RootError, open_directory};
use crate::sync::{into_inner, lock};

/// One name of a [`Listing`] that is not hidden.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its name.
    pub name: OsString,
    /// Its metadata, links not followed.
    pub stat: Stat,
    /// Whether it is itself shown, or only entered for what may be below it.
    pub visibility: Visibility,
}

impl Listed {
    /// Whether it is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        FileType::from_raw_mode(self.stat.st_mode).is_dir()
    }
}

/// A directory as a scan found it. The first one holds nothing but the start of the scan.
#[derive(Debug)]
pub struct Listing<'a> {
    /// The open directory.
    pub directory: BorrowedFd<'a>,
    /// Its path from the start; `None` for the directory that holds the start.
    pub path: Option<&'a Path>,
    /// What it shows, sorted by name.
    pub entries: &'a [Listed],
    /// The inodes of everything in it, shown or not; empty when it was not listed as a whole.
    pub inodes: &'a [u64],
}

impl Listing<'_> {
    /// The path of one of its entries from the start, which is empty for the start itself.
    #[must_use]
    pub fn path_of(&self, entry: &Listed) -> PathBuf {
        self.path.map(|path| path.join(&entry.name)).unwrap_or_default()
    }

    /// One of its entries as a walk would show it, at `path`.
    #[must_use]
    pub fn entry<'a>(&'a self, entry: &'a Listed, path: &'a Path) -> Entry<'a> {
        Entry { directory: self.directory, name: &entry.name, path, stat: entry.stat }
    }
}

/// What is done in each directory; called from several threads.
pub trait Visitor: Sync {
    /// What a directory knows from the one above it.
    type State: Send;
    /// Why a visit fails.
    type Error: From<RootError> + Send;

    /// Looks at the entries of a directory.
    ///
    /// # Errors
    /// Whatever the visitor is after; the scan ends with it.
    fn visit(&self, listing: &Listing<'_>, state: &Self::State) -> Result<(), Self::Error>;

    /// What the subdirectory `entry` of `listing` is visited with.
    ///
    /// # Errors
    /// As for [`Visitor::visit`].
    fn enter(
        &self,
        listing: &Listing<'_>,
        entry: &Listed,
        state: &Self::State,
    ) -> Result<Self::State, Self::Error>;
}

/// Directories that wait for a thread, and what holds them all.
struct Group<S> {
    /// Closed when too many are open: then whoever works on the group opens it again.
    parent: Option<Arc<OwnedFd>>,
    /// The way to the parent; `None` for the directory that holds the start.
    way: Option<Arc<Way>>,
    /// Names with what they are visited with; the next one last.
    tasks: Vec<(OsString, S)>,
}

/// One of them.
struct Task<S> {
    parent: Option<Arc<OwnedFd>>,
    above: Option<Arc<Way>>,
    name: OsString,
    state: S,
}

/// Where a thread stands.
#[derive(Default)]
struct Position {
    trail: Trail,
    path: PathBuf,
    /// As far as it had to open directories again.
    opened: Option<(Trail, Descent)>,
}

/// Directories that wait, the latest last: going deep first keeps few of them open.
struct Queue<S, E> {
    groups: Vec<Group<S>>,
    /// How many of the groups, the first ones, have a closed parent.
    closed: usize,
    /// How many directories wait.
    waiting: usize,
    /// Threads that may still add some.
    busy: usize,
    failed: Option<E>,
}

/// How many directories that hold others which wait are kept open.
const OPEN_PARENTS: usize = 128;

impl<S, E> Queue<S, E> {
    fn push(&mut self, group: Group<S>) {
        self.waiting += group.tasks.len();
        self.groups.push(group);
        if self.groups.len() > self.closed + OPEN_PARENTS
            && let Some(first) = self.groups.get_mut(self.closed)
        {
            first.parent = None;
            self.closed += 1;
        }
    }

    fn pop(&mut self) -> Option<Task<S>> {
        let group = self.groups.last_mut()?;
        let (parent, above) = (group.parent.clone(), group.way.clone());
        let next = group.tasks.pop();
        if group.tasks.is_empty() {
            self.groups.pop();
            self.closed = self.closed.min(self.groups.len());
        }
        let (name, state) = next?;
        self.waiting -= 1;
        Some(Task { parent, above, name, state })
    }
}

/// Chooses by path (from the start, never empty) what a scan sees.
pub type Select<'a> = &'a (dyn Fn(&Path, bool) -> Visibility + Sync);

struct Scan<'a, V: Visitor> {
    tree: &'a Tree,
    start: &'a Match,
    select: Select<'a>,
    visitor: &'a V,
    queue: Mutex<Queue<V::State, V::Error>>,
    changed: Condvar,
}

/// A thread costs more than reading a few directories.
const WORTH_A_THREAD: usize = 4;

impl Tree {
    /// Visits `start` and what lies below it, as far as the tree shows it and `select` chooses it, with up to
    /// `threads` threads.
    ///
    /// # Errors
    /// The first error of the visitor, or when a directory cannot be read.
    pub fn scan<V: Visitor>(
        &self,
        start: &Match,
        select: Select<'_>,
        threads: usize,
        visitor: &V,
        state: V::State,
    ) -> Result<(), V::Error> {
        let queue = Queue { groups: vec![], closed: 0, waiting: 0, busy: 1, failed: None };
        let scan =
            Scan { tree: self, start, select, visitor, queue: Mutex::new(queue), changed: Condvar::new() };
        scan.begin(&state)?;
        drop(state);
        std::thread::scope(|scope| {
            let mut helpers = 1..threads.max(1);
            scan.work(|waiting| {
                if waiting >= WORTH_A_THREAD && helpers.next().is_some() {
                    let scan = &scan;
                    scan.lock().busy += 1;
                    scope.spawn(move || scan.work(|_| {}));
                }
            });
        });
        match into_inner(scan.queue).failed {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl<V: Visitor> Scan<'_, V> {
    fn lock(&self) -> std::sync::MutexGuard<'_, Queue<V::State, V::Error>> {
        lock(&self.queue)
    }

    /// Visits the start itself.
    fn begin(&self, state: &V::State) -> Result<(), V::Error> {
        let located = self.start.located();
        let Some(stat) = located.stat()? else { return Ok(()) };
        let entries = [Listed { name: located.name.clone(), stat, visibility: Visibility::Show }];
        let directory = rustix::io::fcntl_dupfd_cloexec(&located.directory, 0)
            .map_err(|errno| RootError::new("cannot open", self.start.path(), errno))?;
        self.give(&Arc::new(directory), (None, None), (&entries, &[]), state)
    }

    /// Works until nothing is left; `grow` hears how many directories wait.
    fn work(&self, mut grow: impl FnMut(usize)) {
        let mut position = Position::default();
        let mut queue = self.lock();
        loop {
            if queue.failed.is_some() {
                break;
            }
            if let Some(task) = queue.pop() {
                let waiting = queue.waiting;
                drop(queue);
                grow(waiting);
                let result = self.directory(task, &mut position);
                queue = self.lock();
                if let Err(error) = result {
                    queue.failed.get_or_insert(error);
                }
            } else {
                queue.busy -= 1;
                if queue.busy == 0 {
                    break;
                }
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                if queue.busy == 0 {
                    break;
                }
                queue.busy += 1;
            }
        }
        self.changed.notify_all();
    }

    fn directory(&self, task: Task<V::State>, position: &mut Position) -> Result<(), V::Error> {
        let Task { parent, above, name, state } = task;
        let directory = match (&parent, &above) {
            (None, Some(above)) => self.reopen(above, &mut position.opened, &name),
            (None, None) => open_directory(self.start.located().directory.as_fd(), &name),
            (Some(parent), _) => open_directory(parent.as_fd(), &name),
        };
        drop(parent);
        let way = above.map_or_else(Way::start, |above| above.join(name));
        position.trail.turn_path(&way, &mut position.path);
        let path = &mut position.path;
        let fail =
            |errno: Errno, path: &Path| RootError::new("cannot list", self.start.path().join(path), errno);
        let directory = directory.map_err(|errno| fail(errno, path))?;
        let raw = list_kinds(directory.as_fd()).map_err(|errno| fail(errno, path))?;
        let inodes: Vec<u64> = raw.iter().map(|(_, _, inode)| *inode).collect();
        let mut entries = Vec::with_capacity(raw.len());
        for (name, kind, _) in raw {
            path.push(&name);
            entries.extend(self.entry(directory.as_fd(), name, kind, path)?);
            path.pop();
        }
        self.give(&Arc::new(directory), (Some(path), Some(way)), (&entries, &inodes), &state)
    }

    /// Opens `name` in the directory that `way` leads to and that was closed: from where the thread did so the last time.
    fn reopen(
        &self,
        way: &Arc<Way>,
        opened: &mut Option<(Trail, Descent)>,
        name: &OsStr,
    ) -> rustix::io::Result<OwnedFd> {
        let start = self.start.located();
        let (trail, descent) = match opened {
            Some(opened) => opened,
            None => {
                let top = open_directory(start.directory.as_fd(), &start.name)?;
                opened.insert((Trail::default(), Descent::new(top)))
            }
        };
        let same = trail.turn(way);
        open_directory(descent.follow(trail, same)?, name)
    }

    fn entry(
        &self,
        directory: BorrowedFd<'_>,
        name: OsString,
        kind: FileType,
        path: &Path,
    ) -> Result<Option<Listed>, RootError> {
        let look = |is_directory| {
            let hidden = self.tree.visibility(self.start.path(), path, is_directory);
            if hidden == Visibility::Hide { hidden } else { hidden.and((self.select)(path, is_directory)) }
        };
        let early = (kind != FileType::Unknown).then(|| look(kind.is_dir()));
        if early == Some(Visibility::Hide) {
            return Ok(None);
        }
        let fail = |errno| RootError::new("cannot look at", self.start.path().join(path), errno);
        let stat = match self.tree.owners().stat(directory, &name) {
            Ok(stat) => stat,
            // Removed since it was listed: as if it had never been there.
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(fail(errno)),
        };
        if self.tree.leaves_out(&stat) {
            return Ok(None);
        }
        let is_directory = FileType::from_raw_mode(stat.st_mode).is_dir();
        let visibility = match early {
            Some(visibility) if is_directory == kind.is_dir() => visibility,
            Some(_) | None => look(is_directory),
        };
        Ok((visibility != Visibility::Hide).then_some(Listed { name, stat, visibility }))
    }

    /// Has a directory visited and its subdirectories queued.
    fn give(
        &self,
        directory: &Arc<OwnedFd>,
        (path, way): (Option<&Path>, Option<Arc<Way>>),
        (entries, inodes): (&[Listed], &[u64]),
        state: &V::State,
    ) -> Result<(), V::Error> {
        let listing = Listing { directory: directory.as_fd(), path, entries, inodes };
        self.visitor.visit(&listing, state)?;
        let mut tasks = vec![];
        for entry in entries.iter().filter(|entry| entry.is_directory()) {
            tasks.push((entry.name.clone(), self.visitor.enter(&listing, entry, state)?));
        }
        if !tasks.is_empty() {
            tasks.reverse();
            self.lock().push(Group { parent: Some(Arc::clone(directory)), way, tasks });
            self.changed.notify_all();
        }
        Ok(())
    }
}

/// Names in a directory with their kinds and inodes, sorted by name.
///
/// # Errors
/// When the directory cannot be read.
pub fn list_kinds(directory: BorrowedFd<'_>) -> rustix::io::Result<Vec<(OsString, FileType, u64)>> {
    use std::os::unix::ffi::OsStringExt as _;
    let mut names = vec![];
    let mut buffer = Vec::with_capacity(32 * 1024);
    let mut entries = rustix::fs::RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push((OsString::from_vec(name.to_owned()), entry.file_type(), entry.ino()));
        }
    }
    names.sort_unstable_by(|left, right| left.0.cmp(&right.0));
    Ok(names)
}
