//! What a check finds that keeps a file from being built, without any image.

use xx_build_frontend::dockerfile;
use xx_build_frontend::lower::{BuildConfig, problems};
use xx_build_frontend::source_text::SourceText;

/// `LINE message` of everything that is found.
fn found(text: &str, platforms: &[&str]) -> Vec<String> {
    let source = SourceText::new("Dockerfile", text);
    let file = dockerfile::parse(&source).unwrap_or_else(|p| panic!("{}", p[0].render(&source, false)));
    let mut config = BuildConfig::new("linux/amd64".parse().unwrap());
    config.target_platforms = platforms.iter().map(|p| p.parse().unwrap()).collect();
    let found = problems(&file, &config);
    assert!(found.iter().all(|problem| problem.hint.is_some()), "{text}: {found:?}");
    found.iter().map(|problem| format!("{} {}", source.line(problem.span.start), problem.message)).collect()
}

#[test]
fn what_needs_no_image() {
    let cases = [
        ("FROM debian\nARG X\nCOPY --from=$X a /\n", "3 `COPY --from` cannot hold a variable"),
        ("FROM a AS a\nCOPY --from=b x /\nFROM a AS b\n", "3 stage `a` needs its own result"),
        ("FROM --platform=linux/ debian\n", "1 invalid platform in FROM"),
        ("FROM debian\nENV A=\"x\n", "2 unclosed quote"),
        ("FROM debian\nEXPOSE 99999\n", "2 "),
        ("FROM debian\nADD --checksum=sha256:zz https://h/x /\n", "2 "),
        ("FROM debian\nRUN --mount=type=cache x\n", "2 "),
        ("FROM debian\nCOPY --chmod=zz a /\n", "2 "),
        ("FROM debian\nCOPY --from=5 a /\n", "2 there is no stage 5"),
        ("FROM scratch\nENV A=${B:?need}\n", "2 "),
        ("FROM debian:${B:?need}\n", "1 "),
        ("FROM debian\nRUN []\n", "2 RUN has no command"),
        ("FROM debian\nRUN --mount=type=tmpfs,target=/ x\n", "2 a mount cannot have the target `/`"),
        ("FROM Debian\n", "1 invalid image reference"),
        // A stage that the target does not need.
        ("FROM debian AS a\nCOPY --chmod=zz a /\nFROM scratch\nCOPY a /\n", "2 "),
        // Behind a trigger of the file's own, and for another platform.
        ("FROM debian AS a\nONBUILD RUN []\nFROM a\n", "3 RUN has no command"),
        ("FROM debian AS a\nRUN []\nFROM --platform=linux/s390x a\n", "2 RUN has no command"),
    ];
    for (text, expected) in cases {
        for platforms in [&[][..], &["linux/arm64", "linux/amd64"]] {
            let found = found(text, platforms);
            assert!(matches!(found.as_slice(), [one] if one.starts_with(expected)), "{text}: {found:?}");
        }
    }
}

#[test]
fn all_of_them_are_found() {
    let text =
        "FROM debian AS a\nRUN []\nEXPOSE 99999\nFROM scratch\nCOPY --from=a x /\nCOPY --chmod=zz a /\n";
    let lines: Vec<String> = found(text, &[]).iter().map(|one| one[..1].to_owned()).collect();
    assert_eq!(lines, ["2", "3", "6"]);
}

/// The base may set the variable: nobody knows without it.
#[test]
fn what_an_image_may_change_is_no_problem() {
    for text in [
        "FROM debian\nENV A=${B:?need}\n",
        "FROM debian\nARG B\nENV A=${B:?need}\n",
        "FROM debian\nEXPOSE $PORT\n",
        "FROM debian\nCOPY --chmod=$MODE a /\n",
        "FROM debian AS a\nFROM a\nWORKDIR ${B:?need}\n",
        "FROM debian\nCOPY <<A /x\n${B:?need}\nA\n",
        "FROM debian\nRUN --mount=type=cache,target=$T x\n",
        "FROM golang AS golang\nRUN x\n",
    ] {
        assert_eq!(found(text, &[]), [""; 0], "{text}");
    }
}
