//! The same mount for kernels before 6.7, whose overlay takes all layers as one string.
//!
//! The string is bounded by a page, so layers are named by descriptor, which is short. The old `mount(2)` also
//! needs a place to mount on: a thread with a mount namespace of its own provides it, and only the clone leaves it.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountFlags, mount};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::super::SandboxError;
use super::super::mountapi::{change_attributes, clone_tree};
use super::Writable;

/// What a page leaves for the layers, at 22 bytes for each.
pub const MAX_LAYERS: usize = 180;

/// As [`super::mount_detached`], for two layers and more.
///
/// # Errors
///
/// More than [`MAX_LAYERS`] layers, a layer that cannot be opened, or a kernel that refuses the overlay.
pub fn mount_detached(lower: &[PathBuf], writable: Option<Writable<'_>>) -> Result<OwnedFd, SandboxError> {
    if lower.len() > MAX_LAYERS {
        return Err(SandboxError::TooManyLayers { count: lower.len(), max: MAX_LAYERS });
    }
    thread::scope(|scope| {
        let mounted = scope.spawn(|| mount_apart(lower, writable));
        mounted.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Mounts on this thread's own `/` and clones it from there.
fn mount_apart(lower: &[PathBuf], writable: Option<Writable<'_>>) -> Result<OwnedFd, SandboxError> {
    let bottom = lower.first().map_or(Path::new("/"), PathBuf::as_path);
    let top = writable.map_or(bottom, |writable| writable.upper);
    let on = || SandboxError::on("mount the overlay with top layer", top);
    #[expect(unsafe_code, reason = "unshare(2) can break assumptions of other threads")]
    // SAFETY: the descriptor table stays shared, which is what the wrapper warns about; the rest is this thread's,
    // which ends right after.
    unsafe { unshare_unsafe(UnshareFlags::FS | UnshareFlags::NEWNS) }.map_err(on())?;
    // Opened in the new namespace: an overlay takes layers of its own namespace only.
    let layers = lower.iter().map(|path| super::open_directory(path)).collect::<Result<Vec<_>, _>>()?;
    let name = |fd: &OwnedFd| format!("/proc/self/fd/{}", fd.as_raw_fd());
    let mut options = format!("userxattr,lowerdir={}", layers.iter().map(name).collect::<Vec<_>>().join(":"));
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NODEV;
    let mut held = Vec::new();
    if let Some(Writable { upper, work }) = writable {
        for (key, path) in [("upperdir", upper), ("workdir", work)] {
            let fd = super::open_directory(path)?;
            options.extend([",", key, "=", &name(&fd)]);
            held.push(fd);
        }
        options.push_str(",volatile");
    } else {
        attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    let options = CString::new(options).map_err(|_| on()(Errno::INVAL))?;
    mount("overlay", "/", "overlay", MountFlags::NODEV, options.as_c_str()).map_err(on())?;
    // The way up from a root leads to what is mounted on it.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mounted = rustix::fs::openat(CWD, c"/..", flags, Mode::empty()).map_err(on())?;
    let clone = clone_tree(&mounted, false).map_err(on())?;
    change_attributes(&clone, attributes, MountAttrFlags::empty(), false).map_err(on())?;
    Ok(clone)
}
