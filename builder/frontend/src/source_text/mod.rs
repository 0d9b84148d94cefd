//! A text with a name, and places in it.
//!
//! Every later stage speaks of byte spans in one [`SourceText`], so that an error can always show the file, the
//! line, the column and the excerpt. Lines and columns count from 1; a column counts characters, not bytes.
//! Rendering an excerpt is not done here: see [`crate::dockerfile::diagnostic`].

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A range of bytes in a [`SourceText`], end excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// Builds a span from two byte offsets.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The smallest span that covers both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The span as a range of bytes.
    #[must_use]
    pub const fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A line and a column, both counted from 1; the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A named text and the places where its lines begin. Cloning is cheap.
///
/// ```
/// use xx_build_frontend::source_text::{SourceText, Span};
/// let text = SourceText::new("Dockerfile", "FROM scratch\nCOPY a b\n");
/// assert_eq!(text.place(13).to_string(), "2:1");
/// assert_eq!(text.slice(Span::new(13, 17)), "COPY");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    name: Arc<str>,
    text: Arc<str>,
    line_starts: Arc<[usize]>,
}

/// Bytes that are not UTF-8, with the place of the first wrong one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not valid UTF-8 at {place}")]
pub struct NotUtf8 {
    /// Name of the text.
    pub name: String,
    /// Where the first invalid byte stands.
    pub place: Place,
    /// Offset of that byte.
    pub offset: usize,
    /// The text with replacement characters: up to the offset it is the same.
    pub lossy: String,
}

impl SourceText {
    /// Takes a text with the name that messages show, usually the path the user gave.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let starts = std::iter::once(0)
            .chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1));
        Self { name: name.into(), line_starts: starts.collect(), text }
    }

    /// Takes bytes as read from a file.
    ///
    /// # Errors
    /// The bytes are not UTF-8; the error carries the place of the first wrong byte.
    pub fn from_bytes(name: impl Into<Arc<str>>, bytes: Vec<u8>) -> Result<Self, NotUtf8> {
        let name = name.into();
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(name, text)),
            Err(error) => {
                let offset = error.utf8_error().valid_up_to();
                let lossy = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let place = Self::new(Arc::clone(&name), lossy.as_str()).place(offset);
                Err(NotUtf8 { name: name.as_ref().to_owned(), place, offset, lossy })
            }
        }
    }

    /// The name given at construction.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Number of lines; an empty text has one.
    #[must_use]
    pub fn line_count(&self) -> usize {
        self.line_starts.len()
    }

    /// Line and column of a byte offset. An offset past the end is the end.
    #[must_use]
    pub fn place(&self, offset: usize) -> Place {
        let offset = offset.min(self.text.len());
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..offset).map_or(offset - start, |s| s.chars().count());
        Place { line: line.max(1), column: before + 1 }
    }

    /// The line number (from 1) that holds a byte offset.
    #[must_use]
    pub fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset.min(self.text.len())).max(1)
    }

    /// The text of a line (from 1) without its line end; empty when there is no such line.
    #[must_use]
    pub fn line_text(&self, line: usize) -> &str {
        let text = self.text.get(self.line_span(line).range()).unwrap_or_default();
        text.strip_suffix('\n').map_or(text, |t| t.strip_suffix('\r').unwrap_or(t))
    }

    /// The bytes of a line (from 1), its line end included.
    #[must_use]
    pub fn line_span(&self, line: usize) -> Span {
        let at = |index: usize| self.line_starts.get(index).copied().unwrap_or(self.text.len());
        Span::new(at(line.saturating_sub(1)), at(line))
    }

    /// The text under a span; empty when the span lies outside or cuts a character.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_from_one() {
        let text = SourceText::new("f", "ab\nä€c\n\nend");
        let cases =
            [(0, 1, 1), (2, 1, 3), (3, 2, 1), (5, 2, 2), (8, 2, 3), (10, 3, 1), (11, 4, 1), (99, 4, 4)];
        for (offset, line, column) in cases {
            assert_eq!(text.place(offset), Place { line, column }, "offset {offset}");
        }
        assert_eq!(text.line_text(2), "ä€c");
        assert_eq!(text.line_text(9), "");
    }

    #[test]
    fn wrong_utf8_names_its_place() {
        let error = SourceText::from_bytes("f", b"a\nbc\xff".to_vec()).unwrap_err();
        assert_eq!(error.to_string(), "`f` is not valid UTF-8 at 2:3");
        assert_eq!(error.offset, 4);
    }
}
