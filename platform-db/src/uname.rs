//! Machine names that Linux prints for `uname -m`.
//!
//! Several architectures share a name on Linux: `mips`, `mips64`, `microblaze` and `xtensa` say nothing of the byte order
//! and mean the usual one here; the other must be told by other means.

use crate::arch::Arch;
use crate::error::{ParsePlatformError, Part};
use crate::os::Os;
use crate::platform::Platform;
use crate::suggest::nearest;
use crate::variant::Variant;

use Variant::{Base, V5, V6, V7, V8};

/// Machine names, sorted. Source: `UTS_MACHINE` and `ELF_PLATFORM` in Linux's `arch/*`.
const MACHINES: &[(&str, Arch, Variant)] = &[
    ("aarch64", Arch::Arm64, Base),
    ("aarch64_be", Arch::Arm64be, Base),
    ("alpha", Arch::Alpha, Base),
    ("amd64", Arch::Amd64, Base),
    ("arc", Arch::Arc, Base),
    ("arm64", Arch::Arm64, Base),
    ("armv5l", Arch::Arm, V5),
    ("armv5tejl", Arch::Arm, V5),
    ("armv5tel", Arch::Arm, V5),
    ("armv6l", Arch::Arm, V6),
    ("armv7b", Arch::Armbe, Base),
    ("armv7l", Arch::Arm, V7),
    ("armv8l", Arch::Arm, V8),
    ("avr32", Arch::Avr32, Base),
    ("cris", Arch::Cris, Base),
    ("csky", Arch::Csky, Base),
    ("hexagon", Arch::Hexagon, Base),
    ("i386", Arch::I386, Base),
    ("i486", Arch::I386, Base),
    ("i586", Arch::I386, Base),
    ("i686", Arch::I386, Base),
    ("ia64", Arch::Ia64, Base),
    ("loongarch32", Arch::Loong32, Base),
    ("loongarch64", Arch::Loong64, Base),
    ("m32r", Arch::M32r, Base),
    ("m68k", Arch::M68k, Base),
    ("microblaze", Arch::Microblaze, Base),
    ("mips", Arch::Mips, Base),
    ("mips64", Arch::Mips64, Base),
    ("mips64le", Arch::Mips64le, Base),
    ("mipsle", Arch::Mipsle, Base),
    ("nios2", Arch::Nios2, Base),
    ("openrisc", Arch::Or1k, Base),
    ("parisc", Arch::Hppa, Base),
    ("parisc64", Arch::Hppa, Base),
    ("ppc", Arch::Ppc, Base),
    ("ppc64", Arch::Ppc64, Base),
    ("ppc64le", Arch::Ppc64le, Base),
    ("ppcle", Arch::Ppcle, Base),
    ("riscv32", Arch::Riscv, Base),
    ("riscv64", Arch::Riscv64, Base),
    ("s390", Arch::S390, Base),
    ("s390x", Arch::S390x, Base),
    ("sh3", Arch::Sh3, Base),
    ("sh3eb", Arch::Sh3be, Base),
    ("sh4", Arch::Sh4, Base),
    ("sh4a", Arch::Sh4, Base),
    ("sh4eb", Arch::Sh4be, Base),
    ("sparc", Arch::Sparc, Base),
    ("sparc64", Arch::Sparc64, Base),
    ("tilegx", Arch::Tilegx, Base),
    ("x86_64", Arch::Amd64, Base),
    ("xtensa", Arch::Xtensa, Base),
];

pub(crate) fn platform(machine: &str) -> Result<Platform, ParsePlatformError> {
    match MACHINES.binary_search_by_key(&machine, |(name, ..)| name).ok().and_then(|at| MACHINES.get(at)) {
        Some((_, arch, variant)) => Ok(Platform::from_ids(Os::Linux, *arch, *variant, None)),
        None => {
            let near = nearest(machine, MACHINES.iter().map(|(name, ..)| *name));
            Err(ParsePlatformError::new(machine, Part::Machine, near.map(str::to_owned)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MACHINES, platform};
    use crate::table;

    #[test]
    fn machines_are_sorted_and_known() {
        assert!(MACHINES.is_sorted_by(|a, b| a.0 < b.0));
        for (machine, arch, variant) in MACHINES {
            let found = platform(machine).unwrap();
            assert_eq!((found.arch_id(), found.variant_id()), (*arch, *variant));
            assert!(table::runs_on(found.os_id(), found.arch_id()), "{machine}");
            assert_eq!(found.to_string().parse(), Ok(found));
        }
    }

    #[test]
    fn what_a_platform_prints_is_read() {
        for platform in crate::Platform::all().filter(|platform| platform.os() == "linux") {
            let Some(name) = platform.uname() else { continue };
            assert_eq!(super::platform(name).unwrap().uname(), Some(name), "{platform}");
        }
    }

    #[test]
    fn unknown_machines_are_named() {
        let error = platform("armv9l").unwrap_err();
        assert_eq!(error.did_you_mean.as_deref(), Some("armv5l"));
        assert!(platform("").is_err());
    }
}
