//! Random archives for ADD, and ADD and COPY of them and of here documents.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::instruction::{shared_flags, target, written};
use super::numbers::Numbers;
use super::tree::{Kind, Node, Tree};
use super::words::{NAMES, join};

/// A file of the main context, in the folder of its case.
#[derive(Debug, Clone)]
pub(super) struct Added {
    /// Its name there.
    pub(super) name: String,
    /// What is in it, for people.
    pub(super) shown: String,
    /// What is in it.
    pub(super) bytes: Vec<u8>,
}

const COMPRESSIONS: &[&str] = &["none", "none", "gzip", "bzip2", "xz", "zstd"];

/// An archive with members of all sorts.
pub(super) fn archive(numbers: &mut Numbers) -> Added {
    let mut tree = Tree::random(numbers, 14);
    for _ in 0..numbers.below(4) {
        odd_member(numbers, &mut tree);
    }
    let program = numbers.pick(COMPRESSIONS);
    let mut bytes = compressed(program, tree.archive());
    let mut shown = format!("{program}\n{}", tree.shown());
    if numbers.chance(4) {
        let rest = bytes.len() / 2 + numbers.below(bytes.len() / 3);
        bytes.truncate(rest);
        shown.push_str(&format!("cut after {rest} bytes\n"));
    }
    let name = numbers.pick(&["a.tar", "a.tar.gz", "data", "x.txz", "b.tgz", "c.tar.zst", "x y.tar"]);
    Added { name: name.to_owned(), shown, bytes }
}

/// What archives hold that no tree does: a file twice, names with more than names in them, a file without a directory,
/// or below a link. A directory is not replaced: BuildKit sets the times of directories at the end, whatever is there then.
fn odd_member(numbers: &mut Numbers, tree: &mut Tree) {
    let files: Vec<&Node> = tree.0.iter().filter(|node| node.kind != Kind::Directory).collect();
    let any = |numbers: &mut Numbers, _: &Tree| match files.is_empty() {
        true => "odd".to_owned(),
        false => files[numbers.below(files.len())].path.clone(),
    };
    let links: Vec<String> =
        tree.0.iter().filter(|node| node.is_link()).map(|node| node.path.clone()).collect();
    let path = match numbers.below(8) {
        0 => format!("./{}", any(numbers, tree)),
        1 => format!("/{}", any(numbers, tree)),
        2 => format!("../{}", any(numbers, tree)),
        3 => "no/entry/for/this".to_owned(),
        4 if !links.is_empty() => join(&links[numbers.below(links.len())], numbers.pick(NAMES)),
        5 => "dir/sub/into".to_owned(),
        6 => "dst/a".to_owned(),
        _ => any(numbers, tree),
    };
    let kind = match numbers.below(5) {
        0 => Kind::Directory,
        1 => Kind::Link(any(numbers, tree)),
        _ => Kind::File("odd\n".to_owned()),
    };
    let mode = if kind == Kind::Directory { 0o711 } else { 0o604 };
    tree.0.push(Node::new(&path, kind, mode));
}

/// Bytes as a program compresses them.
fn compressed(program: &str, bytes: Vec<u8>) -> Vec<u8> {
    if program == "none" {
        return bytes;
    }
    let mut command = Command::new(program);
    command.arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a program that compresses");
    // Small enough for the pipe.
    child.stdin.take().expect("piped").write_all(&bytes).expect("written");
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success(), "{program}");
    output.stdout
}

/// An ADD of archives.
pub(super) fn add(numbers: &mut Numbers, files: &[Added]) -> String {
    let mut flags = vec![];
    match numbers.below(12) {
        0 => flags.push("--unpack=false".to_owned()),
        1 => flags.push("--unpack".to_owned()),
        _ => {}
    }
    shared_flags(numbers, &mut flags);
    let mut words = vec![];
    for file in files {
        let name = match numbers.below(8) {
            0 => format!("FOLDER/{}*", &file.name[..1]),
            1 => "FOLDER/".to_owned(),
            2 => "FOLDER/*".to_owned(),
            _ => format!("FOLDER/{}", file.name),
        };
        words.push(name);
    }
    words.push(target(numbers, true));
    let name = if numbers.chance(90) { "ADD" } else { "COPY" };
    flags.retain(|flag| name == "ADD" || !flag.starts_with("--unpack"));
    written(numbers, name, &flags, &words)
}

/// A COPY or ADD of here documents.
pub(super) fn documents(numbers: &mut Numbers) -> String {
    let mut flags = vec![];
    shared_flags(numbers, &mut flags);
    let mut names: Vec<&str> = vec!["EOF", "a.txt", ".h"];
    names.truncate(1 + numbers.below(3));
    let several = names.len() > 1;
    let (mut words, mut bodies) = (String::new(), String::new());
    for name in names {
        let (before, after) = [("<<", ""), ("<<-", ""), ("<<\"", "\""), ("<<-'", "'")][numbers.below(4)];
        words.push_str(&format!(" {before}{name}{after}"));
        let text = numbers.pick(&[
            "",
            "text\n",
            "\ttab $HOME\n",
            "two\n  lines\n\n",
            "\\$x \\\\ \"q\" 'q' ${y:-z}\n",
            "# no comment\n",
        ]);
        bodies.push_str(&format!("\n{text}{name}"));
    }
    let flags: String = flags.iter().map(|flag| format!(" {flag}")).collect();
    let target = target(numbers, several);
    let target = if target.contains(' ') { "/new/".to_owned() } else { target };
    format!("{}{flags}{words} {target}{bodies}", if numbers.chance(80) { "COPY" } else { "ADD" })
}
