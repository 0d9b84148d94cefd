//! What a tool is going to do, as a value: steps, in order. `Display` is the dry run.
//!
//! Planning asks and decides; `run.rs` does. A step that can only be planned once earlier ones are done (reading
//! package lists after they were fetched) is a [`Step::Next`].

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use crate::env::Env;
use crate::host::Host;
use crate::report::Failure;

/// A program call: everything that differs from the calling process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandPlan {
    /// Path or name of the program.
    pub program: PathBuf,
    /// Arguments, without the program.
    pub args: Vec<OsString>,
    /// Variables set, or removed with `None`.
    pub env: Vec<(String, Option<OsString>)>,
}

impl CommandPlan {
    /// Builds a call without arguments.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), ..Self::default() }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.to_owned(), Some(value.into())));
        self
    }

    /// Removes a variable.
    #[must_use]
    pub fn unset(mut self, name: &str) -> Self {
        self.env.push((name.to_owned(), None));
        self
    }
}

/// A lock by which calls at the same time wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Name of the file in `/var/lock`: `xx-apt`.
    pub name: &'static str,
    /// Whether it is held while the program of a [`Step::Exec`] runs, too: package managers refuse to run twice.
    /// Otherwise it ends there.
    pub kept: bool,
}

impl Lock {
    /// Returns the step, or none where the user switched the lock off (`XX_APT_NOLOCK`).
    #[must_use]
    pub fn step(self, env: &Env) -> Option<Step> {
        (!env.is_set(&self.variable())).then_some(Step::Lock(self))
    }

    /// Returns the variable that switches it off. What runs under the lock has it set, as calls from there would wait
    /// for ever.
    #[must_use]
    pub fn variable(self) -> String {
        format!("{}_NOLOCK", self.name.replace('-', "_").to_uppercase())
    }
}

/// The rest of a plan, made when the steps before it are done.
pub type Stage = Box<dyn FnOnce(&dyn Host) -> Result<Plan, Failure>>;

/// One effect.
pub enum Step {
    /// Text for standard output.
    Print(String),
    /// A line for standard error.
    Note(String),
    /// Waits for a lock and holds it.
    Lock(Lock),
    /// Writes a file, whole or not at all, with directories as needed.
    Write {
        /// Where.
        path: PathBuf,
        /// Content.
        text: String,
        /// Permission bits: `0o644`.
        mode: u32,
    },
    /// Makes a symbolic link; one that is there is replaced.
    Link {
        /// What the link says.
        to: PathBuf,
        /// Where the link is.
        path: PathBuf,
    },
    /// Copies the content of a file, to a pipe or a device too.
    Copy {
        /// What is read.
        from: PathBuf,
        /// What is written.
        to: PathBuf,
    },
    /// Names a file or folder that later steps make and that is removed when the plan ends, also when it fails.
    Temporary(PathBuf),
    /// Removes a file; none there is fine.
    Remove(PathBuf),
    /// Removes a directory with all it holds; none there is fine.
    RemoveDir(PathBuf),
    /// Makes a directory and its parents.
    MakeDir(PathBuf),
    /// Runs a program and stops when it fails.
    Run(CommandPlan),
    /// Runs a program silently; its output is shown only when it fails, which stops the plan.
    RunQuietly(CommandPlan),
    /// Runs a program whose failure changes nothing.
    Try(CommandPlan),
    /// Plans on from what the steps so far have changed.
    Next(Stage),
    /// Becomes another program. Always last.
    Exec(CommandPlan),
    /// Runs a program to its end. When it fails, carries out what explains it. Ends with the program's exit code. Always
    /// last.
    ExecOr(CommandPlan, Stage),
    /// Ends with this exit code. Always last.
    Exit(u8),
}

/// Steps in order.
#[derive(Default)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Builds a plan.
    #[must_use]
    pub fn new(steps: Vec<Step>) -> Self {
        Self { steps }
    }

    /// Builds a plan that prints one line.
    #[must_use]
    pub fn line(text: impl fmt::Display) -> Self {
        Self::new(vec![Step::Print(format!("{text}\n"))])
    }

    /// Appends a step.
    #[must_use]
    pub fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Print(text) => write!(f, "print {}", quoted(text.trim_end().as_ref())),
            Self::Note(text) => write!(f, "note {}", quoted(text.as_ref())),
            Self::Lock(lock) => write!(f, "lock /var/lock/{}", lock.name),
            Self::Write { path, text, mode } => {
                write!(f, "write {mode:o} {} {}", quoted(path.as_os_str()), quoted(text.trim_end().as_ref()))
            }
            Self::Link { to, path } => {
                write!(f, "link {} -> {}", quoted(path.as_os_str()), quoted(to.as_os_str()))
            }
            Self::Copy { from, to } => {
                write!(f, "copy {} {}", quoted(from.as_os_str()), quoted(to.as_os_str()))
            }
            Self::Temporary(path) => write!(f, "temporary {}", quoted(path.as_os_str())),
            Self::Remove(path) => write!(f, "remove {}", quoted(path.as_os_str())),
            Self::RemoveDir(path) => write!(f, "remove -r {}", quoted(path.as_os_str())),
            Self::MakeDir(path) => write!(f, "mkdir {}", quoted(path.as_os_str())),
            Self::Run(command) | Self::RunQuietly(command) | Self::Try(command) => write!(f, "run {command}"),
            Self::Next(_) => f.write_str("then plan on from there"),
            Self::Exec(command) | Self::ExecOr(command, _) => write!(f, "exec {command}"),
            Self::Exit(code) => write!(f, "exit {code}"),
        }
    }
}

impl fmt::Display for CommandPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.env.iter().any(|(_, value)| value.is_none()) {
            f.write_str("env")?;
            for (name, _) in self.env.iter().filter(|(_, value)| value.is_none()) {
                write!(f, " -u {name}")?;
            }
            f.write_str(" ")?;
        }
        for (name, value) in &self.env {
            if let Some(value) = value {
                write!(f, "{name}={} ", quoted(value))?;
            }
        }
        f.write_str(&quoted(self.program.as_os_str()))?;
        self.args.iter().try_for_each(|arg| write!(f, " {}", quoted(arg)))
    }
}

/// Quotes a word for a POSIX shell, when it needs it.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,+@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::{CommandPlan, Plan, Step};

    #[test]
    fn a_dry_run_can_be_pasted_into_a_shell() {
        let command =
            CommandPlan::new("/usr/bin/clang").args(["-DX=a b", "it's", ""]).set("CC", "x").unset("Y");
        let plan = Plan::new(vec![Step::Exec(command)]);
        assert_eq!(plan.to_string(), "exec env -u Y CC=x /usr/bin/clang '-DX=a b' 'it'\\''s' ''\n");
    }
}
