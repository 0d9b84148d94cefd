//! Digests of what a selector reaches in a tree: the content part of a cache key.
//!
//! Counted are relative names, kinds, permission bits, owners, link targets, device numbers, extended
//! attributes and contents; modification times are not. Files are read at most once: their digests are
//! remembered by device, inode, size and both times. A file that changed within the last two seconds is
//! not remembered, as a second change could leave all of these as they are.

use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::EngineError;
use super::select::PatternFilter;
use crate::rootfs::{Entry, EntryKind, Filter as _, Match, RootError, Tree, ctime, mtime};
use crate::solve::{CopySelector, Key, KeyHasher};
use crate::store::{FileDigestKey, Store};

/// Two seconds, in nanoseconds: the coarsest time stamps of file systems in use.
const UNSETTLED: i64 = 2_000_000_000;

/// Digests what `selectors` reach in `tree`. `now` is the time in nanoseconds since 1970 at which the
/// build began.
pub(super) fn digest(
    store: &Store,
    tree: &Tree,
    selectors: &[CopySelector],
    now: i64,
) -> Result<Key, EngineError> {
    let mut hasher = KeyHasher::new("xx-build content 1");
    for selector in selectors {
        let select = PatternFilter::new(&selector.include, &selector.exclude)?;
        let matches = tree.matches(&selector.path, selector.wildcard, selector.follow)?;
        hasher.number(matches.len() as u64);
        for found in &matches {
            // Only the name counts, not the way to it: it decides what a copy is called.
            hasher.field(found.name.as_bytes());
            for item in items(store, tree, found, &select, now)? {
                hasher.field(&item.header);
                if let Some(digest) = item.content {
                    hasher.field(&digest);
                }
            }
        }
    }
    Ok(hasher.finish())
}

/// One entry: all that counts of its metadata, and the digest of its content.
struct Item {
    header: Vec<u8>,
    content: Option<[u8; 32]>,
}

fn items(
    store: &Store,
    tree: &Tree,
    found: &Match,
    select: &PatternFilter,
    now: i64,
) -> Result<Vec<Item>, EngineError> {
    let mut out: Vec<Item> = vec![];
    let mut fresh = vec![];
    let look = |path: &Path, is_directory: bool| select.look(path, is_directory);
    tree.walk(found, &look, &mut |entry: &Entry<'_>| -> Result<(), EngineError> {
        let header = header(tree, entry)?;
        let content = match entry.kind() {
            EntryKind::File => Some(content(store, entry, now, &mut fresh)?),
            EntryKind::Directory | EntryKind::Symlink | EntryKind::Special => None,
        };
        out.push(Item { header, content });
        Ok(())
    })?;
    store.set_file_digests(&fresh)?;
    Ok(out)
}

/// The digest of a file: remembered, or read and then noted in `fresh`.
fn content(
    store: &Store,
    entry: &Entry<'_>,
    now: i64,
    fresh: &mut Vec<(FileDigestKey, [u8; 32])>,
) -> Result<[u8; 32], EngineError> {
    let key = key(entry);
    if let Some(known) = store.file_digest(&key)? {
        return Ok(known);
    }
    let digest = hash(open(entry)?).map_err(|error| RootError::new("cannot read", entry.path, error))?;
    if key.ctime < now - UNSETTLED {
        fresh.push((key, digest));
    }
    Ok(digest)
}

fn open(entry: &Entry<'_>) -> Result<File, RootError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat(entry.directory, entry.name, flags, Mode::empty())
        .map(File::from)
        .map_err(|errno| RootError::new("cannot read", entry.path, errno))
}

fn hash(mut file: File) -> std::io::Result<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0_u8; 64 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(*hasher.finalize().as_bytes());
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
}

fn key(entry: &Entry<'_>) -> FileDigestKey {
    FileDigestKey {
        device: entry.stat.st_dev,
        inode: entry.stat.st_ino,
        size: entry.stat.st_size.unsigned_abs(),
        mtime: mtime(&entry.stat),
        ctime: ctime(&entry.stat),
    }
}

/// Everything that counts of an entry but its content, as length-prefixed fields.
fn header(tree: &Tree, entry: &Entry<'_>) -> Result<Vec<u8>, RootError> {
    let mut out = vec![];
    let mut field = |bytes: &[u8]| {
        out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        out.extend_from_slice(bytes);
    };
    field(entry.path.as_os_str().as_bytes());
    field(&entry.stat.st_mode.to_le_bytes());
    let (uid, gid) = tree.owner(entry);
    field(&uid.to_le_bytes());
    field(&gid.to_le_bytes());
    match entry.kind() {
        EntryKind::Directory | EntryKind::File => {}
        EntryKind::Symlink => field(&crate::rootfs::link_target(entry)?),
        EntryKind::Special => field(&entry.stat.st_rdev.to_le_bytes()),
    }
    for (name, value) in tree.xattrs(entry)? {
        field(&name);
        field(&value);
    }
    Ok(out)
}
