//! `xx-go`: go for the target, with a C compiler for cgo.
//!
//! A target that Go does not know is an error; nothing is ever built for the build machine instead.

use std::path::{Path, PathBuf};

use platform_db::{Os, Platform};

use crate::distro::Family;
use crate::env::Env;
use crate::host::Host;
use crate::plan::{CommandPlan, Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::layout::Layout;
use crate::toolchain::setup::Setup;
use crate::toolchain::{self, Compiler, gcc};

/// Plans a go call, or wrapping go so that plain `go` builds for the target.
///
/// # Errors
/// When Go does not build for the target, or go is missing.
pub fn plan(env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    let go = host.program("go").ok_or_else(|| {
        let family = toolchain::family(host);
        let package = match family {
            Family::Debian | Family::Rhel => "golang",
            Family::Alpine | Family::Other => "go",
        };
        Failure::new("go: not found").hint(family.install(package)).code(127)
    })?;
    if env.args.first().is_some_and(|arg| arg == "--unwrap") {
        return Ok(unwrap(host, &go));
    }
    let target = Target::read(&env, host);
    let platform = target.known()?.clone();
    let mut vars = go_variables(&env, &platform, target.level().as_ref().unwrap_or(&platform))?;
    let mut steps = Vec::new();
    let compiler = preferred(&env, host)?;
    let wrap = env.args.first().is_some_and(|arg| arg == "--wrap");
    // What is wrapped holds for calls to come, which may say otherwise.
    let without_c = env.var("CGO_ENABLED") == "0";
    let triple = target.triple().filter(|_| wrap || !without_c).map(str::to_owned);
    if let Some(triple) = &triple {
        if !without_c {
            target.has_sysroot(host)?;
        }
        vars.extend(c_compiler(&env, host, &target, compiler, triple, &mut steps)?);
    } else {
        host.why(format_args!("no C compiler: CGO_ENABLED=0, or no triple for the target"));
    }
    if wrap && goenv(host, &go).is_none() {
        return Err(Failure::new("xx-go --wrap: go has no file for its settings (GOENV=off)")
            .hint("set GOENV to a file, or call `xx-go` instead of `go`"));
    }
    // The prefixed tools may only just have been made by the steps above.
    steps.push(Step::Next(Box::new(move |host: &dyn Host| {
        match (triple, compiler) {
            (Some(triple), Compiler::Clang) => vars.extend(prefixed_tools(&env, host, &triple)),
            (Some(triple), Compiler::Gcc | Compiler::Zig) if target.is_cross(host) => {
                vars.extend(pkg_config(&env, host, &triple));
            }
            (Some(_), Compiler::Gcc | Compiler::Zig) | (None, _) => {}
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

fn go_variables(env: &Env, platform: &Platform, level: &Platform) -> Result<Vars, Failure> {
    // Go has no nameless preview of WASI.
    let os = if platform.os_id() == Os::Wasi { "wasip1" } else { platform.os() };
    let known = platform.is_go() || platform.os_id() == Os::Wasi;
    if !known {
        return Err(Failure::new(format!("go does not build for {platform}"))
            .hint("`go tool dist list` prints what it does"));
    }
    let mut vars = vec![("GOOS", os.to_owned()), ("GOARCH", platform.arch().to_owned())];
    vars.extend(
        level.go_level().filter(|(name, _)| !env.is_set(name)).map(|(name, value)| (name, value.to_owned())),
    );
    Ok(vars)
}

/// `XX_GO_PREFER_C_COMPILER`, else what the other tools prefer. Any word but clang and zig is the target's GCC, if
/// there is one, as in the original.
fn preferred(env: &Env, host: &dyn Host) -> Result<Compiler, Failure> {
    let word = match env.var("XX_GO_PREFER_C_COMPILER") {
        "" => return toolchain::preferred(env, host),
        word @ ("clang" | "zig") => word,
        _ => "gcc",
    };
    toolchain::preferred(&env.clone().with("XX_CC_PREFER_COMPILER", word), host)
}

/// CC and CXX, unless the user set them; set-up of clang is added to the steps.
fn c_compiler(
    env: &Env,
    host: &dyn Host,
    target: &Target,
    compiler: Compiler,
    triple: &str,
    steps: &mut Vec<Step>,
) -> Result<Vars, Failure> {
    let words = |words: Vec<String>| words.join(" ");
    let mut vars = Vars::new();
    if gcc::program(host, &format!("{triple}-gcc")).is_some() {
        let commands = gcc::commands(env, host, target)?;
        vars.push(("CC", words(commands.c)));
        let cxx = gcc::program(host, &format!("{triple}-g++"));
        vars.extend(cxx.map(|_| ("CXX", words(commands.cxx))));
    }
    match compiler {
        Compiler::Clang => {
            let setup = Setup::new(env, host, target, triple, "clang");
            if setup.is_possible(host) {
                let layout = setup.layout.clone();
                steps.extend(setup.plan(host)?);
                vars =
                    vec![("CC", layout.command(triple, "clang")), ("CXX", layout.command(triple, "clang++"))];
            } else {
                host.why(format_args!("CC: clang or a linker for {triple} is missing"));
            }
        }
        Compiler::Zig => match toolchain::commands(env, host, target, compiler) {
            Ok(Some(commands)) => vars = vec![("CC", words(commands.c)), ("CXX", words(commands.cxx))],
            Err(failure) if env.is_set("XX_GLIBC") => return Err(failure),
            Err(failure) => host.why(format_args!("CC: no zig: {}", failure.message)),
            Ok(None) => {}
        },
        Compiler::Gcc => {}
    }
    let (ours, users): (Vars, Vars) = vars.into_iter().partition(|(name, _)| !env.is_set(name));
    users.iter().for_each(|(name, _)| host.why(format_args!("{name}: left out, you set it")));
    ours.iter().for_each(|(name, value)| host.why(format_args!("{name}: {value}")));
    Ok(ours)
}

fn prefixed_tools(env: &Env, host: &dyn Host, triple: &str) -> Vars {
    let layout = Layout::of(env, host, triple);
    let tools = [("AR", "ar"), ("PKG_CONFIG", "pkg-config")];
    let found =
        tools.into_iter().filter_map(|(name, tool)| Some((name, layout.found_command(host, triple, tool)?)));
    found.filter(|(name, _)| !env.is_set(name)).collect()
}

/// pkg-config where no set-up has made one with the prefix: the build machine's would find its own libraries.
fn pkg_config(env: &Env, host: &dyn Host, triple: &str) -> Option<(&'static str, String)> {
    let program = Layout::of(env, host, triple).pkg_config(host, triple)?;
    (!env.is_set("PKG_CONFIG")).then(|| ("PKG_CONFIG", program.display().to_string()))
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
