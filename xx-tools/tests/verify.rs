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

fn hints(answer: &Answer) -> usize {
    answer.err.lines().filter(|line| line.starts_with("hint: ")).count()
}

fn reasons(answer: &Answer) -> usize {
    answer.err.lines().count() - hints(answer)
}

#[test]
fn this_program() {
    let (here, own) = (here(), own());
    assert_eq!(run(&[&own], &here), Answer { code: 0, out: String::new(), err: String::new() });
    let cases: &[(&[&str], &str)] = &[
        (&["--static"], "is not statically linked"),
        (&["--libc", "musl"], "is linked against gnu, expected musl"),
        (&["--max-glibc", "2.1"], "expected at most 2.1"),
        (&["--needed-in", "/proc/empty"], "cannot read /proc/empty: No such file"),
    ];
    for (flags, expected) in cases {
        let args: Vec<&str> = flags.iter().copied().chain([own.as_str()]).collect();
        let found = run(&args, &here);
        assert!(found.code == 1 && found.err.contains(expected), "{flags:?}: {found:?}");
        assert!(found.err.contains("hint: "), "{flags:?}: {found:?}");
    }
    for flags in [&["--max-glibc", "9.0"][..], &["--needed-in", "/"], &["--libc=gnu"]] {
        let args: Vec<&str> = flags.iter().copied().chain([own.as_str()]).collect();
        assert_eq!(run(&args, &here).err, "", "{flags:?}");
    }
    for (flag, expected) in [
        ("--libc=msvc", "`msvc` is no C library"),
        ("--max-glibc=new", "`new` is no glibc version"),
        ("--needed-in", "--needed-in needs a value"),
    ] {
        assert_eq!(run(&[flag], &here), Answer { code: 1, out: String::new(), err: format!("{expected}\n") });
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
    std::os::unix::fs::symlink(".", at("sub/again")).unwrap();
    std::os::unix::fs::symlink("loop", at("loop")).unwrap();
    let text = |path: &Path| path.display().to_string();
    let folder = run(&[&text(dir.path())], "linux/s390x");
    assert_eq!((reasons(&folder), hints(&folder)), (2, 2), "{folder:?}");
    assert!(
        folder.err.contains("cannot verify") && folder.err.contains("truncated: the ELF header"),
        "{folder:?}"
    );
    assert_eq!(run(&[&text(&at("sub"))], &here()).err, "");
    let json = run(&["--json", &text(&at("sub")), &text(&at("script"))], &here());
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (json.code, value[0]["fits"].as_bool(), value[1]["fits"].as_bool()),
        (1, Some(true), Some(false))
    );
    assert_eq!((value[0]["kind"].as_str(), value[0]["libc"].as_str()), (Some("executable"), Some("gnu")));
    assert_eq!(value[0]["static"], false);
    assert!(value[1]["reason"].as_str().is_some_and(|reason| reason.contains("it is a script")), "{value}");
    assert_eq!(run(&["--json", &text(&at("sub/again/again"))], &here()).code, 0);
    let several = run(&[&text(&at("cut")), &own(), &text(&at("script")), "/idontexist"], &here());
    assert_eq!((several.code, reasons(&several), hints(&several)), (1, 3, 3), "{several:?}");
    let twice = run(&[&own(), &own()], "linux/s390x");
    assert_eq!((reasons(&twice), hints(&twice)), (2, 1), "a hint stands once: {twice:?}");
}

/// Each gives one line that says what is wrong, at once, and one that says what to do.
#[test]
fn bad_input() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(own()).unwrap();
    let half = whole.get(..whole.len() / 2).unwrap();
    let file = |name: &str, content: &[u8]| {
        std::fs::write(dir.path().join(name), content).unwrap();
        name.to_owned()
    };
    let sparse = |name: &str, start: &[u8]| {
        let name = file(name, start);
        let opened = std::fs::File::options().write(true).open(dir.path().join(&name)).unwrap();
        opened.set_len(4 << 30).unwrap();
        name
    };
    let link = |name: &str, to: &str| {
        std::os::unix::fs::symlink(to, dir.path().join(name)).unwrap();
        name.to_owned()
    };
    let pipe = dir.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    let mut far = whole.clone();
    // The program headers lie at the end of the 4 GB.
    far.splice(32..40, ((4u64 << 30) - 56).to_le_bytes());
    let cases = [
        (file("empty", b""), "it is empty"),
        (file("script", b"#!/bin/sh\n"), "it is a script"),
        (file("text", b"text"), "it is no object file"),
        (file("empty.a", b"!<arch>\n"), "it is an archive without object files"),
        (file("bitcode", b"BC\xc0\xde...."), "it is LLVM bitcode"),
        (file("cut", b"\x7fELF\x02\x01\x01"), "truncated: the ELF header lies beyond the end of the file"),
        (file("half", half), "truncated: the section table lies beyond the end of the file"),
        (file("class", b"\x7fELF\x07\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0"), "cannot verify"),
        (file("thin.a", b"!<thin>\n"), "a thin archive, whose objects are other files"),
        (
            file("cut.a", b"!<arch>\nx.o/            0           0     0     644     bad       `\n"),
            "malformed: length",
        ),
        (file("cut.macho", b"\xcf\xfa\xed\xfe\x07\0\0\x01"), "truncated: the Mach-O header"),
        (sparse("sparse", b""), "it is no object file"),
        (sparse("sparse-elf", &far), "truncated: the program header table"),
        (sparse("sparse.a", b"!<arch>\n"), "malformed: length of an archive member"),
        (link("loop", "loop"), "Too many levels of symbolic links"),
        (link("ping", "pong"), "file not found"),
        (link("dangling", "/idontexist"), "file not found"),
        ("pipe".to_owned(), "Illegal seek"),
        ("/proc/self/mem".to_owned(), "cannot read: Input/output error"),
        ("/dev/null".to_owned(), "it is empty"),
        ("/dev/zero".to_owned(), "it is no object file"),
    ];
    for (name, expected) in cases {
        let path = dir.path().join(&name).display().to_string();
        let found = run(&[&path], &here());
        let (error, hint) = found.err.split_once('\n').unwrap();
        assert!(found.code == 1 && found.out.is_empty() && error.contains(expected), "{name}: {found:?}");
        assert!(hint.starts_with("hint: ") && hint.lines().count() == 1, "{name}: {found:?}");
        assert!(found.err.contains(&name), "{name} is named: {found:?}");
    }
}

/// A root made of this program, its interpreter and its libraries, with links as distributions have them.
#[test]
fn needed_in_a_root() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    let facts = platform_db::object::read(&std::fs::File::open(own()).unwrap()).unwrap().unwrap();
    let needs = platform_db::object::needs(&std::fs::File::open(own()).unwrap()).unwrap().unwrap();
    let interpreter = facts.interpreter.unwrap();
    let copy = |from: &Path, to: &str| {
        let to = root.join(to.trim_start_matches('/'));
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, to).unwrap();
    };
    let check = || run(&["--needed-in", &root.display().to_string(), &own()], &here());
    std::fs::create_dir_all(&root).unwrap();
    assert!(check().err.contains(&interpreter), "{:?}", check());
    // An absolute link means the root's own file, not the machine's.
    let real = Path::new(&interpreter).canonicalize().unwrap();
    std::fs::create_dir_all(root.join(interpreter.trim_start_matches('/')).parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&real, root.join(interpreter.trim_start_matches('/'))).unwrap();
    assert!(check().err.contains(&interpreter), "{:?}", check());
    copy(&real, &real.display().to_string());
    assert!(check().err.contains(needs.libraries.first().unwrap()), "{:?}", check());
    std::fs::create_dir_all(root.join("etc/ld.so.conf.d")).unwrap();
    std::fs::write(root.join("etc/ld.so.conf.d/own.conf"), "# own\n/opt/libraries\n").unwrap();
    let folder = real.parent().unwrap();
    for name in ["libgcc_s.so.1", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"] {
        if folder.join(name).exists() {
            copy(&folder.join(name).canonicalize().unwrap(), &format!("/opt/libraries/{name}"));
        }
    }
    assert!(check().err.contains("libc.so.6"), "{:?}", check());
    copy(&folder.join("libc.so.6").canonicalize().unwrap(), "/usr/lib/any-linux-gnu/libc.so.6");
    assert_eq!(check(), Answer { code: 0, out: String::new(), err: String::new() });
    // A library of a library is looked for too.
    std::fs::remove_file(root.join("opt/libraries").join(real.file_name().unwrap())).unwrap_or_default();
    std::fs::write(root.join("usr/lib/any-linux-gnu/libc.so.6"), b"no library").unwrap();
    assert!(check().err.contains("libc.so.6"), "{:?}", check());
}

/// The smallest program: a header and one segment that ends eight bytes after the file, in its last page, as in the
/// original's tests. One that ends in a page that the file does not have is cut short.
#[test]
fn a_file_ends_with_its_last_page() {
    let program = |len: u64| {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(16, 0);
        for half in [2_u16, 62] {
            bytes.extend(half.to_le_bytes());
        }
        bytes.extend(1_u32.to_le_bytes());
        for word in [0x0040_0078_u64, 64, 0] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(0_u32.to_le_bytes());
        for half in [64_u16, 56, 1, 64, 0, 0] {
            bytes.extend(half.to_le_bytes());
        }
        bytes.extend([1_u32, 5].iter().flat_map(|word| word.to_le_bytes()));
        for word in [0_u64, 0x0040_0000, 0x0040_0000, len, len, 4096] {
            bytes.extend(word.to_le_bytes());
        }
        bytes
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("program");
    for (len, expected) in [(120, ""), (128, ""), (4096, ""), (4097, "truncated")] {
        std::fs::write(&path, program(len)).unwrap();
        let found = run(&["--static", &path.display().to_string()], "linux/amd64");
        assert_eq!(found.err.contains("truncated"), !expected.is_empty(), "{len}: {found:?}");
        assert_eq!(found.code, u8::from(!expected.is_empty()), "{len}: {found:?}");
    }
}
