//! The graphs of `tests/data/graphs` against BuildKit's, digest by digest.
//!
//! The recorded side is what BuildKit's own front end answers to `frontend.convertllb` (script `record` there), as of
//! August 2026; `NAME.v0.29.json` is what v0.29 answers, where that is something else.
//! BuildKit puts a random session id into local sources; it is taken from the recording.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use xx_build_frontend::dockerfile;
use xx_build_frontend::llb::json;
use xx_build_frontend::llb::validate::validate;
use xx_build_frontend::lower::{
    BuildConfig, ImageKey, ImageSource, LowerError, MainContext, NamedContext, NetworkMode, NoCache,
    ResolvedImage, ResolvedImages, Ulimit, lower,
};
use xx_build_frontend::source_text::SourceText;

/// How many recordings of v0.29 differ from those of today.
const V0_29: usize = 7;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/graphs")
}

/// Name, text and recording of each case.
pub(crate) fn cases() -> Vec<(String, String, Value)> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|e| Some(e.unwrap().file_name().to_str()?.strip_suffix(".Dockerfile")?.to_owned()))
        .collect();
    names.sort();
    let read =
        |name: &str| std::fs::read_to_string(folder().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    names
        .into_iter()
        .map(|name| {
            let recorded = serde_json::from_str(&read(&format!("{name}.json"))).unwrap();
            let text = read(&format!("{name}.Dockerfile"));
            (name, text, recorded)
        })
        .collect()
}

pub(crate) fn images() -> ResolvedImages {
    read_images(&folder().join("images.json"))
}

/// Recorded image configurations, by reference and by reference with digest.
pub(crate) fn read_images(file: &Path) -> ResolvedImages {
    let text = std::fs::read_to_string(file).unwrap();
    let list: Vec<BTreeMap<String, String>> = serde_json::from_str(&text).unwrap();
    list.iter()
        .flat_map(|image| {
            let platform = image["platform"].parse().unwrap();
            let digest = image["digest"].parse().unwrap();
            let pinned = format!("{}@{}", image["reference"], image["digest"]);
            [image["reference"].clone(), pinned].map(|reference| {
                let key = ImageKey {
                    source: ImageSource::Registry,
                    reference,
                    platform: std::clone::Clone::clone(&platform),
                };
                (key, ResolvedImage { digest, config: image["config"].clone().into_bytes() })
            })
        })
        .collect()
}

/// The settings that `# opt:` lines stand for.
fn config(name: &str, text: &str) -> BuildConfig {
    let mut config = BuildConfig::new("linux/amd64".parse().unwrap());
    config.dockerignore =
        std::fs::read_to_string(folder().join(format!("{name}.Dockerfile.dockerignore"))).ok();
    for line in text.lines().filter_map(|l| l.strip_prefix("# opt: ")) {
        let (key, value) = line.split_once('=').unwrap();
        match key.split_once(':') {
            Some(("build-arg", "BUILDKIT_CACHE_MOUNT_NS")) => config.cache_namespace = value.to_owned(),
            Some(("build-arg", "BUILDKIT_SANDBOX_HOSTNAME")) => config.hostname = value.to_owned(),
            Some(("build-arg", arg)) => drop(config.build_args.insert(arg.to_owned(), value.to_owned())),
            Some(("label", label)) => drop(config.labels.insert(label.to_owned(), value.to_owned())),
            Some(("context", name)) => drop(config.contexts.insert(name.to_owned(), context(value))),
            _ => option(&mut config, key, value),
        }
    }
    config
}

fn context(value: &str) -> NamedContext {
    match value.split_once(':').unwrap() {
        ("docker-image", image) => NamedContext::DockerImage(image.trim_start_matches("//").to_owned()),
        ("local", name) => NamedContext::Local { name: name.to_owned(), dockerignore: None },
        _ if xx_build_frontend::lower::is_git_url(value) => NamedContext::Git(value.to_owned()),
        _ => NamedContext::Http(value.to_owned()),
    }
}

fn option(config: &mut BuildConfig, key: &str, value: &str) {
    match key {
        "target" => config.target = Some(value.to_owned()),
        "no-cache" => config.no_cache = NoCache::Everything,
        // The case itself is the Dockerfile, whatever the context.
        "cmdline" | "dockerfilekey" => {}
        "context" if xx_build_frontend::lower::is_git_url(value) => {
            config.context = MainContext::Git(value.to_owned())
        }
        "context" => config.context = MainContext::Http { url: value.to_owned(), archive: true },
        "hostname" => config.hostname = value.to_owned(),
        "cgroup-parent" => config.cgroup_parent = value.to_owned(),
        "shm-size" => config.shm_size = value.parse().unwrap(),
        "force-network-mode" => config.network = NetworkMode::Host,
        "add-hosts" => {
            let pairs = value.split(',').map(|pair| pair.split_once('=').unwrap());
            config.add_hosts = pairs.map(|(host, ip)| (host.to_owned(), ip.parse().unwrap())).collect();
        }
        "ulimit" => {
            let limits = value.split(',').map(|limit| {
                let (name, values) = limit.split_once('=').unwrap();
                let (soft, hard) = values.split_once(':').unwrap_or((values, values));
                Ulimit { name: name.to_owned(), soft: soft.parse().unwrap(), hard: hard.parse().unwrap() }
            });
            config.ulimits = limits.collect();
        }
        _ => panic!("option {key} is not known to the test"),
    }
}

/// The session id in a recording.
fn session(recorded: &Value) -> Option<String> {
    let operations = recorded.as_object().unwrap().values();
    let mut ids = operations.filter_map(|op| op["source"]["attrs"]["local.session"].as_str());
    ids.next().map(str::to_owned)
}

#[test]
fn graphs_are_buildkits() {
    let images = images();
    let cases = cases();
    assert!(cases.len() >= 80, "only {} cases", cases.len());
    let wrong: Vec<String> = cases
        .into_iter()
        .filter_map(|(name, text, recorded)| match lowered(&name, text, &recorded, &images) {
            Ok(ours) => difference(&name, &ours, &recorded),
            Err(problem) => Some(format!("{name}: {problem}")),
        })
        .collect();
    assert!(wrong.is_empty(), "{} graphs differ\n{}", wrong.len(), wrong.join("\n"));
}

/// The second column says what has changed since v0.29, and nothing else.
#[test]
fn graphs_of_v0_29_differ() {
    let images = images();
    let mut count = 0;
    for (name, text, _) in cases() {
        let Ok(before) = std::fs::read_to_string(folder().join(format!("{name}.v0.29.json"))) else {
            continue;
        };
        let before: Value = serde_json::from_str(&before).unwrap();
        if before.get("refused").is_none() {
            let ours = lowered(&name, text, &before, &images).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(difference(&name, &ours, &before).is_some(), "{name}: the same as in v0.29");
        }
        count += 1;
    }
    assert_eq!(count, V0_29, "recordings of v0.29");
}

/// The graph as JSON by digest, with the session id of the recording.
fn lowered(name: &str, text: String, recorded: &Value, images: &ResolvedImages) -> Result<Value, String> {
    let mut config = config(name, &text);
    config.local_session = session(recorded);
    let source = SourceText::new(format!("{name}.Dockerfile"), text);
    let file = dockerfile::parse(&source).map_err(|problems| {
        let shown: Vec<String> = problems.iter().map(|p| p.render(&source, false)).collect();
        shown.join("\n")
    })?;
    let lowered = lower(&file, &config, images).map_err(|error| match error {
        LowerError::Invalid(problem) => problem.render(&source, false),
        LowerError::MissingImages(requests) => format!("needs {requests:?}"),
    })?;
    let definition = &lowered.targets[0].definition;
    validate(definition).map_err(|refused| format!("refused as input: {refused}"))?;
    Ok(json::definition(definition).unwrap()["def"].take())
}

/// Both sides' operations that the other does not have.
fn difference(name: &str, ours: &Value, theirs: &Value) -> Option<String> {
    let keys = |v: &Value| v.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let (ours_keys, theirs_keys) = (keys(ours), keys(theirs));
    if ours_keys == theirs_keys {
        return None;
    }
    let only = |all: &Value, a: &BTreeSet<String>, b: &BTreeSet<String>| {
        a.difference(b).map(|k| format!("    {}", without_inputs(&all[k]))).collect::<BTreeSet<_>>()
    };
    let (left, right) = (only(ours, &ours_keys, &theirs_keys), only(theirs, &theirs_keys, &ours_keys));
    let lines = |set: Vec<&String>| set.into_iter().cloned().collect::<Vec<_>>().join("\n");
    Some(format!(
        "{name}:\n  only ours:\n{}\n  only BuildKit's:\n{}",
        lines(left.difference(&right).collect()),
        lines(right.difference(&left).collect()),
    ))
}

/// An operation without the digests that only differ because something below differs.
fn without_inputs(op: &Value) -> Value {
    let mut op = op.clone();
    for input in op["inputs"].as_array_mut().into_iter().flatten() {
        input["digest"] = "...".into();
    }
    if let Some(map) = op.as_object_mut() {
        map.sort_keys();
    }
    op
}
