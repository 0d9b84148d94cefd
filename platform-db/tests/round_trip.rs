//! Print and parse are inverse, over every platform in every spelling.
//!
//! A name is read by its own tool's reader as the platform that printed it. Variants that share a name (amd64 v2 on
//! Debian) are read as the lowest of them, or as the default one by tools that have no word for variants. Names that several systems or architectures share are the rows of
//! `AMBIGUOUS`.

#![allow(clippy::panic, clippy::type_complexity, reason = "helpers of tests are test code")]

use std::collections::BTreeSet;

use platform_db::{Libc, Part, Platform};

/// Which of the variants that share a name is read.
#[derive(Clone, Copy, PartialEq)]
enum Read {
    /// The lowest, whose programs and packages serve the others.
    Lowest,
    /// The one meant when none is named: the tool has no word for variants.
    Default,
}

/// How a tool names a platform, several names when it has one per C library; how such a name is read; and as what.
type Spelling = (&'static str, Read, fn(&Platform) -> Vec<String>, fn(&str) -> Option<Platform>);

fn one(name: Option<impl Into<String>>) -> Vec<String> {
    name.map(Into::into).into_iter().collect()
}

fn per_libc(name: impl Fn(Libc) -> Option<String>) -> Vec<String> {
    Libc::ALL.iter().filter_map(|libc| name(*libc)).collect()
}

fn linux(platform: &Platform) -> Option<&Platform> {
    Some(platform).filter(|platform| platform.os() == "linux")
}

/// Words that release files have, for the systems that release files are made for. `armv8` is 64-bit in some and
/// 32-bit in others, so it is no name.
fn release(platform: &Platform) -> Vec<String> {
    let made_for = "android darwin freebsd linux netbsd openbsd windows";
    let named =
        platform.is_go() && platform.variant() != "v8" && made_for.split(' ').any(|os| os == platform.os());
    let variant = if platform.arch() == "arm" { platform.variant() } else { "" };
    if named { vec![format!("tool_1.0_{}_{}{variant}", platform.os(), platform.arch())] } else { Vec::new() }
}

#[rustfmt::skip]
const SPELLINGS: &[Spelling] = &[
    ("alpine", Read::Lowest, |platform| one(platform.alpine()), Platform::from_alpine),
    ("conda", Read::Lowest, |platform| one(platform.conda()), Platform::from_conda),
    ("debian", Read::Lowest, |platform| one(platform.debian()), Platform::from_debian),
    ("docker", Read::Lowest, |platform| one(platform.docker_prefix()), Platform::from_docker_prefix),
    ("efi", Read::Lowest, |platform| one(platform.efi_boot_file().filter(|_| platform.os() == "uefi")), Platform::from_efi_boot_file),
    ("go", Read::Default, |platform| one(Some(format!("{}/{}", platform.os(), platform.arch())).filter(|_| platform.is_go())),
        |name| name.split_once('/').and_then(|(os, arch)| Platform::from_go(os, arch))),
    ("llvm", Read::Lowest, |platform| per_libc(|libc| platform.llvm(libc)), Platform::from_triple),
    ("multiarch", Read::Lowest, |platform| one(platform.multiarch()), Platform::from_triple),
    ("nix", Read::Lowest, |platform| one(platform.nix()), Platform::from_nix),
    ("npm", Read::Default, |platform| one(platform.npm().map(|(os, cpu)| format!("{os} {cpu}"))),
        |name| name.split_once(' ').and_then(|(os, cpu)| Platform::from_npm(os, cpu))),
    ("oci", Read::Lowest, |platform| vec![platform.to_string()], |name| name.parse().ok()),
    ("pair", Read::Lowest, |platform| vec![platform.pair()], Platform::from_pair),
    ("release", Read::Lowest, release, Platform::from_release_name),
    ("rpm", Read::Lowest, |platform| one(platform.rpm()), Platform::from_rpm),
    ("rust", Read::Lowest, |platform| per_libc(|libc| platform.rust(libc).map(str::to_owned)), Platform::from_rust),
    ("uname", Read::Lowest, |platform| one(linux(platform).and_then(Platform::uname)), |name| Platform::from_uname(name).ok()),
    ("wheel", Read::Lowest, |platform| per_libc(|libc| platform.wheel(libc, (2, 17))), Platform::from_wheel),
    ("zig", Read::Default, |platform| per_libc(|libc| platform.zig(libc)), Platform::from_zig),
];

/// Names of several systems or architectures: spelling, name, the platform that it is read as, and why.
#[rustfmt::skip]
const AMBIGUOUS: &[(&str, &str, &str, &str)] = &[
    ("llvm", "wasm32-wasip1", "wasip1/wasm", "Docker's wasi names no preview"),
    ("npm", "freebsd ppc64", "freebsd/ppc64le", "Node says nothing of the byte order"),
    ("npm", "linux ppc64", "linux/ppc64le", "Node says nothing of the byte order"),
    ("npm", "sunos x64", "solaris/amd64", "illumos is sunos to Node, too"),
    ("rust", "wasm32-wasip1", "wasip1/wasm", "Docker's wasi names no preview"),
    ("uname", "aarch64", "linux/arm64", "the kernel of programs with short pointers"),
    ("uname", "aarch64_be", "linux/arm64be", "the kernel of programs with short pointers"),
    ("uname", "microblaze", "linux/microblaze", "the kernel says nothing of the byte order"),
    ("uname", "mips64", "linux/mips64", "the kernel of programs with short pointers"),
    ("uname", "mips64le", "linux/mips64le", "the kernel of programs with short pointers"),
    ("uname", "x86_64", "linux/amd64", "the kernel of programs with short pointers"),
    ("uname", "xtensa", "linux/xtensa", "the kernel says nothing of the byte order"),
    ("zig", "wasm32-wasi-musl", "wasi/wasm", "Zig names no preview"),
];

#[test]
fn every_name_is_read_as_what_it_names() {
    let all: Vec<Platform> = Platform::all().collect();
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for (spelling, meant, print, read) in SPELLINGS {
        let mut count = 0;
        for platform in &all {
            for name in print(platform) {
                count += 1;
                let found = read(&name);
                let listed = AMBIGUOUS.iter().find(|row| (row.0, row.1) == (spelling, name.as_str()));
                if let Some((.., meant, _)) = listed {
                    used.insert((*spelling, name.clone()));
                    assert_eq!(
                        found.map(|found| found.to_string()).as_deref(),
                        Some(*meant),
                        "{spelling} {name}"
                    );
                    continue;
                }
                let same = |other: &&Platform| (other.os(), other.arch()) == (platform.os(), platform.arch());
                let named: Vec<&Platform> =
                    all.iter().filter(same).filter(|other| print(other).contains(&name)).collect();
                let default = format!("{}/{}", platform.os(), platform.arch()).parse::<Platform>().ok();
                let default = default.filter(|default| *meant == Read::Default && named.contains(&default));
                let meant = default.as_ref().or(named.first().copied());
                if found.as_ref() != meant {
                    wrong.push(format!("{spelling} {name} of {platform} is read as {found:?}"));
                }
            }
        }
        assert!(count >= 10, "{spelling}: {count} names");
    }
    assert!(wrong.is_empty(), "{} names:\n{}", wrong.len(), wrong.join("\n"));
    for (spelling, name, _, why) in AMBIGUOUS {
        assert!(
            used.contains(&(*spelling, (*name).to_owned())) && !why.is_empty(),
            "{spelling} {name} is no name"
        );
    }
}

#[test]
fn parts_are_the_platform_that_prints_them() {
    for platform in Platform::all() {
        let made = Platform::new(platform.os_id(), platform.arch_id(), platform.variant_id());
        assert_eq!(made.as_ref(), Some(&platform));
        for version in ["", "10.0.17763.1"] {
            let made =
                Platform::from_parts(platform.os(), platform.arch(), platform.variant(), version).unwrap();
            let printed = made.to_string();
            assert_eq!(made.os_version().unwrap_or_default(), version, "{printed}");
            assert_eq!(printed.parse(), Ok(made));
        }
    }
    let refused = [
        ("", "amd64", "", "", Part::Os),
        ("linux", "", "", "", Part::Arch),
        ("linux", "arm/v7", "", "", Part::Arch),
        ("windows(10)", "amd64", "", "", Part::Os),
        ("linux", "amd64", "v9", "", Part::Variant),
        ("linux", "amd64", "", "1 0", Part::OsVersion),
        ("darwin", "s390x", "", "", Part::Combination),
    ];
    for (os, arch, variant, version, part) in refused {
        assert_eq!(Platform::from_parts(os, arch, variant, version).unwrap_err().part, part, "{os} {arch}");
    }
}
