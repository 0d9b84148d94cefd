//! What a layer says of its directory, over those below it.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;

use rustix::fs::{AtFlags, XattrFlags};

use super::*;
use xx_build_rootfs::{make_whiteout, set_time};

/// The entries of the archive: kind, name, target and content of each.
fn entries(root: &Path, below: Option<&Below>) -> Vec<String> {
    let root = File::open(root).expect("the root");
    let mut tar = tar::Builder::new(vec![]);
    let place = Place { prefix: Path::new(""), clamp: None };
    write_tree(root.as_fd(), Owners::Real, below, place, &mut tar).expect("written");
    let bytes = tar.into_inner().expect("an archive");
    let mut archive = tar::Archive::new(&bytes[..]);
    let show = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.expect("an entry");
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let target = entry.link_name_bytes().map(std::borrow::Cow::into_owned);
        let target = target.map(|target| format!(" -> {}", target.escape_ascii())).unwrap_or_default();
        let mut content = String::new();
        entry.read_to_string(&mut content).expect("content");
        let kind = char::from(entry.header().entry_type().as_byte());
        format!("{kind} {name}{target}{}{content}", if content.is_empty() { "" } else { " " })
    };
    archive.entries().expect("an archive").map(show).collect()
}

/// A directory with files of every kind, all of one time.
fn fill(root: &Path) {
    fs::create_dir_all(root.join("d/sub")).expect("a directory");
    fs::write(root.join("d/file"), "same").expect("a file");
    fs::write(root.join("d/hard"), "one").expect("a file");
    fs::hard_link(root.join("d/hard"), root.join("d/hard2")).expect("a link");
    symlink("file", root.join("d/link")).expect("a link");
    let directory = File::open(root.join("d")).expect("a directory");
    rustix::fs::mknodat(&directory, "pipe", FileType::Fifo, Mode::RUSR, 0).expect("a pipe");
    for name in ["file", "hard", "link", "pipe", "sub"] {
        set_time(directory.as_fd(), OsStr::new(name), 1_000_000_007).expect("a time");
    }
}

#[test]
fn a_file_is_read_to_the_size_that_its_entry_says() {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("file");
    for (content, size, expected) in [
        (0, 0, Ok(0)),
        (7, 7, Ok(7)),
        // Written on meanwhile, and cut meanwhile.
        (9, 7, Ok(7)),
        (3 * PIECE + 1, 3 * PIECE + 1, Ok(3 * PIECE + 1)),
        (6, 7, Err(io::ErrorKind::UnexpectedEof)),
    ] {
        fs::write(&path, vec![b'x'; content]).expect("a file");
        let mut reader = Exactly::open(File::open(&path).expect("a file"), size as u64);
        let mut bytes = vec![];
        let read = reader.read_to_end(&mut bytes).map_err(|error| error.kind());
        assert_eq!(read, expected, "{content} of {size}");
    }
}

#[test]
fn targets_of_links_are_as_they_are() {
    let place = tempfile::tempdir().expect("a directory");
    let long = format!("{}//x", "a/".repeat(60));
    let targets: &[&[u8]] = &[
        b"/",
        b"/.",
        b"./.",
        b"a//b",
        b"x/./y",
        b"..",
        b"../..",
        b"/a/",
        b"./",
        b"//",
        b".//a",
        b"\xff\xfe",
        &[b'n'; 100],
        &[b'n'; 101],
        long.as_bytes(),
    ];
    for (number, target) in targets.iter().enumerate() {
        symlink(OsStr::from_bytes(target), place.path().join(format!("l{number:02}"))).expect("a link");
    }
    let shown = |(number, target): (usize, &&[u8])| format!("2 l{number:02} -> {}", target.escape_ascii());
    let expected: Vec<String> = targets.iter().enumerate().map(shown).collect();
    assert_eq!(entries(place.path(), None), expected);
}

/// Capabilities are a part of a program; what is noted on a file is not passed on with an image.
#[test]
fn attributes_of_trees_and_of_layers() {
    let place = tempfile::tempdir().expect("a directory");
    fs::write(place.path().join("file"), "").expect("a file");
    let file = File::open(place.path().join("file")).expect("a file");
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    rustix::fs::fsetxattr(&file, "user.note", b"x", XattrFlags::empty()).expect("an attribute");
    let mut expected = vec!["SCHILY.xattr.user.note"];
    if rustix::fs::fsetxattr(&file, "security.capability", &capability, XattrFlags::empty()).is_ok() {
        expected.insert(0, "SCHILY.xattr.security.capability");
    }
    let nothing = Below::of(&[], Owners::Real).expect("opened");
    for (below, wanted) in [(None, &expected[..]), (Some(&nothing), &expected[..expected.len() - 1])] {
        let root = File::open(place.path()).expect("the root");
        let mut tar = tar::Builder::new(vec![]);
        let place = Place { prefix: Path::new(""), clamp: None };
        write_tree(root.as_fd(), Owners::Real, below, place, &mut tar).expect("written");
        let bytes = tar.into_inner().expect("an archive");
        let mut archive = tar::Archive::new(&bytes[..]);
        let mut entry = archive.entries().expect("an archive").next().expect("an entry").expect("an entry");
        let records = entry.pax_extensions().expect("records").into_iter().flatten();
        let names: Vec<&str> =
            records.map(|record| record.expect("a record").key().expect("a name")).collect();
        assert_eq!(names, wanted);
    }
}

#[test]
fn names_of_one_file_are_links_whatever_it_is() {
    let place = tempfile::tempdir().expect("a directory");
    fill(place.path());
    let directory = File::open(place.path()).expect("a directory");
    for name in ["pipe", "link"] {
        let from = format!("d/{name}");
        rustix::fs::linkat(&directory, &*from, &directory, &*format!("second-{name}"), AtFlags::empty())
            .expect("a link");
    }
    let expected = [
        "5 d/",
        "0 d/file same",
        "0 d/hard one",
        "1 d/hard2 -> d/hard",
        "2 d/link -> file",
        "6 d/pipe",
        "5 d/sub/",
        "1 second-link -> d/link",
        "1 second-pipe -> d/pipe",
    ];
    assert_eq!(entries(place.path(), None), expected);
}

/// What is changed in a copy of what `fill` made, what the layer says of it over the original, and how many marks of the
/// copy it has over nothing.
type Case<'a> = (&'a str, fn(&Path), &'a [&'a str], usize);

const CASES: &[Case<'_>] = &[
    ("the same again", |_| {}, &[], 0),
    (
        "another name of a file",
        |root| fs::hard_link(root.join("d/hard"), root.join("d/hard3")).expect("a link"),
        &["5 d/", "0 d/hard one", "1 d/hard2 -> d/hard", "1 d/hard3 -> d/hard"],
        0,
    ),
    (
        "a name of a file is one of another",
        |root| {
            clear(root, &["hard2"]);
            fs::hard_link(root.join("d/file"), root.join("d/file2")).expect("a link");
        },
        &["5 d/", "0 d/file same", "1 d/file2 -> d/file"],
        0,
    ),
    (
        "another link",
        |root| {
            clear(root, &["link"]);
            symlink("fil2", root.join("d/link")).expect("a link");
            let directory = File::open(root.join("d")).expect("a directory");
            set_time(directory.as_fd(), OsStr::new("link"), 1_000_000_007).expect("a time");
        },
        &["5 d/", "2 d/link -> fil2"],
        0,
    ),
    (
        "a name removed, and one that was never there",
        |root| {
            clear(root, &["file", "link", "pipe", "hard", "hard2"]);
            let directory = File::open(root.join("d")).expect("a directory");
            for name in ["file", "nothing"] {
                make_whiteout(directory.as_fd(), OsStr::new(name)).expect("a whiteout");
            }
        },
        &["5 d/", "0 d/.wh.file"],
        2,
    ),
    (
        "a directory made anew",
        |root| {
            clear(root, &["file", "link", "pipe", "hard", "hard2"]);
            mark(&root.join("d/sub"));
        },
        &["5 d/", "5 d/sub/", "0 d/sub/.wh..wh..opq"],
        1,
    ),
    (
        "a directory in place of a file, and a new one",
        |root| {
            clear(root, &["file", "link", "pipe", "hard", "hard2"]);
            for name in ["d/file", "d/new"] {
                fs::create_dir(root.join(name)).expect("a directory");
                mark(&root.join(name));
            }
        },
        &["5 d/", "5 d/file/", "5 d/new/"],
        2,
    ),
];

fn clear(root: &Path, names: &[&str]) {
    names.iter().for_each(|name| fs::remove_file(root.join("d").join(name)).expect("removed"));
}

/// Marks a directory as overlayfs does that hides what lies below it.
fn mark(directory: &Path) {
    let directory = File::open(directory).expect("a directory");
    rustix::fs::fsetxattr(directory, "user.overlay.opaque", b"y", XattrFlags::empty()).expect("a mark");
}

#[test]
fn a_layer_says_what_is_new() {
    for (case, change, expected, marks) in CASES {
        let place = tempfile::tempdir().expect("a directory");
        let [lower, upper] = ["lower", "upper"].map(|name| place.path().join(name));
        fill(&lower);
        fill(&upper);
        change(&upper);
        let below = Below::of(&[lower], Owners::Real).expect("opened");
        assert_eq!(entries(&upper, Some(&below)), *expected, "{case}");
        // In a whole tree marks mean nothing; over nothing they may come to mean something.
        let nothing = Below::of(&[], Owners::Real).expect("opened");
        for (below, expected) in [(None, 0), (Some(&nothing), *marks)] {
            let said = entries(&upper, below);
            assert_eq!(
                said.iter().filter(|entry| entry.contains(".wh.")).count(),
                expected,
                "{case}: {said:?}"
            );
        }
    }
}
