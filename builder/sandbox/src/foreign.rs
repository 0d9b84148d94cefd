//! What a program was built for that the kernel does not start: read from the file, to say more than the kernel does.
//!
//! Without an emulator the kernel answers "exec format error" to a program of another machine; with one that it cannot
//! find inside the root, "no such file". Not here: running it all the same.

use std::ffi::CString;
use std::fs::File;

use platform_db::{Arch, Platform, object};
use rustix::fs::OFlags;

use super::inside::Inside;
use super::interpreter;

/// Scripts whose interpreters are scripts; the kernel follows five.
const DEPTH: usize = 5;

/// The platform of the first of `programs` that is there, or of its interpreter, when it is not the machine's.
pub(super) fn platform(root: Inside<'_>, cwd: &str, programs: &[CString], machine: &str) -> Option<String> {
    let machine = Platform::from_uname(machine).ok()?;
    let open = |path: &str| {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("{cwd}/{path}") };
        let file = File::from(root.open(&path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY).ok()?);
        file.metadata().is_ok_and(|found| found.is_file()).then_some(file)
    };
    let mut file = programs.iter().find_map(|program| open(program.to_str().ok()?))?;
    for _ in 0..DEPTH {
        if let Ok(Some(facts)) = object::read(&file) {
            let arch = facts.arch.filter(|arch| arch.name() != machine.arch()).map(Arch::name)?;
            return Some(format!("{}/{arch}", facts.os.map_or(machine.os(), platform_db::Os::name)));
        }
        let mut head = [0; interpreter::HEAD];
        let length = rustix::io::read(&file, &mut head).ok()?;
        let next = interpreter::interpreter(head.get(..length)?)?;
        file = open(std::str::from_utf8(next).ok()?)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    /// The start of an ELF program: 64 bits, little-endian, executable, of this machine number.
    fn elf(machine: u8) -> Vec<u8> {
        let mut head = vec![0; 64];
        head[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        (head[16], head[18], head[20], head[52]) = (2, machine, 1, 64);
        head
    }

    #[test]
    fn what_does_not_run_here_is_named() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        std::fs::create_dir(path("bin")).unwrap();
        for (name, content) in [
            ("bin/arm", elf(183)),
            ("bin/amd", elf(62)),
            ("bin/script", b"#! /bin/arm -x\n".to_vec()),
            ("bin/round", b"#!/bin/round\n".to_vec()),
            ("bin/text", b"echo\n".to_vec()),
            ("bin/empty", vec![]),
            ("bin/short", b"\x7fELF".to_vec()),
        ] {
            std::fs::write(path(name), content).unwrap();
        }
        std::os::unix::fs::symlink("/bin/arm", path("bin/link")).unwrap();
        let root = File::open(place.path()).unwrap();
        let table: &[(&[&str], &str, Option<&str>)] = &[
            (&["/bin/arm"], "x86_64", Some("linux/arm64")),
            (&["/bin/amd"], "aarch64", Some("linux/amd64")),
            (&["/bin/amd"], "x86_64", None),
            (&["/none", "/bin/link"], "x86_64", Some("linux/arm64")),
            (&["/bin/script"], "x86_64", Some("linux/arm64")),
            (&["/bin/script"], "aarch64", None),
            (&["arm"], "x86_64", Some("linux/arm64")),
            (&["/bin/round"], "x86_64", None),
            (&["/bin/text"], "x86_64", None),
            (&["/bin/empty"], "x86_64", None),
            (&["/bin/short"], "x86_64", None),
            (&["/bin"], "x86_64", None),
            (&["/none"], "x86_64", None),
            (&["/bin/arm"], "a machine of tomorrow", None),
        ];
        for (programs, machine, expected) in table {
            let programs: Vec<_> = programs.iter().map(|name| CString::new(*name).unwrap()).collect();
            let got = platform(Inside(root.as_fd()), "/bin", &programs, machine);
            assert_eq!(got.as_deref(), *expected, "{programs:?} on {machine}");
        }
    }
}
