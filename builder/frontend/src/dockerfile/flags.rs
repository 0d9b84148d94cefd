//! Flags of instructions: which exist, which take a value, which may repeat.

use super::diagnostic::Diagnostic;
use super::node::{Node, Word};
use super::suggest;

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing, `=true` or `=false`.
    Bool,
    /// One value.
    Value,
    /// One value each time it is given.
    Values,
}

/// The flags of each instruction that has some; sorted. (`RUN --device` is refused with a reason of its own.)
pub const FLAGS: [(&str, &[(&str, Takes)]); 5] = [
    (
        "ADD",
        &[
            ("checksum", Takes::Value),
            ("chmod", Takes::Value),
            ("chown", Takes::Value),
            ("exclude", Takes::Values),
            ("keep-git-dir", Takes::Bool),
            ("link", Takes::Bool),
            ("unpack", Takes::Bool),
        ],
    ),
    (
        "COPY",
        &[
            ("chmod", Takes::Value),
            ("chown", Takes::Value),
            ("exclude", Takes::Values),
            ("from", Takes::Value),
            ("link", Takes::Bool),
            ("parents", Takes::Bool),
        ],
    ),
    ("FROM", &[("platform", Takes::Value)]),
    (
        "HEALTHCHECK",
        &[
            ("interval", Takes::Value),
            ("retries", Takes::Value),
            ("start-interval", Takes::Value),
            ("start-period", Takes::Value),
            ("timeout", Takes::Value),
        ],
    ),
    ("RUN", &[("mount", Takes::Values), ("network", Takes::Value), ("security", Takes::Value)]),
];

fn known(node: &Node) -> &'static [(&'static str, Takes)] {
    FLAGS.iter().find(|(keyword, _)| node.is(keyword)).map_or(&[], |(_, flags)| flags)
}

/// Flags of one instruction, checked against what it knows.
pub(super) struct Flags<'n> {
    given: Vec<(&'n str, Option<&'n str>, &'n Word)>,
}

impl<'n> Flags<'n> {
    /// Checks the flags of a node against [`FLAGS`].
    ///
    /// # Errors
    /// An unknown flag, a repeated one, one without its value.
    pub(super) fn read(node: &'n Node) -> Result<Self, Diagnostic> {
        let known = known(node);
        let mut given: Vec<(&str, Option<&str>, &Word)> = Vec::new();
        for word in &node.flags {
            let text = word.text.strip_prefix("--").unwrap_or(&word.text);
            let (name, value) = text.split_once('=').map_or((text, None), |(n, v)| (n, Some(v)));
            let Some((_, takes)) = known.iter().find(|(n, _)| *n == name) else {
                let keyword = node.keyword.text.to_ascii_uppercase();
                let none = known.is_empty().then(|| format!("{keyword} has no flags"));
                let all: Vec<String> = known.iter().map(|(name, _)| format!("`--{name}`")).collect();
                let all = format!("its flags are {}", all.join(", "));
                let near = suggest::nearest(name, known.iter().map(|(n, _)| *n));
                return Err(Diagnostic::error(word.span, format!("unknown flag `--{name}` of {keyword}"))
                    .maybe_hint(near.map(|n| format!("did you mean `--{n}`?")).or(none).or(Some(all))));
            };
            if *takes != Takes::Values && given.iter().any(|(n, ..)| *n == name) {
                return Err(Diagnostic::error(word.span, format!("flag `--{name}` is given twice"))
                    .hint("keep one of the two"));
            }
            let missing = match takes {
                Takes::Bool => value == Some(""),
                Takes::Value | Takes::Values => value.is_none(),
            };
            if missing {
                return Err(Diagnostic::error(word.span, format!("flag `--{name}` has no value"))
                    .hint(format!("write `--{name}=value`")));
            }
            if *takes == Takes::Bool
                && !value.is_none_or(|v| v.eq_ignore_ascii_case("true") || v.eq_ignore_ascii_case("false"))
            {
                let value = value.unwrap_or_default();
                return Err(Diagnostic::error(
                    word.span,
                    format!("`{value}` is not a value of `--{name}`: expected `true` or `false`"),
                )
                .hint(format!("write `--{name}` or `--{name}=false`")));
            }
            given.push((name, value, word));
        }
        Ok(Self { given })
    }

    /// A switch, when it is given.
    pub(super) fn switch(&self, name: &str) -> Option<bool> {
        let (_, value, _) = self.given.iter().find(|(n, ..)| *n == name)?;
        Some(value.is_none_or(|v| v.eq_ignore_ascii_case("true")))
    }

    /// A value, when it is given.
    pub(super) fn value(&self, name: &str) -> Option<Word> {
        self.values(name).next()
    }

    /// Every value of a flag, in order.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = Word> {
        self.given
            .iter()
            .filter(move |(n, ..)| *n == name)
            .map(|(_, value, word)| Word { text: value.unwrap_or_default().to_owned(), span: word.span })
    }
}
