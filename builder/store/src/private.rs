//! The store's folder is its owner's alone: layers hold live setuid programs and whatever secrets images have.
//!
//! It is made with mode 0700, whatever the umask, and gets that mode when it is found with another. A folder that is
//! something else, such as `/tmp`, is not taken from those who use it, but refused.

use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::StoreError;

/// What a store has in it, and what a new file system has.
const OWN: [&str; 10] = [
    "blobs",
    "cache",
    "layers",
    "locks",
    "lost+found",
    "metadata.sqlite",
    "metadata.sqlite-shm",
    "metadata.sqlite-wal",
    "one-uid",
    "work",
];

/// Makes the folder `path`, or looks that nobody else gets into the one that is there.
pub(super) fn folder(path: &Path) -> Result<(), StoreError> {
    let private = fs::Permissions::from_mode(0o700);
    if let Some(above) = path.parent() {
        fs::create_dir_all(above).map_err(StoreError::io("create", above))?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        // A umask may have taken rights from the owner, and never gives any to others.
        Ok(()) => return fs::set_permissions(path, private).map_err(StoreError::io("create", path)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(StoreError::io("create", path)(error)),
    }
    let folder = File::open(path).map_err(StoreError::io("open", path))?;
    let found = folder.metadata().map_err(StoreError::io("open", path))?;
    if !found.is_dir() {
        return Err(StoreError::io("open", path)(ErrorKind::NotADirectory.into()));
    }
    let open = |reason| Err(StoreError::Open { path: path.to_owned(), reason });
    if found.uid() != rustix::process::geteuid().as_raw() {
        return open("it belongs to another user, who could run the setuid programs of its layers");
    }
    if found.mode() & 0o777 == 0o700 {
        return Ok(());
    }
    if found.mode() & 0o077 != 0 && !is_store(path)? {
        return open("other users may enter it, and it holds what is no store's");
    }
    folder.set_permissions(private).map_err(StoreError::io("make private", path))
}

/// Whether there is nothing in a folder but what a store has.
fn is_store(path: &Path) -> Result<bool, StoreError> {
    for entry in fs::read_dir(path).map_err(StoreError::io("list", path))? {
        let name = entry.map_err(StoreError::io("list", path))?.file_name();
        let is_own = OWN.iter().any(|own| name == *own);
        if !is_own {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_private_or_refused() {
        for (mode, files, expected) in [
            (None, &[][..], Some(0o700)),
            (Some(0o755), &[], Some(0o700)),
            (Some(0o777), &["metadata.sqlite", "layers", "lost+found"], Some(0o700)),
            (Some(0o710), &["work"], Some(0o700)),
            (Some(0o2755), &[], Some(0o700)),
            (Some(0o500), &["notes"], Some(0o700)),
            (Some(0o700), &["notes"], Some(0o700)),
            (Some(0o1777), &["layers", "somebody's"], None),
            (Some(0o710), &["notes"], None),
        ] {
            let place = tempfile::tempdir().expect("a directory");
            let path = place.path().join("above/store");
            if let Some(mode) = mode {
                fs::create_dir_all(&path).expect("a directory");
                for file in files {
                    fs::write(path.join(file), "").expect("a file");
                }
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
            }
            let made = folder(&path).is_ok();
            let found = fs::metadata(&path).expect("it is there").mode() & 0o7777;
            assert_eq!(made.then_some(found), expected, "{mode:?} {files:?}");
            if expected.is_none() {
                assert_eq!(Some(found), mode, "it is left as it was");
            }
        }
    }
}
