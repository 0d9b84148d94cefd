//! Archives as an attacker writes them: nothing outside the root is touched, and no error is a panic.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use super::*;
use crate::{Owners, descriptor_path, xattrs};

/// One entry: type, name, link target, content.
type Item<'a> = (tar::EntryType, &'a [u8], &'a [u8], &'a [u8]);

use tar::EntryType as T;

/// A tar with names as they are: the crate's own writer refuses hostile ones.
fn archive(items: &[Item<'_>]) -> Vec<u8> {
    let mut out = vec![];
    for (kind, name, link, content) in items {
        let mut header = tar::Header::new_ustar();
        let place = header.as_old_mut();
        place.name[..name.len()].copy_from_slice(name);
        place.linkname[..link.len()].copy_from_slice(link);
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        header.set_size(content.len() as u64);
        header.set_cksum();
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(content);
        out.resize(out.len().div_ceil(512) * 512, 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

fn no_layers() -> Layers {
    Layers::open(&[], Owners::Real).expect("nothing to open")
}

/// Unpacks into a directory beside one that must stay as it is.
fn unpack_beside(bytes: &[u8], is_layer: bool) -> (tempfile::TempDir, Result<(), RootError>) {
    let place = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(place.path().join("root/existing")).expect("a directory");
    fs::create_dir(place.path().join("outside")).expect("a directory");
    fs::write(place.path().join("outside/file"), "kept").expect("a file");
    symlink(place.path().join("outside"), place.path().join("root/way-out")).expect("a link");
    let root = File::open(place.path().join("root")).expect("the root");
    let below = no_layers();
    let kind = if is_layer { Archive::Layer { below: &below } } else { Archive::Files { owner: None } };
    let result = unpack(bytes, Root::new(&root, Owners::Real), kind);
    (place, result)
}

fn assert_outside_is_whole(place: &tempfile::TempDir, name: &str) {
    let names: Vec<_> = fs::read_dir(place.path().join("outside")).expect("listed").collect();
    assert_eq!(names.len(), 1, "{name}");
    assert_eq!(fs::read_to_string(place.path().join("outside/file")).expect("the file"), "kept", "{name}");
    let around = fs::read_dir(place.path()).expect("listed").count();
    assert_eq!(around, 2, "{name}: something beside the root");
    assert_eq!(fs::metadata(place.path().join("outside")).expect("metadata").mode() & 0o777, 0o755, "{name}");
}

type Case<'a> = (&'a str, &'a [Item<'a>], bool);

const CASES: &[Case<'_>] = &[
    ("a parent", &[(T::Regular, b"../outside/new", b"", b"x")], false),
    ("a parent in the middle", &[(T::Regular, b"a/../../outside/file", b"", b"x")], false),
    ("an absolute name stays inside", &[(T::Regular, b"/outside/new", b"", b"x")], true),
    ("through a link that was there", &[(T::Regular, b"way-out/new", b"", b"x")], true),
    (
        "through a link of its own",
        &[(T::Symlink, b"link", b"../outside", b""), (T::Regular, b"link/new", b"", b"x")],
        true,
    ),
    (
        "a file over a link",
        &[(T::Symlink, b"link", b"../outside/file", b""), (T::Regular, b"link", b"", b"x")],
        true,
    ),
    (
        "a directory over a link",
        &[(T::Symlink, b"link", b"../outside", b""), (T::Directory, b"link", b"", b"")],
        true,
    ),
    ("a hard link to a parent", &[(T::Link, b"hard", b"../outside/file", b"")], false),
    ("a hard link through a link", &[(T::Link, b"hard", b"way-out/file", b"")], false),
    ("a hard link to nothing", &[(T::Link, b"hard", b"nothing", b"")], false),
    ("a hard link to itself", &[(T::Link, b"hard", b"hard", b"")], false),
    ("the root as a link", &[(T::Symlink, b".", b"../outside", b""), (T::Regular, b"new", b"", b"x")], true),
    ("the root as a file", &[(T::Regular, b"/", b"", b"x")], true),
    (
        "a link in circles",
        &[(T::Symlink, b"a", b"b", b""), (T::Symlink, b"b", b"a", b""), (T::Regular, b"a/x", b"", b"x")],
        false,
    ),
    (
        "the same name three times",
        &[(T::Regular, b"a", b"", b"1"), (T::Directory, b"a", b"", b""), (T::Regular, b"a", b"", b"3")],
        true,
    ),
    (
        "a whiteout of the parent",
        &[
            (T::Regular, b".wh...", b"", b""),
            (T::Regular, b".wh..", b"", b""),
            (T::Regular, b".wh.", b"", b""),
        ],
        true,
    ),
    ("a whiteout through a link", &[(T::Regular, b"way-out/.wh.file", b"", b"")], true),
    ("an opaque mark through a link", &[(T::Regular, b"way-out/.wh..wh..opq", b"", b"")], true),
    ("an unknown mark", &[(T::Regular, b".wh..wh.plnk", b"", b"")], true),
    ("an entry of no known kind", &[(T::__Nonexhaustive(b'Z'), b"a", b"", b"")], false),
    // Others take its content for the next header.
    ("a link with content", &[(T::Symlink, b"a", b"b", b"not read"), (T::Regular, b"c", b"", b"x")], false),
];

#[test]
fn hostile_archives_stay_inside() {
    for (name, items, works) in CASES {
        let (place, result) = unpack_beside(&archive(items), true);
        assert_eq!(result.is_ok(), *works, "{name}: {result:?}");
        assert_outside_is_whole(&place, name);
    }
}

#[test]
fn the_last_of_several_entries_counts() {
    let items: &[Item<'_>] = &[
        (T::Regular, b"a", b"", b"1"),
        (T::Symlink, b"a", b"b", b""),
        (T::Regular, b"a", b"", b"3"),
        (T::Regular, b"a", b"", b"last"),
    ];
    let (place, result) = unpack_beside(&archive(items), false);
    result.expect("unpacked");
    assert_eq!(fs::read_to_string(place.path().join("root/a")).expect("the file"), "last");
}

#[test]
fn numbers_that_are_left_out_are_none() {
    let mut bytes = archive(&[(T::Directory, b"d", b"", b"")]);
    let mut header = tar::Header::from_byte_slice(&bytes[..512]).clone();
    let old = header.as_old_mut();
    (old.uid, old.gid, old.mtime, old.size) = ([0; 8], [b' '; 8], [0; 12], [b' '; 12]);
    header.set_cksum();
    bytes[..512].copy_from_slice(header.as_bytes());
    assert!(is_archive(bytes.as_slice()));
    let (place, result) = unpack_beside(&bytes, false);
    result.expect("unpacked");
    let made = fs::metadata(place.path().join("root/d")).expect("the directory");
    assert_eq!((made.mtime(), made.mode() & 0o7777), (0, 0o644));
}

#[test]
fn archives_that_lie_about_sizes_are_refused() {
    let whole = archive(&[(T::Regular, b"a", b"", &[7; 5000])]);
    for length in [0, 100, 511, 700, 5000, 5511] {
        let (place, result) = unpack_beside(&whole[..length], false);
        // Nothing at all is an empty archive.
        assert_eq!(result.is_ok(), length == 0, "{length}: {result:?}");
        assert_outside_is_whole(&place, "cut off");
    }
    let mut huge = tar::Header::new_gnu();
    huge.set_path("a").expect("a name");
    huge.set_entry_type(T::Regular);
    huge.set_size(1 << 60);
    huge.set_mode(0o644);
    huge.set_uid(0);
    huge.set_gid(0);
    huge.set_mtime(0);
    huge.set_cksum();
    let (place, result) = unpack_beside(huge.as_bytes(), false);
    assert!(result.is_err());
    assert_outside_is_whole(&place, "2^60 bytes");
}

#[test]
fn a_name_that_no_system_takes_is_refused_and_shortened() {
    let mut tar = tar::Builder::new(vec![]);
    let (fits, too_long) = (("n".repeat(99) + "/").repeat(40) + "x", "a/".repeat(30_000) + "x");
    for (path, works) in [(fits, true), (too_long, false)] {
        tar.append_pax_extensions([("path", path.as_bytes())]).expect("a record");
        let bytes = [&tar.get_ref()[..], &archive(&[(T::Regular, b"x", b"", b"1")])].concat();
        let (_place, result) = unpack_beside(&bytes, true);
        assert_eq!(result.is_ok(), works);
        if let Err(error) = result {
            assert!(error.to_string().len() < 1_000, "{error}");
        }
    }
}

#[test]
fn endless_headers_do_not_fill_the_memory() {
    // A long name of 100 MiB, which compresses to nothing.
    for kind in [T::GNULongName, T::GNULongLink, T::XHeader] {
        let mut header = tar::Header::new_gnu();
        header.set_path("././@LongLink").expect("a name");
        header.set_entry_type(kind);
        header.set_size(100 << 20);
        header.set_mode(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        let stream = header.as_bytes().chain(io::repeat(b'a').take(100 << 20));
        let place = tempfile::tempdir().expect("a directory");
        let root = File::open(place.path()).expect("the root");
        let kind = Archive::Layer { below: &no_layers() };
        let error = unpack(stream, Root::new(&root, Owners::Real), kind).expect_err("refused");
        assert!(error.to_string().contains("4 MiB"), "{kind:?}: {error}");
    }
}

#[test]
fn ids_that_do_not_exist_are_refused() {
    let mut header = tar::Header::new_gnu();
    header.set_path("a").expect("a name");
    header.set_entry_type(T::Regular);
    header.set_size(0);
    header.set_mode(0o4777);
    header.set_uid(1 << 32);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    let (place, result) = unpack_beside(header.as_bytes(), false);
    assert!(result.is_err(), "uid 2^32 is not root");
    assert!(
        !place.path().join("root/a").exists()
            || fs::metadata(place.path().join("root/a")).expect("metadata").mode() & 0o4000 == 0
    );
}

/// A record of an extended header.
type Record<'a> = (&'a str, &'a [u8]);

/// An entry: kind, name, content or target, mode, owner and records.
type Written<'a> = (T, &'a str, &'a str, u32, (u32, u32), &'a [Record<'a>]);

fn written(items: &[Written<'_>]) -> Vec<u8> {
    let mut tar = tar::Builder::new(vec![]);
    for (kind, name, content, mode, (uid, gid), records) in items {
        tar.append_pax_extensions(records.iter().copied()).expect("records");
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_uid((*uid).into());
        header.set_gid((*gid).into());
        header.set_mtime(7);
        let is_link = matches!(kind, T::Symlink | T::Link);
        if is_link {
            header.set_link_name_literal(content).expect("a short target");
        }
        let content = if is_link { "" } else { content };
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, content.as_bytes()).expect("an entry");
    }
    tar.into_inner().expect("an archive")
}

/// Layers on each other, and what shows at a path then: the kind, mode, owner, time, content and attributes.
struct Stacked {
    place: tempfile::TempDir,
    layers: Vec<PathBuf>,
}

impl Stacked {
    fn new(layers: &[&[Written<'_>]]) -> Self {
        let mut stacked = Self { place: tempfile::tempdir().expect("a directory"), layers: vec![] };
        for (number, items) in layers.iter().enumerate() {
            let directory = stacked.place.path().join(number.to_string());
            fs::create_dir(&directory).expect("a directory");
            let root = File::open(&directory).expect("the root");
            let below = Layers::open(&stacked.layers, Owners::Real).expect("layers");
            unpack(&written(items)[..], Root::new(&root, Owners::Real), Archive::Layer { below: &below })
                .expect("unpacked");
            stacked.layers.insert(0, directory);
        }
        stacked
    }

    fn look(&self, path: &str) -> String {
        let layers = Layers::open(&self.layers, Owners::Real).expect("layers");
        let Some(found) = layers.find(Path::new(path)).expect("looked") else { return "nothing".to_owned() };
        let rustix::fs::Stat { st_mode, st_uid, st_gid, st_mtime, .. } = found.stat;
        let name = Path::new(path).file_name().expect("a name");
        let content = match FileType::from_raw_mode(st_mode) {
            FileType::RegularFile => {
                fs::read_to_string(descriptor_path(found.directory.as_fd(), name)).expect("content")
            }
            FileType::Symlink => fs::read_link(descriptor_path(found.directory.as_fd(), name))
                .expect("a link")
                .display()
                .to_string(),
            kind @ (FileType::Directory
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown) => format!("{kind:?}"),
        };
        let attributes = xattrs(found.directory.as_fd(), name).expect("attributes");
        let attributes: Vec<String> = attributes
            .iter()
            .map(|(name, value)| {
                format!(
                    " {}={}",
                    String::from_utf8_lossy(name),
                    String::from_utf8_lossy(value).escape_debug()
                )
            })
            .collect();
        format!("{content} {:o} {st_uid}:{st_gid} {st_mtime}{}", st_mode & 0o7777, attributes.concat())
    }

    fn assert(&self, case: &str, expected: &[(&str, &str)]) {
        for (path, expected) in expected {
            assert_eq!(self.look(path), *expected, "{case}: {path}");
        }
    }
}

const LOWER: &[Written<'_>] = &[
    (T::Directory, "tmp", "", 0o1777, (0, 0), &[]),
    (T::Directory, "srv", "", 0o750, (7, 8), &[("SCHILY.xattr.user.note", b"x\ny")]),
    (T::Directory, "srv/deep", "", 0o700, (9, 9), &[]),
    (T::Regular, "srv/deep/file", "low", 0o640, (5, 6), &[("SCHILY.xattr.user.note", b"of a file")]),
    (T::Symlink, "srv/link", "deep//./file", 0o777, (1, 2), &[]),
    (T::Directory, "gone", "", 0o755, (0, 0), &[]),
    (T::Regular, "gone/low", "low", 0o644, (0, 0), &[]),
    (T::Regular, "turned", "low", 0o644, (0, 0), &[]),
];

/// Directories that an upper layer does not name are what they were; hard links lead to files of lower layers.
#[test]
fn layers_take_from_those_below() {
    let upper: &[Written<'_>] = &[
        (T::Regular, "tmp/x", "new", 0o644, (0, 0), &[]),
        (T::Regular, "srv/deep/y", "new", 0o644, (0, 0), &[]),
        (T::Regular, "turned/z", "new", 0o644, (0, 0), &[]),
        (T::Regular, "quite/new", "new", 0o644, (0, 0), &[]),
        (T::Link, "hard", "srv/deep/file", 0, (0, 0), &[]),
        (T::Link, "soft", "/srv/link", 0, (0, 0), &[]),
    ];
    let stacked = Stacked::new(&[LOWER, upper]);
    let today = stacked.look("turned").rsplit(' ').next().expect("a time").to_owned();
    assert!(today.parse::<i64>().expect("seconds") > 1_000_000_000);
    stacked.assert(
        "parents and hard links",
        &[
            ("tmp", "Directory 1777 0:0 7"),
            ("tmp/x", "new 644 0:0 7"),
            ("srv", "Directory 750 7:8 7 user.note=x\\ny"),
            ("srv/deep", "Directory 700 9:9 7"),
            ("srv/deep/y", "new 644 0:0 7"),
            ("turned", &format!("Directory 755 0:0 {today}")),
            ("quite", &format!("Directory 755 0:0 {today}")),
            ("hard", "low 640 5:6 7 user.note=of a file"),
            ("srv/deep/file", "low 640 5:6 7 user.note=of a file"),
            ("soft", "deep//./file 777 1:2 7"),
        ],
    );
    let top = &stacked.layers[0];
    let inode = |name: &str| fs::symlink_metadata(top.join(name)).expect("in the layer").ino();
    assert_eq!((inode("hard"), inode("soft")), (inode("srv/deep/file"), inode("srv/link")));
    let bad: &[Written<'_>] = &[(T::Link, "hard", "srv/nothing", 0, (0, 0), &[])];
    let root = tempfile::tempdir().expect("a directory");
    let root = File::open(root.path()).expect("the root");
    let below = Layers::open(&stacked.layers, Owners::Real).expect("layers");
    for target in ["srv/nothing", "srv/deep", "nothing/at/all"] {
        let bad = [(bad[0].0, bad[0].1, target, bad[0].3, bad[0].4, bad[0].5)];
        let kind = Archive::Layer { below: &below };
        assert!(unpack(&written(&bad)[..], Root::new(&root, Owners::Real), kind).is_err(), "{target}");
    }
}

/// What is removed and made anew in one layer is new, in whichever order the archive has it.
#[test]
fn a_mark_and_a_name_in_one_layer() {
    let mark: Written<'_> = (T::Regular, ".wh.gone", "", 0, (0, 0), &[]);
    let directory: Written<'_> = (T::Directory, "gone", "", 0o711, (3, 3), &[]);
    let inside: Written<'_> = (T::Regular, "gone/new", "new", 0o600, (0, 0), &[]);
    let file: Written<'_> = (T::Regular, "gone", "a file", 0o600, (0, 0), &[]);
    let all: Written<'_> = (T::Regular, "gone/.wh..wh..opq", "", 0, (0, 0), &[]);
    let made = [("gone", "Directory 711 3:3 7"), ("gone/low", "nothing"), ("gone/new", "new 600 0:0 7")];
    for (case, upper, expected) in [
        ("the mark first", &[mark, directory, inside][..], &made[..]),
        ("the mark last", &[directory, inside, mark], &made),
        ("the mark between", &[directory, mark, inside], &made),
        ("all, first", &[all, directory, inside], &made),
        ("all, last", &[directory, inside, all], &made),
        ("a file between", &[directory, file, directory, inside], &made),
        ("no mark", &[directory, inside], &[("gone/low", "low 644 0:0 7"), ("gone/new", "new 600 0:0 7")]),
        (
            "a device for a mark",
            &[(T::Char, "gone", "", 0, (0, 0), &[])],
            &[("gone", "nothing"), ("gone/low", "nothing")],
        ),
        (
            "a mark of nothing",
            &[(T::Regular, "new/.wh.nothing", "", 0, (0, 0), &[])],
            &[("new/nothing", "nothing")],
        ),
        ("the mark alone", &[mark], &[("gone", "nothing"), ("gone/low", "nothing")]),
        ("only a name below", &[mark, inside], &[("gone/low", "nothing"), ("gone/new", "new 600 0:0 7")]),
        ("a name below, first", &[inside, mark], &[("gone/low", "nothing"), ("gone/new", "new 600 0:0 7")]),
        ("a file instead", &[mark, file], &[("gone", "a file 600 0:0 7"), ("gone/low", "nothing")]),
        ("a file, first", &[file, mark], &[("gone", "a file 600 0:0 7")]),
    ] {
        let stacked = Stacked::new(&[LOWER, upper]);
        stacked.assert(case, expected);
        // overlayfs lists it where nothing else has the directory.
        assert!(fs::symlink_metadata(stacked.layers[0].join("new/nothing")).is_err(), "{case}");
    }
}

/// The same sparse file in each of the forms that GNU tar writes: `start`, a hole, `end`.
#[test]
fn sparse_files_have_their_holes() {
    const SIZE: u64 = 3 << 30;
    let (name, size) = ("GNU.sparse.name", SIZE.to_string());
    let size = size.as_bytes();
    let end = (SIZE - 3).to_string();
    let map = format!("0,5,{end},3");
    let in_front = format!("{:\0<512}startend", format!("2\n0\n5\n{end}\n3\n"));
    let number = |text: &'static str| text.as_bytes();
    let forms: &[(&str, &str, Vec<Record<'_>>)] = &[
        (
            "0.0",
            "startend",
            vec![
                ("GNU.sparse.size", size),
                ("GNU.sparse.numblocks", number("2")),
                ("GNU.sparse.offset", number("0")),
                ("GNU.sparse.numbytes", number("5")),
                ("GNU.sparse.offset", end.as_bytes()),
                ("GNU.sparse.numbytes", number("3")),
            ],
        ),
        (
            "0.1",
            "startend",
            vec![(name, number("file")), ("GNU.sparse.size", size), ("GNU.sparse.map", map.as_bytes())],
        ),
        (
            "1.0",
            &in_front,
            vec![
                ("GNU.sparse.major", number("1")),
                ("GNU.sparse.minor", number("0")),
                (name, number("file")),
                ("GNU.sparse.realsize", size),
            ],
        ),
    ];
    for (form, content, records) in forms {
        let stored = if *form == "0.0" { "file" } else { "GNUSparseFile.1/file" };
        let bytes = written(&[(T::Regular, stored, content, 0o640, (0, 0), records)]);
        let (place, result) = unpack_beside(&bytes, false);
        result.expect(form);
        let path = place.path().join("root/file");
        let metadata = fs::metadata(&path).expect(form);
        assert_eq!((metadata.len(), metadata.mode() & 0o777), (SIZE, 0o640), "{form}");
        assert!(metadata.blocks() < 1_000, "{form}: holes are not written");
        let file = File::open(&path).expect(form);
        for (offset, expected) in [(0, b"start\0"), (SIZE - 6, b"\0\0\0end")] {
            use std::os::unix::fs::FileExt as _;
            let mut found = [1; 6];
            file.read_exact_at(&mut found, offset).expect(form);
            assert_eq!(&found, expected, "{form} at {offset}");
        }
        assert!(!place.path().join("root/GNUSparseFile.1").exists(), "{form}");
    }
}

#[test]
fn sparse_files_that_contradict_themselves_are_refused() {
    let header = "\n";
    for (case, content, records) in [
        ("a piece behind the end", "ab", vec![("GNU.sparse.size", "1"), ("GNU.sparse.map", "0,2")]),
        ("pieces over each other", "abcd", vec![("GNU.sparse.size", "9"), ("GNU.sparse.map", "0,2,1,2")]),
        (
            "a sum that overflows",
            "ab",
            vec![("GNU.sparse.size", "9"), ("GNU.sparse.map", "18446744073709551615,2")],
        ),
        ("less content", "a", vec![("GNU.sparse.size", "9"), ("GNU.sparse.map", "0,2")]),
        ("half a piece", "ab", vec![("GNU.sparse.size", "9"), ("GNU.sparse.map", "0,2,5")]),
        ("no number", "ab", vec![("GNU.sparse.size", "9"), ("GNU.sparse.map", "0,x")]),
        (
            "no map in front",
            header,
            vec![("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.realsize", "9")],
        ),
    ] {
        let records: Vec<(&str, &[u8])> =
            records.iter().map(|(key, value)| (*key, value.as_bytes())).collect();
        let bytes = written(&[(T::Regular, "file", content, 0o640, (0, 0), &records)]);
        assert!(unpack_beside(&bytes, false).1.is_err(), "{case}");
    }
    let endless = format!("{}\n", "9".repeat(600));
    let records: &[(&str, &[u8])] =
        &[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.realsize", b"9")];
    let bytes = written(&[(T::Regular, "file", &endless, 0o640, (0, 0), records)]);
    assert!(unpack_beside(&bytes, false).1.is_err(), "an endless number");
}
