//! Where the files of an OCI layout lie: in a directory, or in an archive of one, which is read in place.
//!
//! An archive is what `--output type=oci,dest=FILE`, `skopeo copy ... oci-archive:FILE` and `docker save` (since 25) write:
//! a tar without compression. Its headers are read once; the blobs are then parts of the file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Take};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// An archive with more files than this is no layout of an image.
const MAX_MEMBERS: usize = 100_000;

/// Where the files of a layout lie.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In a directory.
    Directory(PathBuf),
    /// In an archive: offset and size of each regular file, in bytes.
    Archive { path: PathBuf, members: BTreeMap<PathBuf, (u64, u64)> },
}

impl Place {
    /// Looks at what lies at `path`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if !path.is_file() {
            return Ok(Self::Directory(path.to_owned()));
        }
        let wrong = |reason: &str| Err(io::Error::new(io::ErrorKind::InvalidData, reason.to_owned()));
        let mut archive = tar::Archive::new(File::open(path)?);
        let mut members = BTreeMap::new();
        for entry in archive.entries_with_seek()? {
            let entry = entry?;
            if entry.header().entry_type().is_file() {
                let name = entry.path()?;
                let name = name.strip_prefix(".").unwrap_or(&name).to_owned();
                members.insert(name, (entry.raw_file_position(), entry.size()));
            }
            if members.len() > MAX_MEMBERS {
                return wrong("it has too many files for an archive of an image");
            }
        }
        if !members.contains_key(Path::new("index.json")) {
            return wrong("it is no archive with an `index.json`");
        }
        Ok(Self::Archive { path: path.to_owned(), members })
    }

    /// The name of a file for errors.
    pub(super) fn shown(&self, name: &Path) -> PathBuf {
        match self {
            Self::Directory(path) | Self::Archive { path, .. } => path.join(name),
        }
    }

    /// Whether there is such a file.
    pub(super) fn has(&self, name: &Path) -> bool {
        match self {
            Self::Directory(path) => path.join(name).exists(),
            Self::Archive { members, .. } => members.contains_key(name),
        }
    }

    /// A file for reading, and its size in bytes.
    pub(super) fn file(&self, name: &Path) -> io::Result<(Take<File>, u64)> {
        match self {
            Self::Directory(path) => {
                // A FIFO would wait for a writer, a device has no end.
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let file = File::from(rustix::fs::open(path.join(name), flags, Mode::empty())?);
                let metadata = file.metadata()?;
                if !metadata.is_file() {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no regular file"));
                }
                // What grows meanwhile is another file.
                Ok((file.take(metadata.len()), metadata.len()))
            }
            Self::Archive { path, members } => {
                let (offset, size) =
                    *members.get(name).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(offset))?;
                Ok((file.take(size), size))
            }
        }
    }
}
