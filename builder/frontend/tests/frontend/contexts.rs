//! Named contexts and images that are asked for: what BuildKit cannot be asked to record.

use std::collections::BTreeMap;

use xx_build_frontend::dockerfile::{self, Dockerfile};
use xx_build_frontend::llb::pb::op::Op as Kind;
use xx_build_frontend::llb::{pb, wire};
use xx_build_frontend::lower::{
    BuildConfig, ImageKey, ImageSource, LowerError, MainContext, NamedContext, ResolvedImage, ResolvedImages,
    epoch_sources, lower,
};
use xx_build_frontend::oci::digest::Digest;
use xx_build_frontend::source_text::SourceText;

fn parse(text: &str) -> Dockerfile {
    dockerfile::parse(&SourceText::new("Dockerfile", text)).unwrap()
}

fn config(name: &str, context: NamedContext) -> BuildConfig {
    let mut config = BuildConfig::new("linux/amd64".parse().unwrap());
    config.contexts.insert(name.to_owned(), context);
    config
}

/// Identifier and attributes of every source operation.
fn sources(definition: &pb::Definition) -> BTreeMap<String, BTreeMap<String, String>> {
    let ops = definition.def.iter().map(|bytes| wire::decode_op(bytes).unwrap().op);
    ops.filter_map(|op| match op {
        Some(Kind::Source(source)) => Some((source.identifier, source.attrs)),
        _ => None,
    })
    .collect()
}

#[test]
fn images_are_asked_for_then_used() {
    let file = parse(
        "FROM debian AS a\nRUN x\nFROM --platform=linux/arm64 debian:12\nCOPY --from=a / /\nCOPY --from=busybox / /\n",
    );
    let mut config = BuildConfig::new("linux/amd64".parse().unwrap());
    config.target_platforms = ["linux/amd64", "linux/s390x"].map(|p| p.parse().unwrap()).to_vec();
    let Err(LowerError::MissingImages(requests)) = lower(&file, &config, &[].into()) else {
        panic!("asks for nothing")
    };
    let asked: Vec<String> =
        requests.iter().map(|r| format!("{} {} {}", r.name, r.key.reference, r.key.platform)).collect();
    assert_eq!(
        asked,
        [
            "debian docker.io/library/debian:latest linux/amd64",
            "debian:12 docker.io/library/debian:12 linux/arm64",
            "busybox docker.io/library/busybox:latest linux/amd64",
            "debian docker.io/library/debian:latest linux/s390x",
            "busybox docker.io/library/busybox:latest linux/s390x",
        ]
    );
    let layer = Digest::of(b"layer");
    let image = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{layer}"]}}}}"#
    );
    let answer = |r: &xx_build_frontend::lower::ImageRequest| {
        (r.key.clone(), ResolvedImage { digest: Digest::of(b"index"), config: image.clone().into_bytes() })
    };
    let answers: ResolvedImages = requests.iter().map(answer).collect();
    assert_eq!(lower(&file, &config, &answers).unwrap().targets.len(), 2);
}

#[test]
fn an_oci_layout_takes_the_place_of_an_image() {
    let file = parse("FROM debian\nRUN x\n");
    let config = config("debian", NamedContext::OciLayout { store: "base".into(), reference: None });
    let Err(LowerError::MissingImages(requests)) = lower(&file, &config, &[].into()) else {
        panic!("asks for nothing")
    };
    let key = ImageKey {
        source: ImageSource::OciLayout { store: "base".into() },
        reference: String::new(),
        platform: "linux/amd64".parse().unwrap(),
    };
    assert_eq!(requests[0].key, key);
    let digest = Digest::of(b"manifest");
    let image = br#"{"architecture":"amd64","os":"linux","config":{"Env":["A=1"],"WorkingDir":"/w"},"rootfs":{"type":"layers","diff_ids":[]}}"#;
    let answers = [(key, ResolvedImage { digest, config: image.to_vec() })].into();
    let target = lower(&file, &config, &answers).unwrap().targets.remove(0);
    let expected = BTreeMap::from([(
        format!("oci-layout://docker.io/library/debian@{digest}"),
        BTreeMap::from([("oci.store".to_owned(), "base".to_owned())]),
    )]);
    assert_eq!(sources(&target.definition), expected);
    assert_eq!(target.image.config.env[0], "A=1");
    assert_eq!(target.image.config.working_dir, "/w");
}

#[test]
fn another_definition_keeps_its_bytes() {
    let inner = parse("FROM scratch\nCOPY a b\nRUN make\n");
    let plain = BuildConfig::new("linux/amd64".parse().unwrap());
    let inner = lower(&inner, &plain, &[].into()).unwrap().targets.remove(0);
    let image = inner.image.to_bytes().unwrap();
    let context = NamedContext::Definition { definition: inner.definition.clone(), image: Some(image) };
    let file = parse("FROM scratch\nCOPY --from=other /b /c\n");
    let target = lower(&file, &config("other", context), &[].into()).unwrap().targets.remove(0);
    let operations = |d: &pb::Definition| d.def.iter().map(|b| Digest::of(b)).collect::<Vec<_>>();
    let (all, below) = (operations(&target.definition), operations(&inner.definition));
    assert!(below[..below.len() - 1].iter().all(|digest| all.contains(digest)), "an operation has new bytes");
}

#[test]
fn files_and_directories_as_contexts() {
    let file = parse("FROM scratch\nCOPY --from=src sub/a /b\n");
    let local = NamedContext::Local { name: "extra".into(), dockerignore: Some("*.o\n".into()) };
    let target = lower(&file, &config("src", local), &[].into()).unwrap().targets.remove(0);
    let attrs = &sources(&target.definition)["local://extra"];
    assert_eq!(attrs["local.excludepatterns"], r#"["*.o"]"#);
    assert_eq!(attrs["local.followpaths"], r#"["sub/a"]"#);
    assert!(!attrs.contains_key("local.session") && !attrs.contains_key("local.unique"));
    let http = NamedContext::Http("https://example.com/x.txt".into());
    let target = lower(&file, &config("src", http), &[].into()).unwrap().targets.remove(0);
    assert_eq!(sources(&target.definition)["https://example.com/x.txt"]["http.filename"], "context");
}

#[test]
fn remote_main_contexts() {
    let file = parse("FROM scratch\nCOPY a /b\n");
    let source = |context: MainContext, arguments: &[(&str, &str)]| {
        let mut config = BuildConfig::new("linux/amd64".parse().unwrap());
        config.context = context;
        config.build_args = arguments.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let target = lower(&file, &config, &[].into()).unwrap().targets.remove(0);
        sources(&target.definition).pop_first().unwrap()
    };
    let git = || MainContext::Git("https://example.com/r.git#v1:dir".into());
    let (identifier, attrs) = source(git(), &[]);
    assert_eq!(identifier, "git://example.com/r.git#v1:dir");
    assert!(!attrs.contains_key("git.keepgitdir") && !attrs.contains_key("git.mtime"));
    let (_, attrs) = source(git(), &[("BUILDKIT_CONTEXT_KEEP_GIT_DIR", "1"), ("SOURCE_DATE_EPOCH", "5")]);
    assert_eq!((attrs["git.keepgitdir"].as_str(), attrs["git.mtime"].as_str()), ("true", "commit"));
    // Without a value the argument is not set.
    let (_, attrs) = source(git(), &[("SOURCE_DATE_EPOCH", "")]);
    assert!(!attrs.contains_key("git.mtime"));
    let http = MainContext::Http { url: "https://example.com/c.tar".into(), archive: true };
    let (identifier, attrs) = source(http, &[]);
    assert_eq!(
        (identifier.as_str(), attrs["http.filename"].as_str()),
        ("https://example.com/c.tar", "context")
    );
}

/// What `SOURCE_DATE_EPOCH` is looked up in, and what becomes of the answer.
#[test]
fn times_of_sources() {
    let stage =
        "FROM scratch AS Src\nARG V=1\nADD https://h/$V.tar /\nFROM base\nARG SOURCE_DATE_EPOCH\nRUN x\n";
    let git = || MainContext::Git("https://h/r.git#v1".into());
    let http = || MainContext::Http { url: "https://h/c.tar".into(), archive: true };
    let cases = [
        ("5", git(), None),
        ("", git(), None),
        ("context", MainContext::Local, None),
        ("context", git(), Some(("git://h/r.git#v1", "git.mtime", "commit"))),
        ("context", http(), Some(("https://h/c.tar", "http.filename", "context"))),
        ("other", git(), Some(("git://h/o.git", "git.fullurl", "https://h/o.git"))),
        ("file", git(), Some(("https://h/f", "http.filename", "context"))),
        ("folder", git(), None),
        ("src", git(), Some(("https://h/2.tar", "http.filename", "2.tar"))),
    ];
    for (value, context, expected) in cases {
        let mut config = config("other", NamedContext::Git("https://h/o.git".into()));
        config.contexts.insert("file".into(), NamedContext::Http("https://h/f".into()));
        let folder = NamedContext::Local { name: "folder".into(), dockerignore: None };
        config.contexts.insert("folder".into(), folder);
        config.contexts.insert("base".into(), NamedContext::Http("https://h/base".into()));
        config.context = context;
        config.build_args =
            [("V", "2"), ("SOURCE_DATE_EPOCH", value)].map(|(k, v)| (k.into(), v.into())).into();
        config.target_platforms = ["linux/amd64", "linux/arm64"].map(|p| p.parse().unwrap()).to_vec();
        let file = parse(stage);
        let sources = epoch_sources(&file, &config).unwrap();
        let found = sources.first().map(|s| s.identifier.as_str());
        assert_eq!((sources.len(), found), (expected.iter().len(), expected.map(|e| e.0)), "{value}");
        if let (Some(source), Some((_, name, expected))) = (sources.first(), expected) {
            assert_eq!(source.attrs[name], expected, "{value}");
        }
        for time in [None, Some(1_700_000_000)] {
            config.source_times = sources.iter().map(|source| (source.clone(), time)).collect();
            let target = lower(&file, &config, &[].into()).unwrap().targets.remove(0);
            let number = value.parse().ok().or(expected.and(time));
            assert_eq!(target.epoch, number, "{value} {time:?}");
            let ops = target.definition.def.iter().map(|bytes| wire::decode_op(bytes).unwrap().op);
            let env = ops.filter_map(|op| match op {
                Some(Kind::Exec(exec)) => Some(exec.meta.unwrap().env),
                _ => None,
            });
            let set: Vec<String> = env.flatten().filter(|v| v.starts_with("SOURCE_DATE_EPOCH")).collect();
            let expected: Vec<String> = number.iter().map(|n| format!("SOURCE_DATE_EPOCH={n}")).collect();
            assert_eq!(set, expected, "{value} {time:?}");
        }
    }
}
