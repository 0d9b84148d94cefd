//! Physical lines become logical ones: continuations joined, comments and empty lines taken out.
//!
//! A logical line remembers where each of its pieces stands in the file, so that a byte of it can be traced back.
//! What the line says is not looked at here, except for the parser directives, which decide the escape character.

use std::borrow::Cow;

use super::diagnostic::Diagnostic;
use super::directive::Directives;
use crate::source_text::{SourceText, Span};

/// BuildKit's limit for one physical line, in bytes.
pub(super) const MAX_LINE: usize = 65_535;

/// One instruction's text, continuations joined.
#[derive(Debug, Clone)]
pub(super) struct Logical<'s> {
    /// The joined text, without the line end.
    pub(super) text: Cow<'s, str>,
    /// Offset in `text` and in the file of each piece after the first, which begins with the span.
    pieces: Vec<(usize, usize)>,
    /// Number of the first physical line.
    pub(super) first_line: usize,
    /// Bytes in the file.
    pub(super) span: Span,
    /// The comments directly above, without `#`.
    pub(super) comments: Vec<&'s str>,
    /// The first empty line inside the continuation.
    pub(super) empty_continuation: Option<Span>,
}

impl Logical<'_> {
    /// Where a byte of the text stands in the file.
    pub(super) fn offset(&self, at: usize) -> usize {
        let index = self.pieces.partition_point(|(start, _)| *start <= at);
        let piece = index.checked_sub(1).and_then(|i| self.pieces.get(i)).copied();
        let (start, source) = piece.unwrap_or((0, self.span.start));
        source + at.saturating_sub(start)
    }

    /// Where a range of the text stands in the file.
    pub(super) fn span_of(&self, start: usize, end: usize) -> Span {
        if end <= start {
            let at = self.offset(start);
            return Span::new(at, at);
        }
        Span::new(self.offset(start), self.offset(end - 1) + 1)
    }
}

/// Walks over the physical lines of a file.
pub(super) struct Lines<'s> {
    source: &'s SourceText,
    at: usize,
    /// Number of lines taken.
    pub(super) number: usize,
    pub(super) directives: Directives,
}

impl<'s> Lines<'s> {
    pub(super) fn new(source: &'s SourceText) -> Self {
        let at = if source.text().starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { source, at, number: 0, directives: Directives::new() }
    }

    /// Takes the next physical line, line end included; a heredoc takes its lines here too.
    pub(super) fn physical(&mut self) -> Result<Option<(&'s str, usize)>, Diagnostic> {
        let text = self.source.text();
        let rest = text.get(self.at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let start = self.at;
        let length = rest.find('\n').map_or(rest.len(), |i| i + 1);
        if length > MAX_LINE {
            let span = Span::new(start, start + 1);
            return Err(Diagnostic::error(
                span,
                format!("line {} is longer than {MAX_LINE} bytes", self.number + 1),
            )
            .hint("break the line with the escape character, or move the text to a file and COPY it"));
        }
        self.at += length;
        self.number += 1;
        Ok(Some((rest.get(..length).unwrap_or_default(), start)))
    }

    /// Takes the next logical line.
    pub(super) fn logical(&mut self) -> Result<Option<Logical<'s>>, Diagnostic> {
        let mut comments = Vec::new();
        while let Some((raw, start)) = self.physical()? {
            let first_line = self.number;
            let trimmed = trim_end_of_line(raw);
            let line = trimmed.trim_start();
            let indent = trimmed.len() - line.len();
            if let Some(comment) = line.strip_prefix('#') {
                let directive =
                    self.directives.comment(line, Span::new(start + indent, start + trimmed.len()))?;
                match comment.trim() {
                    _ if directive => {}
                    "" => comments.clear(),
                    text => comments.push(text),
                }
                continue;
            }
            self.directives.close();
            let (line, mut more) = self.continuation(line);
            if line.is_empty() && !more {
                continue;
            }
            let begin = start + indent;
            let mut logical = Logical {
                text: Cow::Borrowed(line),
                pieces: Vec::new(),
                first_line,
                span: Span::new(begin, begin + line.len()),
                comments: std::mem::take(&mut comments),
                empty_continuation: None,
            };
            while more {
                let Some((raw, start)) = self.physical()? else { break };
                let line = trim_end_of_line(raw);
                if line.trim_start().starts_with('#') {
                    continue;
                }
                if line.trim_start().is_empty() {
                    logical.empty_continuation.get_or_insert(Span::new(start, start + line.len()));
                    continue;
                }
                let (line, again) = self.continuation(line);
                more = again;
                let text = logical.text.to_mut();
                logical.pieces.push((text.len(), start));
                text.push_str(line);
                logical.span.end = start + line.len();
            }
            return Ok(Some(logical));
        }
        Ok(None)
    }

    /// Takes off a trailing escape character that stands for "the line goes on".
    fn continuation<'l>(&self, line: &'l str) -> (&'l str, bool) {
        let escape = self.directives.escape();
        match line.trim_end_matches([' ', '\t']).strip_suffix(escape) {
            Some(rest) if !rest.ends_with(escape) => (rest, true),
            _ => (line, false),
        }
    }
}

fn trim_end_of_line(line: &str) -> &str {
    line.trim_end_matches(['\r', '\n'])
}
