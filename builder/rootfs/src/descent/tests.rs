//! Trees deeper than stacks, paths and descriptors go: whatever looks at a tree looks at these too.

use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::{
    CopyOptions, Entry, Listed, Listing, Owners, Root, RootError, Tree, Visibility, Visitor, copy,
    remove_all, walk,
};

/// Directories `d` in each other; beside each of them a file `f` and directories of the given names, if any are.
fn grow(place: &Path, levels: usize, beside: &[&str]) {
    let mut here: OwnedFd = File::open(place).expect("a directory").into();
    for _ in 0..levels {
        for name in beside {
            rustix::fs::mkdirat(&here, *name, Mode::RWXU).expect("a directory");
        }
        if !beside.is_empty() {
            let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
            rustix::fs::openat(&here, "f", flags, Mode::RWXU).expect("a file");
        }
        rustix::fs::mkdirat(&here, "d", Mode::RWXU).expect("a directory");
        here = open_directory(here.as_fd(), "d".as_ref()).expect("opened");
    }
}

/// Levels, names beside the next level, and how many entries there are in all.
const SHAPES: &[(usize, &[&str], usize)] =
    &[(30_000, &[], 30_001), (1_500, &["a", "e"], 6_001), (1_500, &["e"], 4_501)];

/// A directory that is removed as builds remove theirs: the library's way takes a descriptor and stack for each level.
struct InMemory(tempfile::TempDir);

impl InMemory {
    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for InMemory {
    fn drop(&mut self) {
        crate::remove_tree(self.path()).expect("removed");
    }
}

/// A file system on a disk takes minutes for this.
fn in_memory() -> InMemory {
    InMemory(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory"))
}

/// No more descriptors than this, whatever the depth; tests beside this one have some too.
const FEW: usize = 900;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("listed").count()
}

#[derive(Default)]
struct Count {
    entries: AtomicUsize,
    descriptors: AtomicUsize,
}

impl Count {
    fn one(&self) {
        if self.entries.fetch_add(1, Ordering::Relaxed).is_multiple_of(500) {
            self.descriptors.fetch_max(descriptors(), Ordering::Relaxed);
        }
    }

    fn check(&self, entries: usize, what: &str) {
        assert_eq!(self.entries.load(Ordering::Relaxed), entries, "{what}");
        assert!(self.descriptors.load(Ordering::Relaxed) < FEW, "{what}");
    }
}

impl Visitor for Count {
    type State = ();
    type Error = RootError;

    fn visit(&self, listing: &Listing<'_>, (): &()) -> Result<(), RootError> {
        listing.entries.iter().for_each(|_| self.one());
        Ok(())
    }

    fn enter(&self, _: &Listing<'_>, _: &Listed, (): &()) -> Result<(), RootError> {
        Ok(())
    }
}

type Result<T, E> = std::result::Result<T, E>;

fn count(place: &Path, threads: usize) -> Count {
    let tree = Tree::result(File::open(place).expect("the tree").into(), Owners::Real);
    let count = Count::default();
    for top in tree.matches("/", false, false).expect("found").found {
        tree.scan(&top, &|_, _| Visibility::Show, threads, &count, ()).expect("scanned");
    }
    count
}

#[test]
fn deep_trees_are_walked_copied_and_removed() {
    for (levels, beside, entries) in SHAPES {
        let what = format!("{levels} levels beside {beside:?}");
        let place = in_memory();
        let [from, to] = ["from", "to"].map(|name| place.path().join(name));
        std::fs::create_dir(&from).expect("a directory");
        std::fs::create_dir(&to).expect("a directory");
        grow(&from, *levels, beside);
        let base = File::open(place.path()).expect("the place");

        let walked = Count::default();
        let everything = |_: &Path, _: bool| Visibility::Show;
        walk(Owners::Real, base.as_fd(), "from".as_ref(), &everything, &mut |_: &Entry<'_>| {
            walked.one();
            Ok::<(), RootError>(())
        })
        .expect("walked");
        walked.check(*entries, &what);
        count(&from, 2).check(*entries, &what);

        let tree = Tree::result(File::open(&from).expect("the tree").into(), Owners::Real);
        let target = File::open(&to).expect("the target");
        let options = CopyOptions {
            owner: None,
            mode: None,
            time: None,
            contents_only: true,
            replace: false,
            threads: 2,
        };
        let root = Root::new(&target, Owners::Real);
        for top in tree.matches("/", false, false).expect("found").found {
            let seen = Count::default();
            let select = |_: &Path, _: bool| {
                seen.one();
                Visibility::Show
            };
            copy(&tree, &top, &select, root, "/", &options).expect("copied");
            assert!(seen.descriptors.load(Ordering::Relaxed) < FEW, "{what}");
        }
        count(&to, 1).check(*entries, &what);

        for name in ["from", "to"] {
            remove_all(base.as_fd(), name.as_ref()).expect("removed");
            assert!(!place.path().join(name).exists(), "{what}");
        }
    }
}

/// Directories that are entered only for what is below them, more than are open at once.
#[test]
fn directories_that_wait_are_shown_however_many() {
    let place = in_memory();
    grow(place.path(), 3_000, &["a"]);
    let base = File::open(place.path()).expect("the place");
    let look = |path: &Path, is_directory: bool| match path.file_name() {
        Some(name) if name == "f" && path.components().count().is_multiple_of(1_000) => Visibility::Show,
        _ if is_directory => Visibility::Enter,
        _ => Visibility::Hide,
    };
    let mut shown = vec![];
    walk(Owners::Real, base.as_fd(), ".".as_ref(), &look, &mut |entry: &Entry<'_>| {
        let there = rustix::fs::statat(entry.directory, entry.name, rustix::fs::AtFlags::empty());
        assert_eq!(there.expect("there").st_ino, entry.stat.st_ino);
        shown.push(entry.path.components().count());
        Ok::<(), RootError>(())
    })
    .expect("walked");
    // Directories come first, and `d` before `f`.
    let expected: Vec<usize> = (0..3_000).chain([3_000, 2_000, 1_000]).collect();
    assert!(shown == expected, "{} entries", shown.len());
}

#[test]
fn a_tree_that_is_moved_is_no_way_out() {
    let place = in_memory();
    std::fs::create_dir(place.path().join("in")).expect("a directory");
    grow(&place.path().join("in"), 40, &[]);
    let mut descent = Descent::new(File::open(place.path().join("in")).expect("the tree").into());
    for _ in 0..40 {
        descent.enter("d".as_ref()).expect("entered");
    }
    // Now the directory above level 20 is another one.
    let level = |count: usize| place.path().join("in").join("d/".repeat(count));
    std::fs::create_dir(place.path().join("out")).expect("a directory");
    std::fs::rename(level(20), place.path().join("out/d")).expect("moved");
    let failed = (0..40).find_map(|_| descent.leave().err());
    assert_eq!(failed, Some(rustix::io::Errno::STALE));
    assert_eq!(descent.path(), Path::new(""), "back where it began");
}
