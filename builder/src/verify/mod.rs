//! Holds the executables of a result against its platform.
//!
//! Looked at is every regular file that an instruction of the Dockerfile placed; files of base images are
//! not the build's to judge. A layer that passed once is not read again.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use platform_db::{Platform, object};
use rustix::fs::{Mode, OFlags};
use thiserror::Error;

use crate::engine::{Origin, PlatformResult};
use crate::rootfs::{Entry, EntryKind, Owners, RootError, Visibility, walk};
use crate::solve::Place;
use crate::store::{LayerId, Store, StoreError};

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
            let found = check_layer((&layer.path, store.owners()), &result.platform, origins.get(&layer.id))?;
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
    (path, owners): (&Path, Owners),
    platform: &Platform,
    origin: Option<&Origin>,
) -> Result<Vec<Misfit>, VerifyError> {
    let mut misfits = vec![];
    let root = File::open(path).map_err(|error| RootError::new("cannot read", path, error))?;
    let everything = |_: &Path, _: bool| Visibility::Show;
    walk(
        owners,
        root.as_fd(),
        OsStr::new("."),
        &everything,
        &mut |entry: &Entry<'_>| -> Result<(), VerifyError> {
            if entry.kind() == EntryKind::File
                && let Some(reason) = check_file(entry, platform)?
            {
                misfits.push(Misfit {
                    path: Path::new("/").join(entry.path),
                    platform: platform.clone(),
                    reason,
                    step: origin.map(|origin| origin.step.clone()).unwrap_or_default(),
                    place: origin.and_then(|origin| origin.place.clone()),
                });
            }
            Ok(())
        },
    )?;
    Ok(misfits)
}

/// What is wrong with a file, if anything is.
fn check_file(entry: &Entry<'_>, platform: &Platform) -> Result<Option<String>, VerifyError> {
    // Nothing shorter is an object file.
    const SHORTEST: i64 = 52;
    if entry.stat.st_size < SHORTEST {
        return Ok(None);
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(entry.directory, entry.name, flags, Mode::empty())
        .map(File::from)
        .map_err(|errno| RootError::new("cannot read", entry.path, errno))?;
    Ok(match object::read(&file) {
        Ok(Some(facts)) => facts.mismatch(platform).map(|mismatch| mismatch.to_string()),
        // Damaged or cut off on purpose, as in test data: it is not for another platform.
        Ok(None) | Err(_) => None,
    })
}
