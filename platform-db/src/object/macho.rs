//! Mach-O: the header and load commands; of a fat file the table of its architectures.

use goblin::container::Endian as Order;

use super::facts::{Facts, Format, Kind};
use super::source::{Head, ReadAt};
use super::word::word;
use super::{ObjectError, archive};
use crate::arch::Arch;
use crate::facts::Endian;
use crate::os::Os;

/// Most architectures in a fat file; Java's class files share the magic and have a version above it there.
const MOST_ARCHES: u32 = 30;
/// Longest load commands that are read, in bytes; programs have two to ten thousand.
const LONGEST_COMMANDS: u32 = 256 * 1024;

/// `LC_SEGMENT`, `LC_SYMTAB` and `LC_SEGMENT_64`.
const SEGMENT: u32 = 1;
const SYMBOLS: u32 = 2;
const SEGMENT_64: u32 = 0x19;

/// Reads the header of a file for one architecture; `None` for another file that starts alike.
pub(super) fn read<S: ReadAt + ?Sized>(head: &Head<'_, S>) -> Result<Option<Facts>, ObjectError> {
    match head.bytes().get(..4) {
        Some([0xcf, 0xfa, 0xed, 0xfe]) => thin(head, Order::Little, 64),
        Some([0xce, 0xfa, 0xed, 0xfe]) => thin(head, Order::Little, 32),
        Some([0xfe, 0xed, 0xfa, 0xcf]) => thin(head, Order::Big, 64),
        Some([0xfe, 0xed, 0xfa, 0xce]) => thin(head, Order::Big, 32),
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
    // Debug files (`dSYM`) are of another kind: their segments have no bytes.
    if kind != Kind::Other {
        let ends = cut(&commands, order).filter_map(|command| end(command, order));
        head.reaches(ends.max().unwrap_or(0), "last segment or symbol")?;
    }
    Ok(Some(Facts { os: system(&commands, order), ..facts(at(4)?, bits, endian, kind) }))
}

/// Cuts load commands apart.
fn cut(mut rest: &[u8], order: Order) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let len = usize::try_from(word(rest, 4, order)?).ok().filter(|len| *len >= 8)?;
        let (command, after) = rest.split_at_checked(len)?;
        rest = after;
        Some(command)
    })
}

/// Where the bytes end that a load command names.
fn end(command: &[u8], order: Order) -> Option<u64> {
    let at = |at| word(command, at, order).map(u64::from);
    let wide = |low: usize| {
        let (first, second) = (at(low)?, at(low + 4)?);
        Some(if order.is_little() { second << 32 | first } else { first << 32 | second })
    };
    let (offset, len) = match word(command, 0, order)? {
        SEGMENT => (at(32)?, at(36)?),
        SEGMENT_64 => (wide(40)?, wide(48)?),
        // The strings of the symbols.
        SYMBOLS => (at(16)?, at(20)?),
        _ => return None,
    };
    Some(offset.saturating_add(len))
}

/// The system that a load command names: `LC_BUILD_VERSION`, or one of the older `LC_VERSION_MIN_*`.
fn system(commands: &[u8], order: Order) -> Option<Os> {
    cut(commands, order).find_map(|command| match word(command, 0, order)? {
        0x32 => word(command, 8, order).and_then(platform),
        0x24 => Some(Os::Darwin),
        0x25 => Some(Os::Ios),
        0x2f => Some(Os::Tvos),
        0x30 => Some(Os::Watchos),
        _ => None,
    })
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

/// Reads a file for several architectures: its table, and the part for the first. `None` for a Java class.
pub(super) fn fat<S: ReadAt + ?Sized>(head: &Head<'_, S>) -> Result<Option<Facts>, ObjectError> {
    let wide = head.starts_with(&[0xca, 0xfe, 0xba, 0xbf]);
    let count = word(head.bytes(), 4, Order::Big).unwrap_or(u32::MAX);
    if !(1..=MOST_ARCHES).contains(&count) {
        return Ok(None);
    }
    let size = if wide { 32 } else { 20 };
    let table = head.range(8, size * count as usize, "table of a fat file")?;
    let part = |entry: &[u8]| {
        let at = |at| word(entry, at, Order::Big).map(u64::from);
        let (start, len) =
            if wide { (at(8)? << 32 | at(12)?, at(16)? << 32 | at(20)?) } else { (at(8)?, at(12)?) };
        Some((word(entry, 0, Order::Big)?, start, len))
    };
    let parts: Vec<(u32, u64, u64)> = table.chunks_exact(size).filter_map(part).collect();
    for (_, start, len) in &parts {
        head.reaches(start.saturating_add(*len), "part of a fat file")?;
    }
    let Some((_, start, len)) = parts.first() else { return Ok(None) };
    let first = head.slice(*start, *len);
    let first = Head::read(&first as &dyn ReadAt)?;
    let facts = if first.starts_with(b"!<arch>\n") { archive::read(&first)? } else { read(&first)? };
    let facts = facts.ok_or(ObjectError::Malformed("the first part of a fat file is no Mach-O file"))?;
    let other_arches = parts.iter().skip(1).filter_map(|(cputype, ..)| arch(*cputype)).collect();
    Ok(Some(Facts { other_arches, ..facts }))
}
