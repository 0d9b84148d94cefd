//! Trees that are meant for several platforms, or for another: what lies in them need not be for the image's.
//!
//! A system of its own (the root that a cross compiler links against), files for two foreign machines in one folder
//! (firmware, test data), and folders or files named after machines beside each other (`linux-x64`, `linux-arm64`).

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use platform_db::object::Format;
use platform_db::{Arch, Platform};

use super::scan::Foreign;
use super::uses::is_linker;
use xx_build_rootfs::{Tree, list};

/// Folders that everybody puts something into: what lies below two names of these has nothing in common.
const SHARED: [&str; 24] = [
    "",
    "bin",
    "etc",
    "home",
    "lib",
    "lib64",
    "opt",
    "root",
    "sbin",
    "srv",
    "usr",
    "usr/bin",
    "usr/lib",
    "usr/lib64",
    "usr/libexec",
    "usr/local",
    "usr/local/bin",
    "usr/local/lib",
    "usr/local/share",
    "usr/sbin",
    "usr/share",
    "var",
    "var/lib",
    "var/opt",
];

fn is_shared(folder: &Path) -> bool {
    folder.to_str().is_some_and(|folder| SHARED.binary_search(&folder).is_ok())
}

/// The folder or file below a [`SHARED`] folder that a path lies in.
pub(super) fn package(path: &Path) -> &Path {
    path.ancestors().find(|at| at.parent().is_none_or(is_shared)).unwrap_or(path)
}

/// The architecture that a name speaks of: `x86_64-linux-gnu`, `tool-arm64`.
fn named(name: &OsStr) -> Option<Arch> {
    let name = name.to_str()?;
    Platform::from_release_name(&format!("linux-{name}")).map(|platform| platform.arch_id())
}

/// Whether a component of the path speaks of another architecture.
pub(super) fn names_other(path: &Path, own: Arch) -> bool {
    path.iter().filter_map(named).any(|arch| arch != own)
}

/// What lies beside what.
pub(super) struct Beside<'a> {
    tree: &'a Tree,
    /// Folders with a dynamic linker or C library of their own.
    systems: HashSet<PathBuf>,
    /// The foreign machines that files in a folder are for: directly in it, and anywhere below it.
    machines: HashMap<PathBuf, [HashSet<Machine>; 2]>,
    /// The architectures that names in a folder speak of.
    spoken_of: RefCell<HashMap<PathBuf, HashSet<Arch>>>,
}

type Machine = (Format, u32, u8);

impl<'a> Beside<'a> {
    pub(super) fn of(tree: &'a Tree, foreign: &BTreeMap<PathBuf, Foreign>) -> Self {
        let mut machines: HashMap<PathBuf, [HashSet<Machine>; 2]> = HashMap::new();
        for (path, file) in foreign {
            let machine = (file.facts.format, file.facts.machine, file.facts.bits);
            for (height, folder) in path.ancestors().skip(1).enumerate() {
                let [direct, below] = machines.entry(folder.to_owned()).or_default();
                below.insert(machine);
                if height == 0 {
                    direct.insert(machine);
                }
            }
        }
        let systems = foreign.keys().filter_map(|path| system(path)).collect();
        Self { tree, systems, machines, spoken_of: RefCell::default() }
    }

    /// Whether a path lies in the root of another system.
    pub(super) fn is_in_other_system(&self, path: &Path) -> bool {
        path.ancestors().skip(1).any(|folder| self.systems.contains(folder))
    }

    /// Whether a file lies among others like it for further machines. In an image that says what it runs they may lie
    /// anywhere in a package; elsewhere only a folder of such files, or their names, make it certain.
    pub(super) fn is_among_others(&self, path: &Path, file: &Foreign, has_entry: bool) -> bool {
        let mut below = path;
        for (height, folder) in path.ancestors().skip(1).enumerate() {
            if is_shared(folder) && (has_entry || folder != Path::new("")) {
                return false;
            }
            let several = |set: &HashSet<Machine>| {
                set.iter().filter(|machine| machine.0 == file.facts.format).count() > 1
            };
            if let Some([direct, all]) = self.machines.get(folder)
                && (height == 0 && several(direct) || has_entry && several(all))
            {
                return true;
            }
            let own = below.file_name().and_then(named);
            if own.is_some() && own == file.facts.arch && self.speaks_of_others(folder, own) {
                return true;
            }
            below = folder;
        }
        false
    }

    fn speaks_of_others(&self, folder: &Path, own: Option<Arch>) -> bool {
        let mut known = self.spoken_of.borrow_mut();
        let spoken_of = known.entry(folder.to_owned()).or_insert_with(|| {
            let names = self.tree.root().open_directory(folder).ok();
            let names = names.and_then(|directory| list(directory.as_fd()).ok()).unwrap_or_default();
            names.iter().filter_map(|name| named(name)).collect()
        });
        spoken_of.iter().any(|arch| Some(*arch) != own)
    }
}

/// The root of the system that a dynamic linker or C library belongs to, unless that is the image itself.
fn system(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    if !is_linker(path) && !name.starts_with("libc.so") && !name.starts_with("libc-2.") {
        return None;
    }
    let is_libraries = |folder: &&Path| {
        folder.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("lib"))
    };
    let root = path.ancestors().skip(1).find(is_libraries)?.parent()?;
    let root = if root.file_name().is_some_and(|name| name == "usr") { root.parent()? } else { root };
    (!is_shared(root)).then(|| root.to_owned())
}
