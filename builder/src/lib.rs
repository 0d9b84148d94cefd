//! Turns a Dockerfile into a multi-platform OCI image: the command, and what it shows of a build.
//!
//! The work is done by the crates below this one, in layers, lowest first: `xx-build-frontend`, `xx-build-solve`,
//! `xx-build-rootfs`, `xx-build-sandbox`, `xx-build-store`, `xx-build-fetch`, `xx-build-engine`, `xx-build-export`.
//! Text becomes a syntax tree, the tree becomes one LLB definition per target platform, the engine solves the
//! definitions, exporters write the results.

#![forbid(unsafe_code)]

pub mod config;

pub mod progress;

pub mod report;

pub mod cli;
