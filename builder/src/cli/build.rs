//! `xx-build build`: reads the Dockerfile, lowers it, solves it, checks the result, writes it.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use platform_db::Platform;

use super::Environment;
use super::args::{Build, Print, Progress};
use super::call::Call;
use super::contexts::{self, Contexts};
use super::output::Output;
use super::print;
use super::storage;
use crate::dockerfile::ignore::Matcher;
use crate::dockerfile::{self, Diagnostic, Dockerfile};
use crate::engine::{self, PlatformResult, Request};
use crate::fetch::{FetchError, Layout};
use crate::lower::{
    BuildConfig, ImageRequest, ImageSource, LowerError, Lowered, NoCache, ResolvedImage, ResolvedImages,
    lower,
};
use crate::progress::{Detail, Plain};
use crate::report::Report;
use crate::sandbox::{Cancel, userns};
use crate::source_text::SourceText;
use crate::store::Store;
use crate::verify::verify;

/// Runs the command.
pub(super) fn run(environment: &Environment, args: Build) -> Result<(), Report> {
    let colour = environment.colour();
    let outputs = args.output.iter().map(|text| Output::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let call = Call::parse(&args.call)?;
    let contexts = Contexts::parse(&args.build_context)?;
    let source = read_dockerfile(&dockerfile_path(&args))?;
    let file =
        dockerfile::parse(&source).map_err(|problems| Report::diagnostics(&problems, &source, colour))?;
    let config = configuration(environment, &args, &contexts)?;
    if !call.is_build() {
        return call.answer(&file, &config, environment);
    }
    let lowered = resolve(&file, &config, &contexts, colour)?;
    if let Some(Print::Llb) = args.print {
        let text = print::llb(&lowered)?;
        return writeln!(std::io::stdout(), "{text}").map_err(Report::new);
    }

    let policies = storage::policies(environment)?;
    // From here on files of many owners are handled; no thread has been started yet.
    let mode = enter_namespaces(environment)?;
    let store = storage::open_store(environment, args.store.as_deref(), &mode)?;
    let detail = if args.quiet || args.progress == Progress::Quiet { Detail::Quiet } else { Detail::Plain };
    let progress = Plain::new(std::io::stderr(), detail);
    if let userns::Mode::SingleUid { why } = &mode {
        progress.note(&format!("users other than root are pretended: {why}"));
    }
    let context = std::path::absolute(&args.context).map_err(Report::new)?;
    let mut locals = contexts.locals;
    locals.insert("context".to_owned(), context);
    let request = Request {
        definitions: lowered.targets.iter().map(|target| target.definition.clone()).collect(),
        locals,
        layouts: contexts.layouts,
        secrets: contexts::secrets(&args.secret, environment)?,
        now: environment.now,
        parallelism: (environment.processors * 4).max(32),
        machine: Some(config.build_platform.clone()),
        threads: environment.processors,
    };
    let cancel = Cancel::new().map_err(Report::new)?;
    let solved = engine::solve(&store, &request, &progress, &cancel)
        .map_err(|failure| Report::failure(&failure, &source, colour))?;
    let results: Vec<PlatformResult> = lowered
        .targets
        .iter()
        .zip(&solved.results)
        .map(|(target, layer)| PlatformResult {
            platform: target.platform.clone(),
            layer: *layer,
            image: target.image.clone(),
        })
        .collect();
    check(&store, &results, &solved, &args.allow_foreign)?;
    let epoch = lowered.targets.first().and_then(|target| target.epoch);
    for output in &outputs {
        progress.note(&output.write(&store, &results, &args.tag, epoch)?);
    }
    if let Some(policies) = policies
        && let Some(text) = storage::collect(&store, &policies, environment.now.div_euclid(1_000_000_000))?
    {
        progress.note(&text);
    }
    progress.note(&format!("{} steps run, {} from the cache", solved.executed, solved.cached));
    Ok(())
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

/// Runs `xx-build debug ast`.
pub(super) fn print_ast(environment: &Environment, path: &Path) -> Result<(), Report> {
    let source = read_dockerfile(path)?;
    let file = dockerfile::parse(&source)
        .map_err(|problems| Report::diagnostics(&problems, &source, environment.colour()))?;
    write!(std::io::stdout(), "{}", dockerfile::sexpr::dump(&file)).map_err(Report::new)
}

fn dockerfile_path(args: &Build) -> PathBuf {
    args.file.clone().unwrap_or_else(|| args.context.join("Dockerfile"))
}

fn read_dockerfile(path: &Path) -> Result<SourceText, Report> {
    let mut text = vec![];
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut text).map(drop)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut text)).map(drop)
    };
    read.map_err(|error| {
        Report::new(format!("cannot read `{}`: {error}", path.display()))
            .hint("name the Dockerfile with `--file`, or the folder that holds it")
    })?;
    let name = path.file_name().map_or_else(|| "-".to_owned(), |name| name.to_string_lossy().into_owned());
    let text = String::from_utf8(text).map_err(|error| {
        let line = 1 + error
            .as_bytes()
            .iter()
            .take(error.utf8_error().valid_up_to())
            .filter(|b| **b == b'\n')
            .count();
        Report::new(format!("`{name}`, line {line}: the text is not UTF-8"))
    })?;
    Ok(SourceText::new(name, text))
}

fn configuration(
    environment: &Environment,
    args: &Build,
    contexts: &Contexts,
) -> Result<BuildConfig, Report> {
    let build_platform = Platform::from_uname(&environment.machine).map_err(Report::new)?;
    let platforms = args
        .platform
        .iter()
        .map(|text| Platform::parse_on(text, &build_platform).map_err(platform_report))
        .collect::<Result<Vec<_>, _>>()?;
    let no_cache = if args.no_cache {
        NoCache::Everything
    } else if args.no_cache_filter.is_empty() {
        NoCache::Nothing
    } else {
        NoCache::Stages(args.no_cache_filter.iter().map(|name| name.to_lowercase()).collect::<BTreeSet<_>>())
    };
    let build_args = contexts::pairs(&args.build_arg, Some(environment));
    // Arguments that are settings of the builder, under BuildKit's names.
    let setting = |name: &str| build_args.get(name).cloned().unwrap_or_default();
    Ok(BuildConfig {
        multi_platform: platforms.len() > 1 || setting("BUILDKIT_MULTI_PLATFORM").parse() == Ok(true),
        target_platforms: platforms,
        target: args.target.clone(),
        hostname: setting("BUILDKIT_SANDBOX_HOSTNAME"),
        cache_namespace: setting("BUILDKIT_CACHE_MOUNT_NS"),
        build_args,
        labels: contexts::pairs(&args.label, None),
        contexts: contexts.named.clone(),
        dockerignore: dockerignore(args)?,
        no_cache,
        source_date_epoch: environment.variable("SOURCE_DATE_EPOCH").and_then(|text| text.parse().ok()),
        ..BuildConfig::new(build_platform)
    })
}

fn platform_report(error: platform_db::ParsePlatformError) -> Report {
    let hint = error.did_you_mean.as_ref().map(|better| format!("did you mean `{better}`?"));
    let report = Report::new(&error);
    match hint {
        Some(hint) => report.hint(hint),
        None => report,
    }
}

/// `NAME.dockerignore` beside the Dockerfile, or else `.dockerignore` in the context.
fn dockerignore(args: &Build) -> Result<Option<String>, Report> {
    let mut own = dockerfile_path(args).into_os_string();
    own.push(".dockerignore");
    for path in [PathBuf::from(own), args.context.join(".dockerignore")] {
        match std::fs::read_to_string(&path) {
            Ok(text) => return Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Report::new(format!("cannot read `{}`: {error}", path.display()))),
        }
    }
    Ok(None)
}

/// Lowers, answering the questions for image configurations, until nothing is missing.
fn resolve(
    file: &Dockerfile,
    config: &BuildConfig,
    contexts: &Contexts,
    colour: bool,
) -> Result<Lowered, Report> {
    let source = &file.source;
    let mut images = ResolvedImages::new();
    loop {
        match lower(file, config, &images) {
            Ok(lowered) => return Ok(lowered),
            Err(LowerError::Invalid(problem)) => {
                return Err(Report::diagnostics(&[*problem], source, colour));
            }
            Err(LowerError::MissingImages(requests)) => {
                for request in requests {
                    let image = find(&request, contexts).map_err(|(message, hint)| {
                        let problem = Diagnostic::error(request.span, message).maybe_hint(hint);
                        Report::diagnostics(&[problem], source, colour)
                    })?;
                    images.insert(request.key, image);
                }
            }
        }
    }
}

/// Finds one image; an error is a message and perhaps a hint.
fn find(request: &ImageRequest, contexts: &Contexts) -> Result<ResolvedImage, (String, Option<String>)> {
    let key = &request.key;
    match &key.source {
        ImageSource::Registry => Err((
            format!("the base image `{}` was not given to this build", request.name),
            Some(format!("pass it with `--build-context {}=oci-layout://DIR`", request.name)),
        )),
        ImageSource::OciLayout { store } => {
            let missing = || (format!("there is no OCI layout named `{store}`"), None);
            let layout = Layout::new(contexts.layouts.get(store).ok_or_else(missing)?);
            let found = layout.resolve(&key.reference, &key.platform);
            let found = found.map_err(|error: FetchError| (error.to_string(), None))?;
            Ok(ResolvedImage { digest: found.digest, config: found.config })
        }
    }
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
