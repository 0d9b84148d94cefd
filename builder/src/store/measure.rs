//! How much a directory holds: what `du` shows, and what tells after a power cut whether it is still whole.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::sync::Mutex;

use rustix::fs::FileType;

use crate::rootfs::{Listed, Listing, Owners, RootError, Tree, Visibility, Visitor};
use crate::sync::lock;

/// Sums over a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Extent {
    /// Bytes that it takes on the disk, a file of several names counted once.
    pub(super) disk: u64,
    /// Bytes in its files.
    pub(super) content: u64,
    /// Names in it, itself not counted.
    pub(super) entries: u64,
}

/// Measures the directory `path` with up to `threads` threads.
///
/// # Errors
/// When it cannot be read.
pub(super) fn measure(path: &Path, threads: usize) -> Result<Extent, RootError> {
    let directory = File::open(path).map_err(|error| RootError::new("cannot open directory", path, error))?;
    let tree = Tree::result(directory.into(), Owners::Real);
    let sums = Sums::default();
    for top in tree.matches("/", false, false)?.found {
        tree.scan(&top, &|_, _| Visibility::Show, threads, &sums, ())?;
    }
    Ok(*lock(&sums.extent))
}

#[derive(Default)]
struct Sums {
    extent: Mutex<Extent>,
    /// Files of several names that have been counted.
    linked: Mutex<HashSet<(u64, u64)>>,
}

impl Visitor for Sums {
    type State = ();
    type Error = RootError;

    fn visit(&self, listing: &Listing<'_>, (): &()) -> Result<(), RootError> {
        let mut sum = Extent::default();
        for Listed { stat, .. } in listing.entries {
            let kind = FileType::from_raw_mode(stat.st_mode);
            let is_first =
                stat.st_nlink < 2 || kind.is_dir() || lock(&self.linked).insert((stat.st_dev, stat.st_ino));
            if is_first {
                sum.disk += stat.st_blocks.unsigned_abs() * 512;
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
        Ok(())
    }

    fn enter(&self, _: &Listing<'_>, _: &Listed, (): &()) -> Result<(), RootError> {
        Ok(())
    }
}
