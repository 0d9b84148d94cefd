//! `.dockerignore`: its lines, and matching with Docker's rules.
//!
//! Not gitignore: patterns are anchored at the root, a later `!pattern` takes back, `**` crosses directories, and a
//! matched directory takes everything below it along. The same matcher serves the include and exclude patterns of file
//! operations. Paths are bytes with `/` between components, without one at either end; reading directories is the
//! caller's. All patterns are matched at once, and a walk goes on from what is known of the directory above: a name costs
//! its own length, however many patterns there are and however deep it lies.

mod automaton;
mod tokens;

use super::path::clean;
use automaton::{Automaton, State};
use tokens::tokens;

/// The patterns of a file's text: comments and empty lines out, paths cleaned, no leading slash.
///
/// ```
/// use xx_build_frontend::dockerfile::ignore::patterns;
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
    automaton: Automaton,
}

/// What is known of a directory; given back for the paths directly below it.
#[derive(Debug, Clone, Default)]
pub struct Matched {
    /// Which patterns matched it.
    hits: Vec<bool>,
    /// Where the matching of paths below it begins; `None` for the root.
    below: Option<State>,
}

#[derive(Debug, Clone)]
struct Pattern {
    exception: bool,
    kind: Kind,
}

/// Simple patterns are compared as bytes.
#[derive(Debug, Clone)]
enum Kind {
    Exact(Vec<u8>),
    /// `dir/**`
    Prefix(Vec<u8>),
    /// `**/name`; the flag says that the bare name matches too.
    Suffix(Vec<u8>, bool),
    /// Any other; its number in the automaton.
    Tokens(usize),
}

impl Matcher {
    /// Compiles patterns as [`patterns`] gives them, or as file operations hold them.
    ///
    /// # Errors
    /// A pattern is malformed: an open bracket, a lone `!` or escape character.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, BadPattern> {
        let (mut compiled, mut others) = (vec![], vec![]);
        for pattern in patterns.iter().map(|pattern| pattern.as_ref().trim()).filter(|text| !text.is_empty())
        {
            compiled.push(Pattern::new(pattern, &mut others)?);
        }
        Ok(Self { patterns: compiled, automaton: Automaton::new(&others) })
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
    /// use xx_build_frontend::dockerfile::ignore::Matcher;
    /// let matcher = Matcher::new(&["out", "!out/keep"])?;
    /// assert!(matcher.matches(b"out/x") && !matcher.matches(b"out/keep/y"));
    /// # Ok::<(), xx_build_frontend::dockerfile::ignore::BadPattern>(())
    /// ```
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        self.walk_to(path).0
    }

    /// What a walk from the root knows when it comes to a path.
    #[must_use]
    pub fn walk_to(&self, path: &[u8]) -> (bool, Matched) {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let mut answer = (false, Matched::default());
        for end in slashes.chain([path.len()]) {
            answer = self.matches_below(path.get(..end).unwrap_or_default(), &answer.1);
        }
        answer
    }

    /// As [`Self::matches`], for walks: takes what is known of the directory above, gives what to pass below.
    #[must_use]
    pub fn matches_below(&self, path: &[u8], above: &Matched) -> (bool, Matched) {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let mut state = above.below.clone().unwrap_or_else(|| self.automaton.start());
        self.automaton.read(&mut state, name);
        let mut matched = false;
        let mut hits = Vec::with_capacity(self.patterns.len());
        for (index, pattern) in self.patterns.iter().enumerate() {
            let hit = above.hits.get(index) == Some(&true)
                || pattern.exception == matched
                    && match &pattern.kind {
                        Kind::Tokens(number) => self.automaton.accepts(&state, *number),
                        kind @ (Kind::Exact(_) | Kind::Prefix(_) | Kind::Suffix(..)) => kind.is_match(path),
                    };
            hits.push(hit);
            if hit {
                matched = !pattern.exception;
            }
        }
        self.automaton.read(&mut state, b"/");
        (matched, Matched { hits, below: Some(state) })
    }

    /// For exclude lists: whether everything below a directory is excluded, so that a walk can leave it out.
    #[must_use]
    pub fn excludes_all_below(&self, dir: &[u8]) -> bool {
        self.excludes_all(dir, &self.walk_to(dir))
    }

    /// As [`Self::excludes_all_below`], of a directory that a walk has come to.
    #[must_use]
    pub fn excludes_all(&self, dir: &[u8], (matched, known): &(bool, Matched)) -> bool {
        *matched && !self.patterns.iter().any(|p| p.exception && self.may_match_below(p, dir, known))
    }

    /// For include lists: whether anything below a directory can be included, so that a walk must enter it.
    #[must_use]
    pub fn may_include_below(&self, dir: &[u8]) -> bool {
        self.may_include(dir, &self.walk_to(dir))
    }

    /// As [`Self::may_include_below`], of a directory that a walk has come to.
    #[must_use]
    pub fn may_include(&self, dir: &[u8], (matched, known): &(bool, Matched)) -> bool {
        *matched || self.patterns.iter().any(|p| !p.exception && self.may_match_below(p, dir, known))
    }

    /// Whether some path below a directory could match.
    fn may_match_below(&self, pattern: &Pattern, dir: &[u8], known: &Matched) -> bool {
        let goes_on = |text: &[u8]| text.strip_prefix(dir).is_some_and(|rest| rest.starts_with(b"/"));
        match &pattern.kind {
            Kind::Exact(text) => goes_on(text),
            Kind::Prefix(text) => {
                goes_on(text) || dir.starts_with(text) || text.strip_suffix(b"/") == Some(dir)
            }
            Kind::Suffix(..) => true,
            Kind::Tokens(number) => {
                known.below.as_ref().is_some_and(|state| self.automaton.goes_on(state, *number))
            }
        }
    }
}

impl Pattern {
    /// Compiles a pattern; `others` takes the tokens of one that is more than a text.
    fn new(text: &str, others: &mut Vec<Vec<tokens::Token>>) -> Result<Self, BadPattern> {
        let bad = |problem| BadPattern { pattern: text.chars().take(200).collect(), problem };
        let cleaned = clean(text);
        let (exception, body) = cleaned.strip_prefix('!').map_or((false, cleaned.as_str()), |b| (true, b));
        if body.is_empty() {
            return Err(bad("`!` needs a pattern behind it"));
        }
        let (tokens, literal) = tokens(body).map_err(bad)?;
        let kind = match (body.strip_prefix("**"), body.strip_suffix("**")) {
            (Some(rest), _) if literal && !rest.contains('*') => {
                Kind::Suffix(rest.as_bytes().to_vec(), rest.starts_with('/'))
            }
            _ if literal && !body.contains('*') => Kind::Exact(body.as_bytes().to_vec()),
            (_, Some(prefix)) if literal && !prefix.contains('*') => Kind::Prefix(prefix.as_bytes().to_vec()),
            _ => {
                others.push(tokens);
                Kind::Tokens(others.len() - 1)
            }
        };
        Ok(Self { exception, kind })
    }
}

impl Kind {
    fn is_match(&self, path: &[u8]) -> bool {
        match self {
            Self::Exact(text) => path == text.as_slice(),
            Self::Prefix(text) => path.starts_with(text),
            Self::Suffix(text, bare) => {
                path.ends_with(text) || *bare && text.strip_prefix(b"/").is_some_and(|name| path == name)
            }
            // Of these the automaton knows.
            Self::Tokens(_) => false,
        }
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
            assert_eq!(matcher.may_include_below(dir.as_bytes()), expected, "{patterns:?} {dir}");
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

    /// Many patterns and a long way down: each name is read once.
    #[test]
    fn a_walk_costs_what_its_names_cost() {
        let patterns: Vec<String> = (0..500).map(|number| format!("**/x{number}*y")).collect();
        let matcher = Matcher::new(&patterns).unwrap();
        let (mut path, mut known) = (b"top".to_vec(), matcher.matches_below(b"top", &Matched::default()));
        for level in 0..2_000 {
            for (name, expected) in [("x7-y", true), ("x7-z", false), ("d", false)] {
                let path = [&path[..], b"/", name.as_bytes()].concat();
                assert_eq!(matcher.matches_below(&path, &known.1).0, expected, "{level} {name}");
            }
            path.extend_from_slice(b"/d");
            known = matcher.matches_below(&path, &known.1);
        }
    }

    #[test]
    fn matching_is_bounded() {
        let matcher = Matcher::new(&["*a".repeat(200) + "b"]).unwrap();
        assert!(!matcher.matches("a".repeat(4000).as_bytes()));
    }
}
