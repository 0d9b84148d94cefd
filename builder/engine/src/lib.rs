//! Solves LLB definitions: the part of a build that takes time.
//!
//! The engine here is embedded: it drives the step machine of [`xx_build_solve`], keeps results in the
//! [`Store`] and runs steps in the [`sandbox`](xx_build_sandbox). What it needs from outside comes in one
//! [`Request`]; what happens goes out through [`Observer`]. An engine that sends the same definitions to
//! a BuildKit cluster fits behind the same two values.

#![forbid(unsafe_code)]

mod agent;
mod cache_mount;
mod chown;
mod copy;
mod digest;
mod driver;
mod exec;
mod file_op;
mod hide;
mod job;
mod keys;
mod mounts;
mod output;
mod select;
mod source;
mod stack;
mod wait;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use platform_db::Platform;
use thiserror::Error;

use xx_build_fetch::{FetchError, GitError, HttpError};
use xx_build_frontend::llb::pb;
use xx_build_frontend::oci::image::Image;
use xx_build_rootfs::{BadMode, RootError};
use xx_build_sandbox::{Cancel, SandboxError};
use xx_build_solve::{GraphError, Place};
use xx_build_store::{LayerId, Store, StoreError};

pub use agent::is_socket;
pub use driver::solve;
pub use exec::{SshSource, StepOptions, limits};
pub use keys::Keys;
pub use source::Answers;

/// What a build needs besides its definitions.
#[derive(Debug, Default)]
pub struct Request {
    /// One definition per wanted result, in the order of the results.
    pub definitions: Vec<pb::Definition>,
    /// Directories by the name that `local://NAME` gives them.
    pub locals: BTreeMap<String, PathBuf>,
    /// OCI layout directories by the name that the `oci.store` attribute gives them.
    pub layouts: BTreeMap<String, PathBuf>,
    /// Secrets by id.
    pub secrets: BTreeMap<String, Vec<u8>>,
    /// How steps run.
    pub steps: StepOptions,
    /// What servers have said so far.
    pub answers: Answers,
    /// When the build began, in nanoseconds since 1970.
    pub now: i64,
    /// How many steps may run at once.
    pub parallelism: usize,
    /// The platform of this machine, whose steps are begun before those of others.
    pub machine: Option<Platform>,
    /// How many threads read and copy the files of one step: the processors there are.
    pub threads: usize,
}

impl Request {
    /// Whether this machine runs programs for `platform` as they are.
    fn is_native(&self, platform: &pb::Platform) -> bool {
        let same =
            |machine: &Platform| machine.os() == platform.os && machine.arch() == platform.architecture;
        self.machine.as_ref().is_none_or(same)
    }
}

/// The result of a build for one platform, as exporters take it.
#[derive(Debug, Clone)]
pub struct PlatformResult {
    /// The platform.
    pub platform: Platform,
    /// Its topmost layer; `None` is the empty file system.
    pub layer: Option<LayerId>,
    /// Its configuration, without layers and times.
    pub image: Image,
}

/// Where a layer came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Name of the step.
    pub step: String,
    /// The instruction.
    pub place: Option<Place>,
    /// Whether it belongs to a base image, which no instruction of this build placed.
    pub is_base: bool,
}

/// What came of a build.
#[derive(Debug)]
pub struct Solved {
    /// The topmost layer of each definition's result; `None` is the empty file system.
    pub results: Vec<Option<LayerId>>,
    /// Where the topmost layer of each step came from.
    pub origins: HashMap<LayerId, Origin>,
    /// How many steps ran, and how many came from the cache. Reading a directory in place is no step.
    pub executed: usize,
    /// See `executed`.
    pub cached: usize,
}

/// Which of a step's two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Something that happened to a step. Steps are numbered from 1 in the order in which they begin.
#[derive(Debug)]
pub enum Event<'a> {
    /// It begins.
    Started {
        /// Its name.
        name: &'a str,
    },
    /// Its result was in the cache.
    Cached {
        /// Its name.
        name: &'a str,
    },
    /// It printed something.
    Output {
        /// Where to.
        stream: Stream,
        /// What.
        bytes: &'a [u8],
    },
    /// It is done.
    Finished {
        /// After this time.
        after: Duration,
    },
    /// It was stopped, because another step failed or somebody ended the build.
    Canceled,
    /// It failed; the error of the build comes from [`solve`].
    Failed {
        /// After this time.
        after: Duration,
        /// Why.
        error: &'a str,
    },
}

/// Is told what happens; called from several threads.
pub trait Observer: Sync {
    /// Takes an event of step `number`.
    fn event(&self, number: usize, event: Event<'_>);
}

/// Why a build failed.
#[derive(Debug, Error)]
pub enum EngineError {
    /// A definition is malformed.
    #[error("the build graph is not valid: {0}")]
    Graph(#[from] GraphError),
    /// A step ended with a failure.
    #[error("`{command}` {reason}")]
    Exit {
        /// What was run.
        command: String,
        /// How it ended, such as `exited with code 2`.
        reason: String,
        /// The exit code, or 128 and the number of the signal.
        code: i32,
        /// What the user can do about it, where more is known than the step said.
        hint: Option<String>,
    },
    /// A step could not be run.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A file operation did not work.
    #[error(transparent)]
    Files(#[from] RootError),
    /// What a COPY or ADD names is not there.
    #[error("`{path}` does not exist in {from}")]
    NotFound {
        /// The path as it was given.
        path: String,
        /// Where it was looked for.
        from: String,
        /// Whether an ignore file hides paths there.
        ignored: bool,
    },
    /// A link that a COPY or ADD names, or a wild card of it matches, leads to nothing.
    #[error("the link `{path}` leads to nothing in {from}")]
    Dangling {
        /// The link.
        path: String,
        /// Where it was looked for.
        from: String,
        /// Whether an ignore file hides paths there.
        ignored: bool,
    },
    /// A wild card looks into something that is no directory.
    #[error("`{path}` is no directory in {from}")]
    NoDirectory {
        /// What it looks into.
        path: String,
        /// Where that is.
        from: String,
    },
    /// A pattern cannot be understood.
    #[error("malformed pattern `{pattern}`: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A `--chmod` that cannot be understood.
    #[error(transparent)]
    Mode(#[from] BadMode),
    /// An account file could not be read.
    #[error(transparent)]
    Accounts(RootError),
    /// A user or group has no entry in the account files.
    #[error("there is no {kind} named `{name}` in {file}")]
    NoAccount {
        /// `user` or `group`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The account file.
        file: &'static str,
    },
    /// An operation, or a part of one, that this engine does not know yet.
    #[error("{0} is not supported yet")]
    Unsupported(String),
    /// The request lacks what an operation names.
    #[error("no {kind} named `{name}` was given to this build")]
    Missing {
        /// Such as `secret`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// An operation asks for what has to be allowed.
    #[error("the step asks for `{entitlement}`, which this build does not allow")]
    NotAllowed {
        /// BuildKit's name of it.
        entitlement: &'static str,
    },
    /// A limit of memory or processors could not be set.
    #[error("cannot limit the step: {source}")]
    Limit {
        /// Why.
        source: std::io::Error,
    },
    /// The agent for keys from files did not start.
    #[error("`ssh-agent` with the keys of `--ssh`: {reason}")]
    Agent {
        /// What it, or `ssh-add`, said.
        reason: String,
    },
    /// Somebody has ended the build.
    #[error("the build was cancelled")]
    Cancelled,
    /// A base image could not be used.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A git repository could not be used.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A URL could not be used.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EngineError {
    /// Whether the step was stopped and is not itself at fault.
    fn is_cancelled(&self) -> bool {
        use std::error::Error;
        let mut sources = std::iter::successors(self.source(), |error| (*error).source());
        matches!(self, Self::Cancelled | Self::Http(HttpError::Cancelled { .. }))
            || sources.any(|error| {
                let error = error.downcast_ref::<std::io::Error>();
                error.is_some_and(|error| error.kind() == std::io::ErrorKind::Interrupted)
            })
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        if xx_build_store::is_disk_full(self) {
            return Some(FULL.to_owned());
        }
        match self {
            Self::NotFound { ignored: true, .. } => {
                Some("a pattern of the ignore file may hide it, or all there is in it; paths are relative to the context".to_owned())
            }
            Self::Dangling { ignored: true, .. } => {
                Some("a pattern of the ignore file may hide what it leads to; links that are named or matched are followed".to_owned())
            }
            Self::Dangling { .. } => {
                Some("links that are named or matched are followed; its directory as the source copies the link itself".to_owned())
            }
            Self::NoDirectory { .. } => {
                Some("what is in front of a `/` has to be a directory: without the rest the file itself is copied".to_owned())
            }
            Self::NotFound { .. } => Some("paths are relative to the context or the stage".to_owned()),
            Self::Missing { kind: "secret", name } => {
                Some(format!("pass it with `--secret id={name},src=FILE`"))
            }
            Self::Missing { kind: "ssh agent", name } => Some(format!("pass it with `--ssh {name}`")),
            Self::Accounts(_) => Some(
                "an earlier step or the base image broke the file; `--chown` with numbers needs none"
                    .to_owned(),
            ),
            Self::Agent { .. } => Some(
                "it takes the package openssh-client, and a key without a passphrase; any other one goes into an agent first: `ssh-add FILE`, then `--ssh default`"
                    .to_owned(),
            ),
            Self::NotAllowed { entitlement } => Some(format!("allow it with `--allow {entitlement}`")),
            Self::Sandbox(error) => error.hint().map(str::to_owned),
            Self::Exit { hint, .. } => hint.clone(),
            Self::Git(error) => Some(error.hint().to_owned()),
            Self::Http(error) => error.hint().map(str::to_owned),
            Self::Fetch(error) => error.hint().map(str::to_owned),
            Self::Files(error) => files_hint(error).map(str::to_owned),
            Self::NoAccount { kind, .. } => {
                Some(format!("create the {kind} in an earlier RUN, or give its number"))
            }
            Self::Graph(_) => Some("it comes from another program: `xx-build build --print=llb` shows one that is".to_owned()),
            Self::Unsupported(_) => Some("a BuildKit daemon may know it: the graph is its own".to_owned()),
            Self::Limit { .. } => Some("a smaller limit, or one that the machine has, such as a processor of its own".to_owned()),
            Self::Pattern { .. } => Some("`*`, `?`, `[a-z]` stand for others; `\\` in front takes them as they are".to_owned()),
            Self::Mode(_) => Some("write `--chmod=755` or `--chmod=u=rwX,go=rX`".to_owned()),
            Self::Missing { kind: "local directory", name } => {
                Some(format!("give it with `--local {name}=DIR` or `--build-context {name}=DIR`"))
            }
            Self::Missing { kind: "OCI layout", name } => {
                Some(format!("give it with `--oci-layout {name}=DIR` or `--build-context {name}=oci-layout://DIR`"))
            }
            Self::Missing { .. } | Self::Cancelled | Self::Store(_) => None,
        }
    }
}

/// What to do about a file that could not be read or written.
fn files_hint(error: &RootError) -> Option<&'static str> {
    use std::io::ErrorKind;
    if error.action == xx_build_rootfs::OVER_A_LINK {
        return Some(
            "a link in the destination is not followed there, even to a directory: copy to the path it leads to, or remove it first",
        );
    }
    if error.lacks_id() {
        return Some(xx_build_rootfs::MORE_IDS);
    }
    let kind = error.source.kind();
    if [ErrorKind::IsADirectory, ErrorKind::NotADirectory].contains(&kind) {
        Some(
            "a file lies where a directory is wanted, or the other way round: a trailing `/` in a destination makes it a directory",
        )
    } else if kind == ErrorKind::PermissionDenied {
        Some("its owner or mode keeps the builder out, which runs as the user who started it")
    } else {
        None
    }
}

const FULL: &str = "the disk is full: free some space, or keep the store elsewhere with `--store DIR`";

/// A step that failed, with its place.
#[derive(Debug)]
pub struct Failure {
    /// Name of the step; empty when the build failed as a whole.
    pub step: String,
    /// The instruction it comes from.
    pub place: Option<Place>,
    /// What went wrong.
    pub error: Box<EngineError>,
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self { step: String::new(), place: None, error: Box::new(error) }
    }
}

/// What every step has at hand.
#[derive(Clone, Copy)]
struct Context<'a> {
    store: &'a Store,
    request: &'a Request,
    observer: &'a dyn Observer,
    cancel: &'a Cancel,
    /// The number of the step; 0 between steps.
    number: usize,
}
