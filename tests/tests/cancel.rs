//! Builds that end before their time: by a signal, by a step that fails beside others. Nothing of them is left running,
//! and the next build on the same store is right.
#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "starts programs, and fails by panicking"
)]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use integration_tests::{Built, Kit, Place, has_one_uid, run, skipped};

/// Longer than anything here takes, shorter than what hangs would.
const LONG: Duration = Duration::from_secs(60);

fn place(case: &str) -> Option<Place> {
    Kit::find(case).map(Place::new)
}

/// A server that takes connections and never answers. Whoever connects is told of.
fn silent_server() -> (u16, Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its number").port();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            if sender.send(connection).is_err() {
                return;
            }
        }
    });
    (port, receiver)
}

/// A build with signals as a terminal gives them: a shell ignores SIGINT for what it runs in the background.
fn start(place: &Place, arguments: &[&str]) -> Child {
    let build = place.command(arguments);
    let mut command = Command::new("env");
    command.arg("--default-signal=INT,TERM,HUP").arg(build.get_program()).args(build.get_args());
    command.current_dir(place.directory.path()).env("NO_COLOR", "1");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("xx-build starts")
}

fn signal(child: &Child, name: &str) {
    let sent = run("kill", &[&format!("-{name}"), &child.id().to_string()]).expect("kill");
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
}

/// Waits until no process has `mark` on its command line.
fn assert_gone(mark: &str, case: &str) {
    let begun = Instant::now();
    let left = || {
        let processes = fs::read_dir("/proc").expect("processes").flatten();
        let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
        lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).find(|line| line.contains(mark))
    };
    while let Some(line) = left() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{case}: still running: {line}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn entries(directory: &Path) -> usize {
    fs::read_dir(directory).expect("listed").count()
}

/// The next build on the store works, and sweeps what the one before left.
fn assert_sound(place: &Place, case: &str) {
    place.write("Dockerfile", "FROM debian\nRUN echo sound\n");
    let built = place.build(&["--no-cache"]);
    assert_eq!((built.code, built.printed("sound")), (Some(0), 1), "{case}: {}", built.stderr);
    assert_eq!(entries(&place.store("work")), 0, "{case}");
    assert_eq!(place.mounts(), [""; 0], "{case}");
}

#[test]
fn a_signal_ends_a_build_that_waits_for_a_server() {
    let Some(place) = place("a_signal_ends_a_build_that_waits_for_a_server") else { return };
    let (port, connections) = silent_server();
    let at = format!("127.0.0.1:{port}");
    for (source, name, code) in [
        (format!("git://{at}/r.git"), "TERM", Some(143)),
        (format!("http://{at}/r.git"), "TERM", Some(143)),
        (format!("http://{at}/file"), "INT", Some(130)),
        (format!("git://{at}/r.git"), "KILL", None),
        (format!("http://{at}/r.git"), "KILL", None),
    ] {
        let case = format!("{source} {name}");
        place.write("Dockerfile", &format!("FROM scratch\nADD {source} /x/\n"));
        let child = start(&place, &[]);
        let _held = connections.recv_timeout(LONG).expect("it connects");
        let begun = Instant::now();
        signal(&child, name);
        let built = Built::of(child.wait_with_output().expect("it ends"));
        assert!(begun.elapsed() < LONG, "{case}: {:?}", begun.elapsed());
        assert_eq!(built.code, code, "{case}: {}", built.stderr);
        if code.is_some() {
            assert!(built.stderr.contains("error: the build was cancelled\n"), "{case}: {}", built.stderr);
            assert_eq!(entries(&place.store("work")), 0, "{case}: tidied up");
        }
        assert_gone(&at, &case);
        assert_sound(&place, &case);
    }
}

#[test]
fn a_signal_ends_steps_with_their_daemons() {
    let Some(place) = place("a_signal_ends_steps_with_their_daemons") else { return };
    for (round, name, options) in [
        (1, "TERM", &[][..]),
        (2, "HUP", &["--oci-runtime", "runc"]),
        (3, "KILL", &["--oci-runtime", "runc"]),
    ] {
        if !options.is_empty() && (has_one_uid() || run("runc", &["--version"]).is_none()) {
            skipped(
                "a_signal_ends_steps_with_their_daemons",
                "runc is not installed, or takes more than one uid",
            );
            continue;
        }
        let mark = format!("98{}{round}", std::process::id());
        place.write("Dockerfile", &format!(
            "FROM debian\nRUN --mount=type=bind,rw,target=/ctx trap \"\" TERM INT HUP; setsid sleep {mark} & echo up > /ctx/up; echo up; sleep {mark}\n"
        ));
        let mut child = start(&place, options);
        let mut said = std::io::BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        while !line.ends_with(" up\n") {
            line.clear();
            let length = std::io::BufRead::read_line(&mut said, &mut line).expect("output");
            assert!(length > 0, "{name}: it ended early");
        }
        signal(&child, name);
        child.wait().expect("it ends");
        assert_gone(&mark, name);
        assert_sound(&place, name);
    }
}

/// Whatever ends the step, ends a fork bomb: by a signal to the builder, or because its first process has ended.
#[test]
fn a_fork_bomb_does_not_outlive_its_step() {
    let Some(place) = place("a_fork_bomb_does_not_outlive_its_step") else { return };
    for (round, end) in [(1, "TERM"), (2, "KILL"), (3, "exit")] {
        let mark = format!("bomb{}{round}", std::process::id());
        // Twice as many every 0.2 s, deaf to signals, each in a session of its own.
        let bomb = format!(
            "b() {{ sleep 0.2; : {mark}; b & b & wait; }}; trap \"\" TERM INT HUP; (b) & until [ $(ls -d /proc/[0-9]* | wc -l) -gt 100 ]; do sleep 0.1; done; echo up;"
        );
        let last = if end == "exit" { "exit 7" } else { "sleep 600" };
        place.write("Dockerfile", &format!("FROM debian\nRUN {bomb} {last}\n"));
        let mut child = start(&place, &[]);
        let mut said = std::io::BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        while !line.ends_with(" up\n") {
            line.clear();
            assert!(
                std::io::BufRead::read_line(&mut said, &mut line).expect("output") > 0,
                "{end}: it ended early"
            );
        }
        if end != "exit" {
            signal(&child, end);
        }
        child.wait().expect("it ends");
        assert_gone(&mark, end);
        assert_sound(&place, end);
    }
}

#[test]
fn a_failing_step_ends_what_runs_beside_it() {
    let Some(place) = place("a_failing_step_ends_what_runs_beside_it") else { return };
    let (port, _connections) = silent_server();
    let mark = format!("97{}", std::process::id());
    let slow = [
        format!("FROM debian AS slow\nRUN sleep {mark}\n"),
        format!("FROM scratch AS slow\nADD http://127.0.0.1:{port}/{mark} /\n"),
        format!("FROM scratch AS slow\nADD git://127.0.0.1:{port}/{mark}.git /\n"),
    ];
    for slow in slow {
        let text = format!(
            "FROM debian AS fails\nRUN sleep 0.5; exit 9\n{slow}\
             FROM scratch\nCOPY --from=fails /etc/passwd /\nCOPY --from=slow / /slow\n"
        );
        place.write("Dockerfile", &text);
        let begun = Instant::now();
        place.build(&[]).assert_error(&["Dockerfile:2", "exited with code 9"]);
        assert!(begun.elapsed() < LONG, "{slow}: {:?}", begun.elapsed());
        assert_gone(&mark, &slow);
        assert_sound(&place, &slow);
    }
}

/// A build that waits for the result of another one, which does not come, still ends.
#[test]
fn waiting_for_another_build_ends_with_the_own_one() {
    let Some(place) = place("waiting_for_another_build_ends_with_the_own_one") else { return };
    let mark = format!("96{}", std::process::id());
    for mount in ["", "--mount=type=cache,id=one,sharing=locked,target=/c "] {
        let slow = format!("FROM debian AS slow\nRUN {mount}echo mine; sleep {mark}\n");
        place.write("Dockerfile", &slow);
        let mut first = start(&place, &[]);
        let mut said = std::io::BufReader::new(first.stderr.take().expect("piped"));
        let mut line = String::new();
        while !line.ends_with(" mine\n") {
            line.clear();
            assert!(std::io::BufRead::read_line(&mut said, &mut line).expect("output") > 0, "it ended early");
        }
        // With a cache, another step that wants the same one.
        let slow = if mount.is_empty() { slow } else { slow.replace("echo mine", "echo other") };
        place.write(
            "Dockerfile",
            &format!("{slow}FROM debian AS fails\nRUN sleep 0.5; exit 9\nFROM slow\nCOPY --from=fails /etc/passwd /\n"),
        );
        let begun = Instant::now();
        place.build(&[]).assert_error(&["exited with code 9"]);
        assert!(begun.elapsed() < LONG && first.try_wait().expect("a child").is_none(), "it does not wait");
        first.kill().expect("a signal");
        first.wait().expect("it ends");
        assert_gone(&mark, mount);
        assert_sound(&place, mount);
    }
}

#[test]
fn a_build_that_ignores_hangups_goes_on() {
    let Some(place) = place("a_build_that_ignores_hangups_goes_on") else { return };
    place.write("Dockerfile", "FROM debian\nRUN sleep 1; echo still here\n");
    let build = place.command(&[]);
    let mut command = Command::new("nohup");
    command.arg(build.get_program()).args(build.get_args()).current_dir(&place.directory);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .expect("nohup starts");
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "HUP");
    let built = Built::of(child.wait_with_output().expect("it ends"));
    assert_eq!((built.code, built.printed("still here")), (Some(0), 1), "{}", built.stderr);
}
