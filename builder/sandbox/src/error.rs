//! What can go wrong around a step, with the place and the next thing to try.

use std::io;
use std::path::Path;

use thiserror::Error;

use super::passwd::UserError;

/// A failure of the sandbox itself; a step that ran and failed is an exit status instead.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The kernel refused an operation.
    #[error("cannot {action} `{subject}`: {source}")]
    System {
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// The path, program or setting it was tried on.
        subject: String,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The sandbox itself refuses something that a step asks for.
    #[error("cannot {action} `{subject}`: {reason}")]
    Refused {
        /// What was asked for, as a verb phrase.
        action: &'static str,
        /// The path or setting.
        subject: String,
        /// Why not.
        reason: String,
        /// What to do instead.
        hint: &'static str,
    },
    /// Neither root nor a user namespace is to be had.
    #[error("cannot create a user namespace: {source}")]
    NoUserNamespace {
        /// What the kernel answered.
        source: io::Error,
        /// The setting that forbids it, and how to change it.
        hint: String,
    },
    /// The program of a step could not be executed.
    #[error("cannot run `{program}`: {source}")]
    NotRun {
        /// As the step names it.
        program: String,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The program of a step is for another machine, and none is emulated here.
    #[error("cannot run `{program}`: it is a program for {platform}, which this machine does not emulate")]
    Foreign {
        /// As the step names it.
        program: String,
        /// What it was built for.
        platform: String,
    },
    /// The OCI runtime could not run a step.
    #[error("`{program}` cannot run the step: {message}")]
    Runtime {
        /// The runtime.
        program: String,
        /// What it says.
        message: String,
    },
    /// The user of a step is not in its root.
    #[error(transparent)]
    User(#[from] UserError),
    /// An overlay of more layers than the kernel stacks.
    #[error("cannot mount {count} layers: the kernel stacks at most {max}")]
    TooManyLayers {
        /// Layers asked for.
        count: usize,
        /// Layers possible.
        max: usize,
    },
}

impl SandboxError {
    /// What the user can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::NoUserNamespace { hint, .. } => Some(hint),
            Self::TooManyLayers { .. } => Some("join some RUN, COPY or ADD instructions of this stage"),
            Self::NotRun { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("it is not on PATH inside the root, or the interpreter it names is missing there")
            }
            Self::NotRun { source, .. } if source.raw_os_error() == Some(libc::ELOOP) => Some(
                "it, the interpreter in its first line or its loader is a link in a circle or one of `/proc`: name a program of the root",
            ),
            Self::NotRun { source, .. } if source.raw_os_error() == Some(libc::ENOEXEC) => Some(
                "it is neither a program for this machine nor a script: the first line of a script names its interpreter, such as `#!/bin/sh`",
            ),
            Self::NotRun { .. } => {
                Some("is it executable for the step's user? `RUN ls -l` of it shows its mode")
            }
            Self::Foreign { .. } => Some(
                "as root, install an emulator, which Debian's `qemu-user-static` registers with the kernel; or cross-compile: do the work in a \
                 stage `FROM --platform=$BUILDPLATFORM`, and take over what it makes with `COPY --from`",
            ),
            Self::Refused { hint, .. } => Some(hint),
            Self::Runtime { .. } => Some("without `--oci-runtime`, the step runs in the built-in sandbox"),
            Self::User(_) => Some("create the user in an earlier RUN, or give its numbers: `USER 1000:1000`"),
            Self::System { .. } => None,
        }
    }

    /// Wraps a system error with what was tried on what; meant for `map_err`.
    pub(super) fn on(
        action: &'static str,
        subject: impl AsRef<Path>,
    ) -> impl FnOnce(rustix::io::Errno) -> Self {
        let subject = subject.as_ref().display().to_string();
        move |source| Self::System { action, subject, source: source.into() }
    }
}
