//! Puts images together: layers, configurations, manifests and the index over them.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use xx_build_frontend::oci::digest::Digest;
use xx_build_frontend::oci::image::{History, Image};
use xx_build_frontend::oci::index::Index;
use xx_build_frontend::oci::manifest::{Descriptor, DescriptorPlatform, Manifest};
use xx_build_frontend::oci::media_type;
use xx_build_frontend::oci::time::rfc3339;
use xx_build_store::{Layer, LayerBlob, LayerId, Store};

use super::options::{AnnotationLevel, ImageOptions};
use super::{ExportError, layer};
use xx_build_engine::PlatformResult;

/// An image whose blobs are all in the store.
#[derive(Debug, Clone)]
pub struct Assembled {
    /// The manifest of a single platform, or the index of several.
    pub root: Descriptor,
    /// Every blob it is made of, the root included, each once.
    pub blobs: Vec<Descriptor>,
    /// The manifest of each platform, in the order of the results.
    pub manifests: Vec<Descriptor>,
}

/// Makes the blobs of an image.
///
/// # Errors
/// When a layer cannot be read or the store cannot be written.
pub fn assemble(
    store: &Store,
    results: &[PlatformResult],
    options: &ImageOptions,
) -> Result<Assembled, ExportError> {
    let mut chains = vec![];
    for result in results {
        chains.push(store.layer_chain(result.layer)?);
    }
    let made = compress(store, &chains, options)?;
    let mut blobs: Vec<Descriptor> = vec![];
    let mut manifests = vec![];
    for (result, chain) in results.iter().zip(&mut chains) {
        chain.reverse();
        let layers: Vec<&LayerBlob> = chain.iter().filter_map(|layer| made.get(&layer.id)).collect();
        manifests.push(manifest(store, result, chain, &layers, options, &mut blobs)?);
    }
    let mut root = match &manifests[..] {
        [only] if !options.index => only.clone(),
        several => {
            let mut index = Index::new(several.to_vec());
            index.annotations = options.annotations(AnnotationLevel::Index, None);
            if options.docker_types {
                media_type::DOCKER_INDEX.clone_into(&mut index.media_type);
            }
            let descriptor = put(store, &index.media_type, &index.to_bytes()?)?;
            blobs.push(descriptor.clone());
            descriptor
        }
    };
    root.annotations.extend(options.annotations(AnnotationLevel::IndexDescriptor, None));
    let mut seen = HashSet::new();
    blobs.retain(|blob| seen.insert(blob.digest));
    Ok(Assembled { root, blobs, manifests })
}

/// The blobs of all layers of the chains, whose uppermost layers come first; several are made at once.
fn compress(
    store: &Store,
    chains: &[Vec<Layer>],
    options: &ImageOptions,
) -> Result<HashMap<LayerId, LayerBlob>, ExportError> {
    let mut seen = HashSet::new();
    let mut layers: Vec<(&Layer, &[Layer])> = vec![];
    for chain in chains {
        let mut rest = chain.as_slice();
        while let Some((layer, below)) = rest.split_first() {
            if seen.insert(layer.id) {
                layers.push((layer, below));
            }
            rest = below;
        }
    }
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(LayerId, LayerBlob)>, ExportError> {
        let mut made = vec![];
        while let Some((layer, below)) = layers.get(next.fetch_add(1, Ordering::Relaxed)) {
            made.push((layer.id, layer::blob(store, layer, below, options)?));
        }
        Ok(made)
    };
    let threads = options.threads.clamp(1, layers.len().max(1));
    let results: Vec<_> = std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        let others = helpers.into_iter().map(|helper| helper.join().unwrap_or_else(|_| Ok(vec![])));
        std::iter::once(own).chain(others).collect()
    });
    let made: Result<Vec<_>, _> = results.into_iter().collect();
    Ok(made?.into_iter().flatten().collect())
}

fn put(store: &Store, media_type: &str, bytes: &[u8]) -> Result<Descriptor, ExportError> {
    store.put_blob(bytes)?;
    Ok(Descriptor::of(media_type, bytes))
}

/// Media types that both OCI and Docker have a name for.
const TYPES: [(&str, &str); 5] = [
    (media_type::MANIFEST, media_type::DOCKER_MANIFEST),
    (media_type::CONFIG, media_type::DOCKER_CONFIG),
    (media_type::LAYER_GZIP, media_type::DOCKER_LAYER_GZIP),
    (media_type::LAYER_TAR, media_type::DOCKER_LAYER_TAR),
    (media_type::LAYER_ZSTD, media_type::DOCKER_LAYER_ZSTD),
];

/// The name that the image gives a media type: a base may come with the other one's.
fn stated(media_type: &str, docker: bool) -> &str {
    let known = TYPES.iter().find(|(oci, other)| [*oci, *other].contains(&media_type));
    known.map_or(media_type, |(oci, other)| if docker { other } else { oci })
}

fn manifest(
    store: &Store,
    result: &PlatformResult,
    chain: &[Layer],
    made: &[&LayerBlob],
    options: &ImageOptions,
    blobs: &mut Vec<Descriptor>,
) -> Result<Descriptor, ExportError> {
    fn kind<'a>(options: &ImageOptions, media_type: &'a str) -> &'a str {
        stated(media_type, options.docker_types)
    }
    let layer = |blob: &&LayerBlob| Descriptor::new(kind(options, &blob.media_type), blob.digest, blob.size);
    let layers: Vec<Descriptor> = made.iter().map(layer).collect();
    let diff_ids = made.iter().map(|blob| blob.diff_id).collect();
    let config = configuration(&result.image, chain, diff_ids, options.epoch).to_bytes()?;
    let config = put(store, kind(options, media_type::CONFIG), &config)?;
    let mut manifest = Manifest::new(config.clone(), layers.clone());
    kind(options, media_type::MANIFEST).clone_into(&mut manifest.media_type);
    manifest.annotations = options.annotations(AnnotationLevel::Manifest, Some(&result.platform));
    let mut descriptor = put(store, kind(options, media_type::MANIFEST), &manifest.to_bytes()?)?;
    descriptor.annotations = options.annotations(AnnotationLevel::ManifestDescriptor, Some(&result.platform));
    descriptor.platform = Some(DescriptorPlatform {
        architecture: result.platform.arch().to_owned(),
        os: result.platform.os().to_owned(),
        variant: result.platform.variant().to_owned(),
        os_version: result.platform.os_version().unwrap_or_default().to_owned(),
        ..Default::default()
    });
    blobs.extend(layers);
    blobs.push(config);
    blobs.push(descriptor.clone());
    Ok(descriptor)
}

/// The configuration with its layers, and with the times at which they were made: building again from
/// the cache gives the same bytes.
fn configuration(image: &Image, chain: &[Layer], diff_ids: Vec<Digest>, epoch: Option<i64>) -> Image {
    let mut image = image.clone();
    let steps: Vec<&str> = chain.iter().map(|layer| layer.description.as_str()).collect();
    fill_history(&mut image.history, &steps);
    let time = |layer: &Layer| rfc3339(epoch.unwrap_or(layer.created));
    let mut layers = chain.iter();
    let mut last = epoch.map(rfc3339);
    for entry in &mut image.history {
        let own = if entry.empty_layer { None } else { layers.next().map(time) };
        last = own.or(last);
        if entry.created.is_none() {
            entry.created.clone_from(&last);
        }
    }
    if image.created.is_none() || epoch.is_some() {
        image.created = chain.last().map(time).or(last);
    }
    "layers".clone_into(&mut image.rootfs.kind);
    image.rootfs.diff_ids = diff_ids;
    image
}

/// Gives every layer an entry, and no entry to a layer that is not there: the history of a base may say less or more
/// than it has. As BuildKit does it: what lacks is added at the end, what is over becomes empty.
fn fill_history(history: &mut Vec<History>, layers: &[&str]) {
    let own = history.iter_mut().filter(|entry| !entry.empty_layer);
    let said = own.enumerate().map(|(index, entry)| entry.empty_layer = index >= layers.len()).count();
    for step in layers.iter().skip(said) {
        history.push(History {
            created_by: (*step).to_owned(),
            comment: "buildkit.exporter.image.v0".to_owned(),
            ..History::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_has_an_entry() {
        let entry = |text: &str| match text.strip_prefix('-') {
            Some(text) => History { created_by: text.to_owned(), empty_layer: true, ..History::default() },
            None => History { created_by: text.to_owned(), ..History::default() },
        };
        for (said, layers, expected) in [
            ("COPY", vec!["x"], "COPY"),
            ("COPY", vec!["x", "y", "z"], "COPY|y|z"),
            ("-ENV|COPY|COPY", vec!["w", "x", "y", "z"], "-ENV|COPY|COPY|y|z"),
            ("", vec!["x", "y"], "x|y"),
            ("a|-b|c|d", vec!["x", "y"], "a|-b|c|-d"),
            ("a|-b", vec![], "-a|-b"),
        ] {
            let mut history: Vec<History> =
                said.split('|').filter(|text| !text.is_empty()).map(entry).collect();
            fill_history(&mut history, &layers);
            let shown =
                |entry: &History| format!("{}{}", if entry.empty_layer { "-" } else { "" }, entry.created_by);
            assert_eq!(history.iter().map(shown).collect::<Vec<_>>().join("|"), expected, "{said}");
        }
    }
}
