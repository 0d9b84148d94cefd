//! What COPY and ADD make, and the forms in which it is written.
#![expect(clippy::disallowed_methods, reason = "starts programs")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use integration_tests::docker::Docker;
use integration_tests::{Built, Kit, Place, run, skipped};

fn place(case: &str) -> Option<Place> {
    Kit::find(case).map(Place::new)
}

/// `tar -tv` of an archive: one line per entry, times in UTC.
fn listing(path: &Path) -> String {
    let shown = path.display().to_string();
    run("tar", &["--utc", "--full-time", "--numeric-owner", "-tvf", &shown])
        .map(|listed| listed.stdout)
        .unwrap_or_default()
}

fn shell(place: &Place, script: &str) {
    let ran = run("sh", &["-euc", &format!("cd {}; {script}", place.path("context").display())]);
    assert_eq!(ran.map(|ran| ran.code), Some(Some(0)), "{script}");
}

#[test]
fn copy_and_add_with_their_flags() {
    let Some(place) = place("copy_and_add_with_their_flags") else { return };
    for name in ["a/b/one.txt", "a/b/two.md", "a/c/three.txt", "x/y/z.txt", "exec.sh"] {
        place.write(name, &format!("{name}\n"));
    }
    shell(
        &place,
        "mkdir t; echo packed > t/packed; for kind in gz bz2 xz zst; do mv t/packed t/$kind; \
         tar -cf $kind.tar t/$kind; mv t/$kind t/packed; done; \
         gzip -n gz.tar; bzip2 bz2.tar; xz xz.tar; zstd -q --rm zst.tar; chmod 600 exec.sh",
    );
    place.write(
        "Dockerfile",
        "FROM debian AS b\n\
         RUN mkdir /kept && echo old > /kept/file && ln -s /kept /link\n\
         FROM b AS linked\n\
         COPY --link a/b/one.txt /kept/\n\
         COPY --link --chmod=0640 --chown=33:50 exec.sh /linked.sh\n\
         COPY --chmod=u=rwx,go=rX exec.sh /modes.sh\n\
         COPY --chmod=go+r,u+x exec.sh /more.sh\n\
         COPY --parents a/./b/*.txt x/y/z.txt /parents/\n\
         COPY --exclude=*.md a/b /excluded/\n\
         COPY --exclude=*.md --exclude=two* a/b/* a/b/two.md /excluded/wild/\n\
         ADD gz.tar.gz bz2.tar.bz2 xz.tar.xz zst.tar.zst /unpacked/\n\
         ADD --unpack=false gz.tar.gz /packed/\n\
         RUN cat /kept/file /kept/one.txt && stat -c '%n %a %u:%g' /linked.sh /modes.sh /more.sh && \
             cd / && find parents excluded unpacked packed -type f | sort && cat /unpacked/t/xz\n",
    );
    let built = place.build_well(&[]);
    for line in [
        "old",
        "/linked.sh 640 33:50",
        "/modes.sh 744 0:0",
        "/more.sh 744 0:0",
        "parents/b/one.txt",
        "parents/x/y/z.txt",
        "excluded/one.txt",
        "excluded/wild/one.txt",
        // Named outright.
        "excluded/wild/two.md",
        "unpacked/t/gz",
        "unpacked/t/bz2",
        "unpacked/t/xz",
        "unpacked/t/zst",
        "packed/gz.tar.gz",
        "packed",
    ] {
        assert_eq!(built.printed(line), 1, "{line}: {}", built.stderr);
    }
    assert_eq!(
        built.printed("excluded/two.md") + built.printed("parents/a/b/one.txt"),
        0,
        "{}",
        built.stderr
    );
    assert_eq!(place.build_well(&[]).steps().0, 0, "all cached");

    // A linked copy does not depend on what it lies on.
    let text = fs::read_to_string(place.path("context/Dockerfile")).expect("the file");
    let changed = text.replace("echo old", "echo new");
    place.write("Dockerfile", &changed);
    let again = place.build_well(&[]);
    assert_eq!(again.printed("new"), 1, "{}", again.stderr);

    for (flag, missing) in [("--parents", "a/nosuch/file"), ("", "nosuch"), ("--link", "nosuch")] {
        place.write("Dockerfile", &format!("FROM scratch\nCOPY {flag} {missing} /\n"));
        place.build(&[]).assert_error(&[missing, "Dockerfile:2:1"]);
    }
}

const SIMPLE: &str = "FROM scratch AS base\nCOPY one /\nFROM base\nCOPY two /sub/\nLABEL a=b\n";

#[test]
fn every_form_of_output_holds_the_same_files() {
    let Some(place) = place("every_form_of_output_holds_the_same_files") else { return };
    place.write("one", "1");
    place.write("two", "2");
    place.write("Dockerfile", SIMPLE);
    let path = |name: &str| place.path(name).display().to_string();
    let outputs = [
        path("files"),
        format!("type=tar,dest={}", path("files.tar")),
        format!("type=oci,dest={}", path("gzip.tar")),
        format!("type=oci,dest={},compression=zstd,compression-level=7", path("zstd.tar")),
        format!("type=oci,dest={},compression=uncompressed", path("plain.tar")),
        format!("type=docker,dest={}", path("docker.tar")),
        format!("type=oci,dest={},tar=false", path("layout")),
        "type=cacheonly".to_owned(),
    ];
    let mut arguments = vec!["--tag", "example/app:1"];
    arguments.extend(outputs.iter().flat_map(|output| ["--output", output.as_str()]));
    place.build_well(&arguments);
    assert_eq!(fs::read_to_string(place.path("files/sub/two")).expect("the file"), "2");
    let names: Vec<String> = listing(&place.path("files.tar"))
        .lines()
        .filter_map(|line| line.split_whitespace().last().map(str::to_owned))
        .collect();
    assert_eq!(names, ["one", "sub/", "sub/two"]);

    let docker = run("tar", &["-xOf", &path("docker.tar"), "manifest.json"]).expect("tar");
    let manifest: serde_json::Value = serde_json::from_str(&docker.stdout).expect("JSON");
    assert_eq!(manifest[0]["RepoTags"][0], "example/app:1");
    assert_eq!(manifest[0]["Layers"].as_array().map(Vec::len), Some(2));
    let piped =
        place.command(&["--quiet", "--output", "-"]).stderr(Stdio::null()).output().expect("xx-build");
    assert_eq!(piped.stdout, fs::read(place.path("files.tar")).expect("the archive"), "the same on a pipe");

    if run("skopeo", &["--version"]).is_none() {
        return skipped("every_form_of_output_holds_the_same_files", "skopeo is not installed");
    }
    let mut diff_ids = vec![];
    for (image, layer) in [
        (format!("oci-archive:{}", path("gzip.tar")), "tar+gzip"),
        (format!("oci-archive:{}", path("zstd.tar")), "tar+zstd"),
        (format!("oci-archive:{}", path("plain.tar")), "v1.tar"),
        (format!("docker-archive:{}", path("docker.tar")), "tar.gzip"),
        (format!("oci:{}", path("layout")), "tar+gzip"),
    ] {
        let read = |what: &[&str]| {
            let ran = run("skopeo", &[&["inspect"], what, &[image.as_str()]].concat()).expect("skopeo");
            assert_eq!(ran.code, Some(0), "{image}: {}", ran.stderr);
            serde_json::from_str::<serde_json::Value>(&ran.stdout).expect("JSON")
        };
        let kind = read(&["--raw"])["layers"][0]["mediaType"].as_str().unwrap_or_default().to_owned();
        assert!(kind.ends_with(layer), "{image}: {kind}");
        diff_ids.push(read(&["--config"])["rootfs"]["diff_ids"].clone());
    }
    diff_ids.dedup();
    assert_eq!(diff_ids.len(), 1, "compression does not change the content: {diff_ids:?}");
}

/// Fields of `type=oci`, the media types of the manifest, of the base's layer and of the own one, and how both begin.
type Form = (&'static str, [&'static str; 3], [&'static [u8]; 2]);

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Layers begin with a directory whose name is short: zeroes end it in the header.
const TAR: &[u8] = b"";

const FORMS: &[Form] = &[
    ("", ["oci.image.manifest.v1+json", "v1.tar+gzip", "v1.tar+gzip"], [GZIP, GZIP]),
    ("compression=zstd", ["oci.image.manifest.v1+json", "v1.tar+gzip", "v1.tar+zstd"], [GZIP, ZSTD]),
    (
        "compression=zstd,force-compression=true",
        ["oci.image.manifest.v1+json", "v1.tar+zstd", "v1.tar+zstd"],
        [ZSTD, ZSTD],
    ),
    (
        "compression=uncompressed,force-compression=true",
        ["oci.image.manifest.v1+json", "v1.tar", "v1.tar"],
        [TAR, TAR],
    ),
    (
        "oci-mediatypes=false",
        ["distribution.manifest.v2+json", "diff.tar.gzip", "diff.tar.gzip"],
        [GZIP, GZIP],
    ),
    (
        "oci-mediatypes=false,compression=uncompressed",
        ["distribution.manifest.v2+json", "diff.tar.gzip", "rootfs.diff.tar"],
        [GZIP, TAR],
    ),
    (
        "oci-mediatypes=false,compression=zstd,force-compression=true",
        ["oci.image.manifest.v1+json", "v1.tar+zstd", "v1.tar+zstd"],
        [ZSTD, ZSTD],
    ),
];

#[test]
fn layers_have_the_compression_and_types_that_are_asked_for() {
    let Some(place) = place("layers_have_the_compression_and_types_that_are_asked_for") else { return };
    place.write("one", "1");
    // A base of one gzip layer.
    place.write("Dockerfile", "FROM scratch\nCOPY one /base/\n");
    place.build_well(&["--output", "type=oci,dest=base,tar=false"]);
    let base = format!("base=oci-layout://{}", place.path("base").display());
    place.write("Dockerfile", "FROM base\nCOPY one /own/\n");
    let mut diff_ids = vec![];
    for (number, (fields, types, magic)) in FORMS.iter().enumerate() {
        let layout = place.path(&format!("layout{number}"));
        let output = format!("type=oci,tar=false,dest={},{fields}", layout.display());
        place.build_well(&["--build-context", &base, "--output", output.trim_end_matches(',')]);
        let blob = |digest: &serde_json::Value| {
            let hex = digest.as_str().unwrap_or_default().trim_start_matches("sha256:").to_owned();
            fs::read(layout.join("blobs/sha256").join(hex)).expect("a blob")
        };
        let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).expect("JSON");
        let index = json(&fs::read(layout.join("index.json")).expect("an index"));
        let manifest = json(&blob(&index["manifests"][0]["digest"]));
        let layers = manifest["layers"].as_array().expect("layers");
        let named = [&manifest["mediaType"], &layers[0]["mediaType"], &layers[1]["mediaType"]];
        for (found, expected) in named.iter().zip(types) {
            let found = found.as_str().unwrap_or_default();
            assert!(found.ends_with(expected), "{fields}: {found}, not {expected}");
        }
        assert_eq!(index["manifests"][0]["mediaType"], manifest["mediaType"], "{fields}");
        let config_type = manifest["config"]["mediaType"].as_str().unwrap_or_default();
        assert_eq!(config_type.contains("docker"), types[0].contains("v2"), "{fields}: {config_type}");
        for (layer, magic) in layers.iter().zip(magic) {
            let bytes = blob(&layer["digest"]);
            assert_eq!(Some(bytes.len() as u64), layer["size"].as_u64(), "{fields}");
            let is_tar = bytes.get(257..262) == Some(b"ustar");
            assert!(bytes.starts_with(magic) && is_tar == magic.is_empty(), "{fields}: {:?}", bytes.get(..4));
        }
        diff_ids.push(json(&blob(&manifest["config"]["digest"]))["rootfs"]["diff_ids"].clone());
    }
    diff_ids.dedup();
    assert_eq!(diff_ids.len(), 1, "the content is the same: {diff_ids:?}");
}

#[test]
fn docker_engine_loads_what_is_written() {
    let case = "docker_engine_loads_what_is_written";
    let Some(place) = place(case) else { return };
    place.write("one", "1");
    place.write("Dockerfile", "FROM debian AS files\nRUN mkdir /made && echo made > /made/file && chown 33:50 /made/file\nFROM scratch\nCOPY --from=files /made /made\nCOPY one /\nCMD [\"/one\"]\n");
    let Some(docker) = Docker::start(case, place.directory.path()) else { return };
    let run = |arguments: &[&str]| {
        let ran = Built::of(docker.command("docker").args(arguments).output().expect("sh starts"));
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.stderr);
        ran.stdout
    };
    for (number, form) in [
        "type=docker",
        "type=docker,oci-mediatypes=false",
        "type=docker,compression=zstd",
        "type=docker,compression=uncompressed,oci-mediatypes=false",
        "type=oci",
        "type=oci,oci-mediatypes=false",
    ]
    .into_iter()
    .enumerate()
    {
        let (archive, name) = (place.path("image.tar"), format!("example/app:{number}"));
        let output = format!("{form},dest={}", archive.display());
        place.build_well(&["--tag", &name, "--output", &output]);
        let loaded = run(&["load", "--input", &archive.display().to_string()]);
        assert!(loaded.contains(&format!("Loaded image: {name}")), "{form}: {loaded}");
        let shown = run(&["image", "inspect", "--format", "{{json .Config.Cmd}} {{.Architecture}}", &name]);
        assert!(shown.starts_with("[\"/one\"] "), "{form}: {shown}");
        let container = run(&["create", "--network", "none", &name]);
        let files = place.path("exported.tar");
        run(&["export", "--output", &files.display().to_string(), container.trim()]);
        let listing = listing(&files);
        for entry in [" 33/50 ", " made/file\n", " one\n"] {
            assert!(listing.contains(entry), "{form}: {entry}: {listing}");
        }
        run(&["rm", container.trim()]);
    }
}

#[test]
fn annotations_and_times_are_written() {
    let Some(place) = place("annotations_and_times_are_written") else { return };
    place.write("one", "1");
    place.write("two", "2");
    place.write("Dockerfile", SIMPLE);
    let path = |name: &str| place.path(name).display().to_string();
    let build = |layout: &str| {
        let output = format!(
            "type=oci,dest={},tar=false,rewrite-timestamp=true,annotation-index-descriptor.top=yes",
            path(layout)
        );
        let mut command = place.command(&[
            "--platform=linux/amd64,linux/arm64",
            "--annotation=index:where=index",
            "--annotation=manifest[linux/arm64]:where=arm",
            "--output",
            &output,
        ]);
        let ended = command.env("SOURCE_DATE_EPOCH", "86400").output().expect("xx-build");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    };
    build("layout");
    let document = |digest: &serde_json::Value| {
        let hex = digest.as_str().unwrap_or_default().trim_start_matches("sha256:").to_owned();
        place.path("layout/blobs/sha256").join(hex)
    };
    let json = |path: &Path| -> serde_json::Value {
        serde_json::from_slice(&fs::read(path).expect("a document")).expect("JSON")
    };
    let top = json(&place.path("layout/index.json"));
    assert_eq!(top["manifests"][0]["annotations"]["top"], "yes");
    let index = json(&document(&top["manifests"][0]["digest"]));
    assert_eq!(index["annotations"]["where"], "index");
    let manifests: Vec<_> = index["manifests"]
        .as_array()
        .expect("two")
        .iter()
        .map(|one| json(&document(&one["digest"])))
        .collect();
    assert_eq!(
        (&manifests[0]["annotations"]["where"], &manifests[1]["annotations"]["where"]),
        (&serde_json::Value::Null, &"arm".into())
    );
    for layer in manifests[0]["layers"].as_array().expect("layers") {
        let listing = listing(&document(&layer["digest"]));
        assert!(listing.lines().count() > 0);
        for line in listing.lines() {
            assert!(line.contains("1970-01-02 00:00:00"), "{line}");
        }
    }
    // Touched files, another store: the same bytes.
    shell(&place, "sleep 0.01; touch one two");
    fs::rename(place.path("store"), place.path("old")).expect("renamed");
    build("again");
    assert_eq!(top, json(&place.path("again/index.json")));
}

#[test]
fn du_shows_and_prune_removes() {
    let Some(place) = place("du_shows_and_prune_removes") else { return };
    place.write(
        "Dockerfile",
        "FROM debian\nRUN --mount=type=cache,target=/cache head -c 3000000 /dev/urandom > /cache/file\n\
         RUN head -c 5000000 /dev/urandom > /file\n",
    );
    place.build_well(&[]);
    let xx_build = |arguments: &[&str]| {
        let mut command = Command::new(&place.kit().xx_build);
        let ended =
            command.args(arguments).arg("--store").arg(place.path("store")).output().expect("xx-build");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8_lossy(&ended.stdout).into_owned()
    };
    let total = |text: &str| text.lines().last().map(str::to_owned).unwrap_or_default();
    let verbose = xx_build(&["du", "--verbose"]);
    for part in ["exec.cachemount", "head -c 5000000", "5.0MB", "3.0MB", "Shared:\t\ttrue"] {
        assert!(verbose.contains(part), "{part}: {verbose}");
    }
    assert!(total(&xx_build(&["du", "--filter", "type=exec.cachemount"])).contains("3.0MB"));
    assert!(xx_build(&["prune", "--force", "--keep-storage", "100GB"]).contains("Total:\t0B"));
    assert!(xx_build(&["prune", "--force", "--filter", "until=1h"]).contains("Total:\t0B"));
    assert!(xx_build(&["prune", "--force", "--filter", "type==exec.cachemount"]).contains("3.0MB"));
    // Asked without an answer, it leaves everything; standard input is empty here.
    let asked = xx_build(&["prune"]);
    assert!(asked.starts_with("WARNING! ") && asked.contains("nothing is removed"), "{asked}");
    assert!(xx_build(&["du"]).contains("5.0MB"));
    xx_build(&["prune", "--force"]);
    let left = xx_build(&["du"]);
    assert!(left.lines().count() > 5 && !left.contains("5.0MB"), "the base is left: {left}");
    assert_eq!(place.build_well(&[]).steps(), (2, 1), "the base is cached, the steps run again");
    xx_build(&["prune", "--all", "--force"]);
    assert_eq!(total(&xx_build(&["du"])), "Total:          0B");
    assert_eq!(fs::read_dir(place.store("layers")).expect("listed").count(), 0);
    assert_eq!(fs::read_dir(place.store("blobs/sha256")).expect("listed").count(), 0);

    // A build tidies up by itself when the settings say so.
    fs::write(place.path("config.toml"), "[[gc.policy]]\nall = true\nmaxUsedSpace = \"1kB\"\n")
        .expect("a file");
    let ended =
        place.command(&[]).env("XX_BUILD_CONFIG", place.path("config.toml")).output().expect("xx-build");
    let text = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && text.contains("removed from the store"), "{text}");
    let reason = format!("maxUsedSpace in [[gc.policy]] 1 of {}", place.path("config.toml").display());
    assert!(text.contains(&reason), "{text}");
}
