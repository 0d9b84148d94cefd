//! The system calls that the supervisor answers.

use crate::seccomp::When;

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
    Execve,
    Execveat,
    Prlimit,
    Setrlimit,
    Getrlimit,
    Getsockopt,
    Setsockopt,
    Openat,
    Openat2,
    Mkdirat,
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
    #[cfg(target_arch = "x86_64")]
    Open,
    #[cfg(target_arch = "x86_64")]
    Creat,
    #[cfg(target_arch = "x86_64")]
    Mkdir,
}

/// Flags of `open` that may make a file.
const MAKES: u32 = (libc::O_CREAT | libc::O_TMPFILE & !libc::O_DIRECTORY).cast_unsigned();
/// The limit that bears the note of ids.
const LOCKS: u32 = libc::RLIMIT_LOCKS;
const PEER: u32 = libc::SO_PEERCRED.cast_unsigned();
const PASS: u32 = libc::SO_PASSCRED.cast_unsigned();

/// Native numbers, and with which arguments the supervisor is asked.
pub(super) const CALLS: &[(libc::c_long, Call, When)] = &[
    (libc::SYS_getuid, Call::Getuid, When::Always),
    (libc::SYS_geteuid, Call::Geteuid, When::Always),
    (libc::SYS_getgid, Call::Getgid, When::Always),
    (libc::SYS_getegid, Call::Getegid, When::Always),
    (libc::SYS_getresuid, Call::Getresuid, When::Always),
    (libc::SYS_getresgid, Call::Getresgid, When::Always),
    (libc::SYS_getgroups, Call::Getgroups, When::Always),
    (libc::SYS_setuid, Call::Setuid, When::Always),
    (libc::SYS_setgid, Call::Setgid, When::Always),
    (libc::SYS_setreuid, Call::Setreuid, When::Always),
    (libc::SYS_setregid, Call::Setregid, When::Always),
    (libc::SYS_setresuid, Call::Setresuid, When::Always),
    (libc::SYS_setresgid, Call::Setresgid, When::Always),
    (libc::SYS_setfsuid, Call::Setfsuid, When::Always),
    (libc::SYS_setfsgid, Call::Setfsgid, When::Always),
    (libc::SYS_setgroups, Call::Setgroups, When::Always),
    (libc::SYS_capset, Call::Capset, When::Always),
    (libc::SYS_prctl, Call::Prctl, When::Always),
    (libc::SYS_execve, Call::Execve, When::Always),
    (libc::SYS_execveat, Call::Execveat, When::Always),
    (libc::SYS_prlimit64, Call::Prlimit, When::Is { argument: 1, value: LOCKS }),
    (libc::SYS_setrlimit, Call::Setrlimit, When::Is { argument: 0, value: LOCKS }),
    (libc::SYS_getrlimit, Call::Getrlimit, When::Is { argument: 0, value: LOCKS }),
    (libc::SYS_getsockopt, Call::Getsockopt, When::Is { argument: 2, value: PEER }),
    (libc::SYS_setsockopt, Call::Setsockopt, When::Is { argument: 2, value: PASS }),
    (libc::SYS_openat, Call::Openat, When::Has { argument: 2, bits: MAKES }),
    (libc::SYS_openat2, Call::Openat2, When::Always),
    (libc::SYS_mkdirat, Call::Mkdirat, When::Always),
    (libc::SYS_fchown, Call::Fchown, When::Always),
    (libc::SYS_fchownat, Call::Fchownat, When::Always),
    (libc::SYS_mknodat, Call::Mknodat, When::Always),
    (libc::SYS_fstat, Call::Fstat, When::Always),
    (libc::SYS_newfstatat, Call::Newfstatat, When::Always),
    (libc::SYS_statx, Call::Statx, When::Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_chown, Call::Chown, When::Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_lchown, Call::Lchown, When::Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mknod, Call::Mknod, When::Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_stat, Call::Stat, When::Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_lstat, Call::Lstat, When::Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, Call::Open, When::Has { argument: 1, bits: MAKES }),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_creat, Call::Creat, When::Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mkdir, Call::Mkdir, When::Always),
];

/// What the filter sends here.
pub(crate) fn questions() -> Vec<(u32, When)> {
    CALLS.iter().filter_map(|&(number, _, when)| Some((u32::try_from(number).ok()?, when))).collect()
}
