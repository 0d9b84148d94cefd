//! Who owns a file: as the kernel has it, or, with one uid only, as an extended attribute of the file says.
//!
//! Kept on the file itself, so that it moves with a rename, is copied up by the overlay and is still there when
//! the layer is read later. [`Owners`] is the one place that reads and writes it outside of running steps; every
//! [`Root`](super::Root), [`Tree`](super::Tree) and walk carries one. Symbolic links, pipes and sockets bear no
//! `user.*` attributes and stay root's.

use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, FileType, Gid, Mode, Stat, Uid, XattrFlags};
use rustix::io::{Errno, Result};
use thiserror::Error;

use super::walk::descriptor_path;

/// The attribute's name.
pub const OWNER_ATTRIBUTE: &str = "user.xx-build.owner";

/// An owner, and for a pretended device file which device it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// User id inside the image.
    pub uid: u32,
    /// Group id inside the image.
    pub gid: u32,
    /// A device file; the file itself is an empty regular one.
    pub device: Option<Device>,
}

/// A device number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// A block device rather than a character device.
    pub block: bool,
    /// Driver.
    pub major: u32,
    /// Which of its devices.
    pub minor: u32,
}

impl Owner {
    /// The text of the attribute: `uid:gid`, then `:c:major:minor` or `:b:major:minor` for a device.
    #[must_use]
    pub fn format(&self) -> String {
        let Self { uid, gid, device } = self;
        match device {
            None => format!("{uid}:{gid}"),
            Some(Device { block, major, minor }) => {
                format!("{uid}:{gid}:{}:{major}:{minor}", if *block { 'b' } else { 'c' })
            }
        }
    }

    /// Reads the attribute; `None` for what [`Owner::format`] never writes.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut fields = std::str::from_utf8(text).ok()?.split(':');
        let number = |fields: &mut std::str::Split<'_, char>| fields.next()?.parse::<u32>().ok();
        let (uid, gid) = (number(&mut fields)?, number(&mut fields)?);
        let device = match fields.next() {
            None => None,
            Some(kind @ ("b" | "c")) => {
                let (major, minor) = (number(&mut fields)?, number(&mut fields)?);
                // 0:0 would be the mark of a removed name.
                (kind == "b" || (major, minor) != (0, 0)).then_some(Device {
                    block: kind == "b",
                    major,
                    minor,
                })
            }
            Some(_) => return None,
        };
        fields.next().is_none().then_some(Self { uid, gid, device })
    }

    /// The file type that is shown, where it is not the real one.
    pub fn file_type(&self) -> Option<FileType> {
        self.device.map(|device| if device.block { FileType::BlockDevice } else { FileType::CharacterDevice })
    }
}

/// How the owners of files are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owners {
    /// By the kernel, in a directory of the user: nothing is noted there.
    Plain,
    /// By the kernel, in layers of root or of a user with a range of ids. A device file that this user cannot make is an
    /// empty file which says so in [`OWNER_ATTRIBUTE`]; owners in it mean nothing.
    Real,
    /// In [`OWNER_ATTRIBUTE`]: a user with one id. A file without it is root's.
    Pretended,
}

impl Owners {
    /// Metadata of a name itself, with the owner and kind that it is said to have.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn stat(self, directory: BorrowedFd<'_>, name: &OsStr) -> Result<Stat> {
        let mut stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let may_be_device = stat.st_size == 0 && FileType::from_raw_mode(stat.st_mode).is_file();
        let noted = match (self, FileType::from_raw_mode(stat.st_mode)) {
            (Self::Pretended, FileType::RegularFile | FileType::Directory) => noted(directory, name),
            (Self::Real, FileType::RegularFile) if may_be_device => noted(directory, name),
            // The others can bear no note.
            (
                Self::Plain | Self::Real | Self::Pretended,
                FileType::RegularFile
                | FileType::Directory
                | FileType::Symlink
                | FileType::Fifo
                | FileType::Socket
                | FileType::CharacterDevice
                | FileType::BlockDevice
                | FileType::Unknown,
            ) => None,
        };
        let owner = noted.unwrap_or(Owner { uid: 0, gid: 0, device: None });
        if self == Self::Pretended {
            (stat.st_uid, stat.st_gid) = (owner.uid, owner.gid);
        }
        if let (Some(kind), Some(device)) = (owner.file_type(), owner.device) {
            stat.st_mode = stat.st_mode & 0o7777 | kind.as_raw_mode();
            stat.st_rdev = rustix::fs::makedev(device.major, device.minor);
        }
        Ok(stat)
    }

    /// Sets user and group of a name itself.
    ///
    /// # Errors
    /// When the system call fails; [`NoId`] when there is no such user or group here.
    pub fn change(self, directory: BorrowedFd<'_>, name: &OsStr, (uid, gid): (u32, u32)) -> io::Result<()> {
        if self != Self::Pretended {
            return real((uid, gid), |uid, gid| {
                rustix::fs::chownat(directory, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
            });
        }
        let old = noted(directory, name);
        let new = Owner { uid, gid, device: old.and_then(|old| old.device) };
        if old.is_none() && (uid, gid) == (0, 0) { Ok(()) } else { Ok(note(directory, name, new)?) }
    }

    /// Sets user and group of a file that is open, and lies at `place`.
    ///
    /// # Errors
    /// As for [`Owners::change`].
    pub fn change_open(
        self,
        file: BorrowedFd<'_>,
        (directory, name): (BorrowedFd<'_>, &OsStr),
        owner: (u32, u32),
    ) -> io::Result<()> {
        match self {
            Self::Plain | Self::Real => {
                real(owner, |uid, gid| rustix::fs::fchown(file, Some(uid), Some(gid)))
            }
            Self::Pretended => self.change(directory, name, owner),
        }
    }

    /// Makes a device or pipe; `false` when it is a device that cannot be here: one that this user cannot make, in a
    /// directory of theirs, or 0:0, which overlayfs takes for the mark of a removed name.
    ///
    /// # Errors
    /// When the system call fails.
    pub fn make_special(
        self,
        directory: BorrowedFd<'_>,
        name: &OsStr,
        (kind, mode, number): (FileType, Mode, u64),
    ) -> Result<bool> {
        if kind == FileType::CharacterDevice && number == 0 {
            return Ok(false);
        }
        let is_device = matches!(kind, FileType::CharacterDevice | FileType::BlockDevice);
        if !(is_device && self == Self::Pretended) {
            match rustix::fs::mknodat(directory, name, kind, mode, number) {
                // An ordinary user makes no devices.
                Err(Errno::PERM) if is_device && self == Self::Plain => return Ok(false),
                Err(Errno::PERM) if is_device => {}
                answer => return answer.map(|()| true),
            }
        }
        rustix::fs::mknodat(directory, name, FileType::RegularFile, mode, 0)?;
        let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
        let device = Some(Device { block: kind == FileType::BlockDevice, major, minor });
        note(directory, name, Owner { uid: 0, gid: 0, device }).map(|()| true)
    }
}

/// An id that nobody has: the user namespace of the build does not reach that far, or it stands for none at all.
#[derive(Debug, Error)]
pub enum NoId {
    /// The namespace has fewer ids.
    #[error(
        "there is no {kind} id {id}: `/etc/sub{short}id` gives the user of this build {given} ids, {id} are needed"
    )]
    Unmapped {
        /// `user` or `group`.
        kind: &'static str,
        /// How the file is named after it.
        short: char,
        /// The id.
        id: u32,
        /// How many ids there are besides root's.
        given: u64,
    },
    /// The number that stands for no id.
    #[error("there is no id 4294967295: the number stands for none")]
    Nobody,
}

/// What to do about [`NoId`].
pub const MORE_IDS: &str = "as root, give the user at least as many ids, with a line `USER:100000:COUNT` in `/etc/subuid` and `/etc/subgid`; \
     or choose other owners, with `COPY --chown` or in the image";

/// Changes real owners with `change`, and says of an id that is not mapped which one.
fn real((uid, gid): (u32, u32), change: impl FnOnce(Uid, Gid) -> Result<()>) -> io::Result<()> {
    if uid == u32::MAX || gid == u32::MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, NoId::Nobody));
    }
    let Err(errno) = change(Uid::from_raw(uid), Gid::from_raw(gid)) else { return Ok(()) };
    if errno == Errno::INVAL {
        for (kind, short, id) in [("user", 'u', uid), ("group", 'g', gid)] {
            let map = std::fs::read_to_string(format!("/proc/self/{short}id_map")).unwrap_or_default();
            if let Some(given) = lacks(&map, id) {
                let unmapped = NoId::Unmapped { kind, short, id, given };
                return Err(io::Error::new(io::ErrorKind::InvalidInput, unmapped));
            }
        }
    }
    Err(errno.into())
}

/// When the map of a user namespace lacks an id, how many it has besides root's.
fn lacks(map: &str, id: u32) -> Option<u64> {
    let ranges = map.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map(|number| number.parse::<u64>().ok());
        let (first, _, count) = (numbers.next()??, numbers.next()??, numbers.next()??);
        Some((first, count))
    });
    let has = |(first, count): (u64, u64)| (first..first.saturating_add(count)).contains(&u64::from(id));
    let given = ranges.clone().map(|(first, count)| count - u64::from(first == 0 && count > 0)).sum();
    (!ranges.clone().any(has) && ranges.clone().next().is_some()).then_some(given)
}

fn noted(directory: BorrowedFd<'_>, name: &OsStr) -> Option<Owner> {
    let mut text = [0_u8; 64];
    let length =
        rustix::fs::lgetxattr(descriptor_path(directory, name), OWNER_ATTRIBUTE, &mut text[..]).ok()?;
    Owner::parse(text.get(..length)?)
}

fn note(directory: BorrowedFd<'_>, name: &OsStr, owner: Owner) -> Result<()> {
    let (path, text) = (descriptor_path(directory, name), owner.format());
    match rustix::fs::lsetxattr(path, OWNER_ATTRIBUTE, text.as_bytes(), XattrFlags::empty()) {
        // What can bear no attribute stays root's.
        Err(Errno::PERM | Errno::OPNOTSUPP) => Ok(()),
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_a_namespace_lacks() {
        let all = "         0          0 4294967295\n";
        let ranges = "         0       1000          1\n         1     100000      65536\n";
        for (map, id, expected) in [
            (all, 376_730, None),
            (ranges, 0, None),
            (ranges, 65_536, None),
            (ranges, 65_537, Some(65_536)),
            (ranges, 376_730, Some(65_536)),
            ("0 1000 1\n", 1, Some(0)),
            ("", 5, None),
        ] {
            assert_eq!(lacks(map, id), expected, "{map:?} {id}");
        }
        let place = tempfile::tempdir().expect("a directory");
        let directory = std::fs::File::open(place.path()).expect("a directory");
        let changed =
            Owners::Real.change(std::os::fd::AsFd::as_fd(&directory), OsStr::new("."), (0, u32::MAX));
        assert!(changed.expect_err("refused").to_string().contains("4294967295"));
    }

    /// What a user cannot make is noted in layers, and left out elsewhere.
    #[test]
    fn devices_by_note() {
        use std::os::fd::AsFd as _;
        let place = tempfile::tempdir().expect("a directory");
        let directory = std::fs::File::open(place.path()).expect("a directory");
        let device = (FileType::CharacterDevice, Mode::from_raw_mode(0o640), rustix::fs::makedev(1, 3));
        for owners in [Owners::Real, Owners::Pretended] {
            let name = format!("{owners:?}");
            let name = OsStr::new(&name);
            assert!(owners.make_special(directory.as_fd(), name, device).expect("made"));
            let stat = owners.stat(directory.as_fd(), name).expect("there");
            let found = (FileType::from_raw_mode(stat.st_mode), stat.st_rdev);
            assert_eq!(found, (FileType::CharacterDevice, device.2), "{owners:?}");
        }
        for owners in [Owners::Plain, Owners::Real, Owners::Pretended] {
            let mark = (FileType::CharacterDevice, Mode::empty(), 0);
            assert!(!owners.make_special(directory.as_fd(), OsStr::new("mark"), mark).expect("left out"));
        }
        // A note that no user's file could bear in earnest.
        std::fs::write(place.path().join("noted"), "").expect("a file");
        note(
            directory.as_fd(),
            OsStr::new("noted"),
            Owner { uid: 5, gid: 5, device: Some(Device { block: true, major: 8, minor: 1 }) },
        )
        .expect("noted");
        for (owners, expected) in
            [(Owners::Plain, FileType::RegularFile), (Owners::Real, FileType::BlockDevice)]
        {
            let stat = owners.stat(directory.as_fd(), OsStr::new("noted")).expect("there");
            assert_eq!(FileType::from_raw_mode(stat.st_mode), expected, "{owners:?}");
            assert_ne!(stat.st_uid, 5, "{owners:?}");
        }
    }

    #[test]
    fn text_and_back() {
        let device = |block, major, minor| Some(Device { block, major, minor });
        for (text, owner) in [
            ("33:34", Owner { uid: 33, gid: 34, device: None }),
            ("0:6:b:8:1", Owner { uid: 0, gid: 6, device: device(true, 8, 1) }),
            ("1:2:c:1:3", Owner { uid: 1, gid: 2, device: device(false, 1, 3) }),
        ] {
            assert_eq!(Owner::parse(text.as_bytes()), Some(owner));
            assert_eq!(owner.format(), text);
        }
        for text in ["0:0:c:0:0", "5:6:c:0:0"] {
            assert_eq!(Owner::parse(text.as_bytes()).map(|owner| owner.device), Some(None), "{text}");
        }
        for text in ["", "1", "1:", "a:b", "1:2:", "1:2:x:1:1", "1:2:c:1", "1:2:c:1:3:4", "-1:2", "\u{fc}"] {
            assert_eq!(Owner::parse(text.as_bytes()), None, "{text}");
        }
    }
}
