//! Rules about platforms.

use platform_db::Platform;

use super::Found;
use super::facts::Facts;
use crate::dockerfile::ast::{Command, Instruction, Run};

pub(super) fn constant_platform<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    for (_, stage) in facts.stages() {
        let Some(word) = &stage.platform else { continue };
        let Some(expanded) = facts.expand(&word.text, &facts.args) else { continue };
        if !expanded.used.is_empty() || !expanded.missing.is_empty() {
            continue;
        }
        let Ok(platform) = Platform::parse_on(&expanded.text, &facts.context.build_platform) else {
            continue;
        };
        let name = stage.name.as_ref().map_or("", |n| n.text.as_str());
        if !name.contains(platform.os()) && !name.contains(platform.arch()) {
            let message = format!("`--platform={}` is the same for every target", word.text);
            let hint = "use `$BUILDPLATFORM`, leave it out, or put the platform in the stage's name";
            found.at(&stage.from, message, Some(hint.to_owned()));
        }
    }
}

pub(super) fn redundant_target<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    const NAME: &str = "TARGETPLATFORM";
    for (_, stage) in facts.stages() {
        let Some(word) = &stage.platform else { continue };
        let Some(expanded) = facts.expand(&word.text, &facts.args) else { continue };
        let alone = expanded.used.len() == 1 && expanded.used.contains(NAME) && expanded.missing.is_empty();
        if alone && facts.args.get(NAME) == Some(&expanded.text) {
            let message = format!("`--platform={}` is what FROM does anyway", word.text);
            found.at(&stage.from, message, Some("leave it out".to_owned()));
        }
    }
}

pub(super) fn wrong_base<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    for (index, stage) in facts.stages() {
        let platforms = facts.context.bases.get(&index).map(|base| base.platforms.as_slice());
        for (expected, actual) in platforms.unwrap_or_default() {
            if expected.os() != actual.os() || expected.arch() != actual.arch() {
                let message = format!("base image `{}` is for {actual}, not for {expected}", stage.base.text);
                found.at(&stage.from, message, Some("take an image that has the platform".to_owned()));
            }
        }
    }
}

/// The stages whose tree is the same for every target, as far as FROM says.
fn is_native(facts: &Facts<'_>, index: usize) -> bool {
    facts.platform(index).is_some_and(|(text, _)| matches!(text, "$BUILDPLATFORM" | "${BUILDPLATFORM}"))
}

/// Arguments whose value differs between targets.
fn target_args(instruction: &Instruction) -> Vec<&str> {
    let Command::Arg(pairs) = &instruction.command else { return Vec::new() };
    let names = pairs.iter().map(|p| p.key.as_str());
    names.filter(|n| n.starts_with("TARGET") && *n != "TARGETSTAGE").collect()
}

pub(super) fn target_arg_early<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    for (_, stage) in facts.stages().filter(|(index, _)| is_native(facts, *index)) {
        let mut open: Option<&'f Instruction> = None;
        for instruction in &stage.instructions {
            if !target_args(instruction).is_empty() {
                open = open.or(Some(instruction));
            }
            let (Some(declared), Command::Run(run)) = (open, &instruction.command) else { continue };
            if knows_target(instruction, run) {
                break;
            }
            let names = target_args(declared).join("`, `");
            let line = instruction.node.lines.0;
            let message = format!("`ARG {names}` makes the RUN of line {line} run once for each platform");
            let hint = "move the ARG below that RUN: what stands before it runs once for all platforms";
            found.at(declared, message, Some(hint.to_owned()));
            break;
        }
    }
}

/// Whether a command uses the target: by a variable, by a tool that reads it, or by a script that may.
fn knows_target(instruction: &Instruction, run: &Run) -> bool {
    let texts = run.line.args.iter().map(String::as_str);
    let documents = instruction.heredocs().iter().map(|h| h.content.as_str());
    let mounts = run.mounts.iter().map(|m| m.text.as_str());
    texts.chain(documents).chain(mounts).any(|text| {
        let words =
            text.split(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')' | '"' | '='));
        text.contains("TARGET")
            || words.into_iter().any(|w| {
                let tool = w.rsplit('/').next().unwrap_or(w);
                tool.starts_with("xx-") || tool.ends_with(".sh") || w.starts_with("./")
            })
    })
}

/// Whether a machine of platform `build` runs programs for `platform` without emulation.
pub(crate) fn runs_natively(build: &Platform, platform: &Platform) -> bool {
    // The level of the machine's own architecture is not known.
    (platform.os(), platform.arch()) == (build.os(), build.arch()) || build.runs(platform).is_some()
}

pub(super) fn emulated_run<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    let build = &facts.context.build_platform;
    for (index, stage) in facts.stages() {
        let foreign: Vec<String> = match facts.platform(index) {
            Some((text, _)) if text.contains("BUILD") => continue,
            Some((text, platform)) if !text.contains('$') => vec![platform],
            _ => facts.context.target_platforms.clone(),
        }
        .iter()
        .filter(|p| !runs_natively(build, p))
        .map(Platform::to_string)
        .collect();
        let run = stage.instructions.iter().find(|i| matches!(i.command, Command::Run(_)));
        if let Some(run) = run.filter(|_| !foreign.is_empty()) {
            let message = format!("this RUN needs emulation for {}", foreign.join(", "));
            let hint = "build in a stage `FROM --platform=$BUILDPLATFORM ...` with a cross compiler (xx-clang, xx-go, \
                        xx-cargo), and COPY --from it into this one";
            found.at(run, message, Some(hint.to_owned()));
        }
    }
}

/// Names of architectures in file names and URLs.
const ARCHITECTURES: [&str; 15] = [
    "aarch64", "amd64", "arm64", "armhf", "armv6", "armv7", "armv7l", "i386", "i686", "ppc64le", "riscv64",
    "s390x", "x64", "x86_64", "x86-64",
];

pub(super) fn hardcoded_arch<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    for instruction in facts.file.instructions() {
        let texts: Vec<&str> = if let Command::Run(run) = &instruction.command {
            let documents = instruction.heredocs().iter().map(|h| h.content.as_str());
            run.line.args.iter().map(String::as_str).chain(documents).collect()
        } else if let Command::Add(add) = &instruction.command {
            add.files.sources.iter().map(|w| w.text.as_str()).collect()
        } else {
            Vec::new()
        };
        let separators =
            |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '&' | '|' | '(' | ')' | '=');
        let words = texts.iter().flat_map(|t| t.split(separators));
        let downloads = words.into_iter().filter(|w| is_download(w));
        if let Some((word, arch)) = downloads.filter_map(|w| Some((w, architecture_in(w)?))).next() {
            let message = format!("`{}` is for {arch} only", shorten(word));
            let hint = "put `$TARGETARCH` (after `ARG TARGETARCH`) or a mapping of it in its place";
            found.at(instruction, message, Some(hint.to_owned()));
        }
    }
}

fn shorten(word: &str) -> String {
    if word.chars().count() <= 60 { word.to_owned() } else { word.chars().take(60).chain(['…']).collect() }
}

/// A URL, or a file name with an ending of archives and packages.
fn is_download(word: &str) -> bool {
    const ENDINGS: [&str; 9] =
        [".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.zst", ".zip", ".deb", ".rpm", ".apk"];
    word.contains("://") || ENDINGS.iter().any(|ending| word.ends_with(ending))
}

fn architecture_in(word: &str) -> Option<&'static str> {
    let path = word.split_once("://").map_or(word, |(_, rest)| rest);
    let path = path.split_once('/').map_or(path, |(_, rest)| rest).to_lowercase();
    ARCHITECTURES.into_iter().find(|arch| {
        path.match_indices(arch).any(|(at, _)| {
            let before = path.get(..at).and_then(|p| p.chars().last());
            let after = path.get(at + arch.len()..).and_then(|p| p.chars().next());
            let apart = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric());
            apart(before) && apart(after)
        })
    })
}
