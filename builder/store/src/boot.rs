//! What a power cut leaves.
//!
//! A layer's files are not flushed when it is made: that would cost every step the disk's latency, and a kill
//! loses nothing without it. Instead each layer bears the boot in which it was made, and the next boot's first
//! build looks at those of earlier ones: a layer must have as many names and as many bytes as when it was made.
//! One that does not is dropped, with everything on it, and made again when it is needed.
//!
//! That finds what journaling file systems leave. They keep the order of names and metadata, so a layer
//! directory that is in place (a rename, its last change) has all its names, modes and owners, and they make a
//! file longer only after its bytes are on the disk (ext4 but for `data=writeback`, XFS, Btrfs): a file that
//! lost content is too short. Blobs, those of no layer too, are named by their content and hashed once. The metadata is SQLite's business.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::StoreError;
use super::blobs::is_whole;
use super::lock::FileLock;
use super::measure::{Extent, measure};
use super::usage::remove;

/// What tells one boot of the machine from the next; empty where the kernel does not say.
pub(super) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// A layer of an earlier boot, as it was when it was made.
struct Old {
    id: i64,
    name: String,
    extent: Option<(u64, u64)>,
}

/// Looks at the layers and blobs that earlier boots made; drops what is no longer whole.
pub(super) fn check(database: &mut Connection, root: &Path, boot: &str) -> Result<(), StoreError> {
    check_blobs(database, root, boot)?;
    let old = old_layers(database, boot)?;
    if old.is_empty() {
        return Ok(());
    }
    let is_whole = |old: &Old| {
        let found = measure(&root.join("layers").join(&old.name), 1).ok();
        let look = |extent: Extent| (extent.content, extent.entries);
        old.extent.is_some() && found.map(look) == old.extent
    };
    let (whole, broken): (Vec<Old>, Vec<Old>) = old.into_iter().partition(is_whole);
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for old in &broken {
        drop_layer(&transaction, old.id)?;
    }
    for old in whole {
        transaction.execute("UPDATE layers SET boot = NULL WHERE id = ?1", [old.id])?;
    }
    transaction.commit()?;
    Ok(())
}

fn old_layers(database: &Connection, boot: &str) -> Result<Vec<Old>, StoreError> {
    let mut query = database
        .prepare("SELECT id, coalesce(directory, name), content, entries FROM layers WHERE boot IS NOT NULL AND boot != ?1")?;
    let rows = query.query_map([boot], |row| {
        let number =
            |at: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.map(i64::unsigned_abs));
        Ok(Old { id: row.get(0)?, name: row.get(1)?, extent: number(2)?.zip(number(3)?) })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Forgets a layer and everything that lies on it; the directories are swept with the next collection.
pub(super) fn drop_layer(database: &Connection, id: i64) -> Result<(), StoreError> {
    let mut doomed = vec![id];
    while let Some(id) = doomed.pop() {
        let mut query = database.prepare_cached("SELECT id FROM layers WHERE parent = ?1")?;
        for child in query.query_map([id], |row| row.get(0))? {
            doomed.push(child?);
        }
        for statement in [
            "DELETE FROM links WHERE identity IN (SELECT identity FROM results WHERE layer = ?1)",
            "DELETE FROM results WHERE identity IN (SELECT identity FROM results WHERE layer = ?1)",
            "DELETE FROM chains WHERE layer = ?1",
            "DELETE FROM checked WHERE layer = ?1",
            "DELETE FROM layer_blobs WHERE layer = ?1",
            "DELETE FROM layers WHERE id = ?1",
        ] {
            database.prepare_cached(statement)?.execute([id])?;
        }
    }
    Ok(())
}

/// Looks at the blobs of earlier boots, once in each boot, and removes those that are not what their names say. Who needs
/// one makes or fetches it again.
fn check_blobs(database: &mut Connection, root: &Path, boot: &str) -> Result<(), StoreError> {
    let looked = |database: &Connection| -> Result<Option<String>, StoreError> {
        Ok(database.query_row("SELECT boot FROM looked", [], |row| row.get(0)).optional()?)
    };
    if boot.is_empty() || looked(database)?.as_deref() == Some(boot) {
        return Ok(());
    }
    // Nobody makes a blob in this boot before all of the earlier ones have been looked at.
    let _turn = FileLock::exclusive(&root.join("locks/boot"))?;
    let earlier = looked(database)?;
    if earlier.as_deref() == Some(boot) {
        return Ok(());
    }
    let mut sound: Vec<String> = vec![];
    if earlier.is_some() {
        let known: HashSet<String> = {
            let mut query = database.prepare("SELECT digest FROM sound")?;
            query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        let folder = root.join("blobs/sha256");
        for entry in fs::read_dir(&folder).map_err(StoreError::io("list", &folder))? {
            let entry = entry.map_err(StoreError::io("list", &folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if known.contains(&name) {
                continue;
            }
            if is_whole(&entry.path(), &name) {
                sound.push(name);
            } else {
                remove(&entry.path())?;
            }
        }
    }
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for digest in sound {
        transaction.prepare_cached("INSERT OR IGNORE INTO sound (digest) VALUES (?1)")?.execute([digest])?;
    }
    transaction.execute("DELETE FROM looked", [])?;
    transaction.execute("INSERT INTO looked (boot) VALUES (?1)", [boot])?;
    transaction.commit()?;
    Ok(())
}
