//! `xx-dnf` (and `xx-yum`, `xx-microdnf`): dnf for packages of the target, in a root of their own at `/TRIPLE`.
//!
//! RPM has no multiarch folders, so foreign packages get a root, as on Alpine. Their scripts cannot run on the build
//! machine and are not tried.

use std::path::Path;

use crate::distro::Family;
use crate::env::Env;
use crate::host::Host;
use crate::plan::{CommandPlan, Lock, Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::tools::{no_manager, skipping};

/// Plans a dnf call.
///
/// # Errors
/// When the target is not supported, or no dnf is installed.
pub fn plan(env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    let target = Target::read(&env, host);
    if let Some(os) = target.without_packages()? {
        return Ok(skipping(os));
    }
    let (names, triple) = (target.supported()?, target.c_triple()?);
    let asked = env.name.strip_prefix("xx-").unwrap_or("dnf").to_owned();
    let found =
        [asked.as_str(), "dnf", "dnf5", "microdnf", "yum"].into_iter().find_map(|name| host.program(name));
    let dnf = found.ok_or_else(|| no_manager(host, "dnf"))?;
    let mut steps = Vec::new();
    steps.extend(Lock { name: "xx-dnf", kept: true }.step(&env));
    let mut args: Vec<String> = Vec::new();
    if target.is_cross(host) {
        let root = format!("/{triple}");
        host.why(format_args!("packages for {} go to {root}: foreign to the build machine", names.rpm));
        args.extend(["--forcearch", &names.rpm, "--installroot", &root].map(str::to_owned));
        args.extend(release(host, &target));
        args.extend(["--setopt=tsflags=noscripts", "--setopt=install_weak_deps=False"].map(str::to_owned));
        args.extend(configuration(host, &dnf));
        steps.push(Step::MakeDir(root.into()));
    }
    let words = env.args.iter().map(|arg| arg.to_string_lossy().into_owned());
    args.extend(words.flat_map(expand));
    let shown = args.join(" ");
    let program = dnf.file_name().unwrap_or_default().to_string_lossy().into_owned();
    steps.push(Step::Note(format!("+ {program}  {shown}")));
    steps.push(Step::Exec(CommandPlan::new(dnf).args(args)));
    Ok(Plan::new(steps))
}

/// An empty root has no release of its own: the running system's, of which repositories know the number before the dot.
fn release(host: &dyn Host, target: &Target) -> Option<String> {
    let major = target.distro.major().filter(|_| target.distro.family == Family::Rhel)?;
    if VARIABLES.iter().any(|dir| host.is_file(&Path::new(dir).join("releasever"))) {
        host.why(format_args!("releasever: yours in {}", VARIABLES.join(" or ")));
        return None;
    }
    Some(format!("--releasever={major}"))
}

/// Where dnf and yum keep variables for the addresses of repositories.
const VARIABLES: &[&str] = &["/etc/dnf/vars", "/etc/yum/vars"];

/// The user's own repositories and variables serve the target's root too. Version 5 has an option for that.
fn configuration(host: &dyn Host, dnf: &Path) -> Vec<String> {
    if host.canonical(dnf).is_some_and(|real| real.ends_with("dnf5")) {
        return vec!["--use-host-config".to_owned()];
    }
    let settings: [(&str, &[&str]); 2] = [("reposdir", &["/etc/yum.repos.d"]), ("varsdir", VARIABLES)];
    let found = settings.iter().filter_map(|(name, dirs)| {
        let dirs: Vec<&str> = dirs.iter().copied().filter(|dir| host.is_dir(Path::new(dir))).collect();
        (!dirs.is_empty()).then(|| format!("--setopt={name}={}", dirs.join(",")))
    });
    found.collect()
}

fn expand(arg: String) -> Vec<String> {
    let packages: &[&str] = match arg.as_str() {
        "xx-c-essentials" => &["glibc-devel", "gcc"],
        "xx-cxx-essentials" => &["libstdc++-devel", "gcc-c++"],
        _ => return vec![arg],
    };
    packages.iter().map(|package| (*package).to_owned()).collect()
}
