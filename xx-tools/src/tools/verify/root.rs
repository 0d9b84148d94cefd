//! A folder as the root of a system: paths in it, links included, never lead out of it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, ResolveFlags};

/// An opened root.
pub(super) struct Root {
    fd: OwnedFd,
}

impl Root {
    /// Opens a folder.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let fd = rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { fd })
    }

    /// Opens a file by its path in the root. The kernel resolves it, so a link to `/usr/lib` stays inside.
    pub(super) fn file(&self, path: &Path) -> Option<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let opened = rustix::fs::openat2(&self.fd, path, flags, Mode::empty(), ResolveFlags::IN_ROOT);
        Some(File::from(opened.ok()?))
    }

    /// Returns a file's text.
    pub(super) fn text(&self, path: &Path) -> Option<String> {
        io::read_to_string(self.file(path)?).ok()
    }

    /// Lists the names in a folder, sorted; none when it is not there.
    pub(super) fn list(&self, path: &Path) -> Vec<String> {
        let Some(folder) = self.file(path) else { return Vec::new() };
        let Ok(entries) = rustix::fs::Dir::new(folder) else { return Vec::new() };
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| name != "." && name != "..").collect();
        names.sort_unstable();
        names
    }

    /// Returns the path in the root of a file outside, when it lies below the root.
    pub(super) fn inside(root: &Path, file: &Path) -> Option<PathBuf> {
        let (root, file) = (root.canonicalize().ok()?, file.canonicalize().ok()?);
        file.strip_prefix(root).ok().map(|rest| Path::new("/").join(rest))
    }
}
