//! Docker Engine as a peer: a daemon for one test, in namespaces of its own, from `tests/peers/docker`.
//!
//! The first use makes the root from packages, which takes a minute or two and about 1 GB below `out`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{Built, repository, skipped};

/// A running Docker Engine; it ends when this is dropped.
#[derive(Debug)]
pub struct Docker {
    root: PathBuf,
    daemon: Child,
    pid: String,
}

fn script() -> Command {
    let mut command = Command::new("sh");
    command.arg(repository().join("tests/peers/docker"));
    command
}

impl Docker {
    /// Starts a daemon that keeps its images in `directory` and sees it, and the repository, at their own
    /// paths. `None` where that cannot be, which is noted as a skip of `case`.
    #[must_use]
    pub fn start(case: &str, directory: &Path) -> Option<Self> {
        let root = repository().join("out/peers/docker");
        let made = script().arg("root").arg(&root).output().expect("sh starts");
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr).into_owned();
            skipped(
                case,
                &format!("no Docker Engine: {}", said.lines().last().unwrap_or("cannot be set up")),
            );
            return None;
        }
        let state = directory.join("docker");
        std::fs::create_dir_all(&state).expect("a directory for the daemon");
        let mut daemon = script()
            .arg("serve")
            .args([&root, &state])
            .arg(directory)
            .arg(repository())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh starts");
        let mut line = String::new();
        let mut output = BufReader::new(daemon.stdout.take().expect("piped"));
        output.read_line(&mut line).expect("a line");
        let Some(pid) = line.strip_prefix("ready ") else {
            let log = std::fs::read_to_string(state.join("dockerd.log")).unwrap_or_default();
            panic!("Docker Engine did not start: {log}");
        };
        let pid = pid.trim().to_owned();
        Some(Self { root, daemon, pid })
    }

    /// A command of the root, run beside the daemon.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = script();
        command.arg("run").arg(&self.root).args([&self.pid, program]).stdin(Stdio::null());
        command
    }

    /// Loads the image of an OCI layout, under the name that the layout gives it. Docker takes layouts as archives.
    pub fn load(&self, layout: &Path, directory: &Path) {
        let archive = directory.join("load.tar");
        let packed = Command::new("tar").arg("-C").arg(layout).arg("-cf").arg(&archive).arg(".").status();
        assert!(packed.expect("tar starts").success());
        let loaded =
            Built::of(self.command("docker").args(["load", "-i"]).arg(&archive).output().expect("sh starts"));
        assert_eq!(loaded.code, Some(0), "{}", loaded.stderr);
        let place = layout.display();
        assert!(
            loaded.stdout.contains(":latest"),
            "{place} was built without a name: remove it and run `make base image`: {}",
            loaded.stdout
        );
        std::fs::remove_file(archive).expect("the archive");
    }

    /// Builds a context with `docker buildx build`, steps in the daemon's own network.
    #[must_use]
    pub fn build(&self, context: &Path, arguments: &[&str]) -> Built {
        let mut command = self.command("docker");
        command.args(["buildx", "build", "--network", "host", "--provenance=false", "--progress", "plain"]);
        Built::of(command.args(arguments).arg(context).output().expect("sh starts"))
    }

    /// `buildah` with its images in `storage`, not yet started.
    #[must_use]
    pub fn buildah(&self, storage: &Path) -> Command {
        let mut command = self.command("buildah");
        command.args(["--storage-driver", "overlay", "--runroot", "/run/buildah", "--root"]).arg(storage);
        command
    }

    /// Removes what builds left: compilers for several platforms take gigabytes.
    pub fn prune(&self) {
        let mut command = self.command("docker");
        let pruned =
            Built::of(command.args(["builder", "prune", "--all", "--force"]).output().expect("sh starts"));
        assert_eq!(pruned.code, Some(0), "{}", pruned.stderr);
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        drop(self.daemon.stdin.take());
        // Only the tests' own end is left to do: what the daemon says now changes nothing.
        drop(self.daemon.wait());
    }
}
