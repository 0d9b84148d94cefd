//! `--iidfile`, `--metadata-file` and what `--quiet` prints: which image came out, for scripts.

use std::io::Write as _;
use std::path::Path;

use serde_json::json;

use super::args::Run;
use super::output::Output;
use crate::report::Report;
use xx_build_export::{Assembled, write_file};
use xx_build_frontend::oci::media_type;

/// An image that was written.
pub(super) struct ImageResult {
    pub(super) image: Assembled,
    /// Its names in full.
    pub(super) names: Vec<String>,
}

impl ImageResult {
    /// The digest of the configuration, when there is one.
    fn config(&self) -> Option<String> {
        let [manifest] = &self.image.manifests[..] else { return None };
        if manifest.digest != self.image.root.digest {
            return None;
        }
        let kinds = [media_type::CONFIG, media_type::DOCKER_CONFIG];
        let config = self.image.blobs.iter().find(|blob| kinds.contains(&blob.media_type.as_str()));
        config.map(|config| config.digest.to_string())
    }

    /// What Docker calls the id of the image: the digest of its configuration, or of the index.
    fn id(&self) -> String {
        self.config().unwrap_or_else(|| self.image.root.digest.to_string())
    }

    /// The keys of `docker buildx build --metadata-file`.
    fn metadata(&self) -> serde_json::Value {
        let names = Some(self.names.join(",")).filter(|names| !names.is_empty());
        let fields = [
            ("containerimage.config.digest", self.config().map(Into::into)),
            ("containerimage.descriptor", Some(json!(self.image.root))),
            ("containerimage.digest", Some(self.image.root.digest.to_string().into())),
            ("image.name", names.map(Into::into)),
        ];
        fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}

/// Refuses `--iidfile` where no image comes out; before anything is built.
pub(super) fn check(options: &Run, outputs: &[Output]) -> Result<(), Report> {
    if options.iidfile.is_some() && is_written(outputs) && !outputs.iter().any(Output::is_image) {
        return Err(Report::new("`--iidfile` needs an image, and no output is one")
            .hint("add `--output type=oci,dest=FILE` or `type=docker,dest=FILE`"));
    }
    Ok(())
}

/// Whether the result goes anywhere but to the store.
fn is_written(outputs: &[Output]) -> bool {
    outputs.iter().any(|output| output.dest().is_some())
}

/// Whether somebody asks which image it would be, and no output makes one.
pub(super) fn wants_digest(options: &Run, outputs: &[Output]) -> bool {
    let makes_one = is_written(outputs) || outputs.iter().any(Output::is_image);
    !makes_one && (options.quiet || options.iidfile.is_some() || options.metadata_file.is_some())
}

/// Writes what the options ask for of the last image.
pub(super) fn write(options: &Run, outputs: &[Output], image: Option<&ImageResult>) -> Result<(), Report> {
    if let (Some(path), Some(image)) = (&options.iidfile, image) {
        put(path, &image.id())?;
    }
    if let Some(path) = &options.metadata_file {
        let metadata = image.map_or_else(|| json!({}), ImageResult::metadata);
        put(path, &serde_json::to_string_pretty(&metadata).map_err(Report::new)?)?;
    }
    if let Some(image) = image.filter(|_| options.quiet && !outputs.iter().any(Output::is_stdout)) {
        writeln!(std::io::stdout(), "{}", image.id()).map_err(Report::new)?;
    }
    Ok(())
}

fn put(path: &Path, text: &str) -> Result<(), Report> {
    write_file(path, text.as_bytes()).map_err(Report::new)
}
