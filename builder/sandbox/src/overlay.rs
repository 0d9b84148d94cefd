//! The root of a step as one mount in no namespace.
//!
//! Layers are given to the kernel one by one (`lowerdir+`), so their number is bounded by the kernel's stack
//! and not by the 4 KiB of a mount option string. Overlay marks (opaque directories, origins) are kept in
//! `user.*` attributes for root too: a layer directory then reads the same whoever made it.
//! Durability is the store's business: the mount is `volatile` and does not flush the upper layer.
//! Not here: what is in the layers, and when a directory may be reused.

pub mod by_string;
mod seal;

pub use seal::seal;

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string,
    fsmount, fsopen,
};

pub use xx_build_rootfs::MAX_LAYERS;

use super::SandboxError;
use super::mountapi::{change_attributes, clone_tree};

/// `fsconfig` takes strings of up to 255 bytes; longer paths go by descriptor.
const MAX_OPTION: usize = 255;

/// Where changes go: two directories of one file system, `work` empty.
#[derive(Debug, Clone, Copy)]
pub struct Writable<'a> {
    /// Receives new and changed files, and whiteouts (character devices 0:0) for removed ones.
    pub upper: &'a Path,
    /// The kernel's scratch directory.
    pub work: &'a Path,
}

/// Mounts `lower` (top layer first) with an optional writable layer on top, attached nowhere.
///
/// The descriptor can be used with `openat2` and as the root of a step; the mount ends with it. Device files
/// in the layers cannot be opened through it. Without `writable` the mount is read-only; a single layer is then
/// a plain clone of its directory; with it there is always an overlay, through which nobody writes marks of overlays
/// into the layer.
///
/// # Errors
///
/// More than [`MAX_LAYERS`] layers, a layer that cannot be opened, or a kernel that refuses the overlay.
pub fn mount_detached(lower: &[PathBuf], writable: Option<Writable<'_>>) -> Result<OwnedFd, SandboxError> {
    match (lower, writable) {
        ([], _) => Err(SandboxError::System {
            action: "mount",
            subject: "an overlay over no layer".to_owned(),
            source: std::io::ErrorKind::InvalidInput.into(),
        }),
        ([only], None) => clone_directory(only),
        _ if lower.len() > MAX_LAYERS => {
            Err(SandboxError::TooManyLayers { count: lower.len(), max: MAX_LAYERS })
        }
        _ => overlay(lower, writable),
    }
}

/// One layer alone, read-only.
fn clone_directory(path: &Path) -> Result<OwnedFd, SandboxError> {
    let directory = open_directory(path)?;
    let mount = clone_tree(&directory, false).map_err(SandboxError::on("clone the mount of", path))?;
    let set = MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_RDONLY;
    change_attributes(&mount, set, MountAttrFlags::empty(), false)
        .map_err(SandboxError::on("set the mount attributes of", path))?;
    Ok(mount)
}

fn overlay(lower: &[PathBuf], writable: Option<Writable<'_>>) -> Result<OwnedFd, SandboxError> {
    let top = lower.first().map_or(Path::new("/"), PathBuf::as_path);
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)
        .map_err(SandboxError::on("open the file system", "overlay"))?;
    let mut layers = Layers { context: &context, held: Vec::new() };
    for layer in lower {
        match layers.add("lowerdir+", layer) {
            // Only a kernel without the option refuses the first, whatever it names.
            Err(SandboxError::System { source, .. })
                if layer == top && source.raw_os_error() == Some(libc::EINVAL) =>
            {
                return by_string::mount_detached(lower, writable);
            }
            answer => answer?,
        }
    }
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NODEV;
    if let Some(Writable { upper, work }) = writable {
        layers.add("upperdir", upper)?;
        layers.add("workdir", work)?;
        flag(&context, "volatile")?;
    } else {
        attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    flag(&context, "userxattr")?;
    let top = writable.map_or(top, |writable| writable.upper);
    fsconfig_create(&context).map_err(SandboxError::on("mount the overlay with top layer", top))?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
        .map_err(SandboxError::on("mount the overlay with top layer", top))
}

/// The overlay context being filled, and the descriptors its options name until it is created.
struct Layers<'a> {
    context: &'a OwnedFd,
    held: Vec<OwnedFd>,
}

impl Layers<'_> {
    /// Hands one layer over, by path where the option can carry it and by descriptor where not. (A backslash
    /// would be read as an escape.)
    fn add(&mut self, key: &'static str, path: &Path) -> Result<(), SandboxError> {
        let bytes = path.as_os_str().as_encoded_bytes();
        if bytes.len() <= MAX_OPTION && !bytes.contains(&b'\\') {
            return fsconfig_set_string(self.context, key, path)
                .map_err(SandboxError::on("use as an overlay layer", path));
        }
        let directory = open_directory(path)?;
        let by_descriptor = format!("/proc/self/fd/{}", directory.as_raw_fd());
        self.held.push(directory);
        fsconfig_set_string(self.context, key, by_descriptor)
            .map_err(SandboxError::on("use as an overlay layer", path))
    }
}

fn open_directory(path: &Path) -> Result<OwnedFd, SandboxError> {
    rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(SandboxError::on("open", path))
}

fn flag(context: &OwnedFd, key: &'static str) -> Result<(), SandboxError> {
    fsconfig_set_flag(context, key).map_err(SandboxError::on("set the overlay option", key))
}
