//! Turns a Dockerfile into a multi-platform OCI image.
//!
//! The modules below stand in layers, lowest first: a module names only modules above it in this list
//! (held by `tests/tests/architecture.rs`). Text becomes a syntax tree, the tree becomes one LLB
//! definition per target platform, the engine solves the definitions, exporters write the results.

mod sync;

pub mod source_text;

pub mod oci;

pub mod dockerfile;

pub mod lint;

pub mod llb;

pub mod lower;

pub mod solve;

pub mod rootfs;

pub mod config;

pub mod store;

pub mod fetch;

pub mod sandbox;

pub mod engine;

pub mod verify;

pub mod export;

pub mod progress;

pub mod report;

pub mod cli;
