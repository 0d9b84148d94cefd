//! The interpreter that a script's first line names must not be the builder itself.
//!
//! Until the step's program has been executed, `/proc/self/exe` of its process is the builder's program, outside of the
//! root. A script that begins with `#!/proc/self/exe` would run that program inside, with the script's own arguments and
//! a way to the file on the machine (CVE-2019-5736 was such a way). Looked at as root, because the kernel reads that
//! line of files, too, that the step's user cannot read. Runs between clone and exec, so nothing is allocated.

use std::ffi::{CStr, CString};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::{Errno, Result};

/// Bytes of a program that the kernel looks at.
pub(super) const HEAD: usize = 256;

/// Scripts whose interpreters are scripts; the kernel follows five.
const DEPTH: usize = 8;

/// Fails with `ELOOP` when one of `programs`, or the interpreter of one, is a magic link such as `/proc/self/exe`.
pub(super) fn check(programs: &[CString]) -> Result<()> {
    programs.iter().try_for_each(|program| follow(program))
}

fn follow(program: &CStr) -> Result<()> {
    let mut head = [0_u8; HEAD + 1];
    let mut found = read(program, &mut head)?;
    for _ in 0..DEPTH {
        let Some(length) = found else { return Ok(()) };
        let Some(interpreter) = interpreter(head.get(..length.min(HEAD)).unwrap_or_default()) else {
            return Ok(());
        };
        let mut path = [0_u8; HEAD + 1];
        for (to, from) in path.iter_mut().zip(interpreter) {
            *to = *from;
        }
        let Ok(path) = CStr::from_bytes_until_nul(&path) else { return Ok(()) };
        found = read(path, &mut head)?;
    }
    Ok(())
}

/// The beginning of a file; `None` when there is nothing to read, which the kernel then finds out as well.
fn read(path: &CStr, head: &mut [u8]) -> Result<Option<usize>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS) {
        Ok(file) => Ok(rustix::io::read(&file, head).ok()),
        Err(Errno::LOOP) => Err(Errno::LOOP),
        Err(_) => Ok(None),
    }
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
        let script = |name: &str, line: &str| {
            let path = place.path().join(name);
            std::fs::write(&path, line).unwrap();
            CString::new(path.to_str().unwrap()).unwrap()
        };
        let path = |name: &str| place.path().join(name).display().to_string();
        let plain = script("plain", "#!/bin/sh\n");
        let magic = script("magic", "#! /proc/self/exe --version\n");
        let behind = script("behind", &format!("#!{}\n", path("magic")));
        let round = script("round", &format!("#!{}\n", path("round")));
        std::os::unix::fs::symlink("/proc/self/exe", path("link")).unwrap();
        let linked = script("linked", &format!("#!{}\n", path("link")));
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
    }
}
