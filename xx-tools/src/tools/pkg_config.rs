//! `xx-pkg-config` and `TRIPLE-pkg-config`: pkg-config that finds the target's libraries only.
//!
//! They lie in the folder that `XX_SYSROOT` names; without it on Alpine in the target's own root, elsewhere in the
//! multiarch folders of the running system.

use std::path::Path;

use platform_db::Platform;

use crate::distro::Family;
use crate::env::Env;
use crate::host::Host;
use crate::plan::{CommandPlan, Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::{family, is_own, package_root};

/// Plans a call for the target of the environment.
///
/// # Errors
/// When the target is not supported.
pub fn plan(env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    let target = Target::read(&env, host);
    let triple = target.c_triple()?;
    target.has_sysroot(host)?;
    if !target.is_cross(host) && target.sysroot.is_empty() {
        return exec(&env, host, &[]);
    }
    plan_prefixed(&env, host, triple)
}

/// Plans a call for the target of a prefix.
///
/// # Errors
/// When pkg-config is not installed.
pub fn plan_prefixed(env: &Env, host: &dyn Host, triple: &str) -> Result<Plan, Failure> {
    exec(env, host, &search(env, host, triple))
}

/// Variables that turn pkg-config to a target, as far as the user has not set them.
pub(crate) fn search(env: &Env, host: &dyn Host, triple: &str) -> Vec<(&'static str, String)> {
    let target = Target::read(env, host);
    let root = target.sysroot.as_str();
    let is_for = target.triple() == Some(triple);
    let vars = if !root.is_empty() && is_for {
        let multiarch = target.platform.as_ref().and_then(Platform::multiarch).unwrap_or_default();
        let dirs = libdir(&multiarch).split(':').map(|dir| format!("{root}{dir}")).collect::<Vec<_>>();
        vec![("PKG_CONFIG_SYSROOT_DIR", root.to_owned()), ("PKG_CONFIG_LIBDIR", dirs.join(":"))]
    } else if let Some(root) = package_root(host, triple) {
        let dirs = ["usr/lib64", "usr/lib", "usr/share"].map(|dir| format!("{root}/{dir}/pkgconfig/"));
        // Only RPM's distributions have lib64.
        let first = usize::from(host.is_file(Path::new("/etc/alpine-release")));
        let dirs = dirs.get(first..).unwrap_or_default().join(":");
        vec![("PKG_CONFIG_SYSROOT_DIR", root), ("PKG_CONFIG_LIBDIR", dirs)]
    } else {
        let multiarch = Platform::from_triple(triple).and_then(|platform| platform.multiarch());
        let multiarch = multiarch.unwrap_or_else(|| triple.to_owned());
        vec![("PKG_CONFIG_LIBDIR", libdir(&multiarch))]
    };
    vars.into_iter().filter(|(name, _)| !env.is_set(name)).collect()
}

/// pkg-config's folders for a Debian multiarch triple.
pub(crate) fn libdir(multiarch: &str) -> String {
    ["/usr/local/lib", "/usr/lib"]
        .map(|dir| format!("{dir}/{multiarch}/pkgconfig"))
        .into_iter()
        .chain(["/usr/local/share/pkgconfig".to_owned(), "/usr/share/pkgconfig".to_owned()])
        .collect::<Vec<_>>()
        .join(":")
}

fn exec(env: &Env, host: &dyn Host, vars: &[(&'static str, String)]) -> Result<Plan, Failure> {
    // pkgconf is the same program; Debian's wrapper leaves the first one's own under the third name.
    let names = ["pkg-config", "pkgconf", "pkg-config.real"];
    let mut programs = names.iter().flat_map(|name| host.programs(name));
    let program = programs.find(|path| !is_own(host, path)).ok_or_else(|| {
        let family = family(host);
        let package = match family {
            Family::Debian => "pkg-config",
            Family::Rhel => "pkgconf-pkg-config",
            Family::Alpine | Family::Other => "pkgconf",
        };
        Failure::new("pkg-config: not found").hint(family.install(package)).code(127)
    })?;
    let mut command = CommandPlan::new(program).args(env.args.clone());
    for (name, value) in vars {
        host.why(format_args!("pkg-config: {name}={value}"));
        command = command.set(name, value);
    }
    Ok(Plan::new(vec![Step::Exec(command)]))
}
