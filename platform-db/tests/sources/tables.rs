//! Tables of other tools, recorded and read from this machine.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// A table of another tool.
pub(crate) struct Table {
    text: String,
    /// Whether it is the recording, for which the answer is known in full.
    pub(crate) recorded: bool,
}

impl Table {
    pub(crate) fn rows(&self) -> impl Iterator<Item = Vec<&str>> {
        self.text.lines().skip(1).map(|line| line.split('\t').collect())
    }

    pub(crate) fn words(&self) -> BTreeSet<&str> {
        self.rows().map(|row| row[0]).collect()
    }
}

/// The recording, and the same table read from this machine.
pub(crate) fn tables(name: &str) -> Vec<Table> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let text = std::fs::read_to_string(data.join(format!("{name}.tsv"))).unwrap();
    let header = text.lines().next().unwrap_or_default();
    assert!(
        header.starts_with("# ") && header.contains(": "),
        "{name}.tsv names source and version: {header}"
    );
    assert!(header.bytes().any(|byte| byte.is_ascii_digit()), "{name}.tsv names a version: {header}");
    let live = Command::new("python3").arg("-B").arg(data.join("record.py")).arg(name).output();
    let live = live.ok().filter(|answer| answer.status.code() != Some(3));
    let mut tables = vec![Table { text, recorded: true }];
    match live {
        Some(answer) if answer.status.success() => {
            let text = String::from_utf8(answer.stdout).unwrap();
            if text.lines().next() == tables[0].text.lines().next() {
                assert!(text == tables[0].text, "{name}.tsv is not what its source says; record it again");
            } else {
                tables.push(Table { text, recorded: false });
            }
        }
        Some(answer) => panic!("record.py {name}: {}", String::from_utf8_lossy(&answer.stderr)),
        None => skipped(&format!("platform-db: the live table of {name}; its tool is not here")),
    }
    tables
}

/// `tests/run` counts what is written here.
fn skipped(what: &str) {
    eprintln!("skipped: {what}");
    if let Some(list) = std::env::var_os("XX_TEST_SKIPPED") {
        let mut list = std::fs::OpenOptions::new().append(true).create(true).open(list).unwrap();
        writeln!(list, "{what}").unwrap();
    }
}
