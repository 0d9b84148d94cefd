//! Runs a step: one thread bears its namespaces, the caller's thread takes its output.
//!
//! The caller's thread never enters the step's namespaces, so what `output` does (opening a log, say) happens on
//! the host. The bearing thread lives as long as the step: the kernel kills the step when that thread dies.

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Sender, channel};
use std::{fs, thread};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    PidfdFlags, Signal, WaitIdOptions, WaitIdStatus, getpid, pidfd_open, pidfd_send_signal, waitid,
};

use super::child::{self, Plan, Stage};
use super::inside::{Inside, Stub};
use super::prepare::{Prepared, Source, prepare};
use super::step::{Exit, Finished, Network, Security, Step, Stream};
use super::supervisor::Ask;
use super::{Cancel, SandboxError, caps, foreign, landlock, seccomp, setup, supervisor};

/// Bytes handed to the output callback at once, at most.
const CHUNK: usize = 64 << 10;

/// Runs `step` to its end and hands its output over as it comes. When it returns, no process of the step is left.
///
/// # Errors
///
/// A user, directory, program or mount of the step that is not there, or a refusal of the kernel. A program that
/// ran and failed is an [`Exit`].
pub fn run(
    step: &Step,
    cancel: &Cancel,
    output: &mut dyn FnMut(Stream, &[u8]),
) -> Result<Finished, SandboxError> {
    let mut prepared = prepare(step)?;
    let sources = std::mem::take(&mut prepared.sources);
    let resolv_conf = step.network.resolv_conf();
    let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(SandboxError::on("create", "a pipe"));
    let ((out, out_end), (err, err_end)) = (pipe()?, pipe()?);
    let ends = [out_end, err_end];
    // A user namespace with one id forbids setgroups(2), for which the kernel has a file.
    let single = fs::read("/proc/self/setgroups").is_ok_and(|answer| answer.starts_with(b"deny"));
    let link =
        if single { Some(supervisor::link().map_err(SandboxError::on("create", "a socket"))?) } else { None };
    let (ask, listen) = link.unzip();
    let (started, start) = channel();
    let (ended, cancelled, unreal) = thread::scope(|scope| -> Result<_, SandboxError> {
        let supervise = listen.map(|listen| {
            let listen = || listen.run(step.root.as_fd(), &prepared.user);
            scope.spawn(listen)
        });
        let bear = || bear(step, &prepared, resolv_conf.as_deref(), sources, ends, ask, started);
        let bearer =
            thread::Builder::new().name("step".to_owned()).spawn_scoped(scope, bear).map_err(|source| {
                SandboxError::System { action: "start", subject: "a thread".to_owned(), source }
            })?;
        // The sender is dropped without a word when the step could not be started.
        let pumped = start.recv().map_or(Ok(false), |pidfd| pump(&pidfd, cancel, [out, err], output));
        let ended = bearer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let mut unreal = None;
        if let Some(supervise) = supervise {
            let supervised = supervise.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            unreal = supervised.map_err(SandboxError::on("supervise", "the processes of the step"))?;
        }
        Ok((ended?, pumped?, unreal))
    })?;
    Inside(step.root.as_fd()).remove(&ended.stubs);
    Ok(Finished { exit: if cancelled { Exit::Cancelled } else { ended.exit }, unreal })
}

/// What the bearing thread leaves.
struct Ended {
    exit: Exit,
    stubs: Vec<Stub>,
}

fn bear(
    step: &Step,
    prepared: &Prepared,
    resolv_conf: Option<&[u8]>,
    sources: Vec<Option<Source>>,
    ends: [OwnedFd; 2],
    ask: Option<Ask>,
    started: Sender<OwnedFd>,
) -> Result<Ended, SandboxError> {
    let builder =
        pidfd_open(getpid(), PidfdFlags::empty()).map_err(SandboxError::on("watch", "the builder"))?;
    let scene = setup::set(step, resolv_conf, sources)?;
    let pointers = |words: &[CString]| -> Vec<_> {
        words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let sandboxed = step.security == Security::Sandbox;
    let groups: Vec<Gid> = prepared.user.groups.iter().map(|&gid| Gid::from_raw(gid)).collect();

    let single = ask.is_some();
    if let Some(ask) = &ask {
        ask.tell_namespace().map_err(SandboxError::on("open", "the mount namespace of the step"))?;
    }

    let user = &prepared.user;
    let own_ids = (single && (user.uid, user.gid) != (0, 0))
        .then(|| [format!("{} 0 1", user.uid), format!("{} 0 1", user.gid)]);
    let notify = if single { supervisor::questions() } else { Vec::new() };
    let guarded = sandboxed && matches!(step.network, Network::Guarded);
    let filter = match (sandboxed, single) {
        (true, _) => seccomp::filter(&notify, &step.network),
        (false, true) => seccomp::only_notify(&notify),
        (false, false) => Vec::new(),
    };
    let scope = if guarded { landlock::scope() } else { None };
    let max_processes = if counts_by_step() { step.max_processes.to_string() } else { String::new() };
    let [out, err] = &ends;
    let plan = Plan {
        builder: builder.as_fd(),
        root: step.root.as_fd(),

        cgroup: step.cgroup.as_ref().map(AsFd::as_fd),
        proc: scene.proc.as_fd(),
        max_processes: max_processes.as_bytes(),
        covers: sandboxed.then_some(&scene.covers),
        stdio: [scene.stdin.as_fd(), out.as_fd(), err.as_fd()],
        cwd: &prepared.cwd,
        uid: Uid::from_raw(prepared.user.uid),
        gid: Gid::from_raw(prepared.user.gid),
        groups: (!single).then_some(&groups),
        supervisor: ask.as_ref().map(|ask| ask.socket.as_fd()),
        capabilities: sandboxed.then(|| caps::sandboxed(&step.network)),
        scope: scope.as_ref().map(AsFd::as_fd),
        filter: &filter,
        limits: &prepared.limits,
        own_ids: own_ids.as_ref(),
        programs: &prepared.programs,
        argv: &pointers(&prepared.args),
        envp: &pointers(&prepared.env),
        failure: std::cell::Cell::new(None),
    };
    block_signals();
    let (_pid, pidfd) = child::spawn(&plan).map_err(SandboxError::on("start", "the process of the step"))?;
    let failure = plan.failure.get();
    drop((ends, ask));
    let waiting = pidfd.try_clone().map_err(|source| SandboxError::System {
        action: "watch",
        subject: "the process of the step".to_owned(),
        source,
    })?;
    if failure.is_none() {
        // Nobody listens only when the caller has panicked.
        let _heard = started.send(pidfd);
    }

    let exit = reap(&waiting)?;
    if !scene.stubs.is_empty() {
        // The mounts go with this thread, but only some time after it; what lies below them is wanted now.
        let _ends_anyway = unmount(c"/", UnmountFlags::DETACH);
    }
    match failure {
        Some((stage, errno)) => Err(explain(step, &prepared.programs, stage, errno)),
        None => Ok(Ended { exit, stubs: scene.stubs }),
    }
}

/// From Linux 6.14 each PID namespace has a `pid_max` of its own; before, the file is the whole machine's.
fn counts_by_step() -> bool {
    let name = rustix::system::uname();
    let mut numbers =
        name.release().to_str().unwrap_or_default().split('.').map_while(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(14))
}

fn reap(pidfd: &OwnedFd) -> Result<Exit, SandboxError> {
    let status: Option<WaitIdStatus> = loop {
        match waitid(rustix::process::WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED) {
            Err(Errno::INTR) => {}
            answer => break answer.map_err(SandboxError::on("wait for", "the process of the step"))?,
        }
    };
    let code = status.as_ref().and_then(WaitIdStatus::exit_status);
    let signal = status.as_ref().and_then(WaitIdStatus::terminating_signal);
    Ok(signal.map_or(Exit::Code(code.unwrap_or_default()), Exit::Signal))
}

fn explain(step: &Step, programs: &[CString], stage: Stage, errno: Errno) -> SandboxError {
    let program = step.args.first().map_or("", String::as_str).to_owned();
    let foreign = || {
        let name = rustix::system::uname();
        let machine = name.machine().to_str().unwrap_or_default();
        foreign::platform(Inside(step.root.as_fd()), &step.cwd, programs, machine)
    };
    let (action, subject) = match stage {
        Stage::Lifeline => ("tie to the builder", "the process of the step"),
        Stage::Cgroup => ("enter", "the control group of the step"),
        Stage::Proc => ("mount", "/proc"),
        Stage::Mask(name) => ("mask in /proc", name.to_str().unwrap_or_default()),
        Stage::Pivot => ("enter the root of", "the step"),
        Stage::Cwd => {
            return SandboxError::Refused {
                action: "enter the working directory",
                subject: step.cwd.clone(),
                reason: std::io::Error::from(errno).to_string(),
                hint: "name a directory of the root with WORKDIR, outside of `/proc`",
            };
        }
        Stage::Stdio => ("connect", "the outputs of the step"),
        Stage::Limits => ("set", "the resource limits of the step"),
        Stage::Identity if errno == Errno::INVAL => {
            return SandboxError::Refused {
                action: "become the user",
                subject: step.user.clone(),
                reason: "its id is not among those that `/etc/subuid` and `/etc/subgid` give the user of this build".to_owned(),
                hint: xx_build_rootfs::MORE_IDS,
            };
        }
        Stage::Identity => ("become the user", step.user.as_str()),
        Stage::Capabilities => ("drop", "capabilities"),
        Stage::Scope => ("restrict with Landlock", "the step"),
        Stage::Filter => ("install", "the system call filter"),
        Stage::Exec => {
            let platform = if [Errno::NOEXEC, Errno::NOENT].contains(&errno) { foreign() } else { None };
            return match platform {
                Some(platform) => SandboxError::Foreign { program, platform },
                None => SandboxError::NotRun { program, source: errno.into() },
            };
        }
    };
    SandboxError::on(action, subject)(errno)
}

/// The child starts with the mask of this thread, which has nothing to handle.
fn block_signals() {
    #[expect(unsafe_code, reason = "pthread_sigmask(3)")]
    // SAFETY: the set is filled by sigfillset before it is read; only this thread's mask changes.
    unsafe {
        let mut all = std::mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut());
    }
}

/// Hands output over until both pipes end, which they do when the last process of the step is gone. Answers
/// whether the step was cancelled.
pub(super) fn pump(
    pidfd: &OwnedFd,
    cancel: &Cancel,
    pipes: [OwnedFd; 2],
    output: &mut dyn FnMut(Stream, &[u8]),
) -> Result<bool, SandboxError> {
    let failed = || SandboxError::on("read the output of", "the step");
    let [out, err] = pipes;
    let mut open = vec![(Stream::Stdout, File::from(out)), (Stream::Stderr, File::from(err))];
    let mut buffer = vec![0; CHUNK];
    let mut cancelled = false;
    while !open.is_empty() {
        let mut polled: Vec<_> = open.iter().map(|(_, pipe)| PollFd::new(pipe, PollFlags::IN)).collect();
        if !cancelled {
            polled.push(PollFd::new(cancel, PollFlags::IN));
        }
        match poll(&mut polled, None) {
            Err(Errno::INTR) => continue,
            answer => answer.map_err(failed())?,
        };
        let ready: Vec<bool> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
        if !cancelled && ready.last() == Some(&true) {
            cancelled = true;
            // Refused only when it has ended by itself.
            let _gone = pidfd_send_signal(pidfd, Signal::KILL);
        }
        let mut ready = ready.into_iter();
        open.retain_mut(|(stream, pipe)| {
            if ready.next() != Some(true) {
                return true;
            }
            match pipe.read(&mut buffer) {
                Ok(0) => false,
                Ok(length) => {
                    output(*stream, buffer.get(..length).unwrap_or_default());
                    true
                }
                Err(error) => error.kind() == std::io::ErrorKind::Interrupted,
            }
        });
    }
    Ok(cancelled)
}
