//! Ends writing to the root of a step, once the step is done.
//!
//! No process of a step is left then, but what it had open may be: a descriptor sent over a socket lives on in another
//! step, and that one could change the layer when it is already a result. So the overlay itself becomes read-only, which
//! no way into it gets around; the kernel refuses that as long as a file in it is open for writing.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{fstat, fstatfs, stat};
use rustix::io::{Errno, Result};
use rustix::mount::{FsPickFlags, fsconfig_reconfigure, fsconfig_set_flag, fspick};

use super::SandboxError;

/// `OVERLAYFS_SUPER_MAGIC`.
const OVERLAY: rustix::fs::FsWord = 0x794c_7630;

/// How often the kernel is asked, and the pause between: it closes some files of dead processes a moment later.
const TRIES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(5);

/// Makes the overlay at `root`, from [`super::mount_detached`] with the writable layer `upper`, read-only for everybody.
///
/// # Errors
///
/// Somebody still has a file in it open for writing, or holds one that was removed.
pub fn seal(root: BorrowedFd<'_>, upper: &Path) -> std::result::Result<(), SandboxError> {
    let failed = || SandboxError::on("end writing to", "the root of the step");
    let device = fstat(root).map_err(failed())?.st_dev;
    let below = stat(upper).map_err(failed())?.st_dev;
    // Never the machine's own file system, which may be an overlay too, as in a container.
    if fstatfs(root).map_err(failed())?.f_type != OVERLAY || device == below {
        return Err(failed()(Errno::INVAL));
    }
    let mut answer = make_readonly(root);
    for _ in 1..TRIES {
        if answer != Err(Errno::BUSY) {
            break;
        }
        std::thread::sleep(PAUSE);
        answer = make_readonly(root);
    }
    answer.map_err(|errno| match errno {
        Errno::BUSY => SandboxError::Refused {
            action: "keep what was written by",
            subject: "the step".to_owned(),
            reason: "a file of it is still open elsewhere, where it could be changed later".to_owned(),
            hint: "a step must not pass open files on to another one, as through a socket in a cache mount",
        },
        errno => failed()(errno),
    })
}

fn make_readonly(root: BorrowedFd<'_>) -> Result<()> {
    let context = fspick(root, c"", FsPickFlags::FSPICK_CLOEXEC | FsPickFlags::FSPICK_EMPTY_PATH)?;
    fsconfig_set_flag(context.as_fd(), c"ro")?;
    fsconfig_reconfigure(context.as_fd())
}
