//! Names out: a platform in the spelling of each tool.
//!
//! `None` means that the tool has no name for the platform, never "the same as usual".

use crate::libc::Libc;
use crate::os::Os;
use crate::platform::Platform;
use crate::rust;
use crate::table::{self, GnuWords, Row};

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
    /// assert_eq!(platform.llvm(Libc::Gnu).as_deref(), Some("arm-unknown-linux-gnueabihf"));
    /// ```
    #[must_use]
    pub fn llvm(&self, libc: Libc) -> Option<String> {
        if self.os_id() == Os::Linux {
            let words = self.gnu_words().filter(|_| matches!(libc, Libc::Gnu | Libc::Musl | Libc::Uclibc))?;
            return Some(format!("{}-unknown-linux-{libc}{}", words.cpu, words.abi));
        }
        // Elsewhere Rust's names are LLVM's, save for the letters of RISC-V's extensions.
        let rust = self.rust(libc)?;
        let (cpu, rest) = rust.split_once('-')?;
        let cpu = ["riscv32", "riscv64"].into_iter().find(|word| cpu.starts_with(word)).unwrap_or(cpu);
        Some(format!("{cpu}-{rest}"))
    }
}

#[cfg(test)]
mod tests {
    use crate::libc::Libc;
    use crate::platform::Platform;

    /// clang's triples are read as the platform, or as the lowest variant that shares the triple.
    #[test]
    fn llvm_triples_read_back() {
        let mut count = 0;
        for platform in Platform::all() {
            for triple in Libc::ALL.iter().filter_map(|libc| platform.llvm(*libc)) {
                count += 1;
                let found = Platform::from_triple(&triple).unwrap_or_else(|| panic!("{platform}: {triple}"));
                let same = (found.os(), found.arch()) == (platform.os(), platform.arch());
                assert!(same || triple.starts_with("wasm32-wasi"), "{platform}: {triple} is {found}");
            }
        }
        assert!(count > 200, "{count}");
    }
}
