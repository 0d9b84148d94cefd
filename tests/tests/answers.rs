//! The helpers in a real Alpine, with apk and a signed repository, and in Debian: what they answer to commands is what the
//! original's scripts answered, but for listed differences.
//!
//! `tests/data/answers` has a folder for each base and a file for each case, run in a fresh base. Lines begin with `$ ` (a
//! command), two spaces (what both answer), `< ` (the original alone), `> ` (these tools alone), or `# ` (why they differ, before
//! that). Folders named `-long` are for `make test-long`. Where `XX_ORIGINAL` names a folder with the original's scripts, they
//! are asked again.
#![expect(clippy::expect_used, clippy::panic, reason = "what the test itself needs must work")]

use std::fs;
use std::path::Path;

use integration_tests::original::original;
use integration_tests::{Built, Kit, alpine, repository, shared};

/// A case as it is recorded.
struct Case {
    name: String,
    commands: String,
    /// What the original answers.
    theirs: String,
    /// What these tools answer.
    ours: String,
}

impl Case {
    fn parse(name: String, text: &str) -> Self {
        let mut case = Self { name, commands: String::new(), theirs: String::new(), ours: String::new() };
        let mut is_explained = false;
        for line in text.lines() {
            let (mark, rest) = line.split_at_checked(2).unwrap_or((line, ""));
            let line = format!("{rest}\n");
            let (is_theirs, is_ours) = match mark {
                "# " => {
                    is_explained = true;
                    continue;
                }
                "$ " => {
                    case.commands.push_str(&line);
                    case.theirs.push_str("$ ");
                    case.ours.push_str("$ ");
                    is_explained = false;
                    (true, true)
                }
                "  " | " " | "" => (true, true),
                "< " | "<" => (true, false),
                "> " | ">" => (false, true),
                _ => panic!("{}: a line of no kind: {mark}{line}", case.name),
            };
            assert!(is_theirs == is_ours || is_explained, "{}: not explained: {mark}{line}", case.name);
            case.theirs.push_str(if is_theirs { &line } else { "" });
            case.ours.push_str(if is_ours { &line } else { "" });
        }
        case
    }

    fn all(folder: &str) -> Vec<Self> {
        let folder = repository().join("tests/data/answers").join(folder);
        let files = fs::read_dir(folder).expect("the answers").map(|entry| entry.expect("an entry").path());
        let mut cases: Vec<Self> = files
            .map(|path| {
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                Self::parse(name, &fs::read_to_string(&path).expect("text"))
            })
            .collect();
        cases.sort_by(|one, other| one.name.cmp(&other.name));
        cases
    }
}

/// Where cases run.
#[derive(Clone, Copy)]
enum Base {
    Alpine,
    /// With a Rust toolchain in `/usr/local/rust`.
    AlpineWithRust,
    Debian,
}

/// Has every case answered by the helpers of a kit, into files in `directory`; `None` where that cannot be.
fn ask(test: &str, kit: &Kit, base: Base, cases: &[Case], directory: &Path) -> Option<()> {
    let mut command = match base {
        Base::Alpine | Base::AlpineWithRust => alpine::build(test, kit)?,
        Base::Debian => shared::build(kit),
    };
    let mut mount = "";
    if matches!(base, Base::AlpineWithRust) {
        command.arg("--build-context").arg(format!("rust={}", alpine::rust(test)?.display()));
        mount = "--mount=from=rust,target=/usr/local/rust ";
    }
    let context = directory.join("cases");
    fs::create_dir_all(&context).expect("a directory");
    fs::copy(repository().join("tests/data/answers/answer"), context.join("answer")).expect("a copy");
    let name = if matches!(base, Base::Debian) { "debian" } else { "alpine" };
    let mut dockerfile = format!(
        "FROM --platform=$BUILDPLATFORM xx AS xx\nFROM --platform=$BUILDPLATFORM {name} AS base\n\
         COPY --from=xx / /\nCOPY answer /usr/bin/\n"
    );
    let mut result = "FROM scratch\n".to_owned();
    for case in cases {
        let name = &case.name;
        fs::write(context.join(name), &case.commands).expect("a file");
        dockerfile.push_str(&format!("FROM base AS {name}\nCOPY {name} /cases/\nRUN {mount}answer {name}\n"));
        result.push_str(&format!("COPY --from={name} /out /\n"));
    }
    fs::write(context.join("Dockerfile"), dockerfile + &result).expect("a file");
    command.arg("--output").arg(directory.join("answers")).arg(context);
    let built = Built::of(command.output().expect("xx-build starts"));
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    Some(())
}

/// Compares answers with what is recorded, and shows all lines that differ.
fn compare(cases: &[Case], directory: &Path, recorded: impl Fn(&Case) -> &str) {
    let mut wrong = String::new();
    for case in cases {
        let answer = fs::read_to_string(directory.join("answers").join(&case.name)).expect("an answer");
        let expected = directory.join(&case.name);
        fs::write(&expected, recorded(case)).expect("a file");
        if answer != recorded(case) {
            let [expected, found] =
                [expected, directory.join("answers").join(&case.name)].map(|path| path.display().to_string());
            let shown = integration_tests::run("diff", &["-U2", &expected, &found]).expect("diff starts");
            wrong.push_str(&shown.stdout);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What these tools answer to the cases of a folder.
fn ours(test: &str, folder: &str, base: Base) {
    let Some(kit) = Kit::find(test) else { return };
    let (cases, directory) = (Case::all(folder), tempfile::tempdir().expect("a directory"));
    let Some(()) = ask(test, &kit, base, &cases, directory.path()) else { return };
    compare(&cases, directory.path(), |case| &case.ours);
}

/// What the original answers.
fn theirs(test: &str, folder: &str, base: Base) {
    let (cases, directory) = (Case::all(folder), tempfile::tempdir().expect("a directory"));
    let Some(kit) = original(test, directory.path()) else { return };
    let Some(()) = ask(test, &kit, base, &cases, directory.path()) else { return };
    compare(&cases, directory.path(), |case| &case.theirs);
}

const LONG: &[(&str, Base)] = &[("alpine-long", Base::AlpineWithRust), ("debian-long", Base::Debian)];

#[test]
fn answers_are_the_originals() {
    ours("answers_are_the_originals", "alpine", Base::Alpine);
}

#[test]
fn answers_of_the_original_are_as_recorded() {
    theirs("answers_of_the_original_are_as_recorded", "alpine", Base::Alpine);
}

#[test]
#[ignore = "minutes; part of `make test-long`"]
fn long_answers_are_the_originals() {
    for (folder, base) in LONG {
        ours("long_answers_are_the_originals", folder, *base);
    }
}

#[test]
#[ignore = "minutes; part of `make test-long`"]
fn long_answers_of_the_original_are_as_recorded() {
    for (folder, base) in LONG {
        theirs("long_answers_of_the_original_are_as_recorded", folder, *base);
    }
}
