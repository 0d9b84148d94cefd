//! Contexts and Dockerfiles at URLs, served by this process.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::program::{Place, shell};

/// Serves what `body` has for a path until the process ends; gives the URL.
fn serve(body: impl Fn(&str) -> Option<Vec<u8>> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that goes away is nobody's loss.
            let _closed = answer(stream.unwrap(), &body);
        }
    });
    url
}

/// The files of a folder.
fn files(folder: PathBuf) -> impl Fn(&str) -> Option<Vec<u8>> {
    move |path| std::fs::read(folder.join(path)).ok()
}

fn answer(mut stream: TcpStream, body: impl Fn(&str) -> Option<Vec<u8>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = String::from(" ");
    while !header.trim().is_empty() {
        header.clear();
        reader.read_line(&mut header)?;
    }
    let path = request.split(' ').nth(1).unwrap_or("/").split('?').next().unwrap_or("/");
    let (status, body) = match body(path.trim_start_matches('/')) {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", Vec::new()),
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(&body)
}

const MAKE: &str = "
    mkdir -p repo/sub served/plain && cd repo
    git init -q -b main . && git config user.email a@b && git config user.name a
    printf 'FROM scratch\\nCOPY file /copied\\n' >Dockerfile
    printf 'FROM scratch\\nCOPY . /\\n' >sub/dockerfile
    printf 'file\\n' >.dockerignore; echo one >file; echo deep >sub/deep
    ln -s Dockerfile Linked; ln -s /etc/passwd Escape; ln -s nowhere Broken
    git add . && git commit -qm one && git tag v1
    tar -czf ../served/all.tar.gz --exclude=.git .; tar -cf ../served/all --exclude=.git .
    echo two >file && git commit -qam two
    git clone -q --bare . ../served/r.git && git -C ../served/r.git update-server-info
    cp Dockerfile sub/dockerfile ../served/plain/
    printf 'FROM scratch\\nCOPY context /self\\nRNU x\\n' >../served/plain/bad";

#[test]
fn urls_are_contexts() {
    let place = Place::new("remote");
    shell(&place.path("."), MAKE);
    let url = serve(files(place.path("served")));
    let own = "FROM scratch\nCOPY file /mine\n";
    let build = |arguments: &[&str]| {
        place.run_with(&[&["build", "-q", "-o", "out"], arguments].concat(), own.as_bytes())
    };
    let git = |suffix: &str| format!("{url}/r.git{suffix}");
    place.write("local/file", "local\n");
    // Context, further arguments, file of the result, what is in it.
    let cases: [(String, &[&str], &str, &str); 12] = [
        (git(""), &[], "copied", "two\n"),
        (git("#v1"), &[], "copied", "one\n"),
        (git("?ref=v1"), &[], "copied", "one\n"),
        (git("#main:sub"), &[], "deep", "deep\n"),
        (git(""), &["-f", "sub/dockerfile"], "sub/deep", "deep\n"),
        (git("#v1"), &["-f", "Linked"], "copied", "one\n"),
        (git("#v1"), &["-f", "-"], "mine", "one\n"),
        (format!("{url}/all.tar.gz"), &[], "copied", "one\n"),
        (format!("{url}/all"), &["-f", "sub/dockerfile"], "sub/deep", "deep\n"),
        (format!("{url}/all"), &["-f", &format!("{url}/plain/Dockerfile")], "copied", "one\n"),
        (format!("{url}/plain/dockerfile"), &[], "context", "FROM scratch\nCOPY . /\n"),
        ("local".to_owned(), &["-f", &format!("{url}/plain/Dockerfile")], "copied", "local\n"),
    ];
    for (context, arguments, file, content) in cases {
        let ran = build(&[arguments, &[&context]].concat());
        assert_eq!(ran.code, Some(0), "{context} {arguments:?}: {}", ran.stderr);
        assert_eq!(place.read(&format!("out/{file}")), content, "{context} {arguments:?}");
        std::fs::remove_dir_all(place.path("out")).unwrap();
    }
    let refused: [(String, &[&str], &[&str]); 8] = [
        (git("#nosuch"), &[], &["no branch, tag or commit `nosuch`"]),
        (git("#v1"), &["-f", "nosuch"], &["the context has no file `nosuch`", "hint: with a remote context"]),
        (git("#v1"), &["-f", "Escape"], &["the context has no file `Escape`"]),
        (git("#v1"), &["-f", "Broken"], &["the context has no file `Broken`"]),
        (git("#v1"), &["-f", "sub"], &["it is not a regular file"]),
        (format!("{url}/nosuch"), &[], &["status 404"]),
        (format!("{url}/plain/bad"), &[], &["bad:3:1", "unknown instruction `RNU`", "hint: "]),
        ("s3://bucket/x".to_owned(), &[], &["the context `s3://bucket/x` is of no known kind", "hint: "]),
    ];
    for (context, arguments, parts) in refused {
        let ran = build(&[arguments, &[&context]].concat());
        let shown = parts.iter().all(|part| ran.stderr.contains(part));
        assert!(ran.code == Some(1) && shown, "{context} {arguments:?}: {}", ran.stderr);
    }
    assert!(!place.exists("out"));
}

/// A file at a URL is a context whose one file is named `context`; what BuildKit can be asked of such graphs is in
/// `tests/data/graphs` (`context-main-*`).
#[test]
fn a_file_in_the_graph() {
    let place = Place::new("remote-graph");
    place.write("served/File", "FROM scratch\nCOPY context /self\n");
    let url = serve(files(place.path("served")));
    let ran = place.run(&["build", "-q", "--print=llb", &format!("{url}/File")]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let shown: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    let operations: Vec<_> = shown["def"].as_object().unwrap().values().collect();
    let source = operations.iter().find_map(|op| op.get("source")).unwrap();
    assert_eq!(source["identifier"], format!("{url}/File"));
    assert_eq!(source["attrs"], serde_json::json!({"http.filename": "context"}));
    assert_eq!(operations.len(), 3, "the source, the copy, the result");
}

#[test]
fn a_server_is_asked_once() {
    let place = Place::new("remote-once");
    let asked = AtomicU32::new(0);
    let url = serve(move |_| {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        Some(format!("FROM scratch\nCOPY context /answer-{number}\n").into_bytes())
    });
    let ran = place.run(&["build", "-q", "-o", "out", &format!("{url}/File")]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // What was built is what the Dockerfile was read from.
    assert_eq!(place.read("out/answer-0"), "FROM scratch\nCOPY context /answer-0\n");
}
