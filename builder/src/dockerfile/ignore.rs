//! `.dockerignore`: its lines, and matching with Docker's rules.
//!
//! Not gitignore: patterns are anchored at the root, a later `!pattern` takes back, `**` crosses directories, and a
//! matched directory takes everything below it along. The same matcher serves the include and exclude patterns of file
//! operations. Paths are bytes with `/` between components, without one at either end; reading directories is the
//! caller's. Matching takes time bounded by pattern times path.

use super::path::clean;

/// The patterns of a file's text: comments and empty lines out, paths cleaned, no leading slash.
///
/// ```
/// use builder::dockerfile::ignore::patterns;
/// assert_eq!(patterns("# build output\n/target/\n\n!target/keep\n"), ["target", "!target/keep"]);
/// ```
#[must_use]
pub fn patterns(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut out = Vec::new();
    for line in text.lines() {
        let trimmed = line.trim();
        if line.starts_with('#') || trimmed.is_empty() {
            continue;
        }
        let (sign, pattern) = trimmed.strip_prefix('!').map_or(("", trimmed), |p| ("!", p.trim()));
        let cleaned = if pattern.is_empty() { String::new() } else { clean(pattern) };
        let relative = cleaned.strip_prefix('/').filter(|r| !r.is_empty()).unwrap_or(&cleaned);
        out.push(format!("{sign}{relative}"));
    }
    out
}

/// A pattern that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid pattern `{pattern}`: {problem}")]
pub struct BadPattern {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// A list of patterns, the last that matches decides.
#[derive(Debug, Clone, Default)]
pub struct Matcher {
    patterns: Vec<Pattern>,
}

/// Which patterns matched a directory; given back for the paths directly below it.
#[derive(Debug, Clone, Default)]
pub struct Matched(Vec<bool>);

#[derive(Debug, Clone)]
struct Pattern {
    exception: bool,
    kind: Kind,
    tokens: Vec<Token>,
}

/// Simple patterns are compared as bytes.
#[derive(Debug, Clone)]
enum Kind {
    Exact(Vec<u8>),
    /// `dir/**`
    Prefix(Vec<u8>),
    /// `**/name`; the flag says that the bare name matches too.
    Suffix(Vec<u8>, bool),
    Tokens,
}

#[derive(Debug, Clone)]
enum Token {
    Char(char),
    /// `?`
    One,
    /// `*`
    Star,
    /// `**` before something: nothing, or (the next token) anything up to a `/`.
    Dirs,
    /// Inside the directories of `**`.
    InDirs,
    /// `**` at the end.
    Rest,
    /// `[a-z]`
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Matcher {
    /// Compiles patterns as [`patterns`] gives them, or as file operations hold them.
    ///
    /// # Errors
    /// A pattern is malformed: an open bracket, a lone `!` or escape character.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, BadPattern> {
        let compiled = patterns.iter().map(|p| p.as_ref().trim()).filter(|p| !p.is_empty()).map(Pattern::new);
        Ok(Self { patterns: compiled.collect::<Result<_, _>>()? })
    }

    /// Whether there are no patterns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether a pattern with `!` takes something back.
    #[must_use]
    pub fn has_exceptions(&self) -> bool {
        self.patterns.iter().any(|p| p.exception)
    }

    /// Whether a path, or a directory above it, matches in the end. Decided from the top down, as a walk decides it.
    ///
    /// ```
    /// use builder::dockerfile::ignore::Matcher;
    /// let matcher = Matcher::new(&["out", "!out/keep"])?;
    /// assert!(matcher.matches(b"out/x") && !matcher.matches(b"out/keep/y"));
    /// # Ok::<(), builder::dockerfile::ignore::BadPattern>(())
    /// ```
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let mut known = Matched::default();
        let mut matched = false;
        for end in slashes.chain([path.len()]) {
            (matched, known) = self.matches_below(path.get(..end).unwrap_or_default(), &known);
        }
        matched
    }

    /// As [`Self::matches`], for walks: takes what is known of the directory above, gives what to pass below.
    #[must_use]
    pub fn matches_below(&self, path: &[u8], above: &Matched) -> (bool, Matched) {
        let mut matched = false;
        let mut here = Vec::with_capacity(self.patterns.len());
        for (index, pattern) in self.patterns.iter().enumerate() {
            let hit =
                above.0.get(index) == Some(&true) || pattern.exception == matched && pattern.is_match(path);
            here.push(hit);
            if hit {
                matched = !pattern.exception;
            }
        }
        (matched, Matched(here))
    }

    /// For exclude lists: whether everything below a directory is excluded, so that a walk can leave it out.
    #[must_use]
    pub fn excludes_all_below(&self, dir: &[u8]) -> bool {
        self.matches(dir) && !self.patterns.iter().any(|p| p.exception && p.may_match_below(dir))
    }

    /// For include lists: whether anything below a directory can be included, so that a walk must enter it.
    #[must_use]
    pub fn may_match_below(&self, dir: &[u8]) -> bool {
        self.matches(dir) || self.patterns.iter().any(|p| !p.exception && p.may_match_below(dir))
    }
}

impl Pattern {
    fn new(text: &str) -> Result<Self, BadPattern> {
        let bad = |problem| BadPattern { pattern: text.chars().take(200).collect(), problem };
        let cleaned = clean(text);
        let (exception, body) = cleaned.strip_prefix('!').map_or((false, cleaned.as_str()), |b| (true, b));
        if body.is_empty() {
            return Err(bad("`!` needs a pattern behind it"));
        }
        let (tokens, literal) = tokens(body).map_err(bad)?;
        let kind = match body.strip_prefix("**") {
            Some(rest) if literal && !rest.contains('*') => {
                Kind::Suffix(rest.as_bytes().to_vec(), rest.starts_with('/'))
            }
            _ if literal && !body.contains('*') => Kind::Exact(body.as_bytes().to_vec()),
            _ => match body.strip_suffix("**") {
                Some(prefix) if literal && !prefix.contains('*') => Kind::Prefix(prefix.as_bytes().to_vec()),
                _ => Kind::Tokens,
            },
        };
        Ok(Self { exception, kind, tokens })
    }

    fn is_match(&self, path: &[u8]) -> bool {
        match &self.kind {
            Kind::Exact(text) => path == text.as_slice(),
            Kind::Prefix(text) => path.starts_with(text),
            Kind::Suffix(text, bare) => {
                path.ends_with(text) || *bare && text.strip_prefix(b"/").is_some_and(|name| path == name)
            }
            Kind::Tokens => self.reach(path).last() == Some(&true),
        }
    }

    /// Whether some path below a directory could match.
    fn may_match_below(&self, dir: &[u8]) -> bool {
        let below = [dir, b"/"].concat();
        match &self.kind {
            Kind::Exact(text) => text.starts_with(&below),
            Kind::Prefix(text) => text.starts_with(&below) || below.starts_with(text),
            Kind::Suffix(..) => true,
            Kind::Tokens => self.reach(&below).contains(&true),
        }
    }

    /// After which tokens the matching can stand when the path is consumed; one more entry than tokens.
    fn reach(&self, path: &[u8]) -> Vec<bool> {
        let mut now = vec![false; self.tokens.len() + 1];
        set(&mut now, 0);
        self.skip_optional(&mut now);
        let mut next = vec![false; now.len()];
        // Bytes that are not UTF-8 count as one character each, equal to no literal.
        for chunk in path.utf8_chunks() {
            let wrong = std::iter::repeat_n(char::REPLACEMENT_CHARACTER, chunk.invalid().len());
            for c in chunk.valid().chars().chain(wrong) {
                next.fill(false);
                if !self.step(&now, &mut next, c) {
                    return next;
                }
                std::mem::swap(&mut now, &mut next);
            }
        }
        now
    }

    /// Consumes a character; false when no way on is left.
    fn step(&self, now: &[bool], next: &mut [bool], c: char) -> bool {
        for (index, token) in self.tokens.iter().enumerate().filter(|(i, _)| now.get(*i) == Some(&true)) {
            match token {
                Token::Char(literal) if *literal == c => set(next, index + 1),
                Token::One if c != '/' => set(next, index + 1),
                Token::Star if c != '/' => set(next, index),
                Token::InDirs => {
                    set(next, index);
                    if c == '/' {
                        set(next, index + 1);
                    }
                }
                Token::Rest => set(next, index),
                Token::Class { negated, ranges }
                    if ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated =>
                {
                    set(next, index + 1);
                }
                Token::Char(_) | Token::One | Token::Star | Token::Dirs | Token::Class { .. } => {}
            }
        }
        self.skip_optional(next);
        next.contains(&true)
    }

    /// Stars may stand for nothing.
    fn skip_optional(&self, reach: &mut [bool]) {
        for (index, token) in self.tokens.iter().enumerate() {
            if reach.get(index) == Some(&true) {
                match token {
                    Token::Star | Token::Rest => set(reach, index + 1),
                    Token::Dirs => {
                        set(reach, index + 1);
                        set(reach, index + 2);
                    }
                    Token::Char(_) | Token::One | Token::InDirs | Token::Class { .. } => {}
                }
            }
        }
    }
}

fn set(reach: &mut [bool], index: usize) {
    if let Some(slot) = reach.get_mut(index) {
        *slot = true;
    }
}

/// Splits a pattern into tokens; also tells whether it holds no special character but stars.
fn tokens(text: &str) -> Result<(Vec<Token>, bool), &'static str> {
    let mut out = Vec::new();
    let mut literal = true;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.peek() == Some(&'*') => {
                chars.next();
                chars.next_if_eq(&'/');
                if chars.peek().is_none() {
                    out.push(Token::Rest);
                } else {
                    out.extend([Token::Dirs, Token::InDirs]);
                }
            }
            '*' => out.push(Token::Star),
            '?' => {
                literal = false;
                out.push(Token::One);
            }
            '[' => {
                literal = false;
                out.push(class(&mut chars)?);
            }
            '\\' => {
                literal = false;
                out.push(Token::Char(chars.next().ok_or("nothing behind the last `\\`")?));
            }
            c => out.push(Token::Char(c)),
        }
    }
    Ok((out, literal))
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Token, &'static str> {
    const OPEN: &str = "`[` without `]`";
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    let one = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| match chars.next() {
        Some('\\') => chars.next().ok_or(OPEN),
        Some('-') => Err("`-` at the wrong place in brackets"),
        Some(c) => Ok(c),
        None => Err(OPEN),
    };
    loop {
        if chars.peek() == Some(&']') && !ranges.is_empty() {
            chars.next();
            return Ok(Token::Class { negated, ranges });
        }
        if chars.peek() == Some(&']') {
            return Err("empty brackets");
        }
        let low = one(chars)?;
        let high = if chars.next_if_eq(&'-').is_some() { one(chars)? } else { low };
        if high < low {
            return Err("a range in brackets ends before it begins");
        }
        ranges.push((low, high));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pattern() {
        let cases = [
            ("**", "file", true),
            ("**", "dir/file", true),
            ("**/", "dir/file", true),
            ("**/**", "dir/file", true),
            ("dir/**", "dir/file", true),
            ("dir/**", "dir/dir2/file", true),
            ("dir/**", "dir", false),
            ("**/dir", "dir", true),
            ("**/dir", "dir/file", true),
            ("**/dir2/*", "dir/dir2/file", true),
            ("**/dir2/**", "dir/dir2/dir2/file", true),
            ("**file", "file", true),
            ("**file", "dir/file", true),
            ("**file", "dir/filex", false),
            ("**/file*txt", "dir/file.txt", true),
            ("**/file*txt", "dir/dir/file.txt", true),
            ("**/**/*.txt", "dir/file.txt", true),
            ("a**/*.txt", "a/file.txt", true),
            ("a**/*.txt", "a/dir/dir/file.txt", true),
            ("a**b", "axb", false),
            ("a**b", "ax/b", true),
            ("a[b-d]e", "ace", true),
            ("a[b-d]e", "ae", false),
            ("a[^b-d]e", "aze", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("abc.def", "abcxdef", false),
            ("abc?def", "abcXdef", true),
            ("a?c", "aäc", true),
            ("*", "dir/file", true),
            ("*.md", "sub/a.md", false),
            ("*.md", "a.md", true),
            ("tmp?", "sub/tmpx", false),
            ("dir/", "dir", true),
            ("dir/", "sub/dir/x", false),
            ("a/./b/../c", "a/c/d", true),
            ("*/", "a/b", true),
            ("a(b)+{c}|$", "a(b)+{c}|$", true),
            // Outside of brackets it is a letter as others are.
            ("*a]", "xa]", true),
            ("[[a]]", "[]", true),
            ("a]", "a", false),
        ];
        for (pattern, path, expected) in cases {
            let matcher = Matcher::new(&[pattern]).unwrap();
            assert_eq!(matcher.matches(path.as_bytes()), expected, "{pattern} {path}");
        }
        assert!(Matcher::new(&["a?"]).unwrap().matches(b"a\xff"));
    }

    #[test]
    fn the_last_match_decides() {
        let cases: [(&[&str], &str, bool); 7] = [
            (&["*", "!a"], "a", false),
            (&["*", "!a"], "b", true),
            (&["dir", "!dir/keep"], "dir/keep/x", false),
            (&["dir", "!dir/keep", "dir/keep/x"], "dir/keep/x", true),
            (&["!a", "a"], "a", true),
            (&["**/*.md", "!README.md"], "README.md", false),
            (&["**/*.md", "!README.md"], "sub/README.md", true),
        ];
        for (patterns, path, expected) in cases {
            let matcher = Matcher::new(patterns).unwrap();
            assert_eq!(matcher.matches(path.as_bytes()), expected, "{patterns:?} {path}");
            let mut above = Matched::default();
            let mut last = false;
            for (at, _) in path.bytes().enumerate().filter(|(_, b)| *b == b'/').chain([(path.len(), 0)]) {
                (last, above) = matcher.matches_below(&path.as_bytes()[..at], &above);
            }
            assert_eq!(last, expected, "walking: {patterns:?} {path}");
        }
    }

    #[test]
    fn walks_can_leave_directories_out() {
        let excluded = [
            (&["dir"][..], "dir", true),
            (&["dir", "!dir/a/keep"], "dir", false),
            (&["dir", "!dir/a/keep"], "dir/b", true),
            (&["dir", "!dir/a/keep"], "dir/a", false),
            (&["dir", "!**/keep"], "dir", false),
            (&["dir", "!other"], "dir", true),
            (&["*"], "dir", true),
            (&["dir/**"], "dir", false),
        ];
        for (patterns, dir, expected) in excluded {
            let matcher = Matcher::new(patterns).unwrap();
            assert_eq!(matcher.excludes_all_below(dir.as_bytes()), expected, "{patterns:?} {dir}");
        }
        let included = [
            (&["a/b/*.txt"][..], "a", true),
            (&["a/b/*.txt"], "a/b", true),
            (&["a/b/*.txt"], "a/c", false),
            (&["a"], "a/b", true),
            (&["**/x"], "anything", true),
            (&["a*/x"], "abc", true),
            (&["a*/x"], "b", false),
        ];
        for (patterns, dir, expected) in included {
            let matcher = Matcher::new(patterns).unwrap();
            assert_eq!(matcher.may_match_below(dir.as_bytes()), expected, "{patterns:?} {dir}");
        }
    }

    #[test]
    fn bad_patterns() {
        for pattern in ["!", "[", "a[", "[a", "[]a]", "[-x]", "[x-]", "[c-a]", "a\\"] {
            assert!(Matcher::new(&[pattern]).is_err(), "{pattern}");
        }
    }

    #[test]
    fn lines_of_a_file() {
        let text = "\u{feff}# comment\n  # no comment\n/abs\n dir/ \n\n!/x/../y\n! z\n/\n./a//b\n!\r\n";
        let expected = ["# no comment", "abs", "dir", "!y", "!z", "/", "a/b", "!"];
        assert_eq!(patterns(text), expected);
    }

    #[test]
    fn matching_is_bounded() {
        let matcher = Matcher::new(&["*a".repeat(200) + "b"]).unwrap();
        assert!(!matcher.matches("a".repeat(4000).as_bytes()));
    }
}
