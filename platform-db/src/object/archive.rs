//! Archives of objects (`.a`): what the first object in it was built for.

use super::source::{Head, ReadAt};
use super::{Facts, ObjectError};

/// Length of a member's header, in bytes.
const HEADER: u64 = 60;
/// Members looked at before an archive counts as one without objects.
const MOST_MEMBERS: usize = 64;

/// Part of a source, from an offset on.
struct Member<'s, S: ?Sized> {
    source: &'s S,
    start: u64,
}

impl<S: ReadAt + ?Sized> ReadAt for Member<'_, S> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        self.source.read_at(buffer, self.start.saturating_add(offset))
    }
}

pub(super) fn read<S: ReadAt + ?Sized>(head: &Head<'_, S>, source: &S) -> Result<Option<Facts>, ObjectError> {
    let mut start = 8;
    for _ in 0..MOST_MEMBERS {
        let Ok(header) = head.range(start, usize::try_from(HEADER).unwrap_or(60), "archive member") else {
            return Ok(None);
        };
        let length = header.get(48..58).and_then(|digits| std::str::from_utf8(digits).ok());
        let Some(length) = length.and_then(|digits| digits.trim_end().parse::<u64>().ok()) else {
            return Err(ObjectError::Malformed("length of an archive member"));
        };
        let member = Member { source, start: start + HEADER };
        let member = Head::read(&member as &dyn ReadAt)?;
        if let Some(facts) = super::read_one(&member)? {
            return Ok(Some(facts));
        }
        start = start.saturating_add(HEADER).saturating_add(length).saturating_add(length % 2);
    }
    Ok(None)
}
