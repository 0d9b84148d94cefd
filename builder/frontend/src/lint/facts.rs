//! What the rules ask about a file, found out once.

use std::collections::{BTreeMap, BTreeSet};

use platform_db::Platform;

use super::Context;
use super::scope::{self, Seen};
use crate::dockerfile::Dockerfile;
use crate::dockerfile::ast::{Command, Instruction, Stage};
use crate::dockerfile::automatic::automatic_args;
use crate::dockerfile::expand::{Expanded, Rules, expand};

/// A file with its settings.
pub(crate) struct Facts<'a> {
    pub(super) file: &'a Dockerfile,
    pub(super) context: &'a Context,
    /// Values of the arguments before the first FROM.
    pub(super) args: BTreeMap<String, String>,
    /// The same without build arguments.
    pub(super) defaults: BTreeMap<String, String>,
    /// Names declared before the first FROM, with and without a value.
    pub(super) declared: BTreeSet<String>,
    /// Each stage's base among the stages, and the stage its chain of bases begins with.
    chains: Vec<(Option<usize>, usize)>,
    /// What is known of each instruction when its turn comes.
    seen: Vec<Vec<Seen>>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(file: &'a Dockerfile, context: &'a Context) -> Self {
        let target = context.target_platforms.first().unwrap_or(&context.build_platform);
        let stage = file.stages.last().and_then(|s| s.name.as_ref()).map_or("", |n| n.text.as_str());
        let automatic = automatic_args(&context.build_platform, target, stage);
        let mut defaults: BTreeMap<String, String> =
            automatic.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let mut args = defaults.clone();
        for (name, value) in &context.build_args {
            if let Some(slot) = args.get_mut(name) {
                slot.clone_from(value);
            }
        }
        let mut declared = BTreeSet::new();
        for instruction in &file.global_args {
            let Command::Arg(pairs) = &instruction.command else { continue };
            for pair in pairs {
                declared.insert(pair.key.clone());
                let default = |known: &BTreeMap<String, String>| {
                    let value = pair.value.as_ref()?;
                    Some(expand(value, known, Rules::new(file.escape())).ok()?.text)
                };
                if let Some(value) = default(&defaults) {
                    defaults.insert(pair.key.clone(), value);
                }
                if let Some(value) = context.build_args.get(&pair.key).cloned().or_else(|| default(&args)) {
                    args.insert(pair.key.clone(), value);
                }
            }
        }
        let chains = chains(file, &args);
        let facts = Self { file, context, args, defaults, declared, chains, seen: Vec::new() };
        Self { seen: scope::walk(&facts), ..facts }
    }

    /// Expands with the arguments before the first FROM.
    pub(super) fn expand(&self, text: &str, variables: &BTreeMap<String, String>) -> Option<Expanded> {
        expand(text, variables, Rules::new(self.file.escape())).ok()
    }

    /// The stage a stage is built on.
    pub(super) fn base(&self, index: usize) -> Option<usize> {
        self.chains.get(index)?.0
    }

    /// The stage at the bottom of a stage's chain of bases.
    fn root(&self, index: usize) -> Option<&'a Stage> {
        self.file.stages.get(self.chains.get(index)?.1)
    }

    /// `--platform` at the bottom of a stage's chain, as written and as a value.
    pub(super) fn platform(&self, index: usize) -> Option<(&'a str, Platform)> {
        let word = self.root(index)?.platform.as_ref()?;
        let text = self.expand(&word.text, &self.args)?.text;
        let platform = Platform::parse_on(&text, &self.context.build_platform).ok()?;
        Some((word.text.as_str(), platform))
    }

    /// Operating system of a stage.
    pub(super) fn os(&self, index: usize) -> String {
        let context = self.context;
        let target = || context.target_platforms.first().unwrap_or(&context.build_platform).clone();
        self.platform(index).map_or_else(target, |(_, platform)| platform).os().to_owned()
    }

    /// Whether the chain of a stage begins with nothing.
    pub(super) fn begins_empty(&self, index: usize) -> bool {
        self.root(index)
            .is_some_and(|s| self.expand(&s.base.text, &self.args).is_some_and(|e| e.text == "scratch"))
    }

    /// The instructions of all stages with what is known of them.
    pub(super) fn seen(&self) -> impl Iterator<Item = (&'a Instruction, &Seen)> {
        let stages = self.file.stages.iter().zip(&self.seen);
        stages.flat_map(|(stage, seen)| stage.instructions.iter().zip(seen))
    }

    /// What is known of the instructions of one stage.
    pub(super) fn seen_in(&self, index: usize) -> &[Seen] {
        self.seen.get(index).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn stages(&self) -> impl Iterator<Item = (usize, &'a Stage)> {
        self.file.stages.iter().enumerate()
    }
}

/// Goes through the stages once: a name means the last stage before that has it.
fn chains(file: &Dockerfile, args: &BTreeMap<String, String>) -> Vec<(Option<usize>, usize)> {
    let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
    let mut chains: Vec<(Option<usize>, usize)> = Vec::with_capacity(file.stages.len());
    for (index, stage) in file.stages.iter().enumerate() {
        let name = expand(&stage.base.text, args, Rules::new(file.escape())).ok().map(|e| e.text);
        let base = name.and_then(|name| by_name.get(name.as_str()).copied());
        let root = base.and_then(|base| chains.get(base)).map_or(index, |(_, root)| *root);
        chains.push((base, root));
        if let Some(name) = &stage.name {
            by_name.insert(&name.text, index);
        }
    }
    chains
}
