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
        let cpu = cpu(self.arch_id())?;
        match (self.os_id(), libc) {
            (Os::Darwin, _) => Some(format!("{cpu}-macos-none")),
            (Os::Windows, Libc::Gnu | Libc::Msvc) => Some(format!("{cpu}-windows-{libc}")),
            (Os::Freebsd, _) => Some(format!("{cpu}-freebsd")),
            (Os::Netbsd, _) => Some(format!("{cpu}-netbsd")),
            (Os::Wasi | Os::Wasip1, _) => Some("wasm32-wasi".to_owned()),
            (Os::Linux, Libc::Gnu | Libc::Musl) => Some(format!("{cpu}-linux-{libc}{}", self.zig_abi())),
            _ => None,
        }
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
