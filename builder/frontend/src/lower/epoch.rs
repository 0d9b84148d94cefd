//! `SOURCE_DATE_EPOCH` when it is no number but names what the time is taken from: the main context (`context`), a named
//! context, or a stage that only fetches one thing.
//!
//! The time of a commit or of a download is not known here: [`epoch_sources`] says what to look at, and the answers come
//! back in [`BuildConfig::source_times`](super::BuildConfig::source_times). Sources without such a time, as directories
//! of this machine, leave the argument unset.

use super::env::EnvList;
use super::stages::{SCRATCH, Target};
use super::{BuildConfig, NamedContext, ResolvedImages, context, git};
use crate::dockerfile::ast::{Add, ArgPair, Command, Stage};
use crate::dockerfile::expand::Variables as _;
use crate::dockerfile::{Diagnostic, Dockerfile};
use crate::llb::pb;
use crate::source_text::Span;

/// The argument.
pub(super) const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// The sources whose times `SOURCE_DATE_EPOCH` asks for, on any target platform.
///
/// # Errors
/// It is neither a number nor the name of something that has a time.
pub fn epoch_sources(file: &Dockerfile, config: &BuildConfig) -> Result<Vec<pb::SourceOp>, Diagnostic> {
    let images = ResolvedImages::new();
    let mut sources = Vec::new();
    let (platforms, implicit) = config.platforms();
    for platform in platforms {
        let target = Target::new(file, config, &images, platform, implicit)?;
        sources.extend(target.epoch_source()?.filter(|source| !sources.contains(source)));
    }
    Ok(sources)
}

impl Target<'_> {
    /// Finds out the time; whoever declares the argument sees it as a number.
    pub(super) fn read_epoch(&mut self) -> Result<(), Diagnostic> {
        self.epoch = match self.epoch_text().parse() {
            Ok(seconds) => Some(seconds),
            Err(_) => {
                let source = self.epoch_source()?;
                let known = &self.config.source_times;
                source.and_then(|source| known.iter().find(|(known, _)| *known == source)?.1)
            }
        };
        if self.args.get(EPOCH).is_some() {
            match self.epoch {
                Some(seconds) => self.args.set(EPOCH, seconds.to_string()),
                None => self.args.remove(EPOCH),
            }
        }
        Ok(())
    }

    /// What was given with `--build-arg`; the time as a number.
    pub(super) fn build_arg(&self, key: &str) -> Option<String> {
        let given = self.config.build_args.get(key)?;
        if key == EPOCH { self.epoch.map(|seconds| seconds.to_string()) } else { Some(given.clone()) }
    }

    fn epoch_text(&self) -> &str {
        let given = self.config.build_args.get(EPOCH).map(String::as_str);
        given.or_else(|| self.args.get(EPOCH)).unwrap_or_default()
    }

    fn epoch_source(&self) -> Result<Option<pb::SourceOp>, Diagnostic> {
        let text = self.epoch_text();
        if text.is_empty() || text.parse::<i64>().is_ok() {
            return Ok(None);
        }
        let wrong = |message: String| Diagnostic::error(Span::default(), message).hint(git::FORM);
        if text == "context" {
            return context::source(&self.config.context, &self.config.build_args).map_err(wrong);
        }
        if let Some((_, context)) = self.named_context(text, &self.config.build_platform, Span::default())? {
            return Ok(match context {
                NamedContext::Git(url) => git::Repository::parse(url)
                    .map_err(wrong)?
                    .map(|repository| repository.source(&git::Options::of_url(&repository, false))),
                NamedContext::Http(url) => Some(context::download(url)),
                NamedContext::Local { .. }
                | NamedContext::OciLayout { .. }
                | NamedContext::DockerImage(_)
                | NamedContext::Definition { .. } => None,
            });
        }
        let name = |stage: &&Stage| stage.name.as_ref().is_some_and(|n| n.text.eq_ignore_ascii_case(text));
        match self.file.stages.iter().find(name) {
            Some(stage) => self.stage_source(stage).map(Some),
            None => Err(Diagnostic::error(Span::default(), format!("invalid SOURCE_DATE_EPOCH `{text}`")).hint(
                "give the seconds since 1970-01-01, as `git log -1 --format=%ct` prints them, or name what has a time: \
                 `context`, a named context, or a stage `FROM scratch` with one ADD of a URL or a git repository",
            )),
        }
    }

    /// What a stage fetches: it begins with nothing and has one ADD, and perhaps ARG.
    fn stage_source(&self, stage: &Stage) -> Result<pb::SourceOp, Diagnostic> {
        let refuse = |span: Span, message: &str| {
            Err(Diagnostic::error(span, format!("the stage that SOURCE_DATE_EPOCH names {message}"))
                .hint("write `FROM scratch AS NAME` and one `ADD URL /` below it"))
        };
        let mut args = self.args.clone();
        args.remove(EPOCH);
        if self.expand(&stage.base.text, &args, stage.base.span)?.text != SCRATCH {
            return refuse(stage.base.span, "has to be `FROM scratch`");
        }
        let mut source = None;
        for instruction in &stage.instructions {
            let span = instruction.span();
            if let Command::Arg(pairs) = &instruction.command {
                self.declare(pairs, &mut args)?;
            } else if let Command::Add(add) = &instruction.command {
                if source.is_some() {
                    return refuse(span, "has more than one ADD");
                }
                source = self.add_source(add, &args, span)?;
                if source.is_none() {
                    return refuse(span, "has to add one URL or git repository");
                }
            } else {
                return refuse(span, "may hold nothing but ARG and one ADD");
            }
        }
        match source {
            Some(source) => Ok(source),
            None => refuse(stage.from.span(), "has no ADD"),
        }
    }

    fn declare(&self, pairs: &[ArgPair], args: &mut EnvList) -> Result<(), Diagnostic> {
        for pair in pairs {
            let value = match (self.config.build_args.get(&pair.key), &pair.value) {
                (Some(given), _) => given.clone(),
                (None, Some(default)) => self.expand(default, &*args, pair.span)?.text,
                (None, None) => continue,
            };
            args.set(&pair.key, value);
        }
        Ok(())
    }

    fn add_source(&self, add: &Add, args: &EnvList, span: Span) -> Result<Option<pb::SourceOp>, Diagnostic> {
        let ([source], []) = (add.files.sources.as_slice(), add.files.documents.as_slice()) else {
            return Ok(None);
        };
        let wrong = |message: String| Diagnostic::error(source.span, message).hint(git::FORM);
        let text = self.expand(&source.text, args, source.span)?.text;
        let checksum = self.expand(&add.checksum, args, span)?.text;
        if let Some(repository) = git::Repository::parse(&text).map_err(wrong)?.filter(|r| !r.like_a_path) {
            let options = git::Options::of_add(&repository, add.keep_git_dir, &checksum).map_err(wrong)?;
            return Ok(Some(repository.source(&options)));
        }
        if !text.starts_with("http://") && !text.starts_with("https://") {
            return Ok(None);
        }
        let mut attrs: std::collections::BTreeMap<_, _> =
            [("http.filename".to_owned(), git::file_name_of_url(&text))].into();
        if !checksum.is_empty() {
            attrs.insert("http.checksum".to_owned(), checksum);
        }
        Ok(Some(pb::SourceOp { identifier: text, attrs }))
    }
}
