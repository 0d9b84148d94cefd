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

/// Plans a note on each installed package whose version the target's lists do not have, among what the wanted ones need.
pub(super) fn explain(host: &dyn Host, wanted: &[Package], own: &str, arch: &str) -> Plan {
    let lists = Lists::read(host, Path::new(lists::DIR), &[arch, own]);
    let status = host.read(Path::new("/var/lib/dpkg/status")).unwrap_or_default();
    let installed = installed(&status, own);
    let needed = needed(&lists, wanted, arch);
    let (mut notes, mut remedies) = (Vec::new(), Vec::new());
    for (name, there) in installed.iter().filter(|(name, _)| needed.contains(**name)) {
        let of = |arch: &str| versions(&lists, name, arch);
        let (owns, targets) = (of(own), of(arch));
        if targets.is_empty() || targets.iter().any(|(version, _)| version == there) {
            continue;
        }
        let from =
            owns.iter().find(|(version, _)| version == there).map(|(_, suite)| format!(" (of {suite})"));
        let listed: Vec<String> =
            targets.iter().map(|(version, suite)| format!("{version} (of {suite})")).collect();
        notes.push(Step::Note(format!(
            "note: {name} is installed for {own} in version {there}{}, and the archives have {} for {arch}: \
             both must be of one version",
            from.unwrap_or_default(),
            listed.join(", ")
        )));
        let common = targets.iter().find(|(version, _)| owns.iter().any(|(own, _)| own == version));
        remedies.push(common.map(|(version, _)| format!("{name}={version}")));
    }
    if notes.is_empty() {
        return Plan::default();
    }
    let apart =
        "`xx-apt-get --target-root DIR install ...` and XX_SYSROOT=DIR keep the target's packages apart";
    let common: Option<Vec<String>> = remedies.into_iter().collect();
    let hint = match common {
        Some(words) => {
            format!("hint: first `apt-get install -y --allow-downgrades {}`; or {apart}", words.join(" "))
        }
        None => format!("hint: {apart}"),
    };
    Plan::new(notes).then(Step::Note(hint))
}

/// The build machine's packages that may be there for several architectures, with their versions.
fn installed<'t>(status: &'t str, own: &str) -> BTreeMap<&'t str, &'t str> {
    let is = |package: &Stanza<'_>| {
        package.field("Architecture") == own
            && package.field("Multi-Arch") == "same"
            && package.field("Status").ends_with(" installed")
    };
    stanzas(status).filter(is).map(|package| (package.name, package.field("Version"))).collect()
}

/// Versions of a package in the lists of an architecture, each with its suite.
fn versions<'l>(lists: &'l Lists, name: &str, arch: &str) -> BTreeSet<(&'l str, &'l str)> {
    let found = lists.packages(arch).filter(|(_, package)| package.name == name);
    found.map(|(suite, package)| (package.field("Version"), suite)).collect()
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
