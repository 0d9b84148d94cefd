//! Image configurations against those BuildKit writes, byte by byte up to what only a build can know.
//!
//! `tests/data/configs` holds what BuildKit wrote (script `record` there), as of August 2026; `NAME.v0.29.json` is what
//! v0.29 wrote, where that is something else. Left out of the comparison: the digests
//! of layers, and `created` of the image and of history entries, which the exporter sets.

use std::path::{Path, PathBuf};

use xx_build_frontend::dockerfile;
use xx_build_frontend::lower::{BuildConfig, lower};
use xx_build_frontend::oci::image::Image;
use xx_build_frontend::source_text::SourceText;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/configs")
}

fn read(name: &str) -> Option<Image> {
    Some(Image::from_slice(&std::fs::read(folder().join(name)).ok()?).unwrap())
}

/// What a build adds is taken out.
fn without_build(mut image: Image) -> String {
    image.created = None;
    image.rootfs.diff_ids.clear();
    image.history.iter_mut().for_each(|h| h.created = None);
    String::from_utf8(image.to_bytes().unwrap()).unwrap()
}

#[test]
fn configurations_are_buildkits() {
    let (mut count, mut of_v0_29) = (0, 0);
    for name in ["all", "platform", "scratch"] {
        let text = std::fs::read_to_string(folder().join(format!("{name}.Dockerfile"))).unwrap();
        let file = dockerfile::parse(&SourceText::new("Dockerfile", text)).unwrap();
        for platform in ["linux/amd64", "linux/arm/v7"] {
            let mut config = BuildConfig::new("linux/amd64".parse().unwrap());
            config.target_platforms = vec![platform.parse().unwrap()];
            config.build_args.insert("A".into(), "given".into());
            config.build_args.insert("SOURCE_DATE_EPOCH".into(), "1700000000".into());
            config.labels.insert("given".into(), "yes".into());
            let lowered = lower(&file, &config, &super::graphs::images()).unwrap();
            let place = platform.replace('/', "-");
            let recorded = read(&format!("{name}.{place}.json")).unwrap();
            let ours = lowered.targets[0].image.clone();
            let epoch =
                ours.history.iter().filter(|h| h.created.as_deref() == Some("2023-11-14T22:13:20Z")).count();
            assert!(epoch > 0, "{name}: no history has the time of SOURCE_DATE_EPOCH");
            let ours = without_build(ours);
            assert_eq!(ours, without_build(recorded), "{name} {platform}");
            if let Some(before) = read(&format!("{name}.{place}.v0.29.json")) {
                assert_ne!(ours, without_build(before), "{name} {platform}: the same as in v0.29");
                of_v0_29 += 1;
            }
            count += 1;
        }
    }
    assert_eq!((count, of_v0_29), (6, 4));
}
