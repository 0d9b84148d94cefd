//! Runs one build step inside its own namespaces, as root or as an ordinary user.
//!
//! The interface, in the order a build uses it:
//!
//! 1. [`userns::enter`] once, first thing in `main`, while the process has one thread. Afterwards the process
//!    has a mount namespace of its own (nothing it mounts outlives it) and, as an ordinary user, is uid 0 of a
//!    user namespace. The answer says which ids a step can have: [`userns::Mode`].
//! 2. [`overlay::mount_detached`] gives the root of a step as a file descriptor of a mount that is in no
//!    namespace. It serves `openat2` for file operations and vanishes with the descriptor.
//!
//! 3. [`run`] runs a [`Step`], plain data, on such a root. Its output arrives piece by piece; [`Cancel`] kills it
//!    from another thread. A root serves one run; afterwards its descriptor can still be read. Nothing of a step
//!    outlives it, nor the builder's death: the kernel kills the step's first process, and with it the others.
//!
//! An [`Uplink`] is the network that the steps of a build share.
//!
//! [`run_program`] starts a program of the machine itself, such as `git`, and [`Signals`] turns Ctrl-C into a [`Cancel`].
//!
//! This is the one folder of the workspace that bears `unsafe`; each block says why it is sound.

mod cancel;
mod caps;
mod cgroup;
mod child;
mod devices;
mod error;
mod etc;
mod foreign;
mod inside;
mod interpreter;
mod landlock;
mod machine;
mod masks;
mod mountapi;
mod network;
pub mod overlay;
mod passwd;
mod prepare;
mod program;
mod run;
mod runtime;
mod seccomp;
mod setup;
mod signals;
mod step;
mod supervisor;
pub mod userns;

pub use cancel::Cancel;
pub use cgroup::{Cgroups, Group, Limits, NoCgroups};
pub use error::SandboxError;
pub use etc::DEFAULT_HOSTNAME;
pub use machine::find_program;
pub use network::{DefaultNetwork, Outward, Uplink};
pub use passwd::UserError;
pub use program::{follow_program, run_program};
pub use run::run;
pub use runtime::{Runtime, run_with};
pub use seccomp::is_filtered;
pub use signals::Signals;
pub use step::{BindSource, Exit, Finished, Mount, MountKind, Network, Security, Step, Stream, Ulimit};
pub use supervisor::Unreal;
