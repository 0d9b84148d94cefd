//! Any bytes: an answer or an error, never a panic; an answer can be printed and held against every platform.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/properties/mod.rs"]
mod properties;

fuzz_target!(|bytes: &[u8]| properties::object(bytes));
