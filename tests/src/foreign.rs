//! Running a built program of any platform: directly where it is the machine's own, under QEMU otherwise.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Built, Kit, run, skipped};

/// A program with what runs it.
#[derive(Debug)]
pub struct Program {
    words: Vec<OsString>,
}

impl Program {
    /// A static program; `None` where its QEMU is missing, which is noted as a skip of `case`.
    #[must_use]
    pub fn of(case: &str, kit: &Kit, platform: &str, path: &Path) -> Option<Self> {
        if platform == format!("linux/{}", told(kit, &["--native", "arch"], "").trim()) {
            return Some(Self { words: vec![path.into()] });
        }
        Some(Self { words: vec![qemu(case, kit, platform)?, path.into()] })
    }

    /// A program that finds its dynamic linker and libraries in `root`, and nowhere else.
    #[must_use]
    pub fn in_root(case: &str, kit: &Kit, platform: &str, path: &Path, root: &Path) -> Option<Self> {
        let folders = ["lib", "usr/lib"].into_iter().flat_map(|folder| {
            let entries = fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().contains("-linux-"))
        });
        // QEMU 7 looks for folders, other than for files, in the machine's own root only, so they are named.
        let libraries: Vec<String> = folders.map(|folder| folder.display().to_string()).collect();
        let mut words = vec![qemu(case, kit, platform)?, "-L".into(), root.into()];
        words.extend(["-E".into(), format!("LD_LIBRARY_PATH={}", libraries.join(":")).into(), path.into()]);
        Some(Self { words })
    }

    /// Runs it with standard input, to its end.
    #[must_use]
    pub fn run(&self, arguments: &[&str], input: &[u8]) -> Built {
        let (first, rest) = self.words.split_first().expect("a program");
        let mut command = Command::new(first);
        command.args(rest).args(arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        // A program that does not read its input is none of the tests' business.
        drop(child.stdin.take().expect("piped").write_all(input));
        Built::of(child.wait_with_output().expect("the program ends"))
    }

    /// Runs it, which must work, and returns what it prints.
    #[must_use]
    pub fn prints(&self, arguments: &[&str], input: &[u8]) -> String {
        let ran = self.run(arguments, input);
        assert_eq!(ran.code, Some(0), "{:?} {arguments:?}: {}", self.words, ran.stderr);
        ran.stdout
    }
}

/// What `xx info` answers.
fn told(kit: &Kit, question: &[&str], platform: &str) -> String {
    let mut command = Command::new(&kit.xx);
    let told = command.arg("info").args(question).env("TARGETPLATFORM", platform).output();
    let told = Built::of(told.expect("xx starts"));
    assert_eq!(told.code, Some(0), "{platform}: {}", told.stderr);
    told.stdout
}

fn qemu(case: &str, kit: &Kit, platform: &str) -> Option<OsString> {
    let answer = told(kit, &["qemu"], platform);
    let name = answer.lines().find_map(|line| line.strip_prefix("QEMU=")).expect("a name");
    // On the machine's own architecture too there is a QEMU of that name, if any is installed.
    match run(name, &["--version"]) {
        Some(_) => Some(name.into()),
        None => {
            skipped(case, &format!("{name} is not installed"));
            None
        }
    }
}

/// The file is for the platform, says `xx-verify`.
pub fn verify(kit: &Kit, platform: &str, flags: &[&str], path: &Path) {
    let mut command = Command::new(&kit.xx);
    let verified = command.arg("verify").args(flags).arg(path).env("TARGETPLATFORM", platform).output();
    let verified = Built::of(verified.expect("xx starts"));
    assert_eq!(verified.code, Some(0), "{platform}: {}", verified.stderr);
}

/// The folder of a platform below a result for several: `linux/arm/v7` is in `linux_arm_v7`.
#[must_use]
pub fn folder(platform: &str) -> String {
    platform.replace('/', "_")
}
