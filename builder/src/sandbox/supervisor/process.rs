//! The calling process seen from outside: its memory, its directories, the note it bears.

use std::ffi::{CString, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, statat};
use rustix::io::{Errno, Result};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, chroot, fchdir, pidfd_getfd, pidfd_open};

use super::super::mountapi::last_error;

/// Bytes read at once; a read never crosses a page that may not be there.
const PAGE: u64 = 4096;

/// Where notes begin; a limit that somebody has set for locks lies below.
const NOTES: u64 = 1 << 48;

/// `PATH_MAX`.
const MAX_PATH: usize = 4096;

/// A task that waits in a call.
pub(super) struct Process<'a> {
    pub(super) id: u32,
    /// The host's `/proc`.
    pub(super) procfs: BorrowedFd<'a>,
    /// The step's root, which is also this thread's.
    pub(super) root: BorrowedFd<'a>,
    /// Whether the kernel shows the step's user where this thread sees root.
    pub(super) mapped: bool,
}

/// A path to use from the working directory that the thread has been put into.
pub(super) struct Place {
    pub(super) path: CString,
    pub(super) follow: bool,
    /// To go back to after another root.
    changed_root: bool,
    /// What `path` names, when that is a descriptor of this thread.
    #[expect(dead_code, reason = "keeps the descriptor open as long as the path is used")]
    held: Option<OwnedFd>,
}

impl Place {
    /// A path in a directory that the thread stands in already.
    pub(super) fn here(path: CString) -> Self {
        Self { path, follow: true, changed_root: false, held: None }
    }
}

impl Process<'_> {
    fn entry(&self, name: &str, flags: OFlags) -> Result<OwnedFd> {
        let path = format!("{}/{name}", self.id);
        rustix::fs::openat(self.procfs, path, flags | OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
    }

    pub(super) fn read(&self, address: u64, bytes: &mut [u8]) -> Result<()> {
        let local = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
        let remote = libc::iovec { iov_base: address as *mut c_void, iov_len: bytes.len() };
        #[expect(unsafe_code, reason = "process_vm_readv(2)")]
        // SAFETY: the local vector is exactly the exclusive slice; the remote one is in the other process and
        // checked by the kernel.
        let length = unsafe {
            libc::process_vm_readv(self.id.cast_signed(), &raw const local, 1, &raw const remote, 1, 0)
        };
        self.whole(length, bytes.len())
    }

    pub(super) fn write(&self, address: u64, bytes: &[u8]) -> Result<()> {
        let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let remote = libc::iovec { iov_base: address as *mut c_void, iov_len: bytes.len() };
        #[expect(unsafe_code, reason = "process_vm_writev(2)")]
        // SAFETY: the kernel only reads the local slice; the remote vector is in the other process and checked
        // by the kernel.
        let length = unsafe {
            libc::process_vm_writev(self.id.cast_signed(), &raw const local, 1, &raw const remote, 1, 0)
        };
        self.whole(length, bytes.len())
    }

    #[expect(clippy::unused_self, reason = "reads as part of the two above")]
    fn whole(&self, length: isize, wanted: usize) -> Result<()> {
        match usize::try_from(length) {
            Ok(length) if length == wanted => Ok(()),
            Ok(_) => Err(Errno::FAULT),
            Err(_) => Err(last_error()),
        }
    }

    /// The string at `address`.
    pub(super) fn string(&self, address: u64) -> Result<CString> {
        let mut text = Vec::new();
        let mut at = address;
        while text.len() < MAX_PATH {
            let rest = PAGE - at % PAGE;
            let mut chunk = vec![0; usize::try_from(rest).unwrap_or_default()];
            self.read(at, &mut chunk)?;
            if let Some(end) = chunk.iter().position(|&byte| byte == 0) {
                chunk.truncate(end);
                text.extend(chunk);
                return CString::new(text).map_err(|_| Errno::INVAL);
            }
            text.extend(chunk);
            at += rest;
        }
        Err(Errno::NAMETOOLONG)
    }

    /// Puts this thread where `path` means the same as in the process, relative to its descriptor `directory`.
    pub(super) fn place(&self, directory: i32, path: CString, follow: bool) -> Result<Place> {
        let theirs = statat(self.procfs, format!("{}/root", self.id), AtFlags::empty())?;
        let ours = rustix::fs::fstat(self.root)?;
        let changed_root = (theirs.st_dev, theirs.st_ino) != (ours.st_dev, ours.st_ino);
        let start = match (path.as_bytes().first(), directory) {
            (Some(b'/'), _) => None,
            (_, libc::AT_FDCWD) => Some(self.entry("cwd", OFlags::DIRECTORY)?),
            (_, number) => match self.entry(&format!("fd/{number}"), OFlags::DIRECTORY) {
                Err(Errno::ACCESS) => Some(self.take(number)?),
                answer => Some(answer?),
            },
        };
        if changed_root {
            let root = self.entry("root", OFlags::DIRECTORY)?;
            fchdir(root)?;
            chroot(c".")?;
        }
        let place = Place { path, follow, changed_root, held: None };
        match start.map_or(Ok(()), fchdir) {
            Ok(()) => Ok(place),
            Err(errno) => {
                self.leave(&place);
                Err(errno)
            }
        }
    }

    /// A copy of an open file of a process whose `/proc` entry is closed: a program like sudo gives its own to root
    /// alone, whom its user namespace does not know.
    fn take(&self, number: i32) -> Result<OwnedFd> {
        let leader = Pid::from_raw(self.status("Tgid:")?.parse().map_err(|_| Errno::SRCH)?);
        let process = pidfd_open(leader.ok_or(Errno::SRCH)?, PidfdFlags::empty())?;
        pidfd_getfd(&process, number, PidfdGetfdFlags::empty())
    }

    /// The same for an open file of the process.
    pub(super) fn open_file(&self, number: i32) -> Result<Place> {
        fchdir(self.procfs)?;
        let path = format!("{}/fd/{number}", self.id);
        let (path, held) = match statat(CWD, &path, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::ACCESS) => {
                let file = self.take(number)?;
                (format!("self/fd/{}", file.as_raw_fd()), Some(file))
            }
            answer => answer.map(|_| (path, None))?,
        };
        let path = CString::new(path).map_err(|_| Errno::INVAL)?;
        Ok(Place { held, ..Place::here(path) })
    }

    /// The permission bits that its new files do not get.
    pub(super) fn umask(&self) -> Result<u32> {
        Ok(u32::from_str_radix(&self.status("Umask:")?, 8).unwrap_or(0o022))
    }

    /// A line of the process's status.
    fn status(&self, name: &str) -> Result<String> {
        let path = format!("{}/status", self.id);
        let status = rustix::fs::openat(self.procfs, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut text = [0; 512];
        let length = rustix::io::read(&status, &mut text)?;
        let text = String::from_utf8_lossy(text.get(..length).unwrap_or_default());
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        value.map(|value| value.trim().to_owned()).ok_or(Errno::NODATA)
    }

    /// Back from another root.
    pub(super) fn leave(&self, place: &Place) {
        if place.changed_root {
            // The descriptor is a directory that this thread may enter: it comes from there.
            let _back = fchdir(self.root).and_then(|()| chroot(c"."));
        }
    }

    /// The note: a limit that the kernel has not looked at since Linux 2.4, but hands on at every fork and exec.
    pub(super) fn note(&self) -> Option<usize> {
        let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
        #[expect(unsafe_code, reason = "prlimit(2) that only reads")]
        // SAFETY: no new limit is given; the old one is written to the live struct.
        let answer = unsafe {
            libc::prlimit64(self.id.cast_signed(), libc::RLIMIT_LOCKS, std::ptr::null(), &raw mut limit)
        };
        let note = limit
            .rlim_cur
            .checked_sub(NOTES)
            .filter(|_| answer == 0 && limit.rlim_cur != libc::RLIM64_INFINITY)?;
        usize::try_from(note).ok()
    }

    pub(super) fn set_note(&self, note: usize) -> Result<()> {
        let limit = libc::rlimit64 { rlim_cur: NOTES + note as u64, rlim_max: libc::RLIM64_INFINITY };
        #[expect(unsafe_code, reason = "prlimit(2) on another process")]
        // SAFETY: the new limit is a live struct that the kernel reads; no old one is asked for.
        let answer = unsafe {
            libc::prlimit64(self.id.cast_signed(), libc::RLIMIT_LOCKS, &raw const limit, std::ptr::null_mut())
        };
        if answer == 0 { Ok(()) } else { Err(last_error()) }
    }
}
