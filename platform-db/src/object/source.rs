//! Where the bytes come from: anything that can be read at an offset.

use std::io;

use super::ObjectError;

/// Bytes read at once from the start of a file; in most ELF files this holds all that is asked.
const HEAD_LEN: usize = 1024;

/// A source of bytes that can be read at an offset: a slice, or an open file.
pub trait ReadAt {
    /// Reads up to `buffer.len()` bytes at `offset`; fewer only at the end.
    ///
    /// # Errors
    /// When the system cannot read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Returns the length in bytes, where the source has one.
    ///
    /// # Errors
    /// When the system cannot tell.
    fn source_len(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.get(start..).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(rest) {
            *to = *from;
        }
        Ok(len)
    }

    fn source_len(&self) -> io::Result<Option<u64>> {
        Ok(u64::try_from(self.len()).ok())
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.as_slice().read_at(buffer, offset)
    }

    fn source_len(&self) -> io::Result<Option<u64>> {
        self.as_slice().source_len()
    }
}

#[cfg(unix)]
impl ReadAt for std::fs::File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match std::os::unix::fs::FileExt::read_at(self, rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn source_len(&self) -> io::Result<Option<u64>> {
        let about = self.metadata()?;
        Ok(about.is_file().then_some(about.len()))
    }
}

/// A piece of a source, as a source: a member of an archive, one architecture of a fat file.
pub(super) struct Slice<'s, S: ?Sized> {
    pub(super) source: &'s S,
    pub(super) start: u64,
    pub(super) len: u64,
}

impl<S: ReadAt + ?Sized> ReadAt for Slice<'_, S> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let len = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = len.min(buffer.len());
        self.source.read_at(buffer.get_mut(..len).unwrap_or_default(), self.start.saturating_add(offset))
    }

    fn source_len(&self) -> io::Result<Option<u64>> {
        Ok(Some(self.len))
    }
}

/// A source with its first bytes at hand.
pub(super) struct Head<'s, S: ?Sized> {
    source: &'s S,
    bytes: [u8; HEAD_LEN],
    len: usize,
}

impl<'s, S: ReadAt + ?Sized> Head<'s, S> {
    pub(super) fn read(source: &'s S) -> Result<Self, ObjectError> {
        let mut bytes = [0; HEAD_LEN];
        let len = source.read_at(&mut bytes, 0)?;
        Ok(Self { source, bytes, len })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(super) fn source_len(&self) -> Result<Option<u64>, ObjectError> {
        Ok(self.source.source_len()?)
    }

    /// Holds the source's length against where `what` ends, where the source has a length.
    pub(super) fn reaches(&self, end: u64, what: &'static str) -> Result<(), ObjectError> {
        match self.source_len()? {
            Some(len) if len < end => Err(ObjectError::Truncated(what)),
            _ => Ok(()),
        }
    }

    pub(super) fn starts_with(&self, magic: &[u8]) -> bool {
        self.bytes().starts_with(magic)
    }

    /// Returns the piece as a source of its own.
    pub(super) fn slice(&self, start: u64, len: u64) -> Slice<'s, S> {
        Slice { source: self.source, start, len }
    }

    /// Returns `len` bytes at `offset`, fewer at the end of the source.
    pub(super) fn up_to(&self, offset: u64, len: usize) -> Result<Vec<u8>, ObjectError> {
        let mut bytes = vec![0; len];
        let read = self.source.read_at(&mut bytes, offset)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Returns `len` bytes at `offset`, from the head when they lie there. The caller bounds `len`.
    pub(super) fn range(&self, offset: u64, len: usize, what: &'static str) -> Result<Vec<u8>, ObjectError> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        if let Some(found) = self.bytes().get(start..start.saturating_add(len)) {
            return Ok(found.to_vec());
        }
        let mut bytes = vec![0; len];
        if self.source.read_at(&mut bytes, offset)? < len {
            return Err(ObjectError::Truncated(what));
        }
        Ok(bytes)
    }
}
