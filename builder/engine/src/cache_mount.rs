//! Cache mounts: directories that outlive a build and are no part of any result.

use std::os::fd::AsFd;
use std::path::PathBuf;

use rustix::fs::{AtFlags, Mode};

use super::job::{Input, Job};
use super::{Context, EngineError};
use xx_build_frontend::llb::pb;
use xx_build_rootfs::{CopyOptions, Matches, Root, RootError, Visibility, copy};
use xx_build_solve::KeyHasher;
use xx_build_store::FileLock;

/// A cache mount in use.
#[derive(Debug)]
pub(super) struct Cache {
    /// Its directory.
    pub(super) path: PathBuf,
    /// Its name in the store; a private one that was taken has a number behind it.
    name: String,
    /// Keeps others off it, if sharing asks for that.
    _lock: Option<FileLock>,
}

/// The directory of the cache mount `name`, for a step as it is shown. `held` are those that the step has already: a step may use one twice.
pub(super) fn prepare<'a>(
    context: Context<'_>,
    (step, name): (&str, &str),
    mount: &pb::Mount,
    base: &Input,
    mut held: impl Iterator<Item = &'a Cache>,
) -> Result<Cache, EngineError> {
    let sharing = mount.cache_opt.as_ref().map(|options| options.sharing).unwrap_or_default();
    let mut name = name.to_owned();
    let lock = match pb::CacheSharingOpt::try_from(sharing) {
        Ok(pb::CacheSharingOpt::Locked) if held.any(|held| held.name == name) => None,
        Ok(pb::CacheSharingOpt::Locked) => Some(context.lock(context.store.lock_of_cache(&name))?),
        // Whoever finds it taken gets another, the same one the next time.
        Ok(pb::CacheSharingOpt::Private) => {
            let (first, mut number) = (name.clone(), 0);
            loop {
                if let Some(lock) = FileLock::try_exclusive(&context.store.lock_of_cache(&name))? {
                    break Some(lock);
                }
                number += 1;
                name = format!("{first}-{number}");
            }
        }
        Ok(pb::CacheSharingOpt::Shared) | Err(_) => None,
    };
    let description = format!("cached mount {} from {step}", mount.dest);
    let fill = |directory: &std::path::Path| fill(context, mount, base, directory);
    let path = context.store.cache_directory(&name, &description, fill)?;
    Ok(Cache { path, name, _lock: lock })
}

/// A file name for the mount. An id that nobody chose, which is then the path of the mount, is told apart
/// by the platform of the step: object files of two architectures must not meet in one directory.
pub(super) fn name(job: &Job, mount: &pb::Mount, base: &Input) -> String {
    let id = mount.cache_opt.as_ref().map(|options| options.id.as_str()).unwrap_or_default();
    let mut hasher = KeyHasher::new("xx-build cache mount 1");
    hasher.field(id.as_bytes());
    // Before the id stands the namespace with a slash, and the path begins with another.
    if id.ends_with(&format!("/{}", mount.dest))
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
    let Matches { found, missing } = tree.matches(&mount.selector, false, true)?;
    if let Some(missing) = missing {
        return Err(super::copy::absent(&tree, &missing));
    }
    for source in found {
        copy(&tree, &source, &|_, _| Visibility::Show, root, "/", &options)?;
        if let Some(stat) = source.located().stat()? {
            let fail = |error: std::io::Error| RootError::new("cannot write", directory, error);
            let here = std::ffi::OsStr::new(".");
            root.owners().change(target.as_fd(), here, (stat.st_uid, stat.st_gid)).map_err(fail)?;
            let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
            rustix::fs::chmodat(&target, here, mode, AtFlags::empty()).map_err(|errno| fail(errno.into()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use xx_build_solve::{Identity, Key};

    fn name_on(architecture: &str, id: &str, dest: &str) -> String {
        let platform =
            pb::Platform { os: "linux".into(), architecture: architecture.into(), ..pb::Platform::default() };
        let job = Job {
            op: Arc::new(pb::Op { platform: Some(platform), ..pb::Op::default() }),
            inputs: vec![],
            selections: vec![],
            edges: vec![],
            keys: vec![],
            identity: Identity(Key([0; 32])),
            ignore_cache: false,
            resources: None,
            number: 0,
            name: String::new(),
        };
        let mount = pb::Mount {
            dest: dest.into(),
            cache_opt: Some(pb::CacheOpt { id: id.into(), sharing: 0 }),
            ..pb::Mount::default()
        };
        name(&job, &mount, &Input::Layer(None))
    }

    #[test]
    fn ids_that_nobody_chose_are_told_apart_by_platform() {
        // An id is the namespace, a slash, and what was chosen or else the path.
        for (id, dest, apart) in [
            ("//root/.cache", "/root/.cache", true),
            ("space//root/.cache", "/root/.cache", true),
            ("/apt", "/var/cache/apt", false),
            ("/my/root/.cache", "/root/.cache", false),
        ] {
            let differ = name_on("amd64", id, dest) != name_on("arm64", id, dest);
            assert_eq!(differ, apart, "{id} {dest}");
        }
    }
}
