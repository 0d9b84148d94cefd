//! Where outputs go: what a destination is stays what it is, a good tree stays good, and two writers are told apart.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Stdio;

use integration_tests::{Built, Kit, Place, run, skipped};

fn place(case: &str) -> Option<Place> {
    let place = Place::new(Kit::find(case)?);
    place.write("Dockerfile", "FROM scratch\nCOPY tree /\n");
    place.write("tree/file", "new");
    place.write("tree/sub/inner", "new");
    Some(place)
}

/// Everything below a folder, links as `NAME -> TARGET`, sorted; content behind `=`.
fn listed(folder: &Path) -> Vec<String> {
    let mut lines = vec![];
    let mut open = vec![folder.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).expect("a directory").map(|entry| entry.expect("an entry")) {
            let path = entry.path();
            let name = path.strip_prefix(folder).expect("below").display().to_string();
            let kind = entry.file_type().expect("a kind");
            if kind.is_dir() {
                lines.push(format!("{name}/"));
                open.push(path);
            } else if kind.is_symlink() {
                lines.push(format!("{name} -> {}", fs::read_link(path).expect("a link").display()));
            } else {
                lines.push(format!("{name}={}", fs::read_to_string(path).expect("a text")));
            }
        }
    }
    lines.sort();
    lines
}

fn shell(place: &Place, script: &str) -> Built {
    let ran = run("sh", &["-euc", &format!("cd {}; {script}", place.directory.path().display())]);
    ran.expect("sh")
}

#[test]
fn streams_are_written_into_what_is_there() {
    let Some(place) = place("streams_are_written_into_what_is_there") else { return };
    let make = |script: &str| assert_eq!(shell(&place, script).code, Some(0), "{script}");
    make(
        "mkdir real; mkfifo fifo; echo old > file; chmod 600 file; ln -s file link; ln -s real/later dangling; ln -s real folder; ln -s fifo to-fifo",
    );
    for output in ["type=tar", "type=oci", "type=docker"] {
        // The same bytes wherever they go.
        place.build_well(&["--output", &format!("{output},dest=plain")]);
        let expected = fs::read(place.path("plain")).expect("an archive");
        for (dest, lies_in) in [
            ("link", "file"),
            ("dangling", "real/later"),
            ("folder/in", "real/in"),
            ("deep/er/new", "deep/er/new"),
        ] {
            place.build_well(&["--output", &format!("{output},dest={dest}")]);
            assert!(fs::read(place.path(lies_in)).is_ok_and(|read| read == expected), "{output} {dest}");
        }
        for dest in ["fifo", "to-fifo"] {
            let reader = std::thread::spawn({
                let fifo = place.path("fifo");
                move || fs::read(fifo).expect("a named pipe")
            });
            place.build_well(&["--output", &format!("{output},dest={dest}")]);
            assert!(reader.join().is_ok_and(|read| read == expected), "{output} {dest}");
        }
        for dest in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
            let ended =
                place.command(&["--output", &format!("{output},dest={dest}")]).output().expect("xx-build");
            assert!(ended.status.success() && ended.stdout == expected, "{output} {dest}");
            // Behind what is in the file already.
            fs::write(place.path("log"), "before").expect("a file");
            let log = File::options().append(true).open(place.path("log")).expect("a file");
            let mut command = place.command(&["--output", &format!("{output},dest={dest}")]);
            assert!(command.stdout(log).status().expect("xx-build").success());
            let log = fs::read(place.path("log")).expect("a file");
            assert!(log.starts_with(b"before") && log.ends_with(&expected), "{output} {dest}");
        }
        place.build_well(&["--output", &format!("{output},dest=/dev/null")]);
        place
            .build(&["--output", &format!("{output},dest=/dev/full")])
            .assert_error(&["/dev/full", "No space left"]);
    }
    for link in ["link", "dangling", "folder", "to-fifo"] {
        assert!(place.path(link).is_symlink(), "{link}");
    }
    assert!(fs::metadata(place.path("fifo")).expect("it is there").file_type().is_fifo());
    for device in ["/dev/null", "/dev/full"] {
        assert!(fs::metadata(device).expect("it is there").file_type().is_char_device(), "{device}");
    }
    let mode = fs::metadata(place.path("file")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the file keeps its mode");

    // What is said of the image goes the same ways.
    make("ln -s ids/id id; ln -s /dev/stdout meta; mkdir ids");
    let built = place.build_well(&["--output=type=oci,dest=plain", "--iidfile=id", "--metadata-file=meta"]);
    assert!(built.stdout.contains("containerimage.digest"), "{}", built.stdout);
    assert!(fs::read_to_string(place.path("ids/id")).is_ok_and(|id| id.starts_with("sha256:")));
    assert!(place.path("id").is_symlink() && place.path("meta").is_symlink());
}

#[test]
fn a_reader_that_ends_early_is_one_error() {
    let Some(place) = place("a_reader_that_ends_early_is_one_error") else { return };
    // More than a pipe holds.
    fs::write(place.path("context/tree/large"), vec![7; 4 << 20]).expect("a file");
    for output in ["-", "type=oci,dest=-,compression=uncompressed"] {
        let mut command = place.command(&["--output", output]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("xx-build");
        drop(child.stdout.take());
        let ended = Built::of(child.wait_with_output().expect("it ends"));
        ended.assert_error(&["standard output", "Broken pipe", "hint: "]);
    }
}

#[test]
fn what_cannot_be_written_is_said_before_the_build() {
    let Some(place) = place("what_cannot_be_written_is_said_before_the_build") else { return };
    let make = |script: &str| assert_eq!(shell(&place, script).code, Some(0), "{script}");
    make("mkdir dir; touch file; ln -s loop loop; ln -s file to-file");
    place.write("Dockerfile", "FROM scratch\nCOPY nosuch /\n");
    for (outputs, parts) in [
        (&["type=oci,dest=dir"][..], &["`dir` is a directory", "hint: "][..]),
        (&["type=local,dest=file"], &["`file` is a file"]),
        (&["type=oci,tar=false,dest=to-file"], &["`to-file` is a file"]),
        (&["type=local,dest=/dev/null"], &["`/dev/null` is no directory"]),
        (&["type=oci,dest=file/below"], &["file/below", "Not a directory"]),
        (&["type=oci,dest=loop"], &["`loop`", "symbolic link"]),
        (&["type=oci,dest=a", "type=tar,dest=a"], &["two outputs go to `a`"]),
        (&["type=oci,dest=file", "type=tar,dest=to-file"], &["two outputs go to `to-file`"]),
        (&["dir", "type=oci,tar=false,dest=./dir"], &["two outputs go to `./dir`"]),
        (&["new", "type=oci,dest=dir/../new"], &["two outputs go to"]),
        (&["-", "type=oci,dest=/dev/stdout"], &["two outputs go to `/dev/stdout`"]),
    ] {
        let arguments: Vec<&str> = outputs.iter().flat_map(|output| ["--output", *output]).collect();
        place.build(&arguments).assert_error(parts);
    }
    place.build(&["--output=type=oci,dest=a", "--metadata-file=a"]).assert_error(&["two outputs go to `a`"]);
    // Not by the users that ignore modes.
    if run("id", &["-u"]).is_some_and(|id| id.stdout.trim() == "0") {
        return skipped(
            "what_cannot_be_written_is_said_before_the_build",
            "the part about modes: root may write anywhere",
        );
    }
    make("mkdir shut; chmod 555 shut");
    place.build(&["--output=type=oci,dest=shut/a"]).assert_error(&["shut", "ermission denied"]);
}

#[test]
fn a_directory_becomes_what_buildkit_makes_of_it() {
    let Some(place) = place("a_directory_becomes_what_buildkit_makes_of_it") else { return };
    let old = "rm -rf out other; mkdir -p out/sub out/file/deep other; echo old > out/kept; echo old > out/sub/old; chmod 700 out/sub; \
               ln -s ../other out/link; echo old > out/file/deep/old";
    place.write("tree/link/x", "new");
    fs::set_permissions(place.path("context/tree/sub"), fs::Permissions::from_mode(0o751)).expect("a mode");
    let new = ["file=new", "link/", "link/x=new", "sub/", "sub/inner=new"];
    let both = ["file=new", "kept=old\n", "link/", "link/x=new", "sub/", "sub/inner=new", "sub/old=old\n"];
    for (dest, mode, before, after, how) in [
        ("out", "", "rm -rf out", &new[..], "in one step"),
        ("out", "", old, &both[..], "file by file: it was there before"),
        ("out", ",mode=delete", "rm -rf out", &new[..], "in one step"),
        ("out", ",mode=delete", old, &new[..], "in one step"),
        ("to-out", "", &format!("{old}; ln -sfn out to-out"), &both[..], "file by file"),
        ("to-out", ",mode=delete", old, &new[..], "in one step"),
    ] {
        assert_eq!(shell(&place, before).code, Some(0));
        let built = place.build_well(&["--output", &format!("type=local,dest={dest}{mode}")]);
        assert!(built.stderr.contains(how), "{dest}{mode}: {}", built.stderr);
        assert_eq!(listed(&place.path("out")), after, "{dest}{mode} after {before}");
        let sub = fs::metadata(place.path("out/sub")).expect("a directory").permissions().mode();
        assert_eq!(sub & 0o777, 0o751, "{dest}{mode}: the directory gets its mode");
        let left = shell(&place, "ls -A . out | grep xx-build || true").stdout;
        assert_eq!(left, "", "nothing temporary is left");
    }
    assert!(place.path("to-out").is_symlink());
    // The current directory is not pulled away from under whoever stands in it.
    assert_eq!(shell(&place, old).code, Some(0));
    let mut command =
        place.command(&["--allow=buildx.local.delete", "--output=type=local,dest=.,mode=delete"]);
    let before = fs::metadata(place.path("out")).expect("a directory");
    let ended = Built::of(command.current_dir(place.path("out")).output().expect("xx-build"));
    assert!(ended.stderr.contains("file by file: it is in use as the current directory"), "{}", ended.stderr);
    assert_eq!(listed(&place.path("out")), new);
    use std::os::unix::fs::MetadataExt as _;
    assert_eq!(before.ino(), fs::metadata(place.path("out")).expect("a directory").ino());
    // Its owner and mode stay when it is exchanged.
    assert_eq!(shell(&place, "chmod 2750 out").code, Some(0));
    place.build_well(&["--output=type=local,dest=out,mode=delete"]);
    let mode = fs::metadata(place.path("out")).expect("a directory").permissions().mode();
    assert_eq!(mode & 0o7777, 0o2750);
}

#[test]
fn deleting_is_allowed_where_buildx_allows_it() {
    let Some(place) = place("deleting_is_allowed_where_buildx_allows_it") else { return };
    let outside = tempfile::tempdir().expect("a directory");
    let outside = outside.path().display().to_string();
    symlink(&outside, place.path("link")).expect("a link");
    fs::create_dir(place.path("in")).expect("a directory");
    let store = place.path("store").display().to_string();
    let allow = "--allow=buildx.local.delete";
    for (dest, arguments, refused) in [
        ("in", &[][..], None),
        ("in/new/deep", &[], None),
        (".", &[], Some("needs `--allow buildx.local.delete`")),
        ("in/..", &[], Some("needs `--allow buildx.local.delete`")),
        ("link", &[], Some("needs `--allow buildx.local.delete`")),
        ("link/new", &[], Some("needs `--allow buildx.local.delete`")),
        ("link/new", &[allow], None),
        (&outside, &[], Some("needs `--allow buildx.local.delete`")),
        (&outside, &[allow], None),
        (".", &[allow], Some("would remove the store")),
        (&store, &[allow], Some("lies in the store")),
        ("context", &[], Some("would remove the context")),
        ("in", &["--output=type=oci,dest=in/image.tar"], Some("would remove the output")),
        ("in", &["--allow=buildx.local.delete=true"], Some("takes no value")),
    ] {
        let output = format!("type=local,mode=delete,dest={dest}");
        let built = place.build(&[&["--output", &output], arguments].concat());
        match refused {
            None => assert_eq!(built.code, Some(0), "{dest}: {}", built.stderr),
            Some(part) => built.assert_error(&[part]),
        }
    }
}

#[test]
fn what_is_mounted_in_a_destination_stays() {
    let case = "what_is_mounted_in_a_destination_stays";
    let Some(place) = place(case) else { return };
    if shell(&place, "unshare -rm true 2>/dev/null || unshare -m true").code != Some(0) {
        return skipped(case, "no mount namespace can be made");
    }
    let command = place.command(&["--output=type=local,dest=out,mode=delete"]);
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    // A file system of its own where the result has a directory, and one where it has none.
    let script = format!(
        "mkdir -p out/sub out/other; echo old > out/old; mount -t tmpfs none out/sub; mount -t tmpfs none out/other; \
         echo old > out/sub/old; echo mine > out/other/mine; {}; find out | sort; cat out/sub/inner out/other/mine",
        words.join(" ")
    );
    let ran = shell(&place, &format!("unshare -m sh -euc \"{script}\" || true"));
    if ran.stderr.contains("unshare") {
        return skipped(case, "no mount namespace can be made");
    }
    assert!(ran.stderr.contains("file by file: something is mounted there; kept `other`"), "{}", ran.stderr);
    let expected = "out\nout/file\nout/other\nout/other/mine\nout/sub\nout/sub/inner\nnewmine\n";
    assert_eq!(ran.stdout, expected, "{}", ran.stderr);
}

#[test]
fn a_kill_leaves_the_old_tree_or_the_new_one() {
    let Some(place) = place("a_kill_leaves_the_old_tree_or_the_new_one") else { return };
    let fill = |text: &str| {
        for number in 0..200 {
            place.write(&format!("tree/{}/{number}", number % 10), text);
        }
    };
    let mut trees = vec![];
    for text in ["one", "two"] {
        fill(text);
        let dest = format!("type=local,dest={text}");
        place.build_well(&["--output", &dest]);
        trees.push(listed(&place.path(text)));
    }
    // The steps are cached: nearly all that is left is the output, and the kills are spread over the time it takes.
    let begun = std::time::Instant::now();
    place.build_well(&["--output=type=local,dest=once,mode=delete"]);
    let lasts = begun.elapsed();
    let (mut killed, mut new) = (0, 0);
    for round in 0_u32..60 {
        assert_eq!(shell(&place, "rm -rf out; cp -r one out").code, Some(0));
        let mut command = place.command(&["--output=type=local,dest=out,mode=delete"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("xx-build");
        std::thread::sleep(lasts * round / 60);
        killed += usize::from(child.try_wait().is_ok_and(|ended| ended.is_none()));
        child.kill().expect("it is a child");
        child.wait().expect("it ends");
        let found = listed(&place.path("out"));
        assert!(trees.contains(&found), "round {round}: a tree that is neither: {} entries", found.len());
        new += usize::from(found == trees[1]);
    }
    eprintln!("{killed} of 60 were killed while they ran, {new} had the new tree");
    place.build_well(&["--output=type=local,dest=out,mode=delete"]);
    assert_eq!(listed(&place.path("out")), trees[1]);
    assert_eq!(shell(&place, "ls -A | grep '^.xx-build' || true").stdout, "", "what was left is swept");
}

#[test]
fn two_platforms_do_not_write_one_file() {
    let Some(place) = place("two_platforms_do_not_write_one_file") else { return };
    let both = "--platform=linux/amd64,linux/arm64";
    let one = "--platform=linux/arm64";
    let multi = "--build-arg=BUILDKIT_MULTI_PLATFORM=1";
    place.write("Dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY tree/file /common/$TARGETARCH\n");
    place.write("Same", "FROM scratch\nCOPY tree/file /same\n");
    let same = format!("--file={}", place.path("context/Same").display());
    let split = ["linux_amd64/", "linux_amd64/same=new", "linux_arm64/", "linux_arm64/same=new"];
    for (arguments, output, expected) in [
        (&[both][..], "platform-split=false", Ok(&["common/", "common/amd64=new", "common/arm64=new"][..])),
        (&[both, &same], "", Ok(&split[..])),
        (&[both, &same], "platform-split=true", Ok(&split[..])),
        (
            &[both, &same],
            "platform-split=false",
            Err("cannot overwrite `same` from linux/amd64 with linux/arm64"),
        ),
        (&[one, &same], "", Ok(&["same=new"][..])),
        (&[one, &same], "platform-split=true", Ok(&split[2..])),
        (&[one, &same, multi], "", Ok(&split[2..])),
        (&[one, &same, multi], "platform-split=false", Ok(&["same=new"][..])),
        (&[both, &same, multi], "", Ok(&split[..])),
        (&[both, "--build-arg=BUILDKIT_MULTI_PLATFORM=0"], "", Err("BUILDKIT_MULTI_PLATFORM=0")),
    ] {
        for kind in ["local", "tar"] {
            assert_eq!(shell(&place, "rm -rf out").code, Some(0));
            let field = if output.is_empty() { String::new() } else { format!(",{output}") };
            let built =
                place.build(&[arguments, &["--output", &format!("type={kind},dest=out{field}")]].concat());
            let files = match expected {
                Err(part) => {
                    built.assert_error(&[part, "hint: "]);
                    assert!(!place.path("out").exists(), "{arguments:?} {kind}");
                    continue;
                }
                Ok(files) => files,
            };
            assert_eq!(built.code, Some(0), "{arguments:?} {kind}: {}", built.stderr);
            if kind == "tar" {
                let unpack = "mv out out.tar; mkdir out; tar -xf out.tar -C out";
                assert_eq!(shell(&place, unpack).code, Some(0));
            }
            assert_eq!(listed(&place.path("out")), files, "{arguments:?} {kind}");
        }
    }
    // An image of one platform is an index as well then, and has no configuration of its own to be named by.
    let index = |arguments: &[&str]| {
        assert_eq!(shell(&place, "rm -rf out").code, Some(0));
        let more = ["--output=type=oci,tar=false,dest=out", "--metadata-file=meta.json"];
        place.build_well(&[arguments, &more].concat());
        let text = fs::read_to_string(place.path("out/index.json")).expect("an index");
        let meta = fs::read_to_string(place.path("meta.json")).expect("a file");
        (text.contains("image.index.v1+json\",\"digest"), meta.contains("config.digest"))
    };
    assert_eq!(index(&[one]), (false, true));
    assert_eq!(index(&[one, multi]), (true, false));
}
