//! What CMake and Meson want to know of a cross build, as their files.

use std::path::{Path, PathBuf};

use platform_db::{Endian, Platform};

use crate::host::Host;
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::Commands;
use crate::toolchain::layout::Layout;

/// Text of a CMake toolchain file.
///
/// # Errors
/// When the target is not supported.
pub(super) fn cmake(
    target: &Target,
    host: &dyn Host,
    layout: &Layout,
    commands: &Commands,
    sysroot: &str,
) -> Result<String, Failure> {
    let (names, triple) = (target.supported()?, target.c_triple()?);
    let system = match target.os.as_str() {
        "darwin" => "Darwin",
        "windows" => "Windows",
        "freebsd" => "FreeBSD",
        "netbsd" => "NetBSD",
        "openbsd" => "OpenBSD",
        "linux" => "Linux",
        _ => "Generic",
    };
    let mut lines = vec![
        ("CMAKE_SYSTEM_NAME", system.to_owned()),
        ("CMAKE_SYSTEM_PROCESSOR", names.march.clone()),
        ("CMAKE_C_COMPILER", list(&commands.c)),
        ("CMAKE_CXX_COMPILER", list(&commands.cxx)),
        ("CMAKE_ASM_COMPILER", list(&commands.c)),
    ];
    // Others know their target by themselves, zig even more of it than CMake would say.
    if commands.c.iter().any(|word| word.ends_with("clang")) {
        let languages = ["CMAKE_C_COMPILER_TARGET", "CMAKE_CXX_COMPILER_TARGET", "CMAKE_ASM_COMPILER_TARGET"];
        lines.extend(languages.map(|variable| (variable, triple.to_owned())));
    }
    let programs = [
        ("CMAKE_AR", layout.find(host, triple, "ar")),
        ("CMAKE_RANLIB", layout.find(host, triple, "ranlib")),
        ("CMAKE_STRIP", rewriter(target, host, layout, "strip")),
        ("CMAKE_OBJCOPY", rewriter(target, host, layout, "objcopy")),
        ("PKG_CONFIG_EXECUTABLE", layout.pkg_config(host, triple)),
    ];
    for (variable, program) in programs {
        lines.extend(program.map(|path| (variable, path.display().to_string())));
    }
    if sysroot != "/" {
        let root = sysroot.trim_end_matches('/').to_owned();
        lines.push(("CMAKE_SYSROOT", root.clone()));
        lines.push(("CMAKE_FIND_ROOT_PATH", root));
        for (variable, mode) in [
            ("CMAKE_FIND_ROOT_PATH_MODE_PROGRAM", "NEVER"),
            ("CMAKE_FIND_ROOT_PATH_MODE_LIBRARY", "ONLY"),
            ("CMAKE_FIND_ROOT_PATH_MODE_INCLUDE", "ONLY"),
            ("CMAKE_FIND_ROOT_PATH_MODE_PACKAGE", "ONLY"),
        ] {
            lines.push((variable, mode.to_owned()));
        }
    }
    if !sysroot.starts_with(&format!("/{triple}"))
        && let Some(multiarch) = target.platform.as_ref().and_then(Platform::multiarch)
    {
        lines.push(("CMAKE_LIBRARY_ARCHITECTURE", multiarch));
    }
    if let Some(emulator) = emulator(target, host) {
        lines.push(("CMAKE_CROSSCOMPILING_EMULATOR", list(&emulator)));
    }
    Ok(lines.iter().map(|(name, value)| format!("set({name} \"{value}\")\n")).collect())
}

/// A program that rewrites object files, which the build machine's own does not do with foreign ones: with the target's
/// prefix, or, where nothing was set up, by the name that reads the target from the environment.
fn rewriter(target: &Target, host: &dyn Host, layout: &Layout, tool: &str) -> Option<PathBuf> {
    let prefixed = layout.find(host, target.triple()?, tool);
    prefixed.or_else(|| host.program(&format!("xx-{tool}")).filter(|_| target.is_cross(host)))
}

fn list(words: &[String]) -> String {
    words.join(";")
}

/// QEMU with the folder of the target's dynamic linker, where programs of the target do not just run.
fn emulator(target: &Target, host: &dyn Host) -> Option<Vec<String>> {
    let qemu = target.platform.as_ref().filter(|_| target.is_cross(host))?.qemu()?;
    let names = [format!("qemu-{qemu}"), format!("qemu-{qemu}-static")];
    let program = names.iter().find_map(|name| host.program(name))?.display().to_string();
    let prefix = target.ld_prefix(host);
    let linker = target.dynamic_linker()?;
    if !host.is_file(Path::new(&format!("{}{linker}", prefix.as_deref().unwrap_or_default()))) {
        // Programs that a build system tries would not start, which it takes for a broken compiler.
        host.why(format_args!("emulator: left out, the target's dynamic linker {linker} is not installed"));
        return None;
    }
    let folder = prefix.into_iter().flat_map(|root| ["-L".to_owned(), root]);
    Some(std::iter::once(program).chain(folder).collect())
}

/// Text of a Meson cross file.
///
/// # Errors
/// When the target is not supported.
pub(super) fn meson(
    target: &Target,
    host: &dyn Host,
    layout: &Layout,
    commands: &Commands,
    sysroot: &str,
) -> Result<String, Failure> {
    let (names, triple) = (target.supported()?, target.c_triple()?);
    let platform = target.known()?;
    let array = |words: &[String]| {
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        format!("[{}]", quoted.join(", "))
    };
    let mut text = format!("[binaries]\nc = {}\ncpp = {}\n", array(&commands.c), array(&commands.cxx));
    let programs = [
        ("ar", layout.find(host, triple, "ar")),
        ("strip", rewriter(target, host, layout, "strip")),
        ("pkg-config", layout.pkg_config(host, triple)),
    ];
    for (tool, program) in programs {
        if let Some(path) = program {
            text.push_str(&format!("{tool} = '{}'\n", path.display()));
        }
    }
    if let Some(emulator) = emulator(target, host) {
        text.push_str(&format!("exe_wrapper = {}\n", array(&emulator)));
    }
    if sysroot != "/" {
        text.push_str(&format!("\n[properties]\nsys_root = '{}'\n", sysroot.trim_end_matches('/')));
    }
    let endian = match platform.arch_id().facts().endian {
        Endian::Little => "little",
        Endian::Big => "big",
    };
    text.push_str(&format!(
        "\n[host_machine]\nsystem = '{}'\ncpu_family = '{}'\ncpu = '{}'\nendian = '{endian}'\n",
        target.os,
        meson_family(platform),
        names.march
    ));
    Ok(text)
}

/// Source: Meson's reference table of CPU families.
fn meson_family(platform: &Platform) -> &'static str {
    match platform.arch() {
        "386" => "x86",
        "amd64" => "x86_64",
        "arm64" | "arm64be" => "aarch64",
        "loong64" => "loongarch64",
        "mips" | "mipsle" => "mips",
        "mips64" | "mips64le" => "mips64",
        "ppc64" | "ppc64le" => "ppc64",
        "riscv" => "riscv32",
        "wasm" => "wasm32",
        other => other,
    }
}
