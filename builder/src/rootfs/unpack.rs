//! Unpacks tar archives into a root.
//!
//! Names in an archive are untrusted: `..` is refused, links are walked inside the root, and nothing is
//! ever written through a link that the archive itself made (every write replaces a name in an opened
//! directory).

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, XattrFlags};
use rustix::io::Errno;

use super::walk::{descriptor_path, is_kept};
use super::{LONGEST_PATH, Metadata, NewDirectories, Root, RootError, remove_all, set_time};

/// How an archive is unpacked.
#[derive(Debug, Clone, Copy)]
pub struct UnpackOptions {
    /// Whether it is an image layer: `.wh.` names remove files of the layers below, and are written in
    /// overlayfs form.
    pub whiteouts: bool,
    /// User and group of everything; as in the archive when `None`.
    pub owner: Option<(u32, u32)>,
}

/// The content of a stream that may be compressed with gzip, zstd, bzip2 or xz.
///
/// # Errors
/// When the stream cannot be read.
pub fn decompressed<'a>(stream: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut stream = BufReader::with_capacity(128 * 1024, stream);
    let start = stream.fill_buf()?;
    if start.starts_with(&[0x1f, 0x8b]) {
        Ok(Box::new(flate2::bufread::MultiGzDecoder::new(stream)))
    } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Ok(Box::new(zstd::stream::read::Decoder::with_buffer(stream)?))
    } else if start.starts_with(b"BZh") {
        Ok(Box::new(bzip2::bufread::MultiBzDecoder::new(stream)))
    } else if start.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
        Ok(Box::new(lzma_rust2::XzReader::new(stream, true)))
    } else {
        Ok(Box::new(stream))
    }
}

/// Whether a stream is a tar archive, compressed or not: its first header must be a valid one.
#[must_use]
pub fn is_archive(stream: impl Read) -> bool {
    let Ok(stream) = decompressed(stream) else { return false };
    let mut archive = tar::Archive::new(stream);
    archive.entries().is_ok_and(|mut entries| matches!(entries.next(), Some(Ok(_))))
}

/// Unpacks the uncompressed tar `archive` into `root`.
///
/// # Errors
/// When the archive is malformed or hostile, or a file cannot be written.
pub fn unpack(archive: impl Read, root: Root<'_>, options: &UnpackOptions) -> Result<(), RootError> {
    let left = Cell::new(HEADERS);
    let mut archive = tar::Archive::new(Metered { from: archive, left: &left });
    let broken = |error| RootError::new("cannot read the archive at", "", error);
    let mut unpacker = Unpacker { root, options, directory_times: vec![], parent: None };
    let mut entries = archive.entries().map_err(broken)?;
    loop {
        left.set(HEADERS);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(broken)?;
        left.set(u64::MAX);
        unpacker.entry(&mut entry)?;
        // Whatever content an entry has that needs none is not a header of the next one.
        io::copy(&mut entry, &mut io::sink()).map_err(broken)?;
    }
    unpacker.finish()
}

/// What the headers of one entry take at the most, long names and attributes included: they are held in memory.
const HEADERS: u64 = 4 << 20;

/// A stream of which only so much can be read before more is granted.
struct Metered<'a, R> {
    from: R,
    left: &'a Cell<u64>,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        let left = self.left.get().checked_sub(count as u64);
        self.left.set(left.ok_or_else(|| io::Error::other("an entry has headers of more than 4 MiB"))?);
        Ok(count)
    }
}

struct Unpacker<'a> {
    root: Root<'a>,
    options: &'a UnpackOptions,
    /// Times of directories, set when nothing is written into them any more.
    directory_times: Vec<(PathBuf, i64)>,
    /// The directory that the last entry went to: archives are mostly in order.
    parent: Option<(PathBuf, OwnedFd)>,
}

/// Devices and pipes, as tar and as the system name them.
const SPECIAL: [(tar::EntryType, FileType); 3] = [
    (tar::EntryType::Char, FileType::CharacterDevice),
    (tar::EntryType::Block, FileType::BlockDevice),
    (tar::EntryType::Fifo, FileType::Fifo),
];

const NEW_DIRECTORIES: NewDirectories = NewDirectories { mode: 0o755, owner: (0, 0), time: None };

impl Unpacker<'_> {
    fn entry(&mut self, entry: &mut tar::Entry<'_, impl Read>) -> Result<(), RootError> {
        let raw = OsStr::from_bytes(&entry.path_bytes()).to_owned();
        if raw.len() > LONGEST_PATH {
            return Err(RootError::new("cannot unpack", &raw, Errno::NAMETOOLONG));
        }
        let path = inside(Path::new(&raw))?;
        let fail = |error: io::Error| RootError::new("cannot unpack", &path, error);
        let kind = entry.header().entry_type();
        if kind.is_pax_global_extensions() {
            return Ok(());
        }
        let header = header(entry, self.options).map_err(fail)?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            // An archive says nothing of the directory that it is unpacked into; a layer does.
            let counts = kind.is_dir() && self.options.whiteouts;
            return if counts { self.root_metadata(header) } else { Ok(()) };
        };
        let directory = self.enter(parent)?;
        if self.options.whiteouts && name.as_bytes().starts_with(b".wh.") {
            return whiteout(directory.as_fd(), name).map_err(|errno| fail(errno.into()));
        }
        self.write(entry, directory.as_fd(), name, &path, header)?;
        self.parent = Some((parent.to_owned(), directory));
        Ok(())
    }

    fn enter(&mut self, parent: &Path) -> Result<OwnedFd, RootError> {
        match self.parent.take() {
            Some((path, fd)) if path == parent => Ok(fd),
            _ => self.root.create_directories(parent, NEW_DIRECTORIES),
        }
    }

    fn root_metadata(&mut self, header: Metadata) -> Result<(), RootError> {
        let directory = self.root.open_directory(Path::new(""))?;
        self.directory_times.extend(header.time.map(|time| (PathBuf::new(), time)));
        header
            .apply(self.root.owners(), directory.as_fd(), OsStr::new("."))
            .map_err(|errno| RootError::new("cannot write", "/", errno))
    }

    fn write(
        &mut self,
        entry: &mut tar::Entry<'_, impl Read>,
        directory: BorrowedFd<'_>,
        name: &OsStr,
        path: &Path,
        mut header: Metadata,
    ) -> Result<(), RootError> {
        let fail = |error: io::Error| RootError::new("cannot unpack", path, error);
        let kind = entry.header().entry_type();
        let existing = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok();
        let existing = existing.map(|stat| FileType::from_raw_mode(stat.st_mode));
        if existing.is_some() && !(kind.is_dir() && existing.is_some_and(FileType::is_dir)) {
            remove_all(directory, name)?;
        }
        let mode = Mode::from_raw_mode(header.mode.unwrap_or_default() & 0o777);
        let special = SPECIAL.iter().find(|(of_tar, _)| *of_tar == kind).map(|(_, of_system)| *of_system);
        if kind.is_dir() {
            if !existing.is_some_and(FileType::is_dir) {
                rustix::fs::mkdirat(directory, name, mode).map_err(|errno| fail(errno.into()))?;
            }
            self.directory_times.extend(header.time.map(|time| (path.to_owned(), time)));
        } else if kind.is_file() || kind == tar::EntryType::Continuous || kind == tar::EntryType::GNUSparse {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fd = rustix::fs::openat(directory, name, flags, mode).map_err(|errno| fail(errno.into()))?;
            let expected = entry.size();
            let written = io::copy(entry, &mut File::from(fd)).map_err(fail)?;
            if written != expected {
                return Err(fail(io::ErrorKind::UnexpectedEof.into()));
            }
        } else if kind.is_symlink() {
            let target = entry.link_name_bytes().unwrap_or_default();
            rustix::fs::symlinkat(OsStr::from_bytes(&target), directory, name)
                .map_err(|errno| fail(errno.into()))?;
            header.mode = None;
        } else if kind.is_hard_link() {
            return self.hard_link(entry, directory, name, path);
        } else if let Some(special) = special {
            let what = (special, mode, device(entry.header()));
            let made = self.root.owners().make_special(directory, name, what);
            if !made.map_err(|errno| fail(errno.into()))? {
                return Ok(());
            }
        } else {
            return Err(fail(io::Error::other("an entry of an unknown kind")));
        }
        header.apply(self.root.owners(), directory, name).map_err(|errno| fail(errno.into()))
    }

    fn hard_link(
        &self,
        entry: &tar::Entry<'_, impl Read>,
        directory: BorrowedFd<'_>,
        name: &OsStr,
        path: &Path,
    ) -> Result<(), RootError> {
        let target = entry.link_name_bytes().unwrap_or_default();
        let target = inside(Path::new(OsStr::from_bytes(&target)))?;
        let first = self.root.locate(&target, false)?;
        rustix::fs::linkat(&first.directory, &first.name, directory, name, AtFlags::empty())
            .map_err(|errno| RootError::new("cannot link", path, errno))
    }

    fn finish(self) -> Result<(), RootError> {
        let last: HashMap<&Path, i64> =
            self.directory_times.iter().map(|(path, time)| (path.as_path(), *time)).collect();
        for (path, time) in last {
            // Removed again by a later entry, or replaced by a link: then its time means nothing.
            if let Ok(directory) = self.root.open_directory(path) {
                set_time(directory.as_fd(), OsStr::new("."), time)
                    .map_err(|errno| RootError::new("cannot write", path, errno))?;
            }
        }
        Ok(())
    }
}

/// The path without leading slashes and dots.
fn inside(path: &Path) -> Result<PathBuf, RootError> {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => out.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                let source = io::Error::other("a name in the archive leads out of it");
                return Err(RootError::new("cannot unpack", path, source));
            }
        }
    }
    Ok(out)
}

/// What a header says, with the extended records applied.
fn header(entry: &mut tar::Entry<'_, impl Read>, options: &UnpackOptions) -> io::Result<Metadata> {
    let raw = entry.header();
    let id = |id: u64| u32::try_from(id).map_err(|_| io::Error::other(format!("there is no id {id}")));
    let mut owner = (id(raw.uid()?)?, id(raw.gid()?)?);
    let (mode, mut time) = (raw.mode()?, (raw.mtime()? as i64).saturating_mul(1_000_000_000));
    let mut xattrs = vec![];
    if let Some(extensions) = entry.pax_extensions()? {
        for extension in extensions {
            let extension = extension?;
            let (key, value) = (extension.key_bytes(), extension.value_bytes());
            let text = std::str::from_utf8(value).unwrap_or_default();
            match key {
                b"uid" => owner.0 = text.parse().map_err(io::Error::other)?,
                b"gid" => owner.1 = text.parse().map_err(io::Error::other)?,
                b"mtime" => time = nanoseconds(text).unwrap_or(time),
                _ => {
                    if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                        xattrs.push((name.to_owned(), value.to_owned()));
                    }
                }
            }
        }
    }
    xattrs.retain(|(name, _)| is_kept(name));
    Ok(Metadata { owner: options.owner.unwrap_or(owner), mode: Some(mode), time: Some(time), xattrs })
}

/// The number of a device file.
fn device(header: &tar::Header) -> u64 {
    let major = header.device_major().ok().flatten().unwrap_or(0);
    let minor = header.device_minor().ok().flatten().unwrap_or(0);
    rustix::fs::makedev(major, minor)
}

/// `SECONDS[.FRACTION]` as nanoseconds.
fn nanoseconds(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = seconds.parse::<i64>().ok()?.checked_mul(1_000_000_000)?;
    let digits = fraction.get(..fraction.len().min(9))?;
    let part = if digits.is_empty() { 0 } else { format!("{digits:0<9}").parse::<i64>().ok()? };
    whole.checked_add(if seconds.starts_with('-') { -part } else { part })
}

/// Writes what overlayfs takes for "removed": a character device 0:0, or a mark on the directory.
fn whiteout(directory: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<()> {
    if name == ".wh..wh..opq" {
        let path = descriptor_path(directory, OsStr::new("."));
        return rustix::fs::setxattr(path, "user.overlay.opaque", b"y", XattrFlags::empty());
    }
    let Some(hidden) = name.as_bytes().strip_prefix(b".wh.") else { return Ok(()) };
    if matches!(hidden, b"" | b"." | b"..") || hidden.starts_with(b".wh.") {
        return Ok(());
    }
    let hidden = OsStr::from_bytes(hidden);
    match super::make_whiteout(directory, hidden) {
        // The layer itself has the file: removing comes first, whatever the order in the archive.
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests;
