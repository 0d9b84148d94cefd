//! How much directories hold: what `du` shows, and what tells after a power cut whether one is still whole.
//!
//! A file of several names is counted once, in the first directory that has one of them; one that has further names outside
//! of what is measured is not counted, as it is another's.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::fs::FileType;

use xx_build_rootfs::sync::lock;
use xx_build_rootfs::{Listed, Listing, Owners, RootError, Tree, Visibility, Visitor};

/// Sums over a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Extent {
    /// Bytes that it takes on the disk.
    pub(super) disk: u64,
    /// Bytes in its files.
    pub(super) content: u64,
    /// Names in it, itself not counted.
    pub(super) entries: u64,
    /// Whether some of its files have names elsewhere.
    pub(super) linked: bool,
}

/// Measures the directory `path` with up to `threads` threads.
///
/// # Errors
/// When it cannot be read.
pub(super) fn measure(path: &Path, threads: usize) -> Result<Extent, RootError> {
    let measured = measure_all(&[path.to_owned()], threads)?;
    Ok(measured.first().copied().unwrap_or_default())
}

/// Measures directories that may share files. One that is not there takes nothing.
///
/// # Errors
/// When one cannot be read.
pub(super) fn measure_all(paths: &[PathBuf], threads: usize) -> Result<Vec<Extent>, RootError> {
    let mut files = HashMap::new();
    let mut extents = vec![];
    for (at, path) in paths.iter().enumerate() {
        let directory = match File::open(path) {
            Ok(directory) => directory,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                extents.push(Extent::default());
                continue;
            }
            Err(error) => return Err(RootError::new("cannot open directory", path, error)),
        };
        let tree = Tree::result(directory.into(), Owners::Real);
        let sums = Sums { at, extent: Mutex::default(), files: Mutex::new(files) };
        for top in tree.matches("/", false, false)?.found {
            tree.scan(&top, &|_, _| Visibility::Show, threads, &sums, ())?;
        }
        extents.push(*lock(&sums.extent));
        files = std::mem::take(&mut *lock(&sums.files));
    }
    for file in files.into_values() {
        let Some(extent) = extents.get_mut(file.first) else { continue };
        extent.disk += if file.found >= file.names { file.disk } else { 0 };
        extent.linked |= file.found < file.names || file.several;
    }
    Ok(extents)
}

/// A file of several names.
struct Linked {
    /// The first directory that has it.
    first: usize,
    /// Whether another one has it, too.
    several: bool,
    /// How many names it has, and how many of them were found.
    names: u64,
    found: u64,
    disk: u64,
}

struct Sums {
    /// Which directory it is.
    at: usize,
    extent: Mutex<Extent>,
    /// By device and inode.
    files: Mutex<HashMap<(u64, u64), Linked>>,
}

impl Sums {
    /// Counts one name of a file of several; says whether another directory has it.
    fn link(&self, stat: &rustix::fs::Stat, disk: u64) -> bool {
        match lock(&self.files).entry((stat.st_dev, stat.st_ino)) {
            Entry::Vacant(entry) => {
                let names = stat.st_nlink;
                entry.insert(Linked { first: self.at, several: false, names, found: 1, disk });
                false
            }
            Entry::Occupied(mut entry) => {
                let file = entry.get_mut();
                file.found += 1;
                file.several |= file.first != self.at;
                file.first != self.at
            }
        }
    }
}

impl Visitor for Sums {
    type State = ();
    type Error = RootError;

    fn visit(&self, listing: &Listing<'_>, (): &()) -> Result<(), RootError> {
        let mut sum = Extent::default();
        for Listed { stat, .. } in listing.entries {
            let kind = FileType::from_raw_mode(stat.st_mode);
            let disk = stat.st_blocks.unsigned_abs() * 512;
            if stat.st_nlink < 2 || kind.is_dir() {
                sum.disk += disk;
            } else if disk > 0 {
                sum.linked |= self.link(stat, disk);
            }
            if kind.is_file() {
                sum.content += stat.st_size.unsigned_abs();
            }
            // The top is no name in itself.
            sum.entries += u64::from(listing.path.is_some());
        }
        let mut extent = lock(&self.extent);
        extent.disk += sum.disk;
        extent.content += sum.content;
        extent.entries += sum.entries;
        extent.linked |= sum.linked;
        Ok(())
    }

    fn enter(&self, _: &Listing<'_>, _: &Listed, (): &()) -> Result<(), RootError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_of_several_names_is_counted_once() {
        let place = tempfile::tempdir().expect("a directory");
        let path = |name: &str| place.path().join(name);
        for folder in ["a", "b", "c", "d"] {
            fs::create_dir(path(folder)).expect("a directory");
            fs::write(path(folder).join("own"), [1; 5000]).expect("a file");
        }
        let size = |name: &str| measure(&path(name), 1).expect("measured").disk;
        let plain = size("d");
        fs::write(path("a/big"), vec![1; 100_000]).expect("a file");
        fs::hard_link(path("a/big"), path("a/again")).expect("a link");
        assert!(size("a") >= plain + 100_000 && size("a") < plain + 200_000);
        assert!(!measure(&path("a"), 1).expect("measured").linked);
        fs::hard_link(path("a/big"), path("b/big")).expect("a link");
        fs::hard_link(path("a/big"), path("c/big")).expect("a link");
        let sizes = |names: &[&str]| -> Vec<(bool, bool)> {
            let paths: Vec<_> = names.iter().map(|name| path(name)).collect();
            let extents = measure_all(&paths, 1).expect("measured");
            extents.iter().map(|extent| (extent.disk >= plain + 100_000, extent.linked)).collect()
        };
        // Whether it has the big file, and whether it knows that this has other names.
        for (names, expected) in [
            (&["a", "b", "c", "d"][..], &[(true, true), (false, true), (false, true), (false, false)][..]),
            (&["b", "c", "gone"], &[(false, true), (false, true), (false, false)]),
            (&["c"], &[(false, true)]),
            (&["c", "a", "b"], &[(true, true), (false, true), (false, true)]),
        ] {
            assert_eq!(sizes(names), expected, "{names:?}");
        }
        fs::remove_dir_all(path("a")).expect("removed");
        assert_eq!(sizes(&["b", "c"]), [(true, true), (false, true)]);
    }
}
