//! `skip=A,B;error=true;experimental=all`.

use super::Rule;
use crate::dockerfile::mount::boolean;
use crate::dockerfile::suggest;
use crate::source_text::Span;

/// Which rules hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Control {
    skip: Names,
    experimental: Names,
    /// Findings fail the build.
    pub error: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Names {
    all: bool,
    names: Vec<String>,
}

/// A control that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid check option `{option}`: expected `skip=RULE,...|all`, `error=true` or `experimental=RULE,...|all`"
)]
pub struct InvalidControl {
    /// The part of the control that is wrong.
    pub option: String,
    /// Where it stands in the Dockerfile; `None` when the control came from elsewhere.
    pub span: Option<Span>,
}

impl InvalidControl {
    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> String {
        let key = self.option.split('=').next().unwrap_or_default().trim();
        suggest::hint(key, ["error", "experimental", "skip"]).unwrap_or_else(|| {
            "docs/checks/README.md has the rules and how to switch them: `# check=skip=RULE;error=true`"
                .to_owned()
        })
    }

    /// The same error with its place in the comment that holds the control.
    pub(super) fn within(self, comment: &str, start: usize) -> Self {
        let at = start + comment.find(&self.option).unwrap_or(0);
        Self { span: Some(Span::new(at, at + self.option.len())), ..self }
    }
}

impl Names {
    fn parse(text: &str) -> Self {
        if text.trim() == "all" {
            return Self { all: true, names: Vec::new() };
        }
        Self { all: false, names: text.split(',').map(|n| n.trim().to_owned()).collect() }
    }

    fn holds(&self, name: &str) -> bool {
        self.all || self.names.iter().any(|n| n == name)
    }
}

impl Control {
    /// Reads a control.
    ///
    /// # Errors
    /// An option is unknown or has no value.
    pub fn parse(text: &str) -> Result<Self, InvalidControl> {
        let mut control = Self::default();
        for part in text.split(';').filter(|_| !text.trim().is_empty()) {
            let invalid = || InvalidControl { option: part.trim().chars().take(100).collect(), span: None };
            let (key, value) = part.split_once('=').ok_or_else(invalid)?;
            match key.trim() {
                "skip" => control.skip = Names::parse(value),
                "experimental" => control.experimental = Names::parse(value),
                "error" => control.error = boolean(value.trim()).ok_or_else(invalid)?,
                _ => return Err(invalid()),
            }
        }
        Ok(control)
    }

    /// `check=...` among the comments above an instruction; a malformed one counts as none.
    pub(super) fn above(comments: &[String]) -> Option<Self> {
        comments.iter().find_map(|comment| {
            let (key, value) = comment.split_once('=')?;
            let value = value.trim().split(' ').next().unwrap_or_default();
            (key.trim().eq_ignore_ascii_case("check")).then(|| Self::parse(value).ok())?
        })
    }

    pub(super) fn allows(&self, rule: &Rule, local: Option<&Self>) -> bool {
        let either = |names: fn(&Self) -> &Names| {
            names(self).holds(rule.name) || local.is_some_and(|l| names(l).holds(rule.name))
        };
        if rule.experimental { either(|c| &c.experimental) } else { !either(|c| &c.skip) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let control = Control::parse("skip=A, B; error=true ;experimental=all").unwrap();
        assert!(
            control.error && control.skip.holds("B") && !control.skip.holds("C") && control.experimental.all
        );
        assert_eq!(Control::parse(" "), Ok(Control::default()));
        for wrong in ["skip", "x=y", "error=maybe", "skip=A;;"] {
            assert!(Control::parse(wrong).is_err(), "{wrong}");
        }
    }
}
