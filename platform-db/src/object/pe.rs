//! PE: the DOS stub's pointer, the COFF header, and the word that tells the width of addresses.

use goblin::container::Endian as Order;

use super::ObjectError;
use super::facts::{Facts, Format, Kind};
use super::source::{Head, ReadAt};
use super::word::word;
use crate::arch::Arch;
use crate::facts::Endian;
use crate::os::Os;

/// `IMAGE_FILE_DLL`.
const DLL: u16 = 0x2000;
/// `IMAGE_SUBSYSTEM_EFI_APPLICATION` to `IMAGE_SUBSYSTEM_EFI_ROM`.
const EFI: std::ops::RangeInclusive<u16> = 10..=13;

/// Reads the headers; `None` for a DOS program or another file that starts with `MZ`.
pub(super) fn read<S: ReadAt + ?Sized>(head: &Head<'_, S>) -> Result<Option<Facts>, ObjectError> {
    let Some(start) = word(head.bytes(), 0x3c, Order::Little) else { return Ok(None) };
    let Ok(bytes) = head.range(u64::from(start), 96, "PE header") else { return Ok(None) };
    if !bytes.starts_with(b"PE\0\0") {
        return Ok(None);
    }
    let half =
        |at: usize| bytes.get(at..at + 2).and_then(|half| half.try_into().ok()).map_or(0, u16::from_le_bytes);
    let machine = half(4);
    let arch = Arch::ALL.iter().copied().find(|arch| arch.facts().coff_machine == Some(machine));
    let wide = half(24) == 0x20b;
    Ok(Some(Facts {
        format: Format::Pe,
        kind: if half(22) & DLL == 0 { Kind::PieExecutable } else { Kind::SharedLibrary },
        os: Some(if EFI.contains(&half(24 + 68)) { Os::Uefi } else { Os::Windows }),
        arch,
        other_arches: Vec::new(),
        machine: u32::from(machine),
        bits: if wide { 64 } else { 32 },
        endian: Endian::Little,
        needs: None,
        float_abi: None,
        libc: None,
        interpreter: None,
        is_static: false,
    }))
}
