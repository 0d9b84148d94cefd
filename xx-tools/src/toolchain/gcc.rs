//! GCC: each target has one of its own, called by its prefix; nothing is set up.

use std::path::PathBuf;

use crate::host::Host;
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::{Commands, is_own};

/// Returns a program that is no link of set-up to this one: `aarch64-linux-gnu-gcc` may be clang under that name.
#[must_use]
pub fn program(host: &dyn Host, name: &str) -> Option<PathBuf> {
    host.programs(name).into_iter().find(|path| !is_own(host, path))
}

/// Returns the commands that compile for the target.
///
/// # Errors
/// When no GCC for the target is installed; the hint names the package.
pub fn commands(host: &dyn Host, target: &Target) -> Result<Commands, Failure> {
    let triple = &target.supported()?.triple;
    let (c, cxx) = (format!("{triple}-gcc"), format!("{triple}-g++"));
    if program(host, &c).is_some() {
        host.why(format_args!("compiler: {c}, on PATH"));
        return Ok(Commands { c: vec![c], cxx: vec![cxx] });
    }
    if !target.is_cross(host) && host.program("gcc").is_some() {
        host.why(format_args!("compiler: gcc, the target is the build machine"));
        return Ok(Commands { c: vec!["gcc".to_owned()], cxx: vec!["g++".to_owned()] });
    }
    let package = triple.replace('_', "-");
    Err(Failure::new(format!("{c} not found"))
        .hint(format!("on Debian: `apt-get install gcc-{package} g++-{package}`"))
        .code(127))
}
