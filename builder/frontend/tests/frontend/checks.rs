//! Every check has a page, and the page's examples do what it says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use xx_build_frontend::dockerfile;
use xx_build_frontend::lint::{Base, Context, RULES, check, json};
use xx_build_frontend::lower::{BuildConfig, lower};
use xx_build_frontend::source_text::SourceText;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/checks")
}

fn findings(text: &str, options: &str) -> Vec<String> {
    let source = SourceText::new("Dockerfile", text);
    let file = dockerfile::parse(&source).unwrap_or_else(|p| panic!("{}", p[0].render(&source, false)));
    let mut context = Context::new("linux/amd64".parse().unwrap());
    for option in options.split_whitespace() {
        match option.split_once('=').unwrap() {
            ("dockerignore", pattern) => context.dockerignore = Some(pattern.to_owned()),
            ("platform", platform) => context.target_platforms.push(platform.parse().unwrap()),
            ("base", platform) => {
                let platforms = vec![("linux/amd64".parse().unwrap(), platform.parse().unwrap())];
                let base = Base { platforms, ..Base::default() };
                context.bases.insert(0, base);
            }
            ("shell", _) => drop(context.bases.insert(0, Base { shell: true, ..Base::default() })),
            (key, _) => panic!("option {key}"),
        }
    }
    let report = check(&file, &context).unwrap();
    report.warnings.iter().map(|w| format!("{}:{}", w.code.unwrap(), source.line(w.span.start))).collect()
}

/// Kind, options and text of each example of a page.
fn examples(page: &str) -> Vec<(String, String, String)> {
    let mut out = Vec::new();
    for block in page.split("```dockerfile ").skip(1) {
        let (head, rest) = block.split_once('\n').unwrap();
        let (kind, options) = head.split_once(' ').unwrap_or((head, ""));
        out.push((kind.to_owned(), options.to_owned(), rest.split("```").next().unwrap().to_owned()));
    }
    out
}

#[test]
fn pages_show_their_rule() {
    let index = std::fs::read_to_string(docs().join("README.md")).unwrap();
    for rule in &RULES {
        let page = std::fs::read_to_string(docs().join(format!("{}.md", rule.page)))
            .unwrap_or_else(|_| panic!("{}", rule.name));
        assert!(page.starts_with(&format!("# {}\n\n{}.\n", rule.name, rule.why)), "{}", rule.name);
        assert!(
            index.contains(&format!("[{}]({}.md) | {}.", rule.name, rule.page, rule.why)),
            "{} not in the list",
            rule.name
        );
        let examples = examples(&page);
        let kinds: Vec<&str> = examples.iter().map(|(kind, ..)| kind.as_str()).collect();
        assert!(kinds.contains(&"bad") && kinds.contains(&"good"), "{}", rule.name);
        for (kind, options, text) in examples {
            let found = findings(&text, &options);
            let hit = found.iter().any(|f| f.starts_with(&format!("{}:", rule.name)));
            assert_eq!(hit, kind == "bad", "{} {kind}: {found:?}\n{text}", rule.name);
            if kind == "good" {
                assert_eq!(
                    found,
                    Vec::<String>::new(),
                    "{}: the good example has another fault\n{text}",
                    rule.name
                );
            }
        }
    }
    assert!(RULES.is_sorted_by_key(|r| r.name));
}

#[test]
fn places_and_switches() {
    let cases: [(&str, &[&str]); 12] = [
        (
            "FROM debian as A\nrun x\n",
            &["FromAsCasing:1", "StageNameCasing:1", "ConsistentInstructionCasing:2"],
        ),
        ("# check=skip=all\nFROM debian as A\n", &[]),
        ("# check=skip=FromAsCasing\nFROM debian as A\n", &["StageNameCasing:2"]),
        ("FROM debian\n# check=skip=LegacyKeyValueFormat\nENV A b\nENV C d\n", &["LegacyKeyValueFormat:4"]),
        ("FROM debian\n# check=skip=JSONArgsRecommended\n# more\nCMD x\n", &[]),
        ("FROM debian\nCMD a\nFROM debian\nSHELL [\"x\"]\nCMD a\n", &["JSONArgsRecommended:2"]),
        ("FROM debian\nENTRYPOINT [\"a\"]\nENTRYPOINT [\"b\"]\n", &["MultipleInstructionsDisallowed:2"]),
        ("FROM scratch\nENV A=$B\nARG B\nENV C=$B\n", &["UndefinedVar:2"]),
        ("FROM debian\nENV A=$JAVA_HOME P=$PAHT\n", &["UndefinedVar:2"]),
        ("FROM scratch AS a\nENV X=1\nFROM a\nCOPY $X $Y\n", &["UndefinedVar:4"]),
        ("FROM scratch\nCOPY <<A /x\n$NO\nA\nCOPY <<'B' /y\n$NO\nB\n", &["UndefinedVar:2"]),
        (
            "FROM scratch\nARG PUBLIC_KEY SSH_KEY_FILE key\nENV MY_AUTH=x\n",
            &["SecretsUsedInArgOrEnv:2", "SecretsUsedInArgOrEnv:3"],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(findings(text, ""), expected, "{text}");
    }
}

/// Conditions of BuildKit's that a look at the bare text would miss.
#[test]
fn words_are_looked_at_as_the_build_sees_them() {
    let cases: [(&str, &str, &[&str]); 16] = [
        ("FROM scratch\nARG P=80/TCP\nEXPOSE $P\n", "", &["ExposeProtoCasing:3"]),
        (
            "FROM scratch\nEXPOSE 127.0.0.1:80:80 81:81 :82 83\n",
            "",
            &["ExposeInvalidFormat:2", "ExposeInvalidFormat:2"],
        ),
        ("FROM scratch\nARG D=rel\nWORKDIR $D\nWORKDIR more\n", "", &["WorkdirRelativePath:3"]),
        ("FROM scratch\nARG D=/abs\nWORKDIR $D\nWORKDIR more\n", "", &[]),
        ("FROM scratch\nWORKDIR \"/abs\"\n", "", &[]),
        ("FROM scratch AS a\nWORKDIR /abs\nFROM a\nWORKDIR more\n", "", &[]),
        ("FROM debian\nWORKDIR $OF_BASE/x\n", "", &[]),
        ("FROM scratch\nARG A=1 B=$A C=$B\n", "", &[]),
        ("FROM scratch\nARG BUILDKIT_SBOM_SCAN_STAGE=true\nENV A=$BUILDKIT_SBOM_SCAN_CONTEXT\n", "", &[]),
        ("FROM --platform=${TARGETPLATFORM:-x} debian\n", "", &["RedundantTargetPlatform:1"]),
        ("FROM --platform=$TARGETOS/$TARGETARCH debian\n", "", &[]),
        ("ARG X\nFROM --platform=${X:-linux/amd64} debian\n", "", &[]),
        ("FROM scratch\nARG X=secret\nCOPY $X/a /\n", "dockerignore=secret", &["CopyIgnoredFile:3"]),
        ("FROM scratch\nCOPY . /\nCOPY --from=0 x /\nADD https://h/x /\n", "dockerignore=x", &[]),
        ("FROM debian\nCMD a\n", "shell=/bin/bash", &[]),
        ("ARG V\nFROM debian:$V\n", "", &["InvalidDefaultArgInFrom:2"]),
    ];
    for (text, options, expected) in cases {
        assert_eq!(findings(text, options), expected, "{text}");
    }
}

#[test]
fn findings_as_json_and_as_failure() {
    let source = SourceText::new("Dockerfile", "# check=error=true\nFROM debian\nCMD x\n");
    let file = dockerfile::parse(&source).unwrap();
    let mut context = Context::new("linux/amd64".parse().unwrap());
    let report = check(&file, &context).unwrap();
    assert_eq!(report.failed, BTreeSet::from(["JSONArgsRecommended"]));
    let value = json::report(&source, &report, None);
    assert_eq!(value["warnings"][0]["ruleName"], "JSONArgsRecommended");
    assert_eq!(value["warnings"][0]["location"]["ranges"][0]["start"]["line"], 3);
    assert_eq!(value["warnings"][0]["url"], "docs/checks/json-args-recommended.md");
    context.control = Some("skip=all".into());
    assert!(check(&file, &context).unwrap().failed.is_empty());
    context.control = Some("nonsense".into());
    assert!(check(&file, &context).is_err());
}

/// Which findings stop a build that asks for it, when the first of two stages is the target: those that stop BuildKit.
#[test]
fn findings_that_stop_a_build() {
    let cases: [(&str, &str); 12] = [
        ("FROM scratch AS a\nCMD x\nFROM scratch\n", "JSONArgsRecommended"),
        ("FROM scratch AS a\nFROM scratch\nCMD x\n", ""),
        ("FROM scratch AS a\nFROM scratch\nENV KEY=x\nEXPOSE 80/TCP\nWORKDIR x\nENV a b\nCOPY $no /\n", ""),
        ("FROM scratch AS a\nFROM scratch as b\n", "FromAsCasing"),
        ("FROM scratch AS a\nFROM scratch AS Bc\n", "StageNameCasing"),
        ("FROM scratch AS a\nFROM scratch AS context\n", "ReservedStageName"),
        ("FROM scratch AS a\nFROM scratch\nMAINTAINER x\n", "MaintainerDeprecated"),
        ("FROM scratch AS a\nFROM scratch\ncopy x /\nCOPY y /\n", "ConsistentInstructionCasing"),
        ("FROM scratch AS a\nFROM --platform=linux/amd64 scratch\n", "FromPlatformFlagConstDisallowed"),
        ("FROM scratch AS a\nFROM --platform=$TARGETPLATFORM scratch\n", "RedundantTargetPlatform"),
        ("FROM scratch AS a\nFROM scratch AS b\nFROM scratch AS b\n", "DuplicateStageName"),
        // Ours alone, in the target's stage.
        (
            "FROM --platform=$BUILDPLATFORM debian AS a\nARG TARGETARCH\nRUN x\nRUN wget https://h/x-amd64.tar\n",
            "",
        ),
    ];
    for (text, expected) in cases {
        let file =
            dockerfile::parse(&SourceText::new("Dockerfile", format!("# check=error=true\n{text}").as_str()))
                .unwrap();
        let mut context = Context::new("linux/amd64".parse().unwrap());
        context.target_platforms = vec!["linux/arm64".parse().unwrap()];
        context.stages = Some([0].into());
        let report = check(&file, &context).unwrap();
        assert!(!report.warnings.is_empty(), "{text}");
        assert_eq!(report.failed.into_iter().collect::<Vec<_>>().join(" "), expected, "{text}");
    }
}

/// What .dockerignore holds, a source, and whether nothing of that is left.
#[test]
fn ignored_sources() {
    let cases = [
        ("*.log\n!nowhere/x", "app.log", true),
        ("*.log\n!app.log", "app.log", false),
        ("src\n!src/keep", "src", false),
        ("src\n!src/keep", "src/keep", false),
        ("src\n!src/keep", "src/a", true),
        ("src\n!other", "src", true),
        ("*\n!**/*.go", "src", false),
        ("*.log\n!keep.log", "*.log", false),
        ("*.log", "*.log", true),
        ("*", ".", true),
        ("**/*", ".", true),
        ("**/*.log", ".", false),
        (".git", "/", false),
        ("*\n!src", ".", false),
    ];
    for (ignore, source, expected) in cases {
        let text = format!("FROM scratch\nCOPY {source} /x/\n");
        let file = dockerfile::parse(&SourceText::new("Dockerfile", text.as_str())).unwrap();
        let mut context = Context::new("linux/amd64".parse().unwrap());
        context.dockerignore = Some(ignore.to_owned());
        let found = !check(&file, &context).unwrap().warnings.is_empty();
        assert_eq!(found, expected, "{ignore:?}: {source}");
    }
}

/// What BuildKit's own checks find in `tests/data/checks` (script `record` there), rule by rule and line by line.
#[test]
fn findings_are_buildkits() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/checks");
    let ours_alone = ["EmulatedRun", "HardcodedArch", "TargetArgTooEarly"];
    let images = super::graphs::images();
    let mut wrong = Vec::new();
    let mut rules = BTreeSet::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "Dockerfile") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let recorded = std::fs::read_to_string(path.with_extension("json")).unwrap();
        let recorded: Vec<String> = serde_json::from_str(&recorded).unwrap();
        let mut config = BuildConfig::new("linux/amd64".parse().unwrap());
        config.dockerignore = std::fs::read_to_string(path.with_extension("Dockerfile.dockerignore")).ok();
        for option in text.lines().filter_map(|line| line.strip_prefix("# opt: build-arg:")) {
            let (name, value) = option.split_once('=').unwrap();
            config.build_args.insert(name.to_owned(), value.to_owned());
        }
        let source = SourceText::new("Dockerfile", text.as_str());
        let file = dockerfile::parse(&source).unwrap_or_else(|p| panic!("{}", p[0].render(&source, false)));
        let lowered = lower(&file, &config, &images);
        let mut context = Context::new(config.build_platform.clone());
        context.bases = lowered.map(|mut lowered| lowered.targets.remove(0).bases).unwrap_or_default();
        context.control = config.build_args.get("BUILDKIT_DOCKERFILE_CHECK").cloned();
        context.build_args = config.build_args;
        context.dockerignore = config.dockerignore;
        let report = check(&file, &context).unwrap();
        let found = report.warnings.iter().filter(|w| w.code.is_some_and(|c| !ours_alone.contains(&c)));
        let found = found.map(|w| format!("{}:{}", w.code.unwrap(), source.line(w.span.start)));
        // BuildKit shows an empty continuation at the last line of the instruction, this program at the empty one.
        let place = |finding: String| match finding.split_once(':') {
            Some((rule @ "NoEmptyContinuation", _)) => rule.to_owned(),
            _ => finding,
        };
        let found: BTreeSet<String> = found.map(place).collect();
        let recorded: BTreeSet<String> = recorded.into_iter().map(place).collect();
        rules.extend(recorded.iter().filter_map(|k| Some(k.split(':').next()?.to_owned())));
        let name = path.file_stem().unwrap().to_string_lossy();
        let alone = [found.difference(&recorded), recorded.difference(&found)].map(|d| d.collect::<Vec<_>>());
        if alone.iter().any(|list| !list.is_empty()) {
            wrong.push(format!("{name}: only ours, only BuildKit's: {alone:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // An image for another platform than asked for cannot be recorded with the images at hand.
    let theirs =
        RULES.iter().map(|r| r.name).filter(|n| !ours_alone.contains(n) && *n != "InvalidBaseImagePlatform");
    let missing: Vec<&str> = theirs.filter(|name| !rules.contains(*name)).collect();
    assert!(missing.is_empty(), "no recorded case has {missing:?}");
}
