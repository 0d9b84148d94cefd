//! The settings file: TOML, with BuildKit's names where BuildKit has the setting.
//!
//! ```toml
//! syntax-mirrors = ["mirror.example"]    # whose `docker/dockerfile` is the built-in front end, too
//!
//! network = "auto"                 # of steps: their own, where `pasta` or `slirp4netns` is; `bridge`: by the machine's
//!                                  # nftables, for root; `host`: the machine's
//!
//! [registry."docker.io"]
//! mirrors = ["hub.example:5000"]   # counts as one of them
//!
//! [gc]
//! enabled = true                   # after each build
//!
//! [[gc.policy]]                    # in this order; BuildKit's defaults when there is none
//! filters = ["type==exec.cachemount"]
//! keepDuration = "48h"
//! maxUsedSpace = "512MB"
//!
//! [[gc.policy]]
//! all = true
//! reservedSpace = "10GB"
//! maxUsedSpace = "60%"
//! minFreeSpace = "20GB"
//! ```
//!
//! Text comes in, a value goes out; where the file lies is the command line's business.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

/// What a settings file says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Garbage collection.
    pub gc: GcSettings,
    /// Registries by host.
    pub registry: BTreeMap<String, RegistrySettings>,
    /// The network of steps that name none.
    pub network: NetworkSetting,
    /// Hosts that hold Docker Hub's front ends.
    #[serde(rename = "syntax-mirrors")]
    pub syntax_mirrors: Vec<String>,
}

/// Which network steps have that name none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkSetting {
    /// One of their own, with connections outwards, where the machine can give it.
    #[default]
    Auto,
    /// One of their own behind the machine's packet filter, for root.
    Bridge,
    /// The machine's, without rights over it.
    Host,
}

/// What is known of a registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrySettings {
    /// Hosts, perhaps with a folder, that hold what it holds.
    pub mirrors: Vec<String>,
}

impl Settings {
    /// Every host whose `docker/dockerfile` is Docker Hub's.
    #[must_use]
    pub fn front_end_mirrors(&self) -> Vec<String> {
        let hub = self.registry.get("docker.io").map(|registry| registry.mirrors.as_slice());
        self.syntax_mirrors.iter().chain(hub.unwrap_or_default()).cloned().collect()
    }
}

/// When the store is tidied, and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GcSettings {
    /// Whether a build ends with it.
    pub enabled: bool,
    /// Rules in their order; empty for the default ones.
    pub policy: Vec<PolicySettings>,
}

impl Default for GcSettings {
    fn default() -> Self {
        Self { enabled: true, policy: vec![] }
    }
}

/// One rule as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct PolicySettings {
    /// Base images too.
    pub all: bool,
    /// Conditions, any of which chooses a record.
    pub filters: Vec<String>,
    /// Seconds, or a duration such as `48h`.
    pub keep_duration: Amount,
    /// Bytes, an amount such as `10GB`, or a part of the disk such as `10%`.
    pub reserved_space: Amount,
    /// As `reserved_space`.
    pub max_used_space: Amount,
    /// As `reserved_space`.
    pub min_free_space: Amount,
}

/// A number, or a number with a unit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Amount {
    /// Without a unit.
    Number(u64),
    /// With one; empty for nothing.
    Text(String),
}

impl Default for Amount {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Amount {
    /// The text, if anything was said.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Number(number) => Some(number.to_string()),
            Self::Text(text) => (!text.is_empty()).then(|| text.clone()),
        }
    }
}

/// A settings file that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {message}")]
pub struct BadSettings {
    /// Where, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl Settings {
    /// Reads the text of a settings file.
    ///
    /// # Errors
    /// When it is not TOML, or has a setting that does not exist.
    pub fn parse(text: &str) -> Result<Self, BadSettings> {
        toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let before = text.get(..start).unwrap_or_default();
            BadSettings { line: 1 + before.matches('\n').count(), message: error.message().to_owned() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read() {
        assert_eq!(Settings::parse(""), Ok(Settings::default()));
        assert!(Settings::default().gc.enabled);
        let text = "[gc]\nenabled = false\n[[gc.policy]]\nkeepDuration = 7\nfilters = [\"a\"]\n[[gc.policy]]\nall = true\nreservedSpace = \"10%\"\n";
        let gc = Settings::parse(text).expect("valid").gc;
        let amounts: Vec<_> = gc
            .policy
            .iter()
            .map(|policy| (policy.all, policy.keep_duration.text(), policy.reserved_space.text()))
            .collect();
        assert!(!gc.enabled);
        assert_eq!(amounts, [(false, Some("7".to_owned()), None), (true, None, Some("10%".to_owned()))]);
    }

    #[test]
    fn front_ends_of_mirrors() {
        let text = "syntax-mirrors = [\"a\"]\n[registry.\"docker.io\"]\nmirrors = [\"b:5000/c\"]\n[registry.\"quay.io\"]\nmirrors = [\"d\"]\n";
        assert_eq!(
            Settings::parse(text).map(|settings| settings.front_end_mirrors()),
            Ok(vec!["a".to_owned(), "b:5000/c".to_owned()])
        );
    }

    #[test]
    fn mistakes_have_a_line() {
        for (text, line) in [
            ("[gc]\nenabledd = true\n", 2),
            ("x", 1),
            ("[gc]\n\nenabled = 3\n", 3),
            ("[cache]\n", 1),
            ("\nnetwork = \"bridged\"\n", 2),
        ] {
            assert_eq!(Settings::parse(text).map_err(|error| error.line), Err(line), "{text}");
        }
    }
}
