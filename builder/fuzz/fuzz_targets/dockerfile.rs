//! Any text is read, printed, checked and lowered without a panic, and every error has a place inside the text.
#![no_main]

use builder::dockerfile;
use builder::lint::{Context, check};
use builder::lower::{BuildConfig, LowerError, lower};
use builder::source_text::SourceText;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let source = SourceText::new("Dockerfile", text);
    match dockerfile::parse(&source) {
        Err(problems) => problems.iter().for_each(|p| {
            assert!(p.span.start <= text.len() && p.span.end <= text.len());
            let _shown = p.render(&source, false);
        }),
        Ok(file) => {
            let platform = "linux/amd64".parse().expect("a platform");
            let _printed = dockerfile::sexpr::dump(&file);
            let _report = check(&file, &Context::new(platform));
            let mut config = BuildConfig::new("linux/amd64".parse().expect("a platform"));
            config.target_platforms = vec!["linux/arm64".parse().expect("a platform")];
            if let Err(LowerError::Invalid(problem)) = lower(&file, &config, &[].into()) {
                let _shown = problem.render(&source, false);
            }
        }
    }
});
