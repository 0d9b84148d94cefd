//! Copies of small trees: every thread count gives the same one.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;
use crate::{Filter, set_time};

/// A tree with a file of each kind: empty, hard-linked and large ones, links, and directories nobody may write to.
fn source(root: &Path) {
    for directory in 0..12 {
        let path = root.join(format!("d{directory}/sub"));
        fs::create_dir_all(&path).expect("a directory");
        for file in 0..5 {
            fs::write(path.join(format!("f{file}")), format!("{directory} {file}\n").repeat(file))
                .expect("a file");
        }
        fs::hard_link(path.join("f1"), root.join(format!("d{directory}/hard"))).expect("a link");
        symlink("sub/f2", root.join(format!("d{directory}/soft"))).expect("a link");
    }
    fs::write(root.join("large"), vec![7_u8; 300_000]).expect("a file");
    fs::hard_link(root.join("large"), root.join("d3/large")).expect("a link");
    fs::create_dir(root.join("empty")).expect("a directory");
    for (path, mode) in [("d1/sub", 0o555), ("d2", 0o750), ("d4/sub/f3", 0o640), ("large", 0o4755)] {
        fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).expect("a mode");
    }
    for path in ["d1/sub", "d2", "empty", "large"] {
        set_time(File::open(root).expect("the root").as_fd(), OsStr::new(path), 1_000_000_007)
            .expect("a time");
    }
}

/// Every path with what counts of it.
fn look(root: &Path) -> Vec<String> {
    let directory = File::open(root).expect("a directory");
    let mut out = vec![];
    let everything = |_: &Path, _: bool| Visibility::Show;
    super::super::walk(
        Owners::Real,
        directory.as_fd(),
        OsStr::new("."),
        &everything,
        &mut |entry: &Entry<'_>| {
            let stat = &entry.stat;
            let content = match entry.kind() {
                EntryKind::File => {
                    fs::read(root.join(entry.path)).expect("content").iter().map(|b| u64::from(*b)).sum()
                }
                EntryKind::Directory | EntryKind::Symlink | EntryKind::Special => 0,
            };
            let links = if entry.kind() == EntryKind::File { stat.st_nlink } else { 0 };
            let time = if entry.kind() == EntryKind::Symlink { 0 } else { mtime(stat) };
            if !entry.path.as_os_str().is_empty() {
                out.push(format!("{} {:o} {links} {content} {time}", entry.path.display(), stat.st_mode));
            }
            Ok::<(), RootError>(())
        },
    )
    .expect("walked");
    out
}

fn options(threads: usize) -> CopyOptions {
    CopyOptions { owner: None, mode: None, time: None, contents_only: true, replace: false, threads }
}

fn copy_tree(
    from: &Path,
    select: Select<'_>,
    to: &Path,
    path: &str,
    options: &CopyOptions,
) -> Result<(), RootError> {
    let tree = Tree::context(File::open(from).expect("the source").into(), None);
    fs::create_dir_all(to).expect("a directory");
    let target = File::open(to).expect("the target");
    for found in tree.matches("/", false, true).expect("the root").found {
        copy(&tree, &found, select, Root::new(&target, Owners::Real), path, options)?;
    }
    Ok(())
}

#[test]
fn any_number_of_threads_gives_the_same_tree() {
    let place = tempfile::tempdir().expect("a directory");
    let from = place.path().join("from");
    fs::create_dir(&from).expect("a directory");
    source(&from);
    for threads in [1, 2, 7] {
        let to = place.path().join(format!("to{threads}"));
        copy_tree(&from, &|_, _| Visibility::Show, &to, "/", &options(threads)).expect("copied");
        assert_eq!(look(&to), look(&from), "{threads} threads");
        let inode = |path: &str| fs::metadata(to.join(path)).expect("metadata").ino();
        assert_eq!(inode("large"), inode("d3/large"));
    }
}

#[derive(Debug)]
struct Only(&'static [&'static str]);

impl Filter for Only {
    fn look(&self, path: &Path, is_directory: bool) -> Visibility {
        match self.0.iter().any(|shown| path == Path::new(shown)) {
            true => Visibility::Show,
            false if is_directory => Visibility::Enter,
            false => Visibility::Hide,
        }
    }
}

#[test]
fn directories_are_made_for_what_is_in_them() {
    let place = tempfile::tempdir().expect("a directory");
    let from = place.path().join("from");
    fs::create_dir(&from).expect("a directory");
    source(&from);
    let cases: &[(&'static [&'static str], &[&str])] = &[
        (&["d1/sub/f2"], &["d1", "d1/sub", "d1/sub/f2"]),
        (&["empty"], &["empty"]),
        (&["d2/sub"], &["d2", "d2/sub"]),
        (&[], &[]),
    ];
    for (number, (shown, expected)) in cases.iter().enumerate() {
        let to = place.path().join(format!("to{number}"));
        let filter = Only(shown);
        copy_tree(&from, &|path, is| filter.look(path, is), &to, "/", &options(2)).expect("copied");
        let paths: Vec<String> =
            look(&to).iter().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect();
        assert_eq!(paths, *expected, "{shown:?}");
    }
    let mode = |path: &str| fs::metadata(place.path().join(path)).expect("metadata").mode() & 0o7777;
    assert_eq!((mode("to0/d1/sub"), mode("to2/d2")), (0o555, 0o750), "entered directories have their modes");
}

#[test]
fn what_is_in_the_way() {
    // (what there is, whether all is replaced, whether the copy works)
    let cases: &[(&str, bool, bool)] = &[
        ("file", false, true),
        ("link", false, true),
        ("directory", false, false),
        ("directory", true, true),
    ];
    for (kind, replace, works) in cases {
        let place = tempfile::tempdir().expect("a directory");
        let (from, to) = (place.path().join("from"), place.path().join("to"));
        fs::create_dir_all(&from).expect("a directory");
        fs::create_dir_all(&to).expect("a directory");
        fs::write(from.join("name"), "new").expect("a file");
        fs::write(place.path().join("outside"), "kept").expect("a file");
        match *kind {
            "file" => fs::write(to.join("name"), "old").expect("a file"),
            "link" => symlink("../outside", to.join("name")).expect("a link"),
            _ => fs::create_dir_all(to.join("name/deep")).expect("a directory"),
        }
        let options = CopyOptions { replace: *replace, ..options(1) };
        let copied = copy_tree(&from, &|_, _| Visibility::Show, &to, "/", &options);
        assert_eq!(copied.is_ok(), *works, "{kind} {replace}: {copied:?}");
        if *works {
            assert_eq!(fs::read_to_string(to.join("name")).expect("the file"), "new", "{kind}");
        }
        assert_eq!(fs::read_to_string(place.path().join("outside")).expect("the file"), "kept", "{kind}");
    }
}

#[test]
fn an_existing_top_keeps_its_metadata_and_directories_below_do_not() {
    let place = tempfile::tempdir().expect("a directory");
    let (from, to) = (place.path().join("from"), place.path().join("to"));
    for (root, mode) in [(&from, 0o700), (&to, 0o755)] {
        fs::create_dir_all(root.join("top/sub")).expect("a directory");
        for path in ["top", "top/sub"] {
            fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).expect("a mode");
        }
    }
    copy_tree(&from.join("top"), &|_, _| Visibility::Show, &to, "/top", &options(2)).expect("copied");
    let mode = |path: &str| fs::metadata(to.join(path)).expect("metadata").mode() & 0o7777;
    assert_eq!((mode("top"), mode("top/sub")), (0o755, 0o700));
}

#[test]
fn the_root_of_a_tree_is_merged_into_a_directory() {
    let place = tempfile::tempdir().expect("a directory");
    let (from, to) = (place.path().join("from"), place.path().join("to"));
    fs::create_dir_all(from.join("sub")).expect("a directory");
    fs::write(from.join("sub/file"), "x").expect("a file");
    for contents_only in [true, false] {
        let options = CopyOptions { contents_only, ..options(1) };
        let name = format!("/into{contents_only}/");
        copy_tree(&from, &|_, _| Visibility::Show, &to, &name, &options).expect("copied");
        assert!(to.join(format!("into{contents_only}/sub/file")).is_file(), "{contents_only}");
    }
}

#[test]
fn modes_are_changed_as_asked() {
    let place = tempfile::tempdir().expect("a directory");
    let from = place.path().join("from");
    fs::create_dir_all(from.join("dir")).expect("a directory");
    fs::write(from.join("file"), "").expect("a file");
    fs::set_permissions(from.join("file"), fs::Permissions::from_mode(0o640)).expect("a mode");
    for (mode, file, dir) in [("600", 0o600, 0o600), ("u+x,g-r", 0o700, 0o715), ("go=u-w,+X", 0o644, 0o755)] {
        let to = place.path().join(mode);
        fs::set_permissions(from.join("dir"), fs::Permissions::from_mode(0o755)).expect("a mode");
        let options = CopyOptions { mode: Some(mode.parse().expect(mode)), ..options(1) };
        copy_tree(&from, &|_, _| Visibility::Show, &to, "/", &options).expect("copied");
        let found = |path: &str| fs::metadata(to.join(path)).expect("metadata").mode() & 0o7777;
        assert_eq!((found("file"), found("dir")), (file, dir), "{mode}");
    }
}

#[test]
fn directories_above_have_permissions_alone_and_inherit_the_group_bit() {
    let place = tempfile::tempdir().expect("a directory");
    let (from, to) = (place.path().join("from"), place.path().join("to"));
    fs::create_dir_all(&from).expect("a directory");
    fs::write(from.join("file"), "").expect("a file");
    fs::create_dir_all(to.join("group")).expect("a directory");
    fs::set_permissions(to.join("group"), fs::Permissions::from_mode(0o2750)).expect("a mode");
    let cases =
        [(None, "/plain/x/", 0o755), (Some("4711"), "/special/x/", 0o711), (None, "/group/x/", 0o2755)];
    for (mode, destination, expected) in cases {
        let mode = mode.map(|mode: &str| mode.parse().expect("a mode"));
        let tree = Tree::context(File::open(&from).expect("the source").into(), None);
        let target = File::open(&to).expect("the target");
        for found in tree.matches("/file", false, true).expect("the file").found {
            let root = Root::new(&target, Owners::Real);
            let options = CopyOptions { mode: mode.clone(), ..options(1) };
            copy(&tree, &found, &|_, _| Visibility::Show, root, destination, &options).expect("copied");
        }
        let made = fs::metadata(to.join(destination.trim_matches('/'))).expect("a directory");
        assert_eq!(made.mode() & 0o7777, expected, "{destination}");
    }
}

/// A mount that nobody has attached is held as a mere path, of which little but its names can be opened.
#[test]
fn a_new_name_in_the_root_of_a_mount() {
    let place = tempfile::tempdir().expect("a directory");
    let (from, to) = (place.path().join("from"), place.path().join("to"));
    fs::create_dir_all(from.join("sub")).expect("a directory");
    fs::create_dir(&to).expect("a directory");
    fs::write(from.join("sub/file"), "new").expect("a file");
    let tree = Tree::context(File::open(&from).expect("the source").into(), None);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(&to, flags, Mode::empty()).expect("the root");
    let upper = || File::open(&to).expect("the root").into();
    let options = CopyOptions { contents_only: false, ..options(1) };
    for (source, destination) in [("/", "/x"), ("/sub", "/y"), ("/sub", "/new/z")] {
        let found = tree.matches(source, false, true).expect("looked").found;
        let source = found.first().expect("a source");
        let target = Target::prepare(source, Root::new(&root, Owners::Real), destination, &options)
            .and_then(|target| target.in_layer(upper(), || Ok::<_, RootError>(upper())))
            .expect(destination);
        copy_to(&tree, source, &|_, _| Visibility::Show, target, &options, None).expect(destination);
    }
    for path in ["x/sub/file", "y/file", "new/z/file"] {
        assert_eq!(fs::read_to_string(to.join(path)).expect(path), "new", "{path}");
    }
}
