//! The files that an argument means: itself, or all below a folder.
//!
//! Links below a folder are not followed: what they lead to is in the folder too, or not the user's to ship.

use std::path::{Path, PathBuf};

/// One file to check.
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// Files of a folder may be anything; those that the user names must be object files.
    pub(super) in_folder: bool,
    /// Why a folder could not be read.
    pub(super) error: Option<String>,
}

impl Found {
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// Lists the files of an argument, sorted.
pub(super) fn files(argument: &Path) -> Vec<Found> {
    if !argument.is_dir() {
        return vec![Found { path: argument.to_owned(), in_folder: false, error: None }];
    }
    let mut found = Vec::new();
    let mut folders = vec![argument.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                found.push(Found { path: folder, in_folder: true, error: Some(error.to_string()) });
                continue;
            }
        };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => {
                    found.push(Found { path: entry.path(), in_folder: true, error: None });
                }
                _ => {}
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}
