//! Bad input: each gives one clear error with a next step and an exit code other than 0, and leaves nothing behind.

#![allow(
    clippy::disallowed_methods,
    clippy::type_complexity,
    clippy::unwrap_used,
    reason = "helpers of tests are test code, cases are tables, and the binary itself is run"
)]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use support::{FakeHost, dry_run};
use xx_tools::dispatch;
use xx_tools::env::Env;

/// Debian with every program that the cases need, but for those named.
fn debian_without(missing: &[&str]) -> FakeHost {
    let programs = [
        "clang", "clang++", "lld", "go", "cargo", "rustc", "zig", "dpkg", "apt", "apt-get", "dnf", "llvm-rc",
    ];
    let there: Vec<&str> = programs.into_iter().filter(|name| !missing.contains(name)).collect();
    FakeHost::new("ID=debian\nVERSION_ID=\"12\"\n").programs_in("/usr/bin", &there)
}

type Vars = &'static [(&'static str, &'static str)];

const TYPO: Vars = &[("TARGETPLATFORM", "linux/amd46")];
const V99: Vars = &[("TARGETPLATFORM", "linux/arm64/v99")];
const Z15: Vars = &[("TARGETPLATFORM", "linux/s390x/z15")];
const WORDS: Vars = &[("TARGETPLATFORM", "linux/mips/soft")];
const ARMV7: Vars = &[("TARGETPLATFORM", "linux/armv7")];
const WIN: Vars = &[("TARGETPLATFORM", "win/amd64")];
const HALF: Vars = &[("TARGETPLATFORM", "linux/")];
const LOST: Vars = &[("TARGETPLATFORM", "linux/arm64"), ("XX_SYSROOT", "/no-such")];
const NONE: Vars = &[("TARGETPLATFORM", "beos/bebox")];
const ARM64: Vars = &[("TARGETPLATFORM", "linux/arm64")];
const X86_64: Vars = &[("TARGETPLATFORM", "linux/x86_64")];
const SPARC: Vars = &[("TARGETPLATFORM", "linux/sparc64")];
const PPC64: Vars = &[("TARGETPLATFORM", "linux/ppc64")];
const GCC: Vars = &[("TARGETPLATFORM", "linux/arm64"), ("XX_CC_PREFER_COMPILER", "gcc")];
const ZIG: Vars = &[("TARGETPLATFORM", "linux/arm64"), ("XX_CC_PREFER_COMPILER", "zig")];
const TCC: Vars = &[("TARGETPLATFORM", "linux/arm64"), ("XX_CC_PREFER_COMPILER", "tcc")];
const UNSUPPORTED: &str = "unsupported target: os=linux arch=amd46 variant=";

/// Tool, arguments, variables, programs that are missing; message and exit code, and a part of the hint.
const CASES: &[(&str, &str, Vars, &[&str], u8, &str, &str)] = &[
    ("xx-info", "triple", TYPO, &[], 1, UNSUPPORTED, "did you mean `linux/amd64`?"),
    ("xx-clang", "x.c", TYPO, &[], 1, UNSUPPORTED, "did you mean `linux/amd64`?"),
    ("xx-go", "build", TYPO, &[], 1, UNSUPPORTED, "did you mean `linux/amd64`?"),
    ("xx-cargo", "build", TYPO, &[], 1, UNSUPPORTED, "did you mean `linux/amd64`?"),
    ("xx-apt", "install x", TYPO, &[], 1, UNSUPPORTED, "did you mean `linux/amd64`?"),
    ("xx-apk", "add x", TYPO, &[], 1, UNSUPPORTED, "did you mean `linux/amd64`?"),
    ("xx-dnf", "install x", TYPO, &[], 1, UNSUPPORTED, "did you mean `linux/amd64`?"),
    ("xx-ar", "x", TYPO, &[], 1, UNSUPPORTED, "did you mean `linux/amd64`?"),
    ("xx-pkg-config", "x", TYPO, &[], 1, UNSUPPORTED, "did you mean `linux/amd64`?"),
    ("xx-windres", "x.rc", TYPO, &[], 1, UNSUPPORTED, "did you mean `linux/amd64`?"),
    (
        "xx-clang",
        "x.c",
        LOST,
        &[],
        1,
        "XX_SYSROOT: `/no-such` is no folder",
        "--target-root /no-such install",
    ),
    ("xx-go", "build", LOST, &[], 1, "XX_SYSROOT: `/no-such` is no folder", "--target-root /no-such install"),
    (
        "xx-cargo",
        "build",
        LOST,
        &[],
        1,
        "XX_SYSROOT: `/no-such` is no folder",
        "--target-root /no-such install",
    ),
    (
        "xx-pkg-config",
        "x",
        LOST,
        &[],
        1,
        "XX_SYSROOT: `/no-such` is no folder",
        "--target-root /no-such install",
    ),
    ("xx-clang", "x.c", HALF, &[], 1, "unsupported target: os=linux arch=unknown variant=", "xx-info list"),
    (
        "xx-clang",
        "x.c",
        V99,
        &[],
        1,
        "unsupported target: os=linux arch=arm64 variant=v99",
        "did you mean `linux/arm64/v9`?",
    ),
    (
        "xx-go",
        "build",
        V99,
        &[],
        1,
        "unsupported target: os=linux arch=arm64 variant=v99",
        "did you mean `linux/arm64/v9`?",
    ),
    (
        "xx-go",
        "build",
        Z15,
        &[],
        1,
        "unsupported target: os=linux arch=s390x variant=z15",
        "it is one of `linux/s390x`",
    ),
    (
        "xx-go",
        "build",
        WORDS,
        &[],
        1,
        "unsupported target: os=linux arch=mips variant=soft",
        "`linux/mips/softfloat`",
    ),
    (
        "xx-clang",
        "x.c",
        ARMV7,
        &[],
        1,
        "unsupported target: os=linux arch=armv7 variant=",
        "mean `linux/arm/v7`?",
    ),
    (
        "xx-clang",
        "x.c",
        WIN,
        &[],
        1,
        "unsupported target: os=win arch=amd64 variant=",
        "mean `windows/amd64`?",
    ),
    ("xx-go", "build", HALF, &[], 1, "unsupported target: os=linux arch=unknown variant=", "xx-info list"),
    (
        "xx-apt",
        "--fix-source-file f",
        ARM64,
        &[],
        1,
        "--fix-source-file needs a file and an architecture",
        "amd64",
    ),
    ("xx-apt", "--fix-source-file /no f", ARM64, &[], 1, "cannot read `/no`", "--print-source-file"),
    ("xx-clang", "--target=a+b x.c", ARM64, &[], 1, "`a+b` is no target triple", "xx-info triple"),
    ("xx-clang", "x.c", NONE, &[], 1, "unsupported target: os=beos arch=bebox variant=", "xx-info list"),
    ("xx-clang", "x.c", PPC64, &[], 1, "unsupported target: os=linux arch=ppc64 variant=", "`xx-go` may"),
    (
        "xx-info",
        "variant",
        V99,
        &[],
        1,
        "unsupported target: os=linux arch=arm64 variant=v99",
        "did you mean `linux/arm64/v9`?",
    ),
    (
        "xx-clang",
        "x.c",
        X86_64,
        &[],
        1,
        "unsupported target: os=linux arch=x86_64 variant=",
        "mean `linux/amd64`?",
    ),
    (
        "xx-apt",
        "install x",
        X86_64,
        &[],
        1,
        "unsupported target: os=linux arch=x86_64 variant=",
        "mean `linux/amd64`?",
    ),
    ("xx-go", "build", SPARC, &[], 1, "go does not build for linux/sparc64", "go tool dist list"),
    ("xx-clang", "x.c", ARM64, &["clang"], 1, "/usr/bin/clang not found", "`apt-get install clang lld`"),
    (
        "xx-clang++",
        "x.c",
        ARM64,
        &["clang++"],
        1,
        "/usr/bin/clang++ not found",
        "`apt-get install clang lld`",
    ),
    ("xx-cc", "x.c", GCC, &[], 127, "aarch64-linux-gnu-gcc not found", "gcc-aarch64-linux-gnu"),
    ("xx-cc", "x.c", ZIG, &["zig"], 127, "zig: not found", "ziglang"),
    ("xx-cc", "x.c", TCC, &[], 1, "XX_CC_PREFER_COMPILER: no compiler `tcc`", "clang gcc zig"),
    ("xx-cargo", "build", ARM64, &["cargo"], 127, "cargo: not found", "rustup"),
    ("xx-cargo", "build", ARM64, &["rustc"], 127, "rustc: not found", "rustup"),
    ("xx-cargo", "build", ARM64, &["clang"], 1, "/usr/bin/clang not found", "`apt-get install clang lld`"),
    ("xx-go", "build", ARM64, &["go"], 127, "go: not found", "golang"),
    ("xx-apk", "add x", ARM64, &[], 127, "apk: not found", "`xx-apt-get`"),
    ("xx-clang", "--target=../x x.c", ARM64, &[], 1, "`../x` is no target triple", "xx-info triple"),
    ("xx-dnf", "install x", ARM64, &["dnf"], 127, "dnf: not found", "`xx-apt-get`"),
    ("xx-windres", "x.rc", ARM64, &["llvm-rc"], 1, "llvm-rc not installed", "`apt-get install llvm`"),
    ("xx-windres", "-J foo a b", ARM64, &[], 1, "invalid input format foo", ""),
    ("xx-windres", "-O foo a b", ARM64, &[], 1, "invalid output format foo", ""),
    ("xx-windres", "-F pe-mips a b", ARM64, &[], 1, "invalid target pe-mips for xx-windres", ""),
    ("xx-windres", "-o", ARM64, &[], 1, "error: argument to -o is missing", "xx-windres --help"),
    ("xx-windres", "--no-such", ARM64, &[], 1, "invalid option --no-such", ""),
    ("xx-strip", "x", ARM64, &[], 127, "no strip for aarch64-linux-gnu", "binutils-aarch64-linux-gnu"),
    ("xx-apt-get", "--target-root", ARM64, &[], 1, "--target-root needs a folder other than `/`", "/out"),
    ("xx-verify", "--no-such f", ARM64, &[], 1, "invalid flag --no-such", "xx-verify --help"),
    (
        "xx-doctor",
        "linux/amd46",
        &[],
        &[],
        1,
        "invalid platform `linux/amd46`: unknown architecture",
        "did you mean `linux/amd64`?",
    ),
    (
        "xx-doctor",
        "--all",
        &[],
        &[],
        1,
        "invalid platform `--all`: expected os/arch[/variant]",
        "`xx-info list` has every platform",
    ),
    (
        "xx-info",
        "translate --platform beos/bebox --to rust",
        ARM64,
        &[],
        1,
        "invalid platform `beos/bebox`: unknown operating system",
        "write it as in `linux/arm64`",
    ),
    (
        "xx-info",
        "translate --from go=linux/sparc64 --to rust",
        ARM64,
        &[],
        1,
        "`linux/sparc64` is no platform in the spelling `go`",
        "`xx-info list`",
    ),
    ("xx", "no-such", &[], &[], 2, "no tool `no-such`", "xx --help"),
    ("xcrun", "--sdk iphoneos --show-sdk-path", &[], &[], 1, "sdk iphoneos not found", "macosx"),
];

#[test]
fn one_error_with_a_hint() {
    for (name, args, vars, missing, code, message, hint) in CASES {
        let host = debian_without(missing);
        let args: Vec<&str> = args.split(' ').collect();
        let failure = dispatch::plan(Env::new(name, &args, vars), &host).err();
        let failure = failure.unwrap_or_else(|| panic!("{name} {args:?} {vars:?} does not fail"));
        assert_eq!((failure.message.as_str(), failure.code), (*message, *code), "{name} {args:?}");
        if hint.is_empty() {
            // Pinned by the original's tests as the whole output.
            assert_eq!(failure.hint, None, "{name} {args:?}");
            continue;
        }
        assert!(
            failure.hint.as_deref().is_some_and(|found| found.contains(hint)),
            "{name} {args:?}: {failure:?}"
        );
    }
}

/// What is missing, and what is typed on Debian, Alpine, Fedora and another distribution.
const MISSING: &[(&str, Vars, &[&str], [&str; 4])] = &[
    (
        "xx-clang",
        ARM64,
        &["clang"],
        [
            "`apt-get install lld` or `apt-get install binutils-aarch64-linux-gnu`",
            "`apk add lld`",
            "`dnf install lld`",
            "install the package `lld`",
        ],
    ),
    (
        "xx-cc",
        GCC,
        &[],
        [
            "`apt-get install gcc-aarch64-linux-gnu g++-aarch64-linux-gnu`",
            "or leave XX_CC_PREFER_COMPILER empty for clang: `apk add clang lld`",
            "for clang: `dnf install clang lld`",
            "for clang: install the package `clang lld`",
        ],
    ),
    (
        "xx-strip",
        ARM64,
        &[],
        ["`apt-get install llvm` or", "`apk add llvm`", "`dnf install llvm`", "install the package `llvm`"],
    ),
    (
        "xx-clang",
        ARM64,
        &[],
        [
            "`apt-get install clang lld`",
            "`apk add clang lld`",
            "`dnf install clang lld`",
            "install the package `clang lld`",
        ],
    ),
    (
        "xx-go",
        ARM64,
        &[],
        ["`apt-get install golang`", "`apk add go`", "`dnf install golang`", "install the package `go`"],
    ),
    (
        "xx-cargo",
        ARM64,
        &[],
        [
            "rustup, or `apt-get install cargo`",
            "rustup, or `apk add cargo`",
            "rustup, or `dnf install cargo`",
            "rustup, or install the package `cargo`",
        ],
    ),
    (
        "xx-cargo",
        ARM64,
        &["cargo", "clang", "lld"],
        [
            "rustup, or `apt-get install rustc`",
            "rustup, or `apk add rust`",
            "rustup, or `dnf install rust`",
            "rustup, or install the package `rust`",
        ],
    ),
    (
        "xx-pkg-config",
        ARM64,
        &[],
        [
            "`apt-get install pkg-config`",
            "`apk add pkgconf`",
            "`dnf install pkgconf-pkg-config`",
            "install the package `pkgconf`",
        ],
    ),
    ("xx-apk", ARM64, &[], ["this: `xx-apt-get`", "`apk add apk`", "this: `xx-dnf`", "the package `apk`"]),
    (
        "xx-apt-get",
        ARM64,
        &[],
        ["`apt-get install apt`", "this: `xx-apk`", "this: `xx-dnf`", "the package `apt`"],
    ),
    (
        "xx-dnf",
        ARM64,
        &[],
        ["this: `xx-apt-get`", "this: `xx-apk`", "`dnf install dnf`", "the package `dnf`"],
    ),
    (
        "xx-clang",
        LOST,
        &["clang"],
        ["xx-apt-get --target-root", "`xx-apk add xx-c-essentials`", "`xx-dnf install", "--target-root"],
    ),
];

/// What is missing is named in the words of the distribution: os-release, tool, variables, and what to type.
#[test]
fn hints_of_each_distribution() {
    let releases = ["ID=debian\n", "ID=alpine\n", "ID=fedora\nVERSION_ID=40\n", "ID=arch\n"];
    for (name, vars, programs, hints) in MISSING {
        for (release, expected) in releases.iter().zip(hints) {
            let host = FakeHost::new(release).programs_in("/usr/bin", programs);
            let plan = dispatch::plan(Env::new(name, &["x.c"], vars), &host);
            let hint = support::failure(plan, &host).and_then(|failure| failure.hint).unwrap_or_default();
            assert!(hint.contains(expected), "{release}{name}: {hint}");
        }
    }
}

/// Links that lead nowhere or to themselves are as if nothing were there.
#[test]
fn links_in_a_circle() {
    let vars = [("TARGETPLATFORM", "linux/arm64")];
    let plan =
        |host: &FakeHost, name: &str| dry_run(dispatch::plan(Env::new(name, &["x.c"], &vars), host), host);
    let clang = debian_without(&["clang"]).link("/usr/bin/clang", "clang");
    assert_eq!(plan(&clang, "xx-clang"), "error 1: /usr/bin/clang not found\n");
    let cfg = debian_without(&[]).link("/usr/bin/aarch64-linux-gnu.cfg", "/usr/bin/aarch64-linux-gnu.cfg");
    let found = plan(&cfg, "xx-clang");
    assert!(
        found.contains("write 644 /usr/bin/aarch64-linux-gnu.cfg '--target=aarch64-linux-gnu"),
        "{found}"
    );
    let os_release =
        FakeHost::new("").link("/etc/os-release", "os-release").programs_in("/usr/bin", &["clang", "lld"]);
    assert!(
        plan(&os_release, "xx-clang").contains("aarch64-unknown-linux-gnu.cfg"),
        "{}",
        plan(&os_release, "xx-clang")
    );
}

/// A folder with programs that are scripts.
fn programs(dir: &Path, scripts: &[(&str, &str)]) {
    for (name, text) in scripts {
        let path = dir.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn xx(dir: &Path, words: &[&str], vars: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xx"));
    command.args(words).env_clear().env("PATH", format!("{}:/usr/bin:/bin", dir.display()));
    command.env("TARGETPLATFORM", "linux/arm64").envs(vars.iter().copied());
    command
}

/// Both are started before either is waited for.
fn both(mut command: impl FnMut() -> Command) -> [Output; 2] {
    let mut start = || {
        let pipe = std::process::Stdio::piped;
        command().stdout(pipe()).stderr(pipe()).spawn().unwrap()
    };
    [start(), start()].map(|child| child.wait_with_output().unwrap())
}

#[test]
fn a_place_that_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    programs(dir.path(), &[("clang", ""), ("clang++", ""), ("lld", ""), ("ld.lld", "")]);
    for place in ["/dev/null", "/proc/no-such"] {
        let vars = [("XX_SETUP_DIR", place)];
        let found = xx(dir.path(), &["cc", "--setup-target-triple"], &vars).output().unwrap();
        let text = String::from_utf8(found.stderr).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((found.status.code(), lines.len()), (Some(1), 2), "{text}");
        assert!(text.starts_with(&format!("cannot write `{place}/bin/")), "{text}");
        assert!(text.contains("\nhint: the folder must be writable"), "{text}");
    }
}

/// A package manager of another distribution.
#[test]
fn a_program_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    programs(dir.path(), &[("clang", "")]);
    let vars = [("PATH", dir.path().to_str().unwrap()), ("TARGETPLATFORM", "")];
    let found = xx(dir.path(), &["apk", "list"], &vars).output().unwrap();
    let text = String::from_utf8(found.stderr).unwrap();
    assert!(text.starts_with("apk: not found\nhint: "), "{text}");
    assert_eq!(found.status.code(), Some(127));
    let found = xx(dir.path(), &["apt", "update"], &vars).output().unwrap();
    let text = String::from_utf8(found.stderr).unwrap();
    assert!(text.starts_with("apt: not found\nhint: "), "{text}");
}

/// Both calls end well, and what they made is whole.
#[test]
fn two_set_ups_at_once() {
    let dir = tempfile::tempdir().unwrap();
    programs(dir.path(), &[("clang", ""), ("clang++", ""), ("lld", ""), ("ld.lld", ""), ("llvm-ar", "")]);
    let setup = dir.path().join("setup");
    let vars = [("XX_SETUP_DIR", setup.to_str().unwrap())];
    for found in both(|| xx(dir.path(), &["cc", "--setup-target-triple"], &vars)) {
        assert!(found.status.success(), "{found:?}");
    }
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(setup.join("bin")).unwrap() {
        names.push(entry.unwrap().file_name().into_string().unwrap());
    }
    assert!(names.iter().all(|name| !name.starts_with('.')), "nothing temporary is left: {names:?}");
    assert!(names.iter().any(|name| name.ends_with(".cfg")), "{names:?}");
}

/// A package manager refuses to run twice; the second call waits for the first. What the manager itself calls does not.
#[test]
fn two_package_managers_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let script = format!(
        "test \"$XX_DNF_NOLOCK\" = 1 || exit 9; echo start >> {0}; sleep 0.2; echo end >> {0}; exit 3",
        log.display()
    );
    programs(dir.path(), &[("dnf", &script)]);
    for found in both(|| xx(dir.path(), &["dnf", "install", "x", "--nothing"], &[("TARGETPLATFORM", "")])) {
        assert_eq!(found.status.code(), Some(3), "the manager's own exit code: {found:?}");
    }
    assert_eq!(std::fs::read_to_string(log).unwrap(), "start\nend\nstart\nend\n");
}

/// A step that fails takes what the steps before it made with it.
#[test]
fn temporary_files_of_failed_calls() {
    let dir = tempfile::tempdir().unwrap();
    let made = |name: &str, code: u8| {
        format!(
            "while [ $# -gt 1 ]; do shift; case $1 in {0}/*) echo x > $1;; esac; done; exit {code} # {name}",
            dir.path().display()
        )
    };
    programs(
        dir.path(),
        &[("clang", &made("clang", 0)), ("llvm-rc", &made("llvm-rc", 7)), ("llvm-cvtres", "")],
    );
    let vars = [("TARGETPLATFORM", "windows/arm64"), ("TMPDIR", dir.path().to_str().unwrap())];
    let found = xx(dir.path(), &["windres", "x.rc", "x.o"], &vars).output().unwrap();
    assert_eq!(found.status.code(), Some(7), "{found:?}");
    let mut left = Vec::new();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        left.push(entry.unwrap().file_name().into_string().unwrap());
    }
    left.sort();
    assert_eq!(left, ["clang", "llvm-cvtres", "llvm-rc"], "{found:?}");
}
