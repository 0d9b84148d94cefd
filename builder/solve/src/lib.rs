//! Which step of a build graph runs next, and what its cache keys are.
//!
//! Three values in a row: LLB definitions become one [`Graph`] (equal operations of several target
//! platforms are one vertex), `keys` gives each vertex its cache keys, and [`Machine`] hands out
//! [`Work`] and takes [`Outcome`]s until the wanted vertices are done.
//!
//! Nothing here reads a file, a clock or a database, and nothing starts a thread: the engine does the
//! work that the machine asks for. That is what lets whole builds be tested as plain data.

#![forbid(unsafe_code)]

mod graph;
mod keys;
mod machine;
mod resources;
mod selection;

pub use graph::{Edge, Graph, GraphError, Place, Vertex, VertexId, is_remote, outputs};
pub use keys::{Identity, InputKey, Key, KeyHasher};
pub use machine::{Machine, Outcome, Work};
pub use selection::{CopySelector, Selection};

#[cfg(test)]
mod tests;
