//! `xx-dnf` (and `xx-yum`, `xx-microdnf`): dnf for packages of the target, in a root of their own at `/TRIPLE`.
//!
//! RPM has no multiarch folders, so foreign packages get a root, as on Alpine. Their scripts cannot run on the build
//! machine and are not tried.

use std::path::Path;

use crate::env::Env;
use crate::host::Host;
use crate::plan::{CommandPlan, Plan, Step};
use crate::report::Failure;
use crate::target::Target;

/// Plans a dnf call.
///
/// # Errors
/// When the target is not supported, or no dnf is installed.
pub fn plan(env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    let target = Target::read(&env, host);
    let names = target.supported()?;
    if target.os != "linux" {
        return Ok(Plan::new(vec![Step::Note(format!("skipping packages installation on {}", target.os))]));
    }
    let asked = env.name.strip_prefix("xx-").unwrap_or("dnf").to_owned();
    let found =
        [asked.as_str(), "dnf", "dnf5", "microdnf", "yum"].into_iter().find_map(|name| host.program(name));
    let dnf =
        found.ok_or_else(|| Failure::new("dnf: not found").hint("install the package `dnf`").code(127))?;
    let mut steps = Vec::new();
    if !env.is_set("XX_DNF_NOLOCK") {
        steps.push(Step::Lock("/var/lock/xx-dnf"));
    }
    let mut args: Vec<String> = Vec::new();
    if target.is_cross(host) {
        let root = format!("/{}", names.triple);
        args.extend(["--forcearch".to_owned(), names.rpm.clone(), "--installroot".to_owned(), root.clone()]);
        if !target.distro.version.is_empty() {
            args.push(format!("--releasever={}", target.distro.version));
        }
        args.extend(["--setopt=tsflags=noscripts".to_owned(), "--setopt=install_weak_deps=False".to_owned()]);
        args.extend(repositories(host));
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

/// The user's own repositories serve the target's root too.
fn repositories(host: &dyn Host) -> Option<String> {
    let dir = Path::new("/etc/yum.repos.d");
    host.is_dir(dir).then(|| format!("--setopt=reposdir={}", dir.display()))
}

fn expand(arg: String) -> Vec<String> {
    let packages: &[&str] = match arg.as_str() {
        "xx-c-essentials" => &["glibc-devel", "gcc"],
        "xx-cxx-essentials" => &["libstdc++-devel", "gcc-c++"],
        _ => return vec![arg],
    };
    packages.iter().map(|package| (*package).to_owned()).collect()
}
