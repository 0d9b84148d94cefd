//! PE: the DOS stub's pointer, the COFF header, and the word that tells the width of addresses. COFF objects have no
//! magic number: a known machine counts only where the rest of the header is plausible.

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
/// `IMAGE_FILE_EXECUTABLE_IMAGE`.
const EXECUTABLE: u16 = 2;
/// Length of a COFF header, of an entry of its section table, and of one of its symbol table, in bytes.
const HEADER: u64 = 20;
const SECTION: u64 = 40;
const SYMBOL: u64 = 18;
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
    let sections = u64::from(start) + 24 + u64::from(half(20));
    whole(head, sections, half(6))?;
    let wide = half(24) == 0x20b;
    let kind = if half(22) & DLL == 0 { Kind::PieExecutable } else { Kind::SharedLibrary };
    let os = if EFI.contains(&half(24 + 68)) { Os::Uefi } else { Os::Windows };
    let bits = if wide { 64 } else { 32 };
    Ok(Some(Facts { os: Some(os), bits, ..facts(machine, kind) }))
}

/// A file that ends before the bytes of a section is cut short.
fn whole<S: ReadAt + ?Sized>(head: &Head<'_, S>, table: u64, count: u16) -> Result<(), ObjectError> {
    let table = head.range(table, usize::from(count) * SECTION as usize, "PE section table")?;
    let end = |section: &[u8]| {
        let (len, offset) = (word(section, 16, Order::Little)?, word(section, 20, Order::Little)?);
        (offset != 0).then_some(u64::from(len) + u64::from(offset))
    };
    head.reaches(table.chunks_exact(SECTION as usize).filter_map(end).max().unwrap_or(0), "last PE section")
}

/// Some machines have several numbers: Arm's encodings, which UEFI and Windows choose from differently, and Arm64EC, of
/// which processes of Windows on arm64 are made.
fn arch(machine: u16) -> Option<Arch> {
    match machine {
        0x01c0 | 0x01c2 => return Some(Arch::Arm),
        0xa641 | 0xa64e => return Some(Arch::Arm64),
        _ => {}
    }
    Arch::ALL.iter().copied().find(|arch| arch.facts().coff_machine == Some(machine))
}

fn facts(machine: u16, kind: Kind) -> Facts {
    let arch = arch(machine);
    Facts {
        format: Format::Pe,
        kind,
        os: None,
        arch,
        other_arches: Vec::new(),
        machine: u32::from(machine),
        bits: arch.map_or(32, |arch| arch.facts().bits),
        endian: Endian::Little,
        needs: None,
        float_abi: None,
        libc: None,
        interpreter: None,
        is_static: false,
    }
}

/// Reads a COFF object, of many sections (`/bigobj`) or an import too; `None` for anything else.
pub(super) fn object<S: ReadAt + ?Sized>(head: &Head<'_, S>) -> Result<Option<Facts>, ObjectError> {
    let bytes = head.bytes();
    let half = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let long = |at: usize| word(bytes, at, Order::Little).map(u64::from);
    let machine = match (half(0), half(2), half(4)) {
        (Some(0), Some(0xffff), Some(0..=2)) => half(6),
        (Some(machine), Some(1..=0x1000), _) if half(16) == Some(0) => {
            let (Some(symbols), Some(count), Some(sections)) = (long(8), long(12), half(2)) else {
                return Ok(None);
            };
            let end = (symbols + count * SYMBOL).max(HEADER + u64::from(sections) * SECTION);
            let inside = head.source_len()?.is_none_or(|len| end <= len);
            Some(machine)
                .filter(|_| inside && symbols != 0 && half(18).is_some_and(|flags| flags & EXECUTABLE == 0))
        }
        _ => None,
    };
    Ok(machine.filter(|machine| arch(*machine).is_some()).map(|machine| facts(machine, Kind::Relocatable)))
}
