//! Metadata of a file that is written: owner, mode, extended attributes and time, set in one place.

use std::ffi::OsStr;
use std::io::Result;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, Mode, XattrFlags};
use rustix::io::Errno;

use super::walk::{Xattrs, descriptor_path};
use super::{Owners, set_time};

/// What a name is to have besides its content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// User and group.
    pub owner: (u32, u32),
    /// Permission bits; `None` for a link, which has none, or when they are right already.
    pub mode: Option<u32>,
    /// Modification time in nanoseconds since 1970; `None` leaves it.
    pub time: Option<i64>,
    /// Extended attributes.
    pub xattrs: Xattrs,
}

impl Metadata {
    /// Sets all of it, in the order in which none undoes another: a change of owner clears setuid bits and file
    /// capabilities, and every change but the last one moves the time.
    ///
    /// # Errors
    /// When a system call fails. Attributes that this file system or this user cannot write are left out, as
    /// BuildKit does.
    pub fn apply(&self, owners: Owners, directory: BorrowedFd<'_>, name: &OsStr) -> Result<()> {
        owners.change(directory, name, self.owner)?;
        if let Some(mode) = self.mode {
            let mode = Mode::from_raw_mode(mode & 0o7777);
            rustix::fs::chmodat(directory, name, mode, AtFlags::empty())?;
        }
        for (key, value) in &self.xattrs {
            let path = descriptor_path(directory, name);
            match rustix::fs::lsetxattr(&path, OsStr::from_bytes(key), value, XattrFlags::empty()) {
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::PERM) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        self.time.map_or(Ok(()), |time| Ok(set_time(directory, name, time)?))
    }

    /// As [`Metadata::apply`], to a file that is open and has the given place.
    ///
    /// # Errors
    /// As for [`Metadata::apply`].
    pub fn apply_to_open(
        &self,
        owners: Owners,
        file: BorrowedFd<'_>,
        (directory, name): (BorrowedFd<'_>, &OsStr),
    ) -> Result<()> {
        owners.change_open(file, (directory, name), self.owner)?;
        if let Some(mode) = self.mode {
            rustix::fs::fchmod(file, Mode::from_raw_mode(mode & 0o7777))?;
        }
        for (key, value) in &self.xattrs {
            match rustix::fs::fsetxattr(file, OsStr::from_bytes(key), value, XattrFlags::empty()) {
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::PERM) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        self.time.map_or(Ok(()), |time| Ok(rustix::fs::futimens(file, &super::timestamps(time))?))
    }
}
