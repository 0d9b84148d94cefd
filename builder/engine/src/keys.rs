//! An ssh agent with keys from files (`--ssh ID=KEYFILE`), for steps that ask for one.
//!
//! It is the machine's own `ssh-agent`, which knows every form that keys have; it gets them through descriptors and holds
//! them in memory. It is started by the first step that asks, and ends with the build. Not here: keys with a
//! passphrase, which nobody could be asked for.

use std::fs::{self, File};
use std::io::{self, Seek as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use rustix::fs::{MemfdFlags, memfd_create};

use super::{Context, EngineError};
use xx_build_sandbox::{Cancel, Stream, follow_program};

/// The keys of one id, and their agent once it is needed.
#[derive(Debug)]
pub struct Keys {
    /// Contents of the files.
    keys: Vec<Vec<u8>>,
    agent: OnceLock<Result<Agent, String>>,
}

/// A running `ssh-agent`.
#[derive(Debug)]
struct Agent {
    /// Its directory: a socket's path has 107 bytes at most, the store's may have more.
    directory: File,
    cancel: Arc<Cancel>,
    running: Option<JoinHandle<()>>,
}

/// Adds the keys, whose lengths are the arguments and which follow each other on standard input, says that it is ready,
/// and stays. `ssh-agent` forgets that it was to die with who started it (it is set-gid), so the shell in front, the
/// first process of the namespace, does.
const SCRIPT: &str = "ssh-agent -a agent sh -c '
for length; do dd bs=1 count=\"$length\" 2>/dev/null | ssh-add -q - || exit; done
echo ready; exec sleep infinity' sh \"$@\"; exit $?";

impl Keys {
    /// The keys that these files hold.
    #[must_use]
    pub fn new(keys: Vec<Vec<u8>>) -> Self {
        Self { keys, agent: OnceLock::new() }
    }

    /// The socket of their agent, which is started if need be.
    pub(super) fn socket(&self, context: Context<'_>) -> Result<PathBuf, EngineError> {
        let started = self.agent.get_or_init(|| {
            let folder = context.store.scratch_path();
            Agent::start(folder, &self.keys).map_err(|error| error.to_string())
        });
        match started {
            Ok(agent) => Ok(PathBuf::from(format!("/proc/self/fd/{}/agent", agent.directory.as_raw_fd()))),
            Err(reason) => Err(EngineError::Agent { reason: reason.clone() }),
        }
    }
}

impl Agent {
    fn start(folder: PathBuf, keys: &[Vec<u8>]) -> io::Result<Self> {
        fs::create_dir(&folder)?;
        let directory = File::open(&folder)?;
        let cancel = Arc::new(Cancel::new().map_err(io::Error::other)?);
        let command = command(&folder, keys)?;
        let (ready, is_ready) = channel();
        let until = Arc::clone(&cancel);
        let running = std::thread::Builder::new().name("ssh-agent".to_owned()).spawn(move || {
            let mut said = String::new();
            let mut take = |stream, bytes: &[u8]| match stream {
                Stream::Stdout => drop(ready.send(None)),
                Stream::Stderr => said.push_str(&String::from_utf8_lossy(bytes)),
            };
            let ended = follow_program(command, &until, &mut take);
            let reason = match ended {
                Err(error) => error.to_string(),
                Ok(_) => said.lines().next_back().unwrap_or("it ended").to_owned(),
            };
            // Nobody listens any more when it was ready once.
            let _told = ready.send(Some(reason));
        })?;
        let agent = Self { directory, cancel, running: Some(running) };
        match is_ready.recv() {
            Ok(None) => Ok(agent),
            Ok(Some(reason)) => Err(io::Error::other(reason)),
            Err(_) => Err(io::Error::other("it did not start")),
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.cancel.cancel();
        if let Some(running) = self.running.take() {
            let _ended = running.join();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the sandbox runs it")]
fn command(folder: &Path, keys: &[Vec<u8>]) -> io::Result<Command> {
    // In memory: keys are on no disk but where they came from.
    let mut input = File::from(memfd_create(c"keys", MemfdFlags::CLOEXEC)?);
    input.write_all(&keys.concat())?;
    input.rewind()?;
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "sh"]).args(keys.iter().map(|key| key.len().to_string()));
    command.current_dir(folder).stdin(input);
    // Nobody is there to be asked for a passphrase.
    command.env_remove("SSH_AUTH_SOCK").env_remove("DISPLAY").env("SSH_ASKPASS_REQUIRE", "never");
    Ok(command)
}
