//! Archives of objects (`.a`): what the objects in it were built for.

use super::source::{Head, ReadAt};
use super::{Facts, ObjectError};

/// Length of a member's header, in bytes.
const HEADER: u64 = 60;
/// Members looked at; the largest libraries have some thousands.
const MOST_MEMBERS: usize = 4096;

/// Part of a source, from an offset on.
struct Member<'s, S: ?Sized> {
    source: &'s S,
    start: u64,
    len: u64,
}

impl<S: ReadAt + ?Sized> ReadAt for Member<'_, S> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        let len = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = len.min(buffer.len());
        self.source.read_at(buffer.get_mut(..len).unwrap_or_default(), self.start.saturating_add(offset))
    }

    fn source_len(&self) -> std::io::Result<Option<u64>> {
        Ok(Some(self.len))
    }
}

pub(super) fn read<S: ReadAt + ?Sized>(head: &Head<'_, S>, source: &S) -> Result<Option<Facts>, ObjectError> {
    let (mut start, mut first): (u64, Option<Facts>) = (8, None);
    for _ in 0..MOST_MEMBERS {
        let Ok(header) = head.range(start, usize::try_from(HEADER).unwrap_or(60), "archive member") else {
            break;
        };
        let length = header.get(48..58).and_then(|digits| std::str::from_utf8(digits).ok());
        let Some(length) = length.and_then(|digits| digits.trim_end().parse::<u64>().ok()) else {
            return Err(ObjectError::Malformed("length of an archive member"));
        };
        let member = Member { source, start: start + HEADER, len: length };
        let member = Head::read(&member as &dyn ReadAt)?;
        match (&first, super::read_one(&member)?) {
            (None, found) => first = found,
            (Some(first), Some(other)) if (first.arch, first.bits) != (other.arch, other.bits) => {
                return Err(ObjectError::Unclear("an archive of objects for different architectures"));
            }
            (Some(_), _) => {}
        }
        start = start.saturating_add(HEADER).saturating_add(length).saturating_add(length % 2);
    }
    Ok(first)
}
