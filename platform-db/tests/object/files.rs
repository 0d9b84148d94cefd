//! The smallest files of each format, for tests.

#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

use platform_db::{Arch, Endian};

pub(crate) const INTERP: u32 = 3;
pub(crate) const NOTE: u32 = 4;
pub(crate) const DYNAMIC: u32 = 2;
pub(crate) const EXEC: u16 = 2;
pub(crate) const DYN: u16 = 3;

/// Builds the smallest ELF file for an architecture: a header and one segment per `(type, content)`.
pub(crate) fn elf(arch: Arch, kind: u16, os_abi: u8, segments: &[(u32, &[u8])]) -> Vec<u8> {
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

/// A PE file: machine, characteristics, magic and subsystem, with one section of eight bytes at its end.
pub(crate) fn pe(machine: u16, flags: u16, magic: u16, subsystem: u16) -> Vec<u8> {
    let mut file = vec![0; 0x40 + 96 + 40 + 8];
    let mut put =
        |at: usize, bytes: &[u8]| file.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
    put(0, b"MZ");
    put(0x3c, &[0x40]);
    put(0x40, b"PE\0\0");
    put(0x44, &machine.to_le_bytes());
    put(0x40 + 6, &[1]);
    put(0x40 + 20, &[72]);
    put(0x40 + 22, &flags.to_le_bytes());
    put(0x40 + 24, &magic.to_le_bytes());
    put(0x40 + 24 + 68, &subsystem.to_le_bytes());
    put(0x40 + 96 + 16, &[8, 0, 0, 0, 0x40 + 96 + 40]);
    file
}

/// A COFF object of one section and one symbol.
pub(crate) fn coff(machine: u16, flags: u16) -> Vec<u8> {
    let header = [machine, 1, 0, 0, 60, 0, 1, 0, 0, flags];
    let mut file: Vec<u8> = header.iter().flat_map(|half| half.to_le_bytes()).collect();
    file.resize(60 + 18, 0);
    file
}

/// A Mach-O file with load commands, each given without its length.
pub(crate) fn macho(cputype: u32, filetype: u32, commands: &[&[u32]]) -> Vec<u8> {
    let mut words = Vec::new();
    for command in commands {
        let (kind, content) = command.split_first().unwrap();
        words.extend([*kind, 4 * (command.len() as u32 + 1)]);
        words.extend(content);
    }
    let header = [0xfeed_facfu32, cputype, 0, filetype, commands.len() as u32, 4 * words.len() as u32, 0, 0];
    header.iter().chain(&words).flat_map(|word| word.to_le_bytes()).collect()
}

/// A fat file of the given parts, its table with 64-bit offsets or not.
pub(crate) fn fat(wide: bool, parts: &[(u32, &[u8])]) -> Vec<u8> {
    let (magic, entry) = if wide { (0xcafe_babf_u32, 32) } else { (0xcafe_babe, 20) };
    let count = u32::try_from(parts.len()).unwrap();
    let mut file = [magic, count].map(u32::to_be_bytes).concat();
    let mut start = 8 + entry * count;
    for (cputype, content) in parts {
        let len = u32::try_from(content.len()).unwrap();
        let words: &[u32] =
            if wide { &[*cputype, 0, 0, start, 0, len, 0, 0] } else { &[*cputype, 0, start, len, 0] };
        file.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        start += len;
    }
    file.extend(parts.iter().flat_map(|(_, content)| content.iter().copied()));
    file
}

/// A member of BSD's form, whose name stands before its bytes.
pub(crate) fn bsd_archive(name: &str, content: &[u8]) -> Vec<u8> {
    archive(&[(&format!("#1/{}", name.len()), &[name.as_bytes(), content].concat())])
}

/// A WebAssembly module of sections, each a number and its content.
pub(crate) fn wasm(sections: &[(u8, &[u8])]) -> Vec<u8> {
    let mut file = b"\0asm\x01\0\0\0".to_vec();
    for (section, content) in sections {
        file.extend([*section, u8::try_from(content.len()).unwrap()]);
        file.extend(*content);
    }
    file
}

/// An ELF file whose section table, as Go's linker writes it, stands before its one section of a type, with eight bytes.
pub(crate) fn elf_with_table_first(section: u32, content: &[u8]) -> Vec<u8> {
    let mut file = elf(Arch::Amd64, EXEC, 0, &[]);
    file.splice(40..48, 64u64.to_le_bytes());
    file.splice(58..62, [64, 0, 1, 0]);
    file.extend([[0, 0, 0, 0], section.to_le_bytes()].concat());
    file.extend([0u64, 0, 128, 8, 0, 0, 0].iter().flat_map(|word| word.to_le_bytes()));
    file.extend(content);
    file
}

pub(crate) fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = b"!<arch>\n".to_vec();
    for (name, content) in members {
        file.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 644, content.len()).bytes());
        file.extend(*content);
        file.extend(vec![b'\n'; content.len() % 2]);
    }
    file
}

pub(crate) const AMD64: u32 = 0x0100_0007;
pub(crate) const ARM64: u32 = 0x0100_000c;

/// Attributes as GNU's and LLVM's assemblers write them: processor, then how floats are passed.
pub(crate) fn arm_attributes(cpu: u8, vfp: u8) -> Vec<u8> {
    [&b"A\x14\0\0\0aeabi\0\x01\x0a\0\0\0\x06"[..], &[cpu, 28, vfp, 44, 2]].concat()
}

/// `PT_ARM_ATTRIBUTES` and `PT_MIPS_ABIFLAGS`.
pub(crate) const PROCESSOR: u32 = 0x7000_0003;
