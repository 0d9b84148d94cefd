//! Debian and Alpine with clang and what a case adds.

use super::FakeHost;

pub const DEBIAN: &str = "ID=debian\nVERSION_ID=\"12\"\n";
const ALPINE: &str = "ID=alpine\nVERSION_ID=3.20.3\n";

pub fn debian(programs: &[&str]) -> FakeHost {
    FakeHost::new(DEBIAN)
        .programs_in("/usr/lib/llvm-14/bin", &["clang"])
        .link("/usr/bin/clang", "/usr/lib/llvm-14/bin/clang")
        .link("/usr/bin/clang++", "/usr/lib/llvm-14/bin/clang")
        .programs_in("/usr/bin", &["xx-clang"])
        .programs_in("/usr/bin", programs)
        .answer(
            "ld -V",
            "GNU ld (GNU Binutils for Debian) 2.40\n  Supported emulations:\n   elf_x86_64\n   elf_i386\n",
        )
}

/// An lld of this version that says of these emulations that it knows them.
pub fn lld_that_links(emulations: &[&str], version: u32) -> FakeHost {
    let host = debian(&["lld", "ld.lld"])
        .answer("ld.lld --version", &format!("Debian LLD {version}.0.6 (compatible with GNU linkers)"));
    emulations.iter().fold(host, |host, emulation| {
        host.answer(&format!("ld.lld -m {emulation} -r -b binary -o /dev/null /dev/null"), "")
    })
}

pub fn alpine(programs: &[&str]) -> FakeHost {
    FakeHost::new(ALPINE)
        .file("/etc/alpine-release", "3.20.3\n")
        .programs_in("/usr/lib/llvm17/bin", &["clang-17"])
        .link("/usr/bin/clang", "/usr/lib/llvm17/bin/clang-17")
        .link("/usr/bin/clang++", "/usr/lib/llvm17/bin/clang-17")
        .programs_in("/usr/bin", programs)
}
