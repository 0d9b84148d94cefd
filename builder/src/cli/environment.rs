//! What the process finds at its start: the only place that reads arguments, variables and the clock.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// The surroundings of one run.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The command line, program name included.
    pub args: Vec<OsString>,
    /// Environment variables that are text.
    pub variables: HashMap<String, String>,
    /// The current directory.
    pub directory: PathBuf,
    /// `PATH`, for programs like newuidmap.
    pub path: OsString,
    /// Time of the start in nanoseconds since 1970.
    pub now: i64,
    /// `uname -m`.
    pub machine: String,
    /// Effective user id.
    pub uid: u32,
    /// How many processors may be used.
    pub processors: usize,
}

impl Environment {
    /// Time of the start in seconds since 1970.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        self.now.div_euclid(1_000_000_000)
    }

    /// Reads the surroundings of this process.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads environment and clock")]
    pub fn read() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self {
            args: std::env::args_os().collect(),
            variables: variables.collect(),
            directory: std::env::current_dir().unwrap_or_default(),
            path: std::env::var_os("PATH").unwrap_or_default(),
            now: i64::try_from(now).unwrap_or(i64::MAX),
            machine: rustix::system::uname().machine().to_string_lossy().into_owned(),
            uid: rustix::process::geteuid().as_raw(),
            processors: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        }
    }

    /// A variable that is set and not empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Where the store lies when nobody says: `$XX_BUILD_STORE`, or `xx-build` in the user's data folder.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        if let Some(store) = self.variable("XX_BUILD_STORE") {
            return PathBuf::from(store);
        }
        let data = self.variable("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        data.unwrap_or_else(|| PathBuf::from(self.variable("HOME").unwrap_or("/root")).join(".local/share"))
            .join("xx-build")
    }

    /// Whether progress and errors go to a terminal.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        rustix::termios::isatty(std::io::stderr())
    }

    /// Whether standard output is a terminal.
    #[must_use]
    pub fn prints_to_terminal(&self) -> bool {
        rustix::termios::isatty(std::io::stdout())
    }

    /// Whether errors are shown in colour.
    #[must_use]
    pub fn colour(&self) -> bool {
        self.variable("NO_COLOR").is_none() && self.variable("TERM") != Some("dumb") && self.is_terminal()
    }
}
