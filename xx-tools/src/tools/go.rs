//! `xx-go`: go for the target, with a C compiler for cgo.
//!
//! A target that Go does not know is an error; nothing is ever built for the build machine instead.

use std::path::{Path, PathBuf};

use platform_db::{Os, Platform};

use crate::env::Env;
use crate::host::Host;
use crate::plan::{CommandPlan, Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::layout::Layout;
use crate::toolchain::setup::Setup;

/// Plans a go call, or wrapping go so that plain `go` builds for the target.
///
/// # Errors
/// When Go does not build for the target, or go is missing.
pub fn plan(env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    let go = host.program("go").ok_or_else(|| {
        Failure::new("go: not found").hint("install the package `golang` (Debian) or `go` (Alpine)").code(127)
    })?;
    if env.args.first().is_some_and(|arg| arg == "--unwrap") {
        return Ok(unwrap(host, &go));
    }
    let target = Target::read(&env, host);
    let platform = target.known()?.clone();
    let mut vars = go_variables(&env, &platform)?;
    let mut steps = Vec::new();
    let given = env.is_set("XX_GO_PREFER_C_COMPILER");
    let choice = env.var(if given { "XX_GO_PREFER_C_COMPILER" } else { "XX_CC_PREFER_COMPILER" }).to_owned();
    let triple = target.names.as_ref().map(|names| names.triple.clone());
    if env.var("CGO_ENABLED") != "0"
        && let Some(triple) = &triple
    {
        vars.extend(c_compiler(&env, host, &target, &choice, triple, &mut steps)?);
    }
    let wrap = env.args.first().is_some_and(|arg| arg == "--wrap");
    // The prefixed tools may only just have been made by the steps above.
    steps.push(Step::Next(Box::new(move |host: &dyn Host| {
        let clang = matches!(choice.as_str(), "" | "clang");
        if let Some(triple) = triple.filter(|_| clang && env.var("CGO_ENABLED") != "0") {
            vars.extend(prefixed_tools(&env, host, &triple));
        }
        let step = if wrap {
            wrapping(host, &go, &vars)
        } else {
            vec![Step::Exec(command(&env, go, &vars, &target.sysroot))]
        };
        Ok(Plan::new(step))
    })));
    Ok(Plan::new(steps))
}

type Vars = Vec<(&'static str, String)>;

fn go_variables(env: &Env, platform: &Platform) -> Result<Vars, Failure> {
    // Go has no nameless preview of WASI.
    let os = if platform.os_id() == Os::Wasi { "wasip1" } else { platform.os() };
    let known = platform.is_go() || platform.os_id() == Os::Wasi;
    if !known {
        return Err(Failure::new(format!("go does not build for {platform}"))
            .hint("`go tool dist list` prints what it does"));
    }
    let mut vars = vec![("GOOS", os.to_owned()), ("GOARCH", platform.arch().to_owned())];
    vars.extend(
        platform
            .go_level()
            .filter(|(name, _)| !env.is_set(name))
            .map(|(name, value)| (name, value.to_owned())),
    );
    Ok(vars)
}

/// CC and CXX, unless the user set them; set-up of clang is added to the steps.
fn c_compiler(
    env: &Env,
    host: &dyn Host,
    target: &Target,
    choice: &str,
    triple: &str,
    steps: &mut Vec<Step>,
) -> Result<Vars, Failure> {
    let mut vars = Vec::new();
    let gcc = [("CC", format!("{triple}-gcc")), ("CXX", format!("{triple}-g++"))];
    vars.extend(gcc.into_iter().filter(|(_, program)| host.program(program).is_some()));
    match choice {
        "" | "clang" => {
            let setup = Setup::new(env, host, target, triple, "clang");
            if setup.is_possible(host) {
                let layout = setup.layout.clone();
                steps.extend(setup.plan(host)?);
                vars =
                    vec![("CC", layout.command(triple, "clang")), ("CXX", layout.command(triple, "clang++"))];
            }
        }
        "zig" => {
            let zig = target.platform.as_ref().and_then(|platform| platform.zig(target.libc_id()));
            if let Some(zig) = zig.filter(|_| host.program("zig").is_some()) {
                vars =
                    vec![("CC", format!("zig cc -target {zig}")), ("CXX", format!("zig c++ -target {zig}"))];
            }
        }
        _ => {}
    }
    Ok(vars.into_iter().filter(|(name, _)| !env.is_set(name)).collect())
}

fn prefixed_tools(env: &Env, host: &dyn Host, triple: &str) -> Vars {
    let layout = Layout::of(env, host, triple);
    let tools = [("AR", "ar"), ("PKG_CONFIG", "pkg-config")];
    let found =
        tools.into_iter().filter_map(|(name, tool)| Some((name, layout.found_command(host, triple, tool)?)));
    found.filter(|(name, _)| !env.is_set(name)).collect()
}

/// The compilers read the user's sysroot from the environment, in folders of their own choice: its path is absolute.
fn command(env: &Env, go: PathBuf, vars: &Vars, sysroot: &str) -> CommandPlan {
    let mut command = CommandPlan::new(go).args(env.args.clone());
    if !sysroot.is_empty() {
        command = command.set("XX_SYSROOT", sysroot);
    }
    for (name, value) in vars {
        command = command.set(name, value);
    }
    let find = |wanted: &str| vars.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str());
    let (gopath, path) = (env.var("GOPATH"), env.var("PATH"));
    if let (Some(os), Some(arch)) = (find("GOOS"), find("GOARCH"))
        && !env.is_set("GOBIN")
        && !gopath.is_empty()
    {
        command = command.set("PATH", format!("{gopath}/bin/{os}_{arch}:{path}"));
    }
    command
}

/// The file that `go env -w` writes; values of the user in it stay.
fn goenv(host: &dyn Host, go: &Path) -> Option<PathBuf> {
    let file = host.ask(go, &["env", "GOENV"])?;
    let file = file.trim();
    (!file.is_empty() && file != "off").then(|| PathBuf::from(file))
}

/// Variables that wrapping sets and unwrapping takes away.
const WRAPPED: &[&str] = &[
    "AR",
    "CC",
    "CXX",
    "GO386",
    "GOAMD64",
    "GOARCH",
    "GOARM",
    "GOARM64",
    "GOMIPS",
    "GOMIPS64",
    "GOOS",
    "GOPPC64",
    "GORISCV64",
    "PKG_CONFIG",
];

fn users_lines(host: &dyn Host, file: &Path) -> String {
    let text = host.read(file).unwrap_or_default();
    let is_ours = |line: &str| line.split_once('=').is_some_and(|(name, _)| WRAPPED.contains(&name));
    text.lines().filter(|line| !is_ours(line)).map(|line| format!("{line}\n")).collect()
}

fn wrapping(host: &dyn Host, go: &Path, vars: &Vars) -> Vec<Step> {
    let Some(path) = goenv(host, go) else { return Vec::new() };
    let ours: String = vars.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    vec![Step::Write { text: users_lines(host, &path) + &ours, path, mode: 0o644 }]
}

fn unwrap(host: &dyn Host, go: &Path) -> Plan {
    let Some(path) = goenv(host, go).filter(|path| host.is_file(path)) else { return Plan::default() };
    let text = users_lines(host, &path);
    let step = if text.is_empty() { Step::Remove(path) } else { Step::Write { path, text, mode: 0o644 } };
    Plan::new(vec![step])
}
