//! What a program asks for at run time: C library, glibc version, libraries in a root.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use platform_db::Libc;
use platform_db::object::{self, Facts, Kind, Needs};

use super::fault::{Fault, NEWER_GLIBC, NOT_IN_ROOT, OTHER_LIBC, UNREADABLE};
use super::request::Request;
use super::root::Root;

/// Checks a file against the flags that look beyond its header.
pub(super) fn check(file: &str, opened: &File, facts: &Facts, request: &Request) -> Result<(), Fault> {
    let asks = request.libc.is_some() || request.max_glibc.is_some() || request.needed_in.is_some();
    if !asks || matches!(facts.kind, Kind::Relocatable | Kind::Other) {
        return Ok(());
    }
    let needs = object::needs(opened).map_err(|error| Fault::of(file, &error))?.unwrap_or_default();
    if let (Some(wanted), Some(found)) = (request.libc, facts.libc.or_else(|| libc_of(&needs)))
        && wanted != found
    {
        let reason = format!("file {file} is linked against {found}, expected {wanted}: {facts}");
        return Err(Fault::new(reason, OTHER_LIBC));
    }
    if let (Some((major, minor)), Some(found)) = (request.max_glibc, needs.glibc)
        && found > (major, minor)
    {
        let reason =
            format!("file {file} needs glibc {}.{}, expected at most {major}.{minor}", found.0, found.1);
        return Err(Fault::new(reason, NEWER_GLIBC));
    }
    match &request.needed_in {
        Some(root) => in_root(file, facts, &needs, root),
        None => Ok(()),
    }
}

/// A library names no interpreter, but its C library.
fn libc_of(needs: &Needs) -> Option<Libc> {
    needs.libraries.iter().find_map(|name| match name.as_str() {
        "libc.so.6" => Some(Libc::Gnu),
        name if name.starts_with("libc.musl-") || name == "libc.so" => Some(Libc::Musl),
        _ => None,
    })
}

/// Folders that dynamic linkers look in without being told.
const FOLDERS: &[&str] =
    &["/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib", "/lib32", "/usr/lib32", "/libx32"];

/// Looks for the interpreter, and for every library that the file and its libraries need.
fn in_root(file: &str, facts: &Facts, needs: &Needs, path: &Path) -> Result<(), Fault> {
    let missing = |name: &str, through: &str| {
        let reason = format!("file {file} needs {name}{through}, which is not in {}", path.display());
        Fault::new(reason, NOT_IN_ROOT)
    };
    let root = Root::open(path)
        .map_err(|error| Fault::new(format!("cannot read {}: {error}", path.display()), UNREADABLE))?;
    let fits =
        |found: &File| object::read(found).ok().flatten().is_some_and(|found| found.arch == facts.arch);
    if let Some(interpreter) = &facts.interpreter
        && !root.file(Path::new(interpreter)).is_some_and(|found| fits(&found))
    {
        return Err(missing(interpreter, ""));
    }
    let usual = usual_folders(&root);
    let origin = Root::inside(path, Path::new(file)).and_then(|inside| Some(inside.parent()?.to_owned()));
    let own: Vec<PathBuf> = searched(needs, origin.as_deref().unwrap_or(Path::new("/")));
    // A file that is not in the root yet will come with what it names beside itself.
    let beside = if origin.is_none() { beside(needs, Path::new(file)) } else { Vec::new() };
    let mut seen = BTreeSet::new();
    let mut waiting: Vec<(String, Vec<PathBuf>, String)> =
        needs.libraries.iter().rev().map(|name| (name.clone(), own.clone(), String::new())).collect();
    while let Some((name, folders, through)) = waiting.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        if beside.iter().any(|folder| super::open(&folder.join(&name)).is_ok_and(|found| fits(&found))) {
            continue;
        }
        let places = folders.iter().chain(&usual).map(|folder| folder.join(&name));
        let found =
            places.filter_map(|place| Some((root.file(&place)?, place))).find(|(found, _)| fits(found));
        let (found, place) = found.ok_or_else(|| missing(&name, &through))?;
        let more = object::needs(&found).ok().flatten().unwrap_or_default();
        // The program's own folders count for the libraries of its libraries too, as with DT_RPATH.
        let mut folders = searched(&more, place.parent().unwrap_or(Path::new("/")));
        folders.extend(own.iter().cloned());
        let through = format!(" (for {name})");
        waiting.extend(more.libraries.into_iter().map(|needed| (needed, folders.clone(), through.clone())));
    }
    Ok(())
}

/// The folders that a file names by its own.
fn beside(needs: &Needs, file: &Path) -> Vec<PathBuf> {
    let own = |folder: &&String| folder.starts_with("$ORIGIN") || folder.starts_with("${ORIGIN}");
    let search = needs.search.iter().filter(own).cloned().collect();
    searched(&Needs { search, ..Needs::default() }, file.parent().unwrap_or(Path::new(".")))
}

/// The folders that a file names itself; `$ORIGIN` is the one it lies in.
fn searched(needs: &Needs, origin: &Path) -> Vec<PathBuf> {
    let origin = origin.display().to_string();
    let folder = |folder: &String| folder.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", &origin);
    needs.search.iter().map(folder).map(PathBuf::from).collect()
}

/// What the root's own linker is told (`ld.so.conf`, musl's path file), the folders of every system, and Debian's of
/// each architecture.
fn usual_folders(root: &Root) -> Vec<PathBuf> {
    let named = |folder: &str, fits: fn(&str) -> bool| {
        let names = root.list(Path::new(folder)).into_iter().filter(move |name| fits(name));
        names.map(|name| Path::new(folder).join(name)).collect::<Vec<_>>()
    };
    let mut told = vec![PathBuf::from("/etc/ld.so.conf")];
    told.extend(named("/etc/ld.so.conf.d", |name| name.ends_with(".conf")));
    told.extend(named("/etc", |name| name.starts_with("ld-musl-") && name.ends_with(".path")));
    let texts: Vec<String> = told.iter().filter_map(|file| root.text(file)).collect();
    let lines = texts.iter().flat_map(|text| text.split(['\n', ':'])).map(str::trim);
    let told = lines.filter(|line| line.starts_with('/')).map(PathBuf::from);
    let multiarch =
        ["/lib", "/usr/lib"].into_iter().flat_map(|folder| named(folder, |name| name.contains("-linux-")));
    told.chain(FOLDERS.iter().map(PathBuf::from)).chain(multiarch).collect()
}
