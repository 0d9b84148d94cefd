//! Outputs that are disturbed: by other users, by full disks, by kills. The destination is what it was, or what it was to become.
#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "helpers of tests fail by panicking, also on JSON of another shape"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use integration_tests::{Built, Kit, Place, run, skipped};

fn place(case: &str) -> Option<Place> {
    let place = Place::new(Kit::find(case)?);
    place.write("Dockerfile", "FROM scratch\nCOPY tree /\n");
    fill(&place, "new");
    Some(place)
}

/// Files of 4 kB that say `text`.
fn fill(place: &Place, text: &str) {
    for number in 0..120 {
        place.write(&format!("tree/{}/{number}", number % 10), &text.repeat(1400));
    }
}

fn shell(place: &Place, script: &str) -> Built {
    let ran = run("sh", &["-euc", &format!("cd {}; {script}", place.directory.path().display())]);
    ran.expect("sh")
}

fn is_root() -> bool {
    run("id", &["-u"]).is_some_and(|id| id.stdout.trim() == "0")
}

/// Paths below a folder with the beginning and the length of what they hold; nothing of a folder that is not there.
fn held(folder: &Path) -> BTreeMap<String, (String, usize)> {
    let mut out = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().map(|entry| entry.expect("an entry")) {
            let path = entry.path();
            if entry.file_type().expect("a kind").is_dir() {
                open.push(path.clone());
                continue;
            }
            let name = path.strip_prefix(folder).expect("below").display().to_string();
            let bytes = fs::read(&path).expect("a file");
            let start = String::from_utf8_lossy(bytes.get(..3).unwrap_or(&bytes)).into_owned();
            out.insert(name, (start, bytes.len()));
        }
    }
    out
}

/// A link that leads elsewhere when the build is done is not followed: what was looked at first was another place.
#[test]
fn a_destination_that_is_exchanged_meanwhile_is_refused() {
    let Some(place) = place("a_destination_that_is_exchanged_meanwhile_is_refused") else { return };
    assert_eq!(shell(&place, "mkdir victim other; mkfifo secret").code, Some(0));
    for (dest, more, before) in [
        ("link", "type=local", true),
        ("link", "type=local,mode=delete", true),
        ("link", "type=oci,tar=false", true),
        ("link/kept", "type=tar", true),
        ("link/kept", "type=oci", true),
        ("link", "type=local", false),
        ("link", "type=local,mode=delete", false),
    ] {
        fs::write(place.path("victim/kept"), "kept").expect("a file");
        fs::remove_file(place.path("link")).ok();
        if before {
            symlink("other", place.path("link")).expect("a link");
        }
        let output = format!("{more},dest={dest}");
        let mut command = place.command(&["--secret=id=a,src=secret", "--output", &output]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("xx-build starts");
        // The build waits for the secret; then it has looked at the destination.
        let mut secret = fs::OpenOptions::new().write(true).open(place.path("secret")).expect("a named pipe");
        fs::remove_file(place.path("link")).ok();
        symlink("victim", place.path("link")).expect("a link");
        secret.write_all(b"x").expect("it is read");
        drop(secret);
        let built = Built::of(child.wait_with_output().expect("it ends"));
        built.assert_error(&["when the build began, and leads to", "victim", "hint: "]);
        assert_eq!(held(&place.path("victim")).len(), 1, "{output}");
        assert_eq!(fs::read_to_string(place.path("victim/kept")).expect("a file"), "kept", "{output}");
    }
}

#[test]
fn links_of_other_users_in_a_folder_for_all_are_not_followed() {
    let case = "links_of_other_users_in_a_folder_for_all_are_not_followed";
    let Some(place) = place(case) else { return };
    if !is_root() {
        return skipped(case, "only root can make links of others");
    }
    let make = "mkdir -m 1777 shared; mkdir victim; echo kept > victim/kept; cd shared; ln -s ../victim d; \
                ln -s ../victim/kept f; ln -s ../victim/new n; ln -s d twice; chown -h 1000 d f n; ln -s ../victim own; mkfifo .xx-build.1.0.tmp";
    assert_eq!(shell(&place, make).code, Some(0));
    for output in [
        "type=local,dest=shared/d",
        "type=local,dest=shared/twice",
        "type=local,dest=shared/d,mode=delete",
        "type=oci,tar=false,dest=shared/d",
        "type=tar,dest=shared/f",
        "type=oci,dest=shared/n",
    ] {
        place.build(&["--output", output]).assert_error(&["a link that another user has laid"]);
        assert_eq!(held(&place.path("victim")).len(), 1, "{output}");
    }
    place.build(&["--output=type=cacheonly", "--iidfile=shared/f"]).assert_error(&["another user"]);
    assert_eq!(fs::read_to_string(place.path("victim/kept")).expect("a file"), "kept\n");
    // One's own is, and the pipe, which whoever opens it waits for, is left alone.
    place.build_well(&["--output=type=local,dest=shared/own"]);
    assert_eq!(held(&place.path("victim")).len(), 121);
    assert_eq!(shell(&place, "test -p shared/.xx-build.1.0.tmp").code, Some(0));
}

#[test]
fn places_that_are_no_destinations() {
    let Some(place) = place("places_that_are_no_destinations") else { return };
    let store = place.path("store").display().to_string();
    symlink(&store, place.path("link")).expect("a link");
    place.build_well(&[]);
    for (output, part) in [
        ("type=local,dest=", "the destination of an output is empty"),
        ("type=oci,dest=", "the destination of an output is empty"),
        ("type=oci,dest=new/", "`new/` is the name of a directory"),
        ("type=tar,dest=new/deep/", "`new/deep/` is the name of a directory"),
        ("type=local,dest=store", "lies in the store"),
        ("type=local,dest=link/layers/new", "lies in the store"),
        ("type=oci,dest=store/image.tar", "lies in the store"),
    ] {
        place.build(&["--output", output]).assert_error(&[part, "hint: "]);
    }
    place.build(&["--metadata-file=store/meta.json"]).assert_error(&["lies in the store"]);
    assert!(!place.path("new").exists());
    // Everything in a home directory is removed only when somebody says so, wherever one stands.
    let home = place.path("home");
    fs::create_dir(&home).expect("a directory");
    for dest in ["home", "home/../home"] {
        let output = format!("type=local,mode=delete,dest={dest}");
        let mut command = place.command(&["--output", &output]);
        let built = Built::of(command.env("HOME", &home).output().expect("xx-build"));
        built.assert_error(&["the home directory or above it", "needs `--allow buildx.local.delete`"]);
    }
}

/// Has the build run in a mount namespace where `m` is a file system of its own.
fn in_namespace(place: &Place, mount: &str, output: &str, after: &str) -> Built {
    let command = place.command(&["--output", output]);
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    let script = format!("{mount}; {} || echo failed; {after}", words.join(" "));
    fs::write(place.path("script"), script).expect("a file");
    shell(place, "mkdir -p m; unshare -m sh -eu script")
}

#[test]
fn a_full_or_closed_disk_leaves_what_was_there() {
    let case = "a_full_or_closed_disk_leaves_what_was_there";
    let Some(place) = place(case) else { return };
    if !is_root() {
        return skipped(case, "only root can mount");
    }
    place.build_well(&[]);
    let old = "mkdir -p m/out/1; echo old > m/out/1/1; echo old > m/file";
    let full = format!("mount -t tmpfs -o size=300k none m; {old}");
    let names = format!("mount -t tmpfs -o nr_inodes=40 none m; {old}");
    let shut = format!("mount -t tmpfs none m; {old}; mount -o remount,ro m");
    let files = ["type=local,dest=m/out", "type=local,mode=delete,dest=m/out", "type=local,dest=m/new"];
    let archives = [
        "type=tar,dest=m/file",
        "type=oci,compression=uncompressed,dest=m/file",
        "type=docker,compression=uncompressed,dest=m/new",
        "type=oci,compression=uncompressed,tar=false,dest=m/new",
    ];
    let all = [&files[..], &archives].concat();
    for (mount, outputs, parts) in [
        (&full, &all[..], ["No space left", "hint: the disk is full"]),
        (&names, &files, ["No space left", "hint: the disk is full"]),
        (&shut, &all, ["Read-only file system", "hint: write to a place"]),
    ] {
        for output in outputs {
            let ran = in_namespace(&place, mount, output, "find m | sort; cat m/file m/out/1/1");
            assert_eq!(
                ran.stdout, "failed\nm\nm/file\nm/out\nm/out/1\nm/out/1/1\nold\nold\n",
                "{output}: {}",
                ran.stderr
            );
            for part in parts {
                assert!(ran.stderr.contains(part), "{output}: {}", ran.stderr);
            }
        }
    }
}

/// A limit for the size of files is an error, not a death without a word.
#[test]
fn a_limit_for_files_is_an_error() {
    let Some(place) = place("a_limit_for_files_is_an_error") else { return };
    place.build_well(&[]);
    let output = "type=tar,dest=out";
    let command = place.command(&["--output", output]);
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    // The store's own files are larger than nothing, the archive is larger than them.
    let ran = shell(&place, &format!("ulimit -f 800; {} || echo failed; ls -A", words.join(" ")));
    assert!(ran.stdout.starts_with("failed\n") && !ran.stdout.contains("out\n"), "{}", ran.stdout);
    assert!(!ran.stdout.contains(".xx-build"), "{}", ran.stdout);
    assert!(ran.stderr.contains("File too large"), "{}", ran.stderr);
}

/// Whether a layout is whole: its index names manifests whose blobs are all there, as long as they are said to be.
fn is_whole(layout: &Path) -> bool {
    let read = |path: &Path| fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let blob = |descriptor: &serde_json::Value| {
        let hex = descriptor["digest"].as_str().unwrap_or_default().replace("sha256:", "");
        let path = layout.join("blobs/sha256").join(hex);
        let size = fs::metadata(&path).ok().map(|there| there.len());
        (size == descriptor["size"].as_u64()).then_some(path)
    };
    let Some(index): Option<serde_json::Value> = read(&layout.join("index.json")) else { return false };
    let Some(manifest) = blob(&index["manifests"][0]) else { return false };
    let Some(manifest): Option<serde_json::Value> = read(&manifest) else { return false };
    let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
    layers.iter().chain([&manifest["config"]]).all(|descriptor| blob(descriptor).is_some())
}

#[test]
fn a_kill_leaves_whole_files_of_every_output() {
    const KILLS: u32 = 60;
    let Some(place) = place("a_kill_leaves_whole_files_of_every_output") else { return };
    fill(&place, "old");
    let outputs = ["type=local", "type=tar", "type=oci", "type=docker", "type=oci,tar=false"];
    let dest = |output: &str, name: &str| format!("--output={output},dest={name}");
    for (number, output) in outputs.iter().enumerate() {
        place.build_well(&[&dest(output, &format!("old{number}"))]);
    }
    fill(&place, "new");
    for (number, output) in outputs.iter().enumerate() {
        place.build_well(&[]);
        // All of it from the cache: how long that takes is where kills are spread over.
        let begun = Instant::now();
        place.build_well(&[&dest(output, &format!("new{number}"))]);
        let lasts = begun.elapsed();
        let [old, new] = ["old", "new"].map(|text| place.path(&format!("{text}{number}")));
        let whole = if old.is_file() {
            [&old, &new].map(|path| fs::read(path).expect("a file"))
        } else {
            [vec![], vec![]]
        };
        let (mut killed, mut changed) = (0, 0);
        for round in 0..KILLS {
            let is_new = round % 2 == 1;
            let before = if is_new { String::new() } else { format!("cp -r old{number} out") };
            assert_eq!(shell(&place, &format!("rm -rf out; {before}")).code, Some(0));
            let mut command = place.command(&[&dest(output, "out")]);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("xx-build");
            std::thread::sleep(lasts * round / KILLS);
            killed += usize::from(child.try_wait().is_ok_and(|ended| ended.is_none()));
            child.kill().expect("it is a child");
            child.wait().expect("it ends");
            let out = place.path("out");
            changed += usize::from(match number {
                0 => {
                    let found = held(&out);
                    let found: Vec<_> =
                        found.into_iter().filter(|(name, _)| !name.starts_with(".xx-build")).collect();
                    let is_full = found.len() == 120 || (is_new && found.is_empty());
                    let is_whole =
                        |text: &str, length: usize| ["old", "new"].contains(&text) && length == 4200;
                    let all = found.iter().all(|(_, (text, length))| is_whole(text, *length));
                    assert!(is_full && all, "round {round}: {} files", found.len());
                    found.iter().any(|(_, (text, _))| text == "new")
                }
                4 => {
                    assert!((is_new && !out.exists()) || is_whole(&out), "round {round}: {output}");
                    out.exists()
                        && fs::read(out.join("index.json")).ok() == fs::read(new.join("index.json")).ok()
                }
                _ => {
                    let found = fs::read(&out).ok();
                    let is_old = if is_new { found.is_none() } else { found.as_ref() == Some(&whole[0]) };
                    assert!(is_old || found.as_ref() == Some(&whole[1]), "round {round}: {output}");
                    !is_old
                }
            });
        }
        eprintln_case(&format!(
            "{output}: {killed} of {KILLS} were killed while they ran, {changed} had something new"
        ));
        place.build_well(&[&dest(output, "out")]);
        let left = shell(&place, "ls -A . out | grep '^.xx-build' || true");
        assert_eq!(left.stdout, "", "{output}: what was left is swept");
    }
}

#[expect(clippy::print_stderr, reason = "says how much of the case could be tried")]
fn eprintln_case(text: &str) {
    eprintln!("{text}");
}
