//! `xx-apt`, `xx-apt-get`: apt for packages of the target.
//!
//! Package names of the commands that take them are turned into those of the target architecture: a cross tool
//! (`gcc` is `gcc-aarch64-linux-gnu`) where there is one, else `NAME:arch`. Options keep their values, versions,
//! suites, architectures and files that the user names stay as they are.

mod args;
mod lists;
mod resolve;
mod root;
mod sources;
mod versions;

use std::path::{Path, PathBuf};

use crate::distro::Family;
use crate::env::Env;
use crate::host::Host;
use crate::plan::{CommandPlan, Lock, Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::layout::Layout;
use crate::tools::{no_manager, skipping};

use args::{Call, Package};
use lists::Lists;
use resolve::Resolver;

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
    // Windows' cross tools are packages of the build machine.
    let has_tools = target.os == "windows" && root.is_none();
    if let Some(os) = target.without_packages()?.filter(|_| !has_tools) {
        return Ok(skipping(os));
    }
    target.c_triple()?;
    // Before anything is made for it.
    if host.program("apt-get").is_none() && host.program("apt").is_none() {
        return Err(no_manager(host, "apt"));
    }
    if let Some(note) = unavailable(&env, &target, host) {
        return Ok(note);
    }
    let Call { command: Some(command), options, packages } = Call::parse(&args) else {
        if target.os != "linux" {
            return Ok(skipping(&target.os));
        }
        // Under either name, as in the original.
        return Ok(Plan::new(vec![Step::Exec(CommandPlan::new("apt").args(args))]));
    };
    if root.is_some() && command != "install" {
        return Err(
            Failure::new(format!("--target-root: `{command}`")).hint("only `install` goes to a folder")
        );
    }
    let mut steps = Vec::new();
    steps.extend(Lock { name: "xx-apt", kept: true }.step(&env));
    let dry_run = env.var("XX_DRY_RUN") == "1";
    let call = Apt { env, target, root, command, options, packages, dry_run };
    steps.push(Step::Next(Box::new(move |host: &dyn Host| Ok(call.plan(host)))));
    Ok(Plan::new(steps))
}

/// A call with packages.
struct Apt {
    env: Env,
    target: Target,
    /// The folder of `--target-root`.
    root: Option<PathBuf>,
    command: &'static str,
    options: Vec<String>,
    packages: Vec<Package>,
    dry_run: bool,
}

impl Apt {
    /// Brings the lists of the target, then plans on from what is in them.
    fn plan(self, host: &dyn Host) -> Plan {
        // Ubuntu has its other architectures on other mirrors, which adding one takes care of.
        let apart = self.root.is_some() && self.target.distro.id != "ubuntu";
        let mut steps = if apart { Vec::new() } else { add_architecture(&self.target, host) };
        steps.push(Step::Next(Box::new(move |host: &dyn Host| match self.root.clone() {
            Some(dir) => Ok(self.into_folder(host, dir)),
            None => self.install(host),
        })));
        Plan::new(steps)
    }

    fn install(self, host: &dyn Host) -> Result<Plan, Failure> {
        let target = &self.target;
        // Cross tools are programs of the build machine.
        let own = dpkg(host, "--print-architecture").trim().to_owned();
        let lists = Lists::read(host, Path::new(lists::DIR), &[target.package_arch(), &own]);
        let wanted = self.expanded(host, &lists)?;
        let words = match self.command {
            // What `search` is given are expressions, not packages.
            "search" => wanted.iter().map(ToString::to_string).collect(),
            _ => Resolver::new(&self.env, host, target, &lists, &wanted).resolve(wanted.clone()),
        };
        if words.is_empty() && target.os != "linux" {
            return Ok(skipping(&target.os));
        }
        let program = if self.env.name == "xx-apt-get" { "apt-get" } else { "apt" };
        let args = [self.options, words].concat();
        let shown = args.join(" ");
        let command = CommandPlan::new(program).args(args);
        let is_foreign = self.command == "install" && target.os == "linux" && target.package_arch() != own;
        let call = if is_foreign {
            let arch = target.package_arch().to_owned();
            let explain = move |host: &dyn Host| Ok(versions::explain(host, &wanted, &own, &arch));
            Step::ExecOr(command, Box::new(explain))
        } else {
            Step::Exec(command)
        };
        Ok(Plan::new(vec![Step::Note(format!("+ {program}  {shown}")), call]))
    }

    fn into_folder(self, host: &dyn Host, dir: PathBuf) -> Plan {
        let arch = self.target.package_arch().to_owned();
        let state = root::State {
            dir: Layout::of(&self.env, host, "").state.join(format!("root-{arch}")),
            has_lists: lists::are_there(host, Some(&arch)),
            arch,
        };
        Plan::new(root::prepare(&state)).then(Step::Next(Box::new(move |host: &dyn Host| {
            let lists = Lists::read(host, &state.lists(), &[&state.arch]);
            let wanted = self.expanded(host, &lists)?;
            let names: Vec<String> = wanted.iter().map(ToString::to_string).collect();
            Ok(Plan::new(root::install(&state, &dir, self.options, &names)))
        })))
    }

    /// The packages, once the lists are there that say what the words stand for.
    fn expanded(&self, host: &dyn Host, lists: &Lists) -> Result<Vec<Package>, Failure> {
        let arch = self.target.package_arch();
        let asks_lists = self.target.os == "linux" && self.packages.iter().any(Package::takes_arch);
        if asks_lists && !lists.has(arch) && !self.dry_run {
            return Err(Failure::new(format!("no package lists for {arch} after `apt-get update`"))
                .hint("its messages above tell why; a distribution may have dropped the architecture")
                .code(100));
        }
        let expanded = self.packages.iter().cloned();
        let expanded: Result<Vec<Vec<Package>>, Failure> = expanded
            .map(|package| resolve::expand(host, package, lists, &self.target, self.dry_run))
            .collect();
        Ok(expanded?.concat())
    }
}

/// Targets that the distribution has no packages for are skipped, so that a Dockerfile builds for all the others.
fn unavailable(env: &Env, target: &Target, host: &dyn Host) -> Option<Plan> {
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
    (version < since).then(|| skipping(&format!("{}. riscv64 requires {need}", target.arch)))
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
