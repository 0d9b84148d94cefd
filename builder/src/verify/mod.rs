//! Holds the executables of a result against its platform.
//!
//! Looked at is every regular file that an instruction of the Dockerfile placed; files of base images are
//! not the build's to judge. A layer that passed once is not read again, and of a layer that a copy made only what that
//! found to start like an object file.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use platform_db::Platform;
use platform_db::object::{self, Aspect, Mismatch};
use rustix::fs::{FileType, Mode, OFlags};
use thiserror::Error;

use crate::engine::{Origin, PlatformResult};
use crate::rootfs::{Listed, Listing, Located, RootError, Tree, Visibility, Visitor};
use crate::solve::Place;
use crate::store::{Layer, LayerId, Store, StoreError};
use crate::sync::{into_inner, lock};

/// An executable for another platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Its path in the image, with a leading slash.
    pub path: PathBuf,
    /// The platform of the image.
    pub platform: Platform,
    /// What is wrong: what it is and what was expected.
    pub reason: String,
    /// The step that placed it.
    pub step: String,
    /// The instruction.
    pub place: Option<Place>,
}

/// Why results could not be checked.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] RootError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks every result; returns what does not fit, in the order of the paths.
///
/// # Errors
/// When a layer cannot be read.
pub fn verify(
    store: &Store,
    results: &[PlatformResult],
    origins: &HashMap<LayerId, Origin>,
) -> Result<Vec<Misfit>, VerifyError> {
    let mut misfits = vec![];
    for result in results {
        let platform = result.platform.to_string();
        let chain = store.layer_chain(result.layer)?;
        // Layers below the topmost layer of a base image are the base's as well.
        let own =
            chain.iter().take_while(|layer| !origins.get(&layer.id).is_some_and(|origin| origin.is_base));
        for layer in own {
            if store.is_checked(layer.id, &platform)? {
                continue;
            }
            let found = check_layer(store, layer, &result.platform, origins.get(&layer.id))?;
            if found.is_empty() {
                store.set_checked(layer.id, &platform)?;
            }
            misfits.extend(found);
        }
    }
    misfits.sort_by(|a, b| (&a.path, &a.platform).cmp(&(&b.path, &b.platform)));
    Ok(misfits)
}

fn check_layer(
    store: &Store,
    layer: &Layer,
    platform: &Platform,
    origin: Option<&Origin>,
) -> Result<Vec<Misfit>, VerifyError> {
    let root = File::open(&layer.path).map_err(|error| RootError::new("cannot read", &layer.path, error))?;
    let tree = Tree::result(root.into(), store.owners());
    let found = Found::default();
    match store.objects(layer.id) {
        Some(paths) => {
            for path in paths {
                let Located { directory, name, .. } = tree.root().locate(&path, false)?;
                found.add(platform, &path, directory.as_fd(), &name)?;
            }
        }
        None => {
            let check = Check { found: &found, platform };
            for top in tree.matches("/", false, false)?.found {
                tree.scan(&top, &|_, _| Visibility::Show, store.threads(), &check, ())?;
            }
        }
    }
    let found = into_inner(found.0);
    let misfit = |(path, reason)| Misfit {
        path: Path::new("/").join::<PathBuf>(path),
        platform: platform.clone(),
        reason,
        step: origin.map(|origin| origin.step.clone()).unwrap_or_default(),
        place: origin.and_then(|origin| origin.place.clone()),
    };
    Ok(found.into_iter().map(misfit).collect())
}

/// Paths in the layer with what is wrong there.
#[derive(Default)]
struct Found(Mutex<Vec<(PathBuf, String)>>);

impl Found {
    fn add(
        &self,
        platform: &Platform,
        path: &Path,
        directory: BorrowedFd<'_>,
        name: &OsStr,
    ) -> Result<(), RootError> {
        if let Some(reason) = check_file(platform, path, directory, name)? {
            lock(&self.0).push((path.to_owned(), reason));
        }
        Ok(())
    }
}

/// Looks at every file of a layer.
struct Check<'a> {
    found: &'a Found,
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
                self.found.add(self.platform, &listing.path_of(listed), listing.directory, &listed.name)?;
            }
        }
        Ok(())
    }

    fn enter(&self, _: &Listing<'_>, _: &Listed, (): &()) -> Result<(), RootError> {
        Ok(())
    }
}

const EXECUTE: Mode = Mode::XUSR.union(Mode::XGRP).union(Mode::XOTH);

/// What is wrong with a file, if anything is.
fn check_file(
    platform: &Platform,
    path: &Path,
    directory: BorrowedFd<'_>,
    name: &OsStr,
) -> Result<Option<String>, RootError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::empty())
        .map(File::from)
        .map_err(|errno| RootError::new("cannot read", path, errno))?;
    let mode = rustix::fs::fstat(&file).map_err(|errno| RootError::new("cannot read", path, errno))?.st_mode;
    // Libraries for several systems carry the programs of others along, as Python's pip and setuptools do: files of
    // another system's format that nobody is to execute are data.
    let is_data = |mismatch: &Mismatch| {
        mismatch.aspect == Aspect::Format && !Mode::from_raw_mode(mode).intersects(EXECUTE)
    };
    Ok(match object::read(&file) {
        Ok(Some(facts)) => facts
            .mismatch(platform)
            .filter(|mismatch| !is_data(mismatch))
            .map(|mismatch| mismatch.to_string()),
        // Damaged or cut off on purpose, as in test data: it is not for another platform.
        Ok(None) | Err(_) => None,
    })
}
