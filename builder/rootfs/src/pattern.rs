//! Wild cards in paths that are copied, a component at a time, as in Go's `filepath.Match`.
//!
//! Not here: patterns of ignore files, which know `**` (`dockerfile::ignore`), and looking for what matches (`tree`).

/// Whether a path holds a wildcard that is not escaped.
#[must_use]
pub fn has_wildcard(path: &str) -> bool {
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'*' | b'?' | b'[' => return true,
            _ => {}
        }
    }
    false
}

/// Why a component cannot be used as a pattern.
pub(super) fn check(pattern: &[u8]) -> Result<(), &'static str> {
    let mut rest = pattern;
    while let [first, tail @ ..] = rest {
        rest = match first {
            b'\\' if tail.is_empty() => return Err("nothing behind the last `\\`"),
            b'\\' => tail.get(1..).unwrap_or_default(),
            b'[' => match class(tail, ' ') {
                Some(Class { is_backwards: true, .. }) => {
                    return Err("a range in brackets ends before it begins");
                }
                Some(Class { after, .. }) => after,
                None => return Err("`[` without what belongs in brackets and a `]`"),
            },
            _ => tail,
        };
    }
    Ok(())
}

/// Matches one path component, in linear space and at worst quadratic time. A `?` and a class stand for one character;
/// what is no UTF-8 counts a byte at a time.
pub(super) fn matches_component(pattern: &[u8], name: &[u8]) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        let step = match (pattern, name) {
            ([], []) => return true,
            ([b'*', tail @ ..], _) => {
                retry = Some((tail, name));
                pattern = tail;
                continue;
            }
            ([b'?', p @ ..], [_, ..]) => Some((p, character(name).1)),
            ([b'[', p @ ..], [_, ..]) => {
                let (wanted, n) = character(name);
                class(p, wanted).and_then(|class| class.hit.then_some((class.after, n)))
            }
            ([b'\\', literal, p @ ..], [byte, n @ ..]) if literal == byte => Some((p, n)),
            ([b'\\', ..], _) => None,
            ([literal, p @ ..], [byte, n @ ..]) if literal == byte => Some((p, n)),
            _ => None,
        };
        match (step, retry) {
            (Some((p, n)), _) => (pattern, name) = (p, n),
            (None, Some((p, [_, n @ ..]))) => {
                (pattern, name) = (p, n);
                retry = Some((p, n));
            }
            (None, _) => return false,
        }
    }
}

/// The first character, and what follows it.
fn character(text: &[u8]) -> (char, &[u8]) {
    let first = text.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
    let length = first.map_or(1, char::len_utf8);
    (first.unwrap_or(char::REPLACEMENT_CHARACTER), text.get(length..).unwrap_or_default())
}

/// A class and what follows its `]`.
struct Class<'a> {
    /// Whether it holds the character that was asked about.
    hit: bool,
    /// Whether a range in it ends before it begins.
    is_backwards: bool,
    after: &'a [u8],
}

/// Reads a class after its `[`.
fn class(pattern: &[u8], wanted: char) -> Option<Class<'_>> {
    let (negated, mut rest) = match pattern {
        [b'^', tail @ ..] => (true, tail),
        tail => (false, tail),
    };
    let (mut hit, mut is_backwards, mut first) = (false, false, true);
    loop {
        rest = match rest {
            [b']', after @ ..] if !first => return Some(Class { hit: hit != negated, is_backwards, after }),
            _ => {
                let (low, tail) = class_character(rest)?;
                let (high, tail) = match tail {
                    [b'-', tail @ ..] => class_character(tail)?,
                    tail => (low, tail),
                };
                hit |= (low..=high).contains(&wanted);
                is_backwards |= high < low;
                tail
            }
        };
        first = false;
    }
}

fn class_character(pattern: &[u8]) -> Option<(char, &[u8])> {
    match pattern {
        [] | [b'-' | b']', ..] | [b'\\'] => None,
        [b'\\', tail @ ..] => Some(character(tail)),
        _ => Some(character(pattern)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_match_as_in_go() {
        let cases: &[(&str, &str, bool)] = &[
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[^b-d]", "abc", false),
            ("ab[^c]", "abx", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("[\\]a]", "]", true),
            ("*x", "xxx", true),
            ("", "", true),
            ("", "a", false),
            ("?", "é", true),
            ("??", "é", false),
            ("a[é-ü]*", "aöb", true),
            ("[^a]", "é", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches_component(pattern.as_bytes(), name.as_bytes()), *expected, "{pattern} {name}");
        }
    }

    #[test]
    fn malformed_patterns_are_known() {
        for pattern in ["[", "[]", "[a", "[a-", "[-x]", "a\\", "[]a]", "[c-a]"] {
            assert!(check(pattern.as_bytes()).is_err(), "{pattern}");
        }
        for pattern in ["[a]", "[^a]", "a\\]", "*", "[a-z]*"] {
            assert_eq!(check(pattern.as_bytes()), Ok(()), "{pattern}");
        }
    }
}
