//! A directory tree that files are read from: a build context, or the result of a step.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::walk::{Entry, Filter, Visibility, Xattrs, walk};
use super::{Located, Owners, Root, RootError};

/// Files to read, with what is hidden of them.
#[derive(Debug, Clone)]
pub struct Tree {
    directory: Arc<OwnedFd>,
    filter: Option<Arc<dyn Filter>>,
    root_owned: bool,
    owners: Owners,
}

/// One path of a tree that a pattern stands for.
#[derive(Debug)]
pub struct Match {
    located: Located,
    /// The last component of the path as it was asked for, before links were followed.
    pub name: OsString,
}

impl Match {
    /// Its path in the tree, links resolved, no leading slash.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.located.path
    }

    /// The directory that holds it, and its name there.
    #[must_use]
    pub fn located(&self) -> &Located {
        &self.located
    }
}

impl Tree {
    /// The result of a step: everything shows as it is, with owners kept as `owners` says.
    #[must_use]
    pub fn result(directory: OwnedFd, owners: Owners) -> Self {
        Self { directory: Arc::new(directory), filter: None, root_owned: false, owners }
    }

    /// A directory of the user: `filter` hides entries, and everything counts as owned by root, since the
    /// ids of this machine mean nothing in an image.
    #[must_use]
    pub fn context(directory: OwnedFd, filter: Option<Arc<dyn Filter>>) -> Self {
        Self { directory: Arc::new(directory), filter, root_owned: true, owners: Owners::Real }
    }

    /// The root directory.
    #[must_use]
    pub fn root(&self) -> Root<'_> {
        Root::new(&*self.directory, self.owners)
    }

    /// What hides entries, if anything does.
    #[must_use]
    pub fn filter(&self) -> Option<&dyn Filter> {
        self.filter.as_deref()
    }

    /// Whether the owner of every entry is root, whatever its metadata says.
    #[must_use]
    pub fn is_root_owned(&self) -> bool {
        self.root_owned
    }

    /// User and group of an entry with this metadata, as the tree shows them.
    #[must_use]
    pub fn owner(&self, stat: &rustix::fs::Stat) -> (u32, u32) {
        if self.root_owned { (0, 0) } else { (stat.st_uid, stat.st_gid) }
    }

    /// Extended attributes as the tree shows them: of a user's file only its capabilities, since the others are
    /// notes of this machine. BuildKit's layers have no others either.
    #[must_use]
    pub fn xattrs(&self, mut xattrs: Xattrs) -> Xattrs {
        if self.root_owned {
            xattrs.retain(|(name, _)| name == b"security.capability");
        }
        xattrs
    }

    /// The paths that `path` stands for, sorted; none when nothing is there.
    ///
    /// With `wildcard`, components may hold `*`, `?` and `[...]` as in Go's `filepath.Match`; a star does
    /// not match a slash. `follow` says whether a link at the end is followed.
    ///
    /// # Errors
    /// When a directory cannot be read or a pattern is malformed.
    pub fn matches(&self, path: &str, wildcard: bool, follow: bool) -> Result<Vec<Match>, RootError> {
        let components: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        let fixed = components.iter().take_while(|part| !wildcard || !has_wildcard(part)).count();
        let (fixed, pattern) = components.split_at(fixed.min(components.len()));
        let start: PathBuf = fixed.iter().collect();
        let located = match self.root().locate(&start, follow || !pattern.is_empty()) {
            Ok(located) => located,
            Err(error) if is_missing(&error) => return Ok(vec![]),
            Err(error) => return Err(error),
        };
        let Some(_) = located.stat()? else { return Ok(vec![]) };
        let name = start.file_name().unwrap_or(std::ffi::OsStr::new("/")).to_owned();
        let start = Match { located, name };
        if pattern.is_empty() {
            return Ok(if self.shows(&start)? { vec![start] } else { vec![] });
        }
        self.expand(&start, &pattern.join("/"))
    }

    /// What lies below `start` and matches `pattern` with as many components.
    fn expand(&self, start: &Match, pattern: &str) -> Result<Vec<Match>, RootError> {
        let pattern: Vec<&[u8]> = pattern.split('/').map(str::as_bytes).collect();
        for part in &pattern {
            if !is_well_formed(part) {
                let source = std::io::Error::from(std::io::ErrorKind::InvalidInput);
                return Err(RootError::new(
                    "malformed pattern",
                    String::from_utf8_lossy(part).as_ref(),
                    source,
                ));
            }
        }
        let hidden = |path: &Path, is_directory| self.visibility(start.path(), path, is_directory);
        let look = |path: &Path, is_directory: bool| {
            let parts: Vec<&[u8]> = path.iter().map(OsStrExt::as_bytes).collect();
            let so_far = parts.iter().zip(&pattern).all(|(part, pattern)| matches_component(pattern, part));
            if !so_far || parts.len() > pattern.len() {
                return Visibility::Hide;
            }
            let shown = hidden(path, is_directory);
            if parts.len() == pattern.len() || shown == Visibility::Hide { shown } else { Visibility::Enter }
        };
        let mut found = vec![];
        let Located { directory, name, .. } = start.located();
        walk(
            self.owners,
            directory.as_fd(),
            name,
            &look,
            &mut |entry: &Entry<'_>| -> Result<(), RootError> {
                if entry.path.iter().count() == pattern.len() {
                    let duplicate = rustix::io::fcntl_dupfd_cloexec(entry.directory, 0)
                        .map_err(|errno| RootError::new("cannot open", entry.path, errno))?;
                    let path = start.path().join(entry.path);
                    let (name, owners) = (entry.name.to_owned(), self.owners);
                    let located = Located { directory: duplicate, name, path, owners };
                    found.push(Match { located, name: entry.name.to_owned() });
                }
                Ok(())
            },
        )?;
        Ok(found)
    }

    /// Visits `start` and what lies below it, as far as the tree shows it and `select` chooses it. Paths
    /// of entries, and paths that `select` is asked for, are relative to `start`.
    ///
    /// # Errors
    /// When a directory cannot be read, or `visit` fails.
    pub fn walk<E: From<RootError>>(
        &self,
        start: &Match,
        select: &dyn Fn(&Path, bool) -> Visibility,
        visit: &mut dyn FnMut(&Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let look = |path: &Path, is_directory| {
            self.visibility(start.path(), path, is_directory).and(select(path, is_directory))
        };
        walk(self.owners, start.located.directory.as_fd(), &start.located.name, &look, visit)
    }

    /// How the owners of its files are kept.
    pub(super) fn owners(&self) -> Owners {
        self.owners
    }

    /// What the filter says of `path` below `start`.
    pub(super) fn visibility(&self, start: &Path, path: &Path, is_directory: bool) -> Visibility {
        match &self.filter {
            None => Visibility::Show,
            Some(filter) => filter.look(&start.join(path), is_directory),
        }
    }

    /// Whether a path that was named outright is visible: itself, or something below it.
    fn shows(&self, start: &Match) -> Result<bool, RootError> {
        let Some(filter) = &self.filter else { return Ok(true) };
        if start.path().as_os_str().is_empty() {
            return Ok(true);
        }
        let is_directory = start
            .located
            .stat()?
            .is_some_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir());
        Ok(match filter.look(start.path(), is_directory) {
            Visibility::Show => true,
            Visibility::Enter => is_directory,
            Visibility::Hide => false,
        })
    }
}

fn is_missing(error: &RootError) -> bool {
    matches!(error.source.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

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

/// Whether every class is closed and no escape ends the pattern.
fn is_well_formed(pattern: &[u8]) -> bool {
    let mut rest = pattern;
    while let [first, tail @ ..] = rest {
        rest = match first {
            b'\\' if tail.is_empty() => return false,
            b'\\' => tail.get(1..).unwrap_or_default(),
            b'[' => match class(tail, 0) {
                Some((_, after)) => after,
                None => return false,
            },
            _ => tail,
        };
    }
    true
}

/// Matches one path component, in linear space and at worst quadratic time.
fn matches_component(pattern: &[u8], name: &[u8]) -> bool {
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
            ([b'?', p @ ..], [_, n @ ..]) => Some((p, n)),
            ([b'[', p @ ..], [byte, n @ ..]) => {
                class(p, *byte).and_then(|(hit, after)| hit.then_some((after, n)))
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

/// Reads a class after its `[`: whether it holds `byte`, and what follows the `]`.
fn class(pattern: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let (negated, mut rest) = match pattern {
        [b'^', tail @ ..] => (true, tail),
        tail => (false, tail),
    };
    let (mut hit, mut first) = (false, true);
    loop {
        rest = match rest {
            [b']', after @ ..] if !first => return Some((hit != negated, after)),
            _ => {
                let (low, tail) = class_byte(rest)?;
                let (high, tail) = match tail {
                    [b'-', tail @ ..] => class_byte(tail)?,
                    tail => (low, tail),
                };
                hit |= (low..=high).contains(&byte);
                tail
            }
        };
        first = false;
    }
}

fn class_byte(pattern: &[u8]) -> Option<(u8, &[u8])> {
    match pattern {
        [] | [b'-' | b']', ..] => None,
        [b'\\', byte, tail @ ..] => Some((*byte, tail)),
        [b'\\'] => None,
        [byte, tail @ ..] => Some((*byte, tail)),
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
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches_component(pattern.as_bytes(), name.as_bytes()), *expected, "{pattern} {name}");
        }
    }

    #[test]
    fn malformed_patterns_are_known() {
        for pattern in ["[", "[]", "[a", "[a-", "[-x]", "a\\", "[]a]"] {
            assert!(!is_well_formed(pattern.as_bytes()), "{pattern}");
        }
        for pattern in ["[a]", "[^a]", "a\\]", "*", "[a-z]*"] {
            assert!(is_well_formed(pattern.as_bytes()), "{pattern}");
        }
    }
}
