//! Which linker clang is told to use.
//!
//! No linker is ever fetched: without one, the error names the package that brings it.

use std::path::{Path, PathBuf};

use platform_db::{Arch, Os, Platform};

use crate::distro::Family;
use crate::env::Env;
use crate::host::Host;
use crate::report::Failure;
use crate::toolchain::family;
use crate::toolchain::layout::Layout;

/// The choice, and what has to be done for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linker {
    /// What follows `-fuse-ld=`.
    pub name: String,
    /// Whether it is GNU ld, which needs to be told where transitive libraries are.
    pub is_bfd: bool,
    /// A link to make first: the build machine's `ld` under the target's prefix.
    pub link: Option<(PathBuf, PathBuf)>,
    /// A line for the user.
    pub note: Option<String>,
}

impl Linker {
    fn lld() -> Self {
        Self { name: "lld".to_owned(), is_bfd: false, link: None, note: None }
    }

    fn bfd(path: &Path) -> Self {
        Self { name: path.display().to_string(), is_bfd: true, link: None, note: None }
    }
}

/// Chooses the linker of a target.
///
/// # Errors
/// When none that knows the target is installed.
pub fn choose(
    env: &Env,
    host: &dyn Host,
    layout: &Layout,
    triple: &str,
    platform: Option<&Platform>,
) -> Result<Linker, Failure> {
    if platform.is_some_and(|platform| platform.os_id() == Os::Darwin) {
        let linker = darwin(host);
        host.why(format_args!("linker of {triple}: {}, Apple's for Darwin", linker.name));
        return Ok(linker);
    }
    let prefer = if env.is_set("XX_CC_PREFER_LINKER") { env.var("XX_CC_PREFER_LINKER") } else { "lld" };
    let because = |linker: Linker, why: &str| {
        host.why(format_args!("linker of {triple}: {}, {why}", linker.name));
        Ok(linker)
    };
    let has_lld = host.program("lld").is_some() || host.program("ld.lld").is_some();
    if prefer == "lld" && has_lld && lld_first(env, platform) && lld_links(host, platform) {
        return because(Linker::lld(), "preferred, and it says that it links for the target");
    }
    let note = match prefer {
        "lld" | "gold" | "ld" => None,
        other if host.program(&format!("ld.{other}")).is_some() => {
            return because(Linker { name: other.to_owned(), ..Linker::lld() }, "XX_CC_PREFER_LINKER");
        }
        other => Some(format!("note: XX_CC_PREFER_LINKER={other}: no ld.{other} on PATH, another is taken")),
    };
    let because = |linker: Linker, why: &str| because(Linker { note: note.clone(), ..linker }, why);
    if prefer == "gold"
        && let Some(gold) = prefixed(host, triple, "gold")
    {
        return because(Linker { is_bfd: false, ..Linker::bfd(&gold) }, "XX_CC_PREFER_LINKER");
    }
    if let Some(ld) = prefixed(host, triple, "ld") {
        return because(Linker::bfd(&ld), "the target's own GNU ld");
    }
    if let Some(ld) = host.program("ld").filter(|ld| emulates(host, ld, platform)) {
        let path = layout.prefixed(triple, "ld");
        let linker = Linker { link: Some((ld, path.clone())), ..Linker::bfd(&path) };
        return because(linker, "the build machine's ld, which lists the target's emulation");
    }
    if has_lld && lld_links(host, platform) {
        return because(Linker::lld(), "no GNU ld links for the target, and lld says that it does");
    }
    let failure = Failure::new(format!(
        "no suitable linker found for {triple}. Please install lld or ld for your target"
    ));
    let family = family(host);
    Err(failure.hint(match family {
        Family::Debian => {
            let binutils = format!("binutils-{}", triple.replace('_', "-"));
            format!("{} or {}", family.install("lld"), family.install(&binutils))
        }
        Family::Alpine | Family::Rhel | Family::Other => family.install("lld"),
    }))
}

/// Apple's linker, signed or not. Without it the configuration is written all the same, as Go needs only that.
fn darwin(host: &dyn Host) -> Linker {
    let linker = |name: String, note| Linker { name, is_bfd: false, link: None, note };
    if let Some(path) = host.program("ld64.signed") {
        return linker(path.display().to_string(), None);
    }
    let missing = host.program("ld64").is_none();
    linker("ld64".to_owned(), missing.then(|| "error: building for darwin requires ld64 linker".to_owned()))
}

/// GNU ld is the first choice for these, as in the original: s390x and riscv64 always, ppc64le and 386 on demand
/// for static programs.
fn lld_first(env: &Env, platform: Option<&Platform>) -> bool {
    let static_linker = env.is_set("XX_CC_PREFER_STATIC_LINKER");
    match platform.map(Platform::arch_id) {
        Some(Arch::S390x | Arch::Riscv64) => false,
        Some(Arch::Ppc64le | Arch::I386) => !static_linker,
        _ => true,
    }
}

/// Asks lld whether it links for the target: it is given the emulation, and an empty file that it has to make an
/// object of. Other object formats than ELF are taken for granted, as is an lld that cannot be asked.
fn lld_links(host: &dyn Host, platform: Option<&Platform>) -> bool {
    let is_elf = |platform: &&Platform| !matches!(platform.os_id(), Os::Windows | Os::Darwin | Os::Uefi);
    let arch = platform.filter(is_elf).map(Platform::arch_id);
    let Some(emulation) = arch.and_then(emulation) else { return true };
    let Some(lld) = host.program("ld.lld") else {
        return arch != Some(Arch::Riscv64) && arch != Some(Arch::S390x);
    };
    let asks = ["-m", emulation, "-r", "-b", "binary", "-o", "/dev/null", "/dev/null"];
    if host.ask(&lld, &asks).is_none() {
        host.why(format_args!("lld: says that it does not know the emulation {emulation}"));
        return false;
    }
    // Before version 15 it takes the emulation, and fails on what compilers make by default (R_RISCV_ALIGN).
    let version = || host.ask(&lld, &["--version"]).as_deref().and_then(major);
    arch != Some(Arch::Riscv64) || version().is_some_and(|major| major >= 15)
}

/// `Debian LLD 14.0.6 (compatible with GNU linkers)` is 14.
fn major(version: &str) -> Option<u32> {
    let mut words = version.split_ascii_whitespace().skip_while(|word| *word != "LLD");
    words.nth(1)?.split('.').next()?.parse().ok()
}

/// `TRIPLE-ld` on PATH, or `/TRIPLE/bin/ld` as Alpine has it.
fn prefixed(host: &dyn Host, triple: &str, name: &str) -> Option<PathBuf> {
    let in_root = PathBuf::from(format!("/{triple}/bin/{name}"));
    host.program(&format!("{triple}-{name}")).or_else(|| Some(in_root).filter(|path| host.is_file(path)))
}

/// Returns whether the build machine's own binutils read and write objects of the target, as Debian's binutils-multiarch
/// do. Source: binutils' `ld`, which is of the same build and lists its emulations.
pub(crate) fn own_binutils_know(host: &dyn Host, platform: Option<&Platform>) -> bool {
    host.program("ld").is_some_and(|ld| emulates(host, &ld, platform))
}

/// Asks `ld -V`, whose lines after the first are the emulations it supports.
fn emulates(host: &dyn Host, ld: &Path, platform: Option<&Platform>) -> bool {
    let arch = platform.filter(|platform| platform.os_id() == Os::Linux).map(Platform::arch_id);
    let Some(wanted) = arch.and_then(emulation) else { return false };
    let answer = host.ask(ld, &["-V"]).unwrap_or_default();
    answer.lines().skip(1).any(|line| line.trim() == wanted)
}

/// Names of GNU ld's Linux emulations. Source: binutils `ld/configure.tgt`.
const fn emulation(arch: Arch) -> Option<&'static str> {
    match arch {
        Arch::I386 => Some("elf_i386"),
        Arch::Alpha => Some("elf64alpha"),
        Arch::Amd64 => Some("elf_x86_64"),
        Arch::Amd64p32 => Some("elf32_x86_64"),
        Arch::Arc => Some("arclinux"),
        Arch::Arm => Some("armelf_linux_eabi"),
        Arch::Arm64 => Some("aarch64linux"),
        Arch::Arm64be => Some("aarch64linuxb"),
        Arch::Arm64p32 => Some("aarch64linux32"),
        Arch::Arm64p32be => Some("aarch64linux32b"),
        Arch::Armbe => Some("armelfb_linux_eabi"),
        Arch::Cris => Some("crislinux"),
        Arch::Csky => Some("cskyelf_linux"),
        Arch::Hppa => Some("hppalinux"),
        Arch::Ia64 => Some("elf64_ia64"),
        Arch::Loong32 => Some("elf32loongarch"),
        Arch::Loong64 => Some("elf64loongarch"),
        Arch::M32r => Some("m32relf_linux"),
        Arch::M68k => Some("m68kelf"),
        Arch::Microblaze => Some("elf32mb_linux"),
        Arch::Microblazeel => Some("elf32mbel_linux"),
        Arch::Mips => Some("elf32btsmip"),
        Arch::Mips64 => Some("elf64btsmip"),
        Arch::Mips64le => Some("elf64ltsmip"),
        Arch::Mips64p32 => Some("elf32btsmipn32"),
        Arch::Mips64p32le => Some("elf32ltsmipn32"),
        Arch::Mipsle => Some("elf32ltsmip"),
        Arch::Nios2 => Some("nios2linux"),
        Arch::Or1k => Some("elf32or1k_linux"),
        Arch::Ppc => Some("elf32ppclinux"),
        Arch::Ppc64 => Some("elf64ppc"),
        Arch::Ppc64le => Some("elf64lppc"),
        Arch::Ppcle => Some("elf32lppclinux"),
        Arch::Riscv => Some("elf32lriscv"),
        Arch::Riscv64 => Some("elf64lriscv"),
        Arch::S390 => Some("elf_s390"),
        Arch::S390x => Some("elf64_s390"),
        Arch::Sparc => Some("elf32_sparc"),
        Arch::Sparc64 => Some("elf64_sparc"),
        Arch::Tilegx => Some("elf64tilegx"),
        Arch::Xtensa => Some("elf32xtensa"),
        Arch::Sh3 | Arch::Sh4 => Some("shlelf_linux"),
        Arch::Sh3be | Arch::Sh4be => Some("shelf_linux"),
        Arch::Amdgcn
        | Arch::Avr
        | Arch::Avr32
        | Arch::Bpf
        | Arch::Bpfbe
        | Arch::Hexagon
        | Arch::Msp430
        | Arch::Nvptx64
        | Arch::Wasm
        | Arch::Wasm64
        | Arch::Xtensabe => None,
    }
}
