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

use crate::distro::Family;
use crate::host::Host;
use crate::plan::{Plan, Step};
use crate::report::Failure;
use crate::toolchain::family;

/// A call that installs nothing, in the original's words.
fn skipping(what: &str) -> Plan {
    Plan::new(vec![Step::Note(format!("skipping packages installation on {what}"))])
}

/// The package manager that a tool is for is not there: the distribution has another, with a tool of its own.
fn no_manager(host: &dyn Host, program: &str) -> Failure {
    let family = family(host);
    let tool = match family {
        Family::Debian => "xx-apt-get",
        Family::Alpine => "xx-apk",
        Family::Rhel => "xx-dnf",
        Family::Other => "",
    };
    let hint = if tool.is_empty() || tool.starts_with(&format!("xx-{program}")) {
        family.install(program)
    } else {
        format!("xx-{program} is for another distribution than this: `{tool}`")
    };
    Failure::new(format!("{program}: not found")).hint(hint).code(127)
}
