//! What holds for any input. The fuzz targets and the ordinary tests (`tests/frontend/random.rs`) call the same.

use std::collections::BTreeMap;

use xx_build_frontend::dockerfile::expand::{Rules, expand};
use xx_build_frontend::dockerfile::ignore::{Matched, Matcher, patterns};
use xx_build_frontend::dockerfile::{self, ignore_file};
use xx_build_frontend::lint::{Context, check};
use xx_build_frontend::llb::validate::{inputs_first, validate};
use xx_build_frontend::llb::{json, wire};
use xx_build_frontend::lower::{BuildConfig, LowerError, ResolvedImages, lower};
use xx_build_frontend::source_text::SourceText;

/// Any text is read, printed, checked and lowered or refused, and every error has a place inside the text.
/// Tells whether it was read.
pub(crate) fn dockerfile(bytes: &[u8], images: &ResolvedImages) -> bool {
    let source = match SourceText::from_bytes("Dockerfile", bytes.to_vec()) {
        Ok(source) => source,
        Err(error) => {
            assert!(error.offset <= bytes.len());
            return false;
        }
    };
    let length = source.text().len();
    let file = match dockerfile::parse(&source) {
        Ok(file) => file,
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(problem.span.start <= problem.span.end && problem.span.end <= length, "{problem:?}");
                assert!(problem.render(&source, false).contains("Dockerfile:"), "{problem:?}");
            }
            return false;
        }
    };
    let nodes = dockerfile::syntax(&source).expect("what has a meaning has a form");
    assert!(!dockerfile::sexpr::dump(&nodes).is_empty());
    let platform = |text: &str| text.parse().expect("a platform");
    for warning in
        check(&file, &Context::new(platform("linux/amd64"))).map(|r| r.warnings).unwrap_or_default()
    {
        assert!(warning.span.end <= length, "{warning:?}");
    }
    let mut config = BuildConfig::new(platform("linux/amd64"));
    config.target_platforms = vec![platform("linux/amd64"), platform("linux/arm64")];
    match lower(&file, &config, images) {
        Ok(lowered) => {
            for target in lowered.targets {
                if let Err(refused) = validate(&target.definition) {
                    // Paths that climb are left to whoever runs the graph.
                    assert!(refused.to_string().contains("climbs"), "{refused}");
                }
            }
        }
        Err(LowerError::Invalid(problem)) => {
            assert!(problem.span.end <= length, "{problem:?}");
            let _picture = problem.render(&source, false);
        }
        Err(LowerError::MissingImages(requests)) => assert!(!requests.is_empty()),
    }
    true
}

/// Any word is expanded or refused under every set of rules (the bits of the first byte).
pub(crate) fn expander(bytes: &[u8]) {
    let Some((bits, word)) = bytes.split_first() else { return };
    let Ok(word) = std::str::from_utf8(word) else { return };
    let rules = Rules {
        escape: if bits & 1 == 0 { '\\' } else { '`' },
        raw_quotes: bits & 2 != 0,
        raw_escapes: bits & 4 != 0,
        no_quotes: bits & 8 != 0,
        keep_unset: bits & 16 != 0,
    };
    let variables = [("a", "x.y.z"), ("E", ""), ("long", "aaaaaaaaaaaaaaaaaaaa")];
    let variables: BTreeMap<String, String> =
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    if let Err(error) = expand(word, &variables, rules) {
        assert!(error.offset <= word.len());
    }
}

/// Patterns (before the first NUL) match a path (behind it) or not. Walking gives the answer of asking at once, and
/// pruning never loses a path.
pub(crate) fn ignore(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let (Some(text), path) = (parts.next(), parts.next().unwrap_or_default()) else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let list = patterns(text);
    let good = ignore_file::check(&SourceText::new(".dockerignore", text)).is_ok();
    let Ok(matcher) = Matcher::new(&list) else {
        assert!(!good, "a bad pattern without a place");
        return;
    };
    assert!(good, "a good list is refused");
    let names = path.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"." | b".."));
    let path = names.collect::<Vec<_>>().join(&b'/');
    let mut above = Matched::default();
    let mut matched = false;
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(index, _)| index);
    for end in ends.chain([path.len()]) {
        let part = path.get(..end).unwrap_or_default();
        if end < path.len() {
            let all = matcher.excludes_all_below(part);
            assert!(!all || matcher.matches(&path), "{list:?} {path:?}: pruned at {end}");
            let none = !matcher.may_include_below(part);
            assert!(!none || !matcher.matches(&path), "{list:?} {path:?}: not entered at {end}");
        }
        (matched, above) = matcher.matches_below(part, &above);
    }
    assert_eq!(matched, matcher.matches(&path), "{list:?} {path:?}");
}

/// Any bytes are a definition or not; one that is accepted can be shown and stays the same when written again.
pub(crate) fn definition(bytes: &[u8]) -> bool {
    let Ok(definition) = wire::decode_definition(bytes) else { return false };
    let Ok(definition) = inputs_first(definition) else { return false };
    let Ok(valid) = validate(&definition) else { return false };
    json::definition(&definition).expect("a valid definition is shown");
    let again =
        wire::decode_definition(&wire::encode_definition(&definition)).expect("what was written is read");
    assert_eq!(again.def, definition.def);
    let same = validate(&again).expect("valid again");
    assert_eq!(valid.result, same.result);
    true
}
