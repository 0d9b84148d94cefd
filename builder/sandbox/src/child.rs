//! From the clone to the exec: what only the step's own process can do.
//!
//! The child shares the builder's memory while its creator waits (`CLONE_VM | CLONE_VFORK`), which spares copying
//! the builder's page tables. So everything it needs is laid out before in a [`Plan`], it allocates nothing,
//! and it answers a failure by writing into the plan.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::fs::{CWD, Gid, Mode, OFlags, ResolveFlags, Uid, openat2};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, OpenTreeFlags, UnmountFlags, open_tree, unmount};
use rustix::process::{Pid, Resource, Rlimit, Signal, fchdir, pivot_root, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::interpreter;
use super::landlock;
use super::masks::{self, Cover};
use super::mountapi::{attach, attach_at, change_attributes, last_error, new_fs, open_resolved};
use super::seccomp::Instruction;
use super::setup::Covers;

/// Everything the child uses, made before it exists.
pub(super) struct Plan<'a> {
    /// Readable once the builder is dead.
    pub(super) builder: BorrowedFd<'a>,
    pub(super) root: BorrowedFd<'a>,

    /// The control group to join.
    pub(super) cgroup: Option<BorrowedFd<'a>>,
    /// Where `/proc` goes.
    pub(super) proc: BorrowedFd<'a>,
    /// What `pid_max` becomes; empty leaves it.
    pub(super) max_processes: &'a [u8],
    /// What to cover files of `/proc` with; `None` leaves them.
    pub(super) covers: Option<&'a Covers>,
    pub(super) stdio: [BorrowedFd<'a>; 3],
    pub(super) cwd: &'a CStr,
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    /// `None` with one uid only: ids are then pretended, and this socket takes the filter's listener.
    pub(super) groups: Option<&'a [Gid]>,
    pub(super) supervisor: Option<BorrowedFd<'a>>,
    /// Lines for `uid_map` and `gid_map` of a user namespace in which the one uid is the step's user.
    pub(super) own_ids: Option<&'a [String; 2]>,
    /// The bound on capabilities; `None` keeps all.
    pub(super) capabilities: Option<CapabilitySet>,
    /// Landlock rules to be held to.
    pub(super) scope: Option<BorrowedFd<'a>>,
    /// The system call filter; empty for none.
    pub(super) filter: &'a [Instruction],
    pub(super) limits: &'a [(Resource, Rlimit)],
    /// Paths to try in turn.
    pub(super) programs: &'a [std::ffi::CString],
    /// NULL-terminated arrays.
    pub(super) argv: &'a [*const c_char],
    pub(super) envp: &'a [*const c_char],
    /// Set by the child when it gives up.
    pub(super) failure: Cell<Option<(Stage, Errno)>>,
}

/// Where the child gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Lifeline,
    Cgroup,
    Proc,
    Mask(&'static CStr),
    Pivot,
    Cwd,
    Stdio,
    Limits,
    Identity,
    Capabilities,
    Scope,
    Filter,
    Exec,
}

type Done = Result<(), (Stage, Errno)>;

fn at(stage: Stage) -> impl Fn(Errno) -> (Stage, Errno) {
    move |errno| (stage, errno)
}

/// Starts the child; returns once it has become the step's program or has given up.
pub(super) fn spawn(plan: &Plan<'_>) -> rustix::io::Result<(Pid, OwnedFd)> {
    const STACK: usize = 128 << 10;
    let mut stack: Vec<u128> = Vec::with_capacity(STACK / size_of::<u128>());
    let mut pidfd: c_int = -1;
    #[expect(unsafe_code, reason = "clone(2) has no safe wrapper")]
    // SAFETY: the stack is owned here, aligned to 16 bytes and unused otherwise; its end is one past the
    // allocation as clone wants. CLONE_VFORK suspends this thread until the child has exec'ed or exited, so
    // `stack`, `pidfd` and `plan` outlive its use of them and nobody else touches them. `main` makes only system
    // calls, which are sound on shared memory, and never unwinds.
    let pid = unsafe {
        let end = stack.as_mut_ptr().add(STACK / size_of::<u128>());
        libc::clone(
            main,
            end.cast::<c_void>(),
            libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD,
            std::ptr::from_ref(plan).cast_mut().cast::<c_void>(),
            &raw mut pidfd,
        )
    };
    let pid = Pid::from_raw(pid).filter(|_| pid > 0).ok_or_else(last_error)?;
    #[expect(unsafe_code, reason = "take ownership of the new descriptor")]
    // SAFETY: clone succeeded with CLONE_PIDFD, so it has stored a new descriptor that nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok((pid, pidfd))
}

extern "C" fn main(plan: *mut c_void) -> c_int {
    #[expect(unsafe_code, reason = "the argument passes through C")]
    // SAFETY: `spawn` passes a `Plan` that lives until this process has exec'ed or exited.
    let plan = unsafe { &*plan.cast::<Plan<'_>>().cast_const() };
    if let Err(failure) = become_step(plan) {
        plan.failure.set(Some(failure));
    }
    127
}

fn become_step(plan: &Plan<'_>) -> Done {
    lifeline(plan)?;
    if let Some(processes) = plan.cgroup {
        rustix::io::write(processes, b"0").map_err(at(Stage::Cgroup))?;
    }
    mount_proc(plan)?;
    enter_root(plan)?;
    interpreter::check(plan.programs).map_err(at(Stage::Exec))?;
    stdio(plan).map_err(at(Stage::Stdio))?;
    for (resource, limit) in plan.limits {
        setrlimit(*resource, *limit).map_err(at(Stage::Limits))?;
    }
    identity(plan)?;
    // The change of ids has cleared it.
    lifeline(plan)?;
    reset_signals();
    exec(plan)
}

/// Dies with the builder: the kernel kills the first process of a PID namespace when its creator is gone, and
/// with it the namespace.
fn lifeline(plan: &Plan<'_>) -> Done {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(at(Stage::Lifeline))?;
    // The builder may have died before the signal was asked for.
    let mut alive = [rustix::event::PollFd::from_borrowed_fd(plan.builder, rustix::event::PollFlags::IN)];
    match rustix::event::poll(&mut alive, Some(&rustix::fs::Timespec { tv_sec: 0, tv_nsec: 0 })) {
        Ok(0) => Ok(()),
        Ok(_) => Err((Stage::Lifeline, Errno::SRCH)),
        Err(errno) => Err((Stage::Lifeline, errno)),
    }
}

/// `/proc` shows the PID namespace of who mounts it; before the old root goes, because inside a user namespace
/// the kernel wants to see that another, whole `/proc` is there already.
fn mount_proc(plan: &Plan<'_>) -> Done {
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let proc = new_fs(c"proc", &[], attributes).map_err(at(Stage::Proc))?;
    attach(&proc, plan.proc).map_err(at(Stage::Proc))?;
    if !plan.max_processes.is_empty() {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let limit = rustix::fs::openat(&proc, c"sys/kernel/pid_max", flags, Mode::empty());
        // A bound against accidents: a kernel that does not let it be set leaves its own.
        let _bounded = limit.and_then(|limit| rustix::io::write(&limit, plan.max_processes));
    }
    let Some(covers) = plan.covers else { return Ok(()) };
    for &(name, cover) in masks::PROC {
        match mask(&proc, name, cover, covers) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err((Stage::Mask(name), errno)),
        }
    }
    Ok(())
}

fn mask(proc: &OwnedFd, name: &CStr, cover: Cover, covers: &Covers) -> rustix::io::Result<()> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW
        | OpenTreeFlags::AT_EMPTY_PATH;
    let mount = match cover {
        Cover::Null => open_tree(&covers.file, c"", flags)?,
        Cover::Empty => open_tree(&covers.directory, c"", flags)?,
        Cover::ReadOnly => open_tree(proc, name, flags)?,
    };
    if cover == Cover::ReadOnly {
        change_attributes(&mount, MountAttrFlags::MOUNT_ATTR_RDONLY, MountAttrFlags::empty(), false)?;
    }
    attach_at(&mount, proc.as_fd(), name)
}

fn enter_root(plan: &Plan<'_>) -> Done {
    fchdir(plan.root).map_err(at(Stage::Pivot))?;
    pivot_root(c".", c".").map_err(at(Stage::Pivot))?;
    uncover(plan).map_err(at(Stage::Pivot))?;
    // Not by name: `/proc/self/fd/N` would name a directory of the builder.
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let cwd = open_resolved(plan.root, plan.cwd, OFlags::PATH | OFlags::DIRECTORY, resolve)
        .map_err(at(Stage::Cwd))?;
    fchdir(&cwd).map_err(at(Stage::Cwd))
}

/// Takes away what lies on top of the new root: first what was attached to the old one, then the old one itself.
/// (A path to unmount means the topmost mount there.) The step starts only when nothing is left above its root.
fn uncover(plan: &Plan<'_>) -> rustix::io::Result<()> {
    /// The old root, the staging, and one for each source that had to be attached; more than a step has.
    const MOST: usize = 1024;
    let identity = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).map(|found| (found.st_dev, found.st_ino));
    let root = identity(plan.root)?;
    fchdir(plan.root)?;
    // Staging and old root are always there, so two before the first look.
    unmount(c".", UnmountFlags::DETACH)?;
    unmount(c".", UnmountFlags::DETACH)?;
    for _ in 0..MOST {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let above = rustix::fs::openat(CWD, c"/..", flags, Mode::empty())?;
        if identity(above.as_fd())? == root {
            return Ok(());
        }
        unmount(c".", UnmountFlags::DETACH)?;
    }
    Err(Errno::LOOP)
}

/// The three descriptors of the step; all others close on exec.
fn stdio(plan: &Plan<'_>) -> rustix::io::Result<()> {
    for (number, fd) in (0..).zip(plan.stdio) {
        #[expect(unsafe_code, reason = "dup2(2) onto the standard descriptors")]
        // SAFETY: the descriptor table is the child's own copy; replacing 0 to 2 in it concerns nobody else.
        let answer = unsafe { libc::dup2(fd.as_raw_fd(), number) };
        if answer < 0 {
            return Err(last_error());
        }
    }
    #[expect(unsafe_code, reason = "close_range(2) has no safe wrapper")]
    // SAFETY: only marks the child's own descriptors; the ones in use stay open until exec.
    let answer = unsafe { libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as c_int) };
    if answer == 0 { Ok(()) } else { Err(last_error()) }
}

/// Capabilities and ids, raw per thread: libc's wrappers would change every thread that shares the memory.
fn identity(plan: &Plan<'_>) -> Done {
    let capabilities = at(Stage::Capabilities);
    let mapped = plan.own_ids.map_or(Ok(false), map_ids).map_err(at(Stage::Identity))?;
    if let Some(keep) = plan.capabilities {
        rustix::thread::clear_ambient_capability_set().map_err(&capabilities)?;
        for number in 0..u64::BITS {
            let one = CapabilitySet::from_bits_retain(1 << number);
            if keep.contains(one) {
                continue;
            }
            match rustix::thread::remove_capability_from_bounding_set(one) {
                Ok(()) => {}
                Err(Errno::INVAL) => break,
                Err(errno) => return Err((Stage::Capabilities, errno)),
            }
        }
    }
    // Here, because both take a capability that the step does not keep.
    plan.scope.map_or(Ok(()), landlock::enter).map_err(at(Stage::Scope))?;
    install_filter(plan).map_err(at(Stage::Filter))?;
    let ids = at(Stage::Identity);
    if let Some(groups) = plan.groups {
        rustix::thread::set_thread_groups(groups).map_err(&ids)?;
        rustix::thread::set_thread_res_gid(plan.gid, plan.gid, plan.gid).map_err(&ids)?;
        rustix::thread::set_thread_res_uid(plan.uid, plan.uid, plan.uid).map_err(&ids)?;
    }
    let still_root = plan.uid.is_root() || (plan.groups.is_none() && !mapped);
    if let (Some(keep), true) = (plan.capabilities, still_root) {
        let permitted = rustix::thread::capabilities(None).map_err(&capabilities)?.permitted & keep;
        let sets = CapabilitySets { effective: permitted, permitted, inheritable: CapabilitySet::empty() };
        rustix::thread::set_capabilities(None, sets).map_err(&capabilities)?;
    }
    rustix::process::umask(Mode::from_raw_mode(0o022));
    rustix::process::setsid().map(drop).map_err(&ids)
}

/// Shows the one uid as the step's user; `false` where the kernel forbids it. The supervisor answers questions
/// about ids in either case; with it, signals, sockets and `/proc` tell the same.
fn map_ids(own_ids: &[String; 2]) -> rustix::io::Result<bool> {
    #[expect(unsafe_code, reason = "unshare(2) can break assumptions of other threads")]
    // SAFETY: this process has one thread, and the flag concerns neither its memory nor its descriptors.
    let unshared = unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWUSER) };
    if unshared.is_err() {
        return Ok(false);
    }
    for (file, line) in [c"/proc/self/uid_map", c"/proc/self/gid_map"].into_iter().zip(own_ids) {
        let map = rustix::fs::openat(CWD, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::io::write(&map, line.as_bytes())?;
    }
    Ok(true)
}

fn install_filter(plan: &Plan<'_>) -> rustix::io::Result<()> {
    let flags = if plan.supervisor.is_some() { libc::SECCOMP_FILTER_FLAG_NEW_LISTENER } else { 0 };
    let Ok(len @ 1..) = u16::try_from(plan.filter.len()) else { return Ok(()) };
    let program = libc::sock_fprog { len, filter: plan.filter.as_ptr().cast_mut() };
    #[expect(unsafe_code, reason = "seccomp(2) has no safe wrapper")]
    // SAFETY: the kernel copies `len` instructions, all of which live in the plan's owner; it writes nothing.
    let answer =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    match (answer, plan.supervisor) {
        (0.., None) => Ok(()),
        (0.., Some(socket)) => send_listener(socket, answer as c_int),
        (_, _) => Err(last_error()),
    }
}

/// Hands the descriptor that the kernel asks on to the builder.
fn send_listener(socket: BorrowedFd<'_>, listener: c_int) -> rustix::io::Result<()> {
    #[expect(unsafe_code, reason = "the descriptor was just made by seccomp(2)")]
    // SAFETY: it is open, and stays so until this process execs.
    let listener = [unsafe { BorrowedFd::borrow_raw(listener) }];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = rustix::net::SendAncillaryBuffer::new(&mut space);
    control.push(rustix::net::SendAncillaryMessage::ScmRights(&listener));
    let byte = [std::io::IoSlice::new(b"l")];
    rustix::net::sendmsg(socket, &byte, &mut control, rustix::net::SendFlags::empty()).map(drop)
}

/// Default actions and an empty mask, whatever the builder uses or was started with. Raw, because libc refuses
/// the numbers that it keeps for itself.
fn reset_signals() {
    // The kernel's `sigaction` with the default action, no flags and no mask, in all its layouts.
    let default = [0_u64; 4];
    for signal in 1..=64 {
        #[expect(unsafe_code, reason = "rt_sigaction(2)")]
        // SAFETY: the kernel reads at most 32 bytes of the live array; the table of actions is this process's own.
        // KILL and STOP are refused, which changes nothing.
        unsafe {
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), 0_usize, size_of::<u64>());
        }
    }
    #[expect(unsafe_code, reason = "sigprocmask(2)")]
    // SAFETY: the set is initialised by sigemptyset before it is read.
    unsafe {
        let mut none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Tries the paths in turn as `execvp` does. A magic link (`/proc/self/exe`) is not a program: it would run the
/// builder itself inside the root.
fn exec(plan: &Plan<'_>) -> Done {
    let mut answer = Errno::NOENT;
    for program in plan.programs {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        if let Err(errno) =
            openat2(CWD, program.as_c_str(), flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS)
        {
            if !matches!(errno, Errno::NOENT | Errno::NOTDIR) {
                answer = errno;
            }
            continue;
        }
        #[expect(unsafe_code, reason = "execve(2)")]
        // SAFETY: the path is NUL-terminated; both arrays end with NULL and their strings live in the plan's owner.
        unsafe {
            libc::execve(program.as_ptr(), plan.argv.as_ptr(), plan.envp.as_ptr());
        }
        match last_error() {
            Errno::NOENT | Errno::NOTDIR => {}
            errno => answer = errno,
        }
        if !matches!(answer, Errno::NOENT | Errno::ACCESS) {
            break;
        }
    }
    Err((Stage::Exec, answer))
}
