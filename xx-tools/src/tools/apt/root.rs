//! `xx-apt-get --target-root DIR install ...`: packages of the target unpacked into a folder.
//!
//! For the final stage of an image, or as a sysroot: apt resolves and fetches for the target's architecture as on an
//! empty machine, and the packages are unpacked. None of their programs or scripts run, so nothing is emulated; packages
//! that need their scripts (users, alternatives, caches) are not for this. What was unpacked is noted in
//! `var/lib/dpkg/status.d`, where scanners look for it. The build machine's own dpkg and apt learn nothing of the
//! architecture, so an ordinary user can do this too.

use std::path::{Path, PathBuf};

use super::lists;
use crate::host::Host;
use crate::plan::{CommandPlan, Plan, Step};
use crate::report::Failure;

/// Takes `--target-root DIR` or `--target-root=DIR` out of the arguments.
pub(super) fn take(args: &mut Vec<String>) -> Result<Option<PathBuf>, Failure> {
    let Some(at) = args.iter().position(|arg| arg == "--target-root" || arg.starts_with("--target-root="))
    else {
        return Ok(None);
    };
    let flag = args.remove(at);
    let value = match flag.split_once('=') {
        Some((_, value)) => value.to_owned(),
        None if at < args.len() => args.remove(at),
        None => String::new(),
    };
    if value.is_empty() || value == "/" {
        return Err(Failure::new("--target-root needs a folder other than `/`")
            .hint("`xx-apt-get --target-root /out install -y zlib1g`"));
    }
    Ok(Some(value.into()))
}

/// apt's own state for folders of an architecture: no package counts as installed there.
#[derive(Clone)]
pub(super) struct State {
    /// Removed at the end.
    pub(super) dir: PathBuf,
    /// Debian's name of the architecture.
    pub(super) arch: String,
    /// The running system has package lists of the architecture.
    pub(super) has_lists: bool,
}

impl State {
    /// Where the lists of the architecture are.
    pub(super) fn lists(&self) -> PathBuf {
        if self.has_lists { lists::DIR.into() } else { self.dir.join("lists") }
    }

    fn archives(&self) -> PathBuf {
        self.dir.join("archives")
    }

    fn settings(&self) -> Vec<String> {
        let (arch, dir) = (&self.arch, self.dir.display());
        let mut settings = vec![
            format!("APT::Architecture={arch}"),
            format!("APT::Architectures={arch}"),
            format!("Dir::State::status={dir}/status"),
            format!("Dir::Cache::archives={dir}/archives/"),
            "Dir::Cache::pkgcache=".to_owned(),
            "Dir::Cache::srcpkgcache=".to_owned(),
            "Dir::State::extended_states=/dev/null".to_owned(),
            "Debug::NoLocking=true".to_owned(),
            "APT::Install-Recommends=false".to_owned(),
        ];
        if !self.has_lists {
            settings.push(format!("Dir::State::lists={dir}/lists/"));
        }
        settings.into_iter().flat_map(|setting| ["-o".to_owned(), setting]).collect()
    }
}

/// Plans an empty state, and fetching the lists where the running system has none of the architecture.
pub(super) fn prepare(state: &State) -> Vec<Step> {
    let mut steps = vec![
        Step::RemoveDir(state.dir.clone()),
        Step::Temporary(state.dir.clone()),
        Step::MakeDir(state.archives().join("partial")),
        Step::Write { path: state.dir.join("status"), text: String::new(), mode: 0o644 },
    ];
    if !state.has_lists {
        steps.push(Step::MakeDir(state.dir.join("lists/partial")));
        // One of several sources may not have the architecture; what is missing then, apt says below.
        let command = CommandPlan::new("apt-get").args(state.settings());
        steps.push(Step::Try(command.args(["-q", "update"])));
    }
    steps
}

/// Plans fetching packages for an architecture and unpacking them into a folder.
pub(super) fn install(state: &State, dir: &Path, options: Vec<String>, packages: &[String]) -> Vec<Step> {
    let archives = state.archives();
    let apt = CommandPlan::new("apt-get")
        .args(state.settings())
        .args(options)
        .args(["-y", "--download-only"])
        .args(packages.iter().cloned());
    let dir = dir.to_owned();
    vec![
        Step::Note(format!("+ {apt}")),
        Step::Run(apt),
        Step::Next(Box::new(move |host: &dyn Host| {
            let root = dir.clone();
            let finish = Step::Next(Box::new(move |host: &dyn Host| {
                let mut steps = merged(host, &root);
                relink(host, &root, &root, &mut steps);
                Ok(Plan::new(steps))
            }));
            Ok(Plan::new(unpack(host, &archives, &dir)).then(finish))
        })),
    ]
}

/// Where packages know `/usr/lib` only, `/lib` is a link to it, which otherwise the package base-files makes.
fn merged(host: &dyn Host, dir: &Path) -> Vec<Step> {
    let alone = |name: &&str| host.is_dir(&dir.join("usr").join(name)) && !host.is_there(&dir.join(name));
    let link = |name| Step::Link { to: Path::new("usr").join(name), path: dir.join(name) };
    ["lib", "lib64"].into_iter().filter(alone).map(link).collect()
}

/// A link such as `libz.so -> /lib/aarch64-linux-gnu/libz.so.1` stays in the folder when it is relative: compilers that
/// take the folder as their sysroot, and QEMU, would follow it to the build machine's files.
fn relink(host: &dyn Host, root: &Path, dir: &Path, steps: &mut Vec<Step>) {
    let depth = dir.strip_prefix(root).unwrap_or(dir).iter().count();
    for name in host.list(dir) {
        let path = dir.join(name);
        match host.link(&path) {
            Some(to) => {
                if let Ok(inside) = to.strip_prefix("/") {
                    let up: PathBuf = std::iter::repeat_n("..", depth).collect();
                    steps.push(Step::Link { to: up.join(inside), path });
                }
            }
            None if host.is_dir(&path) => relink(host, root, &path, steps),
            None => {}
        }
    }
}

fn unpack(host: &dyn Host, archives: &Path, dir: &Path) -> Vec<Step> {
    let tool = host.program("dpkg-deb").unwrap_or_else(|| "dpkg-deb".into());
    let packages = host.list(archives).into_iter().filter(|name| name.ends_with(".deb"));
    let mut steps = vec![Step::MakeDir(dir.join("var/lib/dpkg/status.d"))];
    for name in packages {
        let file = archives.join(&name);
        let control = host.ask(&tool, &["-f", &file.to_string_lossy()]).unwrap_or_default();
        let package = name.split('_').next().unwrap_or(&name).to_owned();
        let unpack = CommandPlan::new(&tool).args(["-x".as_ref(), file.as_os_str(), dir.as_os_str()]);
        steps.push(Step::Run(unpack));
        let path = dir.join("var/lib/dpkg/status.d").join(package);
        steps.push(Step::Write { path, text: control, mode: 0o644 });
    }
    steps
}
