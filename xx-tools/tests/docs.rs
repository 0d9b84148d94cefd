//! docs/migrating-from-xx.md names the test that holds each line; the tests exist.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "helpers of tests are test code")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// `file`, `function` and `file::function` of every test.
fn tests() -> BTreeSet<String> {
    let mut files = Vec::new();
    for dir in ["src", "tests", "../platform-db/src", "../platform-db/tests"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), &mut files);
    }
    let mut names = BTreeSet::new();
    for file in files {
        let module = file.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let attributes = text.split("#[test]").skip(1);
        let functions = attributes.filter_map(|rest| rest.split_once("fn ")?.1.split('(').next());
        names.extend(functions.flat_map(|name| [format!("{module}::{name}"), name.to_owned()]));
        names.insert(module);
    }
    names
}

/// The words in backticks inside square brackets.
fn named(text: &str) -> Vec<&str> {
    let brackets = text.split('[').skip(1).filter_map(|rest| rest.split(']').next());
    brackets
        .flat_map(|inside| inside.split('`').skip(1).step_by(2))
        .filter(|word| !word.contains('/'))
        .collect()
}

#[test]
fn each_test_that_is_named_exists() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/migrating-from-xx.md"));
    let text = text.unwrap();
    let (tests, named) = (tests(), named(&text));
    assert!(named.len() > 40, "{named:?}");
    let missing: Vec<&&str> = named.iter().filter(|name| !tests.contains(**name)).collect();
    assert!(missing.is_empty(), "named, but not there: {missing:?}");
}
