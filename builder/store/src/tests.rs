//! The store by itself: what is removed while others use it, and what a power cut leaves.

use std::fs;
use std::path::Path;

use super::policy::{Policy, Record};
use super::*;
use xx_build_solve::Key;

fn key(number: u8) -> Key {
    Key([number; 32])
}

fn open(root: &Path) -> Store {
    Store::open(root, 1000, Owners::Real).expect("a store")
}

/// Makes a result of one layer that holds one file.
fn result(store: &Store, number: u8, parent: Option<LayerId>, content: &str) -> LayerId {
    let layer = store.new_layer().expect("a layer");
    fs::write(layer.files().join(format!("file{number}")), content).expect("a file");
    let outputs = vec![OutputLayer::New { layer, parent }];
    let name = format!("RUN step {number}");
    let layers = store.record(&Identity(key(number)), &[key(number)], outputs, &name).expect("recorded");
    layers[0].expect("a layer")
}

fn directories(store: &Store) -> usize {
    fs::read_dir(store.root().join("layers")).expect("listed").count()
}

fn all() -> [Policy; 1] {
    [Policy { all: true, ..Policy::default() }]
}

fn names<'a>(records: impl IntoIterator<Item = &'a Record>) -> Vec<&'a str> {
    let mut names: Vec<&str> = records.into_iter().map(|record| record.description.as_str()).collect();
    names.sort_unstable();
    names
}

fn is_here(store: &Store, number: u8) -> bool {
    matches!(store.lookup(&key(number)).expect("readable"), Some(Known::Here(_)))
}

#[test]
fn what_is_pruned_is_gone_and_the_rest_is_whole() {
    let place = tempfile::tempdir().expect("a directory");
    let store = open(place.path());
    let below = result(&store, 1, None, "one");
    result(&store, 2, Some(below), "two");
    result(&store, 3, Some(below), "three");
    let filter =
        [Policy { filters: vec!["description~=step 2".parse().expect("a filter")], ..Policy::default() }];
    let pruned = store.prune(&filter, 2000).expect("pruned");
    assert_eq!(names(pruned.iter().map(|removed| &removed.record)), ["RUN step 2"]);
    assert_eq!(directories(&store), 2);
    let found = |number| is_here(&store, number);
    assert_eq!([found(1), found(2), found(3)], [true, false, true]);
    let name = Known::Evicted(Identity(key(2)));
    assert_eq!(
        store.lookup(&key(2)).expect("readable"),
        Some(name),
        "what was made of it can still be found"
    );
    assert_eq!(names(&store.usage().expect("readable").records), ["RUN step 1", "RUN step 3"]);
    assert_eq!(store.prune(&all(), 2000).expect("pruned").len(), 2);
    assert_eq!((directories(&store), store.usage().expect("readable").records.len()), (0, 0));
    assert_eq!(store.lookup(&key(2)).expect("readable"), None, "nothing is left that could be");
}

#[test]
fn a_running_build_keeps_what_it_found() {
    let place = tempfile::tempdir().expect("a directory");
    let builder = open(place.path());
    result(&builder, 1, None, "one");
    let pruner = open(place.path());
    assert_eq!(pruner.prune(&all(), 2000).expect("pruned").len(), 1);
    assert!(!is_here(&pruner, 1), "nobody finds it any more");

    let layer = builder.output(&Identity(key(1)), 0).expect("known").expect("a layer");
    let chain = builder.layer_chain(Some(layer)).expect("readable");
    assert_eq!(fs::read_to_string(chain[0].path.join("file1")).expect("the file"), "one");
    pruner.reclaim().expect("reclaimed");
    assert!(chain[0].path.exists(), "the builder still runs");
    // A layer on top takes it back.
    result(&builder, 2, Some(layer), "two");
    drop(builder);
    pruner.reclaim().expect("reclaimed");
    assert!(chain[0].path.exists(), "something lies on it");
    let after = open(place.path());
    assert!(is_here(&after, 2));

    drop(after);
    pruner.prune(&all(), 2000).expect("pruned");
    assert_eq!(directories(&pruner), 0);
}

#[test]
fn what_a_pruned_build_found_goes_when_it_ends() {
    let place = tempfile::tempdir().expect("a directory");
    let builder = open(place.path());
    result(&builder, 1, None, "one");
    let pruner = open(place.path());
    pruner.prune(&all(), 2000).expect("pruned");
    assert_eq!(directories(&pruner), 1);
    drop(builder);
    pruner.reclaim().expect("reclaimed");
    assert_eq!(directories(&pruner), 0);
}

#[test]
fn cache_mounts_in_use_stay() {
    let place = tempfile::tempdir().expect("a directory");
    let fill = |path: &Path| -> Result<(), StoreError> {
        fs::write(path.join("kept"), "x").expect("a file");
        Ok(())
    };
    let builder = open(place.path());
    let path = builder.cache_directory("name", "RUN cached", fill).expect("a directory");
    let pruner = open(place.path());
    assert_eq!(pruner.prune(&all(), 2000).expect("pruned").len(), 0);
    assert!(path.join("kept").exists());
    drop(builder);
    let pruned = pruner.prune(&all(), 2000).expect("pruned");
    assert_eq!(names(pruned.iter().map(|removed| &removed.record)), ["RUN cached"]);
    assert!(!path.exists());
    assert!(pruner.cache_directory("name", "RUN cached", fill).expect("a directory").join("kept").exists());
}

#[test]
fn a_build_collects_what_it_has_mounted_itself_and_sizes_follow_uses() {
    let place = tempfile::tempdir().expect("a directory");
    let fill = |_: &Path| Ok::<(), StoreError>(());
    let size = |store: &Store| store.usage().expect("readable").records[0].size;
    let store = open(place.path());
    let path = store.cache_directory("name", "RUN cached", fill).expect("a directory");
    let empty = size(&store);
    fs::write(path.join("file"), [1; 100_000]).expect("a file");
    let grown = size(&store);
    assert!(grown >= empty + 100_000, "measured anew while it is in use: {empty} {grown}");
    assert_eq!(
        store.collect(&[Policy { keep_duration: 50, ..Policy::default() }], 1040).expect("collected").len(),
        0
    );
    assert_eq!(size(&store), grown);
    assert_eq!(store.collect(&all(), 1040).expect("collected").len(), 1);
}

#[test]
fn what_a_kill_left_beside_the_metadata_is_swept() {
    let place = tempfile::tempdir().expect("a directory");
    let store = open(place.path());
    let layer = result(&store, 1, None, "one");
    // Killed between the rename of a layer and the commit; killed in an output.
    fs::create_dir_all(place.path().join("layers/0123456789abcdef/dir")).expect("a directory");
    store.put_blob(b"{}").expect("a blob");
    store.reclaim().expect("reclaimed");
    assert_eq!(directories(&store), 1);
    assert_eq!(fs::read_dir(place.path().join("blobs/sha256")).expect("listed").count(), 0);
    assert_eq!(store.layer_chain(Some(layer)).expect("readable").len(), 1);
}

/// A directory of a process that has ended.
fn dead(root: &Path, name: &str, lock: bool) -> PathBuf {
    let path = root.join("work").join(name);
    fs::create_dir_all(path.join("layer-0/fs/deep")).expect("directories");
    if lock {
        fs::write(root.join("work").join(format!("{name}.lock")), "").expect("a file");
    }
    path
}

fn listed(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).expect("listed").map(|entry| entry.expect("listed").file_name());
    entries.map(|name| name.to_string_lossy().into_owned()).collect()
}

#[test]
fn what_killed_builds_left_is_swept() {
    let place = tempfile::tempdir().expect("a directory");
    let root = place.path();
    drop(open(root));
    dead(root, "0123456789abcdef", true);
    dead(root, "without-a-lock", false);
    fs::write(root.join("work/only-a-lock.lock"), "").expect("a file");
    fs::write(root.join("locks/of-a-step"), "").expect("a file");
    fs::create_dir_all(root.join("layers/0123456789abcdef/dir")).expect("a directory");
    let running = open(root);
    let held = FileLock::exclusive(&root.join("locks/held")).expect("a lock");
    dead(root, "a-later-kill", true);
    let name = running.work.name();
    drop(open(root));
    let mut left = listed(&root.join("work"));
    left.sort();
    assert_eq!(left, [name.clone(), format!("{name}.lock")], "what runs is left alone");
    assert_eq!(listed(&root.join("locks")), ["held"]);
    assert_eq!(directories(&running), 0);
    drop((held, running));
    assert_eq!(listed(&root.join("work")), [""; 0]);
}

/// A step of a killed build makes new files while its directory is removed.
#[test]
fn what_a_dying_step_writes_is_passed_over_and_swept_later() {
    let place = tempfile::tempdir().expect("a directory");
    drop(open(place.path()));
    let writing = std::sync::atomic::AtomicBool::new(true);
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (place, writing) = (place.path(), &writing);
            scope.spawn(move || {
                for round in 0.. {
                    if !writing.load(std::sync::atomic::Ordering::Relaxed) {
                        break;
                    }
                    let folder = place.join(format!("work/killed/layer-0/fs/{thread}/{}", round % 7));
                    // The folders above it go now and then.
                    let _ = fs::create_dir_all(&folder);
                    let _ = fs::write(folder.join("file"), "x");
                }
            });
        }
        for round in 0..8 {
            let opened = Store::open(place.path(), 1000, Owners::Real);
            assert!(opened.is_ok(), "round {round}: {}", opened.map(drop).expect_err("a failure"));
        }
        writing.store(false, std::sync::atomic::Ordering::Relaxed);
    });
    drop(open(place.path()));
    assert_eq!(listed(&place.path().join("work")), [""; 0]);
}

#[test]
fn what_steps_see_is_open_to_them_and_the_store_to_nobody_else() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = tempfile::tempdir().expect("a directory");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    for owners in [Owners::Real, Owners::Pretended] {
        let root = place.path().join(format!("{owners:?}"));
        let store = Store::open(&root, 1000, owners).expect("a store");
        assert_eq!((mode(&root), mode(store.root())), (0o700, 0o700), "{owners:?}");
        let layer = store.new_layer().expect("a layer");
        let cache = store.cache_directory("c", "", |_| Ok::<_, StoreError>(())).expect("a directory");
        assert_eq!((mode(&layer.files()), mode(&cache)), (0o755, 0o755));
    }
}

#[test]
fn what_belongs_to_no_layer_is_shown_and_goes() {
    let place = tempfile::tempdir().expect("a directory");
    let builder = open(place.path());
    let layer = builder.new_layer().expect("a layer");
    fs::write(layer.files().join("file"), vec![1; 100_000]).expect("a file");
    let other = open(place.path());
    let shown = |store: &Store| -> Vec<(String, bool, bool)> {
        let records = store.usage().expect("readable").records.into_iter();
        let big = |record: &Record| record.size >= 100_000;
        records.map(|record| (record.description.clone(), big(&record), record.in_use)).collect()
    };
    assert_eq!(shown(&other), [("the work of a running build".to_owned(), true, true)]);
    drop((layer, builder));
    other.put_blob(&vec![1; 100_000]).expect("a blob");
    fs::create_dir(place.path().join("layers/unknown")).expect("a directory");
    let mut found = shown(&other);
    found.sort();
    let blobs = "manifests, configurations and other blobs that belong to no layer".to_owned();
    let unknown = "a layer that is not known any more".to_owned();
    assert_eq!(found, [(unknown, false, false), (blobs.clone(), true, false)]);
    let removed = other.prune(&[Policy::default()], 2000).expect("pruned");
    let big: Vec<_> = removed.iter().filter(|removed| removed.record.size >= 100_000).collect();
    assert_eq!(names(big.iter().map(|removed| &removed.record)), [blobs.as_str()]);
    assert!(big.iter().all(|removed| removed.why.is_none()), "no policy asked for it");
    assert_eq!(shown(&other), []);
}

type Damage = (&'static str, fn(&Path), &'static [u8]);

/// What a power cut does to the layer directory of result 2, and the results that are still there after it.
const CUTS: &[Damage] = &[
    ("nothing", |_| {}, &[1, 2, 3, 4]),
    ("an empty file", |layer| fs::write(layer.join("file2"), "").expect("written"), &[1, 4]),
    ("a short file", |layer| fs::write(layer.join("file2"), "tw").expect("written"), &[1, 4]),
    ("a missing file", |layer| fs::remove_file(layer.join("file2")).expect("removed"), &[1, 4]),
    ("a missing layer", |layer| fs::remove_dir_all(layer).expect("removed"), &[1, 4]),
];

#[test]
fn a_power_cut_takes_whole_results_or_none() {
    for (name, damage, left) in CUTS {
        let place = tempfile::tempdir().expect("a directory");
        let layer = {
            let store = open(place.path());
            let one = result(&store, 1, None, "one");
            let two = result(&store, 2, Some(one), "two");
            result(&store, 3, Some(two), "three");
            result(&store, 4, Some(one), "four");
            let path = store.layer_chain(Some(two)).expect("readable").remove(0).path;
            store.database().execute("UPDATE layers SET boot = 'another boot'", []).expect("written");
            path
        };
        damage(&layer);
        for round in ["first", "second"] {
            let store = open(place.path());
            let found: Vec<u8> = (1..=4).filter(|number| is_here(&store, *number)).collect();
            assert_eq!(found, *left, "{name}, {round} build after it");
        }
        let store = open(place.path());
        store.reclaim().expect("reclaimed");
        assert_eq!(directories(&store), left.len(), "{name}");
        let unchecked: i64 = store
            .database()
            .query_row("SELECT count(*) FROM layers WHERE boot IS NOT NULL", [], |row| row.get(0))
            .expect("readable");
        assert_eq!(unchecked, 0, "{name}: looked at once");
    }
}

type BlobDamage = (&'static str, fn(&Path), bool);

/// What may have become of a blob, and whether it is still there after the next boot.
const BLOBS: &[BlobDamage] = &[
    ("whole", |_| {}, true),
    ("emptied", |blob| fs::write(blob, "").expect("written"), false),
    ("cut", |blob| fs::write(blob, "cont").expect("written"), false),
    ("another", |blob| fs::write(blob, "CONTENT").expect("written"), false),
    ("gone", |blob| fs::remove_file(blob).expect("removed"), false),
    ("a directory", |blob| fs::remove_file(blob).and_then(|()| fs::create_dir(blob)).expect("made"), false),
    (
        "a link",
        |blob| {
            let away = blob.with_extension("away");
            fs::rename(blob, &away).and_then(|()| std::os::unix::fs::symlink(&away, blob)).expect("made");
        },
        false,
    ),
];

#[test]
fn every_blob_of_an_earlier_boot_is_looked_at() {
    for (name, damage, stays) in BLOBS {
        let place = tempfile::tempdir().expect("a directory");
        let digest = {
            let store = open(place.path());
            // As a manifest, which no layer names.
            let digest = store.put_blob(b"content").expect("a blob");
            store.database().execute("UPDATE looked SET boot = 'another boot'", []).expect("written");
            digest
        };
        let path = place.path().join("blobs/sha256").join(digest.hex());
        damage(&path);
        for round in ["first", "second"] {
            let store = open(place.path());
            assert_eq!(store.has_blob(&digest), *stays, "{name}, {round} build after it");
            let sound: i64 = store
                .database()
                .query_row("SELECT count(*) FROM sound", [], |row| row.get(0))
                .expect("readable");
            assert_eq!(sound, i64::from(*stays), "{name}: looked at once");
        }
        assert_eq!(open(place.path()).put_blob(b"content").ok(), Some(digest), "{name}");
        assert_eq!(fs::read(&path).expect("a blob"), b"content", "{name}: made again");
    }
}

#[test]
fn a_damaged_blob_does_not_leave_the_store() {
    for (name, damage, is_whole) in BLOBS {
        let place = tempfile::tempdir().expect("a directory");
        let store = open(place.path());
        let digest = store.put_blob(b"content").expect("a blob");
        damage(&store.blob_path(&digest));
        for size in [None, Some(7)] {
            let mut read = vec![];
            let result = store.read_blob(&digest, size, |bytes| {
                read.extend_from_slice(bytes);
                Ok::<_, StoreError>(())
            });
            match result {
                Ok(()) => assert_eq!((*is_whole, &read[..]), (true, &b"content"[..]), "{name}"),
                Err(StoreError::Damaged { .. }) => assert!(!is_whole, "{name}"),
                Err(error) => unreachable!("{name}: {error}"),
            }
        }
        assert!(store.open_blob(&digest, Some(8)).is_err(), "{name}: its size is another");
        store.discard_blob(&digest).expect("removed");
        assert_eq!(store.put_blob(b"content").ok(), Some(digest), "{name}");
        assert!(store.read_blob(&digest, Some(7), |_| Ok::<_, StoreError>(())).is_ok(), "{name}");
    }
}

#[test]
fn what_lies_on_a_layer_that_is_gone_is_forgotten() {
    for (gone, left) in [(1, &[4_u8][..]), (2, &[1, 4]), (3, &[1, 2, 4])] {
        let place = tempfile::tempdir().expect("a directory");
        let layers = {
            let store = open(place.path());
            let one = result(&store, 1, None, "one");
            let two = result(&store, 2, Some(one), "two");
            let three = result(&store, 3, Some(two), "three");
            result(&store, 4, None, "four");
            [one, two, three].map(|layer| store.layer_chain(Some(layer)).expect("readable").remove(0).path)
        };
        fs::remove_dir_all(&layers[gone - 1]).expect("removed");
        let store = open(place.path());
        let found: Vec<u8> = [3, 1, 2, 4].into_iter().filter(|number| is_here(&store, *number)).collect();
        let mut found = found;
        found.sort_unstable();
        assert_eq!(found, left, "without layer {gone}");
        result(&store, 9, None, "nine");
        assert!(store.usage().is_ok());
    }
}

#[test]
fn a_store_of_an_earlier_layout_is_taken_over_and_a_later_one_refused() {
    let place = tempfile::tempdir().expect("a directory");
    {
        let store = open(place.path());
        result(&store, 1, None, "one");
        // What layout 2 did not have.
        let undo = "DROP INDEX layers_parent; DROP INDEX layers_boot; DROP INDEX results_layer;
            DROP INDEX links_identity; DROP INDEX chains_layer; DROP TABLE graves; DROP TABLE mounts; DROP TABLE downloads; DROP TABLE copies; DROP TABLE sound; DROP TABLE looked; ALTER TABLE links DROP COLUMN evicted;
            CREATE TABLE old AS SELECT id, parent, name, created FROM layers; DROP TABLE layers;
            ALTER TABLE old RENAME TO layers; PRAGMA user_version = 2";
        store.database().execute_batch(undo).expect("written");
    }
    let store = open(place.path());
    assert!(is_here(&store, 1));
    assert_eq!(store.usage().expect("readable").records[0].size % 512, 0);
    store.database().execute_batch("PRAGMA user_version = 99").expect("written");
    drop(store);
    assert!(matches!(Store::open(place.path(), 0, Owners::Real), Err(StoreError::Version { found: 99, .. })));
}

/// What was made on other layers is known by it: it is written as a whole, the same wherever it lies.
#[test]
fn layers_that_are_put_on_others_are_known() {
    let place = tempfile::tempdir().expect("a directory");
    let store = open(place.path());
    let base = result(&store, 1, None, "base");
    let apart = result(&store, 2, None, "apart");
    let above = result(&store, 3, Some(base), "above");
    let merged = store.merge(&[Some(base), Some(apart)]).expect("merged");
    let shared = |top| {
        let chain = store.layer_chain(top).expect("a chain");
        chain.iter().map(|layer| layer.is_shared).collect::<Vec<_>>()
    };
    assert_eq!(shared(merged), [true, false]);
    assert_eq!(shared(Some(above)), [false, false]);
    assert_eq!(shared(store.above(Some(base), Some(above)).expect("looked").expect("above")), [true]);
}
