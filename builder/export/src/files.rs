//! Writes results as plain files, into a directory of the user or a tar archive.
//!
//! A directory that is new, or is to be replaced as a whole, is written beside its place and then takes it in one step.
//! Otherwise everything is first written to a temporary directory inside the destination; then its names are moved into
//! place, see [`merge`](super::merge). Owners are not kept: the files belong to whoever runs the build.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Seen;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::ExportError;
use super::destination::{resolved, write_stream};
use super::layer::{Place, write_tree};
use super::merge::{Merge, Mounts};
use super::temporary::Temporary;
use xx_build_engine::PlatformResult;
use xx_build_rootfs::{
    CopyOptions, Entry, EntryKind, Metadata, Owners, Root, Tree, Visibility, copy, walk, xattrs,
};
use xx_build_sandbox::overlay;
use xx_build_store::Store;

/// How files are written.
#[derive(Debug, Clone, Copy)]
pub struct FileOptions<'a> {
    /// Each result in a directory named after its platform (`linux_arm_v7`).
    pub split: bool,
    /// What is in the directory and not in the results is removed.
    pub delete: bool,
    /// Seconds since 1970: the time of every file.
    pub epoch: Option<i64>,
    /// How many threads copy.
    pub threads: usize,
    /// Where the process stands: that directory is never exchanged for another.
    pub directory: &'a Path,
}

/// How a directory has got its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// All at once.
    AtOnce,
    /// One name after the other, for this reason.
    OneByOne(&'static str, Vec<PathBuf>),
}

/// Writes `results` below `destination`.
///
/// # Errors
/// When a result cannot be read, two platforms have the same file, or the destination cannot be written.
pub fn write_files(
    store: &Store,
    results: &[PlatformResult],
    destination: &Path,
    options: FileOptions<'_>,
) -> Result<Written, ExportError> {
    check_overwriting(store, results, options)?;
    let destination = &resolved(destination);
    let mounts = Mounts::read();
    let why = match at_once(store, results, destination, options, &mounts)? {
        Ok(()) => return Ok(Written::AtOnce),
        Err(why) => why,
    };
    fs::create_dir_all(destination).map_err(ExportError::write("create", destination))?;
    let target = File::open(destination).map_err(ExportError::write("open", destination))?;
    let part = Temporary::directory(destination)?;
    fill(store, results, part.path(), options)?;
    let mut merge = Merge::new(destination, options.delete, options.threads, &mounts);
    merge.tree(part.open().as_fd(), target.as_fd(), Path::new(""))?;
    drop(part);
    let kept = merge.remove_what_is_over(target.as_fd())?;
    Ok(Written::OneByOne(why, kept))
}

/// Writes a directory beside its place and puts it there in one step; the inner error says why that is not possible.
fn at_once(
    store: &Store,
    results: &[PlatformResult],
    destination: &Path,
    options: FileOptions<'_>,
    mounts: &Mounts,
) -> Result<Result<(), &'static str>, ExportError> {
    let is_there = destination.symlink_metadata().is_ok();
    let (Some(folder), Some(name)) = (destination.parent(), destination.file_name()) else {
        return Ok(Err("it is the root directory"));
    };
    if is_there && !options.delete {
        return Ok(Err("it was there before"));
    }
    if is_there && resolved(options.directory).starts_with(destination) {
        return Ok(Err("it is in use as the current directory"));
    }
    if mounts.is_in(destination) {
        return Ok(Err("something is mounted there"));
    }
    fs::create_dir_all(folder).map_err(ExportError::write("create", folder))?;
    let Ok(part) = Temporary::directory(folder) else {
        return Ok(Err("the directory above it cannot be written"));
    };
    if is_there && dress(&part, folder, name).is_err() {
        return Ok(Err("its owner cannot be kept"));
    }
    fill(store, results, part.path(), options)?;
    let moved = if is_there { part.exchange(destination) } else { part.appear(destination) };
    match moved {
        Ok(()) => Ok(Ok(())),
        Err(Errno::EXIST) => Ok(Err("it was made meanwhile")),
        Err(Errno::INVAL | Errno::NOSYS) => Ok(Err("its file system cannot exchange directories")),
        Err(Errno::BUSY | Errno::XDEV) => Ok(Err("something is mounted there")),
        Err(errno) => Err(ExportError::write("rename", destination)(errno.into())),
    }
}

/// Gives the new directory the owner, mode and attributes of the old one.
fn dress(part: &Temporary, folder: &Path, name: &OsStr) -> std::io::Result<()> {
    let folder = File::open(folder)?;
    let old = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let metadata = Metadata {
        owner: (old.st_uid, old.st_gid),
        mode: Some(old.st_mode),
        time: None,
        xattrs: xattrs(folder.as_fd(), name)?,
    };
    metadata.apply(Owners::Plain, folder.as_fd(), part.path().file_name().unwrap_or_default())
}

/// Writes `results` as one tar archive to the file `destination`, or to standard output for `-`. No file in it
/// is younger than the epoch.
///
/// # Errors
/// As for [`write_files`].
pub fn write_archive(
    store: &Store,
    results: &[PlatformResult],
    destination: &Path,
    options: FileOptions<'_>,
) -> Result<(), ExportError> {
    check_overwriting(store, results, options)?;
    write_stream(destination, |to| {
        let mut tar = tar::Builder::new(to);
        for result in results {
            let Some(view) = view(store, result)? else { continue };
            let prefix = prefix(result, options);
            let place = Place { prefix: &prefix, clamp: options.epoch };
            write_tree(view.as_fd(), store.owners(), None, place, &mut tar)?;
        }
        tar.finish().map_err(ExportError::write("write", destination))
    })
}

/// Refuses results that have files of one name and the same place.
fn check_overwriting(
    store: &Store,
    results: &[PlatformResult],
    options: FileOptions<'_>,
) -> Result<(), ExportError> {
    if options.split || results.len() < 2 {
        return Ok(());
    }
    let mut seen: HashMap<PathBuf, (&PlatformResult, EntryKind)> = HashMap::new();
    for result in results {
        let Some(view) = view(store, result)? else { continue };
        look(store, view.as_fd(), &mut |entry| match seen.entry(entry.path.to_owned()) {
            Seen::Vacant(vacant) => {
                vacant.insert((result, entry.kind()));
                Ok(())
            }
            Seen::Occupied(first) => match (first.get(), entry.kind()) {
                ((_, EntryKind::Directory), EntryKind::Directory) => Ok(()),
                ((other, _), _) => Err(ExportError::Overwrite {
                    path: entry.path.to_owned(),
                    first: other.platform.to_string(),
                    second: result.platform.to_string(),
                }),
            },
        })?;
    }
    Ok(())
}

fn look(
    store: &Store,
    view: BorrowedFd<'_>,
    see: &mut dyn FnMut(&Entry<'_>) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let everything = |_: &Path, _: bool| Visibility::Show;
    walk(store.owners(), view, OsStr::new("."), &everything, &mut |entry: &Entry<'_>| {
        let is_written =
            !matches!(FileType::from_raw_mode(entry.stat.st_mode), FileType::Socket | FileType::Unknown);
        if is_written && !entry.path.as_os_str().is_empty() { see(entry) } else { Ok(()) }
    })
}

/// Where a result goes, from the destination.
fn prefix(result: &PlatformResult, options: FileOptions<'_>) -> PathBuf {
    if options.split { PathBuf::from(result.platform.to_string().replace('/', "_")) } else { PathBuf::new() }
}

/// The files of a result as one tree; `None` when there are none.
fn view(store: &Store, result: &PlatformResult) -> Result<Option<OwnedFd>, ExportError> {
    let layers = store.layer_chain(result.layer)?;
    let lower: Vec<_> = layers.into_iter().map(|layer| layer.path).collect();
    Ok(match &lower[..] {
        [] => None,
        [only] => Some(File::open(only).map_err(ExportError::write("read", only))?.into()),
        _ => Some(overlay::mount_detached(&lower, None)?),
    })
}

fn fill(
    store: &Store,
    results: &[PlatformResult],
    path: &Path,
    options: FileOptions<'_>,
) -> Result<(), ExportError> {
    for result in results {
        let place = path.join(prefix(result, options));
        fs::create_dir_all(&place).map_err(ExportError::write("create", &place))?;
        let Some(view) = view(store, result)? else { continue };
        let to = File::open(&place).map_err(ExportError::write("open", &place))?;
        let time = options.epoch.map(|seconds| seconds.saturating_mul(1_000_000_000));
        copy_contents(&Tree::result(view, store.owners()), &to, time, options.threads)?;
    }
    Ok(())
}

/// Copies all that is in a tree, for the user.
pub(super) fn copy_contents(
    tree: &Tree,
    to: &impl AsFd,
    time: Option<i64>,
    threads: usize,
) -> Result<(), xx_build_rootfs::RootError> {
    let copied =
        CopyOptions { owner: Some((0, 0)), mode: None, time, contents_only: true, replace: true, threads };
    for everything in tree.matches("/", false, true)?.found {
        copy(tree, &everything, &|_, _| Visibility::Show, Root::new(to, Owners::Plain), "/", &copied)?;
    }
    Ok(())
}
