//! Files that came from URLs: which blob one is, and how its server marked it.

use rusqlite::{OptionalExtension as _, params};

use super::{Store, StoreError};
use xx_build_frontend::oci::digest::Digest;

/// A file as a server gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// Its `ETag`; may be empty.
    pub etag: String,
    /// Its `Last-Modified`, as the server wrote it; may be empty.
    pub modified: String,
    /// Its content.
    pub digest: Digest,
}

impl Store {
    /// What is known of `url`, if its content is still there.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub fn download(&self, url: &str) -> Result<Option<Download>, StoreError> {
        let database = self.database();
        let mut query =
            database.prepare_cached("SELECT etag, modified, digest FROM downloads WHERE url = ?1")?;
        let row = query
            .query_row([url], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?)))
            .optional()?;
        let download = row.and_then(|(etag, modified, digest)| {
            digest.parse().ok().map(|digest| Download { etag, modified, digest })
        });
        Ok(download.filter(|download| self.has_blob(&download.digest)))
    }

    /// Remembers what `url` gave.
    ///
    /// # Errors
    /// When the metadata cannot be written.
    pub fn set_download(&self, url: &str, download: &Download) -> Result<(), StoreError> {
        self.database().execute(
            "INSERT OR REPLACE INTO downloads (url, etag, modified, digest, used) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![url, download.etag, download.modified, download.digest.to_string(), self.now],
        )?;
        Ok(())
    }
}
