//! The work directory of one process: where layers and blobs are made before they are known.
//!
//! Its lock is held as long as the process lives, so a directory whose lock is free belongs to nobody
//! and is removed. A kill at any moment therefore costs at most what was being made.
//!
//! The steps of a killed build end by themselves, and may write until then. What they do not let go of is passed over,
//! with its lock, and tried again when the build that met it ends, and by every later one.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::copies::Copied;
use super::lock::FileLock;
use super::{Store, StoreError};
use xx_build_rootfs::remove_tree;

const LOCK: &str = ".lock";

#[derive(Debug)]
pub(super) struct WorkDir {
    path: PathBuf,
    _lock: FileLock,
    counter: AtomicU64,
    /// Those of dead processes that were passed over.
    passed: Vec<PathBuf>,
}

impl WorkDir {
    /// Makes a directory of its own below `parent` and removes the `dead` ones.
    pub(super) fn create(parent: &Path, dead: Vec<Dead>) -> Result<Self, StoreError> {
        let passed = dead.into_iter().filter_map(|dead| dead.remove().err()).collect();
        let name = random_name();
        // The lock comes before the directory: a directory is never seen without it.
        let path = parent.join(name);
        let lock = FileLock::exclusive(&lock_of(&path))?;
        fs::create_dir(&path).map_err(StoreError::io("create", &path))?;
        Ok(Self { path, _lock: lock, counter: AtomicU64::new(0), passed })
    }

    /// The directory that holds those of all processes.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// What this process is called there.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub(super) fn next_path(&self, kind: &str) -> PathBuf {
        self.path.join(format!("{kind}{}", self.counter.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // Best effort: what stays is swept by the next build, as after a kill.
        let _ = remove_tree(&self.path);
        for path in std::mem::take(&mut self.passed) {
            if let Ok(Some(lock)) = FileLock::try_exclusive(&lock_of(&path)) {
                let _ = Dead { path, lock }.remove();
            }
        }
    }
}

fn lock_of(directory: &Path) -> PathBuf {
    let mut path = directory.as_os_str().to_owned();
    path.push(LOCK);
    path.into()
}

/// The directory of a process that no longer runs, which nobody else removes meanwhile.
#[derive(Debug)]
pub(super) struct Dead {
    path: PathBuf,
    lock: FileLock,
}

impl Dead {
    /// Finds all of them.
    pub(super) fn find(parent: &Path) -> Result<Vec<Self>, StoreError> {
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(parent).map_err(StoreError::io("list", parent))? {
            let name = entry.map_err(StoreError::io("list", parent))?.file_name();
            let name = name.to_string_lossy();
            names.insert(name.strip_suffix(LOCK).unwrap_or(&name).to_owned());
        }
        let mut dead = vec![];
        for name in names {
            let path = parent.join(name);
            if let Some(lock) = FileLock::try_exclusive(&lock_of(&path))? {
                dead.push(Self { path, lock });
            }
        }
        Ok(dead)
    }

    /// Removes it; or gives back its path, and leaves its lock, when somebody still writes to it.
    fn remove(self) -> Result<(), PathBuf> {
        match remove_tree(&self.path) {
            Ok(()) => Ok(()),
            Err(_) => {
                self.lock.leave();
                Err(self.path)
            }
        }
    }
}

/// 16 hexadecimal digits that no other process comes up with.
pub(super) fn random_name() -> String {
    format!("{:016x}", random_number())
}

fn random_number() -> u64 {
    let mut bytes = [0_u8; 8];
    // Eight bytes are always available at once after boot; on failure the zeroes make creation fail with
    // "exists", which is an error and not a mix-up.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    u64::from_le_bytes(bytes)
}

/// A layer that is being made: removed when dropped, kept by recording it.
#[derive(Debug)]
pub struct ActiveLayer {
    path: PathBuf,
    moved: bool,
    copied: Option<Copied>,
    objects: Option<Vec<PathBuf>>,
}

impl ActiveLayer {
    /// Its files.
    #[must_use]
    pub fn files(&self) -> PathBuf {
        self.path.join("fs")
    }

    /// The scratch directory that overlayfs wants beside an upper directory.
    #[must_use]
    pub fn overlay_work(&self) -> PathBuf {
        self.path.join("work")
    }

    /// Says what was copied to it, so that the next copy can take it from here.
    pub fn set_copied(&mut self, copied: Copied) {
        self.copied = Some(copied);
    }

    /// Says which of its files may be object files, as paths from its root: all others are known to be none.
    pub fn set_objects(&mut self, objects: Vec<PathBuf>) {
        self.objects = Some(objects);
    }

    pub(super) fn take_objects(&mut self) -> Option<Vec<PathBuf>> {
        self.objects.take()
    }

    /// Renames the files into `layers` and returns the name they got there, with what was copied to it.
    pub(super) fn move_to(mut self, layers: &Path) -> Result<(String, Option<Copied>), StoreError> {
        let name = random_name();
        let target = layers.join(&name);
        fs::rename(self.files(), &target).map_err(StoreError::io("rename", &target))?;
        self.moved = true;
        let _ = remove_tree(&self.path);
        Ok((name, self.copied.take()))
    }
}

impl Drop for ActiveLayer {
    fn drop(&mut self) {
        if !self.moved {
            // Best effort, as above.
            let _ = remove_tree(&self.path);
        }
    }
}

/// Makes a directory that steps see: of mode 0755, whatever the umask.
pub(super) fn create_open(path: &Path) -> Result<(), StoreError> {
    let made = fs::create_dir(path).and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o755)));
    made.map_err(StoreError::io("create", path))
}

impl Store {
    /// Starts a layer: an empty directory, owned by root, mode 0755.
    ///
    /// # Errors
    /// When the directories cannot be made.
    pub fn new_layer(&self) -> Result<ActiveLayer, StoreError> {
        let path = self.work.next_path("layer-");
        fs::create_dir(&path).map_err(StoreError::io("create", &path))?;
        let layer = ActiveLayer { path, moved: false, copied: None, objects: None };
        for directory in [layer.files(), layer.overlay_work()] {
            create_open(&directory)?;
        }
        Ok(layer)
    }

    /// A number that no other build comes up with.
    #[must_use]
    pub fn unique_number(&self) -> u64 {
        random_number()
    }

    /// A path for a file or directory that lives as long as this process at the most.
    pub fn scratch_path(&self) -> PathBuf {
        self.work.next_path("scratch-")
    }
}
