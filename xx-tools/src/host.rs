//! What a plan may ask of the machine. Questions only: nothing here changes anything.
//!
//! `machine.rs` answers for real; tests answer from a table.

use std::fmt;
use std::path::{Path, PathBuf};

/// Answers about the build machine.
pub trait Host {
    /// Returns the text of a file, `None` when it cannot be read or is not UTF-8.
    fn read(&self, path: &Path) -> Option<String>;
    /// Returns whether the path leads to a file.
    fn is_file(&self, path: &Path) -> bool;
    /// Returns whether the path leads to a directory.
    fn is_dir(&self, path: &Path) -> bool;
    /// Returns whether anything is there, a dangling link included.
    fn is_there(&self, path: &Path) -> bool;
    /// Returns the names in a directory, sorted; empty when there is none.
    fn list(&self, dir: &Path) -> Vec<String>;
    /// Returns every program of this name on `PATH`, first found first.
    fn programs(&self, name: &str) -> Vec<PathBuf>;
    /// Returns the path with all links resolved.
    fn canonical(&self, path: &Path) -> Option<PathBuf>;
    /// Returns what a symbolic link says; `None` for anything else.
    fn link(&self, path: &Path) -> Option<PathBuf>;
    /// Returns when a path was last changed, in nanoseconds since 1970.
    fn changed(&self, path: &Path) -> Option<i128>;
    /// Returns whether this process may create files in a directory.
    fn is_writable(&self, dir: &Path) -> bool;
    /// Returns what `uname -m` prints; a `uname` put before the system's on `PATH` is asked.
    fn machine(&self) -> String;
    /// Returns the standard output of a program that only answers questions, `None` when it fails.
    fn ask(&self, program: &Path, args: &[&str]) -> Option<String>;
    /// Returns the path of the program that is running.
    fn own_program(&self) -> Option<PathBuf>;

    /// Hears why a choice was made. Told to the user with `XX_DEBUG`, otherwise not even put into words.
    fn why(&self, reason: fmt::Arguments<'_>);

    /// Returns the first program of this name on `PATH`.
    fn program(&self, name: &str) -> Option<PathBuf> {
        self.programs(name).into_iter().next()
    }
}
