//! `xx-cc`, `xx-c++`, `xx-clang`, `xx-clang++`: clang with the target's configuration.
//!
//! Called as plain `clang` or `clang++` (set-up makes these links), it passes calls without a target through, until
//! `xx-clang --wrap` makes the target the default.

mod files;
mod other;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::env::Env;
use crate::host::Host;
use crate::plan::{CommandPlan, Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::layout::Layout;
use crate::toolchain::programs::{REWRITERS, llvm_program};
use crate::toolchain::setup::Setup;
use crate::toolchain::{self, Commands, clang, variant_flags};
use crate::tools::info::macos_sdk;

/// Present while `--wrap` is in force.
const WRAPPED: &str = "/.xx-cc-autowrap";

/// What the arguments ask of this program; all others are clang's.
#[derive(Default)]
pub(crate) struct Request {
    cmake_toolchain: bool,
    meson_cross: bool,
    own_config: bool,
    print_triple: bool,
    setup: bool,
    print_cmake: bool,
    print_sysroot: bool,
    wrap: Option<bool>,
    target: Option<String>,
}

/// Plans a compiler call, a set-up or an answer.
///
/// # Errors
/// When the target is not supported, or clang or a linker is missing.
pub fn plan(env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    let compiler = compiler(&env.name);
    let request = Request::read(&env.args);
    if request.own_config {
        return exec(&env, host, compiler, None, Vec::new());
    }
    if let Some(wrap) = request.wrap.filter(|_| env.name.starts_with("xx-")) {
        let path = PathBuf::from(WRAPPED);
        let step =
            if wrap { Step::Write { path, text: String::new(), mode: 0o644 } } else { Step::Remove(path) };
        return Ok(Plan::new(vec![step]));
    }
    if env.args.iter().any(|arg| arg == "--download-prog=ld") {
        return Err(Failure::new("xx-clang does not download linkers")
            .hint(format!("{}, or binutils of the target", toolchain::family(host).install("lld"))));
    }
    let wrapped = env.name.starts_with("xx-") || host.is_there(Path::new(WRAPPED));
    let target = Target::read(&env, host);
    target.has_sysroot(host)?;
    let other = match wrapped {
        true => toolchain::commands(&env, host, &target, toolchain::preferred(&env, host)?)?,
        false => None,
    };
    if let Some(commands) = &other {
        if request.cmake_toolchain || request.meson_cross {
            return build_file(&env, &request, &target, host, commands);
        }
        return other::plan(&env, &request, &target, host, commands);
    }
    let triple = match &request.target {
        Some(target) => target.clone(),
        None if wrapped => target.c_triple()?.to_owned(),
        None => String::new(),
    };
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-._".contains(char);
    if triple.starts_with('-') || !triple.chars().all(is_plain) {
        return Err(Failure::new(format!("`{triple}` is no target triple"))
            .hint("name one as in `--target=aarch64-linux-gnu`; `xx-info triple` prints the target's"));
    }
    let setup = Setup::new(&env, host, &target, &triple, compiler);
    let wants_file = request.cmake_toolchain || request.meson_cross;
    let asks = request.setup || request.print_cmake || request.print_sysroot || wants_file;
    let mut steps = Vec::new();
    if wrapped || asks || (request.print_triple && !triple.is_empty()) {
        steps = setup.clone().plan(host)?;
    }
    if !triple.is_empty() && request.print_triple {
        steps.push(Step::Print(format!("{triple}\n")));
    } else if request.print_cmake {
        steps.push(Step::Next(Box::new(move |host| Ok(Plan::line(cmake_defines(&setup, host))))));
    } else if wants_file {
        let command = |name: &str| vec![setup.layout.command(&triple, name)];
        let commands = Commands { c: command("clang"), cxx: command("clang++") };
        steps.push(Step::Next(Box::new(move |host| build_file(&env, &request, &target, host, &commands))));
    } else if request.print_sysroot {
        steps.push(Step::Print(format!("{}\n", sysroot(&target, host, &triple))));
    } else if !request.setup {
        let cfg =
            if triple.is_empty() { setup.layout.default_cfg.clone() } else { setup.layout.cfg(&triple) };
        let flags = target_flags(&env, &target, &triple);
        let stage = move |host: &dyn Host| {
            let cfg = host.is_file(&cfg).then_some(cfg);
            exec(&env, host, compiler, cfg.as_deref(), flags)
        };
        if steps.is_empty() {
            return stage(host);
        }
        steps.push(Step::Next(Box::new(stage)));
    }
    Ok(Plan::new(steps))
}

/// Plans a call by the target's prefix: `aarch64-linux-gnu-clang`. A set-up that is gone is made again: without it clang
/// would build for the build machine.
///
/// # Errors
/// When clang is missing, or a linker where set-up is needed.
pub fn plan_prefixed(
    env: &Env,
    host: &dyn Host,
    triple: &str,
    compiler: &'static str,
) -> Result<Plan, Failure> {
    let target = Target::read(env, host);
    let cfg = Layout::of(env, host, triple).cfg(triple);
    let flags = target_flags(env, &target, triple);
    if host.is_file(&cfg) {
        return exec(env, host, compiler, Some(&cfg), flags);
    }
    let steps = Setup::new(env, host, &target, triple, compiler).plan(host)?;
    let env = env.clone();
    let stage = move |host: &dyn Host| exec(&env, host, compiler, Some(&cfg), flags);
    Ok(Plan::new(steps).then(Step::Next(Box::new(stage))))
}

fn compiler(name: &str) -> &'static str {
    if name.ends_with("++") { "clang++" } else { "clang" }
}

impl Request {
    fn read(args: &[OsString]) -> Self {
        let mut request = Self::default();
        let mut args = args.iter().filter_map(|arg| arg.to_str());
        while let Some(arg) = args.next() {
            match arg {
                "--config" => request.own_config = true,
                "--print-target-triple" | "-print-target-triple" => request.print_triple = true,
                "--setup-target-triple" | "-setup-target-triple" => request.setup = true,
                "--print-cmake-defines" | "-print-cmake-defines" => request.print_cmake = true,
                "--print-sysroot" | "-print-sysroot" => request.print_sysroot = true,
                "--print-cmake-toolchain" => request.cmake_toolchain = true,
                "--print-meson-cross" => request.meson_cross = true,
                "--wrap" => request.wrap = Some(true),
                "--unwrap" => request.wrap = Some(false),
                "-target" => request.target = args.next().map(str::to_owned).or(request.target),
                _ if arg.starts_with("--config=") => request.own_config = true,
                _ => {
                    if let Some(target) = arg.strip_prefix("--target=") {
                        request.target = Some(target.to_owned());
                    }
                }
            }
        }
        request.target = request.target.filter(|target| !target.is_empty());
        request
    }
}

fn exec(
    env: &Env,
    host: &dyn Host,
    compiler: &str,
    cfg: Option<&Path>,
    flags: Vec<String>,
) -> Result<Plan, Failure> {
    let program = clang::find(host, compiler)?;
    host.why(format_args!("compiler: {}, the first that is no link to this program", program.display()));
    let mut command = CommandPlan::new(program);
    if let Some(cfg) = cfg {
        command = command.args(["--config".as_ref(), cfg.as_os_str()]);
    }
    Ok(Plan::new(vec![Step::Exec(command.args(flags).args(env.args.clone()))]))
}

/// What the environment says of the target, for calls that are for that target: the variant's flags, before the
/// user's own, which win, and the user's folder with headers and libraries.
fn target_flags(env: &Env, target: &Target, triple: &str) -> Vec<String> {
    if target.triple() != Some(triple) {
        return Vec::new();
    }
    let sysroot = Some(&target.sysroot).filter(|root| !root.is_empty());
    let sysroot = sysroot.map(|root| format!("--sysroot={root}"));
    sysroot.into_iter().chain(variant_flags(env, target)).collect()
}

fn build_file(
    env: &Env,
    request: &Request,
    target: &Target,
    host: &dyn Host,
    commands: &Commands,
) -> Result<Plan, Failure> {
    let triple = target.c_triple()?;
    let layout = Layout::of(env, host, triple);
    let text = if request.cmake_toolchain {
        cmake_toolchain(target, host, &layout, commands)?
    } else {
        files::meson(target, host, &layout, commands, &sysroot(target, host, triple))?
    };
    Ok(Plan::new(vec![Step::Print(text)]))
}

/// Text of a CMake toolchain file.
///
/// # Errors
/// When the target is not supported.
pub(crate) fn cmake_toolchain(
    target: &Target,
    host: &dyn Host,
    layout: &Layout,
    commands: &Commands,
) -> Result<String, Failure> {
    let sysroot = sysroot(target, host, target.c_triple()?);
    files::cmake(target, host, layout, commands, &sysroot)
}

fn sysroot(target: &Target, host: &dyn Host, triple: &str) -> String {
    if !target.sysroot.is_empty() {
        return target.sysroot.clone();
    }
    if !target.is_cross(host) {
        return "/".to_owned();
    }
    if target.os == "darwin" {
        return macos_sdk(host);
    }
    toolchain::package_root(host, triple).map_or_else(|| "/".to_owned(), |root| root + "/")
}

fn cmake_defines(setup: &Setup, host: &dyn Host) -> String {
    let triple = &setup.triple;
    let prefixed = host.program(&format!("{triple}-pkg-config"));
    let pkg_config = prefixed.or_else(|| host.program("pkg-config")).unwrap_or_else(|| "pkg-config".into());
    let mut text =
        "-DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_ASM_COMPILER=clang".to_owned();
    text.push_str(&format!(" -DPKG_CONFIG_EXECUTABLE={}", pkg_config.display()));
    for language in ["C", "CXX", "ASM"] {
        text.push_str(&format!(" -DCMAKE_{language}_COMPILER_TARGET={triple}"));
    }
    // CMake looks for LLVM's, and then takes the build machine's own, which leave foreign programs as they are.
    for name in REWRITERS.iter().filter(|name| llvm_program(host, name).is_none()) {
        if let Some(path) = host.program(&format!("{triple}-{name}")) {
            text.push_str(&format!(" -DCMAKE_{}={}", name.to_uppercase(), path.display()));
        }
    }
    text
}
