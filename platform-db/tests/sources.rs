//! The table against the tables of the tools it speaks for, as recorded by `data/regenerate.sh`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are test code")]

use std::collections::{BTreeMap, BTreeSet};

use platform_db::{Endian, Libc, Platform};

fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split('\t').collect())
}

#[test]
fn go_builds_exactly_these() {
    let listed: BTreeSet<String> = include_str!("data/go.txt").lines().map(str::to_owned).collect();
    let ours: BTreeSet<String> = Platform::all()
        .filter(Platform::is_go)
        .map(|platform| format!("{}/{}", platform.os(), platform.arch()))
        .collect();
    assert_eq!(ours, listed);
}

/// Targets with a standard library that are no platform of their own, with the reason.
const NO_PLATFORM: &[(&str, &str)] = &[
    ("arm64ec-pc-windows-msvc", "an ABI inside windows/arm64 processes"),
    ("x86_64-fortanix-unknown-sgx", "an enclave inside linux/amd64 processes"),
    ("x86_64-unknown-linux-gnuasan", "linux/amd64 with a sanitizer"),
];

#[test]
fn every_rust_target_with_a_library_is_a_platform() {
    let exceptions: BTreeMap<&str, &str> = NO_PLATFORM.iter().copied().collect();
    let mut seen = 0;
    for row in rows(include_str!("data/rustc.tsv")) {
        let [triple, tier, "std", bits, endian] = row[..] else { continue };
        if !matches!(tier, "1" | "2") || exceptions.contains_key(triple) {
            continue;
        }
        seen += 1;
        let platform = Platform::from_triple(triple);
        assert!(platform.is_some(), "{triple} is no platform");
        let facts = platform.unwrap().arch_id().facts();
        let expected = if endian == "big" { Endian::Big } else { Endian::Little };
        assert_eq!((facts.bits.to_string().as_str(), facts.endian), (bits, expected), "{triple}");
    }
    assert!(seen > 70, "{seen}");
}

#[test]
fn rust_names_are_rustcs() {
    let known: BTreeSet<&str> = rows(include_str!("data/rustc.tsv")).map(|row| row[0]).collect();
    let libcs = Libc::ALL.iter();
    let names =
        Platform::all().flat_map(|platform| libcs.clone().filter_map(move |libc| platform.rust(*libc)));
    for name in names {
        assert!(known.contains(name), "{name}");
    }
}

#[test]
fn debian_names_are_dpkgs() {
    let known: BTreeMap<&str, Vec<&str>> =
        rows(include_str!("data/dpkg.tsv")).map(|row| (row[0], row)).collect();
    let mut ours = BTreeSet::new();
    for platform in Platform::all() {
        let Some(name) = platform.debian() else { continue };
        let row = known.get(name);
        assert!(row.is_some(), "{platform}: dpkg does not know {name}");
        if platform.os() != "linux" {
            continue;
        }
        let row = row.unwrap();
        let facts = platform.arch_id().facts();
        let endian = if facts.endian == Endian::Big { "big" } else { "little" };
        assert_eq!(Some(row[1]), platform.multiarch().as_deref(), "{platform}");
        assert_eq!((row[2], row[3]), (facts.bits.to_string().as_str(), endian), "{platform}");
        assert_eq!(Some(row[4]), platform.gnu_words().map(|words| words.cpu), "{platform}");
        ours.insert(name);
    }
    for release in [
        "amd64", "arm64", "armel", "armhf", "i386", "loong64", "mips64el", "mipsel", "ppc64el", "riscv64",
        "s390x",
    ] {
        assert!(ours.contains(release), "{release}");
    }
}

#[test]
fn zig_names_are_zigs() {
    let known: BTreeSet<&str> = include_str!("data/zig-libc.txt").lines().collect();
    let mut ours = BTreeSet::new();
    for platform in Platform::all() {
        ours.extend(Libc::ALL.iter().filter_map(|libc| platform.zig(*libc)));
    }
    let wrong: Vec<&String> = ours.iter().filter(|name| !known.contains(name.as_str())).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(ours.len() > 50, "{}", ours.len());
}

/// The recording machine's own architecture family, and one that Debian registers no interpreter for.
const NOT_REGISTERED: &[&str] = &["aarch64_be", "i386", "x86_64"];

#[test]
fn qemu_names_are_qemus() {
    let known: BTreeSet<&str> = include_str!("data/qemu.txt").lines().collect();
    for platform in Platform::all() {
        if let Some(name) = platform.qemu() {
            assert!(known.contains(name) || NOT_REGISTERED.contains(&name), "{platform}: {name}");
        }
    }
}
