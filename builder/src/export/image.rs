//! Puts images together: layers, configurations, manifests and the index over them.

use crate::oci::digest::Digest;
use crate::oci::image::Image;
use crate::oci::index::Index;
use crate::oci::manifest::{Descriptor, DescriptorPlatform, Manifest};
use crate::oci::media_type;
use crate::oci::time::rfc3339;
use crate::store::{Layer, LayerBlob, Store};

use super::{ExportError, layer};
use crate::engine::PlatformResult;

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

/// Makes the blobs of an image. `epoch`, in seconds since 1970, replaces the times of its layers.
///
/// # Errors
/// When a layer cannot be read or the store cannot be written.
pub fn assemble(
    store: &Store,
    results: &[PlatformResult],
    epoch: Option<i64>,
) -> Result<Assembled, ExportError> {
    let mut blobs: Vec<Descriptor> = vec![];
    let mut manifests = vec![];
    for result in results {
        manifests.push(manifest(store, result, epoch, &mut blobs)?);
    }
    let root = match &manifests[..] {
        [only] => only.clone(),
        several => {
            let bytes = Index::new(several.to_vec()).to_bytes()?;
            let descriptor = put(store, media_type::INDEX, &bytes)?;
            blobs.push(descriptor.clone());
            descriptor
        }
    };
    let mut seen = std::collections::HashSet::new();
    blobs.retain(|blob| seen.insert(blob.digest));
    Ok(Assembled { root, blobs, manifests })
}

fn put(store: &Store, media_type: &str, bytes: &[u8]) -> Result<Descriptor, ExportError> {
    store.put_blob(bytes)?;
    Ok(Descriptor::of(media_type, bytes))
}

fn manifest(
    store: &Store,
    result: &PlatformResult,
    epoch: Option<i64>,
    blobs: &mut Vec<Descriptor>,
) -> Result<Descriptor, ExportError> {
    let mut chain = store.layer_chain(result.layer)?;
    let mut made: Vec<LayerBlob> = vec![];
    let mut below = &chain[..];
    while let [layer, rest @ ..] = below {
        made.push(layer::blob(store, layer, rest)?);
        below = rest;
    }
    made.reverse();
    chain.reverse();
    let layers: Vec<Descriptor> =
        made.iter().map(|blob| Descriptor::new(&blob.media_type, blob.digest, blob.size)).collect();
    let diff_ids = made.iter().map(|blob| blob.diff_id).collect();
    let config = configuration(&result.image, &chain, diff_ids, epoch).to_bytes()?;
    let config = put(store, media_type::CONFIG, &config)?;
    let manifest = Manifest::new(config.clone(), layers.clone()).to_bytes()?;
    let mut descriptor = put(store, media_type::MANIFEST, &manifest)?;
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
