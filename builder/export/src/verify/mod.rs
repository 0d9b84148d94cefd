//! Holds the executables of a result against its platform.
//!
//! Looked at is every regular file that an instruction of the Dockerfile placed and that is still there in the end; files
//! of base images are not the build's to judge. What the image runs (`uses`) must be for its platform. Other programs
//! may be for another, as those of a cross compiler are, and are only spoken of; objects to be linked, archives, programs
//! that nobody is to execute and files that lie `beside` others like them for further platforms are data.
//!
//! A layer that passed once is not read again, and of a layer that a copy made only what that
//! found to start like an object file.

mod beside;
mod scan;
mod summary;
mod uses;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use platform_db::object::{Facts, Kind};
use platform_db::{Arch, Os, Platform};
use thiserror::Error;

use xx_build_engine::{Origin, PlatformResult};
use xx_build_frontend::oci::image::Config;
use xx_build_rootfs::{RootError, Tree};
use xx_build_sandbox::{SandboxError, overlay};
use xx_build_solve::Place;
use xx_build_store::{LayerId, Store, StoreError};

pub use summary::{HINT, others, wrong};
pub use uses::Use;

use beside::Beside;
use scan::Foreign;
use uses::Uses;

/// An executable for another platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Its path in the image, with a leading slash.
    pub path: PathBuf,
    /// The platform of the image.
    pub platform: Platform,
    /// What it was built for, in a word.
    pub machine: String,
    /// What is wrong: what it is and what was expected.
    pub reason: String,
    /// What the image needs it for; `None` when it may be for another platform.
    pub used: Option<Use>,
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
    /// A result cannot be mounted to be read.
    #[error(transparent)]
    Mount(#[from] SandboxError),
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
        let name = result.platform.to_string();
        let chain = store.layer_chain(result.layer)?;
        // Layers below the topmost layer of a base image are the base's as well.
        let own =
            chain.iter().take_while(|layer| !origins.get(&layer.id).is_some_and(|origin| origin.is_base));
        let mut foreign: BTreeMap<PathBuf, Foreign> = BTreeMap::new();
        let mut placed_by: HashMap<PathBuf, LayerId> = HashMap::new();
        // From the uppermost down: what lies there hides what is below it.
        for layer in own {
            if store.is_checked(layer.id, &name)? {
                continue;
            }
            let found = scan::layer(store, layer, &result.platform)?;
            if found.is_empty() {
                store.set_checked(layer.id, &name)?;
            }
            for (path, file) in found {
                placed_by.entry(path.clone()).or_insert(layer.id);
                foreign.entry(path).or_insert(file);
            }
        }
        if foreign.is_empty() {
            continue;
        }
        let lower: Vec<_> = chain.into_iter().map(|layer| layer.path).collect();
        let tree = Tree::result(view(&lower)?, store.owners());
        foreign.retain(|path, _| scan::is_there(&tree, path, &result.platform));
        for (path, used) in judge(&tree, &result.image.config, &result.platform, &foreign) {
            let (Some(file), Some(layer)) = (foreign.get(&path), placed_by.get(&path)) else { continue };
            let origin = origins.get(layer);
            misfits.push(Misfit {
                path: Path::new("/").join(path),
                platform: result.platform.clone(),
                machine: file.facts.arch.map_or("other machines", Arch::name).to_owned(),
                reason: file.mismatch.to_string(),
                used,
                step: origin.map(|origin| origin.step.clone()).unwrap_or_default(),
                place: origin.and_then(|origin| origin.place.clone()),
            });
        }
    }
    misfits.sort_by(|a, b| (&a.path, &a.platform).cmp(&(&b.path, &b.platform)));
    Ok(misfits)
}

/// The files of a result as one tree.
fn view(lower: &[PathBuf]) -> Result<OwnedFd, VerifyError> {
    match lower {
        [only] => {
            let opened = File::open(only).map_err(|error| RootError::new("cannot read", only, error))?;
            Ok(opened.into())
        }
        _ => Ok(overlay::mount_detached(lower, None)?),
    }
}

/// Decides of each foreign file what it is needed for. What is data is left out.
fn judge(
    tree: &Tree,
    config: &Config,
    platform: &Platform,
    foreign: &BTreeMap<PathBuf, Foreign>,
) -> Vec<(PathBuf, Option<Use>)> {
    let uses = Uses::of(tree, config, platform);
    let beside = Beside::of(tree, foreign);
    let mut out = vec![];
    for (path, file) in foreign {
        let used = uses.of_path(path, file).filter(|_| !is_run_anyway(&file.facts, platform));
        if used.is_some() {
            out.push((path.clone(), used));
            continue;
        }
        let in_other_system = beside.is_in_other_system(path);
        if !in_other_system && beside.is_among_others(path, file, uses.has_entry()) {
            continue;
        }
        let needs_it = !in_other_system && !is_run_anyway(&file.facts, platform);
        let used = needs_it.then(|| uses.of_kind(path, file)).flatten();
        out.push((path.clone(), used));
    }
    out
}

/// Programs for 32-bit x86 run on every 64-bit one. That 64-bit ARM runs 32-bit programs depends on the processor.
fn is_run_anyway(facts: &Facts, platform: &Platform) -> bool {
    facts.arch == Some(Arch::I386)
        && platform.arch_id() == Arch::Amd64
        && matches!(platform.os_id(), Os::Linux | Os::Windows)
        && facts.os.is_none_or(|os| os == platform.os_id())
}

/// Whether it can be started, or loaded into what was started.
fn is_code(facts: &Facts) -> bool {
    match facts.kind {
        Kind::Executable | Kind::PieExecutable | Kind::SharedLibrary => true,
        Kind::Relocatable | Kind::Other => false,
    }
}
