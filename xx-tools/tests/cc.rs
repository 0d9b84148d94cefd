//! xx-clang on machines made of tables: the exact configuration text, the links, and what is exec'd.

#![allow(
    clippy::indexing_slicing,
    clippy::type_complexity,
    clippy::unwrap_used,
    reason = "helpers of tests are test code, and cases are tables"
)]

mod support;

use support::compilers::{DEBIAN, alpine, debian, lld_that_links};
use support::{FakeHost, dry_run};
use xx_tools::env::Env;
use xx_tools::host::Host as _;
use xx_tools::tools::cc;

fn plan(host: &FakeHost, name: &str, args: &[&str], vars: &[(&str, &str)]) -> String {
    dry_run(cc::plan(Env::new(name, args, vars), host), host)
}

/// The line that a set-up writes for the target.
fn config(host: &FakeHost, vars: &[(&str, &str)]) -> String {
    let plan = plan(host, "xx-clang", &["--setup-target-triple"], vars);
    let line = plan.lines().find(|line| line.contains(".cfg '--target=")).map(str::to_owned);
    line.and_then(|line| Some(line.split_once('\'')?.1.trim_end_matches('\'').to_owned())).unwrap_or(plan)
}

#[test]
fn configuration_text() {
    let lld = ["lld"];
    let cases: &[(&FakeHost, &[(&str, &str)], &str)] = &[
        (&debian(&lld), &[("TARGETPLATFORM", "linux/arm64")], "--target=aarch64-linux-gnu -fuse-ld=lld"),
        (&debian(&lld), &[("TARGETPLATFORM", "linux/amd64")], "--target=x86_64-linux-gnu -fuse-ld=lld"),
        (&debian(&lld), &[("TARGETPLATFORM", "linux/arm/v6")], "--target=arm-linux-gnueabi -fuse-ld=lld"),
        (
            &debian(&["lld", "riscv64-linux-gnu-ld"]),
            &[("TARGETPLATFORM", "linux/riscv64")],
            "--target=riscv64-linux-gnu -fuse-ld=/usr/bin/riscv64-linux-gnu-ld",
        ),
        (
            &lld_that_links(&["elf64lriscv"], 16),
            &[("TARGETPLATFORM", "linux/riscv64"), ("RISCV64_TARGET_ARCH", "riscv64gc")],
            "--target=riscv64-linux-gnu -fuse-ld=lld",
        ),
        (
            &lld_that_links(&["elf64_s390"], 18),
            &[("TARGETPLATFORM", "linux/s390x")],
            "--target=s390x-linux-gnu -fuse-ld=lld",
        ),
        (
            &lld_that_links(&["aarch64linux"], 14).programs_in("/usr/bin", &["loongarch64-linux-gnu-ld"]),
            &[("TARGETPLATFORM", "linux/loong64")],
            "--target=loongarch64-linux-gnu -fuse-ld=/usr/bin/loongarch64-linux-gnu-ld",
        ),
        (
            &debian(&["lld", "powerpc64le-linux-gnu-ld"]),
            &[("TARGETPLATFORM", "linux/ppc64le"), ("XX_CC_PREFER_STATIC_LINKER", "1")],
            "--target=powerpc64le-linux-gnu -fuse-ld=/usr/bin/powerpc64le-linux-gnu-ld",
        ),
        (
            &debian(&["lld", "i686-linux-gnu-ld"]),
            &[("TARGETPLATFORM", "linux/386"), ("XX_CC_PREFER_STATIC_LINKER", "1")],
            "--target=i686-linux-gnu -fuse-ld=/usr/bin/i686-linux-gnu-ld",
        ),
        (
            &debian(&["lld", "ld"]),
            &[("TARGETPLATFORM", "linux/386"), ("XX_CC_PREFER_LINKER", "ld")],
            "--target=i686-linux-gnu -fuse-ld=/usr/bin/i686-linux-gnu-ld \
             -Wl,-rpath-link,/lib/i386-linux-gnu:/usr/lib/i386-linux-gnu",
        ),
        (
            &debian(&["lld", "ld"]),
            &[("TARGETPLATFORM", "linux/amd64"), ("XX_CC_PREFER_LINKER", "ld")],
            "--target=x86_64-linux-gnu -fuse-ld=/usr/bin/x86_64-linux-gnu-ld",
        ),
        (
            &debian(&lld),
            &[("TARGETPLATFORM", "linux/mips/softfloat")],
            "--target=mips-linux-gnu -fuse-ld=lld",
        ),
        (
            &debian(&lld),
            &[("TARGETPLATFORM", "darwin/arm64")],
            "--target=arm64-apple-macos11.0 -fuse-ld=ld64 -isysroot /xx-sdk/MacOSX11.1.sdk -stdlib=libc++",
        ),
        (
            &debian(&["ld64.signed"]).file("/xx-sdk/MacOSX11.2.sdk/SDKSettings.json", ""),
            &[("TARGETPLATFORM", "darwin/amd64")],
            "--target=x86_64-apple-macos10.6 -fuse-ld=/usr/bin/ld64.signed -isysroot /xx-sdk/MacOSX11.2.sdk -stdlib=libc++",
        ),
        (
            &debian(&lld),
            &[("TARGETPLATFORM", "windows/arm64")],
            "--target=aarch64-w64-mingw32 -fuse-ld=lld -I/usr/aarch64-w64-mingw32/include -L/usr/aarch64-w64-mingw32/lib",
        ),
        (
            &alpine(&lld),
            &[("TARGETPLATFORM", "linux/arm64")],
            "--target=aarch64-alpine-linux-musl -fuse-ld=lld --sysroot=/aarch64-alpine-linux-musl/",
        ),
        (
            &alpine(&["lld", "riscv64-alpine-linux-musl-ld"]),
            &[("TARGETPLATFORM", "linux/riscv64")],
            "--target=riscv64-alpine-linux-musl -fuse-ld=/usr/bin/riscv64-alpine-linux-musl-ld \
             --sysroot=/riscv64-alpine-linux-musl/ -Wl,-rpath-link,/riscv64-alpine-linux-musl/usr/lib",
        ),
    ];
    for (host, vars, expected) in cases {
        assert_eq!(config(host, vars), *expected, "{vars:?}");
    }
}

/// Linkers that the original does not know.
#[test]
fn other_linkers() {
    let vars = &[("TARGETPLATFORM", "linux/arm64"), ("XX_CC_PREFER_LINKER", "mold")];
    assert_eq!(config(&debian(&["lld", "ld.mold"]), vars), "--target=aarch64-linux-gnu -fuse-ld=mold");
    let missing = plan(&debian(&["lld"]), "xx-clang", &["--setup-target-triple"], vars);
    assert!(missing.contains("note 'note: XX_CC_PREFER_LINKER=mold: no ld.mold on PATH"), "{missing}");
    assert!(missing.contains("--target=aarch64-linux-gnu -fuse-ld=lld"), "{missing}");
}

#[test]
fn the_sysroot() {
    let lld = ["lld"];
    let cases: &[(FakeHost, &str, &str)] = &[
        (debian(&lld), "linux/arm64", "/"),
        (debian(&lld), "darwin/arm64", "/xx-sdk/MacOSX11.1.sdk"),
        (alpine(&lld), "linux/arm64", "/aarch64-alpine-linux-musl/"),
        (alpine(&lld), "linux/amd64", "/"),
        (alpine(&lld), "darwin/arm64", "/xx-sdk/MacOSX11.1.sdk"),
    ];
    for (host, platform, expected) in cases {
        let plan = plan(host, "xx-clang", &["--print-sysroot"], &[("TARGETPLATFORM", platform)]);
        assert_eq!(plan.lines().last(), Some(format!("print {expected}").as_str()), "{platform}: {plan}");
    }
}

#[test]
fn set_up_makes_the_prefixed_programs() {
    let host =
        debian(&["lld", "llvm-ar", "llvm-strip", "llvm-objcopy", "aarch64-linux-gnu-strip", "pkg-config"]);
    let plan = plan(&host, "xx-clang", &["--setup-target-triple"], &[("TARGETPLATFORM", "linux/arm64")]);
    for line in [
        "link /usr/local/bin/clang -> /usr/bin/xx-clang",
        "write 644 /usr/lib/llvm-14/bin/aarch64-linux-gnu.cfg '--target=aarch64-linux-gnu -fuse-ld=lld'",
        "link /usr/bin/aarch64-linux-gnu.cfg -> /usr/lib/llvm-14/bin/aarch64-linux-gnu.cfg",
        "link /usr/bin/aarch64-linux-gnu-clang++ -> /usr/bin/xx",
        "link /usr/bin/aarch64-linux-gnu-ar -> llvm-ar",
        "link /usr/bin/aarch64-linux-gnu-objcopy -> llvm-objcopy",
        "link /usr/bin/aarch64-linux-gnu-pkg-config -> /usr/bin/xx",
        "link /usr/bin/aarch64-linux-gnu-gcc -> /usr/bin/xx",
        "link /usr/bin/aarch64-linux-gnu-c++ -> /usr/bin/xx",
    ] {
        assert!(plan.lines().any(|found| found == line), "{line} is missing in\n{plan}");
    }
    assert!(!plan.contains("aarch64-linux-gnu-strip -> "), "a strip of another package stays\n{plan}");
    assert!(!plan.contains("xx-default.cfg"), "the default is for the native target only\n{plan}");
}

/// Without LLVM's, what configure scripts and CMake would take instead is the build machine's own strip, which does not know
/// foreign programs: a link to this program names what is missing.
#[test]
fn a_strip_that_is_not_installed() {
    let native = "x86_64-linux-gnu";
    let cases = [
        ("linux/arm64", "aarch64-linux-gnu", "elf_x86_64", true),
        ("linux/s390x", "s390x-linux-gnu", "elf64_s390", false),
        ("linux/386", "i686-linux-gnu", "elf_x86_64\n   elf_i386", false),
        ("linux/amd64", native, "elf_x86_64", false),
    ];
    for (platform, triple, emulations, is_linked) in cases {
        let host = debian(&["lld", "ld", "strip", "objcopy"])
            .answer("ld -V", &format!("GNU ld\n  Supported emulations:\n   {emulations}\n"));
        let plan = plan(&host, "xx-clang", &["--setup-target-triple"], &[("TARGETPLATFORM", platform)]);
        for tool in ["strip", "objcopy"] {
            let line = format!("link /usr/bin/{triple}-{tool} -> /usr/bin/xx\n");
            assert_eq!(plan.contains(&line), is_linked, "{platform}:\n{plan}");
        }
        assert!(!plan.contains("-nm -> "), "host's nm and ar read foreign objects\n{plan}");
    }
}

#[test]
fn calls() {
    let ready = || {
        debian(&["lld"]).file("/usr/bin/aarch64-linux-gnu.cfg", "--target=aarch64-linux-gnu -fuse-ld=lld\n")
    };
    let arm64: &[(&str, &str)] = &[("TARGETPLATFORM", "linux/arm64")];
    let v2: &[(&str, &str)] = &[("TARGETPLATFORM", "linux/arm64"), ("TARGETVARIANT", "v8.2")];
    let cases: &[(FakeHost, &str, &[&str], &[(&str, &str)], &str)] = &[
        (
            ready(),
            "xx-clang",
            &["-c", "a b.c"],
            arm64,
            "exec /usr/bin/clang --config /usr/bin/aarch64-linux-gnu.cfg -c 'a b.c'\n",
        ),
        (
            ready(),
            "xx-c++",
            &["x.cc"],
            arm64,
            "exec /usr/bin/clang++ --config /usr/bin/aarch64-linux-gnu.cfg x.cc\n",
        ),
        (
            ready(),
            "xx-cc",
            &["x.c"],
            v2,
            "exec /usr/bin/clang --config /usr/bin/aarch64-linux-gnu.cfg -march=armv8.2-a x.c\n",
        ),
        (ready(), "clang", &["x.c"], arm64, "exec /usr/bin/clang x.c\n"),
        (
            ready(),
            "clang",
            &["--target=aarch64-linux-gnu", "x.c"],
            &[],
            "exec /usr/bin/clang --config /usr/bin/aarch64-linux-gnu.cfg --target=aarch64-linux-gnu x.c\n",
        ),
        (ready(), "xx-clang", &["--config", "f", "x.c"], arm64, "exec /usr/bin/clang --config f x.c\n"),
        (ready(), "xx-clang", &["--config=f", "x.c"], arm64, "exec /usr/bin/clang --config=f x.c\n"),
        (ready(), "xx-clang", &["--print-target-triple"], arm64, "print aarch64-linux-gnu\n"),
        (ready(), "xx-c++", &["-print-target-triple"], arm64, "print aarch64-linux-gnu\n"),
        (ready(), "xx-clang", &["--print-sysroot"], arm64, "print /\n"),
        (ready(), "xx-clang", &["--wrap"], arm64, "write 644 /.xx-cc-autowrap ''\n"),
        (ready(), "xx-clang", &["--unwrap"], arm64, "remove /.xx-cc-autowrap\n"),
        (
            ready().file("/.xx-cc-autowrap", ""),
            "clang",
            &["--print-target-triple"],
            arm64,
            "print aarch64-linux-gnu\n",
        ),
        (
            ready(),
            "xx-clang",
            &["x.c"],
            &[("TARGETPLATFORM", "linux/ppc64")],
            "error 1: unsupported target: os=linux arch=ppc64 variant=\n",
        ),
        (
            FakeHost::new(DEBIAN),
            "xx-clang",
            &["--print-target-triple"],
            arm64,
            "error 1: /usr/bin/clang not found\n",
        ),
        (
            debian(&[]),
            "xx-clang",
            &["--setup-target-triple"],
            arm64,
            "lock /var/lock/xx-cc\nerror 1: no suitable linker found for aarch64-linux-gnu. Please install lld or ld for your target\n",
        ),
    ];
    for (host, name, args, vars, expected) in cases {
        assert_eq!(plan(host, name, args, vars), *expected, "{name} {args:?}");
    }
}

#[test]
fn only_a_versioned_clang() {
    let host = FakeHost::new(DEBIAN).programs_in("/usr/bin", &["clang-9", "clang-16", "clang-tidy", "lld"]);
    let plan = plan(&host, "clang", &["x.c"], &[]);
    assert_eq!(plan, "exec /usr/bin/clang-16 x.c\n");
}

/// A set-up is made anew when what it was made from changes, and left alone when the user wrote the file.
#[test]
fn set_up_follows_what_is_installed() {
    let vars: &[(&str, &str)] = &[("TARGETPLATFORM", "linux/arm64"), ("PATH", "/usr/bin")];
    let mut host = debian(&["lld"]);
    let first = plan(&host, "xx-clang", &["--setup-target-triple"], vars);
    let stamp = first
        .split_once("/var/lib/xx/aarch64-linux-gnu '")
        .unwrap()
        .1
        .trim_end()
        .trim_end_matches('\'')
        .to_owned()
        + "\n";
    host = host
        .file("/usr/bin/aarch64-linux-gnu.cfg", "--target=aarch64-linux-gnu -fuse-ld=lld\n")
        .file("/var/lib/xx/aarch64-linux-gnu", &stamp);
    assert_eq!(host.read(std::path::Path::new("/var/lib/xx/aarch64-linux-gnu")).unwrap(), stamp);
    let again = plan(&host, "xx-clang", &["--setup-target-triple"], vars);
    assert!(again.starts_with("write 644 /var/lib/xx/"), "nothing that matters changed: {again}");
    let host = host.programs_in("/usr/bin", &["llvm-ar"]);
    let second = plan(&host, "xx-clang", &["--setup-target-triple"], vars);
    assert!(second.contains("link /usr/bin/aarch64-linux-gnu-ar -> llvm-ar"), "{second}");
    let host = host.file("/usr/bin/aarch64-linux-gnu.cfg", "--target=aarch64-linux-gnu --my-own\n");
    assert_eq!(plan(&host, "xx-clang", &["--setup-target-triple"], vars), "", "the user's own file");
}

/// Dockerfiles name the linker in the call that sets up, and not in those that follow: what each later call says, and
/// the linker then.
#[test]
fn the_preferred_linker_is_said_once() {
    let vars = |more: &[(&'static str, &'static str)]| {
        [&[("TARGETPLATFORM", "linux/arm64"), ("PATH", "/usr/bin")], more].concat()
    };
    let host = debian(&["lld", "aarch64-linux-gnu-ld"]);
    let first = plan(&host, "xx-clang", &["--setup-target-triple"], &vars(&[("XX_CC_PREFER_LINKER", "ld")]));
    let stamp = first.split_once("/var/lib/xx/aarch64-linux-gnu '").unwrap().1.trim_end_matches("'\n");
    let host = host
        .file(
            "/usr/bin/aarch64-linux-gnu.cfg",
            "--target=aarch64-linux-gnu -fuse-ld=/usr/bin/aarch64-linux-gnu-ld\n",
        )
        .file("/var/lib/xx/aarch64-linux-gnu", &format!("{stamp}\n"))
        .programs_in("/usr/bin", &["llvm-ar"]);
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[], "-fuse-ld=/usr/bin/aarch64-linux-gnu-ld"),
        (&[("XX_CC_PREFER_LINKER", "lld")], "-fuse-ld=lld"),
        (&[("XX_CC_PREFER_LINKER", "")], "-fuse-ld=lld"),
    ];
    for (more, linker) in cases {
        let found = config(&host, &vars(more));
        assert_eq!(found, format!("--target=aarch64-linux-gnu {linker}"), "{more:?}");
    }
    let mut host = host;
    host.files.remove(std::path::Path::new("/usr/bin/aarch64-linux-gnu.cfg"));
    assert_eq!(config(&host, &vars(&[])), "--target=aarch64-linux-gnu -fuse-ld=lld", "set-up was undone");
}

/// The file for calls without a target: what was there, and whether it is written anew.
#[test]
fn the_default_configuration() {
    let cases = [
        (None, true),
        (Some("-fuse-ld=/usr/bin/gone-ld\n"), true),
        (Some("-fuse-ld=lld\n"), false),
        (Some("-fuse-ld=lld --rtlib=compiler-rt\n"), false),
        (Some("-O3\n"), false),
    ];
    for (text, expected) in cases {
        let mut host = debian(&["lld"]);
        if let Some(text) = text {
            host = host.file("/etc/llvm/xx-default.cfg", text);
        }
        let plan = plan(&host, "xx-clang", &["--setup-target-triple"], &[]);
        assert_eq!(
            plan.contains("write 644 /etc/llvm/xx-default.cfg -fuse-ld=lld"),
            expected,
            "{text:?}: {plan}"
        );
    }
}

/// The triples of Rust on Alpine, whose folders have another name for 32-bit x86 and arm v6.
#[test]
fn alpine_folders_under_another_vendor() {
    let host = alpine(&["lld"])
        .file("/armv6-alpine-linux-musleabihf/usr/lib/gcc/armv6-alpine-linux-musleabihf/13/x", "");
    let vars = [("TARGETPLATFORM", "linux/arm/v6"), ("XX_VENDOR", "unknown")];
    let plan = plan(&host, "xx-clang", &["--setup-target-triple"], &vars);
    let line = "link /arm-unknown-linux-musleabi -> armv6-alpine-linux-musleabihf";
    assert!(plan.lines().any(|found| found == line), "{line} is missing in\n{plan}");
}

#[test]
fn other_compilers() {
    let host = || debian(&["lld", "zig", "aarch64-linux-gnu-gcc", "gcc", "x86_64-linux-gnu-ar"]);
    let cases: &[(&str, &str, &str, &[&str], &str)] = &[
        ("linux/arm64", "gcc", "xx-cc", &["x.c"], "exec aarch64-linux-gnu-gcc x.c\n"),
        ("linux/arm64", "gcc", "xx-c++", &["x.cc"], "exec aarch64-linux-gnu-g++ x.cc\n"),
        ("linux/amd64/v3", "gcc", "xx-cc", &["x.c"], "exec gcc -march=x86-64-v3 x.c\n"),
        ("linux/amd64/v3", "gcc", "xx-cc", &["-mcpu=native", "x.c"], "exec gcc -mcpu=native x.c\n"),
        ("linux/s390x", "gcc", "xx-cc", &["x.c"], "error 127: s390x-linux-gnu-gcc not found\n"),
        ("linux/arm64", "zig", "xx-cc", &["x.c"], "exec zig cc -target aarch64-linux-gnu x.c\n"),
        (
            "linux/amd64/v3",
            "zig",
            "xx-cc",
            &["x.c"],
            "exec zig cc -target x86_64-linux-gnu -mcpu=x86_64_v3 x.c\n",
        ),
        (
            "linux/arm/v6",
            "zig",
            "xx-clang++",
            &["x.cc"],
            "exec zig c++ -target arm-linux-gnueabi -mcpu=arm1176jzf_s x.cc\n",
        ),
        ("linux/arm64", "zig", "xx-cc", &["--print-target-triple"], "print aarch64-linux-gnu\n"),
        ("linux/arm64", "tcc", "xx-cc", &["x.c"], "error 1: XX_CC_PREFER_COMPILER: no compiler `tcc`\n"),
    ];
    for (platform, compiler, name, args, expected) in cases {
        let vars = [("TARGETPLATFORM", *platform), ("XX_CC_PREFER_COMPILER", *compiler)];
        assert_eq!(plan(&host(), name, args, &vars), *expected, "{platform} {compiler}");
    }
    // Alpine's own armhf packages pass floats in registers.
    let vars = [("TARGETPLATFORM", "linux/arm/v6"), ("XX_CC_PREFER_COMPILER", "zig")];
    let zig = plan(&alpine(&["zig"]), "xx-cc", &["x.c"], &vars);
    assert_eq!(zig, "exec zig cc -target arm-linux-musleabihf -mcpu=arm1176jzf_s x.c\n");
}

/// A pinned glibc: platform, preferred compiler, glibc, and what happens.
#[test]
fn zig_with_an_older_glibc() {
    let cases = [
        ("linux/arm64", "zig", "2.17", "exec zig cc -target aarch64-linux-gnu.2.17 x.c\n"),
        ("linux/amd64", "", "2.17", "exec zig cc -target x86_64-linux-gnu.2.17 x.c\n"),
        ("linux/amd64", "gcc", "2.17", "error 1: XX_GLIBC=2.17: only zig links against another glibc\n"),
        ("linux/amd64", "", "old", "error 1: XX_GLIBC=old: not a version\n"),
        ("windows/amd64", "zig", "2.17", "error 1: XX_GLIBC=2.17: windows/amd64 is not built for glibc\n"),
    ];
    for (platform, compiler, glibc, expected) in cases {
        let vars = [("TARGETPLATFORM", platform), ("XX_CC_PREFER_COMPILER", compiler), ("XX_GLIBC", glibc)];
        assert_eq!(plan(&debian(&["zig"]), "xx-cc", &["x.c"], &vars), expected, "{platform} {compiler}");
    }
}

/// Flags that a variant becomes; the user's own word on the processor is the last.
#[test]
fn variants_are_flags() {
    let cases: &[(&str, &str, &str)] = &[
        ("linux/amd64/v3", "x.c", "-march=x86-64-v3 x.c"),
        ("linux/amd64/v3", "-march=native", "-march=native"),
        ("linux/arm/v5", "x.c", "-march=armv5te x.c"),
        ("linux/arm/v6", "x.c", "-march=armv6 -mfpu=vfp x.c"),
        ("linux/arm/v7", "x.c", "-march=armv7-a -mfpu=vfpv3-d16 x.c"),
        ("linux/arm/v7", "-mcpu=cortex-a7", "-mcpu=cortex-a7"),
        ("linux/mips/softfloat", "x.c", "-msoft-float x.c"),
        ("linux/arm64/v8.2", "x.c", "-march=armv8.2-a x.c"),
        ("linux/arm64", "x.c", "x.c"),
    ];
    for (platform, arg, expected) in cases {
        let vars = [("TARGETPLATFORM", *platform)];
        let host = debian(&["lld"]);
        let direct = plan(&host, "xx-clang", &[arg], &vars);
        assert!(direct.ends_with(&format!("exec /usr/bin/clang {expected}\n")), "{platform}: {direct}");
        let triple = plan(&host, "xx-clang", &["--print-target-triple"], &vars);
        let triple = triple.lines().last().unwrap().trim_start_matches("print ");
        let cfg = format!("/usr/bin/{triple}.cfg");
        let host = host.file(&cfg, "");
        let prefixed = dry_run(
            xx_tools::dispatch::plan(Env::new(&format!("{triple}-clang"), &[arg], &vars), &host),
            &host,
        );
        assert_eq!(prefixed, format!("exec /usr/bin/clang --config {cfg} {expected}\n"), "{platform}");
    }
    let other = Env::new("x86_64-linux-gnu-clang", &["x.c"], &[("TARGETPLATFORM", "linux/arm/v7")]);
    let host = debian(&["lld"]).file("/usr/bin/x86_64-linux-gnu.cfg", "");
    let found = dry_run(xx_tools::dispatch::plan(other, &host), &host);
    let config = "exec /usr/bin/clang --config /usr/bin/x86_64-linux-gnu.cfg";
    assert_eq!(found, format!("{config} x.c\n"), "the variant is the target's only");
}

/// Without its configuration `TRIPLE-clang` would build for the build machine: set-up is made again, or the call fails.
#[test]
fn a_prefix_without_its_set_up() {
    let call = |host: &FakeHost| {
        let env = Env::new("aarch64-linux-gnu-clang", &["x.c"], &[]);
        dry_run(xx_tools::dispatch::plan(env, host), host)
    };
    let again = call(&debian(&["lld"]));
    assert!(again.contains("/aarch64-linux-gnu.cfg '--target=aarch64-linux-gnu -fuse-ld=lld'\n"), "{again}");
    let last = "exec /usr/bin/clang --config /usr/bin/aarch64-linux-gnu.cfg x.c\n";
    assert!(again.ends_with(last), "{again}");
    assert!(call(&debian(&[])).contains("error 1: no suitable linker found for aarch64-linux-gnu"));
}

/// LLVM's programs would take `.0-ar` for the end of a file's name.
#[test]
fn programs_under_a_triple_with_a_dot() {
    let host = debian(&["lld", "ld64", "llvm-ar", "llvm-install-name-tool"]);
    let vars = [("TARGETPLATFORM", "darwin/arm64")];
    let setup = plan(&host, "xx-clang", &["--setup-target-triple"], &vars);
    for line in [
        "link /usr/bin/arm64-apple-macos11.0-ar -> /usr/bin/xx",
        "link /usr/bin/arm64-apple-macos11.0-install_name_tool -> /usr/bin/xx",
        "link /usr/bin/xcrun -> /usr/bin/xx",
    ] {
        assert!(setup.lines().any(|found| found == line), "{line} is missing in\n{setup}");
    }
    let cases = [
        ("arm64-apple-macos11.0-ar", "exec /usr/bin/llvm-ar x\n"),
        ("arm64-apple-macos11.0-install_name_tool", "exec /usr/bin/llvm-install-name-tool x\n"),
        ("arm64-apple-macos11.0-strip", "error 127: llvm-strip: not found\n"),
    ];
    for (name, expected) in cases {
        let found = dry_run(xx_tools::dispatch::plan(Env::new(name, &["x"], &vars), &host), &host);
        assert_eq!(found, expected, "{name}");
    }
}

/// What XX_DEBUG prints of a first call.
#[test]
fn each_choice_has_a_reason() {
    let host = lld_that_links(&["aarch64linux"], 14);
    plan(&host, "xx-clang", &["x.c"], &[("TARGETPLATFORM", "linux/arm64")]);
    let reasons = host.reasons.take().join("\n");
    for part in [
        "set-up of aarch64-linux-gnu: missing",
        "linker of aarch64-linux-gnu: lld, preferred, and it says that it links for the target",
        "compiler: /usr/bin/clang, the first that is no link to this program",
    ] {
        assert!(reasons.contains(part), "{part} is missing in\n{reasons}");
    }
}

/// An ordinary user takes what root has set up, and sets up other targets in the cache.
#[test]
fn without_rights() {
    let host =
        debian(&["lld"]).file("/usr/bin/aarch64-linux-gnu.cfg", "--target=aarch64-linux-gnu -fuse-ld=lld\n");
    let host = FakeHost { read_only: true, ..host };
    let call = |platform: &str| {
        plan(&host, "xx-clang", &["x.c"], &[("TARGETPLATFORM", platform), ("HOME", "/home/u")])
    };
    assert_eq!(call("linux/arm64"), "exec /usr/bin/clang --config /usr/bin/aarch64-linux-gnu.cfg x.c\n");
    assert!(
        call("linux/386").contains("write 644 /home/u/.cache/xx/bin/i686-linux-gnu.cfg"),
        "{}",
        call("linux/386")
    );
}

/// `XX_SYSROOT` is for the target of the environment; `XX_SETUP_DIR` takes all files of set-up.
#[test]
fn a_sysroot_and_a_folder_of_the_users() {
    let vars: &[(&str, &str)] =
        &[("TARGETPLATFORM", "linux/arm64"), ("XX_SYSROOT", "root/"), ("XX_SETUP_DIR", "/made")];
    let bare = debian(&["lld", "llvm-ar"]);
    let setup = plan(&bare, "xx-clang", &["--setup-target-triple"], vars);
    for line in setup.lines().filter(|line| line.starts_with("write ") || line.starts_with("link ")) {
        assert!(line.contains(" /made/"), "set-up leaves its folder: {line}");
    }
    let host = || {
        debian(&["lld", "qemu-aarch64-static", "aarch64-linux-gnu-gcc"])
            .file("/made/bin/aarch64-linux-gnu.cfg", "--target=aarch64-linux-gnu -fuse-ld=lld\n")
            .file("/made/bin/aarch64-linux-gnu-ar", "")
            .file("/w/root/lib/ld-linux-aarch64.so.1", "")
    };
    let in_w = |name: &str, args: &[&str], vars: &[(&str, &str)]| {
        let env = Env { cwd: "/w".into(), ..Env::new(name, args, vars) };
        dry_run(cc::plan(env, &host()), &host())
    };
    let gcc: Vec<_> = vars.iter().copied().chain([("XX_CC_PREFER_COMPILER", "gcc")]).collect();
    let cfg = "--config /made/bin/aarch64-linux-gnu.cfg";
    let cases: &[(&str, &[&str], &[(&str, &str)], String)] = &[
        ("xx-clang", &["x.c"], vars, format!("exec /usr/bin/clang {cfg} --sysroot=/w/root x.c\n")),
        ("xx-clang", &["--print-sysroot"], vars, "print /w/root\n".to_owned()),
        ("xx-cc", &["x.c"], &gcc, "exec aarch64-linux-gnu-gcc --sysroot=/w/root x.c\n".to_owned()),
        ("clang", &["x.c"], vars, "exec /usr/bin/clang x.c\n".to_owned()),
    ];
    for (name, args, vars, expected) in cases {
        assert_eq!(in_w(name, args, vars), *expected, "{name} {args:?}");
    }
    let cmake = in_w("xx-clang", &["--print-cmake-toolchain"], vars);
    for line in [
        "set(CMAKE_C_COMPILER \"/made/bin/aarch64-linux-gnu-clang\")",
        "set(CMAKE_AR \"/made/bin/aarch64-linux-gnu-ar\")",
        "set(CMAKE_SYSROOT \"/w/root\")",
        "set(CMAKE_LIBRARY_ARCHITECTURE \"aarch64-linux-gnu\")",
        "set(CMAKE_CROSSCOMPILING_EMULATOR \"/usr/bin/qemu-aarch64-static;-L;/w/root\")",
    ] {
        assert!(cmake.contains(line), "{line} is missing in {cmake}");
    }
    let meson = in_w("xx-clang", &["--print-meson-cross"], vars);
    let meson = meson.replace("'\\''", "'");
    assert!(meson.contains("exe_wrapper = ['/usr/bin/qemu-aarch64-static', '-L', '/w/root']"), "{meson}");
}
