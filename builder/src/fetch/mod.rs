//! Brings content from outside into the store: base images and directories of the user.
//!
//! Here so far: images in OCI layout directories, and local directories, which are read in place. Image
//! registries, git and http come beside them.

mod layout;
mod local;

pub use layout::{FetchError, Layout, ResolvedManifest};
pub use local::open_local;
