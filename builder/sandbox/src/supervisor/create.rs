//! New files and directories belong to whom their maker is said to be.
//!
//! The kernel makes every file as the one real user. Where that is not who the maker believes to be, the
//! supervisor makes the file itself, notes the owner on it, and hands the open file over; everything else, a file
//! that is there already or an error, is left to the kernel. Not here: symbolic links, pipes and sockets, which
//! can bear no note.

use std::ffi::{CStr, CString};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, statat};
use rustix::io::{Errno, Result};

use super::creds::Creds;
use super::files::{at, record, recorded, with};
use super::process::{Place, Process};
use super::{Reply, note_owner, word};
use xx_build_rootfs::Owner;

/// `open`, `openat` and `creat` with flags that may make a file.
pub(super) fn open(
    process: &Process<'_>,
    creds: &Creds,
    (directory, address): (i32, u64),
    (flags, mode): (u32, u32),
) -> Result<Reply> {
    let flags = OFlags::from_bits_retain(flags);
    if flags.contains(OFlags::PATH) {
        return Ok(Reply::Continue);
    }
    let temporary = flags.contains(OFlags::TMPFILE);
    let place = at(process, directory, address, temporary, 0)?;
    with(place, process, |place| {
        let within = if temporary { place.path.clone() } else { parent(&place.path) };
        let Some(owner) = owner(&within, creds)? else { return Ok(Reply::Continue) };
        let mode = Mode::from_raw_mode(mode & 0o7777 & !process.umask()?);
        let alone = if temporary { OFlags::empty() } else { OFlags::EXCL };
        // Exclusively, so that it neither waits for a pipe's other end nor follows a link.
        match openat(CWD, &place.path, flags | alone | OFlags::CLOEXEC | OFlags::NOCTTY, mode) {
            Ok(file) => {
                note_owner(&file, owner.uid, owner.gid)?;
                Ok(Reply::File { file, close_on_exec: flags.contains(OFlags::CLOEXEC) })
            }
            Err(_) => Ok(Reply::Continue),
        }
    })
}

/// `openat2`, whose arguments lie in a `struct open_how` of flags, mode and rules for the path.
pub(super) fn open_how(
    process: &Process<'_>,
    creds: &Creds,
    place: (i32, u64),
    address: u64,
) -> Result<Reply> {
    let mut how = [0; 24];
    process.read(address, &mut how)?;
    let ([flags, mode, rules], _) = how.as_chunks::<8>() else { return Err(Errno::INVAL) };
    let flags = word(u64::from_ne_bytes(*flags));
    let makes = OFlags::from_bits_retain(flags).intersects(OFlags::CREATE | OFlags::TMPFILE);
    if !makes || u64::from_ne_bytes(*rules) != 0 {
        return Ok(Reply::Continue);
    }
    open(process, creds, place, (flags, word(u64::from_ne_bytes(*mode))))
}

/// `mkdir` and `mkdirat`.
pub(super) fn directory(
    process: &Process<'_>,
    creds: &Creds,
    (directory, address): (i32, u64),
    mode: u32,
) -> Result<Reply> {
    let place = at(process, directory, address, false, 0)?;
    with(place, process, |place| {
        let Some(owner) = owner(&parent(&place.path), creds)? else { return Ok(Reply::Continue) };
        mkdirat(CWD, &place.path, Mode::from_raw_mode(mode & 0o1777 & !process.umask()?))?;
        record(place, owner)?;
        Ok(Reply::Value(0))
    })
}

/// Whose a new name in the directory `within` is; `None` for root's, which need no note.
fn owner(within: &CStr, creds: &Creds) -> Result<Option<Owner>> {
    let found = statat(CWD, within, AtFlags::empty())?;
    let gid = if Mode::from_raw_mode(found.st_mode).contains(Mode::SGID) {
        recorded(&Place::here(within.to_owned())).map_or(0, |owner| owner.gid)
    } else {
        creds.group.file_system
    };
    let uid = creds.user.file_system;
    Ok(((uid, gid) != (0, 0)).then_some(Owner { uid, gid, device: None }))
}

/// The directory part of a path.
fn parent(path: &CStr) -> CString {
    let bytes = path.to_bytes();
    let end = bytes.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let name = bytes.iter().take(end).rposition(|byte| *byte == b'/');
    let directory = match name {
        None => b".".as_slice(),
        Some(slash) => bytes.get(..=slash).unwrap_or_default(),
    };
    CString::new(directory).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents() {
        for (path, expected) in
            [("a", "."), ("a/", "."), ("/a", "/"), ("/a/b", "/a/"), ("a/b//", "a/"), ("../a", "../")]
        {
            assert_eq!(parent(&CString::new(path).unwrap()).to_str(), Ok(expected), "{path}");
        }
    }
}
