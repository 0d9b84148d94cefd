//! Directories that outlive a build but are no layers: cache mounts.

use std::fs;
use std::path::PathBuf;

use rusqlite::params;
use rustix::fs::FlockOperation;

use super::usage::hold;
use super::work::create_open;
use super::{Store, StoreError};
use xx_build_rootfs::sync::lock;

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
        description: &str,
        fill: impl Fn(&std::path::Path) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        let path = self.root.join("cache").join(name);
        loop {
            // Held as long as this process lives: nobody removes it meanwhile.
            if let Some(held) = hold(&path, FlockOperation::LockShared) {
                lock(&self.mounts).push(held);
                self.note_mount(name, description)?;
                return Ok(path);
            }
            let fresh = self.scratch_path();
            create_open(&fresh)?;
            fill(&fresh)?;
            match fs::rename(&fresh, &path) {
                Ok(()) => {}
                // Another build was first; its directory is as good.
                Err(_) if path.is_dir() => {}
                Err(error) => return Err(StoreError::io("create", &path)(error).into()),
            }
        }
    }

    fn note_mount(&self, name: &str, description: &str) -> Result<(), StoreError> {
        self.database().execute(
            "INSERT INTO mounts (name, description, created, used, uses) VALUES (?1, ?2, ?3, ?3, 1)
             ON CONFLICT (name) DO UPDATE SET description = ?2, used = ?3, uses = uses + 1, size = NULL",
            params![name, description, self.now],
        )?;
        Ok(())
    }
}
