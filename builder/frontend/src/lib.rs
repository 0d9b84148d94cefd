//! Dockerfiles read, checked and turned into BuildKit's LLB, without any I/O.
//!
//! The modules stand in layers, lowest first. Text becomes a syntax tree, the tree becomes one LLB definition
//! per target platform; what has to be asked of the world (images, files) comes in as values.

#![forbid(unsafe_code)]

pub mod source_text;

pub mod oci;

pub mod dockerfile;

pub mod lint;

pub mod llb;

pub mod lower;
