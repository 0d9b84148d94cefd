//! Writes an image as an OCI layout: a directory, or a tar of one.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::ExportError;
use super::destination::{resolved, write_file, write_stream};
use super::image::Assembled;
use super::temporary::Temporary;
use xx_build_frontend::oci::digest::Digest;
use xx_build_frontend::oci::index::Index;
use xx_build_frontend::oci::manifest::Manifest;
use xx_build_store::Store;

/// In which form a layout is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One tar file, or standard output when the destination is `-`.
    Tar,
    /// As `Tar`, and `docker load` of every version reads it.
    DockerTar,
    /// A directory.
    Directory,
}

const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// Writes `image` to `destination`, which is replaced in one go (a tar) or appears in one go (a
/// directory; an existing one gets the blobs it lacks and then the new index). `tags` name the image.
///
/// Every blob is held against its digest while it is copied.
///
/// # Errors
/// When a blob of the store is damaged, or the destination cannot be written.
pub fn write_layout(
    store: &Store,
    image: &Assembled,
    tags: &[String],
    destination: &Path,
    form: Form,
) -> Result<(), ExportError> {
    let index = index(image, tags)?;
    let mut documents = vec![("index.json", index.as_slice()), ("oci-layout", LAYOUT)];
    let docker;
    match form {
        Form::Directory => return write_directory(store, image, &index, destination),
        Form::Tar => {}
        Form::DockerTar => {
            docker = docker_manifest(store, image, tags)?;
            documents.insert(1, ("manifest.json", &docker));
        }
    }
    write_stream(destination, |to| fill_tar(store, image, &documents, destination, to))
}

/// The `manifest.json` of `docker save`: the image of the first platform.
fn docker_manifest(store: &Store, image: &Assembled, tags: &[String]) -> Result<Vec<u8>, ExportError> {
    let path = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    let mut out = vec![];
    if let Some(first) = image.manifests.first() {
        let mut bytes = vec![];
        store.read_blob(&first.digest, Some(first.size), |part| {
            bytes.extend_from_slice(part);
            Ok::<_, ExportError>(())
        })?;
        let manifest = Manifest::from_slice(&bytes)?;
        let has_tag = |tag: &str| tag.rsplit('/').next().is_some_and(|last| last.contains(':'));
        // As Docker shows names: without what it takes for granted.
        let familiar = |tag: &str| {
            let hub = tag.strip_prefix("docker.io/").unwrap_or(tag);
            hub.strip_prefix("library/").unwrap_or(hub).to_owned()
        };
        let tag = |tag: &String| familiar(&if has_tag(tag) { tag.clone() } else { format!("{tag}:latest") });
        out.push(serde_json::json!({
            "Config": path(&manifest.config.digest),
            "RepoTags": tags.iter().map(tag).collect::<Vec<_>>(),
            "Layers": manifest.layers.iter().map(|layer| path(&layer.digest)).collect::<Vec<_>>(),
        }));
    }
    Ok(serde_json::to_vec(&out)?)
}

/// The `index.json`: the image once per tag.
fn index(image: &Assembled, tags: &[String]) -> Result<Vec<u8>, ExportError> {
    let named = |tag: &String| {
        let mut descriptor = image.root.clone();
        let (_, reference) =
            tag.rsplit_once(':').filter(|(_, last)| !last.contains('/')).unwrap_or(("", "latest"));
        let annotations = &mut descriptor.annotations;
        annotations.insert("io.containerd.image.name".to_owned(), tag.clone());
        annotations.insert("org.opencontainers.image.ref.name".to_owned(), reference.to_owned());
        descriptor
    };
    let manifests = if tags.is_empty() { vec![image.root.clone()] } else { tags.iter().map(named).collect() };
    Ok(Index::new(manifests).to_bytes()?)
}

/// Writes an archive of a layout. `destination` is for errors.
fn fill_tar(
    store: &Store,
    image: &Assembled,
    documents: &[(&str, &[u8])],
    destination: &Path,
    to: &mut dyn Write,
) -> Result<(), ExportError> {
    let failed = || ExportError::write("write", destination);
    let mut tar = tar::Builder::new(to);
    for folder in ["blobs/", "blobs/sha256/"] {
        begin(&mut tar, tar::EntryType::Directory, folder, 0).map_err(failed())?;
    }
    let mut blobs: Vec<_> = image.blobs.iter().collect();
    blobs.sort_by_key(|blob| blob.digest);
    for blob in blobs {
        let name = format!("blobs/sha256/{}", blob.digest.hex());
        begin(&mut tar, tar::EntryType::Regular, &name, blob.size).map_err(failed())?;
        store.read_blob(&blob.digest, Some(blob.size), |bytes| {
            tar.get_mut().write_all(bytes).map_err(failed())
        })?;
        pad(tar.get_mut(), blob.size).map_err(failed())?;
    }
    for (name, bytes) in documents {
        let size = bytes.len() as u64;
        let written = begin(&mut tar, tar::EntryType::Regular, name, size)
            .and_then(|()| tar.get_mut().write_all(bytes))
            .and_then(|()| pad(tar.get_mut(), size));
        written.map_err(failed())?;
    }
    tar.into_inner().and_then(|to| to.flush()).map_err(failed())
}

/// Writes the header of an entry, whose content follows.
fn begin(
    tar: &mut tar::Builder<&mut dyn Write>,
    kind: tar::EntryType,
    name: &str,
    size: u64,
) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_path(name)?;
    header.set_mode(if kind.is_dir() { 0o755 } else { 0o444 });
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size);
    header.set_cksum();
    tar.append(&header, io::empty())
}

/// Fills the last block of a content.
fn pad(to: &mut dyn Write, size: u64) -> io::Result<()> {
    let over = usize::try_from(size % 512).unwrap_or(0);
    let rest = if over == 0 { 0 } else { 512 - over };
    to.write_all([0; 512].get(..rest).unwrap_or_default())
}

fn write_directory(
    store: &Store,
    image: &Assembled,
    index: &[u8],
    destination: &Path,
) -> Result<(), ExportError> {
    let destination = &resolved(destination);
    if destination.symlink_metadata().is_err()
        && let Some(folder) = destination.parent()
    {
        fs::create_dir_all(folder).map_err(ExportError::write("create", folder))?;
        // Where nothing can be made or named beside it, it is filled in its place.
        if let Ok(part) = Temporary::directory(folder) {
            fill_directory(store, image, index, part.path())?;
            if part.appear(destination).is_ok() {
                return Ok(());
            }
        }
    }
    fill_directory(store, image, index, destination)
}

fn fill_directory(
    store: &Store,
    image: &Assembled,
    index: &[u8],
    destination: &Path,
) -> Result<(), ExportError> {
    let blobs = destination.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(ExportError::write("create", &blobs))?;
    for blob in &image.blobs {
        let target = blobs.join(blob.digest.hex());
        // What an earlier output has left is taken only if it is still whole.
        if target.exists() && store.check_copy(&blob.digest, &target).is_ok() {
            continue;
        }
        let part = Temporary::file(&blobs)?;
        // The kernel copies, or shares the bytes where the file system can; then those that are there are read.
        let mut from = store.open_blob(&blob.digest, Some(blob.size))?;
        io::copy(&mut from, &mut part.open()).map_err(ExportError::write("write", &target))?;
        store.check_copy(&blob.digest, part.path())?;
        part.persist(&target).map_err(|(_, error)| ExportError::write("rename", &target)(error))?;
    }
    // The index comes last: until then the directory names only what it held before.
    for (name, bytes) in [("oci-layout", LAYOUT), ("index.json", index)] {
        write_file(&destination.join(name), bytes)?;
    }
    Ok(())
}
