//! Removing what resists: it is a row if a plain removal gave up on it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;

use super::*;

type Case = (&'static str, fn(&Path));

const CASES: &[Case] = &[
    ("nothing", |_| {}),
    ("a file", |at| fs::write(at, "x").expect("a file")),
    ("a link to a directory", |at| symlink("/etc", at).expect("a link")),
    ("an empty directory", |at| fs::create_dir(at).expect("a directory")),
    ("a link in a directory", |at| {
        fs::create_dir(at).expect("a directory");
        symlink("..", at.join("up")).expect("a link");
        fs::write(at.join("file"), "x").expect("a file");
    }),
    ("directories without rights", |at| {
        fs::create_dir_all(at.join("a/b/c")).expect("directories");
        fs::write(at.join("a/b/c/f"), "x").expect("a file");
        for name in ["a/b/c", "a/b", "a"] {
            fs::set_permissions(at.join(name), fs::Permissions::from_mode(0o000)).expect("a mode");
        }
    }),
    ("many directories that hold something", |at| {
        for number in 0..500 {
            let directory = at.join(number.to_string());
            fs::create_dir_all(&directory).expect("a directory");
            fs::write(directory.join("f"), "x").expect("a file");
        }
    }),
];

#[test]
fn whole_trees_go() {
    for (name, make) in CASES {
        let place = tempfile::tempdir().expect("a directory");
        let mode = fs::metadata(place.path()).expect("metadata").mode();
        make(&place.path().join("tree"));
        remove_tree(&place.path().join("tree")).expect(name);
        assert_eq!(fs::read_dir(place.path()).expect("listed").count(), 0, "{name}");
        assert_eq!(fs::metadata(place.path()).expect("metadata").mode(), mode, "{name}");
    }
    remove_tree(&PathBuf::from("/nonexistent/tree")).expect("it is not there");
    assert!(remove_tree(Path::new("/")).is_err());
}

#[test]
fn a_tree_that_somebody_writes_to_goes_when_they_stop() {
    let place = tempfile::tempdir().expect("a directory");
    let tree = place.path().join("tree");
    fs::create_dir(&tree).expect("a directory");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..300 {
                let _removed = fs::create_dir_all(tree.join(format!("{number}/a/b")));
                let _removed = fs::write(tree.join(format!("{number}/a/f")), "x");
            }
        });
        // May give up while they are at it, but never hangs.
        let _answer = remove_tree(&tree);
    });
    remove_tree(&tree).expect("removed");
    assert!(!tree.exists());
}
