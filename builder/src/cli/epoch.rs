//! The times that `SOURCE_DATE_EPOCH=context`, or the name of a context or a stage there, asks for.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::execute::Session;
use super::remote;
use crate::report::Report;
use xx_build_frontend::dockerfile::Dockerfile;
use xx_build_frontend::llb::pb;
use xx_build_frontend::lower::{BuildConfig, epoch_sources, source_definition};

/// Fills in [`BuildConfig::source_times`]. A session is opened by `open` only when something has to be fetched.
pub(super) fn find<'a>(
    file: &Dockerfile,
    config: &mut BuildConfig,
    session: &mut Option<Session<'a>>,
    open: impl Fn() -> Result<Session<'a>, Report>,
    colour: bool,
) -> Result<(), Report> {
    let sources = epoch_sources(file, config)
        .map_err(|problem| Report::diagnostics(&[problem], &file.source, colour))?;
    for source in sources {
        if session.is_none() {
            *session = Some(open()?);
        }
        let Some(session) = session else { continue };
        let time = if source.identifier.starts_with("git://") {
            of_commit(session, source.clone())?
        } else {
            of_download(session, &source)?
        };
        config.source_times.push((source, time));
    }
    Ok(())
}

const LABEL: &str = "[internal] find the time of SOURCE_DATE_EPOCH";

/// When a commit was made: its files are given that time.
fn of_commit(session: &mut Session<'_>, mut source: pb::SourceOp) -> Result<Option<i64>, Report> {
    source.attrs.remove("git.keepgitdir");
    source.attrs.insert("git.mtime".to_owned(), "commit".to_owned());
    newest(&session.fetch(source_definition(source, LABEL, false))?)
}

/// What the server says; without that, the newest file of the archive.
fn of_download(session: &mut Session<'_>, source: &pb::SourceOp) -> Result<Option<i64>, Report> {
    let folders = session.fetch(source_definition(source.clone(), LABEL, false))?;
    if let Some(time) = newest(&folders)?.filter(|time| *time != 0) {
        return Ok(Some(time));
    }
    let file = source.attrs.get("http.filename").map_or("", String::as_str);
    if !remote::is_archive(&folders, file)? {
        return Ok(None);
    }
    newest(&session.fetch(source_definition(source.clone(), LABEL, true))?)
}

/// The latest time of a file in these directories.
fn newest(folders: &[PathBuf]) -> Result<Option<i64>, Report> {
    let failed = |path: &Path, error: std::io::Error| {
        Report::new(format!("cannot read `{}`: {error}", path.display()))
    };
    let mut found = None;
    let mut left = folders.to_vec();
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| failed(&folder, error))? {
            let entry = entry.map_err(|error| failed(&folder, error))?;
            let metadata = entry.metadata().map_err(|error| failed(&entry.path(), error))?;
            if metadata.is_dir() {
                left.push(entry.path());
            } else if metadata.is_file() {
                found = found.max(Some(metadata.mtime()));
            }
        }
    }
    Ok(found)
}
