//! Waiting for others, which the end of the build cuts short: other builds that hold a lock, servers, `git`.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::{Context, EngineError, Event, Stream};
use xx_build_sandbox::run_program;
use xx_build_store::{FileLock, StoreError};

/// How often something that takes long is heard of.
const NEWS: Duration = Duration::from_secs(5);

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

    /// Does `work`, which may take long, and tells from time to time how far it is.
    pub(super) fn with_news<T>(&self, news: &(dyn Fn() -> String + Sync), work: impl FnOnce() -> T) -> T {
        let (done, over) = channel::<()>();
        std::thread::scope(|scope| {
            // Without a thread there is no news.
            let _told = std::thread::Builder::new().spawn_scoped(scope, move || {
                while over.recv_timeout(NEWS) == Err(RecvTimeoutError::Timeout) {
                    let line = news() + "\n";
                    let event = Event::Output { stream: Stream::Err, bytes: line.as_bytes() };
                    self.observer.event(self.number, event);
                }
            });
            let answer = work();
            drop(done);
            answer
        })
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
