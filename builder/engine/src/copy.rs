//! The action `copy` of file operations: COPY and ADD.
//!
//! A copy that is all its operation does, of one directory, is written to the new layer itself rather than
//! through an overlay; what an earlier copy of the same directory of the user left unchanged is linked to.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};

use super::select::PatternFilter;
use super::{Context, EngineError};
use xx_build_frontend::llb::pb;
use xx_build_rootfs::{
    Absence, Again, Archive, CopyOptions, Filter as _, Match, Matches, Missing, ModeChange, NewDirectories,
    Root, RootError, Target, Tree, copy, copy_to, decompressed, has_wildcard, is_archive, open_beneath,
    unpack,
};
use xx_build_solve::{Key, KeyHasher};
use xx_build_store::{ActiveLayer, Copied, LayerId};

/// Fewer files are copied before a list of them is read.
const WORTH_A_LIST: usize = 32;

/// An action with everything looked up: what is copied, and how.
pub(super) struct CopyAction<'a> {
    action: &'a pb::FileActionCopy,
    tree: Tree,
    found: Vec<Match>,
    select: PatternFilter,
    options: CopyOptions,
}

impl<'a> CopyAction<'a> {
    /// Looks up what `action` copies from `tree`.
    pub(super) fn find(
        action: &'a pb::FileActionCopy,
        tree: Tree,
        owner: Option<(u32, u32)>,
        threads: usize,
    ) -> Result<Self, EngineError> {
        let mode = match action.mode_str.as_str() {
            "" => u32::try_from(action.mode).ok().map(ModeChange::Bits),
            symbolic => Some(symbolic.parse::<ModeChange>()?),
        };
        let options = CopyOptions {
            owner,
            mode,
            threads,
            time: super::file_op::timestamp(action.timestamp),
            contents_only: action.dir_copy_contents,
            replace: action.always_replace_existing_dest_paths,
        };
        let select = PatternFilter::new(&action.include_patterns, &action.exclude_patterns)?;
        let Matches { mut found, missing } =
            tree.matches(&action.src, action.allow_wildcard, action.follow_symlink)?;
        if let Some(missing) = missing {
            return Err(absent(&tree, &missing));
        }
        let may_be_empty = action.allow_wildcard && action.allow_empty_wildcard && has_wildcard(&action.src);
        if found.is_empty() && !may_be_empty {
            return Err(absent(&tree, &not_there(&action.src)));
        }
        if may_be_empty {
            // What was named outright is copied, whatever is said of other sources.
            found.retain(|source| !select.excludes(Path::new(&source.name)));
        }
        if !action.include_patterns.is_empty() {
            // The patterns are about what is in directories.
            let mut directories = vec![];
            for source in found {
                if is_directory(&source)? {
                    directories.push(source);
                }
            }
            found = directories;
        }
        let look = |path: &Path, is_directory: bool| select.look(path, is_directory);
        for required in &action.required_paths {
            let below = Path::new(required).strip_prefix(&action.src).ok();
            let mut reached = false;
            for source in found.iter().filter(|_| below.is_some()) {
                reached |= tree.reaches(source, &look, below.unwrap_or(Path::new("")))?;
            }
            if !reached {
                return Err(absent(&tree, &not_there(required)));
            }
        }
        Ok(Self { action, tree, found, select, options })
    }

    /// Copies to `root`, whatever is there.
    pub(super) fn run(&self, root: Root<'_>) -> Result<(), EngineError> {
        for source in &self.found {
            let unpacked = self.action.attempt_unpack_docker_compatibility
                && unpack_archive(source, root, &self.action.dest, &self.options)?;
            if !unpacked {
                let look = |path: &Path, is_directory: bool| self.select.look(path, is_directory);
                copy(&self.tree, source, &look, root, &self.action.dest, &self.options)?;
            }
        }
        Ok(())
    }

    /// Copies to a new layer that holds nothing else, on `base`; `root` shows both.
    pub(super) fn run_alone(
        &self,
        context: Context<'_>,
        (base, layer, root): (Option<LayerId>, &mut ActiveLayer, OwnedFd),
    ) -> Result<(), EngineError> {
        let owners = context.store.owners();
        let Some(source) = self.only_directory()? else { return self.run(Root::new(&root, owners)) };
        let target = Target::prepare(source, Root::new(&root, owners), &self.action.dest, &self.options)?;
        let target = match base {
            None => target,
            Some(_) if !target.takes_directory()? => {
                return self.copy_to(source, target, None).map(drop);
            }
            Some(base) => {
                drop(root);
                let files = layer.files();
                let upper =
                    File::open(&files).map_err(|error| RootError::new("cannot open", &files, error))?;
                target.in_layer(upper.into(), || context.view(Some(base)))?
            }
        };
        let place = target.path().to_owned();
        let note = |layer: &mut ActiveLayer, objects: Option<Vec<PathBuf>>| {
            if let Some(objects) = objects {
                layer.set_objects(objects.iter().map(|path| place.join(path)).collect());
            }
        };
        if !self.tree.is_root_owned() {
            note(layer, self.copy_to(source, target, None)?);
            return Ok(());
        }
        let key = self.key(source, &target)?;
        let earlier = context.store.earlier_copy(&key)?;
        // A layer that is gone, or going, is as good as none.
        let earlier = earlier.and_then(|(layer, marks)| {
            let layer = File::open(layer).ok()?;
            Some((open_beneath(layer.into(), target.path()).ok()?, marks))
        });
        let again = Again::new(context.request.now, earlier);
        note(layer, self.copy_to(source, target, Some(&again))?);
        let marks = again.into_marks();
        if marks.len() >= WORTH_A_LIST {
            layer.set_copied(Copied { key, marks });
        }
        Ok(())
    }

    fn copy_to(
        &self,
        source: &Match,
        target: Target,
        again: Option<&Again>,
    ) -> Result<Option<Vec<PathBuf>>, EngineError> {
        let look = |path: &Path, is_directory: bool| self.select.look(path, is_directory);
        Ok(copy_to(&self.tree, source, &look, target, &self.options, again)?)
    }

    /// What is copied, if it is one directory.
    fn only_directory(&self) -> Result<Option<&Match>, RootError> {
        let [source] = &self.found[..] else { return Ok(None) };
        Ok(is_directory(source)?.then_some(source))
    }

    /// Names copies that have all in common but when they are made, and which files are chosen.
    fn key(&self, source: &Match, target: &Target) -> Result<Key, RootError> {
        use std::os::unix::ffi::OsStrExt as _;
        let stat = source.located().stat()?.map_or((0, 0), |stat| (stat.st_dev, stat.st_ino));
        let mut hasher = KeyHasher::new("xx-build copy 1");
        hasher.number(stat.0).number(stat.1);
        hasher.field(target.path().as_os_str().as_bytes());
        hasher.field(format!("{:?}", (self.options.owner, &self.options.mode, self.options.time)).as_bytes());
        Ok(hasher.finish())
    }
}

fn is_directory(source: &Match) -> Result<bool, RootError> {
    let stat = source.located().stat()?;
    Ok(stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir()))
}

fn not_there(path: &str) -> Missing {
    Missing { path: path.trim_start_matches('/').into(), why: Absence::Nothing }
}

/// The error for what a tree should show and does not.
pub(super) fn absent(tree: &Tree, missing: &Missing) -> EngineError {
    let from = if tree.is_root_owned() { "the context" } else { "the result it is copied from" }.to_owned();
    let (path, ignored) = (format!("/{}", missing.path.display()), tree.filter().is_some());
    match missing.why {
        Absence::Nothing => EngineError::NotFound { path, from, ignored },
        Absence::Dangling => EngineError::Dangling { path, from, ignored },
        Absence::NoDirectory => EngineError::NoDirectory { path, from },
    }
}

/// Unpacks the source if it is an archive; says whether it was.
fn unpack_archive(
    source: &Match,
    root: Root<'_>,
    destination: &str,
    options: &CopyOptions,
) -> Result<bool, EngineError> {
    let located = source.located();
    let is_file = located.stat()?.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file());
    if !is_file {
        return Ok(false);
    }
    let open = || -> Result<std::fs::File, RootError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&located.directory, &located.name, flags, Mode::empty())
            .map(Into::into)
            .map_err(|errno| RootError::new("cannot read", source.path(), errno))
    };
    if !is_archive(open()?) {
        return Ok(false);
    }
    let directories =
        NewDirectories { mode: 0o755, owner: options.owner.unwrap_or((0, 0)), time: options.time };
    let target = root.create_directories(Path::new(destination), directories)?;
    let stream =
        decompressed(open()?).map_err(|error| RootError::new("cannot unpack", source.path(), error))?;
    unpack(stream, Root::new(&target, root.owners()), Archive::Files { owner: options.owner })?;
    Ok(true)
}
