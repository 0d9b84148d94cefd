//! The network of RUN steps, by the command line: which one they have, and what is said about it.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "reads the test's environment, and its helpers fail by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

use integration_tests::{Built, Kit, Place, skipped};

/// Programs that bear a network.
const HELPERS: [&str; 2] = ["pasta", "slirp4netns"];

fn place(case: &str) -> Option<Place> {
    Kit::find(case).map(Place::new)
}

/// Without a way to any other machine, steps have an empty network, whatever is installed; noted as a skip of the case.
fn is_offline(case: &str) -> bool {
    let routes = |table: &str| fs::read_to_string(Path::new("/proc/net").join(table)).unwrap_or_default();
    let offline =
        routes("route").lines().count() < 2 && routes("ipv6_route").lines().all(|line| line.ends_with(" lo"));
    if offline {
        skipped(case, "this machine has no routes");
    }
    offline
}

/// A helper on `PATH`, and a device that it can open; otherwise the case is noted as skipped.
fn has_helper(case: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed =
        std::env::split_paths(&path).any(|folder| HELPERS.iter().any(|name| folder.join(name).is_file()));
    let device = fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun");
    match (installed, device) {
        (true, Ok(_)) => return true,
        (false, _) => skipped(case, "neither `pasta` nor `slirp4netns` is installed"),
        (true, Err(error)) => skipped(case, &format!("/dev/net/tun: {error}")),
    }
    false
}

/// A folder for `PATH` with every program of the machine but the helpers.
fn without_helpers(place: &Place) -> PathBuf {
    let folder = place.path("bin");
    if !folder.exists() {
        fs::create_dir(&folder).expect("a folder");
        for program in ["newuidmap", "newgidmap", "runc"] {
            let mut found = ["/usr/bin", "/usr/sbin"].map(|from| Path::new(from).join(program)).into_iter();
            if let Some(found) = found.find(|path| path.is_file()) {
                std::os::unix::fs::symlink(found, folder.join(program)).expect("a link");
            }
        }
    }
    folder
}

/// Where a build gets its steps' network from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Machine {
    Whole,
    WithoutHelpers,
    ThatShares,
}

fn build(place: &Place, machine: Machine, options: &[&str]) -> Built {
    let mut command = place.command(options);
    match machine {
        Machine::Whole => {}
        Machine::WithoutHelpers => drop(command.env("PATH", without_helpers(place))),
        Machine::ThatShares => {
            fs::write(place.path("config.toml"), "network = \"host\"\n").expect("a file");
            command.env("XX_BUILD_CONFIG", place.path("config.toml"));
        }
    }
    Built::of(command.output().expect("xx-build starts"))
}

/// What of the step's network is the machine's.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Network {
    /// Nothing.
    Own,
    /// All but rights over it.
    Guarded,
    /// All.
    Host,
}

const TABLE: &[(Machine, &[&str], Network)] = &[
    (Machine::Whole, &[], Network::Own),
    (Machine::Whole, &["--network", "host"], Network::Host),
    (Machine::WithoutHelpers, &[], Network::Guarded),
    (Machine::WithoutHelpers, &["--network", "host"], Network::Host),
    (Machine::ThatShares, &[], Network::Guarded),
];

/// Says which namespace it is in, and whether there are raw packets.
const LOOK: &str = "perl -e 'use Socket; print readlink(\"/proc/self/ns/net\"), \" \", socket(my $p, 17, SOCK_RAW, 768) ? \"packets\" : \"no packets\", \"\\n\"'";

#[test]
fn steps_have_the_network_that_the_machine_can_give() {
    const CASE: &str = "steps_have_the_network_that_the_machine_can_give";
    let Some(place) = place(CASE) else { return };
    if is_offline(CASE) {
        return;
    }
    let has_helper = has_helper(CASE);
    let root = integration_tests::run("id", &["-u"]).is_some_and(|id| id.stdout == "0\n");
    let machines = fs::read_link("/proc/self/ns/net").expect("a namespace").display().to_string();
    place.write("Dockerfile", &format!("FROM debian\nRUN {LOOK}\nRUN : second && {LOOK}\n"));
    let runtimes: &[&[&str]] = if Path::new("/usr/sbin/runc").exists() && !integration_tests::has_one_uid() {
        &[&[], &["--oci-runtime", "runc"]]
    } else {
        skipped(CASE, "runc is not installed, or takes more than one uid");
        &[&[]]
    };
    for ((machine, options, network), runtime) in
        TABLE.iter().flat_map(|row| runtimes.iter().map(move |runtime| (row, runtime)))
    {
        if *network == Network::Own && !has_helper {
            continue;
        }
        let built = build(&place, *machine, &[&["--no-cache"], *options, *runtime].concat());
        assert_eq!(built.code, Some(0), "{machine:?} {options:?} {runtime:?} {}", built.stderr);
        let shown = built.stderr.lines().filter_map(|line| line.splitn(3, ' ').nth(2));
        let looks: Vec<&str> = shown.filter(|line| line.starts_with("net:[")).collect();
        let [first, second] = looks[..] else { panic!("{}", built.stderr) };
        assert_eq!(first, second, "the steps of a build share it");
        assert_eq!(
            first.starts_with(&machines),
            *network != Network::Own,
            "{machine:?} {options:?} {runtime:?}"
        );
        // A user's root has rights over namespaces of the build alone.
        let packets = *network == Network::Own || (*network == Network::Host && root);
        assert_eq!(
            first.ends_with(" packets") && !first.ends_with("no packets"),
            packets,
            "{machine:?} {options:?} {runtime:?}"
        );
        let said = built.stderr.matches("steps use this machine's network").count();
        let warned = *machine == Machine::WithoutHelpers && *network == Network::Guarded;
        assert_eq!(said, usize::from(warned), "{machine:?} {options:?}: {}", built.stderr);
        assert!(!warned || built.stderr.contains("the package `passt`"), "{}", built.stderr);
    }
}

/// Keys know nothing of the machine's network: what was built with one is there with another.
#[test]
fn results_are_the_same_on_any_network() {
    let Some(place) = place("results_are_the_same_on_any_network") else { return };
    place.write("Dockerfile", "FROM debian\nRUN touch /made\n");
    assert_eq!(build(&place, Machine::WithoutHelpers, &[]).steps(), (2, 0));
    for machine in [Machine::Whole, Machine::ThatShares] {
        assert_eq!(build(&place, machine, &[]).steps(), (0, 2));
    }
}

#[test]
fn a_proxy_of_the_machine_is_out_of_reach_and_named() {
    const CASE: &str = "a_proxy_of_the_machine_is_out_of_reach_and_named";
    let Some(place) = place(CASE) else { return };
    if !has_helper(CASE) {
        return;
    }
    place.write("Dockerfile", "FROM debian\nRUN false\n");
    let proxy = ["--build-arg", "HTTP_PROXY=http://127.0.0.1:3128"];
    build(&place, Machine::Whole, &proxy).assert_error(&[
        "HTTP_PROXY",
        "http://127.0.0.1:3128",
        "hint: ",
        "`--network=host`",
    ]);
    for (machine, options) in [(Machine::Whole, &["--network", "host"][..]), (Machine::ThatShares, &[])] {
        let built = build(&place, machine, &[&proxy[..], options].concat());
        assert!(built.code == Some(1) && !built.stderr.contains("3128"), "{}", built.stderr);
    }
}

/// A build starts the program when a step is to run that needs it, and not for what is cached or comes after.
#[test]
fn the_program_is_started_for_steps_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    const CASE: &str = "the_program_is_started_for_steps_alone";
    let Some(place) = place(CASE) else { return };
    if is_offline(CASE) {
        return;
    }
    if fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun").is_err() {
        return skipped(CASE, "/dev/net/tun cannot be opened");
    }
    let folder = without_helpers(&place);
    let (program, mark) = (folder.join("pasta"), place.path("mark"));
    fs::write(&program, format!("#!/bin/sh\necho started >> {}\necho no >&2; exit 1\n", mark.display()))
        .expect("a file");
    fs::write(&mark, "").expect("a file");
    // Root's runs as nobody.
    for (path, mode) in [(place.directory.path(), 0o755), (&program, 0o755), (&mark, 0o666)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
    }
    let build = |file: &str| {
        place.write("file", file);
        let built = build(&place, Machine::WithoutHelpers, &[]);
        assert_eq!(built.code, Some(0), "{}", built.stderr);
        let starts = fs::read_to_string(&mark).expect("the mark").lines().count();
        fs::write(&mark, "").expect("a file");
        (starts, built.stderr.matches("`pasta` failed: no").count())
    };
    place.write("Dockerfile", "FROM debian\nRUN --network=none : none\nCOPY file /\n");
    assert_eq!(build("1"), (0, 0), "no step uses it");
    place.write("Dockerfile", "FROM debian\nRUN : once\nRUN : twice\nCOPY file /\n");
    assert_eq!(build("1"), (1, 1));
    assert_eq!(build("1"), (0, 0), "all is cached");
    assert_eq!(build("2"), (0, 0), "no step comes after what is new");
    place.write("Dockerfile", "FROM debian\nCOPY file /\nRUN : after\n");
    assert_eq!(build("3"), (1, 1));
}
