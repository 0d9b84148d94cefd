//! xx-cargo on machines made of tables: what is set up, and what cargo is told.

#![allow(clippy::type_complexity, reason = "cases are tables")]

mod support;

use support::{FakeHost, dry_run};
use xx_tools::dispatch;
use xx_tools::env::Env;

fn run(host: &FakeHost, name: &str, args: &str, vars: &[(&str, &str)]) -> String {
    let args: Vec<&str> = args.split(' ').filter(|arg| !arg.is_empty()).collect();
    dry_run(dispatch::plan(Env::new(name, &args, vars), host), host)
}

/// Debian with rustup, clang and QEMU, for linux/arm/v7.
fn debian() -> FakeHost {
    let programs =
        ["cargo", "rustc", "rustup", "clang", "clang++", "lld", "cc", "qemu-arm-static", "pkg-config"];
    FakeHost::new("ID=debian\nVERSION_ID=12\n")
        .programs_in("/usr/bin", &programs)
        .answer("rustc --print sysroot", "/rust\n")
        .file("/usr/bin/arm-linux-gnueabihf.cfg", "mine")
        .file("/usr/lib/x86_64-linux-gnu/crt1.o", "")
}

/// The same, with everything set up.
fn ready() -> FakeHost {
    let made = ["clang", "clang++", "cc", "gcc", "c++", "g++", "pkg-config", "objcopy", "strip"]
        .map(|name| format!("armv7-unknown-linux-gnueabihf-{name}"));
    debian()
        .programs_in("/usr/bin", &made.each_ref().map(String::as_str))
        .programs_in("/usr/bin", &["arm-linux-gnueabihf-pkg-config"])
        .file("/usr/bin/armv7-unknown-linux-gnueabihf.cfg", "")
        .file("/rust/lib/rustlib/armv7-unknown-linux-gnueabihf/lib/libstd.rlib", "")
}

const ARM: (&str, &str) = ("TARGETPLATFORM", "linux/arm/v7");

#[test]
fn cargo_for_the_target() {
    let plan = run(&debian(), "xx-cargo", "build --release", &[ARM]);
    assert!(plan.starts_with("lock /var/lock/xx-cargo\n"), "{plan}");
    assert!(plan.contains("run /usr/bin/rustup target add armv7-unknown-linux-gnueabihf\n"), "{plan}");
    assert!(plan.contains("link /usr/bin/armv7-unknown-linux-gnueabihf-clang -> /usr/bin/xx\n"), "{plan}");
    let last = plan.lines().last().unwrap_or_default();
    for part in [
        "CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_LINKER=arm-linux-gnueabihf-clang",
        "CC_armv7_unknown_linux_gnueabihf=arm-linux-gnueabihf-clang",
        "CXX_armv7_unknown_linux_gnueabihf=arm-linux-gnueabihf-clang++",
        "CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_RUNNER=qemu-arm-static",
        "BINDGEN_EXTRA_CLANG_ARGS_armv7_unknown_linux_gnueabihf=--target=arm-linux-gnueabihf",
        "CMAKE_TOOLCHAIN_FILE_armv7_unknown_linux_gnueabihf=/var/lib/xx/arm-linux-gnueabihf.cmake",
        "PKG_CONFIG_ALLOW_CROSS=1",
        "PKG_CONFIG_LIBDIR_armv7_unknown_linux_gnueabihf=/usr/local/lib/arm-linux-gnueabihf/pkgconfig:",
        "cargo build --release --target=armv7-unknown-linux-gnueabihf",
    ] {
        assert!(last.contains(part), "{part} is missing in {last}");
    }
    assert!(
        plan.contains("write 644 /var/lib/xx/arm-linux-gnueabihf.cmake 'set(CMAKE_SYSTEM_NAME \"Linux\")"),
        "{plan}"
    );
}

/// With everything set up nothing is locked, so that builds of several targets go side by side.
#[test]
fn no_lock_without_set_up() {
    assert_eq!(
        run(&ready(), "xx-cargo", "--print-target-triple", &[ARM]),
        "print armv7-unknown-linux-gnueabihf\n"
    );
    assert_eq!(run(&ready(), "xx-cargo", "--setup-target-triple", &[ARM]), "");
    let build = run(&ready(), "xx-cargo", "build", &[ARM]);
    assert!(!build.contains("lock"), "{build}");
}

/// Variables of the user, and what is left out for them.
#[test]
fn the_users_variables_stay() {
    let t = "armv7_unknown_linux_gnueabihf";
    let cases = [
        (format!("CC_{t}"), format!(" CC_{t}=")),
        ("CC_armv7-unknown-linux-gnueabihf".to_owned(), format!(" CC_{t}=")),
        ("TARGET_CC".to_owned(), format!(" CC_{t}=")),
        (format!("CARGO_TARGET_{}_LINKER", t.to_uppercase()), "_LINKER=".to_owned()),
        (format!("CARGO_TARGET_{}_RUNNER", t.to_uppercase()), "_RUNNER=".to_owned()),
        ("TARGET_PKG_CONFIG_LIBDIR".to_owned(), "PKG_CONFIG_LIBDIR_".to_owned()),
        ("PKG_CONFIG_LIBDIR".to_owned(), "PKG_CONFIG_LIBDIR_".to_owned()),
        ("TARGET_CMAKE_TOOLCHAIN_FILE".to_owned(), "CMAKE_TOOLCHAIN_FILE_".to_owned()),
        ("PKG_CONFIG".to_owned(), format!(" PKG_CONFIG_{t}=")),
        ("PKG_CONFIG_ALLOW_CROSS".to_owned(), "ALLOW_CROSS".to_owned()),
    ];
    let plain = run(&ready(), "xx-cargo", "build", &[ARM]);
    for (name, left_out) in cases {
        assert!(plain.contains(&left_out), "{left_out} is missing in {plain}");
        let plan = run(&ready(), "xx-cargo", "build", &[ARM, (&name, "mine")]);
        assert!(!plan.contains(&left_out), "{name}: {left_out} in {plan}");
    }
    let bindgen = run(&ready(), "xx-cargo", "build", &[ARM, ("BINDGEN_EXTRA_CLANG_ARGS", "-DX")]);
    assert!(
        bindgen.contains(&format!("BINDGEN_EXTRA_CLANG_ARGS_{t}='--target=arm-linux-gnueabihf -DX'")),
        "{bindgen}"
    );
}

/// cargo reads flags from one place; ours go where the user's are, before them.
#[test]
fn flags_for_rustc() {
    let host = ready().file("/rust/lib/rustlib/x86_64-unknown-linux-gnu/lib/libstd.rlib", "");
    let v3 = ("TARGETPLATFORM", "linux/amd64/v3");
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[v3], " CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS=-Ctarget-cpu=x86-64-v3 "),
        (
            &[v3, ("XX_RUSTFLAGS", "-Copt-level=1")],
            " CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS='-Copt-level=1 -Ctarget-cpu=x86-64-v3' ",
        ),
        (
            &[("TARGETPLATFORM", "linux/arm64/v8.2")],
            " CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS=-Ctarget-feature=+v8.2a ",
        ),
        (
            &[v3, ("CARGO_BUILD_RUSTFLAGS", "-Cx")],
            " CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS='-Ctarget-cpu=x86-64-v3 -Cx' ",
        ),
        (&[v3, ("RUSTFLAGS", "-Cx")], " RUSTFLAGS='-Ctarget-cpu=x86-64-v3 -Cx' "),
        (
            &[v3, ("CARGO_ENCODED_RUSTFLAGS", "-Cx"), ("RUSTFLAGS", "-Cy")],
            " CARGO_ENCODED_RUSTFLAGS='-Ctarget-cpu=x86-64-v3\u{1f}-Cx' ",
        ),
    ];
    for (vars, expected) in cases {
        let plan = run(&host, "xx-cargo", "build", vars);
        assert!(plan.contains(expected), "{vars:?}: {plan}");
    }
}

/// How the standard library comes: distribution, what `rustc --print sysroot` says, arguments, the step.
#[test]
fn the_standard_library() {
    let debian = "ID=debian\nVERSION_ID=12\n";
    let cases: &[(&str, &str, &[&str], &str, &str)] = &[
        (debian, "/rust", &["rustup"], "build", "run /usr/bin/rustup target add aarch64-unknown-linux-gnu\n"),
        (
            debian,
            "/rust",
            &["rustup"],
            "+beta build",
            "run /usr/bin/rustup target add --toolchain beta aarch64-unknown-linux-gnu\n",
        ),
        (
            debian,
            "/usr",
            &[],
            "build",
            "run env -u XX_VENDOR /usr/bin/xx xx-apt-get install -y libstd-rust-dev\n",
        ),
        (
            "ID=ubuntu\nID_LIKE=debian\n",
            "/usr/lib/rust-1.80",
            &[],
            "build",
            "run env -u XX_VENDOR /usr/bin/xx xx-apt-get install -y libstd-rust-1.80-dev\n",
        ),
        ("ID=alpine\n", "/usr", &[], "build", "run env -u XX_VENDOR /usr/bin/xx xx-apk add rust-stdlib\n"),
        (
            "ID=fedora\n",
            "/usr",
            &[],
            "build",
            "error 1: the Rust toolchain has no standard library for aarch64-unknown-linux-gnu\n",
        ),
    ];
    for (os, sysroot, programs, args, expected) in cases {
        let plus = if args.starts_with('+') { "+beta " } else { "" };
        let host = FakeHost::new(os)
            .programs_in("/usr/bin", &["cargo", "rustc", "clang", "clang++", "lld"])
            .programs_in("/usr/bin", programs)
            .answer(&format!("rustc {plus}--print sysroot"), &format!("{sysroot}\n"));
        let plan = run(&host, "xx-cargo", args, &[("TARGETPLATFORM", "linux/arm64")]);
        assert!(plan.contains(expected), "{os} {sysroot}: {plan}");
    }
    let web = FakeHost::new(debian)
        .programs_in("/usr/bin", &["cargo", "rustc", "clang", "clang++", "lld"])
        .answer("rustc --print sysroot", "/usr\n")
        .file("/var/lib/dpkg/info/rustc-web.list", "");
    let plan = run(&web, "xx-cargo", "build", &[("TARGETPLATFORM", "linux/arm64")]);
    assert!(plan.contains("libstd-rust-web-dev"), "{plan}");
}

/// Rust's names, where they differ from the C compiler's.
#[test]
fn triples_of_rust() {
    let os =
        |alpine: bool| if alpine { "ID=alpine\nVERSION_ID=3.20\n" } else { "ID=debian\nVERSION_ID=12\n" };
    let cases: &[(bool, &str, &[(&str, &str)], &str)] = &[
        (false, "linux/arm/v5", &[], "armv5te-unknown-linux-gnueabi"),
        (false, "linux/arm/v6", &[], "arm-unknown-linux-gnueabi"),
        (false, "linux/arm/v6", &[("XX_LIBC", "musl")], "arm-unknown-linux-musleabihf"),
        (false, "linux/riscv64", &[], "riscv64gc-unknown-linux-gnu"),
        (false, "darwin/arm64", &[], "aarch64-apple-darwin"),
        (false, "windows/amd64", &[], "x86_64-pc-windows-gnu"),
        (true, "linux/arm/v6", &[], "armv6-alpine-linux-musleabihf"),
        (true, "linux/386", &[], "i586-alpine-linux-musl"),
        (true, "linux/riscv64", &[], "riscv64-alpine-linux-musl"),
        (true, "linux/arm64", &[], "aarch64-alpine-linux-musl"),
        (true, "linux/arm64", &[("XX_VENDOR", "alpine")], "aarch64-alpine-linux-musl"),
        (true, "linux/arm64", &[("XX_VENDOR", "unknown")], "aarch64-unknown-linux-musl"),
    ];
    for (alpine, platform, vars, expected) in cases {
        let host = FakeHost::new(os(*alpine))
            .programs_in("/usr/bin", &["cargo", "rustc", "clang", "clang++", "lld", "ld64"])
            .programs_in("/usr/bin", &["riscv64-linux-gnu-ld", "riscv64-alpine-linux-musl-ld"])
            .answer("rustc --print sysroot", "/usr\n");
        let vars = [&[("TARGETPLATFORM", *platform)], *vars].concat();
        let plan = run(&host, "xx-cargo", "--print-target-triple", &vars);
        assert_eq!(
            plan.lines().last(),
            Some(format!("print {expected}").as_str()),
            "{platform} {vars:?}: {plan}"
        );
    }
}

/// Compilers other than clang; zig under names of one word, as rustc's linker must be.
#[test]
fn other_compilers() {
    let host = || {
        FakeHost::new("ID=debian\nVERSION_ID=12\n")
            .programs_in("/usr/bin", &["cargo", "rustc", "zig", "cc", "aarch64-linux-gnu-gcc"])
            .answer("rustc --print sysroot", "/rust\n")
            .file("/rust/lib/rustlib/x86_64-unknown-linux-gnu/lib/libstd.rlib", "")
            .file("/rust/lib/rustlib/aarch64-unknown-linux-gnu/lib/libstd.rlib", "")
            .file("/usr/lib/x86_64-linux-gnu/crt1.o", "")
            .file("/root/usr/lib/libc.a", "")
    };
    let zig = run(&host(), "xx-cargo", "build", &[("TARGETPLATFORM", "linux/amd64"), ("XX_GLIBC", "2.17")]);
    for part in [
        "link /usr/bin/x86_64-linux-gnu-zig-cc -> /usr/bin/xx\n",
        "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=x86_64-linux-gnu-zig-cc",
        "CXX_x86_64_unknown_linux_gnu=x86_64-linux-gnu-zig-c++",
        "AR_x86_64_unknown_linux_gnu=x86_64-linux-gnu-zig-ar",
    ] {
        assert!(zig.contains(part), "{part} is missing in {zig}");
    }
    let vars = [("TARGETPLATFORM", "linux/amd64"), ("XX_GLIBC", "2.17")];
    let cases = [
        ("x86_64-linux-gnu-zig-cc", "exec zig cc -target x86_64-linux-gnu.2.17 x\n"),
        ("x86_64-linux-gnu-zig-c++", "exec zig c++ -target x86_64-linux-gnu.2.17 x\n"),
        ("x86_64-linux-gnu-zig-ar", "exec zig ar x\n"),
    ];
    for (name, expected) in cases {
        assert_eq!(run(&host(), name, "x", &vars), expected, "{name}");
    }
    let vars = [("TARGETPLATFORM", "linux/arm64"), ("XX_CC_PREFER_COMPILER", "gcc")];
    let gcc = run(&host(), "xx-cargo", "build", &vars);
    assert!(gcc.contains("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc"), "{gcc}");
    assert!(!gcc.contains("lock"), "nothing is set up: {gcc}");
    // With flags it is no single word any more.
    let flags = [vars[0], vars[1], ("XX_SYSROOT", "/root")];
    let gcc = run(&host(), "xx-cargo", "build", &flags);
    for part in [
        "link /usr/bin/aarch64-linux-gnu-gcc-cc -> /usr/bin/xx\n",
        "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc-cc",
    ] {
        assert!(gcc.contains(part), "{part} is missing in {gcc}");
    }
    let linker = run(&host(), "aarch64-linux-gnu-gcc-cc", "x.o", &flags);
    assert_eq!(linker, "exec aarch64-linux-gnu-gcc --sysroot=/root x.o\n");
}

/// What is missing is named, with what to type.
#[test]
fn what_is_missing() {
    assert_eq!(run(&FakeHost::new(""), "xx-cargo", "build", &[ARM]), "error 127: cargo: not found\n");
    let mut host = ready();
    host.files.remove(std::path::Path::new("/usr/bin/cc"));
    let note = "note 'note: no C compiler `cc` for the build machine; build scripts and procedural macros need it: \
                apt-get install gcc libc6-dev'\n";
    assert!(run(&host, "xx-cargo", "build", &[ARM]).contains(note));
    assert!(!run(&host, "xx-cargo", "metadata", &[ARM]).contains("note"), "nothing is built");
    let mut host = ready();
    host.files.remove(std::path::Path::new("/usr/lib/x86_64-linux-gnu/crt1.o"));
    let plan = run(&host, "xx-cargo", "build", &[ARM]);
    assert!(plan.contains("no start files of the C library (crt1.o) for the build machine"), "{plan}");
    let sparc = run(&ready(), "xx-cargo", "build", &[("TARGETPLATFORM", "linux/nothing")]);
    assert_eq!(sparc, "error 1: unsupported target: os=linux arch=nothing variant=\n");
}
