//! The build graph: BuildKit's LLB operations, their bytes and their digests.
//!
//! LLB is the form a build takes between the front end and the engine, and the form a BuildKit cluster takes too. The
//! types are BuildKit's own (`pb`); [`wire`] alone knows their bytes, [`json`] alone their readable form, [`graph`] puts operations
//! together into a definition, [`validate`] looks through those of others, [`replace`] gives them other sources.
//! What an operation means is the engine's business.

pub mod graph;
pub mod json;
pub mod pb;
pub mod replace;
pub mod validate;
pub mod wire;
