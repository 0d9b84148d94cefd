//! Speed of the front end: reading, checking and lowering Dockerfiles.
//!
//! `cargo bench -p xx-build-frontend --bench frontend`. The bar for reading is 50 MB/s. All work here is one thread's, so what is
//! measured is processor time: it is the same on a busy machine.
#![expect(clippy::expect_used, reason = "a measurement of something else than intended is worse than none")]

use std::hint::black_box;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rustix::time::{ClockId, clock_gettime};
use xx_build_frontend::dockerfile::ignore::Matcher;
use xx_build_frontend::lint::{Context, check};
use xx_build_frontend::lower::{BuildConfig, lower};
use xx_build_frontend::source_text::SourceText;

/// Nanoseconds that this thread was on a processor.
struct ProcessorTime;

impl ProcessorTime {
    fn now() -> i64 {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}

impl Measurement for ProcessorTime {
    type Intermediate = i64;
    type Value = i64;

    fn start(&self) -> i64 {
        Self::now()
    }

    fn end(&self, start: i64) -> i64 {
        Self::now() - start
    }

    fn add(&self, a: &i64, b: &i64) -> i64 {
        a + b
    }

    fn zero(&self) -> i64 {
        0
    }

    #[expect(clippy::cast_precision_loss, reason = "a measurement of 2^53 nanoseconds takes 104 days")]
    fn to_f64(&self, value: &i64) -> f64 {
        *value as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        // Shows nanoseconds; it does not ask where they come from.
        WallTime.formatter()
    }
}

/// A part of a file as projects have it, 20 lines.
const PART: &str = r#"
# tools the compilers and what they need
FROM --platform=$BUILDPLATFORM scratch AS tools-NUMBER
ENV LANG=C.UTF-8 \
    PATH=/opt/tools/bin:$PATH
WORKDIR /src
RUN --mount=type=cache,id=apt-NUMBER,target=/var/cache/apt,sharing=locked \
    apt-get update && \
    # only what is needed
    apt-get install -y --no-install-recommends clang lld make ca-certificates
COPY --link go.mod go.sum ./
ARG TARGETARCH VERSION=${VERSION:-1.0}
RUN --mount=target=. --mount=type=cache,target=/root/.cache/go-build <<EOF
set -e
go build -ldflags "-X main.version=${VERSION}" -o /out/app-$TARGETARCH ./cmd/app
EOF
LABEL org.opencontainers.image.title="app" org.opencontainers.image.version="${VERSION}"
EXPOSE 8080/tcp
HEALTHCHECK --interval=30s CMD ["/app", "health"]
ENTRYPOINT ["/app"]
"#;

fn file(parts: usize) -> String {
    (0..parts).map(|number| PART.replace("NUMBER", &number.to_string())).collect()
}

fn reading(c: &mut Criterion<ProcessorTime>) {
    let source = SourceText::new("Dockerfile", file(1000));
    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Bytes(source.text().len() as u64));
    group.bench_function("parse", |b| {
        b.iter_with_large_drop(|| xx_build_frontend::dockerfile::parse(black_box(&source)));
    });
    group.finish();
}

fn whole(c: &mut Criterion<ProcessorTime>) {
    let text = file(10);
    let platform = |text: &str| text.parse().expect("a platform");
    let mut config = BuildConfig::new(platform("linux/amd64"));
    config.target_platforms = ["linux/amd64", "linux/arm64", "linux/arm/v7"].map(platform).to_vec();
    let context = Context::new(config.build_platform.clone());
    c.bench_function("read, check and lower 200 lines for three platforms", |b| {
        b.iter(|| {
            let source = SourceText::new("Dockerfile", black_box(text.as_str()));
            let file = xx_build_frontend::dockerfile::parse(&source).expect("a file");
            let report = check(&file, &context).expect("a report");
            let lowered = lower(&file, &config, &[].into()).expect("a graph");
            (report.warnings.len(), lowered.targets.len())
        });
    });
}

fn ignoring(c: &mut Criterion<ProcessorTime>) {
    let patterns =
        ["target", "**/*.o", "!keep/**/*.o", "docs/**/*.md", "node_modules", ".git", "a*/b?/[c-e]f"];
    let matcher = Matcher::new(&patterns).expect("patterns");
    let paths: Vec<String> = (0..1000).map(|i| format!("src/module{i}/file{i}.rs")).collect();
    let mut group = c.benchmark_group("ignore");
    group.throughput(Throughput::Elements(paths.len() as u64));
    group.bench_function("match", |b| {
        b.iter(|| paths.iter().filter(|p| matcher.matches(black_box(p.as_bytes()))).count());
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(ProcessorTime);
    targets = reading, whole, ignoring
}
criterion_main!(benches);
