//! Random trees of files, as archives.

use std::fmt::Write as _;

use tar::{Builder, EntryType, Header};

use super::numbers::Numbers;
use super::words::{NAMES, join};

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file with this text.
    File(String),
    /// A directory.
    Directory,
    /// A symbolic link.
    Link(String),
    /// A further name of a file.
    Hard(String),
    /// A named pipe.
    Pipe,
}

/// A path of a tree.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) path: String,
    pub(super) kind: Kind,
    mode: u32,
    owner: (u64, u64),
    time: u64,
}

impl Node {
    /// Something of root's.
    pub(super) fn new(path: &str, kind: Kind, mode: u32) -> Self {
        Self { path: path.to_owned(), kind, mode, owner: (0, 0), time: 981_173_106 }
    }

    pub(super) fn is_link(&self) -> bool {
        matches!(self.kind, Kind::Link(_))
    }
}

/// Files below a root.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree(pub(super) Vec<Node>);

/// Owners that files have. Of files of a context they mean nothing.
const OWNERS: &[(u64, u64)] = &[(0, 0), (0, 0), (1000, 1000), (7, 8), (0, 50)];

impl Tree {
    /// A tree of at most `most` names.
    pub(super) fn random(numbers: &mut Numbers, most: usize) -> Self {
        let mut tree = Self::default();
        for _ in 0..4 + numbers.below(most.saturating_sub(3)) {
            let directories = tree.directories();
            let parent = match numbers.chance(45) {
                true => directories[numbers.below(directories.len())].clone(),
                false => directories.last().cloned().unwrap_or_default(),
            };
            let path = join(&parent, numbers.pick(NAMES));
            if path.split('/').count() > 5 || tree.0.iter().any(|node| node.path == path) {
                continue;
            }
            let kind = tree.kind(numbers, &path);
            let modes: &[u32] = match kind {
                Kind::Directory => &[0o755, 0o755, 0o755, 0o700, 0o2775, 0o1777, 0o750],
                Kind::File(_) | Kind::Hard(_) | Kind::Link(_) | Kind::Pipe => {
                    &[0o644, 0o644, 0o600, 0o755, 0o4755, 0o2755, 0o444, 0o640, 0o777, 0o1644, 0o6711]
                }
            };
            let mode = modes[numbers.below(modes.len())];
            let owner = OWNERS[numbers.below(OWNERS.len())];
            let time = 1_000_000_000 + numbers.below(100_000_000) as u64;
            let mut node = Node { path, kind, mode, owner, time };
            if let Kind::Hard(other) = &node.kind
                && let Some(first) = tree.0.iter().find(|node| node.path == *other)
            {
                (node.mode, node.owner, node.time) = (first.mode, first.owner, first.time);
            }
            tree.0.push(node);
        }
        tree
    }

    /// The root and every directory, in the order of their making.
    fn directories(&self) -> Vec<String> {
        let directories = self.0.iter().filter(|node| node.kind == Kind::Directory);
        std::iter::once(String::new()).chain(directories.map(|node| node.path.clone())).collect()
    }

    fn kind(&self, numbers: &mut Numbers, path: &str) -> Kind {
        let files: Vec<&Node> = self.0.iter().filter(|node| matches!(node.kind, Kind::File(_))).collect();
        match numbers.below(100) {
            0..=46 => Kind::File(["", "x\n", "the same\n", path][numbers.below(4)].to_owned()),
            47..=74 => Kind::Directory,
            75..=92 => Kind::Link(self.target(numbers, path)),
            93..=96 if !files.is_empty() => Kind::Hard(files[numbers.below(files.len())].path.clone()),
            97..=98 => Kind::Pipe,
            _ => Kind::File("else\n".to_owned()),
        }
    }

    /// Where the link at `path` leads.
    fn target(&self, numbers: &mut Numbers, path: &str) -> String {
        let up = "../".repeat(path.split('/').count() - 1);
        let other = match self.0.is_empty() {
            true => "a".to_owned(),
            false => self.0[numbers.below(self.0.len())].path.clone(),
        };
        match numbers.below(20) {
            0..=8 => format!("{up}{other}"),
            9..=12 => format!("/{other}"),
            13 => "nowhere/at/all".to_owned(),
            14 => "/gone".to_owned(),
            15 => path.rsplit('/').next().unwrap_or_default().to_owned(),
            16 => format!("{up}../../{other}"),
            17 => "..".to_owned(),
            _ => ".".to_owned(),
        }
    }

    /// A tree from lines: path, `d`, `f TEXT`, `l TARGET` or `h PATH`, mode and owner.
    pub(super) fn fixed(lines: &[(&str, &str, u32, (u64, u64))]) -> Self {
        let nodes = lines.iter().map(|(path, what, mode, owner)| {
            let (kind, rest) = what.split_once(' ').unwrap_or((what, ""));
            let kind = match kind {
                "d" => Kind::Directory,
                "l" => Kind::Link(rest.to_owned()),
                "h" => Kind::Hard(rest.to_owned()),
                _ => Kind::File(rest.to_owned()),
            };
            Node { path: (*path).to_owned(), kind, mode: *mode, owner: *owner, time: 981_173_106 }
        });
        Self(nodes.collect())
    }

    /// Its lines, for people and to tell whether a recorded answer is about this tree.
    pub(super) fn shown(&self) -> String {
        let mut lines = String::new();
        for Node { path, kind, mode, owner: (uid, gid), time } in &self.0 {
            writeln!(lines, "{path:?} {kind:?} {mode:o} {uid}:{gid} {time}").expect("text");
        }
        lines
    }

    /// An archive with one file.
    pub(super) fn of_file(name: &str, bytes: Vec<u8>) -> Vec<u8> {
        let mut archive = Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_mode(0o644);
        header.set_mtime(981_173_106);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, name, bytes.as_slice()).expect("an entry");
        archive.into_inner().expect("an archive")
    }

    /// The tree as an archive.
    pub(super) fn archive(&self) -> Vec<u8> {
        let mut archive = Builder::new(Vec::new());
        for node in &self.0 {
            let Node { path, kind, mode, owner, time } = node;
            let mut header = Header::new_gnu();
            header.set_mode(*mode);
            header.set_uid(owner.0);
            header.set_gid(owner.1);
            header.set_mtime(*time);
            let (entry_type, text, link) = match kind {
                Kind::File(text) => (EntryType::Regular, text.as_str(), ""),
                Kind::Directory => (EntryType::Directory, "", ""),
                Kind::Link(target) => (EntryType::Symlink, "", target.as_str()),
                Kind::Hard(target) => (EntryType::Link, "", target.as_str()),
                Kind::Pipe => (EntryType::Fifo, "", ""),
            };
            header.set_entry_type(entry_type);
            header.set_size(text.len() as u64);
            // As it is: the other ways in tidy names up.
            header.set_link_name_literal(link).expect("a short link");
            name(&mut header, path);
            header.set_cksum();
            archive.append(&header, text.as_bytes()).expect("an entry");
        }
        archive.into_inner().expect("an archive")
    }
}

/// Writes a name of less than 100 bytes as it is.
fn name(header: &mut Header, path: &str) {
    let field = &mut header.as_old_mut().name;
    field[..path.len()].copy_from_slice(path.as_bytes());
}
