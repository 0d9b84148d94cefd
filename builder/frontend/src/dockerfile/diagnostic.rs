//! What is wrong with a text, where, and what to do about it; and its picture with the lines around.
//!
//! One value for errors and warnings of every stage of the front end. Printing is the caller's: [`Diagnostic::render`]
//! returns text, with colour only when asked.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::source_text::{SourceText, Span};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The build stops.
    Error,
    /// The build goes on.
    Warning,
}

/// A problem in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Name of the check that found it; errors have none.
    pub code: Option<&'static str>,
    /// What is wrong, in lower case, names in backticks.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to do, when there is something better than "undo it".
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    #[must_use]
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code: None, message: message.into(), span, hint: None }
    }

    /// A warning of a named check.
    #[must_use]
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, code: Some(code), message: message.into(), span, hint: None }
    }

    /// Adds the next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the next step when there is one.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// `file:line:column`.
    #[must_use]
    pub fn place(&self, source: &SourceText) -> String {
        format!("{}:{}", source.name(), source.place(self.span.start))
    }

    /// The message with the lines it speaks of and the hint; ANSI colours when `colour` is set.
    #[must_use]
    pub fn render(&self, source: &SourceText, colour: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        // Only the lines around are given to the renderer: a file of megabytes costs nothing then.
        let (first, last) = (source.line(self.span.start), source.line(self.span.end.max(self.span.start)));
        let (first, last) = (first, last.min(first + 7));
        let window = Span::new(source.line_span(first).start, source.line_span(last).end);
        let excerpt = shorten(source.slice(window));
        let start = self.span.start.saturating_sub(window.start).min(excerpt.len());
        let end = self.span.end.saturating_sub(window.start).clamp(start, excerpt.len());
        let (start, end) = (floor_boundary(&excerpt, start), floor_boundary(&excerpt, end));
        let title = match self.code {
            Some(code) => level.primary_title(self.message.as_str()).id(code),
            None => level.primary_title(self.message.as_str()),
        };
        let snippet = Snippet::source(excerpt.as_str())
            .path(source.name())
            .line_start(first)
            .annotation(AnnotationKind::Primary.span(start..end));
        let mut group = title.element(snippet);
        if let Some(hint) = &self.hint {
            group = group.element(Level::HELP.with_name("hint").message(hint.as_str()));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

/// An excerpt of at most some kilobytes, cut at a character.
fn shorten(text: &str) -> String {
    const LONGEST: usize = 4096;
    text.get(..floor_boundary(text, LONGEST)).unwrap_or_default().to_owned()
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_file_line_column_excerpt_and_hint() {
        let source = SourceText::new("Dockerfile", "FROM scratch\nRNU make\n");
        let diagnostic =
            Diagnostic::error(Span::new(13, 16), "unknown instruction `RNU`").hint("did you mean `RUN`?");
        assert_eq!(diagnostic.place(&source), "Dockerfile:2:1");
        let picture = diagnostic.render(&source, false);
        for part in [
            "error: unknown instruction `RNU`",
            "Dockerfile:2:1",
            "RNU make",
            "^^^",
            "hint: did you mean `RUN`?",
        ] {
            assert!(picture.contains(part), "{part} not in\n{picture}");
        }
        assert!(diagnostic.render(&source, true).contains('\u{1b}'));
    }
}
