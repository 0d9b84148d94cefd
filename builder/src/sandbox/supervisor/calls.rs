//! The system calls that the supervisor answers.

/// A call, whatever its number and argument order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Getuid,
    Geteuid,
    Getgid,
    Getegid,
    Getresuid,
    Getresgid,
    Getgroups,
    Setuid,
    Setgid,
    Setreuid,
    Setregid,
    Setresuid,
    Setresgid,
    Setfsuid,
    Setfsgid,
    Setgroups,
    Capset,
    Prctl,
    Exec,
    Fchown,
    Fchownat,
    Mknodat,
    Fstat,
    Newfstatat,
    Statx,
    #[cfg(target_arch = "x86_64")]
    Chown,
    #[cfg(target_arch = "x86_64")]
    Lchown,
    #[cfg(target_arch = "x86_64")]
    Mknod,
    #[cfg(target_arch = "x86_64")]
    Stat,
    #[cfg(target_arch = "x86_64")]
    Lstat,
}

/// Native numbers.
pub(super) const CALLS: &[(libc::c_long, Call)] = &[
    (libc::SYS_getuid, Call::Getuid),
    (libc::SYS_geteuid, Call::Geteuid),
    (libc::SYS_getgid, Call::Getgid),
    (libc::SYS_getegid, Call::Getegid),
    (libc::SYS_getresuid, Call::Getresuid),
    (libc::SYS_getresgid, Call::Getresgid),
    (libc::SYS_getgroups, Call::Getgroups),
    (libc::SYS_setuid, Call::Setuid),
    (libc::SYS_setgid, Call::Setgid),
    (libc::SYS_setreuid, Call::Setreuid),
    (libc::SYS_setregid, Call::Setregid),
    (libc::SYS_setresuid, Call::Setresuid),
    (libc::SYS_setresgid, Call::Setresgid),
    (libc::SYS_setfsuid, Call::Setfsuid),
    (libc::SYS_setfsgid, Call::Setfsgid),
    (libc::SYS_setgroups, Call::Setgroups),
    (libc::SYS_capset, Call::Capset),
    (libc::SYS_prctl, Call::Prctl),
    (libc::SYS_execve, Call::Exec),
    (libc::SYS_execveat, Call::Exec),
    (libc::SYS_fchown, Call::Fchown),
    (libc::SYS_fchownat, Call::Fchownat),
    (libc::SYS_mknodat, Call::Mknodat),
    (libc::SYS_fstat, Call::Fstat),
    (libc::SYS_newfstatat, Call::Newfstatat),
    (libc::SYS_statx, Call::Statx),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_chown, Call::Chown),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_lchown, Call::Lchown),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mknod, Call::Mknod),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_stat, Call::Stat),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_lstat, Call::Lstat),
];

/// Their numbers, for the filter.
pub(in crate::sandbox) fn numbers() -> Vec<u32> {
    CALLS.iter().filter_map(|&(number, _)| u32::try_from(number).ok()).collect()
}
