//! Why apt cannot install packages of two architectures side by side: those that share files must be of one version.
//!
//! Asked only after apt has failed, whose own words ("but it is not going to be installed") do not say this. It comes
//! from an archive that lacks the target's architecture: the build machine's package is of the security archive, the
//! target's of the release.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::args::Package;
use super::lists::{self, Lists, Stanza, stanzas};
use crate::host::Host;
use crate::plan::{Plan, Step};

/// Plans a note on each installed package of which apt would take another version for the target than for the build
/// machine, among what the wanted ones need, and what to add to the call.
pub(super) fn explain(host: &dyn Host, wanted: &[Package], own: &str, arch: &str) -> Plan {
    let lists = Lists::read(host, Path::new(lists::DIR), &[arch, own]);
    let status = host.read(Path::new("/var/lib/dpkg/status")).unwrap_or_default();
    let needed = needed(&lists, wanted, arch);
    let listed: BTreeSet<&str> = lists.packages(arch).map(|(_, package)| package.name).collect();
    let shared: Vec<&str> =
        installed(&status, own).filter(|name| needed.contains(*name) && listed.contains(name)).collect();
    let (owns, targets) = (candidates(host, &shared, own), candidates(host, &shared, arch));
    let (mut notes, mut words) = (Vec::new(), Vec::new());
    for (name, own_version) in &owns {
        let Some(version) = targets.get(name).filter(|version| *version != own_version) else { continue };
        let suite = |arch: &str, version: &str| {
            let suites = suites(&lists, name, arch, version);
            if suites.is_empty() { String::new() } else { format!(" (of {})", suites.join(", ")) }
        };
        notes.push(Step::Note(format!(
            "note: {name} is there for {own} in version {own_version}{}, and for {arch} in {version}{}: both must be \
             of one version",
            suite(own, own_version),
            suite(arch, version)
        )));
        let is_common = !suites(&lists, name, own, version).is_empty();
        words.push(is_common.then(|| format!("{name}:{own}={version}")));
    }
    if notes.is_empty() {
        return Plan::default();
    }
    let apart =
        "`xx-apt-get --target-root DIR install ...` and XX_SYSROOT=DIR keep the target's packages apart";
    let words: Option<Vec<String>> = words.into_iter().collect();
    let hint = match words {
        Some(words) => {
            format!("hint: add to this call `--allow-downgrades {}`; or {apart}", words.join(" "))
        }
        None => format!("hint: {apart}"),
    };
    Plan::new(notes).then(Step::Note(hint))
}

/// The versions that apt would install: its pins and the order of its suites count.
fn candidates(host: &dyn Host, names: &[&str], arch: &str) -> BTreeMap<String, String> {
    let words: Vec<String> = names.iter().map(|name| format!("{name}:{arch}")).collect();
    if words.is_empty() {
        return BTreeMap::new();
    }
    let question: Vec<&str> =
        ["show", "--no-all-versions"].into_iter().chain(words.iter().map(String::as_str)).collect();
    let program = host.program("apt-cache").unwrap_or_else(|| "apt-cache".into());
    let answer = host.ask(&program, &question).unwrap_or_default();
    stanzas(&answer).map(|package| (package.name.to_owned(), package.field("Version").to_owned())).collect()
}

/// The build machine's packages that may be there for several architectures.
fn installed<'t>(status: &'t str, own: &str) -> impl Iterator<Item = &'t str> {
    let is = move |package: &Stanza<'_>| {
        package.field("Architecture") == own
            && package.field("Multi-Arch") == "same"
            && package.field("Status").ends_with(" installed")
    };
    stanzas(status).filter(is).map(|package| package.name)
}

/// The suites that have a version of a package.
fn suites<'l>(lists: &'l Lists, name: &str, arch: &str, version: &str) -> Vec<&'l str> {
    let is = |package: &Stanza<'_>| package.name == name && package.field("Version") == version;
    let mut found: Vec<&str> =
        lists.packages(arch).filter(|(_, package)| is(package)).map(|(suite, _)| suite).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The names of packages, and of all that they depend on.
fn needed(lists: &Lists, wanted: &[Package], arch: &str) -> BTreeSet<String> {
    let mut depends: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (_, package) in lists.packages(arch) {
        let words = ["Depends", "Pre-Depends"].map(|field| package.field(field));
        let words = words.into_iter().flat_map(|list| list.split([',', '|']));
        let names = words.filter_map(|word| word.trim().split([' ', ':']).next());
        depends.entry(package.name).or_default().extend(names);
    }
    let mut found = BTreeSet::new();
    let mut open: Vec<String> = wanted.iter().map(|package| package.name.clone()).collect();
    while let Some(name) = open.pop() {
        let next = depends.get(name.as_str()).into_iter().flatten().map(|name| (*name).to_owned());
        if found.insert(name.clone()) {
            open.extend(next);
        }
    }
    found
}
