//! Programs of the machine that steps are run with.

use std::ffi::OsStr;
use std::path::PathBuf;

/// Where programs of the administrator lie, which is on root's `PATH` alone.
const SBIN: &str = "/usr/sbin";

/// The first program of this name on `path`, then in `/usr/sbin`, that may be executed.
///
/// Relative folders of `path` are left out: what lies in the folder of a build is not the machine's.
///
/// ```
/// use xx_build_sandbox::find_program;
///
/// assert_eq!(find_program("/usr/bin:/bin".as_ref(), "no such program"), None);
/// ```
#[must_use]
pub fn find_program(path: &OsStr, name: &str) -> Option<PathBuf> {
    let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    let folders = std::env::join_paths(folders.chain([PathBuf::from(SBIN)])).ok()?;
    which::which_in_global(name, Some(folders)).ok()?.next()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_what_may_be_executed_is_a_program() {
        let place = tempfile::tempdir().expect("a directory");
        let file = |folder: &str, mode: u32| {
            let path = place.path().join(folder).join("crun");
            fs::create_dir(place.path().join(folder)).expect("a directory");
            fs::write(&path, "").expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
            path
        };
        let (_, second) = (file("a", 0o644), file("b", 0o755));
        fs::create_dir_all(place.path().join("c/crun")).expect("a directory");
        let path = |folders: &[&str]| {
            let folders = folders.iter().map(|folder| place.path().join(folder));
            std::env::join_paths(folders).expect("a PATH")
        };
        assert_eq!(find_program(&path(&["a", "c", "b"]), "crun").as_ref(), Some(&second));
        assert_eq!(find_program(&path(&["a", "c"]), "crun"), find_program("".as_ref(), "crun"));
        assert_eq!(find_program(".".as_ref(), "Cargo.toml"), None, "relative");
    }
}
