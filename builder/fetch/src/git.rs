//! Checkouts of git repositories, made by the `git` program.
//!
//! A reference is first resolved to a commit, which is what results are keyed by; then that commit alone is
//! fetched. `git` asks nothing and reads nothing of its system-wide settings.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use thiserror::Error;

use xx_build_frontend::lower::without_secrets;

/// A repository and what of it is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repository {
    /// Its URL.
    pub remote: String,
    /// A branch, tag, full reference or commit; empty for the default branch.
    pub reference: String,
    /// The directory that is taken; empty for all.
    pub subdir: String,
    /// What the commit's id must begin with; may be empty.
    pub checksum: String,
    /// `.git` is kept.
    pub keep_git_dir: bool,
    /// Submodules are left out.
    pub skip_submodules: bool,
    /// Files get the time of the commit.
    pub commit_time: bool,
    /// The checksum is the commit: the server is not asked what the reference stands for by now.
    pub fetch_by_commit: bool,
    /// A header for the server, such as `Authorization: ...`; secret.
    pub header: Option<String>,
}

/// Runs `git`, as the caller wants programs to be run.
pub type Run<'a> = &'a dyn Fn(Command) -> std::io::Result<Output>;

/// Why a repository could not be used.
#[derive(Debug, Error)]
pub enum GitError {
    /// There is no such program.
    #[error("cannot start `git`: {0}")]
    NoGit(std::io::Error),
    /// It failed.
    #[error("`git {command}` of `{remote}`: {reason}")]
    Failed {
        /// What it was to do.
        command: &'static str,
        /// The repository.
        remote: String,
        /// What it said.
        reason: String,
    },
    /// The repository has no such branch, tag or commit.
    #[error("`{remote}` has no branch, tag or commit `{reference}`")]
    NoReference {
        /// The repository.
        remote: String,
        /// What was asked for.
        reference: String,
    },
    /// A commit is to be fetched by its id, and that is not given.
    #[error("`fetch-by-commit` of `{remote}` needs the whole id of a commit, not `{checksum}`")]
    NoCommit {
        /// The repository.
        remote: String,
        /// What was given.
        checksum: String,
    },
    /// The reference stands for another commit.
    #[error("`{reference}` of `{remote}` is commit {found}, expected {expected}")]
    Checksum {
        /// The repository.
        remote: String,
        /// What was asked for.
        reference: String,
        /// What it stands for.
        found: String,
        /// What was expected.
        expected: String,
    },
}

impl GitError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoGit(_) => "install the package `git`: repositories are fetched with it",
            Self::Failed { .. } => {
                "a private repository takes `--secret id=GIT_AUTH_TOKEN,env=VARIABLE`, or the keys of your ssh; submodules come by http, https, ssh and git only"
            }
            Self::NoReference { .. } => "`git ls-remote URL` lists what there is",
            Self::NoCommit { .. } => {
                "write `checksum=` and 40 or 64 hex digits, or take `fetch-by-commit` away"
            }
            Self::Checksum { .. } => "the branch or tag has moved: if it was meant to, write the new commit",
        }
    }
}

impl Repository {
    /// Reads the source operation `git://...#REFERENCE:SUBDIR` with its attributes.
    #[must_use]
    pub fn of_source(identifier: &str, attribute: impl Fn(&str) -> Option<String>) -> Self {
        let (place, fragment) = identifier.split_once('#').unwrap_or((identifier, ""));
        let (reference, subdir) = fragment.split_once(':').unwrap_or((fragment, ""));
        let is_true = |name: &str| attribute(name).as_deref() == Some("true");
        Self {
            remote: attribute("git.fullurl")
                .filter(|url| !url.is_empty())
                .unwrap_or_else(|| place.to_owned()),
            reference: reference.to_owned(),
            subdir: subdir.trim_matches('/').to_owned(),
            checksum: attribute("git.checksum").unwrap_or_default(),
            keep_git_dir: is_true("git.keepgitdir"),
            skip_submodules: is_true("git.skipsubmodules"),
            commit_time: attribute("git.mtime").as_deref() == Some("commit"),
            fetch_by_commit: is_true("git.fetchbycommit"),
            header: None,
        }
    }

    fn shown(&self) -> String {
        without_secrets(&self.remote)
    }

    #[expect(clippy::disallowed_methods, reason = "the one program that a source is fetched with")]
    fn git(
        &self,
        start: Run<'_>,
        folder: &Path,
        command: &'static str,
        arguments: &[&OsStr],
    ) -> Result<Vec<u8>, GitError> {
        let mut git = Command::new("git");
        git.arg("-C").arg(folder);
        git.args(["-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false"]);
        // A server that says nothing for a minute has gone.
        git.args(["-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=60"]);
        git.arg(command).args(arguments);
        // Neither repositories of this machine nor remote helpers, which can be any program; submodules included.
        git.env("GIT_ALLOW_PROTOCOL", "git:http:https:ssh");
        git.env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oConnectTimeout=60 -oServerAliveInterval=20");
        if let Some(header) = &self.header {
            // Not as an argument: those can be read by every process.
            git.env("GIT_CONFIG_COUNT", "1")
                .env("GIT_CONFIG_KEY_0", format!("http.{}.extraHeader", scope(&self.remote)))
                .env("GIT_CONFIG_VALUE_0", header);
        }
        let failed = |reason: String| GitError::Failed { command, remote: self.shown(), reason };
        let ended = start(git).map_err(|error| {
            let cancelled = error.kind() == std::io::ErrorKind::Interrupted;
            if cancelled { failed(error.to_string()) } else { GitError::NoGit(error) }
        })?;
        if ended.status.success() {
            return Ok(ended.stdout);
        }
        Err(failed(reason(&String::from_utf8_lossy(&ended.stderr))))
    }

    /// The commit that the reference stands for.
    ///
    /// # Errors
    /// When the repository cannot be reached, has no such reference, or another commit than the checksum says.
    pub fn resolve(&self, run: Run<'_>) -> Result<String, GitError> {
        let commit = if is_commit(&self.reference) {
            self.reference.clone()
        } else if self.fetch_by_commit {
            if !is_commit(&self.checksum) {
                return Err(GitError::NoCommit { remote: self.shown(), checksum: self.checksum.clone() });
            }
            self.checksum.clone()
        } else {
            let answer =
                self.git(run, Path::new("/"), "ls-remote", &["--".as_ref(), self.remote.as_ref()])?;
            let missing =
                || GitError::NoReference { remote: self.shown(), reference: self.reference.clone() };
            choose(&String::from_utf8_lossy(&answer), &self.reference).ok_or_else(missing)?
        };
        if !commit.starts_with(&self.checksum) {
            return Err(GitError::Checksum {
                remote: self.shown(),
                reference: self.reference.clone(),
                found: commit,
                expected: self.checksum.clone(),
            });
        }
        Ok(commit)
    }

    /// Checks `commit` out into the empty directory `folder`. Returns the time of the commit in seconds since
    /// 1970.
    ///
    /// # Errors
    /// When it cannot be fetched.
    pub fn checkout(&self, run: Run<'_>, commit: &str, folder: &Path) -> Result<i64, GitError> {
        let start = run;
        let run = |command: &'static str, arguments: &[&str]| {
            let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
            self.git(start, folder, command, &arguments)
        };
        run("init", &["--quiet"])?;
        run("remote", &["add", "--", "origin", &self.remote])?;
        if run("fetch", &["--quiet", "--depth=1", "--no-tags", "origin", commit]).is_err() {
            // A server that gives no commits by their ids.
            run("fetch", &["--quiet", "--tags", "origin", "+refs/*:refs/remotes/origin/*"])?;
        }
        run("checkout", &["--quiet", "--force", "--detach", commit])?;
        if !self.skip_submodules && folder.join(".gitmodules").is_file() {
            run("submodule", &["--quiet", "update", "--init", "--recursive", "--depth=1"])?;
        }
        let time = run("show", &["--no-patch", "--format=%ct", commit])?;
        Ok(String::from_utf8_lossy(&time).trim().parse().unwrap_or(0))
    }
}

/// Where a repository's header is shown: to itself, not to the hosts of its submodules. Repositories of GitHub share
/// their users, so there it is shown to all of them, as BuildKit and GitHub's own checkout do.
fn scope(remote: &str) -> &str {
    let shared = ["https://github.com/", "https://www.github.com/"];
    shared.into_iter().find(|place| remote.starts_with(place)).unwrap_or(remote)
}

/// What matters of what `git` said: its first error, and the line before it, which is what ssh or the server said.
fn reason(said: &str) -> String {
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| {
            !line.is_empty() && !line.starts_with("Cloning into") && !line.starts_with("Submodule ")
        })
        .collect();
    let error = |line: &&str| line.starts_with("fatal: ") || line.starts_with("error: ");
    let end = lines.iter().position(error).map_or(lines.len(), |first| first + 1);
    let matters = lines.get(end.saturating_sub(2)..end).unwrap_or_default();
    if matters.is_empty() { "it failed".to_owned() } else { matters.join("; ") }
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The commit of a reference in the answer of `git ls-remote`: a full name, or else a tag, or else a branch.
fn choose(answer: &str, reference: &str) -> Option<String> {
    let find = |name: &str| {
        let line =
            answer.lines().find(|line| line.split_once('\t').is_some_and(|(_, found)| found == name))?;
        line.split_once('\t').map(|(commit, _)| commit.to_owned()).filter(|commit| is_commit(commit))
    };
    if reference.is_empty() {
        return find("HEAD");
    }
    let full =
        if reference.starts_with("refs/") { reference.to_owned() } else { format!("refs/{reference}") };
    // An annotated tag is an object of its own; `^{}` is what it stands for.
    let names = [
        format!("{full}^{{}}"),
        full,
        format!("refs/tags/{reference}^{{}}"),
        format!("refs/tags/{reference}"),
        format!("refs/heads/{reference}"),
    ];
    names.iter().find_map(|name| find(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_chosen() {
        let id = |digit: char| digit.to_string().repeat(40);
        let answer = [
            ('1', "HEAD"),
            ('1', "refs/heads/main"),
            ('2', "refs/heads/v1"),
            ('3', "refs/tags/v1"),
            ('4', "refs/tags/v2"),
            ('5', "refs/tags/v2^{}"),
            ('6', "refs/pull/7/head"),
        ]
        .map(|(digit, name)| format!("{}\t{name}\n", id(digit)))
        .concat();
        for (reference, expected) in [
            ("", Some('1')),
            ("main", Some('1')),
            ("v1", Some('3')),
            ("refs/heads/v1", Some('2')),
            ("heads/v1", Some('2')),
            ("v2", Some('5')),
            ("pull/7/head", Some('6')),
            ("nosuch", None),
            ("mai", None),
        ] {
            assert_eq!(choose(&answer, reference), expected.map(id), "{reference}");
        }
    }

    /// Without asking the server: what it would say is a panic.
    #[test]
    fn a_commit_is_fetched_by_its_id() {
        let id = "24eb9b2759ee81aa3aec33f90065acbb19edc4f4";
        let resolve = |reference: &str, checksum: &str| {
            let remote = "https://host/r.git".to_owned();
            let (reference, checksum) = (reference.to_owned(), checksum.to_owned());
            let repository =
                Repository { remote, reference, checksum, fetch_by_commit: true, ..Repository::default() };
            repository.resolve(&|_| panic!("git is run")).map_err(|error| error.to_string())
        };
        let needs = |given: &str| {
            Err(format!(
                "`fetch-by-commit` of `https://host/r.git` needs the whole id of a commit, not `{given}`"
            ))
        };
        for (reference, checksum, expected) in [
            ("main", id, Ok(id.to_owned())),
            ("", id, Ok(id.to_owned())),
            (id, "", Ok(id.to_owned())),
            (id, "24eb", Ok(id.to_owned())),
            ("main", "", needs("")),
            ("main", "24eb9b27", needs("24eb9b27")),
        ] {
            assert_eq!(resolve(reference, checksum), expected, "{reference} {checksum}");
        }
    }

    /// In no argument, and for no other host: what submodules are fetched from does not see it.
    #[test]
    fn a_header_is_shown_to_its_repository() {
        for (remote, place) in [
            ("https://host/o/r.git", "https://host/o/r.git"),
            ("https://github.com/o/r.git", "https://github.com/"),
            ("https://github.com.example/o/r.git", "https://github.com.example/o/r.git"),
        ] {
            let header = Some("Authorization: basic eDp5".to_owned());
            let repository = Repository { remote: remote.to_owned(), header, ..Repository::default() };
            let settings = std::cell::RefCell::new(vec![]);
            let asked = repository.resolve(&|git| {
                let text = |text: &OsStr| text.to_string_lossy().into_owned();
                assert!(!git.get_args().any(|argument| text(argument).contains("eDp5")));
                let given = git.get_envs().filter_map(|(name, value)| Some((text(name), text(value?))));
                settings.borrow_mut().extend(given.filter(|(name, _)| name.starts_with("GIT_CONFIG_KEY")));
                Err(std::io::ErrorKind::NotFound.into())
            });
            assert!(matches!(asked, Err(GitError::NoGit(_))));
            let expected = ("GIT_CONFIG_KEY_0".to_owned(), format!("http.{place}.extraHeader"));
            assert_eq!(settings.into_inner(), [expected]);
        }
    }

    #[test]
    fn the_first_error_is_the_reason() {
        for (said, expected) in [
            ("", "it failed"),
            ("fatal: repository 'x' not found\n", "fatal: repository 'x' not found"),
            (
                "git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.\n\nPlease make sure\n",
                "git@h: Permission denied (publickey).; fatal: Could not read from remote repository.",
            ),
            (
                "Cloning into '/w/m'...\nfatal: transport 'file' not allowed\nfatal: clone failed\nFailed to clone 'm'.\n",
                "fatal: transport 'file' not allowed",
            ),
        ] {
            assert_eq!(reason(said), expected, "{said}");
        }
    }

    #[test]
    fn sources_are_read() {
        let attributes = |name: &str| match name {
            "git.fullurl" => Some("https://u:p@host/r.git".to_owned()),
            "git.keepgitdir" => Some("true".to_owned()),
            _ => None,
        };
        let repository = Repository::of_source("git://host/r.git#v1:a/b", attributes);
        assert_eq!((repository.reference.as_str(), repository.subdir.as_str()), ("v1", "a/b"));
        assert!(repository.keep_git_dir && !repository.skip_submodules && !repository.commit_time);
        assert_eq!(repository.shown(), "https://host/r.git");
        assert_eq!(Repository::of_source("git://host/r", |_| None).remote, "git://host/r");
    }
}
