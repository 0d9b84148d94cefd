//! Any bytes as a definition are accepted or refused; what is accepted can be shown.
#![no_main]

use builder::llb::{json, validate::validate, wire};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(definition) = wire::decode_definition(bytes)
        && validate(&definition).is_ok()
    {
        json::definition(&definition).expect("a valid definition is shown");
    }
});
