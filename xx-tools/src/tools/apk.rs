//! `xx-apk`: apk for packages of the target, which go to a root of their own at `/TRIPLE`.
//!
//! Scripts of foreign packages cannot run on the build machine, so they are not tried there. The programs in the
//! foreign root stay: builds rely on its `*-config` scripts.

use std::path::{Path, PathBuf};

use crate::env::Env;
use crate::host::Host;
use crate::plan::{CommandPlan, Lock, Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::tools::{mirrors, no_manager, skipping};

/// Commands of apk that run package scripts.
const SCRIPTED: &[&str] = &["add", "del", "fix", "upgrade"];
/// Options of apk whose value is the next word. Source: apk(8), apk-add(8) and apk-fetch(8) of apk-tools 2 and 3.
const WITH_VALUE: &[&str] = &[
    "-X",
    "-o",
    "-p",
    "-t",
    "--arch",
    "--cache-dir",
    "--cache-max-age",
    "--keys-dir",
    "--logfile",
    "--output",
    "--progress-fd",
    "--repositories-file",
    "--repository",
    "--repository-config",
    "--root",
    "--timeout",
    "--virtual",
    "--wait",
];

/// Plans an apk call.
///
/// # Errors
/// When the target is not supported.
pub fn plan(env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    // Packages are always Alpine's, whatever vendor the triple is to have.
    let env = env.with("XX_VENDOR", "");
    let target = Target::read(&env, host);
    if let Some(os) = target.without_packages()? {
        return Ok(skipping(os));
    }
    if target.arch.starts_with("mips") {
        return Ok(skipping(&target.arch));
    }
    let call = Apk::new(&env, host, &target)?;
    let args: Vec<String> = env.args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let command = args.first().map(String::as_str);
    // Before anything is made for it.
    if command != Some("clean") && host.program("apk").is_none() {
        return Err(no_manager(host, "apk"));
    }
    let mut steps = Vec::new();
    steps.extend(Lock { name: "xx-apk", kept: true }.step(&env));
    match command {
        Some("clean") => steps.extend(call.cross.then(|| Step::RemoveDir(call.root.clone()))),
        Some("setup") => {
            steps.push(Step::Next(Box::new(move |host: &dyn Host| Ok(Plan::new(call.set_up(host))))))
        }
        _ => steps.push(Step::Next(Box::new(move |host: &dyn Host| {
            let mut steps = call.set_up(host);
            steps.extend(call.run(host, args));
            Ok(Plan::new(steps))
        }))),
    }
    Ok(Plan::new(steps))
}

/// What a call depends on.
struct Apk {
    cross: bool,
    /// `/TRIPLE`, or `/` when nothing is foreign.
    root: PathBuf,
    triple: String,
    arch: String,
    /// Repositories of a release that has the architecture, when the running one does not.
    repositories: Option<String>,
    can_run_scripts: bool,
}

impl Apk {
    fn new(env: &Env, host: &dyn Host, target: &Target) -> Result<Self, Failure> {
        let (names, triple) = (target.supported()?, target.c_triple()?);
        let cross = target.is_cross(host);
        let mut numbers = target.distro.version.split('.').map(|number| number.parse().unwrap_or(0));
        let release: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let older = mirrors::ALPINE.iter().find(|(arch, since, _)| *arch == target.arch && release < *since);
        let qemu = target.platform.as_ref().and_then(|platform| platform.qemu()).unwrap_or_default();
        let interpreter = Path::new("/proc/sys/fs/binfmt_misc").join(format!("qemu-{qemu}"));
        let root: PathBuf = if cross { format!("/{triple}").into() } else { "/".into() };
        let can_run_scripts = !cross || host.is_file(&interpreter) || env.is_set("XX_APK_SCRIPTS");
        host.why(format_args!(
            "packages for {} go to {}: {}",
            names.alpine,
            root.display(),
            if cross { "foreign to the build machine" } else { "the build machine's own" }
        ));
        if !can_run_scripts {
            host.why(format_args!("no package scripts: no {} and no XX_APK_SCRIPTS", interpreter.display()));
        }
        Ok(Self {
            cross,
            root,
            triple: triple.to_owned(),
            arch: names.alpine.clone(),
            repositories: older.map(|(.., address)| format!("{address}/main\n{address}/community\n")),
            can_run_scripts,
        })
    }

    /// Makes the foreign root, once.
    fn set_up(&self, host: &dyn Host) -> Vec<Step> {
        let done = self.root.join(".xx-setup");
        if !self.cross || host.is_file(&done) {
            return Vec::new();
        }
        let dir = self.root.join("etc/apk");
        let own = host.read(Path::new("/etc/apk/repositories")).unwrap_or_default();
        let repositories = self.repositories.clone().unwrap_or(own);
        let write = |name: &str, text: String| Step::Write { path: dir.join(name), text, mode: 0o644 };
        let mut steps = vec![
            write("repositories", repositories),
            Step::MakeDir(dir.join("keys")),
            Step::MakeDir(dir.join("protected_paths.d")),
            write("arch", format!("{}\n", self.arch)),
        ];
        let root = self.root.display().to_string();
        let keys = ["add", "--no-cache", "--initdb", "-p", &root, "--allow-untrusted", "alpine-keys"];
        steps.push(Step::Run(CommandPlan::new("apk").args(keys)));
        if host.is_dir(Path::new("/etc/apk/cache")) {
            let cache = PathBuf::from(format!("/etc/apk/cache/_{}", self.arch));
            steps.push(Step::MakeDir(cache.clone()));
            steps.push(Step::Link { to: cache, path: dir.join("cache") });
        }
        steps.push(Step::Write { path: done, text: String::new(), mode: 0o644 });
        steps
    }

    fn run(&self, host: &dyn Host, args: Vec<String>) -> Vec<Step> {
        if args.is_empty() {
            return vec![Step::Exec(CommandPlan::new("apk"))];
        }
        let has = |names: &[&str]| args.iter().find(|arg| names.contains(&arg.as_str())).cloned();
        let (runtime, rust) = (has(&["compiler-rt", "compiler-rt-static"]), has(&["rust-stdlib"]));
        let mut all = vec!["--root".to_owned(), self.root.display().to_string()];
        all.extend(self.expand(host, args));
        let shown = all.join(" ");
        let mut steps = vec![Step::Print(format!("+ apk  {shown}\n"))];
        let command = CommandPlan::new("apk").args(all);
        if !self.cross || (runtime.is_none() && rust.is_none()) {
            steps.push(Step::Exec(command));
            return steps;
        }
        steps.push(Step::Run(command));
        let (root, triple) = (self.root.clone(), self.triple.clone());
        steps.push(Step::Next(Box::new(move |host: &dyn Host| {
            let mut links = Vec::new();
            links.extend(runtime.iter().flat_map(|package| runtime_links(host, &root, package)));
            links.extend(rust.and_then(|_| rust_link(host, &root, &triple)));
            Ok(Plan::new(links))
        })));
        steps
    }

    /// Names that stand for others, and what foreign packages need: both leave options and their values alone. A group that
    /// the user called by such a name (`add -t xx-c-essentials ...`) is meant by it afterwards.
    fn expand(&self, host: &dyn Host, args: Vec<String>) -> Vec<String> {
        let world = host.read(&self.root.join("etc/apk/world")).unwrap_or_default();
        let is_group = |name: &str| world.split_whitespace().any(|word| word.split('=').next() == Some(name));
        let mut expanded = Vec::new();
        let mut command = None;
        let has_flag = args.iter().any(|arg| arg == "--no-scripts");
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let takes_next = WITH_VALUE.contains(&arg.as_str());
            let is_command = command.is_none() && !arg.starts_with('-');
            match arg.as_str() {
                group if command.as_deref().is_some_and(|word| word != "add") && is_group(group) => {
                    expanded.push(arg.clone());
                }
                "xx-c-essentials" if !is_command => expanded.extend(["musl-dev", "gcc"].map(str::to_owned)),
                "xx-cxx-essentials" if !is_command => expanded.push("g++".to_owned()),
                _ => expanded.push(arg.clone()),
            }
            if takes_next {
                expanded.extend(args.next());
            }
            if is_command {
                let scripted = SCRIPTED.contains(&arg.as_str());
                expanded.extend(
                    (scripted && !has_flag && !self.can_run_scripts).then(|| "--no-scripts".to_owned()),
                );
                command = Some(arg);
            }
        }
        expanded
    }
}

/// clang looks for its run-time libraries in the running system, not in the foreign root.
fn runtime_links(host: &dyn Host, root: &Path, package: &str) -> Vec<Step> {
    let apk = host.program("apk").unwrap_or_else(|| "apk".into());
    let files =
        host.ask(&apk, &["--root", &root.to_string_lossy(), "info", "-qL", package]).unwrap_or_default();
    let libraries = files.lines().filter(|file| file.contains("clang_rt."));
    libraries
        .map(|file| (root.join(file), Path::new("/").join(file)))
        .filter(|(_, path)| !host.is_file(path))
        .map(|(to, path)| Step::Link { to, path })
        .collect()
}

/// rustc looks for the target's library in the running system.
fn rust_link(host: &dyn Host, root: &Path, triple: &str) -> Option<Step> {
    let to = root.join("usr/lib/rustlib").join(triple);
    let path = Path::new("/usr/lib/rustlib").join(triple);
    (host.is_dir(&to) && !host.is_there(&path)).then_some(Step::Link { to, path })
}
