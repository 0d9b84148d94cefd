//! The build machine, asked for real.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::env::Env;
use crate::host::Host;
use crate::{report, run};

/// Answers from the machine this process runs on.
pub struct Machine {
    path: std::ffi::OsString,
    cwd: PathBuf,
    /// The reasons told so far, when the user wants to hear them.
    told: Option<RefCell<BTreeSet<String>>>,
}

/// Variables that ask for reasons: ours, and those by which the original traces one of its scripts.
const DEBUG: &[&str] = &["XX_DEBUG", "XX_DEBUG_APK", "XX_DEBUG_APT", "XX_DEBUG_CARGO", "XX_DEBUG_VERIFY"];

impl Machine {
    /// Takes `PATH` and the working directory from the process's snapshot.
    #[must_use]
    pub fn new(env: &Env) -> Self {
        let path = env.var_os("PATH").filter(|path| !path.is_empty()).unwrap_or("/usr/bin:/bin".as_ref());
        let told = DEBUG.iter().any(|name| env.is_set(name)).then(RefCell::default);
        Self { path: path.to_owned(), cwd: env.cwd.clone(), told }
    }
}

impl Host for Machine {
    fn read(&self, path: &Path) -> Option<String> {
        std::fs::read_to_string(path).ok()
    }

    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn is_there(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok()
    }

    fn list(&self, dir: &Path) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn programs(&self, name: &str) -> Vec<PathBuf> {
        which::which_in_all(name, Some(&self.path), &self.cwd).map(Iterator::collect).unwrap_or_default()
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        which::which_in(name, Some(&self.path), &self.cwd).ok()
    }

    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        path.canonicalize().ok()
    }

    fn link(&self, path: &Path) -> Option<PathBuf> {
        path.read_link().ok()
    }

    fn changed(&self, path: &Path) -> Option<i128> {
        let time = path.metadata().ok()?.modified().ok()?;
        let since = time.duration_since(UNIX_EPOCH).ok()?;
        i128::try_from(since.as_nanos()).ok()
    }

    fn is_writable(&self, dir: &Path) -> bool {
        rustix::fs::access(dir, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok()
    }

    fn machine(&self) -> String {
        if let Some(program) = self.program("uname")
            && !matches!(program.to_str(), Some("/bin/uname" | "/usr/bin/uname"))
            && let Some(answer) = self.ask(&program, &["-m"])
        {
            return answer.trim().to_owned();
        }
        rustix::system::uname().machine().to_string_lossy().into_owned()
    }

    fn ask(&self, program: &Path, args: &[&str]) -> Option<String> {
        run::ask(program, args)
    }

    fn why(&self, reason: fmt::Arguments<'_>) {
        let Some(told) = &self.told else { return };
        let reason = reason.to_string();
        if told.borrow_mut().insert(reason.clone()) {
            report::err(&format!("debug: {reason}\n"));
        }
    }

    fn own_program(&self) -> Option<PathBuf> {
        std::env::current_exe().ok().or_else(started_as)
    }
}

/// The path by which the kernel started this process, without links: the answer where /proc is not mounted.
fn started_as() -> Option<PathBuf> {
    let path = std::ffi::OsStr::from_bytes(rustix::param::linux_execfn().to_bytes());
    std::fs::canonicalize(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_and_proc_name_the_same_program() {
        assert_eq!(started_as(), std::env::current_exe().ok());
    }
}
