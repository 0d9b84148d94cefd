//! xx-info against the answers recorded from the original, and the answers that go beyond it.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::type_complexity,
    clippy::unwrap_used,
    reason = "helpers of tests are test code, cases are tables, and the binary itself is run"
)]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Answer, FakeHost, answer};
use xx_tools::env::Env;
use xx_tools::tools::info;

fn os_release(name: &str) -> &'static str {
    match name {
        "debian-12" => "ID=debian\nVERSION_ID=\"12\"\n",
        "ubuntu-24.04" => "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n",
        "alpine-3.20" => "ID=alpine\nVERSION_ID=3.20.3\n",
        "fedora-35" => "ID=fedora\nVERSION_ID=35\n",
        other => panic!("no os-release for {other}"),
    }
}

struct Recorded {
    os_release: String,
    environment: Vec<(String, String)>,
    command: String,
    answer: Answer,
}

fn recorded() -> Vec<Recorded> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data");
    let rows = |name: &str| -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(data.join(name)).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split('\t').map(|cell| cell.replace("\\n", "\n")).collect()).collect()
    };
    let differences = rows("xx-info-differences.tsv");
    assert!(differences.len() <= 100);
    let mut different: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for row in differences {
        assert!(row.len() == 7 && !row[6].is_empty(), "a difference has a reason: {row:?}");
        different.insert(row[..3].to_vec(), row);
    }
    let found: Vec<Recorded> = rows("xx-info.tsv")
        .into_iter()
        .map(|row| {
            let row = different.remove(&row[..3]).unwrap_or(row);
            let pair =
                |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
            Recorded {
                os_release: row[0].clone(),
                environment: row[1].split(' ').filter_map(pair).collect(),
                command: row[2].clone(),
                answer: Answer { code: row[3].parse().unwrap(), out: row[4].clone(), err: row[5].clone() },
            }
        })
        .collect();
    assert!(different.is_empty(), "differences from answers that were never recorded: {different:?}");
    found
}

/// The version numbers of the recording's own os-release files are read back from its `env` answers.
fn with_recorded_version(os_release: &str, version: &str) -> String {
    let lines = os_release.lines().filter(|line| !line.starts_with("VERSION_ID"));
    lines
        .chain([format!("VERSION_ID={version}").as_str()])
        .fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn every_recorded_answer() {
    let all = recorded();
    assert_eq!(all.len(), 2288);
    let mut versions = BTreeMap::new();
    for row in &all {
        if let Some(line) = row.answer.out.lines().find_map(|line| line.strip_prefix("XX_OS_VERSION=")) {
            versions.insert(row.os_release.clone(), line.to_owned());
        }
    }
    let mut wrong = Vec::new();
    for row in all {
        let host =
            FakeHost::new(&with_recorded_version(os_release(&row.os_release), &versions[&row.os_release]));
        let vars: Vec<(&str, &str)> =
            row.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let args: Vec<&str> = row.command.split(' ').filter(|arg| !arg.is_empty()).collect();
        let found = answer(info::plan(Env::new("xx-info", &args, &vars), &host));
        if found != row.answer {
            wrong.push(format!("{} {vars:?} {args:?}: {found:?}, recorded {:?}", row.os_release, row.answer));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn beyond_the_recording() {
    let raspbian = "ID=raspbian\nID_LIKE=debian\nVERSION_ID=11\n";
    let cases: &[(&str, &str, &[(&str, &str)], &[&str], u8, &str)] = &[
        ("armv7l", raspbian, &[], &["triple"], 0, "arm-linux-gnueabihf\n"),
        ("armv7l", raspbian, &[], &["pkg-arch"], 0, "armhf\n"),
        ("aarch64", "", &[], &["triple"], 0, "aarch64-unknown-linux-gnu\n"),
        ("aarch64", "", &[("TARGETARCH", "amd64")], &["--native", "arch"], 0, "arm64\n"),
        ("i686", "", &[], &["is-cross"], 1, ""),
        ("x86_64", "", &[("TARGETPLATFORM", "freebsd/amd64")], &[], 0, "x86_64-unknown-freebsd\n"),
        ("x86_64", "", &[("TARGETPLATFORM", "wasi/wasm")], &[], 0, "wasm32-wasip1\n"),
        ("x86_64", "", &[("TARGETPLATFORM", "darwin/arm64")], &["sysroot"], 0, "/xx-sdk/MacOSX11.1.sdk/\n"),
        ("sparc64", "", &[], &["arch"], 0, "\n"),
        ("x86_64", "", &[], &["nonsense"], 1, "unknown command nonsense\n"),
    ];
    for (machine, os_release, vars, args, code, out) in cases {
        let host = FakeHost { machine: (*machine).to_owned(), ..FakeHost::new(os_release) };
        let found = answer(info::plan(Env::new("xx-info", args, vars), &host));
        assert_eq!((found.code, found.out.as_str()), (*code, *out), "{machine} {vars:?} {args:?}");
    }
}

#[test]
fn translations() {
    let arm = [("TARGETPLATFORM", "linux/arm/v7")];
    let cases: &[(&[&str], &str)] = &[
        (&["--to", "rust"], "armv7-unknown-linux-gnueabihf\n"),
        (&["--to=goarm"], "7\n"),
        (&["--to", "dashes"], "linux-arm-v7\n"),
        (&["--format", "tool_{os}-{uname}.tar.gz"], "tool_linux-armv7l.tar.gz\n"),
        (&["--platform", "darwin/arm64", "--format", "{os}_{arch}{variant}"], "darwin_arm64\n"),
        (&["--platform", "linux/ppc64", "--to", "debian"], "ppc64\n"),
        (&["--platform", "linux/386", "--to", "zig"], "x86-linux-gnu\n"),
        (&["--platform", "darwin/arm64", "--to", "zig"], "aarch64-macos-none\n"),
        (
            &["--platform", "linux/arm64", "--format", "{npm}.{nix}.{conda}.{docker}"],
            "linux-arm64.aarch64-linux.linux-aarch64.arm64v8\n",
        ),
        (&["--platform", "linux/amd64", "--to=wheel"], "manylinux_2_17_x86_64\n"),
        (&["--platform", "darwin/arm64", "--to=wheel"], "macosx_11_0_arm64\n"),
        (&["--platform", "linux/mips64p32le/r6", "--to=llvm"], "mipsisa64r6el-unknown-linux-gnuabin32\n"),
        (&["--platform", "freebsd/riscv64", "--to=llvm"], "riscv64-unknown-freebsd\n"),
        (&["--platform", "uefi/amd64", "--to=efi"], "BOOTX64.EFI\n"),
        (&["--to", "c-flags"], "-march=armv7-a -mfpu=vfpv3-d16\n"),
        (&["--to", "dynamic-linker"], "/lib/ld-linux-armhf.so.3\n"),
        (&["--from", "debian=armhf", "--to", "rust"], "armv7-unknown-linux-gnueabihf\n"),
        (&["--from=alpine=armhf", "--to", "oci"], "linux/arm/v6\n"),
        (&["--from", "release=tool_Linux_x86_64.tar.gz", "--to", "debian"], "amd64\n"),
        (&["--from", "go=linux/ppc64", "--to", "debian"], "ppc64\n"),
        (&["--platform", "linux/arm/v6", "--to", "go"], "linux/arm\n"),
        (&["--from", "npm=win32-x64", "--to", "pair"], "windows-amd64\n"),
    ];
    let run = |args: &[&str]| {
        let args: Vec<&str> = std::iter::once("translate").chain(args.iter().copied()).collect();
        answer(info::plan(Env::new("xx-info", &args, &arm), &FakeHost::new("ID=debian\n")))
    };
    for (args, out) in cases {
        assert_eq!(run(args), Answer { code: 0, out: (*out).to_owned(), err: String::new() }, "{args:?}");
    }
    let wrong = [
        &["--to", "nothing"][..],
        &["--format", "{os"],
        &["--to"],
        &[],
        &["--platform", "x", "--to", "os"],
        &["--from", "armhf", "--to", "os"],
        &["--from", "vax=x", "--to", "os"],
        &["--from", "debian=vax", "--to", "os"],
    ];
    for args in wrong {
        assert_eq!(run(args).code, 1, "{args:?}");
    }
    assert_eq!(run(&["--platform", "darwin/arm64", "--to", "debian"]).out, "darwin-arm64\n");
    assert_eq!(
        run(&["--platform", "darwin/arm64", "--to", "qemu"]).err,
        "darwin/arm64 has no name in the spelling `qemu`\n"
    );
}

#[test]
fn all_values_at_once() {
    let env = Env::new("xx-info", &["--json"], &[("TARGETPLATFORM", "linux/s390x")]);
    let found = answer(info::plan(env, &FakeHost::new("ID=debian\nVERSION_ID=12\n")));
    let value: serde_json::Value = serde_json::from_str(&found.out).unwrap();
    for (name, expected) in
        [("triple", "s390x-linux-gnu"), ("rust", "s390x-unknown-linux-gnu"), ("platform", "linux/s390x")]
    {
        assert_eq!(value[name], expected);
    }
    assert_eq!(value["is_cross"], true);
    assert_eq!(value["goarm"], serde_json::Value::Null);
}

/// Every row of the table is answered for, and nothing that is no row.
#[test]
fn every_platform_and_no_other() {
    let host = FakeHost::new("ID=debian\nVERSION_ID=12\n");
    let list = answer(info::plan(Env::new("xx-info", &["list"], &[]), &host));
    assert_eq!(list.out.lines().count(), platform_db::Platform::all().count());
    for name in list.out.lines() {
        let to = |spelling| {
            let args = ["translate", "--platform", name, "--to", spelling];
            answer(info::plan(Env::new("xx-info", &args, &[]), &host)).out
        };
        assert_eq!(to("oci"), format!("{name}\n"));
        let arm = to("variant") != "\n" && to("arch") == "arm\n";
        assert!(!arm || to("pair").contains("armv"), "{name}");
        let json = answer(info::plan(Env::new("xx-info", &["--json"], &[("TARGETPLATFORM", name)]), &host));
        let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
        assert!(
            value["platform"].as_str().is_some_and(|platform| name.starts_with(platform)),
            "{name}: {value}"
        );
    }
    for command in
        ["--json", "qemu", "triple", "march", "env", "sysroot", "is-cross", "pkg-arch", "translate --to=os"]
    {
        for platform in ["linux/vax", "beos/386", "windows/riscv64", "darwin/s390x", "wasi/amd64"] {
            let args: Vec<&str> = command.split(' ').collect();
            let found =
                answer(info::plan(Env::new("xx-info", &args, &[("TARGETPLATFORM", platform)]), &host));
            assert!(found.code == 1 && found.out.is_empty(), "{platform} {command}: {found:?}");
            assert!(found.err.starts_with("unsupported target: os="), "{platform} {command}: {found:?}");
        }
    }
}

/// The targets beyond the original's, in full: triple, machine, packages, sysroot, whether they are foreign.
#[test]
fn targets_in_full() {
    let cases = [
        ("freebsd/amd64", "x86_64-unknown-freebsd", "x86_64", "amd64"),
        ("freebsd/arm64", "aarch64-unknown-freebsd", "aarch64", "arm64"),
        ("freebsd/riscv64", "riscv64-unknown-freebsd", "riscv64", "riscv64"),
        ("netbsd/amd64", "x86_64-unknown-netbsd", "x86_64", "amd64"),
        ("openbsd/arm64", "aarch64-unknown-openbsd", "aarch64", "arm64"),
        ("wasi/wasm", "wasm32-wasip1", "wasm", "unknown"),
        ("wasip1/wasm", "wasm32-wasip1", "wasm", "unknown"),
        ("linux/riscv64", "riscv64-linux-gnu", "riscv64", "riscv64"),
        ("linux/loong64", "loongarch64-linux-gnu", "loongarch64", "loong64"),
        ("linux/mips", "mips-linux-gnu", "mips", "mips"),
        ("linux/mipsle", "mipsel-linux-gnu", "mipsle", "mipsel"),
        ("linux/mips64", "mips64-linux-gnuabi64", "mips64", "mips64"),
        ("linux/mips64le", "mips64el-linux-gnuabi64", "mips64le", "mips64el"),
        ("linux/mips64le/softfloat", "mips64el-linux-gnuabi64", "mips64le", "mips64el"),
        ("linux/mips/r6", "mipsisa32r6-linux-gnu", "mips", "mipsr6"),
        ("linux/s390x/z13", "s390x-linux-gnu", "s390x", "s390x"),
        ("linux/loong64/v1", "loongarch64-linux-gnu", "loongarch64", "loong64"),
    ];
    let host = FakeHost::new("ID=debian\nVERSION_ID=12\n");
    for (platform, triple, march, debian) in cases {
        let ask = |command: &str| {
            let found =
                answer(info::plan(Env::new("xx-info", &[command], &[("TARGETPLATFORM", platform)]), &host));
            (found.code, found.out.trim_end().to_owned())
        };
        assert_eq!(ask("triple"), (0, triple.to_owned()), "{platform}");
        assert_eq!(ask("march"), (0, march.to_owned()), "{platform}");
        assert_eq!(ask("debian-arch"), (0, debian.to_owned()), "{platform}");
        assert_eq!(ask("sysroot"), (0, "/".to_owned()), "{platform}");
        assert_eq!(ask("is-cross"), (0, String::new()), "{platform}");
        assert!(ask("env").1.contains(&format!("XX_TRIPLE={triple}\n")), "{platform}");
    }
    let alpine = FakeHost::new("ID=alpine\nVERSION_ID=3.20\n").file("/etc/alpine-release", "3.20.1\n");
    let sysroot = answer(info::plan(
        Env::new("xx-info", &["sysroot"], &[("TARGETPLATFORM", "linux/riscv64")]),
        &alpine,
    ));
    assert_eq!(sysroot.out, "/riscv64-alpine-linux-musl/\n");
}

/// Targets that Go has and no C compiler is set up for: all but the triple is answered.
#[test]
fn targets_without_a_triple() {
    let cases = [
        ("solaris/amd64", "x86_64", "amd64"),
        ("illumos/amd64", "x86_64", "amd64"),
        ("android/arm64", "aarch64", "arm64"),
        ("android/arm", "armv7l", "armhf"),
        ("ios/arm64", "aarch64", "arm64"),
        ("plan9/386", "i386", "i386"),
        ("openbsd/arm", "armv7l", "armhf"),
        ("aix/ppc64", "ppc64", "ppc64"),
        ("js/wasm", "wasm", "unknown"),
    ];
    let host = FakeHost::new("ID=debian\nVERSION_ID=12\n");
    for (platform, march, arch) in cases {
        let ask = |command: &str| {
            answer(info::plan(Env::new("xx-info", &[command], &[("TARGETPLATFORM", platform)]), &host))
        };
        for (command, out) in [("march", march), ("pkg-arch", arch), ("debian-arch", arch), ("sysroot", "/")]
        {
            let expected = Answer { code: 0, out: format!("{out}\n"), err: String::new() };
            assert_eq!(ask(command), expected, "{platform} {command}");
        }
        assert_eq!(ask("is-cross"), Answer { code: 0, out: String::new(), err: String::new() }, "{platform}");
        let env = ask("env");
        assert!(env.code == 0 && env.out.contains(&format!("XX_MARCH={march}\n")), "{platform}: {env:?}");
        assert!(!env.out.contains("XX_TRIPLE") && !env.out.contains("XX_PKG_ARCH"), "{platform}: {env:?}");
        for command in ["", "triple"] {
            let found = ask(command);
            assert!(
                found.code == 1 && found.err.starts_with("unsupported target: "),
                "{platform}: {found:?}"
            );
        }
    }
}

#[test]
fn interpreters() {
    let host = FakeHost::new("ID=debian\n")
        .programs_in("/usr/bin", &["qemu-arm-static", "qemu-aarch64"])
        .file("/usr/aarch64-linux-gnu/lib/libc.so.6", "");
    let cases = [
        ("linux/arm64", "QEMU=/usr/bin/qemu-aarch64\nQEMU_LD_PREFIX=/usr/aarch64-linux-gnu\n", ""),
        ("linux/arm/v6", "QEMU=/usr/bin/qemu-arm-static\nQEMU_LD_PREFIX=/\n", ""),
        ("linux/s390x", "QEMU=qemu-s390x\nQEMU_LD_PREFIX=/\n", ""),
        ("linux/mips64p32", "QEMU=qemu-mipsn32\nQEMU_LD_PREFIX=/\n", ""),
        ("darwin/arm64", "", "QEMU has no user-mode program for darwin/arm64\n"),
    ];
    for (platform, out, err) in cases {
        let found =
            answer(info::plan(Env::new("xx-info", &["qemu"], &[("TARGETPLATFORM", platform)]), &host));
        assert_eq!((found.out.as_str(), found.err.as_str()), (out, err), "{platform}");
    }
}

/// Refusals name the target's parts and go to standard error.
#[test]
fn unsupported_targets() {
    let cases = [
        ("windows/riscv64", "unsupported target: os=windows arch=riscv64 variant=\n"),
        ("linux/ppc64", "unsupported target: os=linux arch=ppc64 variant=\n"),
        ("plan9/amd64", "unsupported target: os=plan9 arch=amd64 variant=\n"),
    ];
    for (platform, err) in cases {
        let env = Env::new("xx-info", &[], &[("TARGETPLATFORM", platform)]);
        let found = answer(info::plan(env, &FakeHost::new("ID=debian")));
        assert_eq!((found.code, found.err.as_str()), (1, err));
    }
}

fn xx() -> Command {
    Command::new(PathBuf::from(env!("CARGO_BIN_EXE_xx")))
}

/// The binary itself, by argv[0] and as a subcommand, with a `uname` of the user's before the system's.
#[test]
fn the_binary_answers() {
    let dir = tempfile::tempdir().unwrap();
    let named = dir.path().join("xx-info");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_xx"), &named).unwrap();
    let uname = dir.path().join("uname");
    std::fs::write(&uname, "#!/bin/sh\necho s390x\n").unwrap();
    std::fs::set_permissions(&uname, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let text = |command: &mut Command| String::from_utf8(command.output().unwrap().stdout).unwrap();
    let set = |command: &mut Command| {
        command.env_clear().env("PATH", format!("{}:/usr/bin:/bin", dir.path().display()));
    };
    let mut by_name = Command::new(&named);
    set(&mut by_name);
    assert_eq!(text(by_name.arg("arch")), "s390x\n");
    let mut by_word = xx();
    set(&mut by_word);
    assert_eq!(text(by_word.args(["info", "alpine-arch"]).env("TARGETPLATFORM", "linux/arm/v6")), "armhf\n");
    let mut dry = xx();
    set(&mut dry);
    assert_eq!(text(dry.args(["--xx-dry-run", "info", "arch"])), "print s390x\n");
    assert_eq!(xx().arg("nonsense").output().unwrap().status.code(), Some(2));
}
