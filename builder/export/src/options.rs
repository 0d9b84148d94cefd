//! How an image is written: compression, times, media types and annotations.

use std::collections::BTreeMap;

use platform_db::Platform;

/// How layers are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    Uncompressed,
    /// gzip; levels 0 to 9, 6 unless said otherwise.
    #[default]
    Gzip,
    /// Zstandard; levels 1 to 22, 3 unless said otherwise.
    Zstd,
}

/// What an annotation stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AnnotationLevel {
    /// The manifest of a platform.
    Manifest,
    /// The descriptor of that manifest, in the index over several.
    ManifestDescriptor,
    /// The index over several manifests.
    Index,
    /// The descriptor of that index.
    IndexDescriptor,
}

/// A key and a value on a document of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// Where it stands.
    pub level: AnnotationLevel,
    /// For this platform alone.
    pub platform: Option<Platform>,
    /// Such as `org.opencontainers.image.title`.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// How an image is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImageOptions {
    /// For the layers of this build.
    pub compression: Compression,
    /// In the units of the compressor; its default when `None`.
    pub level: Option<i32>,
    /// Layers of base images too.
    pub force_compression: bool,
    /// Seconds since 1970: the time of configurations instead of the clock's.
    pub epoch: Option<i64>,
    /// Files of the layers of this build are no younger than `epoch`.
    pub rewrite_timestamp: bool,
    /// Docker's media types instead of OCI's.
    pub docker_types: bool,
    /// Annotations, later ones of a key replacing earlier ones.
    pub annotations: Vec<Annotation>,
    /// An index also over the manifest of a single platform.
    pub index: bool,
    /// How many layers are compressed at once.
    pub threads: usize,
}

impl ImageOptions {
    /// The annotations of one document.
    pub(super) fn annotations(
        &self,
        level: AnnotationLevel,
        platform: Option<&Platform>,
    ) -> BTreeMap<String, String> {
        let here = |annotation: &&Annotation| {
            annotation.level == level
                && annotation.platform.as_ref().is_none_or(|wanted| platform == Some(wanted))
        };
        let chosen = self.annotations.iter().filter(here);
        chosen.map(|annotation| (annotation.key.clone(), annotation.value.clone())).collect()
    }
}
