//! Any word is expanded or refused, under every set of rules.
#![no_main]
#![allow(dead_code, reason = "each target calls one of the properties")]

#[path = "../properties.rs"]
mod properties;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    properties::expander(bytes);
});
