//! Object files read from made-up headers and from the program that runs this test.
#![cfg(feature = "object")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

use platform_db::object::{Aspect, Kind, ObjectError, needs, read};
use platform_db::{Arch, Endian, Os, Platform, Variant};

/// Builds the smallest ELF file for an architecture: a header and one segment per `(type, content)`.
fn elf(arch: Arch, kind: u16, os_abi: u8, segments: &[(u32, &[u8])]) -> Vec<u8> {
    let facts = arch.facts();
    let wide = facts.bits == 64;
    let int = |value: u64, width: usize| -> Vec<u8> {
        let little = value.to_le_bytes();
        let mut bytes: Vec<u8> = little.into_iter().take(width).collect();
        if facts.endian == Endian::Big {
            bytes.reverse();
        }
        bytes
    };
    let address = if wide { 8 } else { 4 };
    let (header_len, segment_len) = if wide { (64u64, 56u64) } else { (52, 32) };
    let mut file = vec![0x7f, b'E', b'L', b'F', if wide { 2 } else { 1 }];
    file.push(if facts.endian == Endian::Big { 2 } else { 1 });
    file.extend([1, os_abi, 0, 0, 0, 0, 0, 0, 0, 0]);
    for (value, width) in [(u64::from(kind), 2), (u64::from(facts.elf_machine), 2), (1, 4), (0, address)] {
        file.extend(int(value, width));
    }
    for (value, width) in [
        (header_len, address),
        (0, address),
        (u64::from(facts.elf_flags.1), 4),
        (header_len, 2),
        (segment_len, 2),
    ] {
        file.extend(int(value, width));
    }
    for value in [segments.len() as u64, 0, 0, 0] {
        file.extend(int(value, 2));
    }
    let mut offset = header_len + segment_len * segments.len() as u64;
    for (segment, content) in segments {
        let len = content.len() as u64;
        file.extend(int(u64::from(*segment), 4));
        if wide {
            file.extend(int(4, 4));
        }
        for value in [offset, 0, 0, len, len] {
            file.extend(int(value, address));
        }
        if !wide {
            file.extend(int(4, 4));
        }
        file.extend(int(4, address));
        offset += len;
    }
    for (_, content) in segments {
        file.extend(*content);
    }
    file
}

const INTERP: u32 = 3;
const NOTE: u32 = 4;
const DYNAMIC: u32 = 2;
const EXEC: u16 = 2;
const DYN: u16 = 3;

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
    let freebsd = b"\x08\0\0\0\x04\0\0\0\x01\0\0\0FreeBSD\0\0\0\0\0";
    let cases: &[(Vec<u8>, &str)] = &[
        (elf(Arch::Arm64, EXEC, 0, &[]), "ELF 64-bit aarch64, static"),
        (
            elf(Arch::Amd64, DYN, 0, &[(INTERP, b"/lib64/ld-linux-x86-64.so.2\0"), (DYNAMIC, &needed)]),
            "ELF 64-bit x86_64 linux, dynamic, interpreter /lib64/ld-linux-x86-64.so.2",
        ),
        (elf(Arch::Amd64, DYN, 0, &[(DYNAMIC, &pie)]), "ELF 64-bit x86_64, static"),
        (elf(Arch::Amd64, DYN, 0, &[(DYNAMIC, &needed)]), "ELF 64-bit x86_64, shared library"),
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

/// A PE file: machine, characteristics, magic and subsystem.
fn pe(machine: u16, flags: u16, magic: u16, subsystem: u16) -> Vec<u8> {
    let mut file = vec![0; 0x40 + 96];
    let mut put =
        |at: usize, bytes: &[u8]| file.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
    put(0, b"MZ");
    put(0x3c, &[0x40]);
    put(0x40, b"PE\0\0");
    put(0x44, &machine.to_le_bytes());
    put(0x40 + 22, &flags.to_le_bytes());
    put(0x40 + 24, &magic.to_le_bytes());
    put(0x40 + 24 + 68, &subsystem.to_le_bytes());
    file
}

/// A COFF object of one section and one symbol.
fn coff(machine: u16, flags: u16) -> Vec<u8> {
    let header = [machine, 1, 0, 0, 60, 0, 1, 0, 0, flags];
    let mut file: Vec<u8> = header.iter().flat_map(|half| half.to_le_bytes()).collect();
    file.resize(60 + 18, 0);
    file
}

/// A Mach-O file with load commands, each given without its length.
fn macho(cputype: u32, filetype: u32, commands: &[&[u32]]) -> Vec<u8> {
    let mut words = Vec::new();
    for command in commands {
        let (kind, content) = command.split_first().unwrap();
        words.extend([*kind, 4 * (command.len() as u32 + 1)]);
        words.extend(content);
    }
    let header = [0xfeed_facfu32, cputype, 0, filetype, commands.len() as u32, 4 * words.len() as u32, 0, 0];
    header.iter().chain(&words).flat_map(|word| word.to_le_bytes()).collect()
}

fn fat(cputypes: &[u32]) -> Vec<u8> {
    let mut words = vec![0xcafe_babe, cputypes.len() as u32];
    for cputype in cputypes {
        words.extend([*cputype, 0, 0, 0, 0]);
    }
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = b"!<arch>\n".to_vec();
    for (name, content) in members {
        file.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 644, content.len()).bytes());
        file.extend(*content);
        file.extend(vec![b'\n'; content.len() % 2]);
    }
    file
}

const AMD64: u32 = 0x0100_0007;
const ARM64: u32 = 0x0100_000c;

#[test]
fn formats_other_than_elf() {
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
        (fat(&[AMD64, ARM64]), "Mach-O 64-bit x86_64+aarch64", "darwin/arm64", "linux/arm64"),
        (b"\0asm\x01\0\0\0".to_vec(), "WebAssembly 32-bit wasm", "wasip1/wasm", "linux/amd64"),
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

/// Attributes as GNU's and LLVM's assemblers write them: processor, then how floats are passed.
fn arm_attributes(cpu: u8, vfp: u8) -> Vec<u8> {
    [&b"A\x14\0\0\0aeabi\0\x01\x0a\0\0\0\x06"[..], &[cpu, 28, vfp, 44, 2]].concat()
}

/// `PT_ARM_ATTRIBUTES` and `PT_MIPS_ABIFLAGS`.
const PROCESSOR: u32 = 0x7000_0003;

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
    assert!(read(&archive(&[("a.o/", &one), ("text/", b"x"), ("b.o/", &one)])).unwrap().is_some());
    for file in [archive(&[("a.o/", &one), ("b.o/", &other)]), b"!<thin>\n//".to_vec()] {
        assert!(matches!(read(&file), Err(ObjectError::Unclear(_))));
    }
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
