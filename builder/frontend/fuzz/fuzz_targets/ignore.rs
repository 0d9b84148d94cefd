//! Patterns match or not without a panic, and walking gives the answer of asking.
#![no_main]
#![allow(dead_code, reason = "each target calls one of the properties")]

#[path = "../properties.rs"]
mod properties;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    properties::ignore(bytes);
});
