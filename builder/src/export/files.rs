//! Writes results as plain files into a directory of the user.
//!
//! Everything is first written to a temporary directory inside the destination; then its names are moved
//! into place, directories merged. Owners are not kept: the files belong to whoever runs the build.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, RenameFlags};

use super::ExportError;
use super::temporary::Temporary;
use crate::engine::PlatformResult;
use crate::rootfs::{CopyOptions, Owners, Root, RootError, Tree, Visibility, copy, open_directory};
use crate::sandbox::overlay;
use crate::store::Store;

/// Writes `results` below `destination`: straight into it, or with `split` each into a directory named
/// after its platform (`linux_arm_v7`).
///
/// # Errors
/// When a result cannot be read or the destination cannot be written.
pub fn write_files(
    store: &Store,
    results: &[PlatformResult],
    destination: &Path,
    split: bool,
) -> Result<(), ExportError> {
    let is_new = !destination.exists();
    fs::create_dir_all(destination).map_err(ExportError::write("create", destination))?;
    let target = File::open(destination).map_err(ExportError::write("open", destination))?;
    let part = Temporary::directory(destination)?;
    let written = fill(store, results, part.path(), split)
        .and_then(|()| Ok(merge(part.open().as_fd(), target.as_fd(), Path::new(""))?));
    drop(part);
    if written.is_err() && is_new {
        // Only if nothing is in it; the error is what matters.
        let _ = fs::remove_dir(destination);
    }
    written
}

fn fill(store: &Store, results: &[PlatformResult], path: &Path, split: bool) -> Result<(), ExportError> {
    for result in results {
        let place =
            if split { path.join(result.platform.to_string().replace('/', "_")) } else { path.to_owned() };
        fs::create_dir_all(&place).map_err(ExportError::write("create", &place))?;
        let layers = store.layer_chain(result.layer)?;
        let lower: Vec<_> = layers.into_iter().map(|layer| layer.path).collect();
        let view = match &lower[..] {
            [] => continue,
            [only] => File::open(only).map_err(ExportError::write("read", only))?.into(),
            _ => overlay::mount_detached(&lower, None)?,
        };
        let to = File::open(&place).map_err(ExportError::write("open", &place))?;
        let options = CopyOptions {
            owner: Some((0, 0)),
            mode: None,
            time: None,
            contents_only: true,
            replace: true,
            threads: 1,
        };
        let root = Root::new(&to, Owners::Real);
        let tree = Tree::result(view, store.owners());
        for everything in tree.matches("/", false, true)? {
            copy(&tree, &everything, &|_, _| Visibility::Show, root, "/", &options)?;
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
