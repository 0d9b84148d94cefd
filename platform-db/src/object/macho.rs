//! Mach-O: the header and load commands; of a fat file the table of its architectures.

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
/// Longest load commands that are read, in bytes; programs have two to ten thousand.
const LONGEST_COMMANDS: u32 = 256 * 1024;
/// Length of one entry of a fat file's table, in bytes.
const ENTRY: usize = 20;

/// Reads the header; `None` for another file that starts alike.
pub(super) fn read<S: ReadAt + ?Sized>(head: &Head<'_, S>) -> Result<Option<Facts>, ObjectError> {
    let bytes = head.bytes();
    match bytes.get(..4) {
        Some([0xcf, 0xfa, 0xed, 0xfe]) => thin(head, Order::Little, 64),
        Some([0xce, 0xfa, 0xed, 0xfe]) => thin(head, Order::Little, 32),
        Some([0xfe, 0xed, 0xfa, 0xcf]) => thin(head, Order::Big, 64),
        Some([0xfe, 0xed, 0xfa, 0xce]) => thin(head, Order::Big, 32),
        Some([0xca, 0xfe, 0xba, 0xbe]) => fat(head),
        _ => Ok(None),
    }
}

fn arch(cputype: u32) -> Option<Arch> {
    Arch::ALL.iter().copied().find(|arch| arch.facts().macho_cputype == Some(cputype))
}

fn thin<S: ReadAt + ?Sized>(
    head: &Head<'_, S>,
    order: Order,
    bits: u8,
) -> Result<Option<Facts>, ObjectError> {
    let at = |at| word(head.bytes(), at, order).ok_or(ObjectError::Truncated("Mach-O header"));
    let kind = match at(12)? {
        1 => Kind::Relocatable,
        2 => Kind::PieExecutable,
        6 | 8 => Kind::SharedLibrary,
        _ => Kind::Other,
    };
    let endian = if order.is_little() { Endian::Little } else { Endian::Big };
    let size = at(20)?.min(LONGEST_COMMANDS) as usize;
    let commands = head.range(if bits == 64 { 32 } else { 28 }, size, "load commands")?;
    Ok(Some(Facts { os: system(&commands, order), ..facts(at(4)?, bits, endian, kind) }))
}

/// The system that a load command names: `LC_BUILD_VERSION`, or one of the older `LC_VERSION_MIN_*`.
fn system(mut commands: &[u8], order: Order) -> Option<Os> {
    while let (Some(command), Some(len)) = (word(commands, 0, order), word(commands, 4, order)) {
        match command {
            0x32 => return word(commands, 8, order).and_then(platform),
            0x24 => return Some(Os::Darwin),
            0x25 => return Some(Os::Ios),
            0x2f => return Some(Os::Tvos),
            0x30 => return Some(Os::Watchos),
            _ => {}
        }
        commands = commands.get(usize::try_from(len).ok().filter(|len| *len >= 8)?..)?;
    }
    None
}

/// `PLATFORM_*`; simulators count as what they simulate, Mac Catalyst as macOS.
const fn platform(number: u32) -> Option<Os> {
    match number {
        1 | 6 => Some(Os::Darwin),
        2 | 7 => Some(Os::Ios),
        3 | 8 => Some(Os::Tvos),
        4 | 9 => Some(Os::Watchos),
        11 | 12 => Some(Os::Visionos),
        _ => None,
    }
}

fn facts(cputype: u32, bits: u8, endian: Endian, kind: Kind) -> Facts {
    Facts {
        format: Format::MachO,
        kind,
        os: None,
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
