//! Patterns match or not without a panic; walking gives the answer of asking at once, and pruning never loses a path.
#![no_main]

use builder::dockerfile::ignore::{Matched, Matcher, patterns};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| {
    let (text, path) = input;
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty() && *p != "." && *p != "..").collect();
    let path = parts.join("/");
    let Ok(matcher) = Matcher::new(&patterns(text)) else { return };
    let mut above = Matched::default();
    let mut matched = false;
    let ends = path.bytes().enumerate().filter(|(_, b)| *b == b'/').map(|(i, _)| i);
    for end in ends.chain([path.len()]) {
        let part = &path.as_bytes()[..end];
        if matcher.excludes_all_below(part) && end < path.len() {
            assert!(matcher.matches(path.as_bytes()), "pruned at {end}");
        }
        (matched, above) = matcher.matches_below(part, &above);
    }
    assert_eq!(matched, matcher.matches(path.as_bytes()));
});
