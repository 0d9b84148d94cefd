//! The namespaces and mounts of a step, made by a thread that does nothing else and ends with the step.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Uid, mkdirat, mknodat, openat2};
use rustix::fs::{fchmod, fchown, fstat, statfs, symlinkat};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::inside::{Inside, Make, Stub};
use super::mountapi::{attach, attach_at, change_attributes, clone_tree, new_fs};
use super::prepare::Source;
use super::step::{BindSource, Mount, MountKind, Network, Security, Step};
use super::{SandboxError, devices, etc, masks, network, supervisor};

const NOSUID: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID;
const NODEV: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NODEV;
const NOEXEC: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOEXEC;
const RDONLY: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY;
const NONE: MountAttrFlags = MountAttrFlags::empty();

/// Links in `/dev`.
const LINKS: &[(&CStr, &CStr)] = &[
    (c"fd", c"/proc/self/fd"),
    (c"stdin", c"/proc/self/fd/0"),
    (c"stdout", c"/proc/self/fd/1"),
    (c"stderr", c"/proc/self/fd/2"),
    (c"ptmx", c"pts/ptmx"),
    (c"core", c"/proc/kcore"),
];

/// `CGROUP2_SUPER_MAGIC`.
const CGROUP2: rustix::fs::FsWord = 0x6367_7270;

/// The mounts in place, and what the child needs to go on.
pub(super) struct Scene {
    pub(super) proc: OwnedFd,
    /// An empty directory and a null device, read-only, to cover others with.
    pub(super) covers: Covers,
    /// The step's null device, open for reading.
    pub(super) stdin: OwnedFd,
    /// What was made in the root for mounts.
    pub(super) stubs: Vec<Stub>,
}

/// What covers kernel files that a step is not to see.
pub(super) struct Covers {
    pub(super) directory: OwnedFd,
    pub(super) file: OwnedFd,
}

/// Splits this thread from the builder and makes the step's mounts.
pub(super) fn set(
    step: &Step,
    resolv_conf: Option<&[u8]>,
    sources: Vec<Option<Source>>,
) -> Result<Scene, SandboxError> {
    split(step)?;
    let old_root = open(CWD, c"/").map_err(SandboxError::on("open", "/"))?;
    let staging = Staging::new(old_root.as_fd()).map_err(SandboxError::on("mount", "tmpfs"))?;
    let mut stage = Stage { step, root: Inside(step.root.as_fd()), staging, stubs: Vec::new() };
    let sources = attach_later(step, sources, old_root.as_fd())?;
    attach(&step.root, old_root.as_fd()).map_err(SandboxError::on("attach the root of", "the step"))?;
    if step.security == Security::Insecure {
        change_attributes(&step.root, NONE, NODEV, false)
            .map_err(SandboxError::on("allow devices in", "/"))?;
    }
    let stdin = stage.dev()?;
    stage.sys()?;
    let proc = stage.root.kernel_directory("proc")?;
    if let Some(text) = resolv_conf {
        stage.file("/etc/resolv.conf", text, (0o644, 0, 0), NOEXEC)?;
    }
    let hosts = etc::hosts(&step.hostname, &step.extra_hosts);
    stage.file("/etc/hosts", hosts.as_bytes(), (0o644, 0, 0), NOEXEC)?;
    for (mount, source) in step.mounts.iter().zip(sources) {
        stage.mount(mount, source)?;
    }
    if step.readonly_root {
        change_attributes(&step.root, RDONLY, NONE, false)
            .map_err(SandboxError::on("forbid writing to", "/"))?;
    }
    Ok(Scene { proc, covers: stage.staging.covers, stdin, stubs: stage.stubs })
}

fn split(step: &Step) -> Result<(), SandboxError> {
    let mut flags = UnshareFlags::FS
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWCGROUP;
    if matches!(step.network, Network::None) {
        flags |= UnshareFlags::NEWNET;
    }
    #[expect(unsafe_code, reason = "unshare(2) can break assumptions of other threads")]
    // SAFETY: of the flags, none stops sharing the descriptor table, which is what the wrapper warns about; the
    // others concern this thread alone.
    unsafe { unshare_unsafe(flags) }.map_err(SandboxError::on("unshare", "the namespaces of the step"))?;
    rustix::process::umask(Mode::empty());
    rustix::system::sethostname(step.hostname.as_bytes())
        .map_err(SandboxError::on("set the host name", &step.hostname))?;
    match &step.network {
        Network::None => {
            network::loopback_up().map_err(SandboxError::on("bring up the interface", "lo"))?;
        }
        Network::Outward(outward) => {
            outward.join().map_err(SandboxError::on("enter", "the network of the build"))?;
        }
        Network::Host | Network::Guarded => {}
    }
    Ok(())
}

/// Clones sources that a kernel before 6.15 does not clone while they are attached nowhere: attaches them where
/// the step's root will cover them.
fn attach_later(
    step: &Step,
    sources: Vec<Option<Source>>,
    cover: BorrowedFd<'_>,
) -> Result<Vec<Option<OwnedFd>>, SandboxError> {
    let ready = |(mount, source): (&Mount, Option<Source>)| match (source, &mount.kind) {
        (None, _) => Ok(None),
        (Some(Source::Clone(clone)), _) => Ok(Some(clone)),
        (Some(Source::Later(place)), MountKind::Bind { source: BindSource::Fd(whole), .. }) => {
            let failed = || SandboxError::on("clone the source of the mount at", &mount.target);
            attach(whole, cover).map_err(failed())?;
            clone_tree(&place, true).map(Some).map_err(failed())
        }
        (
            Some(Source::Later(place)),
            MountKind::Bind { .. } | MountKind::Tmpfs { .. } | MountKind::File { .. },
        ) => Ok(Some(place)),
    };
    step.mounts.iter().zip(sources).map(ready).collect()
}

/// A small file system in memory, below the step's root and so out of its sight, that bears the files, the devices
/// and the covers that are mounted into it.
struct Staging {
    mount: OwnedFd,
    covers: Covers,
    files: u32,
}

impl Staging {
    fn new(below: BorrowedFd<'_>) -> rustix::io::Result<Self> {
        let mount = new_fs(c"tmpfs", &[("mode", "0755")], NOSUID)?;
        attach(&mount, below)?;
        mkdirat(&mount, c"empty", Mode::from_raw_mode(0o555))?;
        mknodat(&mount, c"cover", FileType::RegularFile, Mode::empty(), 0)?;
        let directory = clone_tree(open(&mount, c"empty")?, false)?;
        let file = devices::node(mount.as_fd(), c"nothing", &devices::NULL)?;
        change_attributes(&directory, RDONLY | NOSUID | NODEV | NOEXEC, NONE, false)?;
        change_attributes(&file, RDONLY | NOSUID | NOEXEC, NONE, false)?;
        // Covers are cloned, and only what is attached can be cloned on every kernel.
        attach_at(&directory, mount.as_fd(), c"empty")?;
        attach_at(&file, mount.as_fd(), c"cover")?;
        Ok(Self { mount, covers: Covers { directory, file }, files: 0 })
    }

    /// A detached mount of a new file.
    fn file(&mut self, contents: &[u8], mode: u32, uid: u32, gid: u32) -> rustix::io::Result<OwnedFd> {
        self.files += 1;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file =
            rustix::fs::openat(&self.mount, self.files.to_string(), flags, Mode::from_raw_mode(0o600))?;
        let mut rest = contents;
        while !rest.is_empty() {
            let written = rustix::io::write(&file, rest)?;
            rest = rest.get(written..).unwrap_or_default();
        }
        if (uid, gid) != (0, 0) {
            match fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))) {
                // With one uid only, owners are noted instead.
                Err(Errno::INVAL) => supervisor::note_owner(&file, uid, gid)?,
                answer => answer?,
            }
        }
        fchmod(&file, Mode::from_raw_mode(mode & 0o777))?;
        clone_tree(&file, false)
    }
}

/// The root being furnished.
struct Stage<'a> {
    step: &'a Step,
    root: Inside<'a>,
    staging: Staging,
    stubs: Vec<Stub>,
}

impl Stage<'_> {
    /// `/dev`, and its null device open for reading.
    fn dev(&self) -> Result<OwnedFd, SandboxError> {
        let target = self.root.kernel_directory("dev")?;
        let nodev = if self.step.security == Security::Insecure { NONE } else { NODEV };
        let dev = new_fs(c"tmpfs", &[("mode", "0755"), ("size", "65536k")], NOSUID | nodev)
            .map_err(SandboxError::on("mount", "/dev"))?;
        attach(&dev, target.as_fd()).map_err(SandboxError::on("mount", "/dev"))?;
        for device in devices::ALL {
            let name = device.name;
            mknodat(&dev, name, FileType::RegularFile, Mode::from_raw_mode(0o666), 0)
                .and_then(|()| devices::node(self.staging.mount.as_fd(), name, device))
                .and_then(|node| attach_at(&node, dev.as_fd(), name))
                .map_err(SandboxError::on("make the device", name.to_string_lossy().as_ref()))?;
        }
        // Through the step's own: a descriptor of the machine's would let it change that one's mode and owner.
        let stdin = rustix::fs::openat(&dev, c"null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(SandboxError::on("open", "/dev/null"))?;
        for (name, target) in LINKS {
            symlinkat(*target, &dev, *name)
                .map_err(SandboxError::on("link in /dev", name.to_string_lossy().as_ref()))?;
        }
        let directory = |name: &'static CStr, mount: rustix::io::Result<OwnedFd>| {
            mkdirat(&dev, name, Mode::from_raw_mode(0o755))
                .and(mount)
                .and_then(|mount| attach_at(&mount, dev.as_fd(), name))
                .map_err(SandboxError::on("mount in /dev", name.to_string_lossy().as_ref()))
        };
        directory(c"pts", devpts())?;
        let size = self.step.shm_size.to_string();
        let options = [("mode", "1777"), ("size", size.as_str())];
        directory(c"shm", new_fs(c"tmpfs", &options, NOSUID | NODEV | NOEXEC))?;
        directory(c"mqueue", new_fs(c"mqueue", &[], NOSUID | NODEV | NOEXEC))?;
        Ok(stdin)
    }

    /// A `/sys` of its own where the kernel grants it (root, or an own network), else the host's read-only.
    fn sys(&self) -> Result<(), SandboxError> {
        let on = || SandboxError::on("mount", "/sys");
        let target = self.root.kernel_directory("sys")?;
        let sandboxed = self.step.security == Security::Sandbox;
        let rdonly = if sandboxed { RDONLY } else { NONE };
        let attributes = NOSUID | NODEV | NOEXEC | rdonly;
        let mount = match new_fs(c"sysfs", &[], attributes) {
            Err(Errno::PERM) => {
                let host = open(CWD, c"/sys").and_then(|sys| clone_tree(&sys, true)).map_err(on())?;
                change_attributes(&host, attributes, NONE, true).map_err(on())?;
                host
            }
            answer => answer.map_err(on())?,
        };
        attach(&mount, target.as_fd()).map_err(on())?;
        if statfs(c"/sys/fs/cgroup").is_ok_and(|found| found.f_type == CGROUP2) {
            // Its own part of the tree, where the kernel lets it; without, the directory stays as it is.
            let cgroup = new_fs(c"cgroup2", &[], attributes);
            let _shown = cgroup.and_then(|cgroup| attach_at(&cgroup, mount.as_fd(), c"fs/cgroup"));
        }
        for path in masks::SYS.iter().filter(|_| sandboxed) {
            let cover = || {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let target = openat2(&mount, *path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
                attach(clone_tree(&self.staging.covers.directory, false)?, target.as_fd())
            };
            match cover() {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => {
                    return Err(SandboxError::on("mask /sys", path.to_string_lossy().as_ref())(errno));
                }
            }
        }
        Ok(())
    }

    /// Mounts a file in memory, read-only.
    fn file(
        &mut self,
        target: &str,
        contents: &[u8],
        (mode, uid, gid): (u32, u32, u32),
        noexec: MountAttrFlags,
    ) -> Result<(), SandboxError> {
        let on = || SandboxError::on("mount the file", target);
        let mount = self.staging.file(contents, mode, uid, gid).map_err(on())?;
        change_attributes(&mount, RDONLY | NOSUID | NODEV | noexec, NONE, false).map_err(on())?;
        self.place(&mount, target, Make::File)
    }

    fn mount(&mut self, mount: &Mount, source: Option<OwnedFd>) -> Result<(), SandboxError> {
        let on = || SandboxError::on("mount on", &mount.target);
        check_target(&mount.target)?;
        let nodev = if self.step.security == Security::Insecure { NONE } else { NODEV };
        match (&mount.kind, source) {
            (MountKind::Bind { readonly, .. }, Some(source)) => {
                let set = if *readonly { RDONLY | nodev } else { nodev };
                change_attributes(&source, set, NONE, true).map_err(on())?;
                let found = fstat(&source).map_err(on())?;
                let directory = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
                let make = if directory { Make::Directory { uid: 0, gid: 0 } } else { Make::File };
                self.place(&source, &mount.target, make)
            }
            (MountKind::Bind { .. }, None) => Err(on()(Errno::INVAL)),
            (MountKind::Tmpfs { size }, _) => {
                let size = size.map(|size| size.to_string());
                let options: Vec<_> = size.iter().map(|size| ("size", size.as_str())).collect();
                let tmpfs = new_fs(c"tmpfs", &options, NOSUID | nodev).map_err(on())?;
                self.place(&tmpfs, &mount.target, Make::Directory { uid: 0, gid: 0 })
            }
            (MountKind::File { contents, mode, uid, gid }, _) => {
                let noexec = if mode & 0o111 == 0 { NOEXEC } else { NONE };
                self.file(&mount.target, contents, (*mode, *uid, *gid), noexec)
            }
        }
    }

    fn place(&mut self, mount: &OwnedFd, target: &str, make: Make) -> Result<(), SandboxError> {
        let (place, stubs) = self
            .root
            .open_or_make(target, make)
            .map_err(SandboxError::on("make the mount target", target))?;
        self.stubs.extend(stubs);
        attach(mount, place.as_fd()).map_err(SandboxError::on("mount on", target))
    }
}

/// The root itself and `/proc` are the sandbox's.
pub(super) fn check_target(target: &str) -> Result<(), SandboxError> {
    let mut parts: Vec<&str> = Vec::new();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    match parts.first() {
        None | Some(&"proc") => Err(SandboxError::Refused {
            action: "mount on",
            subject: target.to_owned(),
            reason: "it is the sandbox's own".to_owned(),
            hint: "choose another target: a step's root and `/proc` are not for mounts",
        }),
        Some(_) => Ok(()),
    }
}

/// Terminals of group 5 (tty), where the user namespace has such a group.
fn devpts() -> rustix::io::Result<OwnedFd> {
    let options = [("ptmxmode", "0666"), ("mode", "0620"), ("gid", "5")];
    match new_fs(c"devpts", &options, NOSUID | NOEXEC) {
        Err(Errno::INVAL) => new_fs(c"devpts", options.get(..2).unwrap_or_default(), NOSUID | NOEXEC),
        answer => answer,
    }
}

fn open(directory: impl AsFd, path: &CStr) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(directory, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}
