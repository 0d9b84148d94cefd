//! Archives of objects (`.a`): what the objects in it were built for.
//!
//! GNU's and BSD's forms. Indexes and name tables are passed over; thin archives, whose objects are other files, are
//! refused by the caller.

use super::source::{Head, ReadAt};
use super::{Facts, ObjectError};

/// Length of a member's header, in bytes.
const HEADER: u64 = 60;
/// Members looked at; the largest libraries have some thousands.
const MOST_MEMBERS: usize = 4096;
/// Longest name that BSD's form puts before a member's bytes, in bytes.
const LONGEST_NAME: u64 = 4096;

pub(super) fn read<S: ReadAt + ?Sized>(head: &Head<'_, S>) -> Result<Option<Facts>, ObjectError> {
    let (mut start, mut first): (u64, Option<Facts>) = (8, None);
    for _ in 0..MOST_MEMBERS {
        let header = head.up_to(start, HEADER as usize)?;
        if header.is_empty() {
            break;
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
            match (&first, super::read_one(&member)?) {
                (None, found) => first = found,
                (Some(first), Some(other)) if (first.arch, first.bits) != (other.arch, other.bits) => {
                    return Err(ObjectError::Unclear("an archive of objects for different architectures"));
                }
                (Some(_), _) => {}
            }
        }
        start = end.saturating_add(length % 2);
    }
    Ok(first)
}

/// GNU's symbol index, for long offsets too, and its table of long names. BSD's index is no object file anyway.
fn is_index(name: &[u8]) -> bool {
    matches!(name.trim_ascii_end(), b"/" | b"//" | b"/SYM64/")
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.trim_end().parse().ok()
}
