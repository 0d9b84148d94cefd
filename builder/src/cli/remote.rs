//! Contexts and Dockerfiles that are named by a URL: a git repository, an archive, a single file.
//!
//! They are brought into the store as sources of a graph, and read from there. Names inside them, links included, do
//! not lead out of them. As for BuildKit, no `.dockerignore` counts for a remote context.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::args::Build;
use super::execute::Session;
use super::input::{self, Context, Input};
use crate::report::Report;
use xx_build_frontend::lower::{DOWNLOAD, MainContext, is_git_url, remote_context};
use xx_build_frontend::source_text::SourceText;
use xx_build_rootfs::Root;

/// A remote context named by an argument; `None` for one on this machine.
///
/// # Errors
/// It is a URL of a kind that is not known.
pub(super) fn context_of(text: &str) -> Result<Option<MainContext>, Report> {
    if !is_remote(text) || Path::new(text).is_dir() {
        return Ok(None);
    }
    if is_git_url(text) {
        return Ok(Some(MainContext::Git(text.to_owned())));
    }
    if is_url(text) {
        return Ok(Some(MainContext::Http { url: text.to_owned(), archive: false }));
    }
    Err(Report::new(format!("the context `{text}` is of no known kind"))
        .hint("name a folder, `-`, a git repository (`https://host/path.git#branch:folder`), or an http URL"))
}

/// Whether a context is named by a URL: the forms of `docker build`.
pub(super) fn is_remote(text: &str) -> bool {
    text.contains("://") || text.starts_with("git@") || text.starts_with("github.com/")
}

/// Whether a Dockerfile is named by a URL.
pub(super) fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// Reads the Dockerfile of a build whose context is remote.
pub(super) fn read(
    args: &Build,
    context: MainContext,
    session: &mut Session<'_>,
    build_args: &BTreeMap<String, String>,
    stdin: impl Read,
    colour: bool,
) -> Result<Input, Report> {
    let mut context = context;
    let mut folders = fetch(session, &context, build_args)?;
    let mut single = false;
    if let MainContext::Http { url, .. } = &context {
        single = !is_archive(&folders, DOWNLOAD)?;
        if !single {
            context = MainContext::Http { url: url.clone(), archive: true };
            folders = fetch(session, &context, build_args)?;
        }
    }
    let named = args.file.as_deref().filter(|file| *file != Path::new("-"));
    let dockerfile = match (named, args.file.is_some()) {
        (Some(url), _) if url.to_str().is_some_and(is_url) => dockerfile(session, url, colour)?,
        (None, true) => input::text(Path::new("-"), stdin, colour)?,
        (_, _) if single => download(session, &folders, &args.context, colour)?,
        (Some(name), _) => {
            let missing = || {
                Report::new(format!("the context has no file `{}`", name.display()))
                    .hint("with a remote context, `--file` is a path inside it")
            };
            file_of(session, &folders, name, colour)?.ok_or_else(missing)?
        }
        (None, false) => match file_of(session, &folders, Path::new("Dockerfile"), colour)? {
            Some(found) => found,
            None => file_of(session, &folders, Path::new("dockerfile"), colour)?.ok_or_else(missing)?,
        },
    };
    Ok(Input::new(dockerfile, None, Context::Remote(context)))
}

/// Reads a Dockerfile at a URL.
pub(super) fn dockerfile(session: &mut Session<'_>, url: &Path, colour: bool) -> Result<SourceText, Report> {
    let source = MainContext::Http { url: url.to_string_lossy().into_owned(), archive: false };
    let folders = fetch(session, &source, &BTreeMap::new())?;
    download(session, &folders, url, colour)
}

/// A single file that was fetched, under the last name of its URL.
fn download(
    session: &Session<'_>,
    folders: &[PathBuf],
    url: &Path,
    colour: bool,
) -> Result<SourceText, Report> {
    let bytes = bytes_of(session, folders, Path::new(DOWNLOAD))?.ok_or_else(missing)?;
    let url = url.to_string_lossy();
    input::text(Path::new(url.split(['?', '#']).next().unwrap_or(&url)), bytes.as_slice(), colour)
}

fn missing() -> Report {
    Report::new("the context has no Dockerfile").hint("name it with `--file`, as a path inside the context")
}

fn fetch(
    session: &mut Session<'_>,
    context: &MainContext,
    build_args: &BTreeMap<String, String>,
) -> Result<Vec<PathBuf>, Report> {
    session.fetch(remote_context(context, build_args).map_err(Report::new)?)
}

/// Whether the download that the engine has written under this name is an archive.
pub(super) fn is_archive(folders: &[PathBuf], name: &str) -> Result<bool, Report> {
    let Some(folder) = folders.first() else { return Ok(false) };
    let file = folder.join(name);
    let mut start = Vec::new();
    let read = File::open(&file).and_then(|file| file.take(1024).read_to_end(&mut start));
    read.map_err(|error| Report::new(format!("cannot read `{}`: {error}", file.display())))?;
    Ok(input::is_archive(&start))
}

/// A text of a fetched context; `None` when there is no such file.
fn file_of(
    session: &Session<'_>,
    folders: &[PathBuf],
    name: &Path,
    colour: bool,
) -> Result<Option<SourceText>, Report> {
    let bytes = bytes_of(session, folders, name)?;
    bytes.map(|bytes| input::text(name, bytes.as_slice(), colour)).transpose()
}

fn bytes_of(session: &Session<'_>, folders: &[PathBuf], name: &Path) -> Result<Option<Vec<u8>>, Report> {
    for folder in folders {
        let opened = File::open(folder)
            .map_err(|error| Report::new(format!("cannot read `{}`: {error}", folder.display())))?;
        let root = Root::new(&opened, session.owners());
        if let Some(bytes) = root.read_file(name, input::MAX_TEXT).map_err(Report::new)? {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_contexts() {
        let git = |text: &str| Some(MainContext::Git(text.to_owned()));
        let http = |url: &str| Some(MainContext::Http { url: url.to_owned(), archive: false });
        for text in [".", "/a/b", "a.git", "-", "http:"] {
            assert_eq!(context_of(text), Ok(None), "{text}");
        }
        for text in ["https://h/x.git#v1:a", "git://h/x", "git@h:x", "github.com/a/b", "ssh://git@h/x"] {
            assert_eq!(context_of(text), Ok(git(text)), "{text}");
        }
        for text in ["https://h/x.tar.gz", "http://h/Dockerfile"] {
            assert_eq!(context_of(text), Ok(http(text)), "{text}");
        }
        for text in ["s3://bucket/x", "ftp://h/x.git", "git@h"] {
            assert!(context_of(text).is_err(), "{text}");
        }
    }
}
