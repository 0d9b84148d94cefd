//! The store under fire: builds that are killed, builds side by side, and what a full disk leaves.
#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "starts programs, and fails by panicking"
)]

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use integration_tests::{Kit, Place};

/// Numbers that are the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end.max(1)
    }
}

/// Processes that see a mount below `path`.
fn users_of(path: &std::path::Path) -> usize {
    let path = path.display().to_string();
    let processes = fs::read_dir("/proc").expect("processes").filter_map(Result::ok);
    let tables = processes.filter_map(|process| fs::read_to_string(process.path().join("mountinfo")).ok());
    tables.filter(|table| table.contains(&path)).count()
}

const KILLED: &str = "FROM debian AS one
ARG ROUND
COPY input /input
RUN cat /input > /one; echo $ROUND >> /one
FROM debian AS two
ARG ROUND
RUN mkdir /many && for i in 1 2 3 4 5 6 7 8 9; do echo $ROUND > /many/$i; done
FROM debian AS both
COPY --from=one /one /
COPY --from=two /many /many
RUN cat /one /many/* > /all
FROM scratch
COPY --from=both /all /
";

#[test]
fn two_hundred_kills_leave_the_store_right() {
    let Some(place) = Kit::find("two_hundred_kills_leave_the_store_right").map(Place::new) else { return };
    place.write("Dockerfile", KILLED);
    place.write("input", "start\n");
    let output = place.path("out");
    let destination = format!("type=local,dest={}", output.display());
    place.build_well(&["--quiet", "--build-arg", "ROUND=first"]);
    let begun = Instant::now();
    place.build_well(&["--quiet", "--build-arg", "ROUND=second"]);
    let whole = begun.elapsed();

    let mut random = Random(20_261_121);
    let mut kills = 0;
    for round in 0..40 {
        let argument = format!("ROUND={round}");
        place.write("input", &format!("input {round}\n"));
        for _ in 0..5 {
            let mut command = place.command(&["--quiet", "--build-arg", &argument, "--output", &destination]);
            let mut child =
                command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("xx-build starts");
            std::thread::sleep(Duration::from_micros(random.below(whole.as_micros() as u64 * 3 / 2)));
            child.kill().expect("a signal");
            child.wait().expect("it ends");
            kills += 1;
        }
        assert_eq!(place.mounts(), [""; 0], "round {round}");
        let built = place.build_well(&["--build-arg", &argument, "--output", &destination]);
        let expected = format!("input {round}\n") + &format!("{round}\n").repeat(10);
        let found = fs::read_to_string(output.join("all")).expect("the file");
        assert_eq!(found, expected, "round {round}: {}", built.stderr);
    }
    assert_eq!(kills, 200);
    // A killed build's processes end by themselves, and hold its lock until then.
    let begun = Instant::now();
    while users_of(&place.path("store")) > 0 && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(users_of(&place.path("store")), 0, "a process of a killed build is left");
    place.build_well(&["--quiet", "--build-arg", "ROUND=last"]);
    let left = fs::read_dir(place.store("work")).expect("the folder").count();
    assert_eq!(left, 0, "nothing of the killed builds is left");
    let unfinished = fs::read_dir(&output).expect("the folder").filter_map(Result::ok);
    let unfinished: Vec<_> =
        unfinished.filter(|entry| entry.file_name().to_string_lossy().starts_with('.')).collect();
    assert!(unfinished.is_empty(), "{unfinished:?}");
}

#[test]
fn eight_builds_on_one_store_run_each_step_once() {
    let Some(place) = Kit::find("eight_builds_on_one_store_run_each_step_once").map(Place::new) else {
        return;
    };
    place.write("input", "input\n");
    place.write(
        "Dockerfile",
        "FROM debian AS a\nCOPY input /\nRUN head -c 16 /dev/urandom > /a\n\
         FROM debian AS b\nRUN sleep 0.3; head -c 16 /dev/urandom > /b\n\
         FROM a AS c\nCOPY --from=b /b /\nRUN cat /a /b | od -An -tx1 > /both\n\
         FROM scratch\nCOPY --from=c /both /\n",
    );
    let outputs: Vec<_> = (0..8).map(|number| place.path(&format!("out{number}"))).collect();
    let children: Vec<_> = outputs
        .iter()
        .map(|output| {
            let mut command = place.command(&["--output", &output.display().to_string()]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("xx-build starts")
        })
        .collect();
    let built: Vec<_> = children
        .into_iter()
        .map(|child| integration_tests::Built::of(child.wait_with_output().expect("xx-build ends")))
        .collect();
    for one in &built {
        assert_eq!(one.code, Some(0), "{}", one.stderr);
    }
    let executed: usize = built.iter().map(|built| built.steps().0).sum();
    assert_eq!(executed, 7, "the base, three copies and three steps, each by one of the eight");
    let mut results: Vec<_> =
        outputs.iter().map(|output| fs::read(output.join("both")).expect("the file")).collect();
    results.dedup();
    assert_eq!(results.len(), 1, "all have the same result");
}

/// Five builders, two of them with the same Dockerfile, and a pruner, all at once and again and again: every result is
/// right, whatever was taken away between two steps.
#[test]
fn builds_and_prunes_at_once_leave_every_result_right() {
    let Some(place) = Kit::find("builds_and_prunes_at_once_leave_every_result_right").map(Place::new) else {
        return;
    };
    // A small base of its own, so that pruning it costs little.
    place.write(
        "base.Dockerfile",
        "FROM debian AS all\nRUN mkdir -p /r/bin && cp /bin/dash /r/bin/sh && cp /bin/cat /r/bin && \\\n\
         for l in $(ldd /bin/dash /bin/cat | grep -o '/[^ ]*/l[^ ]*' | sort -u); do mkdir -p /r${l%/*}; cp $l /r$l; done\n\
         FROM scratch\nCOPY --from=all /r /\n",
    );
    let base = place.path("base").display().to_string();
    let file = place.path("context/base.Dockerfile").display().to_string();
    place.build_well(&["--file", &file, "--output", &format!("type=oci,tar=false,dest={base}")]);
    let base = format!("base=oci-layout://{base}");
    let files: Vec<_> = ["same", "same", "b", "c", "d"]
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let text = format!(
                "FROM base AS one\nARG ROUND\nRUN echo {name} $ROUND > /one\nRUN --mount=type=cache,target=/c cat /one > /c/{number}; cat /one /c/{number} > /two\n\
                 FROM base AS other\nARG ROUND\nRUN echo other $ROUND > /other\nFROM scratch\nCOPY --from=one /two /\nCOPY --from=other /other /\n"
            );
            place.write(&format!("{number}.Dockerfile"), &text);
            place.path(&format!("context/{number}.Dockerfile")).display().to_string()
        })
        .collect();
    let prune = |arguments: &[&str]| {
        let mut command = std::process::Command::new(&place.kit().xx_build);
        command.arg("prune").arg("--force").args(arguments).arg("--store").arg(place.path("store"));
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("xx-build starts")
    };
    for round in 0..8 {
        let argument = format!("ROUND={}", round / 2);
        let build = |(number, file): (usize, &String)| {
            let output = place.path(&format!("out{number}")).display().to_string();
            let mut command = place.command(&[
                "--file",
                file,
                "--build-context",
                &base,
                "--build-arg",
                &argument,
                "--output",
                &output,
            ]);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("xx-build starts")
        };
        let mut children: Vec<_> = files.iter().enumerate().map(build).collect();
        for arguments in
            [&["--all"][..], &["--keep-storage", "1MB"], &["--all"], &["--filter", "type==exec.cachemount"]]
        {
            children.push(prune(arguments));
            std::thread::sleep(Duration::from_millis(40));
        }
        for child in children {
            let ended = integration_tests::Built::of(child.wait_with_output().expect("xx-build ends"));
            assert_eq!(ended.code, Some(0), "round {round}: {}", ended.stderr);
        }
        for (number, name) in ["same", "same", "b", "c", "d"].iter().enumerate() {
            let read = |file: &str| {
                fs::read_to_string(place.path(&format!("out{number}")).join(file)).expect("the file")
            };
            let line = format!("{name} {}\n", round / 2);
            assert_eq!(
                (read("two"), read("other")),
                (line.repeat(2), format!("other {}\n", round / 2)),
                "round {round}"
            );
        }
    }
    assert_eq!(prune(&["--all"]).wait().expect("it ends").code(), Some(0));
    for folder in ["layers", "blobs/sha256", "cache", "work"] {
        assert_eq!(fs::read_dir(place.store(folder)).expect("listed").count(), 0, "{folder}");
    }
    assert_eq!(place.mounts(), [""; 0]);
}
