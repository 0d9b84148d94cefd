//! What the pages for newcomers tell a reader to type works as it is written, in order, in a fresh tree.
//!
//! `make` itself is the surroundings of every test: here it is held to targets that exist, and `make install` is run.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "starts programs, and fails by panicking"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use integration_tests::{Built, Kit, repository, skipped};

/// The pages, and the folder in which a reader of each stands.
const PAGES: [&str; 2] = ["README.md", "examples/README.md"];

/// An indented block, without its indentation.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = vec![];
    let mut block = String::new();
    for line in text.lines().chain([""]) {
        match line.strip_prefix("    ") {
            Some(code) => block.extend([code, "\n"]),
            None if line.trim().is_empty() && !block.is_empty() => block.push('\n'),
            None => {
                if !block.is_empty() {
                    blocks.push(std::mem::take(&mut block).trim_end().to_owned() + "\n");
                }
            }
        }
    }
    if !block.is_empty() {
        blocks.push(block.trim_end().to_owned() + "\n");
    }
    blocks
}

/// What a block is.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Commands,
    Dockerfile,
    /// Installs packages of the machine: `images/needs` does that for the tests.
    Packages,
}

fn kind(block: &str) -> Kind {
    match block.split_whitespace().next() {
        Some("FROM") => Kind::Dockerfile,
        Some("apt-get") => Kind::Packages,
        Some("make" | "cd" | "export" | "xx-build" | "xx") => Kind::Commands,
        other => panic!("what is this block, and how is it tried? {other:?}\n{block}"),
    }
}

fn page(name: &str) -> String {
    fs::read_to_string(repository().join(name)).expect(name)
}

/// The files of the repository in a folder of their own, with what `make demo` has made beside them.
fn fresh_tree(folder: &Path) {
    let copied = Command::new("sh")
        .args([
            "-euc",
            "git ls-files -z | xargs -0 cp --parents --no-dereference --target-directory \"$1\"",
            "sh",
        ])
        .arg(folder)
        .current_dir(repository())
        .stdin(Stdio::null())
        .status();
    assert!(copied.expect("sh starts").success());
    fs::create_dir(folder.join("out")).expect("a folder");
    for made in ["out/debian", "out/xx", "target"] {
        symlink(repository().join(made), folder.join(made)).expect("a link");
    }
}

/// `make` that builds nothing: the programs are those of the test. Any other target has to be there.
const MAKE: &str = "#!/bin/sh
case ${1-all} in
install) exec /usr/bin/make --old-file=programs \"$@\" ;;
*) exec /usr/bin/make --dry-run --silent \"$@\" >/dev/null ;;
esac
";

#[test]
fn commands_work_as_they_are_written() {
    let case = "commands_work_as_they_are_written";
    let Some(kit) = Kit::find(case) else { return };
    for program in ["/usr/bin/make", "/usr/bin/clang", "/usr/bin/git"] {
        if !Path::new(program).exists() {
            return skipped(case, &format!("{program} is not there"));
        }
    }
    if !kit.xx_build.ends_with("release/xx-build") {
        return skipped(case, "`make install` takes the release programs");
    }
    let place = tempfile::tempdir().expect("a temporary folder");
    let (tree, home) = (place.path().join("tree"), place.path().join("home"));
    for folder in [&tree, &home, &home.join("shims")] {
        fs::create_dir(folder).expect("a folder");
    }
    fresh_tree(&tree);
    let make = home.join("shims/make");
    fs::write(&make, MAKE).expect("a script");
    fs::set_permissions(&make, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("its mode");
    for name in PAGES {
        // The second page's reader has done what the first says, and stands in the repository again.
        let mut script = String::from("set -eux\nexport PATH=\"$HOME/shims:$HOME/.local/bin:$PATH\"\n");
        blocks(&page(name))
            .iter()
            .filter(|block| kind(block) == Kind::Commands)
            .for_each(|block| script += block);
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(&tree)
            .env("HOME", &home)
            .env("CARGO_HOME", std::env::var_os("CARGO_HOME").unwrap_or_else(|| default_home(".cargo")))
            .env("RUSTUP_HOME", std::env::var_os("RUSTUP_HOME").unwrap_or_else(|| default_home(".rustup")))
            .env("XX_BUILD_STORE", repository().join("out/store-of-cases"))
            .env_remove("TARGETPLATFORM")
            .stdin(Stdio::null())
            .output();
        let ran = Built::of(output.expect("sh starts"));
        assert_eq!(ran.code, Some(0), "{name}:\n{}\n{}", ran.stdout, ran.stderr);
    }
    for made in [
        "examples/c/gz.tar",
        "examples/c/files/linux_arm64/usr/local/bin/gz",
        "examples/c/here/usr/local/bin/gz",
    ] {
        assert!(tree.join(made).is_file(), "{made}");
    }
}

fn default_home(name: &str) -> std::ffi::OsString {
    Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(name).into()
}

#[test]
fn the_dockerfile_of_the_front_page_is_that_of_the_demo() {
    let instructions = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
            .map(str::to_owned)
            .collect()
    };
    let shown = blocks(&page("README.md")).into_iter().find(|block| kind(block) == Kind::Dockerfile);
    assert_eq!(instructions(&shown.expect("one")), instructions(&page("examples/zstd/Dockerfile")));
}

#[test]
fn the_packages_of_the_front_page_are_those_that_the_demo_asks_for() {
    let words = |text: &str| -> Vec<String> {
        let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        words.sort();
        words
    };
    let shown =
        blocks(&page("README.md")).into_iter().find(|block| kind(block) == Kind::Packages).expect("one");
    let shown =
        shown.trim_start().strip_prefix("apt-get install --no-install-recommends ").expect("a command");
    let needs = page("images/needs");
    let line = needs.lines().find_map(|line| line.strip_prefix("demo) packages=\"")).expect("the list");
    assert_eq!(words(shown), words(line.strip_suffix("\" ;;").expect("its end")));
}

#[test]
fn blocks_are_found() {
    assert_eq!(blocks("a\n\n    x\n\n      y\n\nb\n    z\n"), ["x\n\n  y\n", "z\n"]);
}
