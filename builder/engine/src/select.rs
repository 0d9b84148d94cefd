//! Include and exclude patterns of LLB as a filter of paths.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::EngineError;
use xx_build_frontend::dockerfile::ignore::{Matched, Matcher};
use xx_build_rootfs::sync::lock;
use xx_build_rootfs::{Filter, Visibility};

/// Chooses paths that match an include pattern (all, when there is none) and no exclude pattern.
#[derive(Debug)]
pub(super) struct PatternFilter {
    include: Option<Matcher>,
    exclude: Option<Matcher>,
    /// What is known of directories that were looked at last. Paths are mostly asked for after the one above them.
    directories: Mutex<HashMap<Vec<u8>, Arc<Known>>>,
}

/// How many directories are remembered.
const REMEMBERED: usize = 256;

/// What the two lists say of a path.
#[derive(Debug, Default)]
struct Known {
    include: (bool, Matched),
    exclude: (bool, Matched),
}

impl PatternFilter {
    /// Compiles the patterns.
    pub(super) fn new(include: &[String], exclude: &[String]) -> Result<Self, EngineError> {
        Ok(Self { include: compile(include)?, exclude: compile(exclude)?, directories: Mutex::default() })
    }

    /// What is known of `path`; `above`, if it is known, lies one level up.
    fn know(&self, path: &[u8], above: Option<&Known>) -> Known {
        let ask = |matcher: &Option<Matcher>, above: Option<&(bool, Matched)>| match (matcher, above) {
            (None, _) => (false, Matched::default()),
            (Some(matcher), Some((_, above))) => matcher.matches_below(path, above),
            (Some(matcher), None) => matcher.walk_to(path),
        };
        Known {
            include: ask(&self.include, above.map(|above| &above.include)),
            exclude: ask(&self.exclude, above.map(|above| &above.exclude)),
        }
    }

    fn remember(&self, directory: &[u8], known: Known) -> Arc<Known> {
        let known = Arc::new(known);
        let mut directories = lock(&self.directories);
        if directories.len() >= REMEMBERED {
            directories.clear();
        }
        directories.insert(directory.to_owned(), Arc::clone(&known));
        known
    }

    /// Whether everything is chosen.
    pub(super) fn is_empty(&self) -> bool {
        self.include.is_none() && self.exclude.is_none()
    }

    /// Whether an exclude pattern matches this path.
    pub(super) fn excludes(&self, path: &Path) -> bool {
        self.exclude.as_ref().is_some_and(|matcher| matcher.matches(path.as_os_str().as_bytes()))
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
        let above = bytes.iter().rposition(|byte| *byte == b'/').and_then(|end| bytes.get(..end));
        let above = match above {
            Some(above) => {
                let known = lock(&self.directories).get(above).cloned();
                known.unwrap_or_else(|| self.remember(above, self.know(above, None)))
            }
            None => Arc::default(),
        };
        let known = self.know(bytes, Some(&above));
        let known = if is_directory { self.remember(bytes, known) } else { Arc::new(known) };
        let Known { include, exclude } = &*known;
        if !exclude.0 && (self.include.is_none() || include.0) {
            return Visibility::Show;
        }
        let nothing_below = self.exclude.as_ref().is_some_and(|matcher| matcher.excludes_all(bytes, exclude))
            || self.include.as_ref().is_some_and(|matcher| !matcher.may_include(bytes, include));
        if is_directory && !nothing_below { Visibility::Enter } else { Visibility::Hide }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is remembered of other directories, and in whichever order they are asked for.
    #[test]
    fn more_directories_than_are_remembered() {
        let list = |patterns: &[&str]| patterns.iter().map(|&pattern| pattern.to_owned()).collect::<Vec<_>>();
        let new = || {
            PatternFilter::new(&list(&["d1*", "!d1*/no"]), &list(&["**/f*", "!d12/f"])).expect("well formed")
        };
        let filter = new();
        for round in 0..3 {
            for number in 0..2 * REMEMBERED {
                for (name, is_directory) in
                    [("", true), ("/no", true), ("/no/x", false), ("/f", false), ("/g", false)]
                {
                    let path = format!("d{}{name}", number * (round + 1));
                    let path = Path::new(&path);
                    assert_eq!(filter.look(path, is_directory), new().look(path, is_directory), "{path:?}");
                }
            }
        }
        assert!(lock(&filter.directories).len() <= REMEMBERED);
    }

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
