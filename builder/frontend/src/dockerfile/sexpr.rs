//! The syntax tree as S-expressions, in the form of BuildKit's parser dump: `(from "debian")`.

use std::fmt::Write as _;

use super::node::{self, Node};

/// Prints every instruction on a line of its own.
///
/// ```
/// use xx_build_frontend::{dockerfile, source_text::SourceText};
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
    text.chars().for_each(|c| escape(&mut out, c));
    out.push('"');
    out
}

/// Writes a character as Go's `%q` does.
fn escape(out: &mut String, c: char) {
    let code = u32::from(c);
    match c {
        '\\' => out.push_str("\\\\"),
        '"' => out.push_str("\\\""),
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
        c if !is_printable(c) && code > 0xffff => {
            let _infallible = write!(out, "\\U{code:08x}");
        }
        c if !is_printable(c) => {
            let _infallible = write!(out, "\\u{code:04x}");
        }
        c => out.push(c),
    }
}

/// Whether Go prints a character outside ASCII as it is: no control or format character, no space, and one that means
/// something to everybody. Go also escapes those that no version of Unicode has assigned; that table is not kept here.
fn is_printable(c: char) -> bool {
    let invisible = matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    let private = matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}');
    let nothing = matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe;
    c == ' ' || !(c.is_control() || c.is_whitespace() || invisible || private || nothing)
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn characters_are_quoted_as_go_does() {
        let cases = [
            ("a\"b\\c\n\u{7f}", r#""a\"b\\c\n\x7f""#),
            ("\u{e9}\u{65e5}\u{1f600}", "\"\u{e9}\u{65e5}\u{1f600}\""),
            ("\u{a0}\u{3000}\u{200b}\u{feff}", r#""\u00a0\u3000\u200b\ufeff""#),
            ("\u{e0b0}\u{f3fbd}\u{ffff}", r#""\ue0b0\U000f3fbd\uffff""#),
        ];
        for (text, quoted) in cases {
            assert_eq!(quote(text), quoted);
        }
    }
}
