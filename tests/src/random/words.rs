//! Names, paths and patterns.

use super::numbers::Numbers;

/// Names of files.
pub(super) const NAMES: &[&str] = &[
    "a", "a", "b", "b", "c.txt", "c.txt", "d.go", "e.md", "f.txt", "lib", "lib", "src", "src", "dst", "x y",
    "[z]", "ünï", "日本", ".h", ".git", "q?", "s*r", "A", "a.tar.gz", "ab", "abc", "b\\c", "!n", "#n", "-m",
    "a]", "x.c",
];

/// A path below another.
pub(super) fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

/// A name with a backslash in front of all that patterns mean something by.
pub(super) fn escaped(path: &str) -> String {
    let mut out = String::new();
    for letter in path.chars() {
        if matches!(letter, '*' | '?' | '[' | '\\') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

/// A pattern for something like `path`; `deep` allows `**`.
pub(super) fn pattern(numbers: &mut Numbers, path: &str, deep: bool) -> String {
    let mut parts: Vec<String> = path.split('/').map(escaped).collect();
    for _ in 0..1 + numbers.below(2) {
        let at = numbers.below(parts.len());
        let name = parts[at].clone();
        let letters: Vec<char> = name.chars().collect();
        let spot = numbers.below(letters.len());
        let around = |middle: &str| {
            let start: String = letters.iter().take(spot).collect();
            let end: String = letters.iter().skip(spot + 1).collect();
            format!("{start}{middle}{end}")
        };
        let letter = letters.get(spot).copied().unwrap_or('a');
        let plain = if letter.is_alphanumeric() { letter } else { 'a' };
        parts[at] = match numbers.below(if deep { 14 } else { 11 }) {
            0 | 1 => "*".to_owned(),
            2 => around("?"),
            3 => around("*"),
            4 => format!("{name}*"),
            5 => format!("*{name}"),
            6 => around(&format!("[{plain}]")),
            7 => around("[a-m]"),
            8 => around(&format!("[^{plain}]")),
            9 => name.rsplit_once('.').map_or("*.txt".to_owned(), |(_, end)| format!("*.{end}")),
            10 => "*".to_owned(),
            11 => "**".to_owned(),
            12 => format!("**/{name}"),
            _ => format!("{name}/**"),
        };
    }
    parts.join("/")
}

/// A way to write a path that a part of it may say more than is needed.
pub(super) fn spelled(numbers: &mut Numbers, path: &str) -> String {
    let path = match numbers.below(24) {
        0..=5 => format!("/{path}"),
        6..=8 => format!("./{path}"),
        9 => format!("//{path}"),
        10 => format!("../{path}"),
        11 => format!("b/../{path}"),
        12 => path.replacen('/', "//", 1),
        13 => path.replacen('/', "/./", 1),
        _ => path.to_owned(),
    };
    match numbers.below(16) {
        0 | 1 => format!("{path}/"),
        2 => format!("{path}/."),
        _ => path,
    }
}
