//! The wild cards of `${v#p}`, `${v%p}` and `${v/p/w}`: `*` and `?`, no brackets, never across a line end.
//!
//! Matching works on a table of reachable positions, so its cost is bounded by pattern times text; a backtracking
//! matcher could be made to take exponential time by a Dockerfile.

enum Token {
    Literal(char),
    One,
    Many,
}

/// A compiled pattern.
pub(super) struct Pattern(Vec<Token>);

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// The character after a wrong escape.
    pub(super) fn new(text: &str) -> Result<Self, char> {
        let mut tokens = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            tokens.push(match c {
                '*' => Token::Many,
                '?' => Token::One,
                '\\' => match chars.next() {
                    Some(c @ ('*' | '?' | '\\' | '/' | '}')) => Token::Literal(c),
                    Some(c) => return Err(c),
                    None => return Err(' '),
                },
                c => Token::Literal(c),
            });
        }
        Ok(Self(tokens))
    }

    pub(super) fn trim_prefix(&self, value: &str, longest: bool) -> String {
        let chars: Vec<char> = value.chars().collect();
        let kept = match matched(self.0.iter(), &chars, longest) {
            Some(length) => chars.get(length..),
            None => Some(chars.as_slice()),
        };
        kept.unwrap_or_default().iter().collect()
    }

    pub(super) fn trim_suffix(&self, value: &str, longest: bool) -> String {
        let reversed: Vec<char> = value.chars().rev().collect();
        let kept = match matched(self.0.iter().rev(), &reversed, longest) {
            Some(length) => reversed.get(length..),
            None => Some(reversed.as_slice()),
        };
        kept.unwrap_or_default().iter().rev().collect()
    }

    /// Replaces the first match, or all that do not overlap; the longest match at the leftmost place wins.
    pub(super) fn replace(&self, value: &str, with: &str, all: bool) -> String {
        let chars: Vec<char> = value.chars().collect();
        let mut out = String::with_capacity(value.len());
        let mut at = 0;
        let mut last_end = None;
        while at <= chars.len() {
            let rest = chars.get(at..).unwrap_or_default();
            match matched(self.0.iter(), rest, true) {
                Some(length) if !(length == 0 && last_end == Some(at)) => {
                    out.push_str(with);
                    at += length;
                    last_end = Some(at);
                    if !all {
                        out.extend(chars.get(at..).unwrap_or_default());
                        return out;
                    }
                    if length > 0 {
                        continue;
                    }
                }
                _ => {}
            }
            out.extend(chars.get(at));
            at += 1;
        }
        out
    }
}

/// Length in characters of the shortest or longest match at the beginning.
fn matched<'t>(tokens: impl Iterator<Item = &'t Token>, chars: &[char], longest: bool) -> Option<usize> {
    let mut reach = vec![false; chars.len() + 1];
    if let Some(first) = reach.first_mut() {
        *first = true;
    }
    for token in tokens {
        let mut next = vec![false; reach.len()];
        let mut running = false;
        for (index, slot) in next.iter_mut().enumerate() {
            let before = index.checked_sub(1);
            let previous = before.and_then(|i| chars.get(i)).copied();
            let from_before = before.is_some_and(|i| reach.get(i) == Some(&true));
            *slot = match token {
                Token::Literal(c) => from_before && previous == Some(*c),
                Token::One => from_before && previous.is_some_and(|p| p != '\n'),
                Token::Many => {
                    running =
                        reach.get(index) == Some(&true) || (running && previous.is_some_and(|p| p != '\n'));
                    running
                }
            };
        }
        reach = next;
    }
    if longest { reach.iter().rposition(|r| *r) } else { reach.iter().position(|r| *r) }
}
