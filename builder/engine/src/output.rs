//! How much of a step's output is handed on: all of it up to a bound, and then its end.
//!
//! A step can print faster than anybody reads, for hours. BuildKit cuts after 2 MiB and loses the end, where the error
//! is; here what is left out is the middle.

use std::collections::VecDeque;

/// Bytes of a step that are handed on as they come.
pub(super) const HEAD: usize = 16 << 20;

/// Bytes of its end that are kept after that.
pub(super) const TAIL: usize = 64 << 10;

/// The output of one step.
#[derive(Debug)]
pub(super) struct Clip {
    /// Bytes that may still be handed on at once.
    room: usize,
    keep: usize,
    tail: VecDeque<u8>,
    left_out: u64,
}

impl Clip {
    pub(super) fn new(head: usize, tail: usize) -> Self {
        Self { room: head, keep: tail, tail: VecDeque::new(), left_out: 0 }
    }

    /// Takes output, and gives what is to be handed on now.
    pub(super) fn take<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (now, later) = bytes.split_at(bytes.len().min(self.room));
        self.room -= now.len();
        self.tail.extend(later);
        let over = self.tail.len().saturating_sub(self.keep);
        self.tail.drain(..over);
        self.left_out += over as u64;
        now
    }

    /// What is to be handed on at the end, with a line that says how much is missing before it.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.left_out == 0 {
            return self.tail.into();
        }
        // From the beginning of a line, if there is one.
        if let Some(end) = self.tail.iter().position(|byte| *byte == b'\n') {
            self.left_out += end as u64 + 1;
            self.tail.drain(..=end);
        }
        let mut text = format!("\n[{} bytes of output left out]\n", self.left_out).into_bytes();
        text.extend(self.tail);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_left_out() {
        for (pieces, expected) in [
            (vec!["ab", "cd"], "ab|cd|"),
            (vec!["abcd", "efgh", "ij"], "abcd|ef||ghij"),
            (vec!["abcdef", "g\nhijklm\nn"], "abcdef||\n[9 bytes of output left out]\nn"),
            (vec!["abcdef", "ghijklmn"], "abcdef||\n[4 bytes of output left out]\nklmn"),
        ] {
            let mut clip = Clip::new(6, 4);
            let mut shown = String::new();
            for piece in &pieces {
                shown.push_str(std::str::from_utf8(clip.take(piece.as_bytes())).unwrap());
                shown.push('|');
            }
            shown.push_str(&String::from_utf8(clip.finish()).unwrap());
            assert_eq!(shown, expected, "{pieces:?}");
        }
    }
}
