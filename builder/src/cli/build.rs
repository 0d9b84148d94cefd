//! `xx-build build`: reads the Dockerfile and lowers it; [`execute`] does the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use platform_db::Platform;

use super::Environment;
use super::args::Build;
use super::call::Call;
use super::checks;
use super::contexts::{self, Contexts};
use super::execute::{Graph, Session, Target};
use super::images::{self, Lacking};
use super::input::{self, Context, Input};
use super::print::Print;
use super::steps::{self, HOST_NETWORK};
use super::{epoch, refused, remote, settings, storage};
use crate::progress::terminal;
use crate::report::Report;
use xx_build_frontend::dockerfile;
use xx_build_frontend::dockerfile::front_end::FrontEnd;
use xx_build_frontend::lower::{self, BuildConfig, MainContext, NoCache, ResolveMode};

/// Runs the command.
pub(super) fn run(environment: &Environment, mut args: Build) -> Result<(), Report> {
    if args.network == "host" {
        // Who says it for the whole build has allowed it, as with buildx.
        args.run.allow.push(HOST_NETWORK.to_owned());
    }
    let colour = environment.colour();
    let print = args.print.as_deref().map(Print::parse).transpose()?;
    refused::attestations(&args)?;
    let call = Call::parse(if args.check { "check" } else { &args.call })?;
    let contexts = Contexts::parse(&args.build_context, colour)?;
    let build_args = build_args(environment, &args);
    let mut session = None;
    let input = read(environment, &args, &build_args, &mut session)?;
    let source = &input.dockerfile;
    let front_end = FrontEnd {
        asked: build_args.get("BUILDKIT_SYNTAX").cloned(),
        mirrors: storage::settings(environment)?.front_end_mirrors(),
    };
    let file = dockerfile::parse_as(source, &front_end)
        .map_err(|problems| call.refuse(&problems, source, colour))?;
    let mut config = configuration(environment, &args, build_args, &contexts, &input)?;
    if !args.run.is_quiet() {
        let notes = front_end.doubt(source).into_iter().chain(lower::replaced_stages(&file, &config));
        checks::notes(notes, source, &mut terminal::stderr()).map_err(Report::new)?;
    }
    if !call.is_build() {
        return call.answer(&file, &config, environment);
    }
    epoch::find(&file, &mut config, &mut session, || Session::open(environment, &args.run), colour)?;
    let lacking = print.map_or(Lacking::Refuse, Print::lacking);
    let resolve = |config: &BuildConfig| images::resolve(&file, config, &contexts, lacking, colour);
    let config = contexts.with_targets(config, |config| resolve(config).map(|(lowered, _)| lowered))?;
    let (lowered, stand_ins) = resolve(&config)?;
    if !stand_ins.is_empty() {
        let names = stand_ins.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let text = "not given, so nothing is known of its variables, ONBUILD and shell";
        writeln!(terminal::stderr(), "warning: {names}: {text}").map_err(Report::new)?;
    }
    let warnings = checks::before_build(&file, &config, &lowered.targets, colour)?;
    if let Some(print) = print {
        return print.write(&lowered, &config.build_platform, &mut terminal::stdout());
    }
    let mut locals = contexts.locals;
    if let Context::Folder(folder) = &input.context {
        locals.insert("context".to_owned(), folder.clone());
    }
    let epoch = lowered.targets.first().and_then(|target| target.epoch);
    let targets = lowered.targets.into_iter().map(|target| Target {
        platform: target.platform,
        definition: target.definition,
        image: target.image,
    });
    let graph = Graph {
        targets: targets.collect(),
        locals,
        layouts: contexts.layouts,
        source: Some(source.clone()),
        epoch,
        multi_platform: config.multi_platform,
        allow_foreign: file.directives.allow_foreign.iter().map(|glob| glob.value.clone()).collect(),
    };
    let session = session.map_or_else(|| Session::open(environment, &args.run), Ok)?;
    if !args.cgroup_parent.is_empty() {
        session.warn("`--cgroup-parent` has no effect: steps run below the control group of this program");
    }
    let built = session.execute(graph);
    if !args.run.is_quiet() {
        checks::summary(&warnings, source, &mut terminal::stderr()).map_err(Report::new)?;
    }
    built
}

/// Reads the Dockerfile; what is named by a URL is fetched, in a session that the build goes on with.
fn read<'a>(
    environment: &'a Environment,
    args: &'a Build,
    build_args: &BTreeMap<String, String>,
    session: &mut Option<Session<'a>>,
) -> Result<Input, Report> {
    let colour = environment.colour();
    let stdin = std::io::stdin().lock();
    let context = args.context.to_str().map_or(Ok(None), remote::context_of)?;
    let file = args.file.as_deref().filter(|file| file.to_str().is_some_and(remote::is_url));
    match (context, file) {
        (None, None) => Input::read(args, environment, stdin, colour),
        (None, Some(url)) => {
            let session = session.insert(Session::open(environment, &args.run)?);
            Input::with_dockerfile(remote::dockerfile(session, url, colour)?, &args.context, colour)
        }
        (Some(context), _) => {
            let session = session.insert(Session::open(environment, &args.run)?);
            remote::read(args, context, session, build_args, stdin, colour)
        }
    }
}

/// Runs `xx-build debug ast`.
pub(super) fn print_ast(environment: &Environment, path: &Path) -> Result<(), Report> {
    let colour = environment.colour();
    let path = if path.is_dir() { input::named_by_default(path) } else { path.to_owned() };
    let source = input::file(&path, colour)?;
    let nodes =
        dockerfile::syntax(&source).map_err(|problems| Report::diagnostics(&problems, &source, colour))?;
    write!(terminal::stdout(), "{}", dockerfile::sexpr::dump(&nodes)).map_err(Report::new)
}

/// `--build-arg`; `SOURCE_DATE_EPOCH` of the environment counts as one, as for buildx.
fn build_args(environment: &Environment, args: &Build) -> BTreeMap<String, String> {
    let mut build_args = contexts::pairs(&args.build_arg, Some(environment));
    if let Some(epoch) = environment.variable("SOURCE_DATE_EPOCH") {
        build_args.entry("SOURCE_DATE_EPOCH".to_owned()).or_insert_with(|| epoch.to_owned());
    }
    build_args
}

fn configuration(
    environment: &Environment,
    args: &Build,
    build_args: BTreeMap<String, String>,
    contexts: &Contexts,
    input: &Input,
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
    // Arguments that are settings of the builder, under BuildKit's names.
    let setting = |name: &str| build_args.get(name).cloned().unwrap_or_default();
    Ok(BuildConfig {
        multi_platform: settings::multi_platform(&setting("BUILDKIT_MULTI_PLATFORM"), platforms.len())?,
        target_platforms: platforms,
        target: args.target.clone(),
        hostname: setting("BUILDKIT_SANDBOX_HOSTNAME"),
        cache_namespace: setting("BUILDKIT_CACHE_MOUNT_NS"),
        build_args,
        labels: contexts::pairs(&args.label, None),
        contexts: contexts.named.clone(),
        context: match &input.context {
            Context::Folder(_) => MainContext::Local,
            Context::Remote(context) => context.clone(),
        },
        dockerignore: input.dockerignore.clone(),
        no_cache,
        add_hosts: settings::hosts(&args.add_host)?,
        ulimits: args.ulimit.iter().map(|text| settings::ulimit(text)).collect::<Result<_, _>>()?,
        cgroup_parent: args.cgroup_parent.clone(),
        resources: steps::resources(&args.run)?,
        resolve_mode: if args.pull { ResolveMode::Pull } else { ResolveMode::Default },
        shm_size: args.shm_size.as_deref().map_or(Ok(0), settings::shm_size)?,
        network: settings::network(&args.network)?,
        ..BuildConfig::new(build_platform)
    })
}

fn platform_report(mut error: platform_db::ParsePlatformError) -> Report {
    let hint = error.did_you_mean.take().map(|better| format!("did you mean `{better}`?"));
    let report = Report::new(&error);
    match hint {
        Some(hint) => report.hint(hint),
        None => report,
    }
}
