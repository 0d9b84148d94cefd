//! `xx-cargo`: cargo for the target.
//!
//! `--target` goes to the subcommands that take it, before `--`. What build scripts of C dependencies look for is
//! set per target, and only where the user has not set it. The lock is held while something is set up, not while
//! cargo runs.

mod arguments;
mod library;
mod variables;

use std::path::Path;

use platform_db::Libc;

use crate::distro::Family;
use crate::env::Env;
use crate::host::Host;
use crate::plan::{CommandPlan, Lock, Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::layout::Layout;
use crate::toolchain::setup::Setup;
use crate::toolchain::{self, Commands, Compiler, family, has_start_files};
use crate::tools::cc;

use variables::Variables;

/// Plans a cargo call, the set-up for one, or the answer to `--print-target-triple`.
///
/// # Errors
/// When Rust has no such target, or cargo, the C compiler or a linker is missing.
pub fn plan(mut env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    let setup_only = arguments::take_flag(&mut env.args, "--setup-target-triple");
    let print = arguments::take_flag(&mut env.args, "--print-target-triple");
    if host.program("cargo").is_none() {
        return Err(Failure::new("cargo: not found")
            .hint(format!("install Rust with rustup, or {}", family(host).install("cargo")))
            .code(127));
    }
    let build = Build::new(env, host)?;
    let mut steps = build.locked_set_up(host)?;
    if print {
        return Ok(Plan::new(steps).then(Step::Print(format!("{}\n", build.rust))));
    }
    if setup_only {
        return Ok(Plan::new(steps));
    }
    if arguments::takes_target(&build.env.args) {
        steps.extend(host_compiler(&build.env, host, &build.target).map(Step::Note));
    }
    steps.push(Step::Next(Box::new(move |host: &dyn Host| build.exec(host))));
    Ok(Plan::new(steps))
}

/// What a call depends on.
#[derive(Clone)]
struct Build {
    env: Env,
    target: Target,
    layout: Layout,
    /// The C compiler's triple.
    c_triple: String,
    /// Rust's triple.
    rust: String,
    compiler: Compiler,
}

impl Build {
    fn new(env: Env, host: &dyn Host) -> Result<Self, Failure> {
        let target = Target::read(&env, host);
        let c_triple = target.c_triple()?.to_owned();
        target.has_sysroot(host)?;
        let rust = rust_triple(&env, host, &target)?;
        let compiler = toolchain::preferred(&env, host)?;
        let layout = Layout::of(&env, host, &c_triple);
        Ok(Self { env, target, layout, c_triple, rust, compiler })
    }

    /// Set-up that is needed, under the lock; planned again once it is held, as another call may have done it.
    fn locked_set_up(&self, host: &dyn Host) -> Result<Vec<Step>, Failure> {
        let steps = self.set_up(host)?;
        let lock = Lock { name: "xx-cargo", kept: false }.step(&self.env);
        let Some(lock) = lock.filter(|_| !steps.is_empty()) else { return Ok(steps) };
        let build = self.clone();
        let stage = move |host: &dyn Host| Ok(Plan::new(build.set_up(host)?));
        Ok(vec![lock, Step::Next(Box::new(stage))])
    }

    fn set_up(&self, host: &dyn Host) -> Result<Vec<Step>, Failure> {
        let mut steps = Vec::new();
        match self.compiler {
            Compiler::Clang => {
                steps.extend(Setup::new(&self.env, host, &self.target, &self.c_triple, "clang").plan(host)?);
                steps.extend(self.under_rusts_triple(host));
            }
            Compiler::Gcc | Compiler::Zig => {
                let command = self.command(host)?;
                if command.len() > 1 {
                    steps.extend(self.links_of_one_word(host));
                }
            }
        }
        let toolchain = arguments::toolchain(&self.env.args);
        steps.extend(library::plan(host, &self.target, &self.rust, toolchain.as_deref())?);
        Ok(steps)
    }

    /// What set-up makes for the C compiler's triple, under Rust's too, where the original has it and Dockerfiles
    /// look for it: `$(xx-cargo --print-target-triple)-strip`.
    fn under_rusts_triple(&self, host: &dyn Host) -> Vec<Step> {
        if self.rust == self.c_triple {
            return Vec::new();
        }
        let rust = Setup::new(&self.env, host, &self.target, &self.rust, "clang");
        let name = self.layout.cfg(&self.c_triple).file_name().unwrap_or_default().into();
        let config = Step::Link { to: name, path: self.layout.cfg(&self.rust) };
        let mut steps = rust.programs(host);
        steps.extend(rust.alpine_links(host));
        steps.push(config);
        self.missing(host, steps)
    }

    /// zig, or GCC with flags, under names of one word.
    fn links_of_one_word(&self, host: &dyn Host) -> Vec<Step> {
        let own = host.own_program().unwrap_or_else(|| "/usr/bin/xx".into());
        let names: &[&str] = match self.compiler {
            Compiler::Zig => &["zig-cc", "zig-c++", "zig-ar", "zig-ranlib"],
            Compiler::Clang | Compiler::Gcc => &["gcc-cc", "gcc-c++"],
        };
        let link =
            |name: &&str| Step::Link { to: own.clone(), path: self.layout.prefixed(&self.c_triple, name) };
        self.missing(host, names.iter().map(link).collect())
    }

    /// The words by which a compiler other than clang is called.
    fn command(&self, host: &dyn Host) -> Result<Vec<String>, Failure> {
        let commands = toolchain::commands(&self.env, host, &self.target, self.compiler)?;
        Ok(commands.map(|commands| commands.c).unwrap_or_default())
    }

    /// Those of the links that are not there and can be made.
    fn missing(&self, host: &dyn Host, steps: Vec<Step>) -> Vec<Step> {
        let is_missing = |step: &Step| {
            let Step::Link { path, .. } = step else { return false };
            let can_be = |dir: &Path| host.is_writable(dir) || !host.is_there(dir);
            !host.is_there(path) && path.parent().is_none_or(can_be)
        };
        steps.into_iter().filter(is_missing).collect()
    }

    /// The compilers as programs of one word, which is what rustc's linker has to be.
    fn commands(&self, host: &dyn Host) -> Result<Commands, Failure> {
        let made = |c: &str, cxx: &str| Commands {
            c: vec![self.layout.command(&self.c_triple, c)],
            cxx: vec![self.layout.command(&self.c_triple, cxx)],
        };
        match self.compiler {
            Compiler::Clang => Ok(made("clang", "clang++")),
            Compiler::Zig => Ok(made("zig-cc", "zig-c++")),
            Compiler::Gcc if self.command(host)?.len() > 1 => Ok(made("gcc-cc", "gcc-c++")),
            Compiler::Gcc => toolchain::commands(&self.env, host, &self.target, self.compiler)?
                .ok_or_else(|| Failure::new("no compiler")),
        }
    }

    fn exec(self, host: &dyn Host) -> Result<Plan, Failure> {
        let commands = self.commands(host)?;
        let mut steps = Vec::new();
        let mut cmake = None;
        if self.target.is_cross(host) {
            let path = self.layout.state.join(format!("{}.cmake", self.c_triple));
            let text = cc::cmake_toolchain(&self.target, host, &self.layout, &commands)?;
            if host.read(&path).as_deref() == Some(&text) {
                cmake = Some(path);
            } else if self.can_write(host) {
                steps.push(Step::Write { path: path.clone(), text, mode: 0o644 });
                cmake = Some(path);
            }
        }
        let variables = Variables {
            env: &self.env,
            host,
            target: &self.target,
            layout: &self.layout,
            c_triple: &self.c_triple,
            rust: &self.rust,
            compiler: self.compiler,
            commands: &commands,
            cmake: cmake.as_deref(),
        };
        let mut command = CommandPlan::new("cargo").args(arguments::with_target(&self.env.args, &self.rust));
        if !self.target.sysroot.is_empty() {
            command = command.set("XX_SYSROOT", &self.target.sysroot);
        }
        for (name, value) in variables.all() {
            command = command.set(&name, value);
        }
        steps.push(Step::Exec(command));
        Ok(Plan::new(steps))
    }

    /// Whether files can be made in the folder of notes, or the folder itself.
    fn can_write(&self, host: &dyn Host) -> bool {
        let mut dir = Some(self.layout.state.as_path());
        while let Some(path) = dir {
            if host.is_dir(path) {
                return host.is_writable(path);
            }
            dir = path.parent();
        }
        false
    }
}

/// Returns Rust's name of the target when its standard library is not there.
///
/// # Errors
/// When rustc is missing, or Rust has no such target.
pub(crate) fn missing_library(
    env: &Env,
    host: &dyn Host,
    target: &Target,
) -> Result<Option<String>, Failure> {
    let rust = rust_triple(env, host, target)?;
    let step = library::plan(host, target, &rust, None)?;
    Ok(step.map(|_| rust))
}

/// What the build machine lacks for build scripts and procedural macros, which are built for it.
fn host_compiler(env: &Env, host: &dyn Host, target: &Target) -> Option<String> {
    let package = match target.distro.family {
        Family::Alpine => "apk add gcc musl-dev",
        Family::Debian => "apt-get install gcc libc6-dev",
        Family::Rhel => "dnf install gcc glibc-devel",
        Family::Other => "a C compiler and the headers of the C library",
    };
    let lacks = if host.program("cc").is_none() {
        "no C compiler `cc`"
    } else if !has_start_files(host, &Target::read(&env.clone().native(), host)) {
        "no start files of the C library (crt1.o)"
    } else {
        return None;
    };
    Some(format!(
        "note: {lacks} for the build machine; build scripts and procedural macros need it: {package}"
    ))
}

/// Rust's name of the target; Alpine's own Rust has its own vendor word, unless the user says another.
fn rust_triple(env: &Env, host: &dyn Host, target: &Target) -> Result<String, Failure> {
    let platform = target.known()?;
    let vendor = matches!(env.var("XX_VENDOR"), "" | "alpine");
    let alpine = vendor && target.distro.family == Family::Alpine && host.program("rustup").is_none();
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
