//! xx-apt against a Debian machine made of tables: which packages, and what happens before.

#![allow(clippy::type_complexity, reason = "cases are tables")]

mod support;

use support::{FakeHost, dry_run, explained};
use xx_tools::env::Env;
use xx_tools::tools::apt;

fn debian() -> FakeHost {
    let list = |arch: &str, packages: &[&str]| {
        let stanza = |name: &&str| format!("Package: {name}\nArchitecture: {arch}\n\n");
        packages.iter().map(stanza).collect::<String>() + "Package: ca-certificates\nArchitecture: all\n"
    };
    let native = [
        "gcc-aarch64-linux-gnu",
        "libc6-dev-arm64-cross",
        "gcc-x86-64-linux-gnu",
        "gcc-mingw-w64-x86-64",
        "libgcc-12-dev",
    ];
    FakeHost::new("ID=debian\nVERSION_ID=\"12\"\n")
        .file("/etc/debian_version", "12.9\n")
        .programs_in("/usr/bin", &["dpkg", "apt", "apt-get"])
        .answer("dpkg --print-architecture", "amd64\n")
        .answer("dpkg --print-foreign-architectures", "arm64\n")
        .file("/var/lib/apt/lists/m_binary-amd64_Packages", &list("amd64", &native))
        .file(
            "/var/lib/apt/lists/m_binary-arm64_Packages",
            &list("arm64", &["libgcc-9-dev", "libgcc-14-dev", "libstdc++-14-dev"]),
        )
}

/// Platform, arguments after the tool's name, the last line of the plan.
#[test]
fn packages_of_the_target() {
    let cases = [
        ("linux/arm64", "install -y file", "exec apt install -y file:arm64"),
        ("linux/arm64", "show gcc", "exec apt show gcc-aarch64-linux-gnu"),
        ("linux/arm64", "show libc6-dev", "exec apt show libc6-dev:arm64"),
        ("linux/arm64", "install ca-certificates", "exec apt install ca-certificates"),
        (
            "linux/arm64",
            "install zlib1g-dev=1.2 foo:amd64 ./x.deb bar-",
            "exec apt install zlib1g-dev:arm64=1.2 foo:amd64 ./x.deb bar:arm64-",
        ),
        ("linux/arm64", "-t sid install -o A=b foo", "exec apt -t sid install -o A=b foo:arm64"),
        ("linux/arm64", "install xx-c-essentials", "exec apt install libc6-dev:arm64 libgcc-14-dev:arm64"),
        ("linux/arm64", "install xx-cxx-essentials", "exec apt install libstdc++-14-dev:arm64"),
        ("linux/arm64", "install -yt sid foo", "exec apt install -yt sid foo:arm64"),
        ("linux/arm64", "show -a foo", "exec apt show -a foo:arm64"),
        ("linux/arm64", "list lib*", "exec apt list 'lib*:arm64'"),
        ("linux/arm64", "search foo", "exec apt search foo"),
        (
            "linux/arm64",
            "install gcc=12 gcc:arm64 gcc-",
            "exec apt install gcc-aarch64-linux-gnu=12 gcc:arm64 gcc-aarch64-linux-gnu-",
        ),
        ("linux/amd64", "install file", "exec apt install file"),
        (
            "linux/amd64",
            "install foo:i386 xx-c-essentials",
            "exec apt install foo:i386 libc6-dev libgcc-12-dev",
        ),
        ("windows/amd64", "install gcc", "exec apt install gcc-mingw-w64-x86-64"),
        ("windows/amd64", "install xx-c-essentials", "note 'skipping packages installation on windows'"),
        ("darwin/arm64", "install foo", "note 'skipping packages installation on darwin'"),
        ("darwin/arm64", "update", "note 'skipping packages installation on darwin'"),
        ("linux/mips64le", "install foo", "note 'skipping packages installation on mips64le'"),
        (
            "linux/riscv64",
            "install foo",
            "note 'skipping packages installation on riscv64. riscv64 requires debian 13+'",
        ),
        ("linux/arm64", "update", "exec apt update"),
        ("linux/arm64", "build-dep foo", "exec apt build-dep foo"),
        ("linux/arm64", "", "exec apt"),
        ("linux/arm64", "--print-source-file", "print /etc/apt/sources.list"),
    ];
    for (platform, args, expected) in cases {
        let args: Vec<&str> = args.split_whitespace().collect();
        let env = Env::new("xx-apt", &args, &[("TARGETPLATFORM", platform)]);
        let host = debian();
        let plan = dry_run(apt::plan(env, &host), &host);
        assert_eq!(plan.lines().last(), Some(expected), "{platform} {args:?}:\n{plan}");
    }
}

/// Commands that take no packages are apt's under either name, as in the original.
#[test]
fn other_commands_are_apts() {
    let host = debian();
    let env = Env::new("xx-apt-get", &["update"], &[("TARGETPLATFORM", "linux/arm64")]);
    assert_eq!(dry_run(apt::plan(env, &host), &host), "exec apt update\n");
}

/// A package that lies on disk needs no lists, and no network.
#[test]
fn a_file_needs_no_lists() {
    let host = FakeHost::new("ID=debian\n")
        .programs_in("/usr/bin", &["apt-get"])
        .answer("dpkg --print-foreign-architectures", "s390x\n");
    let run = |word: &str| {
        let env = Env::new("xx-apt-get", &["install", word], &[("TARGETPLATFORM", "linux/s390x")]);
        dry_run(apt::plan(env, &host), &host)
    };
    assert!(run("./x.deb").ends_with("exec apt-get install ./x.deb\n"), "{}", run("./x.deb"));
    assert!(
        run("x").ends_with("error 100: no package lists for s390x after `apt-get update`\n"),
        "{}",
        run("x")
    );
}

#[test]
fn each_choice_has_a_reason() {
    let vars = [("TARGETPLATFORM", "linux/arm64")];
    let host = debian();
    let words = ["install", "gcc", "foo", "ca-certificates", "bar:i386", "xx-cxx-essentials"];
    dry_run(apt::plan(Env::new("xx-apt-get", &words, &vars), &host), &host);
    let reasons = host.reasons.take().join("\n");
    for part in [
        "package lists for arm64: there: no update",
        "xx-cxx-essentials: libstdc++-14-dev is the newest in the lists of arm64",
        "package gcc: gcc-aarch64-linux-gnu, a cross tool in the lists",
        "package foo: foo:arm64, the target's own",
        "package ca-certificates: ca-certificates, one package for all architectures",
        "package bar:i386: bar:i386, named whole",
    ] {
        assert!(reasons.contains(part), "{part} is missing in\n{reasons}");
    }
}

#[test]
fn cross_packages_on_demand() {
    let env = Env::new(
        "xx-apt",
        &["show", "libc6-dev"],
        &[("TARGETPLATFORM", "linux/arm64"), ("XX_APT_PREFER_CROSS", "1")],
    );
    let host = debian();
    let plan = dry_run(apt::plan(env, &host), &host);
    assert_eq!(plan.lines().last(), Some("exec apt show libc6-dev-arm64-cross"));
}

#[test]
fn a_new_architecture_is_added_once_and_its_lists_must_come() {
    let vars = [("TARGETPLATFORM", "linux/s390x")];
    let host = debian();
    let plan = dry_run(apt::plan(Env::new("xx-apt-get", &["install", "x"], &vars), &host), &host);
    let expected = "lock /var/lock/xx-apt\nrun /usr/bin/dpkg --add-architecture s390x\nrun apt-get update\n\
                    error 100: no package lists for s390x after `apt-get update`\n";
    assert_eq!(plan, expected);
    let host = debian()
        .file("/var/lib/apt/lists/m_binary-s390x_Packages", "")
        .answer("dpkg --print-foreign-architectures", "arm64\ns390x\n");
    let plan = dry_run(apt::plan(Env::new("xx-apt-get", &["install", "x"], &vars), &host), &host);
    assert_eq!(
        plan,
        "lock /var/lock/xx-apt\nnote '+ apt-get  install x:s390x'\nexec apt-get install x:s390x\n"
    );
}

#[test]
fn ubuntu_gets_a_source_of_its_own() {
    let sources =
        "Types: deb\nURIs: http://mirror.example/ubuntu/\nSuites: noble noble-updates\nComponents: main\n";
    let host = || {
        FakeHost::new("ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\nUBUNTU_CODENAME=noble\n")
            .file("/etc/apt/sources.list.d/ubuntu.sources", sources)
            .programs_in("/usr/bin", &["dpkg", "apt-get"])
            .answer("dpkg --print-architecture", "amd64\n")
            .answer("dpkg --print-foreign-architectures", "")
    };
    let plan = |platform: &str| {
        let host = host();
        let env =
            Env::new("xx-apt-get", &["install", "x"], &[("TARGETPLATFORM", platform), ("XX_DRY_RUN", "1")]);
        dry_run(apt::plan(env, &host), &host)
    };
    let arm = plan("linux/arm64");
    assert!(arm.contains("Architectures: amd64"), "{arm}");
    assert!(arm.contains("/etc/apt/sources.list.d/xx-arm64.sources"), "{arm}");
    assert!(arm.contains("URIs: http://ports.ubuntu.com/ubuntu-ports/\nSuites: noble-security"), "{arm}");
    let own = host().file(
        "/etc/apt/sources.list.d/mine.list",
        "deb [arch=arm64] http://mirror.example/ports noble main\n",
    );
    let env =
        Env::new("xx-apt-get", &["install", "x"], &[("TARGETPLATFORM", "linux/arm64"), ("XX_DRY_RUN", "1")]);
    let kept = dry_run(apt::plan(env, &own), &own);
    assert!(!kept.contains("write"), "the user's own source for the architecture serves it: {kept}");
    let i386 = plan("linux/386");
    assert!(
        i386.contains("URIs: http://mirror.example/ubuntu/\nSuites: noble noble-updates noble-backports"),
        "{i386}"
    );
}

/// Release, the build machine's architecture, its source file, the target; what is written, and what is not.
#[test]
fn sources_of_ubuntu() {
    let jammy = "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"22.04\"\nUBUNTU_CODENAME=jammy\n";
    let noble = "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\nUBUNTU_CODENAME=noble\n";
    let list = ("/etc/apt/sources.list", "deb http://de.mirror.example/ubuntu/ jammy main\n");
    let deb822 = (
        "/etc/apt/sources.list.d/ubuntu.sources",
        "Types: deb\nURIs: http://ports.example/\nSuites: noble\n",
    );
    let cases: &[(&str, &str, (&str, &str), &str, &[&str])] = &[
        (
            jammy,
            "amd64",
            list,
            "linux/riscv64",
            &[
                "write 644 /etc/apt/sources.list 'deb [arch=amd64] http://de.mirror.example/ubuntu/ jammy main'",
                "write 644 /etc/apt/sources.list.d/xx-riscv64.list 'deb [arch=riscv64] http://ports.ubuntu.com/ubuntu-ports/ \
                 jammy main restricted universe multiverse\n",
                "deb [arch=riscv64] http://ports.ubuntu.com/ubuntu-ports/ jammy-security main",
            ],
        ),
        (
            jammy,
            "amd64",
            list,
            "linux/386",
            &[
                "deb [arch=i386] http://de.mirror.example/ubuntu/ jammy-updates main",
                "http://security.ubuntu.com/ubuntu/ jammy-security",
            ],
        ),
        (
            noble,
            "arm64",
            deb822,
            "linux/amd64",
            &[
                "Architectures: arm64\nURIs: http://ports.example/",
                "xx-amd64.sources 'Types: deb\nArchitectures: amd64\nURIs: http://archive.ubuntu.com/ubuntu/\nSuites: noble noble-updates",
            ],
        ),
        (noble, "arm64", deb822, "linux/ppc64le", &["Architectures: ppc64el\nURIs: http://ports.example/\n"]),
    ];
    for (os, native, (file, text), platform, parts) in cases {
        let host = FakeHost::new(os)
            .programs_in("/usr/bin", &["apt-get"])
            .file(file, text)
            .answer("dpkg --print-architecture", &format!("{native}\n"))
            .answer("dpkg --print-foreign-architectures", "");
        let host =
            FakeHost { machine: if *native == "arm64" { "aarch64" } else { "x86_64" }.to_owned(), ..host };
        let vars = [("TARGETPLATFORM", *platform), ("XX_DRY_RUN", "1")];
        let plan = dry_run(apt::plan(Env::new("xx-apt-get", &["install", "x"], &vars), &host), &host);
        for part in *parts {
            assert!(plan.contains(part), "{platform}: {part} is missing in\n{plan}");
        }
    }
}

#[test]
fn packages_unpacked_into_a_folder() {
    let run = |args: &[&str], vars: &[(&str, &str)]| {
        let host = debian()
            .file("/var/lib/xx/root-arm64/archives/zlib1g_1.2_arm64.deb", "")
            .file("/out/usr/lib/libz.so.1", "")
            .link("/out/usr/lib/libz.so", "/usr/lib/libz.so.1")
            .link("/out/usr/lib/libm.so", "libm.so.6")
            .programs_in("/usr/bin", &["dpkg-deb"]);
        dry_run(apt::plan(Env::new("xx-apt-get", args, vars), &host), &host)
    };
    let arm64 = [("TARGETPLATFORM", "linux/arm64")];
    let plan = run(&["--target-root", "/out", "install", "-y", "zlib1g"], &arm64);
    for part in [
        "run apt-get -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::status=/var/lib/xx/root-arm64/status",
        "install -y -y --download-only zlib1g\n",
        "run /usr/bin/dpkg-deb -x /var/lib/xx/root-arm64/archives/zlib1g_1.2_arm64.deb /out\n",
        "write 644 /out/var/lib/dpkg/status.d/zlib1g",
        "link /out/lib -> usr/lib\n",
        "link /out/usr/lib/libz.so -> ../../usr/lib/libz.so.1\n",
        "remove -r /var/lib/xx/root-arm64\ntemporary /var/lib/xx/root-arm64\n",
    ] {
        assert!(plan.contains(part), "{part} is missing in\n{plan}");
    }
    assert!(!plan.contains("libm.so"), "a relative link stays\n{plan}");
    let essentials = run(&["--target-root=/out", "install", "xx-c-essentials"], &arm64);
    assert!(essentials.contains("--download-only libc6-dev libgcc-14-dev\n"), "{essentials}");
    assert!(!plan.contains(" update"), "the system's lists of arm64 are there\n{plan}");
    let s390x = [("TARGETPLATFORM", "linux/s390x"), ("XX_SETUP_DIR", "/mine")];
    let plan = run(&["--target-root", "/out", "install", "zlib1g"], &s390x);
    assert!(plan.contains("-o Dir::State::lists=/mine/state/root-s390x/lists/ -q update\n"), "{plan}");
    assert!(!plan.contains("add-architecture"), "the machine's dpkg learns nothing of it\n{plan}");
    assert!(
        run(&["install", "--target-root=/", "x"], &arm64)
            .starts_with("error 1: --target-root needs a folder")
    );
    assert!(run(&["show", "--target-root=/out", "x"], &arm64).starts_with("error 1: --target-root: `show`"));
}

/// Official images come without package lists: they are read once they were fetched, and nothing is guessed.
#[test]
fn what_names_stand_for_is_read_after_the_update() {
    let args = ["--target-root", "/out", "install", "xx-c-essentials"];
    let run = |host: &FakeHost, more: &[(&str, &str)]| {
        let vars = [&[("TARGETPLATFORM", "linux/s390x")], more].concat();
        dry_run(apt::plan(Env::new("xx-apt-get", &args, &vars), host), host)
    };
    let bare =
        || FakeHost::new("ID=debian\nVERSION_ID=\"12\"\n").programs_in("/usr/bin", &["dpkg", "apt-get"]);
    let fetched = "/var/lib/xx/root-s390x/lists/m_dists_bookworm_main_binary-s390x_Packages";
    let plan = run(&bare().file(fetched, "Package: libgcc-12-dev\nArchitecture: s390x\n"), &[]);
    let parts =
        ["remove -r /var/lib/xx/root-s390x\n", " -q update\n", "--download-only libc6-dev libgcc-12-dev\n"];
    let places = parts.map(|part| plan.find(part));
    assert!(places.is_sorted() && places[0].is_some(), "{places:?}\n{plan}");
    let failed = run(&bare(), &[]);
    assert!(failed.ends_with("error 100: no package lists for s390x after `apt-get update`\n"), "{failed}");
    let lacking = run(&bare().file(fetched, "Package: zlib1g\nArchitecture: s390x\n"), &[]);
    assert!(lacking.ends_with("error 100: no libgcc-N-dev in the package lists of s390x\n"), "{lacking}");
    let dry = run(&bare(), &[("XX_DRY_RUN", "1")]);
    assert!(dry.contains("--download-only libc6-dev libgcc-N-dev\n"), "{dry}");
}

/// The build machine has a package of the security archive, which lacks the target's architecture: apt only says that
/// something is not going to be installed.
#[test]
fn versions_that_differ_are_explained() {
    let installed = "Package: linux-libc-dev\nStatus: install ok installed\nArchitecture: amd64\n\
                     Multi-Arch: same\nVersion: 6.1.9-2\n\n\
                     Package: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nMulti-Arch: same\nVersion: 1\n\n\
                     Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nMulti-Arch: same\nVersion: 2\n\n\
                     Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5\n";
    let of_main = |arch: &str| {
        format!(
            "Package: libc6-dev\nArchitecture: {arch}\nVersion: 2\nDepends: libc6 (= 2), linux-libc-dev, bash:any | x\n\n\
             Package: linux-libc-dev\nArchitecture: {arch}\nVersion: 6.1.9-1\n\n\
             Package: bash\nArchitecture: {arch}\nVersion: 4\n\n\
             Package: libssl3\nArchitecture: {arch}\nVersion: 3\n\n\
             Package: zlib1g\nArchitecture: {arch}\nVersion: 0\n"
        )
    };
    let list =
        |suite: &str, arch: &str| format!("/var/lib/apt/lists/m_dists_{suite}_main_binary-{arch}_Packages");
    let security = list("bookworm-security", "amd64");
    let candidate = |name: &str, version: &str| format!("Package: {name}\nVersion: {version}\n\n");
    let host = |own: &str| {
        FakeHost::new("ID=debian\nVERSION_ID=\"12\"\n")
            .programs_in("/usr/bin", &["dpkg", "apt-get"])
            .answer("dpkg --print-architecture", "amd64\n")
            .answer("dpkg --print-foreign-architectures", "armel\n")
            .answer(
                "apt-cache show --no-all-versions linux-libc-dev:amd64",
                &candidate("linux-libc-dev", "6.1.9-2"),
            )
            .answer(
                "apt-cache show --no-all-versions linux-libc-dev:armel",
                &candidate("linux-libc-dev", "6.1.9-1"),
            )
            .answer("apt-cache show --no-all-versions zlib1g:amd64", &candidate("zlib1g", "1"))
            .answer("apt-cache show --no-all-versions zlib1g:armel", &candidate("zlib1g", "0"))
            .answer("apt-cache show --no-all-versions libssl3:amd64", &candidate("libssl3", "3"))
            .answer("apt-cache show --no-all-versions libssl3:armel", &candidate("libssl3", "3"))
            .file("/var/lib/dpkg/status", installed)
            .file(&list("bookworm", "amd64"), own)
            .file(&security, "Package: linux-libc-dev\nArchitecture: amd64\nVersion: 6.1.9-2\n")
            .file(&list("bookworm", "armel"), &of_main("armel"))
    };
    let told = |host: &FakeHost, package: &str, platform: &str| {
        let env = Env::new("xx-apt-get", &["install", package], &[("TARGETPLATFORM", platform)]);
        explained(apt::plan(env, host), host)
    };
    let both = host(&of_main("amd64"));
    let found = told(&both, "libc6-dev", "linux/arm/v6");
    let note = "note 'note: linux-libc-dev is there for amd64 in version 6.1.9-2 (of bookworm-security), and for armel \
                in 6.1.9-1 (of bookworm): both must be of one version'\n\
                note 'hint: add to this call `--allow-downgrades linux-libc-dev:amd64=6.1.9-1`; or `xx-apt-get \
                --target-root DIR install ...` and XX_SYSROOT=DIR keep the target'\\''s packages apart'\n";
    assert_eq!(found, note);
    let apart = told(&host(""), "libc6-dev", "linux/arm/v6");
    assert!(apart.contains("note 'hint: `xx-apt-get --target-root DIR"), "no version is common: {apart}");
    assert!(told(&both, "zlib1g", "linux/arm/v6").contains("zlib1g is there for amd64 in version 1,"));
    assert_eq!(
        told(&both, "bash", "linux/arm/v6"),
        "",
        "only what is there for both at once must be the same"
    );
    assert_eq!(told(&both, "libssl3", "linux/arm/v6"), "", "the same for both");
    assert_eq!(told(&both, "libc6-dev", "linux/amd64"), "");
}

#[test]
fn folders_take_only_installs() {
    let arm64 = [("TARGETPLATFORM", "linux/arm64")];
    let run = |args: &[&str], vars: &[(&str, &str)]| {
        let host = debian();
        dry_run(apt::plan(Env::new("xx-apt-get", args, vars), &host), &host)
    };
    assert!(run(&["show", "--target-root=/out", "x"], &arm64).starts_with("error 1: --target-root: `show`"));
}
