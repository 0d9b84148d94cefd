//! What was made of a pruned stage is not made again; the stage is, when somebody needs its files.

use std::process::Command;

use integration_tests::{Built, Kit, Place};

const STAGE: &str = "FROM debian AS build\nRUN mkdir /out && echo one > /out/one && echo two > /out/two\n\
    FROM debian\nCOPY --from=build /out/one /\nRUN echo last\n";

#[test]
fn a_pruned_stage_is_made_again_for_those_who_need_it() {
    let Some(kit) = Kit::find("a_pruned_stage_is_made_again_for_those_who_need_it") else { return };
    let place = Place::new(kit);
    let prune = || {
        #[expect(clippy::disallowed_methods, reason = "starts the program under test")]
        let mut command = Command::new(&place.kit().xx_build);
        command
            .args(["prune", "--force", "--filter", "description~=mkdir", "--store"])
            .arg(place.path("store"));
        let pruned = Built::of(command.output().expect("xx-build starts"));
        assert_eq!(pruned.code, Some(0), "{}", pruned.stderr);
        assert!(pruned.stdout.contains("mkdir"), "{}{}", pruned.stdout, pruned.stderr);
    };
    place.write("Dockerfile", STAGE);
    let (all, _) = place.build_well(&[]).steps();
    prune();
    assert_eq!(place.build_well(&[]).steps().0, 0, "the file that was copied from it is there");
    place.write("Dockerfile", &format!("{STAGE}COPY --from=build /out/two /\nRUN cat /two\n"));
    let built = place.build_well(&[]);
    assert_eq!(
        (built.steps().0, built.printed("two")),
        (3, 1),
        "the stage, and what is new: {}",
        built.stderr
    );
    assert!(all > 3);
    prune();
    assert_eq!(place.build_well(&[]).steps().0, 0);
}
