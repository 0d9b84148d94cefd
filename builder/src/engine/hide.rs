//! What an ignore file hides of a directory, as a layer of whiteouts over it.

use std::os::fd::AsFd as _;
use std::path::Path;

use super::EngineError;
use crate::rootfs::{Entry, NewDirectories, Owners, Root, RootError, Tree, Visibility, make_whiteout, walk};

/// Fills the empty directory `layer` with whiteouts for what `tree` does not show.
pub(super) fn hide(tree: &Tree, layer: &Path) -> Result<(), EngineError> {
    let Some(filter) = tree.filter() else { return Ok(()) };
    let target =
        std::fs::File::open(layer).map_err(|error| RootError::new("cannot open directory", layer, error))?;
    let root = Root::new(&target, Owners::Real);
    // Hidden entries are what is visited; shown directories are entered for what is hidden in them.
    let look = |path: &Path, is_directory: bool| match filter.look(path, is_directory) {
        Visibility::Hide => Visibility::Show,
        Visibility::Show | Visibility::Enter if is_directory => Visibility::Enter,
        Visibility::Show | Visibility::Enter => Visibility::Hide,
    };
    let located = tree.root().locate(Path::new(""), false)?;
    let directory = std::os::fd::AsFd::as_fd(&located.directory);
    let mut hidden: Vec<std::path::PathBuf> = vec![];
    walk(
        Owners::Real,
        directory,
        &located.name,
        &look,
        &mut |entry: &Entry<'_>| -> Result<(), EngineError> {
            let covered = hidden.last().is_some_and(|above| entry.path.starts_with(above));
            let is_hidden = filter.look(entry.path, is_directory(entry)) == Visibility::Hide;
            if entry.path.as_os_str().is_empty() || covered || !is_hidden {
                return Ok(());
            }
            hidden.push(entry.path.to_owned());
            let directories = NewDirectories { mode: 0o755, owner: (0, 0), time: None };
            let place = root.locate_or_create(entry.path, false, directories)?;
            make_whiteout(place.directory.as_fd(), &place.name)
                .map_err(|errno| RootError::new("cannot hide", entry.path, errno))?;
            Ok(())
        },
    )?;
    Ok(())
}

fn is_directory(entry: &Entry<'_>) -> bool {
    entry.kind() == crate::rootfs::EntryKind::Directory
}
