//! Entering: ids, and mounts that nobody else sees.

use std::fs;

use xx_build_sandbox::userns::{Mode, NoSubIds};

use crate::harness::{Case, Inside, Needs, host};

pub(crate) const CASES: &[Case] = &[
    Case { name: "ids", needs: Needs::Nothing, run: ids },
    Case { name: "mounts_stay_inside", needs: Needs::Nothing, run: mounts_stay_inside },
];

fn ids(inside: &Inside) {
    assert!(rustix::process::geteuid().is_root());
    let file = inside.scratch.join("f");
    fs::write(&file, "").unwrap();
    let chowned = std::os::unix::fs::chown(&file, Some(33), Some(34));
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    match &inside.mode {
        Mode::Root | Mode::SubIds { .. } => {
            chowned.unwrap();
            assert_eq!(host("stat", &["-c", "%u:%g", file.to_str().unwrap()]), "33:34\n");
        }
        Mode::SingleUid { why } => {
            chowned.unwrap_err();
            assert!(matches!(why, NoSubIds::NoRange { file: "/etc/subuid", .. }), "{why}");
            assert!(why.hint().contains("/etc/subuid"));
            assert_eq!(map.lines().count(), 1);
        }
    }
    if let Mode::SubIds { uids, .. } = &inside.mode {
        assert_eq!(map.lines().count(), 1 + uids.len());
    }
}

fn mounts_stay_inside(inside: &Inside) {
    let target = inside.scratch.to_str().unwrap();
    host("mount", &["-t", "tmpfs", "none", target]);
    assert!(fs::read_to_string("/proc/self/mountinfo").unwrap().contains(target));
    let parent = rustix::process::getppid().unwrap().as_raw_nonzero();
    // The parent's table is readable as root only; the harness would also fail to remove a busy folder.
    if let Ok(theirs) = fs::read_to_string(format!("/proc/{parent}/mountinfo")) {
        assert!(!theirs.contains(target));
    }
}
