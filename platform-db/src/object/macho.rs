//! Mach-O: the header, and those of each architecture in a fat file.

use goblin::container::Endian as Order;

use super::ObjectError;
use super::facts::{Facts, Format, Kind};
use super::source::{Head, ReadAt};
use super::word::word;
use crate::arch::Arch;
use crate::facts::Endian;
use crate::os::Os;

/// Most architectures in a fat file; Java's class files share the magic and have a version above it there.
const MOST_ARCHES: u32 = 30;
/// Length of one entry of a fat file's table, in bytes.
const ENTRY: usize = 20;

/// Reads the header; `None` for another file that starts alike.
pub(super) fn read<S: ReadAt + ?Sized>(head: &Head<'_, S>) -> Result<Option<Facts>, ObjectError> {
    let bytes = head.bytes();
    match bytes.get(..4) {
        Some([0xcf, 0xfa, 0xed, 0xfe]) => Ok(thin(bytes, Order::Little, 64)),
        Some([0xce, 0xfa, 0xed, 0xfe]) => Ok(thin(bytes, Order::Little, 32)),
        Some([0xfe, 0xed, 0xfa, 0xcf]) => Ok(thin(bytes, Order::Big, 64)),
        Some([0xfe, 0xed, 0xfa, 0xce]) => Ok(thin(bytes, Order::Big, 32)),
        Some([0xca, 0xfe, 0xba, 0xbe]) => fat(head),
        _ => Ok(None),
    }
}

fn arch(cputype: u32) -> Option<Arch> {
    Arch::ALL.iter().copied().find(|arch| arch.facts().macho_cputype == Some(cputype))
}

fn thin(bytes: &[u8], order: Order, bits: u8) -> Option<Facts> {
    let (cputype, filetype) = (word(bytes, 4, order)?, word(bytes, 12, order)?);
    let kind = match filetype {
        1 => Kind::Relocatable,
        2 => Kind::PieExecutable,
        6 | 8 => Kind::SharedLibrary,
        _ => Kind::Other,
    };
    Some(facts(cputype, bits, if order.is_little() { Endian::Little } else { Endian::Big }, kind))
}

fn facts(cputype: u32, bits: u8, endian: Endian, kind: Kind) -> Facts {
    Facts {
        format: Format::MachO,
        kind,
        os: Some(Os::Darwin),
        arch: arch(cputype),
        other_arches: Vec::new(),
        machine: cputype,
        bits,
        endian,
        needs: None,
        float_abi: None,
        libc: None,
        interpreter: None,
        is_static: false,
    }
}

fn fat<S: ReadAt + ?Sized>(head: &Head<'_, S>) -> Result<Option<Facts>, ObjectError> {
    let count = word(head.bytes(), 4, Order::Big).unwrap_or(u32::MAX);
    if !(1..=MOST_ARCHES).contains(&count) {
        return Ok(None);
    }
    let table = head.range(8, ENTRY * count as usize, "table of a fat file")?;
    let types: Vec<u32> = table.chunks_exact(ENTRY).filter_map(|entry| word(entry, 0, Order::Big)).collect();
    let Some(first) = types.first() else { return Ok(None) };
    let bits = if first & 0x0100_0000 == 0 { 32 } else { 64 };
    let other_arches = types.iter().skip(1).filter_map(|cputype| arch(*cputype)).collect();
    let facts = Facts { other_arches, ..facts(*first, bits, Endian::Little, Kind::PieExecutable) };
    Ok(Some(facts))
}
