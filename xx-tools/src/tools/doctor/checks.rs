//! What a target lacks, language by language. A language whose tool is not installed is not asked for.

use std::path::{Path, PathBuf};

use platform_db::Platform;

use crate::distro::Family;
use crate::env::Env;
use crate::host::Host;
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::layout::Layout;
use crate::toolchain::{self, Compiler, clang, has_start_files, linker};
use crate::tools::cargo;

/// Something that is not there.
pub(super) struct Lack {
    /// What it is for: `C`, `Rust`.
    pub(super) part: &'static str,
    /// What is missing.
    pub(super) what: String,
    /// What to type.
    pub(super) remedy: String,
    /// Whether programs are built without it, too.
    pub(super) is_extra: bool,
}

impl Lack {
    fn of(part: &'static str, failure: Failure) -> Self {
        Self { part, what: failure.message, remedy: failure.hint.unwrap_or_default(), is_extra: false }
    }

    fn new(part: &'static str, what: impl Into<String>, remedy: String) -> Self {
        Self { part, what: what.into(), remedy, is_extra: false }
    }

    fn extra(self) -> Self {
        Self { is_extra: true, ..self }
    }
}

/// Looks for everything.
pub(super) fn all(env: &Env, host: &dyn Host, target: &Target) -> Vec<Lack> {
    let mut lacks = Vec::new();
    match (target.c_triple(), target.known()) {
        (Ok(_), _) => {
            lacks.extend(compiler(env, host, target));
            lacks.extend(libraries(host, target));
            lacks.extend(rust(env, host, target));
            lacks.extend(runner(host, target));
        }
        // No C compiler is set up for it, but Go may know it.
        (Err(failure), Ok(platform)) if !platform.is_go() => lacks.push(Lack::of("C", failure)),
        (Err(failure), Ok(_)) => lacks.push(Lack::of("C", failure).extra()),
        (Err(failure), Err(_)) => lacks.push(Lack::of("C", failure)),
    }
    if host.program("go").is_some() && !target.platform.as_ref().is_some_and(Platform::is_go) {
        let what = format!("Go does not build for {}/{}", target.os, target.arch);
        lacks.push(Lack::new("Go", what, "`go tool dist list` prints what it builds for".to_owned()).extra());
    }
    lacks
}

fn compiler(env: &Env, host: &dyn Host, target: &Target) -> Vec<Lack> {
    let found = toolchain::preferred(env, host)
        .and_then(|compiler| toolchain::commands(env, host, target, compiler).map(|_| compiler));
    match found {
        Err(failure) => return vec![Lack::of("C", failure)],
        Ok(Compiler::Gcc | Compiler::Zig) => return Vec::new(),
        Ok(Compiler::Clang) => {}
    }
    let triple = target.triple().unwrap_or_default();
    let mut lacks: Vec<Lack> =
        clang::find(host, "clang").err().map(|failure| Lack::of("C", failure)).into_iter().collect();
    let layout = Layout::of(env, host, triple);
    match linker::choose(env, host, &layout, triple, target.platform.as_ref()) {
        Err(failure) => lacks.push(Lack::of("C", failure)),
        Ok(linker) => {
            let note = linker.note.map(|note| Failure::new(note).hint("put ld64.signed or ld64 on PATH"));
            lacks.extend(note.map(|failure| Lack::of("C", failure)));
        }
    }
    lacks
}

/// Headers and libraries of C and C++.
fn libraries(host: &dyn Host, target: &Target) -> Vec<Lack> {
    let mut lacks = Vec::new();
    let platform = target.platform.as_ref().map(ToString::to_string).unwrap_or_default();
    let (install, c, cxx) = match target.distro.family {
        Family::Alpine => ("xx-apk add", "xx-c-essentials", "xx-cxx-essentials"),
        Family::Rhel => ("xx-dnf install", "xx-c-essentials", "xx-cxx-essentials"),
        Family::Debian | Family::Other if target.os == "windows" => ("xx-apt-get install -y", "gcc", "g++"),
        Family::Debian | Family::Other => {
            ("xx-apt-get install -y --no-install-recommends", "xx-c-essentials", "xx-cxx-essentials")
        }
    };
    let typed = |packages: &str| format!("TARGETPLATFORM={platform} {install} {packages}");
    if target.os == "darwin" && host.list(Path::new("/xx-sdk")).is_empty() {
        lacks.push(Lack::new(
            "C",
            "the macOS SDK in /xx-sdk",
            "copy one there; it may not be distributed".to_owned(),
        ));
    }
    let triple = target.triple().unwrap_or_default();
    let (has_c, remedy) = match target.os.as_str() {
        "linux" => (has_start_files(host, target), typed(c)),
        "windows" => (host.is_file(Path::new(&format!("/usr/{triple}/include/windows.h"))), typed(c)),
        "darwin" => return lacks,
        "wasi" | "wasip1" | "wasip2" => {
            let include = format!("{}/usr/include/wasm32-wasi", target.sysroot);
            (host.is_dir(Path::new(&include)), target.distro.family.install("wasi-libc"))
        }
        os => {
            let include = Path::new(&target.sysroot).join("usr/include");
            let remedy = format!("unpack the base system of {os} into a folder and name it in XX_SYSROOT");
            (!target.sysroot.is_empty() && host.is_dir(&include), remedy)
        }
    };
    if !has_c {
        lacks.push(Lack::new("C", "headers and start files of the C library", remedy));
    }
    if target.os == "linux" && !has_cxx(host, target, triple) {
        lacks.push(Lack::new("C++", "headers of the C++ library", typed(cxx)).extra());
    }
    lacks
}

/// Headers of the C++ library are per version and target: `/usr/include/aarch64-linux-gnu/c++/12`.
fn has_cxx(host: &dyn Host, target: &Target, triple: &str) -> bool {
    let multiarch = target.platform.as_ref().and_then(Platform::multiarch).unwrap_or_default();
    let root = &target.sysroot;
    let dirs = [
        format!("{root}/usr/include/{multiarch}/c++"),
        format!("/usr/{triple}/include/c++"),
        format!("/{triple}/usr/include/c++"),
    ];
    let own = "/usr/include/c++".to_owned();
    let own = Some(own).filter(|_| !target.is_cross(host));
    dirs.into_iter().chain(own).map(PathBuf::from).any(|dir| !host.list(&dir).is_empty())
}

fn rust(env: &Env, host: &dyn Host, target: &Target) -> Option<Lack> {
    host.program("cargo")?;
    match cargo::missing_library(env, host, target) {
        Ok(None) => None,
        Ok(Some(rust)) => {
            let platform = target.platform.as_ref().map(ToString::to_string).unwrap_or_default();
            let what = format!("the standard library for {rust}");
            Some(Lack::new("Rust", what, format!("TARGETPLATFORM={platform} xx-cargo --setup-target-triple")))
        }
        Err(failure) => Some(Lack::of("Rust", failure).extra()),
    }
}

/// Programs of the target run under QEMU, in tests for example.
fn runner(host: &dyn Host, target: &Target) -> Option<Lack> {
    let qemu = target.platform.as_ref().filter(|_| target.os == "linux" && target.is_cross(host))?.qemu()?;
    let names = [format!("qemu-{qemu}"), format!("qemu-{qemu}-static")];
    if names.iter().any(|name| host.program(name).is_some()) {
        return None;
    }
    let remedy = match target.distro.family {
        Family::Alpine => format!("apk add qemu-{qemu}"),
        Family::Rhel => "dnf install qemu-user-static".to_owned(),
        Family::Debian | Family::Other => "apt-get install qemu-user-static".to_owned(),
    };
    Some(Lack::new("running", format!("qemu-{qemu}"), remedy).extra())
}
