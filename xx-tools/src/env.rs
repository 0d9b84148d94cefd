//! The process as one value: name, arguments, environment. The only reader of them.
//!
//! What must be asked of the machine while planning (files, programs, `uname`) is [`Host`](crate::host::Host)'s.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// A snapshot of the process, taken once in `main`.
#[derive(Clone, Debug, Default)]
pub struct Env {
    /// Last part of `argv[0]`: the tool's name.
    pub name: String,
    /// Arguments after `argv[0]`.
    pub args: Vec<OsString>,
    /// Environment variables, in the order of the process.
    pub vars: Vec<(OsString, OsString)>,
    /// Working directory; empty when it cannot be read.
    pub cwd: PathBuf,
}

impl Env {
    /// Reads the process.
    #[must_use]
    pub fn of_process() -> Self {
        let mut args = std::env::args_os();
        let argv0 = args.next().unwrap_or_default();
        let name = PathBuf::from(argv0).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let cwd = std::env::current_dir().unwrap_or_default();
        Self { name, args: args.collect(), vars: std::env::vars_os().collect(), cwd }
    }

    /// Builds a value for a test or a sub-plan from `NAME=value` pairs and arguments.
    #[must_use]
    pub fn new(name: &str, args: &[&str], vars: &[(&str, &str)]) -> Self {
        Self {
            name: name.to_owned(),
            args: args.iter().map(OsString::from).collect(),
            vars: vars.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect(),
            cwd: PathBuf::from("/"),
        }
    }

    /// Returns a variable as text, `""` when it is unset, empty or not UTF-8.
    #[must_use]
    pub fn var(&self, name: &str) -> &str {
        self.var_os(name).and_then(OsStr::to_str).unwrap_or_default()
    }

    /// Returns a variable as it is.
    #[must_use]
    pub fn var_os(&self, name: &str) -> Option<&OsStr> {
        self.vars.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
    }

    /// Returns whether a variable is set to anything but nothing.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        self.var_os(name).is_some_and(|value| !value.is_empty())
    }

    /// Returns the environment with one variable replaced; `""` is the same as unset to every tool here.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.vars.retain(|(known, _)| known != name);
        self.vars.push((name.into(), value.into()));
        self
    }

    /// Returns the environment without a target: what is asked then is asked of the build machine.
    #[must_use]
    pub fn native(mut self) -> Self {
        self.vars.retain(|(name, _)| !TARGET_VARIABLES.iter().any(|known| name == known));
        self
    }

    /// Returns whether this call only prints its plan, and removes the flag that says so. What comes after `--` is
    /// another program's.
    pub fn take_dry_run(&mut self) -> bool {
        let before = self.args.len();
        let end = self.args.iter().position(|arg| arg == "--").unwrap_or(before);
        let flag = self.args.iter().take(end).position(|arg| arg == "--xx-dry-run");
        if let Some(at) = flag {
            self.args.remove(at);
            *self = std::mem::take(self).with("XX_DRY_RUN", "1");
        }
        self.var("XX_DRY_RUN") == "1"
    }
}

/// The variables that name a target.
pub(crate) const TARGET_VARIABLES: &[&str] =
    &["TARGETPLATFORM", "TARGETPAIR", "TARGETOS", "TARGETARCH", "TARGETVARIANT"];
