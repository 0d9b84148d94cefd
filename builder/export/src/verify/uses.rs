//! What an image runs, as far as its configuration and its links tell.
//!
//! Programs that ENTRYPOINT, CMD and HEALTHCHECK name, all that lies in a folder of PATH or is linked there, and libraries
//! where the dynamic linker looks for them. What these start or load by other ways is not known.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use platform_db::object::Kind;
use platform_db::{Os, Platform};

use super::beside::names_other;
use super::scan::Foreign;
use xx_build_frontend::dockerfile::expand::{Rules, expand};
use xx_build_frontend::oci::image::Config;
use xx_build_rootfs::{Tree, list, read_link};

/// What an image needs a file for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// ENTRYPOINT names it.
    Entrypoint,
    /// CMD names it.
    Cmd,
    /// HEALTHCHECK names it.
    Healthcheck,
    /// It is a program in a folder of PATH, or one that a link there leads to.
    Path,
    /// It is a library where the dynamic linker looks.
    Library,
    /// It is a module that an interpreter loads.
    Module,
    /// The result has no ENTRYPOINT and no CMD: its files are all there is.
    Itself,
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Entrypoint => "run by ENTRYPOINT",
            Self::Cmd => "run by CMD",
            Self::Healthcheck => "run by HEALTHCHECK",
            Self::Path => "in PATH",
            Self::Library => "where the dynamic linker looks",
            Self::Module => "a module of an interpreter",
            Self::Itself => "the result itself",
        })
    }
}

/// What engines set when an image sets nothing.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Folders of libraries, of which each may have one for the platform's multiarch triple.
const LIBRARY_FOLDERS: [&str; 6] =
    ["lib", "lib64", "usr/lib", "usr/lib64", "usr/local/lib", "usr/local/lib64"];

/// Programs that run others for another machine: what they are given is theirs to run.
const EMULATORS: [&str; 6] = ["box64", "box86", "FEXBash", "FEXInterpreter", "wine", "wine64"];

/// What an image runs. Paths have their links resolved and no leading slash.
pub(super) struct Uses {
    programs: HashMap<PathBuf, Use>,
    path: HashSet<PathBuf>,
    libraries: HashSet<PathBuf>,
    has_entry: bool,
}

impl Uses {
    pub(super) fn of(tree: &Tree, config: &Config, platform: &Platform) -> Self {
        let image = Image { tree, config, is_windows: platform.os_id() == Os::Windows };
        let (path, linked) = image.path();
        let mut programs = image.named();
        for program in linked {
            programs.entry(program).or_insert(Use::Path);
        }
        let has_entry = !(config.entrypoint.is_empty() && config.cmd.is_empty());
        Self { programs, path, libraries: image.libraries(platform), has_entry }
    }

    /// Whether it says what it runs.
    pub(super) fn has_entry(&self) -> bool {
        self.has_entry
    }

    /// What a file is needed for because of where it lies.
    pub(super) fn of_path(&self, path: &Path, file: &Foreign) -> Option<Use> {
        if let Some(used) = self.programs.get(path) {
            return Some(*used);
        }
        let folder = path.parent()?;
        match file.facts.kind {
            Kind::SharedLibrary => {
                let looked_for = self.libraries.contains(folder) && !is_linker(path);
                looked_for.then_some(Use::Library)
            }
            Kind::Executable | Kind::PieExecutable | Kind::Relocatable | Kind::Other => {
                self.path.contains(folder).then_some(Use::Path)
            }
        }
    }

    /// What a file is needed for because of what it is.
    pub(super) fn of_kind(&self, path: &Path, file: &Foreign) -> Option<Use> {
        if file.facts.kind == Kind::SharedLibrary && is_module(path) {
            return Some(Use::Module);
        }
        (!self.has_entry).then_some(Use::Itself)
    }
}

/// Whether a file is the dynamic linker of some platform, which no program loads as a library.
pub(super) fn is_linker(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_so = name.contains(".so");
    is_so && ["ld-", "ld.so", "ld64.so"].iter().any(|start| name.starts_with(start))
}

/// Whether the name is one that Python or Node.js give to what they load.
fn is_module(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_python = [".cpython-", ".abi3.", ".pypy"].iter().any(|mark| name.contains(mark));
    (is_python && name.ends_with(".so")) || [".node", ".pyd"].iter().any(|end| name.ends_with(end))
}

/// An image whose words are looked up.
struct Image<'a> {
    tree: &'a Tree,
    config: &'a Config,
    is_windows: bool,
}

impl Image<'_> {
    fn variable(&self, name: &str) -> Option<&str> {
        let own = |variable: &&String| variable.split_once('=').is_some_and(|(key, _)| key == name);
        let last = self.config.env.iter().rev().find(own)?;
        last.split_once('=').map(|(_, value)| value)
    }

    /// What `path` leads to, when something is there.
    fn resolve(&self, path: &Path) -> Option<PathBuf> {
        let located = self.tree.root().locate(path, true).ok()?;
        located.stat().ok()??;
        Some(located.path)
    }

    /// The folders of a list, links resolved, in their order.
    fn folders(&self, list: &str) -> Vec<PathBuf> {
        let separator = if self.is_windows { ';' } else { ':' };
        let folders = list.split(separator).map(|folder| self.plain(folder));
        folders.filter(|folder| folder.starts_with('/')).filter_map(|f| self.resolve(Path::new(&f))).collect()
    }

    /// A path of the image's system as one of this.
    fn plain(&self, path: &str) -> String {
        if !self.is_windows {
            return path.to_owned();
        }
        let path = path.replace('\\', "/");
        match path.split_once(':') {
            Some((drive, rest)) if drive.len() == 1 => rest.to_owned(),
            _ => path,
        }
    }

    fn path_folders(&self) -> Vec<PathBuf> {
        let default = if self.is_windows { "C:\\Windows\\System32;C:\\Windows" } else { DEFAULT_PATH };
        self.folders(self.variable("PATH").unwrap_or(default))
    }

    /// The folders of PATH, and what links in them lead to.
    fn path(&self) -> (HashSet<PathBuf>, Vec<PathBuf>) {
        let folders: HashSet<PathBuf> = self.path_folders().into_iter().collect();
        let mut linked = vec![];
        for folder in &folders {
            let Ok(directory) = self.tree.root().open_directory(folder) else { continue };
            let names = list(directory.as_fd()).unwrap_or_default();
            let links = names.into_iter().filter(|name| read_link(directory.as_fd(), name).is_some());
            linked.extend(links.filter_map(|name| self.resolve(&folder.join(name))));
        }
        (folders, linked)
    }

    /// Where the dynamic linker looks for libraries.
    fn libraries(&self, platform: &Platform) -> HashSet<PathBuf> {
        let mut folders: Vec<PathBuf> = LIBRARY_FOLDERS.iter().map(PathBuf::from).collect();
        if let Some(triple) = platform.multiarch() {
            folders.extend(LIBRARY_FOLDERS.iter().map(|folder| Path::new(folder).join(&triple)));
        }
        let is_own = |folder: &PathBuf| !names_other(folder, platform.arch_id());
        folders.extend(self.configured("etc/ld.so.conf").into_iter().filter(is_own));
        let mut found: HashSet<PathBuf> = folders.iter().filter_map(|folder| self.resolve(folder)).collect();
        found.extend(self.folders(self.variable("LD_LIBRARY_PATH").unwrap_or_default()));
        found
    }

    /// The folders that glibc's configuration lists, with those of the files that it includes.
    fn configured(&self, file: &str) -> Vec<PathBuf> {
        const LONGEST: u64 = 64 << 10;
        let read = |path: &Path| self.tree.root().read_file(path, LONGEST).ok().flatten().unwrap_or_default();
        let text = String::from_utf8_lossy(&read(Path::new(file))).into_owned();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.iter().any(|line| line.trim_start().starts_with("include")) {
            let folder = Path::new("etc/ld.so.conf.d");
            let names = self.tree.root().open_directory(folder).ok();
            let names = names.and_then(|directory| list(directory.as_fd()).ok()).unwrap_or_default();
            for name in names {
                let text = read(&folder.join(name));
                lines.extend(String::from_utf8_lossy(&text).lines().map(str::to_owned));
            }
        }
        let folders = lines.iter().map(|line| line.trim()).filter(|line| line.starts_with('/'));
        folders.map(PathBuf::from).collect()
    }

    /// The programs that ENTRYPOINT, CMD and HEALTHCHECK name.
    fn named(&self) -> HashMap<PathBuf, Use> {
        let check = self.config.healthcheck.as_ref().map_or(&[][..], |check| &check.test);
        let (kind, check) = match check {
            [kind, rest @ ..] if kind.starts_with("CMD") => (kind.as_str(), rest),
            _ => ("", &[][..]),
        };
        let mut found = HashMap::new();
        for (first, words, used) in [
            ("", &self.config.entrypoint[..], Use::Entrypoint),
            ("", &self.config.cmd[..], Use::Cmd),
            (if kind == "CMD-SHELL" { "-c" } else { "" }, check, Use::Healthcheck),
        ] {
            let before = std::iter::once(first).chain(words.iter().map(String::as_str));
            let words: Vec<String> =
                words.iter().zip(before).flat_map(|(word, before)| self.words(word, before)).collect();
            for (index, word) in words.iter().enumerate() {
                if is_emulator(word) {
                    break;
                }
                for program in self.program(word, index == 0) {
                    found.entry(program).or_insert(used);
                }
            }
        }
        found
    }

    /// The words of a shell's line (`sh -c LINE`, `bash -lc LINE`), or the one word.
    fn words(&self, line: &str, before: &str) -> Vec<String> {
        let is_end =
            |c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')' | '<' | '>' | '`');
        let is_line = before.starts_with('-') && before.ends_with('c');
        if !is_line && !line.contains(is_end) {
            return vec![line.to_owned()];
        }
        let variables: BTreeMap<String, String> = self
            .config
            .env
            .iter()
            .filter_map(|v| v.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let rules = Rules { no_quotes: true, ..Rules::new('\\') };
        let words = line.split(is_end).filter(|word| !word.is_empty());
        words
            .map(|word| word.trim_matches(['"', '\'']))
            .map(|word| expand(word, &variables, rules).map_or_else(|_| word.to_owned(), |found| found.text))
            .collect()
    }

    /// What a word may name: a path from the working directory, or a name that is looked for along PATH.
    fn program(&self, word: &str, is_first: bool) -> Vec<PathBuf> {
        let word = self.plain(word);
        let ends: &[&str] = if self.is_windows { &["", ".exe"] } else { &[""] };
        let in_folder =
            |folder: &Path| ends.iter().find_map(|end| self.resolve(&folder.join(format!("{word}{end}"))));
        if word.contains('/') {
            return in_folder(Path::new(&format!("/{}", self.plain(&self.config.working_dir))))
                .into_iter()
                .collect();
        }
        if !is_first || word.is_empty() {
            return vec![];
        }
        let mut folders = self.path_folders();
        if self.is_windows {
            folders.insert(0, PathBuf::from(self.plain(&self.config.working_dir)));
        }
        folders.iter().find_map(|folder| in_folder(folder)).into_iter().collect()
    }
}

fn is_emulator(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or_default();
    name.starts_with("qemu-") || EMULATORS.contains(&name)
}
