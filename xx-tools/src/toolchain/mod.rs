//! From a target and what is installed to compilers, linkers and their set-up.

pub mod clang;
pub mod layout;
pub mod linker;
pub mod setup;
