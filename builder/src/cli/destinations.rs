//! Looks at where the outputs go before anything is built: what cannot be written there is said at once, two outputs do
//! not go to one place, and `mode=delete` removes nothing that it was not meant to.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::Environment;
use super::args::Run;
use super::output::Output;
use super::steps::LOCAL_DELETE;
use crate::report::Report;
use xx_build_export::{Destination, resolved};

/// What the destinations were before the build, by the names that they were given.
#[derive(Debug, Default)]
pub(super) struct Destinations(BTreeMap<PathBuf, Destination>);

impl Destinations {
    /// Refuses to write where a link leads by now that did not when the build began: what was checked is another place.
    pub(super) fn check_again(&self, dest: &Path) -> Result<(), Report> {
        let Some(before) = self.0.get(dest) else { return Ok(()) };
        let now = found(dest)?;
        if is_same(before, &now) {
            return Ok(());
        }
        let shown = |at: &Destination| {
            at.path().map_or_else(|| "something else".to_owned(), |path| format!("`{}`", path.display()))
        };
        let (dest, before, now) = (dest.display(), shown(before), shown(&now));
        Err(Report::new(format!("`{dest}` led to {before} when the build began, and leads to {now} now"))
            .hint("a link was changed meanwhile: see who did it, and build again"))
    }
}

fn found(dest: &Path) -> Result<Destination, Report> {
    if dest.as_os_str().is_empty() {
        return Err(Report::new("the destination of an output is empty")
            .hint("name a file or directory, or `-` for standard output"));
    }
    Destination::find(dest)
        .map_err(|error| Report::new(format!("cannot write `{}`: {error}", dest.display())))
}

/// Checks all places that a build writes to.
pub(super) fn check(
    outputs: &[Output],
    options: &Run,
    environment: &Environment,
) -> Result<Destinations, Report> {
    let mut taken: Vec<Destination> = vec![];
    let mut known = Destinations::default();
    let store = store(options, environment);
    let own = outputs.iter().filter_map(Output::dest);
    let others = options.iidfile.iter().chain(&options.metadata_file).map(|path| (path.as_path(), false));
    for (dest, is_directory) in own.chain(others) {
        let found = found(dest)?;
        fits(dest, &found, is_directory)?;
        if found.path().is_some_and(|path| path.starts_with(&store)) {
            return Err(Report::new(format!("the destination `{}` lies in the store", dest.display()))
                .hint("write to a place outside of it: what is in the store belongs to it"));
        }
        let is_exclusive = found.path().is_some() || found == Destination::Stdout;
        if is_exclusive && taken.iter().any(|other| is_same(other, &found)) {
            return Err(Report::new(format!("two outputs go to `{}`", dest.display()))
                .hint("give each its own `dest=`"));
        }
        known.0.insert(dest.to_owned(), found.clone());
        taken.push(found);
    }
    if outputs.iter().any(Output::is_stdout) && environment.prints_to_terminal() {
        return Err(Report::new("the output is an archive, and standard output is a terminal")
            .hint("name a file with `dest=FILE`, or pass the archive on: `| tar -x`, `> FILE`"));
    }
    deletes(outputs, options, environment)?;
    taken.iter().for_each(Destination::sweep);
    Ok(known)
}

/// The store without links, so that paths can be compared with it.
fn store(options: &Run, environment: &Environment) -> PathBuf {
    resolved(&options.store.clone().unwrap_or_else(|| environment.store()))
}

/// A file and a directory that are not there yet look the same.
fn is_same(one: &Destination, other: &Destination) -> bool {
    match (one.path(), other.path()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// Whether an output can be made of what is there.
fn fits(dest: &Path, found: &Destination, is_directory: bool) -> Result<(), Report> {
    let shown = dest.display();
    let is_there = found.path().is_some_and(Path::exists);
    match found {
        Destination::Directory(_) if !is_directory => {
            return Err(Report::new(format!("the destination `{shown}` is a directory"))
                .hint(format!("name a file in it, such as `{}`", dest.join("image.tar").display())));
        }
        Destination::Stdout | Destination::Stderr | Destination::Special(_) if is_directory => {
            return Err(Report::new(format!("the destination `{shown}` is no directory")));
        }
        Destination::File(_) if is_directory && is_there => {
            return Err(Report::new(format!("the destination `{shown}` is a file, not a directory"))
                .hint("remove it, or write to another place"));
        }
        Destination::File(_) if !is_directory && dest.as_os_str().as_bytes().ends_with(b"/") => {
            return Err(Report::new(format!("the destination `{shown}` is the name of a directory"))
                .hint(format!("name a file in it, such as `{}`", dest.join("image.tar").display())));
        }
        Destination::File(path) | Destination::Directory(path) => writable(path, dest)?,
        Destination::Stdout | Destination::Stderr | Destination::Special(_) => {}
    }
    Ok(())
}

/// Whether something can be made at `path`, as far as its directories are there.
fn writable(path: &Path, shown: &Path) -> Result<(), Report> {
    if path.exists() && access(path, Access::WRITE_OK).is_ok() {
        return Ok(());
    }
    let Some(above) = path.ancestors().skip(1).find(|above| above.exists()) else { return Ok(()) };
    let refused = |problem: &dyn std::fmt::Display| {
        Report::new(format!("cannot write to `{}`: `{}`: {problem}", shown.display(), above.display()))
            .hint("write to a place that belongs to you")
    };
    if !above.is_dir() {
        return Err(refused(&"it is no directory"));
    }
    access(above, Access::WRITE_OK | Access::EXEC_OK).map_err(|errno| refused(&std::io::Error::from(errno)))
}

/// Directories in which everything is removed that the result does not have.
fn cleared(outputs: &[Output]) -> impl Iterator<Item = PathBuf> {
    let delete = |output: &&Output| matches!(output, Output::Local { delete: true, .. });
    outputs.iter().filter(delete).filter_map(Output::dest).map(|(dest, _)| resolved(dest))
}

fn is_allowed(options: &Run) -> bool {
    options.allow.iter().any(|entitlement| entitlement == LOCAL_DELETE)
}

fn deletes(outputs: &[Output], options: &Run, environment: &Environment) -> Result<(), Report> {
    let here = resolved(&environment.directory);
    let store = store(options, environment);
    let home = environment.variable("HOME").map(|home| resolved(Path::new(home)));
    for cleared in cleared(outputs) {
        let shown = cleared.display();
        let is_below = cleared != here && cleared.starts_with(&here);
        let is_home = home.as_ref().is_some_and(|home| home.starts_with(&cleared));
        if (!is_below || is_home) && !is_allowed(options) {
            let which =
                if is_home { "the home directory or above it" } else { "not below the current directory" };
            return Err(Report::new(format!(
                "`mode=delete` in `{shown}`, which is {which}, needs `--allow {LOCAL_DELETE}`"
            ))
            .hint("everything in it that the result does not have would be removed"));
        }
        if store.starts_with(&cleared) {
            return Err(Report::new(format!("`mode=delete` would remove the store below `{shown}`"))
                .hint("write to another directory"));
        }
        let inside = |dest: &Path| Some(resolved(dest)).filter(|d| *d != cleared && d.starts_with(&cleared));
        if let Some(lost) = outputs.iter().filter_map(Output::dest).find_map(|(dest, _)| inside(dest)) {
            return Err(Report::new(format!("`mode=delete` would remove the output `{}`", lost.display()))
                .hint("write it to another directory"));
        }
    }
    Ok(())
}

/// Refuses to remove what the build reads, unless somebody asks for that.
pub(super) fn check_sources(
    outputs: &[Output],
    options: &Run,
    locals: &BTreeMap<String, PathBuf>,
) -> Result<(), Report> {
    for cleared in cleared(outputs).filter(|_| !is_allowed(options)) {
        if let Some(lost) = locals.values().map(|local| resolved(local)).find(|l| l.starts_with(&cleared)) {
            return Err(Report::new(format!("`mode=delete` would remove the context `{}`", lost.display()))
                .hint(format!("write to another directory, or say `--allow {LOCAL_DELETE}`")));
        }
    }
    Ok(())
}
