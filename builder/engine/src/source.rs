//! Sources that lie on servers: what they are now, and their files as a layer.
//!
//! Such a source has no identity of its own, as a branch or a URL stands for other content tomorrow. So it is
//! first resolved, to a commit or to the digest of a file, and that is its key. A server is asked once in a build:
//! whatever it says later, all parts of the build see the same.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustix::fs::Mode;

use super::{Context, EngineError};
use xx_build_fetch::{Question, Repository, Transfer, Wanted, download, modified_seconds};
use xx_build_frontend::llb::pb;
use xx_build_rootfs::sync::lock;
use xx_build_rootfs::{CopyOptions, Metadata, ModeChange, Root, RootError, Tree, Visibility, copy};
use xx_build_solve::{Key, KeyHasher};
use xx_build_store::{Download, OutputLayer};

/// A source on a server.
enum Remote {
    Git(Box<Repository>),
    File(Box<Wanted>),
}

/// Headers that a graph can set; others are left out, as in BuildKit.
const HEADERS: [&str; 2] = ["accept", "user-agent"];

fn remote(context: Context<'_>, source: &pb::SourceOp) -> Result<Remote, EngineError> {
    let attribute = |name: &str| source.attrs.get(name).filter(|value| !value.is_empty()).cloned();
    if let Some(name) = source.attrs.keys().find(|name| name.contains(".sig.")) {
        // Whoever asks for a signature does not want the content without it.
        return Err(EngineError::Unsupported(format!("the check of a signature (`{name}`)")));
    }
    if let Some(name) =
        ["git.bundle", "git.checkoutbundle"].into_iter().find(|name| attribute(name).is_some())
    {
        // Left out, other content would come.
        return Err(EngineError::Unsupported(format!("a git bundle (`{name}`)")));
    }
    let secret = |name: &str| {
        let value = context.request.secrets.get(name)?;
        Some(String::from_utf8_lossy(value).trim_end().to_owned())
    };
    if source.identifier.starts_with("git://") {
        let mut repository = Repository::of_source(&source.identifier, attribute);
        if repository.reference.starts_with('-') {
            return Err(EngineError::Unsupported(format!("the git reference `{}`", repository.reference)));
        }
        let basic = |token: String| {
            let pair = format!("x-access-token:{token}");
            format!("basic {}", BASE64_STANDARD.encode(pair.as_bytes()))
        };
        let host = repository.remote.split_once("://").map(|(_, rest)| rest.split('/').next());
        let host = host.flatten().and_then(|authority| authority.rsplit('@').next()).unwrap_or_default();
        let named = |name: Option<String>, of_host: bool| {
            let name = name?;
            secret(&if of_host { format!("{name}.{host}") } else { name })
        };
        let [header, token] = ["git.authheadersecret", "git.authtokensecret"].map(attribute);
        let found = named(header.clone(), true)
            .or_else(|| named(token.clone(), true).map(basic))
            .or_else(|| named(header, false))
            .or_else(|| named(token, false).map(basic));
        repository.header = found.map(|value| format!("Authorization: {value}"));
        return Ok(Remote::Git(Box::new(repository)));
    }
    let checksum = attribute("http.checksum");
    let checksum = checksum
        .map(|text| text.parse().map_err(|_| EngineError::Unsupported(format!("the checksum `{text}`"))));
    let headers = HEADERS.into_iter().filter_map(|name| {
        let given = source.attrs.iter().find(|(key, _)| {
            key.strip_prefix("http.header.").is_some_and(|given| given.eq_ignore_ascii_case(name))
        });
        given.map(|(_, value)| (name.to_owned(), value.clone()))
    });
    let mut wanted = Wanted {
        url: source.identifier.clone(),
        headers: headers.collect(),
        authorization: None,
        checksum: checksum.transpose()?,
    };
    wanted.authorization = match (attribute("http.authheadersecret"), wanted.host()) {
        (Some(name), _) => Some(secret(&name).ok_or(EngineError::Missing { kind: "secret", name })?),
        (None, Some(host)) => {
            let token = secret(&format!("HTTP_AUTH_TOKEN_{host}")).map(|token| format!("Bearer {token}"));
            token.or_else(|| secret(&format!("HTTP_AUTH_HEADER_{host}")))
        }
        (None, None) => None,
    };
    Ok(Remote::File(Box::new(wanted)))
}

/// What the source stands for now.
pub(super) fn resolve(context: Context<'_>, source: &pb::SourceOp) -> Result<Key, EngineError> {
    let mut hasher = KeyHasher::new("xx-build source 1");
    match remote(context, source)? {
        Remote::Git(repository) => {
            hasher.field(commit(context, &repository)?.as_bytes());
        }
        Remote::File(wanted) => match &wanted.checksum {
            Some(checksum) => {
                hasher.field(checksum.raw());
            }
            None => {
                let file = fetched(context, &wanted)?;
                hasher.field(file.digest.raw()).field(file.modified.as_bytes());
            }
        },
    }
    Ok(hasher.finish())
}

/// What servers have said in this build.
#[derive(Debug, Default)]
pub struct Answers {
    /// Commits, by repository, reference and what they have to begin with.
    commits: Mutex<HashMap<[String; 3], String>>,
    /// Files, by URL and headers.
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
    let asked_git = || repository.resolve(&|git| context.run(git));
    let commit = context.with_news(&|| "waiting for the server".to_owned(), asked_git)?;
    Ok(lock(commits).entry(asked).or_insert(commit).clone())
}

/// A file, brought into the store.
fn fetched(context: Context<'_>, wanted: &Wanted) -> Result<Download, EngineError> {
    if wanted.checksum.is_some() {
        return ask(context, wanted);
    }
    let name = wanted.name();
    if let Some(known) = lock(&context.request.answers.files).get(&name) {
        return Ok(known.clone());
    }
    let file = ask(context, wanted)?;
    Ok(lock(&context.request.answers.files).entry(name).or_insert(file).clone())
}

/// The file, and nothing that has been damaged in the store: that is fetched again.
fn whole(context: Context<'_>, wanted: &Wanted) -> Result<Download, EngineError> {
    let file = fetched(context, wanted)?;
    let Err(damaged) = context.store.check_copy(&file.digest, &context.store.blob_path(&file.digest)) else {
        return Ok(file);
    };
    context.store.discard_blob(&file.digest)?;
    lock(&context.request.answers.files).remove(&wanted.name());
    let again = fetched(context, wanted)?;
    // The step's key says which file it is.
    if again.digest == file.digest { Ok(again) } else { Err(damaged.into()) }
}

fn ask(context: Context<'_>, wanted: &Wanted) -> Result<Download, EngineError> {
    let ask = |question: Question| {
        // Without a thread or a descriptor nothing can be asked.
        context.cancel.unless_fired(question).unwrap_or(None)
    };
    let transfer = Arc::default();
    context.with_news(&|| received(&transfer), || Ok(download(context.store, wanted, &ask, &transfer)?))
}

/// How far a download is.
fn received(transfer: &Transfer) -> String {
    match transfer.bytes() {
        (0, _) => "waiting for the server".to_owned(),
        (received, None) => format!("{} received", megabytes(received)),
        (received, Some(total)) => format!("{} of {} received", megabytes(received), megabytes(total)),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
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
        Remote::File(wanted) => file(context, source, &wanted, root)?,
    }
    Ok(OutputLayer::New { layer, parent: None })
}

fn checkout(context: Context<'_>, repository: &Repository, root: Root<'_>) -> Result<(), EngineError> {
    let commit = commit(context, repository)?;
    let folder = context.store.scratch_path();
    std::fs::create_dir(&folder).map_err(|error| RootError::new("cannot create", &folder, error))?;
    let check_out = || repository.checkout(&|git| context.run(git), &commit, &folder);
    let time = context.with_news(&|| "git is fetching".to_owned(), check_out)?;
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
    let _ = xx_build_rootfs::remove_tree(&folder);
    Ok(())
}

fn file(
    context: Context<'_>,
    source: &pb::SourceOp,
    wanted: &Wanted,
    root: Root<'_>,
) -> Result<(), EngineError> {
    let file = whole(context, wanted)?;
    let attribute = |name: &str| source.attrs.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let last = wanted
        .url
        .split(['?', '#'])
        .next()
        .and_then(|path| path.rsplit('/').next())
        .filter(|name| !name.is_empty());
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
    let mut to = File::from(to);
    context.store.read_blob(&file.digest, None, |bytes| {
        to.write_all(bytes).map_err(|error| EngineError::from(fail(error)))
    })?;
    let metadata = Metadata {
        owner: (number("http.uid", 10).unwrap_or(0), number("http.gid", 10).unwrap_or(0)),
        mode: Some(number("http.perm", 8).unwrap_or(0o600)),
        time: Some(modified_seconds(&file.modified).saturating_mul(1_000_000_000)),
        xattrs: vec![],
    };
    metadata.apply(root.owners(), place.directory.as_fd(), &place.name).map_err(|error| fail(error).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_a_download_is() {
        for (so_far, total, expected) in [
            (0, 0, "waiting for the server"),
            (0, 5_000_000, "waiting for the server"),
            (1_250_000, 0, "1.2 MB received"),
            (1_250_000, 13_000_000, "1.2 MB of 13.0 MB received"),
        ] {
            assert_eq!(received(&Transfer::new(so_far, total)), expected);
        }
    }
}
