//! ADD of git repositories and URLs, from servers of the tests' own.
#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "starts programs, and fails by panicking"
)]

use std::fs;
use std::process::{Child, Command, Stdio};

use integration_tests::{Kit, Place, run, skipped};

const REMOTE: &str = "\
    mkdir -p served repo/sub && cd repo && git init -q -b main . && git config user.email a@b && git config user.name a
    echo one > file; echo deep > sub/file; ln -s ../../outside sub/link; chmod 755 file; ln -s /etc escape
    git add . && git commit -qm one && git tag -a v1 -m v1
    git clone -q --bare . ../served/module.git && touch ../served/module.git/git-daemon-export-ok
    module() { git checkout -q -B $1 && printf '[submodule \"m\"]\\n\\tpath = m\\n\\turl = %s\\n' \"$2\" > .gitmodules
        git add .gitmodules && git update-index --add --cacheinfo 160000,$(git rev-parse v1^{commit}),m && git commit -qm $1; }
    module with-module ../module.git
    module local-module file://$PWD/../served/module.git
    module program-module 'ext::sh -c touch% /tmp/xx-build-was-here'
    git checkout -qf main && git clean -qfd
    echo two > file && git commit -qam two && git branch other HEAD~1
    git clone -q --bare . ../served/r.git && git -C ../served/r.git config uploadpack.allowAnySHA1InWant true && touch ../served/r.git/git-daemon-export-ok";

/// A place with its repositories and files served; the servers end with it.
struct Served {
    place: Place,
    git: String,
    http: String,
    servers: [Child; 2],
}

impl Served {
    fn start(case: &str) -> Option<Self> {
        let place = Kit::find(case).map(Place::new)?;
        if run("git", &["--version"]).is_none() || run("python3", &["--version"]).is_none() {
            skipped(case, "git or python3 is not installed");
            return None;
        }
        let script = format!("cd {}; {REMOTE}", place.directory.path().display());
        let made = run("sh", &["-euc", &script]).expect("sh");
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        fs::write(place.path("served/hello.txt"), "hello\n").expect("a file");
        // Ports of our own: whatever is free.
        let port = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            listener.local_addr().expect("its number").port()
        };
        let (git, http) = (port(), port());
        let served = place.path("served").display().to_string();
        let start = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(program);
            command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a server")
        };
        let (port, base) = (format!("--port={git}"), format!("--base-path={served}"));
        let daemon = ["daemon", "--reuseaddr", "--listen=127.0.0.1", &port, &base, &served];
        let files = ["-m", "http.server", "--bind", "127.0.0.1", "--directory", &served, &http.to_string()];
        let servers = [start("git", &daemon), start("python3", &files)];
        for port in [git, http] {
            for _ in 0..200 {
                if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        }
        let (git, http) = (format!("git://127.0.0.1:{git}/r.git"), format!("http://127.0.0.1:{http}"));
        Some(Self { place, git, http, servers })
    }

    /// Builds into the folder `out`; returns what ran.
    fn build(&self, dockerfile: &str) -> usize {
        self.place.write("Dockerfile", dockerfile);
        self.place.build_well(&["--output", &self.place.path("out").display().to_string()]).steps().0
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.place.path("out").join(name)).expect(name)
    }

    fn exists(&self, name: &str) -> bool {
        self.place.path("out").join(name).exists()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        for server in &mut self.servers {
            // A server that has ended by itself is as good.
            let _ended = server.kill().and_then(|()| server.wait());
        }
    }
}

#[test]
fn git_and_http_sources() {
    let Some(served) = Served::start("git_and_http_sources") else { return };
    let (git, http) = (&served.git, &served.http);
    let dockerfile = format!(
        "FROM scratch\nADD {git}#v1 /tag/\nADD {git}#other:sub /sub/\nADD --keep-git-dir=true {git} /main/\nADD {http}/hello.txt /\n\
         ADD --checksum=sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03 --chmod=644 {http}/hello.txt /checked\n"
    );
    served.build(&dockerfile);
    for (name, content) in [
        ("tag/file", "one\n"),
        ("sub/file", "deep\n"),
        ("main/file", "two\n"),
        ("hello.txt", "hello\n"),
        ("checked", "hello\n"),
    ] {
        assert_eq!(served.read(name), content, "{name}");
    }
    assert!(served.exists("main/.git/HEAD") && !served.exists("tag/.git"));
    assert_eq!(served.build(&dockerfile), 0, "nothing has changed");

    // A new name in the root of a base.
    served.build(&format!(
        "FROM debian AS b\nADD {git}#v1 /new\nADD {git}#v1 /srv/new\n\
         FROM scratch\nCOPY --from=b /new /a\nCOPY --from=b /srv/new /b\n"
    ));
    for (name, content) in [("a/file", "one\n"), ("b/sub/file", "deep\n")] {
        assert_eq!(served.read(name), content, "{name}");
    }
    served.build(&dockerfile);

    // The file changes, the branch moves; what has a checksum or a tag is not asked for.
    fs::write(served.place.path("served/hello.txt"), "changed\n").expect("a file");
    assert!(served.build(&dockerfile) < 5);
    assert_eq!((served.read("hello.txt"), served.read("checked")), ("changed\n".into(), "hello\n".into()));
}

/// The query form, and submodules, which are fetched from beside the repository.
#[test]
fn git_queries_and_submodules() {
    let Some(served) = Served::start("git_queries_and_submodules") else { return };
    let (git, repository) = (&served.git, served.place.path("repo").display().to_string());
    let id = run("git", &["-C", &repository, "rev-parse", "other"]).expect("git");
    let id = id.stdout.trim();
    served.build(&format!(
        "FROM scratch\nADD {git}?ref=v1&subdir=sub /query/\nADD {git}?branch=other /branch/\n\
         ADD {git}?tag=v1&checksum={} /pinned/\nADD {git}?branch=main&keep-git-dir=true /kept/\n\
         ADD {git}?branch=main&checksum={id}&fetch-by-commit /fetched/\n\
         ADD {git}?branch=with-module /with/\nADD {git}?branch=with-module&submodules=false /without/\n",
        &id[..12],
    ));
    for (name, content) in [
        ("query/file", "deep\n"),
        ("branch/file", "one\n"),
        ("pinned/file", "one\n"),
        ("kept/file", "two\n"),
        ("fetched/file", "one\n"),
        ("with/m/file", "one\n"),
        ("without/file", "one\n"),
    ] {
        assert_eq!(served.read(name), content, "{name}");
    }
    for (name, expected) in [
        ("kept/.git/HEAD", true),
        ("branch/.git", false),
        ("query/sub", false),
        ("with/m/.git", false),
        ("without/m/file", false),
        ("without/.gitmodules", true),
    ] {
        assert_eq!(served.exists(name), expected, "{name}");
    }
}

#[test]
fn sources_that_are_not_to_be_had() {
    let Some(served) = Served::start("sources_that_are_not_to_be_had") else { return };
    let (git, http) = (&served.git, &served.http);
    let refused = [
        (format!("{git}#nosuch"), ["no branch, tag or commit", "nosuch"]),
        // A directory that is a link out of the repository (CVE-2026-33748).
        (format!("{git}#main:escape/passwd"), ["escape/passwd", "does not exist"]),
        // Submodules that name a repository of this machine, or a program.
        (format!("{git}#local-module"), ["git submodule", "'file' not allowed"]),
        (format!("{git}#program-module"), ["git submodule", "'ext' not allowed"]),
        (format!("{git}?tag=v1&checksum=0123456789ab"), ["is commit", "expected 0123456789ab"]),
        (format!("{git}?tag=v1&fetch-by-commit"), ["needs the whole id of a commit", "r.git"]),
        (format!("{}/none.git", git.trim_end_matches("/r.git")), ["none.git", "access denied or repository"]),
        (format!("{http}/nosuch"), ["status 404", "nosuch"]),
        (format!("{http}/nosuch.git"), ["git ls-remote", "not found"]),
        ("http://127.0.0.1:9/closed".to_owned(), ["127.0.0.1:9/closed", "refused"]),
        (
            format!("--checksum=sha256:{} {http}/hello.txt", "0".repeat(64)),
            ["has digest", "expected sha256:000"],
        ),
    ];
    for (source, [one, other]) in refused {
        served.place.write("Dockerfile", &format!("FROM scratch\nADD {source} /x\n"));
        served.place.build(&[]).assert_error(&[one, other, "hint: "]);
    }
    assert!(!std::path::Path::new("/tmp/xx-build-was-here").exists(), "a submodule has run a program");
}
