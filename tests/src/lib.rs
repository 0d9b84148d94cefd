//! What the end-to-end cases share: the programs, the bases, a place to build in, and what came out.
//!
//! Cases need the programs and the images of `make programs base image`. Where something is missing a
//! case says so, is counted as skipped, and does not pass in silence.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "helpers of tests fail by panicking (also on JSON of another shape), read the test's environment and start programs"
)]

pub mod alpine;
pub mod docker;
pub mod examples;
pub mod foreign;
pub mod image;
pub mod original;
pub mod random;
pub mod shared;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lie in the repository").to_owned()
}

/// Notes that a case cannot run here, and why.
pub fn skipped(case: &str, reason: &str) {
    eprintln!("skipped: {case}: {reason}");
    if let Some(path) = std::env::var_os("XX_TEST_SKIPPED") {
        let file = fs::OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| writeln!(file, "{case}: {reason}"))
            .expect("the list of skipped cases can be written");
    }
}

/// Programs and images that the cases use.
#[derive(Debug)]
pub struct Kit {
    /// `xx-build`.
    pub xx_build: PathBuf,
    /// `xx`.
    pub xx: PathBuf,
    /// A Debian base, as an OCI layout.
    pub debian: PathBuf,
    /// The helper image, as an OCI layout.
    pub helpers: PathBuf,
}

impl Kit {
    /// Finds everything; `None` when something is missing, which is noted as a skip of `case`.
    #[must_use]
    pub fn find(case: &str) -> Option<Self> {
        let out = repository().join("out");
        let program = |variable: &str, name: &str| match std::env::var_os(variable) {
            Some(path) => PathBuf::from(path),
            None => repository().join("target").join(format!("{}/release", host())).join(name),
        };
        let kit = Self {
            xx_build: program("XX_BUILD", "xx-build"),
            xx: program("XX", "xx"),
            debian: out.join("debian"),
            helpers: out.join("xx"),
        };
        for needed in
            [&kit.xx_build, &kit.xx, &kit.debian.join("index.json"), &kit.helpers.join("index.json")]
        {
            if !needed.exists() {
                skipped(case, &format!("{} is missing; run `make programs base image`", needed.display()));
                return None;
            }
        }
        Some(kit)
    }
}

fn host() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// A place to build in: a context, and a store of its own.
#[derive(Debug)]
pub struct Place {
    /// Removed with everything in it at the end.
    pub directory: tempfile::TempDir,
    kit: Kit,
}

/// What a build printed and how it ended.
#[derive(Debug)]
pub struct Built {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error: progress and errors.
    pub stderr: String,
}

impl Place {
    /// An empty context and an empty store.
    #[must_use]
    pub fn new(kit: Kit) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(directory.path().join("context")).expect("an empty directory");
        Self { directory, kit }
    }

    /// The programs and images.
    #[must_use]
    pub fn kit(&self) -> &Kit {
        &self.kit
    }

    /// A path in the place.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file of the context.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path("context").join(name);
        fs::create_dir_all(path.parent().expect("below the context")).expect("a directory");
        fs::write(path, text).expect("a file");
    }

    /// The command that builds the context, not yet started.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.kit.xx_build);
        command.arg("build").args(arguments);
        for (name, path) in [("debian", &self.kit.debian), ("xx", &self.kit.helpers)] {
            command.arg("--build-context").arg(format!("{name}=oci-layout://{}", path.display()));
        }
        command.arg("--store").arg(self.path("store")).arg(self.path("context"));
        command.current_dir(self.directory.path()).env("NO_COLOR", "1");
        command
    }

    /// Builds the context.
    #[must_use]
    pub fn build(&self, arguments: &[&str]) -> Built {
        Built::of(self.command(arguments).output().expect("xx-build starts"))
    }

    /// A folder of the store, which for a user with one uid lies deeper.
    #[must_use]
    pub fn store(&self, folder: &str) -> PathBuf {
        let store = self.path("store");
        let deeper = store.join("one-uid");
        if deeper.exists() { deeper.join(folder) } else { store.join(folder) }
    }

    /// The context.
    #[must_use]
    pub fn context(&self) -> PathBuf {
        self.path("context")
    }

    /// What this process sees mounted below the place: other tests make mounts of their own meanwhile.
    #[must_use]
    pub fn mounts(&self) -> Vec<String> {
        let path = self.directory.path().display().to_string();
        let all = fs::read_to_string("/proc/self/mountinfo").expect("mounts can be listed");
        all.lines().filter(|line| line.contains(&path)).map(str::to_owned).collect()
    }

    /// Builds the context, which must work.
    pub fn build_well(&self, arguments: &[&str]) -> Built {
        let built = self.build(arguments);
        assert_eq!(built.code, Some(0), "{}", built.stderr);
        built
    }
}

impl Built {
    /// What a finished process left.
    #[must_use]
    pub fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// How many steps ran and how many came from the cache.
    #[must_use]
    pub fn steps(&self) -> (usize, usize) {
        let line = self.stderr.lines().rev().find(|line| line.ends_with(" from the cache"));
        let numbers =
            line.map(|line| line.split(' ').filter_map(|word| word.parse().ok()).collect::<Vec<usize>>());
        match numbers.as_deref() {
            Some([run, cached]) => (*run, *cached),
            _ => panic!("no summary in: {}", self.stderr),
        }
    }

    /// How often a step printed exactly this line.
    #[must_use]
    pub fn printed(&self, line: &str) -> usize {
        self.stderr.lines().filter(|shown| shown.splitn(3, ' ').nth(2) == Some(line)).count()
    }

    /// The build failed with one error that says all of `parts`.
    pub fn assert_error(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(1), "{}", self.stderr);
        let errors = self.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "one error: {}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is missing in: {}", self.stderr);
        }
    }
}

/// Whether who runs the tests has one uid and no range of further ones.
#[must_use]
pub fn has_one_uid() -> bool {
    let said = |argument| run("id", &[argument]).map(|id| id.stdout.trim().to_owned()).unwrap_or_default();
    let (uid, name) = (said("-u"), said("-un"));
    let ranges = fs::read_to_string("/etc/subuid").unwrap_or_default();
    let owner = |line: &str| line.split(':').next().is_some_and(|owner| owner == uid || owner == name);
    uid != "0" && !ranges.lines().any(owner)
}

/// Whether a text is in a file below `folder` that can be read.
#[must_use]
pub fn is_below(folder: &Path, text: &str) -> bool {
    // A user cannot read what belongs to other ids of the store.
    run("grep", &["-rlsF", text, &folder.display().to_string()]).is_none_or(|found| !found.stdout.is_empty())
}

/// Runs a program to its end; `None` when there is no such program.
#[must_use]
pub fn run(program: &str, arguments: &[&str]) -> Option<Built> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => Some(Built::of(output)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("{program}: {error}"),
    }
}
