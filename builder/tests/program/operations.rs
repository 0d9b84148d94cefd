//! Operations that no Dockerfile makes, through the program: merge, diff, removal by pattern. Results are held against what
//! BuildKit's definitions of them say.

use xx_build_frontend::llb::pb::file_action::Action;
use xx_build_frontend::llb::pb::op::Op as Kind;
use xx_build_frontend::llb::{pb, wire};
use xx_build_frontend::oci::digest::Digest;

use super::program::Place;

/// Operations, each named by its place.
#[derive(Default)]
struct Graph(Vec<pb::Op>);

/// The result of an operation; `None` is the empty file system.
type Result = Option<usize>;

impl Graph {
    fn input(&self, of: usize) -> pb::Input {
        pb::Input { digest: Digest::of(&wire::encode_op(&self.0[of])).to_string(), index: 0 }
    }

    fn add(&mut self, inputs: &[Result], kind: Kind) -> Result {
        let inputs = inputs.iter().flatten().map(|of| self.input(*of)).collect();
        self.0.push(pb::Op { inputs, op: Some(kind), ..Default::default() });
        Some(self.0.len() - 1)
    }

    /// A file operation on `base`.
    fn file(&mut self, base: Result, action: Action) -> Result {
        let input = if base.is_some() { 0 } else { -1 };
        let action = pb::FileAction { input, secondary_input: -1, output: 0, action: Some(action) };
        self.add(&[base], Kind::File(pb::FileOp { actions: vec![action] }))
    }

    /// Files `PATH=CONTENT` apart by spaces, each a layer; `PATH/` is a directory, `-PATH` removes, `PATH>TARGET` links.
    fn tree(&mut self, base: Result, text: &str) -> Result {
        text.split(' ').filter(|word| !word.is_empty()).fold(base, |base, word| {
            let action = if let Some(path) = word.strip_prefix('-') {
                removal(path, false, false)
            } else if let Some((path, data)) = word.split_once('=') {
                let data = data.as_bytes().to_vec();
                Action::Mkfile(pb::FileActionMkFile {
                    path: path.into(),
                    mode: 0o644,
                    data,
                    timestamp: -1,
                    ..Default::default()
                })
            } else if let Some((path, to)) = word.split_once('>') {
                Action::Symlink(pb::FileActionSymlink {
                    oldpath: to.into(),
                    newpath: path.into(),
                    timestamp: -1,
                    ..Default::default()
                })
            } else {
                let path = word.trim_end_matches('/').into();
                Action::Mkdir(pb::FileActionMkDir {
                    path,
                    mode: 0o755,
                    make_parents: true,
                    timestamp: -1,
                    ..Default::default()
                })
            };
            self.file(base, action)
        })
    }

    fn merge(&mut self, inputs: &[Result]) -> Result {
        let list = (0..).zip(inputs.iter().flatten()).map(|(input, _)| pb::MergeInput { input });
        let list = list.collect();
        self.add(inputs, Kind::Merge(pb::MergeOp { inputs: list }))
    }

    fn diff(&mut self, lower: Result, upper: Result) -> Result {
        let side = |of: Result, number: i64| if of.is_some() { number } else { -1 };
        let (lower_input, upper_input) = (side(lower, 0), side(upper, i64::from(lower.is_some())));
        let diff = pb::DiffOp {
            lower: Some(pb::LowerDiffInput { input: lower_input }),
            upper: Some(pb::UpperDiffInput { input: upper_input }),
        };
        self.add(&[lower, upper], Kind::Diff(diff))
    }

    /// The bytes of the graph with this result.
    fn bytes(&self, result: Result) -> Vec<u8> {
        let mut def: Vec<_> = self.0.iter().map(wire::encode_op).collect();
        let end = pb::Op { inputs: vec![self.input(result.unwrap())], ..Default::default() };
        def.push(wire::encode_op(&end));
        wire::encode_definition(&pb::Definition { def, ..Default::default() })
    }
}

fn removal(path: &str, allow_not_found: bool, allow_wildcard: bool) -> Action {
    Action::Rm(pb::FileActionRm { path: path.into(), allow_not_found, allow_wildcard })
}

/// A name, how the graph is made, and the tree that comes out as `PATH` or `PATH=CONTENT`.
type Case = (&'static str, fn(&mut Graph) -> Result, &'static str);

const CASES: &[Case] = &[
    (
        "merge: the later input wins",
        |g| {
            let (a, b) = (g.tree(None, "/both=a /a=1"), g.tree(None, "/both=b /b=2"));
            g.merge(&[a, b])
        },
        "a=1 b=2 both=b",
    ),
    (
        "merge: in the order of the inputs",
        |g| {
            let (a, b) = (g.tree(None, "/both=a /a=1"), g.tree(None, "/both=b /b=2"));
            g.merge(&[b, a])
        },
        "a=1 b=2 both=a",
    ),
    (
        "merge: directories are joined, and what is in them",
        |g| {
            let (a, b) = (g.tree(None, "/d/x/ /d/x/a=1"), g.tree(None, "/d/x/ /d/x/b=2"));
            g.merge(&[a, b])
        },
        "d d/x d/x/a=1 d/x/b=2",
    ),
    (
        "merge: the same input twice",
        |g| {
            let (a, b) = (g.tree(None, "/f=a"), g.tree(None, "/f=b"));
            g.merge(&[a, b, a])
        },
        "f=a",
    ),
    (
        "merge: a file takes the place of a directory",
        |g| {
            let (a, b) = (g.tree(None, "/x/ /x/in=1"), g.tree(None, "/x=file"));
            g.merge(&[a, b])
        },
        "x=file",
    ),
    (
        "merge: inputs on one base",
        |g| {
            let base = g.tree(None, "/base=0");
            let (a, b) = (g.tree(base, "/a=1"), g.tree(base, "/b=2"));
            g.merge(&[a, b])
        },
        "a=1 b=2 base=0",
    ),
    (
        "diff: only what was added",
        |g| {
            let lower = g.tree(None, "/old=1");
            let upper = g.tree(lower, "/new=2");
            g.diff(lower, upper)
        },
        "new=2",
    ),
    (
        "diff: of nothing is all",
        |g| {
            let upper = g.tree(None, "/old=1 /new=2");
            g.diff(None, upper)
        },
        "new=2 old=1",
    ),
    (
        "diff: of a result and itself is nothing",
        |g| {
            let one = g.tree(None, "/old=1");
            let none = g.diff(one, one);
            g.tree(none, "/only=1")
        },
        "only=1",
    ),
    (
        "merge of a diff: what was removed is removed elsewhere",
        |g| {
            let lower = g.tree(None, "/gone=1 /d/ /d/gone=1");
            let upper = g.tree(lower, "-/gone -/d/gone /new=2");
            let (diff, other) =
                (g.diff(lower, upper), g.tree(None, "/gone=other /d/ /d/gone=other /d/kept=3"));
            g.merge(&[other, diff])
        },
        "d d/kept=3 new=2",
    ),
    (
        "diff: of results that do not lie on each other",
        |g| {
            let lower = g.tree(None, "/same=1 /changed=1 /gone=1 /d/ /d/gone=1");
            let upper = g.tree(None, "/same=1 /changed=2 /d/ /new=3 /kind/");
            let (diff, other) = (g.diff(lower, upper), g.tree(None, "/same=9 /gone=9 /d/ /d/gone=9 /kind=9"));
            g.merge(&[other, diff])
        },
        // What both have is in no difference, but for directories that are on the way.
        "changed=2 d kind new=3 same=9",
    ),
    (
        "merge: a step goes on from it",
        |g| {
            let (a, b) = (g.tree(None, "/a=1"), g.tree(None, "/b=2"));
            let both = g.merge(&[a, b]);
            g.tree(both, "-/a /c=3")
        },
        "b=2 c=3",
    ),
    (
        "rm: by pattern",
        |g| {
            let base = g.tree(None, "/a.o=1 /b.o=1 /c.c=1 /d/ /d/e.o=1");
            g.file(base, removal("/*.o", false, true))
        },
        "c.c=1 d d/e.o=1",
    ),
    (
        "rm: by pattern in the middle, whole directories",
        |g| {
            let base = g.tree(None, "/x1/ /x1/t/ /x1/t/f=1 /x2/ /x2/t=1 /y/ /y/t=1");
            g.file(base, removal("/x?/t", false, true))
        },
        "x1 x2 y y/t=1",
    ),
    (
        "rm: a pattern that matches nothing",
        |g| {
            let base = g.tree(None, "/a=1");
            g.file(base, removal("/*.o", false, true))
        },
        "a=1",
    ),
    (
        "rm: a name with a star in it, when it is no pattern",
        |g| {
            let base = g.tree(None, "/*=1 /a=1");
            g.file(base, removal("/*", false, false))
        },
        "a=1",
    ),
    (
        "rm: what is not there, allowed",
        |g| {
            let base = g.tree(None, "/a=1");
            g.file(base, removal("/nosuch", true, false))
        },
        "a=1",
    ),
    (
        "rm: through a link, inside the root; and a link itself",
        |g| {
            let base = g.tree(None, "/d/ /d/x=1 /d/y=1 /up>../../../../d /l>/d/y");
            let one = g.file(base, removal("/up/x", false, false));
            g.file(one, removal("/l", false, false))
        },
        "d d/y=1 up",
    ),
];

/// What is below `folder`, sorted.
fn listing(place: &Place, folder: &str) -> String {
    fn walk(directory: &std::path::Path, prefix: &str, out: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().unwrap();
            if kind.is_file() {
                out.push(format!("{path}={}", std::fs::read_to_string(entry.path()).unwrap()));
            } else {
                out.push(path.clone());
            }
            if kind.is_dir() {
                walk(&entry.path(), &format!("{path}/"), out);
            }
        }
    }
    let mut out = vec![];
    walk(&place.path(folder), "", &mut out);
    out.sort();
    out.join(" ")
}

#[test]
fn merge_diff_and_rm() {
    let place = Place::new("operations");
    let mut wrong = vec![];
    for (number, (name, make, expected)) in CASES.iter().enumerate() {
        let mut graph = Graph::default();
        let result = make(&mut graph);
        place.write_bytes("graph.pb", &graph.bytes(result));
        let files = format!("files{number}");
        let ran = place.run(&["solve", "-o", &files, "--platform", "linux/amd64", "graph.pb"]);
        let found = if ran.code == Some(0) { listing(&place, &files) } else { ran.stderr };
        if found != *expected {
            wrong.push(format!("{name}\n  is  {found}\n  not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_cannot_be_removed_is_named() {
    let place = Place::new("operations-refused");
    for (path, wildcard, part) in [("/nosuch", false, "nosuch"), ("/", false, "/"), ("/a[", true, "a[")] {
        let mut graph = Graph::default();
        let base = graph.tree(None, "/a=1");
        let result = graph.file(base, removal(path, false, wildcard));
        place.write_bytes("graph.pb", &graph.bytes(result));
        let ran = place.run(&["solve", "-o", "out", "--platform", "linux/amd64", "graph.pb"]);
        assert!(ran.code == Some(1) && ran.stderr.contains(part), "{path}: {}", ran.stderr);
        assert!(!place.exists("out"), "{path}");
    }
}

/// A server that answers every request with the same file.
fn server() -> u16 {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let _asked = connection.read(&mut [0; 4096]);
            let _told = connection
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
        }
    });
    port
}

/// What a request may ask for by leaving the usual way (GHSA-7236-3392-c5c6, CVE-2026-33747).
#[test]
fn what_a_request_may_not_ask_for_is_refused() {
    let place = Place::new("operations-hostile");
    let url = format!("http://127.0.0.1:{}/file", server());
    let exec = |security: i32, network: i32| {
        let meta = pb::Meta { args: vec!["/true".into()], cwd: "/".into(), ..Default::default() };
        let mounts = vec![pb::Mount { dest: "/".into(), input: -1, ..Default::default() }];
        Kind::Exec(pb::ExecOp { meta: Some(meta), mounts, security, network, ..Default::default() })
    };
    let with = |name: &str, value: &str| {
        let attrs = [(name.to_owned(), value.to_owned())].into();
        Kind::Source(pb::SourceOp { identifier: url.clone(), attrs })
    };
    let named = |name: &str| with("http.filename", name);
    let git = |name: &str, value: &str| {
        let attrs = [(name.to_owned(), value.to_owned())].into();
        Kind::Source(pb::SourceOp { identifier: "git://127.0.0.1:9/r.git".into(), attrs })
    };
    for (name, kind, part) in [
        ("rights that are not allowed", exec(1, 0), "security.insecure"),
        ("rights that nobody knows", exec(77, 0), "security mode 77"),
        ("a network that is not allowed", exec(0, 1), "network.host"),
        ("a network that nobody knows", exec(0, 77), "network mode 77"),
        ("a file name that climbs", named("../../../../tmp/xx-build-was-here"), "file name"),
        ("an absolute file name", named("/tmp/xx-build-was-here"), "file name"),
        ("no file name", named(".."), "file name"),
        ("a bundle in place of files", git("git.checkoutbundle", "true"), "git.checkoutbundle"),
        ("a signature of a commit", git("git.sig.pubkey", "key"), "git.sig.pubkey"),
        ("a signature that would not be checked", with("http.sig.pubkey", "key"), "http.sig.pubkey"),
        ("a secret that is not there", with("http.authheadersecret", "mine"), "no secret named `mine`"),
    ] {
        let mut graph = Graph::default();
        let result = graph.add(&[], kind);
        place.write_bytes("graph.pb", &graph.bytes(result));
        let ran = place.run(&["solve", "-o", "out", "--platform", "linux/amd64", "graph.pb"]);
        assert!(ran.code == Some(1) && ran.stderr.contains(part), "{name}: {:?} {}", ran.code, ran.stderr);
        assert!(!place.exists("out"), "{name}");
    }
    assert!(!std::path::Path::new("/tmp/xx-build-was-here").exists());
    // The same file under a name of its own.
    let mut graph = Graph::default();
    let result = graph.add(&[], named("name"));
    place.write_bytes("graph.pb", &graph.bytes(result));
    let ran = place.run(&["solve", "-o", "out", "--platform", "linux/amd64", "graph.pb"]);
    assert_eq!((ran.code, place.read("out/name").as_str()), (Some(0), "hello"), "{}", ran.stderr);
}
