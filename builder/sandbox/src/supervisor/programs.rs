//! Programs that a step's process starts: with a set-id bit they run as who owns them is said to be.

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat};
use rustix::io::Result;

use super::creds::Creds;
use super::files::{at, recorded};
use super::process::{Place, Process};

/// The ids of the process once it has become the program at `address`. When the program cannot be started after
/// all, only what nobody uses after a failed exec is wrong.
pub(super) fn ids(
    process: &Process<'_>,
    creds: &Creds,
    (directory, address): (i32, u64),
    flags: i32,
) -> Creds {
    let follow = flags & libc::AT_SYMLINK_NOFOLLOW == 0;
    let Ok(place) = at(process, directory, address, follow, flags) else { return creds.clone() };
    let owner = owner(&place);
    process.leave(&place);
    match owner {
        Ok((user, group)) => creds.after_exec(user, group),
        Err(_) => creds.clone(),
    }
}

/// The user and group that the program's bits ask for.
fn owner(place: &Place) -> Result<(Option<u32>, Option<u32>)> {
    let found = statat(CWD, &place.path, AtFlags::empty())?;
    let mode = Mode::from_raw_mode(found.st_mode);
    let set_user = mode.contains(Mode::SUID);
    let set_group = mode.contains(Mode::SGID | Mode::XGRP);
    if !(set_user || set_group) || FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return Ok((None, None));
    }
    let file = openat(CWD, &place.path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    let mut start = [0; 2];
    if rustix::io::read(&file, &mut start)? == 2 && &start == b"#!" {
        // The kernel heeds no such bit of a script.
        return Ok((None, None));
    }
    let (uid, gid) = recorded(place).map_or((0, 0), |owner| (owner.uid, owner.gid));
    Ok((set_user.then_some(uid), set_group.then_some(gid)))
}
