//! Roots made of layers.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, openat2, statat, unlinkat};
use xx_build_sandbox::SandboxError;
use xx_build_sandbox::overlay::{MAX_LAYERS, Writable, by_string, mount_detached, seal};

use crate::harness::{Case, Inside, Needs};

pub(crate) const CASES: &[Case] = &[
    Case { name: "layers_stack", needs: Needs::Nothing, run: layers_stack },
    Case { name: "layers_200_and_500", needs: Needs::Nothing, run: layers_200_and_500 },
    Case { name: "layers_too_many", needs: Needs::Nothing, run: layers_too_many },
    Case { name: "layer_single", needs: Needs::Nothing, run: layer_single },
    Case { name: "layer_upper_alone", needs: Needs::Nothing, run: layer_upper_alone },
    Case { name: "layer_sealed", needs: Needs::Nothing, run: layer_sealed },
    Case { name: "layer_long_and_odd_names", needs: Needs::Nothing, run: layer_long_and_odd_names },
    Case { name: "layers_by_string", needs: Needs::Nothing, run: layers_by_string },
    Case { name: "layer_missing", needs: Needs::Nothing, run: layer_missing },
];

fn folder(inside: &Inside, name: &str) -> PathBuf {
    let path = inside.scratch.join(name);
    fs::create_dir_all(&path).unwrap();
    path
}

/// Layers bottom first, each with a file of its own and one that all have.
fn layers(inside: &Inside, count: usize) -> Vec<PathBuf> {
    let make = |number| {
        let path = folder(inside, &format!("l{number}"));
        fs::write(path.join("same"), format!("{number}")).unwrap();
        fs::write(path.join(format!("only{number}")), "").unwrap();
        path
    };
    (0..count).map(make).rev().collect()
}

fn open(root: &OwnedFd, path: &str, flags: OFlags) -> rustix::io::Result<File> {
    let mode = if flags.contains(OFlags::CREATE) { Mode::from_raw_mode(0o644) } else { Mode::empty() };
    openat2(root, path, flags, mode, ResolveFlags::IN_ROOT).map(File::from)
}

fn read(root: &OwnedFd, path: &str) -> String {
    let mut text = String::new();
    open(root, path, OFlags::RDONLY).unwrap().read_to_string(&mut text).unwrap();
    text
}

fn layers_stack(inside: &Inside) {
    let lower = layers(inside, 3);
    let (upper, work) = (folder(inside, "upper"), folder(inside, "work"));
    let root = mount_detached(&lower, Some(Writable { upper: &upper, work: &work })).unwrap();
    assert_eq!(read(&root, "same"), "2");
    assert_eq!(read(&root, "/only0"), "");
    open(&root, "new", OFlags::WRONLY | OFlags::CREATE).unwrap().write_all(b"x").unwrap();
    unlinkat(&root, "only1", AtFlags::empty()).unwrap();
    assert_eq!(fs::read_to_string(upper.join("new")).unwrap(), "x");
    let whiteout = statat(rustix::fs::CWD, upper.join("only1"), AtFlags::SYMLINK_NOFOLLOW).unwrap();
    assert_eq!((FileType::from_raw_mode(whiteout.st_mode), whiteout.st_rdev), (FileType::CharacterDevice, 0));
    drop(root);
    let mut again = vec![upper];
    again.extend(lower);
    let root = mount_detached(&again, None).unwrap();
    assert_eq!(read(&root, "new"), "x");
    assert_eq!(open(&root, "only1", OFlags::RDONLY).unwrap_err(), rustix::io::Errno::NOENT);
    assert_eq!(
        open(&root, "more", OFlags::WRONLY | OFlags::CREATE).unwrap_err(),
        rustix::io::Errno::ROFS,
        "no writable layer, no writing"
    );
}

fn layers_200_and_500(inside: &Inside) {
    let lower = layers(inside, MAX_LAYERS);
    let (upper, work) = (folder(inside, "upper"), folder(inside, "work"));
    for count in [200, MAX_LAYERS] {
        let root = mount_detached(&lower[..count], None).unwrap();
        assert_eq!(read(&root, "same"), "499");
        assert_eq!(read(&root, &format!("only{}", MAX_LAYERS - count)), "", "the lowest layer is seen");
    }
    let root = mount_detached(&lower, Some(Writable { upper: &upper, work: &work })).unwrap();
    open(&root, "only0", OFlags::WRONLY).unwrap().write_all(b"up").unwrap();
    assert_eq!(fs::read_to_string(upper.join("only0")).unwrap(), "up");
}

/// What kernels before 6.7 get; they are not at hand, so it is called by name.
fn layers_by_string(inside: &Inside) {
    let lower = layers(inside, by_string::MAX_LAYERS);
    let (upper, work) = (folder(inside, "upper"), folder(inside, "work"));
    let root = by_string::mount_detached(&lower, Some(Writable { upper: &upper, work: &work })).unwrap();
    assert_eq!(read(&root, "same"), "179");
    open(&root, "only0", OFlags::WRONLY).unwrap().write_all(b"up").unwrap();
    assert_eq!(fs::read_to_string(upper.join("only0")).unwrap(), "up");
    let readonly = by_string::mount_detached(&lower[..2], None).unwrap();
    assert_eq!(read(&readonly, "only178"), "");
    assert_eq!(open(&readonly, "x", OFlags::WRONLY | OFlags::CREATE).unwrap_err(), rustix::io::Errno::ROFS);
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!table.contains("lowerdir="), "{table}");
    let many = layers(inside, by_string::MAX_LAYERS + 1);
    assert!(matches!(by_string::mount_detached(&many, None), Err(SandboxError::TooManyLayers { .. })));
}

fn layers_too_many(inside: &Inside) {
    let error = mount_detached(&layers(inside, MAX_LAYERS + 1), None).unwrap_err();
    assert!(matches!(error, SandboxError::TooManyLayers { count: 501, max: 500 }), "{error}");
    assert!(error.hint().is_some());
}

fn layer_single(inside: &Inside) {
    let root = mount_detached(&layers(inside, 1), None).unwrap();
    assert_eq!(read(&root, "same"), "0");
    assert_eq!(open(&root, "more", OFlags::WRONLY | OFlags::CREATE).unwrap_err(), rustix::io::Errno::ROFS);
}

fn layer_upper_alone(inside: &Inside) {
    let (upper, work, empty) = (folder(inside, "upper"), folder(inside, "work"), folder(inside, "empty"));
    let root = mount_detached(&[empty], Some(Writable { upper: &upper, work: &work })).unwrap();
    open(&root, "new", OFlags::WRONLY | OFlags::CREATE).unwrap();
    assert!(upper.join("new").exists());
    assert!(mount_detached(&[], None).is_err(), "nothing at all is no root");
    assert!(mount_detached(&[], Some(Writable { upper: &upper, work: &work })).is_err());
}

/// Whatever somebody has of a root, nothing of it is written once it is sealed; a file that is open for writing, or is
/// only held open now, is said to be in the way.
fn layer_sealed(inside: &Inside) {
    let lower = layers(inside, 2);
    for (number, held) in ["", "same", "new", "gone"].into_iter().enumerate() {
        let (upper, work) =
            (folder(inside, &format!("upper{number}")), folder(inside, &format!("work{number}")));
        let root = mount_detached(&lower, Some(Writable { upper: &upper, work: &work })).unwrap();
        let known = open(&root, ".", OFlags::RDONLY | OFlags::DIRECTORY).unwrap();
        // What a step does with its files: replaces, removes, links, and closes them.
        for name in ["same", "only0", "new", "gone"] {
            open(&root, name, OFlags::RDWR | OFlags::CREATE).unwrap().write_all(b"x").unwrap();
        }
        rustix::fs::linkat(&root, "new", &root, "linked", AtFlags::empty()).unwrap();
        rustix::fs::renameat(&root, "linked", &root, "only1").unwrap();
        unlinkat(&root, "only0", AtFlags::empty()).unwrap();
        let open_one = (!held.is_empty()).then(|| open(&root, held, OFlags::RDWR).unwrap());
        unlinkat(&root, "gone", AtFlags::empty()).unwrap();
        let sealed = seal(root.as_fd(), &upper);
        if let Some(mut file) = open_one {
            let error = sealed.unwrap_err();
            assert!(error.to_string().contains("still open"), "{held}: {error}");
            assert!(error.hint().is_some_and(|hint| hint.contains("socket")));
            file.write_all(b"y").unwrap();
            drop(file);
            seal(root.as_fd(), &upper).unwrap();
        } else {
            sealed.unwrap();
        }
        let refused = Err(rustix::io::Errno::ROFS);
        assert_eq!(open(&root, "more", OFlags::WRONLY | OFlags::CREATE).map(drop), refused);
        assert_eq!(rustix::fs::mkdirat(&known, "more", Mode::empty()), refused);
        assert_eq!(unlinkat(&known, "same", AtFlags::empty()), refused);
        assert_eq!(rustix::fs::fchmod(&known, Mode::empty()), refused);
        assert_eq!(read(&root, "new"), if held == "new" { "y" } else { "x" });
        // The layer itself is only a directory again.
        drop((root, known));
        fs::write(upper.join("more"), "").unwrap();
    }
    let single = mount_detached(&lower[..1], None).unwrap();
    assert!(
        seal(single.as_fd(), &lower[0]).is_err(),
        "not an overlay: that would be the file system of the machine"
    );
}

fn layer_long_and_odd_names(inside: &Inside) {
    let names =
        ["d".repeat(200), "e".repeat(200), "a:b,c".to_owned(), "back\\slash".to_owned(), "ü \n".to_owned()];
    let lower: Vec<_> = names
        .iter()
        .map(|name| {
            let path = folder(inside, &format!("{}/{name}", names[0]));
            fs::write(path.join(name), name).unwrap();
            path
        })
        .collect();
    let (upper, work) = (folder(inside, "up:per\\"), folder(inside, "wo,rk"));
    let root = mount_detached(&lower, Some(Writable { upper: &upper, work: &work })).unwrap();
    for name in &names {
        assert_eq!(&read(&root, name), name);
    }
}

fn layer_missing(inside: &Inside) {
    let (there, gone) = (folder(inside, "there"), inside.scratch.join("gone"));
    for lower in [vec![gone.clone()], vec![there, gone.clone()]] {
        let error = mount_detached(&lower, None).unwrap_err().to_string();
        assert!(error.contains(gone.to_str().unwrap()), "{error}");
    }
}
