//! Real programs from packages, installed by steps here and by Docker Engine: what is then in the layers is the same, but for
//! what a second run by the same builder would make differently, too.

use std::fs;

use integration_tests::docker::Docker;
use integration_tests::image::{Image, Tree, differences};
use integration_tests::{Kit, Place};

const INSTALL: &str =
    "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends";

/// Packages, and a command that shows that they work, with what it prints.
const CASES: &[(&str, &str, &str)] = &[
    ("nginx", "nginx -t 2>&1 | grep -o 'test is successful'", "test is successful"),
    ("python3 python3-venv", "python3 -m venv /venv && /venv/bin/python -c 'print(6 * 7)'", "42"),
];

/// Paths whose content has a moment or a random number in it, and why.
const DIFFERS: &[(&str, &str)] = &[
    ("var/log/", "moments"),
    ("var/cache/ldconfig/aux-cache", "moments of the libraries"),
    ("var/cache/debconf/", "the order of answers"),
    ("var/lib/dpkg/", "moments of diversions and triggers"),
    ("var/lib/apt/", "lists may be newer"),
    ("var/lib/systemd/", "moments of enabled units"),
    ("run/", "moments of services"),
    ("etc/shadow", "the day on which a user was added"),
];

#[test]
fn packages_are_installed_as_by_docker_engine() {
    let case = "packages_are_installed_as_by_docker_engine";
    let Some(place) = Kit::find(case).map(Place::new) else { return };
    let Some(docker) = Docker::start(case, place.directory.path()) else { return };
    docker.load(&place.kit().debian, place.directory.path());
    let image = Image::of(&place.kit().debian, "amd64");
    let base = image.tree(&place.kit().debian, &Tree::new(), 0);
    let mut wrong = vec![];
    for (packages, command, line) in CASES {
        place.write("Dockerfile", &format!("FROM debian\nRUN {INSTALL} {packages}\nRUN {command}\n"));
        let layouts = ["theirs", "ours"].map(|name| place.path(name));
        let [theirs, ours] =
            layouts.each_ref().map(|layout| format!("type=oci,tar=false,dest={}", layout.display()));
        let peer = docker.build(&place.context(), &["--output", &theirs]);
        assert_eq!(peer.code, Some(0), "{packages}: {}", peer.stderr);
        let built = place.build_well(&["--output", &ours]);
        assert_eq!(built.printed(line), 1, "{packages}: {}", built.stderr);
        let [theirs, ours] = layouts
            .each_ref()
            .map(|layout| Image::of(layout, "amd64").tree(layout, &base, image.layers.len()));
        assert!(ours.len() > 100, "{packages}: {} paths", ours.len());
        let differ = differences(&theirs, &ours).into_iter().filter(|line| {
            let path = line.get(2..).unwrap_or_default();
            // Compiled in the step itself: the times of the sources are in it.
            let is_compiled = path.starts_with("venv/") && path.contains("/__pycache__/");
            !is_compiled && !DIFFERS.iter().any(|(known, _)| path.starts_with(known))
        });
        wrong.extend(differ.map(|line| format!("{packages}: {line}")));
        for layout in layouts {
            fs::remove_dir_all(layout).expect("a layout");
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}
