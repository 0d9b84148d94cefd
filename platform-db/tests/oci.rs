//! OCI platform strings: containerd's normalisations, the inverse pair, and what is refused.

use platform_db::{Part, Platform};
use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

fn read(input: &str) -> String {
    input.parse::<Platform>().map_or_else(|error| format!("error: {error}"), |platform| platform.to_string())
}

/// Input and result, after containerd's `platforms` package (`normalizeArch`, `normalizeOS`).
#[test]
fn normalisations_of_containerd() {
    let cases = [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/x86-64", "linux/amd64"),
        ("linux/x86_64/v1", "linux/amd64"),
        ("linux/x86_64/v2", "linux/amd64/v2"),
        ("linux/i386/anything", "linux/386"),
        ("linux/armhf/v6", "linux/arm/v7"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v2", "linux/amd64/v2"),
        ("Linux/AMD64/V3", "linux/amd64/v3"),
        ("linux/i386", "linux/386"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/arm64/v8.0", "linux/arm64"),
        ("linux/arm64/v8.2", "linux/arm64/v8.2"),
        ("linux/arm64/9", "linux/arm64/v9"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/arm/v5", "linux/arm/v5"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("macos/arm64", "darwin/arm64"),
        ("windows(10.0.17763)/amd64", "windows(10.0.17763)/amd64"),
        ("linux/mips64le/softfloat", "linux/mips64le/softfloat"),
        ("linux/mips64le/hardfloat", "linux/mips64le"),
        ("wasi/wasm32", "wasi/wasm"),
        ("linux/s390x/z13", "linux/s390x"),
        ("linux/loong64/v1", "linux/loong64"),
    ];
    for (input, expected) in cases {
        assert_eq!(read(input), expected, "{input}");
    }
}

#[test]
fn every_platform_reads_back() {
    let mut count = 0;
    for platform in Platform::all() {
        assert_eq!(platform.to_string().parse(), Ok(platform));
        count += 1;
    }
    assert!(count > 100, "{count} platforms");
}

#[test]
fn wrong_parts_are_named() {
    let long = "x".repeat(1 << 20);
    let cases: &[(&str, Part, Option<&str>)] = &[
        ("", Part::Shape, None),
        ("/", Part::Shape, None),
        ("linux", Part::Shape, None),
        ("amd64", Part::Shape, Some("linux/amd64")),
        ("linux/", Part::Shape, None),
        ("linux//v7", Part::Shape, None),
        ("linux/amd64/", Part::Shape, None),
        ("linux/amd64/v2/x", Part::Shape, None),
        ("linus/amd64", Part::Os, Some("linux/amd64")),
        ("linux/amr64", Part::Arch, Some("linux/arm64")),
        ("linux/x64", Part::Arch, Some("linux/amd64")),
        ("linux/mipsel", Part::Arch, Some("linux/mipsle")),
        ("linux/arm/v77", Part::Variant, Some("linux/arm/v7")),
        ("linux/amd64/v7", Part::Variant, Some("linux/amd64/v2")),
        ("darwin/s390x", Part::Combination, None),
        ("linux/wasm", Part::Combination, None),
        ("windows(/amd64", Part::OsVersion, None),
        ("windows(10 0)/amd64", Part::OsVersion, None),
        ("linux\0/amd64", Part::Os, Some("linux/amd64")),
        ("linux/amd64\0", Part::Arch, Some("linux/amd64")),
        ("linux/arm/v7\0", Part::Variant, Some("linux/arm/v7")),
        (" linux/amd64", Part::Os, Some("linux/amd64")),
        ("linux/amd64\n", Part::Arch, Some("linux/amd64")),
        ("////", Part::Shape, None),
        ("linux\\amd64", Part::Shape, None),
        ("linux/../amd64", Part::Arch, None),
        ("linux\u{2215}amd64", Part::Shape, None),
        ("linux/\u{ff41}md64", Part::Arch, Some("linux/amd64")),
        ("linux/arm/v\u{661}", Part::Variant, Some("linux/arm/v5")),
        ("\u{1f427}/amd64", Part::Os, None),
        ("linux()/amd64", Part::OsVersion, None),
        ("windows(10.0.17763/amd64", Part::OsVersion, None),
        ("windows(\0)/amd64", Part::OsVersion, None),
        ("l\u{456}nux/amd64", Part::Os, Some("linux/amd64")),
        (&long, Part::Shape, None),
        (&format!("linux/{long}"), Part::Arch, None),
        (&format!("linux/arm/{long}"), Part::Variant, None),
        (&format!("{long}/amd64"), Part::Os, None),
        (&format!("windows({long})/amd64"), Part::OsVersion, None),
        (&"/".repeat(1 << 20), Part::Shape, None),
        (&"\u{456}".repeat(1 << 19), Part::Shape, None),
    ];
    let mut wrong = Vec::new();
    for (input, part, did_you_mean) in cases {
        let error = input.parse::<Platform>().unwrap_err();
        let shown = &error.input;
        assert_eq!(error.part, *part, "{shown}");
        wrong.extend(
            (error.did_you_mean.as_deref() != *did_you_mean)
                .then(|| format!("{shown}: {:?}", error.did_you_mean)),
        );
        let words = error.to_string();
        assert!(words.len() < 300 && !words.contains(char::is_control), "{words}");
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_missing_part_comes_from_the_given_host_only() {
    let host: Platform = "linux/arm64".parse().unwrap();
    for (input, expected) in [("amd64", "linux/amd64"), ("darwin", "darwin/arm64"), ("arm", "linux/arm/v7")] {
        assert_eq!(Platform::parse_on(input, &host).unwrap().to_string(), expected, "{input}");
    }
    assert!(Platform::parse_on("s390x", &"darwin/arm64".parse().unwrap()).is_err());
    assert!(Platform::parse_on("nothing", &host).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_is_read_prints_as_its_own_inverse(input in any::<String>()) {
        if let Ok(platform) = input.parse::<Platform>() {
            prop_assert_eq!(platform.to_string().parse(), Ok(platform));
        }
    }
}
