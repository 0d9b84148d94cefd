//! ELF: which shared libraries and which glibc a program asks for at run time.
//!
//! Read from the dynamic table alone, as the dynamic linker does; sections may be stripped.

use goblin::container::Ctx;
use goblin::elf::dynamic::{DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_STRSZ, DT_STRTAB, DT_VERNEED};
use goblin::elf::program_header::{PT_DYNAMIC, PT_LOAD, ProgramHeader};

use super::elf::{bytes_at, entries, headers};
use super::source::{Head, ReadAt};
use super::{ObjectError, word};

/// Longest string table and version table that are read, in bytes.
const LONGEST_TABLE: u64 = 16 * 1024 * 1024;

/// What a program needs at run time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Names of shared libraries, in the order of the file.
    pub libraries: Vec<String>,
    /// Folders that the program itself names for them.
    pub search: Vec<String>,
    /// Highest `GLIBC_x.y` symbol version.
    pub glibc: Option<(u32, u32)>,
}

/// Reads what an ELF program or library needs. `None` when the file is no ELF file.
///
/// # Errors
/// When the file is truncated or malformed, or cannot be read.
pub fn needs<S: ReadAt + ?Sized>(source: &S) -> Result<Option<Needs>, ObjectError> {
    let head = Head::read(source)?;
    if !head.starts_with(b"\x7fELF") {
        return Ok(None);
    }
    let (_, ctx, segments) = headers(&head)?;
    let Some(dynamic) = segments.iter().find(|segment| segment.p_type == PT_DYNAMIC) else {
        return Ok(Some(Needs::default()));
    };
    let table = bytes_at(&head, dynamic.p_offset, dynamic.p_filesz, "dynamic table")?;
    let entries: Vec<(u64, u64)> = entries(&table, ctx).collect();
    let find = |tag| entries.iter().find(|(known, _)| *known == tag).map(|(_, value)| *value);
    let (Some(strings), Some(size)) = (find(DT_STRTAB), find(DT_STRSZ)) else {
        return Ok(Some(Needs::default()));
    };
    let strings = at_address(&head, &segments, strings, size, "string table")?;
    let all = |tag| {
        entries.iter().filter(move |(known, _)| *known == tag).map(|(_, value)| string(&strings, *value))
    };
    let paths = all(DT_RUNPATH).chain(all(DT_RPATH));
    let search = paths.flat_map(|paths| paths.split(':').map(str::to_owned).collect::<Vec<_>>()).collect();
    let glibc = match find(DT_VERNEED) {
        Some(address) => glibc(&versions(&head, &segments, address)?, &strings, ctx),
        None => None,
    };
    Ok(Some(Needs { libraries: all(DT_NEEDED).collect(), search, glibc }))
}

/// The file's bytes for an address, up to `len` or the end of the segment that holds it.
fn at_address<S: ReadAt + ?Sized>(
    head: &Head<'_, S>,
    segments: &[ProgramHeader],
    address: u64,
    len: u64,
    what: &'static str,
) -> Result<Vec<u8>, ObjectError> {
    let holds = |segment: &&ProgramHeader| {
        segment.p_type == PT_LOAD
            && address.checked_sub(segment.p_vaddr).is_some_and(|distance| distance < segment.p_filesz)
    };
    let segment = segments.iter().find(holds).ok_or(ObjectError::Truncated(what))?;
    let distance = address - segment.p_vaddr;
    let len = len.min(segment.p_filesz - distance).min(LONGEST_TABLE);
    let offset = segment.p_offset.checked_add(distance).ok_or(ObjectError::Truncated(what))?;
    head.range(offset, usize::try_from(len).unwrap_or(0), what)
}

fn versions<S: ReadAt + ?Sized>(
    head: &Head<'_, S>,
    segments: &[ProgramHeader],
    address: u64,
) -> Result<Vec<u8>, ObjectError> {
    at_address(head, segments, address, 64 * 1024, "version table")
}

fn string(strings: &[u8], at: u64) -> String {
    let start = usize::try_from(at).unwrap_or(usize::MAX);
    let text = strings.get(start..).unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// Walks `Elf_Verneed` and its `Elf_Vernaux` records. Offsets are relative to the record that holds them.
fn glibc(table: &[u8], strings: &[u8], ctx: Ctx) -> Option<(u32, u32)> {
    let word = |at: usize| word::word(table, at, ctx.le);
    let step = |at: usize, by: u32| at.checked_add(usize::try_from(by).ok()?);
    let mut highest = None;
    let mut record = 0;
    // Bounded by the table: a record that points back to itself ends the walk.
    for _ in 0..table.len() / 16 {
        let (Some(first), Some(next)) = (word(record + 8), word(record + 12)) else { break };
        let mut name = step(record, first);
        while let Some(at) = name {
            let (Some(text), Some(next)) = (word(at + 8), word(at + 12)) else { break };
            highest = highest.max(version(&string(strings, u64::from(text))));
            name = if next == 0 { None } else { step(at, next) };
        }
        match step(record, next).filter(|_| next != 0) {
            Some(next) => record = next,
            None => break,
        }
    }
    highest
}

/// `GLIBC_2.34` is (2, 34); `GLIBC_2.2.5` is (2, 2).
fn version(name: &str) -> Option<(u32, u32)> {
    let mut numbers = name.strip_prefix("GLIBC_")?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}
