//! Files and repositories that a server gives only to who shows a secret: it gets there, and nowhere else.
#![expect(clippy::expect_used, reason = "fails by panicking")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use integration_tests::{Kit, Place, is_below};

/// No other text that could be in a file by chance.
const TOKEN: &str = "5ecret-tok3n-of-the-test";

/// A server of this process. `/file` is for who shows the token, `/header` for who shows another header; `/same` leads to
/// `/file`, `/away` to `/file` on `localhost`, which is another name than `127.0.0.1`.
struct Server {
    port: u16,
    /// `HOST PATH AUTHORIZATION` of each request.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let asked = Arc::default();
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is no concern of the server's.
                let _answered = answer(stream, port, &seen);
            }
        });
        Self { port, asked }
    }

    /// What was asked since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("no panic before"))
    }
}

fn answer(stream: TcpStream, port: u16, seen: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(&stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = BTreeMap::new();
    for line in lines {
        match line?.split_once(": ") {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.to_owned()),
            None => break,
        };
    }
    let header = |name: &str| headers.get(name).map_or("", String::as_str);
    let host = header("host").split(':').next().unwrap_or_default();
    let shown = header("authorization");
    seen.lock().expect("no panic before").push(format!("{host} {path} {shown}").trim_end().to_owned());
    let (status, more, body) = match path.as_str() {
        "/same" => ("302 Found", "Location: /file\r\n".to_owned(), ""),
        "/away" => ("302 Found", format!("Location: http://localhost:{port}/file\r\n"), ""),
        "/file" if shown == format!("Bearer {TOKEN}") => ("200 OK", String::new(), "given\n"),
        "/header" if shown == format!("Custom {TOKEN}") => ("200 OK", String::new(), "given\n"),
        _ => ("401 Unauthorized", String::new(), ""),
    };
    let length = body.len();
    write!(&stream, "HTTP/1.1 {status}\r\n{more}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

#[test]
fn secrets_go_to_their_host_alone() {
    let Some(place) = Kit::find("secrets_go_to_their_host_alone").map(Place::new) else { return };
    let server = Server::start();
    let bearer = format!("Bearer {TOKEN}");
    let (token, header) = ("HTTP_AUTH_TOKEN_127.0.0.1", "HTTP_AUTH_HEADER_127.0.0.1");
    // Path, id of the secret, what is in front of the token in it, and the requests as `HOST PATH AUTHORIZATION`; a build
    // that works ends with a request of the token, another one with status 401.
    let cases = [
        ("/file", token, "", vec![format!("127.0.0.1 /file {bearer}")]),
        ("/same", token, "", vec![format!("127.0.0.1 /same {bearer}"), format!("127.0.0.1 /file {bearer}")]),
        ("/header", header, "Custom ", vec![format!("127.0.0.1 /header Custom {TOKEN}")]),
        ("/away", token, "", vec![format!("127.0.0.1 /away {bearer}"), "localhost /file".to_owned()]),
        ("/file", "HTTP_AUTH_TOKEN_localhost", "", vec!["127.0.0.1 /file".to_owned()]),
        ("/file", "HTTP_AUTH_TOKEN_127.0.0.10", "", vec!["127.0.0.1 /file".to_owned()]),
        ("/file", "HTTP_AUTH_TOKEN", "", vec!["127.0.0.1 /file".to_owned()]),
    ];
    for (path, id, before, expected) in cases {
        // Each with a URL of its own, so that nothing is known of it.
        let url = format!("http://127.0.0.1:{}{path}", server.port);
        place.write("Dockerfile", &format!("FROM scratch\nADD {url} /x\n"));
        // A newline at the end is the editor's.
        std::fs::write(place.path("secret"), format!("{before}{TOKEN}\n")).expect("a file");
        let secret = format!("id={id},src={}", place.path("secret").display());
        let arguments = ["--secret", &secret, "--output", "type=cacheonly", "--no-cache"];
        let works = expected.last().is_some_and(|last| last.contains(TOKEN));
        let built = place.build(&arguments);
        assert_eq!(server.asked(), expected, "{path} {id}: {}", built.stderr);
        if works {
            assert_eq!(built.code, Some(0), "{path} {id}: {}", built.stderr);
        } else {
            built.assert_error(&["status 401", "HTTP_AUTH_TOKEN_HOST"]);
        }
        assert!(!built.stderr.contains(TOKEN), "{path} {id}: {}", built.stderr);
    }
    // No header can hold it, and no message does.
    std::fs::write(place.path("secret"), format!("{TOKEN}\nmore\n")).expect("a file");
    let secret = format!("id={token},src={}", place.path("secret").display());
    let built = place.build(&["--secret", &secret, "--output", "type=cacheonly", "--no-cache"]);
    built.assert_error(&["is no value of a header", "hint: "]);
    assert!(!built.stderr.contains(TOKEN) && server.asked().is_empty(), "{}", built.stderr);
    assert!(!is_below(&place.path("store"), TOKEN), "a secret is in the store");
}
