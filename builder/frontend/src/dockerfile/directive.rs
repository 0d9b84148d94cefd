//! Parser directives: `# syntax=`, `# escape=`, `# check=` at the top of a file, and `# verify=` behind them.
//!
//! They hold only before the first comment that is not one, the first empty line and the first instruction, and each
//! once. `verify` may be there several times; BuildKit does not know it, so that for BuildKit none follows it, and so here. `syntax` is also found behind `//` and as a key of a JSON document, since front ends of other languages
//! write it so; a shebang line and a byte order mark are skipped.

use super::diagnostic::Diagnostic;
use crate::source_text::{SourceText, Span};

/// A directive's value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// Text after `=`, trimmed.
    pub value: String,
    /// The whole comment.
    pub span: Span,
}

/// The directives of one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directives {
    /// `# syntax=`.
    pub syntax: Option<Directive>,
    /// `# escape=`.
    pub escape: Option<Directive>,
    /// `# check=`.
    pub check: Option<Directive>,
    /// `# verify=allow=GLOB,...`: the globs.
    pub allow_foreign: Vec<Directive>,
    after: After,
}

/// What may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum After {
    #[default]
    Anything,
    /// A directive of our own has been there.
    Verify,
    Nothing,
}

impl Directives {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The escape character: `\` unless `# escape=` says `` ` ``.
    #[must_use]
    pub fn escape(&self) -> char {
        self.escape.as_ref().and_then(|d| d.value.chars().next()).unwrap_or('\\')
    }

    /// No directive can follow what was read now.
    pub(super) fn close(&mut self) {
        self.after = After::Nothing;
    }

    /// Reads a comment line; true when it was a directive.
    pub(super) fn comment(&mut self, line: &str, span: Span) -> Result<bool, Diagnostic> {
        if self.after == After::Nothing {
            return Ok(false);
        }
        let Some((name, value)) = line.strip_prefix('#').and_then(key_and_value) else {
            self.close();
            return Ok(false);
        };
        let slot = match name.as_str() {
            "verify" => {
                self.after = After::Verify;
                self.allow_foreign.extend(allowed(value, span)?);
                return Ok(true);
            }
            "syntax" if self.after == After::Anything => &mut self.syntax,
            "escape" if self.after == After::Anything => &mut self.escape,
            "check" if self.after == After::Anything => &mut self.check,
            _ => {
                self.close();
                return Ok(false);
            }
        };
        if slot.is_some() {
            return Err(Diagnostic::error(span, format!("directive `{name}` is given twice"))
                .hint("keep one of the two lines"));
        }
        if name == "escape" && !matches!(value, "\\" | "`") {
            return Err(Diagnostic::error(span, format!("invalid escape character `{value}`"))
                .hint("use `# escape=\\` or `# escape=``"));
        }
        *slot = Some(Directive { value: value.to_owned(), span });
        Ok(true)
    }
}

/// The globs of `allow=GLOB,...`.
fn allowed(value: &str, span: Span) -> Result<Vec<Directive>, Diagnostic> {
    let globs = value.strip_prefix("allow").and_then(|rest| rest.trim_start().strip_prefix('='));
    let globs: Vec<&str> = globs.unwrap_or_default().split(',').map(str::trim).collect();
    if globs.contains(&"") {
        return Err(Diagnostic::error(span, format!("`verify={value}` is not `allow=GLOB`"))
            .hint("write the paths that may be for another platform: `# verify=allow=/opt/cross/**`"));
    }
    Ok(globs.into_iter().map(|glob| Directive { value: glob.to_owned(), span }).collect())
}

/// `name = value` with a name of letters and digits, lower-cased.
fn key_and_value(text: &str) -> Option<(String, &str)> {
    let (name, value) = text.trim_start().split_once('=')?;
    let (name, value) = (name.trim_end(), value.trim());
    let well_formed = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric())
        && !value.is_empty();
    well_formed.then(|| (name.to_ascii_lowercase(), value))
}

/// Finds the front end a file asks for: `# syntax=`, `// syntax=` or the key `syntax` of a JSON document.
#[must_use]
pub fn find_syntax(source: &SourceText) -> Option<Directive> {
    let text = source.text();
    let bom = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let shebang =
        text.get(bom..).filter(|t| t.starts_with("#!")).and_then(|t| t.find('\n')).map_or(0, |i| i + 1);
    let start = bom + shebang;
    let text = text.get(start..).unwrap_or_default();
    ["#", "//"].into_iter().find_map(|comment| syntax_behind(comment, text, start)).or_else(|| {
        let document =
            text.trim_start().starts_with('{').then(|| serde_json::from_str::<serde_json::Value>(text));
        let value = document?.ok()?.get("syntax")?.as_str()?.to_owned();
        Some(Directive { value, span: Span::new(start, start + text.find('\n').unwrap_or(text.len())) })
    })
}

fn syntax_behind(comment: &str, text: &str, mut at: usize) -> Option<Directive> {
    for raw in text.split_inclusive('\n') {
        let line = raw.trim_end_matches(['\r', '\n']);
        let (name, value) = key_and_value(line.strip_prefix(comment)?)?;
        match name.as_str() {
            "syntax" => {
                return Some(Directive { value: value.to_owned(), span: Span::new(at, at + line.len()) });
            }
            "escape" | "check" => at += raw.len(),
            _ => return None,
        }
    }
    None
}
