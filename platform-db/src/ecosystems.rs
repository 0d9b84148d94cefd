//! Names in package formats that are not a distribution's: Nix, conda, Python wheels, npm; and UEFI's boot files.
//!
//! Each table holds what its ecosystem publishes, no more: a platform without a row has no packages there. A name is
//! that of the platform or of the highest variant below it, whose programs it runs.

use crate::arch::Arch;
use crate::libc::Libc;
use crate::os::Os;
use crate::platform::Platform;
use crate::table;
use crate::variant::Variant;

/// A name for a platform.
type Named = (Os, Arch, Variant, &'static str);

/// Sorted as the platforms are.
fn name(names: &[Named], platform: &Platform) -> Option<&'static str> {
    let key = (platform.os_id(), platform.arch_id(), platform.variant_id());
    let above = names.partition_point(|row| (row.0, row.1, row.2) <= key);
    let below = names.get(..above)?.iter().rev().take_while(|row| (row.0, row.1) == (key.0, key.1));
    below.into_iter().find(|row| row.2.serves(key.2)).map(|row| row.3)
}

/// Names that two platforms share mean the first.
fn named(names: &[Named], text: &str) -> Option<Platform> {
    let found = names.iter().find(|row| row.3 == text);
    found.map(|(os, arch, variant, _)| Platform::from_ids(*os, *arch, *variant, None))
}

impl Platform {
    /// Returns Nix's system double: `aarch64-darwin`.
    #[must_use]
    pub fn nix(&self) -> Option<&'static str> {
        name(NIX, self)
    }

    /// Returns the platform of one of Nix's system doubles.
    #[must_use]
    pub fn from_nix(double: &str) -> Option<Self> {
        named(NIX, double)
    }

    /// Returns the subdir of conda channels: `linux-aarch64`, `osx-arm64`.
    #[must_use]
    pub fn conda(&self) -> Option<&'static str> {
        name(CONDA, self)
    }

    /// Returns the platform of a subdir of conda channels.
    #[must_use]
    pub fn from_conda(subdir: &str) -> Option<Self> {
        named(CONDA, subdir)
    }

    /// Returns the platform tag of a Python wheel that needs at least `version` of the C library, or of macOS.
    ///
    /// The version is that of glibc or musl on Linux, of macOS on darwin, and unused on Windows.
    ///
    /// ```
    /// use platform_db::{Libc, Platform};
    ///
    /// let platform: Platform = "linux/arm64".parse().unwrap();
    /// assert_eq!(platform.wheel(Libc::Gnu, (2, 28)).as_deref(), Some("manylinux_2_28_aarch64"));
    /// assert_eq!(platform.wheel(Libc::Musl, (1, 2)).as_deref(), Some("musllinux_1_2_aarch64"));
    /// ```
    #[must_use]
    pub fn wheel(&self, libc: Libc, (major, minor): (u32, u32)) -> Option<String> {
        let machine = name(WHEEL, self)?;
        Some(match (self.os_id(), libc) {
            (Os::Linux, Libc::Gnu) => format!("manylinux_{major}_{minor}_{machine}"),
            (Os::Linux, Libc::Musl) => format!("musllinux_{major}_{minor}_{machine}"),
            (Os::Darwin, _) => format!("macosx_{major}_{minor}_{machine}"),
            (Os::Windows, _) => machine.to_owned(),
            _ => return None,
        })
    }

    /// Returns the platform of a Python wheel's tag: `manylinux_2_17_x86_64`, `macosx_11_0_arm64`, `win32`.
    #[must_use]
    pub fn from_wheel(tag: &str) -> Option<Self> {
        let (os, machine) = match tag.split_once('_') {
            Some((kind, _)) if OLD_MANYLINUX.contains(&kind) => (Os::Linux, tag.split_once('_')?.1),
            Some(("manylinux" | "musllinux", rest)) => (Os::Linux, after_version(rest)?),
            Some(("linux", machine)) => (Os::Linux, machine),
            Some(("macosx", rest)) => (Os::Darwin, after_version(rest)?),
            _ => (Os::Windows, tag),
        };
        let found = WHEEL.iter().find(|row| row.0 == os && row.3 == machine);
        found.map(|(os, arch, variant, _)| Self::from_ids(*os, *arch, *variant, None))
    }

    /// Returns npm's `os` and `cpu`, which are Node's `process.platform` and `process.arch`: `win32`, `x64`.
    #[must_use]
    pub fn npm(&self) -> Option<(&'static str, &'static str)> {
        let os = NPM_OS.iter().find(|(known, _)| *known == self.os_id())?.1;
        let cpu = NPM_CPU.iter().find(|(known, _)| *known == self.arch_id())?.1;
        Some((os, cpu))
    }

    /// Returns the platform of npm's `os` and `cpu`. `ppc64` is the little-endian one on Linux.
    #[must_use]
    pub fn from_npm(os: &str, cpu: &str) -> Option<Self> {
        let oses = NPM_OS.iter().filter(|(_, known)| *known == os);
        let arches = || NPM_CPU.iter().filter(|(_, known)| *known == cpu);
        let mut pairs = oses.flat_map(|(os, _)| arches().map(|(arch, _)| (*os, *arch)));
        let (os, arch) = pairs.find(|(os, arch)| table::runs_on(*os, *arch))?;
        Some(Self::from_ids(os, arch, arch.default_variant(), None))
    }

    /// Returns the file that UEFI firmware of the machine boots from removable media: `BOOTX64.EFI`.
    ///
    /// Source: UEFI specification 2.11, 3.5.1.1.
    #[must_use]
    pub fn efi_boot_file(&self) -> Option<&'static str> {
        EFI.iter().find(|(arch, _)| *arch == self.arch_id()).map(|(_, file)| *file)
    }

    /// Returns the UEFI platform of a boot file's name, in any case.
    #[must_use]
    pub fn from_efi_boot_file(file: &str) -> Option<Self> {
        let arch = EFI.iter().find(|(_, known)| known.eq_ignore_ascii_case(file))?.0;
        Some(Self::from_ids(Os::Uefi, arch, arch.default_variant(), None))
    }
}

/// Cuts `2_17_x86_64` behind the two numbers.
fn after_version(rest: &str) -> Option<&str> {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (major, rest) = rest.split_once('_')?;
    let (minor, machine) = rest.split_once('_')?;
    (number(major) && number(minor)).then_some(machine)
}

/// The names of PEP 513, 571 and 599, from before tags had a version.
const OLD_MANYLINUX: &[&str] = &["manylinux1", "manylinux2010", "manylinux2014"];

use Variant::{Base, V5, V6, V7};

/// Source: nixpkgs' `lib/systems/doubles.nix`. Solaris there is illumos.
#[rustfmt::skip]
static NIX: &[Named] = &[
    (Os::Cygwin, Arch::I386, Base, "i686-cygwin"),
    (Os::Cygwin, Arch::Amd64, Base, "x86_64-cygwin"),
    (Os::Darwin, Arch::Amd64, Base, "x86_64-darwin"),
    (Os::Darwin, Arch::Arm64, Base, "aarch64-darwin"),
    (Os::Freebsd, Arch::I386, Base, "i686-freebsd"),
    (Os::Freebsd, Arch::Amd64, Base, "x86_64-freebsd"),
    (Os::Freebsd, Arch::Arm64, Base, "aarch64-freebsd"),
    (Os::Illumos, Arch::Amd64, Base, "x86_64-solaris"),
    (Os::Linux, Arch::I386, Base, "i686-linux"),
    (Os::Linux, Arch::Amd64, Base, "x86_64-linux"),
    (Os::Linux, Arch::Arc, Base, "arc-linux"),
    (Os::Linux, Arch::Arm, V5, "armv5tel-linux"),
    (Os::Linux, Arch::Arm, V6, "armv6l-linux"),
    (Os::Linux, Arch::Arm, V7, "armv7l-linux"),
    (Os::Linux, Arch::Arm64, Base, "aarch64-linux"),
    (Os::Linux, Arch::Loong64, Base, "loongarch64-linux"),
    (Os::Linux, Arch::M68k, Base, "m68k-linux"),
    (Os::Linux, Arch::Microblaze, Base, "microblaze-linux"),
    (Os::Linux, Arch::Microblazeel, Base, "microblazeel-linux"),
    (Os::Linux, Arch::Mips, Base, "mips-linux"),
    (Os::Linux, Arch::Mips64, Base, "mips64-linux"),
    (Os::Linux, Arch::Mips64le, Base, "mips64el-linux"),
    (Os::Linux, Arch::Mipsle, Base, "mipsel-linux"),
    (Os::Linux, Arch::Ppc, Base, "powerpc-linux"),
    (Os::Linux, Arch::Ppc64, Base, "powerpc64-linux"),
    (Os::Linux, Arch::Ppc64le, Base, "powerpc64le-linux"),
    (Os::Linux, Arch::Riscv, Base, "riscv32-linux"),
    (Os::Linux, Arch::Riscv64, Base, "riscv64-linux"),
    (Os::Linux, Arch::S390, Base, "s390-linux"),
    (Os::Linux, Arch::S390x, Base, "s390x-linux"),
    (Os::Linux, Arch::Sh4, Base, "sh4-linux"),
    (Os::Netbsd, Arch::I386, Base, "i686-netbsd"),
    (Os::Netbsd, Arch::Amd64, Base, "x86_64-netbsd"),
    (Os::Netbsd, Arch::Arm, V6, "armv6l-netbsd"),
    (Os::Netbsd, Arch::Arm, V7, "armv7l-netbsd"),
    (Os::Netbsd, Arch::Arm64, Base, "aarch64-netbsd"),
    (Os::Netbsd, Arch::M68k, Base, "m68k-netbsd"),
    (Os::Netbsd, Arch::Mipsle, Base, "mipsel-netbsd"),
    (Os::Netbsd, Arch::Ppc, Base, "powerpc-netbsd"),
    (Os::Netbsd, Arch::Riscv, Base, "riscv32-netbsd"),
    (Os::Netbsd, Arch::Riscv64, Base, "riscv64-netbsd"),
    (Os::None, Arch::I386, Base, "i686-none"),
    (Os::None, Arch::Amd64, Base, "x86_64-none"),
    (Os::None, Arch::Arm, V5, "arm-none"),
    (Os::None, Arch::Arm, V6, "armv6l-none"),
    (Os::None, Arch::Arm64, Base, "aarch64-none"),
    (Os::None, Arch::Arm64be, Base, "aarch64_be-none"),
    (Os::None, Arch::Avr, Base, "avr-none"),
    (Os::None, Arch::M68k, Base, "m68k-none"),
    (Os::None, Arch::Microblaze, Base, "microblaze-none"),
    (Os::None, Arch::Microblazeel, Base, "microblazeel-none"),
    (Os::None, Arch::Mips, Base, "mips-none"),
    (Os::None, Arch::Mips64, Base, "mips64-none"),
    (Os::None, Arch::Msp430, Base, "msp430-none"),
    (Os::None, Arch::Or1k, Base, "or1k-none"),
    (Os::None, Arch::Ppc, Base, "powerpc-none"),
    (Os::None, Arch::Ppcle, Base, "powerpcle-none"),
    (Os::None, Arch::Riscv, Base, "riscv32-none"),
    (Os::None, Arch::Riscv64, Base, "riscv64-none"),
    (Os::None, Arch::S390, Base, "s390-none"),
    (Os::None, Arch::S390x, Base, "s390x-none"),
    (Os::Openbsd, Arch::I386, Base, "i686-openbsd"),
    (Os::Openbsd, Arch::Amd64, Base, "x86_64-openbsd"),
    (Os::Redox, Arch::Amd64, Base, "x86_64-redox"),
    (Os::Uefi, Arch::Amd64, Base, "x86_64-uefi"),
    (Os::Uefi, Arch::Arm64, Base, "aarch64-uefi"),
    (Os::Wasi, Arch::Wasm, Base, "wasm32-wasi"),
    (Os::Wasi, Arch::Wasm64, Base, "wasm64-wasi"),
    (Os::Windows, Arch::I386, Base, "i686-windows"),
    (Os::Windows, Arch::Amd64, Base, "x86_64-windows"),
    (Os::Windows, Arch::Arm64, Base, "aarch64-windows"),
];

/// Source: the subdirs that conda's tools know.
#[rustfmt::skip]
static CONDA: &[Named] = &[
    (Os::Android, Arch::I386, Base, "android-32"),
    (Os::Android, Arch::Amd64, Base, "android-64"),
    (Os::Android, Arch::Arm, V7, "android-armv7a"),
    (Os::Android, Arch::Arm64, Base, "android-aarch64"),
    (Os::Darwin, Arch::Amd64, Base, "osx-64"),
    (Os::Darwin, Arch::Arm64, Base, "osx-arm64"),
    (Os::Emscripten, Arch::Wasm, Base, "emscripten-wasm32"),
    (Os::Emscripten, Arch::Wasm64, Base, "emscripten-wasm64"),
    (Os::Freebsd, Arch::I386, Base, "freebsd-32"),
    (Os::Freebsd, Arch::Amd64, Base, "freebsd-64"),
    (Os::Freebsd, Arch::Arm64, Base, "freebsd-arm64"),
    (Os::Freebsd, Arch::Ppc64, Base, "freebsd-ppc64"),
    (Os::Freebsd, Arch::Ppc64le, Base, "freebsd-ppc64le"),
    (Os::Ios, Arch::Arm64, Base, "ios-arm64"),
    (Os::Linux, Arch::I386, Base, "linux-32"),
    (Os::Linux, Arch::Amd64, Base, "linux-64"),
    (Os::Linux, Arch::Arm, V6, "linux-armv6l"),
    (Os::Linux, Arch::Arm, V7, "linux-armv7l"),
    (Os::Linux, Arch::Arm64, Base, "linux-aarch64"),
    (Os::Linux, Arch::Loong64, Base, "linux-loongarch64"),
    (Os::Linux, Arch::Ppc, Base, "linux-ppc"),
    (Os::Linux, Arch::Ppc64, Base, "linux-ppc64"),
    (Os::Linux, Arch::Ppc64le, Base, "linux-ppc64le"),
    (Os::Linux, Arch::Riscv, Base, "linux-riscv32"),
    (Os::Linux, Arch::Riscv64, Base, "linux-riscv64"),
    (Os::Linux, Arch::S390x, Base, "linux-s390x"),
    (Os::Wasi, Arch::Wasm, Base, "wasi-wasm32"),
    (Os::Windows, Arch::I386, Base, "win-32"),
    (Os::Windows, Arch::Amd64, Base, "win-64"),
    (Os::Windows, Arch::Arm64, Base, "win-arm64"),
    (Os::Zos, Arch::S390x, Base, "zos-z"),
];

/// Machine words of wheels; Windows' whole tags. Source: PEP 600, 656, 425; auditwheel's policies.
#[rustfmt::skip]
static WHEEL: &[Named] = &[
    (Os::Darwin, Arch::Amd64, Base, "x86_64"),
    (Os::Darwin, Arch::Arm64, Base, "arm64"),
    (Os::Linux, Arch::I386, Base, "i686"),
    (Os::Linux, Arch::Amd64, Base, "x86_64"),
    (Os::Linux, Arch::Arm, V7, "armv7l"),
    (Os::Linux, Arch::Arm64, Base, "aarch64"),
    (Os::Linux, Arch::Loong64, Base, "loongarch64"),
    (Os::Linux, Arch::Ppc64, Base, "ppc64"),
    (Os::Linux, Arch::Ppc64le, Base, "ppc64le"),
    (Os::Linux, Arch::Riscv64, Base, "riscv64"),
    (Os::Linux, Arch::S390x, Base, "s390x"),
    (Os::Windows, Arch::I386, Base, "win32"),
    (Os::Windows, Arch::Amd64, Base, "win_amd64"),
    (Os::Windows, Arch::Arm64, Base, "win_arm64"),
];

/// Source: Node's `process.platform`. illumos is `sunos` too.
const NPM_OS: &[(Os, &str)] = &[
    (Os::Aix, "aix"),
    (Os::Android, "android"),
    (Os::Cygwin, "cygwin"),
    (Os::Darwin, "darwin"),
    (Os::Freebsd, "freebsd"),
    (Os::Haiku, "haiku"),
    (Os::Linux, "linux"),
    (Os::Netbsd, "netbsd"),
    (Os::Openbsd, "openbsd"),
    (Os::Solaris, "sunos"),
    (Os::Illumos, "sunos"),
    (Os::Windows, "win32"),
];

/// Source: Node's `process.arch`, which says nothing of the byte order of `ppc64`.
const NPM_CPU: &[(Arch, &str)] = &[
    (Arch::Amd64, "x64"),
    (Arch::Arm, "arm"),
    (Arch::Arm64, "arm64"),
    (Arch::I386, "ia32"),
    (Arch::Loong64, "loong64"),
    (Arch::Mips, "mips"),
    (Arch::Mipsle, "mipsel"),
    (Arch::Ppc64le, "ppc64"),
    (Arch::Ppc64, "ppc64"),
    (Arch::Riscv64, "riscv64"),
    (Arch::S390x, "s390x"),
];

const EFI: &[(Arch, &str)] = &[
    (Arch::Amd64, "BOOTX64.EFI"),
    (Arch::Arm, "BOOTARM.EFI"),
    (Arch::Arm64, "BOOTAA64.EFI"),
    (Arch::I386, "BOOTIA32.EFI"),
    (Arch::Ia64, "BOOTIA64.EFI"),
    (Arch::Loong32, "BOOTLOONGARCH32.EFI"),
    (Arch::Loong64, "BOOTLOONGARCH64.EFI"),
    (Arch::Riscv, "BOOTRISCV32.EFI"),
    (Arch::Riscv64, "BOOTRISCV64.EFI"),
];

#[cfg(test)]
mod tests {
    use super::{CONDA, NIX, Named, WHEEL};
    use crate::platform::Platform;
    use crate::table;

    #[test]
    fn names_are_sorted_and_belong_to_rows() {
        let key = |row: &Named| (row.0, row.1, row.2);
        for names in [NIX, CONDA, WHEEL] {
            assert!(names.is_sorted_by(|a, b| key(a) < key(b)));
            for row in names {
                assert!(table::find(row.0, row.1, row.2).is_some(), "{}", row.3);
            }
        }
    }

    #[test]
    fn names_in() {
        type Read = fn(&str) -> Option<Platform>;
        let cases: &[(Read, &str, &str)] = &[
            (Platform::from_nix, "armv6l-linux", "linux/arm/v6"),
            (Platform::from_nix, "x86_64-linux-gnu", "-"),
            (Platform::from_conda, "osx-arm64", "darwin/arm64"),
            (Platform::from_conda, "noarch", "-"),
            (Platform::from_wheel, "manylinux2014_aarch64", "linux/arm64"),
            (Platform::from_wheel, "manylinux_2_28_x86_64", "linux/amd64"),
            (Platform::from_wheel, "musllinux_1_2_armv7l", "linux/arm/v7"),
            (Platform::from_wheel, "macosx_11_0_arm64", "darwin/arm64"),
            (Platform::from_wheel, "win_amd64", "windows/amd64"),
            (Platform::from_wheel, "win32", "windows/386"),
            (Platform::from_wheel, "manylinux_x_17_x86_64", "-"),
            (Platform::from_wheel, "any", "-"),
            (Platform::from_efi_boot_file, "bootx64.efi", "uefi/amd64"),
            (Platform::from_efi_boot_file, "BOOT.EFI", "-"),
        ];
        for (read, name, expected) in cases {
            let found = read(name).map_or_else(|| "-".to_owned(), |platform| platform.to_string());
            assert_eq!(found, *expected, "{name}");
        }
        let npm = |os, cpu| Platform::from_npm(os, cpu).map(|platform| platform.to_string());
        assert_eq!(npm("linux", "ppc64").as_deref(), Some("linux/ppc64le"));
        assert_eq!(npm("aix", "ppc64").as_deref(), Some("aix/ppc64"));
        assert_eq!(npm("win32", "s390x"), None);
    }
}
