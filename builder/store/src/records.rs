//! What the store holds, as a list: `du`.
//!
//! Together the records take what the store's folder takes on the disk, but for the metadata, the locks, the folders
//! themselves, and the work directory of whoever asks. Blocks are counted as the file system does, a file of several names
//! with the oldest layer that has it, a blob with the oldest layer it was made of.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};
use rustix::fs::FlockOperation;

use super::lock::FileLock;
use super::measure::{Extent, measure, measure_all};
use super::policy::{Disk, Record, RecordKind};
use super::usage::hold;
use super::{Store, StoreError};

/// The record of blobs that came from URLs.
pub(super) const DOWNLOADS: &str = "downloads";
/// The record of blobs that belong to no layer.
const BLOBS: &str = "blobs";

/// Everything in a store that takes space.
#[derive(Debug, Clone)]
pub struct Usage {
    /// The records, the latest used first.
    pub records: Vec<Record>,
    /// The ids of layers that belong to base images.
    pub bases: HashSet<String>,
    /// The disk that the store lies on.
    pub disk: Disk,
}

/// A layer as the metadata have it.
struct Row {
    id: i64,
    path: PathBuf,
    size: Option<u64>,
    linked: bool,
}

impl Store {
    /// Lists what the store holds. Sizes of layers are measured once, those of cache mounts when they have been
    /// used since.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn usage(&self) -> Result<Usage, StoreError> {
        let mut usage = self.holdings()?;
        usage.records.extend(self.work_records()?);
        Ok(usage)
    }

    /// As [`Store::usage`], but for what is in the making.
    pub(super) fn holdings(&self) -> Result<Usage, StoreError> {
        let measured = self.measure_layers()?;
        let (layers, blobs) = (self.listed("layers")?, self.blob_sizes()?);
        let (mut records, bases) = self.layer_records(&measured, &layers)?;
        records.extend(self.mount_records()?);
        records.extend(self.internal_records(&layers, &blobs)?);
        let blobs = self.blobs_of_layers(&blobs)?;
        for record in &mut records {
            record.size += blobs.get(&record.id).copied().unwrap_or(0);
        }
        records.sort_by(|left, right| right.used.cmp(&left.used).then_with(|| left.id.cmp(&right.id)));
        Ok(Usage { records, bases, disk: self.disk()? })
    }

    /// The disk that the store lies on.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn disk(&self) -> Result<Disk, StoreError> {
        let stat = rustix::fs::statvfs(&self.root)
            .map_err(|errno| StoreError::io("look at", &self.root)(errno.into()))?;
        Ok(Disk { total: stat.f_blocks * stat.f_frsize, free: stat.f_bavail * stat.f_frsize })
    }

    /// Measures the layers whose sizes are not known, those that share files together. Sizes that may be others when
    /// the builds that run have ended are not kept; all new ones are returned.
    fn measure_layers(&self) -> Result<HashMap<i64, u64>, StoreError> {
        let mut rows = self.layer_rows()?;
        let unknown = |row: &Row| row.size.is_none();
        let mut new = HashMap::new();
        let alone: Vec<&Row> = rows.iter().filter(|row| unknown(row) && !row.linked).collect();
        for (row, extent) in self.measured_rows(&alone, false)? {
            if extent.linked {
                new.insert(row, None);
            } else {
                self.keep_size(row, extent)?;
                new.insert(row, Some(extent.disk));
            }
        }
        rows.iter_mut().for_each(|row| row.linked |= new.get(&row.id) == Some(&None));
        if rows.iter().any(|row| row.linked && unknown(row)) {
            let together: Vec<&Row> = rows.iter().filter(|row| row.linked).collect();
            let settled = self.work.others()?.is_empty();
            for (row, extent) in self.measured_rows(&together, true)? {
                if settled {
                    self.keep_size(row, Extent { linked: true, ..extent })?;
                }
                new.insert(row, Some(extent.disk));
            }
        }
        Ok(new.into_iter().filter_map(|(row, size)| Some((row, size?))).collect())
    }

    /// All layers, the oldest first, each directory once.
    fn layer_rows(&self) -> Result<Vec<Row>, StoreError> {
        let database = self.database();
        let mut query =
            database.prepare("SELECT id, coalesce(directory, name), size, linked FROM layers ORDER BY id")?;
        let rows = query.query_map([], |row| {
            let size = row.get::<_, Option<i64>>(2)?.map(i64::unsigned_abs);
            let path = self.root.join("layers").join(row.get::<_, String>(1)?);
            Ok(Row { id: row.get(0)?, path, size, linked: row.get(3)? })
        })?;
        let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
        let mut seen = HashSet::new();
        rows.retain(|row| seen.insert(row.path.clone()));
        Ok(rows)
    }

    fn measured_rows(&self, rows: &[&Row], together: bool) -> Result<Vec<(i64, Extent)>, StoreError> {
        let mut out = vec![];
        for rows in rows.chunks(if together { rows.len().max(1) } else { 1 }) {
            let paths: Vec<_> = rows.iter().map(|row| row.path.clone()).collect();
            let failed = |path: &Path| {
                let path = path.to_owned();
                move |error: xx_build_rootfs::RootError| StoreError::io("measure", &path)(error.source)
            };
            let extents = measure_all(&paths, self.threads).map_err(failed(&self.root.join("layers")))?;
            out.extend(rows.iter().map(|row| row.id).zip(extents));
        }
        Ok(out)
    }

    fn keep_size(&self, layer: i64, extent: Extent) -> Result<(), StoreError> {
        let Extent { disk, content, entries, linked } = extent;
        self.database().execute(
            "UPDATE layers SET size = ?2, content = coalesce(content, ?3), entries = coalesce(entries, ?4),
                 linked = ?5 WHERE id = ?1",
            params![layer, disk.cast_signed(), content.cast_signed(), entries.cast_signed(), linked],
        )?;
        Ok(())
    }

    fn layer_records(
        &self,
        measured: &HashMap<i64, u64>,
        directories: &BTreeMap<String, PathBuf>,
    ) -> Result<(Vec<Record>, HashSet<String>), StoreError> {
        let database = self.database();
        let mut query = database.prepare(
            "SELECT l.name, p.name, l.description, coalesce(l.size, 0), l.created, l.used, l.uses,
                    EXISTS (SELECT 1 FROM chains c WHERE c.layer = l.id), l.kind, l.id, l.dead IS NOT NULL,
                    coalesce(l.directory, l.name)
             FROM layers l LEFT JOIN layers p ON p.id = l.parent",
        )?;
        let mut bases = HashSet::new();
        let rows = query.query_map([], |row| {
            let is_dead: bool = row.get(10)?;
            let size = measured.get(&row.get(9)?).copied();
            let is_there = directories.contains_key(&row.get::<_, String>(11)?);
            let record = Record {
                id: row.get(0)?,
                // What is on its way out keeps nothing.
                parent: row.get::<_, Option<String>>(1)?.filter(|_| !is_dead),
                kind: if row.get::<_, String>(8)? == RecordKind::GitCheckout.name() {
                    RecordKind::GitCheckout
                } else {
                    RecordKind::Regular
                },
                description: row.get(2)?,
                size: size.unwrap_or(row.get::<_, i64>(3)?.unsigned_abs()) * u64::from(is_there),
                created: row.get(4)?,
                used: row.get(5)?,
                uses: row.get::<_, i64>(6)?.unsigned_abs(),
                in_use: is_dead,
            };
            Ok((record, row.get::<_, bool>(7)?))
        })?;
        let mut records = vec![];
        for row in rows {
            let (record, is_base) = row?;
            if is_base {
                bases.insert(record.id.clone());
            }
            records.push(record);
        }
        Ok((records, bases))
    }

    fn mount_records(&self) -> Result<Vec<Record>, StoreError> {
        let folder = self.root.join("cache");
        let entries = fs::read_dir(&folder).map_err(StoreError::io("list", &folder))?;
        let mut records = vec![];
        for entry in entries {
            let entry = entry.map_err(StoreError::io("list", &folder))?;
            let id = entry.file_name().to_string_lossy().into_owned();
            let noted = self.database().query_row(
                "SELECT description, created, used, uses, size FROM mounts WHERE name = ?1",
                [&id],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, i64>(3)?, row.get(4)?)),
            );
            let (description, created, used, uses, size): (String, i64, i64, i64, Option<i64>) =
                noted.optional()?.unwrap_or_else(|| (String::new(), 0, 0, 0, None));
            let held = hold(&entry.path(), FlockOperation::NonBlockingLockExclusive);
            let size = match size {
                Some(size) if held.is_some() => size.unsigned_abs(),
                // A step may write to it meanwhile: then its size is what could be read.
                Some(_) | None => {
                    let size = measure(&entry.path(), self.threads).map_or(0, |extent| extent.disk);
                    if held.is_some() {
                        let known = params![id, size.cast_signed()];
                        self.database().execute("UPDATE mounts SET size = ?2 WHERE name = ?1", known)?;
                    }
                    size
                }
            };
            records.push(Record {
                id,
                parent: None,
                kind: RecordKind::CacheMount,
                description,
                size,
                created,
                used,
                uses: uses.unsigned_abs(),
                in_use: held.is_none(),
            });
        }
        Ok(records)
    }

    /// What the store needs for itself: blobs of no layer, and layers that are not known any more.
    fn internal_records(
        &self,
        layers: &BTreeMap<String, PathBuf>,
        blobs: &HashMap<String, u64>,
    ) -> Result<Vec<Record>, StoreError> {
        let mut records = vec![];
        let builds = !self.work.others()?.is_empty();
        let downloads = self.names("SELECT replace(digest, 'sha256:', '') FROM downloads")?;
        let of_layers = self.names("SELECT replace(digest, 'sha256:', '') FROM layer_blobs")?;
        let (mut free, mut fetched) = (0, 0);
        for (name, size) in blobs {
            match name {
                name if of_layers.contains(name) => {}
                name if downloads.contains(name) => fetched += size,
                _ => free += size,
            }
        }
        for (id, what, size) in [
            (BLOBS, "manifests, configurations and other blobs that belong to no layer", free),
            (DOWNLOADS, "files from URLs, as they came", fetched),
        ] {
            records.extend((size > 0).then(|| internal(id, what, size, builds)));
        }
        let known = self.names("SELECT coalesce(directory, name) FROM layers")?;
        for (name, path) in layers {
            if !known.contains(name) {
                records.push(internal(name, "a layer that is not known any more", self.taken(path), false));
            }
        }
        Ok(records)
    }

    /// What the store needs for itself, as it is now.
    pub(super) fn internal_now(&self) -> Result<Vec<Record>, StoreError> {
        self.internal_records(&self.listed("layers")?, &self.blob_sizes()?)
    }

    /// What other builds make, and what killed ones left.
    fn work_records(&self) -> Result<Vec<Record>, StoreError> {
        let mut records = vec![];
        for (name, path) in self.listed("work")? {
            if path.is_dir() && name != self.work.name() {
                let lives = FileLock::is_held(&path.with_extension("lock"))?;
                let what =
                    if lives { "the work of a running build" } else { "left by a build that was killed" };
                records.push(internal(&name, what, self.taken(&path), true));
            }
        }
        Ok(records)
    }

    /// What a directory takes on the disk, as far as it can be read.
    fn taken(&self, path: &Path) -> u64 {
        measure(path, self.threads).map_or(0, |extent| extent.disk)
    }

    /// The bytes of blobs by the layer that they are counted with.
    fn blobs_of_layers(&self, sizes: &HashMap<String, u64>) -> Result<HashMap<String, u64>, StoreError> {
        let database = self.database();
        let mut query = database.prepare(
            "SELECT replace(b.digest, 'sha256:', ''), l.name FROM layer_blobs b JOIN layers l ON l.id = b.layer
             ORDER BY l.id",
        )?;
        let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let (mut seen, mut out) = (HashSet::new(), HashMap::new());
        for row in rows {
            let (digest, layer) = row?;
            let size = sizes.get(&digest).copied().unwrap_or(0);
            if seen.insert(digest) {
                *out.entry(layer).or_default() += size;
            }
        }
        Ok(out)
    }

    /// What each blob takes on the disk.
    fn blob_sizes(&self) -> Result<HashMap<String, u64>, StoreError> {
        let blobs = self.listed("blobs/sha256")?.into_iter();
        // One that is gone by now takes nothing.
        Ok(blobs
            .map(|(name, path)| (name, path.symlink_metadata().map_or(0, |found| found.blocks() * 512)))
            .collect())
    }

    fn listed(&self, folder: &str) -> Result<BTreeMap<String, PathBuf>, StoreError> {
        let folder = self.root.join(folder);
        let entries = fs::read_dir(&folder).map_err(StoreError::io("list", &folder))?;
        let names = entries.map(|entry| {
            let entry = entry.map_err(StoreError::io("list", &folder))?;
            Ok((entry.file_name().to_string_lossy().into_owned(), entry.path()))
        });
        names.collect()
    }

    fn names(&self, query: &str) -> Result<HashSet<String>, StoreError> {
        names(&self.database(), query)
    }
}

/// The one column of a query's rows.
pub(super) fn names(database: &Connection, query: &str) -> Result<HashSet<String>, StoreError> {
    let mut query = database.prepare(query)?;
    let rows = query.query_map([], |row| row.get::<_, String>(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn internal(id: &str, description: &str, size: u64, in_use: bool) -> Record {
    Record {
        id: id.to_owned(),
        parent: None,
        kind: RecordKind::Internal,
        description: description.to_owned(),
        size,
        created: 0,
        used: 0,
        uses: 0,
        in_use,
    }
}
