//! `only` and `only_strict` against what containerd's own tests expect of `platforms.Only` and `platforms.OnlyStrict`
//! (containerd/platforms, `compare_test.go`): for each platform what serves it, and what does not.
//!
//! Left out are names that no platform here has: `arm/v4`, `arm64/v9.6`, `arm64/v8.10`.

use platform_db::Platform;

/// A platform, the words behind it that serve it, and some that do not. `linux/` is left out.
type Row = (&'static str, &'static str, &'static str);

/// Never served by anything of Linux, nor by another family.
const ELSEWHERE: &str = "windows/amd64 windows/arm";

const ONLY: &[Row] = &[
    ("amd64", "amd64 386", "amd64/v2 arm/v7 arm64"),
    ("amd64/v2", "amd64/v2 amd64/v1 amd64 386", "amd64/v3 amd64/v4 arm/v7 arm64"),
    ("386", "386", "amd64 arm/v7 arm64"),
    ("arm/v8", "arm/v8 arm/v7 arm arm/v6 arm/v5", "amd64 arm64"),
    ("arm/v7", "arm/v7 arm arm/v6 arm/v5", "amd64 arm/v8 arm64"),
    ("arm/v6", "arm/v6 arm/v5", "amd64 arm arm/v7 arm/v8 arm64"),
    ("arm/v5", "arm/v5", "amd64 arm arm/v6 arm/v7 arm/v8 arm64"),
    (
        "arm64/v9.5",
        "arm64/v9.5 arm64/v9.4 arm64/v9.3 arm64/v9.2 arm64/v9.1 arm64/v9 arm64/v9.0 arm64/v8.9 arm64/v8.8 arm64/v8.7 \
         arm64/v8.6 arm64/v8.5 arm64/v8.4 arm64/v8.3 arm64/v8.2 arm64/v8.1 arm64 arm64/v8 arm/v8 arm/v7 arm arm/v6 \
         arm/v5",
        "amd64",
    ),
    (
        "arm64/v9",
        "arm64/v9 arm64/v9.0 arm64/v8.5 arm64/v8.4 arm64/v8.3 arm64/v8.2 arm64/v8.1 arm64 arm64/v8 arm/v8 arm/v7 arm \
         arm/v6 arm/v5",
        "amd64 arm64/v8.6 arm64/v9.1",
    ),
    ("arm64/v8.1", "arm64/v8.1 arm64 arm64/v8 arm/v8 arm/v7 arm arm/v6 arm/v5", "amd64 arm64/v8.2 arm64/v9"),
    ("arm64", "arm64 arm64/v8 arm/v8 arm/v7 arm arm/v6 arm/v5", "amd64 arm64/v8.1 arm64/v9"),
    // What follows is in no table of containerd, which takes these only as they are.
    ("ppc64le/power10", "ppc64le/power10 ppc64le/power9 ppc64le", "ppc64"),
    ("riscv64", "riscv64", "riscv64/rva22u64 riscv"),
    ("mips64le", "mips64le", "mips64le/softfloat mipsle mips64le/r6"),
    ("s390x", "s390x", "s390"),
];

const STRICT: &[Row] = &[
    ("amd64", "amd64 amd64/v1", "386 amd64/v2 arm/v7 arm64"),
    ("386", "386", "amd64 arm/v7 arm64"),
    ("arm/v8", "arm/v8", "arm arm/v7 arm/v6 arm/v5 amd64 arm64"),
    ("arm/v7", "arm arm/v7", "arm/v8 arm/v6 arm/v5 amd64 arm64"),
    ("arm/v6", "arm/v6", "arm arm/v8 arm/v7 arm/v5 amd64 arm64"),
    ("arm/v5", "arm/v5", "arm arm/v8 arm/v7 arm/v6 amd64 arm64"),
    ("arm64/v9.5", "arm64/v9.5", "arm64 arm64/v8.1 arm64/v9 arm64/v9.4 arm arm/v8 amd64"),
    ("arm64/v9", "arm64/v9 arm64/v9.0", "arm64 arm64/v8 arm64/v8.1 arm arm/v8 amd64"),
    ("arm64/v8.1", "arm64/v8.1", "arm64 arm64/v8 arm64/v9 arm arm/v8 amd64"),
    ("arm64", "arm64 arm64/v8", "arm64/v9 arm arm/v8 amd64"),
];

#[expect(clippy::unwrap_used, reason = "a name in the tables above is a platform")]
fn platform(text: &str) -> Platform {
    let whole = if text.starts_with("windows") { text.to_owned() } else { format!("linux/{text}") };
    whole.parse().unwrap()
}

fn words(text: &'static str) -> impl Iterator<Item = Platform> {
    text.split_whitespace().map(platform)
}

#[test]
fn what_serves_in_containerds_order() {
    for (wanted, serve, others) in ONLY {
        let wanted = platform(wanted);
        let ranks: Vec<Option<usize>> = words(serve).map(|content| wanted.only_rank(&content)).collect();
        assert!(ranks.iter().all(Option::is_some), "{wanted}: {ranks:?}");
        assert!(ranks.is_sorted(), "{wanted}: {ranks:?} are not best first");
        assert_eq!(
            ranks.last().copied().flatten(),
            Some(wanted.only().count() - 1),
            "{wanted}: nothing else"
        );
        for other in words(others).chain(words(ELSEWHERE)) {
            assert_eq!(wanted.only_rank(&other), None, "{other} for {wanted}");
        }
    }
}

#[test]
fn what_is_the_very_platform() {
    for (wanted, same, others) in STRICT {
        let wanted = platform(wanted);
        assert!(words(same).all(|content| wanted.only_strict(&content)), "{wanted}");
        for other in words(others).chain(words(ELSEWHERE)) {
            assert!(!wanted.only_strict(&other), "{other} is {wanted}");
        }
    }
}

/// Versions of Windows: the same build before 20348, from the long-supported one before since then.
#[test]
fn versions_of_windows() {
    let cases = [
        ("windows/amd64", "windows(10.0.17763)/amd64", true),
        ("windows(10.0.17763)/amd64", "windows/amd64", true),
        ("windows(10.0.17763)/amd64", "windows(10.0.17763.2114)/amd64", true),
        ("windows(10.0.17763)/amd64", "windows(10.0.20348)/amd64", false),
        ("windows(10.0.20348)/amd64", "windows(10.0.17763)/amd64", false),
        ("windows(10.0.22621)/amd64", "windows(10.0.20348)/amd64", true),
        ("windows(10.0.26100)/amd64", "windows(10.0.20348)/amd64", true),
        ("windows(10.0.26200)/amd64", "windows(10.0.20348)/amd64", false),
        ("windows(10.0.20348)/amd64", "windows(10.0.26100)/amd64", false),
        ("windows(odd)/amd64", "windows(10.0.26100)/amd64", true),
    ];
    for (wanted, content, serves) in cases {
        let rank = platform(wanted).only_rank(&platform(content));
        assert_eq!(rank.is_some(), serves, "{content} for {wanted}");
    }
    let content: Platform = "linux(7.1)/amd64".parse().unwrap();
    assert!("linux(7.2)/amd64".parse::<Platform>().unwrap().only_strict(&content), "counts on Windows alone");
}

#[test]
fn every_platform_serves_itself_best() {
    for wanted in Platform::all() {
        assert_eq!(wanted.only_rank(&wanted), Some(0));
        let order: Vec<Platform> = wanted.only().collect();
        let distinct: std::collections::BTreeSet<&Platform> = order.iter().collect();
        assert_eq!(distinct.len(), order.len(), "{wanted}: a total order");
    }
}
