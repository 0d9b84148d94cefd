//! Variables and quoting in one word: `$v ${v} ${v:-w} ${v:+w} ${v:?w} ${v#p} ${v%p} ${v/p/w}`.
//!
//! Docker's rules, which are close to a shell's but not a shell's: one pass, an escape character that the file chooses,
//! no command substitution, and a `words` view that splits after expansion. Names that were found and names that were
//! not are both reported, because checks and cache keys need them. Which variables exist is the caller's business.

mod pattern;

use std::collections::{BTreeMap, BTreeSet};

/// Where variables come from.
pub trait Variables {
    /// The value of a variable, `None` when it is not set.
    fn get(&self, name: &str) -> Option<&str>;
}

impl Variables for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Option<&str> {
        BTreeMap::get(self, name).map(String::as_str)
    }
}

/// No variables at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoVariables;

impl Variables for NoVariables {
    fn get(&self, _name: &str) -> Option<&str> {
        None
    }
}

/// How to read a word. The default of each flag is what instructions use.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// The escape character: `\` or `` ` ``.
    pub escape: char,
    /// Keep the quotes in the result.
    pub raw_quotes: bool,
    /// Keep the escape characters in the result.
    pub raw_escapes: bool,
    /// Quotes are ordinary characters (contents of a heredoc).
    pub no_quotes: bool,
    /// Leave variables that are not set as they are written.
    pub keep_unset: bool,
}

impl Rules {
    /// The rules for an instruction's arguments.
    #[must_use]
    pub const fn new(escape: char) -> Self {
        Self { escape, raw_quotes: false, raw_escapes: false, no_quotes: false, keep_unset: false }
    }
}

/// A word after expansion.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expanded {
    /// The word as one text.
    pub text: String,
    /// The word split at white space that was not quoted.
    pub words: Vec<String>,
    /// Variables that were used and are set.
    pub used: BTreeSet<String>,
    /// Variables that were used and are not set.
    pub missing: BTreeSet<String>,
}

/// A word that cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ExpandError {
    /// What is wrong.
    pub problem: Problem,
    /// Byte offset in the word.
    pub offset: usize,
}

/// What can be wrong with a word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A quote without its partner.
    #[error("unclosed quote {0}")]
    UnclosedQuote(char),
    /// `${` without `}`.
    #[error("missing `}}` after `${{`")]
    MissingBrace,
    /// `${name/pattern` without the second `/`.
    #[error("missing `/` before the replacement in `${{{0}/`")]
    MissingReplacement(String),
    /// `${}`, `${:x}`, `${{x}`.
    #[error("`${{` must be followed by a variable name")]
    BadSubstitution,
    /// An operator that does not exist.
    #[error("unsupported operator `{operator}` in `${{{name}{operator}`")]
    BadOperator {
        /// The variable.
        name: String,
        /// The operator as written.
        operator: String,
    },
    /// A wrong escape in a pattern.
    #[error("invalid escape `\\{0}` in a pattern: only `*`, `?`, `\\`, `/` and `}}` can be escaped")]
    BadPattern(char),
    /// The text grows beyond this many bytes.
    #[error("the text becomes longer than {0} bytes")]
    TooLong(usize),
    /// `${name?message}` of a variable that is not set, `${name:?message}` of an empty one.
    #[error("{name}: {message}")]
    Required {
        /// The variable.
        name: String,
        /// The text after `?`, or a standard one.
        message: String,
    },
}

/// Expands one word.
///
/// ```
/// use xx_build_frontend::dockerfile::expand::{Rules, expand};
/// let variables = std::collections::BTreeMap::from([("v".to_owned(), "a.b.c".to_owned())]);
/// assert_eq!(expand("${v%.*}-${w:-none}", &variables, Rules::new('\\'))?.text, "a.b-none");
/// # Ok::<(), xx_build_frontend::dockerfile::expand::ExpandError>(())
/// ```
///
/// # Errors
/// The word is malformed, or asks with `?` for a variable that is not there.
pub fn expand(word: &str, variables: &impl Variables, rules: Rules) -> Result<Expanded, ExpandError> {
    // Go's scanner, which BuildKit reads words with, drops a byte order mark in front.
    let word = word.strip_prefix(BYTE_ORDER_MARK).unwrap_or(word);
    let mut walk =
        Walk { word, at: 0, variables, rules, used: BTreeSet::new(), missing: BTreeSet::new(), depth: 0 };
    let (text, words) = walk.until(None, rules.raw_escapes)?;
    Ok(Expanded { text, words, used: walk.used, missing: walk.missing })
}

/// Whether expansion can change the text at all: a cheap test that spares most words the walk.
#[must_use]
pub fn is_plain(word: &str, rules: Rules) -> bool {
    !word.contains(['$', '\'', '"', rules.escape, BYTE_ORDER_MARK])
}

const BYTE_ORDER_MARK: char = '\u{feff}';

/// `${a:-${b:-...}}` deeper than this is an attack, not a Dockerfile.
const MAX_DEPTH: usize = 64;

/// How much a word may grow, in bytes. Programs cannot get arguments or variables of more than 128 KiB; without a limit
/// thirty lines of `ENV A=$A$A` would take all memory.
const MAX_GROWTH: usize = 256 << 10;

struct Walk<'a, V> {
    word: &'a str,
    at: usize,
    variables: &'a V,
    rules: Rules,
    used: BTreeSet<String>,
    missing: BTreeSet<String>,
    depth: usize,
}

/// Words under construction: white space ends a word unless it was quoted or escaped.
#[derive(Default)]
struct Words {
    done: Vec<String>,
    current: String,
    inside: bool,
}

impl Words {
    fn split(&mut self, c: char) {
        if !c.is_whitespace() {
            self.raw(c);
        } else if self.inside && !self.current.is_empty() {
            self.done.push(std::mem::take(&mut self.current));
            self.inside = false;
        }
    }
    fn raw(&mut self, c: char) {
        self.current.push(c);
        self.inside = true;
    }
    fn raw_text(&mut self, text: &str) {
        self.current.push_str(text);
        self.inside = true;
    }
    fn finish(mut self) -> Vec<String> {
        if !self.current.is_empty() {
            self.done.push(self.current);
        }
        self.done
    }
}

impl<V: Variables> Walk<'_, V> {
    fn peek(&self) -> Option<char> {
        self.word.get(self.at..).and_then(|rest| rest.chars().next())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn error(&self, problem: Problem) -> ExpandError {
        ExpandError { problem, offset: self.at.min(self.word.len()) }
    }

    /// Reads up to the stop character (consumed) or the end.
    fn until(&mut self, stop: Option<char>, raw_escapes: bool) -> Result<(String, Vec<String>), ExpandError> {
        let mut text = String::new();
        let mut words = Words::default();
        while let Some(c) = self.peek() {
            if Some(c) == stop {
                self.next();
                return Ok((text, words.finish()));
            }
            match c {
                '\'' | '"' if !self.rules.no_quotes => {
                    let quoted =
                        if c == '"' { self.double_quoted(raw_escapes)? } else { self.single_quoted()? };
                    self.append(&mut text, &quoted)?;
                    words.raw_text(&quoted);
                }
                '$' => {
                    let value = self.dollar()?;
                    self.append(&mut text, &value)?;
                    value.chars().for_each(|c| words.split(c));
                }
                '<' => {
                    let start = self.at;
                    self.heredoc_sign();
                    let sign = self.word.get(start..self.at).unwrap_or_default();
                    words.raw_text(sign);
                    text.push_str(sign);
                }
                _ if c == self.rules.escape => {
                    self.next();
                    if raw_escapes {
                        words.raw(c);
                        text.push(c);
                    }
                    let Some(escaped) = self.next() else { break };
                    words.raw(escaped);
                    text.push(escaped);
                }
                _ => {
                    self.next();
                    words.split(c);
                    text.push(c);
                }
            }
        }
        match stop {
            None => Ok((text, words.finish())),
            Some(_) => Err(self.error(Problem::MissingBrace)),
        }
    }

    /// `<<` with the white space after it is one piece, so that `<< EOF` stays one word.
    fn heredoc_sign(&mut self) {
        self.next();
        if self.peek() == Some('<') {
            self.next();
            while matches!(self.peek(), Some('\t' | '\r' | ' ')) {
                self.next();
            }
        }
    }

    fn single_quoted(&mut self) -> Result<String, ExpandError> {
        let open = self.at;
        self.next();
        let start = self.at;
        while let Some(c) = self.next() {
            if c == '\'' {
                let range = if self.rules.raw_quotes { open..self.at } else { start..self.at - 1 };
                return Ok(self.word.get(range).unwrap_or_default().to_owned());
            }
        }
        Err(ExpandError { problem: Problem::UnclosedQuote('\''), offset: open })
    }

    fn double_quoted(&mut self, raw_escapes: bool) -> Result<String, ExpandError> {
        let open = self.at;
        self.next();
        let mut text = String::new();
        let quote = |text: &mut String| {
            if self.rules.raw_quotes {
                text.push('"')
            }
        };
        quote(&mut text);
        while let Some(c) = self.peek() {
            match c {
                '"' => {
                    if self.rules.raw_quotes {
                        text.push('"');
                    }
                    self.next();
                    return Ok(text);
                }
                '$' => {
                    let value = self.dollar()?;
                    self.append(&mut text, &value)?;
                }
                _ if c == self.rules.escape => {
                    self.next();
                    if raw_escapes {
                        text.push(c);
                    }
                    match self.peek() {
                        None => {}
                        Some(next) if next == '"' || next == '$' || next == self.rules.escape => {
                            self.next();
                            text.push(next);
                        }
                        Some(_) => text.push(c),
                    }
                }
                _ => {
                    self.next();
                    text.push(c);
                }
            }
        }
        Err(ExpandError { problem: Problem::UnclosedQuote('"'), offset: open })
    }

    /// Longest text that the word may become.
    fn limit(&self) -> usize {
        MAX_GROWTH + 2 * self.word.len()
    }

    fn append(&self, text: &mut String, value: &str) -> Result<(), ExpandError> {
        if text.len() + value.len() > self.limit() {
            return Err(self.error(Problem::TooLong(self.limit())));
        }
        text.push_str(value);
        Ok(())
    }

    fn dollar(&mut self) -> Result<String, ExpandError> {
        let start = self.at;
        self.next();
        if self.peek() != Some('{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            let value = self.lookup(&name);
            return Ok(match value {
                None if self.rules.keep_unset => format!("${name}"),
                value => value.unwrap_or_default(),
            });
        }
        self.next();
        match self.peek() {
            None => return Err(ExpandError { problem: Problem::MissingBrace, offset: start }),
            Some('{' | '}' | ':') => return Err(self.error(Problem::BadSubstitution)),
            Some(_) => {}
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(Problem::BadSubstitution));
        }
        let name = self.name();
        let value = self.braced(&name, start);
        self.depth -= 1;
        value
    }

    /// The part of `${name...}` after the name.
    fn braced(&mut self, name: &str, start: usize) -> Result<String, ExpandError> {
        let Some(first) = self.next() else {
            return Err(ExpandError { problem: Problem::MissingBrace, offset: start });
        };
        let mut operator = String::from(first);
        let colon = first == ':';
        let sign = if colon { self.next().unwrap_or(' ') } else { first };
        if colon {
            operator.push(sign);
        }
        let bad = |operator: String| Problem::BadOperator { name: name.to_owned(), operator };
        match sign {
            '}' if !colon => Ok(match self.lookup(name) {
                None if self.rules.keep_unset => format!("${{{name}}}"),
                value => value.unwrap_or_default(),
            }),
            '+' | '-' | '?' => {
                let word = self.operand('}', false, start)?;
                self.choose(name, &operator, sign, colon, word)
            }
            '#' | '%' if !colon => {
                let word = self.operand('}', true, start)?;
                self.trim(name, sign, &word)
            }
            '/' if !colon => self.replace(name, start),
            _ => Err(self.error(bad(operator))),
        }
    }

    /// Reads an operand; a missing end is reported where the `${` stands.
    fn operand(&mut self, stop: char, raw_escapes: bool, start: usize) -> Result<String, ExpandError> {
        match self.until(Some(stop), raw_escapes) {
            Ok((text, _)) => Ok(text),
            Err(error) if error.problem == Problem::MissingBrace => {
                Err(ExpandError { problem: Problem::MissingBrace, offset: start })
            }
            Err(error) => Err(error),
        }
    }

    fn choose(
        &mut self,
        name: &str,
        operator: &str,
        sign: char,
        colon: bool,
        word: String,
    ) -> Result<String, ExpandError> {
        let value = self.lookup(name);
        if self.rules.keep_unset && value.is_none() {
            return Ok(format!("${{{name}{operator}{word}}}"));
        }
        let present = value.as_ref().is_some_and(|v| !(colon && v.is_empty()));
        match (sign, present) {
            ('-', false) | ('+', true) => Ok(word),
            ('+', false) => Ok(String::new()),
            ('?', false) => {
                let standard = if value.is_some() { "must not be empty" } else { "must be set" };
                let message = if word.is_empty() { standard.to_owned() } else { word };
                Err(self.error(Problem::Required { name: name.to_owned(), message }))
            }
            _ => Ok(value.unwrap_or_default()),
        }
    }

    fn trim(&mut self, name: &str, sign: char, word: &str) -> Result<String, ExpandError> {
        let value = self.lookup(name);
        let Some(value) = value else {
            return Ok(if self.rules.keep_unset {
                format!("${{{name}{sign}{word}}}")
            } else {
                String::new()
            });
        };
        let longest = word.starts_with(sign);
        let glob = if longest { word.get(1..).unwrap_or_default() } else { word };
        let glob = pattern::Pattern::new(glob).map_err(|c| self.error(Problem::BadPattern(c)))?;
        Ok(if sign == '#' { glob.trim_prefix(&value, longest) } else { glob.trim_suffix(&value, longest) })
    }

    fn replace(&mut self, name: &str, start: usize) -> Result<String, ExpandError> {
        let all = self.peek() == Some('/');
        if all {
            self.next();
        }
        let search = self.operand('/', true, start).map_err(|error| {
            if error.problem != Problem::MissingBrace {
                return error;
            }
            ExpandError { problem: Problem::MissingReplacement(name.to_owned()), offset: start }
        })?;
        let with = self.operand('}', true, start)?;
        let Some(value) = self.lookup(name) else {
            return Ok(if self.rules.keep_unset {
                format!("${{{name}/{search}/{with}}}")
            } else {
                String::new()
            });
        };
        let glob = pattern::Pattern::new(&search).map_err(|c| self.error(Problem::BadPattern(c)))?;
        let limit = self.limit();
        glob.replace(&value, &with, all, limit).ok_or_else(|| self.error(Problem::TooLong(limit)))
    }

    /// A variable name, a run of digits, or one of the shell's special parameters.
    fn name(&mut self) -> String {
        let start = self.at;
        match self.peek() {
            Some(c) if c.is_ascii_digit() => {
                while self.peek().is_some_and(|c| c.is_ascii_digit()) {
                    self.next();
                }
            }
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => {
                self.next();
            }
            _ => {
                while self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') {
                    self.next();
                }
            }
        }
        self.word.get(start..self.at).unwrap_or_default().to_owned()
    }

    fn lookup(&mut self, name: &str) -> Option<String> {
        let value = self.variables.get(name);
        let seen = if value.is_some() { &mut self.used } else { &mut self.missing };
        if !seen.contains(name) {
            seen.insert(name.to_owned());
        }
        value.map(str::to_owned)
    }
}

#[cfg(test)]
mod tests;
