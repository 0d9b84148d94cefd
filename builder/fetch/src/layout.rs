//! Images in an OCI layout directory.
//!
//! Everything read is checked against the digest that led to it; layers are unpacked while they are
//! hashed, so a blob is read once.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use platform_db::Platform;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::place::Place;
use xx_build_frontend::oci::digest::Digest;
use xx_build_frontend::oci::image::Image;
use xx_build_frontend::oci::index::Index;
use xx_build_frontend::oci::manifest::{Descriptor, DescriptorPlatform, Manifest, known_platform};
use xx_build_frontend::oci::media_type;
use xx_build_rootfs::{Archive, Layers, MAX_LAYERS, Root, RootError, decompressed, unpack};
use xx_build_store::{LayerBlob, LayerId, Store, StoreError};

/// Why an image could not be used.
#[derive(Debug, Error)]
pub enum FetchError {
    /// A file of the layout cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the layout does not hold what it should.
    #[error("`{}` is not a valid {what}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that was to be an archive of a layout is none.
    #[error("`{}` is no archive of an OCI layout: {reason}", path.display())]
    NoArchive {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The layout holds no such image.
    #[error("`{}` holds no image named `{reference}`", path.display())]
    NoReference {
        /// The layout.
        path: PathBuf,
        /// The tag or digest.
        reference: String,
    },
    /// The image exists, but not for this platform.
    #[error("the image in `{}` is not for {wanted}; it is for {}", path.display(), found.join(", "))]
    NoPlatform {
        /// The layout.
        path: PathBuf,
        /// The platform that was asked for.
        wanted: String,
        /// The platforms there are.
        found: Vec<String>,
    },
    /// The image has more layers than can lie on each other.
    #[error("the image `{}` has {count} layers; no more than {MAX_LAYERS} can lie on each other", path.display())]
    TooManyLayers {
        /// The manifest.
        path: PathBuf,
        /// How many it has.
        count: usize,
    },
    /// A part of the image is no layer of files.
    #[error("`{}` names a layer of type `{media_type}`, which is none of files", path.display())]
    NoLayer {
        /// The manifest.
        path: PathBuf,
        /// The type that it states.
        media_type: String,
    },
    /// A layer cannot be unpacked.
    #[error("layer {digest}: {source}")]
    Unpack {
        /// The layer's blob.
        digest: Digest,
        /// What went wrong.
        source: RootError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FetchError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { .. } => Some(
                "is it an OCI layout directory, as `skopeo copy ... oci:DIR` writes it, with all its blobs?",
            ),
            Self::Unpack { source, .. } if source.lacks_id() => Some(xx_build_rootfs::MORE_IDS),
            Self::Malformed { .. } | Self::Unpack { .. } => Some("the image is damaged: fetch it again"),
            Self::Store(StoreError::Digest { .. }) => Some("the image is damaged: fetch it again"),
            Self::TooManyLayers { .. } => Some("take an image of fewer layers, or join those of this one"),
            Self::NoLayer { .. } => Some(
                "it is an artifact of another kind, or encrypted: a base is an image with its files as tar archives",
            ),
            Self::NoReference { .. } => Some("`index.json` in that directory lists the names"),
            Self::NoArchive { .. } => Some(
                "`--output type=oci,dest=FILE`, `skopeo copy ... oci-archive:FILE` and Docker's `save` since 25 write one; \
                 unpack a compressed one first",
            ),
            Self::NoPlatform { .. } => Some(
                "take an image for this platform (`skopeo copy --all ...` brings every platform of one), or build for \
                 one of those with `--platform`",
            ),
            Self::Store(_) => None,
        }
    }
}

/// An OCI layout: a directory, or an archive of one.
#[derive(Debug, Clone)]
pub struct Layout {
    place: Place,
}

/// A manifest for one platform.
#[derive(Debug, Clone)]
pub struct ResolvedManifest {
    /// Digest of the manifest's bytes.
    pub digest: Digest,
    /// The manifest.
    pub manifest: Manifest,
    /// The bytes of the image configuration.
    pub config: Vec<u8>,
}

/// What is found behind an index.
#[derive(Default)]
struct Found {
    candidates: Vec<Candidate>,
    /// What has been looked at, and as what.
    seen: HashSet<(Digest, Option<DescriptorPlatform>)>,
}

/// A manifest of an index, and what it is for.
struct Candidate {
    digest: Digest,
    /// In bytes, as its descriptor has it.
    size: u64,
    stated: DescriptorPlatform,
    /// What was read to know the platform.
    read: Option<ResolvedManifest>,
}

/// Documents larger than this are no manifests or configurations.
const MAX_DOCUMENT: u64 = 16 << 20;
/// Indexes may name indexes, but not without end.
const MAX_DEPTH: usize = 8;

impl Layout {
    /// Looks at `path` as an OCI layout.
    ///
    /// # Errors
    /// It is a file that is no archive of one.
    pub fn open(path: &Path) -> Result<Self, FetchError> {
        let place = Place::open(path)
            .map_err(|error| FetchError::NoArchive { path: path.to_owned(), reason: error.to_string() })?;
        Ok(Self { place })
    }

    fn path(&self) -> PathBuf {
        match &self.place {
            Place::Directory(path) | Place::Archive { path, .. } => path.clone(),
        }
    }

    /// Finds the image for `platform`. `reference` is a tag, a digest, or empty for the only image.
    ///
    /// # Errors
    /// When the layout is malformed, or holds no such image.
    pub fn resolve(&self, reference: &str, platform: &Platform) -> Result<ResolvedManifest, FetchError> {
        let path = self.place.shown(Path::new(INDEX));
        let bytes = self.read_file(Path::new(INDEX))?;
        let index = Index::from_slice(&bytes).map_err(|error| malformed(&path, "image index", error))?;
        let named: Vec<&Descriptor> = match reference {
            "" => index.manifests.iter().collect(),
            _ => index.manifests.iter().filter(|descriptor| is_named(descriptor, reference)).collect(),
        };
        if named.is_empty() {
            return Err(match reference.parse::<Digest>() {
                // A digest need not be listed in the index, as long as its blob is there.
                Ok(digest) if self.place.has(&blob(&digest)) => return self.by_digest(&digest, platform),
                _ => FetchError::NoReference { path: self.path(), reference: reference.to_owned() },
            });
        }
        let mut found = Found::default();
        for descriptor in named {
            self.collect(descriptor, &mut found, 0)?;
        }
        self.choose(found.candidates, platform)
    }

    fn by_digest(&self, digest: &Digest, platform: &Platform) -> Result<ResolvedManifest, FetchError> {
        let bytes = self.read_blob(digest, None)?;
        let media_type = if Index::from_slice(&bytes).is_ok_and(|index| !index.manifests.is_empty()) {
            if Manifest::from_slice(&bytes).is_ok() {
                // Read one way here and another way elsewhere, it would be two images under one digest.
                let reason = "it is an image index and an image manifest at once";
                return Err(malformed(&self.blob(digest), "image manifest", reason));
            }
            media_type::INDEX
        } else {
            media_type::MANIFEST
        };
        let mut found = Found::default();
        self.collect(&Descriptor::of(media_type, &bytes), &mut found, 0)?;
        self.choose(found.candidates, platform)
    }

    /// Notes every manifest behind a descriptor, with what it is for.
    fn collect(&self, descriptor: &Descriptor, found: &mut Found, depth: usize) -> Result<(), FetchError> {
        // Each once: indexes that name indexes several times are soon without number.
        if !found.seen.insert((descriptor.digest, descriptor.platform.clone())) {
            return Ok(());
        }
        if media_type::is_index(&descriptor.media_type) {
            let path = self.blob(&descriptor.digest);
            if depth >= MAX_DEPTH {
                return Err(malformed(&path, "image index", "indexes are nested too deeply"));
            }
            let bytes = self.read_blob(&descriptor.digest, Some(descriptor.size))?;
            let index = Index::from_slice(&bytes).map_err(|error| malformed(&path, "image index", error))?;
            return index.manifests.iter().try_for_each(|child| self.collect(child, found, depth + 1));
        }
        let (stated, read) = match &descriptor.platform {
            Some(stated) => (stated.clone(), None),
            None => {
                let manifest = self.manifest(&descriptor.digest, descriptor.size)?;
                let image = self.image(&manifest.manifest.config.digest, &manifest.config)?;
                let stated = DescriptorPlatform {
                    architecture: image.architecture,
                    os: image.os,
                    os_version: image.os_version,
                    variant: image.variant,
                    ..Default::default()
                };
                (stated, Some(manifest))
            }
        };
        found.candidates.push(Candidate { digest: descriptor.digest, size: descriptor.size, stated, read });
        Ok(())
    }

    /// The manifest that serves `platform` best, the first of equals.
    fn choose(
        &self,
        candidates: Vec<Candidate>,
        platform: &Platform,
    ) -> Result<ResolvedManifest, FetchError> {
        let mut found = vec![];
        let mut best: Option<(usize, Candidate)> = None;
        for candidate in candidates {
            let stated = &candidate.stated;
            let known = known_platform(&stated.os, &stated.architecture, &stated.variant, &stated.os_version);
            let shown = show(stated);
            // Statements about the images beside it, as builders add them, are for `unknown/unknown`.
            if known.is_some() || !shown.starts_with("unknown") {
                found.push(shown);
            }
            if let Some(rank) = known.and_then(|known| platform.only_rank(&known))
                && best.as_ref().is_none_or(|(other, _)| rank < *other)
            {
                best = Some((rank, candidate));
            }
        }
        match best {
            Some((_, Candidate { read: Some(manifest), .. })) => Ok(manifest),
            Some((_, Candidate { digest, size, .. })) => self.manifest(&digest, size),
            None => {
                let (path, wanted) = (self.path(), platform.to_string());
                Err(FetchError::NoPlatform { path, wanted, found })
            }
        }
    }

    /// Reads a manifest of `size` bytes and its configuration; what could not be used later is refused now.
    fn manifest(&self, digest: &Digest, size: u64) -> Result<ResolvedManifest, FetchError> {
        let bytes = self.read_blob(digest, Some(size))?;
        let manifest = Manifest::from_slice(&bytes)
            .map_err(|error| malformed(&self.blob(digest), "image manifest", error))?;
        let (path, count) = (self.blob(digest), manifest.layers.len());
        if count > MAX_LAYERS {
            return Err(FetchError::TooManyLayers { path, count });
        }
        if let Some(other) = manifest.layers.iter().find(|layer| !media_type::is_layer(&layer.media_type)) {
            return Err(FetchError::NoLayer { path, media_type: other.media_type.clone() });
        }
        let config = self.read_blob(&manifest.config.digest, Some(manifest.config.size))?;
        self.image(&manifest.config.digest, &config)?;
        Ok(ResolvedManifest { digest: *digest, manifest, config })
    }

    fn image(&self, digest: &Digest, config: &[u8]) -> Result<Image, FetchError> {
        Image::from_slice(config).map_err(|error| malformed(&self.blob(digest), "image configuration", error))
    }

    /// Unpacks the layers of the manifest `digest` that the store does not have yet; returns the topmost.
    ///
    /// # Errors
    /// When the image is malformed, or a layer cannot be unpacked.
    pub fn unpack(
        &self,
        store: &Store,
        digest: &Digest,
        platform: &Platform,
    ) -> Result<Option<LayerId>, FetchError> {
        let resolved = self.by_digest(digest, platform)?;
        let image = self.image(&resolved.manifest.config.digest, &resolved.config)?;
        if image.rootfs.diff_ids.len() != resolved.manifest.layers.len() {
            let reason = "the number of layers differs from that of the configuration";
            return Err(malformed(&self.blob(digest), "image manifest", reason));
        }
        let (mut parent, mut chain): (Option<LayerId>, Option<Digest>) = (None, None);
        for (descriptor, diff_id) in resolved.manifest.layers.iter().zip(&image.rootfs.diff_ids) {
            let chain_id = match chain {
                None => *diff_id,
                Some(below) => Digest::of(format!("{below} {diff_id}").as_bytes()),
            };
            chain = Some(chain_id);
            parent = Some(match store.image_layer(&chain_id)? {
                Some(known) => known,
                None => self.unpack_layer(store, descriptor, diff_id, &chain_id, parent)?,
            });
        }
        Ok(parent)
    }

    fn unpack_layer(
        &self,
        store: &Store,
        descriptor: &Descriptor,
        diff_id: &Digest,
        chain_id: &Digest,
        parent: Option<LayerId>,
    ) -> Result<LayerId, FetchError> {
        let path = self.blob(&descriptor.digest);
        let read = |source| FetchError::Read { path: path.clone(), source };
        let (file, size) = self.place.file(&blob(&descriptor.digest)).map_err(read)?;
        if size != descriptor.size {
            let reason = format!("it has {size} bytes, its descriptor says {}", descriptor.size);
            return Err(malformed(&path, "layer", reason));
        }
        let mut copied = store.blob_writer()?;
        let layer = store.new_layer()?;
        let directory = File::open(layer.files()).map_err(read)?;
        let below: Vec<PathBuf> = store.layer_chain(parent)?.into_iter().map(|layer| layer.path).collect();
        let below = Layers::open(&below, store.owners()).map_err(|(path, source)| StoreError::Io {
            action: "open",
            path,
            source,
        })?;
        let broken = |source| FetchError::Unpack { digest: descriptor.digest, source };
        {
            let copy = CopyReader { from: file, to: &mut copied };
            let stream = decompressed(copy).map_err(read)?;
            let mut hashed = HashReader { from: stream, hasher: Sha256::new() };
            let archive = Archive::Layer { below: &below };
            // All of it: what follows the end of the archive belongs to the layer's digest as well.
            unpack(&mut hashed, Root::new(&directory, store.owners()), archive).map_err(broken)?;
            let found = Digest::from_raw(hashed.hasher.finalize().into());
            if found != *diff_id {
                let (expected, found) = (diff_id.to_string(), found.to_string());
                return Err(StoreError::Digest { expected, found }.into());
            }
        }
        let (digest, size) = store.finish_blob(copied, Some(&descriptor.digest))?;
        let blob = LayerBlob { diff_id: *diff_id, digest, media_type: descriptor.media_type.clone(), size };
        let description = format!("layer {} of a base image", descriptor.digest);
        Ok(store.add_image_layer(chain_id, layer, parent, &blob, &description)?)
    }

    /// Brings a blob into the store once more; says whether it is in this layout.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged here, too.
    pub fn restore(&self, store: &Store, digest: &Digest) -> Result<bool, FetchError> {
        let name = blob(digest);
        if !self.place.has(&name) {
            return Ok(false);
        }
        let read = |source| FetchError::Read { path: self.blob(digest), source };
        let (mut file, _) = self.place.file(&name).map_err(read)?;
        let mut writer = store.blob_writer()?;
        io::copy(&mut file, &mut writer).map_err(read)?;
        store.finish_blob(writer, Some(digest))?;
        Ok(true)
    }

    /// The name of a blob for errors.
    fn blob(&self, digest: &Digest) -> PathBuf {
        self.place.shown(&blob(digest))
    }

    /// Reads a document, of this size if its descriptor says one.
    fn read_blob(&self, digest: &Digest, size: Option<u64>) -> Result<Vec<u8>, FetchError> {
        let bytes = self.read_file(&blob(digest))?;
        let found = Digest::of(&bytes);
        if found != *digest {
            let (expected, found) = (digest.to_string(), found.to_string());
            return Err(StoreError::Digest { expected, found }.into());
        }
        if let Some(stated) = size.filter(|size| *size != bytes.len() as u64) {
            let reason = format!("it has {} bytes, its descriptor says {stated}", bytes.len());
            return Err(malformed(&self.blob(digest), "document", reason));
        }
        Ok(bytes)
    }

    fn read_file(&self, name: &Path) -> Result<Vec<u8>, FetchError> {
        let path = self.place.shown(name);
        let fail = |source| FetchError::Read { path: path.clone(), source };
        let (mut file, size) = self.place.file(name).map_err(fail)?;
        if size > MAX_DOCUMENT {
            return Err(malformed(&path, "JSON document", format!("it is larger than {MAX_DOCUMENT} bytes")));
        }
        let mut bytes = vec![];
        file.read_to_end(&mut bytes).map_err(fail)?;
        Ok(bytes)
    }
}

/// The list of images of a layout.
const INDEX: &str = "index.json";

/// Where a blob lies in a layout.
fn blob(digest: &Digest) -> PathBuf {
    Path::new("blobs/sha256").join(digest.hex())
}

fn malformed(path: &Path, what: &'static str, reason: impl ToString) -> FetchError {
    FetchError::Malformed { path: path.to_owned(), what, reason: reason.to_string() }
}

fn is_named(descriptor: &Descriptor, reference: &str) -> bool {
    let name = descriptor.annotations.get("org.opencontainers.image.ref.name");
    name.is_some_and(|name| name == reference) || descriptor.digest.to_string() == reference
}

fn show(platform: &DescriptorPlatform) -> String {
    let parts = [&platform.os, &platform.architecture, &platform.variant];
    parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("/")
}

/// Passes on what it reads, and writes it elsewhere.
struct CopyReader<R, W> {
    from: R,
    to: W,
}

impl<R: Read, W: Write> Read for CopyReader<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.to.write_all(buffer.get(..count).unwrap_or_default())?;
        Ok(count)
    }
}

/// Passes on what it reads, and hashes it.
struct HashReader<R> {
    from: R,
    hasher: Sha256,
}

impl<R: Read> Read for HashReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
