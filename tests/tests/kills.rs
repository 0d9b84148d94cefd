//! `kill -9` in a RUN that writes, in a COPY and in an export: the next build is right, nothing is left, and `du` accounts for
//! every byte of the store.
//!
//! `XX_TEST_KILLS` says how often; a dozen times otherwise. The latest long run is in `tests/long-runs.md`.
#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "reads the number of kills, starts programs, and fails by panicking"
)]

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use integration_tests::{Built, Kit, Place, run};

/// Numbers that are the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end.max(1)
    }
}

/// What is killed, and the output that it writes. `ROUND` makes each build a new one.
const KILLED: [(&str, &str, &str); 3] = [
    (
        "run",
        "FROM debian\nARG ROUND\nRUN echo $ROUND; p=; for j in 1 2 3 4; do (while :; do mkdir -p /o/$j/a/b; \
         for i in 1 2 3 4 5 6 7 8 9; do echo > /o/$j/a/b/$i.$ROUND; done; done) & p=\"$p $!\"; done; sleep 1; kill $p\n",
        "type=cacheonly",
    ),
    (
        "copy",
        "FROM scratch\nARG ROUND\nLABEL round=$ROUND\nCOPY many /many-$ROUND\nADD many.tar /\n",
        "type=cacheonly",
    ),
    (
        "export",
        "FROM debian\nARG ROUND\nCOPY many /many\nRUN echo $ROUND > /round; cat /many/* > /all\n",
        "type=oci,tar=false,dest=image",
    ),
];

const NEXT: &str = "FROM debian AS one\nARG ROUND\nCOPY input /input\n\
    RUN --mount=type=cache,target=/cache cat /input > /one; echo $ROUND >> /one; cp /one /cache/$ROUND\n\
    FROM scratch\nCOPY many /many\nCOPY --from=one /one /\n";

#[test]
fn kills_leave_nothing() {
    let Some(place) = Kit::find("kills_leave_nothing").map(Place::new) else { return };
    let kills: u64 = std::env::var("XX_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    place.write("next.Dockerfile", NEXT);
    for (name, text, _) in KILLED {
        place.write(&format!("{name}.Dockerfile"), text);
    }
    for number in 0..300 {
        place.write(&format!("many/{number}"), &format!("{number}\n").repeat(2000));
    }
    let packed = run("tar", &["-C", &place.context().display().to_string(), "-cf", "many.tar", "many"]);
    assert_eq!(packed.expect("tar").code, Some(0));
    fs::rename("many.tar", place.context().join("many.tar")).expect("in its place");
    let command = |name: &str, round: &str, output: &str| {
        let file = place.context().join(format!("{name}.Dockerfile")).display().to_string();
        place.command(&[
            "--quiet",
            "--file",
            &file,
            "--build-arg",
            &format!("ROUND={round}"),
            "--output",
            output,
        ])
    };
    let next = |round: &str| {
        place.write("input", &format!("input {round}\n"));
        let output = place.path("out").display().to_string();
        let built = Built::of(command("next", round, &output).output().expect("xx-build starts"));
        assert_eq!(built.code, Some(0), "the build after kill {round}: {}", built.stderr);
        let found = fs::read_to_string(place.path("out/one")).expect("the file");
        assert_eq!(found, format!("input {round}\n{round}\n"));
    };
    next("first");
    let whole = |name: &str, output: &str, round: &str| {
        let begun = Instant::now();
        let ended = command(name, round, output).output().expect("xx-build starts");
        assert!(ended.status.success(), "{name}: {}", String::from_utf8_lossy(&ended.stderr));
        begun.elapsed()
    };
    let wholes = KILLED.map(|(name, _, output)| {
        whole(name, output, "to fill the cache");
        whole(name, output, "to be measured")
    });

    let mut random = Random(20_261_128);
    let (mut killed, mut round) = (0, 0);
    while killed < kills {
        assert!(round < kills * 4, "most builds are over before they are killed: {killed} of {round}");
        for ((name, _, output), whole) in KILLED.iter().zip(wholes).skip((round % 3) as usize).take(1) {
            let mut command = command(name, &round.to_string(), output);
            let mut child =
                command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("xx-build starts");
            std::thread::sleep(Duration::from_micros(random.below(whole.as_micros() as u64)));
            child.kill().expect("a signal");
            // One that was over by then has an exit code.
            killed += u64::from(child.wait().expect("it ends").code().is_none());
        }
        next(&round.to_string());
        round += 1;
        if round % 25 == 0 {
            accounted(&place, &format!("after {round} builds"));
        }
    }
    settled(&place);
    next("last");
    for folder in ["work", "locks"] {
        assert_eq!(names(&place.store(folder)), [""; 0], "{folder}");
    }
    let image = names(&place.path("image/blobs/sha256"));
    assert!(names(&place.path("")).iter().chain(&image).all(|name| !name.ends_with(".tmp")), "{image:?}");
    accounted(&place, "at the end");
    xx_build(&place, &["prune", "--all", "--force"]);
    for folder in ["layers", "blobs/sha256", "cache", "work", "locks"] {
        assert_eq!(names(&place.store(folder)), [""; 0], "{folder} after prune --all");
    }
    assert_eq!(xx_build(&place, &["du", "--format", "json"]), "");
    assert_eq!(place.mounts(), [""; 0]);
    println!("{killed} kills in {round} builds: every next build right, nothing left");
}

/// Copies that share files with earlier ones, merged layers, and blobs: what is pruned leaves the others whole.
#[test]
fn du_accounts_for_every_byte() {
    let Some(place) = Kit::find("du_accounts_for_every_byte").map(Place::new) else { return };
    for number in 0..100 {
        place.write(&format!("many/{number}"), &format!("{number}\n").repeat(2000));
    }
    let files = [
        ("a", "FROM scratch\nCOPY many /many\n"),
        (
            "b",
            "FROM debian\nCOPY many /many\nRUN --mount=type=cache,target=/cache cp /many/1 /cache; ln /many/2 /two\n",
        ),
        ("c", "FROM scratch\nCOPY --link many /many\n"),
    ];
    let build = |name: &str, output: &str| {
        let file = place.context().join(format!("{name}.Dockerfile")).display().to_string();
        place.build_well(&["--file", &file, "--output", output]);
    };
    for round in 0..3 {
        for (name, text) in files {
            place.write(&format!("{name}.Dockerfile"), text);
            // A few files are others each time: the rest becomes links to the copy before.
            place.write(&format!("many/{round}"), &format!("{name} {round}\n"));
            build(name, "type=cacheonly");
            accounted(&place, &format!("{name}, round {round}"));
        }
    }
    build("b", "type=oci,dest=b.tar");
    build("b", "type=oci,dest=b.tar,compression=zstd,force-compression=true");
    accounted(&place, "with blobs of the image and of other compressions");
    let ids = |text: &str| -> Vec<String> {
        let records = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        let id = |record: &serde_json::Value| record.get("ID").and_then(|id| id.as_str().map(str::to_owned));
        records.filter_map(|record| id(&record)).collect()
    };
    let mut left = ids(&xx_build(&place, &["du", "--format", "json"]));
    // The oldest copies go first: their files are others' from then on.
    left.sort();
    for id in left {
        let filter = format!("id={id}");
        xx_build(&place, &["prune", "--all", "--force", "--filter", &filter]);
        accounted(&place, &format!("without {id}"));
    }
    xx_build(&place, &["prune", "--all", "--force"]);
    assert_eq!(xx_build(&place, &["du", "--format", "json"]), "");
}

fn xx_build(place: &Place, arguments: &[&str]) -> String {
    let mut command = Command::new(&place.kit().xx_build);
    let ended =
        command.args(arguments).arg("--store").arg(place.path("store")).output().expect("xx-build starts");
    assert!(ended.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).expect("text")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("listed");
    entries.map(|entry| entry.expect("listed").file_name().to_string_lossy().into_owned()).collect()
}

/// Waits until the steps of killed builds have ended: they see the store's mounts until then.
fn settled(place: &Place) {
    let path = place.path("store").display().to_string();
    let users = || {
        let processes = fs::read_dir("/proc").expect("processes").filter_map(Result::ok);
        let tables =
            processes.filter_map(|process| fs::read_to_string(process.path().join("mountinfo")).ok());
        tables.filter(|table| table.contains(&path)).count()
    };
    let begun = Instant::now();
    while users() > 0 && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(users(), 0, "a process of a killed build is left");
}

/// Holds what `du` says against what is there: all but the database, the locks and the folders that the store begins with.
fn accounted(place: &Place, when: &str) {
    settled(place);
    // Whatever was passed over goes now.
    xx_build(place, &["du"]);
    let said = xx_build(place, &["du", "--format", "json"]);
    let size = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
        record.get("Size").and_then(serde_json::Value::as_u64).expect("a size in bytes")
    };
    let sum: u64 = said.lines().map(size).sum();
    let mut seen = HashSet::new();
    let mut found = 0;
    for folder in ["layers", "blobs/sha256", "cache", "work"] {
        for name in names(&place.store(folder)) {
            if folder != "work" || !name.ends_with(".lock") {
                found += walked(&place.store(folder).join(name), &mut seen);
            }
        }
    }
    assert_eq!(sum, found, "{when}: {said}");
}

fn walked(path: &Path, seen: &mut HashSet<(u64, u64)>) -> u64 {
    let stat = path.symlink_metadata().expect("it is there");
    let own = if seen.insert((stat.dev(), stat.ino())) { stat.blocks() * 512 } else { 0 };
    let below = if stat.is_dir() { names(path) } else { vec![] };
    own + below.iter().map(|name| walked(&path.join(name), seen)).sum::<u64>()
}
