//! Waiting for others, which the end of the build cuts short: other builds that hold a lock, servers, `git`.

use std::path::PathBuf;
use std::process::{Command, Output};

use super::{Context, EngineError};
use crate::sandbox::run_program;
use crate::store::{FileLock, StoreError};

impl Context<'_> {
    /// Takes a lock, and waits for whoever holds it.
    pub(super) fn lock(&self, path: PathBuf) -> Result<FileLock, EngineError> {
        if let Some(lock) = FileLock::try_exclusive(&path)? {
            return Ok(lock);
        }
        let shown = path.clone();
        let waited = self.cancel.unless_fired(move || FileLock::exclusive(&path));
        let waited = waited.map_err(|source| StoreError::Io { action: "wait for", path: shown, source })?;
        Ok(waited.ok_or(EngineError::Cancelled)??)
    }

    /// Runs a program of this machine.
    pub(super) fn run(&self, command: Command) -> std::io::Result<Output> {
        run_program(command, self.cancel)
    }

    /// An error when the build is over.
    pub(super) fn go_on(&self) -> Result<(), EngineError> {
        if self.cancel.is_fired() { Err(EngineError::Cancelled) } else { Ok(()) }
    }
}
