//! Rules about how a file is written.

use std::collections::BTreeSet;

use super::Found;
use super::facts::Facts;
use crate::dockerfile::ast::{Command, Instruction, Pair};

pub(super) fn instruction_casing<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    let instructions =
        || facts.file.stages.iter().flat_map(|s| std::iter::once(&s.from).chain(&s.instructions));
    let upper = |text: &str| text.to_uppercase() == text;
    let lower = |text: &str| text.to_lowercase() == text;
    let lower_count = instructions().filter(|i| lower(&i.node.keyword.text)).count();
    let upper_count = instructions().filter(|i| upper(&i.node.keyword.text)).count();
    let mostly_lower = lower_count > upper_count;
    for instruction in instructions() {
        let keyword = &instruction.node.keyword.text;
        let (good, name, fixed) = if mostly_lower {
            (lower(keyword), "lower", keyword.to_lowercase())
        } else {
            (upper(keyword), "upper", keyword.to_uppercase())
        };
        if !good {
            let message = format!("`{keyword}` in a file whose instructions are {name} case");
            found.at(instruction, message, Some(format!("write `{fixed}`")));
        }
    }
}

pub(super) fn duplicate_stage<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    let mut seen = BTreeSet::new();
    for (_, stage) in facts.stages() {
        if let Some(name) = &stage.name
            && !seen.insert(name.text.as_str())
        {
            let message = format!("stage name `{}` is already used", name.text);
            found.at(&stage.from, message, Some("give each stage a name of its own".to_owned()));
        }
    }
}

pub(super) fn reserved_stage<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    for (_, stage) in facts.stages() {
        if let Some(name) = stage.name.as_ref().filter(|n| matches!(n.text.as_str(), "context" | "scratch")) {
            let message = format!("stage name `{}` is reserved", name.text);
            found.at(&stage.from, message, Some("choose another name".to_owned()));
        }
    }
}

pub(super) fn stage_casing<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    for (_, stage) in facts.stages() {
        if let [_, _, name] = stage.from.node.args.as_slice()
            && name.text != name.text.to_lowercase()
        {
            let fixed = name.text.to_lowercase();
            let message = format!("stage name `{}` is not lower case", name.text);
            found.at(&stage.from, message, Some(format!("write `{fixed}`")));
        }
    }
}

pub(super) fn from_as_casing<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    for (_, stage) in facts.stages() {
        let [_, word, ..] = stage.from.node.args.as_slice() else { continue };
        let from = &stage.from.node.keyword.text;
        let fixed = if *from == from.to_lowercase() {
            word.text.to_lowercase()
        } else if *from == from.to_uppercase() {
            word.text.to_uppercase()
        } else {
            continue;
        };
        if word.text != fixed {
            let message = format!("`{}` does not have the case of `{from}`", word.text);
            found.at(&stage.from, message, Some(format!("write `{fixed}`")));
        }
    }
}

pub(super) fn empty_continuation<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    for instruction in facts.file.instructions() {
        let Some(span) = instruction.node.empty_continuation else { continue };
        let message = "empty line inside a continued instruction".to_owned();
        found.at_span(instruction, span, message, Some("delete the line, or make it a comment".to_owned()));
    }
}

pub(super) fn legacy_pairs<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    for instruction in facts.file.instructions() {
        let (Command::Env(pairs) | Command::Label(pairs)) = &instruction.command else { continue };
        for pair in pairs.iter().filter(|p| p.legacy) {
            let keyword = &instruction.node.keyword.text;
            let message = format!("`{keyword} key value` is the old form");
            found.at(instruction, message, Some(format!("write `{keyword} {}`", modern(pair))));
        }
    }
}

fn modern(pair: &Pair) -> String {
    let quote = if pair.value.contains([' ', '\t']) && !pair.value.contains('"') { "\"" } else { "" };
    format!("{}={quote}{}{quote}", pair.key, pair.value)
}

pub(super) fn maintainer<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    for instruction in facts.file.instructions() {
        if let Command::Maintainer(word) = &instruction.command {
            let hint = format!("write `LABEL org.opencontainers.image.authors=\"{}\"`", word.text);
            found.at(instruction, "MAINTAINER is deprecated".to_owned(), Some(hint));
        }
    }
}

pub(super) fn description<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    let mut at = |instruction: &'f Instruction, names: &[&str]| {
        let Some(comment) = instruction.node.comments.last().filter(|_| !names.is_empty()) else { return };
        if names.contains(&comment.split(' ').next().unwrap_or_default()) {
            return;
        }
        let message = format!("the comment above does not begin with `{}`", names.join("` or `"));
        let hint = "write `# NAME description`, or put an empty comment line in between";
        found.at(instruction, message, Some(hint.to_owned()));
    };
    for instruction in facts.file.instructions() {
        if let Command::Arg(pairs) = &instruction.command {
            let names: Vec<&str> = pairs.iter().map(|p| p.key.as_str()).collect();
            at(instruction, &names);
        }
    }
    for (_, stage) in facts.stages() {
        let names: Vec<&str> = stage.name.iter().map(|n| n.text.as_str()).collect();
        at(&stage.from, &names);
    }
}
