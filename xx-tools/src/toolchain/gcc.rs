//! GCC: each target has one of its own, called by its prefix; nothing is set up.
//!
//! It reads no configuration, so what the target asks for stands in the command: the user's sysroot, flags of a variant.

use std::path::PathBuf;

use crate::distro::Family;
use crate::env::Env;
use crate::host::Host;
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::{Commands, family, is_own, variant_flags};

/// Returns a program that is no link of set-up to this one: `aarch64-linux-gnu-gcc` may be clang under that name.
#[must_use]
pub fn program(host: &dyn Host, name: &str) -> Option<PathBuf> {
    host.programs(name).into_iter().find(|path| !is_own(host, path))
}

/// Returns the commands that compile for the target.
///
/// # Errors
/// When no GCC for the target is installed; the hint names the package.
pub fn commands(env: &Env, host: &dyn Host, target: &Target) -> Result<Commands, Failure> {
    let triple = target.c_triple()?;
    let sysroot = Some(&target.sysroot).filter(|root| !root.is_empty());
    let flags: Vec<String> = sysroot
        .map(|root| format!("--sysroot={root}"))
        .into_iter()
        .chain(variant_flags(env, target))
        .collect();
    let command = |name: &str| [&[name.to_owned()], flags.as_slice()].concat();
    let (c, cxx) = (format!("{triple}-gcc"), format!("{triple}-g++"));
    if program(host, &c).is_some() {
        host.why(format_args!("compiler: {c}, on PATH"));
        return Ok(Commands { c: command(&c), cxx: command(&cxx) });
    }
    if !target.is_cross(host) && host.program("gcc").is_some() {
        host.why(format_args!("compiler: gcc, the target is the build machine"));
        return Ok(Commands { c: command("gcc"), cxx: command("g++") });
    }
    let package = triple.replace('_', "-");
    let family = family(host);
    let hint = match family {
        Family::Debian => family.install(&format!("gcc-{package} g++-{package}")),
        Family::Alpine | Family::Rhel | Family::Other => {
            format!(
                "put {c} on PATH, or leave XX_CC_PREFER_COMPILER empty for clang: {}",
                family.install("clang lld")
            )
        }
    };
    Err(Failure::new(format!("{c} not found")).hint(hint).code(127))
}
