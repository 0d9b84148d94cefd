//! Landlock's scope: keeps a step on the machine's network from the abstract sockets of the machine's processes.
//!
//! An abstract socket has a name and no file, so whoever shares the network namespace may connect to it: what
//! CVE-2020-15257 was made of. From Linux 6.12 a process can give that up, for itself and all that it starts. Not here:
//! anything else that Landlock restricts; a step's root is its own.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Result;

use super::mountapi::last_error;

/// `LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET`: no connection to one that was made outside.
const ABSTRACT_SOCKETS: u64 = 1;

/// `struct landlock_ruleset_attr`.
#[repr(C)]
struct Attributes {
    files: u64,
    net: u64,
    scoped: u64,
}

/// A rule set that closes in abstract sockets; `None` where the kernel has no such thing.
pub(super) fn scope() -> Option<OwnedFd> {
    let attributes = Attributes { files: 0, net: 0, scoped: ABSTRACT_SOCKETS };
    #[expect(unsafe_code, reason = "landlock_create_ruleset(2) has no safe wrapper")]
    // SAFETY: the kernel reads as many bytes of the live attributes as they have.
    let answer = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, &raw const attributes, size_of::<Attributes>(), 0)
    };
    let descriptor = i32::try_from(answer).ok().filter(|number| *number >= 0)?;
    #[expect(unsafe_code, reason = "take ownership of the new descriptor")]
    // SAFETY: the kernel has just made it, and nobody else owns it.
    Some(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Holds this thread, and what it starts, to the rule set; takes the right to administer its user namespace.
pub(super) fn enter(rules: BorrowedFd<'_>) -> Result<()> {
    #[expect(unsafe_code, reason = "landlock_restrict_self(2) has no safe wrapper")]
    // SAFETY: the descriptor is open; only this thread's rights change.
    let answer = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) };
    if answer == 0 { Ok(()) } else { Err(last_error()) }
}
