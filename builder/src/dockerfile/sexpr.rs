//! The syntax tree as S-expressions, in the form of BuildKit's parser dump: `(from "debian")`.

use std::fmt::Write as _;

use super::node::{self, Node};

/// Prints every instruction on a line of its own.
///
/// ```
/// use builder::{dockerfile, source_text::SourceText};
/// let nodes = dockerfile::syntax(&SourceText::new("Dockerfile", "FROM debian\nRUN --network=none make\n")).unwrap();
/// assert_eq!(dockerfile::sexpr::dump(&nodes), "(from \"debian\")\n(run [\"--network=none\"] \"make\")\n");
/// ```
#[must_use]
pub fn dump(nodes: &[Node]) -> String {
    nodes.iter().map(|node_| format!("({})\n", node(node_))).collect()
}

fn node(node_: &Node) -> String {
    let mut out = node_.keyword.text.to_lowercase();
    if !node_.flags.is_empty() {
        let flags: Vec<String> = node_.flags.iter().map(|f| quote(&f.text)).collect();
        let _infallible = write!(out, " [{}]", flags.join(" "));
    }
    for arg in &node_.args {
        out.push(' ');
        out.push_str(&quote(&arg.text));
    }
    if !node::keywords().any(|keyword| node_.is(keyword)) {
        // BuildKit keeps no arguments of an instruction that it does not know, and prints that there are none.
        out.push_str(" \"\"");
    }
    if let Some(inner) = &node_.inner {
        let _infallible = write!(out, " ({})", node(inner));
    }
    out
}

/// Go's quoting; the same as for histories of images.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    text.chars().for_each(|c| escape(&mut out, c, '"'));
    out.push('"');
    out
}

/// Writes a character as Go's `%q` does inside these quotes.
pub(crate) fn escape(out: &mut String, c: char, quote: char) {
    let code = u32::from(c);
    match c {
        '\\' => out.push_str("\\\\"),
        c if c == quote => out.extend(['\\', c]),
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        c if code < 0x20 || c == '\u{7f}' => {
            let _infallible = write!(out, "\\x{code:02x}");
        }
        c if c.is_control() || matches!(c, '\u{a0}' | '\u{ad}' | '\u{feff}' | '\u{2028}' | '\u{2029}') => {
            let _infallible = write!(out, "\\u{code:04x}");
        }
        c => out.push(c),
    }
}
