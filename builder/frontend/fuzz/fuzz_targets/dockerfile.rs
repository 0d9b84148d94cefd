//! Any text is read, printed, checked and lowered without a panic.
#![no_main]
#![allow(dead_code, reason = "each target calls one of the properties")]

#[path = "../properties.rs"]
mod properties;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    properties::dockerfile(bytes, &Default::default());
});
