//! The interpreter that a script's first line names, or that a program names as its loader, must not be the builder itself.
//!
//! Until the step's program has been executed, `/proc/self/exe` of its process is the builder's program, outside of the
//! root. A script that begins with `#!/proc/self/exe`, or a program with that as its loader (`PT_INTERP`), would run that
//! program inside, with arguments of its own and a way to the file on the machine (CVE-2019-5736 was such a way). Looked at as root, because the kernel reads that
//! line of files, too, that the step's user cannot read. Runs between clone and exec, so nothing is allocated.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::{Errno, Result};

/// Bytes of a program that the kernel looks at.
pub(super) const HEAD: usize = 256;

/// Scripts whose interpreters are scripts; the kernel follows five.
const DEPTH: usize = 8;

/// `PATH_MAX`: the kernel refuses a loader with a longer name.
const MAX_PATH: usize = 4096;

/// Fails with `ELOOP` when one of `programs`, or the interpreter or loader of one, is a magic link such as `/proc/self/exe`.
pub(super) fn check(programs: &[CString]) -> Result<()> {
    programs.iter().try_for_each(|program| follow(program))
}

fn follow(program: &CStr) -> Result<()> {
    let mut head = [0_u8; HEAD + 1];
    let mut found = open(program)?;
    for _ in 0..DEPTH {
        let Some(file) = found else { return Ok(()) };
        let Ok(length) = rustix::io::read(&file, &mut head) else { return Ok(()) };
        let head = head.get(..length.min(HEAD)).unwrap_or_default();
        let mut path = [0_u8; MAX_PATH + 1];
        if let Some(length) = loader(&file, head, &mut path) {
            // A loader has none itself.
            let path = path.get(..length).unwrap_or_default();
            return CStr::from_bytes_until_nul(path).map_or(Ok(()), |path| open(path).map(drop));
        }
        let Some(interpreter) = interpreter(head) else { return Ok(()) };
        for (to, from) in path.iter_mut().zip(interpreter) {
            *to = *from;
        }
        let Ok(path) = CStr::from_bytes_until_nul(&path) else { return Ok(()) };
        found = open(path)?;
    }
    Ok(())
}

/// Opens a file to look into it; `None` when there is nothing to read, which the kernel then finds out as well.
fn open(path: &CStr) -> Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS) {
        Err(Errno::LOOP) => Err(Errno::LOOP),
        answer => Ok(answer.ok()),
    }
}

/// Where a class of ELF files has what leads to the loader's name: offset and width.
struct Layout {
    headers: (usize, usize),
    count: usize,
    size: usize,
    place: (usize, usize),
    length: (usize, usize),
}

/// ELF files of 32 and of 64 bits (System V ABI, "ELF header" and "Program header").
const LAYOUTS: [Layout; 2] = [
    Layout { headers: (28, 4), count: 44, size: 32, place: (4, 4), length: (16, 4) },
    Layout { headers: (32, 8), count: 56, size: 56, place: (8, 8), length: (32, 8) },
];

/// `PT_INTERP`.
const LOADER: u64 = 3;

/// Reads the name of the loader that the program `file` names into `path`; answers its length.
fn loader(file: &OwnedFd, head: &[u8], path: &mut [u8]) -> Option<usize> {
    let class = head.strip_prefix(b"\x7fELF")?.first()?;
    let layout = LAYOUTS.get(usize::from(class.checked_sub(1)?))?;
    let start = number(head, layout.headers)?;
    for index in 0..number(head, (layout.count, 2))? {
        let mut bytes = [0_u8; 56];
        let header = bytes.get_mut(..layout.size)?;
        let at = start.checked_add(index * layout.size as u64)?;
        if rustix::io::pread(file, &mut *header, at).ok()? < layout.size {
            return None;
        }
        if number(header, (0, 4))? == LOADER {
            let length = usize::try_from(number(header, layout.length)?).ok()?;
            let path = path.get_mut(..length.min(MAX_PATH))?;
            return rustix::io::pread(file, path, number(header, layout.place)?).ok();
        }
    }
    None
}

/// A number as this machine has it: a program of another byte order is not started.
fn number(bytes: &[u8], (at, width): (usize, usize)) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(width)?)?;
    let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    let number = if cfg!(target_endian = "little") {
        bytes.iter().rev().fold(0, add)
    } else {
        bytes.iter().fold(0, add)
    };
    Some(number)
}

/// The path behind `#!`.
pub(super) fn interpreter(head: &[u8]) -> Option<&[u8]> {
    let line = head.strip_prefix(b"#!")?;
    let line = line.split(|byte| matches!(byte, b'\n' | 0)).next()?;
    line.split(|byte| matches!(byte, b' ' | b'\t')).find(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines_are_read_as_the_kernel_reads_them() {
        for (head, expected) in [
            ("#!/bin/sh -e\necho", Some("/bin/sh")),
            ("#! \t/bin/sh\n", Some("/bin/sh")),
            ("#!/bin/sh", Some("/bin/sh")),
            ("#!/bin/sh\0x\n", Some("/bin/sh")),
            ("#!\n/bin/sh", None),
            ("\x7fELF", None),
            ("", None),
        ] {
            assert_eq!(interpreter(head.as_bytes()), expected.map(str::as_bytes), "{head:?}");
        }
    }

    #[test]
    fn magic_links_are_no_interpreters() {
        let place = tempfile::tempdir().unwrap();
        let script = |name: &str, content: &[u8]| {
            let path = place.path().join(name);
            std::fs::write(&path, content).unwrap();
            CString::new(path.to_str().unwrap()).unwrap()
        };
        let path = |name: &str| place.path().join(name).display().to_string();
        let plain = script("plain", b"#!/bin/sh\n");
        let magic = script("magic", b"#! /proc/self/exe --version\n");
        let behind = script("behind", format!("#!{}\n", path("magic")).as_bytes());
        let round = script("round", format!("#!{}\n", path("round")).as_bytes());
        std::os::unix::fs::symlink("/proc/self/exe", path("link")).unwrap();
        let linked = script("linked", format!("#!{}\n", path("link")).as_bytes());
        for (programs, expected) in [
            (vec![plain.clone()], Ok(())),
            (vec![c"/no/such".to_owned(), plain.clone()], Ok(())),
            (vec![round], Ok(())),
            (vec![magic], Err(Errno::LOOP)),
            (vec![behind], Err(Errno::LOOP)),
            (vec![plain, linked], Err(Errno::LOOP)),
        ] {
            assert_eq!(check(&programs), expected, "{programs:?}");
        }
        let long = format!("{}/proc/self/exe", "/".repeat(4000));
        let mut number = 0;
        for class in [1, 2] {
            for (name, expected) in [
                ("/bin/sh", Ok(())),
                ("/proc/self/exe", Err(Errno::LOOP)),
                ("/proc/thread-self/exe", Err(Errno::LOOP)),
                (long.as_str(), Err(Errno::LOOP)),
            ] {
                number += 1;
                let program = script(&format!("program{number}"), &program(class, name));
                assert_eq!(check(std::slice::from_ref(&program)), expected, "{class} {name}");
                let script = script(
                    &format!("script{number}"),
                    format!("#!{}\n", program.to_str().unwrap()).as_bytes(),
                );
                assert_eq!(check(&[script]), expected, "a script of {class} {name}");
            }
        }
        // Headers that lead nowhere, or on and on.
        for damage in
            [&b"\x7fELF"[..], b"\x7fELF\x02", b"\x7fELF\x09", &[&b"\x7fELF\x02"[..], &[0xff; 400]].concat()]
        {
            assert_eq!(check(&[script("damaged", damage)]), Ok(()), "{damage:?}");
        }
    }

    /// A program with one other header before that of its loader.
    fn program(class: u8, loader: &str) -> Vec<u8> {
        let layout = &LAYOUTS[usize::from(class) - 1];
        let mut file = vec![0; 64 + 2 * layout.size];
        let mut put = |(at, width): (usize, usize), value: usize| {
            file[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        };
        put(layout.headers, 64);
        put((layout.count, 2), 2);
        let second = 64 + layout.size;
        put((64, 4), 1);
        put((second, 4), 3);
        put((second + layout.place.0, layout.place.1), second + layout.size);
        put((second + layout.length.0, layout.length.1), loader.len() + 1);
        file[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, 1]);
        file.extend(loader.bytes().chain([0]));
        file
    }
}
