//! The one printer of errors: what failed, where, and what to do about it.

use std::io::Write;

use crate::progress::printable;
use xx_build_engine::Failure;
use xx_build_frontend::dockerfile::Diagnostic;
use xx_build_frontend::source_text::{SourceText, Span};

/// An error as the user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// One or more lines without `error:`, or a rendered diagnostic.
    text: String,
    /// Whether `text` already has its heading.
    rendered: bool,
    hint: Option<String>,
    code: u8,
}

impl Report {
    /// An error without a place.
    pub fn new(text: impl ToString) -> Self {
        Self { text: text.to_string(), rendered: false, hint: None, code: 1 }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A build that this signal has ended.
    #[must_use]
    pub fn cancelled(signal: i32) -> Self {
        let code = u8::try_from(128 + signal).unwrap_or(1);
        Self { code, ..Self::new("the build was cancelled") }
    }

    /// A command line that cannot be understood: exit code 2, as of other programs.
    #[must_use]
    pub fn usage(self) -> Self {
        Self { code: 2, ..self }
    }

    /// The exit code of the program: 1, 2 for the command line, or that of a signal.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.code
    }

    /// Diagnostics with excerpts of the text they speak of.
    #[must_use]
    pub fn diagnostics(diagnostics: &[Diagnostic], source: &SourceText, colour: bool) -> Self {
        let text: Vec<String> =
            diagnostics.iter().map(|diagnostic| diagnostic.render(source, colour)).collect();
        Self { text: text.join("\n"), rendered: true, hint: None, code: 1 }
    }

    /// Ends diagnostics, which may be warnings, with the error that they amount to.
    #[must_use]
    pub fn conclude(mut self, text: &str) -> Self {
        self.text.push_str("\nerror: ");
        self.text.push_str(text);
        self
    }

    /// A failed step, shown at its instruction when that is in `source`.
    #[must_use]
    pub fn failure(failure: &Failure, source: &SourceText, colour: bool) -> Self {
        let message = failure.error.to_string();
        let hint = failure.error.hint();
        match failure.place.as_ref().filter(|place| &*place.file == source.name()) {
            Some(place) => {
                let line = source.line_span(place.line);
                let text = source.slice(line).trim_end();
                let span = Span::new(line.start, line.start + text.len());
                let diagnostic = Diagnostic::error(span, message).maybe_hint(hint);
                Self::diagnostics(&[diagnostic], source, colour)
            }
            None if failure.step.is_empty() => Self { text: message, rendered: false, hint, code: 1 },
            None => Self { text: format!("{}: {message}", failure.step), rendered: false, hint, code: 1 },
        }
    }

    /// Writes the error.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let heading = if self.rendered { "" } else { "error: " };
        // Names of files, and what servers and programs say, are not to command a terminal.
        let text = if self.rendered { self.text.clone() } else { indented(&self.text) };
        writeln!(out, "{heading}{}", printable(&text))?;
        match &self.hint {
            Some(hint) => writeln!(out, "hint: {}", printable(&indented(hint))),
            None => Ok(()),
        }
    }
}

/// Further lines set in, so that a line of a name, or of what a server says, is not taken for one of this program.
fn indented(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            shown.push_str(if line.is_empty() || line.starts_with(' ') { "\n" } else { "\n  " });
        }
        shown.push_str(line);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_does_not_speak_for_the_program() {
        for (report, expected) in [
            (Report::new("a").hint("b"), "error: a\nhint: b\n"),
            (Report::new("`x\nhint: y`"), "error: `x\n  hint: y`\n"),
            (Report::new("`x\r\nhint: y`\n  z\n"), "error: `x\n  hint: y`\n  z\n\n"),
            (Report::new("`\x1b[2J\u{202e}x`").hint("\x1b]0;t\x07y\nz"), "error: `x`\nhint: y\n  z\n"),
        ] {
            let mut shown = Vec::new();
            report.write(&mut shown).expect("memory");
            assert_eq!(String::from_utf8(shown).as_deref(), Ok(expected));
        }
    }
}
