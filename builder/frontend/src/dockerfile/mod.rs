//! Dockerfile text to syntax tree.
//!
//! [`parse`] goes through the stages of this folder in order: physical lines become logical ones (`logical`), those
//! are split into keyword, flags and words (`node`), those get their meaning (`instruction`). The language is the one
//! of BuildKit's front end. Nothing here reads a file, a variable's value or the clock.

pub mod ast;
pub mod automatic;
pub mod csv;
pub mod diagnostic;
pub mod directive;
pub(crate) mod duration;
pub mod expand;
pub mod flags;
pub mod front_end;
pub mod heredoc;
pub mod ignore;
pub mod ignore_file;
mod instruction;
mod logical;
pub mod mount;
pub mod node;
mod parse;
pub(crate) mod path;
pub mod sexpr;
pub mod size;
pub mod suggest;
mod words;

pub use ast::Dockerfile;
pub use diagnostic::{Diagnostic, Severity};
pub use parse::{parse, parse_as, parse_trigger, syntax};
