//! Facts of a file held against a platform.
//!
//! Only what the file says for certain counts: an ELF file that names no operating system fits each one that uses ELF,
//! a file that states no variant fits each variant.

use std::fmt;

use super::facts::{Facts, Format, Kind, machine_name};
use crate::arch::Arch;
use crate::facts::FloatAbi;
use crate::os::Os;
use crate::platform::Platform;
use crate::variant::Variant;

/// What does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aspect {
    /// The file format is not the operating system's.
    Format,
    /// The operating system.
    Os,
    /// The architecture, word size included.
    Arch,
    /// The byte order alone.
    Endian,
    /// The file needs a later variant of the architecture.
    Variant,
    /// The file passes floating-point values in another way than the libraries of the platform.
    FloatAbi,
}

/// A file that was not built for a platform: what was found and what was expected, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What does not fit.
    pub aspect: Aspect,
    /// What the file is.
    pub found: String,
    /// What the platform asks for.
    pub expected: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "found {}, expected {}", self.found, self.expected)
    }
}

impl Facts {
    /// Returns how the file differs from what `platform` runs, or `None` when it fits.
    #[must_use]
    pub fn mismatch(&self, platform: &Platform) -> Option<Mismatch> {
        let aspect = self.differing(platform)?;
        let expected = match aspect {
            Aspect::Format => format!("a file in the object format of {}", platform.os()),
            Aspect::Os => format!("{} ({platform})", platform.os()),
            Aspect::Arch => format!("{} ({platform})", machine_name(platform.arch_id())),
            Aspect::Endian => format!("{} ({platform})", platform.arch_id().facts().endian),
            Aspect::Variant => format!("at most {platform}"),
            Aspect::FloatAbi => format!("{} ({platform})", float_words(platform.float_abi())),
        };
        let found = match (aspect, self.needs) {
            (Aspect::Variant, Some(needs)) => format!("{self}, which needs {}/{needs}", platform.arch()),
            (Aspect::FloatAbi, _) => format!("{self}, {}", self.float_abi.map_or("", float_words)),
            _ => self.to_string(),
        };
        Some(Mismatch { aspect, found, expected })
    }

    fn differing(&self, platform: &Platform) -> Option<Aspect> {
        if format_of(platform.os_id()) != Some(self.format) {
            return Some(Aspect::Format);
        }
        if self.os.is_some_and(|os| !same_kernel(os, platform.os_id())) {
            return Some(Aspect::Os);
        }
        let arch = platform.arch_id();
        if self.arch != Some(arch) && !self.other_arches.contains(&arch) {
            let facts = arch.facts();
            let same_machine = self.machine == u32::from(facts.elf_machine) && self.bits == facts.bits;
            let swapped = self.format == Format::Elf && same_machine && self.endian != facts.endian;
            return Some(if swapped { Aspect::Endian } else { Aspect::Arch });
        }
        if self
            .needs
            .is_some_and(|needs| arch.variants().contains(&needs) && !arch.has(platform.variant_id(), needs))
        {
            return Some(Aspect::Variant);
        }
        self.passes_floats_differently(platform).then_some(Aspect::FloatAbi)
    }

    /// A static program brings all of its code, kernel modules use none; ARMv6 is built with either ABI, by Debian and
    /// by Alpine. What other systems than Linux use is not in the table.
    fn passes_floats_differently(&self, platform: &Platform) -> bool {
        let either = platform.arch_id() == Arch::Arm && platform.variant_id() == Variant::V6;
        let alone = self.is_static || matches!(self.kind, Kind::Relocatable | Kind::Other);
        let free = alone || either || platform.os_id() != Os::Linux;
        !free && self.float_abi.is_some_and(|float| float != platform.float_abi())
    }
}

const fn float_words(float: FloatAbi) -> &'static str {
    match float {
        FloatAbi::Hard => "hard-float ABI",
        FloatAbi::Soft => "soft-float ABI",
    }
}

/// Android runs static Linux programs, not the reverse. illumos' programs bear the mark of Solaris.
fn same_kernel(found: Os, expected: Os) -> bool {
    found == expected || matches!((found, expected), (Os::Linux, Os::Android) | (Os::Solaris, Os::Illumos))
}

const fn format_of(os: Os) -> Option<Format> {
    match os {
        Os::Amdhsa
        | Os::Android
        | Os::Cuda
        | Os::Dragonfly
        | Os::Espidf
        | Os::Freebsd
        | Os::Fuchsia
        | Os::Haiku
        | Os::Helenos
        | Os::Hermit
        | Os::Horizon
        | Os::Hurd
        | Os::Illumos
        | Os::Kfreebsd
        | Os::L4re
        | Os::Linux
        | Os::Lynxos178
        | Os::Managarm
        | Os::Motor
        | Os::Nacl
        | Os::Netbsd
        | Os::None
        | Os::Nto
        | Os::Nuttx
        | Os::Openbsd
        | Os::Psp
        | Os::Psx
        | Os::Qurt
        | Os::Redox
        | Os::Rtems
        | Os::Solaris
        | Os::Solidasp3
        | Os::Teeos
        | Os::Trusty
        | Os::Vexos
        | Os::Vita
        | Os::Vxworks
        | Os::Xous
        | Os::Zkvm => Some(Format::Elf),
        Os::Darwin | Os::Ios | Os::Tvos | Os::Visionos | Os::Watchos => Some(Format::MachO),
        Os::Emscripten | Os::Js | Os::Wasi | Os::Wasip1 | Os::Wasip2 | Os::Wasip3 => Some(Format::Wasm),
        Os::Cygwin | Os::Uefi | Os::Windows => Some(Format::Pe),
        Os::Aix | Os::Mint | Os::Plan9 | Os::Zos => None,
    }
}
