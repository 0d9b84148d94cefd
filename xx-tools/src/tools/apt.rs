//! `xx-apt`, `xx-apt-get`: apt for packages of the target.
//!
//! Package names of the commands that take them are turned into those of the target architecture: a cross tool
//! (`gcc` is `gcc-aarch64-linux-gnu`) where there is one, else `NAME:arch`. Options keep their values, versions,
//! suites, architectures and files that the user names stay as they are.

mod args;
mod lists;
mod root;
mod sources;

use std::path::{Path, PathBuf};

use crate::distro::Family;
use crate::env::Env;
use crate::host::Host;
use crate::plan::{CommandPlan, Lock, Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::layout::Layout;

use args::{Call, Package};
use lists::{Known, Lists};

/// Plans an apt call.
///
/// # Errors
/// When the target is not supported, or a source file cannot be read.
pub fn plan(env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    let mut args: Vec<String> = env.args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    if let [flag, file, arch, ..] = args.as_slice()
        && flag == "--fix-source-file"
    {
        return sources::fix(host, Path::new(file), arch).map(Plan::new);
    }
    if args.first().is_some_and(|arg| arg == "--fix-source-file") {
        return Err(Failure::new("--fix-source-file needs a file and an architecture")
            .hint("`xx-apt --fix-source-file $(xx-apt --print-source-file) amd64`"));
    }
    if args.iter().any(|arg| arg == "--print-source-file") {
        return Ok(Plan::line(sources::main_file(host).display()));
    }
    let root = root::take(&mut args)?;
    let target = Target::read(&env, host);
    target.supported()?;
    if let Some(note) = unavailable(&env, &target, host) {
        return Ok(Plan::new(vec![Step::Note(note)]));
    }
    let Call { command: Some(command), options, packages } = Call::parse(&args) else {
        if target.os != "linux" {
            return Ok(Plan::new(vec![Step::Note(skipping(&target.os))]));
        }
        // Under either name, as in the original.
        return Ok(Plan::new(vec![Step::Exec(CommandPlan::new("apt").args(args))]));
    };
    if root.is_some() && (command != "install" || target.os != "linux") {
        return Err(Failure::new(format!("--target-root: `{command}` on {}", target.os))
            .hint("only `install` of Linux packages goes to a folder"));
    }
    let dry_run = env.var("XX_DRY_RUN") == "1";
    let mut steps = Vec::new();
    steps.extend(Lock { name: "xx-apt", kept: true }.step(&env));
    steps.push(Step::Next(Box::new(move |host: &dyn Host| {
        // Ubuntu has its other architectures on other mirrors, which adding one takes care of.
        let apart = root.is_some() && target.distro.id != "ubuntu";
        let mut steps = if apart { Vec::new() } else { add_architecture(&target, host) };
        steps.push(Step::Next(Box::new(move |host: &dyn Host| {
            let arch = target.package_arch();
            // Cross tools are programs of the build machine.
            let own = dpkg(host, "--print-architecture");
            let lists = Lists::read(host, &[arch, own.trim()]);
            let asks_lists =
                root.is_none() && target.os == "linux" && packages.iter().any(Package::takes_arch);
            if asks_lists && !lists.has(arch) && !dry_run {
                return Err(Failure::new(format!("no package lists for {arch} after `apt-get update`"))
                    .hint("its messages above tell why; a distribution may have dropped the architecture")
                    .code(100));
            }
            let wanted: Vec<Package> =
                packages.into_iter().flat_map(|package| expand(host, package, &lists, arch)).collect();
            if let Some(dir) = root {
                let names: Vec<String> = wanted.iter().map(ToString::to_string).collect();
                let state = root::State {
                    dir: Layout::of(&env, host, "").state.join(format!("root-{arch}")),
                    arch: arch.to_owned(),
                    has_lists: lists::are_there(host, Some(arch)),
                };
                return Ok(Plan::new(root::install(&state, &dir, options, &names)));
            }
            let wanted = match command {
                // What `search` is given are expressions, not packages.
                "search" => wanted.iter().map(ToString::to_string).collect(),
                _ => Resolver::new(&env, host, &target, &lists, &wanted).resolve(wanted),
            };
            if wanted.is_empty() && target.os != "linux" {
                return Ok(Plan::new(vec![Step::Note(skipping(&target.os))]));
            }
            let program = if env.name == "xx-apt-get" { "apt-get" } else { "apt" };
            let args = [options, wanted].concat();
            let shown = args.join(" ");
            let command = CommandPlan::new(program).args(args);
            Ok(Plan::new(vec![Step::Note(format!("+ {program}  {shown}")), Step::Exec(command)]))
        })));
        Ok(Plan::new(steps))
    })));
    Ok(Plan::new(steps))
}

fn skipping(what: &str) -> String {
    format!("skipping packages installation on {what}")
}

/// Targets that the distribution has no packages for are skipped, so that a Dockerfile builds for all the others.
fn unavailable(env: &Env, target: &Target, host: &dyn Host) -> Option<String> {
    if target.arch.starts_with("mips") {
        return Some(skipping(&target.arch));
    }
    if target.arch != "riscv64" || env.is_set("XX_APT_FORCE_RISCV64") {
        return None;
    }
    let (need, since) = match target.vendor.as_str() {
        "debian" => ("debian 13+", 13),
        "ubuntu" => ("ubuntu 20.04+", 20),
        _ => return None,
    };
    let debian = host.read(Path::new("/etc/debian_version")).unwrap_or_default();
    // Testing has a name there ("forky/sid"), not a number.
    let version = match target.vendor.as_str() {
        "debian" => debian.trim().split('.').next().and_then(|major| major.parse().ok()).unwrap_or(u32::MAX),
        _ => target.distro.major().unwrap_or(0),
    };
    (version < since).then(|| format!("{}. riscv64 requires {need}", skipping(&target.arch)))
}

fn dpkg_program(host: &dyn Host) -> PathBuf {
    host.program("dpkg").unwrap_or_else(|| "dpkg".into())
}

/// Asks dpkg about architectures.
fn dpkg(host: &dyn Host, question: &str) -> String {
    host.ask(&dpkg_program(host), &[question]).unwrap_or_default()
}

/// Makes dpkg accept packages of the target, once.
fn add_architecture(target: &Target, host: &dyn Host) -> Vec<Step> {
    let arch = target.package_arch();
    let known = |question: &str| dpkg(host, question).split_whitespace().any(|known| known == arch);
    // A mirror in mid-synchronisation fails for one list of many; whether the target's came is looked at afterwards.
    let update = Step::Try(CommandPlan::new("apt-get").args(["update"]));
    let native = known("--print-architecture");
    let has_lists = lists::are_there(host, if target.os == "linux" { Some(arch) } else { None });
    if target.os != "linux" || native || known("--print-foreign-architectures") {
        let found = if has_lists { "there: no update" } else { "missing: update" };
        host.why(format_args!("package lists for {arch}: {found}"));
        return if has_lists { Vec::new() } else { vec![update] };
    }
    host.why(format_args!(
        "architecture {arch}: added, dpkg has neither its own nor a foreign one of that name"
    ));
    let mut steps = Vec::new();
    if target.distro.id == "ubuntu" && target.family() == Family::Debian {
        steps.extend(sources::ubuntu(host, &target.distro.codename, arch));
    }
    steps.push(Step::Run(CommandPlan::new(dpkg_program(host)).args(["--add-architecture", arch])));
    steps.push(update);
    steps
}

/// The names that stand for what a C or C++ compiler needs of the target.
fn expand(host: &dyn Host, package: Package, lists: &Lists, arch: &str) -> Vec<Package> {
    let newest = |prefix: &str| {
        let version = lists.newest(prefix, "-dev", arch).unwrap_or(8);
        host.why(format_args!(
            "{}: {prefix}{version}-dev is the newest in the lists of {arch}",
            package.name
        ));
        Package::named(format!("{prefix}{version}-dev"))
    };
    match package.name.as_str() {
        "xx-c-essentials" => vec![Package::named("libc6-dev".to_owned()), newest("libgcc-")],
        "xx-cxx-essentials" => vec![newest("libstdc++-")],
        _ => vec![package],
    }
}

/// What turns a package's name into that of the target's.
struct Resolver<'a> {
    host: &'a dyn Host,
    arch: &'a str,
    linux: bool,
    cross: bool,
    prefer_cross: bool,
    /// What Debian's cross tools are called after: `aarch64-linux-gnu`, `mingw-w64-x86-64`.
    suffix: String,
    /// The names that are in the lists.
    known: Known,
}

impl<'a> Resolver<'a> {
    fn new(env: &Env, host: &'a dyn Host, target: &'a Target, lists: &Lists, packages: &[Package]) -> Self {
        let mut resolver = Self {
            host,
            arch: target.package_arch(),
            linux: target.os == "linux",
            cross: target.is_cross(host),
            prefer_cross: env.is_set("XX_APT_PREFER_CROSS"),
            suffix: suffix(target),
            known: Known::default(),
        };
        let open = packages.iter().filter(|package| package.takes_arch());
        let names = open.flat_map(|package| {
            let name = package.name.as_str();
            [resolver.tool(name), resolver.cross_library(name), name.to_owned()]
        });
        resolver.known = lists.which_are_known(&names.collect());
        resolver
    }

    fn tool(&self, name: &str) -> String {
        format!("{name}-{}", self.suffix)
    }

    fn cross_library(&self, name: &str) -> String {
        format!("{name}-{}-cross", self.arch)
    }

    /// Words for apt; packages that a target other than Linux has none of are left out.
    fn resolve(&self, packages: Vec<Package>) -> Vec<String> {
        packages.iter().filter_map(|package| self.one(package)).collect()
    }

    fn one(&self, package: &Package) -> Option<String> {
        let name = package.name.as_str();
        let because = |word: String, why: &str| {
            self.host.why(format_args!("package {package}: {word}, {why}"));
            Some(word)
        };
        if !self.cross {
            return because(package.to_string(), "the target is the build machine");
        }
        if !package.takes_arch() {
            return because(package.to_string(), "named whole");
        }
        if self.known.has(&self.tool(name)) {
            return because(package.renamed(&self.tool(name)), "a cross tool in the lists");
        }
        if !self.linux {
            self.host.why(format_args!("package {package}: left out, only Linux has packages"));
            return None;
        }
        if self.prefer_cross && self.known.has(&self.cross_library(name)) {
            return because(package.renamed(&self.cross_library(name)), "XX_APT_PREFER_CROSS");
        }
        if self.known.is_for_all(name) {
            return because(package.to_string(), "one package for all architectures");
        }
        because(package.with_arch(self.arch), "the target's own")
    }
}

fn suffix(target: &Target) -> String {
    let triple = target.names.as_ref().map(|names| names.triple.clone()).unwrap_or_default();
    match (target.os.as_str(), target.arch.as_str()) {
        ("windows", "amd64") => "mingw-w64-x86-64".to_owned(),
        ("windows", "386") => "mingw-w64-i686".to_owned(),
        ("windows", "arm64") => "mingw-w64-aarch64".to_owned(),
        ("windows", "arm") => "mingw-w64-arm".to_owned(),
        _ => triple.replacen("x86_64-", "x86-64-", 1),
    }
}
