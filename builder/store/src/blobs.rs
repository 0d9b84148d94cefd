//! Content-addressed files in the form of an OCI layout.
//!
//! A name is a promise that the disk may break. Whoever takes a blob out of the store goes through [`Store::read_blob`]
//! or holds its copy against the digest, so that no byte leaves that is not the one that was stored.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use sha2::{Digest as _, Sha256};

use super::{Store, StoreError};
use xx_build_frontend::oci::digest::Digest;

/// Writes a blob to the work directory; it becomes known when its digest is.
#[derive(Debug)]
pub struct BlobWriter {
    path: PathBuf,
    file: File,
    hasher: Sha256,
    size: u64,
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or(bytes));
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        // Renamed away when it was finished; otherwise of no use to anybody.
        let _ = fs::remove_file(&self.path);
    }
}

impl Store {
    /// Starts a blob.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn blob_writer(&self) -> Result<BlobWriter, StoreError> {
        let path = self.scratch_path();
        let file = File::create_new(&path).map_err(StoreError::io("create", &path))?;
        Ok(BlobWriter { path, file, hasher: Sha256::new(), size: 0 })
    }

    /// Makes a blob known. Returns its digest and its size in bytes.
    ///
    /// # Errors
    /// When `expected` is given and the content has another digest, or the file cannot be moved.
    pub fn finish_blob(
        &self,
        writer: BlobWriter,
        expected: Option<&Digest>,
    ) -> Result<(Digest, u64), StoreError> {
        let digest = Digest::from_raw(writer.hasher.clone().finalize().into());
        if let Some(expected) = expected
            && *expected != digest
        {
            return Err(StoreError::Digest { expected: expected.to_string(), found: digest.to_string() });
        }
        let target = self.blob_path(&digest);
        if target.symlink_metadata().is_ok() {
            self.discard_blob(&digest)?;
        }
        fs::rename(&writer.path, &target).map_err(StoreError::io("rename", &target))?;
        Ok((digest, writer.size))
    }

    /// Stores a small blob.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        let size = Some(bytes.len() as u64);
        if self.read_blob(&digest, size, |_| Ok::<_, StoreError>(())).is_ok() {
            return Ok(digest);
        }
        let mut writer = self.blob_writer()?;
        writer.write_all(bytes).map_err(StoreError::io("write", &self.blob_path(&digest)))?;
        self.finish_blob(writer, Some(&digest)).map(|(digest, _)| digest)
    }

    /// Where a blob lies, whether it is there or not.
    #[must_use]
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    /// Whether a blob is there; not, whether it is whole.
    #[must_use]
    pub fn has_blob(&self, digest: &Digest) -> bool {
        self.blob_path(digest).symlink_metadata().is_ok_and(|found| found.is_file())
    }

    /// Opens a blob, which must have `size` bytes where that is known. Its bytes are still to be held against the digest.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when it is not there or has another size.
    pub fn open_blob(&self, digest: &Digest, size: Option<u64>) -> Result<File, StoreError> {
        let path = self.blob_path(digest);
        let found = match path.symlink_metadata() {
            Ok(found) if found.is_file() => found,
            Ok(_) => return Err(damaged(digest, "it is no file".to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(damaged(digest, "it is not there".to_owned()));
            }
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        };
        let file = open_file(&path).map_err(StoreError::io("open", &path))?;
        match size {
            Some(size) if found.len() != size => {
                Err(damaged(digest, format!("it has {} bytes, not {size}", found.len())))
            }
            Some(_) | None => Ok(file),
        }
    }

    /// Passes the bytes of a blob on, piece by piece, while they are held against its digest.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when they are others, which may turn out after the last one; and what `take` says.
    pub fn read_blob<E: From<StoreError>>(
        &self,
        digest: &Digest,
        size: Option<u64>,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut file = self.open_blob(digest, size)?;
        let mut buffer = vec![0_u8; 1 << 18];
        let mut hasher = Sha256::new();
        loop {
            let count = file.read(&mut buffer).map_err(StoreError::io("read", &self.blob_path(digest)))?;
            let bytes = buffer.get(..count).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(is_it(digest, &Digest::from_raw(hasher.finalize().into()))?);
            }
            hasher.update(bytes);
            take(bytes)?;
        }
    }

    /// Holds the copy of a blob at `path` against the digest.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when it is something else; when it cannot be read.
    pub fn check_copy(&self, digest: &Digest, path: &Path) -> Result<(), StoreError> {
        let found = open_file(path).and_then(Digest::of_reader).map_err(StoreError::io("read", path))?;
        is_it(digest, &found)
    }

    /// Removes a blob that is not what its name says: whoever needs it makes or fetches it again.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn discard_blob(&self, digest: &Digest) -> Result<(), StoreError> {
        self.database().prepare_cached("DELETE FROM sound WHERE digest = ?1")?.execute([digest.hex()])?;
        super::usage::remove(&self.blob_path(digest))
    }
}

/// Opens what should be a file, and does not wait for a writer if it is a named pipe.
fn open_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// Whether the file at `path` is the blob of this name.
pub(super) fn is_whole(path: &Path, name: &str) -> bool {
    let is_file = path.symlink_metadata().is_ok_and(|found| found.is_file());
    is_file && open_file(path).and_then(Digest::of_reader).is_ok_and(|found| found.hex() == name)
}

fn is_it(digest: &Digest, found: &Digest) -> Result<(), StoreError> {
    if digest == found { Ok(()) } else { Err(damaged(digest, format!("its content is {found}"))) }
}

fn damaged(digest: &Digest, what: String) -> StoreError {
    StoreError::Damaged { digest: *digest, what }
}
