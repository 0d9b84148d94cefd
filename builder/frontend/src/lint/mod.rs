//! Checks of a Dockerfile that builds but may not do what was meant.
//!
//! [`RULES`] is the list: BuildKit's rules by their names and conditions, and ours about platforms. A rule reads the
//! syntax tree and what the caller knows ([`Context`]); none does I/O. Rules are switched by `# check=skip=...` at the
//! top of a file, by the same comment directly above an instruction, and by `BUILDKIT_DOCKERFILE_CHECK`.

mod control;
mod facts;
mod image;
pub mod json;
mod platform;
mod scope;
mod style;
mod variables;

use std::collections::{BTreeMap, BTreeSet};

use platform_db::Platform;

pub use control::{Control, InvalidControl};
pub(crate) use platform::runs_natively;

use facts::Facts;

use crate::dockerfile::ast::Instruction;
use crate::dockerfile::{Diagnostic, Dockerfile};
use crate::source_text::Span;

/// What the caller knows besides the text.
#[derive(Debug, Clone)]
pub struct Context {
    /// Platform of the machine that builds.
    pub build_platform: Platform,
    /// Platforms of the result; the build platform when there are none.
    pub target_platforms: Vec<Platform>,
    /// `--build-arg`.
    pub build_args: BTreeMap<String, String>,
    /// Text of the `.dockerignore` that counts.
    pub dockerignore: Option<String>,
    /// `BUILDKIT_DOCKERFILE_CHECK`: takes the place of the file's `# check=`.
    pub control: Option<String>,
    /// The stages of the target by index; `None` for all of the file.
    pub stages: Option<BTreeSet<usize>>,
    /// Base images by stage index, as far as they are known. Without the
    /// environment of a base, variables that it may set are not reported.
    pub bases: BTreeMap<usize, Base>,
}

/// What is known of a base image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Base {
    /// `KEY=value`.
    pub env: Vec<String>,
    /// Whether it sets a shell for the shell form.
    pub shell: bool,
    /// For which platform it was looked for, and for which it is, for each target.
    pub platforms: Vec<(Platform, Platform)>,
}

impl Context {
    /// Nothing known but the machine's platform.
    #[must_use]
    pub fn new(build_platform: Platform) -> Self {
        Self {
            build_platform,
            target_platforms: Vec::new(),
            build_args: BTreeMap::new(),
            dockerignore: None,
            control: None,
            stages: None,
            bases: BTreeMap::new(),
        }
    }
}

impl Context {
    /// Whether a finding of a rule with this gate stops a build.
    fn stops(&self, gate: Gate, file: &Dockerfile, span: Span) -> bool {
        let stage = || file.stages.iter().rposition(|stage| stage.from.span().start <= span.start);
        match (gate, &self.stages) {
            (Gate::Never, _) => false,
            (Gate::File, _) | (Gate::Stages, None) => true,
            (Gate::Stages, Some(stages)) => stage().is_some_and(|stage| stages.contains(&stage)),
        }
    }
}

/// A check.
pub struct Rule {
    /// Name, as in `# check=skip=NAME`.
    pub name: &'static str,
    /// What it is about, in one sentence.
    pub why: &'static str,
    /// Page below `docs/checks/`, without `.md`.
    pub page: &'static str,
    /// Only when asked for.
    pub experimental: bool,
    /// Where `error=true` makes a finding stop a build.
    pub gate: Gate,
    check: Check,
}

/// Where `error=true` makes a finding stop a build: where it stops BuildKit's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Wherever it stands: BuildKit finds it while it reads the file.
    File,
    /// In the stages of the target: BuildKit finds it while it builds them.
    Stages,
    /// Nowhere: the rule is not BuildKit's.
    Never,
}

/// A rule's function.
type Check = for<'f> fn(&Facts<'f>, &mut Found<'f>);

/// Collects what one rule finds, with the instruction whose comments may switch it off.
pub(crate) struct Found<'f> {
    rule: &'static str,
    found: Vec<(Diagnostic, Option<&'f Instruction>)>,
}

impl<'f> Found<'f> {
    /// Reports at a part of an instruction.
    fn at_span(&mut self, instruction: &'f Instruction, span: Span, message: String, hint: Option<String>) {
        let diagnostic = Diagnostic::warning(self.rule, span, message).maybe_hint(hint);
        self.found.push((diagnostic, Some(instruction)));
    }

    /// Reports at an instruction.
    fn at(&mut self, instruction: &'f Instruction, message: String, hint: Option<String>) {
        self.at_span(instruction, instruction.span(), message, hint);
    }
}

const fn rule(name: &'static str, page: &'static str, why: &'static str, check: Check) -> Rule {
    Rule { name, why, page, experimental: false, gate: Gate::Stages, check }
}

const fn whole_file(rule: Rule) -> Rule {
    Rule { gate: Gate::File, ..rule }
}

const fn ours(rule: Rule) -> Rule {
    Rule { gate: Gate::Never, ..rule }
}

/// Every check, sorted by name.
pub const RULES: [Rule; 25] = [
    whole_file(rule(
        "ConsistentInstructionCasing",
        "consistent-instruction-casing",
        "Instructions of a file are all upper case or all lower case",
        style::instruction_casing,
    )),
    rule(
        "CopyIgnoredFile",
        "copy-ignored-file",
        "A source that .dockerignore excludes cannot be copied",
        image::copy_ignored,
    ),
    whole_file(rule(
        "DuplicateStageName",
        "duplicate-stage-name",
        "Of two stages with one name only the last can be named",
        style::duplicate_stage,
    )),
    ours(rule(
        "EmulatedRun",
        "emulated-run",
        "A RUN on the target's platform needs emulation where a cross build needs none",
        platform::emulated_run,
    )),
    rule(
        "ExposeInvalidFormat",
        "expose-invalid-format",
        "EXPOSE names ports of the container, not addresses or ports of the host",
        image::expose_format,
    ),
    rule(
        "ExposeProtoCasing",
        "expose-proto-casing",
        "Protocols in EXPOSE are lower case",
        image::expose_casing,
    ),
    whole_file(rule(
        "FromAsCasing",
        "from-as-casing",
        "FROM and AS are written in the same case",
        style::from_as_casing,
    )),
    whole_file(rule(
        "FromPlatformFlagConstDisallowed",
        "from-platform-flag-const-disallowed",
        "A constant platform in FROM makes a stage that is the same for every target",
        platform::constant_platform,
    )),
    ours(rule(
        "HardcodedArch",
        "hardcoded-arch",
        "A download for one architecture is wrong on the others",
        platform::hardcoded_arch,
    )),
    rule(
        "InvalidBaseImagePlatform",
        "invalid-base-image-platform",
        "The base image was found for another platform than the one asked for",
        platform::wrong_base,
    ),
    whole_file(rule(
        "InvalidDefaultArgInFrom",
        "invalid-default-arg-in-from",
        "A file should build with the defaults of its arguments",
        variables::default_in_from,
    )),
    Rule {
        name: "InvalidDefinitionDescription",
        page: "invalid-definition-description",
        why: "A comment above a stage or an argument begins with its name",
        experimental: true,
        gate: Gate::File,
        check: style::description,
    },
    rule(
        "JSONArgsRecommended",
        "json-args-recommended",
        "Without the JSON form a shell stands between the program and its signals",
        image::json_recommended,
    ),
    rule(
        "LegacyKeyValueFormat",
        "legacy-key-value-format",
        "ENV and LABEL take key=value",
        style::legacy_pairs,
    ),
    whole_file(rule(
        "MaintainerDeprecated",
        "maintainer-deprecated",
        "MAINTAINER is replaced by a label",
        style::maintainer,
    )),
    rule(
        "MultipleInstructionsDisallowed",
        "multiple-instructions-disallowed",
        "Of several CMD, ENTRYPOINT or HEALTHCHECK in a stage only the last counts",
        image::repeated,
    ),
    whole_file(rule(
        "NoEmptyContinuation",
        "no-empty-continuation",
        "An empty line inside a continued instruction is an error in waiting",
        style::empty_continuation,
    )),
    whole_file(rule(
        "RedundantTargetPlatform",
        "redundant-target-platform",
        "FROM takes the target's platform anyway",
        platform::redundant_target,
    )),
    whole_file(rule(
        "ReservedStageName",
        "reserved-stage-name",
        "Some names mean something else",
        style::reserved_stage,
    )),
    rule(
        "SecretsUsedInArgOrEnv",
        "secrets-used-in-arg-or-env",
        "Arguments and variables stay in the image's history",
        image::secrets,
    ),
    whole_file(rule(
        "StageNameCasing",
        "stage-name-casing",
        "Stage names are lower case",
        style::stage_casing,
    )),
    ours(rule(
        "TargetArgTooEarly",
        "target-arg-too-early",
        "Behind an ARG TARGET* a step runs once for each platform",
        platform::target_arg_early,
    )),
    whole_file(rule(
        "UndefinedArgInFrom",
        "undefined-arg-in-from",
        "FROM can only use arguments declared before it",
        variables::undefined_in_from,
    )),
    rule("UndefinedVar", "undefined-var", "A variable is used that nothing sets", variables::undefined),
    rule(
        "WorkdirRelativePath",
        "workdir-relative-path",
        "A relative WORKDIR depends on the base image",
        image::relative_workdir,
    ),
];

/// The result of checking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What was found, in the order of the file.
    pub warnings: Vec<Diagnostic>,
    /// The rules whose findings fail the build, as the file asks for.
    pub failed: BTreeSet<&'static str>,
}

/// Checks a Dockerfile.
///
/// # Errors
/// The control, in the file or given, is malformed.
pub fn check(file: &Dockerfile, context: &Context) -> Result<Report, InvalidControl> {
    let control = match (&context.control, &file.directives.check) {
        (Some(given), _) => Control::parse(given)?,
        // As BuildKit has it, the value of a directive ends at the first space.
        (None, Some(directive)) => Control::parse(directive.value.split(' ').next().unwrap_or_default())
            .map_err(|wrong| wrong.within(file.source.slice(directive.span), directive.span.start))?,
        (None, None) => Control::default(),
    };
    let facts = Facts::new(file, context);
    let (mut warnings, mut failed) = (Vec::new(), BTreeSet::new());
    for rule in &RULES {
        let mut found = Found { rule: rule.name, found: Vec::new() };
        (rule.check)(&facts, &mut found);
        warnings.extend(found.found.into_iter().filter_map(|(diagnostic, instruction)| {
            let local = instruction.and_then(|i| Control::above(&i.node.comments));
            if !control.allows(rule, local.as_ref()) {
                return None;
            }
            if control.error && context.stops(rule.gate, file, diagnostic.span) {
                failed.insert(rule.name);
            }
            Some(diagnostic)
        }));
    }
    warnings.sort_by(|a, b| (a.span, a.code).cmp(&(b.span, b.code)));
    Ok(Report { warnings, failed })
}
