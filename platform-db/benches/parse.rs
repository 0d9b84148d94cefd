//! Speed of reading one platform string.
//!
//! `cargo bench -p platform-db --bench parse`. The bar is 200 ns; that nothing is allocated is a test.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use platform_db::Platform;

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("Platform::parse");
    for input in ["linux/amd64", "linux/arm/v7", "Linux/AARCH64", "linux/mips64le/softfloat", "windows/arm64"]
    {
        group.bench_function(input, |bencher| {
            bencher.iter(|| black_box(input).parse::<Platform>());
        });
    }
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
