//! From graphs to results: solves them, checks what came out, writes it. What `build` and `solve` have in common.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use platform_db::Platform;

use super::Environment;
use super::args::Run;
use super::contexts;
use super::output::{self, Common, Output};
use super::{steps, storage};
use crate::dockerfile::ignore::Matcher;
use crate::engine::{self, PlatformResult, Request};
use crate::llb::pb;
use crate::oci::image::Image;
use crate::oci::reference::Reference;
use crate::progress::{Detail, Plain};
use crate::report::Report;
use crate::sandbox::{Cancel, Signals, userns};
use crate::source_text::SourceText;
use crate::store::Store;
use crate::verify::verify;

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
}

/// The graph of one platform.
pub(super) struct Target {
    pub(super) platform: Platform,
    pub(super) definition: pb::Definition,
    pub(super) image: Image,
}

/// Solves the graph and writes the outputs.
pub(super) fn execute(environment: &Environment, options: &Run, graph: Graph) -> Result<(), Report> {
    let colour = environment.colour();
    let outputs = options.output.iter().map(|text| Output::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let annotations = output::annotations(&options.annotation)?;
    let secrets = contexts::secrets(&options.secret, environment)?;
    let tags = options.tag.iter().map(|text| tag(text)).collect::<Result<Vec<_>, _>>()?;
    let (steps, warnings) = steps::options(options, environment)?;
    let policies = storage::policies(environment)?;
    // From here on files of many owners are handled; no thread has been started yet.
    let mode = enter_namespaces(environment)?;
    if let (userns::Mode::SingleUid { why }, true) = (&mode, options.oci_runtime.is_some()) {
        return Err(Report::new(format!("`--oci-runtime` takes more than one uid: {why}")).hint(why.hint()));
    }
    let store = storage::open_store(environment, options.store.as_deref(), &mode)?;
    let detail = if options.is_quiet() { Detail::Quiet } else { Detail::Plain };
    let progress = Plain::new(std::io::stderr(), detail);
    if let userns::Mode::SingleUid { why } = &mode {
        progress.note(&format!("users other than root are pretended: {why}"));
    }
    warnings.iter().for_each(|warning| progress.note(warning));
    let (definitions, images): (Vec<_>, Vec<_>) =
        graph.targets.into_iter().map(|target| (target.definition, (target.platform, target.image))).unzip();
    let request = Request {
        definitions,
        locals: graph.locals,
        layouts: graph.layouts,
        secrets,
        steps,
        now: environment.now,
        parallelism: (environment.processors * 4).max(32),
        machine: Platform::from_uname(&environment.machine).ok(),
        threads: environment.processors,
    };
    let cancel = Arc::new(Cancel::new().map_err(Report::new)?);
    let signals = Signals::watch(Arc::clone(&cancel)).map_err(Report::new)?;
    let solved = engine::solve(&store, &request, &progress, &cancel).map_err(|failure| {
        let nothing = SourceText::new("", "");
        let report = Report::failure(&failure, graph.source.as_ref().unwrap_or(&nothing), colour);
        signals.caught().map_or(report, Report::cancelled)
    })?;
    let results: Vec<PlatformResult> = images
        .into_iter()
        .zip(&solved.results)
        .map(|((platform, image), layer)| PlatformResult { platform, layer: *layer, image })
        .collect();
    check(&store, &results, &solved, &options.allow_foreign)?;
    let common = Common {
        tags: &tags,
        annotations: &annotations,
        epoch: graph.epoch,
        threads: environment.processors,
    };
    for output in &outputs {
        progress.note(&output.write(&store, &results, common)?);
    }
    if let Some(policies) = policies
        && let Some(text) = storage::collect(&store, &policies, environment.seconds())?
    {
        progress.note(&text);
    }
    progress.note(&format!("{} steps run, {} from the cache", solved.executed, solved.cached));
    Ok(())
}

/// The full name of a tag: engines that load the image look for that.
fn tag(text: &str) -> Result<String, Report> {
    let reference = Reference::parse(text).map_err(|error| Report::new(format!("`--tag`: {error}")))?;
    if reference.digest.is_some() {
        return Err(Report::new(format!("`--tag {text}`: the digest is what the build finds out"))
            .hint("leave `@sha256:...` out"));
    }
    Ok(reference.with_default_tag().to_string())
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

/// Holds the executables of the results against their platforms.
fn check(
    store: &Store,
    results: &[PlatformResult],
    solved: &engine::Solved,
    allowed: &[String],
) -> Result<(), Report> {
    let allowed = allowed.iter().map(|glob| glob.trim_start_matches('/').to_owned()).collect::<Vec<_>>();
    let allowed = Matcher::new(&allowed).map_err(|bad| Report::new(format!("`--allow-foreign`: {bad}")))?;
    let mut misfits = verify(store, results, &solved.origins).map_err(Report::new)?;
    misfits.retain(|misfit| {
        use std::os::unix::ffi::OsStrExt as _;
        let path = misfit.path.as_os_str().as_bytes();
        !allowed.matches(path.strip_prefix(b"/").unwrap_or(path))
    });
    if misfits.is_empty() { Ok(()) } else { Err(Report::misfits(&misfits)) }
}
