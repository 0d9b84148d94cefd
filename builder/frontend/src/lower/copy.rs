//! COPY and ADD: files of the context, of stages, of URLs and git repositories, and here documents.

use super::LowerError;
use super::git;
use super::paths;
use super::platforms::StagePlatform;
use super::stages::{StageState, Step, Target};
use crate::dockerfile::Diagnostic;
use crate::dockerfile::ast::{Add, Copy, Files};
use crate::dockerfile::expand::{Rules, expand};
use crate::dockerfile::node::Word;
use crate::llb::graph::{Node, NodeId, NodeOp};
use crate::llb::pb;
use crate::llb::pb::file_action::Action;
use crate::source_text::Span;

/// What COPY and ADD have in common, variables expanded.
struct Transfer {
    add: bool,
    sources: Vec<Word>,
    documents: Vec<(String, String)>,
    dest: String,
    chown: String,
    chmod: String,
    link: bool,
    exclude: Vec<String>,
    parents: bool,
    keep_git_dir: Option<bool>,
    checksum: String,
    unpack: Option<bool>,
    span: Span,
}

impl<'a> Target<'a> {
    pub(super) fn copy(
        &mut self,
        stage: &mut StageState<'a>,
        step: &Step<'a>,
        copy: &Copy,
    ) -> Result<(), LowerError> {
        let mut transfer = self.transfer(stage, &copy.files, step)?;
        transfer.parents = copy.parents;
        let Some(from) = step.sources.first().copied() else {
            return self.transfer_files(stage, step, transfer, None);
        };
        let Some(source) = self.stages.get(from).filter(|s| s.done) else {
            let name = copy.from.as_ref().map_or("", |f| f.text.as_str());
            let message = format!("stage `{name}` is not built before this COPY");
            return Err(Diagnostic::error(transfer.span, message)
                .hint("move the stage before this one")
                .into());
        };
        let (tree, set) = (source.state.out, source.paths);
        if let Some(set) = self.shared.path_sets.get_mut(set) {
            set.extend(transfer.sources.iter().map(|w| paths::join("/", &w.text)));
        }
        self.transfer_files(stage, step, transfer, Some(tree))
    }

    pub(super) fn add(
        &mut self,
        stage: &mut StageState<'a>,
        step: &Step<'a>,
        add: &Add,
    ) -> Result<(), LowerError> {
        let mut transfer = self.transfer(stage, &add.files, step)?;
        transfer.add = true;
        transfer.keep_git_dir = add.keep_git_dir;
        transfer.unpack = add.unpack;
        transfer.checksum = self.expand(&add.checksum, &stage.state.env, transfer.span)?.text;
        self.transfer_files(stage, step, transfer, None)
    }

    fn transfer(
        &self,
        stage: &StageState<'a>,
        files: &Files,
        step: &Step<'a>,
    ) -> Result<Transfer, Diagnostic> {
        let span = step.instruction.span();
        let env = &stage.state.env;
        let text = |word: &str| self.expand(word, env, span).map(|e| e.text);
        let sources = files
            .sources
            .iter()
            .map(|word| Ok(Word { text: self.expand(&word.text, env, word.span)?.text, span: word.span }));
        let documents = files.documents.iter().map(|document| {
            if !document.expand {
                return Ok((document.name.clone(), document.data.clone()));
            }
            let rules = Rules { no_quotes: true, ..Rules::new('\\') };
            let data = expand(&document.data, env, rules).map_err(|error| {
                Diagnostic::error(span, format!("in heredoc `{}`: {error}", document.name))
                    .hint(format!("write `<<\"{}\"` to keep the contents as they are", document.name))
            })?;
            Ok((document.name.clone(), data.text))
        });
        Ok(Transfer {
            add: false,
            sources: sources.collect::<Result<_, Diagnostic>>()?,
            documents: documents.collect::<Result<_, Diagnostic>>()?,
            dest: text(&files.dest)?,
            chown: text(&files.chown)?,
            chmod: text(&files.chmod)?,
            link: files.link,
            exclude: files.exclude.clone(),
            parents: false,
            keep_git_dir: None,
            checksum: String::new(),
            unpack: None,
            span,
        })
    }

    /// One file operation with an action for each source. `from` is the tree of another stage.
    fn transfer_files(
        &mut self,
        stage: &mut StageState<'a>,
        step: &Step<'a>,
        transfer: Transfer,
        from: Option<Option<NodeId>>,
    ) -> Result<(), LowerError> {
        let platform = stage.platform.clone().unwrap_or_else(|| StagePlatform::of(self.platform.clone()));
        let rules = paths::Rules::of(platform.value.os());
        let in_place = |e: paths::PathError| LowerError::from(e.at(transfer.span));
        let relative = rules.without_drive(&transfer.dest, true).map_err(in_place)?;
        let relative = if matches!(relative.as_str(), "." | "") { "./" } else { &relative };
        let base = if rules.is_absolute(relative) { "/" } else { stage.state.dir.as_str() };
        let dest = rules.normalize(base, relative, true).map_err(in_place)?;
        let dest = paths::in_operation(&stage.state.dir, &dest, true);
        check_checksum(&transfer)?;
        let template = template(&transfer, dest)?;

        let env = stage.state.env.clone();
        let node = &step.instruction.node;
        let shown = self.display(&node.code, &env, Rules::new(self.file.escape()));
        let label = self.step_name(stage, &shown, Some(&platform.value), &env);
        let mut message = history(&transfer);
        let mut actions = Vec::new();
        for source in &transfer.sources {
            message.push_str(&format!(" {}", source.text));
            actions.push(self.source_action(&transfer, source, &template, from, rules, &label)?);
        }
        for (name, data) in &transfer.documents {
            message.push_str(&format!(" <<{name}"));
            let file = rules.without_drive(name, false).map_err(in_place)?;
            let tree = self.inline_file(&file, data.clone().into_bytes(), 0o644);
            let copy = pb::FileActionCopy {
                src: paths::in_operation("/", &rules.to_slash(&file), false),
                ..template.clone()
            };
            actions.push((Action::Copy(copy), Some(tree)));
        }
        message.push_str(&format!(" {}", transfer.dest));
        let lines = Some(node.lines);
        let metadata = self.step_metadata(stage, &label);
        let on_its_own = transfer.link && transfer.chmod.is_empty();
        let below = stage.state.out;
        let base = if on_its_own { None } else { below };
        let made = self.shared.graph.add(Node {
            op: NodeOp::File { base, actions },
            platform: None,
            metadata: metadata.clone(),
            lines,
        });
        stage.state.out = Some(match below.filter(|_| on_its_own) {
            None => made,
            Some(below) => {
                let (in_front, rest) = label.split_once("] ").unwrap_or(("", &label));
                let separator = if in_front.is_empty() { "" } else { "] " };
                let mut metadata = metadata;
                let label = format!("{in_front}{separator}LINK {rest}");
                metadata.description.extend(super::named::named(&label).description);
                self.shared.graph.add(Node {
                    op: NodeOp::Merge(vec![below, made]),
                    platform: None,
                    metadata,
                    lines,
                })
            }
        });
        self.commit(stage, message, true, true);
        Ok(())
    }

    fn source_action(
        &mut self,
        transfer: &Transfer,
        source: &Word,
        template: &pb::FileActionCopy,
        from: Option<Option<NodeId>>,
        rules: paths::Rules,
        label: &str,
    ) -> Result<(Action, Option<NodeId>), LowerError> {
        let wrong = |message: String| LowerError::from(Diagnostic::error(source.span, message));
        let text = source.text.as_str();
        let url = text.starts_with("http://") || text.starts_with("https://");
        let repository =
            git::Repository::parse(text).map_err(|e| hint(wrong(e), git::FORM))?.filter(|r| !r.like_a_path);
        if from.is_none() && !(transfer.add && url) {
            self.use_context(text);
        }
        if let Some(repository) = repository {
            if !transfer.add {
                return Err(wrong("COPY cannot take a git repository".to_owned()))
                    .map_err(|e| hint(e, "use ADD"));
            }
            let options = git::Options::of_add(&repository, transfer.keep_git_dir, &transfer.checksum);
            let node = self.plain_source(repository.source(&options.map_err(wrong)?), label);
            let copy = pb::FileActionCopy { src: "/".to_owned(), ..template.clone() };
            return Ok((Action::Copy(copy), Some(node)));
        }
        if url {
            if !transfer.add {
                return Err(wrong("COPY cannot take a URL".to_owned())).map_err(|e| hint(e, "use ADD"));
            }
            if text
                .split_once("://")
                .is_none_or(|(_, rest)| rest.is_empty() || rest.starts_with(['/', '?', '#']))
            {
                return Err(wrong(format!("the URL `{text}` has no host")))
                    .map_err(|e| hint(e, "write `https://host/path`"));
            }
            let file = git::file_name_of_url(text);
            let mut attrs = std::collections::BTreeMap::from([("http.filename".to_owned(), file.clone())]);
            if !transfer.checksum.is_empty() {
                attrs.insert("http.checksum".to_owned(), transfer.checksum.clone());
            }
            let node = self.plain_source(pb::SourceOp { identifier: text.to_owned(), attrs }, label);
            let copy = pb::FileActionCopy {
                src: paths::in_operation("/", &file, false),
                attempt_unpack_docker_compatibility: transfer.unpack.unwrap_or(false),
                ..template.clone()
            };
            return Ok((Action::Copy(copy), Some(node)));
        }
        let in_place = |e: paths::PathError| LowerError::from(e.at(source.span));
        let mut copy = pb::FileActionCopy {
            follow_symlink: true,
            dir_copy_contents: true,
            attempt_unpack_docker_compatibility: transfer.unpack.unwrap_or(transfer.add),
            allow_wildcard: true,
            allow_empty_wildcard: true,
            ..template.clone()
        };
        let mut path = text;
        if transfer.parents {
            let (parent, pattern) = text.split_once("/./").unwrap_or(("/", text));
            path = parent;
            let pattern = rules.normalize("/", pattern, false).map_err(in_place)?;
            copy.include_patterns = vec![pattern.strip_prefix('/').unwrap_or(&pattern).to_owned()];
            if !has_wildcard(parent) && !has_wildcard(&pattern) {
                let required =
                    rules.normalize("/", &paths::join(parent, &pattern), false).map_err(in_place)?;
                copy.required_paths = vec![required];
            }
        }
        let path = rules.normalize("/", path, false).map_err(in_place)?;
        copy.src = paths::in_operation("/", &path, false);
        let tree = match from {
            Some(tree) => tree,
            None => Some(self.main_context()?),
        };
        Ok((Action::Copy(copy), tree))
    }
}

fn hint(error: LowerError, hint: &str) -> LowerError {
    match error {
        LowerError::Invalid(diagnostic) => (*diagnostic).hint(hint).into(),
        LowerError::MissingImages(requests) => LowerError::MissingImages(requests),
    }
}

/// What every action of the instruction has in common.
fn template(transfer: &Transfer, dest: String) -> Result<pb::FileActionCopy, Diagnostic> {
    let mut copy = pb::FileActionCopy {
        dest,
        mode: -1,
        create_dest_path: true,
        timestamp: -1,
        exclude_patterns: transfer.exclude.clone(),
        owner: (!transfer.chown.is_empty()).then(|| owner(&transfer.chown)),
        ..pb::FileActionCopy::default()
    };
    let mode = transfer.chmod.as_str();
    if !mode.is_empty() {
        match i32::from_str_radix(mode, 8) {
            Ok(octal) if (0..=0o7777).contains(&octal) && !mode.starts_with('+') => copy.mode = octal,
            _ if is_symbolic_mode(mode) => {
                copy.mode = 0;
                mode.clone_into(&mut copy.mode_str);
            }
            _ => {
                return Err(Diagnostic::error(transfer.span, format!("invalid `--chmod={mode}`"))
                    .hint("use octal digits up to 7777, or a form such as `u+x,go=r`"));
            }
        }
    }
    Ok(copy)
}

/// `user[:group]`, by number or by name.
pub(super) fn owner(text: &str) -> pb::ChownOpt {
    let one = |text: &str| {
        let user = match text.parse::<i32>() {
            _ if text == "root" || text.is_empty() => {
                return pb::UserOpt { user: Some(pb::user_opt::User::ById(0)) };
            }
            #[expect(clippy::cast_sign_loss, reason = "a negative number wraps, as in BuildKit's operation")]
            Ok(id) => pb::user_opt::User::ById(id as u32),
            Err(_) => pb::user_opt::User::ByName(pb::NamedUserOpt {
                name: text.to_owned(),
                ..pb::NamedUserOpt::default()
            }),
        };
        pb::UserOpt { user: Some(user) }
    };
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    pb::ChownOpt { user: Some(one(user)), group: group.map(one) }
}

/// `[ugoa]*[-+=][rwxXstugo]*`, several after commas.
fn is_symbolic_mode(text: &str) -> bool {
    text.split(',').all(|clause| {
        let rest = clause.trim_start_matches(['u', 'g', 'o', 'a']);
        rest.starts_with(['+', '-', '='])
            && rest
                .chars()
                .all(|c| matches!(c, '+' | '-' | '=' | 'r' | 'w' | 'x' | 'X' | 's' | 't' | 'u' | 'g' | 'o'))
    })
}

fn check_checksum(transfer: &Transfer) -> Result<(), Diagnostic> {
    if transfer.checksum.is_empty() {
        return Ok(());
    }
    let error = |message: &str, hint: &str| Err(Diagnostic::error(transfer.span, message).hint(hint));
    let [source] = transfer.sources.as_slice() else {
        return error("`--checksum` needs exactly one source", "write one ADD for each source");
    };
    let remote = |text: &str| text.starts_with("http://") || text.starts_with("https://");
    let git = git::Repository::parse(&source.text).is_ok_and(|r| r.is_some());
    if git {
        return Ok(());
    }
    if !remote(&source.text) {
        return error(
            "`--checksum` needs a URL or a git repository",
            "files of the context need no checksum",
        );
    }
    if transfer.checksum.parse::<crate::oci::digest::Digest>().is_err() {
        return error("invalid `--checksum`", "write `sha256:` and 64 hex digits");
    }
    Ok(())
}

/// The beginning of the history's entry.
fn history(transfer: &Transfer) -> String {
    let mut out = String::from(if transfer.add { "ADD" } else { "COPY" });
    if transfer.parents {
        out.push_str(" --parents");
    }
    for (flag, value) in [("chown", &transfer.chown), ("chmod", &transfer.chmod)] {
        if !value.is_empty() {
            out.push_str(&format!(" --{flag}={value}"));
        }
    }
    out
}

fn has_wildcard(path: &str) -> bool {
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' | '?' | '[' => return true,
            '\\' => {
                chars.next();
            }
            _ => {}
        }
    }
    false
}
