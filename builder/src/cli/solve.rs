//! `xx-build solve`: a build graph that another program made, as BuildKit's clients exchange it.
//!
//! Nothing in it is trusted: [`validate`] looks through every operation before the engine sees one.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use platform_db::Platform;

use super::Environment;
use super::args::Solve;
use super::contexts::{existing, existing_layout, layout_reference};
use super::execute::{Graph, Session, Target};
use super::settings;
use crate::report::Report;
use xx_build_fetch::Layout;
use xx_build_frontend::llb::replace::replace_sources;
use xx_build_frontend::llb::validate::{Valid, inputs_first, validate};
use xx_build_frontend::llb::wire::DecodeError;
use xx_build_frontend::llb::{pb, wire};
use xx_build_frontend::lower::{empty_image, to_op};
use xx_build_frontend::oci::image::Image;
use xx_build_frontend::oci::reference::Reference;
use xx_build_frontend::source_text::SourceText;

/// Longest definition that is read, in bytes; BuildKit's clients stop at 16 MB.
const MAX_DEFINITION: u64 = 256 << 20;

/// Runs the command.
pub(super) fn run(environment: &Environment, args: &Solve) -> Result<(), Report> {
    let name = if args.file == Path::new("-") {
        "the graph on standard input".to_owned()
    } else {
        format!("the graph `{}`", args.file.display())
    };
    let refuse = |problem: String| {
        Report::new(format!("{name} {problem}"))
            .hint("a graph is a serialised `pb.Definition`: what `llb.WriteTo` and `xx-build build --print=llb,format=pb` write")
    };
    let bytes = read(&args.file)?;
    if bytes.is_empty() {
        return Err(refuse("is empty".to_owned()));
    }
    let definition = wire::decode_definition(&bytes).map_err(|error| refuse(format!("is {error}")))?;
    let definition = inputs_first(definition).map_err(|refused| refuse(format!("is refused: {refused}")))?;
    let images = Images::parse(&args.image)?;
    let build_platform = Platform::from_uname(&environment.machine).map_err(Report::new)?;
    let definition = images.put_into(definition, &build_platform).map_err(|failed| match failed {
        Failed::Graph(error) => refuse(format!("is {error}")),
        Failed::Image(report) => report,
    })?;
    let valid = validate(&definition).map_err(|refused| refuse(format!("is refused: {refused}")))?;
    let platform = match &args.platform {
        Some(text) => Platform::parse_on(text, &build_platform).map_err(Report::new)?,
        None => platform_of(&valid).unwrap_or(build_platform),
    };
    let image = match &args.image_config {
        Some(path) => image_config(path)?,
        None => empty_image(&platform),
    };
    let graph = Graph {
        source: source_of(&definition),
        targets: vec![Target { platform, definition, image }],
        locals: places(&args.local, "--local", existing)?,
        layouts: places(&args.oci_layout, "--oci-layout", existing_layout)?
            .into_iter()
            .chain(images.stores())
            .collect(),
        epoch: settings::epoch(environment.variable("SOURCE_DATE_EPOCH"))?,
        multi_platform: false,
        allow_foreign: vec![],
    };
    Session::open(environment, &args.run)?.execute(graph)
}

fn read(path: &Path) -> Result<Vec<u8>, Report> {
    let mut bytes = vec![];
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(MAX_DEFINITION + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_DEFINITION + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| Report::new(format!("cannot read `{}`: {error}", path.display())))?;
    if bytes.len() as u64 > MAX_DEFINITION {
        return Err(Report::new(format!("`{}` is longer than {MAX_DEFINITION} bytes", path.display())));
    }
    Ok(bytes)
}

fn image_config(path: &Path) -> Result<Image, Report> {
    let bytes = std::fs::read(path)
        .map_err(|error| Report::new(format!("cannot read `{}`: {error}", path.display())))?;
    Image::from_slice(&bytes).map_err(|error| {
        Report::new(format!("`{}` is not an image configuration: {error}", path.display()))
            .hint("it is the JSON that `skopeo inspect --config --raw` prints")
    })
}

/// `NAME=DIR` arguments.
fn places(
    arguments: &[String],
    option: &str,
    existing: fn(&str, &Path) -> Result<PathBuf, Report>,
) -> Result<BTreeMap<String, PathBuf>, Report> {
    let place = |argument: &String| {
        let (name, path) =
            argument.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
                Report::new(format!("`{option} {argument}` has no name"))
                    .hint(format!("write `{option} NAME=DIR`"))
            })?;
        Ok((name.to_owned(), existing(name, Path::new(path))?))
    };
    arguments.iter().map(place).collect()
}

/// Images that the graph takes from registries, by their full names: the directory of the layout, and what in it.
struct Images(BTreeMap<String, (PathBuf, String)>);

/// Why images cannot take their places.
enum Failed {
    Graph(DecodeError),
    Image(Report),
}

impl From<DecodeError> for Failed {
    fn from(error: DecodeError) -> Self {
        Self::Graph(error)
    }
}

impl Images {
    fn parse(arguments: &[String]) -> Result<Self, Report> {
        let one = |argument: &String| {
            let bad = |problem: String| {
                Report::new(format!("`--image {argument}`: {problem}"))
                    .hint("write `--image docker.io/library/debian:13=DIR[:TAG]`; DIR is an OCI layout")
            };
            let (name, place) =
                argument.split_once('=').ok_or_else(|| bad("it has no directory".to_owned()))?;
            let name = Reference::parse(name).map_err(|error| bad(error.to_string()))?;
            let (path, tag) = layout_reference(place);
            let path = existing_layout(argument, Path::new(path))?;
            Ok((full_name(&name), (path, tag.unwrap_or_default().to_owned())))
        };
        arguments.iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    /// Puts the layouts in the place of the images; an image that was not given is refused.
    fn put_into(
        &self,
        definition: pb::Definition,
        build_platform: &Platform,
    ) -> Result<pb::Definition, Failed> {
        replace_sources(definition, |source, platform| {
            let Some(text) = source.identifier.strip_prefix("docker-image://") else { return Ok(None) };
            let image =
                |problem: String| Failed::Image(Report::new(format!("the image `{text}`: {problem}")));
            let reference = Reference::parse(text).map_err(|error| image(error.to_string()))?;
            let name = full_name(&reference);
            let (path, tag) = self.0.get(&name).ok_or_else(|| {
                let missing = Report::new(format!("the graph needs the image `{name}`, which was not given"));
                Failed::Image(
                    missing.hint(format!("pass it with `--image {name}=DIR`; DIR is an OCI layout")),
                )
            })?;
            let platform = platform.and_then(of_op).unwrap_or_else(|| build_platform.clone());
            let found = Layout::open(path)
                .and_then(|layout| layout.resolve(tag, &platform))
                .map_err(|error| image(error.to_string()))?;
            let new = pb::SourceOp {
                identifier: format!("oci-layout://{}/{}@{}", reference.domain, reference.path, found.digest),
                attrs: [("oci.store".to_owned(), name)].into(),
            };
            Ok(Some((new, to_op(&platform))))
        })
    }

    fn stores(self) -> impl Iterator<Item = (String, PathBuf)> {
        self.0.into_iter().map(|(name, (path, _))| (name, path))
    }
}

/// `host/name:tag`, also where the graph pins a digest.
fn full_name(reference: &Reference) -> String {
    Reference { digest: None, ..reference.clone() }.with_default_tag().to_string()
}

fn of_op(platform: &pb::Platform) -> Option<Platform> {
    let parts = [&platform.os, &platform.architecture, &platform.variant];
    let parts: Vec<&str> = parts.into_iter().map(String::as_str).filter(|p| !p.is_empty()).collect();
    parts.join("/").parse().ok()
}

/// The platform of the program or image nearest to the result.
fn platform_of(valid: &Valid) -> Option<Platform> {
    let mut next = valid.result.map(|(digest, _)| digest);
    while let Some(op) = next.and_then(|digest| valid.ops.get(&digest)) {
        if let Some(platform) = &op.platform {
            return of_op(platform);
        }
        next = op.inputs.first().and_then(|input| input.digest.parse().ok());
    }
    None
}

/// The text that the graph brings along for its places.
fn source_of(definition: &pb::Definition) -> Option<SourceText> {
    let info = definition.source.as_ref()?.infos.first()?;
    Some(SourceText::new(info.filename.as_str(), std::str::from_utf8(&info.data).ok()?))
}
