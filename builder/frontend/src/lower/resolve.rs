//! Bases of stages: images, named contexts, scratch; and the ONBUILD triggers they bring.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use platform_db::Platform;

use super::LowerError;
use super::config::{NamedContext, ResolveMode};
use super::dispatch::DOCKERFILE_COMMAND;
use super::env::EnvList;
use super::images::{ImageKey, ImageSource};
use super::named::bad_reference;
use super::platforms::StagePlatform;
use super::stages::{SCRATCH, StageState, Step, Target};
use super::state::State;
use crate::dockerfile::ast::{Command, Instruction};
use crate::dockerfile::node::Word;
use crate::dockerfile::{Diagnostic, parse_trigger, suggest};
use crate::llb::graph::{Node, NodeOp};
use crate::llb::pb;
use crate::oci::image::{Image, RootFs};
use crate::oci::manifest::known_platform;
use crate::oci::reference::Reference;
use crate::source_text::Span;

/// `PATH` of images that do not set it.
pub(super) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A chain of `FROM --platform=X stage` longer than this is refused.
const MAX_FOREIGN: usize = 32;

impl<'a> Target<'a> {
    /// Resolves every base the target needs; triggers may bring new stages, so this goes on until none do.
    pub(super) fn resolve(&mut self, target: usize) -> Result<BTreeSet<usize>, LowerError> {
        loop {
            let reachable = self.reachable(target);
            for index in reachable.iter().copied() {
                self.resolve_base(index)?;
            }
            if !self.shared.missing.is_empty() {
                return Err(LowerError::MissingImages(std::mem::take(&mut self.shared.missing)));
            }
            let mut grown = false;
            for index in reachable.iter().copied() {
                grown |= self.read_triggers(index)?;
            }
            if !grown {
                return Ok(reachable);
            }
        }
    }

    /// Refuses names that can be no image's, also where the target does not need them.
    pub(super) fn refuse_bad_names(&self) -> Result<(), Diagnostic> {
        let images = self.stages.iter().filter(|s| s.base.is_none() && s.named.is_none());
        for stage in images.filter(|stage| stage.base_name != SCRATCH) {
            if let Err(error) = Reference::parse(&stage.base_name) {
                let near = suggest::hint(&stage.base_name, self.by_name.keys().map(String::as_str));
                return Err(bad_reference(stage.span, &error).maybe_hint(near));
            }
        }
        Ok(())
    }

    fn resolve_base(&mut self, index: usize) -> Result<(), LowerError> {
        let Some(stage) = self.stages.get_mut(index) else { return Ok(()) };
        if let (Some(platform), Some(base)) = (stage.foreign.clone(), stage.base) {
            let span = stage.span;
            return self.resolve_foreign(base, &platform, span);
        }
        if stage.base.is_some() || stage.done || stage.resolved {
            return Ok(());
        }
        stage.resolved = true;
        if stage.base_name == SCRATCH && stage.named.is_none() {
            stage.state = State::new(None);
            // Programs run on the target's platform, unless the whole stage is taken for another one.
            stage.state.platform = (self.depth > 0).then(|| self.platform.clone());
            stage.image = empty_image(&self.platform);
            stage.platform = Some(StagePlatform::of(self.platform.clone()));
            stage.done = stage.image_only;
            return Ok(());
        }
        let stage = stage.clone();
        let resolved = self.load_base(stage)?;
        if let (Some(slot), Some(mut resolved)) = (self.stages.get_mut(index), resolved) {
            resolved.done |= resolved.image_only;
            *slot = resolved;
        }
        Ok(())
    }

    /// The stage with its base loaded; `None` while a configuration is missing.
    fn load_base(&mut self, mut stage: StageState<'a>) -> Result<Option<StageState<'a>>, LowerError> {
        let original = stage.base_name.clone();
        let reference = Reference::parse(&original).map_err(|error| bad_reference(stage.span, &error))?;
        let mut reference = reference.with_default_tag();
        stage.base_name = reference.to_string();
        let platform = stage.platform.clone().unwrap_or_else(|| StagePlatform::of(self.platform.clone()));
        if let Some(named) = stage.named.clone() {
            return self.load_named_stage(stage, &named, &platform);
        }
        if let Some(named) = self.named_context(&stage.base_name, &platform.value, stage.span)? {
            let loaded = self.load_context(&named, &platform.value, stage.paths, stage.span)?;
            let Some((mut state, image)) = loaded else { return Ok(None) };
            state.platform = Some(platform.value.clone());
            stage.state = state;
            stage.set_base_image(image.unwrap_or_else(|| empty_image(&platform.value)));
            stage.platform = Some(platform);
            return Ok(Some(stage));
        }
        let key = ImageKey {
            source: ImageSource::Registry,
            reference: reference.to_string(),
            platform: platform.value.clone(),
        };
        let Some((digest, image)) = self.image(key, &original, stage.span)? else { return Ok(None) };
        reference.digest = Some(digest);
        stage.base_name = reference.to_string();
        let empty = image.rootfs.diff_ids.is_empty() && image.history.iter().all(|h| h.empty_layer);
        stage.set_base_image(image);
        stage.state = State::new(None);
        if !empty {
            let label = format!("FROM {reference}");
            let label = self.step_name(&mut stage, &label, Some(&platform.value), &EnvList::default());
            let mut metadata = super::named::named(&label);
            metadata.description.insert(DOCKERFILE_COMMAND.to_owned(), stage.code.clone());
            let attrs = match self.config.resolve_mode {
                ResolveMode::Default => [].into(),
                ResolveMode::Pull => [("image.resolvemode".to_owned(), "pull".to_owned())].into(),
                ResolveMode::Local => [("image.resolvemode".to_owned(), "local".to_owned())].into(),
            };
            let source = pb::SourceOp { identifier: format!("docker-image://{reference}"), attrs };
            let node = self.shared.graph.add(Node {
                op: NodeOp::Source(source),
                platform: Some(platform.op.clone()),
                metadata,
                lines: Some(stage.lines),
            });
            stage.state.out = Some(node);
            stage.state.platform = Some(platform.value.clone());
        }
        stage.platform = Some(platform);
        Ok(Some(stage))
    }

    /// A stage that a named context takes the place of.
    fn load_named_stage(
        &mut self,
        mut stage: StageState<'a>,
        named: &(String, &'a NamedContext),
        platform: &StagePlatform,
    ) -> Result<Option<StageState<'a>>, LowerError> {
        let loaded = self.load_context(named, &platform.value, stage.paths, stage.span)?;
        let Some((state, image)) = loaded else { return Ok(None) };
        stage.done = true;
        stage.state = state;
        if let Some(image) = image {
            let named = known_platform(&image.os, &image.architecture, &image.variant, &image.os_version);
            stage.platform = named.map(StagePlatform::of).or(stage.platform);
            stage.image = Image { created: None, ..image };
        }
        Ok(Some(stage))
    }

    /// Puts the triggers of the base in front of a stage's steps; true when they bring new sources.
    fn read_triggers(&mut self, index: usize) -> Result<bool, LowerError> {
        self.inherit(index);
        let Some(stage) = self.stages.get_mut(index) else { return Ok(false) };
        let mut triggers = std::mem::take(&mut stage.image.config.on_build);
        let (span, lines, first) = (stage.span, stage.lines, !stage.triggers_read);
        stage.triggers_read = true;
        if let Some(base) = stage.base.filter(|_| first) {
            let steps = self.stages.get(base).map(|b| b.steps.as_slice()).unwrap_or_default();
            for step in steps {
                if let Command::Onbuild(text) = &step.instruction.command {
                    triggers.push(text.clone());
                }
            }
        }
        let mut steps = Vec::with_capacity(triggers.len());
        let mut grown = false;
        for text in triggers {
            let mut instruction = parse_trigger(&text).map_err(|problem| {
                Diagnostic::error(span, format!("ONBUILD trigger `{text}` of the base: {}", problem.message))
                    .maybe_hint(problem.hint)
            })?;
            relocate(&mut instruction, span, lines);
            let sources = self.sources_of(&instruction)?;
            grown |= !sources.is_empty();
            steps.push(Step { instruction: Cow::Owned(instruction), sources, onbuild: true });
        }
        if let Some(stage) = self.stages.get_mut(index) {
            stage.step_total += steps.len();
            stage.deps.extend(steps.iter().flat_map(|s| s.sources.iter().copied()));
            steps.append(&mut stage.steps);
            stage.steps = steps;
        }
        Ok(grown)
    }

    /// A stage as it is when the images below it are for another platform.
    fn resolve_foreign(&mut self, base: usize, platform: &Platform, span: Span) -> Result<(), LowerError> {
        let key = (platform.clone(), base);
        if self.shared.foreign.contains_key(&key) {
            return Ok(());
        }
        if self.depth >= MAX_FOREIGN {
            return Err(Diagnostic::error(span, "stages for other platforms are nested too deeply")
                .hint("leave `--platform` out where a stage begins with another one")
                .into());
        }
        let mut other = Target::new(self.file, self.config, self.images, &self.platform, self.implicit)?;
        other.platform = platform.clone();
        other.depth = self.depth + 1;
        other.shared = std::mem::take(&mut self.shared);
        let outcome = other.add_stages().and_then(|()| {
            let reachable = other.resolve(base)?;
            other.dispatch_reachable(&reachable)
        });
        let stage = other.stages.get_mut(base).map(std::mem::take).unwrap_or_default();
        self.shared = other.shared;
        outcome?;
        self.shared.foreign.insert(key, stage);
        Ok(())
    }

    /// Takes over what a stage has from the stage it builds on.
    pub(super) fn inherit(&mut self, index: usize) {
        let Some((stage, base)) = self.stages.get(index).and_then(|s| Some((s, s.base?))) else { return };
        let foreign = stage.foreign.clone().and_then(|p| self.shared.foreign.get(&(p, base)));
        let Some(base) = foreign.or_else(|| self.stages.get(base)) else { return };
        let (state, platform, paths) = (base.state.clone(), base.platform.clone(), base.paths);
        let (mut image, base_image) = (base.image.clone(), base.base_image.clone());
        let (build_args, last_commit) = (base.build_args.clone(), base.last_commit);
        image.config.on_build.clear();
        if let Some(stage) = self.stages.get_mut(index) {
            stage.state = state;
            stage.platform = platform;
            stage.paths = paths;
            stage.image = image;
            stage.base_image = base_image;
            stage.build_args = build_args;
            stage.last_commit = last_commit;
        }
    }
}

impl StageState<'_> {
    fn set_base_image(&mut self, image: Image) {
        self.base_image = Some(Arc::new(image.clone()));
        self.image = Image { created: None, ..image };
    }
}

/// A trigger's places are those of the FROM that brought it.
fn relocate(instruction: &mut Instruction, span: Span, lines: (usize, usize)) {
    instruction.node.span = span;
    instruction.node.lines = lines;
    let at = |word: &mut Word| word.span = span;
    if let Command::Run(run) = &mut instruction.command {
        run.mounts.iter_mut().for_each(at);
    } else if let Command::Copy(copy) = &mut instruction.command {
        copy.from.iter_mut().chain(&mut copy.files.sources).for_each(at);
    } else if let Command::Add(add) = &mut instruction.command {
        add.files.sources.iter_mut().for_each(at);
    } else if let Command::Expose(words) | Command::Volume(words) = &mut instruction.command {
        words.iter_mut().for_each(at);
    } else if let Command::User(word) | Command::Workdir(word) | Command::Stopsignal(word) =
        &mut instruction.command
    {
        at(word);
    } else if let Command::Env(pairs) | Command::Label(pairs) = &mut instruction.command {
        pairs.iter_mut().for_each(|pair| pair.span = span);
    } else if let Command::Arg(pairs) = &mut instruction.command {
        pairs.iter_mut().for_each(|pair| pair.span = span);
    }
}

/// The configuration of an image that begins with nothing, or of which only the platform is known.
#[must_use]
pub fn empty_image(platform: &Platform) -> Image {
    let mut image = Image {
        architecture: platform.arch().to_owned(),
        os: platform.os().to_owned(),
        os_version: platform.os_version().unwrap_or_default().to_owned(),
        variant: platform.variant().to_owned(),
        rootfs: RootFs::default(),
        ..Image::default()
    };
    "/".clone_into(&mut image.config.working_dir);
    if platform.os() != "windows" {
        image.config.env.push(format!("PATH={DEFAULT_PATH}"));
    }
    image
}
