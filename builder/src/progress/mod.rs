//! Shows what a build does. Plain text so far: one line per event, in the manner of BuildKit.
//!
//! Steps run side by side, and their lines are not mixed: one step is shown as it goes, the lines of the others wait until
//! it is done, or until it has been shown for a while. A step that ends is shown at once.

mod printable;
mod step;
pub mod terminal;

use std::collections::HashMap;
use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use printable::one_line;
pub use printable::printable;
use step::Step;

use xx_build_engine::{Event, Observer};
use xx_build_rootfs::sync::lock;

/// How much of the build is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Every step and everything it prints.
    Plain,
    /// Nothing, unless a step fails: then what it printed last.
    Quiet,
}

/// How long a step is shown at least while others wait: BuildKit's time.
const TURN: Duration = Duration::from_secs(5);
/// How long a step waits to be shown at most, as long as anything happens.
const PATIENCE: Duration = Duration::from_secs(10);
/// Lines of one step that wait at most.
const MAX_WAITING: usize = 2000;

/// Writes progress as text.
pub struct Plain<W> {
    state: Mutex<State<W>>,
    detail: Detail,
}

struct State<W> {
    out: W,
    /// What becomes of a line before it is shown.
    clean: fn(&str) -> String,
    steps: HashMap<usize, Step>,
    /// The highest number that a step has had.
    last: usize,
    /// The step that is shown as it goes; 0 is none.
    current: usize,
    /// Since when.
    since: Instant,
    /// Whether a step was shown before.
    begun: bool,
}

impl<W: Write> Plain<W> {
    /// Writes to `out`. On a terminal a step's output is made [`printable`].
    pub fn new(out: W, detail: Detail, is_terminal: bool) -> Self {
        let clean: fn(&str) -> String =
            if is_terminal { |text| printable(text).into_owned() } else { str::to_owned };
        let state = State {
            out,
            clean,
            steps: HashMap::new(),
            last: 0,
            current: 0,
            since: Instant::now(),
            begun: false,
        };
        Self { state: Mutex::new(state), detail }
    }

    /// A line that belongs to no step.
    pub fn note(&self, text: &str) {
        if self.detail == Detail::Plain {
            let mut state = lock(&self.state);
            // Progress that cannot be written must not end the build.
            let _ = writeln!(state.out, "{}", printable(text));
        }
    }

    /// Work outside the graph, such as writing an output, shown as a step.
    ///
    /// # Errors
    /// What `work` gives.
    pub fn task<T, E>(&self, name: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let begun = Instant::now();
        let number = lock(&self.state).last + 1;
        self.show(number, &Event::Started { name });
        let result = work();
        let after = begun.elapsed();
        // What went wrong is said once, by the report.
        let end = if result.is_ok() { Event::Finished { after } } else { Event::Failed { after, error: "" } };
        self.show(number, &end);
        result
    }

    fn show(&self, number: usize, event: &Event<'_>) {
        let mut state = lock(&self.state);
        // As above: a closed terminal is no reason to fail.
        let _ = match self.detail {
            Detail::Plain => state.plain(number, event, Instant::now()),
            Detail::Quiet => state.quiet(number, event, Instant::now()),
        };
    }
}

impl<W: Write + Send> Observer for Plain<W> {
    fn event(&self, number: usize, event: Event<'_>) {
        self.show(number, &event);
    }
}

impl<W: Write> State<W> {
    fn quiet(&mut self, number: usize, event: &Event<'_>, now: Instant) -> std::io::Result<()> {
        match event {
            Event::Started { name } => {
                self.steps.insert(number, Step::new(&one_line(name), now));
            }
            Event::Output { bytes, .. } => {
                if let Some(step) = self.steps.get_mut(&number) {
                    step.lines(bytes, now, self.clean);
                }
            }
            Event::Cached { .. } | Event::Finished { .. } | Event::Canceled => {
                self.steps.remove(&number);
            }
            Event::Failed { .. } => {
                let Some(mut step) = self.steps.remove(&number) else { return Ok(()) };
                step.rest(now, self.clean);
                writeln!(self.out, "{}", step.name)?;
                step.tail.iter().try_for_each(|line| writeln!(self.out, "{line}"))?;
            }
        }
        Ok(())
    }

    fn plain(&mut self, number: usize, event: &Event<'_>, now: Instant) -> std::io::Result<()> {
        self.last = self.last.max(number);
        match event {
            Event::Started { name } => {
                self.steps.insert(number, Step::new(&one_line(name), now));
                if self.current == 0 {
                    self.turn_to(number, now)?;
                }
                Ok(())
            }
            Event::Output { bytes, .. } => self.output(number, bytes, now),
            Event::Cached { name } => {
                self.steps.insert(number, Step::new(&one_line(name), now));
                self.end(number, "CACHED", now)
            }
            Event::Finished { after } => self.end(number, &format!("DONE {:.1}s", after.as_secs_f64()), now),
            Event::Canceled => self.end(number, "CANCELED", now),
            Event::Failed { error, .. } => {
                let error = one_line(error.lines().next().unwrap_or_default());
                let colon = if error.is_empty() { "" } else { ": " };
                self.end(number, &format!("ERROR{colon}{error}"), now)
            }
        }
    }

    fn output(&mut self, number: usize, bytes: &[u8], now: Instant) -> std::io::Result<()> {
        let Some(step) = self.steps.get_mut(&number) else { return Ok(()) };
        let lines = step.lines(bytes, now, self.clean);
        if lines.is_empty() {
            return Ok(());
        }
        step.waiting.extend(lines);
        if self.current == number {
            self.flush(number)?;
            // Who has waited too long is next.
            let waits = |step: &Step| step.waits.is_some_and(|since| now.duration_since(since) > PATIENCE);
            let next = self.steps.iter().filter(|(_, step)| waits(step)).map(|(number, _)| *number).min();
            return next.map_or(Ok(()), |next| self.turn_to(next, now));
        }
        step.waits.get_or_insert(now);
        let full = step.waiting.len() > MAX_WAITING;
        if self.current == 0 || full || now.duration_since(self.since) > TURN {
            self.turn_to(number, now)?;
        }
        Ok(())
    }

    /// The last line of a step.
    fn end(&mut self, number: usize, result: &str, now: Instant) -> std::io::Result<()> {
        let Some(step) = self.steps.get_mut(&number) else { return Ok(()) };
        let rest = step.rest(now, self.clean);
        step.waiting.extend(rest);
        self.turn_to(number, now)?;
        self.flush(number)?;
        writeln!(self.out, "#{number} {result}")?;
        self.steps.remove(&number);
        self.current = 0;
        let waiting = self.steps.iter().filter(|(_, step)| !step.waiting.is_empty());
        let next = waiting.min_by_key(|(number, step)| (step.waits, **number)).map(|(number, _)| *number);
        next.map_or(Ok(()), |next| self.turn_to(next, now))
    }

    /// Shows this step from now on, and what it has to say so far.
    fn turn_to(&mut self, number: usize, now: Instant) -> std::io::Result<()> {
        if self.current == number {
            return Ok(());
        }
        if self.current != 0 {
            writeln!(self.out, "#{} ...", self.current)?;
        }
        if self.begun {
            writeln!(self.out)?;
        }
        let Some(step) = self.steps.get_mut(&number) else { return Ok(()) };
        step.waits = None;
        writeln!(self.out, "#{number} {}", step.name)?;
        (self.current, self.since, self.begun) = (number, now, true);
        self.flush(number)
    }

    fn flush(&mut self, number: usize) -> std::io::Result<()> {
        let Some(step) = self.steps.get_mut(&number) else { return Ok(()) };
        step.waiting.drain(..).try_for_each(|line| writeln!(self.out, "#{number} {line}"))
    }
}

#[cfg(test)]
mod tests;
