//! Rules that hold the house up: who may name whom, and what must not stand in the repository.
#![expect(clippy::expect_used, clippy::disallowed_methods, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use integration_tests::{repository, skipped};

/// Every file below `folder` whose name ends in `suffix`, sorted.
fn files(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut found = vec![];
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(suffix) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Which crate depends on which, tests included. A new edge is a decision, with a page in `docs/decisions`.
const EDGES: &[(&str, &[&str])] = &[
    ("platform-db", &[]),
    ("xx-tools", &["platform-db"]),
    ("xx-build-frontend", &["platform-db"]),
    ("xx-build-solve", &["xx-build-frontend"]),
    ("xx-build-rootfs", &["platform-db"]),
    ("xx-build-sandbox", &["platform-db", "xx-build-rootfs"]),
    ("xx-build-store", &["xx-build-frontend", "xx-build-rootfs", "xx-build-solve"]),
    ("xx-build-fetch", &["platform-db", "xx-build-frontend", "xx-build-rootfs", "xx-build-store"]),
    (
        "xx-build-engine",
        &[
            "platform-db",
            "xx-build-fetch",
            "xx-build-frontend",
            "xx-build-rootfs",
            "xx-build-sandbox",
            "xx-build-solve",
            "xx-build-store",
        ],
    ),
    (
        "xx-build-export",
        &[
            "platform-db",
            "xx-build-engine",
            "xx-build-fetch",
            "xx-build-frontend",
            "xx-build-rootfs",
            "xx-build-sandbox",
            "xx-build-solve",
            "xx-build-store",
        ],
    ),
    (
        "builder",
        &[
            "platform-db",
            "xx-build-engine",
            "xx-build-export",
            "xx-build-fetch",
            "xx-build-frontend",
            "xx-build-rootfs",
            "xx-build-sandbox",
            "xx-build-store",
        ],
    ),
    ("integration-tests", &[]),
];

#[test]
fn crates_depend_as_the_table_says() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(repository())
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let names: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        let dependencies = package["dependencies"].as_array().expect("dependencies").iter();
        let inner = dependencies.filter_map(|dependency| dependency["name"].as_str());
        let inner = inner.filter(|name| names.contains(name)).collect();
        edges.insert(package["name"].as_str().expect("a name"), inner);
    }
    let table = EDGES.iter().map(|(name, uses)| (*name, uses.iter().copied().collect()));
    assert_eq!(edges, table.collect());
}

/// Unsafe code is in the sandbox alone; the compiler holds the others to it.
#[test]
fn every_crate_but_the_sandbox_forbids_unsafe_code() {
    for name in EDGES.iter().filter_map(|(name, _)| name.strip_prefix("xx-build-")) {
        let path = repository().join("builder").join(name).join("src/lib.rs");
        let text = fs::read_to_string(path).expect("the crate's first file");
        assert_eq!(text.contains("#![forbid(unsafe_code)]"), name != "sandbox", "{name}");
    }
}

/// The standard library's recurses, and takes a descriptor a level: a deep tree of a step ends the builder.
#[test]
fn trees_are_removed_in_one_place() {
    let is_test = |path: &PathBuf| path.iter().any(|name| name == "tests" || name == "tests.rs");
    let sources = files(&repository().join("builder"), ".rs");
    assert!(sources.len() > 100, "{} files", sources.len());
    for path in sources.into_iter().filter(|path| !is_test(path)) {
        let text = fs::read_to_string(&path).expect("source");
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let found = code.lines().filter(is_code).any(|line| line.contains("remove_dir_all"));
        assert!(!found, "{}: use rootfs::remove_tree", path.display());
    }
}

#[test]
fn no_registry_is_named() {
    // The hosts this machine installs from; only the table of what the original writes may name some.
    let allowed = "xx-tools/src/tools/mirrors.rs";
    let mut hosts = vec![];
    for list in ["/etc/apt/sources.list", "/etc/apt/sources.list.d"] {
        let list = Path::new(list);
        let found = if list.is_dir() { files(list, "") } else { vec![list.to_owned()] };
        for file in found {
            let text = fs::read_to_string(&file).unwrap_or_default();
            let named = text.split("://").skip(1).filter_map(|rest| rest.split(['/', ' ', '\n']).next());
            hosts.extend(named.filter(|host| host.contains('.')).map(str::to_owned));
        }
    }
    hosts.sort();
    hosts.dedup();
    if hosts.is_empty() {
        return skipped("no_registry_is_named", "this machine installs from nowhere that is known");
    }
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(repository()).output();
    let listed = String::from_utf8(output.expect("git runs").stdout).expect("names are text");
    if listed.is_empty() {
        return skipped("no_registry_is_named", "the repository is not a clone of git");
    }
    let mut wrong = vec![];
    for name in listed.split('\0').filter(|name| !name.is_empty() && !name.starts_with(allowed)) {
        let Ok(text) = fs::read_to_string(repository().join(name)) else { continue };
        let named = hosts.iter().filter(|host| text.contains(host.as_str()));
        wrong.extend(named.map(|host| format!("{name}: {host}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_helper_image_has_a_link_for_each_tool() {
    let folder = repository().join("images/xx/root/usr/bin");
    let mut links = vec![];
    for entry in fs::read_dir(&folder).expect("the links") {
        let path = entry.expect("an entry").path();
        if path.is_symlink() {
            assert_eq!(fs::read_link(&path).expect("a link"), Path::new("xx"), "{}", path.display());
            links.push(path.file_name().expect("a name").to_string_lossy().into_owned());
        }
    }
    links.sort();
    let table =
        fs::read_to_string(repository().join("xx-tools/src/dispatch.rs")).expect("the table of tools");
    let names =
        table.lines().filter_map(|line| line.trim().strip_prefix("Tool { name: \"")?.split('"').next());
    let mut tools: Vec<&str> = names.filter(|name| name.starts_with("xx-")).collect();
    tools.sort_unstable();
    assert_eq!(links, tools);
}

/// Tests and files that the page on advisories names are there, and each advisory has one, or says why it needs none.
#[test]
fn advisories_name_tests_that_exist() {
    let root = repository();
    let sources: Vec<String> = ["builder", "tests"]
        .iter()
        .flat_map(|folder| files(&root.join(folder), ".rs"))
        .map(|path| fs::read_to_string(path).expect("a source file"))
        .collect();
    let page = fs::read_to_string(root.join("docs/advisories.md")).expect("the page");
    let mut rows = 0;
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| advisory ")) {
        rows += 1;
        let shown = row.rsplit('|').nth(1).expect("a last column");
        let names: Vec<&str> =
            shown.split('`').skip(1).step_by(2).filter(|name| !name.starts_with('/')).collect();
        assert!(!names.is_empty() || shown.contains("nothing enters"), "no test: {row}");
        for name in names {
            let is_test = |text: &String| {
                let marks = [format!("fn {name}()"), format!("case(\"{name}\""), format!("name: \"{name}\"")];
                marks.iter().any(|mark| text.contains(mark))
            };
            assert!(root.join(name).exists() || sources.iter().any(is_test), "`{name}` of: {row}");
        }
    }
    assert!(rows > 25, "the page has lost rows");
}
