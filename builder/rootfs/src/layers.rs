//! Layer directories on each other as overlayfs shows them, looked at without a mount.
//!
//! For single questions about what is below a layer: what a name that the layer mentions was before. A whole tree is
//! better looked at through a mount.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, Stat};
use rustix::io::{Errno, Result};

use super::walk::is_opaque;
use super::{Owners, is_whiteout};

/// As many layers lie on each other at the most: the kernel's bound (`OVL_MAX_STACK`).
pub const MAX_LAYERS: usize = 500;

/// Layers, the uppermost first.
#[derive(Debug)]
pub struct Layers {
    directories: Vec<File>,
    owners: Owners,
}

/// A name that one of the layers has and no layer above it hides.
#[derive(Debug)]
pub struct Below {
    /// The directory of the layer that holds it.
    pub directory: OwnedFd,
    /// Its metadata, links not followed.
    pub stat: Stat,
}

impl Layers {
    /// Opens the directories of layers, the uppermost first.
    ///
    /// # Errors
    /// The first that cannot be opened, and why.
    pub fn open(directories: &[PathBuf], owners: Owners) -> std::result::Result<Self, (PathBuf, io::Error)> {
        let open = |path: &PathBuf| File::open(path).map_err(|error| (path.clone(), error));
        Ok(Self { directories: directories.iter().map(open).collect::<std::result::Result<_, _>>()?, owners })
    }

    /// How the owners of their files are kept.
    #[must_use]
    pub fn owners(&self) -> Owners {
        self.owners
    }

    /// What lies at `path`, which is not empty, no link on the way followed; `None` when nothing does.
    ///
    /// # Errors
    /// When a directory cannot be looked into.
    pub fn find(&self, path: &Path) -> Result<Option<Below>> {
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
        for layer in &self.directories {
            let directory = match open(layer.as_fd(), above) {
                Ok(directory) => directory,
                Err(Errno::NOENT) if !hides_lower(layer.as_fd(), path)? => continue,
                // Something else is above it.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
                Err(errno) => return Err(errno),
            };
            match self.owners.stat(directory.as_fd(), name) {
                Ok(stat) if is_whiteout(&stat) => return Ok(None),
                Ok(stat) => return Ok(Some(Below { directory, stat })),
                Err(Errno::NOENT) if !hides_lower(layer.as_fd(), path)? => {}
                Err(Errno::NOENT) => return Ok(None),
                Err(errno) => return Err(errno),
            }
        }
        Ok(None)
    }
}

fn open(layer: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd> {
    if path.as_os_str().is_empty() {
        return rustix::io::fcntl_dupfd_cloexec(layer, 0);
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    rustix::fs::openat2(layer, path, flags, Mode::empty(), resolve)
}

/// Whether a directory above `path` hides what lower layers have in it, or is none here.
fn hides_lower(layer: BorrowedFd<'_>, path: &Path) -> Result<bool> {
    for above in path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
        match open(layer, above) {
            Ok(directory) if is_opaque(directory.as_fd(), OsStr::new("."))? => return Ok(true),
            Ok(_) | Err(Errno::NOENT) => {}
            Err(Errno::NOTDIR | Errno::LOOP) => return Ok(true),
            Err(errno) => return Err(errno),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::make_whiteout;

    #[test]
    fn upper_layers_hide_lower_ones() {
        let place = tempfile::tempdir().expect("a directory");
        let path = |name: &str| place.path().join(name);
        for directory in ["low/a/b", "low/gone/x", "low/bare/x", "mid/a", "mid/bare", "top/a/b"] {
            fs::create_dir_all(path(directory)).expect("a directory");
        }
        for file in [
            "low/a/file",
            "low/a/b/deep",
            "low/gone/x/y",
            "low/bare/x/y",
            "low/was",
            "low/turned",
            "mid/a/file",
        ] {
            fs::write(path(file), file).expect("a file");
        }
        fs::create_dir(path("mid/turned")).expect("a directory");
        fs::write(path("mid/turned/new"), "").expect("a file");
        let open = |name: &str| File::open(path(name)).expect("a directory");
        for name in ["gone", "was"] {
            make_whiteout(open("mid").as_fd(), OsStr::new(name)).expect("a whiteout");
        }
        rustix::fs::fsetxattr(open("mid/bare"), "user.overlay.opaque", b"y", rustix::fs::XattrFlags::empty())
            .expect("a mark");
        let layers = Layers::open(&["top", "mid", "low"].map(path), Owners::Real).expect("opened");
        for (asked, expected) in [
            ("a", Some("top/a")),
            ("a/b/deep", Some("low/a/b/deep")),
            ("a/file", Some("mid/a/file")),
            ("was", None),
            ("gone", None),
            ("gone/x/y", None),
            ("bare", Some("mid/bare")),
            ("bare/x", None),
            ("bare/x/y", None),
            ("turned/new", Some("mid/turned/new")),
            ("turned/other", None),
            ("nothing", None),
            ("nothing/at/all", None),
            ("was/below", None),
        ] {
            use std::os::unix::fs::MetadataExt as _;
            let found = layers.find(Path::new(asked)).expect("looked").map(|found| found.stat.st_ino);
            let expected = expected.map(|name| fs::metadata(path(name)).expect("metadata").ino());
            assert_eq!(found, expected, "{asked}");
        }
    }

    /// A link of a layer is a link, wherever it stands in a path and wherever it leads.
    #[test]
    fn no_link_of_a_layer_is_followed() {
        let place = tempfile::tempdir().expect("a directory");
        let path = |name: &str| place.path().join(name);
        for directory in ["layer/a/b", "outside/b"] {
            fs::create_dir_all(path(directory)).expect("a directory");
            fs::write(path(directory).join("x"), "").expect("a file");
        }
        let outside = path("outside");
        for (name, to) in
            [("up", "../outside"), ("there", outside.to_str().expect("text")), ("own", "a"), ("a/on", "b")]
        {
            std::os::unix::fs::symlink(to, path("layer").join(name)).expect("a link");
        }
        let layers = Layers::open(&[path("layer")], Owners::Real).expect("opened");
        let layer = || OwnedFd::from(File::open(path("layer")).expect("the layer"));
        assert!(layers.find(Path::new("a/b/x")).expect("looked").is_some());
        crate::open_beneath(layer(), Path::new("a/b")).expect("opened");
        for link in ["up", "there", "own", "a/on"] {
            let below = Path::new(link).join("b/x");
            assert!(layers.find(&below).expect("looked").is_none(), "{link}");
            for path in [Path::new(link), below.parent().expect("a directory"), &Path::new("a/..").join(link)]
            {
                assert!(crate::open_beneath(layer(), path).is_err(), "{}", path.display());
            }
        }
        for path in ["..", "../outside", "a/../../outside", "/", "/proc/self/cwd"] {
            assert!(crate::open_beneath(layer(), Path::new(path)).is_err(), "{path}");
        }
    }
}
