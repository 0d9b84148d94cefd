//! The image configuration with Docker's fields.
//!
//! Fields stand in the order in which BuildKit writes them (top level by name, `config` in Docker's order) and empty
//! ones are left out as Docker leaves them out, so that equal images have equal bytes. Fields that are not known here
//! are kept in `other` and written back after the known ones.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::digest::Digest;
use super::json::null_as_default;

/// An image configuration.
///
/// ```
/// use xx_build_frontend::oci::image::Image;
/// let image = Image::from_slice(br#"{"architecture":"arm64","os":"linux","config":{"Cmd":null},"rootfs":{"type":"layers","diff_ids":[]}}"#)?;
/// assert_eq!(image.architecture, "arm64");
/// assert!(image.config.cmd.is_empty());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Image {
    /// GOARCH of the image.
    #[serde(default)]
    pub architecture: String,
    /// Author, as `MAINTAINER` sets it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// What a container started from the image gets.
    #[serde(default, deserialize_with = "null_as_default")]
    pub config: Config,
    /// When the image was made, RFC 3339; absent when not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// One entry per instruction.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
    /// GOOS of the image.
    #[serde(default)]
    pub os: String,
    /// Features of the operating system (Windows).
    #[serde(
        rename = "os.features",
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub os_features: Vec<String>,
    /// Version of the operating system (Windows).
    #[serde(rename = "os.version", default, skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    /// Digests of the uncompressed layers.
    #[serde(default, deserialize_with = "null_as_default")]
    pub rootfs: RootFs,
    /// Variant of the architecture.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Fields not known here.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What a container started from the image gets. Names are Docker's.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Config {
    /// `USER`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// `EXPOSE`: `port/protocol`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Value>,
    /// `ENV`: `KEY=value`, in order.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// `ENTRYPOINT`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// `CMD`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// `VOLUME`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, Value>,
    /// `WORKDIR`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// `LABEL`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// `STOPSIGNAL`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// Windows: the command is one escaped string.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "std::ops::Not::not")]
    pub args_escaped: bool,
    /// `HEALTHCHECK`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// `ONBUILD`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub on_build: Vec<String>,
    /// `SHELL`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub shell: Vec<String>,
    /// Fields not known here.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `HEALTHCHECK`. Times are nanoseconds; zero means the engine's default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", ...]` or `["CMD-SHELL", line]`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    /// `--interval`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub interval: i64,
    /// `--timeout`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub timeout: i64,
    /// `--start-period`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_period: i64,
    /// `--start-interval`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    /// `--retries`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: i64,
}

fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// Digests of the uncompressed layers, lowest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// One per layer.
    #[serde(default, deserialize_with = "null_as_default")]
    pub diff_ids: Vec<Digest>,
}

impl Default for RootFs {
    fn default() -> Self {
        Self { kind: "layers".to_owned(), diff_ids: Vec::new() }
    }
}

/// One step of the image's making.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct History {
    /// When, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The instruction.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub created_by: String,
    /// Who.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// What made it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Whether the step made no layer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

impl Image {
    /// Reads an image configuration.
    ///
    /// # Errors
    /// The bytes are not JSON of an image configuration.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// Writes the configuration as compact JSON.
    ///
    /// # Errors
    /// Only what serde_json reports; a value of this type always serialises.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        super::json::to_go_json(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_dockers_order_and_omissions() {
        let written = r#"{"architecture":"amd64","config":{"Env":["A=\u003cb\u003e \u0026"],"Cmd":["/bin/sh"],"WorkingDir":"/","ArgsEscaped":true,"Healthcheck":{"Test":["NONE"]},"OnBuild":["RUN x"],"Shell":["/bin/sh","-c"]},"history":[{"created_by":"CMD","comment":"c","empty_layer":true}],"os":"linux","rootfs":{"type":"layers","diff_ids":[]},"variant":"v2"}"#;
        let image = Image::from_slice(written.as_bytes()).unwrap();
        assert_eq!(image.config.env, ["A=<b> &"]);
        assert_eq!(String::from_utf8(image.to_bytes().unwrap()).unwrap(), written);
    }

    #[test]
    fn keeps_unknown_fields_and_reads_null_as_empty() {
        let read = r#"{"architecture":"arm","os":"linux","docker_version":"20","config":{"Cmd":null,"Volumes":null,"Hostname":"h"},"rootfs":{"type":"layers","diff_ids":null},"history":null}"#;
        let image = Image::from_slice(read.as_bytes()).unwrap();
        assert_eq!(image.other.get("docker_version"), Some(&Value::from("20")));
        let again = Image::from_slice(&image.to_bytes().unwrap()).unwrap();
        assert_eq!(again, image);
        assert_eq!(again.config.other.get("Hostname"), Some(&Value::from("h")));
    }
}
