//! Standard output and standard error, which obey nobody when they are a terminal.
//!
//! What is written there bears names: of stages, files, images, arguments. Their authors are not trusted with a terminal
//! either. Into a file or a pipe everything goes as it is.

use std::io::{self, IsTerminal, Write};

use super::printable;

/// A line that never ends is shown in parts of this many bytes.
const MAX_LINE: usize = 64 << 10;

/// A writer that, on a terminal, shows each line [`printable`]; lines go out when they are whole, or at the end.
pub struct Terminal<W: Write> {
    out: W,
    is_terminal: bool,
    line: Vec<u8>,
}

/// Standard output.
#[must_use]
pub fn stdout() -> Terminal<io::Stdout> {
    Terminal::new(io::stdout(), io::stdout().is_terminal())
}

/// Standard error.
#[must_use]
pub fn stderr() -> Terminal<io::Stderr> {
    Terminal::new(io::stderr(), io::stderr().is_terminal())
}

impl<W: Write> Terminal<W> {
    fn new(out: W, is_terminal: bool) -> Self {
        Self { out, is_terminal, line: vec![] }
    }

    fn show(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        if !self.is_terminal {
            return self.out.write_all(&line);
        }
        let (line, end) = line.strip_suffix(b"\n").map_or((&*line, ""), |line| (line, "\n"));
        let shown = printable(&String::from_utf8_lossy(line)).into_owned() + end;
        self.out.write_all(shown.as_bytes())
    }
}

impl<W: Write> Write for Terminal<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") || self.line.len() > MAX_LINE {
                self.show()?;
            }
        }
        Ok(bytes.len())
    }

    /// A line that is not whole waits for its end all the same: a part of a command is not seen to be one.
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> Drop for Terminal<W> {
    fn drop(&mut self) {
        // As with every writer that keeps something back: who wants to know ends the last line.
        let _shown = self.show();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(parts: &[&str], is_terminal: bool) -> String {
        let mut out = Vec::new();
        let mut terminal = Terminal::new(&mut out, is_terminal);
        for part in parts {
            terminal.write_all(part.as_bytes()).expect("memory");
            terminal.flush().expect("memory");
        }
        drop(terminal);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn commands_are_taken_out_however_they_are_cut() {
        let text = "stage \x1b]0;title\x07 \x1b[2J\x1b[1mbold\u{9b}2J\u{202e}\nrest \x1b[8";
        let expected = "stage  \x1b[1mbold\x1b[0m\nrest ";
        assert_eq!(written(&[text], false), text);
        for cut in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
            let (one, two) = text.split_at(cut);
            assert_eq!(written(&[one, two], true), expected, "{cut}");
        }
        let endless = "x".repeat(3 * MAX_LINE);
        assert_eq!(written(&[&endless], true), endless);
    }
}
