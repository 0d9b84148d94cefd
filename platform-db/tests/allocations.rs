//! The hot path of reading a platform does not allocate. Speed is `benches/parse.rs`'s.

use platform_db::Platform;

fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

#[test]
fn reading_and_asking_allocate_nothing() {
    let known: Vec<(Platform, String)> =
        Platform::all().map(|platform| (platform.clone(), platform.to_string())).collect();
    let mut read = 0;
    let count = allocations(|| {
        for (platform, text) in &known {
            let found = text.parse::<Platform>();
            assert!(found.as_ref() == Ok(platform));
            read += found.is_ok_and(|found| found.debian() == platform.debian()) as usize;
        }
    });
    assert_eq!((count, read), (0, known.len()));
}

#[test]
fn other_spellings_allocate_nothing() {
    let cases =
        ["Linux/AARCH64", "linux/x86_64", "macos/arm64", "linux/armhf", "linux/arm64/v8", "linux/amd64/v1"];
    for text in cases {
        assert_eq!(allocations(|| assert!(text.parse::<Platform>().is_ok())), 0, "{text}");
    }
}

/// The counter counts: a version is kept, and an error keeps its input.
#[test]
fn what_is_kept_is_allocated() {
    for text in ["windows(10.0.17763)/amd64", "linux/amr64"] {
        assert!(allocations(|| drop(text.parse::<Platform>())) > 0, "{text}");
    }
}
