//! `--xx-dry-run` and `XX_DEBUG` on every tool, with the binary itself and programs that write down how they are called.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "helpers of tests are test code, and the binary itself is run"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

/// What a dry run may call: these answer questions and change nothing.
const QUESTIONS: &[&str] = &[
    "apk --root",
    "apt-helper cat-file",
    "dpkg --print-",
    "dpkg-deb -f",
    "go env GOENV",
    "ld -V",
    "ld.lld --version",
    "ld.lld -m",
    "rustc --print sysroot",
];

/// Tools with the arguments that make them do something.
const CALLS: &[(&str, &[&str])] = &[
    ("ar", &["x"]),
    ("apk", &["add", "zlib"]),
    ("apt", &["update"]),
    ("apt-get", &["update"]),
    ("c++", &["x.cc"]),
    ("cargo", &["build"]),
    ("cc", &["x.c"]),
    ("clang", &["x.c"]),
    ("clang++", &["x.cc"]),
    ("dnf", &["install", "zlib-devel"]),
    ("doctor", &["linux/arm64"]),
    ("go", &["build"]),
    ("info", &["triple"]),
    ("microdnf", &["install", "zlib-devel"]),
    ("nm", &["x"]),
    ("objcopy", &["x"]),
    ("objdump", &["x"]),
    ("pkg-config", &["--libs", "zlib"]),
    ("ranlib", &["x"]),
    ("readelf", &["x"]),
    ("size", &["x"]),
    ("strings", &["x"]),
    ("strip", &["x"]),
    ("verify", &["x"]),
    ("windres", &["x.rc", "x.o"]),
    ("yum", &["install", "zlib-devel"]),
];

const PROGRAMS: &str = "apk apt apt-get cargo cc clang clang++ dnf dpkg dpkg-deb go ld.lld lld llvm-ar llvm-cvtres \
                        llvm-nm llvm-objcopy llvm-objdump llvm-ranlib llvm-rc llvm-readelf llvm-size llvm-strings \
                        llvm-strip microdnf pkg-config rustc rustup yum";

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    /// Programs that note their call, and nothing else on PATH.
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        let bin = place.at("bin");
        std::fs::create_dir(&bin).unwrap();
        for name in PROGRAMS.split_whitespace() {
            let path = bin.join(name);
            std::fs::write(
                &path,
                format!("#!/bin/sh\necho {name} \"$@\" >> {}\n", place.at("log").display()),
            )
            .unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        place
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, tool: &str, args: &[&str], vars: &[(&str, &str)]) -> Output {
        let platform = if tool == "windres" { "windows/arm64" } else { "linux/arm64" };
        let mut command = Command::new(env!("CARGO_BIN_EXE_xx"));
        command.arg(tool).args(args).env_clear().current_dir(self.dir.path()).env("PATH", self.at("bin"));
        command
            .env("TARGETPLATFORM", platform)
            .env("XX_SETUP_DIR", self.at("setup"))
            .env("XX_TMP_FILE_FIXED", "/t")
            .envs(vars.iter().copied());
        command.output().unwrap()
    }
}

fn names() -> Vec<String> {
    let names = Command::new(env!("CARGO_BIN_EXE_xx")).arg("--names").output().unwrap();
    let names = String::from_utf8(names.stdout).unwrap();
    names.lines().map(|name| name.trim_start_matches("xx-").to_owned()).collect()
}

#[test]
fn every_tool_prints_its_plan_and_does_nothing() {
    let mut tools: Vec<&str> = CALLS.iter().map(|(tool, _)| *tool).collect();
    tools.sort_unstable();
    let mut known = names();
    known.sort();
    assert_eq!(known, tools, "every tool has a call here");
    let place = Place::new();
    for (tool, args) in CALLS {
        let by_flag = place.run(tool, &[&["--xx-dry-run"], *args].concat(), &[]);
        let by_variable = place.run(tool, args, &[("XX_DRY_RUN", "1")]);
        assert_eq!(by_flag.stdout, by_variable.stdout, "{tool}");
        let text = String::from_utf8(by_flag.stdout).unwrap();
        assert!(!text.is_empty(), "{tool}: {}", String::from_utf8_lossy(&by_flag.stderr));
        let words = [
            "lock ",
            "write ",
            "link ",
            "run ",
            "exec ",
            "print ",
            "note ",
            "exit ",
            "mkdir ",
            "remove ",
            "temporary ",
        ];
        let first = text.lines().next().unwrap_or_default();
        assert!(words.iter().any(|word| first.starts_with(word)), "{tool}: {text}");
    }
    let log = std::fs::read_to_string(place.at("log")).unwrap_or_default();
    let wrong: Vec<&str> =
        log.lines().filter(|line| !QUESTIONS.iter().any(|question| line.starts_with(question))).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(!Path::new(&place.at("setup")).exists(), "nothing was set up");
}

/// One line per choice, on standard error, and nothing of it without the variable.
#[test]
fn every_tool_gives_reasons() {
    let place = Place::new();
    for (tool, args) in CALLS {
        let run = |vars: &[(&str, &str)]| {
            let found = place.run(tool, args, &[&[("XX_DRY_RUN", "1")], vars].concat());
            String::from_utf8(found.stderr).unwrap()
        };
        let told = run(&[("XX_DEBUG", "1")]);
        let lines: Vec<&str> = told.lines().filter(|line| line.starts_with("debug: ")).collect();
        assert!(lines.iter().any(|line| line.contains("target ")), "{tool}: {told}");
        let mut once = lines.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), lines.len(), "{tool}: said twice: {told}");
        assert!(!run(&[]).contains("debug: "), "{tool}");
    }
}

/// What comes after `--` is another program's.
#[test]
fn the_flag_of_another_program() {
    let place = Place::new();
    let found = place.run("ar", &["--", "--xx-dry-run"], &[]);
    assert!(found.stdout.is_empty(), "{found:?}");
    let log = std::fs::read_to_string(place.at("log")).unwrap();
    assert_eq!(log, "llvm-ar -- --xx-dry-run\n");
}
