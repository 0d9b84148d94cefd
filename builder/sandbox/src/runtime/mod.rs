//! Runs a step through an OCI runtime (runc, crun, youki) instead of the built-in sandbox.
//!
//! The runtime gets a bundle: `config.json`, and beside it the root and the sources of the mounts, attached in a mount
//! namespace that ends with the step. It runs as the first process of a PID namespace of its own, so that whatever
//! it has started dies with it, and it dies with the builder. Not here: one uid only, whose questions the built-in
//! sandbox answers itself.

mod config;

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::mount::MountAttrFlags;
use rustix::process::{PidfdFlags, Signal, pidfd_open};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use self::config::{Bound, Parts};
use super::inside::{Inside, Make, Stub};
use super::mountapi::{attach, attach_at, change_attributes, clone_tree, new_fs};
use super::prepare::{Prepared, Source, prepare};
use super::run::pump;
use super::step::{BindSource, Exit, Finished, Mount, MountKind, Network, Security, Step, Stream};
use super::{Cancel, SandboxError, caps, devices, etc, landlock, signals, userns};

/// An OCI runtime on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    /// Its program.
    pub program: PathBuf,
}

/// Runs `step` to its end in the new directory `bundle`, which is removed afterwards.
///
/// # Errors
///
/// As [`super::run`], and when the runtime itself fails, with what it says.
pub fn run_with(
    runtime: &Runtime,
    bundle: &Path,
    step: &Step,
    cancel: &Cancel,
    output: &mut dyn FnMut(Stream, &[u8]),
) -> Result<Finished, SandboxError> {
    let mut prepared = prepare(step)?;
    let sources = std::mem::take(&mut prepared.sources);
    let folders = ["rootfs", "mounts", "memory", "state"];
    for folder in folders {
        fs::create_dir_all(bundle.join(folder)).map_err(failed("create", &bundle.join(folder)))?;
    }
    let resolv_conf = step.network.resolv_conf();
    let (started, start) = channel();
    let ended = std::thread::scope(|scope| {
        let bear = || bear(runtime, bundle, step, &prepared, (sources, resolv_conf), started);
        let bearer = std::thread::Builder::new().name("runtime".to_owned()).spawn_scoped(scope, bear);
        let bearer = bearer.map_err(failed("start", Path::new("a thread")))?;
        // The sender is dropped without a word when the runtime could not be started.
        let pumped = start.recv().map_or(Ok(false), |(pidfd, pipes)| pump(&pidfd, cancel, pipes, output));
        let ended = bearer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        ended.and_then(|ended| Ok((ended, pumped?)))
    });
    let said = last_error(&bundle.join("log"));
    let result = ended.and_then(|((exit, stubs), cancelled)| {
        Inside(step.root.as_fd()).remove(&stubs);
        match (said, cancelled) {
            (_, true) => Ok(Finished { exit: Exit::Cancelled, unreal: None }),
            (Some(message), false) if exit != Exit::Code(0) => {
                Err(SandboxError::Runtime { program: runtime.program.display().to_string(), message })
            }
            _ => Ok(Finished { exit, unreal: None }),
        }
    });
    xx_build_rootfs::remove_tree(bundle).map_err(failed("remove", bundle))?;
    result
}

fn failed(action: &'static str, subject: &Path) -> impl FnOnce(io::Error) -> SandboxError {
    let subject = subject.display().to_string();
    move |source| SandboxError::System { action, subject, source }
}

fn on(subject: &Path) -> impl FnOnce(rustix::io::Errno) -> SandboxError + use<> {
    let subject = subject.display().to_string();
    move |errno| SandboxError::System { action: "mount on", subject, source: errno.into() }
}

/// The thread that bears the mount namespace: furnishes the bundle, starts the runtime, waits for it.
fn bear(
    runtime: &Runtime,
    bundle: &Path,
    step: &Step,
    prepared: &Prepared,
    (sources, resolv_conf): (Vec<Option<Source>>, Option<Vec<u8>>),
    started: Sender<(OwnedFd, [OwnedFd; 2])>,
) -> Result<(Exit, Vec<Stub>), SandboxError> {
    #[expect(unsafe_code, reason = "unshare(2) can break assumptions of other threads")]
    // SAFETY: the descriptor table stays shared, which is what the wrapper warns about; the others concern this
    // thread and its children alone.
    unsafe { unshare_unsafe(UnshareFlags::FS | UnshareFlags::NEWNS | UnshareFlags::NEWPID) }
        .map_err(SandboxError::on("unshare", "the namespaces of the runtime"))?;
    if let Network::Outward(outward) = &step.network {
        // The runtime makes no network namespace, so the step stays in this one.
        outward.join().map_err(SandboxError::on("enter", "the network of the build"))?;
    }
    let place = |path: &Path| {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        rustix::fs::openat(CWD, path, flags, Mode::empty())
    };
    // In memory: secrets are never on a disk.
    let memory =
        new_fs(c"tmpfs", &[("mode", "0700")], MountAttrFlags::MOUNT_ATTR_NOSUID).map_err(on(bundle))?;
    attach(&memory, place(&bundle.join("memory")).map_err(on(bundle))?.as_fd()).map_err(on(bundle))?;
    let stdin = nothing_to_read(&memory).map_err(SandboxError::on("make the device", "null"))?;
    let rootfs = bundle.join("rootfs");
    attach(&step.root, place(&rootfs).map_err(on(&rootfs))?.as_fd()).map_err(on(&rootfs))?;
    let mut furnish = Furnish { bundle, root: Inside(step.root.as_fd()), bound: vec![], stubs: vec![] };
    for name in ["proc", "sys", "dev"] {
        drop(furnish.root.kernel_directory(name)?);
    }
    let real_root = userns::is_real_root();
    // A user namespace mounts no `/sys` for the machine's network: it gets the machine's own.
    let own_network = matches!(step.network, Network::None | Network::Outward(_));
    let sys = if real_root || own_network { None } else { Some(furnish.sys(step.security)?) };
    let hosts = etc::hosts(&step.hostname, &step.extra_hosts);
    for (target, text) in [("/etc/resolv.conf", resolv_conf), ("/etc/hosts", Some(hosts.into_bytes()))] {
        if let Some(text) = text {
            furnish.file(target, &text, (0o644, 0, 0))?;
        }
    }
    for (mount, source) in step.mounts.iter().zip(sources) {
        furnish.mount(mount, source)?;
    }
    let env: Vec<String> = prepared.env.iter().map(|entry| entry.to_string_lossy().into_owned()).collect();
    let user = &prepared.user;
    let parts = Parts {
        step,
        ids: (user.uid, user.gid, &user.groups),
        env: &env,
        mounts: &furnish.bound,
        sys: sys.as_deref(),
        held: caps::held().map_err(SandboxError::on("look at", "the capabilities of the builder"))?,
        real_root,
    };
    let path = bundle.join("config.json");
    // In memory too, for the environment can hold secrets: the bundle has a link.
    let inner = bundle.join("memory/config.json");
    fs::write(&inner, config::config(&parts).to_string()).map_err(failed("write", &inner))?;
    std::os::unix::fs::symlink("memory/config.json", &path).map_err(failed("write", &path))?;
    let guarded = step.security == Security::Sandbox && matches!(step.network, Network::Guarded);
    let scope = if guarded { landlock::scope() } else { None };
    let mut child =
        start(runtime, bundle, stdin, scope).map_err(failed("start the runtime", &runtime.program))?;
    let pid = rustix::process::Pid::from_child(&child);
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(SandboxError::on("watch", &runtime.program))?;
    if let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) {
        // Nobody listens only when the caller has panicked.
        let _heard = started.send((pidfd, [out.into(), err.into()]));
    }
    let status = child.wait().map_err(failed("wait for", &runtime.program))?;
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    Ok((signal.map_or(Exit::Code(status.code().unwrap_or_default()), Exit::Signal), furnish.stubs))
}

/// A null device of the step's own, open for reading: a runtime may hand it on as it is.
fn nothing_to_read(memory: &OwnedFd) -> rustix::io::Result<OwnedFd> {
    let node = devices::node(memory.as_fd(), c"null", &devices::NULL)?;
    mknodat(memory, c"stdin", FileType::RegularFile, Mode::empty(), 0)?;
    attach_at(&node, memory.as_fd(), c"stdin")?;
    rustix::fs::openat(memory, c"stdin", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

#[expect(clippy::disallowed_methods, reason = "the sandbox is the builder's place to start programs")]
fn start(runtime: &Runtime, bundle: &Path, stdin: OwnedFd, scope: Option<OwnedFd>) -> io::Result<Child> {
    let mut command = Command::new(&runtime.program);
    command
        .arg("--root")
        .arg(bundle.join("state"))
        .arg("--log")
        .arg(bundle.join("log"))
        .args(["--log-format", "json", "run", "--bundle"])
        .arg(bundle)
        // Names a control group: unlike those of other builds.
        .arg(format!(
            "xx-build-{}",
            bundle.to_string_lossy().replace(|c: char| !c.is_ascii_alphanumeric(), "-")
        ))
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let prepare = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        signals::unblock();
        if let Some(rules) = &scope {
            landlock::enter(rules.as_fd())?;
        }
        // The runtime looks itself up in `/proc`, which has to be that of its own PID namespace.
        let proc = new_fs(c"proc", &[], MountAttrFlags::empty())?;
        let place = rustix::fs::openat(CWD, c"/proc", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        attach(&proc, place.as_fd())?;
        Ok(())
    };
    #[expect(unsafe_code, reason = "runs between fork and exec")]
    // SAFETY: the closure makes only system calls, and allocates nothing.
    unsafe {
        command.pre_exec(prepare);
    }
    command.spawn()
}

/// The last error in a runtime's log.
fn last_error(log: &Path) -> Option<String> {
    let text = fs::read_to_string(log).ok()?;
    let lines = text.lines().rev().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let errors = lines.filter(|line| line.get("level").is_some_and(|level| level == "error"));
    errors.filter_map(|line| line.get("msg")?.as_str().map(str::to_owned)).next()
}

/// Puts the sources of mounts into the bundle, and their targets into the root.
struct Furnish<'a> {
    bundle: &'a Path,
    root: Inside<'a>,
    bound: Vec<Bound>,
    stubs: Vec<Stub>,
}

impl Furnish<'_> {
    fn target(&mut self, target: &str, make: Make) -> Result<(), SandboxError> {
        super::setup::check_target(target)?;
        let (_, stubs) = self
            .root
            .open_or_make(target, make)
            .map_err(SandboxError::on("make the mount target", target))?;
        self.stubs.extend(stubs);
        Ok(())
    }

    /// A read-only file in memory.
    fn file(
        &mut self,
        target: &str,
        contents: &[u8],
        (mode, uid, gid): (u32, u32, u32),
    ) -> Result<(), SandboxError> {
        use std::os::unix::fs::{PermissionsExt as _, chown};
        let path = self.bundle.join("memory").join(self.bound.len().to_string());
        fs::write(&path, contents).map_err(failed("write", &path))?;
        chown(&path, Some(uid), Some(gid)).map_err(failed("change the owner of", &path))?;
        let mode = fs::Permissions::from_mode(mode & 0o777);
        fs::set_permissions(&path, mode).map_err(failed("change the mode of", &path))?;
        self.target(target, Make::File)?;
        let source = Some(path.to_string_lossy().into_owned());
        self.bound.push(Bound { target: target.to_owned(), source, readonly: true, size: None });
        Ok(())
    }

    /// The machine's `/sys`, in the bundle: there all of it can be made read-only, while a runtime's `ro` reaches the
    /// topmost mount alone and leaves the user's own control groups below it.
    fn sys(&self, security: Security) -> Result<String, SandboxError> {
        let on = || SandboxError::on("mount", "/sys");
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let sys = rustix::fs::openat(CWD, c"/sys", flags, Mode::empty()).map_err(on())?;
        let clone = clone_tree(&sys, true).map_err(on())?;
        let readonly = match security {
            Security::Sandbox => MountAttrFlags::MOUNT_ATTR_RDONLY,
            Security::Insecure => MountAttrFlags::empty(),
        };
        change_attributes(&clone, readonly, MountAttrFlags::empty(), true).map_err(on())?;
        let path = self.bundle.join("sys");
        fs::create_dir(&path).map_err(failed("create", &path))?;
        let place = rustix::fs::openat(CWD, &path, flags, Mode::empty()).map_err(on())?;
        attach(&clone, place.as_fd()).map_err(on())?;
        Ok(path.to_string_lossy().into_owned())
    }

    fn mount(&mut self, mount: &Mount, source: Option<Source>) -> Result<(), SandboxError> {
        let target = &mount.target;
        match (&mount.kind, source) {
            (MountKind::File { contents, mode, uid, gid }, _) => {
                self.file(target, contents, (*mode, *uid, *gid))
            }
            (MountKind::Tmpfs { size }, _) => {
                self.target(target, Make::Directory { uid: 0, gid: 0 })?;
                self.bound.push(Bound { target: target.clone(), source: None, readonly: false, size: *size });
                Ok(())
            }
            (MountKind::Bind { source: from, readonly, .. }, Some(source)) => {
                let on = || SandboxError::on("mount on", target);
                let clone = match (source, from) {
                    (Source::Clone(clone), _) => clone,
                    (Source::Later(place), BindSource::Fd(whole)) => {
                        self.later(&place, whole.as_fd()).map_err(on())?
                    }
                    (Source::Later(place), BindSource::Path(_)) => place,
                };
                let found = rustix::fs::fstat(&clone).map_err(on())?;
                let is_directory = FileType::from_raw_mode(found.st_mode).is_dir();
                let path = self.place(is_directory)?;
                let here = rustix::fs::openat(CWD, &path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
                attach(&clone, here.map_err(on())?.as_fd()).map_err(on())?;
                let make = if is_directory { Make::Directory { uid: 0, gid: 0 } } else { Make::File };
                self.target(target, make)?;
                let source = Some(path.to_string_lossy().into_owned());
                self.bound.push(Bound { target: target.clone(), source, readonly: *readonly, size: None });
                Ok(())
            }
            (MountKind::Bind { .. }, None) => {
                Err(SandboxError::on("mount on", target)(rustix::io::Errno::INVAL))
            }
        }
    }

    /// A place in a detached mount, which kernels before 6.15 clone only once the mount is attached somewhere.
    fn later(&self, place: &OwnedFd, whole: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
        let cover = self.bundle.join("mounts").join(format!("whole{}", self.bound.len()));
        fs::create_dir(&cover).map_err(|_| rustix::io::Errno::IO)?;
        let cover = rustix::fs::openat(CWD, &cover, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        attach(whole, cover.as_fd())?;
        clone_tree(place, true)
    }

    /// A new empty directory or file to attach a source to.
    fn place(&self, is_directory: bool) -> Result<PathBuf, SandboxError> {
        let path = self.bundle.join("mounts").join(self.bound.len().to_string());
        let made = if is_directory { fs::create_dir(&path) } else { fs::write(&path, "") };
        made.map_err(failed("create", &path))?;
        Ok(path)
    }
}
