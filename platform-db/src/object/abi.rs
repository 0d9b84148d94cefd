//! What a processor must have, from the architecture's own words in an ELF file: Arm build attributes, MIPS ABI flags,
//! and the flags of the ELF header.
//!
//! Only what is certain is told: a file without these words needs nothing that is known.

use goblin::container::Endian;
use goblin::elf::program_header::ProgramHeader;

use super::ObjectError;
use super::elf::{Section, bytes_at};
use super::source::{Head, ReadAt};
use super::word::{uleb, word};
use crate::arch::Arch;
use crate::facts::FloatAbi;
use crate::variant::Variant;

/// `SHT_ARM_ATTRIBUTES`, and `PT_ARM_ATTRIBUTES` in files whose linker writes one.
const ARM_ATTRIBUTES: u32 = 0x7000_0003;
/// `PT_MIPS_ABIFLAGS`.
const MIPS_ABIFLAGS: u32 = 0x7000_0003;
/// `SHT_MIPS_ABIFLAGS`, in objects to be linked.
const MIPS_ABIFLAGS_SECTION: u32 = 0x7000_002a;

/// What the words say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Abi {
    pub(super) needs: Option<Variant>,
    pub(super) float: Option<FloatAbi>,
}

/// Reads the words of the architecture. Sections are looked at only where no segment holds them.
pub(super) fn read<S: ReadAt + ?Sized>(
    head: &Head<'_, S>,
    arch: Option<Arch>,
    flags: u32,
    segments: &[ProgramHeader],
    order: Endian,
    sections: impl FnOnce() -> Result<Vec<Section>, ObjectError>,
) -> Result<Abi, ObjectError> {
    let table = |segment: u32, section: u32| {
        if let Some(segment) = segments.iter().find(|known| known.p_type == segment) {
            return bytes_at(head, segment.p_offset, segment.p_filesz, "attributes");
        }
        match sections()?.iter().find(|known| known.kind == section) {
            Some(section) => bytes_at(head, section.offset, section.len, "attributes"),
            None => Ok(Vec::new()),
        }
    };
    Ok(match arch {
        Some(Arch::Arm | Arch::Armbe) => {
            let said = arm(&table(ARM_ATTRIBUTES, ARM_ATTRIBUTES)?, order);
            Abi { needs: said.needs, float: said.float.or(arm_flags(flags)) }
        }
        Some(
            Arch::Mips | Arch::Mipsle | Arch::Mips64 | Arch::Mips64le | Arch::Mips64p32 | Arch::Mips64p32le,
        ) => Abi {
            // EF_MIPS_ARCH: 9 and 10 are the two widths of release 6.
            needs: matches!(flags >> 28, 9 | 10).then_some(Variant::R6),
            float: mips_float(&table(MIPS_ABIFLAGS, MIPS_ABIFLAGS_SECTION)?),
        },
        Some(Arch::Riscv | Arch::Riscv64) => Abi { needs: None, float: riscv_float(flags) },
        Some(Arch::Loong32 | Arch::Loong64) => Abi { needs: None, float: loongarch_float(flags) },
        _ => Abi::default(),
    })
}

/// `EF_ARM_ABI_FLOAT_HARD` and `EF_ARM_ABI_FLOAT_SOFT`, of programs and libraries.
const fn arm_flags(flags: u32) -> Option<FloatAbi> {
    if flags & 0x400 != 0 {
        Some(FloatAbi::Hard)
    } else if flags & 0x200 != 0 {
        Some(FloatAbi::Soft)
    } else {
        None
    }
}

/// `EF_RISCV_FLOAT_ABI`; single precision is neither of the two that distributions use.
const fn riscv_float(flags: u32) -> Option<FloatAbi> {
    match flags & 6 {
        0 => Some(FloatAbi::Soft),
        4 => Some(FloatAbi::Hard),
        _ => None,
    }
}

/// The base ABI modifier of LoongArch: soft, single, double.
const fn loongarch_float(flags: u32) -> Option<FloatAbi> {
    match flags & 7 {
        1 => Some(FloatAbi::Soft),
        3 => Some(FloatAbi::Hard),
        _ => None,
    }
}

/// The `fp_abi` byte of `Elf_MIPS_ABIFlags_v0`.
fn mips_float(flags: &[u8]) -> Option<FloatAbi> {
    match flags.get(7)? {
        3 => Some(FloatAbi::Soft),
        1 | 2 | 5 | 6 | 7 => Some(FloatAbi::Hard),
        _ => None,
    }
}

/// Source: "Addenda to, and Errata in, the ABI for the Arm Architecture", 2: `A`, then sub-sections of vendors, each
/// with blocks of attributes; only those of the whole file (tag 1) of the vendor `aeabi` count.
fn arm(bytes: &[u8], order: Endian) -> Abi {
    let mut found = Abi::default();
    let Some((b'A', mut vendors)) = bytes.split_first() else { return found };
    while let Some((vendor, after)) = sized(vendors, 0, order) {
        vendors = after;
        let mut blocks = match vendor.get(4..).and_then(|rest| rest.strip_prefix(b"aeabi\0")) {
            Some(blocks) => blocks,
            None => continue,
        };
        while let Some((block, after)) = sized(blocks, 1, order) {
            blocks = after;
            if let Some(attributes) = block.strip_prefix(&[1]).and_then(|rest| rest.get(4..)) {
                whole_file(attributes, &mut found);
            }
        }
    }
    found
}

/// Cuts a piece whose length, in bytes and itself included, stands at `at`.
fn sized(bytes: &[u8], at: usize, order: Endian) -> Option<(&[u8], &[u8])> {
    let len = usize::try_from(word(bytes, at, order)?).ok()?;
    if len < at + 4 { None } else { bytes.split_at_checked(len) }
}

fn whole_file(mut rest: &[u8], found: &mut Abi) {
    while let Some((tag, after)) = uleb(rest) {
        // Odd tags from 32 on, and those with a name, have a string; 32 has a number before it.
        let number =
            if matches!(tag, 4 | 5) || (tag > 32 && tag % 2 == 1) { Some((0, after)) } else { uleb(after) };
        let Some((value, after)) = number else { return };
        rest = if matches!(tag, 4 | 5 | 32) || (tag > 32 && tag % 2 == 1) {
            let end = after.iter().position(|byte| *byte == 0).unwrap_or(after.len());
            after.get(end + 1..).unwrap_or_default()
        } else {
            after
        };
        match (tag, value) {
            // Tag_CPU_arch; microcontroller profiles run no Linux and are no variant.
            (6, 0..=5) => found.needs = Some(Variant::V5),
            (6, 6..=9) => found.needs = Some(Variant::V6),
            (6, 10) => found.needs = Some(Variant::V7),
            (6, 14 | 18 | 19 | 20) => found.needs = Some(Variant::V8),
            // Tag_ABI_VFP_args; 3 is code that passes no floats.
            (28, 0) => found.float = Some(FloatAbi::Soft),
            (28, 1) => found.float = Some(FloatAbi::Hard),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use goblin::container::Endian::{Big, Little};

    use super::{Abi, arm, mips_float};
    use crate::facts::FloatAbi::{Hard, Soft};
    use crate::variant::Variant::{V5, V6, V7, V8};

    /// `.ARM.attributes` with one block of the whole file.
    fn attributes(list: &[u8], big: bool) -> Vec<u8> {
        let int = |value: usize| {
            let value = u32::try_from(value).unwrap();
            if big { value.to_be_bytes() } else { value.to_le_bytes() }
        };
        let block = [&[1][..], &int(list.len() + 5), list].concat();
        [b"A", &int(block.len() + 10)[..], b"aeabi\0", &block].concat()
    }

    #[test]
    fn arm_attributes() {
        let said = |needs, float| Abi { needs: Some(needs), float };
        let cases: &[(&[u8], Abi)] = &[
            (&[6, 4], said(V5, None)),
            (&[5, b'7', b'-', b'A', 0, 6, 10, 28, 1], said(V7, Some(Hard))),
            (&[6, 6, 28, 0], said(V6, Some(Soft))),
            (&[32, 1, b'g', 0, 6, 14, 65, b'x', 0, 28, 3], said(V8, None)),
            (&[6, 11], Abi::default()),
            (&[6], Abi::default()),
            (&[5, b'x'], Abi::default()),
            (&[0x80, 0x80], Abi::default()),
            (&[], Abi::default()),
        ];
        for (list, expected) in cases {
            assert_eq!(arm(&attributes(list, false), Little), *expected, "{list:?}");
            assert_eq!(arm(&attributes(list, true), Big), *expected, "{list:?}");
        }
        let whole = attributes(&[6, 10, 28, 1], false);
        for len in 0..whole.len() {
            let cut = whole.get(..len).unwrap();
            assert_eq!(arm(cut, Little), Abi::default(), "{len}");
        }
    }

    #[test]
    fn mips_flags() {
        assert_eq!(mips_float(&[0, 0, 1, 0, 1, 1, 0, 3]), Some(Soft));
        assert_eq!(mips_float(&[0, 0, 1, 0, 1, 1, 0, 5]), Some(Hard));
        assert_eq!(mips_float(&[0; 7]), None);
    }
}
