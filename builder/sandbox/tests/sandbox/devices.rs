//! Device files: those that a step has, those that it makes, and the machine's, which it never touches.

use std::fs;

use xx_build_sandbox::userns::Mode;
use xx_build_sandbox::{Mount, MountKind, Security};

use crate::harness::{self, Case, Inside, debian_case as case};
use crate::run::{bind, output, root, sh};

pub(crate) const CASES: &[Case] =
    &[case("run_device_files_stay_closed", stay_closed), case("run_device_files_are_its_own", own)];

/// Root may make device files, but nobody opens them: not in the root, in a bind mount, or in `/dev`.
fn stay_closed(inside: &Inside) {
    let source = inside.scratch.join("source");
    fs::create_dir_all(&source).unwrap();
    let (root, _) = root(inside, "r");
    // Not the null device, which reads as nothing when it is open, too.
    let script = "for d in / /in /dev /t /tmp /dev/shm; do mknod $d/n c 1 5 2>/dev/null; test ! -c $d/n || head -c 1 $d/n | wc -c; done 2>&1 |
        grep -v -E 'Permission denied|Operation not permitted'; head -c 1 /dev/zero | wc -c";
    let mut step = sh(root, script);
    step.mounts = vec![
        bind("/in", &source, "", false),
        Mount { target: "/t".into(), kind: MountKind::Tmpfs { size: None } },
    ];
    let refused = if inside.mode == Mode::Root { "0\n".repeat(6) } else { String::new() };
    assert_eq!(output(&step), format!("{refused}1\n"));
    if rustix::process::geteuid().is_root() && inside.mode == Mode::Root {
        assert!(source.join("n").exists(), "the case must not pass because nothing was made");
    }
}

/// Whatever a step does to its device files, the machine's inodes are what they were, and its own still work.
pub(crate) fn own(inside: &Inside) {
    let scripts = [
        "chmod 0600 /dev/full; chown 1234:1234 /dev/full",
        "chown -R 1000:1000 /dev; chmod -R 0 /dev",
        "touch -d 2001-01-01 /dev/null /dev/zero /dev/tty /dev/random; mv /dev/null /dev/x; rm -f /dev/zero; ln /dev/full /dev/y",
        // What descriptors lead to, and what covers kernel files.
        "chmod 0 /dev/stdin /proc/self/fd/0; chown 5:5 /dev/stdin; perl -e 'chmod 0, \\*STDIN; chown 5, 5, \\*STDIN'",
        "cd /proc; for f in kcore keys timer_list latency_stats; do chmod 0 $f; chown 5:5 $f; touch $f; done",
        "perl -e 'utime 1, 1, \\*STDIN; utime 1, 1, \"/dev/ptmx\", \"/dev/tty\"'; chown 7 /dev/ptmx /dev/pts /dev/shm /dev/mqueue",
    ];
    let before = harness::devices();
    assert!(before.len() > 5, "there is something to look at: {before:?}");
    for security in [Security::Sandbox, Security::Insecure] {
        for (number, script) in scripts.iter().enumerate() {
            let (root, _) = root(inside, &format!("{security:?}{number}"));
            let mut step = sh(root, &format!("({script}) 2>&1 | head -3; exit 0"));
            step.security = security;
            let said = output(&step);
            assert_eq!(harness::devices(), before, "{script}: {said}");
        }
    }
    // Root's nodes are files like others; what is shown of the machine's says no.
    let (root, _) = root(inside, "r");
    let step = sh(
        root,
        "chmod 0640 /dev/full 2>/dev/null && stat -c %a /dev/full; chmod 0 /proc/keys 2>/dev/null; stat -c %t:%T:%a /proc/keys;
         (echo x > /dev/full) 2>/dev/null || echo full; echo x >> /dev/null && head -c 1 /dev/zero | wc -c; cat; cat /dev/stdin",
    );
    let own = if inside.mode == Mode::Root { "640\n" } else { "" };
    assert_eq!(output(&step), format!("{own}1:3:666\nfull\n1\n"));
}
