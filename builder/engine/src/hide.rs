//! What a mount of a user's directory does not show of it, as a layer over it: what an ignore file hides, sockets and
//! devices, which lead to programs and hardware of this machine. A named pipe is shown as a new one: nobody here has it
//! open.
//!
//! The directory itself is mounted in place, without a copy. A socket that somebody makes in it while the step runs
//! is there.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, Stat};

use super::EngineError;
use xx_build_rootfs::{
    Entry, NewDirectories, Owners, Root, RootError, Tree, Visibility, make_whiteout, mtime, set_time, walk,
};

/// A name that does not show as it is.
pub(super) struct Hidden {
    path: PathBuf,
    /// The pipe that a new one stands for.
    pipe: Option<Stat>,
}

/// What is not to be seen of `tree` on the way to the path `selector` and below it, in the order of a walk.
pub(super) fn hidden(tree: &Tree, selector: &str) -> Result<Vec<Hidden>, EngineError> {
    // Behind a link it may be anywhere, and so may what is not there yet.
    let selected = tree.root().locate_with_links(Path::new(selector), true).ok();
    let selected =
        selected.filter(|(located, links)| links.is_empty() && matches!(located.stat(), Ok(Some(_))));
    let selected = selected.map(|(located, _)| located.path).unwrap_or_default();
    let shown = |path: &Path, is_directory: bool| {
        tree.filter().map_or(Visibility::Show, |filter| filter.look(path, is_directory))
    };
    let look = |path: &Path, _: bool| match path.starts_with(&selected) || selected.starts_with(path) {
        true => Visibility::Show,
        false => Visibility::Hide,
    };
    let located = tree.root().locate(Path::new(""), false)?;
    let mut hidden: Vec<Hidden> = vec![];
    // Directories on the way that are there only for what may show in them.
    let mut entered: Vec<Entered> = vec![];
    walk(Owners::Plain, located.directory.as_fd(), &located.name, &look, &mut |entry: &Entry<'_>| {
        close(&mut entered, &mut hidden, entry.path);
        let covered = hidden.last().is_some_and(|above| entry.path.starts_with(&above.path));
        if entry.path.as_os_str().is_empty() || covered {
            return Ok::<(), RootError>(());
        }
        let kind = FileType::from_raw_mode(entry.stat.st_mode);
        let pipe = (kind == FileType::Fifo).then_some(entry.stat);
        let leads_out = kind.is_socket() || kind.is_char_device() || kind.is_block_device();
        let visibility = shown(entry.path, kind.is_dir());
        if visibility == Visibility::Hide || leads_out {
            hidden.push(Hidden { path: entry.path.to_owned(), pipe: None });
        } else if visibility == Visibility::Enter && kind.is_dir() {
            let (path, hidden) = (entry.path.to_owned(), hidden.len());
            entered.push(Entered { path, hidden, shows: false });
        } else {
            entered.iter_mut().for_each(|above| above.shows = true);
            if pipe.is_some() {
                hidden.push(Hidden { path: entry.path.to_owned(), pipe });
            }
        }
        Ok(())
    })?;
    close(&mut entered, &mut hidden, Path::new(""));
    Ok(hidden)
}

/// A directory of which the ignore file leaves what is in it, if anything.
struct Entered {
    path: PathBuf,
    /// How many names were hidden before it.
    hidden: usize,
    /// Whether something in it shows.
    shows: bool,
}

/// Leaves the directories that `path` is not in: one in which nothing shows is hidden as a whole.
fn close(entered: &mut Vec<Entered>, hidden: &mut Vec<Hidden>, path: &Path) {
    while let Some(left) = entered.pop_if(|last| !path.starts_with(&last.path)) {
        if !left.shows {
            hidden.truncate(left.hidden);
            hidden.push(Hidden { path: left.path, pipe: None });
        }
    }
}

/// Fills the empty directory `layer` with what hides these names of `tree`.
pub(super) fn hide(tree: &Tree, hidden: &[Hidden], layer: &Path) -> Result<(), EngineError> {
    let target =
        std::fs::File::open(layer).map_err(|error| RootError::new("cannot open directory", layer, error))?;
    let mut layer = Layer { tree, root: Root::new(&target, Owners::Real), made: BTreeMap::new() };
    layer.directory(Path::new(""))?;
    for Hidden { path, pipe } in hidden {
        let above = path.parent().unwrap_or(Path::new(""));
        layer.directory(above)?;
        let place = layer.root.locate(path, false)?;
        let directory = place.directory.as_fd();
        let made = match pipe {
            None => make_whiteout(directory, &place.name),
            Some(stat) => {
                let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
                rustix::fs::mknodat(directory, &place.name, FileType::Fifo, mode, 0)
                    .and_then(|()| {
                        rustix::fs::chmodat(directory, &place.name, mode, rustix::fs::AtFlags::empty())
                    })
                    .and_then(|()| set_time(directory, &place.name, mtime(stat)))
            }
        };
        made.map_err(|errno| RootError::new("cannot hide", path, errno))?;
    }
    layer.finish()
}

/// The layer while it is filled. Its directories show in place of those below, and so look like them.
struct Layer<'a> {
    tree: &'a Tree,
    root: Root<'a>,
    /// Times of the directories that are there.
    made: BTreeMap<PathBuf, i64>,
}

impl Layer<'_> {
    /// Makes a directory and those above it.
    fn directory(&mut self, path: &Path) -> Result<(), EngineError> {
        let mut missing: Vec<&Path> =
            path.ancestors().take_while(|path| !self.made.contains_key(*path)).collect();
        while let Some(path) = missing.pop() {
            let Some(stat) = self.tree.root().locate(path, false)?.stat()? else { continue };
            let time = mtime(&stat);
            let like = NewDirectories {
                mode: stat.st_mode & 0o7777,
                owner: (stat.st_uid, stat.st_gid),
                time: Some(time),
            };
            if path.as_os_str().is_empty() {
                let here = self.root.open_directory(path)?;
                let fail = |errno| RootError::new("cannot hide", path, errno);
                rustix::fs::fchmod(&here, Mode::from_raw_mode(like.mode)).map_err(fail)?;
                let changed = self.root.owners().change(here.as_fd(), OsStr::new("."), like.owner);
                changed.map_err(|error| RootError::new("cannot hide", path, error))?;
            } else {
                self.root.create_directories(path, like)?;
            }
            self.made.insert(path.to_owned(), time);
        }
        Ok(())
    }

    /// Gives the directories their times again, which changed with what was put in them.
    fn finish(self) -> Result<(), EngineError> {
        for (path, time) in &self.made {
            let place = self.root.locate(path, false)?;
            set_time(place.directory.as_fd(), &place.name, *time)
                .map_err(|errno| RootError::new("cannot hide", path, errno))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
    use std::sync::Arc;

    use super::*;
    use xx_build_rootfs::{Filter, is_whiteout};

    #[derive(Debug)]
    struct Only(&'static str);

    impl Filter for Only {
        fn look(&self, path: &Path, _: bool) -> Visibility {
            if path.file_name().is_some_and(|name| name == self.0) {
                Visibility::Hide
            } else if path.starts_with("entered") && !path.ends_with("kept") {
                Visibility::Enter
            } else {
                Visibility::Show
            }
        }
    }

    #[test]
    fn what_a_mount_of_a_directory_does_not_show() {
        let place = tempfile::tempdir().expect("a directory");
        let (context, layer) = (place.path().join("context"), place.path().join("layer"));
        for directory in ["private/deep", "plain", "off", "entered/a/b", "entered/c/off", "entered/kept"] {
            fs::create_dir_all(context.join(directory)).expect("a directory");
        }
        fs::create_dir(&layer).expect("a directory");
        for file in ["private/deep/off", "plain/file", "off/inside", "file"] {
            fs::write(context.join(file), "x").expect("a file");
        }
        for socket in ["socket", "private/deep/socket"] {
            std::os::unix::net::UnixListener::bind(context.join(socket)).expect("a socket");
        }
        rustix::fs::mknodat(
            rustix::fs::CWD,
            context.join("private/pipe"),
            FileType::Fifo,
            Mode::from(0o620),
            0,
        )
        .expect("a pipe");
        // The one device that every user can make.
        rustix::fs::mknodat(
            rustix::fs::CWD,
            context.join("device"),
            FileType::CharacterDevice,
            Mode::empty(),
            0,
        )
        .expect("a device");
        let mode =
            |path: &str, mode| fs::set_permissions(context.join(path), fs::Permissions::from_mode(mode));
        mode("private", 0o750).expect("a mode");
        mode("private/pipe", 0o620).expect("a mode");
        let time = |path: &str| {
            let parent = fs::File::open(&context).expect("the context");
            set_time(parent.as_fd(), OsStr::new(path), 1_000_000_007).expect("a time");
        };
        time("private");
        let directory = fs::File::open(&context).expect("the context");
        let tree = Tree::context(directory.into(), Some(Arc::new(Only("off"))));
        let paths = |selector: &str| {
            let names = hidden(&tree, selector).expect("walked");
            names.iter().map(|hidden| hidden.path.display().to_string()).collect::<Vec<_>>()
        };
        let expected = [
            "device",
            "entered/a",
            "entered/c",
            "off",
            "private/deep/off",
            "private/deep/socket",
            "private/pipe",
            "socket",
        ];
        assert_eq!(paths(""), expected);
        assert_eq!(paths("/private/deep"), expected[4..6]);
        assert_eq!(paths("off/inside"), ["off"]);
        assert_eq!(paths("entered/a/b"), ["entered"]);
        // It may yet come to be anywhere.
        assert_eq!(paths("nothing"), expected);
        hide(&tree, &hidden(&tree, "").expect("walked"), &layer).expect("hidden");

        let said = |path: &str| fs::symlink_metadata(layer.join(path)).expect(path);
        for path in expected.iter().filter(|path| !path.ends_with("pipe")) {
            let stat = rustix::fs::lstat(layer.join(path)).expect(path);
            assert!(is_whiteout(&stat), "{path}");
        }
        let pipe = said("private/pipe");
        assert!(pipe.file_type().is_fifo());
        assert_ne!(pipe.ino(), fs::symlink_metadata(context.join("private/pipe")).expect("the pipe").ino());
        assert_eq!(pipe.mode() & 0o7777, 0o620);
        let private = said("private");
        assert_eq!((private.mode() & 0o7777, private.mtime_nsec()), (0o750, 1_000_000_007 % 1_000_000_000));
        assert!(!layer.join("plain").exists() && !layer.join("file").exists());
    }
}
