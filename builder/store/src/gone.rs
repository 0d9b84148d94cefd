//! Layers whose directories are gone, whoever removed them.
//!
//! Such a layer takes along everything that lies on it: no key leads there any more, and who needs it makes it again, in
//! this build. A build that has found it before fails; the next one does not.

use rusqlite::TransactionBehavior;

use super::boot::drop_layer;
use super::database::LayerId;
use super::{Store, StoreError};
use xx_build_rootfs::sync::lock;

impl Store {
    /// Whether a layer and all that it lies on are there; what is not is forgotten.
    ///
    /// # Errors
    /// When the metadata cannot be read or written.
    pub(super) fn is_there(&self, layer: LayerId) -> Result<bool, StoreError> {
        // One that is present lies on others that are.
        let new = self.layers_above(Some(layer), &|id| lock(&self.present).contains(&id))?;
        for found in &new {
            if !found.path.is_dir() {
                self.forget_directory(&found.path)?;
                return Ok(false);
            }
        }
        lock(&self.present).extend(new.into_iter().map(|layer| layer.id));
        Ok(true)
    }

    /// Forgets every layer of a directory, and what lies on them.
    fn forget_directory(&self, path: &std::path::Path) -> Result<(), StoreError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut database = self.database();
        let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let layers: Vec<i64> = {
            let mut query =
                transaction.prepare("SELECT id FROM layers WHERE coalesce(directory, name) = ?1")?;
            query.query_map([&name], |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        for layer in layers {
            drop_layer(&transaction, layer)?;
        }
        transaction.commit()?;
        Ok(())
    }
}
