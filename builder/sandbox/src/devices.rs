//! The device files of a step: nodes of its own, never the machine's.
//!
//! A bind mount of `/dev/null` is the machine's own inode, so root in a step would change its mode and owner for
//! everybody. Nodes are made in the file system in memory that a step's files come from, and shown by mounts of single
//! files: the `/dev` around them opens no device, so a step cannot make another one there.
//! Inside a user namespace the kernel lets nobody make a node. There the machine's own is shown read-only: that changes
//! nothing about reading from it and writing to it, and keeps the inode as it is whoever owns it.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, chmodat, makedev, mknodat, openat};
use rustix::io::{Errno, Result};
use rustix::mount::MountAttrFlags;

use super::mountapi::{change_attributes, clone_tree};

/// A character device that anybody may read and write.
#[derive(Debug)]
pub(super) struct Device {
    /// Its name in `/dev`.
    pub(super) name: &'static CStr,
    /// Where the machine has it.
    machine: &'static CStr,
    /// Major and minor number, of the kernel's `Documentation/admin-guide/devices.txt`.
    number: (u32, u32),
}

const fn device(name: &'static CStr, machine: &'static CStr, number: (u32, u32)) -> Device {
    Device { name, machine, number }
}

/// Reads as the end of a file.
pub(super) const NULL: Device = device(c"null", c"/dev/null", (1, 3));

/// Every device of a step; those of the OCI runtime specification but `console`, which there is none of.
pub(super) const ALL: &[Device] = &[
    NULL,
    device(c"zero", c"/dev/zero", (1, 5)),
    device(c"full", c"/dev/full", (1, 7)),
    device(c"random", c"/dev/random", (1, 8)),
    device(c"urandom", c"/dev/urandom", (1, 9)),
    device(c"tty", c"/dev/tty", (5, 0)),
];

/// Makes the device under `name` in `memory`, a file system in memory that is attached and lets devices be opened;
/// gives a detached mount of it.
pub(super) fn node(memory: BorrowedFd<'_>, name: &CStr, device: &Device) -> Result<OwnedFd> {
    let (major, minor) = device.number;
    let mode = Mode::from_raw_mode(0o666);
    match mknodat(memory, name, FileType::CharacterDevice, mode, makedev(major, minor)) {
        // In a user namespace; in a container that may not make nodes, too.
        Err(Errno::PERM) => {
            let machines = clone_tree(open(CWD, device.machine)?, false)?;
            let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NOSUID;
            change_attributes(&machines, attributes, MountAttrFlags::empty(), false)?;
            Ok(machines)
        }
        made => {
            made?;
            // Whatever the umask.
            chmodat(memory, name, mode, AtFlags::empty())?;
            clone_tree(open(memory, name)?, false)
        }
    }
}

fn open(directory: impl AsFd, path: &CStr) -> Result<OwnedFd> {
    openat(directory, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}
