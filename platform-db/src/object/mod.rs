//! Object files: what a file was built for, read from its header alone, and whether that fits a platform.
//!
//! Reads one kilobyte, and of ELF the program headers, notes and attributes where they lie beyond it; never symbols or
//! relocations. The caller opens the file. Shared by `xx-verify` and by the builder's check of its results.

mod abi;
mod archive;
mod elf;
mod facts;
mod macho;
mod mismatch;
mod needs;
mod notes;
mod pe;
mod source;
mod wasm;
mod word;

pub use facts::{Facts, Format, Kind};
pub use mismatch::{Aspect, Mismatch};
pub use needs::{Needs, needs};
pub use source::ReadAt;

use source::Head;

/// A file that starts like an object file and cannot be read as one.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The file ends before something its header points to.
    #[error("truncated: the {0} lies beyond the end of the file")]
    Truncated(&'static str),
    /// A header holds a value that no tool writes.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// The file is well formed, but says nothing of what it was built for.
    #[error("{0}")]
    Unclear(&'static str),
    /// The file could not be read.
    #[error("cannot read: {0}")]
    Io(#[from] std::io::Error),
}

/// Reads what a file was built for. `None` when it is no object file of a known format.
///
/// An archive (`.a`) is what its objects are; they must agree on the architecture.
///
/// ```
/// assert!(platform_db::object::read(&b"#!/bin/sh\n"[..])?.is_none());
/// # Ok::<(), platform_db::object::ObjectError>(())
/// ```
///
/// # Errors
/// When the file is truncated or malformed, or cannot be read.
pub fn read<S: ReadAt + ?Sized>(source: &S) -> Result<Option<Facts>, ObjectError> {
    let head = Head::read(source)?;
    match head.bytes() {
        [b'!', b'<', b'a', b'r', b'c', b'h', b'>', b'\n', ..] => archive::read(&head),
        [b'!', b'<', b't', b'h', b'i', b'n', b'>', b'\n', ..] => {
            Err(ObjectError::Unclear("a thin archive, whose objects are other files"))
        }
        [0xca, 0xfe, 0xba, 0xbe | 0xbf, ..] => macho::fat(&head),
        _ => read_one(&head),
    }
}

/// Reads a file that holds no other files: what lies in an archive or a fat file does not lead further in.
fn read_one<S: ReadAt + ?Sized>(head: &Head<'_, S>) -> Result<Option<Facts>, ObjectError> {
    match head.bytes() {
        [0x7f, b'E', b'L', b'F', ..] => elf::read(head).map(Some),
        [b'M', b'Z', ..] => pe::read(head),
        [0, b'a', b's', b'm', version, 0, layer, 0, ..] => wasm::read(head, *version, *layer),
        _ => match macho::read(head)? {
            Some(facts) => Ok(Some(facts)),
            None => pe::object(head),
        },
    }
}
