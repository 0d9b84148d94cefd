//! Rust targets: one per platform and C library. Source: rustc's target specifications.
//!
//! Where Rust has several targets for one platform and library, this is the one that runs on every machine of the
//! platform with the distribution's float ABI: Debian's armel is soft float (`arm-unknown-linux-gnueabi`), Alpine's
//! armhf is ARMv6 hard float. A test holds the table against rustc itself.

use crate::arch::Arch;
use crate::libc::Libc;
use crate::os::Os;
use crate::variant::Variant;

/// Sorted by platform and library.
#[rustfmt::skip]
pub(crate) const TARGETS: &[(Os, Arch, Variant, Libc, &str)] = &[
    (Os::Aix, Arch::Ppc64, Variant::Base, Libc::System, "powerpc64-ibm-aix"),
    (Os::Android, Arch::I386, Variant::Base, Libc::System, "i686-linux-android"),
    (Os::Android, Arch::Amd64, Variant::Base, Libc::System, "x86_64-linux-android"),
    (Os::Android, Arch::Arm, Variant::V5, Libc::System, "arm-linux-androideabi"),
    (Os::Android, Arch::Arm, Variant::V7, Libc::System, "armv7-linux-androideabi"),
    (Os::Android, Arch::Arm64, Variant::Base, Libc::System, "aarch64-linux-android"),
    (Os::Android, Arch::Riscv64, Variant::Base, Libc::System, "riscv64-linux-android"),
    (Os::Darwin, Arch::Amd64, Variant::Base, Libc::System, "x86_64-apple-darwin"),
    (Os::Darwin, Arch::Arm64, Variant::Base, Libc::System, "aarch64-apple-darwin"),
    (Os::Dragonfly, Arch::Amd64, Variant::Base, Libc::System, "x86_64-unknown-dragonfly"),
    (Os::Emscripten, Arch::Wasm, Variant::Base, Libc::System, "wasm32-unknown-emscripten"),
    (Os::Freebsd, Arch::I386, Variant::Base, Libc::System, "i686-unknown-freebsd"),
    (Os::Freebsd, Arch::Amd64, Variant::Base, Libc::System, "x86_64-unknown-freebsd"),
    (Os::Freebsd, Arch::Arm, Variant::V6, Libc::System, "armv6-unknown-freebsd"),
    (Os::Freebsd, Arch::Arm, Variant::V7, Libc::System, "armv7-unknown-freebsd"),
    (Os::Freebsd, Arch::Arm64, Variant::Base, Libc::System, "aarch64-unknown-freebsd"),
    (Os::Freebsd, Arch::Ppc, Variant::Base, Libc::System, "powerpc-unknown-freebsd"),
    (Os::Freebsd, Arch::Ppc64, Variant::Base, Libc::System, "powerpc64-unknown-freebsd"),
    (Os::Freebsd, Arch::Ppc64le, Variant::Base, Libc::System, "powerpc64le-unknown-freebsd"),
    (Os::Freebsd, Arch::Riscv64, Variant::Base, Libc::System, "riscv64gc-unknown-freebsd"),
    (Os::Fuchsia, Arch::Amd64, Variant::Base, Libc::System, "x86_64-unknown-fuchsia"),
    (Os::Fuchsia, Arch::Arm64, Variant::Base, Libc::System, "aarch64-unknown-fuchsia"),
    (Os::Fuchsia, Arch::Riscv64, Variant::Base, Libc::System, "riscv64gc-unknown-fuchsia"),
    (Os::Hurd, Arch::I386, Variant::Base, Libc::Gnu, "i686-unknown-hurd-gnu"),
    (Os::Hurd, Arch::Amd64, Variant::Base, Libc::Gnu, "x86_64-unknown-hurd-gnu"),
    (Os::Illumos, Arch::Amd64, Variant::Base, Libc::System, "x86_64-unknown-illumos"),
    (Os::Ios, Arch::Amd64, Variant::Base, Libc::System, "x86_64-apple-ios"),
    (Os::Ios, Arch::Arm64, Variant::Base, Libc::System, "aarch64-apple-ios"),
    (Os::Linux, Arch::I386, Variant::Base, Libc::Gnu, "i686-unknown-linux-gnu"),
    (Os::Linux, Arch::I386, Variant::Base, Libc::Musl, "i686-unknown-linux-musl"),
    (Os::Linux, Arch::Amd64, Variant::Base, Libc::Gnu, "x86_64-unknown-linux-gnu"),
    (Os::Linux, Arch::Amd64, Variant::Base, Libc::Musl, "x86_64-unknown-linux-musl"),
    (Os::Linux, Arch::Amd64, Variant::Base, Libc::Ohos, "x86_64-unknown-linux-ohos"),
    (Os::Linux, Arch::Amd64p32, Variant::Base, Libc::Gnu, "x86_64-unknown-linux-gnux32"),
    (Os::Linux, Arch::Arm, Variant::V5, Libc::Gnu, "armv5te-unknown-linux-gnueabi"),
    (Os::Linux, Arch::Arm, Variant::V5, Libc::Musl, "armv5te-unknown-linux-musleabi"),
    (Os::Linux, Arch::Arm, Variant::V6, Libc::Gnu, "arm-unknown-linux-gnueabi"),
    (Os::Linux, Arch::Arm, Variant::V6, Libc::Musl, "arm-unknown-linux-musleabihf"),
    (Os::Linux, Arch::Arm, Variant::V7, Libc::Gnu, "armv7-unknown-linux-gnueabihf"),
    (Os::Linux, Arch::Arm, Variant::V7, Libc::Musl, "armv7-unknown-linux-musleabihf"),
    (Os::Linux, Arch::Arm, Variant::V7, Libc::Ohos, "armv7-unknown-linux-ohos"),
    (Os::Linux, Arch::Arm64, Variant::Base, Libc::Gnu, "aarch64-unknown-linux-gnu"),
    (Os::Linux, Arch::Arm64, Variant::Base, Libc::Musl, "aarch64-unknown-linux-musl"),
    (Os::Linux, Arch::Arm64, Variant::Base, Libc::Ohos, "aarch64-unknown-linux-ohos"),
    (Os::Linux, Arch::Arm64be, Variant::Base, Libc::Gnu, "aarch64_be-unknown-linux-gnu"),
    (Os::Linux, Arch::Arm64be, Variant::Base, Libc::Musl, "aarch64_be-unknown-linux-musl"),
    (Os::Linux, Arch::Loong64, Variant::Base, Libc::Gnu, "loongarch64-unknown-linux-gnu"),
    (Os::Linux, Arch::Loong64, Variant::Base, Libc::Musl, "loongarch64-unknown-linux-musl"),
    (Os::Linux, Arch::Loong64, Variant::Base, Libc::Ohos, "loongarch64-unknown-linux-ohos"),
    (Os::Linux, Arch::M68k, Variant::Base, Libc::Gnu, "m68k-unknown-linux-gnu"),
    (Os::Linux, Arch::Mips, Variant::Base, Libc::Gnu, "mips-unknown-linux-gnu"),
    (Os::Linux, Arch::Mips, Variant::Base, Libc::Musl, "mips-unknown-linux-musl"),
    (Os::Linux, Arch::Mips, Variant::Base, Libc::Uclibc, "mips-unknown-linux-uclibc"),
    (Os::Linux, Arch::Mips64, Variant::Base, Libc::Gnu, "mips64-unknown-linux-gnuabi64"),
    (Os::Linux, Arch::Mips64, Variant::Base, Libc::Musl, "mips64-unknown-linux-muslabi64"),
    (Os::Linux, Arch::Mips64le, Variant::Base, Libc::Gnu, "mips64el-unknown-linux-gnuabi64"),
    (Os::Linux, Arch::Mips64le, Variant::Base, Libc::Musl, "mips64el-unknown-linux-muslabi64"),
    (Os::Linux, Arch::Mipsle, Variant::Base, Libc::Gnu, "mipsel-unknown-linux-gnu"),
    (Os::Linux, Arch::Mipsle, Variant::Base, Libc::Musl, "mipsel-unknown-linux-musl"),
    (Os::Linux, Arch::Mipsle, Variant::Base, Libc::Uclibc, "mipsel-unknown-linux-uclibc"),
    (Os::Linux, Arch::Ppc, Variant::Base, Libc::Gnu, "powerpc-unknown-linux-gnu"),
    (Os::Linux, Arch::Ppc, Variant::Base, Libc::Musl, "powerpc-unknown-linux-musl"),
    (Os::Linux, Arch::Ppc64, Variant::Base, Libc::Gnu, "powerpc64-unknown-linux-gnu"),
    (Os::Linux, Arch::Ppc64, Variant::Base, Libc::Musl, "powerpc64-unknown-linux-musl"),
    (Os::Linux, Arch::Ppc64le, Variant::Base, Libc::Gnu, "powerpc64le-unknown-linux-gnu"),
    (Os::Linux, Arch::Ppc64le, Variant::Base, Libc::Musl, "powerpc64le-unknown-linux-musl"),
    (Os::Linux, Arch::Riscv, Variant::Base, Libc::Gnu, "riscv32gc-unknown-linux-gnu"),
    (Os::Linux, Arch::Riscv, Variant::Base, Libc::Musl, "riscv32gc-unknown-linux-musl"),
    (Os::Linux, Arch::Riscv64, Variant::Base, Libc::Gnu, "riscv64gc-unknown-linux-gnu"),
    (Os::Linux, Arch::Riscv64, Variant::Base, Libc::Musl, "riscv64gc-unknown-linux-musl"),
    (Os::Linux, Arch::S390x, Variant::Base, Libc::Gnu, "s390x-unknown-linux-gnu"),
    (Os::Linux, Arch::S390x, Variant::Base, Libc::Musl, "s390x-unknown-linux-musl"),
    (Os::Linux, Arch::Sparc, Variant::Base, Libc::Gnu, "sparc-unknown-linux-gnu"),
    (Os::Linux, Arch::Sparc64, Variant::Base, Libc::Gnu, "sparc64-unknown-linux-gnu"),
    (Os::Netbsd, Arch::I386, Variant::Base, Libc::System, "i686-unknown-netbsd"),
    (Os::Netbsd, Arch::Amd64, Variant::Base, Libc::System, "x86_64-unknown-netbsd"),
    (Os::Netbsd, Arch::Arm, Variant::V6, Libc::System, "armv6-unknown-netbsd-eabihf"),
    (Os::Netbsd, Arch::Arm, Variant::V7, Libc::System, "armv7-unknown-netbsd-eabihf"),
    (Os::Netbsd, Arch::Arm64, Variant::Base, Libc::System, "aarch64-unknown-netbsd"),
    (Os::Netbsd, Arch::Mipsle, Variant::Base, Libc::System, "mipsel-unknown-netbsd"),
    (Os::Netbsd, Arch::Ppc, Variant::Base, Libc::System, "powerpc-unknown-netbsd"),
    (Os::Netbsd, Arch::Riscv64, Variant::Base, Libc::System, "riscv64gc-unknown-netbsd"),
    (Os::Netbsd, Arch::Sparc64, Variant::Base, Libc::System, "sparc64-unknown-netbsd"),
    (Os::None, Arch::Amd64, Variant::Base, Libc::System, "x86_64-unknown-none"),
    (Os::None, Arch::Arm, Variant::V7, Libc::System, "armv7a-none-eabihf"),
    (Os::None, Arch::Arm64, Variant::Base, Libc::System, "aarch64-unknown-none"),
    (Os::None, Arch::Loong64, Variant::Base, Libc::System, "loongarch64-unknown-none"),
    (Os::None, Arch::Riscv64, Variant::Base, Libc::System, "riscv64gc-unknown-none-elf"),
    (Os::None, Arch::Wasm, Variant::Base, Libc::System, "wasm32-unknown-unknown"),
    (Os::Openbsd, Arch::I386, Variant::Base, Libc::System, "i686-unknown-openbsd"),
    (Os::Openbsd, Arch::Amd64, Variant::Base, Libc::System, "x86_64-unknown-openbsd"),
    (Os::Openbsd, Arch::Arm64, Variant::Base, Libc::System, "aarch64-unknown-openbsd"),
    (Os::Openbsd, Arch::Ppc, Variant::Base, Libc::System, "powerpc-unknown-openbsd"),
    (Os::Openbsd, Arch::Ppc64, Variant::Base, Libc::System, "powerpc64-unknown-openbsd"),
    (Os::Openbsd, Arch::Riscv64, Variant::Base, Libc::System, "riscv64gc-unknown-openbsd"),
    (Os::Openbsd, Arch::Sparc64, Variant::Base, Libc::System, "sparc64-unknown-openbsd"),
    (Os::Redox, Arch::Amd64, Variant::Base, Libc::System, "x86_64-unknown-redox"),
    (Os::Redox, Arch::Arm64, Variant::Base, Libc::System, "aarch64-unknown-redox"),
    (Os::Solaris, Arch::Amd64, Variant::Base, Libc::System, "x86_64-pc-solaris"),
    (Os::Solaris, Arch::Sparc64, Variant::Base, Libc::System, "sparcv9-sun-solaris"),
    (Os::Tvos, Arch::Arm64, Variant::Base, Libc::System, "aarch64-apple-tvos"),
    (Os::Uefi, Arch::I386, Variant::Base, Libc::System, "i686-unknown-uefi"),
    (Os::Uefi, Arch::Amd64, Variant::Base, Libc::System, "x86_64-unknown-uefi"),
    (Os::Uefi, Arch::Arm64, Variant::Base, Libc::System, "aarch64-unknown-uefi"),
    (Os::Visionos, Arch::Arm64, Variant::Base, Libc::System, "aarch64-apple-visionos"),
    (Os::Wasi, Arch::Wasm, Variant::Base, Libc::System, "wasm32-wasip1"),
    (Os::Wasip1, Arch::Wasm, Variant::Base, Libc::System, "wasm32-wasip1"),
    (Os::Wasip2, Arch::Wasm, Variant::Base, Libc::System, "wasm32-wasip2"),
    (Os::Watchos, Arch::Arm64, Variant::Base, Libc::System, "aarch64-apple-watchos"),
    (Os::Windows, Arch::I386, Variant::Base, Libc::Gnu, "i686-pc-windows-gnu"),
    (Os::Windows, Arch::I386, Variant::Base, Libc::Msvc, "i686-pc-windows-msvc"),
    (Os::Windows, Arch::I386, Variant::Base, Libc::Gnullvm, "i686-pc-windows-gnullvm"),
    (Os::Windows, Arch::Amd64, Variant::Base, Libc::Gnu, "x86_64-pc-windows-gnu"),
    (Os::Windows, Arch::Amd64, Variant::Base, Libc::Msvc, "x86_64-pc-windows-msvc"),
    (Os::Windows, Arch::Amd64, Variant::Base, Libc::Gnullvm, "x86_64-pc-windows-gnullvm"),
    (Os::Windows, Arch::Arm64, Variant::Base, Libc::Msvc, "aarch64-pc-windows-msvc"),
    (Os::Windows, Arch::Arm64, Variant::Base, Libc::Gnullvm, "aarch64-pc-windows-gnullvm"),
];

/// Returns the target, of the base variant where the variant has none of its own.
pub(crate) fn target(os: Os, arch: Arch, variant: Variant, libc: Libc) -> Option<&'static str> {
    let exact = |variant| {
        let at = TARGETS.binary_search_by_key(&(os, arch, variant, libc), |(os, arch, variant, libc, _)| {
            (*os, *arch, *variant, *libc)
        });
        at.ok().and_then(|at| TARGETS.get(at)).map(|(.., target)| *target)
    };
    exact(variant).or_else(|| exact(arch.default_variant()))
}

#[cfg(test)]
mod tests {
    use super::TARGETS;
    use crate::table;

    #[test]
    fn targets_are_sorted_and_belong_to_rows() {
        assert!(TARGETS.is_sorted_by(|a, b| (a.0, a.1, a.2, a.3) < (b.0, b.1, b.2, b.3)));
        for (os, arch, .., target) in TARGETS {
            assert!(table::runs_on(*os, *arch), "{target}");
        }
    }

    /// The `target-lexicon` crate reads each of them with the width and byte order that our table has.
    #[test]
    fn target_lexicon_agrees() {
        let mut read = 0;
        for (_, arch, .., target) in TARGETS {
            let Ok(triple) = target.parse::<target_lexicon::Triple>() else { continue };
            read += 1;
            let facts = arch.facts();
            let width = triple.pointer_width().unwrap().bits();
            assert_eq!(width, facts.bits, "{target}");
            let little = triple.endianness() == Ok(target_lexicon::Endianness::Little);
            assert_eq!(little, facts.endian == crate::Endian::Little, "{target}");
        }
        assert!(read * 10 > TARGETS.len() * 9, "{read} of {}", TARGETS.len());
    }
}
