//! Rules about variables.

use std::collections::{BTreeMap, BTreeSet};

use super::Found;
use super::facts::Facts;
use crate::dockerfile::ast::{Command, Files, Instruction};
use crate::dockerfile::expand::{Rules, expand};
use crate::dockerfile::suggest;
use crate::lint::platform::is_image_reference;

pub(super) fn default_in_from<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    for (_, stage) in facts.stages() {
        let Some(expanded) = facts.expand(&stage.base.text, &facts.defaults) else { continue };
        if !is_image_reference(&expanded.text) {
            let message = format!("`{}` is no image name without build arguments", stage.base.text);
            let hint = "give the ARG before the first FROM a default".to_owned();
            found.at(&stage.from, message, Some(hint));
        }
    }
}

pub(super) fn undefined_in_from<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    for (_, stage) in facts.stages() {
        let texts = [Some(&stage.base), stage.platform.as_ref()];
        for word in texts.into_iter().flatten() {
            let Some(expanded) = facts.expand(&word.text, &facts.args) else { continue };
            for name in expanded.missing.iter().filter(|n| !facts.declared.contains(*n)) {
                let names = facts.args.keys().chain(&facts.declared).map(String::as_str);
                let hint = suggest::nearest(name, names).map_or_else(
                    || format!("declare `ARG {name}=default` before the first FROM"),
                    |near| format!("did you mean `${near}`?"),
                );
                found.at(&stage.from, format!("`${name}` in FROM is not declared"), Some(hint));
            }
        }
    }
}

/// Variables of a stage as the instructions go by.
struct Scope {
    values: BTreeMap<String, String>,
    /// Declared by ARG, with or without a value.
    declared: BTreeSet<String>,
    /// The base image's variables are not known.
    open: bool,
}

pub(super) fn undefined<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    let mut finished: BTreeMap<usize, Scope> = BTreeMap::new();
    for (index, stage) in facts.stages() {
        let mut scope = match facts.base(index).and_then(|base| finished.get(&base)) {
            Some(base) => {
                Scope { values: base.values.clone(), declared: base.declared.clone(), open: base.open }
            }
            None => {
                let known = facts.context.bases.get(&index);
                let env = known.map(|b| b.env.as_slice()).unwrap_or_default();
                let pairs =
                    env.iter().filter_map(|v| v.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned()));
                let values = [("PATH".to_owned(), String::new())].into_iter().chain(pairs).collect();
                let open = known.is_none() && !facts.begins_empty(index);
                Scope { values, declared: BTreeSet::new(), open }
            }
        };
        for instruction in &stage.instructions {
            report(facts, instruction, &scope, found);
            scope.take(facts, instruction);
        }
        finished.insert(index, scope);
    }
}

fn report<'f>(facts: &Facts<'f>, instruction: &'f Instruction, scope: &Scope, found: &mut Found<'f>) {
    let rules = Rules::new(facts.file.escape());
    let mut missing = BTreeSet::new();
    for (text, rules) in words(facts, &instruction.command, rules) {
        if let Ok(expanded) = expand(text, &scope.values, rules) {
            missing.extend(expanded.missing);
        }
    }
    for name in missing.into_iter().filter(|n| !scope.declared.contains(n)) {
        let near = suggest::nearest(&name, scope.values.keys().map(String::as_str));
        if near.is_none() && scope.open {
            continue;
        }
        let hint = near.map_or_else(
            || format!("declare `ARG {name}` or `ENV {name}=...` before it"),
            |near| format!("did you mean `${near}`?"),
        );
        found.at(instruction, format!("`${name}` is not set here"), Some(hint));
    }
}

/// The words of an instruction in which variables are expanded.
fn words<'i>(facts: &Facts<'_>, command: &'i Command, rules: Rules) -> Vec<(&'i str, Rules)> {
    let files = |files: &'i Files| {
        let texts = files.sources.iter().map(|w| w.text.as_str()).chain([files.dest.as_str()]);
        let flags = [files.chown.as_str(), files.chmod.as_str()];
        let raw = Rules { no_quotes: true, ..Rules::new('\\') };
        let documents = files.documents.iter().filter(|d| d.expand).map(move |d| (d.data.as_str(), raw));
        texts.chain(flags).map(|t| (t, rules)).chain(documents).collect::<Vec<_>>()
    };
    let mut out = match command {
        Command::Add(add) => files(&add.files),
        Command::Copy(copy) => files(&copy.files),
        Command::Env(pairs) | Command::Label(pairs) => {
            pairs.iter().flat_map(|p| [(p.key.as_str(), rules), (p.value.as_str(), rules)]).collect()
        }
        Command::Arg(pairs) => {
            let given = |key: &str| facts.context.build_args.contains_key(key);
            let defaults = pairs.iter().filter(|p| !given(&p.key)).filter_map(|p| p.value.as_deref());
            defaults.map(|v| (v, rules)).collect()
        }
        Command::Run(run) => run.mounts.iter().map(|w| (w.text.as_str(), rules)).collect(),
        Command::Stopsignal(word) | Command::User(word) | Command::Workdir(word) => {
            vec![(word.text.as_str(), rules)]
        }
        Command::Volume(words) => words.iter().map(|w| (w.text.as_str(), rules)).collect(),
        Command::Cmd(_)
        | Command::Entrypoint(_)
        | Command::Expose(_)
        | Command::From
        | Command::Healthcheck(_)
        | Command::Maintainer(_)
        | Command::Onbuild(_)
        | Command::Shell(_) => Vec::new(),
    };
    if let Command::Add(add) = command {
        out.push((add.checksum.as_str(), rules));
    }
    out
}

impl Scope {
    fn take(&mut self, facts: &Facts<'_>, instruction: &Instruction) {
        let rules = Rules::new(facts.file.escape());
        let value_of =
            |scope: &Self, text: &str| expand(text, &scope.values, rules).map(|e| e.text).unwrap_or_default();
        if let Command::Env(pairs) = &instruction.command {
            let set: Vec<(String, String)> =
                pairs.iter().map(|p| (value_of(self, &p.key), value_of(self, &p.value))).collect();
            self.values.extend(set);
        }
        if let Command::Arg(pairs) = &instruction.command {
            for pair in pairs {
                self.declared.insert(pair.key.clone());
                let given = facts.context.build_args.get(&pair.key).cloned();
                let default = || pair.value.as_ref().map(|v| value_of(self, v));
                let global = || facts.args.get(&pair.key).cloned();
                if let Some(value) = given.or_else(default).or_else(global) {
                    self.values.insert(pair.key.clone(), value);
                }
            }
        }
    }
}
