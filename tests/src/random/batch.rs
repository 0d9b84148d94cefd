//! Many cases in one build, and what a builder answers.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::answer::{Answer, folders};
use super::case::Case;
use super::instruction::fixture;
use crate::Built;
use crate::docker::Docker;

/// So many cases are one build: a file system has no more layers than some hundred.
const MOST: usize = 40;

/// Who answers, and the base of what runs.
#[derive(Debug)]
pub struct Builder {
    /// Who builds.
    pub who: Who,
    /// A Debian base, as an OCI layout.
    pub debian: PathBuf,
}

/// Who answers.
#[derive(Debug)]
pub enum Who {
    /// This project, with its program and a store.
    Ours(PathBuf, PathBuf),
    /// BuildKit at an address, by its `buildctl`.
    BuildKit(String),
    /// Docker Engine.
    Docker(Docker),
}

/// What a builder makes of cases, in their order. Those of which `refused` says so are built one by one: a wrong guess
/// costs a build, and changes no answer.
#[must_use]
pub fn answers(builder: &Builder, cases: &[Case], refused: impl Fn(usize) -> bool) -> Vec<Answer> {
    let (alone, together): (Vec<usize>, Vec<usize>) = (0..cases.len()).partition(|at| refused(*at));
    let (own, together): (Vec<usize>, Vec<usize>) = together.iter().partition(|at| cases[**at].is_alone());
    let mut answers = BTreeMap::new();
    for chosen in together.chunks(MOST).chain(alone.chunks(1)).chain(own.chunks(1)) {
        let batch: Vec<Case> = chosen.iter().map(|at| cases[*at].clone()).collect();
        answers.extend(chosen.iter().copied().zip(some(builder, &batch)));
    }
    answers.into_values().collect()
}

/// Cases that are built in one, without those that turn out to be refused.
fn some(builder: &Builder, cases: &[Case]) -> Vec<Answer> {
    let mut directory = tempfile::tempdir().expect("a temporary directory");
    if std::env::var_os("XX_RANDOM_KEEP").is_some() {
        directory.disable_cleanup(true);
        eprintln!("kept: {}", directory.path().display());
    }
    let main = directory.path().join("main");
    fs::create_dir(&main).expect("a directory");
    fs::write(main.join("fixture.tar"), fixture().archive()).expect("a file");
    cases.iter().for_each(|case| case.write(directory.path(), &main));
    let mut answers: BTreeMap<usize, Answer> = BTreeMap::new();
    let mut waiting = vec![(0..cases.len()).collect::<Vec<usize>>()];
    while let Some(chosen) = waiting.pop() {
        if chosen.is_empty() {
            continue;
        }
        let batch: Vec<&Case> = chosen.iter().map(|at| &cases[*at]).collect();
        let lines = dockerfile(&batch);
        let built = build(builder, directory.path(), &batch, &lines);
        let archive = directory.path().join("result.tar");
        if built.code == Some(0) {
            let mut folders = folders(File::open(&archive).expect("a result"));
            for at in chosen {
                let files = folders.remove(&cases[at].name()).unwrap_or_default();
                answers.insert(at, Answer::Files(files));
            }
            continue;
        }
        let refused = match chosen.len() {
            1 => Some(0),
            _ => place(&built.stderr).and_then(|line| position(&lines, line, &batch)),
        };
        match refused {
            Some(position) => {
                let mut rest = chosen;
                answers.insert(rest.remove(position), Answer::Refused(built.stderr));
                waiting.push(rest);
            }
            None => {
                let (left, right) = chosen.split_at(chosen.len() / 2);
                waiting.extend([left.to_vec(), right.to_vec()]);
            }
        }
    }
    answers.into_values().collect()
}

/// One Dockerfile for cases, as lines.
fn dockerfile(cases: &[&Case]) -> Vec<String> {
    let mut lines = vec![];
    if !cases.iter().all(|case| case.is_alone()) {
        lines.extend(["FROM scratch AS fixture", "ADD fixture.tar /"].map(str::to_owned));
        lines.extend(["FROM debian AS fixture-run", "ADD fixture.tar /w"].map(str::to_owned));
    }
    cases.iter().for_each(|case| lines.extend(case.stages()));
    lines.push("FROM scratch".to_owned());
    for case in cases {
        lines.push(format!("COPY --from=target-{0} {1} /{0}/", case.name(), case.place()));
    }
    lines
}

/// The line that an error is about.
fn place(message: &str) -> Option<usize> {
    // Warnings come first.
    message.lines().rev().find_map(|line| {
        let rest = line.split_once("Dockerfile:").map(|(_, rest)| rest)?;
        rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
    })
}

/// Which of the cases a line of their Dockerfile belongs to.
fn position(lines: &[String], line: usize, cases: &[&Case]) -> Option<usize> {
    let stage = lines.get(..line)?.iter().rev().find(|line| line.starts_with("FROM "))?;
    let (_, name) = stage.rsplit_once('-')?;
    cases.iter().position(|case| case.name() == name)
}

fn build(builder: &Builder, directory: &Path, cases: &[&Case], lines: &[String]) -> Built {
    let file = directory.join("Dockerfile");
    fs::write(&file, lines.join("\n") + "\n").expect("a Dockerfile");
    let main = match cases {
        [case] if case.is_alone() => directory.join(case.context_name()),
        _ => directory.join("main"),
    };
    let beside = directory.join("Dockerfile.dockerignore");
    match cases {
        [case] if case.beside().is_some() => {
            fs::write(beside, case.beside().unwrap_or_default()).expect("a file")
        }
        _ => drop(fs::remove_file(beside)),
    }
    let output = format!("type=tar,dest={}", directory.join("result.tar").display());
    let contexts = cases.iter().filter(|case| case.names_context()).map(|case| case.context_name());
    let named = |name: &String| format!("{name}={}", directory.join(name).display());
    let debian = builder.debian.display();
    let mut command = match &builder.who {
        Who::Ours(program, store) => {
            let mut command = Command::new(program);
            command.arg("build").arg("--store").arg(store).env("NO_COLOR", "1");
            command
        }
        Who::BuildKit(address) => {
            let mut command = Command::new("buildctl");
            command.args(["--addr", address, "build", "--no-cache", "--progress", "plain"]);
            command
                .args(["--frontend", "dockerfile.v0", "--local"])
                .arg(format!("context={}", main.display()));
            command.arg("--local").arg(format!("dockerfile={}", directory.display()));
            for name in contexts {
                command
                    .arg("--local")
                    .arg(named(&name))
                    .arg("--opt")
                    .arg(format!("context:{name}=local:{name}"));
            }
            command.arg("--oci-layout").arg(format!("base={debian}"));
            let digest = digest(&builder.debian);
            command.arg("--opt").arg(format!("context:debian=oci-layout://base@{digest}"));
            return Built::of(command.arg("--output").arg(output).output().expect("buildctl starts"));
        }
        Who::Docker(docker) => {
            let mut command = docker.command("docker");
            command.args(["buildx", "build", "--no-cache", "--progress", "plain"]);
            command
        }
    };
    for name in contexts {
        command.arg("--build-context").arg(named(&name));
    }
    command.arg("--build-context").arg(format!("debian=oci-layout://{debian}"));
    command.arg("--file").arg(file).arg("--output").arg(output).arg(main);
    Built::of(command.output().expect("the builder starts"))
}

/// The digest of a layout's one image.
fn digest(layout: &Path) -> String {
    let index = fs::read(layout.join("index.json")).expect("an index");
    let index: serde_json::Value = serde_json::from_slice(&index).expect("JSON");
    index["manifests"][0]["digest"].as_str().expect("a digest").to_owned()
}
