//! Writes results as plain files, into a directory of the user or a tar archive.
//!
//! In a directory, everything is first written to a temporary directory inside the destination; then its names are moved
//! into place, directories merged. Owners are not kept: the files belong to whoever runs the build.

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, RenameFlags};

use super::below::Below;
use super::layer::{Place, write_tree};
use super::temporary::Temporary;
use super::{ExportError, write_stream};
use crate::engine::PlatformResult;
use crate::rootfs::{CopyOptions, Owners, Root, RootError, Tree, Visibility, copy, open_directory};
use crate::sandbox::overlay;
use crate::store::Store;

/// How files are written.
#[derive(Debug, Clone, Copy)]
pub struct FileOptions {
    /// Each result in a directory named after its platform (`linux_arm_v7`).
    pub split: bool,
    /// Seconds since 1970: the time of every file.
    pub epoch: Option<i64>,
    /// How many threads copy.
    pub threads: usize,
}

/// Writes `results` below `destination`.
///
/// # Errors
/// When a result cannot be read or the destination cannot be written.
pub fn write_files(
    store: &Store,
    results: &[PlatformResult],
    destination: &Path,
    options: FileOptions,
) -> Result<(), ExportError> {
    let is_new = !destination.exists();
    fs::create_dir_all(destination).map_err(ExportError::write("create", destination))?;
    let target = File::open(destination).map_err(ExportError::write("open", destination))?;
    let part = Temporary::directory(destination)?;
    let written = fill(store, results, part.path(), options)
        .and_then(|()| Ok(merge(part.open().as_fd(), target.as_fd(), Path::new(""))?));
    drop(part);
    if written.is_err() && is_new {
        // Only if nothing is in it; the error is what matters.
        let _ = fs::remove_dir(destination);
    }
    written
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
    options: FileOptions,
) -> Result<(), ExportError> {
    write_stream(destination, |to| {
        let mut tar = tar::Builder::new(to);
        let below = Below::open(&[], store.owners())?;
        for result in results {
            let Some(view) = view(store, result)? else { continue };
            let prefix = prefix(result, options);
            let place = Place { prefix: &prefix, clamp: options.epoch };
            write_tree(view.as_fd(), store.owners(), &below, place, &mut tar)?;
        }
        tar.finish().map_err(ExportError::write("write", destination))
    })
}

/// Where a result goes, from the destination.
fn prefix(result: &PlatformResult, options: FileOptions) -> PathBuf {
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
    options: FileOptions,
) -> Result<(), ExportError> {
    for result in results {
        let place = path.join(prefix(result, options));
        fs::create_dir_all(&place).map_err(ExportError::write("create", &place))?;
        let Some(view) = view(store, result)? else { continue };
        let to = File::open(&place).map_err(ExportError::write("open", &place))?;
        let copied = CopyOptions {
            owner: Some((0, 0)),
            mode: None,
            time: options.epoch.map(|seconds| seconds.saturating_mul(1_000_000_000)),
            contents_only: true,
            replace: true,
            threads: options.threads,
        };
        let root = Root::new(&to, Owners::Real);
        let tree = Tree::result(view, store.owners());
        for everything in tree.matches("/", false, true)? {
            copy(&tree, &everything, &|_, _| Visibility::Show, root, "/", &copied)?;
        }
    }
    Ok(())
}

/// Moves every name of `from` to `to`; where both have a directory, its names are moved in turn.
fn merge(
    from: std::os::fd::BorrowedFd<'_>,
    to: std::os::fd::BorrowedFd<'_>,
    shown: &Path,
) -> Result<(), RootError> {
    for name in crate::rootfs::list(from).map_err(|errno| RootError::new("cannot list", shown, errno))? {
        let path = shown.join(&name);
        let fail = |errno| RootError::new("cannot write", &path, errno);
        match rustix::fs::renameat_with(from, &name, to, &name, RenameFlags::NOREPLACE) {
            Ok(()) => continue,
            Err(rustix::io::Errno::EXIST) => {}
            Err(errno) => return Err(fail(errno)),
        }
        let is_directory = |fd| {
            rustix::fs::statat(fd, &name, AtFlags::SYMLINK_NOFOLLOW)
                .map(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir())
        };
        if is_directory(from).map_err(fail)? && is_directory(to).map_err(fail)? {
            let below = open_directory(from, &name).map_err(fail)?;
            let target = open_directory(to, &name).map_err(fail)?;
            merge(below.as_fd(), target.as_fd(), &path)?;
        } else {
            rustix::fs::renameat(from, &name, to, &name).map_err(fail)?;
        }
    }
    Ok(())
}
