//! Names in package formats.

use std::collections::BTreeSet;

use platform_db::{Libc, Platform};

use crate::tables::tables;

/// Names of Nix that the table does not have, with the reason.
const NO_NIX: &[(&str, &str)] = &[
    ("-genode", "no other tool of the table builds for it"),
    ("armv7a-", "another name of the processors of armv7l"),
    ("javascript-", "a compiler's output, no processor"),
    ("mmix-", "a processor of a book"),
    ("rx-", "no other tool of the table builds for it"),
    ("vc4-", "no other tool of the table builds for it"),
];

#[test]
fn nix_names_are_nixpkgs() {
    for table in tables("nix") {
        let known = table.words();
        for platform in Platform::all() {
            // nixpkgs has dropped it; Nix itself has not.
            let Some(name) = platform.nix().filter(|name| *name != "x86_64-darwin") else { continue };
            assert!(known.contains(name), "{platform}: {name}");
        }
        for name in known {
            let not = NO_NIX.iter().any(|(part, _)| name.contains(part));
            assert!(Platform::from_nix(name).is_some() != not, "{name}");
        }
    }
}

#[test]
fn conda_names_are_condas() {
    for table in tables("conda") {
        let known = table.words();
        for name in Platform::all().filter_map(|platform| platform.conda()) {
            assert!(known.contains(name), "{name}");
        }
        for name in known.iter().filter(|name| !name.starts_with("iossimulator-")) {
            assert!(Platform::from_conda(name).is_some(), "{name} is no platform");
        }
    }
}

#[test]
fn wheel_tags_are_those_of_the_policies() {
    for table in tables("wheel") {
        let mut machines = BTreeSet::new();
        for row in table.rows() {
            let tag = format!("{}_{}", row[0], row[1]);
            assert!(Platform::from_wheel(&tag).is_some(), "{tag}");
            machines.insert(row[1]);
        }
        let linux = Platform::all().filter(|platform| platform.os() == "linux");
        let tags: Vec<String> = linux.filter_map(|platform| platform.wheel(Libc::Gnu, (2, 17))).collect();
        for tag in tags {
            let machine = tag.strip_prefix("manylinux_2_17_").unwrap();
            assert!(machines.contains(machine), "{tag}");
        }
    }
}

#[test]
fn npm_names_are_nodes() {
    for table in tables("node") {
        let ours: BTreeSet<(&str, &str)> = Platform::all()
            .filter_map(|platform| platform.npm())
            .flat_map(|(os, cpu)| [("platform", os), ("arch", cpu)])
            .collect();
        let known: BTreeSet<(&str, &str)> = table.rows().map(|row| (row[0], row[1])).collect();
        assert!(!table.recorded || ours == known, "{:?}", ours.symmetric_difference(&known));
    }
}
