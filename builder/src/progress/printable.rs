//! What a step prints, made safe for a terminal: colours stay, everything else that commands the terminal goes.
//!
//! A program in a step is not trusted, and a terminal obeys what it is sent: it clears the screen, changes the title of
//! the window, puts text on the clipboard (OSC 52) or answers as if somebody had typed. The forms are those of ECMA-48.
//! Characters that turn the direction of text go as well: they show a line as another than it is (CVE-2021-42574).

use std::borrow::Cow;

/// `text` without control characters and sequences, but for tabs, line ends and colours (`ESC [ … m`), and without
/// characters that turn the direction of others.
///
/// ```
/// use builder::progress::printable;
///
/// assert_eq!(printable("\x1b[2Jdone\x07"), "done");
/// assert_eq!(printable("\x1b[32mdone"), "\x1b[32mdone\x1b[0m");
/// ```
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_control) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut coloured = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = sequence(rest, first);
        let (taken, after) = rest.split_at(length);
        if kind != Kind::Command {
            shown.push_str(taken);
        }
        if kind == Kind::Colour {
            coloured = true;
        }
        rest = after;
    }
    if coloured && !shown.ends_with(RESET) {
        shown.push_str(RESET);
    }
    Cow::Owned(shown)
}

const RESET: &str = "\x1b[0m";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Colour,
    Command,
}

/// A name: [`printable`], in one line, and in the colours of what is around it.
pub(super) fn one_line(name: &str) -> String {
    let mut line = String::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = sequence(rest, first);
        let (taken, after) = rest.split_at(length);
        match kind {
            Kind::Text if first.is_whitespace() => line.push(' '),
            Kind::Text => line.push_str(taken),
            Kind::Colour | Kind::Command => {}
        }
        rest = after;
    }
    line
}

/// Control characters of ASCII and of Latin-1 (C0, DEL and C1), but for tabs and line ends; and those of bidirectional
/// text that override, embed and isolate.
fn is_control(c: char) -> bool {
    (c.is_control() && c != '\t' && c != '\n')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What the beginning of `text` is, and how many bytes belong to it.
fn sequence(text: &str, first: char) -> (Kind, usize) {
    let width = first.len_utf8();
    let after = text.get(width..).unwrap_or_default();
    match first {
        '\x1b' => match after.chars().next() {
            Some('[') => parameters(text, width + 1, true),
            Some(']' | 'P' | 'X' | '^' | '_') => (Kind::Command, string(text, width + 1)),
            _ => (Kind::Command, escape(text, width)),
        },
        '\u{9b}' => parameters(text, width, false),
        '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => (Kind::Command, string(text, width)),
        _ if is_control(first) => (Kind::Command, width),
        _ => (Kind::Text, width),
    }
}

/// A control sequence (CSI) whose parameters begin at `start`. Only those spelt in ASCII are taken as colours.
fn parameters(text: &str, start: usize, ascii: bool) -> (Kind, usize) {
    let body = text.as_bytes().get(start..).unwrap_or_default();
    let inner = body.iter().take_while(|byte| matches!(byte, 0x20..=0x3f)).count();
    match body.get(inner) {
        Some(b'm') if ascii && body.iter().take(inner).all(|byte| matches!(byte, b'0'..=b';')) => {
            (Kind::Colour, start + inner + 1)
        }
        Some(0x40..=0x7e) => (Kind::Command, start + inner + 1),
        _ => (Kind::Command, start + inner),
    }
}

/// A control string, such as an operating system command: up to its end, or to that of the text.
fn string(text: &str, start: usize) -> usize {
    let body = text.get(start..).unwrap_or_default();
    let ends = ["\x07", "\x1b\\", "\u{9c}"];
    let end = ends.iter().filter_map(|end| body.find(end).map(|at| at + end.len())).min();
    start + end.unwrap_or(body.len())
}

/// An escape sequence of two or more characters.
fn escape(text: &str, start: usize) -> usize {
    let body = text.as_bytes().get(start..).unwrap_or_default();
    let between = body.iter().take_while(|byte| matches!(byte, 0x20..=0x2f)).count();
    let last = matches!(body.get(between), Some(0x30..=0x7e));
    start + between + usize::from(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_text_and_colours_only() {
        let cases = [
            ("plain", "plain"),
            ("a\tb\nc", "a\tb\nc"),
            ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
            ("\x1b[1;38;2;1;2;3mx", "\x1b[1;38;2;1;2;3mx\x1b[0m"),
            ("\x1b[4:3mcurly", "\x1b[4:3mcurly\x1b[0m"),
            ("\x1b[>4;2mnot a colour", "not a colour"),
            ("\x1b[2J\x1b[Hcleared", "cleared"),
            ("\x1b[?1049hother screen", "other screen"),
            ("\x1b]0;title\x07t", "t"),
            ("\x1b]52;c;aGk=\x1b\\clipboard", "clipboard"),
            ("\x1b]8;;http://example.com\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("\u{9d}0;title\u{9c}t", "t"),
            ("\u{9b}2Jt", "t"),
            ("\u{9b}31mt", "t"),
            ("\x1bP+q544e\x1b\\answer", "answer"),
            ("\x1bcreset", "reset"),
            ("\x1b(0line drawing", "line drawing"),
            ("\x1b[6nwhere", "where"),
            ("bell\x07 and back\x08\x08", "bell and back"),
            ("\x1b[", ""),
            ("\x1b[12é", "é"),
            ("\x1b]never ended", ""),
            ("\x1b\x1b[2Jx", "x"),
            ("é\u{85}x\u{7f}", "éx"),
            ("\u{202e}txt.exe\u{2066}\u{2069}", "txt.exe"),
            // What is natural in text of two directions stays.
            ("\u{5d0}\u{200f}b", "\u{5d0}\u{200f}b"),
            // A string that is broken off by another sequence, or by nothing, hides no command behind it.
            ("\x1b]0;a\x1b[2Jb\x07c", "c"),
            ("\x1bP\x1b]0;t\x07\x1b\\c", "c"),
            ("\x1b[31\x1b[2Jx", "x"),
            ("\x1b[1;\u{9b}2Jx", "x"),
            ("\x1b \x1b#8x", "x"),
            ("\x1b%Gx\x1b%@", "x"),
            ("\x1b[3 q\x1b[!px", "x"),
            ("\x0e\x0fx\x05", "x"),
        ];
        for (text, expected) in cases {
            assert_eq!(printable(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_name_is_one_plain_line() {
        for (name, expected) in [
            ("RUN make  all", "RUN make  all"),
            ("a\nerror: b\r\n\tc", "a error: b  c"),
            ("\x1b[31mred\x1b[0m\x1b]0;t\x07", "red"),
        ] {
            assert_eq!(one_line(name), expected, "{name:?}");
        }
    }

    /// Whatever comes in, nothing goes out that commands: checked with another reading of the same forms.
    #[test]
    fn nothing_is_left_of_random_commands() {
        const PARTS: &[&str] = &[
            "\x1b", "[", "]", "P", "m", "31", ";", "\x07", "\\", "\u{9b}", "\u{9c}", "\u{9d}", "\u{90}", "x",
            "é", "\r", "\n", "?", ">", " ", "#", "8", "J", "\u{202e}", "\0", "\u{7f}", "\u{8f}", ":",
        ];
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text.push_str(PARTS[(state >> 33) as usize % PARTS.len()]);
            }
            let shown = printable(&text).into_owned();
            let mut rest = shown.as_str();
            while let Some(at) = rest.find(is_control) {
                let colour = rest[at..].strip_prefix("\x1b[").and_then(|after| {
                    after
                        .trim_start_matches(|c: char| c.is_ascii_digit() || c == ';' || c == ':')
                        .strip_prefix('m')
                });
                rest = colour.unwrap_or_else(|| panic!("{text:?} is shown as {shown:?}"));
            }
            assert_eq!(printable(&shown), shown, "{text:?}");
        }
    }
}
