//! The kernel's mount interface by file descriptor, as far as the sandbox uses it.
//!
//! Everything here works on descriptors: a mount is made or cloned detached, gets its attributes, and is
//! attached to an already resolved directory. No path is walked twice.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::{Errno, Result};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

/// Makes a new file system with `options` and a detached mount of it.
pub(super) fn new_fs(kind: &CStr, options: &[(&str, &str)], attributes: MountAttrFlags) -> Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        fsconfig_set_string(&context, *key, *value)?;
    }
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// Clones the mount at `source` detached, with everything mounted below it when `recursive`.
pub(super) fn clone_tree(source: impl AsFd, recursive: bool) -> Result<OwnedFd> {
    let mut flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(source, c"", flags)
}

/// Adds and removes attributes of a mount, of all below it too when `recursive`.
pub(super) fn change_attributes(
    mount: impl AsFd,
    set: MountAttrFlags,
    clear: MountAttrFlags,
    recursive: bool,
) -> Result<()> {
    let attributes = libc::mount_attr {
        attr_set: u64::from(set.bits()),
        attr_clr: u64::from(clear.bits()),
        propagation: 0,
        userns_fd: 0,
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    let path: &CStr = c"";
    #[expect(unsafe_code, reason = "mount_setattr(2) has no safe wrapper in rustix")]
    // SAFETY: the descriptor is open for the call's duration, the path is NUL-terminated and `attributes` is a
    // live `mount_attr` whose size is passed along; the kernel only reads them.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if answer == 0 { Ok(()) } else { Err(last_error()) }
}

/// How often a path is walked again before the kernel's "try again" counts as an error.
const TRIES: usize = 1000;

/// Opens a path with `openat2`. The kernel answers "try again" when a mount or a rename anywhere on the machine came
/// between the steps of a walk with `..` in it: that is no fault of the path, so it is walked again.
pub(super) fn open_resolved<P: rustix::path::Arg + Copy>(
    directory: impl AsFd,
    path: P,
    flags: OFlags,
    resolve: ResolveFlags,
) -> Result<OwnedFd> {
    let open = || openat2(directory.as_fd(), path, flags | OFlags::CLOEXEC, Mode::empty(), resolve);
    (1..TRIES).map(|_| open()).find(|answer| !matches!(answer, Err(Errno::AGAIN))).unwrap_or_else(open)
}

/// Attaches a detached mount on top of `target`.
pub(super) fn attach(mount: impl AsFd, target: BorrowedFd<'_>) -> Result<()> {
    move_mount(
        mount,
        c"",
        target,
        c"",
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH,
    )
}

/// Attaches a detached mount on top of `name` in `directory`, where no link is.
pub(super) fn attach_at(mount: impl AsFd, directory: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    move_mount(mount, c"", directory, name, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// The error of the libc call that just failed.
pub(super) fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_path_is_walked_again_when_names_move_meanwhile() {
        let folder = std::env::temp_dir().join(format!("open-resolved-{}", std::process::id()));
        for name in ["one/deep", "two"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        let root = File::open(&folder).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    fs::rename(folder.join("two"), folder.join("one/moved")).unwrap();
                    fs::rename(folder.join("one/moved"), folder.join("two")).unwrap();
                }
            });
            let path = "one/../one/deep/../../one/deep/..";
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            let failed =
                (0..20_000).find_map(|_| open_resolved(&root, path, flags, ResolveFlags::IN_ROOT).err());
            done.store(true, Ordering::Relaxed);
            assert_eq!(failed, None);
        });
        fs::remove_dir_all(&folder).unwrap();
    }
}
