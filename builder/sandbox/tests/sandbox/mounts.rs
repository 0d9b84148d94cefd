//! What is mounted into a step, and everything that would lead a mount astray: links, names that are exchanged, taken stubs.

use std::fs;
use std::path::{Path, PathBuf};

use xx_build_sandbox::{BindSource, Mount, MountKind, Step};

use crate::harness::{Case, Inside, debian_case as case};
use crate::run::{bind, outcome, output, over, root, sh};

pub(crate) const CASES: &[Case] = &[
    case("run_bind_mounts", bind_mounts),
    case("run_secret_and_tmpfs", secret_and_tmpfs),
    case("run_mount_target_through_link", mount_target_through_link),
    case("run_bind_source_through_link", bind_source_through_link),
    case("run_leaves_no_stub", leaves_no_stub),
    case("run_keeps_taken_stub", keeps_taken_stub),
    case("run_stub_exchanged_for_a_link", exchanged_stub),
    case("run_links_to_kernel_files", links_to_kernel_files),
    case("run_links_for_dev_and_proc", links_for_dev_and_proc),
    case("run_swapped_while_mounting", swapped_while_mounting),
    case("run_readonly_root", readonly_root),
];

fn bind_mounts(inside: &Inside) {
    let source = inside.scratch.join("source");
    fs::create_dir_all(source.join("sub")).unwrap();
    fs::write(source.join("sub/file"), "content\n").unwrap();
    let (other, _) = root(inside, "other");
    let (root, upper) = root(inside, "r");
    let mut step = sh(
        root,
        "cat /in/sub/file /one/file /f; echo x > /in/sub/new; (echo x > /one/new) 2>/dev/null || echo ro; ls /layer/etc/hostname",
    );
    step.mounts = vec![
        bind("/in", &source, "", false),
        bind("/one", &source, "/sub", true),
        bind("/f", &source, "sub/file", true),
        Mount {
            target: "/layer".into(),
            kind: MountKind::Bind { source: BindSource::Fd(other), subpath: "/".into(), readonly: true },
        },
    ];
    assert_eq!(output(&step), "content\ncontent\ncontent\nro\n/layer/etc/hostname\n");
    assert!(source.join("sub/new").exists(), "writing reaches the source");
    for name in ["in", "one", "f", "layer"] {
        assert!(!upper.join(name).exists(), "{name} is only a mount");
    }
}

fn secret_and_tmpfs(inside: &Inside) {
    let (root, upper) = root(inside, "r");
    let mut step = sh(
        root,
        "cat /run/secrets/key; stat -c '%a %u %g' /run/secrets/key; echo x > /run/secrets/key; df -k --output=size /t | tail -1 | tr -d ' '; echo x > /t/x",
    );
    let contents = b"s3cret\n".to_vec();
    step.mounts = vec![
        Mount {
            target: "/run/secrets/key".into(),
            kind: MountKind::File { contents, mode: 0o400, uid: 5, gid: 6 },
        },
        Mount { target: "/t".into(), kind: MountKind::Tmpfs { size: Some(1 << 20) } },
    ];
    let text = output(&step);
    assert!(
        text.contains("s3cret\n400 5 6\n") && text.contains("Read-only") && text.contains("1024\n"),
        "{text}"
    );
    assert!(!upper.join("run/secrets").exists() && !upper.join("t").exists());
}

pub(crate) fn mount_target_through_link(inside: &Inside) {
    let outside = inside.scratch.join("outside");
    fs::create_dir_all(&outside).unwrap();
    let (root, upper) = root(inside, "r");
    let up = "../".repeat(30);
    std::os::unix::fs::symlink(&outside, upper.join("absolute")).unwrap();
    std::os::unix::fs::symlink(format!("{up}{}", outside.display()), upper.join("relative")).unwrap();
    std::os::unix::fs::symlink("/made/by/link", upper.join("dangling")).unwrap();
    std::os::unix::fs::symlink("loop", upper.join("loop")).unwrap();
    drop(root);
    let (root, _) = over(inside, "s", &[upper, inside.debian.clone()]);
    let mut step = sh(root, "ls /absolute /relative /dangling /made/by/link");
    step.mounts = ["/absolute/x", "/relative/y", "/dangling/z"]
        .map(|target| Mount { target: target.into(), kind: MountKind::Tmpfs { size: None } })
        .into();
    let text = output(&step);
    assert!(text.contains("x\ny\n") && text.contains("z\n"), "the links lead somewhere inside: {text}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "and not outside");
    let (root, _) = over(inside, "l", &[inside.scratch.join("r.upper"), inside.debian.clone()]);
    let mut step = sh(root, ":");
    step.mounts = vec![Mount { target: "/loop/x".into(), kind: MountKind::Tmpfs { size: None } }];
    assert!(outcome(&step).unwrap_err().to_string().contains("/loop/x"));
}

fn bind_source_through_link(inside: &Inside) {
    let source = inside.scratch.join("source");
    fs::create_dir_all(source.join("etc")).unwrap();
    fs::write(source.join("etc/passwd"), "mine\n").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", source.join("absolute")).unwrap();
    std::os::unix::fs::symlink("../../../../../../../../etc/passwd", source.join("relative")).unwrap();
    std::os::unix::fs::symlink("/proc/self/root", source.join("magic")).unwrap();
    for (number, subpath) in ["absolute", "relative", "/../../etc/passwd"].into_iter().enumerate() {
        let (root, _) = root(inside, &format!("r{number}"));
        let mut step = sh(root, "cat /in");
        step.mounts = vec![bind("/in", &source, subpath, true)];
        assert_eq!(output(&step), "mine\n", "{subpath}");
    }
    let (root, _) = root(inside, "magic");
    let mut step = sh(root, "ls /in");
    step.mounts = vec![bind("/in", &source, "magic", true)];
    let error = outcome(&step).unwrap_err().to_string();
    assert!(error.contains("mount the source `magic`"), "{error}");
}

pub(crate) fn leaves_no_stub(inside: &Inside) {
    let bare = inside.scratch.join("bare");
    for name in ["dev", "proc", "sys", "etc"] {
        fs::create_dir_all(bare.join(name)).unwrap();
    }
    let before = fs::metadata(bare.join("etc")).unwrap().modified().unwrap();
    let (root, upper) = over(inside, "r", &[bare]);
    let mut step = Step::new(root, vec!["/usr/bin/true".into()]);
    step.mounts = vec![
        bind("/usr", &inside.debian.join("usr"), "", true),
        bind("/lib", &inside.debian.join("usr/lib"), "", true),
        bind("/lib64", &inside.debian.join("usr/lib64"), "", true),
        Mount { target: "/a/b/c".into(), kind: MountKind::Tmpfs { size: None } },
    ];
    assert_eq!(output(&step), "");
    let left = left(&upper);
    assert!(left.is_empty() || left == ["etc"], "{left:?}");
    if let Ok(etc) = fs::metadata(upper.join("etc")) {
        assert_eq!(fs::read_dir(upper.join("etc")).unwrap().count(), 0);
        assert_eq!(etc.modified().unwrap(), before, "its time of change is the old one");
    }
}

fn keeps_taken_stub(inside: &Inside) {
    let (root, upper) = root(inside, "r");
    let mut step = sh(root, "mkdir -p /new/other; ls /new");
    step.mounts = vec![Mount { target: "/new/mount".into(), kind: MountKind::Tmpfs { size: None } }];
    assert_eq!(output(&step), "mount\nother\n");
    assert!(upper.join("new/other").exists() && !upper.join("new/mount").exists());
}

/// The step puts a link where the sandbox has made a directory: what is tidied up afterwards is not what it leads to.
fn exchanged_stub(inside: &Inside) {
    let outside = inside.scratch.join("outside");
    fs::create_dir_all(outside.join("mount")).unwrap();
    let (root, upper) = root(inside, "r");
    let up = "../".repeat(30);
    let script = format!("mv /new /moved && ln -s {up}{} /new && ls -d /new", outside.display());
    let mut step = sh(root, &script);
    step.mounts = vec![Mount { target: "/new/mount".into(), kind: MountKind::Tmpfs { size: None } }];
    assert_eq!(output(&step), "/new\n");
    assert_eq!(left(&outside), ["mount"], "it is still there");
    assert!(upper.join("new").is_symlink());
}

/// Links of the root that lead mounts and masks to the kernel's own file systems.
fn links_to_kernel_files(inside: &Inside) {
    let layer = inside.scratch.join("links");
    fs::create_dir_all(layer.join("dev")).unwrap();
    for (name, to) in [("x", "/proc"), ("y", "/proc/self"), ("dev/null", "/etc/passwd"), ("dev/shm", "/proc")]
    {
        std::os::unix::fs::symlink(to, layer.join(name)).unwrap();
    }
    let (root, _) = over(inside, "r", &[layer, inside.debian.clone()]);
    let script = "stat -f -c %T /proc /proc/self/ /dev/shm; wc -c < /dev/null; cat /proc/keys /proc/timer_list 2>/dev/null | wc -c; \
                  sed -n 's/^CapEff:\\t//p' /proc/self/status";
    let mut step = sh(root, script);
    step.mounts = ["/x", "/x/1", "/y"]
        .map(|target| Mount { target: target.into(), kind: MountKind::Tmpfs { size: None } })
        .into();
    assert_eq!(output(&step), "proc\nproc\ntmpfs\n0\n0\n00000000a80405fb\n");
}

fn links_for_dev_and_proc(inside: &Inside) {
    let outside = inside.scratch.join("outside");
    fs::create_dir_all(&outside).unwrap();
    let up = PathBuf::from("../".repeat(30)).join(outside.strip_prefix("/").unwrap());
    // Out of the root, to nothing, and to a directory of the root that is there.
    let places = [outside.clone(), up, PathBuf::from("/none"), PathBuf::from("/etc")];
    for (number, place) in places.iter().enumerate() {
        for name in ["dev", "proc", "sys"] {
            let layer = inside.scratch.join(format!("{name}{number}"));
            fs::create_dir_all(&layer).unwrap();
            std::os::unix::fs::symlink(place, layer.join(name)).unwrap();
            let (root, _) = over(inside, &format!("{name}{number}-r"), &[layer, inside.debian.clone()]);
            let error = outcome(&sh(root, ":")).unwrap_err().to_string();
            assert!(error.contains(&format!("/{name}`: it is no directory")), "{}: {error}", place.display());
        }
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

/// Another step that shares a mount exchanges directories for links while this one's mounts are made.
fn swapped_while_mounting(inside: &Inside) {
    let shared = inside.scratch.join("shared");
    let outside = inside.scratch.join("outside");
    for path in [shared.join("spare"), outside.clone()] {
        fs::create_dir_all(path).unwrap();
    }
    fs::write(outside.join("secret"), "theirs\n").unwrap();
    for (name, to) in [("absolute", outside.clone()), ("relative", PathBuf::from("../outside"))] {
        std::os::unix::fs::symlink(to, shared.join(name)).unwrap();
    }
    fs::create_dir(shared.join("sub")).unwrap();
    fs::write(shared.join("sub/secret"), "mine\n").unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let swap = |one: &str| {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        // Fails only while a mount lies on it.
        let _swapped = renameat_with(CWD, shared.join("sub"), CWD, shared.join(one), RenameFlags::EXCHANGE);
    };
    let step = |name: &str| {
        let (root, _) = root(inside, name);
        let mut step = sh(root, "cat /in 2>/dev/null");
        let tmpfs = Mount { target: "/c/sub/made".into(), kind: MountKind::Tmpfs { size: None } };
        step.mounts = vec![bind("/c", &shared, "", false), tmpfs, bind("/in", &shared, "sub/secret", true)];
        step
    };
    // So many have run to their end that none was refused for a reason of its own.
    let (mut ran, mut tried) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                ["absolute", "absolute", "relative", "relative"].into_iter().for_each(swap);
            }
        });
        while tried < 60 || (ran < 10 && tried < 3000) {
            tried += 1;
            // Either may be missing at the moment when it is looked up; what is found is inside.
            match outcome(&step(&format!("s{tried}"))) {
                Ok((_, text)) => {
                    assert!(text == "mine\n" || text.is_empty(), "{text}");
                    ran += usize::from(!text.is_empty());
                }
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains("/c/sub/made") || error.contains("sub/secret"), "{error}");
                }
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(ran >= 10, "{ran} of {tried} steps ran");
    assert_eq!(left(&outside), ["secret"], "nothing was made outside");
}

fn readonly_root(inside: &Inside) {
    let (root, _) = root(inside, "r");
    let mut step = sh(root, "touch /x || touch /t/x && echo fine");
    step.readonly_root = true;
    step.mounts = vec![Mount { target: "/t".into(), kind: MountKind::Tmpfs { size: None } }];
    let text = output(&step);
    assert!(text.contains("Read-only") && text.contains("fine\n"), "{text}");
}

/// Names in the upper layer, without the directories the sandbox cannot do without.
fn left(upper: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(upper).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
