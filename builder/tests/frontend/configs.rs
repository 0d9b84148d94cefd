//! Image configurations against those BuildKit writes, byte by byte up to what only a build can know.
//!
//! `tests/data/configs` holds what BuildKit v0.29 wrote (script `record` there). Left out of the comparison: the digests
//! of layers, and `created` of the image and of history entries, which the exporter sets.

use std::path::{Path, PathBuf};

use builder::dockerfile;
use builder::lower::{BuildConfig, lower};
use builder::oci::image::Image;
use builder::source_text::SourceText;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/configs")
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
    let mut count = 0;
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
            let recorded = folder().join(format!("{name}.{}.json", platform.replace('/', "-")));
            let recorded = Image::from_slice(&std::fs::read(recorded).unwrap()).unwrap();
            let ours = lowered.targets[0].image.clone();
            let epoch =
                ours.history.iter().filter(|h| h.created.as_deref() == Some("2023-11-14T22:13:20Z")).count();
            assert!(epoch > 0, "{name}: no history has the time of SOURCE_DATE_EPOCH");
            assert_eq!(without_build(ours), without_build(recorded), "{name} {platform}");
            count += 1;
        }
    }
    assert_eq!(count, 6);
}
