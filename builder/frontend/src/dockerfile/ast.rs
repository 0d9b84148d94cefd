//! The syntax tree: stages and typed instructions, variables not yet expanded.
//!
//! Every word keeps its span. What an instruction does to an image or a graph is [`crate::lower`]'s business.

use super::directive::Directives;
use super::heredoc::Heredoc;
use super::node::{Node, Word};
use crate::source_text::{SourceText, Span};

/// A Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dockerfile {
    /// The text it was read from.
    pub source: SourceText,
    /// Parser directives.
    pub directives: Directives,
    /// `ARG` before the first `FROM`.
    pub global_args: Vec<Instruction>,
    /// The stages, in order.
    pub stages: Vec<Stage>,
}

impl Dockerfile {
    /// The escape character of this file.
    #[must_use]
    pub fn escape(&self) -> char {
        self.directives.escape()
    }

    /// Every instruction in order, `FROM` included.
    pub fn instructions(&self) -> impl Iterator<Item = &Instruction> {
        let stages = self.stages.iter().flat_map(|s| std::iter::once(&s.from).chain(&s.instructions));
        self.global_args.iter().chain(stages)
    }
}

/// `FROM` and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The `FROM` instruction.
    pub from: Instruction,
    /// Image, stage or context it starts from.
    pub base: Word,
    /// `AS`: the name, lower-cased.
    pub name: Option<Word>,
    /// `--platform`.
    pub platform: Option<Word>,
    /// The instructions after `FROM`.
    pub instructions: Vec<Instruction>,
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Its syntax: keyword, flags, words, comments, places.
    pub node: Node,
    /// Its meaning.
    pub command: Command,
}

impl Instruction {
    /// Bytes from the keyword to the end.
    #[must_use]
    pub fn span(&self) -> Span {
        self.node.span
    }
}

/// The meaning of an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `ADD`.
    Add(Add),
    /// `ARG`.
    Arg(Vec<ArgPair>),
    /// `CMD`.
    Cmd(CommandLine),
    /// `COPY`.
    Copy(Copy),
    /// `ENTRYPOINT`.
    Entrypoint(CommandLine),
    /// `ENV`.
    Env(Vec<Pair>),
    /// `EXPOSE`: the words, sorted.
    Expose(Vec<Word>),
    /// `FROM`; the fields are in [`Stage`].
    From,
    /// `HEALTHCHECK`.
    Healthcheck(Healthcheck),
    /// `LABEL`.
    Label(Vec<Pair>),
    /// `MAINTAINER`.
    Maintainer(Word),
    /// `ONBUILD`: the instruction as text, here documents included.
    Onbuild(String),
    /// `RUN`.
    Run(Run),
    /// `SHELL`.
    Shell(Vec<String>),
    /// `STOPSIGNAL`.
    Stopsignal(Word),
    /// `USER`.
    User(Word),
    /// `VOLUME`.
    Volume(Vec<Word>),
    /// `WORKDIR`.
    Workdir(Word),
}

/// `name` or `name=value` of an `ARG`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgPair {
    /// Name.
    pub key: String,
    /// Default, when one is given.
    pub value: Option<String>,
    /// Where.
    pub span: Span,
}

/// `key=value` of an `ENV` or `LABEL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Key, not expanded.
    pub key: String,
    /// Value, not expanded.
    pub value: String,
    /// Written `key value`, the old form.
    pub legacy: bool,
    /// Where.
    pub span: Span,
}

/// A command in one of its two forms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandLine {
    /// Arguments (JSON form), or the one text for the shell.
    pub args: Vec<String>,
    /// Shell form: the stage's shell runs it.
    pub shell: bool,
}

/// `RUN`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Run {
    /// The command.
    pub line: CommandLine,
    /// `--mount` values, not expanded.
    pub mounts: Vec<Word>,
    /// `--network`.
    pub network: Network,
    /// `--security=insecure`.
    pub insecure: bool,
}

/// `RUN --network`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// What the build is set to.
    #[default]
    Default,
    /// No network but loopback.
    None,
    /// The host's network.
    Host,
}

/// Sources and destination of `COPY` and `ADD`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Files {
    /// Paths, URLs; not expanded.
    pub sources: Vec<Word>,
    /// Here documents as files.
    pub documents: Vec<Document>,
    /// Destination, not expanded.
    pub dest: String,
    /// `--chown`.
    pub chown: String,
    /// `--chmod`.
    pub chmod: String,
    /// `--link`.
    pub link: bool,
    /// `--exclude`, in order.
    pub exclude: Vec<String>,
}

/// A here document that is a source of `COPY` or `ADD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// File name.
    pub name: String,
    /// Contents, leading tabs already taken off for `<<-`.
    pub data: String,
    /// Whether variables in it are expanded.
    pub expand: bool,
}

/// `COPY`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Copy {
    /// What goes where.
    pub files: Files,
    /// `--from`.
    pub from: Option<Word>,
    /// `--parents`.
    pub parents: bool,
}

/// `ADD`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Add {
    /// What goes where.
    pub files: Files,
    /// `--keep-git-dir`.
    pub keep_git_dir: Option<bool>,
    /// `--checksum`.
    pub checksum: String,
    /// `--unpack`.
    pub unpack: Option<bool>,
}

/// `HEALTHCHECK`. Times in nanoseconds, zero for the engine's default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Healthcheck {
    /// `NONE`, or `CMD`/`CMD-SHELL` and the command.
    pub test: Vec<String>,
    /// `--interval`.
    pub interval: i64,
    /// `--timeout`.
    pub timeout: i64,
    /// `--start-period`.
    pub start_period: i64,
    /// `--start-interval`.
    pub start_interval: i64,
    /// `--retries`.
    pub retries: i64,
}

/// The here documents of an instruction.
impl Instruction {
    /// Here documents in order.
    #[must_use]
    pub fn heredocs(&self) -> &[Heredoc] {
        &self.node.heredocs
    }
}
