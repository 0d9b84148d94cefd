//! One module per tool: from the process and the machine to a plan.

pub mod apk;
pub mod apt;
pub mod binutils;
pub mod cargo;
pub mod cc;
pub mod dnf;
pub mod doctor;
pub mod go;
pub(crate) mod help;
pub mod info;
mod mirrors;
pub mod pkg_config;
pub mod verify;
pub mod windres;
pub mod xcrun;

use crate::plan::{Plan, Step};

/// A call that installs nothing, in the original's words.
fn skipping(what: &str) -> Plan {
    Plan::new(vec![Step::Note(format!("skipping packages installation on {what}"))])
}
