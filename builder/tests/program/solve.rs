//! `xx-build solve`: graphs of other producers are taken, hostile ones are refused by what is wrong with them.

use xx_build_frontend::llb::pb::file_action::Action;
use xx_build_frontend::llb::pb::op::Op as Kind;
use xx_build_frontend::llb::{pb, wire};
use xx_build_frontend::oci::digest::Digest;

use super::program::{Place, Ran};

fn op(inputs: &[(&pb::Op, i64)], kind: Kind) -> pb::Op {
    pb::Op {
        inputs: inputs.iter().map(|(op, index)| input(op, *index)).collect(),
        op: Some(kind),
        ..Default::default()
    }
}

fn input(op: &pb::Op, index: i64) -> pb::Input {
    pb::Input { digest: Digest::of(&wire::encode_op(op)).to_string(), index }
}

fn local() -> pb::Op {
    op(&[], Kind::Source(pb::SourceOp { identifier: "local://context".into(), ..Default::default() }))
}

fn copy(src: &str, dest: &str) -> pb::Op {
    let copy = pb::FileActionCopy {
        src: src.into(),
        dest: dest.into(),
        mode: -1,
        timestamp: -1,
        ..Default::default()
    };
    let action =
        pb::FileAction { input: -1, secondary_input: 0, output: 0, action: Some(Action::Copy(copy)) };
    op(&[(&local(), 0)], Kind::File(pb::FileOp { actions: vec![action] }))
}

fn exec(change: impl FnOnce(&mut pb::Mount)) -> pb::Op {
    let meta = pb::Meta { args: vec!["/a".into()], cwd: "/".into(), ..Default::default() };
    let mut mount = pb::Mount { dest: "/".into(), ..Default::default() };
    change(&mut mount);
    op(
        &[(&local(), 0)],
        Kind::Exec(pb::ExecOp { meta: Some(meta), mounts: vec![mount], ..Default::default() }),
    )
}

fn many_mounts() -> pb::Op {
    let mut op = exec(|_| ());
    if let Some(Kind::Exec(exec)) = &mut op.op {
        exec.mounts = vec![pb::Mount { dest: "/".into(), output: -1, ..Default::default() }; 100_001];
    }
    op
}

fn end(op: &pb::Op) -> pb::Op {
    pb::Op { inputs: vec![input(op, 0)], ..Default::default() }
}

fn bytes(ops: &[pb::Op]) -> Vec<u8> {
    let def = ops.iter().map(wire::encode_op).collect();
    wire::encode_definition(&pb::Definition { def, ..Default::default() })
}

fn solve(place: &Place, graph: &[u8], more: &[&str]) -> Ran {
    place.write_bytes("graph.pb", graph);
    let arguments = ["solve", "--local", "context=.", "-o", "out", "graph.pb"];
    place.run(&[&arguments[..], more].concat())
}

#[test]
fn a_graph_is_solved() {
    let place = Place::new("solve");
    place.write("a", "contents\n");
    let copied = copy("/a", "/dir/b");
    // The order of a map, as BuildKit's clients write it: the result last, the rest in any order.
    for ops in [[local(), copied.clone(), end(&copied)], [copied.clone(), local(), end(&copied)]] {
        let ran = solve(&place, &bytes(&ops), &[]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(place.read("out/dir/b"), "contents\n");
    }
    let ran = place.run_with(
        &["solve", "--local", "context=.", "-o", "from-stdin", "-"],
        &bytes(&[local(), copied.clone(), end(&copied)]),
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(place.read("from-stdin/dir/b"), "contents\n");
}

#[test]
fn a_printed_graph_is_solved() {
    let place = Place::new("solve-printed");
    place.write("a", "contents\n");
    place.write("Dockerfile", "FROM scratch\nCOPY a /b\nCOPY <<E /c\ntext\nE\n");
    let printed = place.run(&["build", "--print=llb,format=pb", "."]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let ran = solve(&place, &printed.stdout, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!((place.read("out/b"), place.read("out/c")), ("contents\n".into(), "text\n".into()));
    let two = place.run(&["build", "--print=llb,format=pb", "--platform=linux/amd64,linux/arm64", "."]);
    assert!(two.code == Some(1) && two.stderr.contains("hint: name one platform"), "{}", two.stderr);
}

#[test]
fn a_graph_of_a_go_client_is_solved() {
    let place = Place::new("solve-go");
    ["a.txt", "b.txt", "c.md"].iter().for_each(|name| place.write(name, name));
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/definitions/go-client.pb");
    let ran = solve(&place, &std::fs::read(path).unwrap(), &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        (place.read("out/made/file"), place.read("out/copied/a.txt")),
        ("from go\n".into(), "a.txt".into())
    );
    assert_eq!(place.read("out/link"), "from go\n");
    assert!(!place.exists("out/copied/b.txt") && !place.exists("out/copied/c.md"));
}

/// What v0.29 did not have: the passthrough operation, and limits beside operations.
#[test]
fn a_newer_graph_is_solved() {
    let place = Place::new("solve-passthrough");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/definitions/passthrough.pb");
    let bytes = std::fs::read(path).unwrap();
    let definition = wire::decode_definition(&bytes).unwrap();
    let mut passes = 0;
    for op in &definition.def {
        let decoded = wire::decode_op(op).unwrap();
        assert_eq!(&wire::encode_op(&decoded), op, "other bytes than Go's: {decoded:?}");
        passes += usize::from(matches!(decoded.op, Some(Kind::Passthrough(_))));
    }
    assert_eq!(passes, 2);
    let limited = definition.metadata.values().filter_map(|metadata| metadata.linux_resources.as_ref());
    let expected = pb::LinuxResources {
        memory: 1 << 20,
        memory_swap: -1,
        cpu_shares: 2,
        cpu_period: 100_000,
        cpu_quota: 50_000,
        cpuset_cpus: "0-1".into(),
        cpuset_mems: "0".into(),
    };
    assert_eq!(limited.collect::<Vec<_>>(), [&expected]);
    let again = wire::decode_definition(&wire::encode_definition(&definition)).unwrap();
    assert_eq!(again, definition);
    let ran = solve(&place, &bytes, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!((place.read("out/a"), place.read("out/b")), ("/a".into(), "/b".into()));
    assert!(!place.exists("out/dropped") && !place.exists("out/check"));
}

/// The graph of a Go client names images of a registry; a layout takes the place of each.
#[test]
fn images_of_a_graph_are_given() {
    let place = Place::new("solve-image");
    place.write("Dockerfile", "FROM scratch\nCOPY a /a\nENV A=1\n");
    place.write("a", "of the image\n");
    let made = place.run(&["build", "-q", "-o", "type=oci,dest=layout,tar=false", "-t", "app:1", "."]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let image = |identifier: &str| {
        let source = pb::SourceOp { identifier: identifier.into(), ..Default::default() };
        op(&[], Kind::Source(source))
    };
    for identifier in ["docker-image://docker.io/library/app:latest", "docker-image://app@sha256:"] {
        let base = image(&identifier.replace("sha256:", &Digest::of(b"x").to_string()));
        let copied = pb::Op { inputs: vec![input(&base, 0)], ..copy("/a", "/dir/b") };
        let graph = bytes(&[copied.clone(), base, end(&copied)]);
        for layout in ["--image=app=layout", "--image=docker.io/library/app=layout:1"] {
            let ran = solve(&place, &graph, &[layout]);
            assert_eq!(ran.code, Some(0), "{layout}: {}", ran.stderr);
            assert_eq!(place.read("out/dir/b"), "of the image\n");
            std::fs::remove_dir_all(place.path("out")).unwrap();
        }
        for (layout, parts) in [
            (
                "--quiet",
                ["the graph needs the image `docker.io/library/app:latest`", "hint: pass it with `--image"],
            ),
            ("--image=app:2=layout", ["the graph needs the image", "hint: pass it"]),
            ("--image=app=layout:7", ["the image `", "`7`"]),
            ("--image=app", ["`--image app`: it has no directory", "hint: write `--image"]),
            ("--image=App=layout", ["a repository name must be lower case", "hint: write"]),
            ("--image=app=nowhere", ["which is no OCI layout", "nowhere"]),
        ] {
            let ran = solve(&place, &graph, &[layout]);
            let shown = parts.iter().all(|part| ran.stderr.contains(part));
            assert!(ran.code == Some(1) && shown && !place.exists("out"), "{layout}: {}", ran.stderr);
        }
    }
}

/// What a hostile client may send, and what is said about it.
fn hostile() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let graph = |op: pb::Op| bytes(&[local(), op.clone(), end(&op)]);
    let source = |identifier: &str| {
        let op = op(&[], Kind::Source(pb::SourceOp { identifier: identifier.into(), ..Default::default() }));
        bytes(&[op.clone(), end(&op)])
    };
    let raw = |def: Vec<Vec<u8>>| wire::encode_definition(&pb::Definition { def, ..Default::default() });
    // A definition cannot hold a true cycle, for a digest cannot contain itself: the nearest is one that names
    // an operation which comes later and needs it back.
    let later = pb::Op {
        inputs: vec![pb::Input { digest: Digest::of(b"later").to_string(), index: 0 }],
        ..exec(|_| ())
    };
    vec![
        ("no bytes", Vec::new(), "is empty"),
        ("no protobuf", vec![0xff; 30], "is not a valid LLB definition"),
        ("JSON", b"{\"def\": []}".to_vec(), "is not a valid LLB definition"),
        (
            "nil operation",
            raw(vec![Vec::new(), wire::encode_op(&end(&pb::Op::default()))]),
            "the last operation must have one input",
        ),
        (
            "nil operation among others",
            raw(vec![Vec::new(), wire::encode_op(&local()), wire::encode_op(&end(&local()))]),
            "the last operation must have one input",
        ),
        ("operation that is no protobuf", raw(vec![vec![0xff; 9]]), "not a valid LLB operation"),
        ("no end", bytes(&[local()]), "no last operation says what the result is"),
        (
            "end with two inputs",
            bytes(&[local(), pb::Op { inputs: vec![input(&local(), 0); 2], ..Default::default() }]),
            "must have one input",
        ),
        ("missing input", bytes(&[copy("/a", "/b"), end(&copy("/a", "/b"))]), "does not come before it"),
        ("cycle", bytes(&[local(), later.clone(), end(&later)]), "does not come before it"),
        (
            "output that is not there",
            bytes(&[local(), pb::Op { inputs: vec![input(&local(), 1)], ..Default::default() }]),
            "takes output 1",
        ),
        (
            "negative output",
            bytes(&[local(), pb::Op { inputs: vec![input(&local(), -1)], ..Default::default() }]),
            "takes output -1",
        ),
        ("negative mount input", graph(exec(|m| m.input = -2)), "input of a mount -2"),
        ("huge mount input", graph(exec(|m| m.input = i64::MAX)), "input of a mount 9223372036854775807"),
        ("huge mount output", graph(exec(|m| m.output = 1 << 40)), "output of a mount"),
        ("selector climbs", graph(exec(|m| m.selector = "../../etc".into())), "climbs with `..`"),
        ("absolute selector climbs", graph(exec(|m| m.selector = "/x/../../etc".into())), "climbs with `..`"),
        ("NUL in a selector", graph(exec(|m| m.selector = "a\0b".into())), "NUL byte"),
        ("no mount at the root", graph(exec(|m| m.dest = "x".into())), "without a root mount"),
        ("no mount target", graph(exec(|m| m.dest.clear())), "a mount without a target"),
        ("unknown mount type", graph(exec(|m| m.mount_type = 77)), "unknown mount type 77"),
        ("source climbs", graph(copy("/../../etc/shadow", "/b")), "climbs with `..`"),
        ("destination climbs", graph(copy("/a", "/../b")), "climbs with `..`"),
        ("host file as source", source("file:///etc/passwd"), "unknown source"),
        ("nameless source", source("local://"), "unknown source"),
        ("source without scheme", source("/etc"), "unknown source"),
        ("huge text", graph(copy(&format!("/{}", "a".repeat(2 << 20)), "/b")), "source path of"),
        ("too many operations", raw(vec![Vec::new(); 100_001]), "more than 100000 are refused"),
        (
            "directory that was not given",
            {
                let other = op(
                    &[],
                    Kind::Source(pb::SourceOp { identifier: "local://other".into(), ..Default::default() }),
                );
                let copied = pb::Op { inputs: vec![input(&other, 0)], ..copy("/a", "/b") };
                bytes(&[other, copied.clone(), end(&copied)])
            },
            "other",
        ),
        ("mounts without number", graph(many_mounts()), "100001 mounts"),
    ]
}

#[test]
fn hostile_graphs_are_refused() {
    let place = Place::new("solve-hostile");
    place.write("a", "x");
    let mut wrong = Vec::new();
    for (name, graph, expected) in hostile() {
        let ran = solve(&place, &graph, &["--quiet"]);
        let refused = ran.code == Some(1) && ran.stderr.contains(expected) && !place.exists("out");
        if !refused {
            wrong.push(format!("{name}: {:?}, not `{expected}`\n{}", ran.code, ran.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
