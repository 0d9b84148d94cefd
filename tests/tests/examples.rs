//! The Dockerfiles of `examples`, built for three platforms: with the helper image of this repository, and, where
//! `XX_ORIGINAL` names a folder with the original's scripts, with those for comparison.
#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "what the test itself needs must work; it starts a program"
)]

use std::process::Command;

use integration_tests::examples::{EXAMPLES, Example, THREE, differences, facts, told, xx_build};
use integration_tests::original::original;
use integration_tests::{Built, Kit, repository, run, skipped};

fn example(case: &str, name: &str) {
    let Some(kit) = Kit::find(case) else { return };
    let example = EXAMPLES.iter().find(|example| example.name == name).expect("an example");
    let directory = tempfile::tempdir().expect("a directory");
    example.build(&xx_build(&kit), false, directory.path());
    example.verify(case, &kit, directory.path());
}

#[test]
fn c_with_make() {
    example("c_with_make", "c");
}

#[test]
fn cpp_with_cmake() {
    example("cpp_with_cmake", "cpp-cmake");
}

#[test]
fn go_without_c() {
    example("go_without_c", "go");
}

#[test]
fn go_with_cgo() {
    example("go_with_cgo", "cgo");
}

#[test]
fn rust_with_a_part_in_c() {
    example("rust_with_a_part_in_c", "rust");
}

/// `make demo-host` on two platforms: one whose programs run here under QEMU, and one that Debian has no C library for.
#[test]
fn without_a_container() {
    let case = "without_a_container";
    let Some(kit) = Kit::find(case) else { return };
    let programs =
        ["cmake", "go", "clang", "lld", "s390x-linux-gnu-ld", "qemu-s390x-static", "/usr/bin/cargo"];
    if let Some(missing) = programs.iter().find(|program| run(program, &["--version"]).is_none()) {
        skipped(
            case,
            &format!("{missing} is not installed; `images/needs demo-host` installs what is missing"),
        );
        return;
    }
    let mut command = Command::new(repository().join("examples/demo-host"));
    command.current_dir(repository()).env("XX", kit.xx.canonicalize().expect("xx"));
    let ran = Built::of(command.env("PLATFORMS", "linux/s390x windows/amd64").output().expect("sh starts"));
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let rows: Vec<String> =
        ran.stdout.lines().map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for row in ["linux/s390x ok ok ok ok ok", "windows/amd64 skipped skipped built skipped skipped"] {
        assert!(rows.iter().any(|found| found == row), "no `{row}` in\n{}", ran.stdout);
    }
}

/// The same Dockerfiles with either helper image give the same programs: static, and dynamic where they can be.
#[test]
fn the_originals_scripts_make_the_same_programs() {
    let case = "the_originals_scripts_make_the_same_programs";
    let directory = tempfile::tempdir().expect("a directory");
    let Some(theirs) = original(case, directory.path()) else { return };
    let Some(ours) = Kit::find(case) else { return };
    let (mut same, mut report) = (0, String::new());
    let mut of_kind = 0;
    let ways = |example: &'static Example| [Some(false), example.dynamic.map(|_| true)].into_iter().flatten();
    for (example, dynamic) in EXAMPLES.iter().flat_map(|example| ways(example).map(move |way| (example, way)))
    {
        let name = format!("{}-{}", example.name, if dynamic { "dynamic" } else { "static" });
        let [one, other] = ["ours", "theirs"].map(|side| directory.path().join(&name).join(side));
        example.build(&xx_build(&ours), dynamic, &one);
        example.build(&xx_build(&theirs), dynamic, &other);
        let loads = facts(&one.join("linux_arm64").join(example.program));
        let is_dynamic = loads.iter().any(|line| line.contains("(NEEDED)"));
        assert_eq!(is_dynamic, dynamic, "{name}: {loads:?}");
        let found = differences(&one, &other);
        same += THREE.len() - found.len();
        of_kind += found.iter().filter(|difference| difference.is_of_kind).count();
        for difference in found {
            report.push_str(&told(example, &difference));
        }
    }
    println!("{same} programs have the same bytes\n{report}");
    assert_eq!(of_kind, 0, "programs differ in platform, type or libraries:\n{report}");
}
