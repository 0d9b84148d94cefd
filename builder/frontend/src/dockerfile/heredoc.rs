//! Here documents: `<<NAME`, `<<-NAME`, `<<"NAME"`, several in one instruction.
//!
//! Finds the markers of a logical line and takes the physical lines that belong to them. Quotes around a part of the
//! name mean that the contents are not expanded; expanding is not done here.

use super::diagnostic::Diagnostic;
use super::expand::{NoVariables, Rules, expand};
use super::logical::Lines;
use crate::source_text::Span;

/// A here document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heredoc {
    /// The word that ends it; for COPY and ADD also the file name.
    pub name: String,
    /// File descriptor before `<<`; zero when there is none.
    pub descriptor: u32,
    /// Whether variables in the contents are expanded.
    pub expand: bool,
    /// `<<-`: leading tabs are taken off.
    pub chomp: bool,
    /// The lines, line ends included, as they stand in the file.
    pub content: String,
    /// The contents' bytes in the file.
    pub span: Span,
}

impl Heredoc {
    /// The contents, leading tabs taken off for `<<-`.
    #[must_use]
    pub fn chomped(&self) -> String {
        if !self.chomp {
            return self.content.clone();
        }
        self.content.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect()
    }
}

/// Reads a word as a heredoc marker: digits, `<<`, perhaps `-`, a name.
#[must_use]
pub fn marker(word: &str) -> Option<Heredoc> {
    let digits = word.len() - word.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = word.get(digits..)?.strip_prefix("<<")?;
    let (chomp, rest) = rest.strip_prefix('-').map_or((false, rest), |r| (true, r));
    let rest = rest.trim_start();
    if rest.is_empty() || rest.contains('<') {
        return None;
    }
    let rules = Rules { keep_unset: true, ..Rules::new('\\') };
    let [name] = <[String; 1]>::try_from(expand(rest, &NoVariables, rules).ok()?.words).ok()?;
    let raw = expand(rest, &NoVariables, Rules { raw_quotes: true, ..rules }).ok()?.words;
    let quotes = |text: &str| text.matches(['\'', '"']).count();
    let expand = raw.first().is_some_and(|raw| quotes(raw) == quotes(&name));
    let descriptor = word.get(..digits).and_then(|d| d.parse().ok()).unwrap_or(0);
    Some(Heredoc { name, descriptor, expand, chomp, content: String::new(), span: Span::default() })
}

/// The markers of a logical line, in order.
pub(super) fn markers(line: &str) -> Vec<Heredoc> {
    let rules = Rules { raw_quotes: true, raw_escapes: true, keep_unset: true, ..Rules::new('\\') };
    let words = expand(line, &NoVariables, rules).map(|e| e.words).unwrap_or_default();
    words.iter().filter_map(|word| marker(word)).collect()
}

/// Takes the lines of the documents that a logical line announces.
///
/// # Errors
/// The file ends before a document does.
pub(super) fn read(lines: &mut Lines<'_>, line: &str, announced: Span) -> Result<Vec<Heredoc>, Diagnostic> {
    let mut documents = markers(line);
    for document in &mut documents {
        let mut closed = false;
        let mut begun = false;
        while let Some((raw, start)) = lines.physical()? {
            if !begun {
                document.span = Span::new(start, start);
                begun = true;
            }
            let text = raw.trim_end_matches(['\r', '\n']);
            let text = if document.chomp { text.trim_start_matches('\t') } else { text };
            if text == document.name {
                closed = true;
                break;
            }
            document.content.push_str(raw);
            document.span.end = start + raw.len();
        }
        if !closed {
            let name = &document.name;
            return Err(Diagnostic::error(announced, format!("heredoc `{name}` has no end"))
                .hint(format!("add a line that is exactly `{name}` after the contents")));
        }
    }
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_of_a_word() {
        let cases = [
            ("<<EOF", Some(("EOF", 0, true, false))),
            ("<<-EOF", Some(("EOF", 0, true, true))),
            ("<<\"EOF\"", Some(("EOF", 0, false, false))),
            ("<<'EOF'", Some(("EOF", 0, false, false))),
            ("<<EO\"F\"", Some(("EOF", 0, false, false))),
            ("3<<EOF", Some(("EOF", 3, true, false))),
            ("<< EOF", Some(("EOF", 0, true, false))),
            ("<<\"a b\"", Some(("a b", 0, false, false))),
            ("<<<EOF", None),
            ("<<", None),
            ("<EOF", None),
            ("a<<EOF", None),
            ("<<a b", None),
        ];
        for (word, expected) in cases {
            let found = marker(word);
            let found = found.as_ref().map(|h| (h.name.as_str(), h.descriptor, h.expand, h.chomp));
            assert_eq!(found, expected, "{word}");
        }
    }

    #[test]
    fn markers_of_a_line() {
        let names = |line: &str| markers(line).into_iter().map(|h| h.name).collect::<Vec<_>>();
        assert_eq!(names("RUN cat <<A > x && 3<<B cmd"), ["A", "B"]);
        assert_eq!(names("RUN echo '<<A'"), Vec::<String>::new());
        assert_eq!(names("RUN echo \\<<A"), Vec::<String>::new());
        assert_eq!(names("RUN a <<A <<-'B'"), ["A", "B"]);
    }
}
