//! Unpacks tar archives into a root.
//!
//! Names in an archive are untrusted: `..` is refused, links are walked inside the root, and nothing is
//! ever written through a link that the archive itself made (every write replaces a name in an opened
//! directory).

mod layer;
mod pax;
mod reader;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use tar::EntryType;

use super::layers::Layers;
use super::walk::is_kept;
use super::{
    LONGEST_PATH, Metadata, NewDirectories, Root, RootError, decompressed, make_directory, remove_all,
    set_time,
};
use layer::Layer;
use reader::{Entry, Reader};

/// What an archive is.
#[derive(Debug, Clone, Copy)]
pub enum Archive<'a> {
    /// Files that are put where they are wanted.
    Files {
        /// User and group of everything; as in the archive when `None`.
        owner: Option<(u32, u32)>,
    },
    /// An image layer, unpacked into a directory of its own in the form of overlayfs.
    Layer {
        /// The layers below it.
        below: &'a Layers,
    },
}

/// Whether a stream is a tar archive, compressed or not: its first header must be a valid one.
#[must_use]
pub fn is_archive(stream: impl Read) -> bool {
    decompressed(stream).is_ok_and(|stream| matches!(Reader::new(stream).next(), Ok(Some(_))))
}

/// Unpacks the uncompressed tar `archive` into `root`, and reads on to the end of the stream: a decompressor tells only
/// there whether all was well.
///
/// # Errors
/// When the archive is malformed or hostile, or a file cannot be written.
pub fn unpack(archive: impl Read, root: Root<'_>, kind: Archive<'_>) -> Result<(), RootError> {
    let broken = |error| RootError::new("cannot read the archive at", "", error);
    let (owner, layer) = match kind {
        Archive::Files { owner } => (owner, None),
        Archive::Layer { below } => (None, Some(Layer::new(below))),
    };
    let mut unpacker = Unpacker { root, owner, layer, directory_times: vec![], parent: None };
    let mut reader = Reader::new(archive);
    while let Some(entry) = reader.next().map_err(broken)? {
        unpacker.entry(&entry, &mut reader)?;
    }
    io::copy(&mut reader.into_rest(), &mut io::sink()).map_err(broken)?;
    unpacker.finish()
}

struct Unpacker<'a> {
    root: Root<'a>,
    /// Of everything.
    owner: Option<(u32, u32)>,
    layer: Option<Layer<'a>>,
    /// Times of directories, set when nothing is written into them any more.
    directory_times: Vec<(PathBuf, i64)>,
    /// The directory that the last entry went to: archives are mostly in order.
    parent: Option<(PathBuf, OwnedFd)>,
}

/// Devices and pipes, as tar and as the system name them.
const SPECIAL: [(EntryType, FileType); 3] = [
    (EntryType::Char, FileType::CharacterDevice),
    (EntryType::Block, FileType::BlockDevice),
    (EntryType::Fifo, FileType::Fifo),
];

const NEW_DIRECTORIES: NewDirectories = NewDirectories { mode: 0o755, owner: (0, 0), time: None };

impl Unpacker<'_> {
    fn entry(&mut self, entry: &Entry, content: &mut Reader<impl Read>) -> Result<(), RootError> {
        let raw = Path::new(OsStr::from_bytes(&entry.name));
        if entry.name.len() > LONGEST_PATH {
            return Err(RootError::new("cannot unpack", raw, Errno::NAMETOOLONG));
        }
        let path = inside(raw)?;
        let fail = |error: io::Error| RootError::new("cannot unpack", &path, error);
        let metadata = self.metadata(entry).map_err(fail)?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            // An archive says nothing of the directory that it is unpacked into; a layer does.
            let counts = entry.kind.is_dir() && self.layer.is_some();
            return if counts { self.root_metadata(metadata) } else { Ok(()) };
        };
        let directory = self.enter(parent)?;
        let is_device_mark = entry.kind.is_character_special() && entry.device == (0, 0);
        let is_mark = self.layer.as_mut().map(|layer| {
            if is_device_mark {
                layer.take_device_mark(parent, name);
                return Ok(true);
            }
            layer.takes_mark(directory.as_fd(), parent, name)
        });
        if is_mark.transpose().map_err(|errno| fail(errno.into()))? != Some(true) {
            self.write((entry, content), directory.as_fd(), name, &path, metadata)?;
        }
        self.parent = Some((parent.to_owned(), directory));
        Ok(())
    }

    /// What an entry is to have besides its content.
    fn metadata(&self, entry: &Entry) -> io::Result<Metadata> {
        let id = |id: u64| u32::try_from(id).map_err(|_| io::Error::other(format!("there is no id {id}")));
        let owner = match self.owner {
            Some(owner) => owner,
            None => (id(entry.owner.0)?, id(entry.owner.1)?),
        };
        let mut xattrs = entry.xattrs.clone();
        xattrs.retain(|(name, _)| is_kept(name));
        Ok(Metadata { owner, mode: Some(entry.mode), time: Some(entry.time), xattrs })
    }

    /// Opens the directory `path`, and makes what is missing of it: as it is in the layers below, if there are any.
    fn enter(&mut self, path: &Path) -> Result<OwnedFd, RootError> {
        match self.parent.take() {
            Some((known, fd)) if known == path => return Ok(fd),
            Some(_) | None => {}
        }
        let (owners, layer, times) = (self.root.owners(), &self.layer, &mut self.directory_times);
        self.root.create_directories_with(path, &mut |directory, name, path| {
            make_directory(owners, directory, name, NEW_DIRECTORIES)?;
            // Not of the group of the directory above, whatever that gives to files.
            owners.change(directory, name, NEW_DIRECTORIES.owner)?;
            let below = layer.as_ref().map(|layer| layer.directory(path)).transpose()?.flatten();
            if let Some(metadata) = below {
                metadata.apply(owners, directory, name)?;
                times.extend(metadata.time.map(|time| (path.to_owned(), time)));
            }
            Ok(())
        })
    }

    fn root_metadata(&mut self, metadata: Metadata) -> Result<(), RootError> {
        let directory = self.root.open_directory(Path::new(""))?;
        self.directory_times.extend(metadata.time.map(|time| (PathBuf::new(), time)));
        metadata
            .apply(self.root.owners(), directory.as_fd(), OsStr::new("."))
            .map_err(|errno| RootError::new("cannot write", "/", errno))
    }

    fn write(
        &mut self,
        (entry, content): (&Entry, &mut Reader<impl Read>),
        directory: BorrowedFd<'_>,
        name: &OsStr,
        path: &Path,
        mut metadata: Metadata,
    ) -> Result<(), RootError> {
        let fail = |error: io::Error| RootError::new("cannot unpack", path, error);
        let failed = |errno: Errno| fail(errno.into());
        let kind = entry.kind;
        let existing = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok();
        let existing = existing.map(|stat| FileType::from_raw_mode(stat.st_mode));
        if existing.is_some() && !(kind.is_dir() && existing.is_some_and(FileType::is_dir)) {
            remove_all(directory, name)?;
        }
        let mode = Mode::from_raw_mode(entry.mode & 0o777);
        let special = SPECIAL.iter().find(|(of_tar, _)| *of_tar == kind).map(|(_, of_system)| *of_system);
        if kind.is_dir() {
            if !existing.is_some_and(FileType::is_dir) {
                rustix::fs::mkdirat(directory, name, mode).map_err(failed)?;
                if let Some(layer) = self.layer.as_ref().filter(|_| existing.is_some()) {
                    layer.replaced(directory, name, path).map_err(failed)?;
                }
            }
            self.directory_times.extend(metadata.time.map(|time| (path.to_owned(), time)));
        } else if kind.is_file() || kind == EntryType::Continuous || kind.is_gnu_sparse() {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fd = rustix::fs::openat(directory, name, flags, mode).map_err(failed)?;
            write_content(entry, content, &mut File::from(fd)).map_err(fail)?;
        } else if kind.is_symlink() {
            rustix::fs::symlinkat(OsStr::from_bytes(&entry.link), directory, name).map_err(failed)?;
            metadata.mode = None;
        } else if kind.is_hard_link() {
            return self.hard_link(entry, directory, name, path);
        } else if let Some(special) = special {
            let what = (special, mode, rustix::fs::makedev(entry.device.0, entry.device.1));
            if !self.root.owners().make_special(directory, name, what).map_err(failed)? {
                return Ok(());
            }
        } else {
            return Err(fail(io::Error::other("an entry of an unknown kind")));
        }
        metadata.apply(self.root.owners(), directory, name).map_err(fail)
    }

    fn hard_link(
        &mut self,
        entry: &Entry,
        directory: BorrowedFd<'_>,
        name: &OsStr,
        path: &Path,
    ) -> Result<(), RootError> {
        let target = inside(Path::new(OsStr::from_bytes(&entry.link)))?;
        let fail = |error: io::Error| RootError::new("cannot link", path, error);
        let link = |root: Root<'_>| -> Result<(), RootError> {
            let first = root.locate(&target, false)?;
            rustix::fs::linkat(&first.directory, &first.name, directory, name, AtFlags::empty())
                .map_err(|errno| fail(errno.into()))
        };
        let (error, above) = match (link(self.root), target.parent()) {
            (Err(error), Some(above)) if error.source.kind() == io::ErrorKind::NotFound => (error, above),
            (result, _) => return result,
        };
        // The file may be one of the layers below.
        let Some(layer) = &self.layer else { return Err(error) };
        if layer.directory(above).map_err(|errno| fail(errno.into()))?.is_none()
            && !above.as_os_str().is_empty()
        {
            return Err(error);
        }
        let above = self.enter(above)?;
        let brought = self
            .layer
            .as_ref()
            .map_or(Ok(false), |layer| layer.bring_up(&target, above.as_fd(), self.root.owners()));
        if brought.map_err(fail)? { link(self.root) } else { Err(error) }
    }

    fn finish(self) -> Result<(), RootError> {
        if let Some(layer) = &self.layer {
            layer.remove(self.root)?;
        }
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

/// Writes the content of a file: all of it, or what a sparse one has between its holes.
fn write_content(entry: &Entry, content: &mut Reader<impl Read>, file: &mut File) -> io::Result<()> {
    let mut copy = |file: &mut File, length: u64| {
        let copied = io::copy(&mut content.take(length), file)?;
        if copied == length { Ok(()) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof)) }
    };
    let Some(pieces) = &entry.pieces else { return copy(file, entry.size) };
    for (offset, length) in pieces {
        file.seek(io::SeekFrom::Start(*offset))?;
        copy(file, *length)?;
    }
    file.set_len(entry.size)
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

#[cfg(test)]
mod tests;
