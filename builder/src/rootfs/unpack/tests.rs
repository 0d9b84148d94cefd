//! Archives as an attacker writes them: nothing outside the root is touched, and no error is a panic.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use super::*;
use crate::rootfs::Owners;

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

/// Unpacks into a directory beside one that must stay as it is.
fn unpack_beside(bytes: &[u8], whiteouts: bool) -> (tempfile::TempDir, Result<(), RootError>) {
    let place = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(place.path().join("root/existing")).expect("a directory");
    fs::create_dir(place.path().join("outside")).expect("a directory");
    fs::write(place.path().join("outside/file"), "kept").expect("a file");
    symlink(place.path().join("outside"), place.path().join("root/way-out")).expect("a link");
    let root = File::open(place.path().join("root")).expect("the root");
    let options = UnpackOptions { whiteouts, owner: None };
    let result = unpack(bytes, Root::new(&root, Owners::Real), &options);
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
    ("a link with content", &[(T::Symlink, b"a", b"b", b"not read"), (T::Regular, b"c", b"", b"x")], true),
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
        let options = UnpackOptions { whiteouts: true, owner: None };
        let error = unpack(stream, Root::new(&root, Owners::Real), &options).expect_err("refused");
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
