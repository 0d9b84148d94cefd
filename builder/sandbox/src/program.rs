//! Runs a program of the machine, such as `git`, so that nothing of it outlives the build.
//!
//! It is the first process of a PID namespace of its own: whatever it has started, and however that has gone into the
//! background, ends with it, and it ends with the builder. Not here: anything else that a sandbox does. The program
//! is the user's own and has the user's rights.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Sender, channel};

use rustix::process::{PidfdFlags, Signal, pidfd_open};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::run::pump;
use super::step::Stream;
use super::{Cancel, signals};

type Started = (std::os::fd::OwnedFd, [std::os::fd::OwnedFd; 2]);

/// Bytes of each stream that are kept; what a program says beyond that nobody reads.
const MOST: usize = 64 << 20;

/// Runs `command` to its end, with nothing to read and its output collected.
///
/// # Errors
///
/// It cannot be started, or `cancel` fires: then it is killed, and the error is [`io::ErrorKind::Interrupted`].
pub fn run_program(mut command: Command, cancel: &Cancel) -> io::Result<Output> {
    command.stdin(Stdio::null());
    let (mut stdout, mut stderr) = (vec![], vec![]);
    let status = follow_program(command, cancel, &mut |stream, bytes: &[u8]| {
        let kept = match stream {
            Stream::Stdout => &mut stdout,
            Stream::Stderr => &mut stderr,
        };
        let room = MOST.saturating_sub(kept.len()).min(bytes.len());
        kept.extend_from_slice(bytes.get(..room).unwrap_or_default());
    })?;
    Ok(Output { status, stdout, stderr })
}

/// The same, with its output handed over as it comes, and the standard input that it was given.
///
/// # Errors
///
/// As [`run_program`].
pub fn follow_program(
    mut command: Command,
    cancel: &Cancel,
    take: &mut dyn FnMut(Stream, &[u8]),
) -> io::Result<ExitStatus> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let (started, start) = channel();
    let (status, cancelled) = std::thread::scope(|scope| {
        let bearer = scope.spawn(move || bear(command, &started));
        // The sender is dropped without a word when it could not be started.
        let pumped = start.recv().map_or(Ok(false), |(pidfd, pipes)| pump(&pidfd, cancel, pipes, take));
        let status = bearer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok::<_, io::Error>((status, pumped.map_err(io::Error::other)?))
    })?;
    if cancelled {
        return Err(io::Error::new(io::ErrorKind::Interrupted, "it was cancelled"));
    }
    Ok(status)
}

/// The thread whose child the program is: the namespace and the signal at its death hang on it.
fn bear(mut command: Command, started: &Sender<Started>) -> io::Result<ExitStatus> {
    #[expect(unsafe_code, reason = "unshare(2) can break assumptions of other threads")]
    // SAFETY: it concerns the children of this thread alone.
    unsafe { unshare_unsafe(UnshareFlags::NEWPID) }?;
    let prepare = || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        signals::unblock();
        Ok(())
    };
    #[expect(unsafe_code, reason = "runs between fork and exec")]
    // SAFETY: the closure makes only system calls, and allocates nothing.
    unsafe {
        command.pre_exec(prepare);
    }
    let mut child = command.spawn()?;
    let pidfd = pidfd_open(rustix::process::Pid::from_child(&child), PidfdFlags::empty())?;
    if let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) {
        // Nobody listens only when the caller has panicked.
        let _heard = started.send((pidfd, [out.into(), err.into()]));
    }
    child.wait()
}
