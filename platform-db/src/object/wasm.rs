//! WebAssembly: modules by their section headers, components by their first bytes.
//!
//! The width of addresses stands with the memory, which a module defines or imports; without either it is 32 bits.

use super::ObjectError;
use super::facts::{Facts, Format, Kind};
use super::source::{Head, ReadAt};
use super::word::uleb;
use crate::arch::Arch;
use crate::facts::Endian;

/// Most sections looked at; a module has a dozen and its debug sections.
const MOST_SECTIONS: usize = 4096;
/// Longest part of a section that is read, in bytes.
const LONGEST_PART: u64 = 64 * 1024;
/// Bit of a memory's limits that says that it has 64-bit addresses.
const WIDE: u8 = 4;

/// Sections by their numbers.
const CUSTOM: u8 = 0;
const IMPORTS: u8 = 2;
const MEMORIES: u8 = 5;

/// Reads a module or component; `None` for versions that are not in use.
pub(super) fn read<S: ReadAt + ?Sized>(
    head: &Head<'_, S>,
    version: u8,
    layer: u8,
) -> Result<Option<Facts>, ObjectError> {
    match (version, layer) {
        (1 | 2, 0) => {}
        (0x0d, _) => return Ok(Some(facts(false, Kind::PieExecutable))),
        _ => return Ok(None),
    }
    let (mut start, mut wide, mut kind) = (8, false, Kind::PieExecutable);
    for _ in 0..MOST_SECTIONS {
        let header = head.up_to(start, 11)?;
        let Some((section, rest)) = header.split_first() else { break };
        let mut size = Reader(rest);
        let len = size.number().ok_or(ObjectError::Truncated("header of a section"))?;
        let content = start + 1 + (rest.len() - size.0.len()) as u64;
        let end = content.saturating_add(len);
        head.reaches(end, "last section")?;
        let part = || head.up_to(content, usize::try_from(len.min(LONGEST_PART)).unwrap_or(0));
        match *section {
            CUSTOM => kind = kind_of(&part()?).unwrap_or(kind),
            IMPORTS => wide |= imports(&part()?).unwrap_or(false),
            MEMORIES => wide |= Reader(&part()?).memories().unwrap_or(false),
            _ => {}
        }
        start = end;
    }
    Ok(Some(facts(wide, kind)))
}

fn facts(wide: bool, kind: Kind) -> Facts {
    let arch = if wide { Arch::Wasm64 } else { Arch::Wasm };
    Facts {
        format: Format::Wasm,
        kind,
        os: None,
        arch: Some(arch),
        other_arches: Vec::new(),
        machine: 0,
        bits: arch.facts().bits,
        endian: Endian::Little,
        needs: None,
        float_abi: None,
        libc: None,
        interpreter: None,
        is_static: false,
    }
}

/// Objects to be linked and libraries have a section of their linker's.
///
/// Source: the tool conventions of WebAssembly, "Linking" and "DynamicLinking".
fn kind_of(custom: &[u8]) -> Option<Kind> {
    match Reader(custom).name()? {
        b"linking" => Some(Kind::Relocatable),
        b"dylink" | b"dylink.0" => Some(Kind::SharedLibrary),
        _ => None,
    }
}

/// Returns whether an imported memory is wide; `None` when the imports cannot be read.
fn imports(bytes: &[u8]) -> Option<bool> {
    let mut reader = Reader(bytes);
    for _ in 0..reader.number()? {
        // Module and name.
        reader.name()?;
        reader.name()?;
        match reader.byte()? {
            // A function's type.
            0 => drop(reader.number()?),
            // A table: what it holds, and its limits.
            1 => drop((reader.byte()?, reader.limits()?)),
            2 => return Some(reader.limits()? & WIDE != 0),
            // A global's type, and whether it changes.
            3 => drop((reader.byte()?, reader.byte()?)),
            // An exception's attribute and type.
            4 => drop((reader.byte()?, reader.number()?)),
            _ => return None,
        }
    }
    Some(false)
}

/// What is left of a section.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn number(&mut self) -> Option<u64> {
        let (value, rest) = uleb(self.0)?;
        self.0 = rest;
        Some(value)
    }

    fn name(&mut self) -> Option<&'b [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        let (name, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(name)
    }

    /// Passes over limits, and returns their flags: with 1 there is a highest size beside the lowest.
    fn limits(&mut self) -> Option<u8> {
        let flags = self.byte()?;
        self.number()?;
        if flags & 1 != 0 {
            self.number()?;
        }
        Some(flags)
    }

    /// Returns whether the first memory is wide.
    fn memories(&mut self) -> Option<bool> {
        let count = self.number()?;
        Some(count > 0 && self.limits()? & WIDE != 0)
    }
}
