//! Any text in any spelling: a platform that prints as its own inverse, or an error that is short and plain.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/properties/mod.rs"]
mod properties;

fuzz_target!(|text: &str| properties::platform(text));
