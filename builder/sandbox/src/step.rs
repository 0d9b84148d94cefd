//! A step as data: what to run, on which root, with which mounts.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use super::etc::DEFAULT_HOSTNAME;
use super::network::Outward;
use super::supervisor::Unreal;

/// One process to run to its end in a sandbox.
#[derive(Debug)]
pub struct Step {
    /// The root, from [`super::overlay::mount_detached`]. A mount serves one run.
    pub root: OwnedFd,
    /// Mounts over it, in order.
    pub mounts: Vec<Mount>,
    /// Program and arguments; a program without a slash is looked up on the step's `PATH`, inside the root.
    pub args: Vec<String>,
    /// `NAME=value` each; nothing else of the builder's environment is seen.
    pub env: Vec<String>,
    /// Working directory, made when missing; empty is `/`.
    pub cwd: String,
    /// `user`, `uid`, `user:group`; names are those of the root's own files. Empty is root.
    pub user: String,
    /// What is reached over the network.
    pub network: Network,
    /// What the process may do.
    pub security: Security,
    /// Host name.
    pub hostname: String,
    /// Further `(name, address)` lines of `/etc/hosts`.
    pub extra_hosts: Vec<(String, String)>,
    /// Size of `/dev/shm` in bytes.
    pub shm_size: u64,
    /// Resource limits.
    pub ulimits: Vec<Ulimit>,
    /// The list of processes of a control group that the step is to be in.
    pub cgroup: Option<OwnedFd>,
    /// How many processes it may have at once, where the kernel can count them by step (Linux 6.14).
    pub max_processes: u32,
    /// Forbids writing to the root itself.
    pub readonly_root: bool,
}

/// More than any build has been seen to use, and too few to drown a machine in.
pub(super) const MAX_PROCESSES: u32 = 16_384;

impl Step {
    /// A step with the defaults of a Dockerfile's `RUN`: root user, sandboxed, 64 MiB of shared memory; on the machine's
    /// network, without rights over it.
    #[must_use]
    pub fn new(root: OwnedFd, args: Vec<String>) -> Self {
        Self {
            root,
            mounts: Vec::new(),
            args,
            env: Vec::new(),
            cwd: String::new(),
            user: String::new(),
            network: Network::Guarded,
            security: Security::Sandbox,
            hostname: DEFAULT_HOSTNAME.to_owned(),
            extra_hosts: Vec::new(),
            shm_size: 64 << 20,
            ulimits: Vec::new(),
            cgroup: None,
            max_processes: MAX_PROCESSES,
            readonly_root: false,
        }
    }
}

/// Something mounted over the root.
#[derive(Debug)]
pub struct Mount {
    /// Path inside the root; made when missing, and then removed again after the step.
    pub target: String,
    /// What is seen there.
    pub kind: MountKind,
}

/// What a mount shows.
#[derive(Debug)]
pub enum MountKind {
    /// A file, directory or socket from elsewhere.
    Bind {
        /// Where from.
        source: BindSource,
        /// Path below the source, resolved inside it; empty is the source itself.
        subpath: String,
        /// Forbids writing.
        readonly: bool,
    },
    /// An empty file system in memory.
    Tmpfs {
        /// Bytes it may hold; `None` is half of the memory, the kernel's default.
        size: Option<u64>,
    },
    /// A read-only file in memory that is never in a layer: a secret.
    File {
        /// Content.
        contents: Vec<u8>,
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

/// Where a bind mount comes from.
#[derive(Debug)]
pub enum BindSource {
    /// A path of the host.
    Path(PathBuf),
    /// A detached mount, or any directory or file that is open.
    Fd(OwnedFd),
}

/// Network of a step.
#[derive(Debug, Clone)]
pub enum Network {
    /// The machine's, as the builder has it.
    Host,
    /// The machine's, without raw packets, and without its abstract sockets where the kernel can tell them apart (Linux
    /// 6.12).
    Guarded,
    /// A namespace that steps share, with connections outwards only.
    Outward(Arc<Outward>),
    /// A loopback interface and nothing else.
    None,
}

/// Rights of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Docker's default capabilities, masked kernel files, read-only `/sys`.
    Sandbox,
    /// Everything the builder itself may do.
    Insecure,
}

/// A resource limit (`--ulimit`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ulimit {
    /// As `setrlimit(2)` names it, in lower case without prefix: `nofile`.
    pub name: String,
    /// The limit in force.
    pub soft: u64,
    /// How far it can be raised.
    pub hard: u64,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this status.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// It was killed through its [`super::Cancel`].
    Cancelled,
}

impl Exit {
    /// The status a shell would show: 128 and the number for a signal.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
            Self::Cancelled => 128 + libc::SIGKILL,
        }
    }
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// How it ended.
    pub exit: Exit,
    /// Something it asked for that takes more than one real uid, and so was not answered truly.
    pub unreal: Option<Unreal>,
}

/// Which of a step's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}
