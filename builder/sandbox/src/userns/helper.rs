//! The child that runs `newuidmap` and `newgidmap` on its parent.
//!
//! The two programs must run outside the new user namespace, the namespace must be the parent's own: so the
//! child is forked before the parent unshares and waits until it has.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, getpid, waitpid};

use super::super::machine::find_program;
use super::super::passwd;
use super::{NoSubIds, SubIdRange, map_arguments, ranges};

const UID: Kind = Kind { program: "newuidmap", file: "/etc/subuid" };
const GID: Kind = Kind { program: "newgidmap", file: "/etc/subgid" };

/// One of the two helpers.
#[derive(Clone, Copy)]
struct Kind {
    program: &'static str,
    file: &'static str,
}

/// What is to be mapped, and by which programs.
pub(super) struct Plan {
    pub(super) uids: Vec<SubIdRange>,
    pub(super) gids: Vec<SubIdRange>,
    uid: Call,
    gid: Call,
}

struct Call {
    kind: Kind,
    program: PathBuf,
    arguments: Vec<String>,
}

/// Finds ranges and programs for the user.
pub(super) fn plan(path: &OsStr, uid: u32, gid: u32) -> Result<Plan, NoSubIds> {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd::name_of(&users, uid);
    let found = |kind: Kind| {
        let text = fs::read_to_string(kind.file).unwrap_or_default();
        let ranges = ranges(&text, name, uid);
        if ranges.is_empty() { Err(NoSubIds::NoRange { file: kind.file, uid }) } else { Ok(ranges) }
    };
    let (uids, gids) = (found(UID)?, found(GID)?);
    let call = |kind: Kind, own, ranges: &[SubIdRange]| {
        let program =
            find_program(path, kind.program).ok_or(NoSubIds::NoProgram { program: kind.program })?;
        Ok(Call { kind, program, arguments: map_arguments(own, ranges) })
    };
    let (uid, gid) = (call(UID, uid, &uids)?, call(GID, gid, &gids)?);
    Ok(Plan { uids, gids, uid, gid })
}

/// The waiting child.
pub(super) struct Helper {
    go: File,
    answer: File,
    pid: Pid,
}

/// Forks the child.
pub(super) fn start(plan: &Plan) -> Result<Helper, NoSubIds> {
    let refused = |error: rustix::io::Errno| NoSubIds::Refused {
        program: plan.gid.kind.program,
        message: error.to_string(),
    };
    let parent = getpid();
    let (wait, go) = pipe_with(PipeFlags::CLOEXEC).map_err(refused)?;
    let (answer, say) = pipe_with(PipeFlags::CLOEXEC).map_err(refused)?;
    #[expect(unsafe_code, reason = "fork(2)")]
    // SAFETY: the process has one thread at this point (`enter` demands it), so the child may do whatever the
    // parent might have done.
    let forked = unsafe { libc::fork() };
    match forked {
        -1 => Err(refused(super::super::mountapi::last_error())),
        0 => {
            drop((go, answer));
            child(plan, parent, &mut File::from(wait), &mut File::from(say));
            #[expect(unsafe_code, reason = "leave without the parent's exit handlers")]
            // SAFETY: ends the process; nothing runs after it.
            unsafe {
                libc::_exit(0)
            }
        }
        pid => {
            let pid = Pid::from_raw(pid).ok_or_else(|| refused(rustix::io::Errno::CHILD))?;
            Ok(Helper { go: File::from(go), answer: File::from(answer), pid })
        }
    }
}

/// Waits for the parent's byte, runs both programs, and answers `program\0message` for the first that fails.
/// The group map comes first: when it fails nothing is mapped yet. When the parent dies instead, nothing runs.
fn child(plan: &Plan, parent: Pid, wait: &mut File, say: &mut File) {
    if wait.read_exact(&mut [0]).is_err() {
        return;
    }
    for call in [&plan.gid, &plan.uid] {
        if let Err(message) = run(call, parent) {
            // The parent reads an empty answer as success, so a lost message must not be empty: write or die.
            if write!(say, "{}\0{message}", call.kind.program).is_err() {
                std::process::abort();
            }
            return;
        }
    }
    if say.write_all(b"ok").is_err() {
        std::process::abort();
    }
}

#[expect(clippy::disallowed_methods, reason = "the sandbox is the builder's place to start programs")]
fn run(call: &Call, parent: Pid) -> Result<(), String> {
    let output = Command::new(Path::new(&call.program))
        .arg(parent.to_string())
        .args(&call.arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(if message.is_empty() { output.status.to_string() } else { message })
}

impl Helper {
    /// Lets the child do its work and takes its answer. The parent has unshared.
    pub(super) fn finish(mut self) -> Result<(), NoSubIds> {
        let mut text = String::new();
        let exchange = self.go.write_all(b"x").and_then(|()| self.answer.read_to_string(&mut text));
        // The child is gone either way; its status says nothing that the answer does not.
        let _status = waitpid(Some(self.pid), WaitOptions::empty());
        match (exchange, text.split_once('\0')) {
            (Ok(_), None) if text == "ok" => Ok(()),
            (Ok(_), Some((program, message))) => {
                let kind = if program == UID.program { UID } else { GID };
                Err(NoSubIds::Refused { program: kind.program, message: message.to_owned() })
            }
            (Ok(_), None) | (Err(_), _) => {
                Err(NoSubIds::Refused { program: UID.program, message: "its starter died".to_owned() })
            }
        }
    }
}
