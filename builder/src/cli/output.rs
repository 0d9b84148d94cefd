//! `--output`: what form the result takes, and where it goes.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use platform_db::Platform;

use super::metadata::ImageResult;
use crate::dockerfile::csv;
use crate::engine::PlatformResult;
use crate::export::{
    self, Annotation, AnnotationLevel, Compression, Destination, ExportError, FileOptions, Form, ImageOptions,
};
use crate::fetch::Layout;
use crate::report::Report;
use crate::store::{Store, is_disk_full};

/// One place for the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Output {
    /// Files in a directory; `delete`: and nothing else.
    Local { dest: PathBuf, split: Option<bool>, delete: bool },
    /// Files in a tar archive.
    Tar { dest: PathBuf, split: Option<bool> },
    /// An OCI layout.
    Image { dest: PathBuf, form: Form, names: Vec<String>, options: Box<ImageOptions> },
    /// Nothing: the result stays in the store.
    CacheOnly,
}

/// What is written the same way whatever the output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Common<'a> {
    /// `--tag`.
    pub(super) tags: &'a [String],
    /// `--annotation`.
    pub(super) annotations: &'a [Annotation],
    /// `SOURCE_DATE_EPOCH` in seconds.
    pub(super) epoch: Option<i64>,
    /// How many threads compress and copy.
    pub(super) threads: usize,
    /// Whether the result counts as one of several platforms.
    pub(super) multi_platform: bool,
    /// The current directory.
    pub(super) directory: &'a Path,
    /// Where base images come from.
    pub(super) layouts: &'a BTreeMap<String, PathBuf>,
}

/// What an output has become.
pub(super) struct Written {
    /// A line that says what was written.
    pub(super) text: String,
    /// The image, when it is one.
    pub(super) image: Option<ImageResult>,
}

const HINT: &str = "write `DIR`, `type=local,dest=DIR`, `type=oci,dest=FILE`, `type=docker,dest=FILE`, `type=tar,dest=FILE` or `type=cacheonly`";

/// The fields of an output as they are read.
#[derive(Default)]
struct Fields<'a> {
    kind: Option<&'a str>,
    dest: Option<PathBuf>,
    tar: Option<bool>,
    split: Option<bool>,
    delete: Option<bool>,
    names: Vec<String>,
    options: ImageOptions,
    compressed: bool,
}

impl<'a> Fields<'a> {
    fn read(record: &'a [String]) -> Result<Self, String> {
        let mut fields = Self::default();
        for field in record {
            let (name, value) = field.split_once('=').ok_or_else(|| format!("`{field}` has no `=`"))?;
            let lower = name.trim().to_ascii_lowercase();
            let boolean = || value.parse::<bool>().map_err(|_| format!("`{value}` is not true or false"));
            let options = &mut fields.options;
            match lower.as_str() {
                "type" => fields.kind = Some(value),
                "dest" => fields.dest = Some(PathBuf::from(value)),
                "tar" => fields.tar = Some(boolean()?),
                "platform-split" => fields.split = Some(boolean()?),
                "mode" => match value.trim().to_lowercase().as_str() {
                    "" | "copy" => fields.delete = Some(false),
                    "delete" => fields.delete = Some(true),
                    _ => return Err(format!("`mode={value}` is not `copy` or `delete`")),
                },
                "name" => fields.names.push(value.to_owned()),
                "compression" => {
                    fields.compressed = true;
                    options.compression = match value {
                        "uncompressed" => Compression::Uncompressed,
                        "gzip" => Compression::Gzip,
                        "zstd" => Compression::Zstd,
                        _ => return Err(format!("`{value}` is not `gzip`, `zstd` or `uncompressed`")),
                    };
                }
                "compression-level" => {
                    fields.compressed = true;
                    let level = value.parse::<i32>().map_err(|_| format!("`{value}` is no level"))?;
                    options.level = Some(level);
                }
                "force-compression" => options.force_compression = boolean()?,
                "rewrite-timestamp" => options.rewrite_timestamp = boolean()?,
                "source-date-epoch" => {
                    options.epoch =
                        Some(value.parse().map_err(|_| format!("`{value}` is no time in seconds"))?);
                }
                "oci-mediatypes" => options.docker_types = !boolean()?,
                _ => match annotation_field(name) {
                    Some(key) => options.annotations.push(annotation(key, value)?),
                    None => return Err(format!("unknown field `{name}`")),
                },
            }
        }
        // Docker's types have no name for it that all engines know; BuildKit does the same.
        fields.options.docker_types &= fields.options.compression != Compression::Zstd;
        Ok(fields)
    }

    /// Fields that only images have.
    fn image_field(&self) -> Option<&'static str> {
        let options = &self.options;
        [
            (self.compressed || options.force_compression, "compression"),
            (!options.annotations.is_empty(), "annotation"),
            (options.rewrite_timestamp, "rewrite-timestamp"),
            (options.docker_types, "oci-mediatypes"),
            (!self.names.is_empty(), "name"),
            (self.tar.is_some(), "tar"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }
}

/// `annotation`, `annotation-index`, `annotation-manifest[linux/amd64]`, each with `.KEY` behind it: the level
/// with its platform, and the key.
fn annotation_field(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix("annotation")?;
    // A platform holds no dot before the bracket ends.
    let end = rest.find(']').map_or(0, |end| end + 1);
    let dot = end + rest.get(end..)?.find('.')?;
    Some((rest.get(..dot)?.trim_start_matches('-'), rest.get(dot + 1..)?))
}

/// An annotation on `manifest`, `index`, `manifest-descriptor` or `index-descriptor`, perhaps `[PLATFORM]`.
fn annotation((level, key): (&str, &str), value: &str) -> Result<Annotation, String> {
    let (name, platform) = match level.split_once('[') {
        Some((name, rest)) => {
            (name, Some(rest.strip_suffix(']').ok_or_else(|| format!("`{level}` has no `]`"))?))
        }
        None => (level, None),
    };
    let level = match name {
        "" | "manifest" => AnnotationLevel::Manifest,
        "manifest-descriptor" => AnnotationLevel::ManifestDescriptor,
        "index" => AnnotationLevel::Index,
        "index-descriptor" => AnnotationLevel::IndexDescriptor,
        _ => return Err(format!("an annotation cannot be on `{name}`")),
    };
    let platform: Option<Platform> =
        platform.map(|text| text.parse().map_err(|error| format!("{error}"))).transpose()?;
    if key.is_empty() {
        return Err("an annotation has no key".to_owned());
    }
    Ok(Annotation { level, platform, key: key.to_owned(), value: value.to_owned() })
}

/// Reads `--annotation [LEVEL[PLATFORM],...:]KEY=VALUE`.
pub(super) fn annotations(texts: &[String]) -> Result<Vec<Annotation>, Report> {
    let mut out = vec![];
    for text in texts {
        let bad = |problem: String| {
            Report::new(format!("`--annotation {text}`: {problem}"))
                .hint("write `KEY=VALUE`, `index:KEY=VALUE` or `manifest[linux/amd64]:KEY=VALUE`")
        };
        let (name, value) = text.split_once('=').ok_or_else(|| bad("it has no `=`".to_owned()))?;
        let levels = ["manifest", "index"];
        let (places, key) = name
            .split_once(':')
            .filter(|(places, _)| levels.iter().any(|level| places.starts_with(level)))
            .unwrap_or(("", name));
        for place in places.split(',') {
            out.push(annotation((place, key), value).map_err(bad)?);
        }
    }
    Ok(out)
}

impl Output {
    /// Reads `DIR`, `-` (a tar archive on standard output) or `type=...,dest=...`.
    pub(super) fn parse(text: &str) -> Result<Self, Report> {
        let bad = |problem: String| Report::new(format!("`--output {text}`: {problem}")).hint(HINT);
        if text == "-" {
            return Ok(Self::Tar { dest: PathBuf::from(text), split: None });
        }
        let record = csv::record(text).map_err(|error| bad(error.to_string()).hint(csv::HINT))?;
        if matches!(record.as_slice(), [only] if only == text && !only.contains('=')) {
            return Ok(Self::Local { dest: PathBuf::from(text), split: None, delete: false });
        }
        let fields = Fields::read(&record).map_err(bad)?;
        let kind = fields.kind.ok_or_else(|| bad("`type=` is missing".to_owned()))?;
        let is_image = matches!(kind, "oci" | "docker");
        if let Some(field) = fields.image_field().filter(|_| !is_image) {
            return Err(bad(format!("`type={kind}` has no field `{field}`")));
        }
        if is_image && fields.split.is_some() {
            return Err(bad(format!("`type={kind}` has no field `platform-split`")));
        }
        if fields.delete.is_some() && kind != "local" {
            return Err(bad(format!("`type={kind}` has no field `mode`")));
        }
        let dest = || fields.dest.clone().ok_or_else(|| bad("`dest=` is missing".to_owned()));
        let directory = || match dest() {
            Ok(dest) if dest == Path::new("-") => {
                Err(bad("a directory cannot go to standard output".to_owned()))
            }
            dest => dest,
        };
        // As for buildx: a stream goes to standard output when nobody says otherwise.
        let stream = || fields.dest.clone().unwrap_or_else(|| PathBuf::from("-"));
        match kind {
            "local" => Ok(Self::Local {
                dest: directory()?,
                split: fields.split,
                delete: fields.delete == Some(true),
            }),
            "tar" => Ok(Self::Tar { dest: stream(), split: fields.split }),
            "oci" | "docker" => {
                let form = match (fields.tar, kind) {
                    (Some(false), _) => Form::Directory,
                    (_, "docker") => Form::DockerTar,
                    _ => Form::Tar,
                };
                let dest = match form {
                    Form::Directory => directory()?,
                    Form::Tar => stream(),
                    // Without a destination the image would be for a Docker Engine.
                    Form::DockerTar => dest()?,
                };
                Ok(Self::Image { dest, form, names: fields.names, options: Box::new(fields.options) })
            }
            "cacheonly" => Ok(Self::CacheOnly),
            other => Err(bad(format!("output type `{other}` is not supported yet"))),
        }
    }

    /// Whether anything leaves the store.
    pub(super) fn is_written(&self) -> bool {
        *self != Self::CacheOnly
    }

    /// Whether the result is an image, with a digest.
    pub(super) fn is_image(&self) -> bool {
        matches!(self, Self::Image { .. })
    }

    /// Where it goes, and whether that is a directory.
    pub(super) fn dest(&self) -> Option<(&Path, bool)> {
        match self {
            Self::Local { dest, .. } => Some((dest, true)),
            Self::Tar { dest, .. } => Some((dest, false)),
            Self::Image { dest, form, .. } => Some((dest, *form == Form::Directory)),
            Self::CacheOnly => None,
        }
    }

    /// Whether it takes standard output.
    pub(super) fn is_stdout(&self) -> bool {
        let found = self.dest().map(|(dest, _)| Destination::find(dest));
        matches!(found, Some(Ok(Destination::Stdout)))
    }

    /// Writes the results there.
    pub(super) fn write(
        &self,
        store: &Store,
        results: &[PlatformResult],
        common: Common<'_>,
    ) -> Result<Written, Report> {
        let files_only = |text: String| Written { text, image: None };
        let files = |split: &Option<bool>, delete: bool| FileOptions {
            split: split.unwrap_or(common.multi_platform),
            delete,
            epoch: common.epoch,
            threads: common.threads,
            directory: common.directory,
        };
        let shown = |dest: &Path| match Destination::find(dest) {
            Ok(Destination::Stdout) => "standard output".to_owned(),
            _ => format!("`{}`", dest.display()),
        };
        match self {
            Self::Local { dest, split, delete } => {
                let how = export::write_files(store, results, dest, files(split, *delete)).map_err(failed)?;
                Ok(files_only(format!("files written to {}{}", shown(dest), way(&how))))
            }
            Self::Tar { dest, split } => {
                export::write_archive(store, results, dest, files(split, false)).map_err(failed)?;
                Ok(files_only(format!("files written to {}", shown(dest))))
            }
            Self::Image { dest, form, names, options } => {
                let tags = if names.is_empty() { common.tags } else { names };
                let is_stream =
                    !matches!(Destination::find(dest), Ok(Destination::File(_) | Destination::Directory(_)));
                // What has gone into a stream cannot be taken back: a damaged blob ends it.
                let image = match is_stream {
                    true => {
                        let image = assemble(store, results, options, common)?;
                        let written = export::write_layout(store, &image, tags, dest, *form);
                        written.map_err(|error| mend(store, common.layouts, error)).map_err(failed)?;
                        image
                    }
                    false => mended(store, common.layouts, || {
                        let image = make(store, results, options, common)?;
                        export::write_layout(store, &image, tags, dest, *form).map(|()| image)
                    })?,
                };
                let text = format!("image {} written to {}", image.root.digest, shown(dest));
                Ok(Written { text, image: Some(ImageResult { image, names: tags.to_vec() }) })
            }
            Self::CacheOnly => Ok(files_only("no output: the result stays in the store".to_owned())),
        }
    }
}

impl Output {
    /// What is done for it, as the name of a step; nothing where nothing is written.
    pub(super) fn purpose(&self) -> Option<String> {
        let (what, dest) = match self {
            Self::Local { dest, .. } => ("the files", dest),
            Self::Tar { dest, .. } => ("the files as a tar archive", dest),
            Self::Image { dest, form: Form::DockerTar, .. } => ("a Docker archive", dest),
            Self::Image { dest, form: Form::Tar | Form::Directory, .. } => ("an OCI image", dest),
            Self::CacheOnly => return None,
        };
        let dest = if self.is_stdout() { "standard output".into() } else { dest.to_string_lossy() };
        Some(format!("exporting {what} to {dest}"))
    }
}

/// An image in the store that no output asked for.
pub(super) fn unwritten(
    store: &Store,
    results: &[PlatformResult],
    common: Common<'_>,
) -> Result<ImageResult, Report> {
    let image = assemble(store, results, &ImageOptions::default(), common)?;
    Ok(ImageResult { image, names: common.tags.to_vec() })
}

fn assemble(
    store: &Store,
    results: &[PlatformResult],
    options: &ImageOptions,
    common: Common<'_>,
) -> Result<export::Assembled, Report> {
    mended(store, common.layouts, || make(store, results, options, common))
}

fn make(
    store: &Store,
    results: &[PlatformResult],
    options: &ImageOptions,
    common: Common<'_>,
) -> Result<export::Assembled, ExportError> {
    let mut options = options.clone();
    options.epoch = options.epoch.or(common.epoch);
    options.threads = common.threads;
    options.index = common.multi_platform;
    options.annotations.extend(common.annotations.iter().cloned());
    export::assemble(store, results, &options)
}

/// Does `work`, and again after each blob that was found damaged and could be had anew.
fn mended<T>(
    store: &Store,
    layouts: &BTreeMap<String, PathBuf>,
    work: impl Fn() -> Result<T, ExportError>,
) -> Result<T, Report> {
    let mut seen = HashSet::new();
    loop {
        match work() {
            Err(error) if error.damaged_blob().is_some_and(|digest| seen.insert(digest)) => {
                let error = mend(store, layouts, error);
                if error.damaged_blob().is_none() {
                    return Err(failed(error));
                }
            }
            done => return done.map_err(failed),
        }
    }
}

/// Takes a blob that an error found damaged out of the store, and brings back what came with a base image. Gives the error
/// back, or the one that this met.
fn mend(store: &Store, layouts: &BTreeMap<String, PathBuf>, error: ExportError) -> ExportError {
    let Some(digest) = error.damaged_blob() else { return error };
    if let Err(other) = store.discard_blob(&digest) {
        return other.into();
    }
    for path in layouts.values() {
        match Layout::open(path).and_then(|layout| layout.restore(store, &digest)) {
            Ok(true) => return error,
            Ok(false) => {}
            Err(other) => return ExportError::Base { digest, source: Box::new(other) },
        }
    }
    error
}

fn failed(error: ExportError) -> Report {
    let full = is_disk_full(&error);
    let hint = error.hint();
    let report = Report::new(error);
    match hint {
        _ if full => report.hint("the disk is full: free some space; the destination is as it was"),
        Some(hint) => report.hint(hint),
        None => report,
    }
}

/// How a directory was written, for the line that says so.
fn way(how: &export::Written) -> String {
    match how {
        export::Written::AtOnce => " in one step".to_owned(),
        export::Written::OneByOne(why, kept) => {
            let mut text = format!(" file by file: {why}");
            for path in kept {
                text.push_str(&format!("; kept `{}`, where something is mounted", path.display()));
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(dest: &str, form: Form, options: ImageOptions) -> Output {
        Output::Image { dest: PathBuf::from(dest), form, names: vec![], options: Box::new(options) }
    }

    #[test]
    fn outputs_are_read() {
        let dest = PathBuf::from("d");
        let plain = ImageOptions::default;
        let cases = [
            ("d", Output::Local { dest: dest.clone(), split: None, delete: false }),
            ("-", Output::Tar { dest: PathBuf::from("-"), split: None }),
            (
                "type=local,dest=d,platform-split=false",
                Output::Local { dest: dest.clone(), split: Some(false), delete: false },
            ),
            (
                "type=local,dest=d,mode= Delete",
                Output::Local { dest: dest.clone(), split: None, delete: true },
            ),
            ("type=local,dest=d,mode=copy", Output::Local { dest: dest.clone(), split: None, delete: false }),
            ("type=tar,dest=d", Output::Tar { dest, split: None }),
            ("type=tar", Output::Tar { dest: PathBuf::from("-"), split: None }),
            ("type=oci", image("-", Form::Tar, plain())),
            ("type=oci,dest=d", image("d", Form::Tar, plain())),
            ("type=oci,dest=d,tar=false", image("d", Form::Directory, plain())),
            (
                "type=docker,dest=d,oci-mediatypes=false",
                image("d", Form::DockerTar, ImageOptions { docker_types: true, ..plain() }),
            ),
            (
                "type=oci,dest=d,compression=zstd,compression-level=9,force-compression=true",
                image(
                    "d",
                    Form::Tar,
                    ImageOptions {
                        compression: Compression::Zstd,
                        level: Some(9),
                        force_compression: true,
                        ..plain()
                    },
                ),
            ),
            (
                "type=oci,dest=d,rewrite-timestamp=true,source-date-epoch=7",
                image("d", Form::Tar, ImageOptions { rewrite_timestamp: true, epoch: Some(7), ..plain() }),
            ),
            (
                "type=oci,dest=d,oci-mediatypes=false,compression=zstd",
                image("d", Form::Tar, ImageOptions { compression: Compression::Zstd, ..plain() }),
            ),
            ("type=cacheonly", Output::CacheOnly),
            (
                "\"type=local\",\"Dest=a,\"\"b\"\"\"",
                Output::Local { dest: PathBuf::from("a,\"b\""), split: None, delete: false },
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(Output::parse(text), Ok(expected), "{text}");
        }
        for text in [
            "type=docker",
            "type=oci,tar=false",
            "type=oci,tar=false,dest=-",
            "type=local",
            "type=local,dest=-",
            "type=local,dest=d,mode=move",
            "type=tar,dest=d,mode=delete",
            "dest=d",
            "type=nosuch,dest=d",
            "type=oci,dest=d,x=y",
            "type=oci,dest=d,tar=7",
            "type=oci,dest=d,compression=brotli",
            "type=oci,dest=d,platform-split=true",
            "type=oci,dest=\"d\"",
            "",
            "a,b",
            "type=oci,dest=d,annotation-layer.a=b",
            "type=oci,dest=d,annotation.=b",
            "type=local,dest=d,compression=gzip",
            "type=tar,dest=d,annotation.a=b",
        ] {
            assert!(Output::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn annotations_are_read() {
        use AnnotationLevel::{Index, IndexDescriptor, Manifest, ManifestDescriptor};
        let arm: Platform = "linux/arm64".parse().expect("a platform");
        type Case = (&'static str, &'static [(AnnotationLevel, bool)], &'static str);
        let cases: &[Case] = &[
            ("org.example.a=b", &[(Manifest, false)], "org.example.a"),
            ("index:a=b", &[(Index, false)], "a"),
            ("index,manifest[linux/arm64]:a=b", &[(Index, false), (Manifest, true)], "a"),
            (
                "manifest-descriptor[linux/arm64],index-descriptor:a=b",
                &[(ManifestDescriptor, true), (IndexDescriptor, false)],
                "a",
            ),
            ("a:c=b", &[(Manifest, false)], "a:c"),
        ];
        for (text, levels, key) in cases {
            let expected: Vec<Annotation> = levels
                .iter()
                .map(|(level, limited)| Annotation {
                    level: *level,
                    platform: limited.then(|| arm.clone()),
                    key: (*key).to_owned(),
                    value: "b".to_owned(),
                })
                .collect();
            assert_eq!(annotations(&[(*text).to_owned()]), Ok(expected), "{text}");
        }
        for text in ["a", "index:=b", "manifest[linux/amd64:a=b", "manifest[nosuch/x]:a=b", "index-x:a=b"] {
            assert!(annotations(&[text.to_owned()]).is_err(), "{text}");
        }
        let quoted = "type=oci,dest=d,\"annotation-index.foo=a,b\"";
        let Ok(Output::Image { options, .. }) = Output::parse(quoted) else { panic!("{quoted}") };
        assert_eq!(
            (options.annotations[0].key.as_str(), options.annotations[0].value.as_str()),
            ("foo", "a,b")
        );
        let field = "type=oci,dest=d,annotation-manifest[linux/arm64].org.example.a=b";
        let Ok(Output::Image { options, .. }) = Output::parse(field) else { panic!("{field}") };
        assert_eq!(options.annotations[0].platform, Some(arm));
        assert_eq!(options.annotations[0].key, "org.example.a");
    }
}
