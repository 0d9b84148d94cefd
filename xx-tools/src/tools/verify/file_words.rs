//! Matches a description in the words of file(1), as the original does.
//!
//! Only for `XX_VERIFY_FILE_CMD_OUTPUT`: what file(1) prints changes between its versions, so nothing else is
//! decided from it.

/// Holds a description against a target. The error is the line to print.
pub(super) fn check(file: &str, words: &str, os: &str, arch: &str, static_only: bool) -> Result<(), String> {
    let wrong_os = || Err(format!("file {file} does not match expected target OS {os}: {words}"));
    let Some((format, own)) = os_words(os) else { return Err(format!("unsupported target os {os}")) };
    let foreign = os == "linux" && ["FreeBSD", "NetBSD", "OpenBSD"].iter().any(|bsd| words.contains(bsd));
    if !words.contains(format) || own.is_some_and(|own| !words.contains(own)) || foreign {
        return wrong_os();
    }
    let Some((names, order)) = arch_words(os, arch) else {
        return Err(format!("unsupported target architecture {arch} for xx-verify"));
    };
    if !names.iter().any(|name| words.contains(name)) {
        return Err(format!("file {file} does not match expected target architecture {arch}: {words}"));
    }
    if order.is_some_and(|order| !words.contains(order)) {
        return Err(format!("file {file} does not match expected endianness for {arch}: {words}"));
    }
    let linked = ["statically linked", "static-pie"].iter().any(|word| words.contains(word))
        || (words.contains(" pie ") && !words.contains(", interpreter "));
    if static_only && matches!(os, "linux" | "freebsd") && !linked {
        return Err(format!("file {file} is not statically linked: {words}"));
    }
    Ok(())
}

/// The word of the object format, and of the system itself where file(1) prints one.
fn os_words(os: &str) -> Option<(&'static str, Option<&'static str>)> {
    Some(match os {
        "linux" => ("ELF", None),
        "freebsd" => ("ELF", Some("(FreeBSD)")),
        "netbsd" => ("ELF", Some("(NetBSD)")),
        "openbsd" => ("ELF", Some("(OpenBSD)")),
        "darwin" => ("Mach-O", None),
        "windows" => ("MS Windows", None),
        _ => return None,
    })
}

const LSB32: Option<&str> = Some("32-bit LSB");
const MSB32: Option<&str> = Some("32-bit MSB");
const LSB64: Option<&str> = Some("64-bit LSB");
const MSB64: Option<&str> = Some("64-bit MSB");

/// The words of the architecture, and of its size and byte order.
fn arch_words(os: &str, arch: &str) -> Option<(&'static [&'static str], Option<&'static str>)> {
    Some(match (arch, os) {
        ("arm64", "darwin") => (&["arm64"], None),
        ("arm64", "windows") => (&["ARM64", "Aarch64"], None),
        ("arm64", _) => (&["ARM aarch64"], LSB64),
        ("amd64", "darwin") => (&["x86_64"], None),
        ("amd64", "windows") => (&["x86-64"], None),
        ("amd64", _) => (&["x86-64"], LSB64),
        ("arm", "windows") => (&["ARMv7"], None),
        ("arm", _) => (&["ARM,"], LSB32),
        ("armbe", _) => (&["ARM,"], MSB32),
        ("arm64be", _) => (&["ARM aarch64"], MSB64),
        ("riscv64", _) => (&["RISC-V"], LSB64),
        ("ppc64le", _) => (&["64-bit PowerPC"], LSB64),
        ("ppc64", _) => (&["64-bit PowerPC"], MSB64),
        ("s390x", _) => (&["IBM S/390"], MSB64),
        ("loong64", _) => (&["LoongArch"], LSB64),
        ("mips", _) => (&["MIPS"], MSB32),
        ("mipsle", _) => (&["MIPS"], LSB32),
        ("mips64", _) => (&["MIPS"], MSB64),
        ("mips64le", _) => (&["MIPS"], LSB64),
        ("386", "windows") => (&["Intel i386", "Intel 80386"], None),
        ("386", _) => (&["Intel i386", "Intel 80386"], LSB32),
        _ => return None,
    })
}
