//! `xx-apt-get --target-root DIR install ...`: packages of the target unpacked into a folder.
//!
//! For the final stage of an image: apt resolves and fetches for the target's architecture as on an empty machine,
//! and the packages are unpacked. None of their programs or scripts run, so nothing is emulated; packages that need
//! their scripts (users, alternatives, caches) are not for this. What was unpacked is noted in
//! `var/lib/dpkg/status.d`, where scanners look for it.

use std::path::{Path, PathBuf};

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

/// Plans fetching packages for an architecture and unpacking them into a folder.
pub(super) fn install(dir: &Path, arch: &str, options: Vec<String>, packages: &[String]) -> Vec<Step> {
    // apt's own state for this folder: no package counts as installed there.
    let state = PathBuf::from(format!("/var/lib/xx/root-{arch}"));
    let status = state.join("status");
    let archives = state.join("archives");
    let settings = [
        format!("APT::Architecture={arch}"),
        format!("APT::Architectures={arch}"),
        format!("Dir::State::status={}", status.display()),
        format!("Dir::Cache::archives={}/", archives.display()),
        "Dir::Cache::pkgcache=".to_owned(),
        "Dir::Cache::srcpkgcache=".to_owned(),
        "Dir::State::extended_states=/dev/null".to_owned(),
        "Debug::NoLocking=true".to_owned(),
        "APT::Install-Recommends=false".to_owned(),
    ];
    let settings = settings.iter().flat_map(|setting| ["-o".to_owned(), setting.clone()]);
    let apt = CommandPlan::new("apt-get")
        .args(settings)
        .args(options)
        .args(["-y", "--download-only"])
        .args(packages.iter().cloned());
    let dir = dir.to_owned();
    let kept = state.clone();
    vec![
        Step::RemoveDir(state),
        Step::MakeDir(archives.join("partial")),
        Step::Write { path: status, text: String::new(), mode: 0o644 },
        Step::Note(format!("+ {apt}")),
        Step::Run(apt),
        Step::Next(Box::new(move |host: &dyn Host| {
            Ok(Plan::new(unpack(host, &archives, &dir)).then(Step::RemoveDir(kept)))
        })),
    ]
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
