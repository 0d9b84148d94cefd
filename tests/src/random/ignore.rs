//! Random ignore files.

use super::numbers::Numbers;
use super::tree::Tree;
use super::words::{escaped, pattern, spelled};

/// The text of an ignore file for a tree.
pub(super) fn random(numbers: &mut Numbers, tree: &Tree) -> String {
    let end = if numbers.chance(15) { "\r\n" } else { "\n" };
    let mut text = if numbers.chance(8) { "\u{feff}".to_owned() } else { String::new() };
    // Most useful ones begin with all, or with a lot.
    if numbers.chance(25) {
        text.push_str(numbers.pick(&["*", "**", "**/*", "*/*", "/*", "."]));
        text.push_str(end);
    }
    for _ in 0..1 + numbers.below(6) {
        let line = line(numbers, tree);
        text.push_str(&line);
        text.push_str(end);
    }
    if numbers.chance(10) {
        text.truncate(text.trim_end().len());
    }
    text
}

fn line(numbers: &mut Numbers, tree: &Tree) -> String {
    let path = match tree.0.is_empty() {
        true => "a".to_owned(),
        false => tree.0[numbers.below(tree.0.len())].path.clone(),
    };
    let name = escaped(path.rsplit('/').next().unwrap_or_default());
    let body = match numbers.below(24) {
        0..=4 => escaped(&path),
        5 => path,
        6..=9 => pattern(numbers, &path, true),
        10 | 11 => name,
        12 | 13 => format!("**/{name}"),
        14 => format!("{name}/**"),
        15 => format!("{}/*", escaped(&path)),
        16 => format!("{}/**/*", escaped(&path)),
        17 => "**/*.txt".to_owned(),
        18 => format!("*/{name}"),
        19 => format!("**{name}"),
        20 => format!("{name}**"),
        21 => {
            return numbers
                .pick(&["", "# a comment", "  # no comment", "!", "! a", "[", "a[", "\\", "[a-", "**/"])
                .to_owned();
        }
        22 => format!("{}/..", escaped(&path)),
        _ => "**/a*".to_owned(),
    };
    let body = spelled(numbers, &body);
    let body = if numbers.chance(35) { format!("!{body}") } else { body };
    match numbers.below(16) {
        0 => format!("{body}  "),
        1 => format!(" {body}"),
        2 => format!("{body}\t"),
        _ => body,
    }
}
