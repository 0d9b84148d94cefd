//! xx-go on machines made of tables: what go is told of each target.

#![allow(clippy::type_complexity, reason = "cases are tables")]

mod support;

use support::{FakeHost, dry_run};
use xx_tools::dispatch;
use xx_tools::env::Env;

fn run(host: &FakeHost, name: &str, args: &str, vars: &[(&str, &str)]) -> String {
    let args: Vec<&str> = args.split(' ').filter(|arg| !arg.is_empty()).collect();
    dry_run(dispatch::plan(Env::new(name, &args, vars), host), host)
}

#[test]
fn go_for_the_target() {
    let host = || FakeHost::new("ID=debian\n").programs_in("/usr/local/bin", &["go"]);
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("TARGETPLATFORM", "linux/arm64")], "exec GOOS=linux GOARCH=arm64 /usr/local/bin/go build\n"),
        (
            &[("TARGETPLATFORM", "linux/arm/v6")],
            "exec GOOS=linux GOARCH=arm GOARM=6 /usr/local/bin/go build\n",
        ),
        (
            &[("TARGETPLATFORM", "linux/arm"), ("GOARM", "5")],
            "exec GOOS=linux GOARCH=arm /usr/local/bin/go build\n",
        ),
        (
            &[("TARGETPLATFORM", "linux/amd64/v3")],
            "exec GOOS=linux GOARCH=amd64 GOAMD64=v3 /usr/local/bin/go build\n",
        ),
        (
            &[("TARGETPLATFORM", "linux/mips/softfloat")],
            "exec GOOS=linux GOARCH=mips GOMIPS=softfloat /usr/local/bin/go build\n",
        ),
        (
            &[("TARGETPLATFORM", "linux/arm64/v9")],
            "exec GOOS=linux GOARCH=arm64 GOARM64=v9.0 /usr/local/bin/go build\n",
        ),
        (
            &[("TARGETPLATFORM", "linux/ppc64le/power9")],
            "exec GOOS=linux GOARCH=ppc64le GOPPC64=power9 /usr/local/bin/go build\n",
        ),
        (
            &[("TARGETPLATFORM", "linux/riscv64/rva22u64")],
            "exec GOOS=linux GOARCH=riscv64 GORISCV64=rva22u64 /usr/local/bin/go build\n",
        ),
        (
            &[("TARGETPLATFORM", "linux/386/softfloat")],
            "exec GOOS=linux GOARCH=386 GO386=softfloat /usr/local/bin/go build\n",
        ),
        (
            &[("TARGETPLATFORM", "linux/mips64le/softfloat")],
            "exec GOOS=linux GOARCH=mips64le GOMIPS64=softfloat /usr/local/bin/go build\n",
        ),
        (&[("TARGETPLATFORM", "plan9/arm")], "exec GOOS=plan9 GOARCH=arm GOARM=7 /usr/local/bin/go build\n"),
        (
            &[("TARGETPLATFORM", "openbsd/arm/v6")],
            "exec GOOS=openbsd GOARCH=arm GOARM=6 /usr/local/bin/go build\n",
        ),
        (&[("TARGETPLATFORM", "js/wasm")], "exec GOOS=js GOARCH=wasm /usr/local/bin/go build\n"),
        (&[("TARGETPLATFORM", "wasi/wasm")], "exec GOOS=wasip1 GOARCH=wasm /usr/local/bin/go build\n"),
        (&[("TARGETPLATFORM", "linux/ppc64")], "exec GOOS=linux GOARCH=ppc64 /usr/local/bin/go build\n"),
        (
            &[("TARGETPLATFORM", "windows/amd64"), ("CGO_ENABLED", "0"), ("XX_SYSROOT", "/no-such")],
            "exec XX_SYSROOT=/no-such GOOS=windows GOARCH=amd64 /usr/local/bin/go build\n",
        ),
        (&[("TARGETPLATFORM", "linux/sparc64")], "error 1: go does not build for linux/sparc64\n"),
        (
            &[("TARGETPLATFORM", "linux/nothing")],
            "error 1: unsupported target: os=linux arch=nothing variant=\n",
        ),
        (
            &[("TARGETPLATFORM", "linux/arm64"), ("GOPATH", "/go"), ("PATH", "/bin")],
            "exec GOOS=linux GOARCH=arm64 PATH=/go/bin/linux_arm64:/bin /usr/local/bin/go build\n",
        ),
    ];
    for (vars, expected) in cases {
        assert_eq!(run(&host(), "xx-go", "build", vars), *expected, "{vars:?}");
    }
    assert_eq!(run(&FakeHost::new(""), "xx-go", "build", &[]), "error 127: go: not found\n");
    let zig = host().programs_in("/usr/bin", &["zig"]);
    let plan = run(
        &zig,
        "xx-go",
        "build",
        &[("TARGETPLATFORM", "linux/arm/v5"), ("XX_GO_PREFER_C_COMPILER", "zig")],
    );
    assert!(plan.contains("CC='zig cc -target arm-linux-gnueabi'"), "{plan}");
    let pinned: &[(&str, &str)] =
        &[("TARGETPLATFORM", "linux/amd64/v2"), ("XX_GLIBC", "2.17"), ("XX_GO_PREFER_C_COMPILER", "")];
    let plan = run(&zig, "xx-go", "build", pinned);
    assert!(plan.contains("CC='zig cc -target x86_64-linux-gnu.2.17 -mcpu=x86_64_v2'"), "{plan}");
    let wrapped = host()
        .answer("go env GOENV", "/root/.config/go/env\n")
        .file("/root/.config/go/env", "GOPROXY=off\nGOOS=plan9\n");
    let plan = run(&wrapped, "xx-go", "--wrap", &[("TARGETPLATFORM", "linux/arm64"), ("CGO_ENABLED", "0")]);
    assert_eq!(plan, "write 644 /root/.config/go/env 'GOPROXY=off\nGOOS=linux\nGOARCH=arm64'\n");
    assert_eq!(run(&wrapped, "xx-go", "--unwrap", &[]), "write 644 /root/.config/go/env GOPROXY=off\n");
}

/// The C compiler for cgo: what is on PATH, what the user set, and what go is told.
#[test]
fn a_c_compiler_for_cgo() {
    let programs = ["go", "clang", "clang++", "lld", "aarch64-linux-gnu-gcc", "aarch64-linux-gnu-ar"];
    let host = || {
        FakeHost::new("ID=debian\n")
            .programs_in("/usr/bin", &programs)
            .file("/usr/bin/aarch64-linux-gnu.cfg", "mine")
            .file("/root/usr/lib/libc.a", "")
    };
    let arm64 = ("TARGETPLATFORM", "linux/arm64");
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[arm64], "CC=aarch64-linux-gnu-clang CXX=aarch64-linux-gnu-clang++ AR=aarch64-linux-gnu-ar"),
        (&[arm64, ("CC", "mine")], "CXX=aarch64-linux-gnu-clang++ AR=aarch64-linux-gnu-ar"),
        (&[arm64, ("CGO_ENABLED", "0")], ""),
        (&[arm64, ("XX_GO_PREFER_C_COMPILER", "gcc")], "CC=aarch64-linux-gnu-gcc"),
        (&[arm64, ("XX_GO_PREFER_C_COMPILER", "none")], "CC=aarch64-linux-gnu-gcc"),
        (&[arm64, ("XX_CC_PREFER_COMPILER", "gcc")], "CC=aarch64-linux-gnu-gcc"),
        (
            &[arm64, ("XX_CC_PREFER_COMPILER", "gcc"), ("XX_SYSROOT", "/root")],
            "CC='aarch64-linux-gnu-gcc --sysroot=/root'",
        ),
        (&[arm64, ("XX_GO_PREFER_C_COMPILER", "zig")], "CC=aarch64-linux-gnu-gcc"),
    ];
    for (vars, expected) in cases {
        let plan = run(&host(), "xx-go", "build", vars);
        let plan = plan.replace("exec XX_SYSROOT=/root ", "exec ");
        let middle =
            plan.trim_start_matches("exec GOOS=linux GOARCH=arm64").trim_end_matches(" /usr/bin/go build\n");
        assert_eq!(middle.trim(), *expected, "{vars:?}: {plan}");
    }
    // What is wrapped is for calls to come: C is set up whatever this one says.
    let wrapped = host().answer("go env GOENV", "/env\n");
    for vars in
        [&[arm64][..], &[arm64, ("CGO_ENABLED", "0")], &[arm64, ("CGO_ENABLED", "0"), ("XX_SYSROOT", "/no")]]
    {
        let plan = run(&wrapped, "xx-go", "--wrap", vars);
        let lines = "GOARCH=arm64\nCC=aarch64-linux-gnu-clang\nCXX=aarch64-linux-gnu-clang++\nAR=aarch64-linux-gnu-ar";
        assert!(plan.contains(lines), "{vars:?}: {plan}");
    }
    let gcc = host().programs_in("/usr/bin", &["xx-pkg-config"]);
    let plan = run(&gcc, "xx-go", "build", &[arm64, ("XX_CC_PREFER_COMPILER", "gcc")]);
    assert!(plan.contains(" PKG_CONFIG=/usr/bin/xx-pkg-config "), "{plan}");
    let off = host().answer("go env GOENV", "off\n");
    assert!(run(&off, "xx-go", "--wrap", &[arm64]).starts_with("error 1: xx-go --wrap: go has no file"));
    let debug = host();
    run(&debug, "xx-go", "build", &[arm64, ("CC", "mine")]);
    let reasons = debug.reasons.take().join("\n");
    assert!(reasons.contains("CC: left out, you set it"), "{reasons}");
}
