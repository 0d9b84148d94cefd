//! The files below a folder, in the order of their names.
//!
//! Links below a folder are not followed: what they lead to is in the folder too, or not the user's to ship. Loops can
//! therefore not happen.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::Path;

/// What is done with each file, by its name; a folder or a file that cannot be read comes with the error.
pub(super) type Visit<'v> = dyn FnMut(&Path, io::Result<File>) + 'v;

/// Opens every regular file below `folder`.
pub(super) fn walk(folder: &Path, visit: &mut Visit<'_>) {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return visit(folder, Err(error)),
    };
    let mut found: Vec<(OsString, bool)> = Vec::new();
    for entry in entries {
        match entry.and_then(|entry| Ok((entry.file_type()?, entry.file_name()))) {
            Ok((kind, name)) if kind.is_dir() || kind.is_file() => {
                found.push((name, kind.is_dir()));
            }
            Ok(_) => {}
            Err(error) => visit(folder, Err(error)),
        }
    }
    found.sort_unstable();
    for (name, is_folder) in found {
        let name = folder.join(name);
        if is_folder {
            walk(&name, visit);
        } else {
            visit(&name, super::open(&name));
        }
    }
}
