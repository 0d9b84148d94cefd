//! Puts images together: layers, configurations, manifests and the index over them.

use crate::oci::digest::Digest;
use crate::oci::image::Image;
use crate::oci::index::Index;
use crate::oci::manifest::{Descriptor, DescriptorPlatform, Manifest};
use crate::oci::media_type;
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
    chain.reverse();
    let made: Result<Vec<LayerBlob>, ExportError> =
        chain.iter().map(|layer| layer::blob(store, layer)).collect();
    let made = made?;
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

/// Seconds since 1970 as `2006-01-02T15:04:05Z`.
fn rfc3339(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Civil date from days since 1970-01-01, on years that begin in March.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn times_as_text() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_234_567_890, "2009-02-13T23:31:30Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (seconds, text) in cases {
            assert_eq!(rfc3339(seconds), text);
        }
    }
}
