//! The table against the tables of the tools it speaks for: as recorded in `data/`, and as this machine has them.
//!
//! `data/record.py` writes the recordings and reads the machine. A tool that is not here is counted as skipped.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests are test code, and the tools themselves are asked"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use platform_db::{Endian, Libc, Platform};

/// A table of another tool.
struct Table {
    text: String,
    /// Whether it is the recording, for which the answer is known in full.
    recorded: bool,
}

impl Table {
    fn rows(&self) -> impl Iterator<Item = Vec<&str>> {
        self.text.lines().skip(1).map(|line| line.split('\t').collect())
    }

    fn words(&self) -> BTreeSet<&str> {
        self.rows().map(|row| row[0]).collect()
    }
}

/// The recording, and the same table read from this machine.
fn tables(name: &str) -> Vec<Table> {
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

#[test]
fn go_builds_exactly_these() {
    let go = |platform: &Platform| format!("{}/{}", platform.os(), platform.arch());
    let ours: BTreeSet<String> =
        Platform::all().filter(Platform::is_go).map(|platform| go(&platform)).collect();
    for table in tables("go") {
        for name in table.words() {
            let (os, arch) = name.split_once('/').unwrap();
            // An older Go builds for platforms that this one has left.
            let known = Platform::from_go(os, arch).or_else(|| name.parse().ok().filter(|_| !table.recorded));
            assert_eq!(known.as_ref().map(go).as_deref(), Some(name));
        }
        let listed: BTreeSet<String> = table.words().into_iter().map(str::to_owned).collect();
        assert!(!table.recorded || ours == listed, "{:?}", ours.symmetric_difference(&listed));
    }
}

/// Targets that are no platform of their own, with the reason.
const NO_PLATFORM: &[(&str, &str)] = &[
    ("arm64ec-pc-windows-msvc", "an ABI inside windows/arm64 processes"),
    ("wasm32-wali-linux-musl", "Linux's interface offered by WebAssembly runtimes, no port of Linux"),
    ("x86_64-fortanix-unknown-sgx", "an enclave inside linux/amd64 processes"),
];

/// Words of the specifications for our systems, where they differ; an empty one says nothing.
const RUST_OSES: &[(&str, &str)] = &[("macos", "darwin"), ("unknown", "none"), ("wasi", "")];

/// Words of the specifications for processors, and ours for them; width and byte order tell which.
const RUST_ARCHES: &[(&str, &str)] = &[
    ("aarch64", "arm64 arm64be arm64p32 arm64p32be"),
    ("amdgpu", "amdgcn"),
    ("arm", "arm armbe"),
    ("avr", "avr"),
    ("bpf", "bpf bpfbe"),
    ("csky", "csky"),
    ("hexagon", "hexagon"),
    ("loongarch32", "loong32"),
    ("loongarch64", "loong64"),
    ("m68k", "m68k"),
    ("mips", "mips mipsle"),
    ("mips32r6", "mips mipsle"),
    ("mips64", "mips64 mips64le"),
    ("mips64r6", "mips64 mips64le"),
    ("msp430", "msp430"),
    ("nvptx64", "nvptx64"),
    ("powerpc", "ppc"),
    ("powerpc64", "ppc64 ppc64le"),
    ("riscv32", "riscv"),
    ("riscv64", "riscv64"),
    ("s390x", "s390x"),
    ("sparc", "sparc"),
    ("sparc64", "sparc64"),
    ("wasm32", "wasm"),
    ("wasm64", "wasm64"),
    ("x86", "386"),
    ("x86_64", "amd64 amd64p32"),
    ("xtensa", "xtensa"),
];

#[test]
fn every_rust_target_is_a_platform() {
    let exceptions: BTreeMap<&str, &str> = NO_PLATFORM.iter().copied().collect();
    for table in tables("rustc") {
        let mut with_library = 0;
        for row in table.rows() {
            let [triple, tier, library, bits, endian, os, arch] = row[..] else { panic!("{row:?}") };
            let promised = library == "std" && matches!(tier, "1" | "2");
            if exceptions.contains_key(triple) || !(table.recorded || promised) {
                continue;
            }
            with_library += usize::from(promised);
            let platform = Platform::from_rust(triple).or_else(|| Platform::from_triple(triple));
            let platform = platform.unwrap_or_else(|| panic!("{triple} is no platform"));
            let facts = platform.arch_id().facts();
            let expected = if endian == "big" { Endian::Big } else { Endian::Little };
            assert_eq!((facts.bits.to_string().as_str(), facts.endian), (bits, expected), "{triple}");
            let named = RUST_ARCHES.iter().find(|(known, _)| *known == arch).map_or(arch, |(_, ours)| ours);
            assert!(named.split(' ').any(|name| name == platform.arch()), "{triple}: {platform}, not {arch}");
            assert_eq!(arch.ends_with("r6"), platform.variant() == "r6", "{triple}: {platform}");
            let os = RUST_OSES.iter().find(|(known, _)| *known == os).map_or(os, |(_, ours)| ours);
            assert!(platform.os() == os || os.is_empty(), "{triple}: {platform}, not {os}");
        }
        assert!(with_library > 70, "{with_library}");
    }
}

#[test]
fn rust_names_are_rustcs() {
    let table = tables("rustc").swap_remove(0);
    let known = table.words();
    for platform in Platform::all() {
        for name in Libc::ALL.iter().filter_map(|libc| platform.rust(*libc)) {
            assert!(known.contains(name), "{platform}: {name}");
        }
    }
}

/// Kernels in dpkg's tables that nothing was ever released for; the tables cross every kernel with every processor.
const NO_KERNEL: &[&str] = &["knetbsd", "kopensolaris", "uclinux"];

#[test]
fn debian_names_are_dpkgs() {
    for table in tables("dpkg") {
        let known: BTreeMap<&str, Vec<&str>> = table.rows().map(|row| (row[0], row)).collect();
        for platform in Platform::all() {
            let Some(name) = platform.debian() else { continue };
            let Some(row) = known.get(name) else {
                assert!(!table.recorded, "{platform}: dpkg does not know {name}");
                continue;
            };
            let facts = platform.arch_id().facts();
            let endian = if facts.endian == Endian::Big { "big" } else { "little" };
            assert_eq!((row[2], row[3]), (facts.bits.to_string().as_str(), endian), "{platform}");
            if platform.os() == "linux" {
                assert_eq!(Some(row[1]), platform.multiarch().as_deref(), "{platform}");
                assert_eq!(Some(row[4]), platform.gnu_words().map(|words| words.cpu), "{platform}");
            }
        }
        // Every architecture of Linux with glibc is a row; those of a kernel are `KERNEL-CPU`.
        for name in known.keys().filter(|name| !name.contains('-')) {
            let armbe = matches!(*name, "arm");
            assert!(Platform::from_debian(name).is_some() || armbe, "{name} is no platform");
        }
        for name in NO_KERNEL {
            assert!(
                !Platform::all().any(|platform| platform.debian().is_some_and(|own| own.starts_with(name)))
            );
        }
    }
}

#[test]
fn every_release_architecture_of_debian_is_a_platform() {
    let mut releases = BTreeSet::new();
    for table in tables("debian") {
        for row in table.rows() {
            let platform = Platform::from_debian(row[1]);
            assert_eq!(platform.and_then(|platform| platform.debian()), Some(row[1]), "{}", row[0]);
            releases.insert(row[0].to_owned());
        }
    }
    assert!(["bookworm", "trixie", "sid"].iter().all(|name| releases.contains(*name)), "{releases:?}");
    let ports = "alpha hppa hurd-amd64 hurd-i386 ia64 kfreebsd-amd64 kfreebsd-i386 m68k mips powerpc powerpcspe ppc64 \
                 s390 sh4 sparc sparc64 x32";
    for name in ports.split_ascii_whitespace() {
        let platform = Platform::from_debian(name);
        assert_eq!(platform.and_then(|platform| platform.debian()), Some(name));
    }
}

/// Names of apk-tools that the table does not have, with the reason.
const NO_APK: &[(&str, &str)] = &[
    ("arc700", "an ARC without Linux distributions; `archs` is the one that Linux runs on"),
    ("loongarchx32", "LoongArch with short pointers, which no compiler has yet"),
    ("mips64el", "the original xx says mips64le; read as a name, never printed"),
    ("mipsel", "the original xx says mipsle; read as a name, never printed"),
    ("sh2eb", "SuperH without memory protection"),
    ("wasi32", "a file format, not an Alpine"),
];

#[test]
fn alpine_names_are_apks() {
    for table in tables("apk") {
        let known = table.words();
        let ours: BTreeSet<&str> = Platform::all().filter_map(|platform| platform.alpine()).collect();
        let not: BTreeSet<&str> = NO_APK.iter().map(|(name, _)| *name).collect();
        for name in known.difference(&ours) {
            assert!(not.contains(name), "{name} is no platform");
        }
        // The original's names for little-endian MIPS, and the one processor that an Alpine once was made for.
        for name in ours.difference(&known) {
            assert!(["mipsle", "mips64le", "m68k"].contains(name), "apk does not know {name}");
        }
    }
    for (name, platform) in [("mipsel", "linux/mipsle"), ("mips64el", "linux/mips64le")] {
        assert_eq!(Platform::from_alpine(name).unwrap().to_string(), platform);
    }
}

/// Architectures of rpm that the table does not have, with the reason.
const NO_RPM: &[(&str, &str)] = &[
    ("armv3l", "before ARMv5, which is the lowest that OCI images name"),
    ("armv4b", "before ARMv5"),
    ("armv4l", "before ARMv5"),
    ("i370", "before S/390"),
    ("rs6000", "AIX's packages of POWER before PowerPC"),
    ("sgi", "IRIX"),
    ("sh", "SuperH of no stated version"),
];

#[test]
fn rpm_names_are_rpms() {
    for table in tables("rpm") {
        let known = table.words();
        for platform in Platform::all() {
            let Some(name) = platform.rpm() else { continue };
            assert!(known.contains(name) || !table.recorded, "{platform}: rpm does not know {name}");
        }
        let not: BTreeSet<&str> = NO_RPM.iter().map(|(name, _)| *name).collect();
        for name in known {
            assert!(Platform::from_rpm(name).is_some() != not.contains(name), "{name}");
        }
    }
}

/// Targets of Zig that are read as another's, with the reason.
const ZIG_SHARED: &[(&str, &str)] = &[
    ("maccatalyst", "macOS programs with iOS interfaces"),
    ("thumb", "an instruction encoding of the same processors"),
    ("thumbeb", "an instruction encoding of the same processors"),
    ("armeb-linux-gnueabi", "soft float; big-endian ARM has one variant"),
    ("armeb-linux-musleabi", "soft float"),
    ("armeb-netbsd-eabi", "soft float"),
    ("csky-linux-gnueabi", "soft float"),
    ("gnusf", "soft float; LoongArch has one variant"),
    ("muslsf", "soft float"),
    ("muslf32", "single precision"),
    ("powerpc-linux-musleabi", "soft float; PowerPC has one variant"),
];

#[test]
fn zig_names_are_zigs() {
    for table in tables("zig") {
        let known = table.words();
        let mut ours = BTreeSet::new();
        for platform in Platform::all() {
            ours.extend(Libc::ALL.iter().filter_map(|libc| platform.zig(*libc)));
        }
        let wrong: Vec<&String> = ours.iter().filter(|name| !known.contains(name.as_str())).collect();
        assert!(wrong.is_empty() || !table.recorded, "{wrong:?}");
        for name in known.iter().filter(|_| table.recorded) {
            assert!(Platform::from_zig(name).is_some(), "{name} is no platform");
            let shared =
                ZIG_SHARED.iter().any(|(part, _)| name == part || name.split('-').any(|word| word == *part));
            assert!(ours.contains(*name) != shared, "{name}: printed for some platform, or shared");
        }
    }
}

/// QEMU's programs that are no platform's, with the reason.
const NO_QEMU: &[(&str, &str)] = &[("sparc32plus", "sparc programs that use instructions of version 9")];

#[test]
fn qemu_names_are_qemus() {
    for table in tables("qemu") {
        let known = table.words();
        let ours: BTreeSet<&str> = Platform::all().filter_map(|platform| platform.qemu()).collect();
        let not: BTreeSet<&str> = NO_QEMU.iter().map(|(name, _)| *name).collect();
        let missing: Vec<_> = known.difference(&ours).filter(|name| !not.contains(**name)).collect();
        assert!(missing.is_empty() || !table.recorded, "{missing:?}");
        let wrong: Vec<_> = ours.difference(&known).collect();
        assert!(wrong.is_empty() || !table.recorded, "{wrong:?}");
        for row in table.rows().filter(|row| row[1] == "binfmt") {
            assert!(ours.contains(row[0]) || not.contains(row[0]), "{} has an interpreter", row[0]);
        }
    }
}

#[test]
fn containerd_knows_no_other_systems_and_architectures() {
    for table in tables("containerd") {
        for row in table.rows() {
            let known = Platform::all().any(|platform| match row[0] {
                "os" => platform.os() == row[1],
                _ => platform.arch() == row[1],
            });
            assert!(known, "{} {}", row[0], row[1]);
        }
    }
}

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
