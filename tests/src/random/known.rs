//! Where an answer may differ from BuildKit's, and why. The rows of the table in `docs/dockerfile-to-llb.md` say more.

use super::{Answer, Case, Kind};

/// The reason why ours differs from BuildKit's, when there is a good one.
#[must_use]
pub fn reason(case: &Case, ours: &Answer, theirs: &Answer) -> Option<&'static str> {
    match (ours, theirs) {
        (Answer::Files(ours), Answer::Files(theirs)) => of_files(case, ours, theirs),
        (Answer::Files(_), Answer::Refused(message)) => of_refused(case, message),
        (Answer::Refused(message), Answer::Files(_))
            if message.contains("cannot replace a directory") && case.names_context() && case.has_links() =>
        {
            Some("what a link of a context leads to is not sent")
        }
        (Answer::Refused(message), Answer::Files(_)) if message.contains("is no directory in ") => {
            Some("a wild card behind a file")
        }
        (Answer::Refused(_), Answer::Files(_))
            if case.lines.iter().any(|line| line.contains(" !") || line.contains("\"!")) =>
        {
            Some("names that begin with !")
        }
        (Answer::Refused(message), Answer::Files(_))
            if message.contains("a name in the archive leads out of it") =>
        {
            Some("an archive with names that lead out of it")
        }
        (Answer::Refused(_), _) => None,
    }
}

fn of_files(case: &Case, ours: &[String], theirs: &[String]) -> Option<&'static str> {
    if case.has_star_in_brackets() {
        return Some("a star in brackets");
    }
    let any = |part: &str| case.lines.iter().any(|line| line.contains(part));
    let dateless =
        |lines: &[String]| lines.iter().map(|line| timeless(line).unwrap_or(line.clone())).collect();
    let (our_names, their_names): (Vec<String>, Vec<String>) = (dateless(ours), dateless(theirs));
    if any("--exclude") && paths(ours).all(|path| paths(theirs).any(|other| other == path)) {
        return Some("--exclude names what a wild card matches");
    }
    if [" !", "\"!", "/!"].into_iter().any(any) && their_names.iter().all(|line| our_names.contains(line)) {
        return Some("names that begin with !");
    }
    if any("--parents")
        && any("/./")
        && ours.len() < theirs.len()
        && our_names.iter().all(|line| their_names.contains(line))
    {
        return Some("--parents, and a file in front of the pivot");
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

/// What is in front of the type of each line.
fn paths(lines: &[String]) -> impl Iterator<Item = &str> {
    lines.iter().filter_map(|line| line.split([' ']).next())
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
    let from_context = case.names_context();
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
    let nowhere = error.ends_with("not found") || error.ends_with("too many links");
    if nowhere && (parents || excludes && error.ends_with("links")) && case.has_links() {
        return Some("--parents beside a link in the root that leads nowhere");
    }
    if error.ends_with("not found") && excludes && case.has_links() {
        return Some("--exclude beside a link that is copied");
    }
    if error.contains("failed to calculate checksum")
        && error.ends_with("not found")
        && from_context
        && case.has_links()
    {
        return Some("what a link of a context leads to is not sent");
    }
    if error.contains(": chtimes /") || error.contains(": open /") && case.kind == Kind::Add {
        return Some("an archive that replaces a directory, or writes below a link that leads nowhere");
    }
    let in_the_way = [": cannot copy to non-directory: ", ": cannot replace to directory "];
    if in_the_way.into_iter().any(|part| error.contains(part)) && excludes {
        return Some("--exclude names what a wild card matches");
    }
    if error.ends_with("not a directory") && (parents || excludes) {
        return Some("what is not chosen meets something of another kind");
    }
    None
}
