//! Where set-up puts its files: the paths of the original, or an ordinary user's cache.

use std::path::{Path, PathBuf};

use crate::env::Env;
use crate::host::Host;

/// Folders and files of set-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Programs and `TRIPLE.cfg` files: `/usr/bin`.
    pub bin: PathBuf,
    /// Configuration of calls without a target.
    pub default_cfg: PathBuf,
    /// Where plain `clang` is taken over; none for an ordinary user.
    pub override_bin: Option<PathBuf>,
    /// Notes of what set-up was made from.
    pub state: PathBuf,
}

impl Layout {
    /// Chooses the layout that this process can write, or that someone with more rights has set up for the target.
    #[must_use]
    pub fn of(env: &Env, host: &dyn Host, triple: &str) -> Self {
        let system = Self::system();
        if host.is_writable(&system.bin) || (!triple.is_empty() && host.is_file(&system.cfg(triple))) {
            return system;
        }
        let cache = match (env.var("XDG_CACHE_HOME"), env.var("HOME")) {
            ("", "") => PathBuf::from("/tmp/xx"),
            ("", home) => Path::new(home).join(".cache/xx"),
            (cache, _) => Path::new(cache).join("xx"),
        };
        Self {
            bin: cache.join("bin"),
            default_cfg: cache.join("default.cfg"),
            override_bin: None,
            state: cache.join("state"),
        }
    }

    /// The paths that Dockerfiles written for the original rely on.
    #[must_use]
    pub fn system() -> Self {
        Self {
            bin: "/usr/bin".into(),
            default_cfg: "/etc/llvm/xx-default.cfg".into(),
            override_bin: Some("/usr/local/bin".into()),
            state: "/var/lib/xx".into(),
        }
    }

    /// Returns the configuration file of a target.
    #[must_use]
    pub fn cfg(&self, triple: &str) -> PathBuf {
        self.bin.join(format!("{triple}.cfg"))
    }

    /// Returns the path of a program with the target's prefix.
    #[must_use]
    pub fn prefixed(&self, triple: &str, program: &str) -> PathBuf {
        self.bin.join(format!("{triple}-{program}"))
    }

    /// Returns how other programs call one with the target's prefix: by its bare name where that is on PATH.
    #[must_use]
    pub fn command(&self, triple: &str, program: &str) -> String {
        if *self == Self::system() {
            return format!("{triple}-{program}");
        }
        self.prefixed(triple, program).display().to_string()
    }

    /// Returns the path of the note on a target's set-up.
    #[must_use]
    pub fn stamp(&self, triple: &str) -> PathBuf {
        self.state.join(if triple.is_empty() { "default" } else { triple })
    }
}
