//! Taking things out of the store while builds run.
//!
//! It has two steps. First the rows that lead to a layer go: no build finds it any more. The directory
//! goes when every build has ended that ran at that moment, as one of them may have found it just before; one
//! that puts a new layer on it takes it back. So neither waits for the other.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior, params};
use rustix::fs::{FlockOperation, flock};

use super::database::LayerId;
use super::lock::FileLock;
use super::policy::{Choice, Policy, Record, RecordKind, select};
use super::records::{DOWNLOADS, Usage, names};
use super::{Store, StoreError};
use xx_build_rootfs::remove_tree;
use xx_build_rootfs::sync::lock;

/// A record that went.
#[derive(Debug, Clone)]
pub struct Removed {
    /// What it was; of what the store needs for itself, the size of the part that went.
    pub record: Record,
    /// Why it went; without a choice it was of no use any more.
    pub why: Option<Choice>,
}

/// How long the names of pruned results are known, in seconds: 30 days.
const KEEP_NAMES: i64 = 30 * 24 * 60 * 60;

impl Store {
    /// Removes what `policies` choose, and returns it. What a running build may still read goes from the disk
    /// when that has ended.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn prune(&self, policies: &[Policy], now: i64) -> Result<Vec<Removed>, StoreError> {
        let usage = self.holdings()?;
        let chosen = select(&usage.records, &usage.bases, policies, usage.disk, now);
        self.remove_chosen(usage, chosen, now)
    }

    fn remove_chosen(&self, usage: Usage, chosen: Vec<Choice>, now: i64) -> Result<Vec<Removed>, StoreError> {
        let mut chosen: HashMap<String, Choice> =
            chosen.into_iter().map(|choice| (choice.id.clone(), choice)).collect();
        let (mut removed, mut layers, mut internal) = (vec![], vec![], vec![]);
        for record in usage.records {
            let why = chosen.remove(&record.id);
            match record.kind {
                // Some of it goes with whatever else is removed.
                RecordKind::Internal => internal.push(Removed { record, why }),
                _ if why.is_none() => {}
                RecordKind::CacheMount => {
                    if self.remove_mount(&record.id)? {
                        removed.push(Removed { record, why });
                    }
                }
                RecordKind::Regular | RecordKind::GitCheckout => layers.push(Removed { record, why }),
            }
        }
        let hidden = self.hide_layers(&layers, now)?;
        removed.extend(layers.into_iter().filter(|layer| hidden.contains(&layer.record.id)));
        if internal.iter().any(|internal| internal.why.is_some() && internal.record.id == DOWNLOADS) {
            self.database().execute("DELETE FROM downloads", [])?;
        }
        self.reclaim()?;
        let left: HashMap<String, u64> =
            self.internal_now()?.into_iter().map(|record| (record.id, record.size)).collect();
        for mut internal in internal {
            let left = left.get(&internal.record.id).copied().unwrap_or(0);
            internal.record.size = internal.record.size.saturating_sub(left);
            if internal.record.size > 0 && !internal.record.in_use {
                removed.push(internal);
            }
        }
        Ok(removed)
    }

    /// As [`Store::prune`], at the end of a build, which is done with what it has mounted: nothing is swept when
    /// there is nothing to remove.
    ///
    /// # Errors
    /// As for [`Store::prune`].
    pub fn collect(&self, policies: &[Policy], now: i64) -> Result<Vec<Removed>, StoreError> {
        lock(&self.mounts).clear();
        let usage = self.holdings()?;
        let hidden: bool = self.database().query_row(
            "SELECT EXISTS (SELECT 1 FROM layers WHERE dead IS NOT NULL)",
            [],
            |row| row.get(0),
        )?;
        let chosen = select(&usage.records, &usage.bases, policies, usage.disk, now);
        if !hidden && chosen.is_empty() {
            return Ok(vec![]);
        }
        self.remove_chosen(usage, chosen, now)
    }

    /// Removes a cache mount that nobody has mounted.
    fn remove_mount(&self, name: &str) -> Result<bool, StoreError> {
        let path = self.root.join("cache").join(name);
        let Some(_held) = hold(&path, FlockOperation::NonBlockingLockExclusive) else { return Ok(false) };
        let away = self.scratch_path();
        fs::rename(&path, &away).map_err(StoreError::io("rename", &path))?;
        self.database().execute("DELETE FROM mounts WHERE name = ?1", [name])?;
        remove_tree(&away).map_err(StoreError::io("remove", &away))?;
        Ok(true)
    }

    /// Takes away what leads to these layers, unless something was put on them since they were chosen.
    fn hide_layers(&self, layers: &[Removed], now: i64) -> Result<HashSet<String>, StoreError> {
        let mut hidden = HashSet::new();
        if layers.is_empty() {
            return Ok(hidden);
        }
        let wanted: HashSet<&str> = layers.iter().map(|layer| layer.record.id.as_str()).collect();
        let mut database = self.database();
        let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let epoch: i64 =
            transaction.query_row("SELECT coalesce(max(dead), 0) + 1 FROM layers", [], |row| row.get(0))?;
        let mut rows: Vec<(i64, String)> = {
            let mut query =
                transaction.prepare("SELECT id, name FROM layers WHERE dead IS NULL AND used <= ?1")?;
            let rows = query.query_map([now], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        rows.retain(|(_, name)| wanted.contains(name.as_str()));
        // Parents were made before their children.
        rows.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
        for (id, name) in rows {
            let has_children: bool = transaction
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM layers WHERE parent = ?1 AND dead IS NULL)")?
                .query_row([id], |row| row.get(0))?;
            if has_children {
                continue;
            }
            transaction
                .prepare_cached(
                    "UPDATE links SET evicted = ?2 WHERE identity IN (SELECT identity FROM results WHERE layer = ?1)",
                )?
                .execute([id, now])?;
            for statement in [
                "DELETE FROM results WHERE identity IN (SELECT identity FROM results WHERE layer = ?1)",
                "DELETE FROM chains WHERE layer = ?1",
                "DELETE FROM checked WHERE layer = ?1",
            ] {
                transaction.prepare_cached(statement)?.execute([id])?;
            }
            transaction.prepare_cached("UPDATE layers SET dead = ?2 WHERE id = ?1")?.execute([id, epoch])?;
            hidden.insert(name);
        }
        for process in self.work.others()? {
            transaction
                .execute("INSERT INTO graves (epoch, process) VALUES (?1, ?2)", params![epoch, process])?;
        }
        transaction.commit()?;
        Ok(hidden)
    }

    /// Removes the directories of hidden layers that no running build can know, blobs that nothing names, and
    /// what a kill left beside the metadata.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn reclaim(&self) -> Result<(), StoreError> {
        // No build begins meanwhile, and takes a blob for granted that is about to go.
        let _turn = FileLock::exclusive(&self.root.join("locks/open"))?;
        let others: HashSet<String> = self.work.others()?.into_iter().collect();
        let mut database = self.database();
        // Whoever renames a layer into place does so inside such a transaction: here all of them are known.
        let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let graves: Vec<(i64, String)> = {
            let mut query = transaction.prepare("SELECT epoch, process FROM graves")?;
            let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        let waiting: HashSet<i64> =
            graves.iter().filter(|(_, process)| others.contains(process)).map(|(epoch, _)| *epoch).collect();
        for (epoch, process) in graves.iter().filter(|(_, process)| !others.contains(process)) {
            transaction
                .execute("DELETE FROM graves WHERE epoch = ?1 AND process = ?2", params![epoch, process])?;
        }
        let dead: Vec<(i64, i64)> = {
            let mut query =
                transaction.prepare("SELECT id, dead FROM layers WHERE dead IS NOT NULL ORDER BY id DESC")?;
            let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        for (id, _) in dead.into_iter().filter(|(_, epoch)| !waiting.contains(epoch)) {
            transaction
                .prepare_cached(
                    "DELETE FROM layers WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM layers c WHERE c.parent = ?1)",
                )?
                .execute([id])?;
        }
        transaction.execute("DELETE FROM layer_blobs WHERE layer NOT IN (SELECT id FROM layers)", [])?;
        forget_blobs(&transaction, &self.root)?;
        super::copies::forget(&transaction)?;
        // The names of pruned results are of use as long as something may have been made of them.
        transaction.execute(
            "DELETE FROM links WHERE evicted < ?1 OR (evicted IS NOT NULL AND NOT EXISTS (SELECT 1 FROM layers))",
            [self.now - KEEP_NAMES],
        )?;
        // A downloaded file is kept as long as there is anything that it may have gone into.
        transaction.execute(
            "DELETE FROM downloads WHERE used < (SELECT coalesce(min(used), ?1) FROM layers)",
            [i64::MAX],
        )?;
        let doomed = orphans(&transaction, &self.root, others.is_empty())?;
        measure_again(&transaction, &self.root, &doomed)?;
        transaction.commit()?;
        drop(database);
        for path in doomed {
            remove(&path)?;
        }
        Ok(())
    }

    /// Whether a layer came with a base image.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub fn is_base_layer(&self, layer: LayerId) -> Result<bool, StoreError> {
        let database = self.database();
        let mut query = database.prepare_cached(
            "SELECT 1 FROM chains c JOIN layers l ON l.id = c.layer WHERE coalesce(l.directory, l.name) =
                 (SELECT coalesce(directory, name) FROM layers WHERE id = ?1)",
        )?;
        Ok(query.exists([layer.number()])?)
    }

    /// Notes that a build used these layers and what lies below them.
    ///
    /// # Errors
    /// When the metadata cannot be written.
    pub fn note_uses(&self) -> Result<(), StoreError> {
        let used = std::mem::take(&mut *lock(&self.used));
        if used.is_empty() {
            return Ok(());
        }
        let mut layers: HashSet<LayerId> = HashSet::new();
        for layer in used {
            let new = self.layers_above(Some(layer), &|id| layers.contains(&id))?;
            layers.extend(new.into_iter().map(|layer| layer.id));
        }
        let mut database = self.database();
        let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut update =
                transaction.prepare_cached("UPDATE layers SET used = ?2, uses = uses + 1 WHERE id = ?1")?;
            for layer in layers {
                update.execute(params![layer.number(), self.now])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

/// Forgets of blobs that are gone that they were found whole.
fn forget_blobs(database: &Connection, root: &Path) -> Result<(), StoreError> {
    let known: Vec<String> = {
        let mut query = database.prepare("SELECT digest FROM sound")?;
        query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
    };
    for digest in known.iter().filter(|digest| !root.join("blobs/sha256").join(digest).exists()) {
        database.prepare_cached("DELETE FROM sound WHERE digest = ?1")?.execute([digest])?;
    }
    Ok(())
}

/// Removes the layer directories that a killed process moved into place and could not make known.
pub(super) fn sweep_layers(database: &mut Connection, root: &Path) -> Result<(), StoreError> {
    // Whoever renames a layer into place does so inside such a transaction: here all of them are known.
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let doomed = orphans(&transaction, root, false)?;
    measure_again(&transaction, root, &doomed)?;
    transaction.commit()?;
    // Best effort: `du` shows what stays.
    doomed.iter().for_each(|path| drop(remove(path)));
    Ok(())
}

/// Forgets the sizes of layers that may have shared files, or a directory, with those that go.
fn measure_again(database: &Connection, root: &Path, doomed: &[PathBuf]) -> Result<(), StoreError> {
    let layers = root.join("layers");
    if doomed.iter().any(|path| path.parent() == Some(&layers)) {
        database.execute("UPDATE layers SET size = NULL WHERE linked", [])?;
    }
    // The directory of a layer that went is another's now.
    database.execute(
        "UPDATE layers SET size = NULL WHERE size = 0 AND directory IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM layers o WHERE o.name = layers.directory)
             AND id = (SELECT min(s.id) FROM layers s WHERE s.directory = layers.directory)",
        [],
    )?;
    Ok(())
}

/// Layer directories and blobs that no row names. Blobs of an output in the making are named by none
/// either, so with `blobs` false, when other builds run, they stay.
fn orphans(database: &Connection, root: &Path, blobs: bool) -> Result<Vec<PathBuf>, StoreError> {
    let layers = names(database, "SELECT coalesce(directory, name) FROM layers")?;
    let known_blobs = names(
        database,
        "SELECT replace(digest, 'sha256:', '') FROM layer_blobs
         UNION SELECT replace(digest, 'sha256:', '') FROM downloads",
    )?;
    let mut out = vec![];
    for (folder, known) in [("layers", Some(&layers)), ("blobs/sha256", blobs.then_some(&known_blobs))] {
        let Some(known) = known else { continue };
        let folder = root.join(folder);
        let entries = fs::read_dir(&folder).map_err(StoreError::io("list", &folder))?;
        for entry in entries {
            let entry = entry.map_err(StoreError::io("list", &folder))?;
            if !known.contains(entry.file_name().to_string_lossy().as_ref()) {
                out.push(entry.path());
            }
        }
    }
    Ok(out)
}

/// Holds a directory that must not go, or that nobody else may hold; `None` when that is not to be had.
pub(super) fn hold(path: &Path, operation: FlockOperation) -> Option<File> {
    let file = File::open(path).ok()?;
    flock(&file, operation).ok()?;
    let (held, named) = (rustix::fs::fstat(&file).ok()?, rustix::fs::stat(path).ok()?);
    ((held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)).then_some(file)
}

pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    let result = if path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        remove_tree(path)
    } else {
        fs::remove_file(path)
    };
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

impl super::work::WorkDir {
    /// The names of the work directories of other running processes.
    pub(super) fn others(&self) -> Result<Vec<String>, StoreError> {
        let folder = self.folder();
        let entries = fs::read_dir(folder).map_err(StoreError::io("list", folder))?;
        let mut out = vec![];
        for entry in entries {
            let path = entry.map_err(StoreError::io("list", folder))?.path();
            let is_lock = path.extension().is_some_and(|extension| extension == "lock");
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if is_lock && name != self.name() && FileLock::is_held(&path)? {
                out.push(name);
            }
        }
        Ok(out)
    }
}
