//! The text of a `.dockerignore`: each pattern that cannot be used, with its place.
//!
//! What the patterns mean is [`super::ignore`]'s business.

use super::Diagnostic;
use super::ignore::{Matcher, patterns};
use crate::source_text::{SourceText, Span};

/// Looks through the patterns of a file.
///
/// # Errors
/// Those that cannot be used, at most twenty.
pub fn check(source: &SourceText) -> Result<(), Vec<Diagnostic>> {
    let lines = (1..=source.line_count()).map(|line| source.line_span(line));
    let problems: Vec<Diagnostic> = lines.filter_map(|span| problem(source, span)).take(20).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn problem(source: &SourceText, line: Span) -> Option<Diagnostic> {
    let text = source.slice(line);
    let found = patterns(text);
    let bad = Matcher::new(&found).err()?;
    let start = line.start + (text.len() - text.trim_start().len());
    let span = Span::new(start, start + text.trim().len());
    let hint = "patterns are not regular expressions: `*`, `?`, `**`, `[a-z]`; put `\\` in front of a `[` that is part of a name";
    Some(Diagnostic::error(span, bad.to_string()).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_patterns_have_places() {
        let cases: [(&str, &[&str]); 8] = [
            ("*.o\n# [\n\n!keep\n", &[]),
            ("*.o\n  [a\n", &["2:3 invalid pattern `[a`: `[` without `]`"]),
            ("a]\n", &[]),
            ("ok\n!\n", &["2:1 invalid pattern `!`: `!` needs a pattern behind it"]),
            ("a[]b\n", &["1:1 invalid pattern `a[]b`: empty brackets"]),
            ("a\\", &["1:1 invalid pattern `a\\`: nothing behind the last `\\`"]),
            (
                "[b-a]\r\nx[\n",
                &[
                    "1:1 invalid pattern `[b-a]`: a range in brackets ends before it begins",
                    "2:1 invalid pattern `x[`: `[` without `]`",
                ],
            ),
            ("(a|b)+\n^x$\n", &[]),
        ];
        for (text, expected) in cases {
            let source = SourceText::new(".dockerignore", text);
            let found = check(&source).err().unwrap_or_default();
            let found: Vec<String> =
                found.iter().map(|d| format!("{} {}", source.place(d.span.start), d.message)).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
