//! From graphs to results: solves them, checks what came out, writes it. What `build` and `solve` have in common.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use platform_db::Platform;

use super::Environment;
use super::args::Run;
use super::contexts;
use super::destinations::{self, Destinations};
use super::metadata;
use super::output::{self, Common, Output};
use super::output_fields;
use super::{programs, steps, storage};
use crate::progress::{Detail, Plain};
use crate::report::Report;
use xx_build_engine::{self as engine, PlatformResult, Request};
use xx_build_export::Annotation;
use xx_build_frontend::llb::pb;
use xx_build_frontend::oci::image::Image;
use xx_build_frontend::source_text::SourceText;
use xx_build_rootfs::Owners;
use xx_build_sandbox::{Cancel, Signals, is_filtered, userns};
use xx_build_store::Store;
use xx_build_store::policy::Policy;

/// What is to be solved, and what it refers to.
pub(super) struct Graph {
    /// One per platform of the result.
    pub(super) targets: Vec<Target>,
    /// Directories by the name of their source operation.
    pub(super) locals: BTreeMap<String, PathBuf>,
    /// OCI layouts by the name of their store.
    pub(super) layouts: BTreeMap<String, PathBuf>,
    /// The text that places in the graph refer to.
    pub(super) source: Option<SourceText>,
    /// `SOURCE_DATE_EPOCH` in seconds.
    pub(super) epoch: Option<i64>,
    /// Whether the result counts as one of several platforms, however many it has.
    pub(super) multi_platform: bool,
    /// Where programs for another platform are meant to be, as the Dockerfile says.
    pub(super) allow_foreign: Vec<String>,
}

/// The graph of one platform.
pub(super) struct Target {
    pub(super) platform: Platform,
    pub(super) definition: pb::Definition,
    pub(super) image: Image,
}

/// A build whose options are read, whose namespaces are entered and whose store is open.
pub(super) struct Session<'a> {
    environment: &'a Environment,
    options: &'a Run,
    outputs: Vec<Output>,
    destinations: Destinations,
    annotations: Vec<Annotation>,
    tags: Vec<String>,
    policies: Option<Vec<Policy>>,
    store: Store,
    progress: Plain<std::io::Stderr>,
    /// All that every solving has in common; the graph comes later.
    request: Request,
    cancel: Arc<Cancel>,
    signals: Signals,
}

impl<'a> Session<'a> {
    /// Reads the options and opens the store. No thread may have been started yet.
    pub(super) fn open(environment: &'a Environment, options: &'a Run) -> Result<Self, Report> {
        let outputs = options.output.iter().map(|text| Output::parse(text)).collect::<Result<Vec<_>, _>>()?;
        metadata::check(options, &outputs)?;
        let destinations = destinations::check(&outputs, options, environment)?;
        let annotations = output_fields::annotations(&options.annotation)?;
        let secrets = contexts::secrets(&options.secret, environment)?;
        let tag = |text: &String| {
            output_fields::full_name(text).map_err(|problem| Report::new(format!("`--tag`: {problem}")))
        };
        let tags = options.tag.iter().map(tag).collect::<Result<Vec<_>, _>>()?;
        let (steps, warnings) = steps::options(options, environment)?;
        let policies = storage::policies(environment)?;
        // From here on files of many owners are handled.
        let mode = enter_namespaces(environment)?;
        if let (userns::Mode::SingleUid { why }, true) = (&mode, options.oci_runtime.is_some()) {
            return Err(
                Report::new(format!("`--oci-runtime` takes more than one uid: {why}")).hint(why.hint())
            );
        }
        let store = storage::open_store(environment, options.store.as_deref(), &mode)?;
        let detail = if options.is_quiet() { Detail::Quiet } else { Detail::Plain };
        let progress = Plain::new(std::io::stderr(), detail, environment.is_terminal());
        if let userns::Mode::SingleUid { why } = &mode {
            progress.note(&format!("users other than root are pretended: {why}"));
            progress.note(&format!("  to have them for real: {}", why.hint()));
        }
        warnings.iter().for_each(|warning| progress.note(warning));
        let request = Request {
            secrets,
            steps,
            now: environment.now,
            parallelism: (environment.processors * 4).max(32),
            machine: Platform::from_uname(&environment.machine).ok(),
            threads: environment.processors,
            ..Request::default()
        };
        let cancel = Arc::new(Cancel::new().map_err(Report::new)?);
        let signals = Signals::watch(Arc::clone(&cancel)).map_err(Report::new)?;
        Ok(Self {
            environment,
            options,
            outputs,
            destinations,
            annotations,
            tags,
            policies,
            store,
            progress,
            request,
            cancel,
            signals,
        })
    }

    /// Says something that the user did not ask for.
    pub(super) fn warn(&self, text: &str) {
        self.progress.note(&format!("warning: {text}"));
    }

    /// Solves a graph that needs nothing of this machine; gives its result as directories, the uppermost first.
    pub(super) fn fetch(&mut self, definition: pb::Definition) -> Result<Vec<PathBuf>, Report> {
        self.request.definitions = vec![definition];
        let solved = self.solve(None)?;
        let top = solved.results.first().copied().flatten();
        let layers = self.store.layer_chain(top).map_err(Report::new)?;
        Ok(layers.into_iter().map(|layer| layer.path).collect())
    }

    fn solve(&self, source: Option<&SourceText>) -> Result<engine::Solved, Report> {
        engine::solve(&self.store, &self.request, &self.progress, &self.cancel).map_err(|failure| {
            let nothing = SourceText::new("", "");
            let report = Report::failure(&failure, source.unwrap_or(&nothing), self.environment.colour());
            self.signals.caught().map_or(report, Report::cancelled)
        })
    }

    /// Whose files the directories of [`Self::fetch`] hold.
    pub(super) fn owners(&self) -> Owners {
        self.store.owners()
    }

    /// Solves the graph and writes the outputs.
    pub(super) fn execute(mut self, graph: Graph) -> Result<(), Report> {
        let (definitions, images): (Vec<_>, Vec<_>) = graph
            .targets
            .into_iter()
            .map(|target| (target.definition, (target.platform, target.image)))
            .unzip();
        destinations::check_sources(&self.outputs, self.options, &graph.locals)?;
        self.request.definitions = definitions;
        self.request.locals = graph.locals;
        self.request.layouts = graph.layouts;
        let limited = steps::limit_graph(self.options, &mut self.request.steps, &self.request.definitions)?;
        limited.iter().for_each(|warning| self.progress.note(warning));
        let (steps, definitions) = (&self.request.steps, &self.request.definitions);
        if let Some(warning) = steps::unfiltered(&self.environment.machine, is_filtered(), steps, definitions)
        {
            self.progress.note(&warning);
        }
        let solved = self.solve(graph.source.as_ref())?;
        let results: Vec<PlatformResult> = images
            .into_iter()
            .zip(&solved.results)
            .map(|((platform, image), layer)| PlatformResult { platform, layer: *layer, image })
            .collect();
        // What goes nowhere may be for any platform, as stages that test or lint are.
        if self.outputs.iter().any(Output::is_made) {
            let found = programs::check(&self.store, &results, &solved, self.options, &graph.allow_foreign)?;
            found.iter().for_each(|text| self.warn(text));
        }
        let common = Common {
            tags: &self.tags,
            annotations: &self.annotations,
            epoch: graph.epoch,
            threads: self.environment.processors,
            multi_platform: graph.multi_platform,
            directory: &self.environment.directory,
            layouts: &self.request.layouts,
        };
        let mut image = None;
        for output in &self.outputs {
            if let Some((dest, _)) = output.dest() {
                self.destinations.check_again(dest)?;
            }
            let write = || output.write(&self.store, &results, common);
            let written = match output.purpose() {
                Some(purpose) => self.progress.task(&purpose, write)?,
                None => write()?,
            };
            self.progress.note(&written.text);
            image = written.image.or(image);
        }
        if metadata::wants_digest(self.options, &self.outputs) {
            image = Some(output::unwritten(&self.store, &results, common)?);
        }
        for file in self.options.iidfile.iter().chain(&self.options.metadata_file) {
            self.destinations.check_again(file)?;
        }
        metadata::write(self.options, &self.outputs, image.as_ref())?;
        if let Some(policies) = &self.policies
            && let Some(text) = storage::collect(self.environment, &self.store, policies)?
        {
            text.lines().for_each(|line| self.progress.note(line));
        }
        if self.outputs.is_empty() {
            self.progress.note(
                "no `--output`: the result stays in the store; `--output DIR` writes its files, `--output type=oci,dest=FILE` an image",
            );
        }
        self.progress.note(&summary(solved.executed, solved.cached));
        Ok(())
    }
}

/// The last line of a build.
fn summary(executed: usize, cached: usize) -> String {
    let steps = if executed == 1 { "step" } else { "steps" };
    format!("{executed} {steps} run, {cached} from the cache")
}

/// Becomes root of the build's own namespaces.
pub(super) fn enter_namespaces(environment: &Environment) -> Result<userns::Mode, Report> {
    userns::enter(&environment.path).map_err(|error| {
        let report = Report::new(&error);
        match error.hint() {
            Some(hint) => report.hint(hint),
            None => report,
        }
    })
}
