//! Object files read from made-up headers and from the program that runs this test.
#![cfg(feature = "object")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

mod files;

use files::{
    AMD64, ARM64, DYN, DYNAMIC, EXEC, INTERP, NOTE, PROCESSOR, archive, arm_attributes, bsd_archive, coff,
    elf, elf_with_table_first, fat, macho, pe, wasm,
};
use platform_db::object::{Aspect, Kind, ObjectError, needs, read};
use platform_db::{Arch, Endian, Os, Platform, Variant};

#[test]
fn every_architecture_is_recognised() {
    for arch in Arch::ALL.iter().filter(|arch| arch.facts().elf_machine != 0) {
        let facts = read(&elf(*arch, EXEC, 0, &[])).unwrap().unwrap();
        assert_eq!(
            (facts.arch, facts.bits, facts.endian),
            (Some(*arch), arch.facts().bits.max(32), arch.facts().endian)
        );
        assert!(facts.is_static);
        for platform in Platform::all().filter(|platform| platform.os() == "linux") {
            let fits = facts.mismatch(&platform).is_none();
            assert_eq!(fits, platform.arch_id() == *arch, "{arch} on {platform}");
        }
    }
}

#[test]
fn one_line_descriptions() {
    let needed = [1u64.to_le_bytes(), 1u64.to_le_bytes(), [0; 8], [0; 8]].concat();
    let pie = [0x6fff_fffbu64.to_le_bytes(), 0x0800_0000u64.to_le_bytes(), [0; 8], [0; 8]].concat();
    let named = [14u64.to_le_bytes(), 1u64.to_le_bytes(), [0; 8], [0; 8]].concat();
    let entered = |dynamic: &[u8]| {
        let mut file = elf(Arch::Amd64, DYN, 0, &[(DYNAMIC, dynamic)]);
        file.splice(24..32, 4096u64.to_le_bytes());
        file
    };
    let freebsd = b"\x08\0\0\0\x04\0\0\0\x01\0\0\0FreeBSD\0\0\0\0\0";
    let cases: &[(Vec<u8>, &str)] = &[
        (elf(Arch::Arm64, EXEC, 0, &[]), "ELF 64-bit aarch64, static"),
        (
            elf(Arch::Amd64, DYN, 0, &[(INTERP, b"/lib64/ld-linux-x86-64.so.2\0"), (DYNAMIC, &needed)]),
            "ELF 64-bit x86_64 linux, dynamic, interpreter /lib64/ld-linux-x86-64.so.2",
        ),
        (elf(Arch::Amd64, DYN, 0, &[(DYNAMIC, &pie)]), "ELF 64-bit x86_64, static"),
        (elf(Arch::Amd64, DYN, 0, &[(DYNAMIC, &needed)]), "ELF 64-bit x86_64, shared library"),
        (entered(&[0; 16]), "ELF 64-bit x86_64, static"),
        (entered(&needed), "ELF 64-bit x86_64, shared library"),
        (entered(&named), "ELF 64-bit x86_64, shared library"),
        (elf(Arch::Amd64, EXEC, 0, &[(NOTE, freebsd)]), "ELF 64-bit x86_64 freebsd, static"),
        (elf(Arch::S390x, EXEC, 12, &[]), "ELF 64-bit s390x openbsd, static"),
        (elf(Arch::Mipsle, 1, 0, &[]), "ELF 32-bit mipsle, object to be linked"),
    ];
    for (file, expected) in cases {
        assert_eq!(read(file).unwrap().unwrap().to_string(), *expected);
    }
}

#[test]
fn mismatches_are_told_in_words() {
    type Case = (Vec<u8>, &'static str, Option<(Aspect, &'static str)>);
    let cases: &[Case] = &[
        (elf(Arch::Arm64, EXEC, 0, &[]), "linux/arm64", None),
        (elf(Arch::Arm64, EXEC, 0, &[]), "linux/arm64/v8.2", None),
        (
            elf(Arch::Amd64, EXEC, 0, &[]),
            "linux/arm64",
            Some((Aspect::Arch, "found ELF 64-bit x86_64, static, expected aarch64 (linux/arm64)")),
        ),
        (
            elf(Arch::Mips, EXEC, 0, &[]),
            "linux/mipsle",
            Some((Aspect::Endian, "found ELF 32-bit mips, static, expected little-endian (linux/mipsle)")),
        ),
        (
            elf(Arch::Amd64, EXEC, 9, &[]),
            "linux/amd64",
            Some((Aspect::Os, "found ELF 64-bit x86_64 freebsd, static, expected linux (linux/amd64)")),
        ),
        (
            elf(Arch::Amd64, EXEC, 0, &[]),
            "windows/amd64",
            Some((
                Aspect::Format,
                "found ELF 64-bit x86_64, static, expected a file in the object format of windows",
            )),
        ),
    ];
    for (file, platform, expected) in cases {
        let mismatch = read(file).unwrap().unwrap().mismatch(&platform.parse().unwrap());
        let found = mismatch.as_ref().map(|mismatch| (mismatch.aspect, mismatch.to_string()));
        assert_eq!(found, expected.map(|(aspect, text)| (aspect, text.to_owned())), "{platform}");
    }
}

/// An x86-64-v3 property note, as `-Wl,-z,x86-64-v3` writes it.
#[test]
fn isa_level_needed_is_a_variant() {
    let mut note: Vec<u8> = Vec::new();
    for word in [4u32, 16, 5, u32::from_le_bytes(*b"GNU\0"), 0xc000_8002, 4, 0b111, 0] {
        note.extend(word.to_le_bytes());
    }
    let facts = read(&elf(Arch::Amd64, EXEC, 0, &[(NOTE, &note)])).unwrap().unwrap();
    assert_eq!(facts.needs, Some(Variant::V3));
    for (platform, fits) in [("linux/amd64", false), ("linux/amd64/v2", false), ("linux/amd64/v3", true)] {
        assert_eq!(facts.mismatch(&platform.parse().unwrap()).is_none(), fits, "{platform}");
    }
}

#[test]
fn what_is_no_object_file_is_none() {
    for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fEL", b"MZ"] {
        assert!(read(bytes).unwrap().is_none());
    }
}

#[test]
fn every_truncation_is_an_error_or_smaller_truth_but_never_a_panic() {
    let whole = elf(Arch::Amd64, DYN, 0, &[(INTERP, b"/lib64/ld-linux-x86-64.so.2\0"), (DYNAMIC, &[0; 32])]);
    for len in 4..whole.len() {
        assert!(matches!(read(&whole[..len]), Err(ObjectError::Truncated(_))), "{len}");
    }
    for at in 4..64 {
        for byte in [0, 1, 0x7f, 0xff] {
            let mut broken = whole.clone();
            broken[at] = byte;
            let _ = read(&broken);
        }
    }
}

#[test]
fn this_program_fits_the_platform_it_runs_on() {
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    let facts = read(&file).unwrap().unwrap();
    assert_eq!((facts.kind, facts.os), (Kind::PieExecutable, Some(Os::Linux)));
    let here: Platform = Platform::from_uname(std::env::consts::ARCH).unwrap();
    assert_eq!(facts.mismatch(&here), None);
}

#[test]
fn formats_other_than_elf() {
    let mac = |cputype| macho(cputype, 2, &[&[0x32, 1, 0, 0, 0]]);
    let object = elf(Arch::Riscv64, 1, 0, &[]);
    let cases: &[(Vec<u8>, &str, &str, &str)] = &[
        (pe(0x8664, 0, 0x20b, 3), "PE 64-bit x86_64 windows", "windows/amd64", "windows/arm64"),
        (pe(0x14c, 0x2000, 0x10b, 3), "PE 32-bit i386 windows, shared library", "windows/386", "linux/386"),
        (coff(0x8664, 0), "PE 64-bit x86_64, object to be linked", "windows/amd64", "windows/386"),
        (
            [&[0, 0, 0xff, 0xff, 0, 0, 0x4c, 0x01][..], &[0; 32]].concat(),
            "PE 32-bit i386, object to be linked",
            "windows/386",
            "windows/amd64",
        ),
        (pe(0xaa64, 0, 0x20b, 10), "PE 64-bit aarch64 uefi", "uefi/arm64", "windows/arm64"),
        (macho(ARM64, 2, &[]), "Mach-O 64-bit aarch64", "darwin/arm64", "darwin/amd64"),
        (macho(AMD64, 6, &[]), "Mach-O 64-bit x86_64, shared library", "darwin/amd64", "windows/amd64"),
        (
            macho(ARM64, 2, &[&[0x1b, 1], &[0x32, 1, 0, 0, 0]]),
            "Mach-O 64-bit aarch64 darwin",
            "darwin/arm64",
            "ios/arm64",
        ),
        (macho(ARM64, 2, &[&[0x25, 0, 0]]), "Mach-O 64-bit aarch64 ios", "ios/arm64", "darwin/arm64"),
        (
            fat(false, &[(AMD64, &mac(AMD64)), (ARM64, &mac(ARM64))]),
            "Mach-O 64-bit x86_64+aarch64 darwin",
            "darwin/arm64",
            "ios/arm64",
        ),
        (
            fat(true, &[(AMD64, &mac(AMD64)), (ARM64, &mac(ARM64))]),
            "Mach-O 64-bit x86_64+aarch64 darwin",
            "darwin/amd64",
            "darwin/386",
        ),
        (
            fat(false, &[(ARM64, &bsd_archive("x.o", &macho(ARM64, 1, &[])))]),
            "Mach-O 64-bit aarch64, object to be linked",
            "darwin/arm64",
            "darwin/amd64",
        ),
        (wasm(&[]), "WebAssembly 32-bit wasm", "wasip1/wasm", "linux/amd64"),
        (wasm(&[(5, &[1, 0, 17])]), "WebAssembly 32-bit wasm", "wasip1/wasm", "wasi/wasm64"),
        (wasm(&[(5, &[1, 4, 17])]), "WebAssembly 64-bit wasm64", "wasi/wasm64", "wasip1/wasm"),
        (
            wasm(&[(2, b"\x02\x01a\x01f\0\x07\x01a\x01m\x02\x05\x01\x02")]),
            "WebAssembly 64-bit wasm64",
            "emscripten/wasm64",
            "js/wasm",
        ),
        (
            wasm(&[(0, b"\x07linking")]),
            "WebAssembly 32-bit wasm, object to be linked",
            "wasip1/wasm",
            "windows/386",
        ),
        (b"\0asm\x0d\0\x01\0".to_vec(), "WebAssembly 32-bit wasm", "wasip2/wasm", "linux/386"),
        (pe(0x1c2, 0, 0x10b, 10), "PE 32-bit arm uefi", "uefi/arm", "windows/arm"),
        (coff(0xa641, 0), "PE 64-bit aarch64, object to be linked", "windows/arm64", "windows/amd64"),
        (
            archive(&[("/", b"index"), ("x.o/", &object)]),
            "ELF 64-bit riscv64, object to be linked",
            "linux/riscv64",
            "linux/arm64",
        ),
    ];
    for (file, text, fits, differs) in cases {
        let facts = read(file).unwrap().unwrap();
        assert_eq!(facts.to_string(), *text);
        assert_eq!(facts.mismatch(&fits.parse().unwrap()), None, "{text}");
        assert!(facts.mismatch(&differs.parse().unwrap()).is_some(), "{text}");
    }
}

#[test]
fn variants_and_float_abis_that_files_state() {
    let musl = b"/lib/ld-musl-armhf.so.1\0";
    let arm = |cpu, vfp| elf(Arch::Arm, DYN, 0, &[(INTERP, musl), (PROCESSOR, &arm_attributes(cpu, vfp))]);
    let mips = |fp| {
        elf(Arch::Mipsle, DYN, 0, &[(INTERP, b"/lib/ld.so.1\0"), (PROCESSOR, &[0, 0, 0, 0, 0, 0, 0, fp])])
    };
    let flagged = |arch, flags: u32| {
        let mut file = elf(arch, DYN, 0, &[(INTERP, b"/lib/ld-linux.so.1\0")]);
        let at = if arch.facts().bits == 64 { 48 } else { 36 };
        let bytes =
            if arch.facts().endian == Endian::Big { flags.to_be_bytes() } else { flags.to_le_bytes() };
        file.splice(at..at + 4, bytes);
        file
    };
    type Case = (Vec<u8>, &'static str, Option<Aspect>);
    let cases: &[Case] = &[
        (arm(4, 0), "linux/arm/v5", None),
        (arm(4, 0), "linux/arm/v6", None),
        (arm(4, 0), "linux/arm/v7", Some(Aspect::FloatAbi)),
        (arm(6, 1), "linux/arm/v6", None),
        (arm(6, 0), "linux/arm/v6", None),
        (arm(6, 1), "linux/arm/v5", Some(Aspect::Variant)),
        (arm(10, 1), "linux/arm/v7", None),
        (arm(10, 1), "linux/arm/v8", None),
        (arm(10, 1), "linux/arm/v6", Some(Aspect::Variant)),
        (arm(14, 1), "linux/arm/v7", Some(Aspect::Variant)),
        (flagged(Arch::Arm, 0x0500_0200), "linux/arm/v7", Some(Aspect::FloatAbi)),
        (flagged(Arch::Arm, 0x0500_0400), "linux/arm/v5", Some(Aspect::FloatAbi)),
        (mips(1), "linux/mipsle", None),
        (mips(3), "linux/mipsle", Some(Aspect::FloatAbi)),
        (mips(3), "linux/mipsle/softfloat", None),
        (mips(5), "linux/mipsle/softfloat", Some(Aspect::FloatAbi)),
        (flagged(Arch::Mips64, 0xa000_0000), "linux/mips64", Some(Aspect::Variant)),
        (flagged(Arch::Mips64, 0xa000_0000), "linux/mips64/r6", None),
        (flagged(Arch::Mips, 0x7000_0020), "linux/mips", Some(Aspect::Arch)),
        (flagged(Arch::Mips, 0x7000_0020), "linux/mips64p32", None),
        (flagged(Arch::Sh4, 0x17), "linux/sh4", None),
        (flagged(Arch::Sh4, 3), "linux/sh4", Some(Aspect::Arch)),
        (flagged(Arch::Riscv64, 5), "linux/riscv64", None),
        (flagged(Arch::Riscv64, 1), "linux/riscv64", Some(Aspect::FloatAbi)),
        (flagged(Arch::Loong64, 0x43), "linux/loong64", None),
        (flagged(Arch::Loong64, 0x41), "linux/loong64", Some(Aspect::FloatAbi)),
    ];
    for (file, platform, expected) in cases {
        let facts = read(file).unwrap().unwrap();
        let found = facts.mismatch(&platform.parse().unwrap());
        assert_eq!(
            found.as_ref().map(|mismatch| mismatch.aspect),
            *expected,
            "{facts} on {platform}: {found:?}"
        );
    }
}

#[test]
fn archives_whose_objects_disagree_are_refused() {
    let (one, other) = (elf(Arch::Arm64, 1, 0, &[]), elf(Arch::Amd64, 1, 0, &[]));
    let of = |os_abi| elf(Arch::Arm64, 1, os_abi, &[]);
    assert!(read(&archive(&[("a.o/", &one), ("text/", b"x"), ("b.o/", &one)])).unwrap().is_some());
    let refused = [
        archive(&[("a.o/", &one), ("b.o/", &other)]),
        archive(&[("a.o/", &of(0)), ("b.o/", &of(9)), ("c.o/", &of(12))]),
        archive(&[("a.o/", &other), ("b.o/", &coff(0x8664, 0))]),
        b"!<thin>\n//".to_vec(),
    ];
    for file in refused {
        assert!(matches!(read(&file), Err(ObjectError::Unclear(_))));
    }
}

/// Whatever their order, the object that asks for most of the processor counts.
#[test]
fn every_object_of_an_archive_counts() {
    let arm = |cpu| elf(Arch::Arm, 1, 0, &[(PROCESSOR, &arm_attributes(cpu, 1))]);
    let mips = |flags: u8| {
        let mut file = elf(Arch::Mipsle, 1, 0, &[]);
        file.splice(36..40, [0, 0, 0, flags]);
        file
    };
    let text = b"text".to_vec();
    type Case<'c> = (&'c [&'c Vec<u8>], &'c str, Option<Aspect>);
    let cases: &[Case] = &[
        (&[&arm(6), &arm(10)], "linux/arm/v6", Some(Aspect::Variant)),
        (&[&arm(10), &text, &arm(6)], "linux/arm/v6", Some(Aspect::Variant)),
        (&[&arm(6), &arm(10)], "linux/arm/v7", None),
        (&[&arm(4), &arm(6), &arm(4)], "linux/arm/v6", None),
        (&[&mips(0x50), &mips(0x90)], "linux/mipsle", Some(Aspect::Variant)),
        (&[&elf(Arch::Amd64, 1, 0, &[]), &elf(Arch::Amd64, 1, 9, &[])], "linux/amd64", Some(Aspect::Os)),
    ];
    for (members, platform, expected) in cases {
        let members: Vec<(&str, &[u8])> = members.iter().map(|member| ("x.o/", member.as_slice())).collect();
        let facts = read(&archive(&members)).unwrap().unwrap();
        let found = facts.mismatch(&platform.parse().unwrap()).map(|mismatch| mismatch.aspect);
        assert_eq!(found, *expected, "{facts} on {platform}");
    }
}

/// The linkers of several systems have the same name.
#[test]
fn dynamic_linkers_name_systems() {
    let cases: &[(Arch, &str, &[&str])] = &[
        (Arch::Amd64, "/lib/amd64/ld.so.1", &["solaris/amd64", "illumos/amd64"]),
        (Arch::Amd64, "/usr/lib/amd64/ld.so.1", &["solaris/amd64", "illumos/amd64"]),
        (Arch::Sparc64, "/usr/lib/sparcv9/ld.so.1", &["solaris/sparc64"]),
        (Arch::Mips, "/lib/ld.so.1", &["linux/mips"]),
        (Arch::S390x, "/lib/ld64.so.1", &["linux/s390x"]),
        (Arch::Ppc64le, "/opt/glibc/ld64.so.2", &["linux/ppc64le"]),
        (Arch::Amd64, "ld.so.1", &["fuchsia/amd64"]),
        (Arch::Amd64, "/system/runtime_loader", &["haiku/amd64"]),
        (Arch::Amd64, "/libexec/ld-elf.so.1", &["freebsd/amd64"]),
        (Arch::Amd64, "/lib64/ld-linux-x86-64.so.2", &["linux/amd64", "android/amd64"]),
    ];
    for (arch, path, fits) in cases {
        let file = elf(*arch, EXEC, 0, &[(INTERP, format!("{path}\0").as_bytes())]);
        let facts = read(&file).unwrap().unwrap();
        for platform in ["linux", "solaris", "illumos", "freebsd", "haiku", "fuchsia", "android"] {
            let Ok(platform) = format!("{platform}/{arch}").parse::<Platform>() else { continue };
            let expected = fits.contains(&platform.to_string().as_str());
            assert_eq!(facts.mismatch(&platform).is_none(), expected, "{facts} on {platform}");
        }
    }
    let marked = read(&elf(Arch::Amd64, EXEC, 6, &[])).unwrap().unwrap();
    for (platform, fits) in [("solaris/amd64", true), ("illumos/amd64", true), ("linux/amd64", false)] {
        assert_eq!(marked.mismatch(&platform.parse().unwrap()).is_none(), fits, "{platform}");
    }
}

/// Each file is whole, and cut short when it lacks its last byte.
#[test]
fn every_format_says_when_it_was_cut_short() {
    let segment = [0x19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 136, 0, 0, 0, 0, 0, 0];
    let with_bytes = |kind| [macho(ARM64, kind, &[&segment]), vec![0; 28]].concat();
    let symbols = [macho(AMD64, 1, &[&[2, 0, 0, 56, 4]]), vec![0; 4]].concat();
    let cases: &[(&str, Vec<u8>)] = &[
        ("last section", elf_with_table_first(1, &[0; 8])),
        ("last PE section", pe(0x8664, 0, 0x20b, 3)),
        ("last segment or symbol", with_bytes(2)),
        ("last segment or symbol", symbols),
        ("part of a fat file", fat(false, &[(ARM64, &macho(ARM64, 2, &[]))])),
        ("part of a fat file", fat(true, &[(ARM64, &macho(ARM64, 2, &[]))])),
        ("archive member", archive(&[("a.o/", &elf(Arch::Arm64, 1, 0, &[]))])),
        ("archive member", archive(&[("a.o/", &elf(Arch::Arm64, 1, 0, &[])), ("b/", b"")])),
        ("last section", wasm(&[(1, &[0; 8])])),
    ];
    for (what, file) in cases {
        assert!(read(file).unwrap().is_some(), "{what}");
        let cut = file.get(..file.len() - 1).unwrap();
        let error = read(cut).unwrap_err().to_string();
        assert_eq!(error, format!("truncated: the {what} lies beyond the end of the file"));
    }
    // Debug files name bytes that they do not have.
    for file in [elf_with_table_first(8, &[]), macho(ARM64, 10, &[&segment])] {
        assert!(read(&file).unwrap().is_some());
    }
}

/// What lies in an archive leads no further in, so no file makes the reader call itself without end.
#[test]
fn archives_in_archives_are_not_entered() {
    let mut file = elf(Arch::Arm64, 1, 0, &[]);
    for _ in 0..3 {
        file = archive(&[("x/", &file)]);
    }
    assert!(read(&file).unwrap().is_none());
    assert!(matches!(read(&fat(false, &[(ARM64, &fat(false, &[]))])), Err(ObjectError::Malformed(_))));
}

#[test]
fn look_alikes_are_no_object_files() {
    let java = [0xcafe_babeu32, 0x0000_0041].map(u32::to_be_bytes).concat();
    for file in [
        java,
        b"MZ and nothing more".to_vec(),
        coff(0x8664, 2),
        coff(0x1234, 0),
        coff(0x8664, 0).split_off(1),
        archive(&[("a.txt/", b"text")]),
        b"!<arch>\n".to_vec(),
    ] {
        assert!(read(&file).unwrap().is_none());
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]
    /// Whatever bytes follow a magic number: an answer or an error, never a panic.
    #[test]
    fn any_bytes_are_read_without_panic(
        magic in 0..8usize,
        mut bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..2048),
    ) {
        let magics: [&[u8]; 8] = [
            b"\x7fELF\x02\x01\x01", b"\x7fELF\x01\x02\x01", b"MZ", b"!<arch>\n", b"\0asm\x01\0\0\0",
            b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe\0\0\0\x02", b"",
        ];
        bytes.splice(0..0, magics.get(magic).copied().unwrap_or_default().iter().copied());
        let _ = read(&bytes);
        let _ = needs(&bytes);
    }
}

/// This program asks for the C library, and for no version of it that the build machine has not.
#[test]
fn libraries_that_this_program_needs() {
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    let needs = needs(&file).unwrap().unwrap();
    assert!(needs.libraries.iter().any(|name| name == "libc.so.6"), "{needs:?}");
    assert!(needs.glibc.is_some_and(|version| version >= (2, 17)), "{needs:?}");
}

#[test]
fn needs_of_broken_files_are_errors_or_nothing() {
    let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let head: Vec<u8> = bytes.iter().copied().take(4096).collect();
    assert!(needs(&head).is_err());
    for at in (4..head.len()).step_by(7) {
        let mut broken = bytes.clone();
        if let Some(byte) = broken.get_mut(at) {
            *byte ^= 0xff;
        }
        let _ = needs(&broken);
    }
}
