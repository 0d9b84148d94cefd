//! Names out: a platform in the spelling of each tool.
//!
//! `None` means that the tool has no name for the platform, never "the same as usual".

use crate::arch::Arch;
use crate::libc::Libc;
use crate::os::Os;
use crate::platform::Platform;
use crate::rust;
use crate::table::{self, GnuWords, Row};
use crate::variant::Variant;

impl Platform {
    fn row(&self) -> Option<&'static Row> {
        table::find(self.os_id(), self.arch_id(), self.variant_id())
    }

    /// Returns whether `go build` knows the platform.
    #[must_use]
    pub fn is_go(&self) -> bool {
        self.row().is_some_and(|row| row.go)
    }

    /// Returns what `uname -m` prints. Little-endian MIPS is told from big-endian, which the kernel does not do.
    #[must_use]
    pub fn uname(&self) -> Option<&'static str> {
        self.row()?.uname
    }

    /// Returns the Debian architecture: `armhf`.
    ///
    /// ```
    /// let platform: platform_db::Platform = "linux/arm/v7".parse().unwrap();
    /// assert_eq!(platform.debian(), Some("armhf"));
    /// ```
    #[must_use]
    pub fn debian(&self) -> Option<&'static str> {
        self.row()?.debian
    }

    /// Returns the Alpine architecture: `x86`.
    #[must_use]
    pub fn alpine(&self) -> Option<&'static str> {
        self.row()?.alpine
    }

    /// Returns the RPM architecture: `armv7hl`.
    #[must_use]
    pub fn rpm(&self) -> Option<&'static str> {
        self.row()?.rpm
    }

    /// Returns the suffix of QEMU's user-mode program for Linux: `aarch64`.
    #[must_use]
    pub fn qemu(&self) -> Option<&'static str> {
        self.row()?.qemu
    }

    /// Returns the words of the GNU target triple outside Alpine.
    #[must_use]
    pub fn gnu_words(&self) -> Option<GnuWords<'static>> {
        self.row()?.gnu
    }

    /// Returns the words of the GNU target triple in Alpine's toolchain.
    #[must_use]
    pub fn alpine_gnu_words(&self) -> Option<GnuWords<'static>> {
        self.row()?.alpine_gnu
    }

    /// Returns Debian's multiarch triple, which is also the prefix of its cross compilers: `arm-linux-gnueabihf`.
    #[must_use]
    pub fn multiarch(&self) -> Option<String> {
        if self.os_id() != Os::Linux {
            return None;
        }
        let words = self.gnu_words()?;
        let cpu = if words.cpu == "i686" { "i386" } else { words.cpu };
        Some(format!("{cpu}-linux-gnu{}", words.abi))
    }

    /// Returns the Rust target with this C library.
    ///
    /// ```
    /// use platform_db::{Libc, Platform};
    ///
    /// let platform: Platform = "linux/arm/v6".parse().unwrap();
    /// assert_eq!(platform.rust(Libc::Musl), Some("arm-unknown-linux-musleabihf"));
    /// ```
    #[must_use]
    pub fn rust(&self, libc: Libc) -> Option<&'static str> {
        rust::target(self.os_id(), self.arch_id(), self.variant_id(), libc)
    }

    /// Returns the target triple of clang with this C library, in LLVM's own words: `riscv64-unknown-linux-gnu`.
    ///
    /// ```
    /// use platform_db::{Libc, Platform};
    ///
    /// let platform: Platform = "linux/arm/v7".parse().unwrap();
    /// assert_eq!(platform.llvm(Libc::Gnu).as_deref(), Some("armv7-unknown-linux-gnueabihf"));
    /// ```
    #[must_use]
    pub fn llvm(&self, libc: Libc) -> Option<String> {
        if self.os_id() == Os::Linux && matches!(libc, Libc::Gnu | Libc::Musl | Libc::Uclibc) {
            let words = self.gnu_words()?;
            // ARMv6 has another float ABI with musl, which is Alpine's, than with glibc, which is Debian's.
            let of_musl = self.alpine_gnu_words().filter(|_| libc == Libc::Musl);
            let cpu = self.llvm_arm().unwrap_or(words.cpu);
            return Some(format!("{cpu}-unknown-linux-{libc}{}", of_musl.unwrap_or(words).abi));
        }
        // Elsewhere Rust's names are LLVM's, save for the letters of RISC-V's extensions.
        let rust = self.rust(libc)?;
        let (cpu, rest) = rust.split_once('-')?;
        let cpu = ["riscv32", "riscv64"].into_iter().find(|word| cpu.starts_with(word)).unwrap_or(cpu);
        Some(format!("{cpu}-{rest}"))
    }

    /// A plain `arm` is another revision to each tool, so LLVM's word names it.
    fn llvm_arm(&self) -> Option<&'static str> {
        match (self.arch_id(), self.variant_id()) {
            (Arch::Arm, Variant::V5) => Some("armv5te"),
            (Arch::Arm, Variant::V6) => Some("armv6"),
            (Arch::Arm, Variant::V8) => Some("armv8a"),
            (Arch::Arm, _) => Some("armv7"),
            _ => None,
        }
    }
}
