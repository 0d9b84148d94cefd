//! `xx-build build` up to the first step: bad input, where input comes from, what is shown of the checks.

use xx_build_frontend::oci::digest::Digest;

use super::program::{Place, Ran, shell};

const PRINT: &str = "--print=llb";

/// A Dockerfile as bytes, what is said of it: the place, the message, the hint.
fn bad_files() -> Vec<(&'static str, Vec<u8>, [&'static str; 3])> {
    let text = |text: &str| text.as_bytes().to_vec();
    let no_from = "hint: begin with `FROM image` or `FROM scratch`";
    let cycle = "FROM scratch AS a\nCOPY --from=b /x /y\nFROM scratch AS b\nCOPY --from=a /x /y\n";
    vec![
        (
            "unknown instruction",
            text("FROM scratch\nRNU x\n"),
            ["Dockerfile:2:1", "unknown instruction `RNU`", "hint: did you mean `RUN`?"],
        ),
        (
            "bad flag",
            text("FROM scratch\nCOPY --form=a b c\n"),
            ["Dockerfile:2:6", "unknown flag `--form` of COPY", "hint: did you mean `--from`?"],
        ),
        (
            "unclosed quote",
            text("FROM scratch\nENV A=\"x\n"),
            ["Dockerfile:2:5", "unclosed quote", "hint: put the escape character before"],
        ),
        (
            "unclosed heredoc",
            text("FROM scratch\nCOPY <<EOF /a\nx\n"),
            ["Dockerfile:2:1", "heredoc `EOF` has no end", "hint: add a line that is exactly `EOF`"],
        ),
        ("empty file", text(""), ["Dockerfile:1:1", "there are no instructions in the file", no_from]),
        (
            "only comments",
            text("# one\n# two\n"),
            ["Dockerfile:1:1", "there are no instructions in the file", no_from],
        ),
        (
            "bad JSON form",
            text("FROM scratch\nCMD [\"a\", 1]\n"),
            [
                "Dockerfile:2:5",
                "`1` in a JSON array of arguments is not a string",
                "hint: put every argument in double quotes",
            ],
        ),
        (
            "JSON form needed",
            text("FROM scratch\nSHELL [\"a\", b]\n"),
            ["Dockerfile:2:1", "SHELL needs a JSON array", "hint: write `SHELL [\"/bin/sh\", \"-c\"]`"],
        ),
        (
            "NUL",
            text("FROM scratch\nCOPY a\0b /y\n"),
            ["Dockerfile:2:7", "NUL byte in an instruction", "hint: save the file as UTF-8 text"],
        ),
        (
            "line of 100 MB",
            [b"FROM scratch\nRUN ".as_slice(), &vec![b'a'; 100 << 20]].concat(),
            ["Dockerfile:2:1", "line 2 is longer than 65535 bytes", "hint: break the line"],
        ),
        (
            "file of 20 MB",
            format!("#{}\n", "x".repeat(1022)).repeat(20 << 10).into_bytes(),
            ["Dockerfile:16385:2", "the text is longer than 16 MiB", "hint: move data to files"],
        ),
        (
            "cyclic stages",
            text(cycle),
            ["Dockerfile:4:1", "stage `a` needs its own result", "hint: split the stage"],
        ),
        (
            "invalid UTF-8",
            b"FROM scratch\nCOPY a\xff b\n".to_vec(),
            ["Dockerfile:2:7", "the text is not UTF-8", "hint: save the file as UTF-8"],
        ),
        (
            "UTF-16",
            b"\xff\xfeF\0R\0O\0M\0".to_vec(),
            ["Dockerfile:1:1", "the text is not UTF-8", "hint: save the file as UTF-8"],
        ),
        (
            "another front end",
            text("# syntax=example.com/front:1\nFROM scratch\n"),
            [
                "Dockerfile:1:1",
                "the front end `example.com/front:1` is not supported",
                "docs/dockerfile-to-llb.md#other-front-ends",
            ],
        ),
        (
            "bad check option",
            text("# syntax=docker/dockerfile:1\n# check=error=true;skpi=all\nFROM scratch\n"),
            ["Dockerfile:2:20", "invalid check option `skpi=all`", "hint: did you mean `skip`?"],
        ),
    ]
}

#[test]
fn bad_input_has_place_excerpt_and_hint() {
    let place = Place::new("bad");
    let mut wrong = Vec::new();
    for (name, bytes, expected) in bad_files() {
        place.write_bytes("Dockerfile", &bytes);
        let ran = place.run(&["build", PRINT, "."]);
        if ran.code != Some(1)
            || !ran.stdout.is_empty()
            || expected.iter().any(|part| !ran.stderr.contains(part))
        {
            wrong.push(format!(
                "{name}: {:?}\n{}",
                ran.code,
                ran.stderr.chars().take(2000).collect::<String>()
            ));
        }
        if ran.stderr.len() > 8192 {
            wrong.push(format!("{name}: {} bytes are shown", ran.stderr.len()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn bad_patterns_have_places() {
    let place = Place::new("patterns");
    place.write("Dockerfile", "FROM scratch\nCOPY a /\n");
    place.write("named/x", "");
    let cases = [
        (".dockerignore", "ok\na[\n"),
        ("Dockerfile.dockerignore", "\n[z-a]\n"),
        ("named/.dockerignore", "x\n!\n"),
    ];
    for (file, text) in cases {
        place.write(file, text);
        let ran = place.run(&["build", PRINT, "--build-context", "n=named", "."]);
        let name = file.rsplit('/').next().unwrap();
        let shown =
            ran.stderr.contains(&format!("{name}:2:1")) && ran.stderr.contains("hint: patterns are not");
        assert!(ran.code == Some(1) && shown, "{file}: {}", ran.stderr);
        std::fs::remove_file(place.path(file)).unwrap();
    }
    place.write_bytes(".dockerignore", b"ok\n\xfe\n");
    let ran = place.run(&["build", PRINT, "."]);
    assert!(ran.code == Some(1) && ran.stderr.contains(".dockerignore:2:1"), "{}", ran.stderr);
}

/// A layout with an image of a layer, for linux/amd64.
fn layout(place: &Place, folder: &str) -> String {
    let digest = |text: &str| Digest::of(text.as_bytes()).to_string();
    let put = |text: &str| {
        place.write(&format!("{folder}/blobs/sha256/{}", digest(text).trim_start_matches("sha256:")), text);
        format!("\"digest\":\"{}\",\"size\":{}", digest(text), text.len())
    };
    let diff = digest("layer");
    let config = put(&format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{diff}"]}}}}"#
    ));
    let layer = put("layer");
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.image.config.v1+json",{config}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar",{layer}}}]}}"#
    );
    let entry = put(&manifest);
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json",{entry},"annotations":{{"org.opencontainers.image.ref.name":"v1"}}}}]}}"#
    );
    place.write(&format!("{folder}/index.json"), &index);
    digest(&manifest)
}

#[test]
fn missing_bases_are_named_at_once() {
    let place = Place::new("bases");
    place.write(
        "Dockerfile",
        "FROM --platform=$BUILDPLATFORM golang:1 AS build\nRUN x\nFROM debian\nCOPY --from=build /x /\nCOPY --from=busybox /y /\n",
    );
    let platforms = ["--platform", "linux/amd64,linux/arm64", "."];
    let ran = place.run(&[&["build"], &platforms[..]].concat());
    assert_eq!(ran.code, Some(1));
    for name in ["golang:1", "debian", "busybox"] {
        let message = format!("the base image `{name}` was not given");
        assert_eq!(ran.stderr.matches(&message).count(), 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("--build-context {name}=oci-layout://DIR")), "{}", ran.stderr);
    }
    assert!(ran.stderr.contains("skopeo copy --all docker://"), "{}", ran.stderr);
    // A plan goes on, and says of what nothing is known.
    let ran = place.run(&[&["build", "--print=plan"], &platforms[..]].concat());
    let said = ran.stderr.contains("warning: `busybox`, `debian`, `golang:1`: not given");
    assert!(ran.code == Some(0) && said, "{}", ran.stderr);
    assert!(
        String::from_utf8_lossy(&ran.stdout).contains("3 steps"),
        "{}",
        String::from_utf8_lossy(&ran.stdout)
    );
}

#[test]
fn layouts_and_archives_are_bases() {
    let place = Place::new("layouts");
    let digest = layout(&place, "base");
    place.write("Dockerfile", "FROM debian\nCOPY a /\n");
    shell(&place.path(""), "tar -C base -cf base.tar . && gzip -k base.tar && tar -cf other.tar Dockerfile");
    let print = |value: &str, platform: &str| {
        place.run(&[
            "build",
            PRINT,
            "--platform",
            platform,
            "--build-context",
            &format!("debian=oci-layout://{value}"),
            ".",
        ])
    };
    for value in [
        "base",
        "base:v1",
        "base@DIGEST",
        "base:v1@DIGEST",
        "base.tar",
        "base.tar:v1",
        "./base.tar:v1@DIGEST",
    ] {
        let text = good(&print(&value.replace("DIGEST", &digest), "linux/amd64"));
        assert!(text.contains(&digest), "{value}: {text}");
    }
    for (value, platform, parts) in [
        (
            "base",
            "linux/arm64",
            ["is not for linux/arm64; it is for linux/amd64", "hint: take an image for this platform"],
        ),
        ("base:v2", "linux/amd64", ["holds no image named `v2`", "hint: "]),
        ("base.tar.gz", "linux/amd64", ["is no archive of an OCI layout", "hint: "]),
        ("other.tar", "linux/amd64", ["no archive with an `index.json`", "hint: "]),
        ("nowhere", "linux/amd64", ["which is no OCI layout", ""]),
    ] {
        let ran = print(value, platform);
        assert!(
            ran.code == Some(1) && parts.iter().all(|part| ran.stderr.contains(part)),
            "{value}: {}",
            ran.stderr
        );
    }
}

#[test]
fn what_may_be_meant_otherwise_is_said() {
    let place = Place::new("notes");
    layout(&place, "base");
    place.write("config.toml", "syntax-mirrors = [\"mirror.test:5000\"]\n");
    let syntax = "# syntax=mirror.test:5000/docker/dockerfile:1@sha256:0\n";
    let cases = [
        (
            "FROM golang AS golang\nRUN x\n",
            "warning: Dockerfile:1: the context `golang` takes the place of the whole stage",
        ),
        ("FROM golang AS golang\n", ""),
        ("FROM golang AS build\nRUN x\n", ""),
        (
            "# syntax=docker/dockerfile:1-labs\nFROM scratch\n",
            "warning: Dockerfile:1: the built-in front end reads this file",
        ),
        (syntax, "whatever the digest"),
    ];
    for (text, expected) in cases {
        place.write("Dockerfile", &format!("{text}FROM scratch\nCOPY a /\n"));
        for call in [PRINT, "--call=check"] {
            let ran = place.run(&["build", call, "--build-context", "golang=oci-layout://base", "."]);
            let warned = ran.stderr.contains("warning: ");
            assert!(ran.stderr.contains(expected) && warned != expected.is_empty(), "{text}: {}", ran.stderr);
        }
    }
}

#[test]
fn a_check_finds_what_cannot_be_built() {
    let place = Place::new("unbuildable");
    place.write("Dockerfile", "FROM debian\nEXPOSE 99999\nCOPY --chmod=zz a /\nCMD x\n");
    let ran = place.run(&["build", "--check", "."]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ["error: ", "Dockerfile:2:", "Dockerfile:3:"].iter().all(|part| ran.stderr.contains(part)),
        "{}",
        ran.stderr
    );
    assert!(String::from_utf8_lossy(&ran.stdout).contains("JSONArgsRecommended"));
    let ran = place.run(&["build", "--call=check,format=json", "."]);
    let answer: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(answer["buildError"]["location"]["ranges"][0]["start"]["line"], 2);
    // What stops a build says so; what is ours alone does not stop it.
    for (text, error) in [
        ("FROM scratch\nCMD x\n", Some("error: findings of these rules stop the build: JSONArgsRecommended")),
        ("FROM scratch\nADD https://h/x-amd64.tar /\n", None),
        ("FROM scratch AS other\nCMD x\nFROM scratch\n", None),
    ] {
        place.write("Dockerfile", &format!("# check=error=true\n{text}"));
        let ran = place.run(&["build", PRINT, "."]);
        let said = error.is_none_or(|error| ran.stderr.contains(error));
        assert!(ran.code == Some(i32::from(error.is_some())) && said, "{text}: {}", ran.stderr);
    }
}

#[test]
fn ten_thousand_stages() {
    let place = Place::new("stages");
    let chained = |i: usize| {
        format!(
            "FROM {} AS s{i}\nCOPY a{i} /\n",
            if i == 0 { "scratch".into() } else { format!("s{}", i - 1) }
        )
    };
    place.write("Dockerfile", &(0..10_000).map(chained).collect::<String>());
    for arguments in [["build", "--call=check", "."], ["build", "--call=targets", "."], ["build", PRINT, "."]]
    {
        let ran = place.run(&arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.stderr.chars().take(500).collect::<String>());
    }
}

fn good(ran: &Ran) -> String {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

#[test]
fn the_dockerfile_is_found() {
    let place = Place::new("input");
    let file = "FROM scratch\nLABEL found=yes\nCOPY a /\n";
    let print = |arguments: &[&str], stdin: &str| {
        place.run_with(&[&["build", PRINT], arguments].concat(), stdin.as_bytes())
    };
    let missing = print(&["."], "");
    assert!(
        missing.code == Some(1) && missing.stderr.contains("hint: name the Dockerfile"),
        "{}",
        missing.stderr
    );
    assert!(good(&print(&["-f", "-", "."], file)).contains("local://context"));
    assert!(good(&print(&["-"], file)).contains("local://context"));
    place.write("dockerfile", file);
    assert!(good(&print(&["."], "")).contains("/a"));
    place.write("other/File", "FROM scratch\nCOPY b /\n");
    place.write("other/File.dockerignore", "*.own\n");
    place.write(".dockerignore", "*.general\n");
    let own = good(&print(&["-f", "other/File", "."], ""));
    assert!(own.contains("/b") && own.contains("*.own") && !own.contains("*.general"), "{own}");
    assert!(good(&print(&["."], "")).contains("*.general"));
    for (arguments, part) in [
        (vec!["-f", "-", "-"], "standard input cannot be both"),
        (vec!["nowhere"], "the context `nowhere` does not exist"),
        (vec!["dockerfile"], "the context `dockerfile` is not a folder"),
    ] {
        let ran = print(&arguments, "");
        assert!(
            ran.code == Some(1) && ran.stderr.contains(part) && ran.stderr.contains("hint: "),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn an_archive_is_a_context() {
    let place = Place::new("archive");
    let mut archive = tar::Builder::new(Vec::new());
    for (name, data) in [
        ("Dockerfile", "FROM scratch\nCOPY dir /copied\n"),
        ("dir/a", "contents\n"),
        ("sub/Other", "FROM scratch\nCOPY dir/a /other\n"),
        (".dockerignore", "dir/ignored\n"),
        ("dir/ignored", ""),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, data.as_bytes()).unwrap();
    }
    let plain = archive.into_inner().unwrap();
    let packed = zstd::encode_all(plain.as_slice(), 0).unwrap();
    let cases: [(&[u8], &[&str], &str); 3] = [
        (&plain, &["-o", "plain"], "plain/copied/a"),
        (&packed, &["-o", "packed"], "packed/copied/a"),
        (&plain, &["-o", "other", "-f", "sub/Other"], "other/other"),
    ];
    for (bytes, arguments, file) in cases {
        good(&place.run_with(&[&["build", "-q"], arguments, &["-"]].concat(), bytes));
        assert_eq!(place.read(file), "contents\n");
    }
    assert!(!place.exists("plain/copied/ignored"));
    let broken = place.run_with(&["build", "-q", "-"], &packed[..packed.len() / 2]);
    assert!(broken.code == Some(1) && broken.stderr.contains("cannot be unpacked"), "{}", broken.stderr);
}

/// As Dockerfiles have them that copy what another build may have put there.
#[test]
fn an_empty_stage_is_a_source() {
    let place = Place::new("empty");
    place.write("kept", "");
    place.write(
        "Dockerfile",
        "FROM scratch AS e\nFROM scratch\nCOPY kept /\nCOPY --from=e / /x/\nCOPY --link --from=e /* /y/\nCOPY --from=scratch / /z\n",
    );
    good(&place.run(&["build", "-q", "-o", "out", "."]));
    assert!(place.exists("out/kept") && place.exists("out/x") && !place.exists("out/x/kept"));
    place.write("Dockerfile", "FROM scratch AS e\nFROM scratch\nCOPY --from=e /missing /x/\n");
    let ran = place.run(&["build", "-q", "-o", "out", "."]);
    assert!(ran.code == Some(1) && ran.stderr.contains("/missing"), "{}", ran.stderr);
}

/// What a context brings is somebody else's: a link in it shows nothing of the machine, in a folder as in an archive.
#[test]
fn links_of_a_context_stay_inside() {
    let place = Place::new("links");
    place.write("outside/secret", "t0psecret\n");
    place.write("outside/ignore", "kept\n");
    shell(
        &place.path(""),
        "for case in file folder ignore own inside pipe; do mkdir $case; printf 'FROM scratch\\nCOPY . /\\n' >$case/real; \
             echo k >$case/kept; cp $case/real $case/Dockerfile; done
         ln -sf $PWD/outside/secret file/Dockerfile
         ln -s $PWD/outside folder/sub
         ln -s ../outside/ignore ignore/.dockerignore; ln -s ../outside/ignore own/Dockerfile.dockerignore
         ln -sf /real inside/Dockerfile
         rm pipe/Dockerfile; mkfifo pipe/Dockerfile
         mkdir kept; ln -s nowhere gone
         for case in file folder ignore own inside pipe; do tar -C $case -cf $case.tar .; done",
    );
    let refused = [
        ("file", "Dockerfile", "is a link that leads out of the context"),
        ("folder", "sub/secret", "is a link that leads out of the context"),
        ("pipe", "Dockerfile", "it is not a regular file"),
    ];
    for (case, file, message) in refused {
        let archive = std::fs::read(place.path(&format!("{case}.tar"))).unwrap();
        let named = format!("{case}/{file}");
        for ran in [
            place.run_with(&["build", "-q", "-f", file, "-"], &archive),
            place.run_with(&["build", "-q", "-f", &named, case], b""),
        ] {
            assert!(ran.code == Some(1) && ran.stderr.contains(message), "{case}: {}", ran.stderr);
            assert!(!ran.stderr.contains("t0psecret"), "{case}: {}", ran.stderr);
        }
    }
    // What the user names elsewhere is the user's: a link that leads nowhere is a file that is not there.
    let ran = place.run_with(&["build", "-q", "-f", "gone", "kept"], b"");
    assert!(ran.code == Some(1) && ran.stderr.contains("cannot read `gone`: No such file"), "{}", ran.stderr);
    for case in ["ignore", "own", "inside"] {
        let archive = std::fs::read(place.path(&format!("{case}.tar"))).unwrap();
        good(&place.run_with(&["build", "-q", "-o", &format!("{case}.a"), "-"], &archive));
        good(&place.run_with(&["build", "-q", "-o", &format!("{case}.f"), case], b""));
        assert!(place.exists(&format!("{case}.a/kept")) && place.exists(&format!("{case}.f/kept")), "{case}");
    }
}

#[test]
fn contexts_take_the_place_of_stages() {
    let place = Place::new("contexts");
    place.write("Dockerfile", "FROM scratch AS one\nCOPY a /a\nFROM scratch AS two\nCOPY b /b\nFROM scratch\nCOPY --from=src / /x\n");
    let print = |value: &str| place.run(&["build", PRINT, "--build-context", value, "."]);
    let cases = [
        ("src=target:one", "/a", "/b"),
        ("src=target:two", "/b", "\"/a\""),
        ("src=https://example.com/x.git#v1:dir", "git://example.com/x.git#v1:dir", "local://"),
        ("src=git@example.com:x/y", "git://example.com/x/y", "local://"),
        ("src=https://example.com/x.tar", "\"https://example.com/x.tar\"", "git://"),
        ("SRC=.", "local://src", "git://"),
    ];
    for (value, with, without) in cases {
        let shown = good(&print(value));
        assert!(shown.contains(with) && !shown.contains(without), "{value}: {shown}");
    }
    for (value, part) in [
        ("src=target:three", "there is no target stage `three`"),
        ("src=nowhere", "names `nowhere`, which is no directory"),
        ("src=oci-layout://nowhere", "which is no OCI layout"),
        ("src", "is not `NAME=VALUE`"),
        ("src=s3://bucket", "is of no known kind"),
        ("src=docker-image://debian", "the base image `src` was not given to this build"),
    ] {
        let ran = print(value);
        assert!(ran.code == Some(1) && ran.stderr.contains(part), "{value}: {}", ran.stderr);
    }
}

#[test]
fn settings_reach_every_step() {
    let place = Place::new("settings");
    place.write("Dockerfile", "FROM scratch\nRUN [\"/a\"]\n");
    let options = [
        "--add-host=h:192.0.2.1",
        "--ulimit=nofile=5:6",
        "--shm-size=1m",
        "--network=none",
        "--cgroup-parent=steps.slice",
        "--pull",
        "--provenance=false",
        "--attest=type=sbom,disabled=true",
        "--rm",
    ];
    let shown = good(&place.run(&[&["build", PRINT], &options[..], &["."]].concat()));
    for part in ["192.0.2.1", "nofile", "1048576", "\"network\": \"NONE\"", "steps.slice"] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    for option in ["--add-host=h", "--ulimit=nofile", "--shm-size=x", "--network=x"] {
        assert_eq!(place.run(&["build", PRINT, option, "."]).code, Some(1), "{option}");
    }
    for (option, code, part) in [
        ("--push", 2, "hint: write `--output type=oci"),
        (
            "--output=type=registry,name=x.example/a",
            1,
            "then `skopeo copy --all oci-archive:image.tar docker://x.example/a:latest`",
        ),
        ("--output=type=image,push=true", 1, "hint: write `--output type=oci"),
        ("--output=type=docker", 1, "| docker load"),
        ("--cache-to=type=inline", 2, "hint: results are kept in the store"),
        ("-D", 2, "hint: steps and what they print"),
        ("--progress=rawjson", 2, "possible values: auto, plain, quiet, none"),
        ("--sbom=true", 1, "hint: leave `--sbom` out"),
        ("--attest=type=provenance,mode=max", 1, "attestations are not supported"),
    ] {
        let ran = place.run(&["build", "--call=build", option, "."]);
        assert!(ran.code == Some(code) && ran.stderr.contains(part), "{option}: {}", ran.stderr);
    }
}

#[test]
fn scripts_are_told_the_image() {
    let place = Place::new("metadata");
    place.write("Dockerfile", "FROM scratch\nCOPY a /\n");
    place.write("a", "");
    let build = |platforms: &str| {
        let ran = place.run(&[
            "build",
            "--quiet",
            "--output=type=oci,dest=o,tar=false",
            "--tag=app:1",
            "--iidfile=id",
            "--metadata-file=meta.json",
            platforms,
            ".",
        ]);
        let metadata: serde_json::Value = serde_json::from_str(&place.read("meta.json")).unwrap();
        let index: serde_json::Value = serde_json::from_str(&place.read("o/index.json")).unwrap();
        assert_eq!(good(&ran), format!("{}\n", place.read("id")));
        assert_eq!(metadata["containerimage.digest"], index["manifests"][0]["digest"]);
        assert_eq!(metadata["containerimage.descriptor"]["size"], index["manifests"][0]["size"]);
        assert_eq!(metadata["image.name"], "docker.io/library/app:1");
        (place.read("id"), metadata)
    };
    let (id, one) = build("--platform=linux/arm64");
    let blob = |digest: &serde_json::Value| {
        let name = digest.as_str().unwrap().replace(':', "/");
        serde_json::from_str::<serde_json::Value>(&place.read(&format!("o/blobs/{name}"))).unwrap()
    };
    let manifest = blob(&one["containerimage.digest"]);
    assert_eq!(one["containerimage.config.digest"], manifest["config"]["digest"]);
    assert_eq!(one["containerimage.config.digest"], id);
    std::fs::remove_dir_all(place.path("o")).unwrap();
    let (id, two) = build("--platform=linux/amd64,linux/arm64");
    assert_eq!(two["containerimage.digest"], id);
    assert!(two.get("containerimage.config.digest").is_none());
    // Files are no image.
    let files = ["build", "-q", "-o", "files", "."];
    assert_eq!(good(&place.run(&[&files[..], &["--metadata-file=none.json"]].concat())), "");
    assert_eq!(place.read("none.json"), "{}");
    let ran = place.run(&[&files[..], &["--iidfile=id"]].concat());
    assert!(ran.code == Some(1) && ran.stderr.contains("hint: add `--output type=oci"), "{}", ran.stderr);
    // Without an output it is the image that one would be.
    for arguments in [
        &["-q", "-t", "a"][..],
        &["-q"],
        &["-q", "--output=type=cacheonly"],
        &["-q", "--output=type=image,push=false"],
    ] {
        let told = place.run(&[&["build", "--platform=linux/arm64"], arguments, &["."]].concat());
        assert_eq!(good(&told), format!("{}\n", one["containerimage.config.digest"].as_str().unwrap()));
        assert_eq!(told.stderr, "");
    }
    good(&place.run(&["build", "--platform=linux/arm64", "--iidfile=id", "--metadata-file=some.json", "."]));
    assert_eq!(one["containerimage.config.digest"], place.read("id"));
    assert!(place.read("some.json").contains(one["containerimage.digest"].as_str().unwrap()));
    // One that is made and left has the name that the output gives it.
    good(&place.run(&["build", "-t=app:1", "--output=type=image,name=b", "--metadata-file=some.json", "."]));
    assert!(place.read("some.json").contains("\"image.name\": \"docker.io/library/b:latest\""));
}

#[test]
fn the_user_is_told_what_came_of_it() {
    let place = Place::new("told");
    place.write("a", "");
    place
        .write("Dockerfile", "# app the program\nFROM scratch AS app\n# MODE how\nARG MODE=fast\nCOPY a /\n");
    let lost = "no `--output`: the result stays in the store";
    for (arguments, part, is_said) in [
        (&[][..], lost, true),
        (&["-q"], lost, false),
        (&["--output=type=cacheonly"], lost, false),
        (&["--output=files"], lost, false),
        (&["--output=type=image"], lost, false),
        (&["--output=type=image"], " stays in the store; `--output type=oci,dest=FILE` writes it", true),
    ] {
        let ran = place.run(&[&["build"], arguments, &["."]].concat());
        assert_eq!(
            (ran.code, ran.stderr.contains(part)),
            (Some(0), is_said),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
    for (call, expected) in [
        ("check", "Check complete, no warnings found.\n"),
        ("targets", "TARGET        DESCRIPTION\napp (default) the program\n"),
        (
            "outline",
            "TARGET:      app\nDESCRIPTION: the program\n\nBUILD ARG   VALUE   DESCRIPTION\nMODE        fast    how\n\n",
        ),
    ] {
        assert_eq!(good(&place.run(&["build", "--call", call, "."])), expected, "{call}");
        let json = good(&place.run(&["build", "--call", &format!("{call},format=json"), "."]));
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{call}: {json}");
    }
}

#[test]
fn findings_are_shown_at_the_end() {
    let place = Place::new("findings");
    place.write("a", "");
    place.write("Dockerfile", "FROM scratch AS x\nFROM scratch as y\nCOPY a /\nMAINTAINER me\n");
    let ran = place.run(&["build", "."]);
    let expected = "2 warnings (with lines and hints: `xx-build build --call=check`)\n  \
                    Dockerfile:2: FromAsCasing: `as` does not have the case of `FROM`\n  \
                    Dockerfile:4: MaintainerDeprecated: MAINTAINER is deprecated\n";
    assert!(ran.code == Some(0) && ran.stderr.ends_with(expected), "{}", ran.stderr);
    assert_eq!(place.run(&["build", "--quiet", "."]).stderr, "");
    for arguments in
        [["build", "--check", "."], ["build", "--build-arg=BUILDKIT_DOCKERFILE_CHECK=error=true", "."]]
    {
        let ran = place.run(&arguments);
        let shown = [ran.stderr.as_str(), &String::from_utf8_lossy(&ran.stdout)].concat();
        assert!(ran.code == Some(1) && shown.contains("warning[FromAsCasing]"), "{shown}");
    }
    let skipped = "--build-arg=BUILDKIT_DOCKERFILE_CHECK=skip=all;error=true";
    assert!(!place.run(&["build", skipped, "."]).stderr.contains("warning"));
    place.write("Dockerfile", "FROM scratch\nRNU x\n");
    let ran = place.run(&["build", "--call=check,format=json", "."]);
    let answer: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(answer["buildError"]["message"], "unknown instruction `RNU`");
    assert_eq!(answer["buildError"]["location"]["ranges"][0]["start"]["line"], 2);
}

#[test]
fn arguments_that_are_settings() {
    let place = Place::new("arguments");
    place.write(
        "Dockerfile",
        "# syntax=example.com/other\nFROM scratch\nARG SOURCE_DATE_EPOCH\nRUN [\"/a\"]\nCOPY a b\n",
    );
    let print = |arguments: &[&str]| place.run(&[&["build", PRINT], arguments, &["."]].concat());
    let own = "--build-arg=BUILDKIT_SYNTAX=docker/dockerfile:1";
    assert_eq!(print(&[]).code, Some(1));
    let cases: [(&[&str], &str); 6] = [
        (&["--build-arg=SOURCE_DATE_EPOCH=7"], "SOURCE_DATE_EPOCH=7"),
        (&["--build-arg=BUILDKIT_SANDBOX_HOSTNAME=h1"], "\"hostname\": \"h1\""),
        (&["--build-arg=BUILDKIT_MULTI_PLATFORM=1"], "[linux/"),
        (&["--build-arg=BUILDKIT_SYNTAX=dockerfile.v0"], "/a"),
        (&["--build-arg=HTTP_PROXY=http://p"], "\"httpProxy\": \"http://p\""),
        (&["--build-arg=BUILDKIT_INLINE_CACHE=1"], "/a"),
    ];
    for (arguments, part) in cases {
        let shown = good(&print(&[&[own], arguments].concat()));
        assert!(shown.contains(part), "{arguments:?}: {shown}");
    }
    for (arguments, part) in [
        (["--build-arg=SOURCE_DATE_EPOCH=now"], "invalid SOURCE_DATE_EPOCH `now`"),
        (["--build-arg=BUILDKIT_MULTI_PLATFORM=maybe"], "`maybe` is not `true` or `false`"),
        (["--build-arg=BUILDKIT_DOCKERFILE_CHECK=x"], "BUILDKIT_DOCKERFILE_CHECK: invalid check option `x`"),
        (["--build-arg=BUILDKIT_SYNTAX=example.com/x"], "the front end `example.com/x` is not supported"),
    ] {
        let ran = print(&[&[own], &arguments[..]].concat());
        assert!(ran.code == Some(1) && ran.stderr.contains(part), "{}", ran.stderr);
    }
}
