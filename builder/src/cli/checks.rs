//! The checks of a build: what they are told, when they stop it, what is shown of them at its end.

use std::collections::BTreeMap;
use std::io::Write;

use crate::report::Report;
use xx_build_frontend::dockerfile::{Diagnostic, Dockerfile};
use xx_build_frontend::lint::{Base, Context, InvalidControl, check};
use xx_build_frontend::lower::{BuildConfig, LoweredTarget};
use xx_build_frontend::source_text::SourceText;

/// What the checks know besides the text.
pub(super) fn context(config: &BuildConfig, bases: BTreeMap<usize, Base>) -> Context {
    Context {
        target_platforms: config.target_platforms.clone(),
        build_args: config.build_args.clone(),
        dockerignore: config.dockerignore.clone(),
        control: config.build_args.get("BUILDKIT_DOCKERFILE_CHECK").cloned(),
        bases,
        ..Context::new(config.build_platform.clone())
    }
}

/// What the targets know of the images that stages begin with.
fn bases(targets: &[LoweredTarget]) -> BTreeMap<usize, Base> {
    let mut all: BTreeMap<usize, Base> = BTreeMap::new();
    for (index, base) in targets.iter().flat_map(|target| &target.bases) {
        match all.get_mut(index) {
            None => drop(all.insert(*index, base.clone())),
            Some(known) => {
                let new = base.platforms.iter().filter(|pair| !known.platforms.contains(pair)).cloned();
                let new: Vec<_> = new.collect();
                known.platforms.extend(new);
            }
        }
    }
    all
}

/// A `# check=` line or `BUILDKIT_DOCKERFILE_CHECK` that cannot be read.
pub(super) fn invalid(error: &InvalidControl, source: &SourceText, colour: bool) -> Report {
    match error.span {
        Some(span) => {
            let problem = Diagnostic::error(span, error.to_string()).hint(error.hint());
            Report::diagnostics(&[problem], source, colour)
        }
        None => Report::new(format!("BUILDKIT_DOCKERFILE_CHECK: {error}")).hint(error.hint()),
    }
}

/// Checks a file that is about to be built.
///
/// # Errors
/// The file asks that findings fail the build, and there are some.
pub(super) fn before_build(
    file: &Dockerfile,
    config: &BuildConfig,
    targets: &[LoweredTarget],
    colour: bool,
) -> Result<Vec<Diagnostic>, Report> {
    let stages = targets.iter().flat_map(|target| target.stages.iter().copied()).collect();
    let context = Context { stages: Some(stages), ..context(config, bases(targets)) };
    let found = check(file, &context).map_err(|error| invalid(&error, &file.source, colour))?;
    if !found.failed.is_empty() {
        let hint = "the file says `# check=error=true`, or BUILDKIT_DOCKERFILE_CHECK does; `skip=RULE` there leaves a rule out";
        let rules = found.failed.into_iter().collect::<Vec<_>>().join(", ");
        let report = Report::diagnostics(&found.warnings, &file.source, colour);
        return Err(report.conclude(&format!("findings of these rules stop the build: {rules}")).hint(hint));
    }
    Ok(found.warnings)
}

/// Says what may be meant otherwise, before anything is done.
///
/// # Errors
/// When `out` cannot be written.
pub(super) fn notes(
    notes: impl Iterator<Item = Diagnostic>,
    source: &SourceText,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    for note in notes {
        let place = format!("{}:{}", source.name(), source.line(note.span.start));
        let hint = note.hint.map_or_else(String::new, |hint| format!("; {hint}"));
        writeln!(out, "warning: {place}: {}{hint}", note.message)?;
    }
    Ok(())
}

/// Lists findings in short: they must not be lost among the output of the steps.
///
/// # Errors
/// When `out` cannot be written.
pub(super) fn summary(
    warnings: &[Diagnostic],
    source: &SourceText,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let Some((first, more)) = warnings.split_first() else { return Ok(()) };
    let count = if more.is_empty() { "1 warning".to_owned() } else { format!("{} warnings", 1 + more.len()) };
    writeln!(out, "{count} (with lines and hints: `xx-build build --call=check`)")?;
    for warning in std::iter::once(first).chain(more) {
        let place = format!("{}:{}", source.name(), source.line(warning.span.start));
        writeln!(out, "  {place}: {}: {}", warning.code.unwrap_or_default(), warning.message)?;
    }
    Ok(())
}
