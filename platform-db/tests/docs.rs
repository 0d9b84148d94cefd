//! `docs/platforms.md` is generated from the table; this test says how to refresh it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are test code")]

use std::fmt::Write as _;
use std::path::Path;

use platform_db::{Libc, Platform};

const INTRODUCTION: &str = "\
# Platforms

Generated from platform-db by its test `docs`; do not edit. A dash is a tool that has no name for the platform.

A platform is written as in the OCI image specification. Variants that change no name share the row of their base;
a later table lists the variants of each architecture and the compiler flags they stand for.

";

fn cell(name: Option<impl AsRef<str>>) -> String {
    name.map_or_else(|| "-".to_owned(), |name| name.as_ref().to_owned())
}

fn names(text: &mut String) {
    text.push_str(
        "## Names\n\n| platform | Go | `uname -m` | Debian | multiarch triple | Alpine | RPM | QEMU |\n",
    );
    text.push_str("|---|---|---|---|---|---|---|---|\n");
    let mut seen = std::collections::BTreeSet::new();
    for platform in Platform::all() {
        let row = format!(
            "{} | {} | {} | {} | {} | {} | {}",
            if platform.is_go() { "yes" } else { "-" },
            cell(platform.uname()),
            cell(platform.debian()),
            cell(platform.multiarch()),
            cell(platform.alpine()),
            cell(platform.rpm()),
            cell(platform.qemu()),
        );
        if seen.insert((platform.os(), platform.arch(), row.clone())) {
            writeln!(text, "| `{platform}` | {row} |").unwrap();
        }
    }
}

fn architectures(text: &mut String) {
    text.push_str("\n## Architectures\n\n| architecture | pointers | byte order | ELF machine | COFF machine | Mach-O type |\n|---|---|---|---|---|---|\n");
    for arch in platform_db::Arch::ALL {
        let facts = arch.facts();
        let number = |value: Option<u32>| cell(value.map(|value| format!("{value:#x}")));
        let elf = (facts.elf_machine != 0).then_some(facts.elf_machine.into());
        writeln!(
            text,
            "| {arch} | {} bits | {} | {} | {} | {} |",
            facts.bits,
            facts.endian,
            number(elf),
            number(facts.coff_machine.map(u32::from)),
            number(facts.macho_cputype),
        )
        .unwrap();
    }
}

fn targets(text: &mut String) {
    text.push_str("\n## Compilers' targets\n\n| platform | library | LLVM | Rust | Zig | dynamic linker |\n|---|---|---|---|---|---|\n");
    let mut seen = std::collections::BTreeSet::new();
    for platform in Platform::all() {
        for libc in Libc::ALL {
            let names = (platform.llvm(*libc), platform.rust(*libc), platform.zig(*libc));
            if names == (None, None, None)
                || !seen.insert((platform.os(), platform.arch(), *libc, names.clone()))
            {
                continue;
            }
            let linker = cell(platform.dynamic_linker(*libc));
            let names = format!("{} | {} | {}", cell(names.0), cell(names.1), cell(names.2));
            writeln!(text, "| `{platform}` | {libc} | {names} | {linker} |").unwrap();
        }
    }
}

fn formats(text: &mut String) {
    text.push_str("\n## Package formats, release files and firmware\n\n| platform | Nix | conda | Python wheel | npm | Docker Hub | UEFI |\n|---|---|---|---|---|---|---|\n");
    let mut seen = std::collections::BTreeSet::new();
    for platform in Platform::all() {
        let wheel = [(Libc::Gnu, (2, 17)), (Libc::System, (11, 0))];
        let wheel = wheel.iter().find_map(|(libc, version)| platform.wheel(*libc, *version));
        let npm = platform.npm().map(|(os, cpu)| format!("{os} {cpu}"));
        let efi = platform.efi_boot_file().filter(|_| platform.os() == "uefi");
        let names = [
            platform.nix(),
            platform.conda(),
            wheel.as_deref(),
            npm.as_deref(),
            platform.docker_prefix(),
            efi,
        ];
        if names.iter().any(Option::is_some)
            && seen.insert((
                platform.os(),
                platform.arch(),
                [0, 1, 2, 3].map(|at: usize| names[at].map(str::to_owned)),
            ))
        {
            writeln!(text, "| `{platform}` | {} |", names.map(cell).join(" | ")).unwrap();
        }
    }
}

fn variants(text: &mut String) {
    text.push_str("\n## Variants\n\n| platform | C compiler | Rust `target-cpu` | Go |\n|---|---|---|---|\n");
    for platform in Platform::all().filter(|platform| platform.os() == "linux") {
        let go = platform.go_level().map(|(name, value)| format!("`{name}={value}`"));
        let flags = platform.c_flags();
        let flags = (!flags.is_empty()).then(|| format!("`{}`", flags.join(" ")));
        if go.is_some() || flags.is_some() {
            writeln!(
                text,
                "| `{platform}` | {} | {} | {} |",
                cell(flags),
                cell(platform.rust_cpu()),
                cell(go)
            )
            .unwrap();
        }
    }
}

fn machines(text: &mut String) {
    text.push_str("\n## What a machine runs\n\nWithout emulation, best first. Machines that run only their own are left out.\n\n| machine | runs |\n|---|---|\n");
    for machine in Platform::all() {
        let others: Vec<String> =
            machine.run_order().skip(1).map(|(platform, _)| format!("`{platform}`")).collect();
        if !others.is_empty() && machine.os() == "linux" {
            writeln!(text, "| `{machine}` | {} |", others.join(" ")).unwrap();
        }
    }
}

fn document() -> String {
    let mut text = INTRODUCTION.to_owned();
    for section in [names, architectures, targets, formats, variants, machines] {
        section(&mut text);
    }
    text
}

#[test]
fn platforms_md_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/platforms.md");
    let expected = document();
    let fresh = std::fs::read_to_string(&path).is_ok_and(|found| found == expected);
    if !fresh {
        let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("platforms.md");
        std::fs::write(&made, expected).unwrap();
        assert!(
            fresh,
            "docs/platforms.md is stale; refresh it with\ncp {} docs/platforms.md",
            made.display()
        );
    }
}
