//! Why the kernel refused a user namespace: its answer and its settings -> what to change.

use std::fs;

use rustix::io::Errno;

/// The kernel settings that can forbid user namespaces, as read; `None` where the kernel has no such setting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// `user.max_user_namespaces`.
    pub(super) max_user_namespaces: Option<u64>,
    /// `kernel.unprivileged_userns_clone` (Debian's and Arch's kernels).
    pub(super) unprivileged_userns_clone: Option<u64>,
    /// `kernel.apparmor_restrict_unprivileged_userns` (Ubuntu's kernel).
    pub(super) apparmor_restrict: Option<u64>,
}

impl Settings {
    /// Reads them from `/proc/sys`.
    pub(super) fn read() -> Self {
        let number = |name: &str| fs::read_to_string(format!("/proc/sys/{name}")).ok()?.trim().parse().ok();
        Self {
            max_user_namespaces: number("user/max_user_namespaces"),
            unprivileged_userns_clone: number("kernel/unprivileged_userns_clone"),
            apparmor_restrict: number("kernel/apparmor_restrict_unprivileged_userns"),
        }
    }
}

/// Says what stands behind the refusal `errno` under `settings`, and the command that changes it.
pub(super) fn hint(errno: Errno, settings: Settings) -> String {
    if settings.max_user_namespaces == Some(0) {
        return "the kernel allows none: `sysctl -w user.max_user_namespaces=15000` as root".to_owned();
    }
    if settings.unprivileged_userns_clone == Some(0) {
        return "the kernel allows them to root only: `sysctl -w kernel.unprivileged_userns_clone=1` as root"
            .to_owned();
    }
    if settings.apparmor_restrict == Some(1) {
        return "AppArmor restricts them: `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` as root, or a \
                profile for xx-build with the rule `userns,`"
            .to_owned();
    }
    match errno {
        Errno::NOSPC => "the limit `user.max_user_namespaces` or the depth of 32 namespaces is reached".to_owned(),
        Errno::INVAL | Errno::NOSYS => "the kernel is built without CONFIG_USER_NS".to_owned(),
        _ => "a chroot or the seccomp profile of a surrounding container forbids it: run xx-build outside of it, \
              or run the container with `--security-opt seccomp=unconfined`"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_is_named() {
        let open = Settings {
            max_user_namespaces: Some(96_000),
            unprivileged_userns_clone: Some(1),
            apparmor_restrict: Some(0),
        };
        let table = [
            (
                Errno::NOSPC,
                Settings { max_user_namespaces: Some(0), ..open },
                "user.max_user_namespaces=15000",
            ),
            (
                Errno::PERM,
                Settings { unprivileged_userns_clone: Some(0), ..open },
                "kernel.unprivileged_userns_clone=1",
            ),
            (
                Errno::PERM,
                Settings { apparmor_restrict: Some(1), ..open },
                "kernel.apparmor_restrict_unprivileged_userns=0",
            ),
            (Errno::NOSPC, open, "depth of 32"),
            (Errno::INVAL, open, "CONFIG_USER_NS"),
            (Errno::PERM, open, "seccomp=unconfined"),
            (Errno::PERM, Settings::default(), "seccomp=unconfined"),
        ];
        for (errno, settings, part) in table {
            let hint = hint(errno, settings);
            assert!(hint.contains(part), "{errno:?} {settings:?}: {hint}");
        }
    }
}
