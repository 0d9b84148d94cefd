//! Directories that outlive a build but are no layers: cache mounts.

use std::fs;
use std::path::PathBuf;

use super::work::random_name;
use super::{Store, StoreError};

impl Store {
    /// The directory of the cache mount `name`, made by `fill` the first time.
    ///
    /// `name` must be a plain file name; callers pass a digest, never an id from a Dockerfile.
    ///
    /// # Errors
    /// When the directory cannot be made, or `fill` fails.
    pub fn cache_directory<E: From<StoreError>>(
        &self,
        name: &str,
        fill: impl FnOnce(&std::path::Path) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        let path = self.root.join("cache").join(name);
        if path.is_dir() {
            return Ok(path);
        }
        let fresh = self.scratch_path();
        fs::create_dir(&fresh).map_err(StoreError::io("create", &fresh))?;
        fill(&fresh)?;
        match fs::rename(&fresh, &path) {
            Ok(()) => Ok(path),
            // Another build was first; its directory is as good.
            Err(_) if path.is_dir() => Ok(path),
            Err(error) => Err(StoreError::io("create", &path)(error).into()),
        }
    }

    /// A fresh name for a private cache mount.
    #[must_use]
    pub fn unique_name(&self) -> String {
        random_name()
    }
}
