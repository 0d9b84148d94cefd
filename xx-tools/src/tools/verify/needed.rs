//! What a program asks for at run time: C library, glibc version, libraries in a root.

use std::fs::File;
use std::path::Path;

use platform_db::object::{self, Facts, Kind, Needs};

use super::Request;

/// Checks a file against the flags that look beyond its header.
pub(super) fn check(file: &str, opened: &File, facts: &Facts, request: &Request) -> Result<(), String> {
    if let (Some(wanted), Some(found)) = (request.libc, facts.libc)
        && wanted != found
    {
        return Err(format!("file {file} is linked against {found}, expected {wanted}: {facts}"));
    }
    let asks = request.max_glibc.is_some() || request.needed_in.is_some();
    if !asks || matches!(facts.kind, Kind::Relocatable | Kind::Other) {
        return Ok(());
    }
    let needs =
        object::needs(opened).map_err(|error| format!("cannot verify {file}: {error}"))?.unwrap_or_default();
    if let (Some((major, minor)), Some(found)) = (request.max_glibc, needs.glibc)
        && found > (major, minor)
    {
        return Err(format!(
            "file {file} needs glibc {}.{}, expected at most {major}.{minor}",
            found.0, found.1
        ));
    }
    match &request.needed_in {
        Some(root) => in_root(file, facts, &needs, root),
        None => Ok(()),
    }
}

/// Folders that dynamic linkers look in without being told, below a root.
const FOLDERS: &[&str] = &["lib", "usr/lib", "lib64", "usr/lib64", "usr/local/lib", "lib32", "usr/lib32"];

fn in_root(file: &str, facts: &Facts, needs: &Needs, root: &Path) -> Result<(), String> {
    let below = |path: &str| root.join(path.trim_start_matches('/'));
    if let Some(interpreter) = &facts.interpreter
        && !below(interpreter).exists()
    {
        return Err(format!("file {file} needs {interpreter}, which is not in {}", root.display()));
    }
    let origin = Path::new(file).parent().unwrap_or(Path::new("")).display().to_string();
    let own = needs.search.iter().map(|folder| match folder.strip_prefix("$ORIGIN") {
        Some(rest) => Path::new(&format!("{origin}{rest}")).to_owned(),
        None => below(folder),
    });
    let multiarch = |folder: &str| {
        let entries = std::fs::read_dir(below(folder)).into_iter().flatten().flatten();
        let named = entries.filter(|entry| entry.file_name().to_string_lossy().contains("-linux-"));
        named.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let usual = FOLDERS.iter().map(|folder| below(folder));
    let folders: Vec<_> =
        own.chain(usual).chain(["lib", "usr/lib"].into_iter().flat_map(multiarch)).collect();
    let fits = |path: &Path| {
        let found = File::open(path).ok().and_then(|file| object::read(&file).ok().flatten());
        found.is_some_and(|found| found.arch == facts.arch)
    };
    let missing = needs.libraries.iter().find(|name| !folders.iter().any(|folder| fits(&folder.join(name))));
    match missing {
        Some(name) => Err(format!("file {file} needs {name}, which is not in {}", root.display())),
        None => Ok(()),
    }
}
