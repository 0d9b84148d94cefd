//! The questions of the lowering for image configurations, and their answers: OCI layouts that the user named.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::contexts::Contexts;
use crate::report::Report;
use xx_build_fetch::Layout;
use xx_build_frontend::dockerfile::{Diagnostic, Dockerfile};
use xx_build_frontend::lower::{
    BuildConfig, ImageKey, ImageRequest, ImageSource, LowerError, Lowered, ResolvedImage, ResolvedImages,
    lower, stand_in,
};

/// What is done about images that were not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lacking {
    /// They are an error.
    Refuse,
    /// Images about which nothing is known stand in for them.
    StandIn,
}

/// Lowers, answering the questions for image configurations, until nothing is missing; says which images others stand in
/// for.
pub(super) fn resolve(
    file: &Dockerfile,
    config: &BuildConfig,
    contexts: &Contexts,
    lacking: Lacking,
    colour: bool,
) -> Result<(Lowered, BTreeSet<String>), Report> {
    let source = &file.source;
    let mut images = ResolvedImages::new();
    let mut stand_ins = BTreeSet::new();
    loop {
        let requests = match lower(file, config, &images) {
            Ok(lowered) => return Ok((lowered, stand_ins)),
            Err(LowerError::Invalid(problem)) => {
                return Err(Report::diagnostics(&[*problem], source, colour));
            }
            Err(LowerError::MissingImages(requests)) => requests,
        };
        let mut problems = vec![];
        let mut absent = BTreeSet::new();
        for request in requests {
            let ImageRequest { key, name, span } = &request;
            match &key.source {
                ImageSource::Registry if lacking == Lacking::StandIn => {
                    images.insert(key.clone(), stand_in(key));
                    stand_ins.insert(name.clone());
                }
                ImageSource::Registry => {
                    if absent.insert(name.clone()) {
                        let message = format!("the base image `{name}` was not given to this build");
                        let hint = format!("pass it with `--build-context {name}=oci-layout://DIR`");
                        problems.push(Diagnostic::error(*span, message).hint(hint));
                    }
                }
                ImageSource::OciLayout { store } => match in_layout(contexts.layouts.get(store), key) {
                    Ok(image) => drop(images.insert(key.clone(), image)),
                    Err((message, hint)) => {
                        problems.push(Diagnostic::error(*span, message).maybe_hint(hint));
                    }
                },
            }
        }
        if !problems.is_empty() {
            let report = Report::diagnostics(&problems, source, colour);
            return Err(absent.first().map_or(report.clone(), |name| report.hint(how_to_get(name))));
        }
    }
}

/// How a layout of an image comes to this machine.
fn how_to_get(name: &str) -> String {
    format!(
        "DIR is an OCI layout, or an archive of one: `skopeo copy --all docker://{name} oci:DIR`, or `docker save -o \
         FILE {name}` and `oci-layout://FILE`"
    )
}

fn in_layout(path: Option<&PathBuf>, key: &ImageKey) -> Result<ResolvedImage, (String, Option<String>)> {
    let Some(path) = path else { return Err(("there is no OCI layout of that name".to_owned(), None)) };
    let found = Layout::open(path).and_then(|layout| layout.resolve(&key.reference, &key.platform));
    match found {
        Ok(found) => Ok(ResolvedImage { digest: found.digest, config: found.config }),
        Err(error) => Err((error.to_string(), error.hint().map(str::to_owned))),
    }
}
