//! Finding clang itself, not the links by which this program takes its place.

use std::path::{Path, PathBuf};

use crate::host::Host;
use crate::report::Failure;
use crate::toolchain::{family, is_own};

/// Returns the path of `clang` or `clang++`, of the newest versioned one when there is no plain one.
///
/// # Errors
/// When none is installed; the hint names the packages.
pub fn find(host: &dyn Host, name: &str) -> Result<PathBuf, Failure> {
    let plain = host.programs(name).into_iter().find(|path| !is_own(host, path));
    plain.or_else(|| versioned(host, name)).ok_or_else(|| {
        Failure::new(format!("/usr/bin/{name} not found")).hint(family(host).install("clang lld"))
    })
}

/// Newest `NAME-N` in the usual folders.
fn versioned(host: &dyn Host, name: &str) -> Option<PathBuf> {
    let dirs = ["/usr/local/bin", "/usr/bin"];
    let found = dirs.iter().flat_map(|dir| {
        let names = host.list(Path::new(dir)).into_iter();
        names.filter_map(move |entry| {
            let version: u32 = entry.strip_prefix(name)?.strip_prefix('-')?.parse().ok()?;
            Some((version, Path::new(dir).join(entry)))
        })
    });
    found.max_by_key(|(version, _)| *version).map(|(_, path)| path)
}
