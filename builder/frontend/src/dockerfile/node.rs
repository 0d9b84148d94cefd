//! The syntax of one instruction before its meaning: keyword, flags, arguments.
//!
//! The splitting depends on the keyword (see `FORMS`); unknown keywords keep their text for the error message.
//! [`super::sexpr`] prints this level, `instruction` gives it meaning.

use super::diagnostic::Diagnostic;
use super::heredoc::{self, Heredoc};
use super::logical::{Lines, Logical};
use super::words::{self, BLANK};
use crate::source_text::Span;

/// A word and the bytes it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The text; variables not yet expanded.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// One instruction, split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The keyword as written.
    pub keyword: Word,
    /// Flags before the arguments, quotes taken off.
    pub flags: Vec<Word>,
    /// Arguments. For ENV and LABEL: key, value, separator in turn.
    pub args: Vec<Word>,
    /// Whether the arguments were a JSON array.
    pub json: bool,
    /// The instruction after ONBUILD.
    pub inner: Option<Box<Node>>,
    /// Here documents.
    pub heredocs: Vec<Heredoc>,
    /// The logical line.
    pub code: String,
    /// Comments directly above.
    pub comments: Vec<String>,
    /// Bytes from the keyword to the end, here documents included.
    pub span: Span,
    /// First and last line in the file, here documents included.
    pub lines: (usize, usize),
    /// An empty line inside the continuation.
    pub empty_continuation: Option<Span>,
}

/// How an instruction's arguments are split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One text.
    Text,
    /// Words between blanks.
    Words,
    /// Words with quotes: ARG.
    Quoted,
    /// `key=value ...` or `key value`: ENV, LABEL.
    Pairs,
    /// A JSON array, else one text.
    JsonOrText,
    /// A JSON array, else words.
    JsonOrWords,
    /// A word, then a JSON array or a text: HEALTHCHECK.
    Health,
    /// Another instruction: ONBUILD.
    Inner,
}

/// The instructions, and how each splits.
const FORMS: [(&str, Form); 18] = [
    ("ADD", Form::JsonOrWords),
    ("ARG", Form::Quoted),
    ("CMD", Form::JsonOrText),
    ("COPY", Form::JsonOrWords),
    ("ENTRYPOINT", Form::JsonOrText),
    ("ENV", Form::Pairs),
    ("EXPOSE", Form::Words),
    ("FROM", Form::Words),
    ("HEALTHCHECK", Form::Health),
    ("LABEL", Form::Pairs),
    ("MAINTAINER", Form::Text),
    ("ONBUILD", Form::Inner),
    ("RUN", Form::JsonOrText),
    ("SHELL", Form::JsonOrText),
    ("STOPSIGNAL", Form::Text),
    ("USER", Form::Text),
    ("VOLUME", Form::JsonOrWords),
    ("WORKDIR", Form::Text),
];

/// The keywords of all instructions, sorted.
pub fn keywords() -> impl Iterator<Item = &'static str> {
    FORMS.iter().map(|(keyword, _)| *keyword)
}

fn form(keyword: &str) -> Option<Form> {
    FORMS.iter().find(|(name, _)| name.eq_ignore_ascii_case(keyword)).map(|(_, form)| *form)
}

impl Node {
    /// Whether this is the instruction with that keyword, in any case.
    #[must_use]
    pub fn is(&self, keyword: &str) -> bool {
        self.keyword.text.eq_ignore_ascii_case(keyword)
    }

    /// Whether here documents can belong to it: RUN, COPY, ADD (also behind ONBUILD), not in JSON form.
    fn takes_heredocs(&self) -> bool {
        let node = self.inner.as_deref().filter(|_| self.is("ONBUILD")).unwrap_or(self);
        !node.json && ["ADD", "COPY", "RUN"].into_iter().any(|keyword| node.is(keyword))
    }
}

/// Reads the next instruction. An error that leaves the reader at a sound place is put in `problems` and the
/// instruction left out.
pub(super) fn next(
    lines: &mut Lines<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Result<Option<Node>, Diagnostic> {
    loop {
        let Some(logical) = lines.logical()? else { return Ok(None) };
        if let Some(at) = logical.text.find('\0') {
            let span = logical.span_of(at, at + 1);
            problems.push(
                Diagnostic::error(span, "NUL byte in an instruction")
                    .hint("save the file as UTF-8 text without NUL bytes"),
            );
            continue;
        }
        let mut node = match split(&logical, 0, lines.directives.escape(), 0) {
            Ok(node) => node,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        if logical.text.contains("<<") && node.takes_heredocs() {
            node.heredocs = heredoc::read(lines, &logical.text, logical.span)?;
            node.span.end = node.heredocs.last().map_or(node.span.end, |h| h.span.end.max(node.span.end));
        }
        if let Some(problem) = nul_in_command(&node) {
            problems.push(problem);
            continue;
        }
        node.comments = logical.comments.iter().map(|c| (*c).to_owned()).collect();
        node.lines = (logical.first_line, lines.number);
        node.empty_continuation = logical.empty_continuation;
        return Ok(Some(node));
    }
}

/// A NUL byte in a here document that becomes an argument; files may hold them.
fn nul_in_command(node: &Node) -> Option<Diagnostic> {
    if node.is("COPY") || node.is("ADD") {
        return None;
    }
    let (document, at) = node.heredocs.iter().find_map(|d| Some((d, d.content.find('\0')?)))?;
    let start = document.span.start + at;
    Some(
        Diagnostic::error(Span::new(start, start + 1), "NUL byte in a command")
            .hint("no argument of a program can hold one: use `printf '\\0'`, or COPY a file"),
    )
}

/// ONBUILD inside ONBUILD is an error later; more than this is one now.
const MAX_NESTING: usize = 8;

fn split(logical: &Logical<'_>, from: usize, escape: char, depth: usize) -> Result<Node, Diagnostic> {
    let line = logical.text.as_ref();
    let line = line.get(..line.trim_end().len()).unwrap_or_default();
    let start = from + skip_space(line.get(from..).unwrap_or_default());
    let text = line.get(start..).unwrap_or_default();
    let keyword_end = start + text.find(BLANK).unwrap_or(text.len());
    let keyword = word(logical, start, keyword_end);
    let (flag_pieces, args_at) = words::flags(line, keyword_end, escape);
    let args_at = args_at + skip_space(line.get(args_at..).unwrap_or_default());
    let flags = flag_pieces
        .into_iter()
        .map(|p| Word { span: logical.span_of(p.start, p.end), text: p.text })
        .collect();
    let mut node = Node {
        flags,
        args: Vec::new(),
        json: false,
        inner: None,
        heredocs: Vec::new(),
        code: text.to_owned(),
        comments: Vec::new(),
        span: logical.span_of(start, line.len()),
        lines: (logical.first_line, logical.first_line),
        empty_continuation: None,
        keyword,
    };
    match form(&node.keyword.text) {
        None => {}
        Some(Form::Text) => node.args = whole(logical, line, args_at),
        Some(Form::Words) => node.args = plain_words(logical, line, args_at),
        Some(Form::Quoted) => {
            node.args = words::quoted(line, args_at, escape)
                .into_iter()
                .map(|p| Word { span: logical.span_of(p.start, p.end), text: p.text })
                .collect();
        }
        Some(Form::Pairs) => node.args = pairs(logical, line, args_at, escape, &node.keyword)?,
        Some(Form::JsonOrText) => match json(logical, line, args_at)? {
            Some(args) => (node.args, node.json) = (args, true),
            None => node.args = whole(logical, line, args_at),
        },
        Some(Form::JsonOrWords) => match json(logical, line, args_at)? {
            Some(args) => (node.args, node.json) = (args, true),
            None => node.args = plain_words(logical, line, args_at),
        },
        Some(Form::Health) => health(logical, line, args_at, &mut node)?,
        Some(Form::Inner) if args_at >= line.len() => {}
        Some(Form::Inner) if depth >= MAX_NESTING => {
            return Err(Diagnostic::error(node.span, "ONBUILD is nested too deeply").hint("keep one ONBUILD"));
        }
        Some(Form::Inner) => node.inner = Some(Box::new(split(logical, args_at, escape, depth + 1)?)),
    }
    Ok(node)
}

fn skip_space(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

fn word(logical: &Logical<'_>, start: usize, end: usize) -> Word {
    let text = logical.text.get(start..end).unwrap_or_default().to_owned();
    Word { text, span: logical.span_of(start, end) }
}

fn whole(logical: &Logical<'_>, line: &str, at: usize) -> Vec<Word> {
    if at >= line.len() { Vec::new() } else { vec![word(logical, at, line.len())] }
}

fn plain_words(logical: &Logical<'_>, line: &str, at: usize) -> Vec<Word> {
    let pieces = words::plain(line, at).into_iter();
    pieces.map(|p| Word { span: logical.span_of(p.start, p.end), text: p.text }).collect()
}

/// Reads a JSON array of strings; `None` when the text is not JSON, an error when it is but holds something else.
fn json(logical: &Logical<'_>, line: &str, at: usize) -> Result<Option<Vec<Word>>, Diagnostic> {
    let text = line.get(at..).unwrap_or_default();
    if !text.starts_with('[') {
        return Ok(None);
    }
    let Ok(values) = serde_json::from_str::<Vec<serde_json::Value>>(text) else { return Ok(None) };
    let span = logical.span_of(at, line.len());
    let strings = values.into_iter().map(|value| {
        let text = value.as_str().map(str::to_owned);
        text.map(|text| Word { text, span }).ok_or_else(|| {
            Diagnostic::error(span, format!("`{value}` in a JSON array of arguments is not a string"))
                .hint("put every argument in double quotes")
        })
    });
    strings.collect::<Result<_, _>>().map(Some)
}

fn health(logical: &Logical<'_>, line: &str, at: usize, node: &mut Node) -> Result<(), Diagnostic> {
    let text = line.get(at..).unwrap_or_default();
    let length = text.find(char::is_whitespace).unwrap_or(text.len());
    if length == 0 {
        return Ok(());
    }
    node.args.push(word(logical, at, at + length));
    let rest = at + length + skip_space(text.get(length..).unwrap_or_default());
    match json(logical, line, rest)? {
        Some(args) => {
            node.args.extend(args);
            node.json = true;
        }
        None => node.args.extend(whole(logical, line, rest)),
    }
    Ok(())
}

/// `key=value ...` when the first word holds `=`, else `key value`. Gives key, value, separator in turn.
fn pairs(
    logical: &Logical<'_>,
    line: &str,
    at: usize,
    escape: char,
    keyword: &Word,
) -> Result<Vec<Word>, Diagnostic> {
    let pieces = words::quoted(line, at, escape);
    let Some(first) = pieces.first() else { return Ok(Vec::new()) };
    let separator = |text: &str, span: Span| Word { text: text.to_owned(), span };
    if !first.text.contains('=') {
        let text = line.get(at..).unwrap_or_default();
        let key_end = at + text.find(BLANK).unwrap_or(text.len());
        let value_at =
            key_end + line.get(key_end..).map_or(0, |t| t.len() - t.trim_start_matches(BLANK).len());
        if value_at >= line.len() {
            let name = keyword.text.to_ascii_uppercase();
            return Err(Diagnostic::error(word(logical, at, key_end).span, format!("{name} needs a value"))
                .hint(format!("write `{name} {}=value`", first.text)));
        }
        let key = word(logical, at, key_end);
        let value = word(logical, value_at, line.len());
        let end = separator("", value.span);
        return Ok(vec![key, value, end]);
    }
    let mut out = Vec::with_capacity(pieces.len() * 3);
    for piece in pieces {
        let span = logical.span_of(piece.start, piece.end);
        let Some((key, value)) = piece.text.split_once('=') else {
            return Err(Diagnostic::error(span, format!("no `=` in `{}`", piece.text))
                .hint("write `name=value`, with quotes around a value that holds spaces"));
        };
        out.push(Word { text: key.to_owned(), span });
        out.push(Word { text: value.to_owned(), span });
        out.push(separator("=", span));
    }
    Ok(out)
}
