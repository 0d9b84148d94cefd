//! Rules about what an instruction does to the image.

use std::collections::BTreeMap;

use super::Found;
use super::facts::Facts;
use crate::dockerfile::ast::{Command, Instruction};
use crate::dockerfile::ignore::{Matcher, patterns};
use crate::dockerfile::path::clean;

pub(super) fn copy_ignored<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    let text = facts.context.dockerignore.as_deref().unwrap_or_default();
    let Ok(matcher) = Matcher::new(&patterns(text)) else { return };
    if matcher.is_empty() {
        return;
    }
    // Whether nothing of it is left: of a directory, a part may come back. What a wild card matches is not known here.
    let excluded = |path: &str| match path {
        "." | "/" => {
            !matcher.has_exceptions()
                && patterns(text).iter().any(|p| matches!(p.as_str(), "*" | "**" | "**/*"))
        }
        _ if matcher.has_exceptions() => {
            !path.contains(['*', '?', '[']) && matcher.excludes_all_below(path.as_bytes())
        }
        _ => matcher.matches(path.as_bytes()),
    };
    for (instruction, seen) in facts.seen() {
        let of_context = if let Command::Copy(copy) = &instruction.command {
            copy.from.is_none()
        } else {
            matches!(instruction.command, Command::Add(_))
        };
        for source in seen.words.iter().filter(|_| of_context) {
            let path = clean(source);
            let remote = source.contains("://") || source.starts_with("git@");
            if !remote && excluded(&path) {
                let message = format!("`{path}` is excluded by .dockerignore");
                found.at(
                    instruction,
                    message,
                    Some("copy something else, or take the pattern out".to_owned()),
                );
            }
        }
    }
}

fn ports<'a, 'f>(facts: &'a Facts<'f>) -> impl Iterator<Item = (&'f Instruction, &'a str)> {
    let exposed = facts.seen().filter(|(i, _)| matches!(i.command, Command::Expose(_)));
    exposed.flat_map(|(instruction, seen)| seen.words.iter().map(move |word| (instruction, word.as_str())))
}

pub(super) fn expose_format<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    for (instruction, port) in ports(facts) {
        if let Some((host, container)) = port.rsplit_once(':').filter(|(host, _)| !host.is_empty()) {
            let message = format!("`{port}` names more than a port of the container: `{host}`");
            found.at(instruction, message, Some(format!("write `EXPOSE {container}`")));
        }
    }
}

pub(super) fn expose_casing<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    for (instruction, port) in ports(facts) {
        if let Some((_, protocol)) = port.split_once('/')
            && protocol != protocol.to_lowercase()
        {
            let message = format!("the protocol of `{port}` is not lower case");
            found.at(instruction, message, Some(format!("write `{}`", protocol.to_lowercase())));
        }
    }
}

pub(super) fn json_recommended<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    let mut with_shell: BTreeMap<usize, bool> = BTreeMap::new();
    for (index, stage) in facts.stages() {
        let base = facts.base(index).and_then(|b| with_shell.get(&b)).copied();
        let of_image = || facts.context.bases.get(&index).is_some_and(|base| base.shell);
        let mut shell = base.unwrap_or_else(of_image);
        for instruction in &stage.instructions {
            if matches!(instruction.command, Command::Shell(_)) {
                shell = true;
            }
            if let Command::Cmd(line) | Command::Entrypoint(line) = &instruction.command
                && line.shell
                && !shell
            {
                let keyword = instruction.node.keyword.text.to_uppercase();
                let message = format!("{keyword} in shell form: signals go to the shell");
                let hint = format!("write `{keyword} [\"program\", \"argument\"]`, or set SHELL on purpose");
                found.at(instruction, message, Some(hint));
            }
        }
        with_shell.insert(index, shell);
    }
}

pub(super) fn repeated<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    for (_, stage) in facts.stages() {
        let mut last: BTreeMap<&str, &'f Instruction> = BTreeMap::new();
        for instruction in &stage.instructions {
            let keyword = instruction.node.keyword.text.to_uppercase();
            let Some(name) = ["CMD", "ENTRYPOINT", "HEALTHCHECK"].into_iter().find(|n| *n == keyword) else {
                continue;
            };
            if let Some(before) = last.insert(name, instruction) {
                let message = format!("this {name} has no effect: a later one in the stage replaces it");
                found.at(before, message, Some("keep the last one".to_owned()));
            }
        }
    }
}

pub(super) fn relative_workdir<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    let mut set: BTreeMap<usize, bool> = BTreeMap::new();
    for (index, stage) in facts.stages() {
        let mut done = facts.base(index).and_then(|base| set.get(&base)).copied().unwrap_or(false);
        let for_windows = facts.os(index) == "windows";
        for (instruction, seen) in stage.instructions.iter().zip(facts.seen_in(index)) {
            let Command::Workdir(word) = &instruction.command else { continue };
            let relative = seen.words.iter().any(|path| {
                let windows = path.get(1..2) == Some(":") || path.starts_with('\\');
                !(path.starts_with('/') || windows && for_windows)
            });
            if relative && !done {
                let message = format!("WORKDIR `{}` depends on the base image", word.text);
                found.at(instruction, message, Some(format!("write `WORKDIR /{}`", word.text)));
            }
            done = true;
        }
        set.insert(index, done);
    }
}

/// Parts of names that speak of secrets, and parts that take it back.
const SECRET: [&str; 10] =
    ["apikey", "auth", "credential", "credentials", "key", "passwd", "password", "pword", "secret", "token"];
const HARMLESS: [&str; 3] = ["file", "public", "version"];

pub(super) fn secrets<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    let speaks_of = |name: &str, parts: &[&str]| name.to_lowercase().split('_').any(|p| parts.contains(&p));
    for (_, stage) in facts.stages() {
        for instruction in &stage.instructions {
            let names: Vec<&str> = if let Command::Arg(pairs) = &instruction.command {
                pairs.iter().map(|p| p.key.as_str()).collect()
            } else if let Command::Env(pairs) = &instruction.command {
                pairs.iter().map(|p| p.key.as_str()).collect()
            } else {
                Vec::new()
            };
            for name in names.into_iter().filter(|n| speaks_of(n, &SECRET) && !speaks_of(n, &HARMLESS)) {
                let keyword = instruction.node.keyword.text.to_uppercase();
                let message = format!("{keyword} `{name}` looks like a secret and stays in the image");
                let hint = format!("use `RUN --mount=type=secret,id={name},env={name} ...`");
                found.at(instruction, message, Some(hint));
            }
        }
    }
}
