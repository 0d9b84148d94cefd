//! Whole builds with the real programs, the real base and real compilers.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use integration_tests::image::{Image, Tree};
use integration_tests::{Built, Kit, Place, run, skipped};

/// The place for a case, or a noted skip.
fn place(case: &str) -> Option<Place> {
    Kit::find(case).map(Place::new)
}

const THREE: &str = "linux/amd64,linux/arm64,linux/arm/v7";

#[test]
fn a_c_program_for_three_platforms() {
    let Some(place) = place("a_c_program_for_three_platforms") else { return };
    place.write("hello.c", "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n");
    place.write(
        "Dockerfile",
        "FROM --platform=$BUILDPLATFORM xx AS xx\n\
         FROM --platform=$BUILDPLATFORM debian AS build\n\
         COPY --from=xx / /\n\
         RUN apt-get update && apt-get install -y --no-install-recommends clang lld && echo tools installed\n\
         ARG TARGETPLATFORM\n\
         RUN xx-apt-get install -y --no-install-recommends libc6-dev libgcc-12-dev\n\
         COPY hello.c /\n\
         RUN xx-clang -static -o /hello /hello.c && xx-verify --static /hello && echo compiled\n\
         FROM scratch\n\
         COPY --from=build /hello /\n\
         ENTRYPOINT [\"/hello\"]\n",
    );
    let image = place.path("image.tar");
    let oci = format!("type=oci,dest={}", image.display());
    let files = place.path("files");
    let output = files.display().to_string();
    let arguments = ["--platform", THREE, "--tag", "hello:1", "--output", &oci, "--output", &output];

    let first = place.build_well(&arguments);
    assert_eq!((first.printed("tools installed"), first.printed("compiled")), (1, 3), "{}", first.stderr);
    for (platform, runner) in [
        ("linux_amd64", None),
        ("linux_arm64", Some("qemu-aarch64-static")),
        ("linux_arm_v7", Some("qemu-arm-static")),
    ] {
        let program = files.join(platform).join("hello").display().to_string();
        let ran = match runner {
            None => run(&program, &[]),
            Some(runner) => run(runner, &[&program]),
        };
        match ran {
            Some(ran) => assert_eq!(ran.stdout, "hello\n", "{platform}: {}", ran.stderr),
            None => skipped(
                "a_c_program_for_three_platforms",
                &format!("{} is not installed", runner.unwrap_or_default()),
            ),
        }
    }
    let archive = format!("oci-archive:{}", image.display());
    match run("skopeo", &["inspect", "--raw", &archive]) {
        Some(inspected) => {
            let index: serde_json::Value = serde_json::from_str(&inspected.stdout).expect("an image index");
            let platforms: Vec<String> = index["manifests"]
                .as_array()
                .expect("manifests")
                .iter()
                .map(|manifest| {
                    let platform = &manifest["platform"];
                    let parts = ["os", "architecture", "variant"]
                        .map(|part| platform[part].as_str().unwrap_or_default());
                    parts.join("/").trim_end_matches('/').to_owned()
                })
                .collect();
            assert_eq!(platforms.join(","), THREE);
            let name =
                run("tar", &["-xOf", &image.display().to_string(), "index.json"]).expect("tar is there");
            let index: serde_json::Value = serde_json::from_str(&name.stdout).expect("an index");
            let annotations = &index["manifests"][0]["annotations"];
            assert_eq!(annotations["io.containerd.image.name"], "docker.io/library/hello:1");
            let copied = format!("oci:{}", place.path("copied").display());
            let copy = run("skopeo", &["copy", "--all", &archive, &copied]).expect("skopeo is there");
            assert_eq!(copy.code, Some(0), "{}", copy.stderr);
        }
        None => skipped("a_c_program_for_three_platforms", "skopeo is not installed"),
    }

    let bytes = fs::read(&image).expect("the image");
    let second = place.build_well(&arguments);
    assert_eq!(second.steps().0, 0, "{}", second.stderr);
    assert!(bytes == fs::read(&image).expect("the image"), "the second image has other bytes");

    place.write("hello.c", "#include <stdio.h>\nint main(void) { puts(\"changed\"); return 0; }\n");
    let third = place.build_well(&arguments);
    // Per platform: the copy of the source, the compilation, the copy of the program.
    assert_eq!(third.steps().0, 9, "{}", third.stderr);
    assert_eq!(third.printed("compiled"), 3);
}

#[test]
fn an_unchanged_build_stage_disturbs_nothing_behind_it() {
    let Some(place) = place("an_unchanged_build_stage_disturbs_nothing_behind_it") else { return };
    place.write(
        "Dockerfile",
        "FROM debian AS build\nCOPY input /\nRUN wc -l < /input > /lines\nFROM debian\nCOPY --from=build /lines /\nRUN cat /lines\n",
    );
    place.write("input", "one\n");
    place.build_well(&[]);
    place.write("input", "two\n");
    let built = place.build_well(&[]);
    assert_eq!(built.steps().0, 2, "the copy and the count: {}", built.stderr);
}

#[test]
fn ignored_files_are_not_seen() {
    let Some(place) = place("ignored_files_are_not_seen") else { return };
    place.write(".dockerignore", "*.o\nsecret\n!keep.o\n");
    for name in ["a.c", "a.o", "keep.o", "secret/key", "sub/b.o"] {
        place.write(name, "x");
    }
    place.write(
        "Dockerfile",
        "FROM debian\nCOPY . /copied\nRUN cd /copied && find . -type f | sort\n\
         RUN --mount=target=/mounted cd /mounted && find . -type f | sort && echo mounted\n",
    );
    let built = place.build_well(&[]);
    for (name, times) in [("./a.c", 2), ("./keep.o", 2), ("./sub/b.o", 2), ("./a.o", 0), ("./secret/key", 0)]
    {
        assert_eq!(built.printed(name), times, "{name}: {}", built.stderr);
    }
}

#[test]
fn two_builds_at_once_share_a_store() {
    let Some(place) = place("two_builds_at_once_share_a_store") else { return };
    place.write("Dockerfile", "FROM debian\nRUN sleep 1; head -c 16 /dev/urandom | od -An -tx1 > /random\n");
    let outputs = ["one", "two"].map(|name| place.path(name));
    let children = outputs.clone().map(|output| {
        let mut command = place.command(&["--output", &output.display().to_string()]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("xx-build starts")
    });
    let mut executed = 0;
    for child in children {
        let built = Built::of(child.wait_with_output().expect("xx-build ends"));
        assert_eq!(built.code, Some(0), "{}", built.stderr);
        executed += built.steps().0;
    }
    assert_eq!(executed, 2, "the base and the step, each by one of the two");
    let [one, two] = outputs.map(|output| fs::read(output.join("random")).expect("the file"));
    assert_eq!(one, two, "both have the result of the one run");
}

#[test]
fn a_killed_build_leaves_the_store_right() {
    let Some(place) = place("a_killed_build_leaves_the_store_right") else { return };
    place.write(
        "Dockerfile",
        "FROM debian\nRUN echo first > /first\nRUN touch /started; sleep 60 & sleep 2; echo done > /done\n",
    );
    for wait in [30, 200, 700, 1500] {
        let mut command = place.command(&["--quiet"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("xx-build starts");
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().expect("a signal");
        child.wait().expect("it ends");
    }
    assert_eq!(place.mounts(), [""; 0]);
    let output = place.path("out");
    place.build_well(&["--output", &output.display().to_string()]);
    assert_eq!(fs::read_to_string(output.join("done")).expect("the file"), "done\n");
    assert_eq!(place.mounts(), [""; 0]);
    let left = fs::read_dir(place.store("work")).expect("the folder").count();
    assert_eq!(left, 0, "nothing of the killed builds is left");
}

#[test]
fn cache_mounts_outlive_a_build_and_secrets_do_not() {
    let Some(place) = place("cache_mounts_outlive_a_build_and_secrets_do_not") else { return };
    fs::write(place.path("token"), "sesame").expect("a file");
    let secret = format!("id=token,src={}", place.path("token").display());
    for round in ["one", "two"] {
        place.write(
            "Dockerfile",
            &format!(
                "FROM debian\nRUN --mount=type=cache,target=/cache --mount=type=secret,id=token \
                 echo {round} >> /cache/log; wc -l < /cache/log; wc -c < /run/secrets/token\n\
                 RUN test ! -e /cache/log && test ! -e /run/secrets/token && echo clean\n"
            ),
        );
        let built = place.build_well(&["--secret", &secret]);
        assert_eq!(built.printed(if round == "one" { "1" } else { "2" }), 1, "{}", built.stderr);
        assert_eq!(built.printed("6"), 1, "the secret has six bytes: {}", built.stderr);
        assert_eq!(built.printed("clean"), 1, "{}", built.stderr);
    }
}

/// Builds that must fail: a name, the Dockerfile, arguments, and what the one error says.
type Bad = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const BAD: &[Bad] = &[
    (
        "unknown platform",
        "FROM scratch\nCOPY a /\n",
        &["--platform", "linux/amd46"],
        &["linux/amd46", "hint: ", "amd64"],
    ),
    ("unknown instruction", "FROM scratch\nCOPPY a /\n", &[], &["Dockerfile:2:1", "COPPY a /", "COPY"]),
    ("unclosed heredoc", "FROM debian\nRUN <<EOF\ntrue\n", &[], &["Dockerfile:2:", "RUN <<EOF"]),
    (
        "missing base",
        "FROM nosuchbase\nRUN true\n",
        &[],
        &["nosuchbase", "--build-context nosuchbase=oci-layout://DIR", "Dockerfile:1:"],
    ),
    ("missing file", "FROM scratch\nCOPY nosuchfile /\n", &[], &["nosuchfile", "Dockerfile:2:1"]),
    (
        "failing step",
        "FROM debian\nRUN echo reason >&2; exit 7\n",
        &[],
        &["reason", "exited with code 7", "Dockerfile:2:1"],
    ),
    (
        "wild card over a broken link",
        "FROM scratch\nCOPY links/br* /d/\n",
        &[],
        &["the link `/links/broken` leads to nothing", "Dockerfile:2:1", "hint: "],
    ),
    (
        "directory over a link",
        "FROM scratch\nCOPY links /\nCOPY over /\n",
        &[],
        &["cannot copy a directory over the link `l`", "Dockerfile:3:1", "hint: a link in the destination"],
    ),
    (
        "wild card below nothing",
        "FROM scratch\nCOPY nodir/* /x/\n",
        &[],
        &["`/nodir` does not exist", "Dockerfile:2:1"],
    ),
    (
        "wild card below a file",
        "FROM scratch\nCOPY a/* /x/\n",
        &[],
        &["`/a` is no directory", "Dockerfile:2:1"],
    ),
    ("missing stage", "FROM scratch\nCOPY a /\n", &["--target", "nosuchstage"], &["nosuchstage"]),
    (
        "missing secret",
        "FROM debian\nRUN --mount=type=secret,id=s,required true\n",
        &[],
        &["secret", "`s`", "hint: "],
    ),
    ("bad output", "FROM scratch\nCOPY a /\n", &["--output", "type=nosuch,dest=x"], &["nosuch", "hint: "]),
];

#[test]
fn bad_builds_say_what_is_wrong() {
    let Some(place) = place("bad_builds_say_what_is_wrong") else { return };
    place.write("a", "a");
    place.write("over/l/file", "");
    place.write("links/file", "");
    for (target, link) in [("nowhere", "broken"), ("somewhere", "l")] {
        let link = place.context().join("links").join(link);
        std::os::unix::fs::symlink(target, link).expect("a link");
    }
    for (name, dockerfile, arguments, parts) in BAD {
        place.write("Dockerfile", dockerfile);
        let output = place.path("out");
        let out = output.display().to_string();
        let arguments = if arguments.contains(&"--output") {
            arguments.to_vec()
        } else {
            [arguments, &["--output", &out][..]].concat()
        };
        let built = place.build(&arguments);
        eprintln_case(name);
        built.assert_error(parts);
        assert!(!output.exists(), "{name}: half-written output");
        assert_eq!(place.mounts(), [""; 0], "{name}");
    }
}

#[expect(clippy::print_stderr, reason = "says which row a failing assertion belongs to")]
fn eprintln_case(name: &str) {
    eprintln!("case: {name}");
}

#[test]
fn a_program_for_another_platform_is_found() {
    let Some(place) = place("a_program_for_another_platform_is_found") else { return };
    place.write(
        "Dockerfile",
        "FROM --platform=$BUILDPLATFORM debian AS build\nFROM scratch\nCOPY --from=build /bin/true /opt/bin/true\n",
    );
    let output = place.path("out").display().to_string();
    let arguments = ["--platform", "linux/arm64", "--output", &output];
    let built = place.build(&arguments);
    built.assert_error(&["/opt/bin/true", "linux/arm64", "Dockerfile:3", "COPY --from=build", "hint: "]);
    assert!(!place.path("out").exists(), "half-written output");
    place.build_well(&[&arguments[..], &["--allow-foreign", "/opt/*/true"]].concat());
    assert!(place.path("out/opt/bin/true").exists());
}

/// Programs for Windows that nobody is to execute, as Python's setuptools brings them, are data.
#[test]
fn what_is_not_to_be_executed_is_data() {
    let Some(place) = place("what_is_not_to_be_executed_is_data") else { return };
    // The beginning of a PE file for 64-bit x86, without sections.
    let mut pe = vec![0; 512];
    for (at, bytes) in
        [(0, &b"MZ"[..]), (0x3c, &[0x40]), (0x40, b"PE\0\0\x64\x86"), (0x54, &[0xf0]), (0x58, &[0x0b, 2])]
    {
        pe[at..at + bytes.len()].copy_from_slice(bytes);
    }
    fs::write(place.path("context/cli.exe"), pe).expect("a file");
    for (mode, expected) in [("644", Some(0)), ("755", Some(1))] {
        place.write("Dockerfile", &format!("FROM scratch\nCOPY --chmod={mode} cli.exe /\n"));
        let built = place.build(&["--platform", "linux/amd64", "--output=type=tar,dest=/dev/null"]);
        assert_eq!(built.code, expected, "{mode}: {}", built.stderr);
    }
}

#[test]
fn twenty_stages_run_at_once() {
    let Some(place) = place("twenty_stages_run_at_once") else { return };
    let mut text = String::from("FROM debian AS base\n");
    for stage in 0..20 {
        // Each waits until all have begun, in a folder that they share: one after the other they would wait for ever.
        text.push_str(&format!(
            "FROM base AS s{stage}\nRUN --mount=type=cache,id=meet,target=/c \
             touch /c/{stage} /{stage} && timeout 300 sh -c 'until [ $(ls /c | wc -l) = 20 ]; do sleep 0.1; done'\n"
        ));
    }
    text.push_str("FROM scratch\n");
    for stage in 0..20 {
        text.push_str(&format!("COPY --from=s{stage} /{stage} /\n"));
    }
    place.write("Dockerfile", &text);
    place.build_well(&[]);
}

#[test]
fn layers_say_only_what_changed() {
    let Some(place) = place("layers_say_only_what_changed") else { return };
    place.write(
        "Dockerfile",
        "FROM debian\nRUN true\nRUN : >> /etc/passwd && mkdir /opt/x && rmdir /opt/x\n\
         RUN cp -p /etc/issue /k && tr a-z A-Z < /k > /etc/issue && touch -r /k /etc/issue && rm /k\n\
         RUN echo changed > /etc/motd\n",
    );
    let layout = place.path("image");
    place.build_well(&["--output", &format!("type=oci,tar=false,dest={}", layout.display())]);
    let image = Image::of(&layout, std::env::consts::ARCH);
    let said = |first| image.tree(&layout, &Tree::new(), first).into_keys().collect::<Vec<_>>().join(" ");
    let steps = image.layers.len() - 4;
    assert_eq!(said(steps + 3), "etc etc/motd");
    assert_eq!(said(steps + 2), "etc etc/issue etc/motd", "of the same size and time, and not the same");
    assert_eq!(
        said(steps),
        said(steps + 2),
        "a step that changes nothing, or only a directory's time, says nothing"
    );
}
