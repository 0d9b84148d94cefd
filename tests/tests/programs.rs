//! Programs for another platform in results: what real packages hold passes, what the image would run does not.

use integration_tests::{Kit, Place, run};

const HEAD: &str = "FROM --platform=$BUILDPLATFORM debian AS got\n\
    RUN dpkg --add-architecture arm64 && apt-get update && mkdir /deb /got && cd /deb && apt-get download \
        golang-1.19-src golang-1.19-go gcc-12-aarch64-linux-gnu libc6-arm64-cross libstdc++6-arm64-cross \
        rustc libstd-rust-1.63 libstd-rust-dev libstd-rust-dev:arm64 qemu-system-data qemu-user-static \
        opensbi u-boot-qemu firmware-ath9k-htc python3-pip-whl \
        hello:arm64 zlib1g:arm64 python3-markupsafe:arm64 && \
        for deb in *.deb; do dpkg -x $deb /got/$(echo $deb | sed 's/_.*_/_/; s/.deb$//'); done\n\
    FROM debian AS image\n";

/// A name, the rest of the Dockerfile, and what is said: of what passes a part of the warning, or nothing at all.
type Case = (&'static str, &'static str, Result<Option<&'static str>, &'static [&'static str]>);

const CASES: &[Case] = &[
    ("Go", "COPY --from=got /got/golang-1.19-src_all /got/golang-1.19-go_amd64 /\n", Ok(None)),
    ("Go's own tree", "COPY --from=got /got/golang-1.19-src_all/usr/share/go-1.19 /usr/local/go\n", Ok(None)),
    (
        "a cross compiler",
        "COPY --from=got /got/gcc-12-aarch64-linux-gnu_amd64 /got/libc6-arm64-cross_all /got/libstdc++6-arm64-cross_all /\n",
        Ok(Some("`/usr/aarch64-linux-gnu` (")),
    ),
    (
        "Rust with libraries for another",
        "COPY --from=got /got/rustc_amd64 /got/libstd-rust-1.63_amd64 /got/libstd-rust-dev_amd64 /got/libstd-rust-dev_arm64 /\n",
        Ok(None),
    ),
    ("QEMU", "COPY --from=got /got/qemu-system-data_all /got/qemu-user-static_amd64 /\n", Ok(None)),
    (
        "firmware",
        "COPY --from=got /got/opensbi_all/usr /got/u-boot-qemu_all/usr /usr/\nCOPY --from=got /got/firmware-ath9k-htc_all/lib /usr/lib/\n",
        Ok(Some("`/usr/lib/riscv64-linux-gnu` (2 for riscv64)")),
    ),
    ("wheels of Python", "COPY --from=got /got/python3-pip-whl_all /\n", Ok(None)),
    (
        "a program in PATH",
        "COPY --from=got /got/hello_arm64/usr/bin /usr/local/bin\n",
        Err(&[
            "/usr/local/bin/hello",
            "in PATH",
            "aarch64",
            "linux/amd64",
            "COPY --from=got /got/hello_arm64",
        ]),
    ),
    (
        "the program of CMD",
        "COPY --from=got /got/hello_arm64/usr/bin/hello /srv/hello\nCMD exec /srv/hello --greeting=hi\n",
        Err(&["/srv/hello", "run by CMD"]),
    ),
    (
        "a library",
        "COPY --from=got /got/zlib1g_arm64/lib/aarch64-linux-gnu/ /usr/lib/x86_64-linux-gnu/\n",
        Err(&["/usr/lib/x86_64-linux-gnu/libz.so.1", "where the dynamic linker looks"]),
    ),
    (
        "a library among those of its own",
        "COPY --from=got /got/zlib1g_arm64/lib/ /usr/lib/\n",
        Ok(Some("`/usr/lib/aarch64-linux-gnu` (1 for arm64)")),
    ),
    (
        "a module of Python",
        "COPY --from=got /got/python3-markupsafe_arm64/usr/lib/python3/dist-packages /deps\nENV PYTHONPATH=/deps\n",
        Err(&["/deps/markupsafe/_speedups.cpython-", "a module of an interpreter"]),
    ),
    (
        "a program that was removed",
        "COPY --from=got /got/hello_arm64/usr/bin /usr/local/bin\nRUN rm /usr/local/bin/hello\n",
        Ok(None),
    ),
    (
        "a program with another in its place",
        "COPY --from=got /got/hello_arm64/usr/bin /usr/local/bin\nCOPY --from=got /bin/true /usr/local/bin/hello\n",
        Ok(None),
    ),
    (
        "a tree of files",
        "FROM scratch\nCOPY --from=got /got/hello_arm64/usr/bin/ /out/\n",
        Err(&["/out/hello", "the result itself"]),
    ),
    (
        "a tree of files for whoever wants them",
        "FROM scratch\nCOPY --from=got /bin/true /tool-linux-amd64\nCOPY --from=got /got/hello_arm64/usr/bin/hello /tool-linux-arm64\n",
        Ok(None),
    ),
];

#[test]
fn programs_of_real_packages_are_judged_by_what_runs() {
    let Some(place) = Kit::find("programs_of_real_packages_are_judged_by_what_runs").map(Place::new) else {
        return;
    };
    let image = format!("--output=type=oci,dest={}", place.path("image").display());
    let [image, tar] = [image.as_str(), "--output=type=tar,dest=/dev/null"];
    let mut wrong = vec![];
    for (name, text, expected) in CASES {
        place.write("Dockerfile", &format!("{HEAD}{text}"));
        let outputs = if expected.is_ok() { &[tar][..] } else { &[tar, image] };
        for output in outputs {
            let built = place.build(&["--platform", "linux/amd64", output]);
            let error: Vec<&str> =
                built.stderr.lines().skip_while(|line| !line.starts_with("error: ")).collect();
            let warning = built.stderr.lines().find(|line| line.starts_with("warning: "));
            let is_right = match expected {
                Ok(None) => built.code == Some(0) && warning.is_none(),
                Ok(Some(said)) => built.code == Some(0) && warning.is_some_and(|line| line.contains(said)),
                Err(parts) => {
                    let said = parts.iter().all(|part| error.iter().any(|line| line.contains(part)));
                    built.code == Some(1) && said && error.len() <= 11 && !place.path("image").exists()
                }
            };
            if !is_right {
                wrong.push(format!("{name}: {warning:?} {}", error.join("\n")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_wrong_for_a_purpose_only() {
    let Some(place) = Kit::find("what_is_wrong_for_a_purpose_only").map(Place::new) else { return };
    let body = "FROM --platform=$BUILDPLATFORM debian AS test\nRUN cp /bin/true /tool && /tool && echo test ran\n\
        FROM scratch\nCOPY --from=test /tool /bin/tool\n";
    let other = if std::env::consts::ARCH == "x86_64" { "linux/arm64" } else { "linux/amd64" };
    let out = place.path("out").display().to_string();
    let error = "programs of the result are for another platform";
    let bad = "--allow-foreign=[";
    for (head, arguments, expected) in [
        // What goes nowhere may be for any platform.
        ("", &["--target=test"][..], Ok("test ran")),
        ("", &["--target=test", "--output=type=cacheonly"], Ok("test ran")),
        ("", &["--target=test", "--quiet", "--tag=a"], Ok("")),
        ("", &["--output", &out], Err(error)),
        ("", &["--output", &out, "--output=type=cacheonly"], Err(error)),
        ("", &["--output=type=oci,dest=/dev/null"], Err(error)),
        ("", &["--output=type=tar,dest=/dev/null"], Err(error)),
        ("", &["--verify=error", "--output", &out], Err(error)),
        (
            "",
            &["--verify=warn", "--output", &out],
            Ok("warning: programs of the result are for another platform"),
        ),
        ("", &["--verify=off", "--output", &out], Ok("files written")),
        ("", &["--allow-foreign=/bin/*", "--output", &out], Ok("files written")),
        ("", &["--allow-foreign=/opt/**", "--output", &out], Err(error)),
        ("", &[bad, "--output", &out], Err("`--allow-foreign`: invalid pattern")),
        ("# verify=allow=/bin/tool\n", &["--output", &out], Ok("files written")),
        (
            "# syntax=docker/dockerfile:1\n# verify=allow=/a, bin/t*\n",
            &["--output", &out],
            Ok("files written"),
        ),
        ("# verify=allow=/a\n# verify=allow=/bin\n", &["--output", &out], Ok("files written")),
        ("# verify=allow=/a\n", &["--output", &out], Err(error)),
        ("# verify=allow=[\n", &["--output", &out], Err("`# verify=allow=`: invalid pattern")),
        ("# verify=allow\n", &["--output", &out], Err("`verify=allow` is not `allow=GLOB`")),
        // Not at the top.
        ("# words\n# verify=allow=/bin/*\n", &["--output", &out], Err(error)),
        ("\n# verify=allow=/bin/*\n", &["--output", &out], Err(error)),
    ] {
        assert_eq!(run("rm", &["-rf", &out]).map(|ran| ran.code), Some(Some(0)));
        place.write("Dockerfile", &format!("{head}{body}"));
        let built = place.build(&[&["--platform", other], arguments].concat());
        match expected {
            Ok(part) => {
                assert_eq!(built.code, Some(0), "{head}{arguments:?}: {}", built.stderr);
                assert!(built.stderr.contains(part), "{head}{arguments:?}: {}", built.stderr);
            }
            Err(part) => built.assert_error(&[part, "hint: "]),
        }
    }
}
