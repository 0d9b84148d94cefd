//! Where set-up puts its files: the paths of the original, the folder that `XX_SETUP_DIR` names, or an ordinary user's
//! cache.

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
        if env.is_set("XX_SETUP_DIR") {
            return Self::below(&env.cwd.join(env.var("XX_SETUP_DIR")));
        }
        let system = Self::system();
        if host.is_writable(&system.bin) || (!triple.is_empty() && host.is_file(&system.cfg(triple))) {
            return system;
        }
        let cache = match (env.var("XDG_CACHE_HOME"), env.var("HOME")) {
            ("", "") => PathBuf::from("/tmp/xx"),
            ("", home) => Path::new(home).join(".cache/xx"),
            (cache, _) => Path::new(cache).join("xx"),
        };
        Self::below(&cache)
    }

    /// A layout that takes nothing over and stays in one folder.
    fn below(dir: &Path) -> Self {
        Self {
            bin: dir.join("bin"),
            default_cfg: dir.join("default.cfg"),
            override_bin: None,
            state: dir.join("state"),
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

    /// Returns the program with the target's prefix that is installed, or was made by set-up.
    #[must_use]
    pub fn find(&self, host: &dyn Host, triple: &str, program: &str) -> Option<PathBuf> {
        let installed = host.program(&format!("{triple}-{program}"));
        installed.or_else(|| Some(self.prefixed(triple, program)).filter(|path| host.is_file(path)))
    }

    /// Returns the target's pkg-config: with its prefix, or, where nothing was set up, by the name that reads the target from
    /// the environment.
    #[must_use]
    pub fn pkg_config(&self, host: &dyn Host, triple: &str) -> Option<PathBuf> {
        self.find(host, triple, "pkg-config").or_else(|| host.program("xx-pkg-config"))
    }

    /// Returns how other programs call what [`Layout::find`] finds: by its bare name where that is on PATH.
    #[must_use]
    pub fn found_command(&self, host: &dyn Host, triple: &str, program: &str) -> Option<String> {
        let name = format!("{triple}-{program}");
        if host.program(&name).is_some() {
            return Some(name);
        }
        self.find(host, triple, program).map(|path| path.display().to_string())
    }

    /// Returns the path of the note on a target's set-up.
    #[must_use]
    pub fn stamp(&self, triple: &str) -> PathBuf {
        self.state.join(if triple.is_empty() { "default" } else { triple })
    }
}
