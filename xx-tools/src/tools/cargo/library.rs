//! Rust's standard library for the target: found, or brought by rustup or the distribution.

use std::path::Path;

use crate::distro::Family;
use crate::host::Host;
use crate::plan::{CommandPlan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::family;

/// Plans installing the standard library when the toolchain lacks it. `toolchain` is rustup's `+NAME`.
///
/// # Errors
/// When rustc is missing, or nothing can bring the library.
pub(super) fn plan(
    host: &dyn Host,
    target: &Target,
    rust: &str,
    toolchain: Option<&str>,
) -> Result<Option<Step>, Failure> {
    let rustc = host.program("rustc").ok_or_else(|| {
        let family = family(host);
        let package = if family == Family::Debian { "rustc" } else { "rust" };
        let hint = format!("install Rust with rustup, or {}", family.install(package));
        Failure::new("rustc: not found").hint(hint).code(127)
    })?;
    let plus = toolchain.map(|name| format!("+{name}"));
    let question: Vec<&str> = plus.as_deref().into_iter().chain(["--print", "sysroot"]).collect();
    let sysroot = host.ask(&rustc, &question).unwrap_or_default();
    let sysroot = sysroot.trim();
    let own = Path::new(sysroot).join("lib/rustlib").join(rust).join("lib");
    if host.is_dir(&own) {
        host.why(format_args!("standard library: {} is there", own.display()));
        return Ok(None);
    }
    if let Some(root) = in_sysroot(host, target, rust) {
        host.why(format_args!("standard library: below {root}, in XX_SYSROOT"));
        return Ok(None);
    }
    host.why(format_args!("standard library: {} is missing", own.display()));
    if let Some(rustup) = host.program("rustup") {
        let toolchain = toolchain.into_iter().flat_map(|name| ["--toolchain", name]);
        let words = ["target", "add"].into_iter().chain(toolchain).chain([rust]);
        return Ok(Some(Step::RunQuietly(CommandPlan::new(rustup).args(words))));
    }
    let install = match target.distro.family {
        Family::Alpine => tool(host, "xx-apk").args(["add", "rust-stdlib"]),
        Family::Debian => tool(host, "xx-apt-get").args(["install", "-y", &debian_package(host, sysroot)]),
        Family::Rhel | Family::Other => {
            return Err(Failure::new(format!("the Rust toolchain has no standard library for {rust}"))
                .hint("install Rust with rustup, which can add it"));
        }
    };
    // The packages are the distribution's, whatever vendor the triple is to have.
    Ok(Some(Step::RunQuietly(install.unset("XX_VENDOR"))))
}

/// Another tool of this program: by its word, or by its name where this process runs from a copy under its own.
fn tool(host: &dyn Host, name: &str) -> CommandPlan {
    match host.own_program().filter(|own| own.ends_with("xx")) {
        Some(own) => CommandPlan::new(own).args([name]),
        None => CommandPlan::new(name),
    }
}

/// The package for the rustc that is called: Debian and Ubuntu have several versions side by side (`rustc-1.80`,
/// below `/usr/lib/rust-1.80`), and Debian a newer one for browsers (`rustc-web`).
fn debian_package(host: &dyn Host, sysroot: &str) -> String {
    let version = sysroot.rsplit('/').next().and_then(|dir| dir.strip_prefix("rust-"));
    match version {
        Some(version) => format!("libstd-rust-{version}-dev"),
        None if host.is_file(Path::new("/var/lib/dpkg/info/rustc-web.list")) => {
            "libstd-rust-web-dev".to_owned()
        }
        None => "libstd-rust-dev".to_owned(),
    }
}

/// Rust's own sysroot in the user's: Debian's `libstd-rust-dev` of the target, unpacked there. It is of the same
/// version as the compiler when both are from the same release.
pub(super) fn in_sysroot(host: &dyn Host, target: &Target, rust: &str) -> Option<String> {
    let root = format!("{}/usr", target.sysroot);
    let is_there = !target.sysroot.is_empty()
        && host.is_dir(&Path::new(&root).join("lib/rustlib").join(rust).join("lib"));
    is_there.then_some(root)
}
