//! ADD of git repositories and URLs, from servers of the tests' own.
#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "starts programs, and fails by panicking"
)]

use std::fs;
use std::process::{Child, Command, Stdio};

use integration_tests::image::Image;
use integration_tests::{Built, Kit, Place, run, skipped};

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

/// Serves files, those with `undated` in their names without saying when they were changed.
const FILES: &str = "\
import sys, functools, http.server as h
class Handler(h.SimpleHTTPRequestHandler):
    def send_header(self, name, value):
        if name != 'Last-Modified' or 'undated' not in self.path:
            super().send_header(name, value)
files = functools.partial(Handler, directory=sys.argv[2])
h.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), files).serve_forever()";

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
        let files = ["-c", FILES, &http.to_string(), &served];
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

    // A file that the disk has damaged in the store is fetched again.
    let below = |folder: &str| {
        let entries = fs::read_dir(served.place.store(folder)).expect("listed");
        entries.map(|entry| entry.expect("listed").path()).collect::<Vec<_>>()
    };
    below("blobs/sha256").iter().for_each(|blob| fs::write(blob, "hellO\n").expect("written"));
    below("layers").iter().for_each(|layer| fs::remove_dir_all(layer).expect("removed"));
    served.build(&dockerfile);
    assert_eq!((served.read("hello.txt"), served.read("checked")), ("hello\n".into(), "hello\n".into()));

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

/// Where the time of the image comes from when `SOURCE_DATE_EPOCH` names a source.
#[test]
fn times_come_from_sources() {
    let Some(served) = Served::start("times_come_from_sources") else { return };
    let (git, http) = (&served.git, &served.http);
    // Seconds 0 for the commit, 2 for the newest file of the archives, 3 for them as the server dates them.
    let script = format!(
        "cd {}/repo && printf 'FROM scratch\\nCOPY file /\\n' > Dockerfile && git add . && GIT_COMMITTER_DATE='1000000000 +0200' git commit -qm dated
         git push -qf ../served/r.git HEAD:refs/heads/dated && mkdir -p ../a/b && cp Dockerfile file ../a && cd ../a && touch -d @1000000001 Dockerfile file
         touch -d @1000000002 b/new && touch -d @1000000009 b && tar -cf ../served/dated.tar . && gzip -c ../served/dated.tar > ../served/undated.tgz
         cp file ../served/undated && cd ../served && touch -d @1000000003 dated.tar undated.tgz undated",
        served.place.directory.path().display()
    );
    let made = run("sh", &["-euc", &script]).expect("sh");
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let image = "FROM scratch\nCOPY <<a /\na\n";
    let stage = |url: &str| format!("FROM scratch AS src\nADD {url} /\n{image}");
    let folder = served.place.context().display().to_string();
    let named = |url: &str| ("src", image.to_owned(), folder.clone(), format!("src={url}"));
    let main = |url: &str| ("context", String::new(), url.to_owned(), format!("other={folder}"));
    let of_stage = |url: &str| ("src", stage(url), folder.clone(), format!("other={folder}"));
    let (dated, undated) = (format!("{http}/dated.tar"), format!("{http}/undated.tgz"));
    let commit = format!("{git}#dated");
    for ((value, dockerfile, context, other), second) in [
        (main(&commit), Some(0)),
        (main(&dated), Some(3)),
        (main(&undated), Some(2)),
        (named(&commit), Some(0)),
        (named(&dated), Some(3)),
        (named(&undated), Some(2)),
        (named(&format!("{http}/undated")), None),
        (of_stage(&commit), Some(0)),
        (of_stage(&dated), Some(3)),
        (of_stage(&undated), Some(2)),
    ] {
        served.place.write("Dockerfile", &dockerfile);
        let out = served.place.path("image");
        let mut command = Command::new(&served.place.kit().xx_build);
        command.args([
            "build",
            "--build-arg",
            &format!("SOURCE_DATE_EPOCH={value}"),
            "--build-context",
            &other,
        ]);
        command.arg(format!("--output=type=oci,tar=false,dest={}", out.display()));
        command.arg("--store").arg(served.place.path("store")).args(["--platform", "linux/amd64", &context]);
        let built = Built::of(command.output().expect("xx-build starts"));
        assert_eq!(built.code, Some(0), "{}", built.stderr);
        let created = Image::of(&out, "amd64").config["created"].as_str().unwrap_or_default().to_owned();
        let expected = second.map(|second| format!("2001-09-09T01:46:4{second}Z"));
        let right = expected.as_ref().map_or(!created.starts_with("2001"), |expected| created == *expected);
        assert!(right, "{value} {context} {other}: {created}, not {expected:?}");
    }
}
