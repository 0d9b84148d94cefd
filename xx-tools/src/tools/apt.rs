//! `xx-apt`, `xx-apt-get`: apt for packages of the target.
//!
//! Package names of the commands that take them are turned into those of the target architecture: a cross tool
//! (`gcc` is `gcc-aarch64-linux-gnu`) where there is one, else `NAME:arch`. Options keep their values, versions,
//! suites, architectures and files that the user names stay as they are.

mod args;
mod lists;
mod root;
mod sources;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use crate::distro::Family;
use crate::env::Env;
use crate::host::Host;
use crate::plan::{CommandPlan, Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::layout::Layout;

use args::{Call, Package};
use lists::Lists;

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
    if args.iter().any(|arg| arg == "--print-source-file") {
        return Ok(Plan::line(sources::main_file(host).display()));
    }
    let root = root::take(&mut args)?;
    let target = Target::read(&env, host);
    target.supported()?;
    if let Some(note) = unavailable(&env, &target, host) {
        return Ok(Plan::new(vec![Step::Note(note)]));
    }
    let program = if env.name == "xx-apt-get" { "apt-get" } else { "apt" };
    let call = Call::parse(&args);
    let Some(packages) = call.packages else {
        if target.os != "linux" {
            return Ok(Plan::new(vec![Step::Note(skipping(&target.os))]));
        }
        return Ok(Plan::new(vec![Step::Exec(CommandPlan::new(program).args(args))]));
    };
    let dry_run = env.var("XX_DRY_RUN") == "1";
    let mut steps = Vec::new();
    if !env.is_set("XX_APT_NOLOCK") {
        steps.push(Step::Lock("/var/lock/xx-apt"));
    }
    let options = call.options;
    steps.push(Step::Next(Box::new(move |host: &dyn Host| {
        // Ubuntu has its other architectures on other mirrors, which adding one takes care of.
        let apart = root.is_some() && target.distro.id != "ubuntu";
        let mut steps = if apart { Vec::new() } else { add_architecture(&target, host) };
        steps.push(Step::Next(Box::new(move |host: &dyn Host| {
            let arch = target.package_arch();
            if let Some(dir) = root {
                let names: Vec<String> = packages.iter().map(ToString::to_string).collect();
                let state = root::State {
                    dir: Layout::of(&env, host, "").state.join(format!("root-{arch}")),
                    arch: arch.to_owned(),
                    has_lists: lists::are_there(host, Some(arch)),
                };
                return Ok(Plan::new(root::install(&state, &dir, options, &names)));
            }
            let lists = Lists::read(host);
            if target.os == "linux" && !lists.has(arch) && !dry_run {
                return Err(Failure::new(format!("no package lists for {arch} after `apt-get update`"))
                    .hint("its messages above tell why; a distribution may have dropped the architecture")
                    .code(100));
            }
            Ok(Plan::new(resolve(&env, host, &target, &lists, program, options, packages)))
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

/// Makes dpkg accept packages of the target, once.
fn add_architecture(target: &Target, host: &dyn Host) -> Vec<Step> {
    let arch = target.package_arch();
    let dpkg = host.program("dpkg").unwrap_or_else(|| "dpkg".into());
    let known = |question: &str| {
        let answer = host.ask(&dpkg, &[question]).unwrap_or_default();
        answer.split_whitespace().any(|known| known == arch)
    };
    // A mirror in mid-synchronisation fails for one list of many; whether the target's came is looked at afterwards.
    let update = Step::Try(CommandPlan::new("apt-get").args(["update"]));
    let native = known("--print-architecture");
    let has_lists = lists::are_there(host, if target.os == "linux" { Some(arch) } else { None });
    if target.os != "linux" || native || known("--print-foreign-architectures") {
        return if has_lists { Vec::new() } else { vec![update] };
    }
    let mut steps = Vec::new();
    if target.distro.id == "ubuntu" && target.family() == Family::Debian {
        steps.extend(sources::ubuntu(host, &target.distro.codename, arch));
    }
    steps.push(Step::Run(CommandPlan::new(dpkg).args(["--add-architecture", arch])));
    steps.push(update);
    steps
}

fn resolve(
    env: &Env,
    host: &dyn Host,
    target: &Target,
    lists: &Lists,
    program: &str,
    mut args: Vec<String>,
    packages: Vec<Package>,
) -> Vec<Step> {
    let cross = target.is_cross(host);
    let wanted = packages.into_iter().flat_map(|package| expand(package, lists, target.package_arch()));
    let wanted: Vec<Package> = wanted.collect();
    let known = lists.which_are_known(&candidates(&wanted, target));
    let before = args.len();
    for package in wanted {
        if let Some(name) = package_of_target(env, &package, target, cross, &known) {
            args.push(name);
        }
    }
    if args.len() == before && target.os != "linux" {
        return vec![Step::Note(skipping(&target.os))];
    }
    let shown = args.join(" ");
    let command = CommandPlan::new(program).args(args.into_iter().map(OsString::from));
    vec![Step::Note(format!("+ {program}  {shown}")), Step::Exec(command)]
}

/// The names that stand for what a C or C++ compiler needs of the target.
fn expand(package: Package, lists: &Lists, arch: &str) -> Vec<Package> {
    let newest = |prefix: &str| {
        let version = lists.newest(prefix, "-dev", arch).unwrap_or(8);
        Package::named(format!("{prefix}{version}-dev"))
    };
    match package.name.as_str() {
        "xx-c-essentials" => vec![Package::named("libc6-dev".to_owned()), newest("libgcc-")],
        "xx-cxx-essentials" => vec![newest("libstdc++-")],
        _ => vec![package],
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

fn candidates(packages: &[Package], target: &Target) -> BTreeSet<String> {
    let (suffix, arch) = (suffix(target), target.package_arch());
    let plain = packages.iter().filter(|package| package.is_plain());
    plain
        .flat_map(|package| {
            let name = &package.name;
            [format!("{name}-{suffix}"), format!("{name}-{arch}-cross"), name.clone()]
        })
        .collect()
}

fn package_of_target(
    env: &Env,
    package: &Package,
    target: &Target,
    cross: bool,
    known: &BTreeSet<(String, bool)>,
) -> Option<String> {
    if !cross || !package.takes_arch() {
        return Some(package.to_string());
    }
    let is_known = |name: &str| known.iter().any(|(known, _)| known == name);
    let (tool, library) = (
        format!("{}-{}", package.name, suffix(target)),
        format!("{}-{}-cross", package.name, target.package_arch()),
    );
    if is_known(&tool) {
        return Some(package.renamed(&tool));
    }
    if target.os != "linux" {
        return None;
    }
    if env.is_set("XX_APT_PREFER_CROSS") && is_known(&library) {
        return Some(package.renamed(&library));
    }
    if known.contains(&(package.name.clone(), true)) {
        return Some(package.to_string());
    }
    Some(package.with_arch(target.package_arch()))
}
