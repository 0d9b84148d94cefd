//! Media types of image documents and layers (OCI image specification 1.1, Docker Image Manifest V2 Schema 2).

/// OCI image index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image configuration.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Layer as a plain tar.
pub const LAYER_TAR: &str = "application/vnd.oci.image.layer.v1.tar";
/// Layer as tar, compressed with gzip.
pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// Layer as tar, compressed with zstd.
pub const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// The empty descriptor's `{}`.
pub const EMPTY_JSON: &str = "application/vnd.oci.empty.v1+json";
/// Docker's manifest list, the older form of an index.
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker's image manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's image configuration.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Docker's layer, tar compressed with gzip.
pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// Docker's layer as a plain tar.
pub const DOCKER_LAYER_TAR: &str = "application/vnd.docker.image.rootfs.diff.tar";
/// Docker's layer, tar compressed with zstd.
pub const DOCKER_LAYER_ZSTD: &str = "application/vnd.docker.image.rootfs.diff.tar.zstd";

/// Whether content of this type is a layer of files: those above, and their forms that registries do not pass on.
#[must_use]
pub fn is_layer(media_type: &str) -> bool {
    const KINDS: [(&str, [&str; 3]); 4] = [
        (LAYER_TAR, ["", "+gzip", "+zstd"]),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar", ["", "+gzip", "+zstd"]),
        (DOCKER_LAYER_TAR, ["", ".gzip", ".zstd"]),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar", ["", ".gzip", ".zstd"]),
    ];
    KINDS.iter().any(|(kind, ends)| media_type.strip_prefix(kind).is_some_and(|end| ends.contains(&end)))
}

/// Whether a document of this type is an index of manifests.
#[must_use]
pub fn is_index(media_type: &str) -> bool {
    matches!(media_type, INDEX | DOCKER_INDEX)
}

/// Whether a document of this type is a manifest of one image.
#[must_use]
pub fn is_manifest(media_type: &str) -> bool {
    matches!(media_type, MANIFEST | DOCKER_MANIFEST)
}
