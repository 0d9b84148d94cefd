//! Finds the object files of a layer that are not for a platform.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use platform_db::object::{self, Aspect, Facts, Kind, Mismatch};
use platform_db::{Os, Platform};
use rustix::fs::{FileType, Mode, OFlags};

use super::{VerifyError, is_code};
use xx_build_rootfs::sync::{into_inner, lock};
use xx_build_rootfs::{Listed, Listing, Located, RootError, Tree, Visibility, Visitor};
use xx_build_store::{Layer, Store};

/// What a file is that is not for the platform.
#[derive(Debug, Clone)]
pub(super) struct Foreign {
    pub(super) facts: Facts,
    pub(super) mismatch: Mismatch,
    pub(super) is_executable: bool,
}

/// The foreign files of a layer, by their paths from its root.
pub(super) fn layer(
    store: &Store,
    layer: &Layer,
    platform: &Platform,
) -> Result<Vec<(PathBuf, Foreign)>, VerifyError> {
    let root = File::open(&layer.path).map_err(|error| RootError::new("cannot read", &layer.path, error))?;
    let tree = Tree::result(root.into(), store.owners());
    let Some(paths) = store.objects(layer.id) else { return whole(&tree, platform, store.threads()) };
    let mut found = vec![];
    for path in paths {
        let Located { directory, name, .. } = tree.root().locate(&path, false)?;
        if let Some(file) = look(platform, &path, directory.as_fd(), &name)? {
            found.push((path, file));
        }
    }
    Ok(found)
}

/// The foreign files of a whole tree.
pub(super) fn whole(
    tree: &Tree,
    platform: &Platform,
    threads: usize,
) -> Result<Vec<(PathBuf, Foreign)>, VerifyError> {
    let check = Check { found: Mutex::default(), platform };
    for top in tree.matches("/", false, false)?.found {
        tree.scan(&top, &|_, _| Visibility::Show, threads, &check, ())?;
    }
    Ok(into_inner(check.found))
}

/// Whether a file that was found in a layer is what the result has at that path.
pub(super) fn is_there(tree: &Tree, path: &Path, platform: &Platform) -> bool {
    let parent = path.parent().unwrap_or(Path::new(""));
    // A link on the way leads elsewhere: the file itself has been replaced with its directory.
    let Ok(Located { directory, name, path: real, .. }) = tree.root().locate(path, false) else {
        return false;
    };
    real.parent() == Some(parent) && matches!(look(platform, path, directory.as_fd(), &name), Ok(Some(_)))
}

/// Looks at every file of a layer.
struct Check<'a> {
    found: Mutex<Vec<(PathBuf, Foreign)>>,
    platform: &'a Platform,
}

impl Visitor for Check<'_> {
    type State = ();
    type Error = RootError;

    fn visit(&self, listing: &Listing<'_>, (): &()) -> Result<(), RootError> {
        // Nothing shorter is an object file.
        const SHORTEST: i64 = 52;
        for listed in listing.entries {
            if FileType::from_raw_mode(listed.stat.st_mode).is_file() && listed.stat.st_size >= SHORTEST {
                let path = listing.path_of(listed);
                if let Some(file) = look(self.platform, &path, listing.directory, &listed.name)? {
                    lock(&self.found).push((path, file));
                }
            }
        }
        Ok(())
    }

    fn enter(&self, _: &Listing<'_>, _: &Listed, (): &()) -> Result<(), RootError> {
        Ok(())
    }
}

const EXECUTE: Mode = Mode::XUSR.union(Mode::XGRP).union(Mode::XOTH);

/// What a file is, when it is code for another platform; links are not followed.
fn look(
    platform: &Platform,
    path: &Path,
    directory: BorrowedFd<'_>,
    name: &OsStr,
) -> Result<Option<Foreign>, RootError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::empty())
        .map(File::from)
        .map_err(|errno| RootError::new("cannot read", path, errno))?;
    // Damaged or cut off on purpose, as in test data: it is not for another platform.
    let Ok(Some(facts)) = object::read(&file) else { return Ok(None) };
    let Some(mismatch) = facts.mismatch(platform) else { return Ok(None) };
    let mode = rustix::fs::fstat(&file).map_err(|errno| RootError::new("cannot read", path, errno))?.st_mode;
    let is_executable = Mode::from_raw_mode(mode).intersects(EXECUTE);
    let found = Foreign { facts, mismatch, is_executable };
    Ok((is_code(&found.facts) && !is_data(&found, platform)).then_some(found))
}

/// A program that nobody is to execute is data, and so is a library of another system's format: Python's pip and
/// setuptools carry programs for Windows along, Go's sources programs to test with. Windows has no such bits.
fn is_data(file: &Foreign, platform: &Platform) -> bool {
    let is_loaded = file.facts.kind == Kind::SharedLibrary && file.mismatch.aspect != Aspect::Format;
    platform.os_id() != Os::Windows && !file.is_executable && !is_loaded
}
