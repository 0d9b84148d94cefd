//! Random builds give what BuildKit gives: recorded answers, or those of a running one.
//!
//! `XX_PEER_BUILDKIT=unix:///run/buildkit/buildkitd.sock`, with `buildctl` on PATH, asks a BuildKit in place of what is
//! recorded; `XX_PEER_DOCKER=1` a Docker Engine. `XX_RANDOM=copy:1000..3000,ignore:17` says which cases.
//! What differs is shown with all that the case is made of. `tests/data/random/record` records.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "what the test itself needs must work; it reads its environment, and says what differs"
)]

use std::collections::BTreeMap;
use std::env::var;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use integration_tests::docker::Docker;
use integration_tests::random::{Answer, Builder, Case, Kind, Who, answers, known};
use integration_tests::{Kit, Place, has_one_uid, repository, skipped};

/// How many cases of a kind are recorded.
fn recorded_of(kind: Kind) -> u64 {
    match kind {
        Kind::Copy | Kind::Ignore => 200,
        Kind::Main | Kind::Add | Kind::Run => 60,
    }
}

/// The recorded answers, a case a line: its name, its identity, the digest of the right answer, and where BuildKit's is
/// another for a reason, its digest and the reason.
fn list() -> PathBuf {
    repository().join("tests/data/random/answers")
}

/// The cases that are asked for; all that are recorded, when nothing is said.
fn chosen() -> Vec<Case> {
    let all = |kind: Kind, from: u64, to: u64| (from..to).map(move |seed| Case::new(kind, seed));
    let Ok(text) = var("XX_RANDOM") else {
        return Kind::ALL.into_iter().flat_map(|kind| all(kind, 0, recorded_of(kind))).collect();
    };
    let number = |text: &str| text.parse::<u64>().expect("KIND:SEED or KIND:FIRST..END");
    let mut cases = vec![];
    for part in text.split(',') {
        let (name, seeds) = part.split_once(':').expect("KIND:SEED or KIND:FIRST..END");
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name).expect("a kind of cases");
        let (first, end) = match seeds.split_once("..") {
            Some((first, end)) => (number(first), number(end)),
            None => (number(seeds), number(seeds) + 1),
        };
        cases.extend(all(kind, first, end));
    }
    cases
}

fn peer(place: &Place) -> Option<Builder> {
    let debian = place.kit().debian.clone();
    if let Ok(address) = var("XX_PEER_BUILDKIT") {
        return Some(Builder { who: Who::BuildKit(address), debian });
    }
    var("XX_PEER_DOCKER").ok()?;
    let docker = Docker::start("random_builds_are_buildkits", place.directory.path())?;
    Some(Builder { who: Who::Docker(docker), debian })
}

#[test]
fn random_builds_are_buildkits() {
    let Some(kit) = Kit::find("random_builds_are_buildkits") else { return };
    if has_one_uid() {
        return skipped("random_builds_are_buildkits", "with one uid links have no owners of their own");
    }
    let place = Place::new(kit);
    let cases = chosen();
    let who = Who::Ours(place.kit().xx_build.clone(), place.path("store"));
    let ours = Builder { who, debian: place.kit().debian.clone() };
    match peer(&place) {
        Some(peer) => compare(&ours, &peer, &cases),
        None => recorded(&ours, &cases),
    }
}

/// Holds our answers against recorded ones.
fn recorded(ours: &Builder, cases: &[Case]) {
    let text = fs::read_to_string(list()).expect("recorded answers");
    let rows: BTreeMap<&str, Vec<&str>> = text
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .filter_map(|words| Some((*words.first()?, words)))
        .collect();
    let expected: Vec<&str> = cases
        .iter()
        .map(|case| {
            let name = case.name();
            let row = rows.get(name.as_str()).expect("a recorded answer for each case: record them");
            let [_, identity, answer, ..] = row[..] else { unreachable!("{name} has a short row") };
            assert_eq!(case.identity(), identity, "{name} is another case now: record the answers again");
            answer
        })
        .collect();
    let answers = answers(ours, cases, |at| expected.get(at) == Some(&"refused"));
    let mut different = String::new();
    for ((case, expected), answer) in cases.iter().zip(expected).zip(&answers) {
        if answer.digest() != expected {
            let (name, made) = (case.name(), case.shown());
            write!(different, "=== {name}: {expected} is expected\n{made}{}", shown(answer)).expect("text");
        }
    }
    assert!(different.is_empty(), "{different}ask a running BuildKit, too: XX_PEER_BUILDKIT, see the test");
}

/// Holds our answers against those of a running builder.
fn compare(ours: &Builder, peer: &Builder, cases: &[Case]) {
    let ours = answers(ours, cases, |_| false);
    let theirs = answers(peer, cases, |at| ours.get(at).is_some_and(Answer::is_refused));
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let (mut different, mut refused, mut list_text) = (0, 0, String::new());
    for ((case, ours), theirs) in cases.iter().zip(&ours).zip(&theirs) {
        refused += usize::from(theirs.is_refused());
        let same = ours.digest() == theirs.digest();
        let reason = if same { None } else { known::reason(case, ours, theirs) };
        let known = reason.map_or(String::new(), |reason| format!(" {} {reason}", theirs.digest()));
        let right = if reason.is_some() { ours } else { theirs };
        writeln!(list_text, "{} {} {}{known}", case.name(), case.identity(), right.digest()).expect("text");
        if let Some(reason) = reason {
            reasons.entry(reason).or_default().push(case.name());
        } else if !same {
            different += 1;
            eprintln!("=== {}\n{}{}", case.name(), case.shown(), differences(theirs, ours));
        }
    }
    eprintln!("{} cases, {refused} refused by BuildKit, {different} different", cases.len());
    for (reason, names) in reasons {
        eprintln!("{} differ: {reason}: {}", names.len(), names.join(" "));
    }
    if var("XX_RANDOM_RECORD").is_ok() {
        let old = fs::read_to_string(list()).unwrap_or_default();
        let rows =
            old.lines().chain(list_text.lines()).filter_map(|line| Some((line.split(' ').next()?, line)));
        let rows: BTreeMap<&str, &str> = rows.collect();
        fs::write(list(), rows.into_values().collect::<Vec<_>>().join("\n") + "\n").expect("the answers");
    }
    assert_eq!(different, 0);
}

fn shown(answer: &Answer) -> String {
    match answer {
        Answer::Files(lines) => lines.iter().map(|line| format!("{line}\n")).collect(),
        Answer::Refused(message) => {
            let last: Vec<&str> = message.lines().filter(|line| line.contains("rror: ")).collect();
            format!("refused: {}\n", last.join(" / "))
        }
    }
}

/// What the first says (`-`) and the second does not, and the other way round (`+`).
fn differences(first: &Answer, second: &Answer) -> String {
    let (first, second) = (shown(first), shown(second));
    let only = |sign: char, these: &str, others: &str| {
        let others: Vec<&str> = others.lines().collect();
        let lines = these.lines().filter(|line| !others.contains(line));
        lines.map(|line| format!("{sign} {line}\n")).collect::<String>()
    };
    only('-', &first, &second) + &only('+', &second, &first)
}
