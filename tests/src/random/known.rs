//! Where an answer may differ from BuildKit's, and why. The rows of the table in `docs/dockerfile-to-llb.md` say more.

use super::{Answer, Case};

/// The reason why ours differs from BuildKit's, when there is a good one.
#[must_use]
pub fn reason(case: &Case, ours: &Answer, theirs: &Answer) -> Option<&'static str> {
    match (ours, theirs) {
        (Answer::Files(ours), Answer::Files(theirs)) => of_files(case, ours, theirs),
        (Answer::Files(_), Answer::Refused(message)) => of_refused(case, message),
        (Answer::Refused(message), Answer::Files(_)) if message.contains("is no directory in ") => {
            Some("a wild card behind a file")
        }
        (Answer::Refused(_), _) => None,
    }
}

fn of_files(case: &Case, ours: &[String], theirs: &[String]) -> Option<&'static str> {
    let excludes = case.lines.iter().any(|line| line.contains("--exclude") && line.contains(['*', '?', '[']));
    if excludes && ours.iter().all(|line| theirs.contains(line)) {
        return Some("--exclude names what a wild card matches");
    }
    let ours = without_sockets(ours);
    let theirs: Vec<String> = without_sockets(theirs);
    let mut more = vec![];
    let mut reason = (ours.len() != theirs.len()).then_some("");
    for line in &ours {
        if theirs.contains(line) {
            continue;
        }
        match timeless(line) {
            // BuildKit gives them their times before it fills them.
            Some(line) if theirs.contains(&line) => {
                reason = Some("times of directories above what patterns choose")
            }
            _ if theirs.contains(&emptied(line)) => {
                reason = Some("a further name of a file of which the first is left out arrives empty");
            }
            _ => more.push(line),
        }
    }
    if theirs.len() + more.len() == ours.len() && !more.is_empty() {
        return case.has_links().then_some("what a link behind a wild card leads to is not sent");
    }
    if !more.is_empty() {
        return None;
    }
    match reason {
        None => Some("sockets of a context"),
        reason => reason.filter(|reason| !reason.is_empty()),
    }
}

/// The line of a directory as it is when its time is the build's; `None` for what is no directory.
fn timeless(line: &str) -> Option<String> {
    let (start, time) = line.rsplit_once(' ')?;
    (start.contains(" d ") && time != "now").then(|| format!("{start} now"))
}

/// The line of a file as it is when nothing is in it.
fn emptied(line: &str) -> String {
    let words: Vec<&str> = line.rsplitn(3, ' ').collect();
    format!("{} 0 e3b0c442", words.last().unwrap_or(&""))
}

fn without_sockets(lines: &[String]) -> Vec<String> {
    lines.iter().filter(|line| !line.contains("sock f 0755 0:0 now 0")).cloned().collect()
}

fn of_refused(case: &Case, message: &str) -> Option<&'static str> {
    let error = message.lines().rev().find(|line| line.starts_with("error: ")).unwrap_or_default();
    let from_context = case.lines.iter().any(|line| line.contains("--from=CONTEXT"));
    let parents = case.lines.iter().any(|line| line.contains("--parents"));
    let excludes = case.lines.iter().any(|line| line.contains("--exclude"));
    if error.contains(": lstat /") && error.ends_with("no such file or directory") && from_context {
        return Some("a directory in which a wild card matches nothing is not sent");
    }
    if error.ends_with("syntax error in pattern") && case.shown().contains('\\') {
        return Some("a backslash in a pattern");
    }
    if error.ends_with("not found") && error.contains('\\') && error.contains("cache key") {
        return Some("a backslash in a name that a wild card matches");
    }
    if error.contains("\"/!") && error.ends_with("not found") {
        return Some("names that begin with !");
    }
    if error.ends_with("not found") && parents && case.has_links() {
        return Some("--parents beside a link in the root that leads nowhere");
    }
    if error.ends_with("not found") && excludes && case.has_links() {
        return Some("--exclude beside a link that is copied");
    }
    if error.ends_with("not a directory") && (parents || excludes) {
        return Some("what is not chosen meets something of another kind");
    }
    None
}
