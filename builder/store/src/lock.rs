//! Advisory locks between processes: `flock(2)` on a file, released by the kernel when its holder dies.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::{Store, StoreError};
use xx_build_solve::Key;

/// A lock that is held until this value is dropped; its file goes with it.
#[derive(Debug)]
pub struct FileLock {
    path: PathBuf,
    stays: bool,
    _file: File,
}

impl Drop for FileLock {
    fn drop(&mut self) {
        if !self.stays {
            // Still held here. Who waits on the removed file sees that its name is gone and tries again.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl FileLock {
    /// Waits until nobody else holds the lock.
    ///
    /// # Errors
    /// When the file cannot be made or locked.
    pub fn exclusive(path: &Path) -> Result<Self, StoreError> {
        loop {
            if let Some(lock) = Self::lock(path, FlockOperation::LockExclusive)? {
                return Ok(lock);
            }
        }
    }

    /// Takes the lock if nobody holds it.
    ///
    /// # Errors
    /// When the file cannot be made or locked.
    pub fn try_exclusive(path: &Path) -> Result<Option<Self>, StoreError> {
        Self::lock(path, FlockOperation::NonBlockingLockExclusive)
    }

    /// Lets go of the lock and leaves its file: what it stands for is still there.
    pub(super) fn leave(mut self) {
        self.stays = true;
    }

    /// Whether somebody holds the lock.
    pub(super) fn is_held(path: &Path) -> Result<bool, StoreError> {
        if !path.exists() {
            return Ok(false);
        }
        let lock = Self::try_exclusive(path)?;
        Ok(lock.map(Self::leave).is_none())
    }

    /// `None` when it is held elsewhere, or when its file was removed while waiting for it.
    fn lock(path: &Path, operation: FlockOperation) -> Result<Option<Self>, StoreError> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(StoreError::io("open", path))?;
        match rustix::io::retry_on_intr(|| flock(&file, operation)) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(errno) => return Err(StoreError::io("lock", path)(errno.into())),
        }
        let held = rustix::fs::fstat(&file).map_err(|errno| StoreError::io("lock", path)(errno.into()))?;
        let named = rustix::fs::stat(path);
        if named.is_ok_and(|named| (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino)) {
            Ok(Some(Self { path: path.to_owned(), stays: false, _file: file }))
        } else {
            Ok(None)
        }
    }
}

/// Removes the lock files in `folder` that a kill left: nobody holds them. Best effort.
pub(super) fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        drop(FileLock::try_exclusive(&entry.path()));
    }
}

impl Store {
    /// The lock of the step with this key: whoever has it runs the step, the others on this store wait for the result.
    #[must_use]
    pub fn lock_of_step(&self, key: &Key) -> PathBuf {
        self.root.join("locks").join(format!("{key:?}"))
    }

    /// The lock of a cache mount that is used by one step at a time.
    #[must_use]
    pub fn lock_of_cache(&self, name: &str) -> PathBuf {
        self.root.join("locks").join(format!("cache-{name}"))
    }
}
