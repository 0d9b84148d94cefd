//! A case: what a seed stands for.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use sha2::{Digest as _, Sha256};

use super::answer::hex;
use super::ignore;
use super::instruction::{From, copy, workdir};
use super::numbers::Numbers;
use super::tree::{Node, Tree};

/// What cases are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// COPY from a context or a stage.
    Copy,
    /// What an ignore file leaves of a context.
    Ignore,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Copy, Self::Ignore];

    /// Its name in lists.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Ignore => "ignore",
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
    pub(super) ignore: Option<String>,
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
            lines: vec![],
            socket: None,
        };
        match kind {
            Kind::Copy => case.copies(numbers),
            Kind::Ignore => case.ignores(numbers),
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

    fn from(&self) -> From<'_> {
        From { folder: "", tree: self.stage.as_ref().unwrap_or(&self.context), name: self.source_name() }
    }

    fn source_name(&self) -> &'static str {
        // Stands for the name of the case's own stage or context.
        if self.stage.is_some() { "STAGE" } else { "CONTEXT" }
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

    /// All that it is made of, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        let stage = self.stage.as_ref().map_or(String::new(), |tree| format!("stage:\n{}", tree.shown()));
        let ignore = self.ignore.as_ref().map_or(String::new(), |text| format!("ignore file: {text:?}\n"));
        let socket = self.socket.map_or(String::new(), |path| format!("socket: {path}\n"));
        let context = self.context.shown();
        format!("context:\n{context}{stage}{ignore}{socket}{}\n", self.lines.join("\n"))
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
        lines.push(format!("FROM fixture AS target-{name}"));
        lines.extend(self.lines.iter().map(|line| {
            line.replace("--from=STAGE", &format!("--from=stage-{name}"))
                .replace("--from=CONTEXT", &format!("--from={}", self.context_name()))
        }));
        lines
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
            fs::write(context.join(".dockerignore"), text).expect("a file");
        }
        let archive = directory.join("context.tar");
        fs::write(&archive, self.context.archive()).expect("a file");
        let mut command = Command::new("tar");
        command.arg("-C").arg(&context).args(["--extract", "--preserve-permissions", "--file"]);
        let unpacked = command.arg(&archive).output().expect("tar starts");
        assert!(unpacked.status.success(), "{}", String::from_utf8_lossy(&unpacked.stderr));
        if let Some(stage) = &self.stage {
            fs::write(main.join(format!("{}.tar", self.name())), stage.archive()).expect("a file");
        }
    }
}
