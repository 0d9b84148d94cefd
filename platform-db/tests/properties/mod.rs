//! What holds for every input. Asserted by the fuzz targets, and by `corpus.rs` over their corpus.

#![allow(clippy::panic, reason = "helpers of tests are test code")]

use platform_db::Platform;
use platform_db::object::{needs, read};

/// One of each object format, and those whose files say more.
const PLATFORMS: &[&str] = &[
    "darwin/arm64",
    "linux/amd64",
    "linux/arm/v7",
    "linux/mipsle",
    "linux/mips64/r6",
    "linux/riscv64",
    "wasip1/wasm",
    "windows/amd64",
];

/// Any bytes are an object file, none, or an error.
#[allow(dead_code, reason = "each fuzz target uses one of the two")]
pub(crate) fn object(bytes: &[u8]) {
    match read(bytes) {
        Ok(Some(facts)) => {
            assert!(!facts.to_string().contains(char::is_control));
            for platform in PLATFORMS {
                let platform: Platform = platform.parse().unwrap_or_else(|error| panic!("{error}"));
                let mismatch = facts.mismatch(&platform);
                assert!(mismatch.is_none_or(|mismatch| !mismatch.to_string().is_empty()));
            }
        }
        Ok(None) => {}
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(Some(needs)) = needs(bytes) {
        assert!(needs.libraries.len() <= bytes.len().max(16));
    }
}

/// Any text is a platform or an error, in every spelling.
#[allow(dead_code, reason = "each fuzz target uses one of the two")]
pub(crate) fn platform(text: &str) {
    match text.parse::<Platform>() {
        Ok(platform) => assert_eq!(platform.to_string().parse(), Ok(platform)),
        Err(error) => {
            let words = error.to_string();
            assert!(words.len() < 900 && !words.contains(char::is_control), "{words}");
            if let Some(meant) = error.did_you_mean {
                assert!(meant.parse::<Platform>().is_ok(), "{meant}");
            }
        }
    }
    let words: Vec<&str> = text.splitn(2, '/').collect();
    let found = [
        Platform::from_triple(text),
        Platform::from_rust(text),
        Platform::from_zig(text),
        Platform::from_debian(text),
        Platform::from_alpine(text),
        Platform::from_rpm(text),
        Platform::from_nix(text),
        Platform::from_conda(text),
        Platform::from_wheel(text),
        Platform::from_pair(text),
        Platform::from_docker_prefix(text),
        Platform::from_release_name(text),
        Platform::from_efi_boot_file(text),
        Platform::from_uname(text).ok(),
        words.first().zip(words.get(1)).and_then(|(os, arch)| Platform::from_go(os, arch)),
        words.first().zip(words.get(1)).and_then(|(os, cpu)| Platform::from_npm(os, cpu)),
    ];
    for platform in found.into_iter().flatten() {
        let version = platform.os_version().is_some();
        assert!(version || platform.to_string().parse() == Ok(platform.clone()), "{platform} of {text:?}");
    }
}
