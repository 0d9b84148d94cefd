//! Sources that lie on servers: what they are now, and their files as a layer.
//!
//! Such a source has no identity of its own, as a branch or a URL stands for other content tomorrow. So it is
//! first resolved, to a commit or to the digest of a file, and that is its key. A server is asked once in a build:
//! whatever it says later, all parts of the build see the same.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Mutex;

use rustix::fs::Mode;

use super::{Context, EngineError};
use crate::fetch::{Question, Repository, download, modified_seconds};
use crate::llb::pb;
use crate::oci::digest::Digest;
use crate::rootfs::{CopyOptions, Metadata, ModeChange, Root, RootError, Tree, Visibility, copy};
use crate::solve::{Key, KeyHasher};
use crate::store::{Download, OutputLayer};
use crate::sync::lock;

/// A source on a server.
enum Remote<'a> {
    Git(Box<Repository>),
    File { url: &'a str, checksum: Option<Digest> },
}

fn remote<'a>(context: Context<'_>, source: &'a pb::SourceOp) -> Result<Remote<'a>, EngineError> {
    let attribute = |name: &str| source.attrs.get(name).filter(|value| !value.is_empty()).cloned();
    if source.identifier.starts_with("git://") {
        let mut repository = Repository::of_source(&source.identifier, attribute);
        if repository.reference.starts_with('-') {
            return Err(EngineError::Unsupported(format!("the git reference `{}`", repository.reference)));
        }
        let secret = |name: &str| {
            let value = context.request.secrets.get(&attribute(name)?)?;
            Some(String::from_utf8_lossy(value).trim_end().to_owned())
        };
        let basic = |token: String| {
            let pair = format!("x-access-token:{token}");
            format!("basic {}", crate::oci::base64::encode(pair.as_bytes()))
        };
        let header = secret("git.authheadersecret").or_else(|| secret("git.authtokensecret").map(basic));
        repository.header = header.map(|value| format!("Authorization: {value}"));
        return Ok(Remote::Git(Box::new(repository)));
    }
    let checksum = attribute("http.checksum");
    let checksum = checksum
        .map(|text| text.parse().map_err(|_| EngineError::Unsupported(format!("the checksum `{text}`"))));
    Ok(Remote::File { url: &source.identifier, checksum: checksum.transpose()? })
}

/// What the source stands for now.
pub(super) fn resolve(context: Context<'_>, source: &pb::SourceOp) -> Result<Key, EngineError> {
    let mut hasher = KeyHasher::new("xx-build source 1");
    match remote(context, source)? {
        Remote::Git(repository) => {
            hasher.field(commit(context, &repository)?.as_bytes());
        }
        Remote::File { checksum: Some(checksum), .. } => {
            hasher.field(checksum.raw());
        }
        Remote::File { url, checksum: None } => {
            let file = fetched(context, url, None)?;
            hasher.field(file.digest.raw()).field(file.modified.as_bytes());
        }
    }
    Ok(hasher.finish())
}

/// What servers have said in this build.
#[derive(Debug, Default)]
pub struct Answers {
    /// Commits, by repository, reference and what they have to begin with.
    commits: Mutex<HashMap<[String; 3], String>>,
    /// Files, by URL.
    files: Mutex<HashMap<String, Download>>,
}

/// The commit that a repository's reference stands for.
fn commit(context: Context<'_>, repository: &Repository) -> Result<String, EngineError> {
    let Repository { remote, reference, checksum, .. } = repository;
    let asked = [remote, reference, checksum].map(Clone::clone);
    let commits = &context.request.answers.commits;
    if let Some(known) = lock(commits).get(&asked) {
        return Ok(known.clone());
    }
    let commit = repository.resolve(&|git| context.run(git))?;
    Ok(lock(commits).entry(asked).or_insert(commit).clone())
}

/// The file at `url`, brought into the store.
fn fetched(context: Context<'_>, url: &str, checksum: Option<&Digest>) -> Result<Download, EngineError> {
    if checksum.is_some() {
        return ask(context, url, checksum);
    }
    if let Some(known) = lock(&context.request.answers.files).get(url) {
        return Ok(known.clone());
    }
    let file = ask(context, url, None)?;
    Ok(lock(&context.request.answers.files).entry(url.to_owned()).or_insert(file).clone())
}

fn ask(context: Context<'_>, url: &str, checksum: Option<&Digest>) -> Result<Download, EngineError> {
    let ask = |question: Question| {
        // Without a thread or a descriptor nothing can be asked.
        context.cancel.unless_fired(question).unwrap_or(None)
    };
    Ok(download(context.store, url, checksum, &ask)?)
}

/// Makes the layer.
pub(super) fn fetch(context: Context<'_>, source: &pb::SourceOp) -> Result<OutputLayer, EngineError> {
    let layer = context.store.new_layer()?;
    let files = layer.files();
    let target =
        File::open(&files).map_err(|error| RootError::new("cannot open directory", &files, error))?;
    let root = Root::new(&target, context.store.owners());
    match remote(context, source)? {
        Remote::Git(repository) => checkout(context, &repository, root)?,
        Remote::File { url, checksum } => file(context, source, (url, checksum.as_ref()), root)?,
    }
    Ok(OutputLayer::New { layer, parent: None })
}

fn checkout(context: Context<'_>, repository: &Repository, root: Root<'_>) -> Result<(), EngineError> {
    let commit = commit(context, repository)?;
    let folder = context.store.scratch_path();
    std::fs::create_dir(&folder).map_err(|error| RootError::new("cannot create", &folder, error))?;
    let time = repository.checkout(&|git| context.run(git), &commit, &folder)?;
    let work =
        File::open(&folder).map_err(|error| RootError::new("cannot open directory", &folder, error))?;
    let tree = Tree::context(work.into(), None);
    let options = CopyOptions {
        owner: Some((0, 0)),
        // Whatever umask git ran with.
        mode: Some("u=rwX,go=rX".parse::<ModeChange>()?),
        time: repository.commit_time.then(|| time.saturating_mul(1_000_000_000)),
        contents_only: true,
        replace: false,
        threads: context.request.threads,
    };
    let keep = repository.keep_git_dir && repository.subdir.is_empty();
    let select = |path: &Path, _: bool| {
        if !keep && path.file_name().is_some_and(|name| name == ".git") {
            Visibility::Hide
        } else {
            Visibility::Show
        }
    };
    // Links in the repository are followed inside it: a subdirectory cannot lead elsewhere.
    let found = tree.matches(&format!("/{}", repository.subdir), false, true)?.found;
    if found.is_empty() {
        let from = format!("commit {commit} of the repository");
        return Err(EngineError::NotFound { path: repository.subdir.clone(), from, ignored: false });
    }
    for directory in &found {
        copy(&tree, directory, &select, root, "/", &options)?;
    }
    // Best effort: what stays is removed with the work directory.
    let _ = crate::rootfs::remove_tree(&folder);
    Ok(())
}

fn file(
    context: Context<'_>,
    source: &pb::SourceOp,
    (url, checksum): (&str, Option<&Digest>),
    root: Root<'_>,
) -> Result<(), EngineError> {
    let file = fetched(context, url, checksum)?;
    let attribute = |name: &str| source.attrs.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let last =
        url.split(['?', '#']).next().and_then(|path| path.rsplit('/').next()).filter(|name| !name.is_empty());
    let name = attribute("http.filename").or(last).unwrap_or("download");
    if name.contains(['/', '\0']) || matches!(name, "." | "..") {
        return Err(EngineError::Unsupported(format!("the file name `{name}`")));
    }
    let number = |name: &str, radix| attribute(name).and_then(|text| u32::from_str_radix(text, radix).ok());
    let place = root.locate(Path::new(name), false)?;
    let fail = |error: std::io::Error| RootError::new("cannot write", name, error);
    let flags = rustix::fs::OFlags::WRONLY
        | rustix::fs::OFlags::CREATE
        | rustix::fs::OFlags::EXCL
        | rustix::fs::OFlags::CLOEXEC;
    let to = rustix::fs::openat(&place.directory, &place.name, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|errno| fail(errno.into()))?;
    let mut from = File::open(context.store.blob_path(&file.digest)).map_err(fail)?;
    std::io::copy(&mut from, &mut File::from(to)).map_err(fail)?;
    let metadata = Metadata {
        owner: (number("http.uid", 10).unwrap_or(0), number("http.gid", 10).unwrap_or(0)),
        mode: Some(number("http.perm", 8).unwrap_or(0o600)),
        time: Some(modified_seconds(&file.modified).saturating_mul(1_000_000_000)),
        xattrs: vec![],
    };
    metadata
        .apply(root.owners(), place.directory.as_fd(), &place.name)
        .map_err(|errno| fail(errno.into()).into())
}
