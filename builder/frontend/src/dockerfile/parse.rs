//! The whole file: instructions into stages.

use super::ast::{Command, Dockerfile, Instruction, Stage};
use super::diagnostic::Diagnostic;
use super::directive;
use super::flags::Flags;
use super::front_end::FrontEnd;
use super::instruction;
use super::logical::Lines;
use super::node::{self, Node, Word};
use crate::source_text::{SourceText, Span};

/// More errors than this in one file help nobody.
const MAX_ERRORS: usize = 20;

const NO_INSTRUCTIONS: &str = "there are no instructions in the file";
const BEGIN: &str = "begin with `FROM image` or `FROM scratch`";

/// Reads a Dockerfile.
///
/// ```
/// use xx_build_frontend::{dockerfile, source_text::SourceText};
/// let file = dockerfile::parse(&SourceText::new("Dockerfile", "FROM debian AS build\nRUN make\n")).unwrap();
/// assert_eq!(file.stages[0].name.as_ref().map(|n| n.text.as_str()), Some("build"));
/// ```
///
/// # Errors
/// Everything that is wrong with the text, in order, at most twenty; each with its place.
pub fn parse(source: &SourceText) -> Result<Dockerfile, Vec<Diagnostic>> {
    parse_as(source, &FrontEnd::default())
}

/// Reads a Dockerfile when more is said of its front end than in its `# syntax=`.
///
/// # Errors
/// As for [`parse`].
pub fn parse_as(source: &SourceText, front_end: &FrontEnd) -> Result<Dockerfile, Vec<Diagnostic>> {
    let mut lines = Lines::new(source);
    let mut file = Dockerfile {
        source: source.clone(),
        directives: directive::Directives::default(),
        global_args: Vec::new(),
        stages: Vec::new(),
    };
    let mut empty = true;
    let mut problems = read(&mut lines, |node| {
        empty = false;
        place(&mut file, node)
    });
    if problems.is_empty() && file.stages.is_empty() {
        let what = if empty { NO_INSTRUCTIONS } else { "there is no FROM in the file" };
        let span = file.global_args.last().map_or(Span::default(), Instruction::span);
        problems.push(Diagnostic::error(span, what).hint(BEGIN));
    }
    file.directives = lines.directives;
    problems.extend(front_end.refusal(source));
    if problems.is_empty() {
        Ok(file)
    } else {
        problems.sort_by_key(|p| p.span);
        Err(problems)
    }
}

/// Reads the syntax alone, as BuildKit's parser does: an instruction may be unknown, stand before the first FROM, or have
/// flags and arguments that mean nothing.
///
/// # Errors
/// What cannot be split into instructions, in order, at most twenty; each with its place.
pub fn syntax(source: &SourceText) -> Result<Vec<Node>, Vec<Diagnostic>> {
    let mut nodes = Vec::new();
    let mut problems = read(&mut Lines::new(source), |node| {
        nodes.push(node);
        Ok(())
    });
    if problems.is_empty() && nodes.is_empty() {
        problems.push(Diagnostic::error(Span::default(), NO_INSTRUCTIONS).hint(BEGIN));
    }
    if problems.is_empty() { Ok(nodes) } else { Err(problems) }
}

/// Reads instruction by instruction; gives what is wrong with the text or with what `take` makes of it.
fn read(lines: &mut Lines<'_>, mut take: impl FnMut(Node) -> Result<(), Diagnostic>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    while problems.len() < MAX_ERRORS {
        match node::next(lines, &mut problems) {
            Ok(Some(node)) => problems.extend(take(node).err()),
            Ok(None) => break,
            Err(problem) => {
                problems.push(problem);
                break;
            }
        }
    }
    problems
}

/// Reads the one instruction of an image's `ONBUILD` entry.
///
/// # Errors
/// The text is not one instruction.
pub fn parse_trigger(text: &str) -> Result<Instruction, Diagnostic> {
    let source = SourceText::new("ONBUILD", text);
    let mut lines = Lines::new(&source);
    let mut problems = Vec::new();
    let first = node::next(&mut lines, &mut problems)?;
    let second = node::next(&mut lines, &mut problems)?;
    match (problems.pop(), first, second) {
        (Some(problem), ..) => Err(problem),
        (None, Some(node), None) => {
            let command = instruction::command(&node)?;
            Ok(Instruction { command, node })
        }
        _ => Err(Diagnostic::error(Span::default(), "an ONBUILD trigger must be one instruction")
            .hint("write one ONBUILD for each instruction in the Dockerfile of the image")),
    }
}

fn place(file: &mut Dockerfile, node: Node) -> Result<(), Diagnostic> {
    if node.is("FROM") {
        let stage = stage(node)?;
        file.stages.push(stage);
        return Ok(());
    }
    let command = instruction::command(&node)?;
    let instruction = Instruction { command, node };
    match file.stages.last_mut() {
        Some(stage) => stage.instructions.push(instruction),
        None if matches!(instruction.command, Command::Arg(_)) => file.global_args.push(instruction),
        None => {
            let keyword = &instruction.node.keyword;
            let name = keyword.text.to_ascii_uppercase();
            return Err(Diagnostic::error(keyword.span, format!("{name} before the first FROM"))
                .hint("only ARG may stand before FROM; begin with `FROM image` or `FROM scratch`"));
        }
    }
    Ok(())
}

fn stage(node: Node) -> Result<Stage, Diagnostic> {
    let (base, name) = match node.args.as_slice() {
        [base] => (base.clone(), None),
        [base, word, name] if word.text.eq_ignore_ascii_case("as") => (base.clone(), Some(stage_name(name)?)),
        _ => {
            return Err(Diagnostic::error(node.span, "FROM needs an image, or an image, `AS` and a name")
                .hint("write `FROM image` or `FROM image AS name`"));
        }
    };
    let platform = Flags::read(&node)?.value("platform").filter(|p| !p.text.is_empty());
    let from = Instruction { command: Command::From, node };
    Ok(Stage { from, base, name, platform, instructions: Vec::with_capacity(16) })
}

fn stage_name(word: &Word) -> Result<Word, Diagnostic> {
    let text = word.text.to_lowercase();
    let valid = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'));
    if valid {
        return Ok(Word { text, span: word.span });
    }
    Err(Diagnostic::error(word.span, format!("invalid stage name `{}`", word.text))
        .hint("begin with a letter; use letters, digits, `-`, `_` and `.`"))
}
