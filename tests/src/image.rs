//! What is in an image: read from its OCI layout without any tool of the project, to compare two builders.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// One image of an OCI layout.
#[derive(Debug)]
pub struct Image {
    /// The image's configuration.
    pub config: Value,
    /// Digests of the layers' blobs, lowest first.
    pub layers: Vec<String>,
}

/// What a layer says about one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `f` file, `d` directory, `l` symbolic link, `h` hard link, `c`, `b`, `p` devices and pipe, `-` removed.
    pub kind: char,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub owner: (u64, u64),
    /// Size in bytes and digest of a file's content.
    pub content: (u64, String),
    /// Where a link leads.
    pub link: String,
    /// Extended attributes.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, mode, owner: (uid, gid), content: (size, digest), link, xattrs } = self;
        write!(f, "{kind} {mode:04o} {uid}:{gid} {size} {digest:.12} {link} {xattrs:?}")
    }
}

/// Paths, without leading and trailing slashes, and what the layers say about them.
pub type Tree = BTreeMap<String, Entry>;

fn json(layout: &Path, digest: &str) -> Value {
    serde_json::from_slice(&blob(layout, digest)).expect("JSON")
}

fn blob(layout: &Path, digest: &str) -> Vec<u8> {
    let path = layout.join("blobs").join(digest.replace(':', "/"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

impl Image {
    /// Reads the only image of a layout, or the one for an architecture.
    #[must_use]
    pub fn of(layout: &Path, architecture: &str) -> Self {
        let index = std::fs::read(layout.join("index.json")).expect("an index");
        let mut document: Value = serde_json::from_slice(&index).expect("JSON");
        while let Some(manifests) = document["manifests"].as_array() {
            let fitting = |manifest: &&Value| manifest["platform"]["architecture"] == architecture;
            let chosen = manifests.iter().find(fitting).or(manifests.first()).expect("a manifest");
            document = json(layout, &text(&chosen["digest"]));
        }
        let layers = document["layers"].as_array().expect("layers");
        Self {
            config: json(layout, &text(&document["config"]["digest"])),
            layers: layers.iter().map(|layer| text(&layer["digest"])).collect(),
        }
    }

    /// What the layers say over those of `base`, later ones over earlier ones. A path that they remove is in it
    /// as removed.
    #[must_use]
    pub fn tree(&self, layout: &Path, base: &Tree, base_layers: usize) -> Tree {
        let mut tree = Tree::new();
        for layer in self.layers.iter().skip(base_layers) {
            let bytes = blob(layout, layer);
            match bytes.as_slice() {
                [0x1f, 0x8b, ..] => apply(&mut tree, base, flate2::read::GzDecoder::new(bytes.as_slice())),
                plain => apply(&mut tree, base, plain),
            }
        }
        tree
    }

    /// The configuration without what names moments and layers.
    #[must_use]
    pub fn timeless_config(&self) -> Value {
        let mut config = self.config.clone();
        let object = config.as_object_mut().expect("an object");
        object.remove("created");
        object.remove("rootfs");
        for step in object.get_mut("history").and_then(Value::as_array_mut).into_iter().flatten() {
            step.as_object_mut().expect("an object").remove("created");
        }
        config
    }
}

/// The extended attributes of an archive's entry.
pub(crate) fn xattrs(entry: &mut tar::Entry<'_, impl Read>) -> BTreeMap<String, Vec<u8>> {
    let extensions = entry.pax_extensions().expect("pax headers");
    let named = extensions.into_iter().flatten().flatten().filter_map(|extension| {
        let name = extension.key().ok()?.strip_prefix("SCHILY.xattr.")?;
        Some((name.to_owned(), extension.value_bytes().to_owned()))
    });
    named.collect()
}

fn apply(tree: &mut Tree, base: &Tree, layer: impl Read) {
    let mut archive = tar::Archive::new(layer);
    for entry in archive.entries().expect("a tar archive") {
        let mut entry = entry.expect("an entry");
        let path = String::from_utf8_lossy(&entry.path_bytes()).trim_matches('/').to_owned();
        let path = path.trim_start_matches("./").to_owned();
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let inside =
            |directory: &str| if directory.is_empty() { String::new() } else { format!("{directory}/") };
        match name.strip_prefix(".wh.") {
            Some(".wh..opq") => {
                let start = inside(parent);
                let below = |path: &&String| path.starts_with(&start) && !path[start.len()..].contains('/');
                let names: Vec<String> = base.keys().chain(tree.keys()).filter(below).cloned().collect();
                names.iter().for_each(|name| remove(tree, name));
            }
            Some(removed) => remove(tree, &format!("{}{removed}", inside(parent))),
            None => {
                let read = Entry::read(&mut entry);
                if read.kind != 'd' {
                    remove(tree, &path);
                }
                tree.insert(path, read);
            }
        }
    }
}

fn remove(tree: &mut Tree, path: &str) {
    let inside = format!("{path}/");
    tree.retain(|path, _| !path.starts_with(&inside));
    tree.insert(path.to_owned(), Entry::removed());
}

impl Entry {
    fn removed() -> Self {
        Self {
            kind: '-',
            mode: 0,
            owner: (0, 0),
            content: (0, String::new()),
            link: String::new(),
            xattrs: BTreeMap::new(),
        }
    }

    fn read(entry: &mut tar::Entry<'_, impl Read>) -> Self {
        let xattrs = xattrs(entry);
        let kind = match entry.header().entry_type().as_byte() {
            b'0' | 0 => 'f',
            b'1' => 'h',
            b'2' => 'l',
            b'3' => 'c',
            b'4' => 'b',
            b'5' => 'd',
            b'6' => 'p',
            other => panic!("entry of type {}", char::from(other)),
        };
        let link = entry.link_name_bytes().map(|link| String::from_utf8_lossy(&link).into_owned());
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("content");
        let digest = if kind == 'f' {
            Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect()
        } else {
            String::new()
        };
        let header = entry.header();
        Self {
            kind,
            // What a link may do is not its own matter.
            mode: if kind == 'l' { 0 } else { header.mode().expect("a mode") & 0o7777 },
            owner: (header.uid().expect("a user"), header.gid().expect("a group")),
            content: (bytes.len() as u64, digest),
            link: link.unwrap_or_default(),
            xattrs,
        }
    }
}

/// The lines in which two trees differ: `-` what only the first says, `+` what only the second says.
#[must_use]
pub fn differences(first: &Tree, second: &Tree) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, entry) in first {
        if second.get(path) != Some(entry) {
            lines.push(format!("- {path} {entry}"));
        }
    }
    for (path, entry) in second {
        if first.get(path) != Some(entry) {
            lines.push(format!("+ {path} {entry}"));
        }
    }
    lines.sort_by(|a, b| a[2..].cmp(&b[2..]));
    lines
}
