//! Which linker clang is told to use.
//!
//! No linker is ever fetched: without one, the error names the package that brings it.

use std::path::{Path, PathBuf};

use platform_db::{Arch, Os, Platform};

use crate::env::Env;
use crate::host::Host;
use crate::report::Failure;
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
        return Ok(darwin(host));
    }
    let prefer = if env.is_set("XX_CC_PREFER_LINKER") { env.var("XX_CC_PREFER_LINKER") } else { "lld" };
    let arch = platform.map(Platform::arch_id);
    let has_lld = host.program("lld").is_some() || host.program("ld.lld").is_some();
    if prefer == "lld" && has_lld && lld_first(env, arch) && lld_links(host, arch) {
        return Ok(Linker::lld());
    }
    if prefer == "gold"
        && let Some(gold) = prefixed(host, triple, "gold")
    {
        return Ok(Linker { is_bfd: false, ..Linker::bfd(&gold) });
    }
    if let Some(ld) = prefixed(host, triple, "ld") {
        return Ok(Linker::bfd(&ld));
    }
    if let Some(ld) = host.program("ld").filter(|ld| emulates(host, ld, arch)) {
        let path = layout.prefixed(triple, "ld");
        return Ok(Linker { link: Some((ld, path.clone())), ..Linker::bfd(&path) });
    }
    if has_lld && lld_links(host, arch) {
        return Ok(Linker::lld());
    }
    let failure = Failure::new(format!(
        "no suitable linker found for {triple}. Please install lld or ld for your target"
    ));
    Err(failure.hint(format!(
        "on Debian: `apt-get install lld` or `apt-get install binutils-{}`",
        triple.replace('_', "-")
    )))
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
fn lld_first(env: &Env, arch: Option<Arch>) -> bool {
    let static_linker = env.is_set("XX_CC_PREFER_STATIC_LINKER");
    match arch {
        Some(Arch::S390x | Arch::Riscv64) => false,
        Some(Arch::Ppc64le | Arch::I386) => !static_linker,
        _ => true,
    }
}

/// Whether the installed lld knows the architecture. Source: release notes of lld 15, 17 and 18.
fn lld_links(host: &dyn Host, arch: Option<Arch>) -> bool {
    let since = match arch {
        Some(Arch::Riscv64) => 15,
        Some(Arch::Loong64) => 17,
        Some(Arch::S390x) => 18,
        _ => return true,
    };
    let version = host.program("ld.lld").and_then(|lld| host.ask(&lld, &["--version"]));
    version.as_deref().and_then(major).is_some_and(|major| major >= since)
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

/// Asks `ld -V`, whose lines after the first are the emulations it supports.
fn emulates(host: &dyn Host, ld: &Path, arch: Option<Arch>) -> bool {
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
