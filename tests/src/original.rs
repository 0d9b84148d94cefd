//! The original's scripts as a helper image, where `XX_ORIGINAL` names the folder that holds them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::examples::xx_build;
use crate::{Kit, skipped};

/// A kit whose helper image holds the original's scripts, or a noted skip.
#[must_use]
pub fn original(case: &str, directory: &Path) -> Option<Kit> {
    let kit = Kit::find(case)?;
    let Some(scripts) = std::env::var_os("XX_ORIGINAL").map(PathBuf::from) else {
        skipped(case, "XX_ORIGINAL names no folder with the original's scripts");
        return None;
    };
    let bin = directory.join("context/root/usr/bin");
    fs::create_dir_all(&bin).expect("a directory");
    for entry in fs::read_dir(&scripts).expect("XX_ORIGINAL is a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        if name.to_string_lossy().starts_with("xx-") {
            fs::copy(&path, bin.join(name)).expect("a copy");
        }
    }
    for (to, names) in [("xx-cc", &["xx-clang", "xx-clang++", "xx-c++"][..]), ("xx-apt", &["xx-apt-get"])] {
        for name in names {
            symlink(to, bin.join(name)).expect("a link");
        }
    }
    fs::write(directory.join("context/Dockerfile"), "FROM scratch\nCOPY root/ /\n").expect("a file");
    let helpers = directory.join("xx");
    let output = format!("type=oci,dest={},tar=false", helpers.display());
    let built = xx_build(&kit)(&directory.join("context"), &["--tag", "xx", "--output", &output]);
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    Some(Kit { helpers, ..kit })
}
