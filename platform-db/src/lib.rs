//! One table that maps a platform, in any spelling, to every other.
//!
//! Pure: no I/O, no environment, nothing asked of the machine it runs on.

mod arch;
mod axis;
mod compat;
mod ecosystems;
mod error;
mod facts;
mod features;
mod libc;
mod matching;
mod names;
#[cfg(feature = "object")]
pub mod object;
mod os;
mod parse;
mod platform;
mod rust;
mod spelling;
mod suggest;
mod table;
mod triple;
mod uname;
mod variant;
mod zig;

pub use arch::Arch;
pub use compat::Runs;
pub use error::{ParsePlatformError, Part};
pub use facts::{ArchFacts, Endian, FloatAbi};
pub use libc::Libc;
pub use os::Os;
pub use platform::Platform;
pub use table::GnuWords;
pub use variant::Variant;
