//! What was wrong with a platform string: which part, and what was probably meant.

use std::fmt;

/// Longest piece of the input kept in an error, in bytes.
const KEPT_INPUT: usize = 80;

/// The part of a platform string that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The string as a whole: empty, or with too few or too many parts.
    Shape,
    /// The operating system.
    Os,
    /// The version in parentheses after the operating system.
    OsVersion,
    /// The architecture.
    Arch,
    /// The variant of the architecture.
    Variant,
    /// Known operating system and known architecture that do not go together.
    Combination,
    /// The machine name that `uname -m` prints.
    Machine,
}

impl Part {
    const fn words(self) -> &'static str {
        match self {
            Self::Shape => "expected os/arch[/variant]",
            Self::Os => "unknown operating system",
            Self::OsVersion => "malformed operating system version",
            Self::Arch => "unknown architecture",
            Self::Variant => "unknown variant of the architecture",
            Self::Combination => "the operating system does not run on the architecture",
            Self::Machine => "unknown machine name",
        }
    }
}

/// A platform string that names no known platform.
///
/// ```
/// use platform_db::{ParsePlatformError, Part, Platform};
///
/// let error: ParsePlatformError = "linux/amr64".parse::<Platform>().unwrap_err();
/// assert_eq!(error.part, Part::Arch);
/// assert_eq!(error.did_you_mean.as_deref(), Some("linux/arm64"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct ParsePlatformError {
    /// The input, shortened when it is long.
    pub input: String,
    /// The part that is wrong.
    pub part: Part,
    /// A whole platform (or machine) name that differs little from the input.
    pub did_you_mean: Option<String>,
}

impl ParsePlatformError {
    pub(crate) fn new(input: &str, part: Part, did_you_mean: Option<String>) -> Self {
        Self { input: shortened(input), part, did_you_mean }
    }
}

impl fmt::Display for ParsePlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid platform `{}`: {}", self.input.escape_debug(), self.part.words())?;
        match &self.did_you_mean {
            Some(known) => write!(f, "; did you mean `{known}`?"),
            None => Ok(()),
        }
    }
}

/// Cuts at a character boundary and says so with three dots.
fn shortened(input: &str) -> String {
    if input.len() <= KEPT_INPUT {
        return input.to_owned();
    }
    let mut cut = KEPT_INPUT;
    while !input.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}...", input.get(..cut).unwrap_or_default())
}
