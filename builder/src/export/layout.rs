//! Writes an image as an OCI layout: a directory, or a tar of one.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::ExportError;
use super::destination::{write_file, write_stream};
use super::image::Assembled;
use super::temporary::Temporary;
use crate::oci::digest::Digest;
use crate::oci::index::Index;
use crate::oci::manifest::Manifest;
use crate::store::Store;

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
/// # Errors
/// When the destination cannot be written.
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
    write_stream(destination, |to| {
        fill_tar(store, image, &documents, to).map_err(ExportError::write("write", destination))
    })
}

/// The `manifest.json` of `docker save`: the image of the first platform.
fn docker_manifest(store: &Store, image: &Assembled, tags: &[String]) -> Result<Vec<u8>, ExportError> {
    let path = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    let mut out = vec![];
    if let Some(first) = image.manifests.first() {
        let place = store.blob_path(&first.digest);
        let bytes = fs::read(&place).map_err(ExportError::write("read", &place))?;
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

fn fill_tar(
    store: &Store,
    image: &Assembled,
    documents: &[(&str, &[u8])],
    to: &mut dyn Write,
) -> std::io::Result<()> {
    let mut tar = tar::Builder::new(to);
    let mut blobs: Vec<_> = image.blobs.iter().map(|blob| blob.digest).collect();
    blobs.sort();
    let mut append = |kind: tar::EntryType, name: &str, size: u64, from: &mut dyn std::io::Read| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(if kind.is_dir() { 0o755 } else { 0o444 });
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(size);
        tar.append_data(&mut header, name, from)
    };
    append(tar::EntryType::Directory, "blobs/", 0, &mut std::io::empty())?;
    append(tar::EntryType::Directory, "blobs/sha256/", 0, &mut std::io::empty())?;
    for digest in blobs {
        let mut blob = File::open(store.blob_path(&digest))?;
        let size = blob.metadata()?.len();
        append(tar::EntryType::Regular, &format!("blobs/sha256/{}", digest.hex()), size, &mut blob)?;
    }
    for (name, bytes) in documents {
        append(tar::EntryType::Regular, name, bytes.len() as u64, &mut &**bytes)?;
    }
    tar.into_inner()?.flush()
}

fn write_directory(
    store: &Store,
    image: &Assembled,
    index: &[u8],
    destination: &Path,
) -> Result<(), ExportError> {
    let blobs = destination.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(ExportError::write("create", &blobs))?;
    for blob in &image.blobs {
        let target = blobs.join(blob.digest.hex());
        if !target.exists() {
            let part = Temporary::file(&blobs)?;
            File::open(store.blob_path(&blob.digest))
                .and_then(|mut from| std::io::copy(&mut from, &mut part.open()))
                .map_err(ExportError::write("write", &target))?;
            part.persist(&target).map_err(|(_, error)| ExportError::write("rename", &target)(error))?;
        }
    }
    // The index comes last: until then the directory names only what it held before.
    for (name, bytes) in [("oci-layout", LAYOUT), ("index.json", index)] {
        write_file(&destination.join(name), bytes)?;
    }
    Ok(())
}
