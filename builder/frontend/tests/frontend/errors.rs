//! Wrong Dockerfiles: what is said, where, and the next step. Each error class has a row.

use xx_build_frontend::dockerfile::{self, Diagnostic};
use xx_build_frontend::lower::{BuildConfig, LowerError, NamedContext, lower};
use xx_build_frontend::source_text::SourceText;

/// `line:column message | hint` of every problem; a file without any is lowered, too.
fn problems(text: &str) -> Vec<String> {
    let source = SourceText::new("Dockerfile", text);
    let shown = |d: &Diagnostic| {
        assert!(d.render(&source, false).contains(&d.place(&source)), "no place in the picture of {d:?}");
        format!("{} {} | {}", source.place(d.span.start), d.message, d.hint.as_deref().unwrap_or("-"))
    };
    let file = match dockerfile::parse(&source) {
        Ok(file) => file,
        Err(problems) => return problems.iter().map(shown).collect(),
    };
    let config = BuildConfig::new("linux/amd64".parse().unwrap());
    match lower(&file, &config, &[].into()) {
        Err(LowerError::Invalid(problem)) => vec![shown(&problem)],
        Err(LowerError::MissingImages(_)) | Ok(_) => Vec::new(),
    }
}

/// A text and the beginning of what is said about it.
const ERRORS: &[(&str, &str)] = &[
    ("", "1:1 there are no instructions in the file | begin with `FROM image` or `FROM scratch`"),
    (
        "# only\n\n# comments\n",
        "1:1 there are no instructions in the file | begin with `FROM image` or `FROM scratch`",
    ),
    ("ARG A=1\n", "1:1 there is no FROM in the file | begin with `FROM image` or `FROM scratch`"),
    ("FROM scratch\nRNU x\n", "2:1 unknown instruction `RNU` | did you mean `RUN`?"),
    ("FROM scratch\nBANANA x\n", "2:1 unknown instruction `BANANA` | instructions are ADD, ARG, "),
    (
        "RUN x\nFROM scratch\n",
        "1:1 RUN before the first FROM | only ARG may stand before FROM; begin with `FROM image` or `FROM scratch`",
    ),
    ("FROM scratch\nCOPY --form=a b c\n", "2:6 unknown flag `--form` of COPY | did you mean `--from`?"),
    ("FROM scratch\nENV --x A=1\n", "2:5 unknown flag `--x` of ENV | ENV has no flags"),
    (
        "FROM scratch\nCOPY --chown=a --chown=b c d\n",
        "2:16 flag `--chown` is given twice | keep one of the two",
    ),
    ("FROM scratch\nCOPY --chown a b\n", "2:6 flag `--chown` has no value | write `--chown=value`"),
    (
        "FROM scratch\nCOPY --link=yes a b\n",
        "2:6 `yes` is not a value of `--link`: expected `true` or `false` | write `--link` or `--link=false`",
    ),
    (
        "FROM scratch\nCOPY a\n",
        "2:1 COPY needs a source and a destination | write the sources first, then the destination",
    ),
    (
        "FROM scratch\nCOPY a <<EOF\nx\nEOF\n",
        "2:8 a heredoc cannot be the destination | write the heredoc first, then the path of the file",
    ),
    (
        "FROM scratch\nCOPY <<EOF /a\nx\n",
        "2:1 heredoc `EOF` has no end | add a line that is exactly `EOF` after the contents",
    ),
    ("FROM scratch\nCOPY \"a b\n", "2:6 unclosed quote \" | "),
    (
        "ARG SOURCE_DATE_EPOCH=x\nFROM scratch\n",
        "1:1 invalid SOURCE_DATE_EPOCH `x` | give the seconds since 1970-01-01, ",
    ),
    (
        "ARG SOURCE_DATE_EPOCH=S\nFROM base AS s\nADD https://h/x /\nFROM scratch\n",
        "2:6 the stage that SOURCE_DATE_EPOCH names has to be `FROM scratch` | write `FROM scratch AS NAME` and ",
    ),
    (
        "ARG SOURCE_DATE_EPOCH=s\nFROM scratch AS s\nFROM scratch\n",
        "2:1 the stage that SOURCE_DATE_EPOCH names has no ADD | ",
    ),
    (
        "ARG SOURCE_DATE_EPOCH=s\nFROM scratch AS s\nADD https://h/x /\nADD https://h/y /\nFROM scratch\n",
        "4:1 the stage that SOURCE_DATE_EPOCH names has more than one ADD | ",
    ),
    (
        "ARG SOURCE_DATE_EPOCH=s\nFROM scratch AS s\nADD x /\nFROM scratch\n",
        "3:1 the stage that SOURCE_DATE_EPOCH names has to add one URL or git repository | ",
    ),
    (
        "ARG SOURCE_DATE_EPOCH=s\nFROM scratch AS s\nADD https://h/x https://h/y /\nFROM scratch\n",
        "3:1 the stage that SOURCE_DATE_EPOCH names has to add one URL or git repository | ",
    ),
    (
        "ARG SOURCE_DATE_EPOCH=s\nFROM scratch AS s\nADD https://h/x /\nRUN x\nFROM scratch\n",
        "4:1 the stage that SOURCE_DATE_EPOCH names may hold nothing but ARG and one ADD | ",
    ),
    (
        "FROM scratch\nENV A=\"x\n",
        "2:5 unclosed quote \" | put the escape character before a `$` or a quote that should stay as it is",
    ),
    (
        "FROM scratch\nENV A=${x\n",
        "2:5 missing `}` after `${` | put the escape character before a `$` or a quote that should stay as it is",
    ),
    ("FROM scratch\nENV A=${x?needed}\n", "2:5 x: needed | pass it with `--build-arg NAME=value`"),
    ("FROM scratch\nENV A\n", "2:5 ENV needs a value | write `ENV A=value`"),
    (
        "FROM scratch\nENV A=1 B\n",
        "2:9 no `=` in `B` | write `name=value`, with quotes around a value that holds spaces",
    ),
    ("FROM scratch\nARG\n", "2:1 ARG needs at least one argument | write `ARG name` or `ARG name=default`"),
    ("FROM scratch\nARG =x\n", "2:5 ARG without a name | write `ARG name=default`"),
    (
        "FROM scratch\nCMD [\"a\", 1]\n",
        "2:5 `1` in a JSON array of arguments is not a string | put every argument in double quotes",
    ),
    ("FROM scratch\nSHELL bash -c\n", "2:1 SHELL needs a JSON array | write `SHELL [\"/bin/sh\", \"-c\"]`"),
    (
        "FROM scratch\nONBUILD ONBUILD RUN x\n",
        "2:9 ONBUILD cannot stand behind ONBUILD | write it in the Dockerfiles",
    ),
    ("FROM scratch\nONBUILD MAINTAINER x\n", "2:9 MAINTAINER cannot stand behind ONBUILD | write it"),
    ("FROM scratch\nONBUILD FROM x\n", "2:9 FROM cannot stand behind ONBUILD | write it in the Dockerfiles"),
    ("FROM scratch\nHEALTHCHECK CMD\n", "2:1 HEALTHCHECK CMD has no command | write the command after CMD"),
    (
        "FROM scratch\nHEALTHCHECK --interval=5 CMD x\n",
        "2:13 `5` is not a duration | write numbers with units: `30s`, `1m30s`, `500ms`",
    ),
    (
        "FROM scratch\nEXPOSE 80/http\n",
        "2:8 invalid port `80/http`: the protocol must be tcp, udp or sctp | write `80`, `53/udp` or `8000-8010/tcp`",
    ),
    (
        "FROM scratch\nSTOPSIGNAL SIGFOO\n",
        "2:12 unknown signal `SIGFOO` | use a number or a name such as `SIGTERM`",
    ),
    ("FROM scratch\nRUN --network=hots x\n", "2:5 unknown network `hots` | did you mean `host`?"),
    (
        "FROM scratch\nRUN --device=gpu x\n",
        "2:5 `RUN --device` is not supported: it is a labs feature | run the step without the device, or build with BuildKit's labs front end",
    ),
    (
        "FROM scratch\nRUN --mount=type=cahce,target=/x y\n",
        "2:5 unknown `type=cahce` of a mount | did you mean `cache`?",
    ),
    (
        "FROM scratch\nRUN --mount=target=/ y\n",
        "2:5 a mount cannot have the target `/` | mount below a directory of its own",
    ),
    (
        "FROM scratch\nRUN --mount=from=$X,target=/x y\n",
        "2:5 `from` of a mount cannot hold a variable | name a stage `FROM ${...} AS name` and use `from=name`",
    ),
    (
        "FROM a b c d\n",
        "1:1 FROM needs an image, or an image, `AS` and a name | write `FROM image` or `FROM image AS name`",
    ),
    (
        "FROM scratch AS 1st\n",
        "1:17 invalid stage name `1st` | begin with a letter; use letters, digits, `-`, `_` and `.`",
    ),
    ("FROM ${X}\n", "1:6 `${X}` in FROM expands to nothing | declare `ARG X=default` before the first FROM"),
    ("FROM --platform=linux/x86 scratch\n", "1:6 invalid platform in FROM: "),
    (
        "FROM --platform=$TARGETPLATFROM scratch\n",
        "1:6 `$TARGETPLATFROM` in FROM --platform expands to nothing | did you mean `$TARGETPLATFORM`?",
    ),
    (
        "FROM Debian\n",
        "1:6 invalid image reference `Debian`: a repository name must be lower case | write `[host/]name",
    ),
    (
        "FROM Unused\nFROM scratch\n",
        "1:6 invalid image reference `Unused`: a repository name must be lower case",
    ),
    (
        "FROM scratch AS a\nCOPY --from=b /x /y\nFROM scratch AS b\nCOPY --from=a /x /y\n",
        "4:1 stage `a` needs its own result | split the stage, so that no stage copies from one that is built on it",
    ),
    (
        "FROM scratch AS a\nCOPY --from=a /x /y\n",
        "2:1 stage `a` needs its own result | split the stage, so that no stage copies from one that is built on it",
    ),
    (
        "FROM scratch\nCOPY --from=b /x /y\nFROM scratch AS b\nCOPY x y\nFROM scratch\nCOPY --from=0 / /\n",
        "2:1 stage `b` is not built before this COPY | move the stage before this one",
    ),
    (
        "FROM scratch\nCOPY --from=9 /x /y\n",
        "2:6 there is no stage 9 | stages are counted from 0; better give them names with `AS`",
    ),
    (
        "FROM scratch\nCOPY --from=$S /x /y\n",
        "2:6 `COPY --from` cannot hold a variable | name a stage `FROM ${...} AS name` and use `--from=name`",
    ),
    (
        "FROM scratch\nCOPY --chmod=999 a b\n",
        "2:1 invalid `--chmod=999` | use octal digits up to 7777, or a form such as `u+x,go=r`",
    ),
    ("FROM scratch\nCOPY https://h/x /y\n", "2:6 COPY cannot take a URL | use ADD"),
    (
        "FROM scratch\nADD --checksum=sha256:1 https://h/x /y\n",
        "2:1 invalid `--checksum` | write `sha256:` and 64 hex digits",
    ),
    (
        "FROM scratch\nADD https://h/r.git?ref= /y\n",
        "2:5 `ref` in the query of the git URL has no value | write `https://host/path.git#REF:FOLDER`",
    ),
    (
        "FROM scratch\nRUN <<E\nab\0c\nE\n",
        "3:3 NUL byte in a command | no argument of a program can hold one: use `printf '\\0'`, or COPY a file",
    ),
    ("FROM scratch\nADD https:// /y\n", "2:5 the URL `https://` has no host | write `https://host/path`"),
    (
        "FROM scratch\nADD a https://?x /y/\n",
        "2:7 the URL `https://?x` has no host | write `https://host/path`",
    ),
    (
        "FROM scratch\nADD a\0b /y\n",
        "2:6 NUL byte in an instruction | save the file as UTF-8 text without NUL bytes",
    ),
    ("# escape=x\nFROM scratch\n", "1:1 invalid escape character `x` | use `# escape=\\` or `# escape=``"),
    (
        "# check=skip=all\n# check=error=true\nFROM scratch\n",
        "2:1 directive `check` is given twice | keep one of the two lines",
    ),
    (
        "# syntax=example.com/front:1\nFROM scratch\n",
        "1:1 the front end `example.com/front:1` is not supported | the built-in one reads docker/dockerfile files; others are planned, see docs/dockerfile-to-llb.md#other-front-ends",
    ),
    ("FROM scratch\nVOLUME [\"\"]\n", "2:8 VOLUME with an empty path | write `VOLUME /path`"),
    (
        "FROM scratch\nHEALTHCHECK NONE x\n",
        "2:18 HEALTHCHECK NONE takes no arguments | write `HEALTHCHECK NONE`",
    ),
    (
        "FROM scratch\nHEALTHCHECK --timeout=1us CMD x\n",
        "2:13 `--timeout` must be at least 1ms | write a longer time such as `30s`",
    ),
    (
        "FROM scratch\nHEALTHCHECK --retries=x CMD y\n",
        "2:13 `--retries=x` is not a count | write a whole number, as `--retries=3`",
    ),
    (
        "FROM scratch AS b\nFROM scratch\nRUN --mount=type=secret,id=a,from=b x\n",
        "3:5 a secret mount cannot have `from` | secrets come from `--secret id=NAME`",
    ),
    (
        "FROM scratch\nRUN --mount=type=secret,id=a,source=b x\n",
        "2:5 a secret mount cannot have both `source` and `id` | `source` is another word for `id`: keep one",
    ),
    (
        "FROM scratch\nRUN --mount=type=cache,target=/a,uid=x y\n",
        "2:5 invalid `uid=x` of a mount: expected a number | write `uid=VALUE` with a number",
    ),
    ("FROM scratch\nCOPY --nosuch=1 a b\n", "2:6 unknown flag `--nosuch` of COPY | its flags are `--chmod`"),
    ("// syntax=example.com/front\nFROM scratch\n", "1:1 unknown instruction `//` | instructions are "),
];

#[test]
fn each_class_has_place_and_hint() {
    let wrong: Vec<String> = ERRORS
        .iter()
        .filter_map(|(text, expected)| {
            let found = problems(text);
            let good = found.first().is_some_and(|f| f.starts_with(expected) && !f.ends_with("| -"));
            (!good).then(|| format!("{text:?}\n  found {found:?}\n  not   {expected:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn several_errors_come_together() {
    let found = problems("FROM scratch\nRNU a\nCOPY a\nRUN ok\nENV\n");
    assert_eq!(found.len(), 3, "{found:?}");
    let many = format!("FROM scratch\n{}", "X\n".repeat(1000));
    assert_eq!(problems(&many).len(), 20);
}

#[test]
fn huge_input_is_bounded() {
    let line = format!("FROM scratch\nRUN {}\n", "a".repeat(70_000));
    assert_eq!(
        problems(&line),
        [
            "2:1 line 2 is longer than 65535 bytes | break the line with the escape character, or move the text to a file and COPY it"
        ]
    );
    let stages: String = (0..10_000)
        .map(|i| format!("FROM {} AS s{i}\n", if i == 0 { "scratch".into() } else { format!("s{}", i - 1) }))
        .collect();
    assert_eq!(problems(&stages), Vec::<String>::new());
    let nested = format!("FROM scratch\nENV A={}\n", "${a:-".repeat(10_000));
    assert_eq!(problems(&nested).len(), 1);
    let doubled = format!("FROM scratch\nENV A=0123456789abcdef\n{}", "ENV A=$A$A\n".repeat(40));
    assert_eq!(
        problems(&doubled),
        [
            "17:5 the text becomes longer than 262152 bytes | no program can get an argument or a variable of more than 128 KiB: use a file"
        ]
    );
    let inner = (0..12).fold("x".to_owned(), |inner, _| format!("${{A//?/{inner}}}"));
    let nested = format!("FROM scratch\nENV A=0123456789abcdef\nENV B={inner}\n");
    assert!(problems(&nested)[0].starts_with("3:5 the text becomes longer than"), "{:?}", problems(&nested));
    let slow = format!("FROM scratch\nENV A={}\nENV B=${{A//a*b/c}}\n", "a".repeat(60_000));
    assert_eq!(problems(&slow), Vec::<String>::new());
    let many = format!("FROM scratch\nENV A={}\n{}", "a".repeat(60_000), "RUN [\"x\"]\n".repeat(1200));
    let found = problems(&many);
    assert!(found[0].starts_with("1120:1 the commands up to here hold more than 64 MiB"), "{found:?}");
    let onbuild = format!("FROM scratch\n{}RUN x\n", "ONBUILD ".repeat(8_000));
    assert_eq!(problems(&onbuild).len(), 1);
}

#[test]
fn wrong_utf8_has_a_place() {
    let error = SourceText::from_bytes("Dockerfile", b"FROM scratch\nRUN \xff\n".to_vec()).unwrap_err();
    assert_eq!(error.place.to_string(), "2:5");
}

#[test]
fn settings_are_checked_too() {
    let file =
        dockerfile::parse(&SourceText::new("Dockerfile", "FROM scratch AS build\nCOPY a b\n")).unwrap();
    let mut config = BuildConfig::new("linux/amd64".parse().unwrap());
    config.target = Some("biuld".into());
    let LowerError::Invalid(problem) = lower(&file, &config, &[].into()).unwrap_err() else {
        panic!("asks for images")
    };
    assert_eq!(problem.message, "there is no target stage `biuld`");
    assert_eq!(problem.hint.as_deref(), Some("did you mean `build`?"));
    config.target = None;
    config.contexts.insert("build".into(), NamedContext::Git("no url".into()));
    assert!(lower(&file, &config, &[].into()).is_err());
}
