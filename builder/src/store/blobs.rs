//! Content-addressed files in the form of an OCI layout.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::{Store, StoreError};
use crate::oci::digest::Digest;

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
        fs::rename(&writer.path, &target).map_err(StoreError::io("rename", &target))?;
        Ok((digest, writer.size))
    }

    /// Stores a small blob.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        if self.has_blob(&digest) {
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

    /// Whether a blob is there.
    #[must_use]
    pub fn has_blob(&self, digest: &Digest) -> bool {
        self.blob_path(digest).exists()
    }
}
