//! What takes minutes to make and is kept below `out` for every case and the next run: bases of other releases, and the
//! store of the builds that install compilers.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Built, Kit, repository, run, skipped};

/// A build with the bases `debian` and `xx` in a store that the cases share, not yet started.
///
/// Its steps are the same in every case that begins alike, and run once.
#[must_use]
pub fn build(kit: &Kit) -> Command {
    let mut command = Command::new(&kit.xx_build);
    command.arg("build").arg("--store").arg(store());
    for (name, path) in [("debian", &kit.debian), ("xx", &kit.helpers)] {
        command.arg("--build-context").arg(layout(name, path));
    }
    command.env("NO_COLOR", "1");
    command
}

/// The option's value that makes an OCI layout the base `name`.
#[must_use]
pub fn layout(name: &str, path: &Path) -> String {
    format!("{name}=oci-layout://{}", path.display())
}

/// The store of the helper image as it is now. With another one nearly all steps differ, and the old store, gigabytes of
/// layers with compilers, is removed.
fn store() -> PathBuf {
    let store = repository().join("out/store-of-cases");
    let helpers = fs::read(repository().join("out/xx/index.json")).expect("the helper image");
    let lock = File::create(store.with_extension("lock")).expect("a lock file");
    lock.lock().expect("the lock");
    let made_with = store.with_extension("helpers");
    if fs::read(&made_with).ok().as_ref() != Some(&helpers) {
        if store.exists() {
            fs::remove_dir_all(&store).expect("the old store is removed");
        }
        fs::write(made_with, helpers).expect("a file");
    }
    store
}

/// The base image of a Debian release, from packages, made by the first case that asks; `None` where that cannot be,
/// which is noted as a skip of `case`.
#[must_use]
pub fn release(case: &str, kit: &Kit, suite: &str) -> Option<PathBuf> {
    let made = repository().join("out").join(suite);
    let lock = File::create(made.with_extension("lock")).expect("a lock file");
    lock.lock().expect("the lock");
    if made.join("index.json").exists() {
        return Some(made);
    }
    if run("mmdebstrap", &["--version"]).is_none() {
        skipped(case, "mmdebstrap is not installed");
        return None;
    }
    let context = tempfile::tempdir().expect("a temporary directory");
    // Only the release itself: what came later may have another version on another architecture.
    let only = format!("--setup-hook=sed -i /{suite}-/d \"$1/etc/apt/sources.list\"");
    let bootstrap = Command::new("mmdebstrap")
        .args(["--quiet", "--variant=minbase", "--include=ca-certificates", &only, suite])
        .arg(context.path().join("rootfs.tar"))
        .output();
    well(Built::of(bootstrap.expect("mmdebstrap starts")));
    let output = format!("type=oci,dest={},tar=false", made.display());
    let file = repository().join("images/debian/Dockerfile");
    let mut command = build(kit);
    command.arg("--file").arg(file).args(["--output", &output]).arg(context.path());
    well(Built::of(command.output().expect("xx-build starts")));
    Some(made)
}

/// Sources of a program of the crate registry at a version, with the crates that its lock file names, in `folder`.
pub fn crate_sources(name: &str, version: &str, folder: &Path) {
    let work = tempfile::tempdir().expect("a temporary directory");
    let manifest = format!(
        "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\
         [dependencies]\n{name} = \"={version}\"\n"
    );
    fs::create_dir(work.path().join("src")).expect("a directory");
    fs::write(work.path().join("src/lib.rs"), "").expect("a file");
    fs::write(work.path().join("Cargo.toml"), manifest).expect("a file");
    let vendor = |directory: &Path, flags: &[&str]| {
        let mut command = Command::new("cargo");
        // Not the variables of the cargo that runs the tests.
        command.env_remove("CARGO_MANIFEST_DIR").current_dir(directory);
        well(Built::of(command.arg("vendor").args(flags).output().expect("cargo starts")));
    };
    vendor(work.path(), &[]);
    // Renaming would not do where `folder` is on another file system.
    let mut copy = Command::new("cp");
    copy.arg("-rT").arg(work.path().join("vendor").join(name)).arg(folder);
    well(Built::of(copy.output().expect("cp starts")));
    vendor(folder, &["--locked"]);
    fs::create_dir_all(folder.join(".cargo")).expect("a directory");
    let config =
        "[source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = \"vendor\"\n";
    fs::write(folder.join(".cargo/config.toml"), config).expect("a file");
}

fn well(ran: Built) {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}
