//! A case: what a seed stands for.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use super::answer::hex;
use super::archive::{Added, add, archive, documents};
use super::ignore;
use super::instruction::{From, copy, workdir};
use super::numbers::Numbers;
use super::script::{changes, listing};
use super::tree::{Node, Tree};

/// What cases are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// COPY from a context or a stage.
    Copy,
    /// What an ignore file leaves of a context.
    Ignore,
    /// The main context, with the ignore file of the Dockerfile or its own.
    Main,
    /// ADD of archives, and here documents.
    Add,
    /// Steps, and what mounts of a context show to them.
    Run,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Copy, Self::Ignore, Self::Main, Self::Add, Self::Run];

    /// Its name in lists.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Ignore => "ignore",
            Self::Main => "main",
            Self::Add => "add",
            Self::Run => "run",
        }
    }
}

/// A context, and the instructions of a stage.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it is about.
    pub kind: Kind,
    /// What it was made of, and the number of its folder.
    pub seed: u64,
    /// Files of the context.
    pub(super) context: Tree,
    /// Files of another stage, if it copies from one.
    pub(super) stage: Option<Tree>,
    /// The context's ignore file.
    ignore: Option<String>,
    /// The ignore file beside the Dockerfile.
    beside: Option<String>,
    /// Files of the main context.
    added: Vec<Added>,
    /// The instructions, a line each.
    pub lines: Vec<String>,
    /// Where in the context a socket is.
    socket: Option<&'static str>,
}

impl Case {
    /// The case of a seed.
    #[must_use]
    pub fn new(kind: Kind, seed: u64) -> Self {
        let mut numbers = Numbers::new(kind.name(), seed);
        let numbers = &mut numbers;
        let mut case = Self {
            kind,
            seed,
            context: Tree::random(numbers, 22),
            stage: None,
            ignore: None,
            beside: None,
            added: vec![],
            lines: vec![],
            socket: None,
        };
        match kind {
            Kind::Copy => case.copies(numbers),
            Kind::Ignore => case.ignores(numbers),
            Kind::Main => case.is_main(numbers),
            Kind::Add => case.adds(numbers),
            Kind::Run => case.runs(numbers),
        }
        case
    }

    fn copies(&mut self, numbers: &mut Numbers) {
        if numbers.chance(40) {
            self.stage = Some(Tree::random(numbers, 22));
        }
        self.lines.extend(workdir(numbers));
        let count = if numbers.chance(25) { 2 } else { 1 };
        for _ in 0..count {
            let line = copy(numbers, self.from());
            self.lines.push(line);
        }
    }

    fn ignores(&mut self, numbers: &mut Numbers) {
        self.ignore = Some(ignore::random(numbers, &self.context));
        self.socket = numbers.chance(4).then_some("sock");
        if numbers.chance(70) {
            self.lines.push("COPY --from=CONTEXT . /new/".to_owned());
        } else {
            let line = copy(numbers, self.from());
            self.lines.push(line);
        }
    }

    fn is_main(&mut self, numbers: &mut Numbers) {
        self.ignore = numbers.chance(70).then(|| ignore::random(numbers, &self.context));
        self.beside = numbers.chance(50).then(|| ignore::random(numbers, &self.context));
        for _ in 0..1 + numbers.below(2) {
            let line = match numbers.chance(50) {
                true => "COPY . /new/".to_owned(),
                false => copy(numbers, From { folder: "", tree: &self.context, name: "" }),
            };
            self.lines.push(line);
        }
    }

    fn adds(&mut self, numbers: &mut Numbers) {
        self.context = Tree::default();
        self.lines.extend(workdir(numbers));
        for _ in 0..1 + numbers.below(2) {
            if numbers.chance(25) {
                self.lines.push(documents(numbers));
                continue;
            }
            let mut added: Vec<Added> = (0..1 + numbers.below(2)).map(|_| archive(numbers)).collect();
            if numbers.chance(10)
                && let Some(first) = added.first_mut()
            {
                // What is in an archive is not unpacked in turn.
                let inner = Tree::of_file("in.tar", first.bytes.clone());
                first.shown = format!("an archive with in.tar, which is {}", first.shown);
                first.bytes = inner;
            }
            added.retain(|new| self.added.iter().all(|old| old.name != new.name));
            added.dedup_by(|one, other| one.name == other.name);
            if !added.is_empty() {
                let line = add(numbers, &added);
                self.added.extend(added);
                self.lines.push(line);
            }
        }
    }

    fn runs(&mut self, numbers: &mut Numbers) {
        if numbers.chance(40) {
            self.ignore = Some(ignore::random(numbers, &self.context));
        }
        for _ in 0..1 + numbers.below(3) {
            let line = match numbers.below(10) {
                0..=5 => changes(numbers),
                6 | 7 => listing(numbers, &self.context),
                _ => copy(numbers, self.from()),
            };
            self.lines.push(line);
        }
    }

    /// Whether it is a build of its own, since its context is the main one.
    pub(super) fn is_alone(&self) -> bool {
        self.kind == Kind::Main
    }

    /// The ignore file beside the Dockerfile.
    pub(super) fn beside(&self) -> Option<&str> {
        self.beside.as_deref()
    }

    fn from(&self) -> From<'_> {
        From { folder: "", tree: self.stage.as_ref().unwrap_or(&self.context), name: self.source_name() }
    }

    fn source_name(&self) -> &'static str {
        // Stands for the name of the case's own stage or context.
        if self.stage.is_some() { "STAGE" } else { "CONTEXT" }
    }

    /// Whether a class of a pattern of its ignore files holds a star.
    pub(super) fn has_star_in_brackets(&self) -> bool {
        let texts = self.ignore.iter().chain(&self.beside);
        let mut classes =
            texts.flat_map(|text| text.split('[').skip(1)).filter_map(|rest| rest.split(']').next());
        classes.any(|class| class.contains(['*', '?']))
    }

    /// Whether there are links where it copies from.
    pub(super) fn has_links(&self) -> bool {
        self.stage.as_ref().unwrap_or(&self.context).0.iter().any(Node::is_link)
    }

    /// Its name in lists, and that of its folder.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}{}", self.kind.name(), self.seed)
    }

    /// The name of its context.
    pub(super) fn context_name(&self) -> String {
        format!("context-{}", self.name())
    }

    /// Whether its context is named in it.
    pub(super) fn names_context(&self) -> bool {
        self.lines.iter().any(|line| line.contains("from=CONTEXT"))
    }

    /// All that it is made of, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        let stage = self.stage.as_ref().map_or(String::new(), |tree| format!("stage:\n{}", tree.shown()));
        let ignore = self.ignore.as_ref().map_or(String::new(), |text| format!("ignore file: {text:?}\n"));
        let socket = self.socket.map_or(String::new(), |path| format!("socket: {path}\n"));
        let beside = self.beside.as_ref().map_or(String::new(), |text| format!("of the file: {text:?}\n"));
        let added = |added: &Added| format!("{:?}: {}", added.name, added.shown);
        let added: String = self.added.iter().map(added).collect();
        let context = self.context.shown();
        format!("context:\n{context}{stage}{ignore}{beside}{socket}{added}{}\n", self.lines.join("\n"))
    }

    /// Tells whether a recorded answer is about this case.
    #[must_use]
    pub fn identity(&self) -> String {
        hex(&Sha256::digest(self.shown().as_bytes()))[..6].to_owned()
    }

    /// The stages that make it, its instructions last.
    pub(super) fn stages(&self) -> Vec<String> {
        let name = self.name();
        let mut lines = vec![];
        if self.stage.is_some() {
            lines.push(format!("FROM scratch AS stage-{name}"));
            lines.push(format!("ADD {name}.tar /"));
        }
        let base = match self.kind {
            Kind::Copy | Kind::Ignore | Kind::Add => "fixture",
            Kind::Main => "scratch",
            Kind::Run => "fixture-run",
        };
        lines.push(format!("FROM {base} AS target-{name}"));
        lines.extend(self.lines.iter().flat_map(|line| line.split('\n')).map(|line| {
            line.replace("FOLDER/", &format!("{name}/"))
                .replace("from=CONTEXT", &format!("from={}", self.context_name()))
                .replace("--from=STAGE", &format!("--from=stage-{name}"))
        }));
        lines
    }

    /// Where its files are in its stage.
    pub(super) fn place(&self) -> &'static str {
        if self.kind == Kind::Run { "/w" } else { "/" }
    }

    /// Writes its context into the new folder of its name below `directory`, and its stage's files for `main`.
    pub(super) fn write(&self, directory: &Path, main: &Path) {
        let context = directory.join(self.context_name());
        fs::create_dir(&context).expect("a directory");
        if let Some(name) = self.socket {
            // Short, as names of sockets have to be.
            let short = directory.join("s");
            drop(UnixListener::bind(&short).expect("a socket"));
            fs::rename(short, context.join(name)).expect("a name");
        }
        if let Some(text) = &self.ignore {
            let file = context.join(".dockerignore");
            fs::write(&file, text).expect("a file");
            if self.kind == Kind::Run {
                // A list of a mount tells times.
                touch([file]);
            }
        }
        if !self.added.is_empty() {
            let folder = main.join(self.name());
            fs::create_dir(&folder).expect("a directory");
            for Added { name, bytes, .. } in &self.added {
                fs::write(folder.join(name), bytes).expect("a file");
            }
            touch(self.added.iter().map(|added| folder.join(&added.name)));
        }
        let archive = directory.join("context.tar");
        fs::write(&archive, self.context.archive()).expect("a file");
        let mut command = Command::new("tar");
        command.arg("-C").arg(&context).args(["--extract", "--preserve-permissions"]);
        // A mount shows owners as they are here.
        if self.kind == Kind::Run {
            command.arg("--no-same-owner");
        }
        command.arg("--file");
        let unpacked = command.arg(&archive).output().expect("tar starts");
        assert!(unpacked.status.success(), "{}", String::from_utf8_lossy(&unpacked.stderr));
        if let Some(stage) = &self.stage {
            fs::write(main.join(format!("{}.tar", self.name())), stage.archive()).expect("a file");
        }
    }
}

/// Gives files a time that is not now.
fn touch(files: impl IntoIterator<Item = PathBuf>) {
    let touched = Command::new("touch").arg("--date=@1000000000").args(files).status();
    assert!(touched.expect("touch starts").success());
}
