//! What a Dockerfile offers: its targets, and what the build of one takes (`--call=targets`, `--call=outline`).
//!
//! Nothing is resolved: triggers of images that are not known here are left out. JSON in the schemas of BuildKit's
//! subrequests `frontend.targets` and `frontend.outline`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::LowerError;
use super::config::BuildConfig;
use super::env::EnvList;
use super::images::ResolvedImages;
use super::stages::{SCRATCH, Target};
use crate::dockerfile::Dockerfile;
use crate::dockerfile::ast::{Command, Instruction, Stage};
use crate::dockerfile::expand::{Rules, Variables as _, expand};
use crate::dockerfile::mount;
use crate::dockerfile::node::Word;
use crate::source_text::SourceText;
use base64::prelude::{BASE64_STANDARD, Engine as _};

/// The description in the comment above an instruction: the rest of a line that begins with the name.
fn description(instruction: &Instruction, name: &str) -> String {
    let comments = instruction.node.comments.iter();
    let mut rests = comments.filter_map(|c| c.strip_prefix(name)?.strip_prefix(' '));
    rests.next().unwrap_or_default().to_owned()
}

fn location(instruction: &Instruction) -> Value {
    let (first, last) = instruction.node.lines;
    json!({ "ranges": [{ "start": { "line": first }, "end": { "line": last } }] })
}

/// An object without empty texts and false flags, as Go's `omitempty` leaves them out.
fn object(fields: Vec<(&str, Value)>) -> Value {
    let empty = |v: &Value| {
        v.is_null()
            || v.as_str() == Some("")
            || v.as_bool() == Some(false)
            || v.as_array().is_some_and(Vec::is_empty)
    };
    let kept = fields.into_iter().filter(|(_, v)| !empty(v)).map(|(k, v)| (k.to_owned(), v));
    Value::Object(kept.collect::<Map<_, _>>())
}

fn sources(source: &SourceText) -> Value {
    json!([BASE64_STANDARD.encode(source.text().as_bytes())])
}

/// The stages that can be built.
#[must_use]
pub fn targets(file: &Dockerfile) -> Value {
    let last = file.stages.len().saturating_sub(1);
    let one = |(index, stage): (usize, &Stage)| {
        let name = stage.name.as_ref().map(|n| n.text.clone()).unwrap_or_default();
        let about = if name.is_empty() { String::new() } else { description(&stage.from, &name) };
        object(vec![
            ("description", about.into()),
            ("name", name.into()),
            ("default", (index == last).into()),
            ("base", stage.base.text.clone().into()),
            ("platform", stage.platform.as_ref().map(|p| p.text.clone()).unwrap_or_default().into()),
            ("location", location(&stage.from)),
        ])
    };
    json!({ "targets": file.stages.iter().enumerate().map(one).collect::<Vec<_>>(), "sources": sources(&file.source) })
}

/// What the build of a target takes: arguments, secrets, agents.
///
/// # Errors
/// The target does not exist, or the stages cannot be set up.
pub fn outline(file: &Dockerfile, config: &BuildConfig) -> Result<Value, LowerError> {
    let implicit = config.target_platforms.is_empty();
    let platform = config.target_platforms.first().unwrap_or(&config.build_platform);
    let nothing = ResolvedImages::new();
    let mut build = Target::new(file, config, &nothing, platform, implicit)?;
    build.add_stages()?;
    let target = build.find_target()?;
    let reachable = build.reachable(target);
    let stages: Vec<&Stage> = reachable.iter().filter_map(|index| file.stages.get(*index)).collect();

    let mut taken = Taken { used: used_in_from(&build, &stages), ..Taken::default() };
    let mut scopes: BTreeMap<usize, Scope> = BTreeMap::new();
    for index in reachable.iter().copied() {
        let mut scope = Scope::of(&build, &scopes, index);
        for instruction in file.stages.get(index).into_iter().flat_map(|stage| &stage.instructions) {
            taken.read(&build, &mut scope, instruction);
        }
        scopes.insert(index, scope);
    }
    let Taken { mut args, used, secrets, agents } = taken;
    add_global_args(&build, used, &mut args);
    let by_line = |map: BTreeMap<String, (usize, Value)>| {
        let mut list: Vec<(usize, Value)> = map.into_values().collect();
        list.sort_by_key(|(line, _)| *line);
        list.into_iter().map(|(_, entry)| entry).collect::<Vec<_>>()
    };
    let stage = file.stages.get(target);
    let name = stage.and_then(|s| s.name.as_ref()).map(|n| n.text.clone()).unwrap_or_default();
    let about = stage.filter(|_| !name.is_empty()).map(|s| description(&s.from, &name)).unwrap_or_default();
    Ok(object(vec![
        ("name", name.into()),
        ("description", about.into()),
        ("args", by_line(args).into()),
        ("secrets", by_line(secrets).into()),
        ("ssh", by_line(agents).into()),
        ("sources", sources(&file.source)),
    ]))
}

/// What the instructions take, by name, with the line. Of two arguments with one name the later one counts.
#[derive(Default)]
struct Taken {
    args: BTreeMap<String, (usize, Value)>,
    /// Names of arguments that something uses.
    used: Vec<String>,
    secrets: BTreeMap<String, (usize, Value)>,
    agents: BTreeMap<String, (usize, Value)>,
}

impl Taken {
    fn read(&mut self, build: &Target<'_>, scope: &mut Scope, instruction: &Instruction) {
        if let Command::Arg(pairs) = &instruction.command {
            for pair in pairs {
                self.used.push(pair.key.clone());
                let default = pair.value.as_ref().map(|value| scope.expand(value));
                let own = build.config.build_args.get(&pair.key).cloned().or(default);
                let global = build.args.get(&pair.key);
                if let Some(value) = own.as_deref().or(global) {
                    scope.env.set(&pair.key, value);
                }
                if own.is_some() || global.is_none() {
                    let entry = argument(instruction, &pair.key, own.unwrap_or_default());
                    self.args.insert(pair.key.clone(), (instruction.node.lines.0, entry));
                }
            }
        } else if let Command::Env(pairs) = &instruction.command {
            let expanded = pairs.iter().map(|pair| (scope.expand(&pair.key), scope.expand(&pair.value)));
            let expanded: Vec<_> = expanded.collect();
            expanded.into_iter().for_each(|(key, value)| scope.env.set(key, value));
        } else if let Command::Run(run) = &instruction.command {
            run.mounts.iter().for_each(|word| self.mount(scope, word, instruction));
        }
    }

    fn mount(&mut self, scope: &Scope, word: &Word, instruction: &Instruction) {
        let Ok(mount) = mount::parse(word, |value| Ok(scope.expand(value))) else { return };
        let (kind, id) = match mount.kind {
            mount::Kind::Secret => (&mut self.secrets, secret_id(&mount)),
            mount::Kind::Ssh if mount.id.is_empty() => (&mut self.agents, "default".to_owned()),
            mount::Kind::Ssh => (&mut self.agents, mount.id.clone()),
            mount::Kind::Bind | mount::Kind::Cache | mount::Kind::Tmpfs => return,
        };
        let entry = object(vec![
            ("name", id.clone().into()),
            ("required", mount.required.into()),
            ("location", location(instruction)),
        ]);
        kind.entry(id).or_insert((instruction.node.lines.0, entry));
    }
}

/// The variables of a stage, as far as they are known without its base image.
#[derive(Clone)]
struct Scope {
    env: EnvList,
    rules: Rules,
}

impl Scope {
    /// What the stage begins with: the variables of the stage it is built on. Those that an image may set stay as written.
    fn of(build: &Target<'_>, scopes: &BTreeMap<usize, Self>, index: usize) -> Self {
        let stage = build.stages.get(index);
        if let Some(base) = stage.and_then(|stage| scopes.get(&stage.base?)) {
            return base.clone();
        }
        let from_image = stage.is_none_or(|stage| stage.base_name != SCRATCH);
        let rules = Rules { keep_unset: from_image, ..Rules::new(build.file.escape()) };
        Self { env: EnvList::default(), rules }
    }

    fn expand(&self, text: &str) -> String {
        expand(text, &self.env, self.rules).map_or_else(|_| text.to_owned(), |expanded| expanded.text)
    }
}

fn argument(instruction: &Instruction, name: &str, value: String) -> Value {
    object(vec![
        ("name", name.into()),
        ("description", description(instruction, name).into()),
        ("value", value.into()),
        ("location", location(instruction)),
    ])
}

fn secret_id(mount: &mount::Mount) -> String {
    let named = [&mount.source, &mount.id].into_iter().find(|id| !id.is_empty());
    named.cloned().unwrap_or_else(|| super::paths::base_name(&mount.target).to_owned())
}

/// Names that FROM of these stages uses.
fn used_in_from(build: &Target<'_>, stages: &[&Stage]) -> Vec<String> {
    let words = stages.iter().flat_map(|s| std::iter::once(&s.base).chain(&s.platform));
    let expanded = words.filter_map(|w| build.expand(&w.text, &build.args, w.span).ok());
    expanded.flat_map(|e| e.used).collect()
}

/// Arguments before the first FROM that are used, by FROM, by a stage, or by the default of another used one.
fn add_global_args(build: &Target<'_>, used: Vec<String>, args: &mut BTreeMap<String, (usize, Value)>) {
    let own: BTreeSet<String> = args.keys().cloned().collect();
    let mut open = used;
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        for instruction in &build.file.global_args {
            let Command::Arg(pairs) = &instruction.command else { continue };
            for pair in pairs.iter().filter(|p| p.key == name) {
                let default = pair.value.as_deref().unwrap_or_default();
                open.extend(
                    build.expand(default, &build.args, pair.span).map(|e| e.used).unwrap_or_default(),
                );
                let value = build.args.get(&name).unwrap_or_default().to_owned();
                if !own.contains(&name) {
                    let entry = argument(instruction, &name, value);
                    args.insert(name.clone(), (instruction.node.lines.0, entry));
                }
            }
        }
    }
}
