//! Several target platforms at once: the operations of each are BuildKit's, and what can be shared is.
//!
//! `tests/data/platforms` holds the digests from the provenance of builds by BuildKit v0.29 (script `record` there).

use std::collections::BTreeSet;
use std::path::Path;

use xx_build_frontend::dockerfile;
use xx_build_frontend::llb::pb::op::Op as Kind;
use xx_build_frontend::llb::{pb, wire};
use xx_build_frontend::lower::{BuildConfig, Lowered, lower};
use xx_build_frontend::oci::digest::Digest;
use xx_build_frontend::source_text::SourceText;

const TARGETS: [&str; 3] = ["linux/amd64", "linux/arm64", "linux/arm/v7"];

fn lowered(text: &str) -> Lowered {
    let file = dockerfile::parse(&SourceText::new("Dockerfile", text)).unwrap();
    let mut config = BuildConfig::new("linux/amd64".parse().unwrap());
    config.target_platforms = TARGETS.map(|p| p.parse().unwrap()).to_vec();
    let mut images = super::graphs::images();
    images.extend(super::graphs::read_images(&folder().join("images.json")));
    lower(&file, &config, &images).unwrap_or_else(|e| panic!("{e:?}"))
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/platforms")
}

fn digests(definition: &pb::Definition) -> BTreeSet<String> {
    definition.def.iter().map(|bytes| Digest::of(bytes).to_string()).collect()
}

#[test]
fn operations_for_each_target_are_buildkits() {
    for name in ["cross", "select"] {
        let text = std::fs::read_to_string(folder().join(format!("{name}.Dockerfile"))).unwrap();
        let recorded = std::fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
        let recorded: BTreeSet<BTreeSet<String>> = serde_json::from_str(&recorded).unwrap();
        assert_eq!(recorded.len(), TARGETS.len(), "{name}");
        let ours: BTreeSet<BTreeSet<String>> =
            lowered(&text).targets.iter().map(|t| digests(&t.definition)).collect();
        for target in &ours {
            let nearest = recorded.iter().min_by_key(|r| r.symmetric_difference(target).count()).unwrap();
            let other: Vec<&String> = target.symmetric_difference(nearest).collect();
            assert_eq!(other, Vec::<&String>::new(), "{name}");
        }
        assert_eq!(ours.len(), TARGETS.len(), "{name}");
    }
}

/// Commands of the RUN operations of all targets, each vertex once, with their platforms.
fn runs(text: &str) -> Vec<String> {
    let mut vertices = BTreeSet::new();
    for target in lowered(text).targets {
        for bytes in &target.definition.def {
            let op = wire::decode_op(bytes).unwrap();
            if let (Some(Kind::Exec(exec)), Some(platform)) = (op.op, op.platform) {
                let command = exec.meta.unwrap().args.last().unwrap().clone();
                vertices.insert((command, platform.architecture, Digest::of(bytes)));
            }
        }
    }
    vertices.into_iter().map(|(command, architecture, _)| format!("{command} on {architecture}")).collect()
}

#[test]
fn what_is_equal_runs_once() {
    let base = "localhost:5000/base:1";
    let cases = [
        (
            format!("FROM --platform=$BUILDPLATFORM {base}\nRUN a\nARG TARGETARCH\nRUN b\n"),
            vec!["a on amd64", "b on amd64", "b on amd64", "b on amd64"],
        ),
        (format!("FROM {base}\nRUN a\n"), vec!["a on amd64", "a on arm", "a on arm64"]),
        (
            // A stage taken for another platform: the images below it are, TARGET arguments stay the target's.
            format!("FROM {base} AS s\nRUN a\nFROM --platform=$BUILDPLATFORM s\nRUN b\n"),
            vec!["a on amd64", "b on amd64"],
        ),
        (
            format!("FROM {base} AS s\nARG TARGETARCH\nRUN a\nFROM --platform=$BUILDPLATFORM s\nRUN b\n"),
            vec!["a on amd64", "a on amd64", "a on amd64", "b on amd64", "b on amd64", "b on amd64"],
        ),
        (
            // A platform in the stage's own FROM counts more.
            format!("FROM --platform=linux/arm64 {base} AS s\nRUN a\nFROM --platform=linux/amd64 s\nRUN b\n"),
            vec!["a on arm64", "b on arm64"],
        ),
        (
            format!(
                "FROM {base} AS s\nRUN a\nFROM --platform=$BUILDPLATFORM s AS t\nRUN b\nFROM s\nCOPY --from=t /x /x\nRUN c\n"
            ),
            vec![
                "a on amd64",
                "a on arm",
                "a on arm64",
                "b on amd64",
                "c on amd64",
                "c on arm",
                "c on arm64",
            ],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(runs(&text), expected, "{text}");
    }
}
