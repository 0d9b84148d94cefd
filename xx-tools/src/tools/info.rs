//! `xx-info`: what is being built for, one value per call.

mod more;

use std::path::Path;

use crate::env::Env;
use crate::host::Host;
use crate::plan::{Plan, Step};
use crate::report::Failure;
use crate::target::{Names, Target};
use crate::toolchain::package_root;

pub(crate) const USAGE: &str = "\
Usage: xx-info [COMMAND]

Names the target that TARGETPLATFORM, TARGETPAIR or TARGETOS and TARGETARCH select.

Commands:
  alpine-arch    Alpine architecture
  arch           architecture, as in OCI images
  debian-arch    Debian and Ubuntu architecture
  env            every value, as NAME=value lines
  is-cross       exit code 0 when the target is not the build machine, else 1
  libc           C library: gnu, musl or mingw32
  march          architecture as `uname -m` prints it on the target
  os             operating system
  os-version     version of the build stage's distribution
  pkg-arch       architecture in the spelling of the distribution's packages
  rhel-arch      RPM architecture
  sysroot        directory that holds the target's headers and libraries
  triple         target triple of the C compiler (also without a command)
  variant        variant of the architecture, such as v7
  vendor         vendor word of the triple

  list           every known platform
  qemu           QEMU's user-mode program and library folder for the target
  translate      the platform in another spelling: --to NAME, or --format '{os}_{arch}';
                 of another platform with --platform P or --from SPELLING=NAME

Options:
  --json         every value as one JSON object
  --native       answer for the build machine, whatever target is set
";

/// Plans one answer.
///
/// # Errors
/// When the target is not supported or the command is unknown.
pub fn plan(mut env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    if env.args.iter().any(|arg| arg == "--native") {
        env.args.retain(|arg| arg != "--native");
        env = env.native();
    }
    let command = env.args.first().map(|arg| arg.to_string_lossy().into_owned()).unwrap_or_default();
    let target = Target::read(&env, host);
    if let Some(answer) = always(&command, &target) {
        return Ok(answer);
    }
    match command.as_str() {
        "--json" => return more::json(&target, host),
        "list" => return Ok(more::list()),
        "qemu" => return more::qemu(&target, host),
        "translate" => {
            let rest = env.args.iter().skip(1).map(|arg| arg.to_string_lossy().into_owned());
            return more::translate(&rest.collect::<Vec<_>>(), &target);
        }
        _ => {}
    }
    let names = target.supported()?;
    Ok(match command.as_str() {
        "" | "triple" => Plan::line(target.c_triple()?),
        "march" => Plan::line(&names.march),
        "alpine-arch" => Plan::line(&names.alpine),
        "debian-arch" => Plan::line(&names.debian),
        "rhel-arch" => Plan::line(&names.rpm),
        "pkg-arch" => Plan::line(target.package_arch()),
        "is-cross" => Plan::new(vec![Step::Exit(u8::from(!target.is_cross(host)))]),
        "sysroot" => Plan::line(sysroot(&target, names, host)),
        "env" => Plan::new(vec![Step::Print(variables(&target, names))]),
        _ => return Err(Failure::new(format!("unknown command {command}")).on_stdout()),
    })
}

/// The commands that also answer for a target without names, unless its variant is why it has none.
fn always(command: &str, target: &Target) -> Option<Plan> {
    match command {
        "arch" => Some(Plan::line(&target.arch)),
        "os" => Some(Plan::line(&target.os)),
        "variant" if target.has_unknown_variant() => None,
        "variant" => Some(Plan::line(&target.variant)),
        "os-version" => Some(Plan::line(&target.distro.version)),
        "vendor" => Some(Plan::line(&target.vendor)),
        "libc" => Some(Plan::line(&target.libc)),
        "--help" => Some(Plan::new(vec![Step::Note(USAGE.to_owned())])),
        _ => None,
    }
}

fn variables(target: &Target, names: &Names) -> String {
    let mut lines = vec![
        ("XX_OS", target.os.as_str()),
        ("XX_OS_VERSION", &target.distro.version),
        ("XX_ARCH", &target.arch),
        ("XX_MARCH", &names.march),
        ("XX_VENDOR", &target.vendor),
    ];
    if target.os == "linux" {
        lines.push(("XX_PKG_ARCH", target.package_arch()));
    }
    lines.extend(target.triple().map(|triple| ("XX_TRIPLE", triple)));
    lines.extend([
        ("XX_LIBC", target.libc.as_str()),
        ("TARGETOS", &target.os),
        ("TARGETARCH", &target.arch),
        ("TARGETVARIANT", &target.variant),
    ]);
    lines.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}

/// Where the target's headers and libraries are, with a trailing slash.
#[must_use]
pub fn sysroot(target: &Target, names: &Names, host: &dyn Host) -> String {
    if !target.sysroot.is_empty() {
        return format!("{}/", target.sysroot);
    }
    if target.os == "darwin" {
        return format!("{}/", macos_sdk(host));
    }
    let foreign = names.march != host.machine() && target.os == "linux";
    let root = names.triple.as_ref().filter(|_| foreign).and_then(|triple| package_root(host, triple));
    root.unwrap_or_default() + "/"
}

/// Path of the macOS SDK: the first under `/xx-sdk`, or where one is usually put.
#[must_use]
pub fn macos_sdk(host: &dyn Host) -> String {
    let found = host.list(Path::new("/xx-sdk"));
    let sdk = found.iter().find(|name| name.starts_with("MacOSX") && name.ends_with(".sdk"));
    format!("/xx-sdk/{}", sdk.map_or("MacOSX11.1.sdk", String::as_str))
}
