//! Include and exclude patterns of LLB as a filter of paths.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::EngineError;
use crate::dockerfile::ignore::Matcher;
use crate::rootfs::{Filter, Visibility};

/// Chooses paths that match an include pattern (all, when there is none) and no exclude pattern.
#[derive(Debug)]
pub(super) struct PatternFilter {
    include: Option<Matcher>,
    exclude: Option<Matcher>,
}

impl PatternFilter {
    /// Compiles the patterns.
    pub(super) fn new(include: &[String], exclude: &[String]) -> Result<Self, EngineError> {
        Ok(Self { include: compile(include)?, exclude: compile(exclude)? })
    }

    /// Whether everything is chosen.
    pub(super) fn is_empty(&self) -> bool {
        self.include.is_none() && self.exclude.is_none()
    }
}

fn compile(patterns: &[String]) -> Result<Option<Matcher>, EngineError> {
    if patterns.is_empty() {
        return Ok(None);
    }
    Matcher::new(patterns)
        .map(Some)
        .map_err(|bad| EngineError::Pattern { pattern: bad.pattern.clone(), reason: bad.problem.to_owned() })
}

impl Filter for PatternFilter {
    fn look(&self, path: &Path, is_directory: bool) -> Visibility {
        let bytes = path.as_os_str().as_bytes();
        if bytes.is_empty() {
            return Visibility::Show;
        }
        let excluded = self.exclude.as_ref().is_some_and(|matcher| matcher.matches(bytes));
        let included = self.include.as_ref().is_none_or(|matcher| matcher.matches(bytes));
        if included && !excluded {
            return Visibility::Show;
        }
        let nothing_below = self.exclude.as_ref().is_some_and(|matcher| matcher.excludes_all_below(bytes))
            || self.include.as_ref().is_some_and(|matcher| !matcher.may_match_below(bytes));
        if is_directory && !nothing_below { Visibility::Enter } else { Visibility::Hide }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_choose_paths() {
        use Visibility::{Enter, Hide, Show};
        type Case = (&'static [&'static str], &'static [&'static str], &'static str, bool, Visibility);
        let cases: &[Case] = &[
            (&[], &[], "a", false, Show),
            (&[], &["a"], "a", true, Hide),
            (&[], &["a", "!a/keep"], "a", true, Enter),
            (&[], &["a", "!a/keep"], "a/keep", false, Show),
            (&[], &["a", "!a/keep"], "a/other", false, Hide),
            (&["src/*.c"], &[], "src", true, Enter),
            (&["src/*.c"], &[], "doc", true, Hide),
            (&["src/*.c"], &[], "src/x.c", false, Show),
            (&["src"], &["src/x.c"], "src/x.c", false, Hide),
        ];
        for (include, exclude, path, is_directory, expected) in cases {
            let list =
                |patterns: &[&str]| patterns.iter().map(|&pattern| pattern.to_owned()).collect::<Vec<_>>();
            let filter = PatternFilter::new(&list(include), &list(exclude)).expect("well formed");
            assert_eq!(
                filter.look(Path::new(path), *is_directory),
                *expected,
                "{include:?} {exclude:?} {path}"
            );
        }
    }
}
