//! Everything a build keeps: blobs, layer directories, and what is known about them.
//!
//! ```text
//! STORE/
//!   metadata.sqlite    which result has which key, which layers it is made of (WAL, many processes)
//!   blobs/sha256/HEX   content-addressed: manifests, configurations, compressed layers; verified whenever they leave
//!   layers/NAME/       one directory per layer, in overlayfs form; never changed once it is there
//!   cache/NAME/        cache mounts
//!   locks/KEY          held while a step runs, so that two builds do not run the same one
//!   work/NAME/         one directory per running process, locked by it; swept when its lock is free
//! ```
//!
//! A layer is made in the work directory of its process and renamed into place inside the transaction
//! that makes it known. Whatever a kill interrupts stays in `work/` and is removed by the next build; no
//! key ever leads to half a layer. The whole is mode 0700: see `private`.
//!
//! A user with one uid keeps owners on the files instead of in them ([`Owners::Pretended`]). Such layers mean
//! nothing to a build with real ids and the other way round, so they lie in a store of their own,
//! `STORE/one-uid/`.
//!
//! A kill at any moment loses no finished step. What a power cut can take, and how that is noticed, is told in
//! `boot`; how things are removed while builds run, in `usage`.

#![forbid(unsafe_code)]

mod blobs;
mod boot;
mod copies;
mod database;
mod downloads;
mod files;
mod gone;
mod layers;
mod lock;
mod measure;
pub mod policy;
mod private;
mod records;
mod stack;
#[cfg(test)]
mod tests;
mod usage;
mod work;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use rusqlite::Connection;
use thiserror::Error;

use xx_build_frontend::oci::digest::Digest;
use xx_build_rootfs::Owners;
use xx_build_rootfs::sync::lock;
use xx_build_solve::Identity;

pub use blobs::BlobWriter;
pub use copies::Copied;
pub use database::{Known, Layer, LayerBlob, LayerId, OutputLayer};
pub use downloads::Download;
pub use files::{DirectoryKey, FileDigest, FileStamp};
pub use lock::FileLock;
pub use records::Usage;
pub use usage::Removed;
pub use work::ActiveLayer;

/// Why the store could not do what was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A file operation failed.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was being done, such as `create`.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The metadata could not be read or written.
    #[error("metadata of the store: {0}")]
    Database(#[from] rusqlite::Error),
    /// The store was written by another version.
    #[error("`{}` was written by a version of xx-build with another layout ({found}, here {expected})", path.display())]
    Version {
        /// The store.
        path: PathBuf,
        /// The layout number it has.
        found: i64,
        /// The layout number this program knows.
        expected: i64,
    },
    /// Others could get at what is in the store.
    #[error("`{}` cannot be the store: {reason}", path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// Who could, and why that is not changed.
        reason: &'static str,
    },
    /// A result is asked for that was neither found nor made.
    #[error("a result is used that this build neither found nor made")]
    UnknownResult,
    /// A blob of the store is not what its name says.
    #[error("blob {digest} of the store is damaged: {what}")]
    Damaged {
        /// Its name.
        digest: Digest,
        /// What it is instead.
        what: String,
    },
    /// A blob's bytes do not have the digest they should have.
    #[error("content has digest {found}, expected {expected}")]
    Digest {
        /// What was promised.
        expected: String,
        /// What came.
        found: String,
    },
}

impl StoreError {
    /// For an error while a blob is filled.
    #[must_use]
    pub fn writing_blob(source: std::io::Error) -> Self {
        Self::Io { action: "write", path: PathBuf::from("a blob of the store"), source }
    }

    fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// Whether a full disk is what lies behind an error.
#[must_use]
pub fn is_disk_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let full = |error: &(dyn std::error::Error + 'static)| {
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let code = error.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
        matches!(kind, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
            || code == Some(rusqlite::ErrorCode::DiskFull)
    };
    std::iter::successors(Some(error), |error| error.source()).any(full)
}

/// An open store. Shared by the threads of one build; several processes may have it open.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    database: Mutex<Connection>,
    work: work::WorkDir,
    now: i64,
    owners: Owners,
    /// The boot of this machine.
    boot: String,
    /// What the results are made of that this build found or made.
    known: Mutex<HashMap<Identity, Vec<Option<LayerId>>>>,
    /// Which files of the layers that this build made may be object files.
    objects: Mutex<HashMap<LayerId, Vec<PathBuf>>>,
    /// How many threads look at the files of a layer.
    threads: usize,
    /// The topmost layers that it used.
    used: Mutex<HashSet<LayerId>>,
    /// Layers whose directories this build has seen, with all below them.
    present: Mutex<HashSet<LayerId>>,
    /// Cache mounts that it uses, which stay as long as it runs.
    mounts: Mutex<Vec<File>>,
}

impl Store {
    /// Opens the store at `root`, making it when it is not there, and sweeps what killed builds left.
    /// `now`, in seconds since 1970, becomes the creation time of the layers that are made; `owners` says how
    /// their owners are kept.
    ///
    /// # Errors
    /// When the directory cannot be made or written, or was written by another version.
    pub fn open(root: &Path, now: i64, owners: Owners) -> Result<Self, StoreError> {
        private::folder(root)?;
        let inner = root.join("one-uid");
        let root = match owners {
            Owners::Plain | Owners::Real => root,
            Owners::Pretended => {
                private::folder(&inner)?;
                &inner
            }
        };
        for name in ["blobs/sha256", "layers", "cache", "locks", "work"] {
            let path = root.join(name);
            std::fs::create_dir_all(&path).map_err(StoreError::io("create", &path))?;
        }
        let root = root.canonicalize().map_err(StoreError::io("open", root))?;
        let mut database = database::open(&root)?;
        let boot = boot::boot_id();
        boot::check(&mut database, &root, &boot)?;
        let dead = work::Dead::find(&root.join("work"))?;
        if !dead.is_empty() {
            // A kill may have left these, too.
            lock::sweep(&root.join("locks"));
            usage::sweep_layers(&mut database, &root)?;
        }
        let work = work::WorkDir::create(&root.join("work"), dead)?;
        Ok(Self {
            root,
            database: Mutex::new(database),
            work,
            now,
            owners,
            boot,
            known: Mutex::default(),
            objects: Mutex::default(),
            threads: 1,
            used: Mutex::default(),
            present: Mutex::default(),
            mounts: Mutex::default(),
        })
    }

    /// Has `threads` threads look at the files of a layer, where one does otherwise.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// How many threads look at the files of a layer.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Where the store lies.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// How the owners of its files are kept.
    #[must_use]
    pub fn owners(&self) -> Owners {
        self.owners
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere leaves the connection as sound as SQLite does after a kill.
        lock(&self.database)
    }
}
