//! Layouts as an attacker, or a broken disk, writes them: each is refused with what is wrong, and nothing of it is kept.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::*;
use xx_build_rootfs::Owners;

/// A layout with an image of one layer, to be spoilt.
struct Made {
    folder: tempfile::TempDir,
    layer: Vec<u8>,
    config: Value,
    manifest: Value,
    index: Value,
}

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

impl Made {
    fn new() -> Self {
        let mut tar = tar::Builder::new(vec![]);
        let mut header = tar::Header::new_ustar();
        header.set_size(5);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        tar.append_data(&mut header, "file", &b"hello"[..]).expect("an archive");
        let tar = tar.into_inner().expect("an archive");
        let folder = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(folder.path().join("blobs/sha256")).expect("a directory");
        let config = json!({
            "architecture": "amd64", "os": "linux",
            "rootfs": { "type": "layers", "diff_ids": [Digest::of(&tar).to_string()] },
        });
        Self { folder, layer: gzip(&tar), config, manifest: json!({}), index: json!({}) }
    }

    fn put(&self, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        fs::write(self.blob(&digest.to_string()), bytes).expect("a blob");
        json!({ "digest": digest.to_string(), "size": bytes.len() })
    }

    fn blob(&self, digest: &str) -> PathBuf {
        self.folder.path().join("blobs/sha256").join(digest.trim_start_matches("sha256:"))
    }

    fn descriptor(&self, media_type: &str, bytes: &[u8]) -> Value {
        let mut descriptor = self.put(bytes);
        descriptor["mediaType"] = media_type.into();
        descriptor
    }

    /// Writes layer, configuration and manifest.
    fn seal(&mut self) {
        let config = self.descriptor(CONFIG, self.config.to_string().as_bytes());
        let layer = self.descriptor(media_type::LAYER_GZIP, &self.layer);
        self.manifest = json!({
            "schemaVersion": 2, "mediaType": media_type::MANIFEST, "config": config, "layers": [layer],
        });
        self.index();
    }

    /// Writes the manifest as it now is, and the index over it.
    fn index(&mut self) {
        let manifest = self.descriptor(media_type::MANIFEST, self.manifest.to_string().as_bytes());
        self.index = json!({ "schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": [manifest] });
    }

    /// Reads it as a build does: resolves, unpacks, and counts what the store then holds.
    fn read(&self) -> (Result<(), FetchError>, usize) {
        let path = self.folder.path().join("index.json");
        if !path.exists() {
            fs::write(&path, self.index.to_string()).expect("an index");
        }
        let store = tempfile::tempdir().expect("a directory");
        let store = Store::open(store.path(), 0, Owners::Real).expect("a store");
        let platform = "linux/amd64".parse().expect("a platform");
        let layout = Layout::open(self.folder.path()).expect("a folder");
        let result = layout
            .resolve("", &platform)
            .and_then(|found| layout.unpack(&store, &found.digest, &platform))
            .map(drop);
        let kept = ["layers", "blobs/sha256"]
            .map(|folder| fs::read_dir(store.root().join(folder)).expect("listed").count());
        (result, kept.iter().sum())
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut to = GzEncoder::new(vec![], Compression::fast());
    to.write_all(bytes).and_then(|()| to.finish()).expect("compressed")
}

/// What is wrong, how it is made so, and what the error says.
type Case = (&'static str, fn(&mut Made), &'static str);

const CASES: &[Case] = &[
    (
        "a layer that was changed",
        |made| {
            made.seal();
            let digest = made.manifest["layers"][0]["digest"].as_str().unwrap_or_default().to_owned();
            let mut bytes = made.layer.clone();
            *bytes.last_mut().expect("a byte") ^= 1;
            fs::write(made.blob(&digest), bytes).expect("a blob");
        },
        "",
    ),
    (
        "a layer of another size",
        |made| {
            made.seal();
            made.manifest["layers"][0]["size"] = 7.into();
            made.index();
        },
        "its descriptor says 7",
    ),
    (
        "a layer that is not there",
        |made| {
            made.seal();
            let digest = made.manifest["layers"][0]["digest"].as_str().unwrap_or_default().to_owned();
            fs::remove_file(made.blob(&digest)).expect("removed");
        },
        "cannot read",
    ),
    // Nothing is asked of the URL, whose server would hear of it (CVE-2020-15157).
    (
        "a layer elsewhere",
        |made| {
            made.seal();
            let digest = made.manifest["layers"][0]["digest"].as_str().unwrap_or_default().to_owned();
            fs::remove_file(made.blob(&digest)).expect("removed");
            made.manifest["layers"][0]["urls"] = json!(["http://127.0.0.1:1/layer"]);
            made.manifest["layers"][0]["mediaType"] =
                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip".into();
            made.index();
        },
        "cannot read",
    ),
    (
        "another uncompressed content than the configuration says",
        |made| {
            made.config["rootfs"]["diff_ids"] = json!([Digest::of(b"another").to_string()]);
            made.seal();
        },
        "expected sha256:",
    ),
    (
        "fewer layers in the configuration",
        |made| {
            made.config["rootfs"]["diff_ids"] = json!([]);
            made.seal();
        },
        "number of layers",
    ),
    (
        "a layer that is no archive",
        |made| {
            made.layer = gzip(b"no archive, but longer than nothing");
            made.seal();
        },
        "layer sha256:",
    ),
    (
        "a layer cut off",
        |made| {
            made.layer.truncate(made.layer.len() / 2);
            made.seal();
        },
        "",
    ),
    (
        "an unknown digest",
        |made| {
            made.seal();
            made.manifest["config"]["digest"] = "sha999:00".into();
            made.index();
        },
        "image manifest",
    ),
    (
        "a digest that climbs",
        |made| {
            made.seal();
            made.manifest["config"]["digest"] = "sha256:../../../../etc/passwd".into();
            made.index();
        },
        "image manifest",
    ),
    (
        "a configuration that was changed",
        |made| {
            made.seal();
            let digest = made.manifest["config"]["digest"].as_str().unwrap_or_default().to_owned();
            fs::write(made.blob(&digest), made.config.to_string() + " ").expect("a blob");
        },
        "has digest",
    ),
    (
        "a manifest that is an index too (CVE-2021-41190)",
        |made| {
            made.seal();
            let mut both = made.manifest.clone();
            both["manifests"] = made.index["manifests"].clone();
            made.manifest = both;
            made.index();
        },
        "at once",
    ),
    (
        "an index of indexes without end",
        |made| {
            made.seal();
            for _ in 0..20 {
                let inner = made.descriptor(media_type::INDEX, made.index.to_string().as_bytes());
                made.index["manifests"] = json!([inner]);
            }
        },
        "nested too deeply",
    ),
    (
        "indexes that name each other's parts many times",
        |made| {
            made.config["os"] = "plan9".into();
            made.seal();
            for _ in 0..7 {
                let inner = made.descriptor(media_type::INDEX, made.index.to_string().as_bytes());
                let named = |number| {
                    let mut inner = inner.clone();
                    inner["platform"] = json!({ "os": "plan9", "architecture": format!("amd64{number}") });
                    inner
                };
                made.index["manifests"] = (0..20).map(named).collect();
            }
        },
        "not for linux/amd64",
    ),
    (
        "a manifest of another size",
        |made| {
            made.seal();
            made.index["manifests"][0]["size"] = 7.into();
        },
        "its descriptor says 7",
    ),
    (
        "a configuration of another size",
        |made| {
            made.seal();
            made.manifest["config"]["size"] = 7.into();
            made.index();
        },
        "its descriptor says 7",
    ),
    (
        "a size below nothing",
        |made| {
            made.seal();
            made.manifest["layers"][0]["size"] = (-1).into();
            made.index();
        },
        "image manifest",
    ),
    (
        "a manifest that is a pipe",
        |made| {
            made.seal();
            let digest = made.index["manifests"][0]["digest"].as_str().unwrap_or_default().to_owned();
            fs::remove_file(made.blob(&digest)).expect("removed");
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            rustix::fs::mknodat(rustix::fs::CWD, made.blob(&digest), rustix::fs::FileType::Fifo, mode, 0)
                .expect("a pipe");
        },
        "no regular file",
    ),
    (
        "a layer of an unknown type",
        |made| {
            made.seal();
            made.manifest["layers"][0]["mediaType"] =
                "application/vnd.oci.image.layer.v1.tar+encrypted".into();
            made.index();
        },
        "`application/vnd.oci.image.layer.v1.tar+encrypted`",
    ),
    // No layer of it is unpacked first.
    (
        "more layers than lie on each other",
        |made| {
            made.seal();
            let diff_id = made.config["rootfs"]["diff_ids"][0].clone();
            let layer = made.manifest["layers"][0].clone();
            made.config["rootfs"]["diff_ids"] = json!(vec![diff_id; 501]);
            made.seal();
            made.manifest["layers"] = json!(vec![layer; 501]);
            made.index();
        },
        "has 501 layers",
    ),
    (
        "an index as big as a disk (CVE-2023-25153)",
        |made| {
            made.seal();
            let file = File::create(made.folder.path().join("index.json")).expect("a file");
            file.set_len(1 << 40).expect("a sparse file");
        },
        "is larger than",
    ),
    (
        "an index that is no JSON",
        |made| {
            made.seal();
            fs::write(made.folder.path().join("index.json"), "{").expect("a file");
        },
        "image index",
    ),
    (
        "another platform",
        |made| {
            made.config["architecture"] = "s390x".into();
            made.seal();
        },
        "linux/s390x",
    ),
];

#[test]
fn spoilt_images_are_refused_whole() {
    let mut good = Made::new();
    good.seal();
    let (result, kept) = good.read();
    assert!(result.is_ok() && kept == 2, "{result:?}");
    for (name, spoil, expected) in CASES {
        let mut made = Made::new();
        spoil(&mut made);
        let (result, kept) = made.read();
        let error = result.expect_err(name);
        assert!(error.to_string().contains(expected), "{name}: {error}");
        assert!(error.hint().is_some(), "{name}: {error}");
        assert_eq!(kept, 0, "{name}: something of it is kept");
    }
}

/// What an index holds, what is asked for, and what is taken: as containerd chooses among platforms.
#[test]
fn the_best_platform_is_taken_wherever_it_stands() {
    let cases: &[(&[&str], &str, Option<&str>)] = &[
        (&["linux/amd64"], "linux/amd64/v3", Some("linux/amd64")),
        (&["linux/amd64", "linux/amd64/v2"], "linux/amd64/v3", Some("linux/amd64/v2")),
        (&["linux/amd64/v3"], "linux/amd64/v2", None),
        (&["linux/arm/v6", "linux/amd64"], "linux/arm/v7", Some("linux/arm/v6")),
        (&["linux/arm/v5"], "linux/arm/v6", Some("linux/arm/v5")),
        (&["linux/arm64/v8"], "linux/arm64/v9", Some("linux/arm64/v8")),
        (&["linux/386"], "linux/amd64", Some("linux/386")),
        (&["linux/386", "linux/amd64"], "linux/amd64/v4", Some("linux/amd64")),
        (&["linux/arm/v7", "linux/arm64"], "linux/arm64", Some("linux/arm64")),
        (&["linux/arm/v7"], "linux/arm64", Some("linux/arm/v7")),
        (&["linux/arm64"], "linux/arm/v7", None),
        (&["unknown/unknown", "linux/ppc64le"], "linux/ppc64le/power9", Some("linux/ppc64le")),
    ];
    // The descriptors say it, or only the configurations do; in one index, or an index for each.
    for (stated, nested) in [(true, false), (false, false), (true, true), (false, true)] {
        for (held, wanted, expected) in cases {
            let mut made = Made::new();
            let mut manifests = vec![];
            for platform in *held {
                let mut parts = platform.split('/');
                let mut part = || parts.next().unwrap_or_default();
                let parts = json!({ "os": part(), "architecture": part(), "variant": part() });
                for name in ["os", "architecture", "variant"] {
                    made.config[name] = parts[name].clone();
                }
                made.seal();
                let mut manifest = made.index["manifests"][0].clone();
                if stated {
                    manifest["platform"] = parts;
                }
                if nested {
                    made.index["manifests"] = json!([manifest]);
                    manifest = made.descriptor(media_type::INDEX, made.index.to_string().as_bytes());
                }
                manifests.push(manifest);
            }
            made.index["manifests"] = json!(manifests);
            fs::write(made.folder.path().join("index.json"), made.index.to_string()).expect("an index");
            let layout = Layout::open(made.folder.path()).expect("a folder");
            let found = layout.resolve("", &wanted.parse().expect("a platform"));
            let found = found.ok().map(|found| {
                let image = Image::from_slice(&found.config).expect("a configuration");
                let parts = [image.os, image.architecture, image.variant];
                parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
            });
            assert_eq!(
                found.as_deref(),
                *expected,
                "{wanted} of {held:?}, stated: {stated}, nested: {nested}"
            );
        }
    }
}

/// The same image in an archive, whatever tool wrote it: names with `./` in front, folders, other files in between.
#[test]
fn an_archive_is_a_layout() {
    let mut made = Made::new();
    made.seal();
    assert!(made.read().0.is_ok());
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("image.tar");
    let resolve = |path: &Path| {
        let platform = "linux/amd64".parse().expect("a platform");
        let store = tempfile::tempdir().expect("a directory");
        let store = Store::open(store.path(), 0, Owners::Real).expect("a store");
        let layout = Layout::open(path)?;
        let found = layout.resolve("", &platform)?;
        layout.unpack(&store, &found.digest, &platform)
    };
    let mut archive = tar::Builder::new(File::create(&path).expect("a file"));
    archive.append_dir_all(".", made.folder.path()).expect("an archive");
    archive.append_dir_all("other", made.folder.path()).expect("an archive");
    archive.finish().expect("an archive");
    assert!(resolve(&path).expect("an image").is_some());

    let whole = fs::read(&path).expect("an archive");
    for (name, bytes, expected) in [
        ("cut off", whole[..whole.len() / 3].to_vec(), ""),
        ("a compressed one", gzip(&whole), "no archive"),
        ("an archive of something else", whole[whole.len() - 1024..].to_vec(), "`index.json`"),
        ("a text", b"FROM scratch\n".repeat(60), "no archive"),
    ] {
        fs::write(&path, bytes).expect("a file");
        let error = resolve(&path).expect_err(name);
        assert!(error.to_string().contains(expected), "{name}: {error}");
        assert!(error.hint().is_some(), "{name}: {error}");
    }
}
