//! Zig's target names.
//!
//! Zig spells the float ABI of MIPS and the ABI of 64-bit MIPS in every name, unlike GNU's triples.

use crate::arch::Arch;
use crate::libc::Libc;
use crate::os::Os;
use crate::platform::Platform;
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
        let (cpu, abi) = (cpu(self.arch_id())?, self.zig_abi());
        let name = match (self.os_id(), libc) {
            (Os::Darwin, _) => format!("{cpu}-macos-none"),
            (Os::Windows, Libc::Gnu) => format!("{cpu}-windows-gnu"),
            (Os::Freebsd | Os::Netbsd | Os::Openbsd, _) if abi.is_empty() => {
                format!("{cpu}-{}-none", self.os())
            }
            (Os::Freebsd | Os::Netbsd | Os::Openbsd, _) => format!("{cpu}-{}-{abi}", self.os()),
            (Os::Wasi | Os::Wasip1, _) => "wasm32-wasi-musl".to_owned(),
            (Os::Linux, Libc::Gnu | Libc::Musl) => format!("{cpu}-linux-{libc}{abi}"),
            _ => return None,
        };
        WITH_LIBC.binary_search(&name.as_str()).is_ok().then_some(name)
    }

    fn zig_abi(&self) -> &'static str {
        let soft = self.variant_id() == Variant::Softfloat;
        match (self.arch_id(), self.variant_id()) {
            (Arch::Arm, Variant::V5 | Variant::V6) => "eabi",
            (Arch::Arm | Arch::Armbe | Arch::Ppc, _) => "eabihf",
            (Arch::Mips | Arch::Mipsle, _) if soft => "eabi",
            (Arch::Mips | Arch::Mipsle, _) => "eabihf",
            (Arch::Mips64 | Arch::Mips64le, _) => "abi64",
            (Arch::Amd64p32, _) => "x32",
            _ => "",
        }
    }
}

/// Targets for which Zig carries a C library, for architectures of the table. Source: `zig targets`, Zig 0.17.
#[rustfmt::skip]
const WITH_LIBC: &[&str] = &[
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

const fn cpu(arch: Arch) -> Option<&'static str> {
    Some(match arch {
        Arch::I386 => "x86",
        Arch::Amd64 | Arch::Amd64p32 => "x86_64",
        Arch::Arm => "arm",
        Arch::Arm64 => "aarch64",
        Arch::Arm64be => "aarch64_be",
        Arch::Armbe => "armeb",
        Arch::Loong64 => "loongarch64",
        Arch::M68k => "m68k",
        Arch::Mips => "mips",
        Arch::Mips64 => "mips64",
        Arch::Mips64le => "mips64el",
        Arch::Mipsle => "mipsel",
        Arch::Ppc => "powerpc",
        Arch::Ppc64 => "powerpc64",
        Arch::Ppc64le => "powerpc64le",
        Arch::Riscv => "riscv32",
        Arch::Riscv64 => "riscv64",
        Arch::S390x => "s390x",
        Arch::Sparc => "sparc",
        Arch::Sparc64 => "sparc64",
        Arch::Wasm => "wasm32",
        Arch::Alpha | Arch::Hppa | Arch::Ia64 | Arch::S390 | Arch::Sh4 => return None,
    })
}
