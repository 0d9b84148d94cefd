//! Environment variables in order.

use crate::dockerfile::expand::Variables;

/// Names and values; a name that is set again moves to the end, as in BuildKit's operations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct EnvList(Vec<(String, String)>);

impl EnvList {
    pub(super) fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let key = key.into();
        self.0.retain(|(known, _)| *known != key);
        self.0.push((key, value.into()));
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_str())
    }

    /// Names and values, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// `KEY=value`, in order.
    pub(super) fn to_vec(&self) -> Vec<String> {
        self.0.iter().map(|(key, value)| format!("{key}={value}")).collect()
    }
}

impl Variables for EnvList {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Splits `KEY=value`; without `=` the value is empty.
pub(super) fn split(variable: &str) -> (&str, &str) {
    variable.split_once('=').unwrap_or((variable, ""))
}

/// Sets a variable in an image configuration: in place when it is there, else at the end.
pub(super) fn set_in_image(env: &mut Vec<String>, key: &str, value: &str) {
    let new = format!("{key}={value}");
    match env.iter_mut().find(|variable| split(variable).0 == key) {
        Some(variable) => *variable = new,
        None => env.push(new),
    }
}
