//! `--output`: what form the result takes, and where it goes.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::metadata::ImageResult;
use super::output_fields::Fields;
use super::refused;
use crate::report::Report;
use xx_build_engine::PlatformResult;
use xx_build_export::{
    self as export, Annotation, Destination, ExportError, FileOptions, Form, ImageOptions,
};
use xx_build_fetch::Layout;
use xx_build_frontend::dockerfile::csv;
use xx_build_store::{Store, is_disk_full};

/// One place for the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Output {
    /// Files in a directory; `delete`: and nothing else.
    Local { dest: PathBuf, split: Option<bool>, delete: bool },
    /// Files in a tar archive.
    Tar { dest: PathBuf, split: Option<bool> },
    /// An OCI layout.
    Image { dest: PathBuf, form: Form, names: Vec<String>, options: Box<ImageOptions> },
    /// An image that is made and written nowhere: its digest is known, its layers are in the store.
    Unwritten { names: Vec<String>, options: Box<ImageOptions> },
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

const HINT: &str = "write `DIR`, `type=local,dest=DIR`, `type=oci,dest=FILE`, `type=docker,dest=FILE`, `type=tar,dest=FILE`, `type=image` or `type=cacheonly`";

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
        let is_kept = matches!(kind, "image" | "registry");
        if is_kept && fields.is_pushed() {
            return Err(Report::new(format!("`--output {text}`: images cannot be pushed yet"))
                .hint(refused::push(fields.names.first().map_or("NAME", String::as_str))));
        }
        let is_image = is_kept || matches!(kind, "oci" | "docker");
        if let Some(field) = fields.kept_field().filter(|_| !is_kept) {
            return Err(bad(format!("`type={kind}` has no field `{field}`")));
        }
        if is_kept && (fields.dest.is_some() || fields.tar.is_some()) {
            let field = if fields.dest.is_some() { "dest" } else { "tar" };
            return Err(bad(format!("`type={kind}` has no field `{field}`"))
                .hint("`type=oci,dest=FILE` and `type=docker,dest=FILE` write an image"));
        }
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
                    Form::DockerTar => dest().map_err(|report| {
                        report.hint("`type=docker,dest=-`, and `| docker load` behind it")
                    })?,
                };
                Ok(Self::Image { dest, form, names: fields.names, options: Box::new(fields.options) })
            }
            "image" | "registry" => {
                Ok(Self::Unwritten { names: fields.names, options: Box::new(fields.options) })
            }
            "cacheonly" => Ok(Self::CacheOnly),
            other => Err(bad(format!("output type `{other}` is not supported yet"))),
        }
    }

    /// Whether anything is made of the result.
    pub(super) fn is_made(&self) -> bool {
        *self != Self::CacheOnly
    }

    /// Whether the result is an image, with a digest.
    pub(super) fn is_image(&self) -> bool {
        matches!(self, Self::Image { .. } | Self::Unwritten { .. })
    }

    /// Where it goes, and whether that is a directory.
    pub(super) fn dest(&self) -> Option<(&Path, bool)> {
        match self {
            Self::Local { dest, .. } => Some((dest, true)),
            Self::Tar { dest, .. } => Some((dest, false)),
            Self::Image { dest, form, .. } => Some((dest, *form == Form::Directory)),
            Self::Unwritten { .. } | Self::CacheOnly => None,
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
            Self::Unwritten { names, options } => {
                let image = assemble(store, results, options, common)?;
                let tags = if names.is_empty() { common.tags } else { names };
                let text = format!(
                    "image {} stays in the store; `--output type=oci,dest=FILE` writes it",
                    image.root.digest
                );
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
            Self::Unwritten { .. } => return Some("making an image".to_owned()),
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
    use platform_db::Platform;

    use super::*;
    use xx_build_export::Compression;

    fn image(dest: &str, form: Form, options: ImageOptions) -> Output {
        Output::Image { dest: PathBuf::from(dest), form, names: vec![], options: Box::new(options) }
    }

    fn unwritten(names: &[&str], options: ImageOptions) -> Output {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Output::Unwritten { names, options: Box::new(options) }
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
            ("type=image", unwritten(&[], plain())),
            (
                "type=image,push=false,name=a:1,unpack=true,store=false",
                unwritten(&["docker.io/library/a:1"], plain()),
            ),
            (
                "type=image,\"name=a,example.org/b:2\",name=c",
                unwritten(
                    &["docker.io/library/a:latest", "example.org/b:2", "docker.io/library/c:latest"],
                    plain(),
                ),
            ),
            ("type=registry,push=false,registry.insecure=true,push-by-digest=true", unwritten(&[], plain())),
            (
                "type=image,oci-mediatypes=false",
                unwritten(&[], ImageOptions { docker_types: true, ..plain() }),
            ),
            (
                "\"type=local\",\"Dest=a,\"\"b\"\"\"",
                Output::Local { dest: PathBuf::from("a,\"b\""), split: None, delete: false },
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(Output::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn outputs_are_refused() {
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
            "type=oci,dest=d,push=true",
            "type=local,dest=d,unpack=true",
            "type=oci,dest=d,name=A",
            "type=oci,dest=d,name=a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "type=oci,dest=d,name=",
            "type=image,dest=d",
            "type=image,tar=false",
            "type=image,push=maybe",
            "type=image,mode=delete",
            "type=image,platform-split=true",
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

    /// What is missing, and what to do until it is there.
    #[test]
    fn images_are_not_pushed_yet() {
        for (text, name) in [
            ("type=registry", "NAME"),
            ("type=image,push=true", "NAME"),
            ("type=registry,name=a", "docker.io/library/a:latest"),
            ("type=image,name=example.org/a:1,push=true,compression=zstd", "example.org/a:1"),
        ] {
            let expected = Report::new(format!("`--output {text}`: images cannot be pushed yet"))
                .hint(format!("write `--output type=oci,dest=image.tar`, then `skopeo copy --all oci-archive:image.tar docker://{name}`"));
            assert_eq!(Output::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn annotations_are_fields() {
        let arm: Platform = "linux/arm64".parse().expect("a platform");
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
