//! Goes through the stages in order and puts their instructions into the graph.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use platform_db::Platform;

use super::context;
use super::env::{self, EnvList};
use super::git;
use super::named::{json_list, named};
use super::platforms::{StagePlatform, cross_suffix, to_op};
use super::resolve::DEFAULT_PATH;
use super::stages::{StageState, Step, Target};
use super::{LowerError, LoweredTarget, paths};
use crate::dockerfile::ast::Command;
use crate::dockerfile::expand::{Rules, expand};
use crate::dockerfile::{Diagnostic, ignore};
use crate::lint::Base;
use crate::llb::graph::{NodeId, SourceFile};
use crate::llb::pb;
use crate::oci::image::{History, Image};
use crate::oci::manifest::known_platform;
use crate::oci::time::rfc3339;

/// Key of a node's description that holds the instruction.
pub(super) const DOCKERFILE_COMMAND: &str = "com.docker.dockerfile.v1.command";

impl<'a> Target<'a> {
    /// Dispatches every stage that the target needs, in the order of the file.
    pub(super) fn dispatch_all(
        &mut self,
        reachable: &BTreeSet<usize>,
        target: usize,
    ) -> Result<(), LowerError> {
        self.dispatch_reachable(reachable)?;
        if let Some(paths) =
            self.stages.get(target).map(|s| s.paths).and_then(|p| self.shared.path_sets.get_mut(p))
        {
            paths.insert("/".to_owned());
        }
        Ok(())
    }

    pub(super) fn dispatch_reachable(&mut self, reachable: &BTreeSet<usize>) -> Result<(), LowerError> {
        for index in reachable {
            if self.stages.get(*index).is_some_and(|s| !s.done) {
                self.dispatch_stage(*index)?;
            }
        }
        Ok(())
    }

    fn dispatch_stage(&mut self, index: usize) -> Result<(), LowerError> {
        self.inherit(index);
        let Some(slot) = self.stages.get_mut(index) else { return Ok(()) };
        slot.done = true;
        let mut stage = std::mem::take(slot);
        let platform = stage.platform.get_or_insert_with(|| StagePlatform::of(self.platform.clone())).clone();
        let has_path = stage.image.config.env.iter().any(|v| env::split(v).0 == "PATH");
        if !has_path && platform.value.os() != "windows" {
            stage.image.config.env.push(format!("PATH={DEFAULT_PATH}"));
        }
        for variable in &stage.image.config.env {
            let (key, value) = env::split(variable);
            stage.state.env.set(key, value);
        }
        if !stage.image.config.working_dir.is_empty() {
            let dir = stage.image.config.working_dir.clone();
            stage.enter_dir(&dir, platform.value.os()).map_err(|e| e.at(stage.span))?;
        }
        stage.state.user.clone_from(&stage.image.config.user);
        let steps = std::mem::take(&mut stage.steps);
        let outcome = steps.iter().try_for_each(|step| {
            self.dispatch(&mut stage, step).or_else(|error| self.note(&stage, step, error))
        });
        stage.steps = steps;
        if let Some(slot) = self.stages.get_mut(index) {
            *slot = stage;
        }
        outcome
    }

    fn dispatch(&mut self, stage: &mut StageState<'a>, step: &Step<'a>) -> Result<(), LowerError> {
        stage.in_trigger = step.onbuild;
        let instruction = step.instruction.as_ref();
        match &instruction.command {
            Command::Add(add) => self.add(stage, step, add)?,
            Command::Arg(pairs) => self.arg(stage, pairs)?,
            Command::Cmd(line) => self.cmd(stage, line),
            Command::Copy(copy) => self.copy(stage, step, copy)?,
            Command::Entrypoint(line) => self.entrypoint(stage, line),
            Command::Env(pairs) => self.env(stage, pairs)?,
            Command::Expose(words) => self.expose(stage, words)?,
            Command::From => {}
            Command::Healthcheck(health) => self.healthcheck(stage, health),
            Command::Label(pairs) => self.label(stage, pairs)?,
            Command::Maintainer(word) => self.maintainer(stage, word),
            Command::Onbuild(text) => stage.image.config.on_build.push(text.clone()),
            Command::Run(run) => self.run(stage, step, run)?,
            Command::Shell(args) => self.shell(stage, args),
            Command::Stopsignal(word) => self.stopsignal(stage, word)?,
            Command::User(word) => self.user(stage, word)?,
            Command::Volume(words) => self.volume(stage, words)?,
            Command::Workdir(word) => self.workdir(stage, step, word)?,
        }
        Ok(())
    }

    /// The main context; its paths are filled in at the end.
    pub(super) fn main_context(&mut self) -> Result<NodeId, LowerError> {
        if let Some(node) = self.shared.context {
            return Ok(node);
        }
        let wrong =
            |message: String| Diagnostic::error(crate::source_text::Span::default(), message).hint(git::FORM);
        let remote = context::add(&mut self.shared.graph, &self.config.context, &self.config.build_args);
        let node = match remote.map_err(wrong)? {
            Some(node) => node,
            None => {
                let excludes = ignore::patterns(self.config.dockerignore.as_deref().unwrap_or_default());
                self.local_source("context", &excludes, "context", "[internal] load build context", None)
            }
        };
        self.shared.context = Some(node);
        Ok(node)
    }

    /// Marks a path of the main context as used.
    pub(super) fn use_context(&mut self, path: &str) {
        self.shared.context_paths.insert(paths::join("/", path));
    }

    /// `[linux/arm64 build 2/5] ` and the instruction.
    pub(super) fn step_name(
        &self,
        stage: &mut StageState<'a>,
        text: &str,
        platform: Option<&Platform>,
        env: &EnvList,
    ) -> String {
        if stage.step_total == 0 {
            return text.to_owned();
        }
        let mut out = String::from("[");
        if let Some(platform) =
            platform.filter(|_| self.config.multi_platform || self.config.target_platforms.len() > 1)
        {
            out.push_str(&format!("{platform}{} ", cross_suffix(platform, env)));
        }
        if !stage.label.is_empty() {
            out.push_str(&stage.label);
            out.push(' ');
        }
        stage.step_index += 1;
        let width = stage.step_total.to_string().len();
        out.push_str(&format!("{:width$}/{}] ", stage.step_index, stage.step_total));
        if stage.in_trigger {
            out.push_str("ONBUILD ");
        }
        out.push_str(text);
        out
    }

    /// The instruction for display: keyword in capitals, variables expanded where that works.
    pub(super) fn display(&self, code: &str, env: &EnvList, rules: Rules) -> String {
        let shown = expand(code, env, rules).map_or_else(|_| code.to_owned(), |e| e.text);
        match shown.split_once(' ') {
            Some((keyword, rest)) => format!("{} {rest}", keyword.to_uppercase()),
            None => shown.to_uppercase(),
        }
    }

    /// Adds an entry to the image's history.
    pub(super) fn commit(&mut self, stage: &mut StageState<'a>, message: String, layer: bool, by_step: bool) {
        let created_by = if by_step { format!("{message} # buildkit") } else { message };
        let entry = History {
            created: self.epoch.map(rfc3339),
            created_by,
            author: String::new(),
            comment: "buildkit.dockerfile.v0".to_owned(),
            empty_layer: !layer,
        };
        self.shared.commits.push((entry, stage.last_commit));
        stage.last_commit = Some(self.shared.commits.len() - 1);
    }

    /// The history of a stage, its bases' included, oldest entry first.
    fn history(&mut self, last: Option<usize>) -> Vec<History> {
        let mut entries = Vec::new();
        let mut next = last;
        while let Some((entry, before)) = next.and_then(|at| self.shared.commits.get_mut(at)) {
            entries.push(std::mem::take(entry));
            next = *before;
        }
        entries.reverse();
        entries
    }

    /// Fills in what is only known now and writes the definition.
    pub(super) fn finish(mut self, target: usize, reachable: &BTreeSet<usize>) -> LoweredTarget {
        if let Some(context) = self.shared.context {
            let set = std::mem::take(&mut self.shared.context_paths);
            self.set_follow_paths(context, &set);
        }
        for (node, paths) in std::mem::take(&mut self.shared.local_sources) {
            let set = self.shared.path_sets.get(paths).cloned().unwrap_or_default();
            self.set_follow_paths(node, &set);
        }
        let bases = self.bases();
        let stage = self.stages.get_mut(target).map(std::mem::take).unwrap_or_default();
        let mut image = stage.image;
        image.history.extend(self.history(stage.last_commit));
        image.config.labels.extend(self.config.labels.clone());
        if !self.implicit {
            set_platform(&mut image, &self.platform);
        }
        if let Some(p) = known_platform(&image.os, &image.architecture, &image.variant, &image.os_version) {
            image.os = p.os().to_owned();
            image.architecture = p.arch().to_owned();
            image.variant = p.variant().to_owned();
        }
        let file = SourceFile { name: self.file.source.name(), text: self.file.source.text() };
        LoweredTarget {
            definition: self.shared.graph.marshal(stage.state.out, &to_op(&self.platform), &file),
            platform: self.platform,
            image,
            base_image: stage.base_image.map(Arc::unwrap_or_clone),
            bases,
            stages: reachable.iter().copied().filter(|index| *index < self.file.stages.len()).collect(),
            epoch: self.epoch,
        }
    }

    /// The images that stages of the file begin with, as far as they were needed.
    fn bases(&self) -> BTreeMap<usize, Base> {
        let stages = self.stages.iter().take(self.file.stages.len()).enumerate();
        stages
            .filter(|(_, stage)| stage.base.is_none())
            .filter_map(|(index, stage)| {
                let image = stage.base_image.as_ref()?;
                let actual =
                    known_platform(&image.os, &image.architecture, &image.variant, &image.os_version);
                let expected = stage.platform.as_ref().map_or(&self.platform, |p| &p.value).clone();
                let base = Base {
                    env: image.config.env.clone(),
                    shell: !image.config.shell.is_empty(),
                    platforms: actual.map(|actual| (expected, actual)).into_iter().collect(),
                };
                Some((index, base))
            })
            .collect()
    }

    /// Paths of a local source; the whole of it when `/` is among them.
    fn set_follow_paths(&mut self, node: NodeId, paths: &BTreeSet<String>) {
        if paths.contains("/") {
            return;
        }
        let relative: BTreeSet<String> =
            paths.iter().map(|p| paths::join(".", p.trim_start_matches('/'))).collect();
        let relative: Vec<String> = relative.into_iter().collect();
        if let (Some(list), Some(source)) = (json_list(&relative), self.shared.graph.source_mut(node))
            && source.identifier.starts_with("local://")
        {
            source.attrs.insert("local.followpaths".to_owned(), list);
        }
    }

    /// Metadata of an instruction's operation.
    pub(super) fn step_metadata(&self, stage: &StageState<'a>, label: &str) -> pb::OpMetadata {
        pb::OpMetadata { ignore_cache: stage.no_cache, ..named(label) }
    }
}

/// The result has the platform that was asked for, whatever its base says.
fn set_platform(image: &mut Image, platform: &Platform) {
    let same = platform.os() == image.os && platform.arch() == image.architecture;
    image.os = platform.os().to_owned();
    image.architecture = platform.arch().to_owned();
    if !platform.variant().is_empty() || !same {
        image.variant = platform.variant().to_owned();
    }
    if platform.os_version().is_some() || !same {
        image.os_version = platform.os_version().unwrap_or_default().to_owned();
    }
}

impl StageState<'_> {
    /// Sets the working directory in the image and for what follows.
    pub(super) fn enter_dir(&mut self, path: &str, os: &str) -> Result<String, paths::PathError> {
        let rules = paths::Rules::of(os);
        let dir = rules.workdir(&self.image.config.working_dir, path)?;
        let slashed = rules.to_slash(&dir);
        self.image.config.working_dir = dir;
        self.state.set_dir(&slashed);
        Ok(slashed)
    }
}
