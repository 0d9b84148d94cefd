//! What is kept of a step while it runs.

use std::collections::VecDeque;
use std::time::Instant;

/// Lines that are kept for the case that the step fails.
const TAIL: usize = 50;
/// A line without an end is shown in parts of this many bytes.
const MAX_LINE: usize = 16 * 1024;

/// A step that runs.
pub(super) struct Step {
    pub(super) name: String,
    begun: Instant,
    /// What came after the last line end.
    partial: Vec<u8>,
    /// Its last lines, without times.
    pub(super) tail: VecDeque<String>,
    /// Lines that are not shown yet, for another step's are.
    pub(super) waiting: Vec<String>,
    /// Since when it has been waiting to be shown.
    pub(super) waits: Option<Instant>,
}

impl Step {
    /// A step that begins.
    pub(super) fn new(name: &str, now: Instant) -> Self {
        Self {
            name: name.to_owned(),
            begun: now,
            partial: vec![],
            tail: VecDeque::new(),
            waiting: vec![],
            waits: Some(now),
        }
    }

    /// The lines that `bytes` completes, each behind the seconds since the step began.
    pub(super) fn lines(&mut self, bytes: &[u8], now: Instant, clean: fn(&str) -> String) -> Vec<String> {
        let mut lines = vec![];
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(part);
            if part.ends_with(b"\n") || self.partial.len() > MAX_LINE {
                lines.push(self.line(now, clean));
            }
        }
        lines
    }

    /// What came without a line end.
    pub(super) fn rest(&mut self, now: Instant, clean: fn(&str) -> String) -> Option<String> {
        (!self.partial.is_empty()).then(|| self.line(now, clean))
    }

    fn line(&mut self, now: Instant, clean: fn(&str) -> String) -> String {
        let text = String::from_utf8_lossy(&self.partial);
        // Of a progress bar that overwrites itself only the last state counts.
        let text = text.trim_end_matches(['\n', '\r']);
        let text = clean(text.rsplit('\r').next().unwrap_or_default());
        self.partial.clear();
        let line = format!("{:.3} {text}", now.duration_since(self.begun).as_secs_f64());
        if self.tail.len() >= TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(text);
        line
    }
}
