//! A copy that links to what an earlier one left is the copy that a new store makes.
#![expect(clippy::expect_used, clippy::disallowed_methods, reason = "helpers of tests, which start programs")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use integration_tests::{Built, Kit, Place, run, shared};

/// Runs a script in the context and returns what it printed.
fn shell(directory: &Path, script: &str) -> String {
    let script = format!("cd {}; {script}", directory.display());
    let ran = run("sh", &["-euc", &script]).expect("a shell");
    assert_eq!(ran.code, Some(0), "{script}: {}", ran.stderr);
    ran.stdout
}

/// Every file of a build with all that counts of it; directories without their times.
fn built(place: &Place, store: &str) -> String {
    let tar = place.path("result.tar").display().to_string();
    let mut command = Command::new(&place.kit().xx_build);
    command
        .arg("build")
        .arg("--store")
        .arg(place.path(store))
        .arg("--output")
        .arg(format!("type=tar,dest={tar}"));
    command.arg("--build-context").arg(shared::layout("debian", &place.kit().debian)).arg(place.context());
    let built = Built::of(command.output().expect("xx-build starts"));
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    let listing = shell(&place.path(""), "tar --utc --full-time --numeric-owner -tvf result.tar");
    let without_times = |line: &str| match line.starts_with('d') {
        true => line
            .split_whitespace()
            .enumerate()
            .filter(|(at, _)| !matches!(at, 3 | 4))
            .map(|(_, w)| w)
            .collect(),
        false => line.to_owned(),
    };
    let listing: Vec<String> = listing.lines().map(without_times).collect();
    let contents = shell(&place.path(""), "tar -xOf result.tar | sha256sum; rm result.tar");
    format!("{}\n{contents}", listing.join("\n"))
}

/// Files of a store's layers that have another name in it.
fn linked(store: &Path) -> usize {
    let list =
        |path: &Path| fs::read_dir(path).expect("a directory").map(|entry| entry.expect("an entry").path());
    let mut waiting = vec![store.join("layers")];
    let mut linked = 0;
    while let Some(directory) = waiting.pop() {
        for path in list(&directory) {
            let stat = fs::symlink_metadata(&path).expect("metadata");
            if stat.is_dir() {
                waiting.push(path);
            } else if stat.is_file() && stat.nlink() > 1 {
                linked += 1;
            }
        }
    }
    linked
}

/// 60 files in 6 directories, a link, and a file of two names.
const FILL: &str = "for d in 0 1 2 3 4 5; do mkdir -p tree/$d/sub; \
    for f in 0 1 2 3 4 5 6 7 8 9; do echo $d $f > tree/$d/sub/$f; done; done; \
    ln -s 0/sub tree/link; echo two > tree/two; ln tree/two tree/1/names; chmod 4711 tree/3/sub/3; \
    touch -d @1000000000 tree/0/sub/* tree/4; \
    mkdir -p base/0/sub base/4; echo old > base/0/sub/3; echo kept > base/4/kept; ln -s 4 base/to; chmod 700 base/4";

/// What is done between two builds.
const CHANGES: &[&str] = &[
    "true",
    "echo changed > tree/2/sub/2",
    "printf '3 4' > new; touch -r tree/3/sub/4 new; cat new > tree/3/sub/4; touch -r new tree/3/sub/4; rm new",
    "mv tree/0 tree/swap; mv tree/5 tree/0; mv tree/swap tree/5",
    "mv tree/1/sub/1 x; mv tree/1/sub/2 tree/1/sub/1; mv x tree/1/sub/2",
    "chmod 600 tree/3/sub/8; touch -d @5 tree/3/sub/9; echo changed > tree/3/sub/0",
    "rm tree/4/sub/4; mkdir tree/4/sub/4; rm -r tree/2/sub; echo file > tree/2/sub",
    "rm tree/2/sub; mkdir tree/2/sub; echo again > tree/2/sub/0",
    "echo '**/7' > .dockerignore",
    "rm .dockerignore; rm tree/link; cp -r tree/0/sub tree/link",
];

/// Stages whose copy goes to a new layer itself, and the paths that it went to: on nothing, on layers, into
/// directories that are there.
const STAGES: &[(&str, &[&str])] = &[
    ("COPY tree /src\n", &["/src"]),
    ("WORKDIR /src\nCOPY --chown=7:8 tree .\n", &["/src"]),
    (
        "COPY --chown=5:6 base /src\nCOPY base/4 /other/4/\nCOPY --chmod=u=rwX,go=rX tree /src/\n",
        &["/src", "/other"],
    ),
    ("COPY base /usr/local\nCOPY tree /usr/local/\nCOPY tree /\n", &["/usr/local", "/0", "/two", "/4", "/5"]),
];

#[test]
fn a_copy_made_again_is_the_copy_that_a_new_store_makes() {
    let Some(kit) = Kit::find("a_copy_made_again_is_the_copy_that_a_new_store_makes") else { return };
    let place = Place::new(kit);
    for (number, (stage, paths)) in STAGES.iter().enumerate() {
        shell(&place.path("context"), &format!("rm -rf tree base .dockerignore; {FILL}"));
        let copies: Vec<String> =
            paths.iter().map(|path| format!("COPY --from=a {path} /{path}/\n")).collect();
        place.write("Dockerfile", &format!("FROM scratch AS a\n{stage}FROM scratch\n{}", copies.concat()));
        // A file that changed within two seconds before a copy could change again unseen.
        std::thread::sleep(Duration::from_millis(2100));
        let warm = format!("store{number}");
        for (at, change) in CHANGES.iter().enumerate() {
            shell(&place.path("context"), change);
            let (again, new) = (built(&place, &warm), built(&place, &format!("cold{number}-{at}")));
            let differ: Vec<_> = again.lines().zip(new.lines()).filter(|(again, new)| again != new).collect();
            assert!(again == new, "after `{change}`: {differ:#?}\n{stage}");
        }
        assert!(linked(&place.path(&warm)) > 100, "most files are there once: {stage}");
    }
}

#[test]
fn an_earlier_copy_that_is_gone_is_no_loss() {
    let Some(kit) = Kit::find("an_earlier_copy_that_is_gone_is_no_loss") else { return };
    let place = Place::new(kit);
    shell(&place.path("context"), FILL);
    place.write("Dockerfile", "FROM scratch\nCOPY tree /src\n");
    std::thread::sleep(Duration::from_millis(2100));
    let before = built(&place, "store");
    // Half of the earlier layer is removed, as by a prune that runs meanwhile.
    shell(&place.path("store/layers"), "rm -r */src/0 */src/2/sub; rm */src/3/sub/4");
    shell(&place.path("context"), "echo changed > tree/4/sub/4");
    let after = built(&place, "store");
    assert_eq!(after, built(&place, "cold"));
    assert_ne!(after, before);
}
