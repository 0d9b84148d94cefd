//! Goes through the stages once, as a build would, and notes what the words of each instruction become.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::Facts;
use crate::dockerfile::ast::{Command, Files, Instruction};
use crate::dockerfile::expand::{Rules, expand};
use crate::dockerfile::suggest;

/// What is known of an instruction when its turn comes.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Sources of COPY and ADD, ports of EXPOSE, the path of WORKDIR, variables in place; empty when one of them may
    /// hold a variable of an unknown base image.
    pub(super) words: Vec<String>,
    /// Variables that nothing sets, and one with a similar name.
    pub(super) unset: Vec<(String, Option<String>)>,
}

/// Arguments that BuildKit's scanners read; they never become variables.
const NOT_VARIABLES: [&str; 2] = ["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];

/// Variables of a stage as the instructions go by.
#[derive(Debug, Clone)]
struct Scope {
    values: BTreeMap<String, String>,
    /// Declared by ARG, with or without a value.
    declared: BTreeSet<String>,
    /// The base image's variables are not known.
    open: bool,
}

/// The stages' instructions, in their order.
pub(super) fn walk(facts: &Facts<'_>) -> Vec<Vec<Seen>> {
    let mut finished: BTreeMap<usize, Scope> = BTreeMap::new();
    let mut all = Vec::with_capacity(facts.file.stages.len());
    for (index, stage) in facts.stages() {
        let mut scope = match facts.base(index).and_then(|base| finished.get(&base)) {
            Some(base) => base.clone(),
            None => Scope::of_base(facts, index),
        };
        all.push(stage.instructions.iter().map(|instruction| scope.pass(facts, instruction)).collect());
        finished.insert(index, scope);
    }
    all
}

impl Scope {
    fn of_base(facts: &Facts<'_>, index: usize) -> Self {
        let known = facts.context.bases.get(&index);
        let env = known.map(|base| base.env.as_slice()).unwrap_or_default();
        let pairs = env.iter().filter_map(|variable| variable.split_once('='));
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Self {
            values: [("PATH".to_owned(), String::new())].into_iter().chain(pairs).collect(),
            declared: BTreeSet::new(),
            open: known.is_none() && !facts.begins_empty(index),
        }
    }

    /// Looks at an instruction, then takes what it sets.
    fn pass(&mut self, facts: &Facts<'_>, instruction: &Instruction) -> Seen {
        let rules = Rules::new(facts.file.escape());
        let mut missing = BTreeSet::new();
        for (text, rules) in texts(&instruction.command, rules) {
            missing.extend(self.missing(text, rules));
        }
        let words = self.words(&instruction.command, rules);
        if let Command::Env(pairs) = &instruction.command {
            let set: Vec<(String, String)> = pairs
                .iter()
                .map(|pair| (self.value(&pair.key, rules), self.value(&pair.value, rules)))
                .collect();
            self.values.extend(set);
        } else if let Command::Arg(pairs) = &instruction.command {
            for pair in pairs {
                let given = facts.context.build_args.get(&pair.key).cloned();
                if let (None, Some(default)) = (&given, &pair.value) {
                    missing.extend(self.missing(default, rules));
                }
                let default = || pair.value.as_ref().map(|value| self.value(value, rules));
                let value = given.or_else(default).or_else(|| facts.args.get(&pair.key).cloned());
                self.declared.insert(pair.key.clone());
                if let Some(value) = value.filter(|_| !NOT_VARIABLES.contains(&pair.key.as_str())) {
                    self.values.insert(pair.key.clone(), value);
                }
            }
        }
        Seen { words, unset: self.reported(missing) }
    }

    fn value(&self, text: &str, rules: Rules) -> String {
        expand(text, &self.values, rules).map(|expanded| expanded.text).unwrap_or_default()
    }

    /// Variables of a word that are neither set nor declared.
    fn missing(&self, text: &str, rules: Rules) -> BTreeSet<String> {
        let mut missing = expand(text, &self.values, rules).map(|e| e.missing).unwrap_or_default();
        missing.retain(|name| !self.declared.contains(name) && !NOT_VARIABLES.contains(&name.as_str()));
        missing
    }

    /// With an unknown base only those are sure that look like another one, written wrong.
    fn reported(&self, missing: BTreeSet<String>) -> Vec<(String, Option<String>)> {
        let near =
            |name: &str| suggest::nearest(name, self.values.keys().map(String::as_str)).map(str::to_owned);
        let all = missing.into_iter().map(|name| {
            let near = near(&name);
            (name, near)
        });
        all.filter(|(_, near)| near.is_some() || !self.open).collect()
    }

    fn words(&self, command: &Command, rules: Rules) -> Vec<String> {
        let words = if let Command::Add(add) = command {
            add.files.sources.as_slice()
        } else if let Command::Copy(copy) = command {
            copy.files.sources.as_slice()
        } else if let Command::Expose(words) = command {
            words.as_slice()
        } else if let Command::Workdir(word) = command {
            std::slice::from_ref(word)
        } else {
            &[]
        };
        let expanded: Option<Vec<String>> = words
            .iter()
            .map(|word| {
                let expanded = expand(&word.text, &self.values, rules).ok()?;
                let known = !self.open || expanded.missing.iter().all(|name| self.declared.contains(name));
                known.then_some(expanded.text)
            })
            .collect();
        expanded.unwrap_or_default()
    }
}

/// The words of an instruction in which unset variables are reported; those of ARG come one by one.
fn texts(command: &Command, rules: Rules) -> Vec<(&str, Rules)> {
    match command {
        Command::Add(add) => {
            let checksum = (add.checksum.as_str(), rules);
            files(&add.files, rules).into_iter().chain([checksum]).collect()
        }
        Command::Copy(copy) => files(&copy.files, rules),
        Command::Env(pairs) | Command::Label(pairs) => {
            pairs.iter().flat_map(|p| [(p.key.as_str(), rules), (p.value.as_str(), rules)]).collect()
        }
        Command::Run(run) => run.mounts.iter().map(|word| (word.text.as_str(), rules)).collect(),
        Command::Stopsignal(word) | Command::User(word) | Command::Workdir(word) => {
            vec![(word.text.as_str(), rules)]
        }
        Command::Volume(words) => words.iter().map(|word| (word.text.as_str(), rules)).collect(),
        Command::Arg(_)
        | Command::Cmd(_)
        | Command::Entrypoint(_)
        | Command::Expose(_)
        | Command::From
        | Command::Healthcheck(_)
        | Command::Maintainer(_)
        | Command::Onbuild(_)
        | Command::Shell(_) => Vec::new(),
    }
}

fn files(files: &Files, rules: Rules) -> Vec<(&str, Rules)> {
    let texts = files.sources.iter().map(|word| word.text.as_str()).chain([files.dest.as_str()]);
    let flags = [files.chown.as_str(), files.chmod.as_str()];
    let raw = Rules { no_quotes: true, ..Rules::new('\\') };
    let documents = files.documents.iter().filter(|d| d.expand).map(move |d| (d.data.as_str(), raw));
    texts.chain(flags).map(|text| (text, rules)).chain(documents).collect()
}
