//! A directory tree that files are read from: a build context, or the result of a step.

#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FileType;

use super::pattern::{check, has_wildcard, matches_component};
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

/// What a path or a pattern stands for.
#[derive(Debug, Default)]
pub struct Matches {
    /// What is there, sorted by path as asked for.
    pub found: Vec<Match>,
    /// What should be there and is not: a path that was named outright, the part of one in front of its first wild
    /// card, or the target of a link that was to be followed.
    pub missing: Option<Missing>,
}

/// Something that a tree does not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Its path, without a leading slash.
    pub path: PathBuf,
    /// Why it is missing.
    pub why: Absence,
}

/// Why something is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// There is nothing of that name.
    Nothing,
    /// There is a link of that name, which leads to nothing that is shown.
    Dangling,
    /// It is no directory, though a pattern looks into it.
    NoDirectory,
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
        Self { directory: Arc::new(directory), filter, root_owned: true, owners: Owners::Plain }
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

    /// Extended attributes as the tree shows them: of a user's file its capabilities and what is noted on it, without
    /// access lists and the like, which name users and rules of this machine.
    #[must_use]
    pub fn xattrs(&self, mut xattrs: Xattrs) -> Xattrs {
        if self.root_owned {
            xattrs.retain(|(name, _)| name == b"security.capability" || name.starts_with(b"user."));
        }
        xattrs
    }

    /// What `path` stands for. A pattern that matches nothing is no fault.
    ///
    /// With `wildcard`, components may hold `*`, `?` and `[...]` as in Go's `filepath.Match`; a star does
    /// not match a slash. `follow` says whether a link at the end is followed, be it named or matched; links in
    /// front of the first wild card always are, those between wild cards never.
    ///
    /// # Errors
    /// When a directory cannot be read, links go round in circles, or a pattern is malformed.
    pub fn matches(&self, path: &str, wildcard: bool, follow: bool) -> Result<Matches, RootError> {
        let components: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        let fixed = components.iter().take_while(|part| !wildcard || !has_wildcard(part)).count();
        let (fixed, pattern) = components.split_at(fixed.min(components.len()));
        let start: PathBuf = fixed.iter().collect();
        let Some(located) = self.shown(&start, follow || !pattern.is_empty())? else {
            return Ok(Matches { found: vec![], missing: Some(self.missing(start)) });
        };
        let name = start.file_name().unwrap_or(OsStr::new("/")).to_owned();
        let start = Match { located, name };
        if pattern.is_empty() {
            return Ok(Matches { found: vec![start], missing: None });
        }
        if !is_directory(&start)? {
            let missing = Missing { path: fixed.iter().collect(), why: Absence::NoDirectory };
            return Ok(Matches { found: vec![], missing: Some(missing) });
        }
        let mut matches = Matches::default();
        for found in self.expand(&start, &pattern.join("/"))? {
            if follow && is_link(&found)? {
                match self.shown(found.path(), true)? {
                    Some(located) => matches.found.push(Match { located, name: found.name }),
                    None => {
                        let path = found.located.path;
                        matches.missing.get_or_insert(Missing { path, why: Absence::Dangling });
                    }
                }
            } else {
                matches.found.push(found);
            }
        }
        Ok(matches)
    }

    /// What lies below `start`, matches `pattern` with as many components, and is shown.
    fn expand(&self, start: &Match, pattern: &str) -> Result<Vec<Match>, RootError> {
        let pattern: Vec<&[u8]> = pattern.split('/').map(str::as_bytes).collect();
        for part in &pattern {
            if let Err(reason) = check(part) {
                let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, reason);
                return Err(RootError::new(
                    "malformed pattern",
                    String::from_utf8_lossy(part).as_ref(),
                    source,
                ));
            }
        }
        let look = |path: &Path, is_directory: bool| {
            let parts: Vec<&[u8]> = path.iter().map(OsStrExt::as_bytes).collect();
            let so_far = parts.iter().zip(&pattern).all(|(part, pattern)| matches_component(pattern, part));
            if !so_far || parts.len() > pattern.len() {
                return Visibility::Hide;
            }
            let shown = self.visibility(start.path(), path, is_directory);
            match shown {
                Visibility::Hide => shown,
                // A directory that is only entered may yet show something.
                Visibility::Show | Visibility::Enter if parts.len() == pattern.len() => Visibility::Show,
                Visibility::Show | Visibility::Enter => Visibility::Enter,
            }
        };
        let mut found = vec![];
        let Located { directory, name, .. } = start.located();
        walk(
            self.owners,
            directory.as_fd(),
            name,
            &look,
            &mut |entry: &Entry<'_>| -> Result<(), RootError> {
                if entry.path.iter().count() == pattern.len() && !self.leaves_out(&entry.stat) {
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
        if self.filter.is_some() {
            let mut shown = vec![];
            for candidate in found {
                if self.shows(&candidate.located)? {
                    shown.push(candidate);
                }
            }
            return Ok(shown);
        }
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
        let (directory, name) = (start.located.directory.as_fd(), &start.located.name);
        walk(self.owners, directory, name, &look, &mut |entry: &Entry<'_>| {
            if self.leaves_out(&entry.stat) { Ok(()) } else { visit(entry) }
        })
    }

    /// Whether a name is left out for what it is: a socket of the user's directory leads to a program of this machine,
    /// and is no file that could be copied.
    pub(super) fn leaves_out(&self, stat: &rustix::fs::Stat) -> bool {
        self.root_owned && FileType::from_raw_mode(stat.st_mode).is_socket()
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

    /// Where `path` leads, if the tree shows that and the links on the way.
    fn shown(&self, path: &Path, follow: bool) -> Result<Option<Located>, RootError> {
        let (located, links) = match self.root().locate_with_links(path, follow) {
            Ok(answer) => answer,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let hides = |link: &PathBuf| {
            self.filter.as_ref().is_some_and(|filter| filter.look(link, false) != Visibility::Show)
        };
        let is_there = located.stat()?.is_some_and(|stat| !self.leaves_out(&stat));
        if !is_there || links.iter().any(hides) || !self.shows(&located)? {
            return Ok(None);
        }
        Ok(Some(located))
    }

    /// Whether something that is there is shown: itself, or something below it.
    fn shows(&self, located: &Located) -> Result<bool, RootError> {
        let Some(filter) = &self.filter else { return Ok(true) };
        if located.path.as_os_str().is_empty() {
            return Ok(true);
        }
        let is_directory = kind(located)?.is_some_and(FileType::is_dir);
        match filter.look(&located.path, is_directory) {
            Visibility::Show => Ok(true),
            Visibility::Enter if is_directory => self.shows_below(located),
            Visibility::Enter | Visibility::Hide => Ok(false),
        }
    }

    /// Whether anything below a directory is shown.
    fn shows_below(&self, located: &Located) -> Result<bool, RootError> {
        let look = |path: &Path, is_directory| self.visibility(&located.path, path, is_directory);
        let found = walk(self.owners, located.directory.as_fd(), &located.name, &look, &mut |entry| {
            let counts = !entry.path.as_os_str().is_empty() && !self.leaves_out(&entry.stat);
            if counts { Err(Stop::Found) } else { Ok(()) }
        });
        match found {
            Ok(()) => Ok(false),
            Err(Stop::Found) => Ok(true),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Whether a walk from `start` with `select` visits the path `wanted` or something below it, the start left aside.
    ///
    /// # Errors
    /// As for [`Tree::walk`].
    pub fn reaches(
        &self,
        start: &Match,
        select: &dyn Fn(&Path, bool) -> Visibility,
        wanted: &Path,
    ) -> Result<bool, RootError> {
        let on_the_way =
            |path: &Path, is_directory| match wanted.starts_with(path) || path.starts_with(wanted) {
                true => select(path, is_directory),
                false => Visibility::Hide,
            };
        let found = self.walk(start, &on_the_way, &mut |entry| {
            // The start is visited whatever `select` says.
            let counts = entry.path.starts_with(wanted) && !entry.path.as_os_str().is_empty();
            if counts { Err(Stop::Found) } else { Ok(()) }
        });
        match found {
            Ok(()) => Ok(false),
            Err(Stop::Found) => Ok(true),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Why a path is missing.
    fn missing(&self, path: PathBuf) -> Missing {
        let link = self.root().locate(&path, false).ok();
        let is_link = link.is_some_and(|link| kind(&link).ok().flatten().is_some_and(FileType::is_symlink));
        Missing { path, why: if is_link { Absence::Dangling } else { Absence::Nothing } }
    }
}

/// The end of a walk that looks for something.
enum Stop {
    Found,
    Failed(RootError),
}

impl From<RootError> for Stop {
    fn from(error: RootError) -> Self {
        Self::Failed(error)
    }
}

fn kind(located: &Located) -> Result<Option<FileType>, RootError> {
    Ok(located.stat()?.map(|stat| FileType::from_raw_mode(stat.st_mode)))
}

fn is_directory(found: &Match) -> Result<bool, RootError> {
    Ok(kind(&found.located)?.is_some_and(FileType::is_dir))
}

fn is_link(found: &Match) -> Result<bool, RootError> {
    Ok(kind(&found.located)?.is_some_and(FileType::is_symlink))
}

fn is_missing(error: &RootError) -> bool {
    matches!(error.source.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}
