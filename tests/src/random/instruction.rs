//! Random COPY and ADD instructions.

use super::numbers::Numbers;
use super::tree::{Kind, Node, Tree};
use super::words::{NAMES, escaped, join, pattern, spelled};

/// What every case finds in its stage: targets of all kinds, and accounts.
pub(super) fn fixture() -> Tree {
    let passwd = "f root:x:0:0::/:/bin/sh\napp:x:1000:1001::/:/bin/sh\n";
    let group = "f root:x:0:\napp:x:1001:\nstaff:x:50:app\n";
    Tree::fixed(&[
        ("etc", "d", 0o755, (0, 0)),
        ("etc/passwd", passwd, 0o644, (0, 0)),
        ("etc/group", group, 0o644, (0, 0)),
        ("dir", "d", 0o755, (0, 0)),
        ("dir/f", "f f", 0o640, (7, 8)),
        ("dir/sub", "d", 0o2770, (5, 6)),
        ("dir/sub/g", "f g", 0o4711, (5, 6)),
        ("dir/hard", "h dir/f", 0o640, (7, 8)),
        ("ldir", "l dir", 0o777, (0, 0)),
        ("labs", "l /dir/sub", 0o777, (0, 0)),
        ("lfile", "l dir/f", 0o777, (0, 0)),
        ("lgone", "l nowhere/x", 0o777, (0, 0)),
        ("lnew", "l dir/new", 0o777, (0, 0)),
        ("loop", "l loop", 0o777, (0, 0)),
        ("deep", "d", 0o700, (3, 4)),
        ("deep/up", "l ../../dir", 0o777, (0, 0)),
        ("deep/out", "l ../../../etc", 0o777, (0, 0)),
        ("sticky", "d", 0o1777, (0, 0)),
        ("file", "f file", 0o600, (1, 1)),
        ("x y", "d", 0o755, (0, 0)),
        ("[z]", "d", 0o755, (0, 0)),
        ("dst", "d", 0o750, (3, 4)),
        ("dst/a", "f old a", 0o600, (3, 4)),
        ("dst/b", "d", 0o711, (3, 4)),
        ("dst/b/c.txt", "f old c", 0o600, (3, 4)),
        ("dst/c.txt", "d", 0o711, (3, 4)),
        ("dst/lib", "l ../dir", 0o777, (3, 4)),
        ("dst/src", "l gone", 0o777, (3, 4)),
        ("dst/d.go", "l a", 0o777, (3, 4)),
        ("dst/f.txt", "h dst/a", 0o600, (3, 4)),
        ("dst/.h", "f old h", 0o2644, (3, 4)),
    ])
}

const TARGETS: &[&str] = &[
    "/dir",
    "/dir/",
    "/dir/f",
    "/dir/sub/",
    "/ldir",
    "/ldir/",
    "/labs/",
    "/labs/x/y",
    "/lfile",
    "/lgone",
    "/lgone/",
    "/lnew",
    "/loop",
    "/deep/up/",
    "/deep/out/x",
    "/sticky/n/",
    "/file",
    "/file/x",
    "/x y/",
    "/[z]/",
    "/dst",
    "/dst/",
    "/dst/",
    "/dst/",
    "/dst/.",
    "/dst/b",
    "/dst/lib/",
    "/dst/new",
    "/new",
    "/new/",
    "/new/d/e",
    "/new/d/e/",
    "/",
    ".",
    "./",
    "rel",
    "rel/",
    "../up/",
    "/a/../b/",
    "/dir/../../n",
    "/dst/src/x/",
    "//n//m/",
    "/new",
    "/new/",
    "/new/",
    "/new/",
];

const MODES: &[&str] = &[
    "755",
    "644",
    "4755",
    "2775",
    "1777",
    "0",
    "0600",
    "7777",
    "u+x",
    "go-rwx",
    "a=rX",
    "u=rwX,go=rX",
    "g+s",
    "+t",
    "-x",
    "=",
    "u=g",
    "a+X",
    "o=u",
    "u+s,g-w",
    "go=u-w",
    "a-X",
    "ug=o,o=",
    "+w",
    "g=u",
    "o+t",
    "u=rws,g=x",
];

const OWNERS: &[&str] = &[
    "7",
    "7:8",
    "1000:0",
    "root",
    "app",
    "app:staff",
    "0:50",
    "app:7",
    "3:app",
    "root:root",
    "65534",
    "2000:staff",
];

/// Where an instruction finds its sources.
#[derive(Debug, Clone, Copy)]
pub(super) struct From<'a> {
    /// In front of the sources' paths.
    pub(super) folder: &'a str,
    /// The value of `--from`, if there is one.
    pub(super) name: &'a str,
    pub(super) tree: &'a Tree,
}

/// WORKDIR, in some cases.
pub(super) fn workdir(numbers: &mut Numbers) -> Option<String> {
    const PLACES: &[&str] = &["/dir", "/dst", "/ldir", "/new/w", "rel", "/dir/sub", "/deep"];
    numbers.chance(25).then(|| format!("WORKDIR {}", numbers.pick(PLACES)))
}

/// One COPY.
pub(super) fn copy(numbers: &mut Numbers, from: From<'_>) -> String {
    let mut flags = vec![];
    if !from.name.is_empty() {
        flags.push(format!("--from={}", from.name));
    }
    let parents = numbers.chance(20);
    if parents {
        flags.push("--parents".to_owned());
    }
    for _ in 0..if numbers.chance(20) { 1 + numbers.below(2) } else { 0 } {
        flags.push(format!("--exclude={}", exclusion(numbers, from.tree)));
    }
    shared_flags(numbers, &mut flags);
    let count = if numbers.chance(25) { 2 + numbers.below(2) } else { 1 };
    let mut words: Vec<String> = (0..count).map(|_| source(numbers, from, parents)).collect();
    words.push(target(numbers, count > 1));
    written(numbers, "COPY", &flags, &words)
}

/// `--chown`, `--chmod` and `--link`, in some cases.
pub(super) fn shared_flags(numbers: &mut Numbers, flags: &mut Vec<String>) {
    if numbers.chance(16) {
        flags.push(format!("--chown={}", numbers.pick(OWNERS)));
    }
    if numbers.chance(20) {
        flags.push(format!("--chmod={}", numbers.pick(MODES)));
    }
    if numbers.chance(15) {
        flags.push("--link".to_owned());
    }
}

/// A target; of several sources it has to be a directory.
pub(super) fn target(numbers: &mut Numbers, several: bool) -> String {
    let target = numbers.pick(TARGETS);
    match several && !target.ends_with('/') && numbers.chance(90) {
        true => format!("{target}/"),
        false => target.to_owned(),
    }
}

/// A path or a pattern for something in a tree.
fn source(numbers: &mut Numbers, from: From<'_>, parents: bool) -> String {
    let Tree(nodes) = from.tree;
    // Links and directories are where the questions are.
    let interesting: Vec<&Node> =
        nodes.iter().filter(|node| matches!(node.kind, Kind::Link(_) | Kind::Directory)).collect();
    let path = match numbers.below(20) {
        0 | 1 => ".".to_owned(),
        2 => "missing".to_owned(),
        3 => match interesting.is_empty() {
            true => "a/b".to_owned(),
            false => join(&interesting[numbers.below(interesting.len())].path, numbers.pick(NAMES)),
        },
        4..=11 if !interesting.is_empty() => interesting[numbers.below(interesting.len())].path.clone(),
        _ if nodes.is_empty() => "a".to_owned(),
        _ => nodes[numbers.below(nodes.len())].path.clone(),
    };
    let path = match numbers.below(20) {
        0..=7 => pattern(numbers, &path, parents),
        8 if path.len() > 1 => pattern(numbers, &path, true),
        9 => path,
        _ => escaped(&path),
    };
    let path = match parents && numbers.chance(40) {
        true => match path.find('/') {
            Some(at) if numbers.chance(70) => format!("{}/.{}", &path[..at], &path[at..]),
            _ => format!("./{path}"),
        },
        false => path,
    };
    let path = spelled(numbers, &path);
    join(from.folder, &path)
}

fn exclusion(numbers: &mut Numbers, tree: &Tree) -> String {
    let path = match tree.0.is_empty() {
        true => "a".to_owned(),
        false => tree.0[numbers.below(tree.0.len())].path.clone(),
    };
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    let text = match numbers.below(10) {
        0..=2 => escaped(&path),
        3 | 4 => pattern(numbers, &path, true),
        5 => format!("**/{}", escaped(&name)),
        6 => format!("!{}", escaped(&path)),
        7 => escaped(&name),
        8 => "*".to_owned(),
        _ => format!("/{}", pattern(numbers, &path, true)),
    };
    // A space ends a flag, and flags know no quotes; of letters outside ASCII BuildKit makes others there.
    let letters = text.replace("\\\\", "?").replace("[^日]", "?");
    letters.chars().map(|letter| if letter == ' ' || !letter.is_ascii() { '?' } else { letter }).collect()
}

/// An instruction as a line: words in quotes where they hold spaces, or by chance.
pub(super) fn written(numbers: &mut Numbers, name: &str, flags: &[String], words: &[String]) -> String {
    let flags: String = flags.iter().map(|flag| format!(" {flag}")).collect();
    // Expansion takes one backslash of two.
    let double = !numbers.chance(6);
    let words: Vec<String> =
        words.iter().map(|word| if double { word.replace('\\', "\\\\") } else { word.clone() }).collect();
    let quote = words.iter().any(|word| word.contains(' ')) || numbers.chance(20);
    let words = match quote {
        true => serde_json::to_string(&words).expect("texts"),
        false => words.join(" "),
    };
    format!("{name}{flags} {words}")
}
