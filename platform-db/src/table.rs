//! The table: one row per platform whose names differ, every column filled or `NO`.
//!
//! Variants that change no name (amd64 v2 to v4, arm v8, arm64 v8.x, soft float) share the row of their base. What
//! Rust and Zig call a platform depends on the C library too and stands in `rust.rs` and `zig.rs`.
//!
//! Sources: `go` is `go tool dist list`; `uname` is `UTS_MACHINE` of each kernel; `debian` and the GNU words are
//! dpkg's cputable, ostable and tupletable; `alpine` is apk-tools' `apk_arch.h`; `rpm` is rpm's `rpmrc`; `qemu` is
//! the suffix of QEMU's user-mode programs.

use crate::arch::Arch;
use crate::os::Os;
use crate::variant::Variant;

/// The words of a GNU target triple that depend on the platform: `cpu[-vendor]-linux-LIBCabi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GnuWords {
    /// First word: `arm`.
    pub cpu: &'static str,
    /// What follows the libc's name in the last word: `eabihf`, or nothing.
    pub abi: &'static str,
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
    pub(crate) gnu: Option<GnuWords>,
    /// GNU words of Alpine's own toolchain.
    pub(crate) alpine_gnu: Option<GnuWords>,
}

const fn row(
    os: Os,
    arch: Arch,
    variant: Variant,
    go: Go,
    [uname, debian, alpine, rpm, qemu]: [Option<&'static str>; 5],
    gnu: Option<GnuWords>,
    alpine_gnu: Option<GnuWords>,
) -> Row {
    let go = matches!(go, Go::Go);
    Row { os, arch, variant, go, uname, debian, alpine, rpm, qemu, gnu, alpine_gnu }
}

const fn is(name: &'static str) -> Option<&'static str> {
    Some(name)
}

/// The tool has no name for the platform.
const NO: Option<&'static str> = None;

const fn gnu(cpu: &'static str, abi: &'static str) -> Option<GnuWords> {
    Some(GnuWords { cpu, abi })
}

use Arch::{
    Alpha, Amd64, Amd64p32, Arm, Arm64, Arm64be, Armbe, Hppa, I386, Ia64, Loong64, M68k, Mips, Mips64,
    Mips64le, Mipsle, Ppc, Ppc64, Ppc64le, Riscv, Riscv64, S390, S390x, Sh4, Sparc, Sparc64, Wasm,
};
use Go::{Go as GoYes, No};
use Variant::{Base, V5, V6, V7};

/// All rows, sorted by system, architecture and variant.
#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    // system, architecture, variant, Go, [uname -m, Debian, Alpine, RPM, QEMU], GNU words, GNU words on Alpine
    row(Os::Aix, Ppc64, Base, GoYes, [NO, is("aix-ppc64"), NO, NO, NO], None, None),
    row(Os::Android, I386, Base, GoYes, [is("i686"), NO, NO, NO, NO], None, None),
    row(Os::Android, Amd64, Base, GoYes, [is("x86_64"), NO, NO, NO, NO], None, None),
    row(Os::Android, Arm, V5, GoYes, [is("armv5tel"), NO, NO, NO, NO], None, None),
    row(Os::Android, Arm, V7, GoYes, [is("armv7l"), NO, NO, NO, NO], None, None),
    row(Os::Android, Arm64, Base, GoYes, [is("aarch64"), NO, NO, NO, NO], None, None),
    row(Os::Android, Riscv64, Base, No, [is("riscv64"), NO, NO, NO, NO], None, None),
    row(Os::Darwin, Amd64, Base, GoYes, [is("x86_64"), is("darwin-amd64"), NO, NO, NO], None, None),
    row(Os::Darwin, Arm64, Base, GoYes, [is("arm64"), is("darwin-arm64"), NO, NO, NO], None, None),
    row(Os::Dragonfly, Amd64, Base, GoYes, [is("x86_64"), is("dragonflybsd-amd64"), NO, NO, NO], None, None),
    row(Os::Emscripten, Wasm, Base, No, [NO, NO, NO, NO, NO], None, None),
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
    row(Os::Hurd, I386, Base, No, [is("i686-AT386"), is("hurd-i386"), NO, NO, NO], None, None),
    row(Os::Hurd, Amd64, Base, No, [is("x86_64"), is("hurd-amd64"), NO, NO, NO], None, None),
    row(Os::Illumos, Amd64, Base, GoYes, [is("i86pc"), NO, NO, NO, NO], None, None),
    row(Os::Ios, Amd64, Base, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Ios, Arm64, Base, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Js, Wasm, Base, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Linux, I386, Base, GoYes, [is("i386"), is("i386"), is("x86"), is("i386"), is("i386")], gnu("i686", ""), gnu("i586", "")),
    row(Os::Linux, Alpha, Base, No, [is("alpha"), is("alpha"), NO, is("alpha"), is("alpha")], gnu("alpha", ""), None),
    row(Os::Linux, Amd64, Base, GoYes, [is("x86_64"), is("amd64"), is("x86_64"), is("x86_64"), is("x86_64")], gnu("x86_64", ""), gnu("x86_64", "")),
    row(Os::Linux, Amd64p32, Base, No, [is("x86_64"), is("x32"), NO, NO, NO], gnu("x86_64", "x32"), None),
    row(Os::Linux, Arm, V5, GoYes, [is("armv5l"), is("armel"), is("armel"), is("armv5tel"), is("arm")], gnu("arm", "eabi"), gnu("armv5", "eabi")),
    row(Os::Linux, Arm, V6, GoYes, [is("armv6l"), is("armel"), is("armhf"), is("armv6hl"), is("arm")], gnu("arm", "eabi"), gnu("armv6", "eabihf")),
    row(Os::Linux, Arm, V7, GoYes, [is("armv7l"), is("armhf"), is("armv7"), is("armv7hl"), is("arm")], gnu("arm", "eabihf"), gnu("armv7", "eabihf")),
    row(Os::Linux, Arm64, Base, GoYes, [is("aarch64"), is("arm64"), is("aarch64"), is("aarch64"), is("aarch64")], gnu("aarch64", ""), gnu("aarch64", "")),
    row(Os::Linux, Arm64be, Base, No, [is("aarch64_be"), NO, is("aarch64_be"), NO, is("aarch64_be")], gnu("aarch64_be", ""), None),
    row(Os::Linux, Armbe, Base, No, [NO, is("armeb"), is("armeb"), NO, is("armeb")], gnu("armeb", ""), None),
    row(Os::Linux, Hppa, Base, No, [is("parisc"), is("hppa"), NO, NO, is("hppa")], gnu("hppa", ""), None),
    row(Os::Linux, Ia64, Base, No, [is("ia64"), is("ia64"), NO, is("ia64"), NO], gnu("ia64", ""), None),
    row(Os::Linux, Loong64, Base, GoYes, [is("loongarch64"), is("loong64"), is("loongarch64"), is("loongarch64"), is("loongarch64")], gnu("loongarch64", ""), gnu("loongarch64", "")),
    row(Os::Linux, M68k, Base, No, [is("m68k"), is("m68k"), is("m68k"), is("m68k"), is("m68k")], gnu("m68k", ""), None),
    row(Os::Linux, Mips, Base, GoYes, [is("mips"), is("mips"), is("mips"), is("mips"), is("mips")], gnu("mips", ""), gnu("mips", "")),
    row(Os::Linux, Mips64, Base, GoYes, [is("mips64"), is("mips64"), is("mips64"), is("mips64"), is("mips64")], gnu("mips64", "abi64"), gnu("mips64", "abi64")),
    row(Os::Linux, Mips64le, Base, GoYes, [is("mips64le"), is("mips64el"), is("mips64le"), is("mips64el"), is("mips64el")], gnu("mips64el", "abi64"), gnu("mips64el", "abi64")),
    row(Os::Linux, Mipsle, Base, GoYes, [is("mipsle"), is("mipsel"), is("mipsle"), is("mipsel"), is("mipsel")], gnu("mipsel", ""), gnu("mipsel", "")),
    row(Os::Linux, Ppc, Base, No, [is("ppc"), is("powerpc"), is("ppc"), is("ppc"), is("ppc")], gnu("powerpc", ""), gnu("powerpc", "")),
    row(Os::Linux, Ppc64, Base, GoYes, [is("ppc64"), is("ppc64"), is("ppc64"), is("ppc64"), is("ppc64")], gnu("powerpc64", ""), gnu("powerpc64", "")),
    row(Os::Linux, Ppc64le, Base, GoYes, [is("ppc64le"), is("ppc64el"), is("ppc64le"), is("ppc64le"), is("ppc64le")], gnu("powerpc64le", ""), gnu("powerpc64le", "")),
    row(Os::Linux, Riscv, Base, No, [is("riscv32"), NO, is("riscv32"), NO, is("riscv32")], gnu("riscv32", ""), None),
    row(Os::Linux, Riscv64, Base, GoYes, [is("riscv64"), is("riscv64"), is("riscv64"), is("riscv64"), is("riscv64")], gnu("riscv64", ""), gnu("riscv64", "")),
    row(Os::Linux, S390, Base, No, [is("s390"), is("s390"), NO, is("s390"), NO], gnu("s390", ""), None),
    row(Os::Linux, S390x, Base, GoYes, [is("s390x"), is("s390x"), is("s390x"), is("s390x"), is("s390x")], gnu("s390x", ""), gnu("s390x", "")),
    row(Os::Linux, Sh4, Base, No, [is("sh4"), is("sh4"), NO, is("sh4"), is("sh4")], gnu("sh4", ""), None),
    row(Os::Linux, Sparc, Base, No, [is("sparc"), is("sparc"), NO, is("sparc"), is("sparc")], gnu("sparc", ""), None),
    row(Os::Linux, Sparc64, Base, No, [is("sparc64"), is("sparc64"), NO, is("sparc64"), is("sparc64")], gnu("sparc64", ""), None),
    row(Os::Netbsd, I386, Base, GoYes, [is("i386"), is("netbsd-i386"), NO, NO, NO], None, None),
    row(Os::Netbsd, Amd64, Base, GoYes, [is("amd64"), is("netbsd-amd64"), NO, NO, NO], None, None),
    row(Os::Netbsd, Arm, V5, GoYes, [NO, is("netbsd-arm"), NO, NO, NO], None, None),
    row(Os::Netbsd, Arm, V6, GoYes, [NO, is("netbsd-arm"), NO, NO, NO], None, None),
    row(Os::Netbsd, Arm, V7, GoYes, [NO, is("netbsd-arm"), NO, NO, NO], None, None),
    row(Os::Netbsd, Arm64, Base, GoYes, [NO, is("netbsd-arm64"), NO, NO, NO], None, None),
    row(Os::Netbsd, Mipsle, Base, No, [NO, is("netbsd-mipsel"), NO, NO, NO], None, None),
    row(Os::Netbsd, Ppc, Base, No, [NO, is("netbsd-powerpc"), NO, NO, NO], None, None),
    row(Os::Netbsd, Riscv64, Base, No, [NO, is("netbsd-riscv64"), NO, NO, NO], None, None),
    row(Os::Netbsd, Sparc64, Base, No, [is("sparc64"), is("netbsd-sparc64"), NO, NO, NO], None, None),
    row(Os::None, I386, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Amd64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Arm, V7, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Loong64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Riscv, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Riscv64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::None, Wasm, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Openbsd, I386, Base, GoYes, [is("i386"), is("openbsd-i386"), NO, NO, NO], None, None),
    row(Os::Openbsd, Amd64, Base, GoYes, [is("amd64"), is("openbsd-amd64"), NO, NO, NO], None, None),
    row(Os::Openbsd, Arm, V7, GoYes, [is("armv7"), is("openbsd-arm"), NO, NO, NO], None, None),
    row(Os::Openbsd, Arm64, Base, GoYes, [is("arm64"), is("openbsd-arm64"), NO, NO, NO], None, None),
    row(Os::Openbsd, Mips64, Base, No, [is("octeon"), is("openbsd-mips64"), NO, NO, NO], None, None),
    row(Os::Openbsd, Ppc, Base, No, [is("macppc"), is("openbsd-powerpc"), NO, NO, NO], None, None),
    row(Os::Openbsd, Ppc64, Base, GoYes, [is("powerpc64"), is("openbsd-ppc64"), NO, NO, NO], None, None),
    row(Os::Openbsd, Riscv64, Base, GoYes, [is("riscv64"), is("openbsd-riscv64"), NO, NO, NO], None, None),
    row(Os::Openbsd, Sparc64, Base, No, [is("sparc64"), is("openbsd-sparc64"), NO, NO, NO], None, None),
    row(Os::Plan9, I386, Base, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Plan9, Amd64, Base, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Plan9, Arm, V5, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Plan9, Arm, V6, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Plan9, Arm, V7, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Redox, I386, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Redox, Amd64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Redox, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Solaris, Amd64, Base, GoYes, [is("i86pc"), is("solaris-amd64"), NO, NO, NO], None, None),
    row(Os::Solaris, Sparc64, Base, No, [NO, is("solaris-sparc64"), NO, NO, NO], None, None),
    row(Os::Tvos, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Uefi, I386, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Uefi, Amd64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Uefi, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Visionos, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Wasi, Wasm, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Wasip1, Wasm, Base, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Wasip2, Wasm, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Watchos, Arm64, Base, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Windows, I386, Base, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Windows, Amd64, Base, GoYes, [NO, NO, NO, NO, NO], None, None),
    row(Os::Windows, Arm, V7, No, [NO, NO, NO, NO, NO], None, None),
    row(Os::Windows, Arm64, Base, GoYes, [NO, NO, NO, NO, NO], None, None),
];

/// Returns the row of a platform: its own, or the one of its base variant.
pub(crate) fn find(os: Os, arch: Arch, variant: Variant) -> Option<&'static Row> {
    let exact = |variant| {
        let at = ROWS.binary_search_by_key(&(os, arch, variant), |row| (row.os, row.arch, row.variant));
        at.ok().and_then(|at| ROWS.get(at))
    };
    exact(variant).or_else(|| exact(arch.default_variant()))
}

/// Returns whether the two go together.
pub(crate) fn runs_on(os: Os, arch: Arch) -> bool {
    find(os, arch, arch.default_variant()).is_some()
}

/// Returns every platform there is, each with each of its variants.
pub(crate) fn all() -> impl Iterator<Item = (Os, Arch, Variant)> {
    Os::ALL.iter().flat_map(|os| {
        let arches = Arch::ALL.iter().filter(|arch| runs_on(*os, **arch));
        arches.flat_map(|arch| arch.variants().iter().map(|variant| (*os, *arch, *variant)))
    })
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
            assert!(super::runs_on(row.os, row.arch), "{}/{}", row.os, row.arch);
        }
    }
}
