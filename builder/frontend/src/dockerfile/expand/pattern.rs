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

    /// Replaces the first match, or all that do not overlap; the longest match at the leftmost place wins. `None` when
    /// the result is longer than `limit` bytes.
    pub(super) fn replace(&self, value: &str, with: &str, all: bool, limit: usize) -> Option<String> {
        let chars: Vec<char> = value.chars().collect();
        let mut out = String::with_capacity(value.len());
        let mut at = 0;
        let mut last_end = None;
        while let Some((start, end)) = self.find(&chars, at) {
            out.extend(chars.get(at..start).unwrap_or_default());
            at = end;
            // Nothing, right behind a match, is no match.
            if start < end || last_end != Some(end) {
                out.push_str(with);
                last_end = Some(end);
                if !all {
                    break;
                }
            }
            if start == end {
                out.extend(chars.get(at));
                at += 1;
            }
            if out.len() > limit {
                return None;
            }
        }
        out.extend(chars.get(at..).unwrap_or_default());
        (out.len() <= limit).then_some(out)
    }

    /// The leftmost match from `from` on, the longest of those that begin there. Goes over the characters once: for
    /// each number of tokens that are matched, the earliest beginning is kept.
    fn find(&self, chars: &[char], from: usize) -> Option<(usize, usize)> {
        let mut begun: Vec<Option<usize>> = vec![None; self.0.len() + 1];
        let mut best: Option<(usize, usize)> = None;
        for at in from..=chars.len() {
            if best.is_none()
                && let Some(first) = begun.first_mut()
            {
                first.get_or_insert(at);
            }
            for (index, token) in self.0.iter().enumerate() {
                if matches!(token, Token::Many) {
                    let start = begun.get(index).copied().flatten();
                    begun.get_mut(index + 1).into_iter().for_each(|slot| *slot = earlier(*slot, start));
                }
            }
            if let Some(start) = begun.last().copied().flatten()
                && best.is_none_or(|(known, _)| start <= known)
            {
                best = Some((start, at));
            }
            let c = chars.get(at).copied();
            let mut next = vec![None; begun.len()];
            for (index, (token, start)) in self.0.iter().zip(&begun).enumerate() {
                // What begins behind a match cannot be the leftmost.
                let start = start.filter(|start| best.is_none_or(|(known, _)| *start <= known));
                let to = match token {
                    Token::Literal(literal) if Some(*literal) == c => index + 1,
                    Token::One if c.is_some_and(|c| c != '\n') => index + 1,
                    Token::Many if c.is_some_and(|c| c != '\n') => index,
                    Token::Literal(_) | Token::One | Token::Many => continue,
                };
                next.get_mut(to).into_iter().for_each(|slot| *slot = earlier(*slot, start));
            }
            begun = next;
            if best.is_some() && begun.iter().all(Option::is_none) {
                break;
            }
        }
        best
    }
}

fn earlier(a: Option<usize>, b: Option<usize>) -> Option<usize> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Tries every place and every length, longest first.
    fn replaced(pattern: &Pattern, value: &str, with: &str) -> String {
        let chars: Vec<char> = value.chars().collect();
        let (mut out, mut at, mut last_end) = (String::new(), 0, None);
        while at <= chars.len() {
            match matched(pattern.0.iter(), &chars[at..], true) {
                Some(length) if length > 0 || last_end != Some(at) => {
                    out.push_str(with);
                    at += length;
                    last_end = Some(at);
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

    fn texts(alphabet: &[char], longest: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut from = 0;
        for _ in 0..longest {
            let until = all.len();
            for index in from..until {
                let next: Vec<String> = alphabet.iter().map(|c| format!("{}{c}", all[index])).collect();
                all.extend(next);
            }
            from = until;
        }
        all
    }

    #[test]
    fn one_pass_finds_what_trying_finds() {
        for pattern in texts(&['a', 'b', '*', '?'], 3) {
            let compiled = Pattern::new(&pattern).unwrap();
            for value in texts(&['a', 'b', '\n'], 4) {
                let expected = replaced(&compiled, &value, "<>");
                let found = compiled.replace(&value, "<>", true, 1000);
                assert_eq!(found, Some(expected), "`{pattern}` in {value:?}");
            }
        }
    }
}
