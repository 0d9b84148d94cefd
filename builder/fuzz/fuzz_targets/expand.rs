//! Any word is expanded or refused, under every set of rules.
#![no_main]

use builder::dockerfile::expand::{Rules, expand};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str)| {
    let (bits, word) = input;
    let rules = Rules {
        escape: if bits & 1 == 0 { '\\' } else { '`' },
        raw_quotes: bits & 2 != 0,
        raw_escapes: bits & 4 != 0,
        no_quotes: bits & 8 != 0,
        keep_unset: bits & 16 != 0,
    };
    let variables = [("a", "x.y.z"), ("E", ""), ("long", "aaaaaaaaaaaaaaaaaaaa")];
    let variables: std::collections::BTreeMap<String, String> =
        variables.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    if let Err(error) = expand(word, &variables, rules) {
        assert!(error.offset <= word.len());
    }
});
