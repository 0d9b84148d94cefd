//! The arguments that every build has without `ARG`: `BUILDPLATFORM`, `TARGETARCH` and the like.

use platform_db::Platform;

/// Names and values, in BuildKit's order. An empty stage name becomes `default`.
#[must_use]
pub fn automatic_args(build: &Platform, target: &Platform, stage: &str) -> [(&'static str, String); 11] {
    let version = |p: &Platform| p.os_version().unwrap_or_default().to_owned();
    [
        ("BUILDPLATFORM", build.without_os_version().to_string()),
        ("BUILDOS", build.os().to_owned()),
        ("BUILDOSVERSION", version(build)),
        ("BUILDARCH", build.arch().to_owned()),
        ("BUILDVARIANT", build.variant().to_owned()),
        ("TARGETPLATFORM", target.to_string()),
        ("TARGETOS", target.os().to_owned()),
        ("TARGETOSVERSION", version(target)),
        ("TARGETARCH", target.arch().to_owned()),
        ("TARGETVARIANT", target.variant().to_owned()),
        ("TARGETSTAGE", if stage.is_empty() { "default".to_owned() } else { stage.to_owned() }),
    ]
}
