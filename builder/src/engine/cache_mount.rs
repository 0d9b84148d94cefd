//! Cache mounts: directories that outlive a build and are no part of any result.

use std::os::fd::AsFd;
use std::path::PathBuf;

use rustix::fs::{AtFlags, Mode};

use super::job::{Input, Job};
use super::{Context, EngineError};
use crate::llb::pb;
use crate::rootfs::{CopyOptions, Root, RootError, Visibility, copy};
use crate::solve::KeyHasher;
use crate::store::FileLock;

/// The directory of a cache mount, and the lock that keeps others off it if sharing asks for that.
pub(super) fn prepare(
    context: Context<'_>,
    job: &Job,
    mount: &pb::Mount,
    base: &Input,
) -> Result<(PathBuf, Option<FileLock>), EngineError> {
    let options = mount.cache_opt.clone().unwrap_or_default();
    let mut name = name(job, mount, &options.id, base);
    let lock = match pb::CacheSharingOpt::try_from(options.sharing) {
        Ok(pb::CacheSharingOpt::Locked) => Some(context.store.lock_cache(&name)?),
        Ok(pb::CacheSharingOpt::Private) => {
            let lock = context.store.try_lock_cache(&name)?;
            if lock.is_none() {
                // Someone else writes to it: this step gets one of its own.
                name = format!("{name}-{}", context.store.unique_name());
            }
            lock
        }
        Ok(pb::CacheSharingOpt::Shared) | Err(_) => None,
    };
    let path =
        context.store.cache_directory(&name, &job.name, |directory| fill(context, mount, base, directory))?;
    Ok((path, lock))
}

/// A file name for the mount. An id that nobody chose, which is then the path of the mount, is told apart
/// by the platform of the step: object files of two architectures must not meet in one directory.
fn name(job: &Job, mount: &pb::Mount, id: &str, base: &Input) -> String {
    let mut hasher = KeyHasher::new("xx-build cache mount 1");
    hasher.field(id.as_bytes());
    if id.ends_with(&mount.dest)
        && let Some(platform) = &job.op.platform
    {
        hasher.field(platform.os.as_bytes());
        hasher.field(platform.architecture.as_bytes());
        hasher.field(platform.variant.as_bytes());
    }
    if let Input::Layer(Some(layer)) = base {
        hasher.field(format!("{layer:?}").as_bytes()).field(mount.selector.as_bytes());
    }
    format!("{:?}", hasher.finish())
}

/// Gives a new cache directory what the mount's `from` has there, owner and mode included.
fn fill(
    context: Context<'_>,
    mount: &pb::Mount,
    base: &Input,
    directory: &std::path::Path,
) -> Result<(), EngineError> {
    if matches!(base, Input::Layer(None)) {
        return Ok(());
    }
    let tree = context.tree(base)?;
    let target = std::fs::File::open(directory)
        .map_err(|error| RootError::new("cannot open directory", directory, error))?;
    let root = Root::new(&target, context.store.owners());
    let threads = context.request.threads;
    let options =
        CopyOptions { owner: None, mode: None, time: None, contents_only: true, replace: false, threads };
    for source in tree.matches(&mount.selector, false, true)? {
        copy(&tree, &source, &|_, _| Visibility::Show, root, "/", &options)?;
        if let Some(stat) = source.located().stat()? {
            let fail = |errno| RootError::new("cannot write", directory, errno);
            let here = std::ffi::OsStr::new(".");
            root.owners().change(target.as_fd(), here, (stat.st_uid, stat.st_gid)).map_err(fail)?;
            let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
            rustix::fs::chmodat(&target, here, mode, AtFlags::empty()).map_err(fail)?;
        }
    }
    Ok(())
}
