//! What a build will run where: which steps once for all platforms, which per platform, which under emulation.
//!
//! Read off the graphs alone: an operation with one digest in several graphs is one vertex and runs once. Whether a
//! result is in the cache is not known here.

use std::collections::BTreeMap;
use std::fmt;

use platform_db::Platform;
use serde_json::{Value, json};

use super::dispatch::DOCKERFILE_COMMAND;
use super::{Lowered, LoweredTarget};
use crate::lint::runs_natively;
use crate::llb::pb;
use crate::llb::pb::op::Op as Kind;
use crate::llb::wire::{DecodeError, decode_op};
use crate::oci::digest::Digest;
use crate::oci::manifest::known_platform;

/// How often and how a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Once for all platforms that need it, on this machine as it is.
    Once,
    /// Several times, on this machine as it is.
    PerPlatform,
    /// A program of another architecture at least once.
    Emulated,
}

/// One run of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Platform of the programs that run; none for steps that only move files.
    pub platform: Option<Platform>,
    /// Target platforms that use this run's result.
    pub targets: Vec<Platform>,
    /// Whether the machine runs such programs without emulation.
    pub native: bool,
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The instruction as written, continuations joined.
    pub command: String,
    /// Its line, from 1; 0 when the graph does not say.
    pub line: usize,
    /// Its runs, in the order of the target platforms.
    pub runs: Vec<Run>,
}

impl Step {
    /// How often and how it runs.
    #[must_use]
    pub fn way(&self) -> Way {
        match self.runs.len() {
            _ if self.runs.iter().any(|run| !run.native) => Way::Emulated,
            0 | 1 => Way::Once,
            _ => Way::PerPlatform,
        }
    }
}

/// The steps of a build in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Platform of this machine.
    pub build_platform: Platform,
    /// Platforms of the result.
    pub targets: Vec<Platform>,
    /// Name of the Dockerfile.
    pub file: String,
    /// The steps.
    pub steps: Vec<Step>,
}

/// Where a step stands, and which of the operations of that place it is: equal for the runs of one instruction.
/// (Instructions that came out of an image with ONBUILD all stand at its FROM.)
type StepKey = (usize, usize);

/// Says what a build will run.
///
/// # Errors
/// A definition holds bytes that are no operation.
pub fn plan(lowered: &Lowered, build_platform: &Platform) -> Result<Plan, DecodeError> {
    let mut steps: BTreeMap<StepKey, (String, Vec<(Digest, Run)>)> = BTreeMap::new();
    for target in &lowered.targets {
        let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
        for bytes in &target.definition.def {
            let op = decode_op(bytes)?;
            let digest = Digest::of(bytes);
            let Some(command) = command(target, &digest) else { continue };
            let platform = match &op.op {
                Some(Kind::Exec(_)) => op.platform.as_ref().and_then(platform),
                Some(Kind::File(_)) => None,
                // Content from elsewhere, and views of trees that are there.
                Some(
                    Kind::Source(_) | Kind::Merge(_) | Kind::Diff(_) | Kind::Build(_) | Kind::Passthrough(_),
                )
                | None => continue,
            };
            let line = line(target, &digest);
            let ordinal = seen.entry(line).and_modify(|count| *count += 1).or_default();
            let (_, runs) = steps.entry((line, *ordinal)).or_insert_with(|| (command, Vec::new()));
            match runs.iter_mut().find(|(known, _)| *known == digest) {
                Some((_, run)) => run.targets.push(target.platform.clone()),
                None => {
                    let native = platform.as_ref().is_none_or(|p| runs_natively(build_platform, p));
                    runs.push((digest, Run { platform, targets: vec![target.platform.clone()], native }));
                }
            }
        }
    }
    let file = lowered.targets.first().and_then(|target| target.definition.source.as_ref()?.infos.first());
    Ok(Plan {
        build_platform: build_platform.clone(),
        targets: lowered.targets.iter().map(|target| target.platform.clone()).collect(),
        file: file.map(|info| info.filename.clone()).unwrap_or_default(),
        steps: steps
            .into_iter()
            .map(|((line, _), (command, runs))| Step {
                command,
                line,
                runs: runs.into_iter().map(|(_, run)| run).collect(),
            })
            .collect(),
    })
}

/// The instruction of an operation: as written, or else the name that progress shows, without its stage.
fn command(target: &LoweredTarget, digest: &Digest) -> Option<String> {
    let description = &target.definition.metadata.get(&digest.to_string())?.description;
    if let Some(command) = description.get(DOCKERFILE_COMMAND) {
        return Some(command.clone());
    }
    let (stage, command) = description.get("llb.customname")?.strip_prefix('[')?.split_once("] ")?;
    (stage != "internal").then(|| command.to_owned())
}

fn line(target: &LoweredTarget, digest: &Digest) -> usize {
    let locations = target.definition.source.as_ref().and_then(|s| s.locations.get(&digest.to_string()));
    let start = locations.and_then(|l| l.locations.first()?.ranges.first()?.start.as_ref());
    start.and_then(|start| usize::try_from(start.line).ok()).unwrap_or(0)
}

fn platform(platform: &pb::Platform) -> Option<Platform> {
    known_platform(&platform.os, &platform.architecture, &platform.variant, &platform.os_version)
}

/// What to do about a step that needs emulation.
const CROSS: &str = "compile in a stage `FROM --platform=$BUILDPLATFORM ...` with xx-clang, xx-go or xx-cargo, and \
                     `COPY --from` it: docs/checks/emulated-run.md";

impl Plan {
    /// The plan as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let texts = |platforms: &[Platform]| platforms.iter().map(Platform::to_string).collect::<Vec<_>>();
        let run = |run: &Run| {
            json!({
                "platform": run.platform.as_ref().map(Platform::to_string),
                "targets": texts(&run.targets),
                "emulated": !run.native,
            })
        };
        let step = |step: &Step| {
            json!({
                "instruction": step.command,
                "line": step.line,
                "way": match step.way() {
                    Way::Once => "once",
                    Way::PerPlatform => "per-platform",
                    Way::Emulated => "emulated",
                },
                "runs": step.runs.iter().map(run).collect::<Vec<_>>(),
            })
        };
        json!({
            "buildPlatform": self.build_platform.to_string(),
            "targets": texts(&self.targets),
            "file": self.file,
            "steps": self.steps.iter().map(step).collect::<Vec<_>>(),
        })
    }

    fn group(&self, way: Way) -> Vec<&Step> {
        self.steps.iter().filter(|step| step.way() == way).collect()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} on {}", list(self.targets.iter()), self.build_platform)?;
        for (way, title) in [
            (Way::Once, "natively, once:"),
            (Way::PerPlatform, "natively, for each platform:"),
            (Way::Emulated, "under emulation:"),
        ] {
            let group = self.group(way);
            if group.is_empty() {
                continue;
            }
            writeln!(f, "\n{title}")?;
            for step in &group {
                let runs = detail(step).map(|detail| format!("  [{detail}]")).unwrap_or_default();
                writeln!(f, "  {}:{}  {}{runs}", self.file, step.line, shorten(&step.command))?;
            }
            if way == Way::Emulated {
                writeln!(f, "  hint: {CROSS}")?;
            }
        }
        let [once, several, emulated] =
            [Way::Once, Way::PerPlatform, Way::Emulated].map(|way| self.group(way).len());
        let runs: usize = self.steps.iter().map(|step| step.runs.len()).sum();
        writeln!(
            f,
            "\n{} steps, {runs} runs: {once} once, {several} for each platform, {emulated} under emulation",
            self.steps.len()
        )
    }
}

/// What a step's heading does not say: how often, or for which platforms by emulation.
fn detail(step: &Step) -> Option<String> {
    match step.way() {
        Way::Once => None,
        Way::PerPlatform => Some(format!("{} runs", step.runs.len())),
        Way::Emulated => {
            let of = |native: bool| {
                list(step.runs.iter().filter(|run| run.native == native).filter_map(|r| r.platform.as_ref()))
            };
            let natively = of(true);
            let more = if natively.is_empty() { natively } else { format!("; natively: {natively}") };
            Some(format!("{}{more}", of(false)))
        }
    }
}

fn list<'p>(platforms: impl Iterator<Item = &'p Platform>) -> String {
    let mut texts: Vec<String> = Vec::new();
    for text in platforms.map(Platform::to_string) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.join(", ")
}

/// One line of at most 70 characters.
fn shorten(command: &str) -> String {
    let words: Vec<&str> = command.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= 70 { line } else { line.chars().take(69).chain(['…']).collect() }
}
