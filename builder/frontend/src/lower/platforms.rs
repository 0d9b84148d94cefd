//! Platforms as operations and arguments spell them.

use platform_db::Platform;

use super::env::EnvList;
use crate::dockerfile::expand::Variables as _;
use crate::llb::pb;
use crate::oci::manifest::known_platform;

/// The platform of a stage: the value, and the form in which BuildKit puts it in the operation of the base image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StagePlatform {
    pub(super) value: Platform,
    pub(super) op: pb::Platform,
}

impl StagePlatform {
    pub(super) fn of(value: Platform) -> Self {
        Self { op: to_op(&value), value }
    }

    /// What `FROM --platform=TEXT` names. BuildKit does not normalise there: `linux/arm` stays without a variant,
    /// `linux/arm64/v8` keeps its own, and the base image's operation holds it so.
    pub(super) fn spelled(text: &str, value: Platform) -> Self {
        let mut op = to_op(&value);
        let parts = text.split('/').count();
        match (value.arch(), value.variant()) {
            ("arm", "v7") if parts < 3 => op.variant.clear(),
            ("arm64", "") if parts == 3 => "v8".clone_into(&mut op.variant),
            _ => {}
        }
        Self { value, op }
    }
}

/// A platform in an operation.
pub fn to_op(platform: &Platform) -> pb::Platform {
    pb::Platform {
        architecture: platform.arch().to_owned(),
        os: platform.os().to_owned(),
        variant: platform.variant().to_owned(),
        os_version: platform.os_version().unwrap_or_default().to_owned(),
        os_features: Vec::new(),
    }
}

/// `->arm64` behind a step's platform when the step's arguments say that it builds for another one.
pub(super) fn cross_suffix(step: &Platform, env: &EnvList) -> String {
    let mut named: Option<Platform> = None;
    let mut parts = (None, None, None);
    for key in env.keys() {
        let value = || env.get(key).unwrap_or_default().to_owned();
        match key {
            "TARGETPLATFORM" => {
                named = value().parse().ok();
                if named.is_some() {
                    break;
                }
            }
            "TARGETOS" => parts.0 = Some(value()),
            "TARGETARCH" => parts.1 = Some(value()),
            "TARGETVARIANT" => parts.2 = Some(value()),
            _ => {}
        }
    }
    let target = named.or_else(|| {
        if parts == (None, None, None) {
            return None;
        }
        let os = parts.0.filter(|s| !s.is_empty()).unwrap_or_else(|| step.os().to_owned());
        let arch = parts.1.filter(|s| !s.is_empty()).unwrap_or_else(|| step.arch().to_owned());
        known_platform(&os, &arch, &parts.2.unwrap_or_default(), "")
    });
    match target {
        Some(target) if target.os() != step.os() => format!("->{target}"),
        Some(target) if target.arch() != step.arch() => {
            let variant = if target.variant().is_empty() { "" } else { "/" };
            format!("->{}{variant}{}", target.arch(), target.variant())
        }
        _ => String::new(),
    }
}
