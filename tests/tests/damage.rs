//! What the disk does to the store: blobs that are no longer what their names say, and layers that are gone. What can be had
//! again is, in the same build, and gives the same bytes; the rest is an error.
#![expect(clippy::expect_used, reason = "fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use integration_tests::{Built, Kit, Place, run};

/// What becomes of a blob.
type Damage = (&'static str, fn(&Path));

const DAMAGES: &[Damage] = &[
    ("emptied", |path| fs::write(path, "").expect("written")),
    ("cut", |path| {
        let bytes = fs::read(path).expect("a blob");
        fs::write(path, bytes.get(..bytes.len() / 2).expect("half")).expect("written");
    }),
    ("one bit", |path| {
        let mut bytes = fs::read(path).expect("a blob");
        let at = bytes.len() / 2;
        bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1);
        fs::write(path, bytes).expect("written");
    }),
    ("gone", |path| fs::remove_file(path).expect("removed")),
    ("a directory", |path| fs::remove_file(path).and_then(|()| fs::create_dir(path)).expect("made")),
    ("a named pipe", |path| {
        fs::remove_file(path).expect("removed");
        run("mkfifo", &[&path.display().to_string()]).expect("mkfifo");
    }),
];

/// A place whose builds are the same on every run: a base of one layer, and two layers on it.
struct Scene {
    place: Place,
    base: PathBuf,
}

impl Scene {
    fn new(case: &str) -> Option<Self> {
        let place = Place::new(Kit::find(case)?);
        place.write("base.Dockerfile", "FROM scratch\nCOPY base /base\n");
        place.write("base", &"of the base\n".repeat(1000));
        place.write("Dockerfile", "FROM base\nCOPY one /one\nCOPY two /two\n");
        place.write("one", "one\n");
        place.write("two", "two\n");
        let base = place.path("base");
        let file = place.path("context/base.Dockerfile").display().to_string();
        let output = format!("type=oci,tar=false,dest={}", base.display());
        place.build_well(&["--file", &file, "--output", &output]);
        fs::remove_dir_all(place.path("store")).expect("removed");
        Some(Self { place, base })
    }

    fn build(&self, output: &str) -> Built {
        let context = format!("base=oci-layout://{}", self.base.display());
        let epoch = "SOURCE_DATE_EPOCH=1000";
        self.place.build(&["--build-context", &context, "--build-arg", epoch, "--output", output])
    }

    fn build_well(&self, output: &str) {
        let built = self.build(output);
        assert_eq!(built.code, Some(0), "{output}: {}", built.stderr);
    }

    fn blobs(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.place.store("blobs/sha256")).expect("listed");
        entries.map(|entry| entry.expect("listed").path()).collect()
    }

    /// Everything below a directory, as a checksum.
    fn sum(&self, path: &Path) -> String {
        let text = "cd \"$0\" 2>/dev/null && find . -type f | sort | xargs sha256sum || sha256sum < \"$0\"";
        run("sh", &["-c", text, &path.display().to_string()]).expect("sh").stdout
    }
}

#[test]
fn damaged_blobs_are_had_again() {
    let Some(scene) = Scene::new("damaged_blobs_are_had_again") else { return };
    for (form, fields) in [
        ("image.tar", "type=oci"),
        ("docker.tar", "type=docker"),
        ("layout", "type=oci,tar=false"),
        ("zstd.tar", "type=oci,compression=zstd,force-compression=true"),
    ] {
        let output = |name: &str| format!("{fields},dest={}", scene.place.path(name).display());
        scene.build_well(&output(form));
        let expected = scene.sum(&scene.place.path(form));
        for (name, damage) in DAMAGES {
            scene.blobs().iter().for_each(|blob| damage(blob));
            let again = format!("{name} {form}");
            scene.build_well(&output(&again));
            assert_eq!(scene.sum(&scene.place.path(&again)), expected, "{form}, {name}");
        }
    }
}

#[test]
fn what_an_earlier_output_left_is_held_against_its_digest() {
    let Some(scene) = Scene::new("what_an_earlier_output_left_is_held_against_its_digest") else { return };
    let layout = scene.place.path("layout");
    let output = format!("type=oci,tar=false,dest={}", layout.display());
    scene.build_well(&output);
    let expected = scene.sum(&layout);
    for entry in fs::read_dir(layout.join("blobs/sha256")).expect("listed") {
        fs::write(entry.expect("listed").path(), "other").expect("written");
    }
    scene.build_well(&output);
    assert_eq!(scene.sum(&layout), expected);
}

/// What has gone into a stream cannot be taken back; the next build is right.
#[test]
fn a_stream_ends_with_an_error() {
    let Some(scene) = Scene::new("a_stream_ends_with_an_error") else { return };
    for (name, damage) in DAMAGES {
        scene.build_well(&format!("type=oci,dest={}", scene.place.path("image.tar").display()));
        // The blobs of layers: those of the image itself are written anew by each build.
        let layers = scene
            .blobs()
            .into_iter()
            .filter(|blob| fs::read(blob).is_ok_and(|bytes| bytes.starts_with(&[0x1f, 0x8b])));
        layers.for_each(|blob| damage(&blob));
        let built = scene.build("type=oci,dest=/dev/fd/1");
        match *name {
            // Seen before anything is written.
            "gone" | "a directory" | "a named pipe" => {
                assert_eq!(built.code, Some(0), "{name}: {}", built.stderr)
            }
            _ => built.assert_error(&["of the store is damaged: ", "hint: ", "build again"]),
        }
        let output = |name: &str| format!("type=oci,dest={}", scene.place.path(name).display());
        let expected = scene.sum(&scene.place.path("image.tar"));
        for round in 0..4 {
            // Each build finds one of them.
            let built = scene.build("type=oci,dest=/dev/fd/1");
            if built.code == Some(0) {
                break;
            }
            assert!(round < 3, "{name}: {}", built.stderr);
        }
        scene.build_well(&output("again.tar"));
        assert_eq!(scene.sum(&scene.place.path("again.tar")), expected, "{name}");
    }
}

#[test]
fn what_cannot_be_had_again_is_an_error() {
    let Some(scene) = Scene::new("what_cannot_be_had_again_is_an_error") else { return };
    let output = |name: &str| format!("type=oci,dest={}", scene.place.path(name).display());
    scene.build_well(&output("image.tar"));
    let spoil = |folder: &Path| {
        for entry in fs::read_dir(folder).expect("listed") {
            let path = entry.expect("listed").path();
            let bytes = fs::read(&path).expect("a blob");
            if bytes.starts_with(&[0x1f, 0x8b]) {
                fs::write(&path, bytes.get(1..).expect("the rest")).expect("written");
            }
        }
    };
    spoil(&scene.place.store("blobs/sha256"));
    spoil(&scene.base.join("blobs/sha256"));
    scene.build(&output("again.tar")).assert_error(&[
        "of the store is damaged, and the base image that it came with",
        "hint: the image is damaged: fetch it again",
    ]);
    assert!(!scene.place.path("again.tar").exists());
}

#[test]
fn layers_that_are_gone_are_made_again() {
    let Some(scene) = Scene::new("layers_that_are_gone_are_made_again") else { return };
    let output = |name: &str| format!("type=oci,dest={}", scene.place.path(name).display());
    scene.build_well(&output("image.tar"));
    let expected = scene.sum(&scene.place.path("image.tar"));
    let layers = || -> Vec<PathBuf> {
        let entries = fs::read_dir(scene.place.store("layers")).expect("listed");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("listed").path()).collect();
        paths.sort();
        paths
    };
    for number in 0..layers().len() {
        fs::remove_dir_all(layers().get(number).expect("a layer")).expect("removed");
        scene.build_well(&output("again.tar"));
        assert_eq!(scene.sum(&scene.place.path("again.tar")), expected, "without layer {number}");
    }
    layers().iter().for_each(|path| fs::remove_dir_all(path).expect("removed"));
    scene.build_well(&output("again.tar"));
    assert_eq!(scene.sum(&scene.place.path("again.tar")), expected, "without any");
}
