//! ELF notes: who built it for which system, and which x86-64 level it needs.

use goblin::container::Endian;
use goblin::elf::program_header::ProgramHeader;

use super::ObjectError;
use super::elf::{bytes_at, is_note};
use super::source::{Head, ReadAt};
use super::word::word;
use crate::os::Os;
use crate::variant::Variant;

/// `NT_GNU_ABI_TAG`.
const ABI_TAG: u32 = 1;
/// `NT_GNU_PROPERTY_TYPE_0`.
const PROPERTY: u32 = 5;
/// `GNU_PROPERTY_X86_ISA_1_NEEDED`.
const X86_ISA_NEEDED: u32 = 0xc000_8002;

/// What the notes say.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) os: Option<Os>,
    pub(super) needs: Option<Variant>,
}

pub(super) fn read<S: ReadAt + ?Sized>(
    head: &Head<'_, S>,
    segments: &[ProgramHeader],
    order: Endian,
) -> Result<Notes, ObjectError> {
    let mut notes = Notes::default();
    for segment in segments.iter().filter(|segment| is_note(segment)) {
        let bytes = bytes_at(head, segment.p_offset, segment.p_filesz, "note segment")?;
        let align = if segment.p_align == 8 { 8 } else { 4 };
        walk(&bytes, align, order, &mut notes);
    }
    Ok(notes)
}

fn walk(mut bytes: &[u8], align: usize, order: Endian, notes: &mut Notes) {
    while let (Some(name_len), Some(len), Some(kind)) =
        (word(bytes, 0, order), word(bytes, 4, order), word(bytes, 8, order))
    {
        let name_end = 12usize.saturating_add(name_len as usize);
        let Some(start) = name_end.checked_next_multiple_of(align) else { return };
        let end = start.saturating_add(len as usize);
        let (Some(name), Some(content)) = (bytes.get(12..name_end), bytes.get(start..end)) else { return };
        let name = name.strip_suffix(b"\0").unwrap_or(name);
        note(name, kind, content, align, order, notes);
        let Some(rest) = end.checked_next_multiple_of(align).and_then(|next| bytes.get(next..)) else {
            return;
        };
        bytes = rest;
    }
}

fn note(name: &[u8], kind: u32, content: &[u8], align: usize, order: Endian, notes: &mut Notes) {
    match (name, kind) {
        (b"GNU", ABI_TAG) => {
            notes.os = match word(content, 0, order) {
                Some(0) => Some(Os::Linux),
                Some(1) => Some(Os::Hurd),
                Some(2) => Some(Os::Solaris),
                Some(3) => Some(Os::Freebsd),
                _ => notes.os,
            }
        }
        (b"GNU", PROPERTY) => notes.needs = isa_needed(content, align, order).or(notes.needs),
        (b"Android", _) => notes.os = Some(Os::Android),
        (b"DragonFly", _) => notes.os = Some(Os::Dragonfly),
        (b"FreeBSD", _) => notes.os = Some(Os::Freebsd),
        (b"NetBSD", _) => notes.os = Some(Os::Netbsd),
        (b"OpenBSD", _) => notes.os = Some(Os::Openbsd),
        _ => {}
    }
}

/// Properties are `(type, length, bytes)`, each padded to the alignment.
fn isa_needed(mut bytes: &[u8], align: usize, order: Endian) -> Option<Variant> {
    loop {
        let (kind, len) = (word(bytes, 0, order)?, word(bytes, 4, order)? as usize);
        if kind == X86_ISA_NEEDED {
            let mask = word(bytes, 8, order)?;
            return match mask {
                mask if mask & 8 != 0 => Some(Variant::V4),
                mask if mask & 4 != 0 => Some(Variant::V3),
                mask if mask & 2 != 0 => Some(Variant::V2),
                _ => None,
            };
        }
        bytes = bytes.get(8usize.saturating_add(len).checked_next_multiple_of(align)?..)?;
    }
}
