//! The helper tools behind the multicall binary `xx`: from the process to a plan, and from the plan to effects.
//!
//! `env` and `host` are what comes in, `target` is what is being built for, each of `tools` makes a `plan`, `run`
//! carries it out and `report` prints why it could not.

pub mod dispatch;
pub mod distro;
pub mod env;
pub mod host;
pub mod machine;
pub mod plan;
pub mod report;
pub mod run;
pub mod target;
pub mod toolchain;
pub mod tools;
