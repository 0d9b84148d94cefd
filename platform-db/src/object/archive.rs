//! Archives of objects (`.a`): what the objects in it were built for.
//!
//! GNU's and BSD's forms. Indexes and name tables are passed over; thin archives, whose objects are other files, are
//! refused by the caller.

use super::source::{Head, ReadAt};
use super::{Facts, ObjectError};

/// Length of a member's header, in bytes.
const HEADER: u64 = 60;
/// Most members accepted; the largest libraries have some tens of thousands.
const MOST_MEMBERS: usize = 1 << 18;
/// Longest name that BSD's form puts before a member's bytes, in bytes.
const LONGEST_NAME: u64 = 4096;

pub(super) fn read<S: ReadAt + ?Sized>(head: &Head<'_, S>) -> Result<Option<Facts>, ObjectError> {
    let (mut start, mut all): (u64, Option<Facts>) = (8, None);
    for _ in 0..MOST_MEMBERS {
        let header = head.up_to(start, HEADER as usize)?;
        if header.is_empty() {
            return Ok(all);
        }
        let (Some(name), Some(length)) = (header.get(..16), header.get(48..58)) else {
            return Err(ObjectError::Truncated("archive member"));
        };
        let length = number(length).ok_or(ObjectError::Malformed("length of an archive member"))?;
        let content = start + HEADER;
        let end = content.saturating_add(length);
        head.reaches(end, "archive member")?;
        let before = name.strip_prefix(b"#1/").map_or(Some(0), number);
        let before = before.filter(|before| *before <= LONGEST_NAME.min(length));
        let before = before.ok_or(ObjectError::Malformed("length of a name in an archive"))?;
        if !is_index(name) {
            let member = head.slice(content + before, length - before);
            let member = Head::read(&member as &dyn ReadAt)?;
            all = match (all, super::read_one(&member)?) {
                (Some(facts), Some(other)) => Some(together(facts, &other)?),
                (facts, other) => facts.or(other),
            };
        }
        start = end.saturating_add(length % 2);
    }
    Err(ObjectError::Malformed("more members than any archive has"))
}

/// What is linked from an archive may be any of its objects: the one that asks for most counts.
fn together(mut facts: Facts, other: &Facts) -> Result<Facts, ObjectError> {
    let machine = |facts: &Facts| (facts.format, facts.arch, facts.machine, facts.bits, facts.endian);
    if machine(&facts) != machine(other) {
        return Err(ObjectError::Unclear("an archive of objects for different architectures"));
    }
    match (facts.os, other.os) {
        (Some(one), Some(another)) if one != another => {
            return Err(ObjectError::Unclear("an archive of objects for different operating systems"));
        }
        (one, another) => facts.os = one.or(another),
    }
    facts.needs = match (facts.needs, other.needs, facts.arch) {
        (Some(one), Some(another), Some(arch)) if !arch.has(one, another) => Some(another),
        (one, another, _) => one.or(another),
    };
    facts.float_abi = facts.float_abi.or(other.float_abi);
    Ok(facts)
}

/// GNU's symbol index, for long offsets too, and its table of long names. BSD's index is no object file anyway.
fn is_index(name: &[u8]) -> bool {
    matches!(name.trim_ascii_end(), b"/" | b"//" | b"/SYM64/")
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.trim_end().parse().ok()
}
