//! Digests of what a selector reaches in a tree: the content part of a cache key.
//!
//! Counted are names, kinds, permission bits, owners, link targets, device numbers, extended attributes and
//! contents; modification times are not. A directory's digest is made of those of its entries, so the
//! order in which threads get to them does not show.
//! Files are read at most once: their digests are remembered, a directory at a time, by inode, size and both
//! times. A file that changed within the last two seconds is not remembered, as a second change could leave
//! all of these as they are.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Mutex;

use rustix::fs::{Mode, OFlags, Stat};

use super::EngineError;
use super::select::PatternFilter;
use xx_build_rootfs::sync::{into_inner, lock};
use xx_build_rootfs::{
    Entry, EntryKind, Filter as _, Listed, Listing, Match, RootError, Tree, Visibility, Visitor, ctime,
    has_settled, mtime,
};
use xx_build_solve::{CopySelector, Key, KeyHasher};
use xx_build_store::{DirectoryKey, FileDigest, FileStamp, Store};

/// How often a file that changes under the reader is read.
const ATTEMPTS: usize = 3;

/// What a digest is computed with.
#[derive(Clone, Copy)]
pub(super) struct Digester<'a> {
    /// Where digests of files are remembered.
    pub(super) store: &'a Store,
    /// When the build began, in nanoseconds since 1970.
    pub(super) now: i64,
    /// How many threads read.
    pub(super) threads: usize,
}

impl Digester<'_> {
    /// Digests what `selectors` reach in `tree`.
    pub(super) fn digest(&self, tree: &Tree, selectors: &[CopySelector]) -> Result<Key, EngineError> {
        let mut hasher = KeyHasher::new("xx-build content 2");
        for selector in selectors {
            let select = PatternFilter::new(&selector.include, &selector.exclude)?;
            let matches = tree.matches(&selector.path, selector.wildcard, selector.follow)?;
            if let Some(missing) = &matches.missing {
                // What copies it will say so; here it only has to differ from what is complete.
                hasher.field(missing.path.as_os_str().as_bytes());
            }
            hasher.number(matches.found.len() as u64);
            for found in &matches.found {
                // Only the name counts, not the way to it: it decides what a copy is called.
                hasher.field(found.name.as_bytes());
                hasher.field(&self.tree_digest(tree, found, &select)?.0);
            }
        }
        Ok(hasher.finish())
    }

    fn tree_digest(&self, tree: &Tree, found: &Match, select: &PatternFilter) -> Result<Key, EngineError> {
        let look = |path: &Path, is_directory: bool| select.look(path, is_directory);
        let reader = Reader { digester: self, tree, nodes: Mutex::new(vec![None]), fresh: Mutex::default() };
        tree.scan(found, &look, self.threads, &reader, 0)?;
        let fresh = into_inner(reader.fresh);
        self.store.set_file_digests(&fresh)?;
        Ok(combine(into_inner(reader.nodes)))
    }
}

/// One entry of a directory.
struct Node {
    name: OsString,
    /// Digest of all that counts of it but what is below it.
    own: Key,
    /// A directory that is only entered counts if something below it is shown.
    shown: bool,
    /// Of a directory that is entered, its place among all.
    below: Option<usize>,
}

/// The entries of each directory; that which holds the start is the first, and each comes after the one that it is in.
/// `None` where nobody has looked.
type Nodes = Vec<Option<Vec<Node>>>;

/// The digest of a whole tree from those of its entries.
fn combine(nodes: Nodes) -> Key {
    let mut keys: Vec<Option<Key>> = vec![None; nodes.len()];
    for (place, entries) in nodes.into_iter().enumerate().rev() {
        let Some(entries) = entries else { continue };
        let is_top = place == 0;
        let mut hasher = KeyHasher::new("xx-build directory 1");
        let mut count = 0_u64;
        for node in &entries {
            let inside = node.below.and_then(|below| keys.get_mut(below)?.take());
            if !node.shown && inside.is_none() {
                continue;
            }
            // What the start is called is the business of the caller.
            if !is_top {
                hasher.field(node.name.as_bytes());
            }
            hasher.field(&node.own.0);
            if let Some(inside) = inside {
                hasher.field(&inside.0);
            }
            count += 1;
        }
        hasher.number(count);
        if (count > 0 || is_top)
            && let Some(key) = keys.get_mut(place)
        {
            *key = Some(hasher.finish());
        }
    }
    let whole = keys.into_iter().next().flatten();
    whole.unwrap_or_else(|| KeyHasher::new("xx-build nothing 1").finish())
}

struct Reader<'a> {
    digester: &'a Digester<'a>,
    tree: &'a Tree,
    nodes: Mutex<Nodes>,
    fresh: Mutex<Vec<(DirectoryKey, Vec<FileDigest>)>>,
}

impl Visitor for Reader<'_> {
    /// The place of the directory among all.
    type State = usize;
    type Error = EngineError;

    fn visit(&self, listing: &Listing<'_>, place: &usize) -> Result<(), EngineError> {
        let mut memory = Memory::of(self.digester, self.tree, listing)?;
        let mut nodes = Vec::with_capacity(listing.entries.len());
        for listed in listing.entries {
            let path = listing.path_of(listed);
            let own = self.own(&listing.entry(listed, &path), &mut memory)?;
            let shown = listed.visibility == Visibility::Show;
            nodes.push(Node { name: listed.name.clone(), own, shown, below: None });
        }
        if let Some(fresh) = memory.into_fresh(listing) {
            lock(&self.fresh).push(fresh);
        }
        if let Some(place) = lock(&self.nodes).get_mut(*place) {
            *place = Some(nodes);
        }
        Ok(())
    }

    fn enter(&self, _: &Listing<'_>, listed: &Listed, above: &usize) -> Result<usize, EngineError> {
        let mut nodes = lock(&self.nodes);
        let place = nodes.len();
        if let Some(Some(above)) = nodes.get_mut(*above)
            && let Ok(at) = above.binary_search_by(|node| node.name.cmp(&listed.name))
            && let Some(node) = above.get_mut(at)
        {
            node.below = Some(place);
        }
        nodes.push(None);
        Ok(place)
    }
}

impl Reader<'_> {
    /// Everything that counts of an entry but what is below it, as length-prefixed fields.
    fn own(&self, entry: &Entry<'_>, memory: &mut Memory<'_>) -> Result<Key, EngineError> {
        let (content, stat) = match entry.kind() {
            EntryKind::File => {
                let read = memory.file(entry)?;
                (read.0.to_vec(), read.1)
            }
            EntryKind::Directory => (attributes(self.tree, entry)?, entry.stat),
            EntryKind::Symlink => {
                let mut content = xx_build_rootfs::link_target(entry)?;
                content.push(0);
                content.extend(attributes(self.tree, entry)?);
                (content, entry.stat)
            }
            EntryKind::Special => {
                let mut content = entry.stat.st_rdev.to_le_bytes().to_vec();
                content.extend(attributes(self.tree, entry)?);
                (content, entry.stat)
            }
        };
        let (uid, gid) = self.tree.owner(&entry.stat);
        let mut hasher = KeyHasher::new("xx-build entry 1");
        hasher.number(u64::from(stat.st_mode)).number(u64::from(uid)).number(u64::from(gid)).field(&content);
        Ok(hasher.finish())
    }
}

/// Extended attributes, as the tree shows them, as length-prefixed fields.
fn attributes(tree: &Tree, entry: &Entry<'_>) -> Result<Vec<u8>, RootError> {
    let mut out = vec![];
    for (name, value) in tree.xattrs(entry.xattrs()?) {
        for field in [name, value] {
            out.extend_from_slice(&(field.len() as u64).to_le_bytes());
            out.extend_from_slice(&field);
        }
    }
    Ok(out)
}

/// What is remembered of the files of one directory.
struct Memory<'a> {
    digester: &'a Digester<'a>,
    tree: &'a Tree,
    directory: DirectoryKey,
    known: HashMap<u64, FileDigest>,
    fresh: bool,
    buffer: Vec<u8>,
}

impl<'a> Memory<'a> {
    fn of(digester: &'a Digester<'a>, tree: &'a Tree, listing: &Listing<'_>) -> Result<Self, EngineError> {
        let has_files = listing.entries.iter().any(|entry| !entry.is_directory());
        let stat = rustix::fs::fstat(listing.directory).map_err(|errno| {
            RootError::new("cannot look at", listing.path.unwrap_or(Path::new("")), errno)
        })?;
        let directory = DirectoryKey { device: stat.st_dev, inode: stat.st_ino };
        let known = if has_files { digester.store.file_digests(&directory)? } else { vec![] };
        let known = known.into_iter().map(|file| (file.stamp.inode, file)).collect();
        Ok(Self { digester, tree, directory, known, fresh: false, buffer: vec![] })
    }

    /// The digest of content and extended attributes of a file, remembered or read now, and the metadata that
    /// it goes with.
    fn file(&mut self, entry: &Entry<'_>) -> Result<([u8; 32], Stat), EngineError> {
        let stamp = stamp(&entry.stat);
        if let Some(known) = self.known.get(&stamp.inode)
            && known.stamp == stamp
        {
            return Ok((known.digest, entry.stat));
        }
        let (digest, stat, settled) = self.read(entry)?;
        if settled && has_settled(&stat, self.digester.now) {
            self.fresh = true;
            let stamp = self::stamp(&stat);
            self.known.insert(stamp.inode, FileDigest { stamp, digest });
        }
        Ok((digest, stat))
    }

    /// Reads a file until it stays the same meanwhile; after some attempts, as it is.
    fn read(&mut self, entry: &Entry<'_>) -> Result<([u8; 32], Stat, bool), EngineError> {
        let mut stat = entry.stat;
        for _ in 0..ATTEMPTS {
            let fail = |error: std::io::Error| RootError::new("cannot read", entry.path, error);
            let file = open(entry)?;
            let attributes = attributes(self.tree, entry)?;
            let digest = hash(&file, &attributes, &mut self.buffer).map_err(fail)?;
            let after = rustix::fs::fstat(file.as_fd()).map_err(|errno| fail(errno.into()))?;
            if stamp(&after) == stamp(&stat) {
                return Ok((digest, stat, true));
            }
            // Owners may be shown otherwise than the kernel has them; the rest is as it is now.
            let owner = (stat.st_uid, stat.st_gid);
            stat = after;
            (stat.st_uid, stat.st_gid) = owner;
        }
        let digest = hash(&open(entry)?, &attributes(self.tree, entry)?, &mut self.buffer);
        Ok((digest.map_err(|error| RootError::new("cannot read", entry.path, error))?, stat, false))
    }

    /// What is to be remembered now, if that is more than before.
    fn into_fresh(self, listing: &Listing<'_>) -> Option<(DirectoryKey, Vec<FileDigest>)> {
        if !self.fresh {
            return None;
        }
        let present: std::collections::HashSet<u64> = listing.inodes.iter().copied().collect();
        let kept = self.known.into_values();
        let kept = kept.filter(|file| present.is_empty() || present.contains(&file.stamp.inode));
        let mut kept: Vec<FileDigest> = kept.collect();
        kept.sort_unstable_by_key(|file| file.stamp.inode);
        Some((self.directory, kept))
    }
}

fn open(entry: &Entry<'_>) -> Result<File, RootError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat(entry.directory, entry.name, flags, Mode::empty())
        .map(File::from)
        .map_err(|errno| RootError::new("cannot read", entry.path, errno))
}

fn hash(mut file: &File, attributes: &[u8], buffer: &mut Vec<u8>) -> std::io::Result<[u8; 32]> {
    const CHUNK: usize = 256 * 1024;
    buffer.resize(CHUNK, 0);
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(attributes.len() as u64).to_le_bytes()).update(attributes);
    loop {
        let count = file.read(buffer)?;
        if count == 0 {
            return Ok(*hasher.finalize().as_bytes());
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
}

fn stamp(stat: &Stat) -> FileStamp {
    FileStamp {
        inode: stat.st_ino,
        size: stat.st_size.unsigned_abs(),
        mtime: mtime(stat),
        ctime: ctime(stat),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::PathBuf;

    use super::*;
    use xx_build_rootfs::{Filter, Owners};

    const LATER: i64 = i64::MAX;

    struct Place(tempfile::TempDir, Store);

    impl Place {
        fn new() -> Self {
            let place = tempfile::tempdir().expect("a directory");
            let store = Store::open(&place.path().join("store"), 0, Owners::Real).expect("a store");
            let tree = place.path().join("tree");
            for directory in ["sub/deep", "other", "empty"] {
                fs::create_dir_all(tree.join(directory)).expect("a directory");
            }
            for file in ["a", "b", "sub/a", "sub/deep/c"] {
                fs::write(tree.join(file), file).expect("a file");
            }
            for file in 0..20 {
                fs::create_dir(tree.join(format!("other/{file}"))).expect("a directory");
                fs::write(tree.join(format!("other/{file}/f")), file.to_string()).expect("a file");
            }
            symlink("a", tree.join("link")).expect("a link");
            Self(place, store)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join("tree").join(name)
        }

        fn digest(&self, selector: &CopySelector, now: i64, threads: usize) -> Key {
            let tree = Tree::result(File::open(self.path("")).expect("the tree").into(), Owners::Real);
            let digester = Digester { store: &self.1, now, threads };
            digester.digest(&tree, std::slice::from_ref(selector)).expect("a digest")
        }
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    }

    fn own(path: &Path, uid: Option<u32>, gid: Option<u32>) {
        std::os::unix::fs::lchown(path, uid, gid).expect("an owner");
    }

    type Case = (&'static str, bool, fn(&Place));

    /// What is done to the tree, and whether it counts.
    const CASES: &[Case] = &[
        ("nothing", false, |_| {}),
        ("content of the same size", true, |place| {
            fs::write(place.path("sub/deep/c"), "sub/deep/x").expect("written")
        }),
        ("time of a file", false, |place| {
            let tree = File::open(place.path("")).expect("the tree");
            xx_build_rootfs::set_time(tree.as_fd(), "a".as_ref(), 5).expect("a time");
        }),
        ("mode of a file", true, |place| mode(&place.path("a"), 0o600)),
        ("mode of a directory", true, |place| mode(&place.path("sub/deep"), 0o700)),
        ("mode of an empty directory", true, |place| mode(&place.path("empty"), 0o700)),
        ("mode of the top", true, |place| mode(&place.path(""), 0o700)),
        ("owner of a directory", true, |place| own(&place.path("sub"), Some(7), None)),
        ("group of a directory", true, |place| own(&place.path("sub/deep"), None, Some(7))),
        ("owner of a link", true, |place| own(&place.path("link"), Some(7), None)),
        ("name", true, |place| fs::rename(place.path("b"), place.path("c")).expect("renamed")),
        ("link target", true, |place| {
            fs::remove_file(place.path("link")).expect("removed");
            symlink("b", place.path("link")).expect("a link");
        }),
        ("attribute", true, |place| {
            rustix::fs::setxattr(place.path("a"), "user.x", b"y", rustix::fs::XattrFlags::empty())
                .expect("an attribute");
        }),
        ("one more empty directory", true, |place| {
            fs::create_dir(place.path("sub/new")).expect("a directory")
        }),
        ("one file less", true, |place| fs::remove_file(place.path("other/3/f")).expect("removed")),
        ("a file becomes a directory", true, |place| {
            fs::remove_file(place.path("b")).expect("removed");
            fs::create_dir(place.path("b")).expect("a directory");
        }),
        ("a file moves to another directory", true, |place| {
            fs::rename(place.path("b"), place.path("sub/b")).expect("renamed");
        }),
    ];

    #[test]
    fn what_counts() {
        for (name, counts, change) in CASES {
            let place = Place::new();
            let everything = CopySelector::everything();
            // As if nothing had changed within the last two seconds: digests are remembered.
            let before = place.digest(&everything, LATER, 2);
            change(&place);
            assert_eq!(place.digest(&everything, LATER, 2) != before, *counts, "{name}");
            assert_eq!(place.digest(&everything, 0, 1) != before, *counts, "{name}, without memory");
        }
    }

    #[test]
    fn threads_and_memory_change_nothing() {
        let place = Place::new();
        let selectors = [
            CopySelector::everything(),
            CopySelector { include: vec!["**/c".to_owned()], ..CopySelector::everything() },
            CopySelector { exclude: vec!["other".to_owned()], ..CopySelector::everything() },
            CopySelector { path: "/sub".to_owned(), ..CopySelector::everything() },
            CopySelector { path: "/sub/a".to_owned(), ..CopySelector::everything() },
            CopySelector { path: "/o*".to_owned(), wildcard: true, ..CopySelector::everything() },
        ];
        let all: Vec<Key> = selectors.iter().map(|selector| place.digest(selector, 0, 1)).collect();
        for (number, key) in all.iter().enumerate() {
            assert!(!all.iter().skip(number + 1).any(|other| other == key), "{:?}", selectors[number]);
        }
        for (now, threads) in [(0, 4), (LATER, 1), (LATER, 4)] {
            let again: Vec<Key> =
                selectors.iter().map(|selector| place.digest(selector, now, threads)).collect();
            assert_eq!(again, all, "{threads} threads");
        }
    }

    #[test]
    fn only_what_has_settled_is_remembered() {
        let place = Place::new();
        let known = |place: &Place| {
            let stat = rustix::fs::stat(place.path("")).expect("metadata");
            let directory = DirectoryKey { device: stat.st_dev, inode: stat.st_ino };
            place.1.file_digests(&directory).expect("readable").len()
        };
        let changed = ctime(&rustix::fs::stat(place.path("a")).expect("metadata"));
        for (now, remembered) in [(changed, 0), (changed + 2_000_000_000, 0), (LATER, 2)] {
            place.digest(&CopySelector::everything(), now, 1);
            assert_eq!(known(&place), remembered);
        }
        fs::remove_file(place.path("b")).expect("removed");
        fs::write(place.path("new"), "new").expect("a file");
        place.digest(&CopySelector::everything(), LATER, 1);
        assert_eq!(known(&place), 2, "`b` is forgotten");
    }

    #[test]
    fn what_is_hidden_does_not_count() {
        #[derive(Debug)]
        struct Hide;
        impl Filter for Hide {
            fn look(&self, path: &Path, _: bool) -> Visibility {
                if path.starts_with("other") { Visibility::Hide } else { Visibility::Show }
            }
        }
        let place = Place::new();
        let digest = |place: &Place| {
            let directory = File::open(place.path("")).expect("the tree");
            let tree = Tree::context(directory.into(), Some(std::sync::Arc::new(Hide)));
            let digester = Digester { store: &place.1, now: 0, threads: 2 };
            digester.digest(&tree, &[CopySelector::everything()]).expect("a digest")
        };
        let before = digest(&place);
        fs::write(place.path("other/3/f"), "changed").expect("written");
        own(&place.path("a"), Some(7), Some(7));
        assert_eq!(digest(&place), before, "neither hidden files nor owners in a context");
        fs::write(place.path("a"), "changed").expect("written");
        assert_ne!(digest(&place), before);
    }
}
