//! What Dockerfiles in the wild write around the tools, each with a row: it works as written there.

#![allow(
    clippy::type_complexity,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "cases are tables, and helpers of tests are test code"
)]

mod support;

use support::{FakeHost, dry_run};
use xx_tools::dispatch;
use xx_tools::env::Env;

const ARM64: (&str, &str) = ("TARGETPLATFORM", "linux/arm64");
const ARMV6: (&str, &str) = ("TARGETPLATFORM", "linux/arm/v6");
const SOFT: (&str, &str) = ("TARGETPLATFORM", "linux/mips/softfloat");

/// Debian, set up for the targets of the cases.
fn debian() -> FakeHost {
    let programs = [
        "clang-16",
        "clang++-16",
        "lld",
        "llvm-strip",
        "llvm-ar",
        "go",
        "cargo",
        "rustc",
        "cc",
        "pkg-config",
        "dpkg",
        "apt-get",
    ];
    let lists = "Package: tzdata\nArchitecture: all\n\nPackage: zlib1g-dev\nArchitecture: arm64\n";
    FakeHost::new("ID=debian\nVERSION_ID=\"12\"\n")
        .programs_in("/usr/bin", &programs)
        .answer("rustc --print sysroot", "/rust\n")
        .answer("dpkg --print-foreign-architectures", "arm64\n")
        .file("/usr/bin/aarch64-linux-gnu.cfg", "--target=aarch64-linux-gnu -fuse-ld=lld\n")
        .file("/rust/lib/rustlib/aarch64-unknown-linux-gnu/lib/libstd.rlib", "")
        .file("/var/lib/apt/lists/m_binary-arm64_Packages", lists)
}

fn alpine() -> FakeHost {
    FakeHost::new("ID=alpine\nVERSION_ID=3.20.3\n")
        .file("/etc/alpine-release", "3.20.3\n")
        .programs_in("/usr/bin", &["clang", "clang++", "lld", "cargo", "rustc", "rustup", "pkg-config", "go"])
        .answer("rustc --print sysroot", "/rust\n")
}

fn run(host: &FakeHost, name: &str, args: &[&str], vars: &[(&str, &str)]) -> String {
    dry_run(dispatch::plan(Env::new(name, args, vars), host), host)
}

/// What is written, the call that it is, and a part of the plan.
#[test]
fn lines_of_dockerfiles() {
    let cases: &[(&str, FakeHost, &str, &[&str], &[(&str, &str)], &str)] = &[
        (
            "TARGETPLATFORM= TARGETPAIR= TARGETOS= TARGETARCH= xx-info arch",
            debian(),
            "xx-info",
            &["arch"],
            &[("TARGETPLATFORM", ""), ("TARGETPAIR", ""), ("TARGETOS", ""), ("TARGETARCH", "")],
            "print amd64\n",
        ),
        ("xx-info --native arch", debian(), "xx-info", &["--native", "arch"], &[ARM64], "print amd64\n"),
        ("--sysroot=$(xx-info sysroot)", debian(), "xx-info", &["sysroot"], &[ARM64], "print /\n"),
        (
            "$(xx-info sysroot)usr/lib",
            alpine(),
            "xx-info",
            &["sysroot"],
            &[ARM64],
            "print /aarch64-alpine-linux-musl/\n",
        ),
        (
            "xx-pkg-config --libs zlib",
            debian(),
            "xx-pkg-config",
            &["--libs", "zlib"],
            &[ARM64],
            "/usr/lib/aarch64-linux-gnu/pkgconfig",
        ),
        ("AR=xx-ar make", debian(), "xx-ar", &["rcs", "a.a"], &[ARM64], "exec /usr/bin/llvm-ar rcs a.a\n"),
        ("xx-strip out", debian(), "xx-strip", &["out"], &[ARM64], "exec /usr/bin/llvm-strip out\n"),
        (
            "CC=$(xx-info)-gcc ./configure",
            debian(),
            "aarch64-linux-gnu-gcc",
            &["x.c"],
            &[],
            "exec /usr/bin/clang-16 --config /usr/bin/aarch64-linux-gnu.cfg x.c\n",
        ),
        (
            "CXX=$(xx-info)-g++ ./configure",
            debian(),
            "aarch64-linux-gnu-g++",
            &["x.cc"],
            &[],
            "exec /usr/bin/clang++-16 --config /usr/bin/aarch64-linux-gnu.cfg x.cc\n",
        ),
        (
            "PKG_CONFIG=$(xx-info)-pkg-config make",
            debian(),
            "aarch64-linux-gnu-pkg-config",
            &["--cflags", "zlib"],
            &[],
            "PKG_CONFIG_LIBDIR=/usr/local/lib/aarch64-linux-gnu/pkgconfig:",
        ),
        ("GO=xx-go make", debian(), "xx-go", &["build", "./..."], &[ARM64], "GOOS=linux GOARCH=arm64 "),
        (
            "xx-go mod download",
            debian(),
            "xx-go",
            &["mod", "download"],
            &[ARM64],
            "/usr/bin/go mod download\n",
        ),
        ("clang-16 alone", debian(), "xx-clang", &["x.c"], &[ARM64], "exec /usr/bin/clang-16 --config"),
        (
            "xx-cargo build of a crate with pkg-config, on Debian",
            debian(),
            "xx-cargo",
            &["build"],
            &[ARM64],
            "PKG_CONFIG_LIBDIR_aarch64_unknown_linux_gnu=/usr/local/lib/aarch64-linux-gnu/pkgconfig:",
        ),
        (
            "xx-cargo for arm/v6 on Alpine with rustup: Rust's triple",
            alpine(),
            "xx-cargo",
            &["build"],
            &[ARMV6],
            "--target=arm-unknown-linux-musleabihf\n",
        ),
        (
            "xx-cargo for arm/v6 on Alpine with rustup: the C compiler's",
            alpine(),
            "xx-cargo",
            &["build"],
            &[ARMV6],
            "CARGO_TARGET_ARM_UNKNOWN_LINUX_MUSLEABIHF_LINKER=armv6-alpine-linux-musleabihf-clang ",
        ),
        (
            "xx-apt-get install tzdata",
            debian(),
            "xx-apt-get",
            &["install", "tzdata"],
            &[ARM64],
            "exec apt-get install tzdata\n",
        ),
        (
            "xx-apt-get install -y -t bookworm-backports zlib1g-dev",
            debian(),
            "xx-apt-get",
            &["install", "-y", "-t", "bookworm-backports", "zlib1g-dev"],
            &[ARM64],
            "exec apt-get install -y -t bookworm-backports zlib1g-dev:arm64\n",
        ),
        (
            "XX_CC_PREFER_LINKER=ld xx-clang",
            debian().programs_in("/usr/bin", &["s390x-linux-gnu-ld", "i686-linux-gnu-ld"]),
            "xx-clang",
            &["--setup-target-triple"],
            &[("TARGETPLATFORM", "linux/386"), ("XX_CC_PREFER_LINKER", "ld")],
            "'--target=i686-linux-gnu -fuse-ld=/usr/bin/i686-linux-gnu-ld'",
        ),
        ("linux/mips/softfloat: xx-info", debian(), "xx-info", &["variant"], &[SOFT], "print softfloat\n"),
        (
            "linux/mips/softfloat: xx-go",
            debian(),
            "xx-go",
            &["build"],
            &[SOFT],
            "GOARCH=mips GOMIPS=softfloat ",
        ),
        (
            "linux/mips/softfloat: xx-apt",
            debian(),
            "xx-apt",
            &["install", "x"],
            &[SOFT],
            "skipping packages installation on mips",
        ),
        ("linux/mips/softfloat: xx-clang", debian(), "xx-clang", &["x.c"], &[SOFT], " -msoft-float x.c\n"),
    ];
    for (line, host, name, args, vars, part) in cases {
        let plan = run(host, name, args, vars);
        assert!(plan.contains(part), "{line}: {part} is missing in\n{plan}");
    }
}

/// After set-up, programs with the target's prefix are there, whatever is called of them.
#[test]
fn programs_with_the_targets_prefix() {
    let host = debian().programs_in("/usr/bin", &["llvm-objcopy"]);
    let plan = run(&host, "xx-clang", &["--setup-target-triple"], &[("TARGETPLATFORM", "linux/386")]);
    for name in ["gcc", "g++", "cc", "c++", "strip", "objcopy", "pkg-config", "clang", "ar"] {
        let link = format!("link /usr/bin/i686-linux-gnu-{name} -> ");
        assert!(plan.contains(&link), "{link} is missing in\n{plan}");
    }
    let gcc = debian().programs_in("/usr/bin", &["i686-linux-gnu-gcc"]);
    let plan = run(&gcc, "xx-clang", &["--setup-target-triple"], &[("TARGETPLATFORM", "linux/386")]);
    assert!(!plan.contains("i686-linux-gnu-gcc -> "), "a GCC that a package brought stays: {plan}");
}

/// clang under GCC's name is no GCC.
#[test]
fn links_are_no_gcc() {
    let host = debian().link("/usr/bin/aarch64-linux-gnu-gcc", "/usr/bin/xx").file("/usr/bin/xx", "");
    let vars = [ARM64, ("XX_CC_PREFER_COMPILER", "gcc")];
    assert_eq!(run(&host, "xx-cc", &["x.c"], &vars), "error 127: aarch64-linux-gnu-gcc not found\n");
    let go = run(&host, "xx-go", &["build"], &[ARM64, ("XX_GO_PREFER_C_COMPILER", "gcc")]);
    assert!(!go.contains("CC="), "{go}");
}

/// Some mount single tools (`RUN --mount=from=xx,source=/usr/bin/xx-cc,target=/usr/bin/xx-clang`) or edit one in place
/// (`sed -i ... $(which xx-cargo)`): names that are no links, of programs that still know each other.
#[test]
fn tools_that_are_no_links() {
    let mounted = |own: &str| FakeHost { own: Some(own.into()), ..debian() };
    let host = mounted("/usr/bin/xx-clang")
        .programs_in("/usr/bin", &["xx-clang", "clang"])
        .link("/usr/local/bin/clang", "/usr/bin/xx-go");
    let host = host.file("/usr/bin/xx-go", "").file("/usr/local/bin/clang", "");
    let call = run(&host, "xx-clang", &["x.c"], &[ARM64]);
    assert_eq!(call, "exec /usr/bin/clang --config /usr/bin/aarch64-linux-gnu.cfg x.c\n");
    let program = std::fs::read(env!("CARGO_BIN_EXE_xx")).unwrap();
    for pattern in ["xx-clang --setup-target-triple", "$(xx-info)-"] {
        let found = program.windows(pattern.len()).any(|bytes| bytes == pattern.as_bytes());
        assert!(!found, "`sed -i` on the script's `{pattern}` would break the program");
    }
    let mut host = mounted("/usr/bin/xx-cargo");
    host.files.remove(std::path::Path::new("/rust/lib/rustlib/aarch64-unknown-linux-gnu/lib/libstd.rlib"));
    let call = run(&host, "xx-cargo", &["build"], &[ARM64]);
    assert!(call.contains("run env -u XX_VENDOR xx-apt-get install -y libstd-rust-dev\n"), "{call}");
}

/// Programs under the triple that `xx-cargo --print-target-triple` prints.
#[test]
fn programs_with_rusts_triple() {
    let plan = run(&debian(), "xx-cargo", &["--setup-target-triple"], &[ARM64]);
    for name in ["clang", "clang++", "gcc", "strip", "ar", "pkg-config"] {
        let link = format!("link /usr/bin/aarch64-unknown-linux-gnu-{name} -> ");
        assert!(plan.contains(&link), "{link} is missing in\n{plan}");
    }
    let root = alpine().file("/aarch64-alpine-linux-musl/usr/lib/libc.a", "");
    let plan = run(&root, "xx-cargo", &["--setup-target-triple"], &[ARM64]);
    let link = "link /aarch64-unknown-linux-musl -> aarch64-alpine-linux-musl\n";
    assert!(plan.contains(link), "{link} is missing in\n{plan}");
}
