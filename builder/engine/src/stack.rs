//! LLB's merge and diff: results put on each other, and what one has that another has not.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, Stat};

use super::job::{Input, Job};
use super::{Context, EngineError};
use xx_build_frontend::llb::pb;
use xx_build_rootfs::{
    CopyOptions, Entry, NewDirectories, Owners, Root, RootError, Tree, Visibility, copy, make_whiteout,
    mtime, walk,
};
use xx_build_store::{LayerId, OutputLayer};

fn layer(job: &Job, index: i64) -> Result<Option<LayerId>, EngineError> {
    match usize::try_from(index).ok().map(|index| job.inputs.get(index)) {
        // No input at all is the empty file system.
        None => Ok(None),
        Some(Some(Input::Layer(layer))) => Ok(*layer),
        Some(Some(Input::Local(_)) | None) => {
            Err(EngineError::Unsupported(format!("a merge, diff or passthrough of input {index}")))
        }
    }
}

fn output(layer: Option<LayerId>) -> OutputLayer {
    layer.map_or(OutputLayer::Empty, OutputLayer::Existing)
}

/// Puts the inputs on each other, in their order.
pub(super) fn merge(context: Context<'_>, job: &Job, op: &pb::MergeOp) -> Result<OutputLayer, EngineError> {
    let inputs: Result<Vec<_>, _> = op.inputs.iter().map(|input| layer(job, input.input)).collect();
    Ok(output(context.store.merge(&inputs?)?))
}

/// Gives inputs on as they are.
pub(super) fn pass(job: &Job, op: &pb::PassthroughOp) -> Result<Vec<OutputLayer>, EngineError> {
    op.outputs.iter().map(|input| layer(job, *input).map(output)).collect()
}

/// What `upper` changes in `lower`: its own layers if it was made on it, or else the differences of both trees.
pub(super) fn diff(context: Context<'_>, job: &Job, op: &pb::DiffOp) -> Result<OutputLayer, EngineError> {
    let lower = op.lower.as_ref().map_or(Ok(None), |lower| layer(job, lower.input))?;
    let upper = op.upper.as_ref().map_or(Ok(None), |upper| layer(job, upper.input))?;
    if let Some(above) = context.store.above(lower, upper)? {
        return Ok(output(above));
    }
    let made = context.store.new_layer()?;
    let files = made.files();
    let target =
        File::open(&files).map_err(|error| RootError::new("cannot open directory", &files, error))?;
    let sides = Sides {
        lower: context.view(lower)?,
        upper: context.view(upper)?,
        owners: context.store.owners(),
        threads: context.request.threads,
    };
    sides.changes(Root::new(&target, context.store.owners()))?;
    Ok(OutputLayer::New { layer: made, parent: None })
}

struct Sides {
    lower: OwnedFd,
    upper: OwnedFd,
    owners: Owners,
    threads: usize,
}

const EVERYTHING: fn(&Path, bool) -> Visibility = |_, _| Visibility::Show;

impl Sides {
    /// Writes what leads from `lower` to `upper` into `target`, removals as overlayfs has them.
    fn changes(&self, target: Root<'_>) -> Result<(), EngineError> {
        let mut changed = vec![];
        let (lower, upper) = (Root::new(&self.lower, self.owners), Root::new(&self.upper, self.owners));
        let top = OsStr::new(".");
        walk(self.owners, self.upper.as_fd(), top, &EVERYTHING, &mut |entry: &Entry<'_>| {
            let old = stat(lower, entry.path)?;
            let same = match old {
                Some(old) => self.is_same(entry, &old)?,
                None => false,
            };
            if !same && !entry.path.as_os_str().is_empty() {
                changed.push(entry.path.to_owned());
            }
            Ok::<(), RootError>(())
        })?;
        changed.sort();
        let select = |path: &Path, is_directory: bool| {
            if changed.binary_search_by(|known| known.as_path().cmp(path)).is_ok() {
                Visibility::Show
            } else if is_directory {
                Visibility::Enter
            } else {
                Visibility::Hide
            }
        };
        let copy_of = self.upper.try_clone().map_err(|error| RootError::new("cannot open", "/", error))?;
        let tree = Tree::result(copy_of, self.owners);
        let options = CopyOptions {
            owner: None,
            mode: None,
            time: None,
            contents_only: true,
            replace: true,
            threads: self.threads,
        };
        for everything in tree.matches("/", false, true)?.found {
            copy(&tree, &everything, &select, target, "/", &options)?;
        }
        walk(self.owners, self.lower.as_fd(), top, &EVERYTHING, &mut |entry: &Entry<'_>| {
            if stat(upper, entry.path)?.is_none()
                && stat(upper, parent(entry.path))?.is_some_and(is_directory)
            {
                let place = target.locate_or_create(
                    entry.path,
                    false,
                    NewDirectories { mode: 0o755, owner: (0, 0), time: None },
                )?;
                make_whiteout(place.directory.as_fd(), &place.name)
                    .map_err(|errno| RootError::new("cannot remove", entry.path, errno))?;
            }
            Ok::<(), RootError>(())
        })?;
        Ok(())
    }

    /// Whether an entry is what `lower` has in its place.
    fn is_same(&self, entry: &Entry<'_>, old: &Stat) -> Result<bool, RootError> {
        let look = |stat: &Stat| {
            let kind = FileType::from_raw_mode(stat.st_mode);
            // Directories change their size and time with what is in them.
            let own = if kind.is_dir() { (0, 0) } else { (stat.st_size, mtime(stat)) };
            (stat.st_mode, stat.st_uid, stat.st_gid, stat.st_rdev, own)
        };
        if look(&entry.stat) != look(old) {
            return Ok(false);
        }
        let place = Root::new(&self.lower, self.owners).locate(entry.path, false)?;
        let before =
            Entry { directory: place.directory.as_fd(), name: &place.name, path: entry.path, stat: *old };
        if entry.xattrs()? != before.xattrs()? {
            return Ok(false);
        }
        match FileType::from_raw_mode(old.st_mode) {
            FileType::RegularFile => content(entry)
                .and_then(|new| Ok(new == content(&before)?))
                .map_err(|error| RootError::new("cannot read", entry.path, error)),
            FileType::Symlink => {
                Ok(xx_build_rootfs::link_target(entry)? == xx_build_rootfs::link_target(&before)?)
            }
            FileType::Directory
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => Ok(true),
        }
    }
}

fn is_directory(stat: Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode).is_dir()
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// The metadata at `path`, no link followed; `None` when nothing is there.
fn stat(root: Root<'_>, path: &Path) -> Result<Option<Stat>, RootError> {
    // A link on the way belongs to the other tree: nothing is behind it here.
    let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
    above.reverse();
    for above in above {
        if !above.as_os_str().is_empty() && !root.locate(above, false)?.stat()?.is_some_and(is_directory) {
            return Ok(None);
        }
    }
    root.locate(path, false)?.stat()
}

fn content(entry: &Entry<'_>) -> std::io::Result<blake3::Hash> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(entry.directory, entry.name, flags, Mode::empty())?);
    let (mut hasher, mut buffer) = (blake3::Hasher::new(), vec![0_u8; 64 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize()),
            count => hasher.update(buffer.get(..count).unwrap_or_default()),
        };
    }
}
