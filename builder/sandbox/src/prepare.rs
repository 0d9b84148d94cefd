//! What is settled before the step has namespaces: its user, directory, program and the sources of its mounts.
//!
//! Sources are cloned here, while the builder's own mounts are still the ones of the process: a clone taken after
//! the namespace has split would be refused.

use std::ffi::{CString, NulError};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit};
use xx_build_rootfs::accounts;

use super::SandboxError;
use super::inside::{Inside, Make, read_bounded};
use super::mountapi::clone_tree;
use super::passwd::{self, User};
use super::step::{BindSource, MountKind, Step, Ulimit};

/// What a shell without `PATH` searches.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A step with everything resolved that can be.
pub(super) struct Prepared {
    pub(super) user: User,
    pub(super) cwd: CString,
    pub(super) programs: Vec<CString>,
    pub(super) args: Vec<CString>,
    pub(super) env: Vec<CString>,
    pub(super) limits: Vec<(Resource, Rlimit)>,
    /// One for each mount of the step; `None` for what has no source.
    pub(super) sources: Vec<Option<Source>>,
}

/// The source of a bind mount.
pub(super) enum Source {
    /// A detached clone.
    Clone(OwnedFd),
    /// A place in a detached mount, which kernels before 6.15 clone only once it is attached.
    Later(OwnedFd),
}

pub(super) fn prepare(step: &Step) -> Result<Prepared, SandboxError> {
    let root = Inside(step.root.as_fd());
    let user = user(root, &step.user)?;
    let cwd = if step.cwd.is_empty() { "/" } else { &step.cwd };
    root.open_or_make(cwd, Make::Directory { uid: user.uid, gid: user.gid })
        .map_err(SandboxError::on("make the working directory", cwd))?;
    let mut env = step.env.clone();
    if !env.iter().any(|entry| entry.starts_with("HOME=")) {
        env.push(format!("HOME={}", user.home));
    }
    let program = step.args.first().map_or("", String::as_str);
    Ok(Prepared {
        programs: words("run", &candidates(program, &env))?,
        args: words("run", &step.args)?,
        env: words("set in the environment", &env)?,
        limits: step.ulimits.iter().map(limit).collect::<Result<_, _>>()?,
        sources: step
            .mounts
            .iter()
            .map(|mount| source(&mount.target, &mount.kind))
            .collect::<Result<_, _>>()?,
        cwd: words("enter", &[cwd.to_owned()])?.pop().unwrap_or_default(),
        user,
    })
}

fn user(root: Inside<'_>, user: &str) -> Result<User, SandboxError> {
    let read = |path: &str| -> Result<String, SandboxError> {
        let bytes = read_bounded(root, path, accounts::MAX_FILE).map_err(|error| SandboxError::Refused {
            action: "look up the step's user in",
            subject: format!("/{path}"),
            reason: error.to_string(),
            hint: "an earlier step or the base image broke the file: write it anew",
        })?;
        Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
    };
    Ok(passwd::resolve(user, &read("etc/passwd")?, &read("etc/group")?)?)
}

fn words(action: &'static str, words: &[String]) -> Result<Vec<CString>, SandboxError> {
    let nul = |word: &String, _: NulError| SandboxError::System {
        action,
        subject: word.replace('\0', "\\0"),
        source: std::io::Error::other("it contains a NUL byte"),
    };
    words.iter().map(|word| CString::new(word.as_str()).map_err(|error| nul(word, error))).collect()
}

/// The paths that `program` may mean, in the order of `PATH`.
fn candidates(program: &str, env: &[String]) -> Vec<String> {
    if program.is_empty() || program.contains('/') {
        return vec![program.to_owned()];
    }
    let path = env.iter().rev().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    path.split(':')
        .map(|directory| if directory.is_empty() { "." } else { directory })
        .map(|directory| format!("{}/{program}", directory.trim_end_matches('/')))
        .collect()
}

fn source(target: &str, kind: &MountKind) -> Result<Option<Source>, SandboxError> {
    let MountKind::Bind { source, subpath, readonly: _ } = kind else { return Ok(None) };
    let opened;
    let base = match source {
        BindSource::Fd(fd) => fd.as_fd(),
        BindSource::Path(path) => {
            opened = rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
                .map_err(SandboxError::on("open the mount source", path))?;
            opened.as_fd()
        }
    };
    let place = if subpath.is_empty() {
        base.try_clone_to_owned().map_err(|source| SandboxError::System {
            action: "open the source of the mount at",
            subject: target.to_owned(),
            source,
        })
    } else {
        Inside(base).open(subpath, OFlags::PATH).map_err(|errno| SandboxError::Refused {
            action: "mount the source",
            subject: subpath.clone(),
            reason: std::io::Error::from(errno).to_string(),
            hint: "the path is looked up inside the stage or context that `from=` names",
        })
    }?;
    match clone_tree(&place, true) {
        Ok(clone) => Ok(Some(Source::Clone(clone))),
        Err(Errno::INVAL) if matches!(source, BindSource::Fd(_)) => Ok(Some(Source::Later(place))),
        Err(errno) => Err(SandboxError::on("clone the source of the mount at", target)(errno)),
    }
}

fn limit(ulimit: &Ulimit) -> Result<(Resource, Rlimit), SandboxError> {
    let resource = RESOURCES.iter().find(|(name, _)| *name == ulimit.name).map(|(_, resource)| *resource);
    let resource = resource.ok_or_else(|| SandboxError::Refused {
        action: "limit",
        subject: ulimit.name.clone(),
        reason: "there is no such resource".to_owned(),
        hint: "those of setrlimit(2), such as `nofile`, `nproc`, `core`",
    })?;
    // All ones is "unlimited" to the kernel.
    let value = |number| (number != u64::MAX).then_some(number);
    Ok((resource, Rlimit { current: value(ulimit.soft), maximum: value(ulimit.hard) }))
}

/// Names of `setrlimit(2)`.
const RESOURCES: &[(&str, Resource)] = &[
    ("as", Resource::As),
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::Fsize),
    ("locks", Resource::Locks),
    ("memlock", Resource::Memlock),
    ("msgqueue", Resource::Msgqueue),
    ("nice", Resource::Nice),
    ("nofile", Resource::Nofile),
    ("nproc", Resource::Nproc),
    ("rss", Resource::Rss),
    ("rtprio", Resource::Rtprio),
    ("rttime", Resource::Rttime),
    ("sigpending", Resource::Sigpending),
    ("stack", Resource::Stack),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_searched_on_the_steps_path() {
        let table: &[(&str, &[&str], &[&str])] = &[
            ("sh", &["PATH=/a:/b/"], &["/a/sh", "/b/sh"]),
            ("sh", &["PATH=/a", "PATH=/last"], &["/last/sh"]),
            ("sh", &["PATH="], &["./sh"]),
            ("/bin/sh", &["PATH=/a"], &["/bin/sh"]),
            ("./x", &["PATH=/a"], &["./x"]),
            ("", &["PATH=/a"], &[""]),
        ];
        for (program, env, expected) in table {
            let env: Vec<_> = env.iter().map(ToString::to_string).collect();
            assert_eq!(candidates(program, &env), *expected, "{program} {env:?}");
        }
        assert!(candidates("sh", &[]).contains(&"/bin/sh".to_owned()), "a default without PATH");
    }

    #[test]
    fn limits() {
        let ulimit = |name: &str, soft, hard| Ulimit { name: name.to_owned(), soft, hard };
        let nofile = limit(&ulimit("nofile", 10, u64::MAX)).unwrap();
        assert_eq!(nofile, (Resource::Nofile, Rlimit { current: Some(10), maximum: None }));
        assert!(limit(&ulimit("files", 1, 1)).unwrap_err().to_string().contains("`files`"));
    }
}
