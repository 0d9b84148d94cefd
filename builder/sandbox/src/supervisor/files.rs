//! Owners of files: changed, shown, and devices that are only said to be there.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;

use rustix::fs::{AtFlags, CWD, FileType, Mode, XattrFlags, mknodat, statat};
use rustix::fs::{getxattr, lgetxattr, lsetxattr, setxattr};
use rustix::io::{Errno, Result};

use super::calls::Call;
use super::create;
use super::creds::{CHOWN, Creds};
use super::process::{Place, Process};
use super::{Reply, word};
use crate::mountapi::last_error;
use xx_build_rootfs::{Device, OWNER_ATTRIBUTE, Owner};

/// "Leave it as it is".
const KEEP: u32 = u32::MAX;

/// What `creat` opens with.
#[cfg(target_arch = "x86_64")]
const CREAT: u32 = (libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC).cast_unsigned();

pub(super) fn answer(call: Call, args: [u64; 6], process: &Process<'_>, creds: &Creds) -> Result<Reply> {
    let [a, b, c, d, e, _] = args;
    let flags = |argument: u64| word(argument).cast_signed();
    let follows = |argument: u64| flags(argument) & libc::AT_SYMLINK_NOFOLLOW == 0;
    let descriptor = |argument: u64| word(argument).cast_signed();
    match call {
        Call::Fchown => {
            with(process.open_file(descriptor(a))?, process, |place| chown(place, word(b), word(c), creds))
        }
        Call::Fchownat => {
            let place = at(process, descriptor(a), b, follows(e), flags(e))?;
            with(place, process, |place| chown(place, word(c), word(d), creds))
        }
        Call::Mknodat => {
            let device = (word(c), word(d));
            make_device(process, descriptor(a), b, device)
        }
        Call::Fstat => with(process.open_file(descriptor(a))?, process, |place| stat(process, place, b)),
        Call::Newfstatat => {
            let place = at(process, descriptor(a), b, follows(d), flags(d))?;
            with(place, process, |place| stat(process, place, c))
        }
        Call::Statx => {
            let place = at(process, descriptor(a), b, follows(c), flags(c))?;
            with(place, process, |place| statx(process, place, word(d), e))
        }
        Call::Mkdirat => create::directory(process, creds, (descriptor(a), b), word(c)),
        Call::Openat => create::open(process, creds, (descriptor(a), b), (word(c), word(d))),
        Call::Openat2 => create::open_how(process, creds, (descriptor(a), b), c),
        #[cfg(target_arch = "x86_64")]
        Call::Mkdir => create::directory(process, creds, (libc::AT_FDCWD, a), word(b)),
        #[cfg(target_arch = "x86_64")]
        Call::Open => create::open(process, creds, (libc::AT_FDCWD, a), (word(b), word(c))),
        #[cfg(target_arch = "x86_64")]
        Call::Creat => create::open(process, creds, (libc::AT_FDCWD, a), (CREAT, word(b))),
        #[cfg(target_arch = "x86_64")]
        Call::Chown | Call::Lchown => {
            let place = at(process, libc::AT_FDCWD, a, call == Call::Chown, 0)?;
            with(place, process, |place| chown(place, word(b), word(c), creds))
        }
        #[cfg(target_arch = "x86_64")]
        Call::Mknod => make_device(process, libc::AT_FDCWD, a, (word(b), word(c))),
        #[cfg(target_arch = "x86_64")]
        Call::Stat | Call::Lstat => {
            let place = at(process, libc::AT_FDCWD, a, call == Call::Stat, 0)?;
            with(place, process, |place| stat(process, place, b))
        }
        _ => Ok(Reply::Continue),
    }
}

/// Resolves the path argument at `address`, which may be empty for the descriptor itself.
pub(super) fn at(
    process: &Process<'_>,
    directory: i32,
    address: u64,
    follow: bool,
    flags: i32,
) -> Result<Place> {
    let path = if address == 0 { CString::default() } else { process.string(address)? };
    if let Some(number) = own_file(&path).filter(|_| follow) {
        process.open_file(number)
    } else if !path.is_empty() {
        process.place(directory, path, follow)
    } else if flags & libc::AT_EMPTY_PATH == 0 {
        Err(Errno::NOENT)
    } else if directory == libc::AT_FDCWD {
        process.place(directory, c".".to_owned(), follow)
    } else {
        process.open_file(directory)
    }
}

/// The descriptor that a path names by way of `/proc/self`, which means the caller and not this thread.
fn own_file(path: &CStr) -> Option<i32> {
    let path = path.to_str().ok()?;
    let number = ["/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/"]
        .iter()
        .find_map(|prefix| path.strip_prefix(prefix));
    match path {
        "/dev/stdin" => Some(0),
        "/dev/stdout" => Some(1),
        "/dev/stderr" => Some(2),
        _ => number?.parse().ok(),
    }
}

pub(super) fn with(
    place: Place,
    process: &Process<'_>,
    act: impl FnOnce(&Place) -> Result<Reply>,
) -> Result<Reply> {
    let answer = act(&place);
    process.leave(&place);
    answer
}

/// The recorded owner.
pub(super) fn recorded(place: &Place) -> Option<Owner> {
    let mut buffer = [MaybeUninit::uninit(); 64];
    let path = place.path.as_c_str();
    let found = if place.follow {
        getxattr(path, OWNER_ATTRIBUTE, &mut buffer)
    } else {
        lgetxattr(path, OWNER_ATTRIBUTE, &mut buffer)
    };
    let (text, _) = found.ok()?;
    Owner::parse(text)
}

pub(super) fn record(place: &Place, owner: Owner) -> Result<()> {
    let (path, text) = (place.path.as_c_str(), owner.format());
    let flags = XattrFlags::empty();
    let done = if place.follow {
        setxattr(path, OWNER_ATTRIBUTE, text.as_bytes(), flags)
    } else {
        lsetxattr(path, OWNER_ATTRIBUTE, text.as_bytes(), flags)
    };
    match done {
        // What can bear no attribute (links, pipes, terminals) stays root's.
        Err(Errno::PERM | Errno::OPNOTSUPP) => Ok(()),
        answer => answer,
    }
}

fn chown(place: &Place, uid: u32, gid: u32, creds: &Creds) -> Result<Reply> {
    let flags = if place.follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
    let found = statat(CWD, place.path.as_c_str(), flags)?;
    let old = recorded(place).unwrap_or(Owner { uid: 0, gid: 0, device: None });
    let or = |new, old| if new == KEEP { old } else { new };
    let new = Owner { uid: or(uid, old.uid), gid: or(gid, old.gid), device: old.device };
    let own = old.uid == creds.user.file_system;
    let may_group =
        new.gid == old.gid || new.gid == creds.group.file_system || creds.groups.contains(&new.gid);
    if !(creds.may(CHOWN) || own && new.uid == old.uid && may_group) {
        return Err(Errno::PERM);
    }
    let kind = FileType::from_raw_mode(found.st_mode);
    // A device of the machine, shown read-only, can bear no note either.
    if new != old && !kind.is_char_device() && !kind.is_block_device() {
        record(place, new)?;
    }
    Ok(Reply::Value(0))
}

/// A device becomes an empty file that is said to be one; everything else the kernel makes itself.
fn make_device(
    process: &Process<'_>,
    directory: i32,
    address: u64,
    (mode, number): (u32, u32),
) -> Result<Reply> {
    let block = match FileType::from_raw_mode(mode) {
        FileType::BlockDevice => true,
        // An overlay whiteout is 0:0, which the kernel lets everybody make.
        FileType::CharacterDevice if number != 0 => false,
        FileType::CharacterDevice
        | FileType::RegularFile
        | FileType::Directory
        | FileType::Symlink
        | FileType::Fifo
        | FileType::Socket
        | FileType::Unknown => return Ok(Reply::Continue),
    };
    // The kernel's 32-bit encoding of a device number.
    let (major, minor) = ((number >> 8) & 0xfff, (number & 0xff) | ((number >> 12) & 0xf_ff00));
    let place = at(process, directory, address, false, 0)?;
    with(place, process, |place| {
        let permissions = Mode::from_raw_mode(mode & 0o755);
        mknodat(CWD, place.path.as_c_str(), FileType::RegularFile, permissions, 0)?;
        record(place, Owner { uid: 0, gid: 0, device: Some(Device { block, major, minor }) })?;
        Ok(Reply::Value(0))
    })
}

fn stat(process: &Process<'_>, place: &Place, address: u64) -> Result<Reply> {
    let owner = recorded(place);
    if owner.is_none() && !process.mapped {
        return Ok(Reply::Continue);
    }
    let flags = if place.follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
    #[expect(unsafe_code, reason = "the kernel's own layout of the answer is wanted")]
    // SAFETY: the path is NUL-terminated; `found` is plain data that the kernel fills completely, and for which
    // zeroes are a valid value. On these architectures libc's layout is the kernel's.
    let found = unsafe {
        let mut found = std::mem::zeroed::<libc::stat>();
        let answer =
            libc::syscall(libc::SYS_newfstatat, libc::AT_FDCWD, place.path.as_ptr(), &raw mut found, flags);
        if answer == 0 { Ok(found) } else { Err(last_error()) }
    };
    // What only the process can see, its own entry in `/proc` say, the kernel tells it.
    let Ok(mut found) = found else { return Ok(Reply::Continue) };
    if let Some(owner) = owner {
        (found.st_uid, found.st_gid) = (owner.uid, owner.gid);
    }
    if let Some((kind, device)) = owner.and_then(|owner| Some((owner.file_type()?, owner.device?))) {
        found.st_mode = found.st_mode & !libc::S_IFMT | kind.as_raw_mode();
        found.st_rdev = libc::makedev(device.major, device.minor);
    }
    write_struct(process, address, &found)
}

fn statx(process: &Process<'_>, place: &Place, mask: u32, address: u64) -> Result<Reply> {
    let owner = recorded(place);
    if owner.is_none() && !process.mapped {
        return Ok(Reply::Continue);
    }
    let flags = if place.follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
    #[expect(unsafe_code, reason = "the kernel's own layout of the answer is wanted")]
    // SAFETY: the path is NUL-terminated; `found` is plain data that the kernel fills, and for which zeroes are a
    // valid value.
    let found = unsafe {
        let mut found = std::mem::zeroed::<libc::statx>();
        let answer =
            libc::syscall(libc::SYS_statx, libc::AT_FDCWD, place.path.as_ptr(), flags, mask, &raw mut found);
        if answer == 0 { Ok(found) } else { Err(last_error()) }
    };
    let Ok(mut found) = found else { return Ok(Reply::Continue) };
    if let Some(owner) = owner {
        (found.stx_uid, found.stx_gid) = (owner.uid, owner.gid);
    }
    if let Some((kind, device)) = owner.and_then(|owner| Some((owner.file_type()?, owner.device?))) {
        let kind = u16::try_from(kind.as_raw_mode()).unwrap_or_default();
        found.stx_mode = found.stx_mode & 0o7777 | kind;
        (found.stx_rdev_major, found.stx_rdev_minor) = (device.major, device.minor);
    }
    write_struct(process, address, &found)
}

/// Only for the kernel's structs, which have no padding that was not zeroed.
fn write_struct<T>(process: &Process<'_>, address: u64, value: &T) -> Result<Reply> {
    #[expect(unsafe_code, reason = "the bytes of a struct of the kernel's interface")]
    // SAFETY: `value` is live for the slice's life, and both callers have zeroed it before the kernel filled it,
    // so every byte is initialised.
    let bytes = unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast::<u8>(), size_of::<T>()) };
    process.write(address, bytes)?;
    Ok(Reply::Value(0))
}
