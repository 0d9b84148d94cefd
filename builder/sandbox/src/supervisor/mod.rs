//! Root without root: answers system calls about ids and owners for a step that has one real uid.
//!
//! The step's processes all run as the builder's user. What they believe to be is kept per process, what their
//! files are said to belong to is kept on the files ([`Owner`]), and the kernel asks here whenever a process
//! wants to know or change either (seccomp user notification). A process bears the number of its ids as a note
//! that the kernel itself hands on at fork and exec, so no table of processes can get out of step with them.
//!
//! Not here, and so not pretended: permission checks (a process that has dropped to another user still opens
//! what root may), ids in messages over sockets, calls of the machine's 32-bit architecture. What a step asks for
//! that only real ids could answer is told to the caller ([`Unreal`]).

mod calls;
mod create;
mod creds;
mod files;
mod known;
mod link;
mod process;
mod programs;

use std::cell::OnceCell;
use std::ffi::c_void;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, Result};

pub(super) use self::calls::questions;
pub(super) use self::link::{Ask, link};

use self::calls::{CALLS, Call};
use self::creds::{Creds, Ids, SETGID, SETUID};
use self::known::Known;
use self::process::Process;
use super::mountapi::last_error;
use super::passwd::User;
use xx_build_rootfs::{OWNER_ATTRIBUTE, Owner};

/// Notes the owner of an open file or directory; nothing where its file system keeps no notes.
pub(super) fn note_owner(file: &OwnedFd, uid: u32, gid: u32) -> Result<()> {
    let text = Owner { uid, gid, device: None }.format();
    match rustix::fs::fsetxattr(file, OWNER_ATTRIBUTE, text.as_bytes(), rustix::fs::XattrFlags::empty()) {
        Err(Errno::OPNOTSUPP | Errno::PERM) => Ok(()),
        answer => answer,
    }
}

/// What the caller gets.
enum Reply {
    Value(i64),
    /// The kernel does the call itself.
    Continue,
    /// An open file, which becomes the caller's.
    File {
        file: OwnedFd,
        close_on_exec: bool,
    },
}

/// Something that a step asked for and that takes more than one real uid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreal {
    /// The user at the other end of a socket.
    Peer,
}

impl Unreal {
    /// What it was, and what would make it real.
    #[must_use]
    pub fn hint(self) -> String {
        let Self::Peer = self;
        // The line of the one id: inside, outside, how many.
        let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        let uid = map.split_whitespace().nth(1).unwrap_or("USER");
        format!(
            "the step asked which user is at the other end of a socket, which takes several real uids; give the user a \
             range in `/etc/subuid` and `/etc/subgid`: as root, `echo {uid}:100000:65536 | tee -a /etc/subuid /etc/subgid`"
        )
    }
}

/// Answers until nobody is left to ask, and says what it had no true answer to. `procfs` is the host's `/proc`.
///
/// The calling thread's working directory and root belong to the step from now on.
fn supervise(
    listener: &OwnedFd,
    procfs: BorrowedFd<'_>,
    root: BorrowedFd<'_>,
    user: &User,
) -> Result<Option<Unreal>> {
    let mapped = (user.uid, user.gid) != (0, 0);
    let mut known = Known::new(Creds::new(user.uid, user.gid, user.groups.as_slice().into()));
    loop {
        let mut ready = [PollFd::new(listener, PollFlags::IN)];
        match poll(&mut ready, None) {
            Err(Errno::INTR) => continue,
            answer => answer?,
        };
        let [asked] = ready;
        if asked.revents().contains(PollFlags::IN) {
            let step = |id, question| {
                let listener = listener.as_fd();
                Process { id, question, listener, memory: OnceCell::new(), procfs, root, mapped }
            };
            answer_one(listener, step, &mut known)?;
        } else if !asked.revents().is_empty() {
            // Hung up: the last process under the filter is gone.
            return Ok(known.unreal);
        }
    }
}

fn answer_one<'a>(
    listener: &OwnedFd,
    step: impl FnOnce(u32, u64) -> Process<'a>,
    known: &mut Known,
) -> Result<()> {
    #[expect(unsafe_code, reason = "a struct for an ioctl")]
    // SAFETY: plain data, and the kernel demands that it is all zeroes.
    let mut request = unsafe { std::mem::zeroed::<libc::seccomp_notif>() };
    match ioctl(listener.as_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, (&raw mut request).cast()) {
        // The caller was killed before its question was read.
        Err(Errno::NOENT | Errno::INTR) => return Ok(()),
        answer => answer?,
    };
    let process = step(request.pid, request.id);
    let call = CALLS.iter().find(|(number, ..)| *number == libc::c_long::from(request.data.nr));
    let reply =
        call.map_or(Ok(Reply::Continue), |(_, call, _)| answer(*call, request.data.args, &process, known));
    let mut response = libc::seccomp_notif_resp { id: request.id, val: 0, error: 0, flags: 0 };
    match reply {
        Ok(Reply::Value(value)) => response.val = value,
        Ok(Reply::Continue) => response.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
        Ok(Reply::File { file, close_on_exec }) => {
            match hand_over(listener, request.id, &file, close_on_exec) {
                Ok(number) => response.val = number.into(),
                Err(errno) => response.error = -errno.raw_os_error(),
            }
        }
        Err(errno) => response.error = -errno.raw_os_error(),
    }
    match ioctl(listener.as_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, (&raw mut response).cast()) {
        // Gone meanwhile.
        Err(Errno::NOENT) => Ok(()),
        answer => answer.map(drop),
    }
}

/// Opens `file` in the caller too, under the number that is answered.
fn hand_over(listener: &OwnedFd, id: u64, file: &OwnedFd, close_on_exec: bool) -> Result<i32> {
    let flags = if close_on_exec { libc::O_CLOEXEC.cast_unsigned() } else { 0 };
    let srcfd = file.as_raw_fd().cast_unsigned();
    let mut wish = libc::seccomp_notif_addfd { id, flags: 0, srcfd, newfd: 0, newfd_flags: flags };
    ioctl(listener.as_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, (&raw mut wish).cast())
}

fn ioctl(listener: BorrowedFd<'_>, request: libc::Ioctl, data: *mut c_void) -> Result<i32> {
    #[expect(unsafe_code, reason = "seccomp's ioctls have no safe wrapper")]
    // SAFETY: all callers pass the struct that their request is defined for, live and exclusive.
    let answer = unsafe { libc::ioctl(listener.as_raw_fd(), request, data) };
    if answer >= 0 { Ok(answer) } else { Err(last_error()) }
}

/// The low half of an argument register, which is all of an id or a descriptor.
fn word(argument: u64) -> u32 {
    (argument & 0xffff_ffff) as u32
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the calls fall into those about ids and those about files"
)]
fn answer(call: Call, args: [u64; 6], process: &Process<'_>, known: &mut Known) -> Result<Reply> {
    let creds = known.of(process)?.clone();
    let value = |id: u32| Ok(Reply::Value(i64::from(id)));
    let [a, b, c, _, e, _] = args.map(word);
    let ([path, second, _, fourth, ..], fifth) = (args, e.cast_signed());
    let (as_user, as_group) = (creds.may(SETUID), creds.may(SETGID));
    let user = |user: Ids| creds.with_user(user);
    let group = |group: Ids| creds.with_group(group);
    let changed = match call {
        Call::Getuid => return value(creds.user.real),
        Call::Geteuid => return value(creds.user.effective),
        Call::Getgid => return value(creds.group.real),
        Call::Getegid => return value(creds.group.effective),
        Call::Getresuid => return three(process, args, creds.user),
        Call::Getresgid => return three(process, args, creds.group),
        Call::Getgroups => return getgroups(process, args, &creds.groups),
        Call::Setuid => user(creds.user.set(a, as_user)?),
        Call::Setgid => group(creds.group.set(a, as_group)?),
        Call::Setreuid => user(creds.user.set_real_effective(a, b, as_user)?),
        Call::Setregid => group(creds.group.set_real_effective(a, b, as_group)?),
        Call::Setresuid => user(creds.user.set_all([a, b, c], as_user)?),
        Call::Setresgid => group(creds.group.set_all([a, b, c], as_group)?),
        Call::Setfsuid => user(creds.user.set_file_system(a, as_user)),
        Call::Setfsgid => group(creds.group.set_file_system(a, as_group)),
        Call::Capset => capset(process, args, &creds)?,
        Call::Prctl if a == libc::PR_SET_KEEPCAPS.cast_unsigned() => creds.with_keep(b != 0),
        Call::Prctl => return Ok(Reply::Continue),
        Call::Execve => programs::ids(process, &creds, (libc::AT_FDCWD, path), 0),
        Call::Execveat => programs::ids(process, &creds, (a.cast_signed(), second), fifth),
        // The limit that bears the note: sudo, say, sets all limits anew.
        Call::Prlimit => return unlimited(process, fourth),
        Call::Getrlimit => return unlimited(process, second),
        Call::Setrlimit => return Ok(Reply::Value(0)),
        Call::Getsockopt | Call::Setsockopt => {
            // Between processes of one user there is nothing to tell apart.
            if b == libc::SOL_SOCKET.cast_unsigned() && known.has_several_users() {
                known.unreal = Some(Unreal::Peer);
            }
            return Ok(Reply::Continue);
        }
        Call::Setgroups => setgroups(process, args, &creds)?,
        _ => return files::answer(call, args, process, &creds),
    };
    let before = match call {
        Call::Setfsuid => creds.user.file_system,
        Call::Setfsgid => creds.group.file_system,
        _ => 0,
    };
    if changed != creds {
        process.set_note(known.number(changed)?)?;
    }
    match call {
        // The kernel does its part of these too.
        Call::Capset | Call::Prctl | Call::Execve | Call::Execveat => Ok(Reply::Continue),
        _ => value(before),
    }
}

/// Takes the sets of a `capset` call: a header of version and process, then effective, permitted, inheritable.
fn capset(process: &Process<'_>, args: [u64; 6], creds: &Creds) -> Result<Creds> {
    let [_header, data, ..] = args;
    let mut bytes = [0; 8];
    process.read(data, &mut bytes)?;
    let ([effective, permitted], _) = bytes.as_chunks::<4>() else { return Err(Errno::FAULT) };
    creds.with_capabilities(u32::from_ne_bytes(*effective), u32::from_ne_bytes(*permitted))
}

/// Says that there is no limit, where somebody wants to know.
fn unlimited(process: &Process<'_>, address: u64) -> Result<Reply> {
    if address != 0 {
        process.write(address, &[0xff; 16])?;
    }
    Ok(Reply::Value(0))
}

fn three(process: &Process<'_>, args: [u64; 6], ids: Ids) -> Result<Reply> {
    for (address, id) in args.into_iter().zip([ids.real, ids.effective, ids.saved]) {
        process.write(address, &id.to_ne_bytes())?;
    }
    Ok(Reply::Value(0))
}

fn getgroups(process: &Process<'_>, args: [u64; 6], groups: &[u32]) -> Result<Reply> {
    let [size, address, ..] = args;
    let room = word(size) as usize;
    if room != 0 {
        if room < groups.len() {
            return Err(Errno::INVAL);
        }
        let bytes: Vec<u8> = groups.iter().flat_map(|group| group.to_ne_bytes()).collect();
        if !bytes.is_empty() {
            process.write(address, &bytes)?;
        }
    }
    Ok(Reply::Value(i64::try_from(groups.len()).unwrap_or_default()))
}

fn setgroups(process: &Process<'_>, args: [u64; 6], creds: &Creds) -> Result<Creds> {
    /// `NGROUPS_MAX`.
    const MOST: usize = 65_536;
    if !creds.may(SETGID) {
        return Err(Errno::PERM);
    }
    let [size, address, ..] = args;
    let size = word(size) as usize;
    if size > MOST {
        return Err(Errno::INVAL);
    }
    let mut bytes = vec![0; size * size_of::<u32>()];
    if size > 0 {
        process.read(address, &mut bytes)?;
    }
    let (words, _) = bytes.as_chunks::<4>();
    Ok(creds.with_groups(words.iter().map(|word| u32::from_ne_bytes(*word)).collect()))
}
