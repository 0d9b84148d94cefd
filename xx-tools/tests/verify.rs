//! xx-verify on real files: this test's own binary, folders, links and broken files.

#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

mod support;

use std::path::Path;

use support::{Answer, FakeHost, answer};
use xx_tools::env::Env;
use xx_tools::tools::verify;

fn run(args: &[&str], platform: &str) -> Answer {
    answer(verify::plan(
        Env::new("xx-verify", args, &[("TARGETPLATFORM", platform)]),
        &FakeHost::new("ID=debian\n"),
    ))
}

fn here() -> String {
    platform_db::Platform::from_uname(std::env::consts::ARCH).unwrap().to_string()
}

fn own() -> String {
    std::env::current_exe().unwrap().display().to_string()
}

#[test]
fn this_program() {
    let (here, own) = (here(), own());
    assert_eq!(run(&[&own], &here), Answer { code: 0, out: String::new(), err: String::new() });
    let cases: &[(&[&str], &str)] = &[
        (&["--static"], "is not statically linked"),
        (&["--libc", "musl"], "is linked against gnu, expected musl"),
        (&["--max-glibc", "2.1"], "expected at most 2.1"),
        (&["--needed-in", "/proc/empty"], "which is not in /proc/empty"),
        (&["--libc=msvc"], "`msvc` is no C library"),
        (&["--max-glibc=new"], "`new` is no glibc version"),
    ];
    for (flags, expected) in cases {
        let args: Vec<&str> = flags.iter().copied().chain([own.as_str()]).collect();
        let found = run(&args, &here);
        assert!(found.code == 1 && found.err.contains(expected), "{flags:?}: {found:?}");
    }
    for flags in [&["--max-glibc", "9.0"][..], &["--needed-in", "/"], &["--libc=gnu"]] {
        let args: Vec<&str> = flags.iter().copied().chain([own.as_str()]).collect();
        assert_eq!(run(&args, &here).err, "", "{flags:?}");
    }
    let foreign = run(&[&own], "linux/s390x");
    assert!(foreign.err.contains("does not match expected target architecture s390x"), "{foreign:?}");
    assert!(
        run(&[&own], "linux/nothing").err.contains("unsupported target architecture nothing for xx-verify")
    );
    assert!(run(&[&own], "beos/386").err.contains("unsupported target os beos"));
}

#[test]
fn folders_and_several_files() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir(at("sub")).unwrap();
    std::fs::copy(own(), at("sub/program")).unwrap();
    std::fs::write(at("script"), "#!/bin/sh\n").unwrap();
    std::fs::write(at("cut"), b"\x7fELF\x02\x01\x01").unwrap();
    std::os::unix::fs::symlink("loop", at("loop")).unwrap();
    let text = |path: &Path| path.display().to_string();
    let folder = run(&[&text(dir.path())], "linux/s390x");
    assert_eq!(folder.err.lines().count(), 2, "{folder:?}");
    assert!(
        folder.err.contains("cannot verify") && folder.err.contains("truncated: the ELF header"),
        "{folder:?}"
    );
    assert!(run(&[&text(&at("script"))], &here()).err.contains("it is no object file"));
    assert!(run(&[&text(&at("loop"))], &here()).err.contains("file not found"));
    assert_eq!(run(&[&text(&at("sub"))], &here()).err, "");
    let json = run(&["--json", &text(&at("sub")), &text(&at("script"))], &here());
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (json.code, value[0]["fits"].as_bool(), value[1]["fits"].as_bool()),
        (1, Some(true), Some(false))
    );
}

/// A file of 4 GB without data is answered from its first kilobyte.
#[test]
fn a_sparse_file_is_no_object() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sparse");
    std::fs::File::create(&path).unwrap().set_len(4 << 30).unwrap();
    assert!(run(&[&path.display().to_string()], &here()).err.contains("it is no object file"));
}
