//! Splits an instruction's text into flags and words.
//!
//! Three ways to split, because the instructions have three: flags (quotes taken off), quoted words (quotes kept for
//! expansion later), plain words. All give byte ranges of the text they were cut from.

/// A piece of a logical line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// The text, unquoted when the way of splitting unquotes.
    pub(super) text: String,
    /// First byte in the logical line.
    pub(super) start: usize,
    /// One past the last byte.
    pub(super) end: usize,
}

/// What separates plain words.
pub(super) const BLANK: [char; 5] = ['\t', '\u{b}', '\u{c}', '\r', ' '];

/// Takes the flags off the front: words that begin with `--`. A lone `--` ends them. Returns the flags and where the
/// rest begins.
pub(super) fn flags(line: &str, from: usize, escape: char) -> (Vec<Piece>, usize) {
    let mut found = Vec::new();
    let mut at = from;
    loop {
        let rest = line.get(at..).unwrap_or_default();
        let start = at + (rest.len() - rest.trim_start().len());
        let rest = line.get(start..).unwrap_or_default();
        if !rest.starts_with("--") {
            return (found, start);
        }
        let (text, length) = flag(rest, escape);
        at = start + length;
        if text == "--" && rest.starts_with("--") {
            return (found, at);
        }
        if !text.is_empty() {
            found.push(Piece { text, start, end: at });
        }
    }
}

/// Reads one flag up to white space outside quotes; returns it without quotes, and its length.
fn flag(rest: &str, escape: char) -> (String, usize) {
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let plain = rest.get(..end).unwrap_or_default();
    if !plain.contains(['\'', '"', escape]) {
        return (plain.to_owned(), end);
    }
    let mut text = String::with_capacity(plain.len());
    let mut quote = None;
    let mut chars = rest.char_indices();
    while let Some((index, c)) = chars.next() {
        match quote {
            None if c.is_whitespace() => return (text, index),
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ if c == escape => text.extend(chars.next().map(|(_, c)| c)),
            _ => text.push(c),
        }
    }
    (text, rest.len())
}

/// Splits at white space outside quotes; quotes and escapes stay in the words.
pub(super) fn quoted(line: &str, from: usize, escape: char) -> Vec<Piece> {
    let rest = line.get(from..).unwrap_or_default();
    if !rest.contains(['\'', '"', escape]) {
        return split_at(rest, from, char::is_whitespace);
    }
    let mut words = Vec::new();
    let mut word: Option<Piece> = None;
    let mut quote = None;
    let mut chars = rest.char_indices().map(|(i, c)| (from + i, c)).peekable();
    while let Some((at, c)) = chars.next() {
        if quote.is_none() && c.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        let piece = word.get_or_insert_with(|| Piece { text: String::new(), start: at, end: at });
        match quote {
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => {}
        }
        if c == escape && quote != Some('\'') {
            match chars.next() {
                Some((next_at, next)) => {
                    piece.text.push(c);
                    piece.text.push(next);
                    piece.end = next_at + next.len_utf8();
                    continue;
                }
                // An escape at the very end says nothing.
                None => break,
            }
        }
        piece.text.push(c);
        piece.end = at + c.len_utf8();
    }
    words.extend(word.filter(|w| !w.text.is_empty()));
    words
}

/// Splits at blanks and nothing else.
pub(super) fn plain(line: &str, from: usize) -> Vec<Piece> {
    split_at(line.get(from..).unwrap_or_default(), from, |c| BLANK.contains(&c))
}

fn split_at(rest: &str, from: usize, blank: impl Fn(char) -> bool) -> Vec<Piece> {
    let mut at = from;
    let mut words = Vec::new();
    for text in rest.split_inclusive(&blank) {
        let start = at;
        at += text.len();
        let word = text.strip_suffix(&blank).unwrap_or(text);
        if !word.is_empty() {
            words.push(Piece { text: word.to_owned(), start, end: start + word.len() });
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pieces: &[Piece]) -> Vec<&str> {
        pieces.iter().map(|p| p.text.as_str()).collect()
    }

    #[test]
    fn flags_stand_in_front() {
        let cases: [(&str, &[&str], &str); 7] = [
            ("--a --b=c d --e", &["--a", "--b=c"], "d --e"),
            ("--a='x y' z", &["--a=x y"], "z"),
            ("--a=x\\ y z", &["--a=x y"], "z"),
            ("--a -- --b", &["--a"], " --b"),
            ("-a b", &[], "-a b"),
            ("--a", &["--a"], ""),
            ("a", &[], "a"),
        ];
        for (line, expected, rest) in cases {
            let (found, at) = flags(line, 0, '\\');
            assert_eq!((texts(&found).as_slice(), &line[at..]), (expected, rest), "{line}");
        }
    }

    #[test]
    fn quoted_words_keep_their_quotes() {
        let cases: [(&str, &[&str]); 7] = [
            ("a=b c=\"d e\"", &["a=b", "c=\"d e\""]),
            ("a=b\\ c d", &["a=b\\ c", "d"]),
            ("a='\\' b", &["a='\\'", "b"]),
            ("a=\"\\\"x\" b", &["a=\"\\\"x\"", "b"]),
            ("a=x\\", &["a=x"]),
            ("  ", &[]),
            ("a=\"un closed", &["a=\"un closed"]),
        ];
        for (line, expected) in cases {
            assert_eq!(texts(&quoted(line, 0, '\\')), expected, "{line}");
        }
    }
}
