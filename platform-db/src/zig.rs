//! Zig's target names.
//!
//! Zig spells the float ABI of MIPS and the ABI of 64-bit MIPS in every name, unlike GNU's triples.

use crate::arch::Arch;
use crate::libc::Libc;
use crate::os::Os;
use crate::platform::Platform;
use crate::table;
use crate::variant::Variant;

impl Platform {
    /// Returns the target for `zig cc -target`, `None` where Zig has none for the library.
    ///
    /// ```
    /// use platform_db::{Libc, Platform};
    ///
    /// let platform: Platform = "linux/arm/v6".parse().unwrap();
    /// assert_eq!(platform.zig(Libc::Gnu).as_deref(), Some("arm-linux-gnueabi"));
    /// ```
    #[must_use]
    pub fn zig(&self, libc: Libc) -> Option<String> {
        let (cpu, abi) = (cpu(self.arch_id())?, self.zig_abi(libc));
        let name = match (self.os_id(), libc) {
            (Os::Darwin, Libc::System) => format!("{cpu}-macos-none"),
            (Os::Windows, Libc::Gnu) => format!("{cpu}-windows-gnu"),
            (Os::Freebsd | Os::Netbsd | Os::Openbsd, Libc::System) => {
                format!("{cpu}-{}-{}", self.os(), if abi.is_empty() { "none" } else { abi })
            }
            (Os::Wasi | Os::Wasip1, Libc::System) => format!("{cpu}-wasi-musl"),
            (Os::Linux, Libc::Gnu | Libc::Musl) => format!("{cpu}-linux-{libc}{abi}"),
            _ => return None,
        };
        WITH_LIBC.binary_search(&name.as_str()).is_ok().then_some(name)
    }

    /// Reads a Zig target: `arm-linux-gnueabihf`, `x86_64-windows-gnu`, `aarch64-macos`.
    ///
    /// ```
    /// use platform_db::Platform;
    ///
    /// assert_eq!(Platform::from_zig("mips64el-linux-gnuabin32").unwrap().to_string(), "linux/mips64p32le");
    /// ```
    #[must_use]
    pub fn from_zig(target: &str) -> Option<Self> {
        let mut words = target.split('-');
        let (first, os, abi) = (words.next()?, words.next()?, words.next().unwrap_or_default());
        // A version may follow the system or the library: `linux.5.4`, `gnu.2.31`.
        let (os, abi) = (os.split('.').next()?, abi.split('.').next()?);
        let first = match first {
            "thumb" => "arm",
            "thumbeb" => "armeb",
            other => other,
        };
        let os = match os {
            "macos" | "maccatalyst" => Os::Darwin,
            "freestanding" | "other" => Os::None,
            other => Os::from_name(other)?,
        };
        let soft = abi.ends_with("eabi") || abi.ends_with("sf");
        let fits = |arch: &&Arch| cpu(**arch) == Some(first) && pointers(**arch) == abi_pointers(abi);
        let arch = *Arch::ALL.iter().find(fits)?;
        let soft_variant =
            [Variant::V5, Variant::Softfloat].into_iter().find(|soft| arch.variants().contains(soft));
        // Where the soft-float variant does not run, the words say how the system passes floats, as on OpenBSD.
        let variant = soft_variant.filter(|variant| soft && table::find(os, arch, *variant).is_some());
        let variant = variant.unwrap_or(arch.default_variant());
        table::find(os, arch, variant).map(|_| Self::from_ids(os, arch, variant, None))
    }

    fn zig_abi(&self, libc: Libc) -> &'static str {
        let soft = self.variant_id() == Variant::Softfloat;
        match (self.arch_id(), self.variant_id()) {
            (Arch::Arm, Variant::V5) => "eabi",
            (Arch::Arm, _) if self.os_id() == Os::Openbsd => "eabi",
            // Debian's soft-float armel, Alpine's hard-float armhf.
            (Arch::Arm, Variant::V6) if libc == Libc::Gnu => "eabi",
            (Arch::Arm | Arch::Armbe | Arch::Csky | Arch::Ppc, _) => "eabihf",
            (Arch::Mips | Arch::Mipsle, _) if soft => "eabi",
            (Arch::Mips | Arch::Mipsle, _) => "eabihf",
            (Arch::Mips64 | Arch::Mips64le, _) if self.os_id() == Os::Linux => "abi64",
            (Arch::Mips64p32 | Arch::Mips64p32le, _) => "abin32",
            (Arch::Amd64p32, _) => "x32",
            _ => "",
        }
    }
}

/// Which pointers a word of Zig's for a processor needs an ABI to tell: those of x32 and n32 are short.
const fn pointers(arch: Arch) -> bool {
    matches!(arch, Arch::Amd64p32 | Arch::Mips64p32 | Arch::Mips64p32le)
}

fn abi_pointers(abi: &str) -> bool {
    abi.ends_with("x32") || abi.ends_with("abin32")
}

/// Targets for which Zig carries a C library, for platforms of the table. Source: `zig targets`, Zig 0.17.
#[rustfmt::skip]
static WITH_LIBC: &[&str] = &[
    "aarch64-freebsd-none",
    "aarch64-linux-gnu",
    "aarch64-linux-musl",
    "aarch64-macos-none",
    "aarch64-netbsd-none",
    "aarch64-openbsd-none",
    "aarch64-windows-gnu",
    "aarch64_be-linux-gnu",
    "aarch64_be-linux-musl",
    "aarch64_be-netbsd-none",
    "arc-linux-gnu",
    "arm-freebsd-eabihf",
    "arm-linux-gnueabi",
    "arm-linux-gnueabihf",
    "arm-linux-musleabi",
    "arm-linux-musleabihf",
    "arm-netbsd-eabi",
    "arm-netbsd-eabihf",
    "arm-openbsd-eabi",
    "armeb-linux-gnueabi",
    "armeb-linux-gnueabihf",
    "armeb-linux-musleabi",
    "armeb-linux-musleabihf",
    "armeb-netbsd-eabi",
    "armeb-netbsd-eabihf",
    "csky-linux-gnueabi",
    "csky-linux-gnueabihf",
    "hexagon-linux-musl",
    "loongarch32-linux-gnu",
    "loongarch32-linux-gnusf",
    "loongarch64-linux-gnu",
    "loongarch64-linux-gnusf",
    "loongarch64-linux-musl",
    "loongarch64-linux-muslf32",
    "loongarch64-linux-muslsf",
    "m68k-linux-gnu",
    "m68k-linux-musl",
    "m68k-netbsd-none",
    "mips-linux-gnueabi",
    "mips-linux-gnueabihf",
    "mips-linux-musleabi",
    "mips-linux-musleabihf",
    "mips-netbsd-eabi",
    "mips-netbsd-eabihf",
    "mips64-linux-gnuabi64",
    "mips64-linux-gnuabin32",
    "mips64-linux-muslabi64",
    "mips64-linux-muslabin32",
    "mips64-openbsd-none",
    "mips64el-linux-gnuabi64",
    "mips64el-linux-gnuabin32",
    "mips64el-linux-muslabi64",
    "mips64el-linux-muslabin32",
    "mips64el-openbsd-none",
    "mipsel-linux-gnueabi",
    "mipsel-linux-gnueabihf",
    "mipsel-linux-musleabi",
    "mipsel-linux-musleabihf",
    "mipsel-netbsd-eabi",
    "mipsel-netbsd-eabihf",
    "powerpc-linux-musleabi",
    "powerpc-linux-musleabihf",
    "powerpc-netbsd-eabihf",
    "powerpc-openbsd-eabihf",
    "powerpc64-freebsd-none",
    "powerpc64-linux-musl",
    "powerpc64-openbsd-none",
    "powerpc64le-freebsd-none",
    "powerpc64le-linux-gnu",
    "powerpc64le-linux-musl",
    "riscv32-linux-gnu",
    "riscv32-linux-musl",
    "riscv32-netbsd-none",
    "riscv64-freebsd-none",
    "riscv64-linux-gnu",
    "riscv64-linux-musl",
    "riscv64-netbsd-none",
    "riscv64-openbsd-none",
    "s390x-linux-gnu",
    "s390x-linux-musl",
    "sparc-linux-gnu",
    "sparc-netbsd-none",
    "sparc64-linux-gnu",
    "sparc64-netbsd-none",
    "sparc64-openbsd-none",
    "wasm32-wasi-musl",
    "x86-freebsd-none",
    "x86-linux-gnu",
    "x86-linux-musl",
    "x86-netbsd-none",
    "x86-openbsd-none",
    "x86-windows-gnu",
    "x86_64-freebsd-none",
    "x86_64-linux-gnu",
    "x86_64-linux-gnux32",
    "x86_64-linux-musl",
    "x86_64-linux-muslx32",
    "x86_64-macos-none",
    "x86_64-netbsd-none",
    "x86_64-openbsd-none",
    "x86_64-windows-gnu",
];

/// Zig's word for a processor. Source: the `arch` list of `zig targets`.
const fn cpu(arch: Arch) -> Option<&'static str> {
    Some(match arch {
        Arch::I386 => "x86",
        Arch::Alpha => "alpha",
        Arch::Amd64 => "x86_64",
        Arch::Amd64p32 => "x86_64",
        Arch::Amdgcn => "amdgcn",
        Arch::Arc => "arc",
        Arch::Arm => "arm",
        Arch::Arm64 => "aarch64",
        Arch::Arm64be => "aarch64_be",
        Arch::Armbe => "armeb",
        Arch::Avr => "avr",
        Arch::Bpf => "bpfel",
        Arch::Bpfbe => "bpfeb",
        Arch::Csky => "csky",
        Arch::Hexagon => "hexagon",
        Arch::Hppa => "hppa",
        Arch::Loong32 => "loongarch32",
        Arch::Loong64 => "loongarch64",
        Arch::M68k => "m68k",
        Arch::Microblaze => "microblaze",
        Arch::Microblazeel => "microblazeel",
        Arch::Mips => "mips",
        Arch::Mips64 => "mips64",
        Arch::Mips64le => "mips64el",
        Arch::Mips64p32 => "mips64",
        Arch::Mips64p32le => "mips64el",
        Arch::Mipsle => "mipsel",
        Arch::Msp430 => "msp430",
        Arch::Nvptx64 => "nvptx64",
        Arch::Or1k => "or1k",
        Arch::Ppc => "powerpc",
        Arch::Ppc64 => "powerpc64",
        Arch::Ppc64le => "powerpc64le",
        Arch::Ppcle => "powerpcle",
        Arch::Riscv => "riscv32",
        Arch::Riscv64 => "riscv64",
        Arch::S390x => "s390x",
        Arch::Sh4 => "sh",
        Arch::Sh4be => "sheb",
        Arch::Sparc => "sparc",
        Arch::Sparc64 => "sparc64",
        Arch::Wasm => "wasm32",
        Arch::Wasm64 => "wasm64",
        Arch::Xtensa => "xtensa",
        Arch::Xtensabe => "xtensaeb",
        Arch::Arm64p32
        | Arch::Arm64p32be
        | Arch::Avr32
        | Arch::Cris
        | Arch::Ia64
        | Arch::M32r
        | Arch::Nios2
        | Arch::S390
        | Arch::Sh3
        | Arch::Sh3be
        | Arch::Tilegx => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::WITH_LIBC;
    use crate::platform::Platform;

    #[test]
    fn names_are_sorted() {
        assert!(WITH_LIBC.is_sorted());
    }

    #[test]
    fn targets_in() {
        let cases = [
            ("aarch64-macos", Some("darwin/arm64")),
            ("x86_64-linux-gnu.2.17", Some("linux/amd64")),
            ("x86_64-linux-gnux32", Some("linux/amd64p32")),
            ("arm-linux-musleabi", Some("linux/arm/v5")),
            ("thumb-linux-musleabihf", Some("linux/arm/v7")),
            ("arm-openbsd-eabi", Some("openbsd/arm/v7")),
            ("mips-linux-gnueabi", Some("linux/mips/softfloat")),
            ("x86_64", None),
            ("x86_64-beos-none", None),
            ("pdp11-linux-gnu", None),
            ("", None),
        ];
        for (target, expected) in cases {
            let found = Platform::from_zig(target).map(|platform| platform.to_string());
            assert_eq!(found.as_deref(), expected, "{target}");
        }
    }
}
