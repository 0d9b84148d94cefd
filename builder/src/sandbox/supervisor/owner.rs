//! The owner that a file is said to have, as an extended attribute of the file.
//!
//! Kept on the file itself, so that it moves with a rename, is copied up by the overlay and is still there when
//! the layer is read later: whoever writes a layer made with one uid asks [`Owner::parse`] for each file.
//! Symbolic links and special files bear no `user.*` attributes and stay root's.

use rustix::fs::FileType;

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
                Some(Device { block: kind == "b", major: number(&mut fields)?, minor: number(&mut fields)? })
            }
            Some(_) => return None,
        };
        fields.next().is_none().then_some(Self { uid, gid, device })
    }

    /// The file type that is shown, where it is not the real one.
    pub(super) fn file_type(&self) -> Option<FileType> {
        self.device.map(|device| if device.block { FileType::BlockDevice } else { FileType::CharacterDevice })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for text in ["", "1", "1:", "a:b", "1:2:", "1:2:x:1:1", "1:2:c:1", "1:2:c:1:3:4", "-1:2", "\u{fc}"] {
            assert_eq!(Owner::parse(text.as_bytes()), None, "{text}");
        }
    }
}
