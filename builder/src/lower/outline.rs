//! What a Dockerfile offers: its targets, and what the build of one takes (`--call=targets`, `--call=outline`).
//!
//! Nothing is resolved: triggers of images that are not known here are left out. JSON in the schemas of BuildKit's
//! subrequests `frontend.targets` and `frontend.outline`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::LowerError;
use super::config::BuildConfig;
use super::images::ResolvedImages;
use super::stages::Target;
use crate::dockerfile::Dockerfile;
use crate::dockerfile::ast::{Command, Instruction, Stage};
use crate::dockerfile::expand::Variables as _;
use crate::dockerfile::mount;
use crate::oci::base64;
use crate::source_text::SourceText;

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
    json!([base64::encode(source.text().as_bytes())])
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

    let mut args: BTreeMap<(usize, String), Value> = BTreeMap::new();
    let mut used = used_in_from(&build, &stages);
    let mut secrets = BTreeMap::new();
    let mut agents = BTreeMap::new();
    for instruction in stages.iter().flat_map(|s| &s.instructions) {
        if let Command::Arg(pairs) = &instruction.command {
            for pair in pairs {
                used.push(pair.key.clone());
                let given = config.build_args.get(&pair.key);
                if given.is_none() && pair.value.is_none() && build.args.get(&pair.key).is_some() {
                    continue;
                }
                let value = given.or(pair.value.as_ref()).cloned().unwrap_or_default();
                let entry = argument(instruction, &pair.key, value);
                args.insert((instruction.node.lines.0, pair.key.clone()), entry);
            }
        }
        if let Command::Run(run) = &instruction.command {
            for word in &run.mounts {
                let Ok(mount) = mount::parse(word, |value| Ok(value.to_owned())) else { continue };
                let (kind, id) = match mount.kind {
                    mount::Kind::Secret => (&mut secrets, secret_id(&mount)),
                    mount::Kind::Ssh if mount.id.is_empty() => (&mut agents, "default".to_owned()),
                    mount::Kind::Ssh => (&mut agents, mount.id.clone()),
                    mount::Kind::Bind | mount::Kind::Cache | mount::Kind::Tmpfs => continue,
                };
                let entry = object(vec![
                    ("name", id.clone().into()),
                    ("required", mount.required.into()),
                    ("location", location(instruction)),
                ]);
                kind.entry(id).or_insert((instruction.node.lines.0, entry));
            }
        }
    }
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
        ("args", args.into_values().collect::<Vec<_>>().into()),
        ("secrets", by_line(secrets).into()),
        ("ssh", by_line(agents).into()),
        ("sources", sources(&file.source)),
    ]))
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
fn add_global_args(build: &Target<'_>, used: Vec<String>, args: &mut BTreeMap<(usize, String), Value>) {
    let mut open = used;
    let mut seen = std::collections::BTreeSet::new();
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
                args.insert((instruction.node.lines.0, name.clone()), argument(instruction, &name, value));
            }
        }
    }
}
