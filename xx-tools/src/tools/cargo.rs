//! `xx-cargo`: cargo for the target.
//!
//! `--target` goes to the subcommands that take it, before `--`. What build scripts of C dependencies look for is
//! set per target, and only where the user has not set it.

use std::path::Path;

use platform_db::{Libc, Platform};

use crate::distro::Family;
use crate::env::Env;
use crate::host::Host;
use crate::plan::{CommandPlan, Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::layout::Layout;
use crate::toolchain::setup::Setup;
use crate::tools::pkg_config;

/// Plans a cargo call, the set-up for one, or the answer to `--print-target-triple`.
///
/// # Errors
/// When Rust has no such target, or cargo, clang or a linker is missing.
pub fn plan(mut env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    let own = |env: &mut Env, flag: &str| {
        let before = env.args.len();
        let end = env.args.iter().position(|arg| arg == "--").unwrap_or(before);
        let mut at = 0;
        env.args.retain(|arg| {
            at += 1;
            at > end || arg != flag
        });
        env.args.len() < before
    };
    let setup_only = own(&mut env, "--setup-target-triple");
    let print = own(&mut env, "--print-target-triple");
    if host.program("cargo").is_none() {
        return Err(Failure::new("cargo: not found")
            .hint("install Rust with rustup, or the package `cargo`")
            .code(127));
    }
    let target = Target::read(&env, host);
    let c_triple = target.supported()?.triple.clone();
    let rust = rust_triple(&env, host, &target)?;
    let setup = Setup::new(&env, host, &target, &c_triple, "clang");
    let mut steps = setup.plan(host)?;
    steps.extend(standard_library(host, &target, &rust)?);
    if print {
        return Ok(Plan::new(steps).then(Step::Print(format!("{rust}\n"))));
    }
    if setup_only {
        return Ok(Plan::new(steps));
    }
    if host.program("cc").is_none() {
        let package = if target.distro.family == Family::Alpine { "gcc musl-dev" } else { "gcc libc6-dev" };
        steps.push(Step::Note(format!(
            "note: no C compiler `cc` for the build machine; build scripts and procedural macros need one: install {package}"
        )));
    }
    steps.push(Step::Next(Box::new(move |host: &dyn Host| {
        let mut command = CommandPlan::new("cargo").args(arguments(&env.args, &rust));
        if !target.sysroot.is_empty() {
            command = command.set("XX_SYSROOT", &target.sysroot);
        }
        for (name, value) in variables(&env, host, &target, &c_triple, &rust) {
            command = command.set(&name, value);
        }
        Ok(Plan::new(vec![Step::Exec(command)]))
    })));
    Ok(Plan::new(steps))
}

/// Rust's name of the target; Alpine's own Rust has its own vendor word.
fn rust_triple(env: &Env, host: &dyn Host, target: &Target) -> Result<String, Failure> {
    let platform = target.known()?;
    let alpine = target.distro.family == Family::Alpine && host.program("rustup").is_none();
    let named = match platform.alpine_gnu_words().filter(|_| alpine && target.libc == "musl") {
        Some(words) => Some(format!("{}-alpine-linux-musl{}", words.cpu, words.abi)),
        None => platform.rust(target.libc_id()).or_else(|| platform.rust(Libc::System)).map(str::to_owned),
    };
    let triple = named.ok_or_else(|| Failure::new(format!("rust has no target for {platform}")))?;
    let given = match (platform.arch(), platform.variant()) {
        ("arm", "v7" | "v8") => env.var("ARM_TARGET_ARCH"),
        ("riscv64", _) => env.var("RISCV64_TARGET_ARCH"),
        _ => "",
    };
    match triple.split_once('-').filter(|_| !given.is_empty()) {
        Some((_, rest)) => Ok(format!("{given}-{rest}")),
        None => Ok(triple),
    }
}

/// Installs the target's standard library when the toolchain lacks it.
fn standard_library(host: &dyn Host, target: &Target, rust: &str) -> Result<Vec<Step>, Failure> {
    let rustc = host.program("rustc").ok_or_else(|| Failure::new("rustc: not found").code(127))?;
    let sysroot = host.ask(&rustc, &["--print", "sysroot"]).unwrap_or_default();
    let own = Path::new(sysroot.trim()).join("lib/rustlib").join(rust).join("lib");
    if host.is_dir(&own) || library_in_sysroot(host, target, rust).is_some() {
        return Ok(Vec::new());
    }
    if let Some(rustup) = host.program("rustup") {
        return Ok(vec![Step::RunQuietly(CommandPlan::new(rustup).args(["target", "add", rust]))]);
    }
    let own = host.own_program().unwrap_or_else(|| "xx".into());
    let install = match target.distro.family {
        Family::Alpine => CommandPlan::new(own).args(["xx-apk", "add", "rust-stdlib"]),
        Family::Debian => CommandPlan::new(own).args(["xx-apt-get", "install", "-y", "libstd-rust-dev"]),
        Family::Rhel | Family::Other => {
            return Err(Failure::new(format!("the Rust toolchain has no standard library for {rust}"))
                .hint("install Rust with rustup, which can add it"));
        }
    };
    Ok(vec![Step::RunQuietly(install)])
}

/// Rust's own sysroot in the user's: Debian's `libstd-rust-dev` of the target, unpacked there. It is of the same
/// version as the compiler when both are from the same release.
fn library_in_sysroot(host: &dyn Host, target: &Target, rust: &str) -> Option<String> {
    let root = format!("{}/usr", target.sysroot);
    let is_there = !target.sysroot.is_empty()
        && host.is_dir(&Path::new(&root).join("lib/rustlib").join(rust).join("lib"));
    is_there.then_some(root)
}

/// Subcommands that do not take `--target`. Source: `cargo help COMMAND`.
const WITHOUT_TARGET: &[&str] = &[
    "add",
    "config",
    "fmt",
    "generate-lockfile",
    "help",
    "info",
    "init",
    "locate-project",
    "login",
    "logout",
    "metadata",
    "new",
    "owner",
    "pkgid",
    "read-manifest",
    "remove",
    "report",
    "rm",
    "search",
    "uninstall",
    "update",
    "vendor",
    "verify-project",
    "version",
    "yank",
];
/// Options before the subcommand that take the next word.
const GLOBAL_WITH_VALUE: &[&str] = &["-C", "-Z", "--color", "--config", "--explain"];

fn arguments(args: &[std::ffi::OsString], rust: &str) -> Vec<std::ffi::OsString> {
    let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    let (ours, rest) = args.split_at_checked(end).unwrap_or((args, &[]));
    let mut words = ours.iter().map(|arg| arg.to_string_lossy());
    let mut subcommand = None;
    while let Some(word) = words.next() {
        if GLOBAL_WITH_VALUE.contains(&word.as_ref()) {
            words.next();
        } else if !word.starts_with(['-', '+']) {
            subcommand = Some(word);
            break;
        }
    }
    let has_target =
        ours.iter().any(|arg| arg == "--target" || arg.to_string_lossy().starts_with("--target="));
    let takes_target = subcommand.is_some_and(|word| !WITHOUT_TARGET.contains(&word.as_ref()));
    let mut all = ours.to_vec();
    if takes_target && !has_target {
        all.push(format!("--target={rust}").into());
    }
    all.extend(rest.iter().cloned());
    all
}

fn variables(
    env: &Env,
    host: &dyn Host,
    target: &Target,
    c_triple: &str,
    rust: &str,
) -> Vec<(String, String)> {
    let lower = rust.replace(['-', '.'], "_");
    let upper = lower.to_uppercase();
    let layout = Layout::of(env, host, c_triple);
    let mut vars = vec![(format!("CARGO_TARGET_{upper}_LINKER"), layout.command(c_triple, "clang"))];
    let mut flags: Vec<&str> = env.var("XX_RUSTFLAGS").split_ascii_whitespace().collect();
    let cpu = target.platform.as_ref().and_then(Platform::rust_cpu).map(|cpu| format!("-Ctarget-cpu={cpu}"));
    flags.extend(cpu.as_deref());
    let library = library_in_sysroot(host, target, rust).map(|root| format!("--sysroot={root}"));
    flags.extend(library.as_deref());
    if !flags.is_empty() {
        vars.push((format!("CARGO_TARGET_{upper}_RUSTFLAGS"), flags.join(" ")));
    }
    vars.push((format!("CC_{lower}"), layout.command(c_triple, "clang")));
    vars.push((format!("CXX_{lower}"), layout.command(c_triple, "clang++")));
    for (name, tool) in [("AR", "ar"), ("RANLIB", "ranlib")] {
        let program = layout.found_command(host, c_triple, tool);
        vars.extend(program.map(|program| (format!("{name}_{lower}"), program)));
    }
    if target.is_cross(host) {
        vars.extend(cross_variables(env, host, target, c_triple, &lower, &upper));
    }
    vars.into_iter().filter(|(name, _)| !env.is_set(name)).collect()
}

fn cross_variables(
    env: &Env,
    host: &dyn Host,
    target: &Target,
    c_triple: &str,
    lower: &str,
    upper: &str,
) -> Vec<(String, String)> {
    let alpine = host.is_file(Path::new("/etc/alpine-release"));
    let sysroot = match target.sysroot.as_str() {
        "" if alpine => format!(" --sysroot=/{c_triple}/"),
        "" => String::new(),
        root => format!(" --sysroot={root}"),
    };
    let mut vars =
        vec![(format!("BINDGEN_EXTRA_CLANG_ARGS_{lower}"), format!("--target={c_triple}{sysroot}"))];
    if target.os == "linux" {
        let search = pkg_config::search(env, host, c_triple);
        vars.extend(search.into_iter().map(|(name, value)| (format!("{name}_{lower}"), value)));
        vars.push(("PKG_CONFIG_ALLOW_CROSS".to_owned(), "1".to_owned()));
        let program = Layout::of(env, host, c_triple).found_command(host, c_triple, "pkg-config");
        vars.extend(program.map(|program| (format!("PKG_CONFIG_{lower}"), program)));
        if let Some(runner) = runner(host, target) {
            vars.push((format!("CARGO_TARGET_{upper}_RUNNER"), runner));
            vars.extend(target.ld_prefix(host).map(|root| ("QEMU_LD_PREFIX".to_owned(), root)));
        }
    }
    vars
}

/// QEMU's user-mode program for the target, under either of its names.
fn runner(host: &dyn Host, target: &Target) -> Option<String> {
    let qemu = target.platform.as_ref()?.qemu()?;
    let names = [format!("qemu-{qemu}"), format!("qemu-{qemu}-static")];
    names.into_iter().find(|name| host.program(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::arguments;

    #[test]
    fn the_target_goes_where_it_is_taken() {
        let cases = [
            ("build --release", "build --release --target=T"),
            ("run -- a", "run --target=T -- a"),
            ("test --doc -- --nocapture", "test --doc --target=T -- --nocapture"),
            ("+nightly -Z x build", "+nightly -Z x build --target=T"),
            ("--version", "--version"),
            ("metadata", "metadata"),
            ("fmt -- --check", "fmt -- --check"),
            ("build --target=x", "build --target=x"),
            ("build --target x", "build --target x"),
            ("auditable build", "auditable build --target=T"),
            ("", ""),
        ];
        for (given, expected) in cases {
            let split =
                |text: &str| -> Vec<std::ffi::OsString> { text.split_whitespace().map(Into::into).collect() };
            assert_eq!(arguments(&split(given), "T"), split(expected), "{given}");
        }
    }
}
