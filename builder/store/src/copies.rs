//! What the latest copy of a directory to a place left, so that the next one can link to its files.
//!
//! A row names the layer's directory. Layers do not change, and a directory that is gone by now is no loss: then
//! everything is copied.

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, params};

use super::{Store, StoreError};
use xx_build_rootfs::Mark;
use xx_build_solve::Key;

/// A copy that a layer holds.
#[derive(Debug)]
pub struct Copied {
    /// What was copied from where to where, and how.
    pub key: Key,
    /// A mark for each file, sorted.
    pub marks: Vec<Mark>,
}

impl Store {
    /// The layer directory that the latest copy with this key went to, and its marks.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub fn earlier_copy(&self, key: &Key) -> Result<Option<(PathBuf, Vec<Mark>)>, StoreError> {
        let database = self.database();
        let mut query = database.prepare_cached("SELECT name, marks FROM copies WHERE key = ?1")?;
        let found: Option<(String, Vec<u8>)> =
            query.query_row([&key.0[..]], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        Ok(found.map(|(name, marks)| (self.root.join("layers").join(name), marks.as_chunks().0.to_vec())))
    }
}

/// Remembers that the layer directory `name` holds a copy.
pub(super) fn note(database: &Connection, name: &str, copied: &Copied) -> Result<(), StoreError> {
    database
        .prepare_cached("INSERT OR REPLACE INTO copies (key, name, marks) VALUES (?1, ?2, ?3)")?
        .execute(params![&copied.key.0[..], name, copied.marks.as_flattened()])?;
    Ok(())
}

/// Forgets the copies in layers that are not known any more.
pub(super) fn forget(database: &Connection) -> Result<(), StoreError> {
    database.execute("DELETE FROM copies WHERE name NOT IN (SELECT name FROM layers)", [])?;
    Ok(())
}
