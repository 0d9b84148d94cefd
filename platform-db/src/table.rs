//! The table: one row per platform whose names differ, every column filled or `NO`.
//!
//! Variants that change no name (amd64 v2 to v4, arm v8, arm64 v8.x, soft float) share the row of the one below. What
//! Rust and Zig call a platform depends on the C library too and stands in `rust.rs` and `zig.rs`; names that only
//! package formats use stand in `ecosystems.rs`.
//!
//! Sources: `go` is `go tool dist list`; `uname` is `UTS_MACHINE` of each kernel; `debian` and the GNU words are
//! dpkg's cputable, ostable and tupletable; `alpine` is apk-tools' `apk_arch.h`; `rpm` is rpm's `rpmrc`; `qemu` is the
//! suffix of QEMU's user-mode programs. `uname` and `alpine` of little-endian MIPS are the original xx's (`mipsle`).
//! `tests/sources.rs` holds each column but `uname` against its source.

use crate::arch::Arch;
use crate::os::Os;
use crate::variant::Variant;

/// The words of a GNU target triple that depend on the platform: `cpu[-vendor]-linux-LIBCabi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GnuWords<'w> {
    /// First word: `arm`.
    pub cpu: &'w str,
    /// What follows the libc's name in the last word: `eabihf`, or nothing.
    pub abi: &'w str,
}

/// Whether Go builds for the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Go {
    Go,
    No,
}

/// Names of one platform.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) os: Os,
    pub(crate) arch: Arch,
    pub(crate) variant: Variant,
    pub(crate) go: bool,
    pub(crate) uname: Option<&'static str>,
    pub(crate) debian: Option<&'static str>,
    pub(crate) alpine: Option<&'static str>,
    pub(crate) rpm: Option<&'static str>,
    pub(crate) qemu: Option<&'static str>,
    /// GNU words with glibc, or on a distribution other than Alpine.
    pub(crate) gnu: Option<GnuWords<'static>>,
    /// GNU words of Alpine's own toolchain.
    pub(crate) alpine_gnu: Option<GnuWords<'static>>,
}

const fn row(
    os: Os,
    arch: Arch,
    variant: Variant,
    go: Go,
    [uname, debian, alpine, rpm, qemu]: [Option<&'static str>; 5],
    gnu: Option<GnuWords<'static>>,
    alpine_gnu: Option<GnuWords<'static>>,
) -> Row {
    let go = matches!(go, Go::Go);
    Row { os, arch, variant, go, uname, debian, alpine, rpm, qemu, gnu, alpine_gnu }
}

const fn is(name: &'static str) -> Option<&'static str> {
    Some(name)
}

/// The tool has no name for the platform.
const NO: Option<&'static str> = None;

const fn gnu(cpu: &'static str, abi: &'static str) -> Option<GnuWords<'static>> {
    Some(GnuWords { cpu, abi })
}

use Arch::{
    Alpha, Amd64, Amd64p32, Amdgcn, Arc, Arm, Arm64, Arm64be, Arm64p32, Arm64p32be, Armbe, Avr, Avr32, Bpf,
    Bpfbe, Cris, Csky, Hexagon, Hppa, I386, Ia64, Loong32, Loong64, M32r, M68k, Microblaze, Microblazeel,
    Mips, Mips64, Mips64le, Mips64p32, Mips64p32le, Mipsle, Msp430, Nios2, Nvptx64, Or1k, Ppc, Ppc64,
    Ppc64le, Ppcle, Riscv, Riscv64, S390, S390x, Sh3, Sh3be, Sh4, Sh4be, Sparc, Sparc64, Tilegx, Wasm,
    Wasm64, Xtensa, Xtensabe,
};
use Go::{Go as GoYes, No};
use Variant::{Base, R6, Spe, V5, V6, V7};

/// All rows, sorted by system, architecture and variant. A static, so that a program holds one copy.
#[rustfmt::skip]
pub(crate) static ROWS: &[Row] = &[
    // system, architecture, variant, Go, [uname -m, Debian, Alpine, RPM, QEMU], GNU words, GNU words on Alpine
    row(Os::Aix, Ppc64, Base, GoYes, [NO, is("aix-ppc64"), NO, NO, NO], None, None),
    row(Os::Amdhsa, Amdgcn, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Android, I386, Base, GoYes, [is("i686"), NO, NO, NO, NO], None, None),
    row(Os::Android, Amd64, Base, GoYes, [is("x86_64"), NO, NO, NO, NO], None, None),
    row(Os::Android, Arm, V5, GoYes, [is("armv5tel"), NO, NO, NO, NO], None, None),
    row(Os::Android, Arm, V6, GoYes, [is("armv6l"), NO, NO, NO, NO], None, None),
    row(Os::Android, Arm, V7, GoYes, [is("armv7l"), NO, NO, NO, NO], None, None),
    row(Os::Android, Arm64, Base, GoYes, [is("aarch64"), NO, NO, NO, NO], None, None),
    row(Os::Android, Riscv64, Base, No, [is("riscv64"), NO, NO, NO, NO], None, None),
    row(Os::Cuda, Nvptx64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Cygwin, I386, Base, No, [is("i686"), NO, NO, NO, NO], None, None),
    row(Os::Cygwin, Amd64, Base, No, [is("x86_64"), NO, NO, NO, NO], None, None),
    row(Os::Darwin, I386, Base, No, [is("i386"), is("darwin-i386"), NO, NO, NO], None, None),
    row(Os::Darwin, Amd64, Base, GoYes, [is("x86_64"), is("darwin-amd64"), NO, NO, NO], None, None),
    row(Os::Darwin, Arm64, Base, GoYes, [is("arm64"), is("darwin-arm64"), NO, NO, NO], None, None),
    row(Os::Dragonfly, Amd64, Base, GoYes, [is("x86_64"), is("dragonflybsd-amd64"), NO, NO, NO], None, None),
    row(Os::Emscripten, Wasm, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Emscripten, Wasm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Espidf, Riscv, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Espidf, Xtensa, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Freebsd, I386, Base, GoYes, [is("i386"), is("freebsd-i386"), NO, NO, NO], None, None),
    row(Os::Freebsd, Amd64, Base, GoYes, [is("amd64"), is("freebsd-amd64"), NO, NO, NO], None, None),
    row(Os::Freebsd, Arm, V5, GoYes, [is("arm"), is("freebsd-arm"), NO, NO, NO], None, None),
    row(Os::Freebsd, Arm, V6, GoYes, [is("arm"), is("freebsd-arm"), NO, NO, NO], None, None),
    row(Os::Freebsd, Arm, V7, GoYes, [is("arm"), is("freebsd-arm"), NO, NO, NO], None, None),
    row(Os::Freebsd, Arm64, Base, GoYes, [is("arm64"), is("freebsd-arm64"), NO, NO, NO], None, None),
    row(Os::Freebsd, Ppc, Base, No, [is("powerpc"), is("freebsd-powerpc"), NO, NO, NO], None, None),
    row(Os::Freebsd, Ppc64, Base, No, [is("powerpc"), is("freebsd-ppc64"), NO, NO, NO], None, None),
    row(Os::Freebsd, Ppc64le, Base, No, [is("powerpc"), is("freebsd-ppc64el"), NO, NO, NO], None, None),
    row(Os::Freebsd, Riscv64, Base, No, [is("riscv"), is("freebsd-riscv64"), NO, NO, NO], None, None),
    row(Os::Fuchsia, Amd64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Fuchsia, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Fuchsia, Riscv64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Haiku, I386, Base, No, [is("BePC"), NO, NO, NO, NO], None, None),
    row(Os::Haiku, Amd64, Base, No, [is("x86_64"), NO, NO, NO, NO], None, None),
    row(Os::Helenos, I386, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Helenos, Amd64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Helenos, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Helenos, Ppc, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Helenos, Sparc64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Hermit, Amd64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Hermit, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Hermit, Arm64be, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Hermit, Riscv64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Horizon, Arm, V6, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Horizon, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Hurd, I386, Base, No, [is("i686-AT386"), is("hurd-i386"), NO, NO, NO], None, None),
    row(Os::Hurd, Amd64, Base, No, [is("x86_64"), is("hurd-amd64"), NO, NO, NO], None, None),
    row(Os::Illumos, Amd64, Base, GoYes, [is("i86pc"), NO, NO, NO, NO], None, None),
    row(Os::Illumos, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Ios, I386, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Ios, Amd64, Base, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Ios, Arm, V7, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Ios, Arm64, Base, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Js, Wasm, Base, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Kfreebsd, I386, Base, No, [is("i686"), is("kfreebsd-i386"), NO, NO, NO], None, None),
    row(Os::Kfreebsd, Amd64, Base, No, [is("x86_64"), is("kfreebsd-amd64"), NO, NO, NO], None, None),
    row(Os::L4re, Amd64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Linux, I386, Base, GoYes, [is("i386"), is("i386"), is("x86"), is("i386"), is("i386")], gnu("i686", ""), gnu("i586", "")),
    row(Os::Linux, Alpha, Base, No, [is("alpha"), is("alpha"), NO, is("alpha"), is("alpha")], gnu("alpha", ""), None),
    row(Os::Linux, Amd64, Base, GoYes, [is("x86_64"), is("amd64"), is("x86_64"), is("x86_64"), is("x86_64")], gnu("x86_64", ""), gnu("x86_64", "")),
    row(Os::Linux, Amd64p32, Base, No, [is("x86_64"), is("x32"), NO, NO, NO], gnu("x86_64", "x32"), None),
    row(Os::Linux, Arc, Base, No, [is("arc"), is("arc"), is("archs"), NO, NO], gnu("arc", ""), None),
    row(Os::Linux, Arm, V5, GoYes, [is("armv5l"), is("armel"), is("armel"), is("armv5tel"), is("arm")], gnu("arm", "eabi"), gnu("armv5", "eabi")),
    row(Os::Linux, Arm, V6, GoYes, [is("armv6l"), is("armel"), is("armhf"), is("armv6hl"), is("arm")], gnu("arm", "eabi"), gnu("armv6", "eabihf")),
    row(Os::Linux, Arm, V7, GoYes, [is("armv7l"), is("armhf"), is("armv7"), is("armv7hl"), is("arm")], gnu("arm", "eabihf"), gnu("armv7", "eabihf")),
    row(Os::Linux, Arm64, Base, GoYes, [is("aarch64"), is("arm64"), is("aarch64"), is("aarch64"), is("aarch64")], gnu("aarch64", ""), gnu("aarch64", "")),
    row(Os::Linux, Arm64be, Base, No, [is("aarch64_be"), NO, is("aarch64_be"), NO, is("aarch64_be")], gnu("aarch64_be", ""), None),
    row(Os::Linux, Arm64p32, Base, No, [is("aarch64"), is("arm64ilp32"), NO, NO, NO], gnu("aarch64", "_ilp32"), None),
    row(Os::Linux, Arm64p32be, Base, No, [is("aarch64_be"), NO, NO, NO, NO], gnu("aarch64_be", "_ilp32"), None),
    row(Os::Linux, Armbe, Base, No, [is("armv7b"), is("armeb"), is("armeb"), NO, is("armeb")], gnu("armeb", ""), None),
    row(Os::Linux, Avr32, Base, No, [is("avr32"), is("avr32"), NO, NO, NO], gnu("avr32", ""), None),
    row(Os::Linux, Cris, Base, No, [is("cris"), NO, NO, NO, is("cris")], gnu("cris", ""), None),
    row(Os::Linux, Csky, Base, No, [is("csky"), NO, NO, NO, NO], gnu("csky", "abiv2hf"), None),
    row(Os::Linux, Hexagon, Base, No, [is("hexagon"), NO, NO, NO, is("hexagon")], gnu("hexagon", ""), None),
    row(Os::Linux, Hppa, Base, No, [is("parisc"), is("hppa"), NO, NO, is("hppa")], gnu("hppa", ""), None),
    row(Os::Linux, Ia64, Base, No, [is("ia64"), is("ia64"), NO, is("ia64"), NO], gnu("ia64", ""), None),
    row(Os::Linux, Loong32, Base, No, [is("loongarch32"), NO, is("loongarch32"), NO, NO], gnu("loongarch32", ""), None),
    row(Os::Linux, Loong64, Base, GoYes, [is("loongarch64"), is("loong64"), is("loongarch64"), is("loongarch64"), is("loongarch64")], gnu("loongarch64", ""), gnu("loongarch64", "")),
    row(Os::Linux, M32r, Base, No, [is("m32r"), is("m32r"), NO, NO, NO], gnu("m32r", ""), None),
    row(Os::Linux, M68k, Base, No, [is("m68k"), is("m68k"), is("m68k"), is("m68k"), is("m68k")], gnu("m68k", ""), None),
    row(Os::Linux, Microblaze, Base, No, [is("microblaze"), NO, NO, NO, is("microblaze")], gnu("microblaze", ""), None),
    row(Os::Linux, Microblazeel, Base, No, [is("microblaze"), NO, NO, NO, is("microblazeel")], gnu("microblazeel", ""), None),
    row(Os::Linux, Mips, Base, GoYes, [is("mips"), is("mips"), is("mips"), is("mips"), is("mips")], gnu("mips", ""), gnu("mips", "")),
    row(Os::Linux, Mips, R6, No, [is("mips"), is("mipsr6"), NO, is("mipsr6"), is("mips")], gnu("mipsisa32r6", ""), None),
    row(Os::Linux, Mips64, Base, GoYes, [is("mips64"), is("mips64"), is("mips64"), is("mips64"), is("mips64")], gnu("mips64", "abi64"), gnu("mips64", "abi64")),
    row(Os::Linux, Mips64, R6, No, [is("mips64"), is("mips64r6"), NO, is("mips64r6"), is("mips64")], gnu("mipsisa64r6", "abi64"), None),
    row(Os::Linux, Mips64le, Base, GoYes, [is("mips64le"), is("mips64el"), is("mips64le"), is("mips64el"), is("mips64el")], gnu("mips64el", "abi64"), gnu("mips64el", "abi64")),
    row(Os::Linux, Mips64le, R6, No, [is("mips64le"), is("mips64r6el"), NO, is("mips64r6el"), is("mips64el")], gnu("mipsisa64r6el", "abi64"), None),
    row(Os::Linux, Mips64p32, Base, No, [is("mips64"), is("mipsn32"), NO, NO, is("mipsn32")], gnu("mips64", "abin32"), None),
    row(Os::Linux, Mips64p32, R6, No, [is("mips64"), is("mipsn32r6"), NO, NO, is("mipsn32")], gnu("mipsisa64r6", "abin32"), None),
    row(Os::Linux, Mips64p32le, Base, No, [is("mips64le"), is("mipsn32el"), NO, NO, is("mipsn32el")], gnu("mips64el", "abin32"), None),
    row(Os::Linux, Mips64p32le, R6, No, [is("mips64le"), is("mipsn32r6el"), NO, NO, is("mipsn32el")], gnu("mipsisa64r6el", "abin32"), None),
    row(Os::Linux, Mipsle, Base, GoYes, [is("mipsle"), is("mipsel"), is("mipsle"), is("mipsel"), is("mipsel")], gnu("mipsel", ""), gnu("mipsel", "")),
    row(Os::Linux, Mipsle, R6, No, [is("mipsle"), is("mipsr6el"), NO, is("mipsr6el"), is("mipsel")], gnu("mipsisa32r6el", ""), None),
    row(Os::Linux, Nios2, Base, No, [is("nios2"), is("nios2"), NO, NO, is("nios2")], gnu("nios2", ""), None),
    row(Os::Linux, Or1k, Base, No, [is("openrisc"), is("or1k"), NO, NO, is("or1k")], gnu("or1k", ""), None),
    row(Os::Linux, Ppc, Base, No, [is("ppc"), is("powerpc"), is("ppc"), is("ppc"), is("ppc")], gnu("powerpc", ""), gnu("powerpc", "")),
    row(Os::Linux, Ppc, Spe, No, [is("ppc"), is("powerpcspe"), NO, NO, is("ppc")], gnu("powerpc", "spe"), None),
    row(Os::Linux, Ppc64, Base, GoYes, [is("ppc64"), is("ppc64"), is("ppc64"), is("ppc64"), is("ppc64")], gnu("powerpc64", ""), gnu("powerpc64", "")),
    row(Os::Linux, Ppc64le, Base, GoYes, [is("ppc64le"), is("ppc64el"), is("ppc64le"), is("ppc64le"), is("ppc64le")], gnu("powerpc64le", ""), gnu("powerpc64le", "")),
    row(Os::Linux, Ppcle, Base, No, [is("ppcle"), is("powerpcel"), NO, NO, NO], gnu("powerpcle", ""), None),
    row(Os::Linux, Riscv, Base, No, [is("riscv32"), NO, is("riscv32"), NO, is("riscv32")], gnu("riscv32", ""), None),
    row(Os::Linux, Riscv64, Base, GoYes, [is("riscv64"), is("riscv64"), is("riscv64"), is("riscv64"), is("riscv64")], gnu("riscv64", ""), gnu("riscv64", "")),
    row(Os::Linux, S390, Base, No, [is("s390"), is("s390"), NO, is("s390"), NO], gnu("s390", ""), None),
    row(Os::Linux, S390x, Base, GoYes, [is("s390x"), is("s390x"), is("s390x"), is("s390x"), is("s390x")], gnu("s390x", ""), gnu("s390x", "")),
    row(Os::Linux, Sh3, Base, No, [is("sh3"), is("sh3"), is("sh3"), is("sh3"), NO], gnu("sh3", ""), None),
    row(Os::Linux, Sh3be, Base, No, [is("sh3eb"), is("sh3eb"), NO, NO, NO], gnu("sh3eb", ""), None),
    row(Os::Linux, Sh4, Base, No, [is("sh4"), is("sh4"), is("sh4"), is("sh4"), is("sh4")], gnu("sh4", ""), None),
    row(Os::Linux, Sh4be, Base, No, [is("sh4eb"), is("sh4eb"), NO, NO, is("sh4eb")], gnu("sh4eb", ""), None),
    row(Os::Linux, Sparc, Base, No, [is("sparc"), is("sparc"), NO, is("sparc"), is("sparc")], gnu("sparc", ""), None),
    row(Os::Linux, Sparc64, Base, No, [is("sparc64"), is("sparc64"), NO, is("sparc64"), is("sparc64")], gnu("sparc64", ""), None),
    row(Os::Linux, Tilegx, Base, No, [is("tilegx"), is("tilegx"), NO, NO, NO], gnu("tilegx", ""), None),
    row(Os::Linux, Xtensa, Base, No, [is("xtensa"), NO, NO, is("xtensa"), is("xtensa")], gnu("xtensa", ""), None),
    row(Os::Linux, Xtensabe, Base, No, [is("xtensa"), NO, NO, NO, is("xtensaeb")], gnu("xtensaeb", ""), None),
    row(Os::Lynxos178, Amd64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Managarm, Amd64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Managarm, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Managarm, Riscv64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Mint, M68k, Base, No, [is("m68k"), is("mint-m68k"), NO, is("m68kmint"), NO], None, None),
    row(Os::Motor, Amd64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Nacl, I386, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Nacl, Amd64p32, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Nacl, Arm, V7, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Netbsd, I386, Base, GoYes, [is("i386"), is("netbsd-i386"), NO, NO, NO], None, None),
    row(Os::Netbsd, Amd64, Base, GoYes, [is("amd64"), is("netbsd-amd64"), NO, NO, NO], None, None),
    row(Os::Netbsd, Arm, V5, GoYes, [NO, is("netbsd-arm"), NO, NO, NO], None, None),
    row(Os::Netbsd, Arm, V6, GoYes, [NO, is("netbsd-arm"), NO, NO, NO], None, None),
    row(Os::Netbsd, Arm, V7, GoYes, [NO, is("netbsd-arm"), NO, NO, NO], None, None),
    row(Os::Netbsd, Arm64, Base, GoYes, [NO, is("netbsd-arm64"), NO, NO, NO], None, None),
    row(Os::Netbsd, Arm64be, Base, No, [is("evbarm"), NO, NO, NO, NO], None, None),
    row(Os::Netbsd, Armbe, Base, No, [is("evbarm"), is("netbsd-armeb"), NO, NO, NO], None, None),
    row(Os::Netbsd, M68k, Base, No, [NO, is("netbsd-m68k"), NO, NO, NO], None, None),
    row(Os::Netbsd, Mips, Base, No, [NO, is("netbsd-mips"), NO, NO, NO], None, None),
    row(Os::Netbsd, Mipsle, Base, No, [NO, is("netbsd-mipsel"), NO, NO, NO], None, None),
    row(Os::Netbsd, Ppc, Base, No, [NO, is("netbsd-powerpc"), NO, NO, NO], None, None),
    row(Os::Netbsd, Riscv, Base, No, [is("riscv"), NO, NO, NO, NO], None, None),
    row(Os::Netbsd, Riscv64, Base, No, [NO, is("netbsd-riscv64"), NO, NO, NO], None, None),
    row(Os::Netbsd, Sparc, Base, No, [is("sparc"), is("netbsd-sparc"), NO, NO, NO], None, None),
    row(Os::Netbsd, Sparc64, Base, No, [is("sparc64"), is("netbsd-sparc64"), NO, NO, NO], None, None),
    row(Os::None, I386, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Amd64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Arm, V5, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Arm, V6, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Arm, V7, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Arm64be, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Armbe, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Avr, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Bpf, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Bpfbe, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Hexagon, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Loong32, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Loong64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, M68k, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Microblaze, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Microblazeel, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Mips, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Mips64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Mipsle, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Msp430, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Or1k, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Ppc, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Ppcle, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Riscv, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Riscv64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, S390, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, S390x, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Sparc, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Wasm, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Wasm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Xtensa, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Nto, I386, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Nto, Amd64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Nto, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Nuttx, Arm, V6, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Nuttx, Arm, V7, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Nuttx, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Nuttx, Riscv, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Nuttx, Riscv64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Openbsd, I386, Base, GoYes, [is("i386"), is("openbsd-i386"), NO, NO, NO], None, None),
    row(Os::Openbsd, Amd64, Base, GoYes, [is("amd64"), is("openbsd-amd64"), NO, NO, NO], None, None),
    row(Os::Openbsd, Arm, V7, GoYes, [is("armv7"), is("openbsd-arm"), NO, NO, NO], None, None),
    row(Os::Openbsd, Arm64, Base, GoYes, [is("arm64"), is("openbsd-arm64"), NO, NO, NO], None, None),
    row(Os::Openbsd, Mips64, Base, No, [is("octeon"), is("openbsd-mips64"), NO, NO, NO], None, None),
    row(Os::Openbsd, Mips64le, Base, No, [is("loongson"), is("openbsd-mips64el"), NO, NO, NO], None, None),
    row(Os::Openbsd, Ppc, Base, No, [is("macppc"), is("openbsd-powerpc"), NO, NO, NO], None, None),
    row(Os::Openbsd, Ppc64, Base, GoYes, [is("powerpc64"), is("openbsd-ppc64"), NO, NO, NO], None, None),
    row(Os::Openbsd, Riscv64, Base, GoYes, [is("riscv64"), is("openbsd-riscv64"), NO, NO, NO], None, None),
    row(Os::Openbsd, Sparc64, Base, No, [is("sparc64"), is("openbsd-sparc64"), NO, NO, NO], None, None),
    row(Os::Plan9, I386, Base, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Plan9, Amd64, Base, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Plan9, Arm, V5, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Plan9, Arm, V6, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Plan9, Arm, V7, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Psp, Mipsle, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Psx, Mipsle, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Qurt, Hexagon, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Redox, I386, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Redox, Amd64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Redox, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Redox, Riscv64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Rtems, Arm, V7, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Solaris, Amd64, Base, GoYes, [is("i86pc"), is("solaris-amd64"), NO, NO, NO], None, None),
    row(Os::Solaris, Sparc64, Base, No, [NO, is("solaris-sparc64"), NO, NO, NO], None, None),
    row(Os::Solidasp3, Arm, V7, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Solidasp3, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Teeos, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Trusty, Amd64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Trusty, Arm, V7, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Trusty, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Tvos, Amd64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Tvos, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Uefi, I386, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Uefi, Amd64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Uefi, Arm, V7, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Uefi, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Uefi, Ia64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Uefi, Loong32, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Uefi, Loong64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Uefi, Riscv, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Uefi, Riscv64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Vexos, Arm, V7, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Visionos, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Vita, Arm, V7, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Vxworks, I386, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Vxworks, Amd64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Vxworks, Arm, V7, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Vxworks, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Vxworks, Ppc, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Vxworks, Ppc, Spe, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Vxworks, Ppc64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Vxworks, Riscv, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Vxworks, Riscv64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Wasi, Wasm, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Wasi, Wasm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Wasip1, Wasm, Base, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Wasip2, Wasm, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Wasip3, Wasm, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Watchos, Amd64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Watchos, Arm, V7, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Watchos, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Watchos, Arm64p32, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Windows, I386, Base, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Windows, Amd64, Base, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Windows, Arm, V7, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Windows, Arm64, Base, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Xous, Riscv, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Zkvm, Riscv, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Zos, S390x, Base, No, [NO, NO, NO, NO, NO], None, None),
];

/// Returns the row of a platform: its own, or the one of the highest variant below it, whose programs it runs.
pub(crate) fn find(os: Os, arch: Arch, variant: Variant) -> Option<&'static Row> {
    let wanted = place(os, arch, variant);
    let above = PLACES.partition_point(|place| *place <= wanted);
    let below = ROWS.get(..above)?.iter().rev().take_while(|row| (row.os, row.arch) == (os, arch));
    below.into_iter().find(|row| row.variant.serves(variant))
}

/// A platform as a number that sorts as the platforms do.
const fn place(os: Os, arch: Arch, variant: Variant) -> u32 {
    (os as u32) << 16 | (arch as u32) << 8 | variant as u32
}

/// The places of the rows, close together: a search touches few of them.
static PLACES: [u32; ROWS.len()] = places();

const fn places() -> [u32; ROWS.len()] {
    let mut places = [0; ROWS.len()];
    let (mut rows, mut left) = (ROWS, places.as_mut_slice());
    while let ([row, more @ ..], [place_of_row, rest @ ..]) = (rows, left) {
        *place_of_row = place(row.os, row.arch, row.variant);
        (rows, left) = (more, rest);
    }
    places
}

/// Returns whether the two go together.
pub(crate) fn runs_on(os: Os, arch: Arch) -> bool {
    find(os, arch, arch.default_variant()).is_some()
}

/// Returns every platform there is, each with each of its variants.
pub(crate) fn all() -> impl Iterator<Item = (Os, Arch, Variant)> {
    let pairs = ROWS.chunk_by(|a, b| (a.os, a.arch) == (b.os, b.arch)).filter_map(<[Row]>::first);
    let all =
        pairs.flat_map(|row| row.arch.variants().iter().map(move |variant| (row.os, row.arch, *variant)));
    all.filter(|(os, arch, variant)| find(*os, *arch, *variant).is_some())
}

#[cfg(test)]
mod tests {
    use super::ROWS;

    #[test]
    fn rows_are_sorted_and_unique() {
        assert!(ROWS.is_sorted_by(|a, b| (a.os, a.arch, a.variant) < (b.os, b.arch, b.variant)));
    }

    #[test]
    fn every_row_is_a_platform_with_a_variant_of_its_architecture() {
        for row in ROWS {
            assert!(row.arch.variants().contains(&row.variant), "{}/{}/{}", row.os, row.arch, row.variant);
        }
    }
}
