//! The helper image in Docker Engine: the examples' Dockerfiles, built by `docker buildx build` for three platforms; and,
//! where `XX_ORIGINAL` names a folder with the original's scripts, the same with those for comparison.

use std::path::Path;

use integration_tests::Kit;
use integration_tests::docker::Docker;
use integration_tests::examples::{EXAMPLES, differences, told};
use integration_tests::original::original;

/// A daemon with the bases of the kit.
fn start(case: &str, kit: &Kit, directory: &Path) -> Option<Docker> {
    let docker = Docker::start(case, directory)?;
    docker.load(&kit.debian, directory);
    docker.load(&kit.helpers, directory);
    Some(docker)
}

#[test]
fn examples_in_docker_engine() {
    let case = "examples_in_docker_engine";
    let Some(kit) = Kit::find(case) else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let Some(docker) = start(case, &kit, directory.path()) else { return };
    for example in EXAMPLES {
        let output = directory.path().join(example.name);
        example.build(&|context, options| docker.build(context, options), false, &output);
        example.verify(case, &kit, &output);
        docker.prune();
    }
}

#[test]
fn the_originals_scripts_make_the_same_programs_in_docker_engine() {
    let case = "the_originals_scripts_make_the_same_programs_in_docker_engine";
    let directory = tempfile::tempdir().expect("a directory");
    let Some(theirs) = original(case, directory.path()) else { return };
    let Some(ours) = Kit::find(case) else { return };
    let (mut of_kind, mut report) = (0, String::new());
    for (side, kit) in [("ours", &ours), ("theirs", &theirs)] {
        let place = directory.path().join(side);
        let Some(docker) = start(case, kit, &place) else { return };
        for example in EXAMPLES {
            let output = place.join(example.name);
            example.build(&|context, options| docker.build(context, options), false, &output);
            docker.prune();
        }
    }
    for example in EXAMPLES {
        let [one, other] = ["ours", "theirs"].map(|side| directory.path().join(side).join(example.name));
        for difference in differences(&one, &other) {
            of_kind += usize::from(difference.is_of_kind);
            report.push_str(&told(example, &difference));
        }
    }
    println!("{report}");
    assert_eq!(of_kind, 0, "programs differ in platform, type or libraries:\n{report}");
}
