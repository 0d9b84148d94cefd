//! Named contexts: what `--build-context NAME=...` puts in the place of a stage or an image.

use platform_db::Platform;

use super::LowerError;
use super::config::{BuildConfig, NamedContext};
use super::context;
use super::env;
use super::git;
use super::images::{ImageKey, ImageRequest, ImageSource};
use super::platforms::to_op;
use super::stages::{SCRATCH, Target};
use super::state::State;
use crate::dockerfile::ast::Stage;
use crate::dockerfile::{Diagnostic, Dockerfile};
use crate::llb::graph::{Node, NodeId, NodeOp};
use crate::llb::pb;
use crate::oci::image::Image;
use crate::oci::manifest::known_platform;
use crate::oci::reference::{InvalidReference, Reference};
use crate::source_text::Span;

/// What a named context brings: `None` when an image configuration is still missing.
pub(super) type Loaded = Option<(State, Option<Image>)>;

impl<'a> Target<'a> {
    /// The named context for a stage or image name: the one for the platform goes before the general one.
    pub(super) fn named_context(
        &self,
        name: &str,
        platform: &Platform,
        span: Span,
    ) -> Result<Option<(String, &'a NamedContext)>, Diagnostic> {
        if self.config.contexts.is_empty()
            || ["scratch", "context"].iter().any(|n| name.eq_ignore_ascii_case(n))
        {
            return Ok(None);
        }
        let reference = Reference::parse(name).map_err(|e| bad_reference(span, &e))?;
        let short = reference.familiar();
        let keys = [format!("{short}::{platform}"), short];
        let found = keys.into_iter().find_map(|key| {
            let context = self.config.contexts.get(&key)?;
            Some((key, context))
        });
        Ok(found)
    }

    /// Brings in a named context.
    pub(super) fn load_context(
        &mut self,
        (key, named_context): &(String, &'a NamedContext),
        platform: &Platform,
        paths: usize,
        span: Span,
    ) -> Result<Loaded, LowerError> {
        let wrong = |message: String| {
            let hint = format!("it comes from `--build-context {key}=VALUE`");
            LowerError::from(Diagnostic::error(span, message).hint(hint))
        };
        match named_context {
            NamedContext::Local { name, dockerignore } => {
                let excludes =
                    crate::dockerfile::ignore::patterns(dockerignore.as_deref().unwrap_or_default());
                let hint = format!("context:{key}-");
                let label = format!("[context {key}] load from client");
                let node = self.local_source(name, &excludes, &hint, &label, None);
                self.shared.local_sources.push((node, paths));
                Ok(Some((State::new(Some(node)), None)))
            }
            NamedContext::DockerImage(text) if text == SCRATCH => Ok(Some((State::new(None), None))),
            NamedContext::DockerImage(text) => {
                let reference = Reference::parse(text).map_err(|e| wrong(e.to_string()))?.with_default_tag();
                let image_key = ImageKey {
                    source: ImageSource::Registry,
                    reference: reference.to_string(),
                    platform: platform.clone(),
                };
                let Some((_, image)) = self.image(image_key, key, span)? else { return Ok(None) };
                let label = format!("[context {key}] {reference}");
                let node =
                    self.image_source(format!("docker-image://{reference}"), [].into(), platform, &label);
                Ok(Some((with_image(node, &image), Some(Image { created: None, ..image }))))
            }
            NamedContext::OciLayout { store, reference } => {
                let image_key = ImageKey {
                    source: ImageSource::OciLayout { store: store.clone() },
                    reference: reference.clone().unwrap_or_default(),
                    platform: platform.clone(),
                };
                let Some((digest, image)) = self.image(image_key, key, span)? else { return Ok(None) };
                let name = key.split("::").next().unwrap_or(key);
                let mut named = Reference::parse(name).map_err(|e| wrong(e.to_string()))?;
                named.digest = Some(digest);
                let label = format!("[context {key}] OCI load from client");
                let attrs = [("oci.store".to_owned(), store.clone())].into();
                let node = self.image_source(format!("oci-layout://{named}"), attrs, platform, &label);
                Ok(Some((with_image(node, &image), Some(image))))
            }
            NamedContext::Git(url) => {
                let repository = git::Repository::parse(url)
                    .map_err(wrong)?
                    .ok_or_else(|| wrong(format!("`{url}` of context `{key}` is not a git URL")))?;
                let source = repository.source(&git::Options::of_url(&repository, false));
                let node = self.plain_source(
                    source,
                    &format!("[internal] load git source {}", git::without_secrets(url)),
                );
                Ok(Some((State::new(Some(node)), None)))
            }
            NamedContext::Http(url) => {
                let label = format!("[context {key}] {}", git::without_secrets(url));
                let node = self.plain_source(context::download(url), &label);
                Ok(Some((State::new(Some(node)), None)))
            }
            NamedContext::Definition { definition, image } => {
                let image = image.as_deref().map(Image::from_slice).transpose();
                let image =
                    image.map_err(|e| wrong(format!("image configuration of context `{key}`: {e}")))?;
                let node = self
                    .shared
                    .graph
                    .graft(definition)
                    .map_err(|e| wrong(format!("context `{key}`: {e}")))?;
                let mut state = State::new(node);
                if let Some(image) = &image {
                    apply_image(&mut state, image);
                }
                Ok(Some((state, image)))
            }
        }
    }

    /// An image's digest and configuration; notes the question when there is no answer yet.
    pub(super) fn image(
        &mut self,
        key: ImageKey,
        name: &str,
        span: Span,
    ) -> Result<Option<(String, Image)>, LowerError> {
        let Some(resolved) = self.images.get(&key) else {
            self.shared.missing.push(ImageRequest { key, name: name.to_owned(), span });
            return Ok(None);
        };
        let mut image = Image::from_slice(&resolved.config).map_err(|error| {
            Diagnostic::error(span, format!("the configuration of image `{name}` cannot be read: {error}"))
                .hint("the image is damaged: fetch or build it again")
        })?;
        image.other.clear();
        image.config.other.clear();
        Ok(Some((resolved.digest.to_string(), image)))
    }

    fn image_source(
        &mut self,
        identifier: String,
        attrs: std::collections::BTreeMap<String, String>,
        platform: &Platform,
        label: &str,
    ) -> NodeId {
        self.shared.graph.add(Node {
            op: NodeOp::Source(pb::SourceOp { identifier, attrs }),
            platform: Some(to_op(platform)),
            metadata: named(label),
            lines: None,
        })
    }

    /// A source that is the same on every platform.
    pub(super) fn plain_source(&mut self, source: pb::SourceOp, label: &str) -> NodeId {
        self.shared.graph.add(Node {
            op: NodeOp::Source(source),
            platform: None,
            metadata: named(label),
            lines: None,
        })
    }

    /// A directory on this machine.
    pub(super) fn local_source(
        &mut self,
        name: &str,
        excludes: &[String],
        shared_key_hint: &str,
        label: &str,
        lines: Option<(usize, usize)>,
    ) -> NodeId {
        let mut attrs = std::collections::BTreeMap::new();
        if let Some(session) = &self.config.local_session {
            attrs.insert("local.session".to_owned(), session.clone());
        }
        attrs.insert("local.sharedkeyhint".to_owned(), shared_key_hint.to_owned());
        if let Some(list) = json_list(excludes) {
            attrs.insert("local.excludepatterns".to_owned(), list);
        }
        let source = pb::SourceOp { identifier: format!("local://{name}"), attrs };
        self.shared.graph.add(Node {
            op: NodeOp::Source(source),
            platform: None,
            metadata: named(label),
            lines,
        })
    }
}

/// Stages that a named context takes the place of, though it may have been meant for their base: `FROM golang AS golang`
/// with `--build-context golang=...`. Their instructions are not carried out, as with BuildKit.
#[must_use]
pub fn replaced_stages(file: &Dockerfile, config: &BuildConfig) -> Vec<Diagnostic> {
    let base =
        |stage: &Stage| Some(Reference::parse(&stage.base.text).ok()?.path.rsplit('/').next()?.to_owned());
    let replaced = |stage: &&Stage| {
        let name = stage.name.as_ref().map_or("", |name| name.text.as_str());
        let given = |key: &String| key.split("::").next() == Some(name);
        !stage.instructions.is_empty()
            && config.contexts.keys().any(given)
            && base(stage).is_some_and(|base| base == name)
    };
    let warning = |stage: &Stage| {
        let name = stage.name.as_ref().map_or("", |name| name.text.as_str());
        let message = format!(
            "the context `{name}` takes the place of the whole stage `{name}`: its instructions are not carried out"
        );
        Diagnostic::warning("ReplacedStage", stage.from.span(), message)
            .hint("if the context is the base image, give the stage another name")
    };
    file.stages.iter().filter(replaced).map(warning).collect()
}

/// A name that can be no image's.
pub(super) fn bad_reference(span: Span, error: &InvalidReference) -> Diagnostic {
    Diagnostic::error(span, error.to_string()).hint("write `[host/]name[:tag][@sha256:digest]` in lower case")
}

/// Metadata with a name.
pub(super) fn named(label: &str) -> pb::OpMetadata {
    pb::OpMetadata {
        description: [("llb.customname".to_owned(), label.to_owned())].into(),
        ..pb::OpMetadata::default()
    }
}

/// A list as the attribute of a local source holds it; none when it is empty.
pub(super) fn json_list(items: &[String]) -> Option<String> {
    if items.is_empty() {
        return None;
    }
    crate::oci::go_json(&items).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

fn with_image(node: NodeId, image: &Image) -> State {
    let mut state = State::new(Some(node));
    apply_image(&mut state, image);
    state
}

/// What a state takes from an image configuration.
fn apply_image(state: &mut State, image: &Image) {
    for variable in &image.config.env {
        let (key, value) = env::split(variable);
        if !key.is_empty() {
            state.env.set(key, value);
        }
    }
    state.set_dir(&image.config.working_dir);
    if let Some(platform) = known_platform(&image.os, &image.architecture, &image.variant, &image.os_version)
    {
        state.platform = Some(platform);
    }
}
