//! From a target and what is installed to compilers, linkers and their set-up.

pub mod clang;
pub mod gcc;
pub mod layout;
pub mod linker;
pub(crate) mod programs;
pub mod setup;
pub mod zig;

use std::path::Path;

use platform_db::Platform;

use crate::distro::{Distro, Family};
use crate::env::Env;
use crate::host::Host;
use crate::report::Failure;
use crate::target::Target;

/// Commands of a compiler for the target: what CC and CXX would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commands {
    /// C compiler, as words.
    pub c: Vec<String>,
    /// C++ compiler, as words.
    pub cxx: Vec<String>,
}

/// The compilers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// clang, with a configuration file per target that set-up writes.
    Clang,
    /// GCC, of which each target has its own.
    Gcc,
    /// zig, with everything in it.
    Zig,
}

/// Returns the compiler that the user prefers (`XX_CC_PREFER_COMPILER`); clang, but zig where a glibc is pinned.
///
/// # Errors
/// When there is no such compiler, or a glibc is pinned that it cannot link against.
pub fn preferred(env: &Env, host: &dyn Host) -> Result<Compiler, Failure> {
    let pinned = env.is_set("XX_GLIBC");
    let compiler = match env.var("XX_CC_PREFER_COMPILER") {
        "" if pinned => {
            host.why(format_args!("compiler: zig, which links against XX_GLIBC={}", env.var("XX_GLIBC")));
            return Ok(Compiler::Zig);
        }
        "" => return Ok(Compiler::Clang),
        "clang" => Compiler::Clang,
        "gcc" => Compiler::Gcc,
        "zig" => Compiler::Zig,
        other => {
            return Err(Failure::new(format!("XX_CC_PREFER_COMPILER: no compiler `{other}`"))
                .hint("known: clang gcc zig"));
        }
    };
    if pinned && compiler != Compiler::Zig {
        return Err(Failure::new(format!(
            "XX_GLIBC={}: only zig links against another glibc",
            env.var("XX_GLIBC")
        ))
        .hint("set XX_CC_PREFER_COMPILER=zig, or leave it empty"));
    }
    host.why(format_args!("compiler: {}, XX_CC_PREFER_COMPILER", env.var("XX_CC_PREFER_COMPILER")));
    Ok(compiler)
}

/// Returns the commands of a compiler that needs no set-up, `None` for clang.
///
/// # Errors
/// When the compiler is missing, or has no such target.
pub fn commands(
    env: &Env,
    host: &dyn Host,
    target: &Target,
    compiler: Compiler,
) -> Result<Option<Commands>, Failure> {
    match compiler {
        Compiler::Clang => Ok(None),
        Compiler::Gcc => gcc::commands(env, host, target).map(Some),
        Compiler::Zig => zig::commands(env, host, target).map(Some),
    }
}

/// Returns whether a program is this one under another name: by its path, and by what it is called where the names are
/// no links (`RUN --mount=from=xx,source=/usr/bin/xx-cc,target=/usr/bin/xx-clang`, or `sed -i` over one of them).
#[must_use]
pub fn is_own(host: &dyn Host, path: &Path) -> bool {
    let real = host.canonical(path);
    let own = host.own_program().and_then(|own| host.canonical(&own));
    let name = real.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    (own.is_some() && real == own) || name.is_some_and(|name| name == "xx" || name.starts_with("xx-"))
}

/// Returns the family of the build machine's distribution.
pub(crate) fn family(host: &dyn Host) -> Family {
    Distro::parse(host.read(Path::new("/etc/os-release")).as_deref()).family
}

/// Returns the folder where packages of a foreign target go, on distributions without multiarch folders: `/TRIPLE`.
#[must_use]
pub fn package_root(host: &dyn Host, triple: &str) -> Option<String> {
    let is_rhel = || family(host) == Family::Rhel;
    (host.is_file(Path::new("/etc/alpine-release")) || is_rhel()).then(|| format!("/{triple}"))
}

/// Returns the flags that a C compiler is given for the target's variant, none when the user says what processor.
#[must_use]
pub fn variant_flags(env: &Env, target: &Target) -> Vec<String> {
    let says = |arg: &std::ffi::OsString| {
        let arg = arg.to_string_lossy();
        arg.starts_with("-march=") || arg.starts_with("-mcpu=")
    };
    if env.args.iter().any(says) {
        return Vec::new();
    }
    target.platform.as_ref().map(|platform| platform.c_flags()).unwrap_or_default()
}

/// Returns whether the C library's start file, which every program is linked with, is installed for the target.
#[must_use]
pub fn has_start_files(host: &dyn Host, target: &Target) -> bool {
    let triple = target.triple().unwrap_or_default();
    let multiarch = target.platform.as_ref().and_then(Platform::multiarch).unwrap_or_default();
    let root = &target.sysroot;
    let places = [
        format!("{root}/usr/lib/{multiarch}/crt1.o"),
        format!("/usr/{triple}/lib/crt1.o"),
        format!("/{triple}/usr/lib/crt1.o"),
    ];
    let own = ["/usr/lib/crt1.o", "/usr/lib64/crt1.o"].map(|path| format!("{root}{path}"));
    let own = own.iter().filter(|_| !root.is_empty() || !target.is_cross(host));
    places.iter().chain(own).any(|path| host.is_file(Path::new(path)))
}
