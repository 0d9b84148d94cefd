//! What was found, in few lines: by instruction and folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Misfit;
use super::beside::package;

/// What to do about programs for the wrong platform.
pub const HINT: &str = "build them with the xx tools for the target platform; what is meant so is allowed by \
    `--allow-foreign GLOB`, or by `# verify=allow=GLOB` at the top of the Dockerfile";

/// Lines of a message, the heading included.
const LINES: usize = 10;

/// Folders that the line about other files names.
const NAMED: usize = 3;

/// What must be for its platform and is not, in a few lines.
#[must_use]
pub fn wrong<'a>(misfits: impl Iterator<Item = &'a Misfit>) -> String {
    // By the instruction, in the order of the file; in each by the folder.
    let mut groups: BTreeMap<_, BTreeMap<&Path, Vec<&Misfit>>> = BTreeMap::new();
    for misfit in misfits {
        let place = misfit.place.as_ref().map(|place| (place.line, &place.file));
        let folder = misfit.path.parent().unwrap_or(Path::new("/"));
        groups.entry((place, misfit.step.as_str())).or_default().entry(folder).or_default().push(misfit);
    }
    let mut lines = vec!["programs of the result are for another platform:".to_owned()];
    let mut left_out = BTreeSet::new();
    for ((place, step), folders) in groups {
        let has_room = lines.len() + 2 < LINES;
        if has_room {
            lines.push(match place {
                Some((line, file)) => format!("  {file}:{line}: {step}"),
                None => format!("  {step}"),
            });
        }
        for (folder, misfits) in folders {
            if has_room && lines.len() + 1 < LINES {
                lines.push(line(folder, &misfits));
            } else {
                left_out.extend(misfits.iter().map(|misfit| &misfit.path));
            }
        }
    }
    if !left_out.is_empty() {
        lines.push(format!("  and {} further {}", left_out.len(), files(left_out.len())));
    }
    lines.join("\n")
}

/// The files of a folder that one instruction placed.
fn line(folder: &Path, misfits: &[&Misfit]) -> String {
    let paths: BTreeSet<&Path> = misfits.iter().map(|misfit| misfit.path.as_path()).collect();
    let platforms: BTreeSet<String> = misfits.iter().map(|misfit| misfit.platform.to_string()).collect();
    let platforms = platforms.into_iter().collect::<Vec<_>>().join(", ");
    let Some(first) = misfits.first() else { return String::new() };
    let what = match (&first.path.file_name(), paths.len()) {
        (Some(name), count) if count > 1 => {
            format!("{} ({count} files, such as {})", folder.display(), name.to_string_lossy())
        }
        _ => first.path.display().to_string(),
    };
    let used = first.used.map(|used| format!(", {used}")).unwrap_or_default();
    format!("    {what} in the image for {platforms}{used}: {}", first.reason)
}

/// What may be for another platform, in one line; nothing when there is nothing.
#[must_use]
pub fn others<'a>(misfits: impl Iterator<Item = &'a Misfit>) -> Option<String> {
    let mut packages: BTreeMap<&Path, (BTreeSet<&Path>, BTreeSet<&str>)> = BTreeMap::new();
    for misfit in misfits {
        let relative = misfit.path.strip_prefix("/").unwrap_or(&misfit.path);
        let (paths, machines) = packages.entry(package(relative)).or_default();
        paths.insert(&misfit.path);
        machines.insert(&misfit.machine);
    }
    let count: usize = packages.values().map(|(paths, _)| paths.len()).sum();
    if count == 0 {
        return None;
    }
    let mut packages: Vec<_> = packages.into_iter().collect();
    packages.sort_by_key(|(path, (paths, _))| (std::cmp::Reverse(paths.len()), *path));
    let named = packages.iter().take(NAMED).map(|(path, (paths, machines))| {
        let machines = machines.iter().copied().collect::<Vec<_>>().join(", ");
        format!("`/{}` ({} for {machines})", path.display(), paths.len())
    });
    let named = named.collect::<Vec<_>>().join(", ");
    let further = match packages.len().saturating_sub(NAMED) {
        0 => String::new(),
        1 => " and in one more place".to_owned(),
        more => format!(" and in {more} more places"),
    };
    Some(format!(
        "{count} {} for another platform, none of which the image starts by itself: {named}{further}; \
         `--allow-foreign GLOB` says that it is meant so",
        if count == 1 { "program or library is" } else { "programs and libraries are" }
    ))
}

fn files(count: usize) -> &'static str {
    if count == 1 { "file" } else { "files" }
}
