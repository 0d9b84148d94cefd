//! The build graph: BuildKit's LLB operations, their bytes and their digests.

pub use bollard_buildkit_proto::pb;
