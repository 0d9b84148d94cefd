//! `--print=plan`: what runs once, what per platform, what under emulation.

use xx_build_frontend::dockerfile;
use xx_build_frontend::lower::plan::{Way, plan};
use xx_build_frontend::lower::{BuildConfig, lower};
use xx_build_frontend::source_text::SourceText;

const FILE: &str = "\
FROM --platform=$BUILDPLATFORM localhost:5000/base:1 AS build
WORKDIR /src
RUN tools   install \\
    compiler
ARG TARGETARCH
RUN compile for $TARGETARCH
FROM localhost:5000/base:1
RUN configure
COPY --from=build /src/app /app
";

const PLAN: &str = "\
linux/amd64, linux/386, linux/arm64, linux/arm/v7 on linux/amd64

natively, once:
  Dockerfile:2  WORKDIR /src
  Dockerfile:3  RUN tools install compiler

natively, for each platform:
  Dockerfile:6  RUN compile for $TARGETARCH  [4 runs]
  Dockerfile:9  COPY --from=build /src/app /app  [4 runs]

under emulation:
  Dockerfile:8  RUN configure  [linux/arm64, linux/arm/v7; natively: linux/amd64, linux/386]
  hint: compile in a stage `FROM --platform=$BUILDPLATFORM ...` with xx-clang, xx-go or xx-cargo, and `COPY --from` it: docs/checks/emulated-run.md

5 steps, 14 runs: 2 once, 2 for each platform, 1 under emulation
";

fn planned(text: &str, platforms: &[&str]) -> xx_build_frontend::lower::plan::Plan {
    let file = dockerfile::parse(&SourceText::new("Dockerfile", text)).unwrap();
    let mut config = BuildConfig::new("linux/amd64".parse().unwrap());
    config.target_platforms = platforms.iter().map(|p| p.parse().unwrap()).collect();
    let mut images = super::graphs::images();
    let template = images.iter().find(|(key, _)| key.reference == "localhost:5000/base:1");
    let (mut key, mut image) = template.map(|(key, image)| (key.clone(), image.clone())).unwrap();
    key.platform = "linux/386".parse().unwrap();
    image.config = String::from_utf8(image.config).unwrap().replace("\"amd64\"", "\"386\"").into_bytes();
    images.insert(key, image);
    let lowered = lower(&file, &config, &images).unwrap_or_else(|e| panic!("{e:?}"));
    plan(&lowered, &config.build_platform).unwrap()
}

#[test]
fn a_plan_in_words() {
    let found = planned(FILE, &["linux/amd64", "linux/386", "linux/arm64", "linux/arm/v7"]).to_string();
    assert_eq!(found, PLAN, "{found}");
}

#[test]
fn a_plan_as_json() {
    let value = planned(FILE, &["linux/arm64", "linux/arm/v7"]).to_json();
    let steps = value["steps"].as_array().unwrap();
    let ways: Vec<String> = steps
        .iter()
        .map(|s| format!("{} {} {}", s["line"], s["way"], s["runs"].as_array().unwrap().len()))
        .collect();
    assert_eq!(
        ways,
        ["2 \"once\" 1", "3 \"once\" 1", "6 \"per-platform\" 2", "8 \"emulated\" 2", "9 \"per-platform\" 2"]
    );
    assert_eq!(steps[1]["runs"][0]["targets"], serde_json::json!(["linux/arm64", "linux/arm/v7"]));
    assert_eq!(steps[1]["runs"][0]["platform"], "linux/amd64");
    assert_eq!(steps[3]["runs"][1]["emulated"], true);
}

#[test]
fn the_way_of_each_step() {
    let base = "localhost:5000/base:1";
    let cases = [
        // Files that are equal for every platform are placed once.
        ("FROM scratch\nCOPY a /a\n".to_owned(), vec![Way::Once]),
        ("FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH/a /a\n".to_owned(), vec![Way::PerPlatform]),
        (format!("FROM --platform=linux/arm64 {base}\nRUN a\n"), vec![Way::Emulated]),
        (
            format!("FROM --platform=$BUILDPLATFORM {base}\nRUN a\nCOPY --link a b\n"),
            vec![Way::Once, Way::Once],
        ),
        (format!("FROM {base}\nRUN a\n"), vec![Way::Emulated]),
        // A stage that nothing uses is no part of the plan.
        (format!("FROM {base}\nRUN a\nFROM scratch\nCOPY a b\n"), vec![Way::Once]),
    ];
    for (text, expected) in cases {
        let found: Vec<Way> =
            planned(&text, &["linux/amd64", "linux/arm64"]).steps.iter().map(|step| step.way()).collect();
        assert_eq!(found, expected, "{text}");
    }
}
