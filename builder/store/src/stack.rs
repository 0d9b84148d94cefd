//! Layers put on others than those they were made on: what LLB's merge and diff ask for.
//!
//! Nothing is copied: another row names the same directory, with another parent. Only a layer that would
//! stand twice in one stack, which overlayfs refuses, gets a directory of its own, with the same files.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rusqlite::{OptionalExtension as _, TransactionBehavior, params};
use rustix::fs::{AtFlags, FileType, Mode, XattrFlags};

use super::database::{Layer, LayerId};
use super::work::random_name;
use super::{Store, StoreError};
use xx_build_rootfs::{
    Entry, Located, NewDirectories, Owners, Root, RootError, Visibility, link_target, walk,
};

impl Store {
    /// The layers of the results `inputs`, each put on those before it; `None` when there are none.
    ///
    /// # Errors
    /// When the metadata cannot be read or written.
    pub fn merge(&self, inputs: &[Option<LayerId>]) -> Result<Option<LayerId>, StoreError> {
        let mut inputs = inputs.iter().flatten();
        let mut top = inputs.next().copied();
        for input in inputs {
            let mut chain = self.layer_chain(Some(*input))?;
            chain.reverse();
            top = self.stack(top, &chain)?;
        }
        Ok(top)
    }

    /// The layers that `upper` has on top of `lower`, on nothing; `None` inside when it has none there, and
    /// outside when `upper` does not lie on `lower`.
    ///
    /// # Errors
    /// When the metadata cannot be read or written.
    pub fn above(
        &self,
        lower: Option<LayerId>,
        upper: Option<LayerId>,
    ) -> Result<Option<Option<LayerId>>, StoreError> {
        let Some(lower) = lower else { return Ok(Some(upper)) };
        let mut chain = self.layer_chain(upper)?;
        let Some(position) = chain.iter().position(|layer| layer.id == lower) else { return Ok(None) };
        chain.truncate(position);
        chain.reverse();
        self.stack(None, &chain).map(Some)
    }

    /// Puts layers, the lowest first, on `top`.
    fn stack(&self, mut top: Option<LayerId>, layers: &[Layer]) -> Result<Option<LayerId>, StoreError> {
        let mut present: HashSet<_> = self.layer_chain(top)?.into_iter().map(|layer| layer.path).collect();
        for layer in layers {
            top = Some(if present.insert(layer.path.clone()) {
                self.share(layer.id, top)?
            } else {
                let copy = self.new_layer()?;
                clone(&layer.path, &copy.files(), self.owners)?;
                self.add_layer(copy, top)?
            });
        }
        Ok(top)
    }

    /// A row for the directory of `layer` on `parent`.
    fn share(&self, layer: LayerId, parent: Option<LayerId>) -> Result<LayerId, StoreError> {
        let mut database = self.database();
        let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        super::database::revive(&transaction, parent)?;
        super::database::revive(&transaction, Some(layer))?;
        let parent = parent.map(LayerId::number);
        let known: Option<i64> = transaction
            .query_row(
                "SELECT id FROM layers WHERE parent IS ?1 AND dead IS NULL AND coalesce(directory, name) =
                     (SELECT coalesce(directory, name) FROM layers WHERE id = ?2)",
                params![parent, layer.number()],
                |row| row.get(0),
            )
            .optional()?;
        if let Some(known) = known {
            return Ok(LayerId::of_number(known));
        }
        transaction.execute(
            "INSERT INTO layers
                 (parent, name, created, used, uses, size, content, entries, description, kind, boot, directory)
             SELECT ?1, ?2, created, ?3, 0, 0, content, entries, description, kind, boot, coalesce(directory, name)
             FROM layers WHERE id = ?4",
            params![parent, random_name(), self.now, layer.number()],
        )?;
        let id = transaction.last_insert_rowid();
        // A blob may leave out what the layers below it say; one of a layer on nothing says all.
        transaction.execute(
            "INSERT INTO layer_blobs (layer, diff_id, digest, media_type, size)
             SELECT ?1, b.diff_id, b.digest, b.media_type, b.size
             FROM layer_blobs b JOIN layers l ON l.id = b.layer WHERE b.layer = ?2 AND l.parent IS NULL",
            params![id, layer.number()],
        )?;
        transaction.commit()?;
        Ok(LayerId::of_number(id))
    }
}

/// Fills the empty directory `to` with the files of the layer `from`: the same inodes, marks of overlayfs
/// included.
fn clone(from: &Path, to: &Path, owners: Owners) -> Result<(), StoreError> {
    let failed =
        |error: RootError| StoreError::Io { action: "copy", path: from.to_owned(), source: error.source };
    let open = |path: &Path| File::open(path).map_err(StoreError::io("open", path));
    let (source, target) = (open(from)?, open(to)?);
    let root = Root::new(&target, owners);
    let everything = |_: &Path, _: bool| Visibility::Show;
    walk(owners, source.as_fd(), OsStr::new("."), &everything, &mut |entry: &Entry<'_>| {
        let fail = |errno| RootError::new("cannot copy", entry.path, errno);
        if entry.kind() == xx_build_rootfs::EntryKind::Directory {
            let directory = root
                .create_directories(entry.path, NewDirectories { mode: 0o700, owner: (0, 0), time: None })?;
            copy_marks(entry, directory.as_fd()).map_err(fail)?;
            let owner = (entry.stat.st_uid, entry.stat.st_gid);
            let changed = owners.change(directory.as_fd(), OsStr::new("."), owner);
            changed.map_err(|error| RootError::new("cannot copy", entry.path, error))?;
            let mode = Mode::from_raw_mode(entry.stat.st_mode & 0o7777);
            return rustix::fs::fchmod(&directory, mode).map_err(fail);
        }
        let Located { directory, name, .. } = root.locate(entry.path, false)?;
        let linked = rustix::fs::linkat(entry.directory, entry.name, &directory, &name, AtFlags::empty());
        match linked {
            Ok(()) => Ok(()),
            // No more links, or none to such a file: a copy of what has no content.
            Err(_) if entry.kind() == xx_build_rootfs::EntryKind::Symlink => {
                let target = link_target(entry)?;
                rustix::fs::symlinkat(OsStr::from_bytes(&target), &directory, &name).map_err(fail)
            }
            Err(_) if FileType::from_raw_mode(entry.stat.st_mode).is_char_device() => {
                let kind = FileType::CharacterDevice;
                rustix::fs::mknodat(&directory, &name, kind, Mode::empty(), entry.stat.st_rdev).map_err(fail)
            }
            Err(errno) => Err(fail(errno)),
        }
    })
    .map_err(failed)
}

/// Copies all extended attributes of a directory, those of overlayfs too.
fn copy_marks(entry: &Entry<'_>, to: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let from = xx_build_rootfs::descriptor_path(entry.directory, entry.name);
    let mut names = vec![0_u8; 65_536];
    let length = rustix::fs::llistxattr(&from, names.as_mut_slice())?;
    let target = format!("/proc/self/fd/{}", to.as_raw_fd());
    for name in
        names.get(..length).unwrap_or_default().split(|byte| *byte == 0).filter(|name| !name.is_empty())
    {
        let mut value = vec![0_u8; 65_536];
        let length = rustix::fs::lgetxattr(&from, OsStr::from_bytes(name), value.as_mut_slice())?;
        value.truncate(length);
        match rustix::fs::setxattr(&target, OsStr::from_bytes(name), &value, XattrFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::PERM | rustix::io::Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
