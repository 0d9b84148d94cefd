//! Shows what a build does. Plain text so far: one line per event, in the manner of BuildKit.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Mutex;
use std::time::Instant;

use crate::engine::{Event, Observer};
use crate::sync::lock;

/// How much of the build is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Every step and everything it prints.
    Plain,
    /// Nothing, unless a step fails: then what it printed last.
    Quiet,
}

/// Lines that are kept of a step for the case that it fails.
const TAIL: usize = 50;
/// A line without an end is shown in parts of this many bytes.
const MAX_LINE: usize = 16 * 1024;

/// Writes progress as text.
pub struct Plain<W> {
    state: Mutex<State<W>>,
    detail: Detail,
}

struct State<W> {
    out: W,
    steps: HashMap<usize, Step>,
    /// The step that the last line belongs to.
    current: usize,
}

struct Step {
    name: String,
    begun: Instant,
    /// What came after the last line end.
    partial: Vec<u8>,
    tail: std::collections::VecDeque<String>,
}

impl<W: Write> Plain<W> {
    /// Writes to `out`.
    pub fn new(out: W, detail: Detail) -> Self {
        Self { state: Mutex::new(State { out, steps: HashMap::new(), current: 0 }), detail }
    }

    /// A line that belongs to no step.
    pub fn note(&self, text: &str) {
        if self.detail == Detail::Plain {
            let mut state = lock(&self.state);
            // Progress that cannot be written must not end the build.
            let _ = writeln!(state.out, "{text}");
        }
    }
}

impl<W: Write + Send> Observer for Plain<W> {
    fn event(&self, number: usize, event: Event<'_>) {
        let mut state = lock(&self.state);
        // As above: a closed terminal is no reason to fail.
        let _ = state.event(self.detail, number, &event);
    }
}

impl<W: Write> State<W> {
    fn event(&mut self, detail: Detail, number: usize, event: &Event<'_>) -> std::io::Result<()> {
        let shown = detail == Detail::Plain;
        match event {
            Event::Started { name } => {
                let step = Step {
                    name: (*name).to_owned(),
                    begun: Instant::now(),
                    partial: vec![],
                    tail: std::collections::VecDeque::new(),
                };
                self.steps.insert(number, step);
                if shown {
                    self.turn_to(number)?;
                }
            }
            Event::Cached { name } => {
                if shown {
                    self.separate(number)?;
                    writeln!(self.out, "#{number} {name}\n#{number} CACHED")?;
                }
            }
            Event::Output { bytes, .. } => {
                for line in self.lines(number, bytes) {
                    if shown {
                        self.turn_to(number)?;
                        writeln!(self.out, "#{number} {line}")?;
                    }
                }
            }
            Event::Finished { after } => {
                self.end(number, shown)?;
                if shown {
                    writeln!(self.out, "#{number} DONE {:.1}s", after.as_secs_f64())?;
                }
                self.steps.remove(&number);
            }
            Event::Failed { after } => {
                self.end(number, shown)?;
                if shown {
                    writeln!(self.out, "#{number} ERROR after {:.1}s", after.as_secs_f64())?;
                } else if let Some(step) = self.steps.remove(&number) {
                    writeln!(self.out, "{}", step.name)?;
                    step.tail.iter().try_for_each(|line| writeln!(self.out, "{line}"))?;
                }
            }
        }
        Ok(())
    }

    /// Shows what came without a line end.
    fn end(&mut self, number: usize, shown: bool) -> std::io::Result<()> {
        let rest = self.lines(number, b"\n");
        if shown {
            self.turn_to(number)?;
            rest.iter()
                .filter(|line| line.split(' ').nth(1).is_some_and(|text| !text.is_empty()))
                .try_for_each(|line| writeln!(self.out, "#{number} {line}"))?;
        }
        Ok(())
    }

    /// The lines that `bytes` completes, each with the time since the step began.
    fn lines(&mut self, number: usize, bytes: &[u8]) -> Vec<String> {
        let Some(step) = self.steps.get_mut(&number) else { return vec![] };
        let mut lines = vec![];
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            step.partial.extend_from_slice(part);
            if part.ends_with(b"\n") || step.partial.len() > MAX_LINE {
                let text = String::from_utf8_lossy(&step.partial);
                // Of a progress bar that overwrites itself only the last state counts.
                let text = text.trim_end_matches(['\n', '\r']);
                let text = text.rsplit('\r').next().unwrap_or_default();
                let line = format!("{:.3} {text}", step.begun.elapsed().as_secs_f64());
                if step.tail.len() >= TAIL {
                    step.tail.pop_front();
                }
                step.tail.push_back(text.to_owned());
                lines.push(line);
                step.partial.clear();
            }
        }
        lines
    }

    /// Makes the following lines belong to step `number`.
    fn turn_to(&mut self, number: usize) -> std::io::Result<()> {
        if self.current == number {
            return Ok(());
        }
        self.separate(number)?;
        match self.steps.get(&number) {
            Some(step) => writeln!(self.out, "#{number} {}", step.name),
            None => Ok(()),
        }
    }

    fn separate(&mut self, number: usize) -> std::io::Result<()> {
        if self.current != 0 && self.current != number {
            writeln!(self.out)?;
        }
        self.current = number;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Stream;
    use std::time::Duration;

    fn shown(detail: Detail, fails: bool) -> String {
        let plain = Plain::new(Vec::new(), detail);
        plain.event(1, Event::Cached { name: "[1/2] FROM debian" });
        plain.event(2, Event::Started { name: "[2/2] RUN make" });
        plain.event(2, Event::Output { stream: Stream::Out, bytes: b"one\ntw" });
        plain.event(2, Event::Output { stream: Stream::Err, bytes: b"o\n10%\r20%\nlast" });
        let after = Duration::from_millis(1500);
        plain.event(2, if fails { Event::Failed { after } } else { Event::Finished { after } });
        let state = plain.state.into_inner().expect("no panic");
        // Times differ from run to run.
        let text = String::from_utf8(state.out).expect("text");
        let timeless = |line: &str| {
            let mut words: Vec<&str> = line.split(' ').collect();
            if words.get(1).is_some_and(|word| word.parse::<f64>().is_ok()) {
                words.remove(1);
            }
            words.join(" ")
        };
        text.lines().map(timeless).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn plain_shows_every_line() {
        let expected = "#1 [1/2] FROM debian\n#1 CACHED\n\n#2 [2/2] RUN make\n#2 one\n#2 two\n#2 20%\n#2 last\n#2 DONE 1.5s";
        assert_eq!(shown(Detail::Plain, false), expected);
    }

    #[test]
    fn quiet_shows_only_what_a_failed_step_printed() {
        assert_eq!(shown(Detail::Quiet, false), "");
        assert_eq!(shown(Detail::Quiet, true), "[2/2] RUN make\none\ntwo\n20%\nlast");
    }
}
