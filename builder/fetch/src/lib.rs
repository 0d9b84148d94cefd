//! Brings content from outside into the store: base images and directories of the user.
//!
//! Here so far: images in OCI layout directories, local directories, which are read in place, git repositories
//! and files from http servers. Image registries come beside them.

#![forbid(unsafe_code)]

mod git;
mod http;
mod layout;
mod local;
mod place;

pub use git::{GitError, Repository, Run};
pub use http::{Answer, HttpError, Question, Transfer, Wait, Wanted, download, modified_seconds};
pub use layout::{FetchError, Layout, ResolvedManifest};
pub use local::open_local;
