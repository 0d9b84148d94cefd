//! Which machine runs which platform's programs without emulation, best first.
//!
//! A total order, so that the choice among an image's platforms never depends on how they are listed. For Linux it is
//! containerd's order, with the architectures added that it leaves out. Whether a kernel was built with its 32-bit
//! mode, and what binfmt_misc or Rosetta would run, is not here: that is asked of the machine.

use std::fmt;

use crate::arch::Arch;
use crate::os::Os;
use crate::platform::Platform;
use crate::table;
use crate::variant::Variant;

/// Why a machine runs a program of another platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Runs {
    /// It is the machine's own platform.
    Same,
    /// The program needs less of the same architecture.
    LowerVariant,
    /// The processor and the kernel have a mode for the narrower architecture.
    NarrowMode,
    /// The kernel has a second calling convention with short pointers (x32, n32).
    ShortPointers,
}

impl fmt::Display for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "the machine's own platform",
            Self::LowerVariant => "an earlier variant of the same architecture",
            Self::NarrowMode => "in the processor's 32-bit mode",
            Self::ShortPointers => "with the kernel's convention for short pointers",
        })
    }
}

/// Architectures that a machine runs besides its own, best first.
///
/// Sources: Linux's compat system calls per architecture; FreeBSD's `COMPAT_FREEBSD32`; NetBSD's `COMPAT_NETBSD32`;
/// WoW64 (on arm64 it translates x86, which is emulation).
const BESIDES: &[(Os, Arch, Arch, Runs)] = &[
    (Os::Android, Arch::Amd64, Arch::I386, Runs::NarrowMode),
    (Os::Android, Arch::Arm64, Arch::Arm, Runs::NarrowMode),
    (Os::Freebsd, Arch::Amd64, Arch::I386, Runs::NarrowMode),
    (Os::Freebsd, Arch::Arm64, Arch::Arm, Runs::NarrowMode),
    (Os::Freebsd, Arch::Ppc64, Arch::Ppc, Runs::NarrowMode),
    (Os::Linux, Arch::Amd64, Arch::I386, Runs::NarrowMode),
    (Os::Linux, Arch::Amd64, Arch::Amd64p32, Runs::ShortPointers),
    (Os::Linux, Arch::Arm64, Arch::Arm, Runs::NarrowMode),
    (Os::Linux, Arch::Arm64be, Arch::Armbe, Runs::NarrowMode),
    (Os::Linux, Arch::Mips64, Arch::Mips, Runs::NarrowMode),
    (Os::Linux, Arch::Mips64, Arch::Mips64p32, Runs::ShortPointers),
    (Os::Linux, Arch::Mips64le, Arch::Mipsle, Runs::NarrowMode),
    (Os::Linux, Arch::Mips64le, Arch::Mips64p32le, Runs::ShortPointers),
    (Os::Linux, Arch::Ppc64, Arch::Ppc, Runs::NarrowMode),
    (Os::Linux, Arch::S390x, Arch::S390, Runs::NarrowMode),
    (Os::Linux, Arch::Sparc64, Arch::Sparc, Runs::NarrowMode),
    (Os::Netbsd, Arch::Amd64, Arch::I386, Runs::NarrowMode),
    (Os::Netbsd, Arch::Arm64, Arch::Arm, Runs::NarrowMode),
    (Os::Netbsd, Arch::Sparc64, Arch::Sparc, Runs::NarrowMode),
    (Os::Windows, Arch::Amd64, Arch::I386, Runs::NarrowMode),
];

impl Platform {
    /// Returns why a machine of this platform runs programs of `other` without emulation; `None` when it does not.
    ///
    /// ```
    /// use platform_db::{Platform, Runs};
    ///
    /// let machine: Platform = "linux/arm64".parse().unwrap();
    /// assert_eq!(machine.runs(&"linux/arm/v6".parse().unwrap()), Some(Runs::NarrowMode));
    /// assert_eq!(machine.runs(&"linux/amd64".parse().unwrap()), None);
    /// ```
    #[must_use]
    pub fn runs(&self, other: &Self) -> Option<Runs> {
        self.run_order().find(|(platform, _)| *platform == other.without_os_version()).map(|(_, why)| why)
    }

    /// Iterates over every platform whose programs a machine of this one runs without emulation, best first.
    pub fn run_order(&self) -> impl Iterator<Item = (Self, Runs)> {
        let (os, arch, variant) = (self.os_id(), self.arch_id(), self.variant_id());
        let own = arch
            .runs_variants(variant)
            .map(move |lower| (arch, lower, if lower == variant { Runs::Same } else { Runs::LowerVariant }));
        // Release 6 of MIPS has no mode for the earlier ones, whatever their width.
        let besides =
            BESIDES.iter().filter(move |row| (row.0, row.1) == (os, arch) && variant != Variant::R6);
        let besides = besides.flat_map(|(_, _, narrow, why)| {
            let highest = narrow.variants().iter().rev().find(|variant| narrow.is_ordinary(**variant));
            let variants = narrow.runs_variants(highest.copied().unwrap_or(Variant::Base));
            variants.map(|variant| (*narrow, variant, *why))
        });
        let all =
            own.chain(besides).filter(move |(arch, variant, _)| table::find(os, *arch, *variant).is_some());
        all.map(move |(arch, variant, why)| (Self::from_ids(os, arch, variant, None), why))
    }
}

impl Arch {
    /// Iterates over the variants whose programs a processor of `own` runs, best first.
    pub(crate) fn runs_variants(self, own: Variant) -> impl Iterator<Item = Variant> {
        let lower = self.variants().iter().rev().copied().filter(move |lower| self.has(own, *lower));
        std::iter::once(own).chain(lower.filter(move |lower| *lower != own))
    }

    /// Returns whether the variant is one of those that lie above each other, and not one beside them.
    pub(crate) const fn is_ordinary(self, variant: Variant) -> bool {
        !matches!(variant, Variant::R6 | Variant::Spe | Variant::Softfloat)
    }

    /// Returns whether a processor of `own` has all that programs of `lower` need.
    pub(crate) fn has(self, own: Variant, lower: Variant) -> bool {
        use Variant::{R6, Softfloat, Spe};
        if own == lower {
            return true;
        }
        match (own, lower) {
            (R6 | Spe, _) | (_, R6 | Spe) | (Softfloat, _) => false,
            // Without floating-point instructions is less, wherever it stands in the list.
            (_, Softfloat) => true,
            _ if self == Self::Arm64 => arm64_level(own) >= arm64_level(lower) && is_v9(own) >= is_v9(lower),
            _ => lower < own,
        }
    }
}

/// The level of ARMv8 that a revision includes: ARMv9.n includes ARMv8.(n+5), up to its last.
///
/// Source: Arm Architecture Reference Manual, A2.2; ARMv8.9 is the counterpart of ARMv9.4.
const fn arm64_level(variant: Variant) -> u8 {
    if is_v9(variant) {
        variant as u8 - Variant::V9 as u8 + 5
    } else if (variant as u8) < Variant::V8_1 as u8 {
        0
    } else {
        variant as u8 - Variant::V8_1 as u8 + 1
    }
}

const fn is_v9(variant: Variant) -> bool {
    variant as u8 >= Variant::V9 as u8 && variant as u8 <= Variant::V9_5 as u8
}

#[cfg(test)]
mod tests {
    use super::{BESIDES, Runs};
    use crate::platform::Platform;

    fn order(machine: &str) -> String {
        let machine: Platform = machine.parse().unwrap();
        let names: Vec<String> = machine.run_order().map(|(platform, _)| platform.to_string()).collect();
        names.join(" ").replace("linux/", "")
    }

    /// The rows that containerd has are in its order (`platforms.Only`).
    #[test]
    fn orders() {
        let cases = [
            ("linux/amd64", "amd64 386 386/softfloat amd64p32"),
            ("linux/amd64/v3", "amd64/v3 amd64/v2 amd64 386 386/softfloat amd64p32"),
            ("linux/arm64", "arm64 arm/v8 arm/v7 arm/v6 arm/v5"),
            ("linux/arm64/v8.2", "arm64/v8.2 arm64/v8.1 arm64 arm/v8 arm/v7 arm/v6 arm/v5"),
            (
                "linux/arm64/v9.1",
                "arm64/v9.1 arm64/v9 arm64/v8.6 arm64/v8.5 arm64/v8.4 arm64/v8.3 arm64/v8.2 arm64/v8.1 arm64 \
                 arm/v8 arm/v7 arm/v6 arm/v5",
            ),
            ("linux/arm/v7", "arm/v7 arm/v6 arm/v5"),
            ("linux/arm/v5", "arm/v5"),
            ("linux/386", "386 386/softfloat"),
            ("linux/386/softfloat", "386/softfloat"),
            ("linux/mips64le", "mips64le mips64le/softfloat mipsle mipsle/softfloat mips64p32le"),
            ("linux/mips64/r6", "mips64/r6"),
            ("linux/ppc64le/power10", "ppc64le/power10 ppc64le/power9 ppc64le"),
            ("linux/ppc64", "ppc64 ppc"),
            ("linux/riscv64", "riscv64"),
            ("linux/s390x", "s390x s390"),
            ("darwin/arm64", "darwin/arm64"),
            ("windows/amd64", "windows/amd64 windows/386 windows/386/softfloat"),
            ("windows/arm64", "windows/arm64"),
        ];
        for (machine, expected) in cases {
            assert_eq!(order(machine), expected, "{machine}");
        }
    }

    #[test]
    fn every_machine_runs_its_own_programs_first() {
        for machine in Platform::all() {
            let order: Vec<_> = machine.run_order().collect();
            assert_eq!(order.first(), Some(&(machine.clone(), Runs::Same)));
            let mut seen = std::collections::BTreeSet::new();
            assert!(
                order.iter().all(|(platform, _)| seen.insert(platform.clone())),
                "{machine}: total order"
            );
        }
        assert!(BESIDES.is_sorted_by_key(|row| (row.0, row.1)));
    }
}
