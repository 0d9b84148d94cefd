//! Turns the process into one that may mount: a mount namespace of its own, as an ordinary user inside a user
//! namespace.
//!
//! The user's further ids come from `/etc/subuid` and `/etc/subgid` through the setuid programs `newuidmap` and
//! `newgidmap`; the kernel gives an ordinary process no other way to have more than one id. Without them one
//! id remains, which the answer says together with the reason.
//! Not here: what a step makes of its ids.

mod helper;
mod refusal;
mod subid;

use std::ffi::OsStr;
use std::fs;

use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{getegid, geteuid};
use rustix::thread::{UnshareFlags, unshare_unsafe};

pub use subid::{SubIdRange, map_arguments, ranges};

use super::SandboxError;

/// Which ids the process, and so every step, has from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Started as root: the host's ids.
    Root,
    /// A user namespace with the user as 0 and delegated ids from 1.
    SubIds {
        /// User id ranges, in host numbers; inside they count up from 1.
        uids: Vec<SubIdRange>,
        /// Group id ranges likewise.
        gids: Vec<SubIdRange>,
    },
    /// A user namespace with the user as 0 and nobody else.
    SingleUid {
        /// Why there are no further ids.
        why: NoSubIds,
    },
}

/// Why a user has no further ids.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSubIds {
    /// No line for the user.
    #[error("`{file}` gives user {uid} no ids")]
    NoRange {
        /// `/etc/subuid` or `/etc/subgid`.
        file: &'static str,
        /// The user.
        uid: u32,
    },
    /// The setuid helper is missing.
    #[error("`{program}` was not found on PATH")]
    NoProgram {
        /// `newuidmap` or `newgidmap`.
        program: &'static str,
    },
    /// The setuid helper refused.
    #[error("`{program}` failed: {message}")]
    Refused {
        /// `newuidmap` or `newgidmap`.
        program: &'static str,
        /// What it wrote on its standard error.
        message: String,
    },
}

impl NoSubIds {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NoRange { file, uid } => {
                format!("as root: `echo {uid}:100000:65536 >> {file}` (any 65536 ids that nobody else has)")
            }
            Self::NoProgram { .. } => "install the package `uidmap` (Debian) or `shadow-utils`".to_owned(),
            Self::Refused { program, .. } => {
                format!("check that `{program}` is setuid root and that the range overlaps no other user's")
            }
        }
    }
}

/// Enters the namespaces. To be called first in `main`, while the process has a single thread; `path` is the
/// value of `PATH`, to find `newuidmap` and `newgidmap` on.
///
/// # Errors
///
/// [`SandboxError::NoUserNamespace`] names the kernel setting in the way.
pub fn enter(path: &OsStr) -> Result<Mode, SandboxError> {
    match unshare(UnshareFlags::NEWNS) {
        Ok(()) => {
            mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
                .map_err(SandboxError::on("make a mount namespace of its own for", "/"))?;
            Ok(Mode::Root)
        }
        Err(Errno::PERM) => enter_user_namespace(path),
        Err(source) => Err(SandboxError::on("unshare", "the mount namespace")(source)),
    }
}

/// Whether the process is the machine's root, and not that of a user namespace.
pub(super) fn is_real_root() -> bool {
    let all = |map: String| map.contains("4294967295");
    geteuid().is_root() && fs::read_to_string("/proc/self/uid_map").is_ok_and(all)
}

/// The kernel turns all mounts into slaves by itself when the user namespace changes.
fn enter_user_namespace(path: &OsStr) -> Result<Mode, SandboxError> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let planned = helper::plan(path, uid, gid).and_then(|plan| Ok((helper::start(&plan)?, plan)));
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS).map_err(|errno| SandboxError::NoUserNamespace {
        source: errno.into(),
        hint: refusal::hint(errno, refusal::Settings::read()),
    })?;
    let why = match planned {
        Ok((helper, plan)) => match helper.finish() {
            Ok(()) => return Ok(Mode::SubIds { uids: plan.uids, gids: plan.gids }),
            Err(why) => why,
        },
        Err(why) => why,
    };
    map_single("/proc/self/uid_map", uid)?;
    map_single("/proc/self/gid_map", gid)?;
    Ok(Mode::SingleUid { why })
}

/// Maps 0 to the user's own id, unless a helper that failed halfway has written the map already.
fn map_single(map: &'static str, own: u32) -> Result<(), SandboxError> {
    let failed = |source| SandboxError::System { action: "write", subject: map.to_owned(), source };
    if !fs::read_to_string(map).map_err(failed)?.trim().is_empty() {
        return Ok(());
    }
    if map.ends_with("gid_map") {
        let setgroups = "/proc/self/setgroups";
        fs::write(setgroups, "deny").map_err(|source| SandboxError::System {
            action: "write",
            subject: setgroups.to_owned(),
            source,
        })?;
    }
    fs::write(map, format!("0 {own} 1")).map_err(failed)
}

fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    #[expect(unsafe_code, reason = "unshare(2) can break assumptions of other threads")]
    // SAFETY: of the flags, only those that split namespaces are used here; none stops sharing the descriptor
    // table, which is what the wrapper warns about.
    unsafe {
        unshare_unsafe(flags)
    }
}
