//! Digests of files that lie outside the store, so that an unchanged context is not read again.
//!
//! One row per directory: a lookup is one query for all its files, and a changed file costs one row. A
//! directory is known by device and inode, a file in it by inode, size and both times; names do not matter.

use rusqlite::{OptionalExtension, TransactionBehavior, params};

use super::{Store, StoreError};

/// Names a directory of this machine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DirectoryKey {
    /// `st_dev`.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
}

/// What has to be unchanged for a file's digest to be believed without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FileStamp {
    /// `st_ino`.
    pub inode: u64,
    /// `st_size` in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub mtime: i64,
    /// Change time in nanoseconds since 1970.
    pub ctime: i64,
}

/// A file's digest, and what it goes with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileDigest {
    /// The file as it was.
    pub stamp: FileStamp,
    /// BLAKE3 of its extended attributes and content.
    pub digest: [u8; 32],
}

/// Bytes of one file in a row: four numbers, little-endian, and the digest.
const RECORD: usize = 64;

fn encode(files: &[FileDigest]) -> Vec<u8> {
    let mut out = Vec::with_capacity(files.len() * RECORD);
    for FileDigest { stamp, digest } in files {
        out.extend_from_slice(&stamp.inode.to_le_bytes());
        out.extend_from_slice(&stamp.size.to_le_bytes());
        out.extend_from_slice(&stamp.mtime.to_le_bytes());
        out.extend_from_slice(&stamp.ctime.to_le_bytes());
        out.extend_from_slice(digest);
    }
    out
}

/// Reads a row; a record that is cut off is left out.
fn decode(bytes: &[u8]) -> Vec<FileDigest> {
    let record = |record: &[u8]| {
        let number = |at: usize| Some(u64::from_le_bytes(record.get(at..at + 8)?.try_into().ok()?));
        let digest = record.get(32..RECORD)?.try_into().ok()?;
        let (mtime, ctime) = (number(16)?.cast_signed(), number(24)?.cast_signed());
        Some(FileDigest { stamp: FileStamp { inode: number(0)?, size: number(8)?, mtime, ctime }, digest })
    };
    bytes.chunks_exact(RECORD).filter_map(record).collect()
}

impl Store {
    /// The digests known of files in a directory.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub fn file_digests(&self, directory: &DirectoryKey) -> Result<Vec<FileDigest>, StoreError> {
        let database = self.database();
        let mut query =
            database.prepare_cached("SELECT files FROM directories WHERE device = ?1 AND inode = ?2")?;
        let key = params![directory.device.cast_signed(), directory.inode.cast_signed()];
        let bytes: Option<Vec<u8>> = query.query_row(key, |row| row.get(0)).optional()?;
        drop(query);
        drop(database);
        Ok(bytes.map(|bytes| decode(&bytes)).unwrap_or_default())
    }

    /// Remembers the digests of files, for each directory all that is to be known of it.
    ///
    /// # Errors
    /// When the metadata cannot be written.
    pub fn set_file_digests(
        &self,
        directories: &[(DirectoryKey, Vec<FileDigest>)],
    ) -> Result<(), StoreError> {
        if directories.is_empty() {
            return Ok(());
        }
        let mut database = self.database();
        let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT OR REPLACE INTO directories (device, inode, files, used) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for (key, files) in directories {
                let (device, inode) = (key.device.cast_signed(), key.inode.cast_signed());
                insert.execute(params![device, inode, encode(files), self.now])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_written() {
        let file = |inode, ctime| FileDigest {
            stamp: FileStamp { inode, size: 7, mtime: -1, ctime },
            digest: [inode as u8; 32],
        };
        for files in [vec![], vec![file(1, 2)], vec![file(u64::MAX, i64::MIN), file(3, i64::MAX)]] {
            assert_eq!(decode(&encode(&files)), files);
        }
        let mut cut = encode(&[file(1, 2), file(2, 3)]);
        cut.truncate(RECORD + 5);
        assert_eq!(decode(&cut), [file(1, 2)]);
    }
}
