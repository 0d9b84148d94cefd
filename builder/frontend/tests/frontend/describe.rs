//! `--call=targets`, `--call=outline` and the syntax tree as S-expressions.

use serde_json::json;
use xx_build_frontend::dockerfile::{self, Dockerfile, sexpr};
use xx_build_frontend::lower::BuildConfig;
use xx_build_frontend::lower::outline::{outline, targets};
use xx_build_frontend::source_text::SourceText;

fn parse(text: &str) -> Dockerfile {
    dockerfile::parse(&SourceText::new("Dockerfile", text)).unwrap()
}

const FILE: &str = "\
ARG UNUSED=0
# TAG version of the base
ARG TAG=1
ARG BASE=debian:$TAG
# tools compilers
FROM $BASE AS tools
RUN --mount=type=secret,id=token,required x
FROM scratch AS unused
ARG NOT=1
FROM --platform=$BUILDPLATFORM tools AS build
# MODE how to build
ARG MODE=release TARGETARCH
ARG TAG
RUN --mount=type=ssh make
";

#[test]
fn targets_and_outline() {
    let file = parse(FILE);
    let list = targets(&file)["targets"].clone();
    let expected = json!([
        {"description": "compilers", "name": "tools", "base": "$BASE",
         "location": {"ranges": [{"start": {"line": 6}, "end": {"line": 6}}]}},
        {"name": "unused", "base": "scratch", "location": {"ranges": [{"start": {"line": 8}, "end": {"line": 8}}]}},
        {"name": "build", "default": true, "base": "tools", "platform": "$BUILDPLATFORM",
         "location": {"ranges": [{"start": {"line": 10}, "end": {"line": 10}}]}},
    ]);
    assert_eq!(list, expected);

    let config = BuildConfig::new("linux/amd64".parse().unwrap());
    let outline = outline(&file, &config).unwrap();
    let names = |key: &str| {
        let list = outline[key].as_array().unwrap().iter();
        list.map(|a| format!("{}={}", a["name"].as_str().unwrap(), a["value"].as_str().unwrap_or("-")))
            .collect::<Vec<_>>()
    };
    assert_eq!(names("args"), ["TAG=1", "BASE=debian:1", "MODE=release"]);
    assert_eq!(outline["args"][0]["description"], "version of the base");
    assert_eq!(outline["args"][2]["description"], "how to build");
    assert_eq!(names("secrets"), ["token=-"]);
    assert_eq!(outline["secrets"][0]["required"], true);
    assert_eq!(names("ssh"), ["default=-"]);
    assert_eq!(outline["name"], "build");
}

/// Values as the build sees them, as far as no image is needed for that.
#[test]
fn values_of_an_outline_are_expanded() {
    let file = parse(
        "FROM scratch AS a\nARG V=1 W=\"q q\"\nENV E=e$V\nFROM a\nARG U=${V}/$E/$NONE I=id\n\
         RUN --mount=type=secret,id=$I-$V [\"x\"]\nFROM debian\nARG O=$OF_BASE/${P:-d}\nCOPY --from=1 / /\n",
    );
    let mut config = BuildConfig::new("linux/amd64".parse().unwrap());
    let value = |config: &BuildConfig, index: usize| {
        outline(&file, config).unwrap()["args"][index]["value"].as_str().unwrap().to_owned()
    };
    let values: Vec<String> = (0..5).map(|index| value(&config, index)).collect();
    assert_eq!(values, ["1", "q q", "id", "1/e1/", "$OF_BASE/${P:-d}"]);
    assert_eq!(outline(&file, &config).unwrap()["secrets"][0]["name"], "id-1");
    let twice = parse("ARG A=0\nARG B=0\nFROM scratch\nARG A=1\nARG A=2\nARG B\nARG B\n");
    let shown = outline(&twice, &config).unwrap()["args"].clone();
    let shown: Vec<_> =
        shown.as_array().unwrap().iter().map(|a| format!("{}={}", a["name"], a["value"])).collect();
    assert_eq!(shown, ["\"B\"=\"0\"", "\"A\"=\"2\""], "one of each name, the later one");
    config.build_args.insert("V".into(), "2".into());
    assert_eq!((value(&config, 0), value(&config, 3)), ("2".into(), "2/e2/".into()));
}

#[test]
fn s_expressions() {
    let cases = [
        ("FROM debian AS b", "(from \"debian\" \"AS\" \"b\")"),
        ("from --platform=linux/arm64 debian", "(from [\"--platform=linux/arm64\"] \"debian\")"),
        ("RUN [\"a\", \"b c\"]", "(run \"a\" \"b c\")"),
        ("RUN a  && b \\\n  c", "(run \"a  && b   c\")"),
        ("ENV A=1 B=\"two words\"", "(env \"A\" \"1\" \"=\" \"B\" \"\\\"two words\\\"\" \"=\")"),
        ("ENV A b c", "(env \"A\" \"b c\" \"\")"),
        ("LABEL a=b", "(label \"a\" \"b\" \"=\")"),
        ("ARG A=1 B", "(arg \"A=1\" \"B\")"),
        ("COPY --from=x --chown=1 a\tb  /c", "(copy [\"--from=x\" \"--chown=1\"] \"a\" \"b\" \"/c\")"),
        ("ONBUILD RUN [\"x\"]", "(onbuild (run \"x\"))"),
        ("ONBUILD COPY a b", "(onbuild (copy \"a\" \"b\"))"),
        ("HEALTHCHECK --retries=2 CMD a b", "(healthcheck [\"--retries=2\"] \"CMD\" \"a b\")"),
        ("HEALTHCHECK NONE", "(healthcheck \"NONE\")"),
        ("EXPOSE 80 443/tcp", "(expose \"80\" \"443/tcp\")"),
        ("VOLUME [\"/a b\"]", "(volume \"/a b\")"),
        ("CMD echo \"x\\t\"", "(cmd \"echo \\\"x\\\\t\\\"\")"),
        ("SHELL [\"a\"]", "(shell \"a\")"),
        ("USER a b", "(user \"a b\")"),
        ("WORKDIR /a b", "(workdir \"/a b\")"),
        ("STOPSIGNAL 9", "(stopsignal \"9\")"),
        ("MAINTAINER M <m@x>", "(maintainer \"M <m@x>\")"),
        ("ADD a b", "(add \"a\" \"b\")"),
        ("ENTRYPOINT a", "(entrypoint \"a\")"),
        ("RUN <<E\nx\nE", "(run \"<<E\")"),
    ];
    // The parser of BuildKit looks at the form alone; so does the dump.
    let meaningless = [
        ("CMD []", "(cmd)"),
        ("CMD", "(cmd)"),
        ("HEALTHCHECK", "(healthcheck)"),
        ("ONBUILD", "(onbuild)"),
        ("ENV", "(env)"),
        ("COPY --user=me a b", "(copy [\"--user=me\"] \"a\" \"b\")"),
        ("COPY a", "(copy \"a\")"),
        ("CMD ['a']", "(cmd \"['a']\")"),
        ("FROM a b", "(from \"a\" \"b\")"),
        ("No such thing", "(no \"\")"),
        ("ONBUILD x y", "(onbuild (x \"\"))"),
    ];
    for (text, expected) in cases.into_iter().chain(meaningless) {
        let nodes = dockerfile::syntax(&SourceText::new("Dockerfile", text)).unwrap();
        assert_eq!(sexpr::dump(&nodes), format!("{expected}\n"), "{text}");
    }
    for text in ["", "# only\n", "ENV A", "CMD [[]]", "# escape=x\nFROM a\n"] {
        assert!(dockerfile::syntax(&SourceText::new("Dockerfile", text)).is_err(), "{text}");
    }
}
