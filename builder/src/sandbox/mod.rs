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
//! This is the one folder of the workspace that bears `unsafe`; each block says why it is sound.

mod error;
mod mountapi;
pub mod overlay;
mod passwd;
pub mod userns;

pub use error::SandboxError;
