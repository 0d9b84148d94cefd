//! Texts that Dockerfiles and the original's own tests rely on: apk, windres, xcrun, verify, go, cargo.

#![allow(clippy::type_complexity, reason = "cases are tables")]

mod support;

use support::{FakeHost, dry_run};
use xx_tools::dispatch;
use xx_tools::env::Env;

fn run(host: &FakeHost, name: &str, args: &str, vars: &[(&str, &str)]) -> String {
    let args: Vec<&str> = args.split(' ').filter(|arg| !arg.is_empty()).collect();
    dry_run(dispatch::plan(Env::new(name, &args, vars), host), host)
}

fn alpine() -> FakeHost {
    FakeHost::new("ID=alpine\nVERSION_ID=3.20.3\n")
        .file("/etc/alpine-release", "3.20.3\n")
        .file("/etc/apk/repositories", "mirror\n")
        .programs_in("/sbin", &["apk"])
}

#[test]
fn apk_in_the_targets_root() {
    let arm64: &[(&str, &str)] = &[("TARGETPLATFORM", "linux/arm64")];
    let ready = || alpine().file("/aarch64-alpine-linux-musl/.xx-setup", "");
    let cases: &[(FakeHost, &str, &[(&str, &str)], &str)] = &[
        (
            ready(),
            "add zlib-dev xx-c-essentials",
            arm64,
            "lock /var/lock/xx-apk\nprint '+ apk  --root /aarch64-alpine-linux-musl add --no-scripts zlib-dev musl-dev gcc'\n\
             exec apk --root /aarch64-alpine-linux-musl add --no-scripts zlib-dev musl-dev gcc\n",
        ),
        (
            alpine()
                .file("/proc/sys/fs/binfmt_misc/qemu-aarch64", "")
                .file("/aarch64-alpine-linux-musl/.xx-setup", ""),
            "add x",
            arm64,
            "lock /var/lock/xx-apk\nprint '+ apk  --root /aarch64-alpine-linux-musl add x'\n\
             exec apk --root /aarch64-alpine-linux-musl add x\n",
        ),
        (
            alpine(),
            "list --installed",
            &[],
            "lock /var/lock/xx-apk\nprint '+ apk  --root / list --installed'\nexec apk --root / list --installed\n",
        ),
        (
            ready(),
            "-X mirror --root add add -t fix fix --no-cache",
            arm64,
            "lock /var/lock/xx-apk\n\
             print '+ apk  --root /aarch64-alpine-linux-musl -X mirror --root add add --no-scripts -t fix fix --no-cache'\n\
             exec apk --root /aarch64-alpine-linux-musl -X mirror --root add add --no-scripts -t fix fix --no-cache\n",
        ),
        (
            ready(),
            "add --no-scripts xx-cxx-essentials",
            arm64,
            "lock /var/lock/xx-apk\nprint '+ apk  --root /aarch64-alpine-linux-musl add --no-scripts g++'\n\
             exec apk --root /aarch64-alpine-linux-musl add --no-scripts g++\n",
        ),
        (ready(), "", arm64, "lock /var/lock/xx-apk\nexec apk\n"),
        (alpine(), "clean", arm64, "lock /var/lock/xx-apk\nremove -r /aarch64-alpine-linux-musl\n"),
        (alpine(), "clean", &[], "lock /var/lock/xx-apk\n"),
        (
            alpine(),
            "add x",
            &[("TARGETPLATFORM", "darwin/arm64")],
            "note 'skipping packages installation on darwin'\n",
        ),
        (
            alpine(),
            "add x",
            &[("TARGETPLATFORM", "linux/mips")],
            "note 'skipping packages installation on mips'\n",
        ),
    ];
    for (host, args, vars, expected) in cases {
        assert_eq!(run(host, "xx-apk", args, vars), *expected, "{args} {vars:?}");
    }
    // A group of the user's under such a name is what is meant after it was made.
    let world =
        || ready().file("/aarch64-alpine-linux-musl/etc/apk/world", "alpine-keys\nxx-c-essentials=2026\n");
    for (host, args, words) in [
        (world(), "del xx-c-essentials", "del --no-scripts xx-c-essentials"),
        (world(), "add xx-c-essentials", "add --no-scripts musl-dev gcc"),
        (world(), "del xx-cxx-essentials", "del --no-scripts g++"),
        (ready(), "del xx-c-essentials", "del --no-scripts musl-dev gcc"),
    ] {
        let plan = run(&host, "xx-apk", args, arm64);
        assert!(plan.ends_with(&format!("exec apk --root /aarch64-alpine-linux-musl {words}\n")), "{plan}");
    }
    let setup = run(&alpine(), "xx-apk", "setup", &[("TARGETPLATFORM", "linux/loong64")]);
    assert!(setup.contains("/v3.21/main"), "{setup}");
    assert!(setup.contains("write 644 /loongarch64-alpine-linux-musl/etc/apk/arch loongarch64"), "{setup}");
    assert!(setup.contains(
        "run apk add --no-cache --initdb -p /loongarch64-alpine-linux-musl --allow-untrusted alpine-keys"
    ));
}

/// Dockerfiles install packages and then build for every target that Go has: what is no Linux is skipped first, whether or
/// not there is a triple for it, and a slip is not.
#[test]
fn systems_without_packages() {
    let debian =
        FakeHost::new("ID=debian\nVERSION_ID=12\n").programs_in("/usr/bin", &["apt", "apt-get", "dpkg"]);
    let fedora = FakeHost::new("ID=fedora\nVERSION_ID=40\n").programs_in("/usr/bin", &["dnf"]);
    let calls = [
        (alpine(), "xx-apk", "add foo"),
        (alpine(), "xx-apk", "clean"),
        (debian, "xx-apt-get", "install -y foo"),
        (fedora, "xx-dnf", "install foo"),
    ];
    let (mut systems, is_go) = (0, platform_db::Platform::is_go);
    for platform in
        platform_db::Platform::all().filter(|platform| platform.os() != "linux" && is_go(platform))
    {
        systems += 1;
        let vars = [("TARGETPLATFORM", platform.to_string())];
        let vars = vars.each_ref().map(|(name, value)| (*name, value.as_str()));
        let skipped = format!("note 'skipping packages installation on {}'\n", platform.os());
        for (host, name, args) in &calls {
            if platform.os() != "windows" || *name != "xx-apt-get" {
                assert_eq!(run(host, name, args, &vars), skipped, "{platform} {name}");
            }
        }
        let root = run(&calls[2].0, "xx-apt-get", "--target-root /out install foo", &vars);
        assert_eq!(root, skipped, "{platform}");
    }
    assert!(systems > 30, "{systems}");
    for (host, name, args) in &calls {
        let macos = run(host, name, args, &[("TARGETPLATFORM", "macos/arm64")]);
        assert_eq!(macos, "note 'skipping packages installation on macos'\n", "{name}");
        let slip = run(host, name, args, &[("TARGETPLATFORM", "linxu/arm64")]);
        assert_eq!(slip, "error 1: unsupported target: os=linxu arch=arm64 variant=\n", "{name}");
    }
}

/// The pipelines asserted by the original's tests, word for word.
#[test]
fn windres() {
    let host = FakeHost::new("ID=debian\n").programs_in("/usr/bin", &["clang", "llvm-rc", "llvm-cvtres"]);
    let dry = |platform| {
        [
            ("XX_WINDRES_DRYRUN", "1"),
            ("TARGETPLATFORM", platform),
            ("XX_TMP_FILE_FIXED", "/tmp/foo"),
            ("CC", "clang"),
        ]
    };
    let cases = [
        (
            "windows/arm",
            "-i myinp.rc -o myout.syso --use-temp-file -I /foo --include-dir /bar --include-dir=/baz -D FOO=bar -UNOT -DABC=def",
            "print 'clang -E -xc -D RC_INVOKED=1 -I/foo -I/bar -I/baz -D FOO=bar -U NOT -D ABC=def -o /tmp/foo myinp.rc\n\
             llvm-rc -fo /tmp/foo_ -I . /tmp/foo\nllvm-cvtres -machine:ARM -out:myout.syso /tmp/foo_'\n",
        ),
        (
            "windows/arm64",
            "--preprocessor=cpp -O coff -D FOO=bar -UNOT -DABC=def myinp myout",
            "print 'cpp -E -xc -D RC_INVOKED=1 -D FOO=bar -U NOT -D ABC=def -o /tmp/foo myinp\n\
             llvm-rc -fo /tmp/foo_ -I . /tmp/foo\nllvm-cvtres -machine:ARM64 -out:myout /tmp/foo_'\n",
        ),
        (
            "windows/arm64",
            "-D FOO=bar myinp.rc myout.res",
            "print 'clang -E -xc -D RC_INVOKED=1 -D FOO=bar -o /tmp/foo myinp.rc\n\
             llvm-rc -fo /tmp/foo_ -I . /tmp/foo\ncp /tmp/foo_ myout.res'\n",
        ),
        (
            "windows/arm64",
            "mydir/myinp.rc -F pe-x86-64 myout.syso -D FOO=bar",
            "print 'clang -E -xc -D RC_INVOKED=1 -D FOO=bar -o /tmp/foo mydir/myinp.rc\n\
             llvm-rc -fo /tmp/foo_ -I mydir /tmp/foo\nllvm-cvtres -machine:X64 -out:myout.syso /tmp/foo_'\n",
        ),
        ("windows/arm64", "--version", "print 'xx-windres 0.1'\n"),
        ("windows/arm64", "-foo foobar", "error 1: invalid option -foo\n"),
        ("windows/arm64", "-J foo myinp.rc myout.syso", "error 1: invalid input format foo\n"),
        ("windows/arm64", "-O foo myinp.rc myout.syso", "error 1: invalid output format foo\n"),
        (
            "windows/arm64",
            "-F pe-mips myinp.rc myout.syso",
            "error 1: invalid target pe-mips for xx-windres\n",
        ),
        ("windows/arm64", "-o", "error 1: error: argument to -o is missing\n"),
        ("windows/arm64", "a b c", "error 1: too many arguments\n"),
    ];
    for (platform, args, expected) in cases {
        assert_eq!(run(&host, "xx-windres", args, &dry(platform)), expected, "{args}");
    }
    let prefixed = run(&host, "aarch64-w64-mingw32-windres", "a.rc a.o", &dry("linux/amd64"));
    assert!(prefixed.contains("-machine:ARM64"), "{prefixed}");
}

#[test]
fn xcrun() {
    let host = FakeHost::new("")
        .file("/xx-sdk/MacOSX13.3.sdk/usr", "")
        .programs_in("/usr/bin", &["clang", "llvm-install-name-tool"]);
    let cases = [
        ("--show-sdk-path", "print /xx-sdk/MacOSX13.3.sdk\n"),
        ("--sdk macosx --show-sdk-version", "print 13.3\n"),
        ("--sdk macosx13.3 --show-sdk-path", "print /xx-sdk/MacOSX13.3.sdk\n"),
        ("--sdk iphoneos --show-sdk-path", "error 1: sdk iphoneos not found\n"),
        ("--sdk macosx11.1 --show-sdk-path", "print /xx-sdk/MacOSX13.3.sdk\n"),
        ("--sdk", "error 1: xcrun: error: argument to '--sdk' is missing\n"),
        ("--log clang -v", "note 'option --log not found or unimplemented'\nexec clang -v\n"),
        ("--find clang", "print /usr/bin/clang\n"),
        ("-f install_name_tool", "print /usr/bin/llvm-install-name-tool\n"),
        ("-f lipo", "error 1: xcrun: error: unable to find utility \"lipo\"\n"),
        ("clang -v", "exec clang -v\n"),
        ("-- clang -v", "exec clang -v\n"),
    ];
    for (args, expected) in cases {
        assert_eq!(run(&host, "xcrun", args, &[]), expected, "{args}");
    }
}

/// Descriptions in file(1)'s words, from the original's tests: description, platform, flags, whether it fits.
#[test]
fn verify_by_words() {
    let cases = [
        ("ELF 64-bit LSB executable, x86-64, dynamically linked", "linux/amd64", "", true),
        ("ELF 64-bit LSB executable, x86-64, dynamically linked", "linux/arm64", "", false),
        (
            "ELF 64-bit LSB executable, x86-64, version 1 (FreeBSD), statically linked",
            "freebsd/amd64",
            "",
            true,
        ),
        (
            "ELF 64-bit LSB executable, x86-64, version 1 (FreeBSD), statically linked",
            "linux/amd64",
            "",
            false,
        ),
        (
            "ELF 64-bit LSB pie executable, ARM aarch64, dynamically linked, interpreter /lib/l",
            "linux/arm64",
            "--static",
            false,
        ),
        (
            "ELF 64-bit LSB pie executable, x86-64, dynamically linked, with debug_info",
            "linux/amd64",
            "--static",
            true,
        ),
        ("ELF 64-bit LSB pie executable, x86-64, static-pie linked", "linux/amd64", "--static", true),
        ("ELF 32-bit LSB executable, ARM, EABI5 version 1 (SYSV)", "linux/arm/v6", "", true),
        ("ELF 64-bit MSB executable, 64-bit PowerPC or cisco 7500", "linux/ppc64", "", true),
        ("ELF 64-bit MSB executable, 64-bit PowerPC or cisco 7500", "linux/ppc64le", "", false),
        ("ELF 64-bit MSB executable, MIPS, MIPS-III", "linux/mips64", "", true),
        ("ELF 64-bit MSB executable, MIPS, MIPS-III", "linux/mips", "", false),
        ("Mach-O 64-bit executable arm64", "darwin/arm64", "", true),
        ("Mach-O 64-bit executable arm64", "darwin/arm", "", false),
        ("PE32+ executable (console) Aarch64, for MS Windows", "windows/arm64", "", true),
        ("PE32 executable (console) Intel 80386, for MS Windows", "windows/386", "", true),
        ("PE32 executable (console) ARMv7 Thumb, for MS Windows", "windows/arm64", "", false),
    ];
    for (words, platform, flags, fits) in cases {
        let vars = [("XX_VERIFY_FILE_CMD_OUTPUT", words), ("TARGETPLATFORM", platform)];
        let plan = run(&FakeHost::new(""), "xx-verify", &format!("{flags} /idontexist"), &vars);
        assert_eq!(plan.is_empty(), fits, "{words} on {platform}: {plan}");
    }
}

#[test]
fn verify_arguments() {
    let usage = "error 1: Usage: xx-verify";
    let cases = [
        ("", usage),
        ("--static", usage),
        ("--help", usage),
        ("--static2", "error 1: invalid flag --static2"),
        (
            "/idontexist",
            "note 'file not found: /idontexist'\nnote 'hint: check the path, and that it may be read'\nexit 1",
        ),
    ];
    for (args, expected) in cases {
        let plan = run(&FakeHost::new("ID=debian"), "xx-verify", args, &[("TARGETPLATFORM", "linux/amd64")]);
        assert!(plan.starts_with(expected), "{args}: {plan}");
    }
    assert_eq!(run(&FakeHost::new(""), "xx-verify", "--setup", &[]), "");
}

#[test]
fn binutils_of_the_target() {
    let host = FakeHost::new("ID=debian\n")
        .programs_in("/usr/bin", &["llvm-strip", "aarch64-linux-gnu-ar", "ar", "strip"]);
    let cases = [
        ("xx-ar", "linux/arm64", "exec /usr/bin/aarch64-linux-gnu-ar x\n"),
        ("xx-strip", "linux/arm64", "exec /usr/bin/llvm-strip x\n"),
        ("xx-ar", "linux/amd64", "exec /usr/bin/ar x\n"),
        ("xx-ar", "linux/s390x", "error 127: no ar for s390x-linux-gnu\n"),
    ];
    for (name, platform, expected) in cases {
        assert_eq!(run(&host, name, "x", &[("TARGETPLATFORM", platform)]), expected, "{name} {platform}");
    }
}

/// By the target's prefix: what is missing is named, unless the build machine's own knows objects of the target.
#[test]
fn binutils_by_prefix() {
    let own = FakeHost::new("ID=debian\n").programs_in("/usr/bin", &["strip", "objcopy", "nm", "ld"]);
    let missing = "error 127: llvm-strip: not found\n";
    assert_eq!(run(&own, "aarch64-linux-gnu-strip", "x", &[]), missing);
    let multiarch = own.answer("ld -V", "GNU ld\n  Supported emulations:\n   elf_x86_64\n   aarch64linux\n");
    let arm64 = [("TARGETPLATFORM", "linux/arm64")];
    for (name, expected) in [
        ("aarch64-linux-gnu-strip", "exec /usr/bin/strip x\n"),
        ("aarch64-linux-gnu-objcopy", "exec /usr/bin/objcopy x\n"),
        ("s390x-linux-gnu-strip", missing),
        ("aarch64-linux-gnu-nm", "error 127: llvm-nm: not found\n"),
        ("xx-strip", "exec /usr/bin/strip x\n"),
        ("xx-nm", "error 127: no nm for aarch64-linux-gnu\n"),
    ] {
        assert_eq!(run(&multiarch, name, "x", &arm64), expected, "{name}");
    }
    let llvm = FakeHost::new("ID=debian\n").programs_in("/usr/bin", &["llvm-strip", "strip"]);
    assert_eq!(run(&llvm, "aarch64-linux-gnu-strip", "x", &[]), "exec /usr/bin/llvm-strip x\n");
}

/// Nothing has to be installed for help.
#[test]
fn help_without_the_program() {
    for (word, part) in [
        ("clang", "Usage: xx-cc|xx-c++|xx-clang|xx-clang++ [ARGUMENT]..."),
        ("xx-go", "--wrap, --unwrap"),
        ("verify", "--needed-in ROOT"),
        ("doctor", "Usage: xx doctor"),
    ] {
        let text = run(&FakeHost::new(""), "xx", &format!("help {word}"), &[]);
        assert!(text.starts_with("print ") && text.contains(part), "{text}");
    }
    assert_eq!(run(&FakeHost::new(""), "xx", "help nothing", &[]), "error 2: no tool `nothing`\n");
}

/// os-release, programs and files of the machine, arguments, and the end of the command.
#[test]
fn dnf_in_the_targets_root() {
    let noscripts = "--setopt=tsflags=noscripts --setopt=install_weak_deps=False";
    let fedora = "ID=fedora\nVERSION_ID=40\n";
    let rocky = "ID=rocky\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=9.4\n";
    let cases: &[(&str, &[&str], &str, &str, String)] = &[
        (
            fedora,
            &["/usr/bin/dnf", "/etc/yum.repos.d/a.repo"],
            "xx-dnf",
            "install -y xx-c-essentials",
            format!(
                "exec /usr/bin/dnf --forcearch aarch64 --installroot /aarch64-linux-gnu --releasever=40 {noscripts} \
                     --setopt=reposdir=/etc/yum.repos.d install -y glibc-devel gcc"
            ),
        ),
        (
            rocky,
            &[
                "/usr/bin/dnf",
                "/usr/bin/yum",
                "/etc/yum.repos.d/a.repo",
                "/etc/dnf/vars/x",
                "/etc/yum/vars/y",
            ],
            "xx-yum",
            "install xx-cxx-essentials",
            format!(
                "exec /usr/bin/yum --forcearch aarch64 --installroot /aarch64-linux-gnu --releasever=9 {noscripts} \
                     --setopt=reposdir=/etc/yum.repos.d --setopt=varsdir=/etc/dnf/vars,/etc/yum/vars install \
                     libstdc++-devel gcc-c++"
            ),
        ),
        (
            "ID=amzn\nID_LIKE=fedora\nVERSION_ID=2023\n",
            &["/usr/bin/dnf", "/etc/dnf/vars/releasever"],
            "xx-dnf",
            "install x",
            format!(
                "exec /usr/bin/dnf --forcearch aarch64 --installroot /aarch64-linux-gnu {noscripts} \
                     --setopt=varsdir=/etc/dnf/vars install x"
            ),
        ),
        (
            fedora,
            &["/usr/bin/dnf5"],
            "xx-dnf",
            "install x",
            format!(
                "exec /usr/bin/dnf5 --forcearch aarch64 --installroot /aarch64-linux-gnu --releasever=40 {noscripts} \
                     --use-host-config install x"
            ),
        ),
        (
            "ID=debian\nVERSION_ID=12\n",
            &["/usr/bin/dnf"],
            "xx-dnf",
            "install x",
            format!(
                "exec /usr/bin/dnf --forcearch aarch64 --installroot /aarch64-linux-gnu {noscripts} install x"
            ),
        ),
    ];
    for (os, files, name, args, expected) in cases {
        let host = files.iter().fold(FakeHost::new(os), |host, file| host.file(file, ""));
        let cross = run(&host, name, args, &[("TARGETPLATFORM", "linux/arm64")]);
        assert!(cross.starts_with("lock /var/lock/xx-dnf\nmkdir /aarch64-linux-gnu\n"), "{cross}");
        assert_eq!(cross.lines().last(), Some(expected.as_str()), "{os}");
    }
    let host = FakeHost::new(fedora).programs_in("/usr/bin", &["microdnf"]);
    assert_eq!(
        run(&host, "xx-yum", "install x", &[]).lines().last(),
        Some("exec /usr/bin/microdnf install x")
    );
    let skipped = run(&host, "xx-dnf", "install x", &[("TARGETPLATFORM", "darwin/arm64")]);
    assert_eq!(skipped, "note 'skipping packages installation on darwin'\n");
    assert_eq!(run(&FakeHost::new(fedora), "xx-dnf", "install x", &[]), "error 127: dnf: not found\n");
}

/// What xx-dnf installs is where the compiler, pkg-config and `xx-info sysroot` look.
#[test]
fn the_root_of_rpm_packages() {
    let host = FakeHost::new("ID=fedora\nVERSION_ID=40\n")
        .programs_in("/usr/bin", &["clang", "clang++", "lld", "pkg-config"]);
    let vars = [("TARGETPLATFORM", "linux/arm64")];
    let setup = run(&host, "xx-clang", "--setup-target-triple", &vars);
    assert!(
        setup.contains("'--target=aarch64-linux-gnu -fuse-ld=lld --sysroot=/aarch64-linux-gnu/'"),
        "{setup}"
    );
    assert_eq!(run(&host, "xx-info", "sysroot", &vars), "print /aarch64-linux-gnu/\n");
    let pkg_config = run(&host, "xx-pkg-config", "--libs x", &vars);
    assert!(
        pkg_config.contains("PKG_CONFIG_LIBDIR=/aarch64-linux-gnu/usr/lib64/pkgconfig/:"),
        "{pkg_config}"
    );
}

#[test]
fn doctor_names_what_is_missing() {
    let host = FakeHost::new("ID=debian\nVERSION_ID=12\n")
        .programs_in("/usr/bin", &["clang", "lld", "cargo", "rustc", "rustup", "go", "qemu-aarch64"])
        .answer("rustc --print sysroot", "/rust\n")
        .file("/rust/lib/rustlib/aarch64-unknown-linux-gnu/lib/libstd.rlib", "")
        .file("/usr/include/aarch64-linux-gnu/c++/12/x", "")
        .file("/usr/lib/aarch64-linux-gnu/crt1.o", "");
    let report =
        run(&host, "xx-doctor", "linux/arm64 linux/s390x windows/amd64 linux/ppc64 linux/sparc64", &[]);
    for part in [
        "\nlinux/arm64: ready\n\nlinux/s390x: lacks\n",
        "  C: no suitable linker found for s390x-linux-gnu",
        "binutils-s390x-linux-gnu",
        "  C: headers and start files of the C library\n    TARGETPLATFORM=linux/s390x xx-apt-get install",
        "  C++: optional, headers of the C++ library\n",
        "  Rust: the standard library for s390x-unknown-linux-gnu\n    TARGETPLATFORM=linux/s390x xx-cargo --setup-target-triple\n",
        "  running: optional, qemu-s390x\n    apt-get install qemu-user-static\n",
        "\nwindows/amd64: lacks\n",
        "TARGETPLATFORM=windows/amd64 xx-apt-get install -y gcc\n",
        "\nlinux/ppc64: ready\n  C: optional, unsupported target: os=linux arch=ppc64",
        "\nlinux/sparc64: lacks\n  C: unsupported target: os=linux arch=sparc64",
        "  Go: optional, Go does not build for linux/sparc64\n",
        "exit 1",
    ] {
        assert!(report.contains(part), "{part} is missing in {report}");
    }
    let report = run(&host, "xx-doctor", "", &[("TARGETPLATFORM", "linux/arm64")]);
    assert!(!report.contains("lacks"), "{report}");
    let gcc = [("TARGETPLATFORM", "linux/arm64"), ("XX_CC_PREFER_COMPILER", "gcc")];
    assert!(
        run(&host, "xx-doctor", "", &gcc)
            .contains("  C: aarch64-linux-gnu-gcc not found\n    `apt-get install gcc-aarch64")
    );
    let report = run(&host, "xx-doctor", "freebsd/amd64 wasi/wasm", &[]);
    for remedy in ["unpack the base system of freebsd into a folder", "`apt-get install wasi-libc`\n"] {
        assert!(report.contains(remedy), "{remedy} is missing in {report}");
    }
    let unpacked = FakeHost::new("ID=debian\n")
        .programs_in("/usr/bin", &["clang", "lld"])
        .file("/b/usr/include/x.h", "");
    let vars = [("TARGETPLATFORM", "freebsd/amd64"), ("XX_SYSROOT", "/b")];
    let report = run(&unpacked, "xx-doctor", "", &vars);
    assert!(!report.contains("headers and start files"), "{report}");
    assert!(run(&host, "xx-doctor", "--help", &[]).starts_with("print 'Usage: xx doctor [PLATFORM]..."));
}

/// Scripts that source the original's list of linkers go on, with nothing in it.
#[test]
fn the_list_of_linkers_is_empty() {
    let text = include_str!("../../images/xx/root/usr/bin/xx-ld-shas");
    for name in ["LD_MIRRORS", "LD_SHAS", "LD64_SHAS"] {
        assert!(text.contains(&format!("export {name}=\"\"\n")), "{name}");
    }
}

/// A root of the target that the user unpacked: every tool looks there, and hands it on.
#[test]
fn a_sysroot_of_the_users() {
    let host = FakeHost::new("ID=debian\nVERSION_ID=12\n")
        .programs_in("/usr/bin", &["cargo", "rustc", "cc", "clang", "clang++", "lld", "pkg-config"])
        .programs_in("/usr/bin", &["go", "qemu-aarch64-static"])
        .answer("rustc --print sysroot", "/usr\n")
        .file("/usr/bin/aarch64-linux-gnu.cfg", "mine")
        .file("/usr/bin/aarch64-linux-gnu-clang", "")
        .file("/r/usr/lib/rustlib/aarch64-unknown-linux-gnu/lib/libstd.rlib", "")
        .file("/r/lib/ld-linux-aarch64.so.1", "");
    let vars: &[(&str, &str)] = &[("TARGETPLATFORM", "linux/arm64"), ("XX_SYSROOT", "/r/")];
    let cases: &[(&str, &str, &[&str])] = &[
        ("xx-info", "sysroot", &["print /r/"]),
        ("xx-info", "qemu", &["QEMU=/usr/bin/qemu-aarch64-static", "QEMU_LD_PREFIX=/r"]),
        (
            "xx-pkg-config",
            "--libs x",
            &["PKG_CONFIG_SYSROOT_DIR=/r", "PKG_CONFIG_LIBDIR=/r/usr/local/lib/aarch64-linux-gnu/pkgconfig:"],
        ),
        ("xx-go", "build", &["XX_SYSROOT=/r", "GOARCH=arm64", "CC=aarch64-linux-gnu-clang"]),
        (
            "xx-cargo",
            "build",
            &[
                "XX_SYSROOT=/r",
                "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS=--sysroot=/r/usr",
                "BINDGEN_EXTRA_CLANG_ARGS_aarch64_unknown_linux_gnu='--target=aarch64-linux-gnu --sysroot=/r'",
                "PKG_CONFIG_SYSROOT_DIR_aarch64_unknown_linux_gnu=/r",
                "QEMU_LD_PREFIX=/r",
            ],
        ),
    ];
    for (name, args, parts) in cases {
        let plan = run(&host, name, args, vars);
        for part in *parts {
            assert!(plan.contains(part), "{name}: {part} is missing in {plan}");
        }
        assert!(!plan.contains("xx-apt-get"), "nothing is installed beside the build machine's own: {plan}");
    }
    let native = run(&host, "xx-pkg-config", "--libs x", &[]);
    assert_eq!(native, "exec /usr/bin/pkg-config --libs x\n");
}
