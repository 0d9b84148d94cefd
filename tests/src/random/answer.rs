//! What came of a case: the files of an exported tree, a line each.

use std::collections::BTreeMap;
use std::io::Read;

use sha2::{Digest as _, Sha256};
use tar::{Archive, Entry, EntryType};

/// No file of a case is younger: what is was made by the build.
const NOW: u64 = 1_500_000_000;

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// These files: type, mode, owner, time, content, link and extended attributes.
    Files(Vec<String>),
    /// Nothing, with what was said.
    Refused(String),
}

impl Answer {
    /// Whether there are no files.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// A few letters that tell answers apart; all that were refused have the same.
    #[must_use]
    pub fn digest(&self) -> String {
        match self {
            Self::Refused(_) => "refused".to_owned(),
            Self::Files(lines) => hex(&Sha256::digest(lines.join("\n").as_bytes()))[..10].to_owned(),
        }
    }
}

/// Digits for bytes.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The files below each folder of an archive.
pub(super) fn folders(archive: impl Read) -> BTreeMap<String, Vec<String>> {
    let mut folders: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut hard: Vec<(String, String)> = vec![];
    let mut archive = Archive::new(archive);
    for entry in archive.entries().expect("a tar archive") {
        let mut entry = entry.expect("an entry");
        let path = plain(&entry.path_bytes());
        let Some((folder, inside)) = path.split_once('/') else { continue };
        if entry.header().entry_type() == EntryType::Link {
            let target = plain(&entry.link_name_bytes().expect("a target"));
            hard.push((path.clone(), target));
            continue;
        }
        let line = line(&mut entry);
        folders.entry(folder.to_owned()).or_default().insert(inside.to_owned(), line);
    }
    // A group of names is that of its first in the alphabet: which of them an archive holds is chance.
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, target) in hard {
        groups.entry(target).or_default().push(path);
    }
    for (target, mut names) in groups {
        let (folder, inside) = target.split_once('/').expect("a folder");
        let files = folders.get_mut(folder).expect("the folder of a link");
        let line = files.get(inside).expect("the target of a link").clone();
        names.push(target.clone());
        names.sort();
        let inside =
            |name: &String| name.split_once('/').map_or(name.clone(), |(_, inside)| inside.to_owned());
        for name in &names {
            files.insert(inside(name), format!("{line} same as {}", inside(&names[0])));
        }
    }
    let lines =
        |files: BTreeMap<String, String>| files.into_iter().map(|(path, line)| format!("{path} {line}"));
    folders.into_iter().map(|(folder, files)| (folder, lines(files).collect())).collect()
}

fn plain(path: &[u8]) -> String {
    String::from_utf8_lossy(path).trim_start_matches("./").trim_matches('/').to_owned()
}

fn line(entry: &mut Entry<'_, impl Read>) -> String {
    let xattrs = crate::image::xattrs(entry);
    let xattrs: Vec<String> = xattrs.iter().map(|(name, value)| format!(" {name}={}", hex(value))).collect();
    let kind = match entry.header().entry_type().as_byte() {
        b'0' | 0 => 'f',
        b'2' => 'l',
        b'3' => 'c',
        b'4' => 'b',
        b'5' => 'd',
        b'6' => 'p',
        other => panic!("entry of type {}", char::from(other)),
    };
    let link = entry
        .link_name_bytes()
        .map_or(String::new(), |link| format!(" -> {}", String::from_utf8_lossy(&link)));
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).expect("content");
    let content = match kind {
        'f' => format!(" {} {}", bytes.len(), &hex(&Sha256::digest(&bytes))[..8]),
        _ => String::new(),
    };
    let header = entry.header();
    let mode = if kind == 'l' { 0o777 } else { header.mode().expect("a mode") & 0o7777 };
    let (uid, gid) = (header.uid().expect("a user"), header.gid().expect("a group"));
    let time = match header.mtime().expect("a time") {
        NOW.. => "now".to_owned(),
        time => time.to_string(),
    };
    format!("{kind} {mode:04o} {uid}:{gid} {time}{content}{link}{}", xattrs.concat())
}
