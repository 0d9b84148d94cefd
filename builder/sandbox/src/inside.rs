//! Paths inside a root: opened, and made where a mount or a working directory needs them.
//!
//! The kernel resolves every path with the root as `/` (`openat2`, no magic links), so neither `..` nor a
//! symbolic link, absolute or swapped while the step is set up, leads out. What has to be made is made one
//! component at a time below a directory that is held open.
//! Not here: copying files between roots.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT, Uid, chownat,
    futimens, mkdirat, mknodat, openat2, readlinkat, statat, unlinkat,
};
use rustix::io::{Errno, Result};

use super::SandboxError;
use super::mountapi::open_resolved;
use super::supervisor;

/// Links followed before a path is taken for a loop; the kernel's own bound.
const MAX_LINKS: usize = 40;

/// A directory taken as `/`.
#[derive(Clone, Copy)]
pub(super) struct Inside<'a>(pub(super) BorrowedFd<'a>);

/// What is to be at a path that must be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Make {
    File,
    /// A directory, with this owner for it and all made above it.
    Directory {
        uid: u32,
        gid: u32,
    },
}

/// A path component that was made for a mount and is to be removed after the step.
#[derive(Debug)]
pub(super) struct Stub {
    /// Names from the root down to its directory, free of links.
    parent: Vec<String>,
    name: String,
    kind: FileType,
    /// When its directory was changed last before and after the stub was made.
    before: Timespec,
    after: Timespec,
}

impl Inside<'_> {
    /// Opens what is at `path`.
    pub(super) fn open(self, path: &str, flags: OFlags) -> Result<OwnedFd> {
        let path = if path.is_empty() { "." } else { path };
        open_resolved(self.0, path, flags, ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)
    }

    /// A directory of the root itself that the step cannot do without; a link there would lead the kernel's own file
    /// systems astray.
    pub(super) fn kernel_directory(self, name: &'static str) -> std::result::Result<OwnedFd, SandboxError> {
        let open = || {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
            openat2(self.0, name, flags, Mode::empty(), resolve)
        };
        let opened = match open() {
            Err(Errno::NOENT) => mkdirat(self.0, name, Mode::from_raw_mode(0o755)).and_then(|()| open()),
            answer => answer,
        };
        opened.map_err(|errno| match errno {
            Errno::LOOP | Errno::NOTDIR => SandboxError::Refused {
                action: "mount on",
                subject: format!("/{name}"),
                reason: "it is no directory".to_owned(),
                hint: "the base image or an earlier step made a link or a file of it: make it a directory again",
            },
            errno => SandboxError::on("mount on the directory", format!("/{name}"))(errno),
        })
    }

    /// Opens what is at `path` without its content, after making it and the directories above it where they are
    /// missing. Answers what was made, outermost first.
    pub(super) fn open_or_make(self, path: &str, make: Make) -> Result<(OwnedFd, Vec<Stub>)> {
        match self.open(path, OFlags::PATH) {
            Err(Errno::NOENT) => self.make(path, make),
            answer => answer.map(|fd| (fd, Vec::new())),
        }
    }

    /// Walks down, following links by hand: a link to what does not exist yet is a place to make it.
    fn make(self, path: &str, make: Make) -> Result<(OwnedFd, Vec<Stub>)> {
        let mut ahead: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut walked: Vec<String> = Vec::new();
        let (mut stubs, mut links) = (Vec::new(), 0);
        while let Some(name) = ahead.pop() {
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    walked.pop();
                    continue;
                }
                _ => {}
            }
            let parent = self.walked(&walked)?;
            match statat(&parent, name.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::Symlink => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::LOOP);
                    }
                    let target = readlinkat(&parent, name.as_str(), Vec::new())?;
                    let target = target.to_str().map_err(|_| Errno::ILSEQ)?;
                    if target.starts_with('/') {
                        walked.clear();
                    }
                    ahead.extend(target.split('/').rev().map(str::to_owned));
                }
                Ok(_) => walked.push(name),
                Err(Errno::NOENT) => {
                    let last = ahead.iter().all(|name| name.is_empty() || name == ".");
                    stubs.push(make_one(&parent, &walked, &name, if last { make } else { make.above() })?);
                    walked.push(name);
                }
                Err(error) => return Err(error),
            }
        }
        Ok((self.open_plain(&walked, OFlags::PATH)?, stubs))
    }

    fn walked(self, names: &[String]) -> Result<OwnedFd> {
        self.open_plain(names, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// Opens a path that is free of links, or was when it was walked.
    fn open_plain(self, names: &[String], flags: OFlags) -> Result<OwnedFd> {
        let path = if names.is_empty() { ".".to_owned() } else { names.join("/") };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
        open_resolved(self.0, path.as_str(), flags, resolve)
    }

    /// Removes what was made for mounts, as long as nobody has put anything there, and gives the directory the
    /// time of change that it had. What cannot be removed stays: the step may have taken it over.
    pub(super) fn remove(self, stubs: &[Stub]) {
        for stub in stubs.iter().rev() {
            let _kept = self.remove_one(stub);
        }
    }

    fn remove_one(self, stub: &Stub) -> Result<()> {
        let parent = self.walked(&stub.parent)?;
        let found = statat(&parent, stub.name.as_str(), AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(found.st_mode) != stub.kind {
            return Ok(());
        }
        let untouched = modified(&parent)?;
        if stub.kind == FileType::Directory {
            unlinkat(&parent, stub.name.as_str(), AtFlags::REMOVEDIR)?;
        } else if found.st_size == 0 {
            unlinkat(&parent, stub.name.as_str(), AtFlags::empty())?;
        } else {
            return Ok(());
        }
        let time = if untouched == stub.after { stub.before } else { untouched };
        let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        futimens(&parent, &Timestamps { last_access: omit, last_modification: time })
    }
}

impl Make {
    fn above(self) -> Self {
        match self {
            Self::File => Self::Directory { uid: 0, gid: 0 },
            Self::Directory { .. } => self,
        }
    }
}

fn make_one(parent: &OwnedFd, walked: &[String], name: &str, make: Make) -> Result<Stub> {
    let before = modified(parent)?;
    let kind = match make {
        Make::File => {
            mknodat(parent, name, FileType::RegularFile, Mode::from_raw_mode(0o644), 0)?;
            FileType::RegularFile
        }
        Make::Directory { uid, gid } => {
            mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
            if (uid, gid) != (0, 0) {
                let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
                match chownat(parent, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW) {
                    // With one uid only, owners are noted instead.
                    Err(Errno::INVAL) => {
                        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                        let made = rustix::fs::openat(parent, name, flags, Mode::empty())?;
                        supervisor::note_owner(&made, uid, gid)?;
                    }
                    answer => answer?,
                }
            }
            FileType::Directory
        }
    };
    let after = modified(parent)?;
    Ok(Stub { parent: walked.to_vec(), name: name.to_owned(), kind, before, after })
}

fn modified(directory: &OwnedFd) -> Result<Timespec> {
    let found = rustix::fs::fstat(directory)?;
    let nanoseconds = found.st_mtime_nsec.try_into().unwrap_or_default();
    Ok(Timespec { tv_sec: found.st_mtime, tv_nsec: nanoseconds })
}

/// Reads a regular file inside the root, refusing more than `limit` bytes. `Ok(None)` when there is none.
pub(super) fn read_bounded(root: Inside<'_>, path: &str, limit: u64) -> std::io::Result<Option<Vec<u8>>> {
    use std::io::Read;
    let file = match root.open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY) {
        Ok(fd) => std::fs::File::from(fd),
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(std::io::Error::other(format!("it has more than {limit} bytes")));
    }
    Ok(Some(bytes))
}
