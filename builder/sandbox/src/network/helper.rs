//! The running program that bears a network.
//!
//! It is the first process of a PID namespace and dies with the builder. Root's program is an ordinary user who has the
//! two rights that connecting to the namespace takes, until it has given them up; it finds the namespace by a path
//! in a mount namespace of its own. A user namespace for it would be no better: then the namespace belongs to that, and
//! the kernel gives all rights over it to whoever has the id of its owner, which root in a step can take on.

use std::ffi::{CString, NulError};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Timespec, Uid, chmodat, makedev, mkdirat, mknodat, openat,
};
use rustix::io::{Errno, FdFlags};
use rustix::mount::MountAttrFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags, unshare_unsafe};

use super::super::mountapi::{attach, clone_tree, new_fs};
use super::super::program::follow_program;
use super::super::step::Stream;
use super::super::{Cancel, userns};
use super::commands::{Helper, Place};

/// Longest time from the start until the network is there.
const PATIENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// Who root's helper is: nobody.
const NOBODY: u32 = 65_534;

/// Folders of which one gets the files for the helper on top of it, for the helper alone. The first is where confined ones
/// (AppArmor) may look for namespaces.
const PLACES: &[&str] = &["/run/user", "/mnt", "/tmp"];

/// What entering another's network namespace and making an interface in it takes.
const RIGHTS: CapabilitySet = CapabilitySet::SYS_ADMIN.union(CapabilitySet::NET_ADMIN);

/// A program that bears a network, until this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    cancel: Arc<Cancel>,
    thread: Option<JoinHandle<String>>,
}

impl Running {
    /// Starts it on the namespace and waits until the network is there; an error is what it said.
    pub(super) fn start(
        helper: &Helper,
        program: &Path,
        namespace: &OwnedFd,
        forwards: &[IpAddr],
    ) -> Result<Self, String> {
        let failed = |error: std::io::Error| error.to_string();
        let scene = Scene::new(namespace, helper.as_nobody).map_err(failed)?;
        let ready = scene.ready.try_clone().map_err(failed)?;
        let place = Place {
            namespace: &scene.path("netns/build"),
            ready: &scene.path("ready"),
            ready_number: scene.ready.as_raw_fd(),
            forwards,
        };
        let arguments = (helper.arguments)(&place);
        let command = command(program, &arguments, scene);
        let cancel = Arc::new(Cancel::new().map_err(|error| error.to_string())?);
        let until = Arc::clone(&cancel);
        let (ended, end) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
        let thread = std::thread::Builder::new().name("network".to_owned()).spawn(move || {
            // Closed when it has ended.
            let _end = end;
            let mut said = String::new();
            let mut take = |_: Stream, bytes: &[u8]| {
                if said.len() < MOST {
                    said.push_str(&String::from_utf8_lossy(bytes));
                }
            };
            match follow_program(command, &until, &mut take) {
                Ok(_) => said.lines().next_back().unwrap_or("it ended").to_owned(),
                Err(error) => error.to_string(),
            }
        });
        let mut running = Self { cancel, thread: Some(thread.map_err(failed)?) };
        let mut either = [PollFd::new(&ready, PollFlags::IN), PollFd::new(&ended, PollFlags::IN)];
        let heard = rustix::io::retry_on_intr(|| poll(&mut either, Some(&PATIENCE)));
        let is_ready = either.first().is_some_and(|fd| fd.revents().contains(PollFlags::IN));
        match heard {
            Ok(_) if is_ready => Ok(running),
            Ok(0) => Err("it was not ready in time".to_owned()),
            Ok(_) => Err(running.end().unwrap_or_default()),
            Err(errno) => Err(failed(errno.into())),
        }
    }

    fn end(&mut self) -> Option<String> {
        self.cancel.cancel();
        self.thread.take()?.join().ok()
    }
}

/// Bytes of what it says that are kept: the reason when it does not start.
const MOST: usize = 64 << 10;

impl Drop for Running {
    /// Kills it. Nobody waits for that: the kernel takes some hundredths of a second to remove its interface, and the
    /// build may have ended before.
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Files in memory for the helper's mount namespace.
struct Scene {
    /// Where they will be.
    place: &'static str,
    files: OwnedFd,
    namespace: OwnedFd,
    /// A named pipe, open at both ends.
    ready: OwnedFd,
    /// Whether the files hold a tunnel device that the helper can open, as root's machine may have none.
    has_device: bool,
    /// The user that the helper becomes.
    user: Option<u32>,
}

impl Scene {
    fn new(namespace: &OwnedFd, as_nobody: bool) -> std::io::Result<Self> {
        let place = PLACES.iter().copied().find(|place| Path::new(place).is_dir());
        let place = place.ok_or_else(|| std::io::Error::other("there is no folder for its files"))?;
        let user = (as_nobody && userns::is_real_root()).then_some(NOBODY);
        let files = new_fs(c"tmpfs", &[("mode", "0755")], MountAttrFlags::MOUNT_ATTR_NOSUID)?;
        let (open, closed) = (Mode::from_raw_mode(0o755), Mode::from_raw_mode(0o666));
        for folder in [c"0", c"0/netns"] {
            mkdirat(&files, folder, open)?;
        }
        mknodat(&files, c"0/netns/build", FileType::RegularFile, closed, 0)?;
        mknodat(&files, c"0/ready", FileType::Fifo, closed, 0)?;
        chmodat(&files, c"0/ready", closed, AtFlags::empty())?;
        let device = mknodat(&files, c"0/tun", FileType::CharacterDevice, closed, makedev(10, 200));
        let has_device = user.is_some() && device.is_ok();
        if has_device {
            chmodat(&files, c"0/tun", closed, AtFlags::empty())?;
        }
        if let Some(user) = user {
            let (uid, gid) = (Some(Uid::from_raw(user)), Some(Gid::from_raw(user)));
            rustix::fs::chownat(&files, c"0/ready", uid, gid, AtFlags::empty())?;
        }
        let ready =
            openat(&files, c"0/ready", OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
        let namespace = clone_tree(namespace, false)?;
        Ok(Self { place, files, namespace, ready, has_device, user })
    }

    fn path(&self, name: &str) -> String {
        format!("{}/0/{name}", self.place)
    }

    fn paths(&self) -> Result<[CString; 3], NulError> {
        Ok([
            CString::new(self.place)?,
            CString::new(self.path("netns/build"))?,
            CString::new(self.path("tun"))?,
        ])
    }
}

#[expect(clippy::disallowed_methods, reason = "the sandbox is the builder's place to start programs")]
fn command(program: &Path, arguments: &[String], scene: Scene) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).current_dir("/");
    let paths = scene.paths();
    let prepare = move || {
        let [place, namespace, tun] = paths.as_ref().map_err(|_| Errno::INVAL)?;
        show(&scene, place, namespace, tun)?;
        // Its number is among the arguments.
        rustix::io::fcntl_setfd(&scene.ready, FdFlags::empty())?;
        scene.user.map_or(Ok(()), become_user)?;
        Ok(())
    };
    #[expect(unsafe_code, reason = "runs between fork and exec")]
    // SAFETY: the closure makes only system calls, and allocates nothing.
    unsafe {
        command.pre_exec(prepare);
    }
    command
}

/// Puts the files in their place, seen by this process alone.
fn show(scene: &Scene, place: &CString, namespace: &CString, tun: &CString) -> rustix::io::Result<()> {
    #[expect(unsafe_code, reason = "unshare(2) can break assumptions of other threads")]
    // SAFETY: this process has one thread, and the flag concerns neither its memory nor its descriptors.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?;
    let open = |path: &CString| openat(CWD, path.as_c_str(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    attach(&scene.files, open(place)?.as_fd())?;
    attach(&scene.namespace, open(namespace)?.as_fd())?;
    if scene.has_device {
        let device = clone_tree(open(tun)?, false)?;
        let machines = openat(CWD, c"/dev/net/tun", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        attach(&device, machines.as_fd())?;
    }
    Ok(())
}

/// Becomes this user, with the rights that it takes kept through exec.
fn become_user(user: u32) -> rustix::io::Result<()> {
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_keep_capabilities(true)?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    let sets = CapabilitySets { effective: RIGHTS, permitted: RIGHTS, inheritable: RIGHTS };
    rustix::thread::set_capabilities(None, sets)?;
    for right in [CapabilitySet::SYS_ADMIN, CapabilitySet::NET_ADMIN] {
        rustix::thread::configure_capability_in_ambient_set(right, true)?;
    }
    Ok(())
}
