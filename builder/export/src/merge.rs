//! Moves a written directory into one that is there already: name by name, each in one step.
//!
//! Where both have a directory, its names are moved in turn and it gets the new mode and time; anything else is replaced,
//! whatever it was, as BuildKit does. What is to be removed goes last. Nothing is held open but two directories, however
//! deep they lie; what is mounted below the destination is written, and never removed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, RenameFlags, Stat, renameat, renameat_with};
use rustix::io::Errno;

use super::ExportError;
use super::files::copy_contents;
use super::temporary::{Temporary, is_temporary};
use xx_build_rootfs::{
    Metadata, Owners, RootError, Tree, list_kinds, mtime, open_beneath, remove_all, xattrs,
};

/// Where something is mounted, as the process sees it at the moment.
#[derive(Debug, Default)]
pub(super) struct Mounts(Vec<PathBuf>);

impl Mounts {
    /// Those of this process.
    pub(super) fn read() -> Self {
        let lines = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        Self(lines.lines().filter_map(|line| line.split(' ').nth(4)).map(unescaped).collect())
    }

    /// Whether something is mounted at or below an absolute path.
    pub(super) fn is_in(&self, path: &Path) -> bool {
        self.0.iter().any(|mount| mount.starts_with(path))
    }
}

/// A path of mountinfo: spaces and their like are octal there.
fn unescaped(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        match after.get(..3).and_then(|octal| u8::from_str_radix(octal, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(b'\\');
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    PathBuf::from(OsString::from_vec(bytes))
}

/// One directory that is moved into another.
pub(super) struct Merge<'a> {
    destination: &'a Path,
    delete: bool,
    threads: usize,
    mounts: &'a Mounts,
    /// What was there and is not any more, from the destination.
    over: BTreeSet<PathBuf>,
}

impl<'a> Merge<'a> {
    pub(super) fn new(destination: &'a Path, delete: bool, threads: usize, mounts: &'a Mounts) -> Self {
        Self { destination, delete, threads, mounts, over: BTreeSet::new() }
    }

    /// Moves what is in `from` to `to`, which lies at `shown` from the destination.
    pub(super) fn tree(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        shown: &Path,
    ) -> Result<(), ExportError> {
        let mut open = vec![PathBuf::new()];
        while let Some(path) = open.pop() {
            let at = shown.join(&path);
            let failed = |errno| RootError::new("cannot write", &at, errno);
            let below = |fd: BorrowedFd<'_>| open_beneath(rustix::io::fcntl_dupfd_cloexec(fd, 0)?, &path);
            let (source, target) = (below(from).map_err(failed)?, below(to).map_err(failed)?);
            let both = self.directory(&source, &target, &at)?;
            open.extend(both.into_iter().map(|name| path.join(name)));
        }
        Ok(())
    }

    /// Moves the names of one directory; returns those that are directories on both sides.
    fn directory(&mut self, from: &OwnedFd, to: &OwnedFd, at: &Path) -> Result<Vec<OsString>, ExportError> {
        let failed = |errno| RootError::new("cannot write", at, errno);
        let look = |fd: &OwnedFd| rustix::fs::fstat(fd).map_err(failed);
        let stat = look(from)?;
        let names = list_kinds(from.as_fd()).map_err(failed)?;
        let old = list_kinds(to.as_fd()).map_err(failed)?;
        let old: HashMap<OsString, FileType> = old.into_iter().map(|(name, kind, _)| (name, kind)).collect();
        if self.delete {
            let new: HashSet<&OsString> = names.iter().map(|(name, ..)| name).collect();
            let over = old.keys().filter(|name| !new.contains(name) && !is_temporary(name));
            self.over.extend(over.map(|name| at.join(name)));
        }
        let mut both = vec![];
        for (name, kind, _) in &names {
            let kinds = (*kind, old.get(name).copied());
            match self.name((from.as_fd(), to.as_fd()), name, kinds, &at.join(name)) {
                Ok(Moved::Whole) => {}
                Ok(Moved::Both) => both.push(name.clone()),
                Err(Errno::XDEV) => {
                    self.across(from, to, at)?;
                    break;
                }
                Err(errno) => return Err(RootError::new("cannot write", at.join(name), errno).into()),
            }
        }
        if !at.as_os_str().is_empty() {
            let metadata = Metadata {
                owner: (stat.st_uid, stat.st_gid),
                mode: Some(stat.st_mode),
                time: Some(mtime(&stat)),
                xattrs: xattrs(from.as_fd(), OsStr::new(".")).map_err(failed)?,
            };
            let applied = metadata.apply(Owners::Plain, to.as_fd(), OsStr::new("."));
            applied.map_err(|error| RootError::new("cannot write", at, error))?;
        }
        Ok(both)
    }

    /// Moves one name, which had these kinds when the directories were listed.
    fn name(
        &self,
        (from, to): (BorrowedFd<'_>, BorrowedFd<'_>),
        name: &OsStr,
        kinds: (FileType, Option<FileType>),
        at: &Path,
    ) -> rustix::io::Result<Moved> {
        match kinds {
            (FileType::Directory, Some(FileType::Directory)) => return Ok(Moved::Both),
            (FileType::Directory | FileType::Unknown, _)
            | (_, None | Some(FileType::Directory | FileType::Unknown)) => {}
            // Unless that has changed: then it is looked again.
            (_, Some(_)) => match renameat(from, name, to, name) {
                Err(Errno::ISDIR | Errno::EXIST | Errno::NOTEMPTY) => {}
                result => return result.map(|()| Moved::Whole),
            },
        }
        let rename = |flags| renameat_with(from, name, to, name, flags);
        // Some file systems know no flags; then it is looked first.
        let is_free = |error: Errno| {
            let stat = || rustix::fs::statat(to, name, AtFlags::SYMLINK_NOFOLLOW);
            error == Errno::INVAL && matches!(stat(), Err(Errno::NOENT))
        };
        match rename(RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(Moved::Whole),
            Err(errno) if is_free(errno) => return renameat(from, name, to, name).map(|()| Moved::Whole),
            Err(Errno::EXIST | Errno::INVAL) => {}
            Err(errno) => return Err(errno),
        }
        match (is_directory(from, name)?, is_directory(to, name)?) {
            (true, true) => return Ok(Moved::Both),
            (false, false) => return renameat(from, name, to, name).map(|()| Moved::Whole),
            (true, false) | (false, true) => {}
        }
        if self.mounts.is_in(&self.destination.join(at)) {
            return Err(Errno::BUSY);
        }
        // The old one lies in the temporary directory then, and goes with it.
        match rename(RenameFlags::EXCHANGE) {
            Err(Errno::INVAL) => {
                remove_all(to, name)
                    .map_err(|error| Errno::from_io_error(&error.source).unwrap_or(Errno::IO))?;
                renameat(from, name, to, name)?;
            }
            result => result?,
        }
        Ok(Moved::Whole)
    }

    /// What is mounted below the destination is another file system: the rest of a directory is copied there first.
    fn across(&mut self, from: &OwnedFd, to: &OwnedFd, at: &Path) -> Result<(), ExportError> {
        let part = Temporary::directory(&self.destination.join(at))?;
        let again = |fd: &OwnedFd| {
            rustix::io::fcntl_dupfd_cloexec(fd, 0).map_err(|errno| RootError::new("cannot read", at, errno))
        };
        copy_contents(&Tree::result(again(from)?, Owners::Plain), part.open(), None, self.threads)?;
        self.tree(part.open().as_fd(), to.as_fd(), at)
    }

    /// Removes what the results do not have; returns what had to stay because something is mounted there.
    pub(super) fn remove_what_is_over(self, to: BorrowedFd<'_>) -> Result<Vec<PathBuf>, RootError> {
        let mut kept = vec![];
        for path in self.over {
            if self.mounts.is_in(&self.destination.join(&path)) {
                kept.push(path);
                continue;
            }
            let failed = |errno| RootError::new("cannot remove", &path, errno);
            let above = path.parent().unwrap_or(Path::new(""));
            let above = rustix::io::fcntl_dupfd_cloexec(to, 0).and_then(|to| open_beneath(to, above));
            let above = above.map_err(failed)?;
            remove_all(above.as_fd(), path.file_name().unwrap_or_default())?;
        }
        Ok(kept)
    }
}

/// What has become of a name.
enum Moved {
    /// It is in its place, with all that is below it.
    Whole,
    /// A directory that is there already.
    Both,
}

fn is_directory(fd: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<bool> {
    let stat: Stat = rustix::fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(stat.st_mode).is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_found() {
        let mounts = Mounts(["/", "/a/b c", "/a\\x"].into_iter().map(unescaped).collect());
        for (path, expected) in
            [("/a", true), ("/a/b c", true), ("/a/b c/d", false), ("/a/b", false), ("/", true)]
        {
            assert_eq!(mounts.is_in(Path::new(path)), expected, "{path}");
        }
        assert_eq!(unescaped("/a\\040b\\134"), Path::new("/a b\\"));
    }
}
