//! Random builds: a tree, an ignore file and a few instructions from a seed, and the files that come of them.
//!
//! A seed stands for the same case for ever and everywhere, so that answers of a BuildKit can be recorded. Many
//! cases are one build: each is a stage of its own, whose files land in a folder of the one result that is named as its
//! seed. The parts: `numbers` (where chance comes from), `tree` (files), `words` (names, paths, patterns),
//! `instruction`, `archive`, `script`, `ignore`, `case` (a Dockerfile's stages), `batch` (many cases, a builder, their answers), `answer`
//! (an exported tree as lines), `known` (where an answer differs from BuildKit's for a reason).

mod answer;
mod archive;
mod batch;
mod case;
mod ignore;
mod instruction;
pub mod known;
mod numbers;
mod script;
mod tree;
mod words;

pub use answer::Answer;
pub use batch::{Builder, Who, answers};
pub use case::{Case, Kind};
