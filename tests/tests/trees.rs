//! The same Dockerfiles built here and by Docker Engine: the files they add and the configurations are equal.
//!
//! Cases are data in `tests/data/trees.txt`. Compared are type, mode, owner, size, content, link and extended
//! attributes of every path that the layers over the base name, and all fields of the configuration except
//! moments and layer digests.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "what the test itself needs must work; it starts tar and reads its environment"
)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use integration_tests::docker::Docker;
use integration_tests::image::{Entry, Image, Tree, differences};
use integration_tests::{Built, Kit, Place, repository};
use serde_json::Value;

/// A Dockerfile and the options of its build.
struct Case<'a> {
    name: &'a str,
    arguments: Vec<&'a str>,
    dockerfile: String,
}

/// The base of most cases.
struct Base {
    tree: Tree,
    layers: usize,
}

fn cases(text: &str) -> Vec<Case<'_>> {
    let mut cases: Vec<Case<'_>> = Vec::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("=== ") {
            let mut words = head.split(' ');
            let name = words.next().expect("a name");
            cases.push(Case { name, arguments: words.collect(), dockerfile: String::new() });
        } else if let Some(case) = cases.last_mut() {
            case.dockerfile.push_str(line);
            case.dockerfile.push('\n');
        }
    }
    cases
}

/// Fills a context with files of every kind.
fn fill(context: &Path) {
    for (name, text, mode) in [
        ("a.txt", "a\n", 0o644),
        ("b.txt", "b\n", 0o600),
        ("run.sh", "#!/bin/sh\n", 0o755),
        ("with space.txt", "space\n", 0o644),
        ("ünïcode.txt", "u\n", 0o644),
        ("dir/one", "1\n", 0o640),
        ("dir/two.log", "2\n", 0o444),
        ("dir/sub/deep.txt", "deep\n", 0o664),
        ("dir/kept.ignored", "kept\n", 0o644),
        ("dir/lost.ignored", "lost\n", 0o644),
        ("special/setuid", "s\n", 0o4755),
        ("special/noted", "n\n", 0o644),
        ("other/o", "o\n", 0o644),
        ("other/d/p", "p\n", 0o644),
        ("tree/in/file", "in\n", 0o604),
        (".dockerignore", "**/*.ignored\n!dir/kept.ignored\nother\ntree\n", 0o644),
    ] {
        let path = context.join(name);
        fs::create_dir_all(path.parent().expect("below the context")).expect("a directory");
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
    }
    for (name, mode) in [("dir/empty", 0o700), ("special/sticky", 0o1777), ("tree/empty", 0o750)] {
        fs::create_dir(context.join(name)).expect("a directory");
        fs::set_permissions(context.join(name), fs::Permissions::from_mode(mode)).expect("a mode");
    }
    for (target, name) in
        [("a.txt", "link"), ("dir", "dirlink"), ("nowhere", "special/broken"), ("in/file", "tree/link")]
    {
        symlink(target, context.join(name)).expect("a link");
    }
    fs::write(context.join("hard1"), "hard\n").expect("a file");
    fs::hard_link(context.join("hard1"), context.join("hard2")).expect("a hard link");
    let script = "tar --owner=21 --group=22 -C tree -cf t.tar . && gzip -k t.tar && bzip2 -k t.tar \
                  && xz -k t.tar && zstd -q t.tar -o t.tar.zst && setfattr -n user.note -v hi special/noted";
    let made = Command::new("sh").arg("-ec").arg(script).current_dir(context).output().expect("sh starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn trees_and_configurations_are_dockers() {
    let case = "trees_and_configurations_are_dockers";
    let Some(kit) = Kit::find(case) else { return };
    let place = Place::new(kit);
    let Some(docker) = Docker::start(case, place.directory.path()) else { return };
    docker.load(&place.kit().debian, place.directory.path());
    let image = Image::of(&place.kit().debian, "amd64");
    let base = Base { tree: image.tree(&place.kit().debian, &Tree::new(), 0), layers: image.layers.len() };
    fill(&place.context());

    let text = fs::read_to_string(repository().join("tests/data/trees.txt")).expect("the cases");
    let only = std::env::var("XX_TREES_ONLY").unwrap_or_default();
    let mut failures = Vec::new();
    let chosen: Vec<_> = cases(&text).into_iter().filter(|case| case.name.contains(&only)).collect();
    for case in &chosen {
        let problems = compare(&place, &docker, &base, case);
        if !problems.is_empty() {
            failures.push(format!("{}:\n  {}", case.name, problems.join("\n  ")));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), chosen.len(), failures.join("\n"));
}

/// The case's options with paths in the context.
fn arguments(case: &Case<'_>, context: &str) -> Vec<String> {
    let absolute = |argument: &&str| {
        let argument = argument.replace("src=", &format!("src={context}/"));
        argument.replace("other=other", &format!("other={context}/other"))
    };
    case.arguments.iter().map(absolute).collect()
}

fn compare(place: &Place, docker: &Docker, base: &Base, case: &Case<'_>) -> Vec<String> {
    let file = place.path("Dockerfile");
    fs::write(&file, &case.dockerfile).expect("a Dockerfile");
    let file = file.display().to_string();
    let context = place.context().display().to_string();
    let arguments = arguments(case, &context);
    let layouts = ["docker-image", "our-image"].map(|name| place.path(&format!("{}.{name}", case.name)));
    let [theirs, ours] = &layouts;
    let output = |layout: &Path| format!("type=oci,tar=false,dest={}", layout.display());
    let (their_output, our_output) = (output(theirs), output(ours));
    let all = |output| {
        let mut all: Vec<&str> = arguments.iter().map(String::as_str).collect();
        all.extend(["--file", &file, "--output", output]);
        all
    };
    let peer = docker.build(&place.context(), &all(&their_output));
    if peer.code != Some(0) {
        return vec![format!("Docker fails: {}", peer.stderr)];
    }
    let built = place.build(&all(&our_output));
    if built.code != Some(0) {
        return vec![format!("xx-build fails: {}", built.stderr)];
    }
    let [their_image, our_image] = layouts.each_ref().map(|layout| Image::of(layout, "amd64"));
    let nothing = Base { tree: Tree::new(), layers: 0 };
    let base = if case.dockerfile.contains("FROM scratch") { &nothing } else { base };
    let their_tree = their_image.tree(theirs, &base.tree, base.layers);
    let mut lines = differences(&their_tree, &our_image.tree(ours, &base.tree, base.layers));
    let (mut their_config, our_config) = (their_image.timeless_config(), our_image.timeless_config());
    as_today(&mut their_config, &our_config);
    if their_config != our_config {
        lines.push(format!("- {their_config}"));
        lines.push(format!("+ {our_config}"));
    }
    for layout in layouts {
        fs::remove_dir_all(layout).expect("a layout");
    }
    lines
}

/// BuildKit v0.29 and earlier, as in Docker Engine 28, wrote HEALTHCHECK into the history as Go prints a pointer. Today's text
/// is held against recorded configurations; here it takes the place of the old one.
fn as_today(theirs: &mut Value, ours: &Value) {
    let steps = theirs.get_mut("history").and_then(Value::as_array_mut).into_iter().flatten();
    for (their, our) in steps.zip(ours.get("history").and_then(Value::as_array).into_iter().flatten()) {
        let text =
            |step: &Value| step.get("created_by").and_then(Value::as_str).unwrap_or_default().to_owned();
        if text(their).starts_with("HEALTHCHECK &{")
            && text(our).starts_with("HEALTHCHECK {Test:")
            && let Some(place) = their.get_mut("created_by")
        {
            *place = text(our).into();
        }
    }
}

/// Where buildah's files differ from Docker's and ours: case, path, and why.
fn known(text: &str) -> Vec<(&str, &str)> {
    let rows = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    rows.map(|row| {
        let mut words = row.split_whitespace();
        (words.next().expect("a case"), words.next().expect("a path"))
    })
    .collect()
}

#[test]
fn trees_are_buildahs() {
    let case = "trees_are_buildahs";
    let Some(kit) = Kit::find(case) else { return };
    let place = Place::new(kit);
    let Some(docker) = Docker::start(case, place.directory.path()) else { return };
    let storage = place.path("buildah");
    fs::create_dir(&storage).expect("a directory");
    let well = |command: &mut Command| {
        let built = Built::of(command.output().expect("sh starts"));
        assert_eq!(built.code, Some(0), "{}", built.stderr);
        built.stdout
    };
    let layout = format!("oci:{}", place.kit().debian.display());
    let id = well(docker.buildah(&storage).args(["pull", &layout]));
    well(docker.buildah(&storage).args(["tag", id.trim(), "docker.io/library/debian:latest"]));
    let image = Image::of(&place.kit().debian, "amd64");
    let base = Base { tree: image.tree(&place.kit().debian, &Tree::new(), 0), layers: image.layers.len() };
    fill(&place.context());
    let limits =
        |flag| well(Command::new("bash").args(["-c", &format!("ulimit -H{flag}")])).trim().to_owned();
    let (files, processes) = (limits("n"), limits("u"));
    let text = fs::read_to_string(repository().join("tests/data/trees.txt")).expect("the cases");
    let differing =
        fs::read_to_string(repository().join("tests/data/trees-buildah.txt")).expect("the differences");
    let known = known(&differing);
    let only = std::env::var("XX_TREES_ONLY").unwrap_or_default();
    let (mut failures, mut met) = (Vec::new(), BTreeSet::new());
    for case in cases(&text).iter().filter(|case| case.name.contains(&only)) {
        let context = place.context().display().to_string();
        let file = place.path("Dockerfile");
        fs::write(&file, &case.dockerfile).expect("a Dockerfile");
        let file = file.display().to_string();
        let arguments = arguments(case, &context);
        let [theirs, ours] = ["theirs", "ours"].map(|side| place.path(&format!("{}.{side}", case.name)));
        let name = format!("oci:{}:x", theirs.display());
        let mut command = docker.buildah(&storage);
        command.args([
            "build",
            "--isolation",
            "chroot",
            "--network",
            "host",
            "--pull=never",
            "--layers=false",
        ]);
        command.args(["--ulimit", &format!("nofile={files}:{files}")]);
        command.args(["--ulimit", &format!("nproc={processes}:{processes}")]);
        command.args(&arguments).args(["--file", &file, "--tag", &name, &context]);
        let peer = Built::of(command.output().expect("sh starts"));
        if known.contains(&(case.name, "*")) {
            assert_ne!(peer.code, Some(0), "{}: buildah builds it now", case.name);
            continue;
        }
        if peer.code != Some(0) {
            failures.push(format!("{}: buildah fails: {}", case.name, peer.stderr));
            continue;
        }
        let output = format!("type=oci,tar=false,dest={}", ours.display());
        let mut all: Vec<&str> = arguments.iter().map(String::as_str).collect();
        all.extend(["--file", &file, "--output", &output]);
        place.build_well(&all);
        let nothing = Base { tree: Tree::new(), layers: 0 };
        let base = if case.dockerfile.contains("FROM scratch") { &nothing } else { &base };
        let said = |layout: &Path| {
            let mut tree = Image::of(layout, "amd64").tree(layout, &base.tree, base.layers);
            // What one layer adds and the next one removes is no difference where both are one.
            let counts = |path: &String, entry: &Entry| {
                base.tree.get(path).map_or(entry.kind != '-', |old| old != entry)
            };
            tree.retain(|path, entry| counts(path, entry));
            tree
        };
        let mut lines = differences(&said(&theirs), &said(&ours));
        lines.retain(|line| {
            let row = (case.name, line.split(' ').nth(1).unwrap_or_default());
            let is_known = known.contains(&row);
            if is_known {
                met.insert((row.0, row.1.to_owned()));
            }
            !is_known
        });
        if !lines.is_empty() {
            failures.push(format!("{}:\n  {}", case.name, lines.join("\n  ")));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let unmet = |row: &&(&str, &str)| row.1 != "*" && !met.contains(&(row.0, row.1.to_owned()));
    let unmet: Vec<_> = known.iter().filter(unmet).collect();
    assert!(!only.is_empty() || unmet.is_empty(), "buildah builds these as we do: {unmet:?}");
}
