//! The metadata: one SQLite file in WAL mode, shared by every build on this store.
//!
//! `synchronous=NORMAL`: a commit is one append to the log and no fsync. A killed process loses nothing,
//! the file is consistent after a power cut.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::lock::FileLock;
use super::measure::{Extent, measure};
use super::work::ActiveLayer;
use super::{Store, StoreError};
use xx_build_frontend::oci::digest::Digest;
use xx_build_rootfs::sync::lock;
use xx_build_solve::{Identity, Key};

/// What brings an empty file to layout 1, that to layout 2, and so on. A layout that was released once is
/// never changed here.
const LAYOUTS: &[&str] = &[
    "
CREATE TABLE IF NOT EXISTS links (key BLOB PRIMARY KEY, identity BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS results (
    identity BLOB NOT NULL, output INTEGER NOT NULL, layer INTEGER,
    PRIMARY KEY (identity, output)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS layers (
    id INTEGER PRIMARY KEY, parent INTEGER, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS layer_blobs (
    layer INTEGER PRIMARY KEY, diff_id TEXT NOT NULL, digest TEXT NOT NULL, media_type TEXT NOT NULL,
    size INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS chains (chain_id TEXT PRIMARY KEY, layer INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL,
    mtime INTEGER NOT NULL, ctime INTEGER NOT NULL, digest BLOB NOT NULL,
    PRIMARY KEY (device, inode)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checked (
    layer INTEGER NOT NULL, platform TEXT NOT NULL, PRIMARY KEY (layer, platform)) WITHOUT ROWID;
",
    "
DROP TABLE files;
CREATE TABLE directories (
    device INTEGER NOT NULL, inode INTEGER NOT NULL, files BLOB NOT NULL, used INTEGER NOT NULL,
    PRIMARY KEY (device, inode));
",
    // What garbage collection goes by: sizes in bytes, times in seconds since 1970, the boot of layers that no
    // later boot has looked at yet, and when a layer was hidden.
    "
ALTER TABLE layers ADD COLUMN size INTEGER;
ALTER TABLE layers ADD COLUMN content INTEGER;
ALTER TABLE layers ADD COLUMN entries INTEGER;
ALTER TABLE layers ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
ALTER TABLE layers ADD COLUMN uses INTEGER NOT NULL DEFAULT 0;
ALTER TABLE layers ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE layers ADD COLUMN kind TEXT NOT NULL DEFAULT 'regular';
ALTER TABLE layers ADD COLUMN boot TEXT;
ALTER TABLE layers ADD COLUMN dead INTEGER;
UPDATE layers SET used = created;
CREATE INDEX layers_parent ON layers (parent);
CREATE INDEX layers_boot ON layers (boot) WHERE boot IS NOT NULL;
CREATE INDEX results_layer ON results (layer);
CREATE INDEX links_identity ON links (identity);
CREATE TABLE graves (epoch INTEGER NOT NULL, process TEXT NOT NULL);
CREATE TABLE mounts (
    name TEXT PRIMARY KEY, description TEXT NOT NULL, created INTEGER NOT NULL, used INTEGER NOT NULL,
    uses INTEGER NOT NULL) WITHOUT ROWID;
",
    // Layers of one directory on different parents, and files that came from URLs.
    "
ALTER TABLE layers ADD COLUMN directory TEXT;
CREATE TABLE downloads (
    url TEXT PRIMARY KEY, etag TEXT NOT NULL, modified TEXT NOT NULL, digest TEXT NOT NULL,
    used INTEGER NOT NULL) WITHOUT ROWID;
",
    // Sizes of cache mounts, as long as nobody has used them since.
    "
ALTER TABLE mounts ADD COLUMN size INTEGER;
CREATE INDEX chains_layer ON chains (layer);
",
    // Which layer holds the latest copy of a directory, with marks of the files as they were; and when the result of a
    // key was pruned, in seconds since 1970.
    "
ALTER TABLE links ADD COLUMN evicted INTEGER;
CREATE TABLE copies (key BLOB PRIMARY KEY, name TEXT NOT NULL, marks BLOB NOT NULL);
",
    // Blobs that a later boot than their own has found whole, and the latest boot that has looked.
    "
CREATE TABLE sound (digest TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE looked (boot TEXT NOT NULL);
",
    // Whether files of a layer have names in others: then whose they are has to be found out together.
    "
ALTER TABLE layers ADD COLUMN linked INTEGER NOT NULL DEFAULT 0;
UPDATE layers SET size = NULL WHERE description = '' OR name IN (SELECT name FROM copies);
",
];

/// Names a layer together with everything below it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LayerId(i64);

impl LayerId {
    /// Its row.
    pub(super) fn number(self) -> i64 {
        self.0
    }

    pub(super) fn of_number(number: i64) -> Self {
        Self(number)
    }
}

/// One layer of a chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layer {
    /// Its id.
    pub id: LayerId,
    /// Its directory.
    pub path: std::path::PathBuf,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// The step that made it.
    pub description: String,
    /// Whether it was made on other layers than those it lies on, as that of `COPY --link` was.
    pub is_shared: bool,
}

/// What one output of a step consists of.
#[derive(Debug)]
pub enum OutputLayer {
    /// The empty file system.
    Empty,
    /// An existing layer: nothing was added.
    Existing(LayerId),
    /// A new layer on top of `parent`.
    New {
        /// Its files, still in the work directory.
        layer: ActiveLayer,
        /// What it lies on.
        parent: Option<LayerId>,
    },
}

/// A layer in the form that images carry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LayerBlob {
    /// sha256 of the uncompressed tar.
    pub diff_id: Digest,
    /// sha256 of the blob.
    pub digest: Digest,
    /// OCI media type of the blob.
    pub media_type: String,
    /// Size of the blob in bytes.
    pub size: u64,
}

pub(super) fn open(root: &Path) -> Result<Connection, StoreError> {
    let path = root.join("metadata.sqlite");
    let connection = Connection::open(&path)?;
    connection.busy_timeout(std::time::Duration::from_secs(60))?;
    // The log stays when the last build ends: writing it back costs a sync, and SQLite does it in time anyway.
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Changing the mode waits for nobody, so builds that open a new store take turns.
    let _turn = FileLock::exclusive(&root.join("locks/open"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let expected = LAYOUTS.len() as i64;
    let missing = usize::try_from(found).ok().and_then(|found| LAYOUTS.get(found..));
    let missing = missing.ok_or_else(|| StoreError::Version { path: root.to_owned(), found, expected })?;
    if !missing.is_empty() {
        let batch =
            format!("BEGIN IMMEDIATE; {} PRAGMA user_version = {expected}; COMMIT;", missing.concat());
        connection.execute_batch(&batch)?;
    }
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// The number and the layer of each output of a result.
type Outputs = Vec<(i64, Option<i64>)>;

/// What a key leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// A result that is here.
    Here(Identity),
    /// A result that was pruned. What was made of it may still be here, and is found by this name.
    Evicted(Identity),
}

impl Store {
    /// The result known under `key`.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub fn lookup(&self, key: &Key) -> Result<Option<Known>, StoreError> {
        let Some((identity, rows)) = self.linked(key)? else { return Ok(None) };
        for layer in rows.iter().filter_map(|(_, layer)| *layer) {
            if !self.is_there(LayerId(layer))? {
                return Ok(None);
            }
        }
        if rows.is_empty() {
            return Ok(Some(Known::Evicted(identity)));
        }
        let mut layers = vec![];
        for (output, layer) in rows {
            layers.resize(usize::try_from(output).unwrap_or(0), None);
            layers.push(layer.map(LayerId));
        }
        self.remember(&identity, layers);
        Ok(Some(Known::Here(identity)))
    }

    /// The identity that `key` leads to, and the outputs of its result; none when it was pruned.
    fn linked(&self, key: &Key) -> Result<Option<(Identity, Outputs)>, StoreError> {
        let database = self.database();
        let mut query = database.prepare_cached("SELECT identity FROM links WHERE key = ?1")?;
        let found = query.query_row([&key.0[..]], |row| row.get::<_, [u8; 32]>(0)).optional()?;
        let Some(identity) = found.map(|bytes| Identity(Key(bytes))) else { return Ok(None) };
        // Read together: once found, a result stays what it is for this build, whoever removes it.
        let mut query = database
            .prepare_cached("SELECT output, layer FROM results WHERE identity = ?1 ORDER BY output")?;
        let rows = query.query_map([&identity.0.0[..]], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let rows = rows.collect::<Result<_, _>>()?;
        Ok(Some((identity, rows)))
    }

    /// Keeps in mind what a result is made of, and that this build used it.
    fn remember(&self, identity: &Identity, layers: Vec<Option<LayerId>>) {
        lock(&self.used).extend(layers.iter().flatten());
        lock(&self.known).insert(*identity, layers);
    }

    /// Makes the outputs of a step known as `identity`, and findable under each of `keys`.
    ///
    /// New layers move into place in the same transaction. Returns the layer of each output.
    ///
    /// # Errors
    /// When the layers cannot be moved or the metadata cannot be written; then nothing is known.
    pub fn record(
        &self,
        identity: &Identity,
        keys: &[Key],
        outputs: Vec<OutputLayer>,
        description: &str,
    ) -> Result<Vec<Option<LayerId>>, StoreError> {
        let outputs =
            outputs.into_iter().map(|output| Measured::of(self, output)).collect::<Result<Vec<_>, _>>()?;
        let mut objects = vec![];
        let mut database = self.database();
        let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut layers = Vec::with_capacity(outputs.len());
        for (number, output) in outputs.into_iter().enumerate() {
            let layer = match output {
                Measured::Empty => None,
                Measured::Existing(layer) => {
                    revive(&transaction, Some(layer))?;
                    Some(layer)
                }
                Measured::New { mut layer, extent, parent } => {
                    let of_layer = layer.take_objects();
                    let id = self.place(&transaction, (layer, extent), parent, description)?;
                    objects.extend(of_layer.map(|paths| (id, paths)));
                    Some(id)
                }
            };
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO results (identity, output, layer) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![&identity.0.0[..], number as i64, layer.map(|id| id.0)])?;
            layers.push(layer);
        }
        transaction
            .prepare_cached("UPDATE links SET evicted = NULL WHERE identity = ?1")?
            .execute([&identity.0.0[..]])?;
        for key in keys {
            link(&transaction, key, identity)?;
        }
        transaction.commit()?;
        drop(database);
        lock(&self.objects).extend(objects);
        self.remember(identity, layers.clone());
        Ok(layers)
    }

    /// Makes a result that is already known findable under another key.
    ///
    /// # Errors
    /// When the metadata cannot be written.
    pub fn link(&self, key: &Key, identity: &Identity) -> Result<(), StoreError> {
        link(&self.database(), key, identity)
    }

    /// The layer of one output of a result that this build found or made; `None` when it is the empty file
    /// system.
    ///
    /// # Errors
    /// When this build did neither.
    pub fn output(&self, identity: &Identity, output: usize) -> Result<Option<LayerId>, StoreError> {
        let known = lock(&self.known);
        let layers = known.get(identity).ok_or(StoreError::UnknownResult)?;
        Ok(layers.get(output).copied().flatten())
    }

    /// Adds an unpacked image layer; known from now on by its chain id and its blob.
    ///
    /// # Errors
    /// When the layer cannot be moved or the metadata cannot be written.
    pub fn add_image_layer(
        &self,
        chain_id: &Digest,
        layer: ActiveLayer,
        parent: Option<LayerId>,
        blob: &LayerBlob,
        description: &str,
    ) -> Result<LayerId, StoreError> {
        let layer = self.measured(layer)?;
        let mut database = self.database();
        let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another build may have unpacked the same layer in the meantime: the first one stays.
        if let Some(known) = chain(&transaction, chain_id)? {
            return Ok(known);
        }
        let id = self.place(&transaction, layer, parent, description)?;
        transaction
            .prepare_cached("INSERT INTO chains (chain_id, layer) VALUES (?1, ?2)")?
            .execute(params![chain_id.to_string(), id.0])?;
        write_blob(&transaction, id, blob)?;
        transaction.commit()?;
        Ok(id)
    }

    /// The unpacked image layer with this chain id.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub fn image_layer(&self, chain_id: &Digest) -> Result<Option<LayerId>, StoreError> {
        let found = chain(&self.database(), chain_id)?;
        if let Some(layer) = found
            && !self.is_there(layer)?
        {
            return Ok(None);
        }
        lock(&self.used).extend(found);
        Ok(found)
    }

    /// The blob of a layer, when it has been made or came with an image.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub fn layer_blob(&self, layer: LayerId) -> Result<Option<LayerBlob>, StoreError> {
        let database = self.database();
        let mut query = database
            .prepare_cached("SELECT diff_id, digest, media_type, size FROM layer_blobs WHERE layer = ?1")?;
        let row = query
            .query_row([layer.0], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, String>(2)?,
                    row.get::<_, i64>(3)?,
                ))
            })
            .optional()?;
        Ok(row.and_then(|(diff_id, digest, media_type, size)| {
            Some(LayerBlob {
                diff_id: diff_id.parse().ok()?,
                digest: digest.parse().ok()?,
                media_type,
                size: u64::try_from(size).ok()?,
            })
        }))
    }

    /// Remembers the blob that was made of a layer.
    ///
    /// # Errors
    /// When the metadata cannot be written.
    pub fn set_layer_blob(&self, layer: LayerId, blob: &LayerBlob) -> Result<(), StoreError> {
        write_blob(&self.database(), layer, blob)
    }

    /// The layers that make up `top`, the uppermost first.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub fn layer_chain(&self, top: Option<LayerId>) -> Result<Vec<Layer>, StoreError> {
        self.layers_above(top, &|_| false)
    }

    /// The layers from `top` down to the first one that `is_known`, which is left out; the uppermost first.
    pub(super) fn layers_above(
        &self,
        top: Option<LayerId>,
        is_known: &dyn Fn(LayerId) -> bool,
    ) -> Result<Vec<Layer>, StoreError> {
        let database = self.database();
        // One, or SQLite locks its file for each layer anew.
        let transaction = database.unchecked_transaction()?;
        let mut query = transaction.prepare_cached(
            "SELECT parent, coalesce(directory, name), created, description, directory IS NOT NULL
             FROM layers WHERE id = ?1",
        )?;
        let mut chain = vec![];
        let mut next = top.map(|id| id.0);
        while let Some(id) = next.filter(|id| !is_known(LayerId(*id))) {
            let (parent, layer) = query.query_row([id], |row| {
                let path = self.root.join("layers").join(row.get::<_, String>(1)?);
                let (created, description, is_shared) = (row.get(2)?, row.get(3)?, row.get(4)?);
                Ok((row.get(0)?, Layer { id: LayerId(id), path, created, description, is_shared }))
            })?;
            chain.push(layer);
            next = parent;
        }
        Ok(chain)
    }

    /// Keeps a layer that is no result by itself, but that results may lie on.
    ///
    /// # Errors
    /// When the layer cannot be moved or the metadata cannot be written.
    pub fn add_layer(&self, layer: ActiveLayer, parent: Option<LayerId>) -> Result<LayerId, StoreError> {
        let layer = self.measured(layer)?;
        let mut database = self.database();
        let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let id = self.place(&transaction, layer, parent, "")?;
        transaction.commit()?;
        Ok(id)
    }

    /// Whether every executable of a layer has been held against `platform` before, and passed.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub fn is_checked(&self, layer: LayerId, platform: &str) -> Result<bool, StoreError> {
        let database = self.database();
        let mut query =
            database.prepare_cached("SELECT 1 FROM checked WHERE layer = ?1 AND platform = ?2")?;
        Ok(query.exists(params![layer.0, platform])?)
    }

    /// The files of a layer that may be object files, as paths from its root; `None` when that has to be seen.
    #[must_use]
    pub fn objects(&self, layer: LayerId) -> Option<Vec<PathBuf>> {
        lock(&self.objects).get(&layer).cloned()
    }

    /// Remembers that a layer passed for `platform`.
    ///
    /// # Errors
    /// When the metadata cannot be written.
    pub fn set_checked(&self, layer: LayerId, platform: &str) -> Result<(), StoreError> {
        self.database()
            .prepare_cached("INSERT OR IGNORE INTO checked (layer, platform) VALUES (?1, ?2)")?
            .execute(params![layer.0, platform])?;
        Ok(())
    }

    fn measured(&self, layer: ActiveLayer) -> Result<(ActiveLayer, Extent), StoreError> {
        let path = layer.files();
        let extent =
            measure(&path, self.threads).map_err(|error| StoreError::io("measure", &path)(error.source))?;
        Ok((layer, extent))
    }

    /// Moves a layer into place and writes its row.
    fn place(
        &self,
        transaction: &Transaction<'_>,
        (layer, extent): (ActiveLayer, Extent),
        parent: Option<LayerId>,
        description: &str,
    ) -> Result<LayerId, StoreError> {
        revive(transaction, parent)?;
        let (name, copied) = layer.move_to(&self.root.join("layers"))?;
        if let Some(copied) = copied {
            super::copies::note(transaction, &name, &copied)?;
        }
        transaction
            .prepare_cached(
                "INSERT INTO layers
                     (parent, name, created, used, uses, size, content, entries, description, boot, linked)
                 VALUES (?1, ?2, ?3, ?3, 0, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                parent.map(|id| id.0),
                name,
                self.now,
                extent.disk.cast_signed(),
                extent.content.cast_signed(),
                extent.entries.cast_signed(),
                description,
                self.boot,
                extent.linked,
            ])?;
        Ok(LayerId(transaction.last_insert_rowid()))
    }
}

/// An output whose size is known, which takes too long to find out inside a transaction.
enum Measured {
    Empty,
    Existing(LayerId),
    New { layer: ActiveLayer, extent: Extent, parent: Option<LayerId> },
}

impl Measured {
    fn of(store: &Store, output: OutputLayer) -> Result<Self, StoreError> {
        Ok(match output {
            OutputLayer::Empty => Self::Empty,
            OutputLayer::Existing(layer) => Self::Existing(layer),
            OutputLayer::New { layer, parent } => {
                let (layer, extent) = store.measured(layer)?;
                Self::New { layer, extent, parent }
            }
        })
    }
}

/// Takes back a layer that is being removed, and those below it: something new lies on it.
pub(super) fn revive(database: &Connection, top: Option<LayerId>) -> Result<(), StoreError> {
    let mut next = top.map(|id| id.0);
    let mut read = database.prepare_cached("SELECT parent, dead FROM layers WHERE id = ?1")?;
    while let Some(id) = next {
        let (parent, dead): (Option<i64>, Option<i64>) =
            read.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if dead.is_none() {
            break;
        }
        database.prepare_cached("UPDATE layers SET dead = NULL WHERE id = ?1")?.execute([id])?;
        next = parent;
    }
    Ok(())
}

fn link(database: &Connection, key: &Key, identity: &Identity) -> Result<(), StoreError> {
    database
        .prepare_cached("INSERT OR REPLACE INTO links (key, identity) VALUES (?1, ?2)")?
        .execute(params![&key.0[..], &identity.0.0[..]])?;
    Ok(())
}

fn chain(database: &Connection, chain_id: &Digest) -> Result<Option<LayerId>, StoreError> {
    let mut query = database.prepare_cached("SELECT layer FROM chains WHERE chain_id = ?1")?;
    Ok(query.query_row([chain_id.to_string()], |row| row.get(0)).optional()?.map(LayerId))
}

fn write_blob(database: &Connection, layer: LayerId, blob: &LayerBlob) -> Result<(), StoreError> {
    database
        .prepare_cached(
            "INSERT OR REPLACE INTO layer_blobs (layer, diff_id, digest, media_type, size) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            layer.0,
            blob.diff_id.to_string(),
            blob.digest.to_string(),
            blob.media_type,
            blob.size as i64
        ])?;
    Ok(())
}
