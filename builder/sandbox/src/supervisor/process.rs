//! The calling process seen from outside: its memory, its directories, the note it bears.
//!
//! A process that is killed while it waits for its answer leaves its number to another, which may be one of the machine's.
//! So whatever is reached by the number is held open, or has been read, before the kernel is asked whether the question
//! still stands; only then it is used.

use std::cell::OnceCell;
use std::ffi::{CString, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, statat};
use rustix::io::{Errno, Result};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, chroot, fchdir, pidfd_getfd, pidfd_open};

use super::super::mountapi::last_error;
use super::ioctl;

/// Bytes read at once; a read never crosses a page that may not be there.
const PAGE: u64 = 4096;

/// Where notes begin; a limit that somebody has set for locks lies below.
const NOTES: u64 = 1 << 48;

/// `PATH_MAX`.
const MAX_PATH: usize = 4096;

/// A task that waits in a call.
pub(super) struct Process<'a> {
    pub(super) id: u32,
    /// What it asked, by the kernel's number, and where.
    pub(super) question: u64,
    pub(super) listener: BorrowedFd<'a>,
    /// Its memory, once it is written to; `None` where its `/proc` entry is closed.
    pub(super) memory: OnceCell<Option<OwnedFd>>,
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
    /// Whether it still waits for the answer, so that its number has been its own until now.
    fn check(&self) -> Result<()> {
        let mut question = self.question;
        ioctl(self.listener, libc::SECCOMP_IOCTL_NOTIF_ID_VALID, (&raw mut question).cast())
            .map(drop)
            .map_err(|_| Errno::SRCH)
    }

    fn entry(&self, name: &str, flags: OFlags) -> Result<OwnedFd> {
        let path = format!("{}/{name}", self.id);
        let entry = rustix::fs::openat(self.procfs, path, flags | OFlags::CLOEXEC, Mode::empty())?;
        self.check()?;
        Ok(entry)
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
        self.whole(length, bytes.len())?;
        self.check()
    }

    /// Writes through the open memory of the process, which is never another's.
    pub(super) fn write(&self, address: u64, bytes: &[u8]) -> Result<()> {
        let Some(memory) = self.memory()? else { return self.write_by_number(address, bytes) };
        match rustix::io::pwrite(memory, bytes, address) {
            Ok(length) if length == bytes.len() => Ok(()),
            Ok(_) | Err(_) => Err(Errno::FAULT),
        }
    }

    fn memory(&self) -> Result<Option<&OwnedFd>> {
        if self.memory.get().is_none() {
            let memory = match self.entry("mem", OFlags::WRONLY) {
                Err(Errno::ACCESS) => None,
                answer => Some(answer?),
            };
            // Set by nobody else: the process is this thread's alone.
            let _set = self.memory.set(memory);
        }
        Ok(self.memory.get().and_then(Option::as_ref))
    }

    /// The memory of a process that hides it, as sudo does, under a user namespace of its own. Between the look and the
    /// write all numbers of the machine would have to be used up once.
    fn write_by_number(&self, address: u64, bytes: &[u8]) -> Result<()> {
        let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let remote = libc::iovec { iov_base: address as *mut c_void, iov_len: bytes.len() };
        self.check()?;
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
        self.check()?;
        let ours = rustix::fs::fstat(self.root)?;
        let changed_root = (theirs.st_dev, theirs.st_ino) != (ours.st_dev, ours.st_ino);
        let start = match (path.as_bytes().first(), directory) {
            (Some(b'/'), _) => None,
            (_, libc::AT_FDCWD) => Some(self.entry("cwd", OFlags::PATH | OFlags::DIRECTORY)?),
            (_, number) => match self.entry(&format!("fd/{number}"), OFlags::PATH | OFlags::DIRECTORY) {
                Err(Errno::ACCESS) => Some(self.take(number)?),
                answer => Some(answer?),
            },
        };
        if changed_root {
            let root = self.entry("root", OFlags::PATH | OFlags::DIRECTORY)?;
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
        self.check()?;
        pidfd_getfd(&process, number, PidfdGetfdFlags::empty())
    }

    /// The same for an open file of the process.
    pub(super) fn open_file(&self, number: i32) -> Result<Place> {
        let file = match self.entry(&format!("fd/{number}"), OFlags::PATH) {
            Err(Errno::ACCESS) => self.take(number)?,
            Err(Errno::NOENT) => return Err(Errno::BADF),
            answer => answer?,
        };
        fchdir(self.procfs)?;
        let path = CString::new(format!("self/fd/{}", file.as_raw_fd())).map_err(|_| Errno::INVAL)?;
        Ok(Place { held: Some(file), ..Place::here(path) })
    }

    /// The permission bits that its new files do not get.
    pub(super) fn umask(&self) -> Result<u32> {
        Ok(u32::from_str_radix(&self.status("Umask:")?, 8).unwrap_or(0o022))
    }

    /// A line of the process's status.
    fn status(&self, name: &str) -> Result<String> {
        let status = self.entry("status", OFlags::RDONLY)?;
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

    /// The note, as long as the question stands: a limit that the kernel has not looked at since Linux 2.4, but hands on at every fork and exec.
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

    /// By number, for there is no other way; of a process that has taken the number meanwhile, it is a limit that means
    /// nothing to the kernel.
    pub(super) fn set_note(&self, note: usize) -> Result<()> {
        self.check()?;
        let limit = libc::rlimit64 { rlim_cur: NOTES + note as u64, rlim_max: libc::RLIM64_INFINITY };
        #[expect(unsafe_code, reason = "prlimit(2) on another process")]
        // SAFETY: the new limit is a live struct that the kernel reads; no old one is asked for.
        let answer = unsafe {
            libc::prlimit64(self.id.cast_signed(), libc::RLIMIT_LOCKS, &raw const limit, std::ptr::null_mut())
        };
        if answer == 0 { Ok(()) } else { Err(last_error()) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    /// The number of a process that has asked and is gone belongs to this one, and the kernel does not know the question:
    /// nothing of this process is read or changed.
    #[test]
    fn who_has_taken_the_number_is_left_alone() {
        let open =
            |path: &str| rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let (procfs, root, nobody) = (open("/proc"), open("/"), open("/dev/null"));
        let process = Process {
            id: std::process::id(),
            question: 7,
            listener: nobody.as_fd(),
            memory: OnceCell::new(),
            procfs: procfs.as_fd(),
            root: root.as_fd(),
            mapped: false,
        };
        let theirs = [1_u8; 4];
        let address = theirs.as_ptr() as u64;
        let gone = Err(Errno::SRCH);
        assert_eq!(process.write(address, &[2; 4]), gone);
        assert_eq!(process.write_by_number(address, &[2; 4]), gone);
        assert_eq!(std::hint::black_box(theirs), [1; 4], "it is as it was");
        assert_eq!(process.read(address, &mut [0; 4]), gone);
        assert_eq!(process.string(address).map(drop), gone);
        let note = process.note();
        assert_eq!(process.set_note(5), gone);
        assert_eq!(process.note(), note);
        assert_eq!(process.umask().map(drop), gone);
        assert_eq!(process.open_file(nobody.as_raw_fd()).map(drop), gone);
        assert_eq!(process.place(libc::AT_FDCWD, c"x".to_owned(), true).map(drop), gone);
        assert_eq!(process.take(nobody.as_raw_fd()).map(drop), gone);
    }
}
