//! The stages of one build for one platform: names, bases, dependencies.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use platform_db::Platform;

use super::config::{BuildConfig, NamedContext, NoCache};
use super::env::EnvList;
use super::images::{ImageRequest, ResolvedImages};
use super::platforms::StagePlatform;
use super::state::State;
use super::{LowerError, LoweredTarget};
use crate::dockerfile::ast::{Command, Dockerfile, Instruction, Stage};
use crate::dockerfile::automatic::automatic_args;
use crate::dockerfile::expand::{Expanded, Problem, Rules, Variables, expand};
use crate::dockerfile::node::Word;
use crate::dockerfile::{Diagnostic, mount, suggest};
use crate::llb::graph::{Graph, NodeId};
use crate::oci::image::{History, Image};
use crate::source_text::Span;

/// Base of a stage that begins with nothing.
pub(super) const SCRATCH: &str = "scratch";

/// One instruction of a stage, with the stages its sources are.
#[derive(Debug, Clone)]
pub(super) struct Step<'a> {
    pub(super) instruction: Cow<'a, Instruction>,
    pub(super) sources: Vec<usize>,
    pub(super) onbuild: bool,
}

/// A stage, or an image that only serves as a source.
#[derive(Debug, Clone, Default)]
pub(super) struct StageState<'a> {
    /// Name after `AS`.
    pub(super) name: String,
    /// Name in step names: the stage's, or `stage-N`.
    pub(super) label: String,
    pub(super) base_name: String,
    pub(super) base: Option<usize>,
    pub(super) platform: Option<StagePlatform>,
    pub(super) named: Option<(String, &'a NamedContext)>,
    /// The platform for which the base stage is taken, when it is not the target's.
    pub(super) foreign: Option<Platform>,
    /// An image named in `COPY --from` or a mount, not a stage.
    pub(super) image_only: bool,
    pub(super) span: Span,
    pub(super) lines: (usize, usize),
    pub(super) code: String,
    pub(super) done: bool,
    pub(super) resolved: bool,
    pub(super) triggers_read: bool,
    pub(super) deps: Vec<usize>,
    pub(super) build_args: Vec<(String, Option<String>)>,
    pub(super) steps: Vec<Step<'a>>,
    /// Index of the set of paths that are used of this stage's tree.
    pub(super) paths: usize,
    pub(super) no_cache: bool,
    pub(super) step_index: usize,
    pub(super) step_total: usize,
    pub(super) state: State,
    pub(super) image: Image,
    pub(super) base_image: Option<Arc<Image>>,
    /// The latest entry of its history in [`Shared::commits`].
    pub(super) last_commit: Option<usize>,
    pub(super) cmd_set: bool,
    /// The instruction at hand comes from the base's ONBUILD.
    pub(super) in_trigger: bool,
}

/// A build for one platform.
pub(super) struct Target<'a> {
    pub(super) file: &'a Dockerfile,
    pub(super) config: &'a BuildConfig,
    pub(super) images: &'a ResolvedImages,
    pub(super) platform: Platform,
    pub(super) implicit: bool,
    pub(super) args: EnvList,
    pub(super) epoch: Option<i64>,
    pub(super) stages: Vec<StageState<'a>>,
    pub(super) by_name: BTreeMap<String, usize>,
    pub(super) shared: Shared<'a>,
    /// How many stages up a `FROM --platform=X stage` asked for this.
    pub(super) depth: usize,
}

/// What the stages of a target and those it takes for other platforms have in common.
#[derive(Default)]
pub(super) struct Shared<'a> {
    pub(super) graph: Graph,
    pub(super) path_sets: Vec<BTreeSet<String>>,
    /// Local sources whose paths are known at the end only.
    pub(super) local_sources: Vec<(NodeId, usize)>,
    pub(super) context: Option<NodeId>,
    pub(super) context_paths: BTreeSet<String>,
    pub(super) missing: Vec<ImageRequest>,
    /// Entries of histories, each with the one before it. Stages share what their common base did: in the images
    /// themselves a chain of stages would hold a square number of entries.
    pub(super) commits: Vec<(History, Option<usize>)>,
    /// Bytes of arguments and variables of all commands.
    pub(super) command_bytes: usize,
    /// What is wrong with instructions, when all of it is looked for.
    pub(super) problems: Option<Vec<Diagnostic>>,
    /// Stages for other platforms, by platform and index.
    pub(super) foreign: BTreeMap<(Platform, usize), StageState<'a>>,
}

impl<'a> Target<'a> {
    pub(super) fn new(
        file: &'a Dockerfile,
        config: &'a BuildConfig,
        images: &'a ResolvedImages,
        platform: &Platform,
        implicit: bool,
    ) -> Result<Self, Diagnostic> {
        let mut target = Self {
            file,
            config,
            images,
            platform: platform.clone(),
            implicit,
            args: EnvList::default(),
            epoch: None,
            stages: Vec::new(),
            by_name: BTreeMap::new(),
            shared: Shared::default(),
            depth: 0,
        };
        target.read_global_args()?;
        target.read_epoch()?;
        Ok(target)
    }

    pub(super) fn lower(mut self) -> Result<LoweredTarget, LowerError> {
        self.add_stages()?;
        self.refuse_bad_names()?;
        let target = self.find_target()?;
        let reachable = self.resolve(target)?;
        self.dispatch_all(&reachable, target)?;
        Ok(self.finish(target, &reachable))
    }

    /// Sets up the stages and what they take from each other.
    pub(super) fn add_stages(&mut self) -> Result<(), LowerError> {
        for (index, stage) in self.file.stages.iter().enumerate() {
            self.add_stage(index, stage)?;
        }
        self.link_stages()
    }

    fn read_global_args(&mut self) -> Result<(), Diagnostic> {
        let last = self.file.stages.last().and_then(|s| s.name.as_ref()).map(|n| n.text.as_str());
        let stage = self.config.target.as_deref().filter(|t| !t.is_empty()).or(last).unwrap_or_default();
        for (key, value) in automatic_args(&self.config.build_platform, &self.platform, stage) {
            let value = self.config.build_args.get(key).cloned().unwrap_or(value);
            self.args.set(key, value);
        }
        for instruction in &self.file.global_args {
            let Command::Arg(pairs) = &instruction.command else { continue };
            for pair in pairs {
                let value = match (self.config.build_args.get(&pair.key), &pair.value) {
                    (Some(value), _) => Some(value.clone()),
                    (None, Some(value)) => Some(self.expand(value, &self.args, pair.span)?.text),
                    (None, None) => None,
                };
                if let Some(value) = value {
                    self.args.set(&pair.key, value);
                }
            }
        }
        Ok(())
    }

    /// Expands a word of an instruction.
    pub(super) fn expand(
        &self,
        text: &str,
        variables: &impl Variables,
        span: Span,
    ) -> Result<Expanded, Diagnostic> {
        expand(text, variables, Rules::new(self.file.escape())).map_err(|error| {
            let hint = if matches!(error.problem, Problem::Required { .. }) {
                "pass it with `--build-arg NAME=value`"
            } else if matches!(error.problem, Problem::TooLong(_)) {
                "no program can get an argument or a variable of more than 128 KiB: use a file"
            } else {
                "put the escape character before a `$` or a quote that should stay as it is"
            };
            Diagnostic::error(span, error.to_string()).hint(hint)
        })
    }

    fn add_stage(&mut self, index: usize, stage: &'a Stage) -> Result<(), LowerError> {
        let span = stage.base.span;
        let base_name = self.expand(&stage.base.text, &self.args, stage.base.span)?;
        if base_name.text.is_empty() {
            let names = base_name.missing.iter().chain(&base_name.used).next();
            let hint = names.map(|name| {
                let near = suggest::nearest(name, self.args.keys());
                near.map_or_else(
                    || format!("declare `ARG {name}=default` before the first FROM"),
                    |n| format!("did you mean `${n}`?"),
                )
            });
            let message = format!("`{}` in FROM expands to nothing", stage.base.text);
            return Err(Diagnostic::error(stage.base.span, message).maybe_hint(hint).into());
        }
        let platform =
            stage.platform.as_ref().map(|word| self.stage_platform(&word.text, word.span)).transpose()?;
        let name = stage.name.as_ref().map(|n| n.text.clone()).unwrap_or_default();
        let label = if name.is_empty() { format!("stage-{index}") } else { name.clone() };
        let mut new = StageState {
            label,
            base_name: base_name.text,
            platform,
            span,
            lines: stage.from.node.lines,
            code: stage.from.node.code.clone(),
            ..self.new_stage()
        };
        new.no_cache = match &self.config.no_cache {
            NoCache::Nothing => false,
            NoCache::Everything => true,
            NoCache::Stages(names) => names.contains(&name),
        };
        if !name.is_empty() {
            let platform = new.platform.as_ref().map_or(&self.platform, |p| &p.value).clone();
            new.named = self.named_context(&name, &platform, span)?;
        }
        new.name = name;
        let named = new.named.is_some();
        let index = self.register(new);
        let Some(new) = self.stages.get_mut(index) else { return Ok(()) };
        if named {
            new.base = None;
            return Ok(());
        }
        if let (Some(platform), Some(base)) = (new.platform.clone(), new.base) {
            self.take_for_platform(index, base, &platform);
        }
        let Some(new) = self.stages.get_mut(index) else { return Ok(()) };
        let counted = |i: &&Instruction| {
            matches!(i.command, Command::Add(_) | Command::Copy(_) | Command::Run(_) | Command::Workdir(_))
        };
        let pulls = usize::from(new.base_name != SCRATCH && new.base.is_none());
        new.step_total = pulls + stage.instructions.iter().filter(counted).count();
        new.steps = stage
            .instructions
            .iter()
            .map(|i| Step { instruction: Cow::Borrowed(i), sources: Vec::new(), onbuild: false })
            .collect();
        Ok(())
    }

    /// `FROM --platform=X stage`: when the images below that stage name no platform, it is taken as for X.
    fn take_for_platform(&mut self, index: usize, base: usize, platform: &StagePlatform) {
        let mut root = base;
        while let Some(below) = self.stages.get(root).filter(|s| s.foreign.is_none()).and_then(|s| s.base) {
            root = below;
        }
        let free = self.stages.get(root).is_some_and(|s| s.platform.is_none() && s.foreign.is_none());
        if let Some(stage) = self.stages.get_mut(index).filter(|_| free && platform.value != self.platform) {
            stage.foreign = Some(platform.value.clone());
        }
    }

    pub(super) fn new_stage(&mut self) -> StageState<'a> {
        self.shared.path_sets.push(BTreeSet::new());
        StageState { paths: self.shared.path_sets.len() - 1, ..StageState::default() }
    }

    /// Adds a stage; a base that is an earlier stage's name makes it build on that.
    pub(super) fn register(&mut self, mut stage: StageState<'a>) -> usize {
        stage.base = self.by_name.get(&stage.base_name).copied();
        let index = self.stages.len();
        if !stage.name.is_empty() {
            self.by_name.insert(stage.name.clone(), index);
        }
        self.stages.push(stage);
        index
    }

    pub(super) fn stage_platform(&self, text: &str, span: Span) -> Result<StagePlatform, Diagnostic> {
        let expanded = self.expand(text, &self.args, span)?;
        let near = || {
            let missing = expanded.missing.iter().next()?;
            suggest::nearest(missing, self.args.keys()).map(|n| format!("did you mean `${n}`?"))
        };
        if expanded.text.is_empty() {
            let message = format!("`{text}` in FROM --platform expands to nothing");
            return Err(Diagnostic::error(span, message).maybe_hint(near()));
        }
        let value = Platform::parse_on(&expanded.text, &self.config.build_platform);
        value.map(|value| StagePlatform::spelled(&expanded.text, value)).map_err(|error| {
            Diagnostic::error(span, format!("invalid platform in FROM: {error}"))
                .hint("write `OS/ARCH` or `OS/ARCH/VARIANT`, such as `linux/arm64`")
                .maybe_hint(near())
        })
    }

    pub(super) fn find_target(&self) -> Result<usize, Diagnostic> {
        let Some(name) = self.config.target.as_deref().filter(|t| !t.is_empty()) else {
            return Ok(self.file.stages.len().saturating_sub(1));
        };
        self.by_name.get(&name.to_lowercase()).copied().ok_or_else(|| {
            let names = || self.by_name.keys().map(String::as_str);
            let all = names().collect::<Vec<_>>().join(", ");
            let known =
                if all.is_empty() { "no stage has a name".to_owned() } else { format!("stages: {all}") };
            Diagnostic::error(Span::default(), format!("there is no target stage `{name}`"))
                .hint(suggest::hint(name, names()).unwrap_or(known))
        })
    }

    /// Finds the stages and images that instructions copy and mount from.
    fn link_stages(&mut self) -> Result<(), LowerError> {
        let count = self.stages.len();
        for index in 0..count {
            let mut steps =
                self.stages.get_mut(index).map(|s| std::mem::take(&mut s.steps)).unwrap_or_default();
            for step in &mut steps {
                step.sources = self.sources_of(&step.instruction)?;
            }
            if let Some(stage) = self.stages.get_mut(index) {
                stage.deps = steps.iter().flat_map(|s| s.sources.iter().copied()).collect();
                stage.steps = steps;
            }
        }
        self.refuse_cycles()?;
        if let [only] = self.stages.as_mut_slice() {
            only.label.clear();
        }
        Ok(())
    }

    /// The stages an instruction takes files from, images that are not stages added.
    pub(super) fn sources_of(&mut self, instruction: &Instruction) -> Result<Vec<usize>, Diagnostic> {
        let span = instruction.span();
        if let Command::Copy(copy) = &instruction.command {
            return self.source_of_copy(copy.from.as_ref(), instruction);
        }
        let Command::Run(run) = &instruction.command else { return Ok(Vec::new()) };
        let sources = run.mounts.iter().map(|word| {
            let from = mount::from_of(word);
            let from = if from.is_empty() { SCRATCH } else { from.as_str() };
            self.stage_or_image(from, span, instruction.node.lines)
        });
        Ok(sources.collect())
    }

    fn source_of_copy(
        &mut self,
        from: Option<&Word>,
        instruction: &Instruction,
    ) -> Result<Vec<usize>, Diagnostic> {
        let Some(from) = from else { return Ok(Vec::new()) };
        let expanded = self.expand(&from.text, &EnvList::default(), from.span)?;
        if expanded.text != from.text {
            return Err(Diagnostic::error(from.span, "`COPY --from` cannot hold a variable")
                .hint("name a stage `FROM ${...} AS name` and use `--from=name`"));
        }
        let Ok(number) = from.text.parse::<usize>() else {
            return Ok(vec![self.stage_or_image(&from.text, from.span, instruction.node.lines)]);
        };
        if number >= self.file.stages.len() {
            return Err(Diagnostic::error(from.span, format!("there is no stage {number}"))
                .hint("stages are counted from 0; better give them names with `AS`"));
        }
        Ok(vec![number])
    }

    fn stage_or_image(&mut self, name: &str, span: Span, lines: (usize, usize)) -> usize {
        if let Some(index) = self.by_name.get(&name.to_lowercase()) {
            return *index;
        }
        let new = self.new_stage();
        self.register(StageState { base_name: name.to_owned(), image_only: true, span, lines, ..new })
    }

    fn refuse_cycles(&self) -> Result<(), Diagnostic> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            Open,
            Closed,
        }
        let mut marks = vec![Mark::New; self.stages.len()];
        for start in 0..self.stages.len() {
            let mut stack = vec![(start, false)];
            while let Some((index, leave)) = stack.pop() {
                let Some(mark) = marks.get_mut(index) else { continue };
                if leave {
                    *mark = Mark::Closed;
                    continue;
                }
                if *mark != Mark::New {
                    continue;
                }
                *mark = Mark::Open;
                stack.push((index, true));
                let Some(stage) = self.stages.get(index) else { continue };
                for next in stage.base.iter().chain(&stage.deps) {
                    match marks.get(*next) {
                        Some(Mark::Open) => {
                            let name = self.stages.get(*next).map_or("", |s| s.label.as_str());
                            let step = stage.steps.iter().find(|s| s.sources.contains(next));
                            let span = step.map_or(stage.span, |s| s.instruction.span());
                            let message = format!("stage `{name}` needs its own result");
                            return Err(Diagnostic::error(span, message).hint(
                                "split the stage, so that no stage copies from one that is built on it",
                            ));
                        }
                        Some(Mark::New) => stack.push((*next, false)),
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// The stages that a stage needs, itself among them.
    pub(super) fn reachable(&self, target: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut stack = vec![target];
        while let Some(index) = stack.pop() {
            if let Some(stage) = self.stages.get(index).filter(|_| found.insert(index)) {
                let base = stage.base.filter(|_| stage.foreign.is_none());
                stack.extend(base.iter().chain(&stage.deps));
            }
        }
        found
    }
}
