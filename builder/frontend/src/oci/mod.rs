//! Values of the OCI image specification: digests, descriptors, manifests, indexes, image configurations.
//!
//! Plain data with serde; the digest of a document is that of its bytes, so whoever reads one keeps the bytes beside
//! the parsed value. Own types rather than a crate's because Docker's fields (health check, ONBUILD, shell) and
//! fields nobody here knows must survive a round trip. Not here: fetching, storing, and validation of contents.

pub mod digest;
pub mod image;
pub mod index;
mod json;
pub mod manifest;
pub mod media_type;
pub mod time;

pub(crate) use json::to_go_json as go_json;
pub mod reference;
