//! A step as `config.json`, the form in which OCI runtimes take it. Pure.
//!
//! By the OCI runtime specification 1.0.2. Rights, masks and the system call filter are those of the built-in sandbox.

use rustix::thread::CapabilitySet;
use serde_json::{Value, json};

use super::super::step::{Network, Security, Step};
use super::super::{caps, masks, seccomp};
use crate::masks::Cover;

/// What the step comes to in the bundle.
pub(super) struct Parts<'a> {
    pub(super) step: &'a Step,
    /// User and group ids, the supplementary ones last.
    pub(super) ids: (u32, u32, &'a [u32]),
    /// With `HOME`.
    pub(super) env: &'a [String],
    pub(super) mounts: &'a [Bound],
    /// Where the machine's `/sys` lies, for a step that can have none of its own.
    pub(super) sys: Option<&'a str>,
    /// What the builder may do: a runtime refuses to give more.
    pub(super) held: CapabilitySet,
    /// Whether this is the machine's root rather than that of a user namespace.
    pub(super) real_root: bool,
}

/// A mount whose source lies in the bundle, or a tmpfs.
pub(super) struct Bound {
    pub(super) target: String,
    /// Path of the source; `None` for a tmpfs.
    pub(super) source: Option<String>,
    pub(super) readonly: bool,
    /// Bytes that a tmpfs may hold.
    pub(super) size: Option<u64>,
}

pub(super) fn config(parts: &Parts<'_>) -> Value {
    let step = parts.step;
    let sandboxed = step.security == Security::Sandbox;
    let (uid, gid, groups) = parts.ids;
    let wanted = if sandboxed { caps::sandboxed(&step.network) } else { CapabilitySet::all() };
    let capabilities: Vec<String> = caps::names(wanted & parts.held);
    let own: &[String] = if uid == 0 { &capabilities } else { &[] };
    let mut namespaces = vec!["pid", "ipc", "uts", "mount"];
    if matches!(step.network, Network::None) {
        namespaces.push("network");
    }
    let namespaces: Vec<Value> = namespaces.into_iter().map(|kind| json!({ "type": kind })).collect();
    let rlimits: Vec<Value> = step
        .ulimits
        .iter()
        .map(|limit| {
            let name = format!("RLIMIT_{}", limit.name.to_uppercase());
            json!({ "type": name, "soft": limit.soft, "hard": limit.hard })
        })
        .collect();
    let linux = if sandboxed {
        let (masked, readonly) = covered();
        json!({
            "namespaces": namespaces,
            "maskedPaths": masked,
            "readonlyPaths": readonly,
            "seccomp": seccomp::profile(&step.network),
            // Without a control group of its own, an ordinary user's runtime refuses limits.
            "resources": if parts.real_root { json!({ "pids": { "limit": step.max_processes } }) } else { json!({}) },
        })
    } else {
        json!({ "namespaces": namespaces })
    };
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": { "uid": uid, "gid": gid, "umask": 0o022, "additionalGids": groups },
            "args": step.args,
            "env": parts.env,
            "cwd": if step.cwd.is_empty() { "/" } else { &step.cwd },
            "capabilities": { "bounding": capabilities, "effective": own, "permitted": own },
            "rlimits": rlimits,
            "noNewPrivileges": false,
        },
        "root": { "path": "rootfs", "readonly": step.readonly_root },
        "hostname": step.hostname,
        "mounts": mounts(parts),
        "linux": linux,
    })
}

fn mounts(parts: &Parts<'_>) -> Vec<Value> {
    let step = parts.step;
    let sys = if step.security == Security::Sandbox { "ro" } else { "rw" };
    let kernel = |kind: &str, target: &str, options: &[&str]| json!({ "destination": target, "type": kind, "source": kind, "options": options });
    let shm = format!("size={}", step.shm_size);
    let mut all = vec![
        kernel("proc", "/proc", &["nosuid", "noexec", "nodev"]),
        kernel("tmpfs", "/dev", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        kernel(
            "devpts",
            "/dev/pts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        kernel("tmpfs", "/dev/shm", &["nosuid", "noexec", "nodev", "mode=1777", &shm]),
        kernel("mqueue", "/dev/mqueue", &["nosuid", "noexec", "nodev"]),
    ];
    all.push(match parts.sys {
        None => kernel("sysfs", "/sys", &["nosuid", "noexec", "nodev", sys]),
        Some(source) => {
            let options = ["rbind", "nosuid", "noexec", "nodev", sys];
            json!({ "destination": "/sys", "type": "bind", "source": source, "options": options })
        }
    });
    for mount in parts.mounts {
        let access = if mount.readonly { "ro" } else { "rw" };
        all.push(match (&mount.source, mount.size) {
            (Some(source), _) => {
                let options = ["rbind", "nodev", access];
                json!({ "destination": mount.target, "type": "bind", "source": source, "options": options })
            }
            (None, Some(size)) => {
                kernel("tmpfs", &mount.target, &["nosuid", "nodev", "mode=1777", &format!("size={size}")])
            }
            (None, None) => kernel("tmpfs", &mount.target, &["nosuid", "nodev", "mode=1777"]),
        });
    }
    all
}

/// Masked and read-only paths.
fn covered() -> (Vec<String>, Vec<String>) {
    let path = |name: &std::ffi::CStr| format!("/proc/{}", name.to_string_lossy());
    let (readonly, masked): (Vec<_>, Vec<_>) =
        masks::PROC.iter().partition(|(_, cover)| *cover == Cover::ReadOnly);
    let sys = masks::SYS.iter().map(|name| format!("/sys/{}", name.to_string_lossy()));
    (
        masked.into_iter().map(|(name, _)| path(name)).chain(sys).collect(),
        readonly.into_iter().map(|(name, _)| path(name)).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_follow_user_and_security() {
        let root = std::fs::File::open("/").unwrap();
        let mut step = Step::new(root.into(), vec!["true".into()]);
        let holding = |step: &Step, uid: u32, held| {
            let ids = (uid, uid, &[][..]);
            let config =
                config(&Parts { step, ids, env: &[], mounts: &[], sys: None, held, real_root: true });
            let capabilities = |set: &str| config["process"]["capabilities"][set].as_array().unwrap().len();
            let filtered = config["linux"]["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO";
            (capabilities("bounding"), capabilities("effective"), filtered)
        };
        let look = |step: &Step, uid: u32| holding(step, uid, CapabilitySet::all());
        assert_eq!(look(&step, 0), (13, 13, true), "without raw sockets on the machine's network");
        assert_eq!(look(&step, 33), (13, 0, true));
        step.network = Network::None;
        assert_eq!(look(&step, 0), (14, 14, true));
        step.security = Security::Insecure;
        let (bounding, _, filtered) = look(&step, 0);
        assert!(bounding > 35 && !filtered);
        // Not more than there is: in a container without device files, say.
        let few = CapabilitySet::CHOWN | CapabilitySet::SYS_ADMIN;
        assert_eq!(holding(&step, 0, few), (2, 2, false));
        step.security = Security::Sandbox;
        assert_eq!(holding(&step, 0, few), (1, 1, true));
    }
}
