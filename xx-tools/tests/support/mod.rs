//! A build machine made of tables, and a way to run a plan on it without effects.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    reason = "helpers of tests are test code"
)]

pub mod compilers;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use xx_tools::host::Host;
use xx_tools::plan::{Plan, Step};
use xx_tools::report::Failure;

#[derive(Default)]
pub struct FakeHost {
    pub machine: String,
    pub files: BTreeMap<PathBuf, String>,
    pub dirs: BTreeSet<PathBuf>,
    pub links: BTreeMap<PathBuf, PathBuf>,
    pub answers: BTreeMap<String, String>,
    pub read_only: bool,
    /// Where the program that runs lies, if not at `/usr/bin/xx`.
    pub own: Option<PathBuf>,
    /// The reasons given so far.
    pub reasons: RefCell<Vec<String>>,
}

impl FakeHost {
    pub fn new(os_release: &str) -> Self {
        Self { machine: "x86_64".to_owned(), ..Self::default() }.file("/etc/os-release", os_release)
    }

    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.into(), text.to_owned());
        self
    }

    #[must_use]
    pub fn programs_in(mut self, dir: &str, names: &[&str]) -> Self {
        for name in names {
            self.files.insert(Path::new(dir).join(name), String::new());
        }
        self
    }

    #[must_use]
    pub fn link(mut self, path: &str, to: &str) -> Self {
        self.links.insert(path.into(), to.into());
        self
    }

    #[must_use]
    pub fn answer(mut self, command: &str, text: &str) -> Self {
        self.answers.insert(command.to_owned(), text.to_owned());
        self
    }
}

impl Host for FakeHost {
    fn read(&self, path: &Path) -> Option<String> {
        self.files.get(&self.canonical(path)?).cloned()
    }

    fn is_file(&self, path: &Path) -> bool {
        self.canonical(path).is_some_and(|path| self.files.contains_key(&path))
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.dirs.contains(path) || self.files.keys().any(|file| file != path && file.starts_with(path))
    }

    fn is_there(&self, path: &Path) -> bool {
        self.links.contains_key(path) || self.files.contains_key(path) || self.is_dir(path)
    }

    fn list(&self, dir: &Path) -> Vec<String> {
        let entries = self.files.keys().chain(&self.dirs).chain(self.links.keys());
        let names = entries.filter_map(|path| path.strip_prefix(dir).ok()?.iter().next());
        let names: BTreeSet<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.into_iter().collect()
    }

    fn programs(&self, name: &str) -> Vec<PathBuf> {
        if name.contains('/') {
            return vec![PathBuf::from(name)].into_iter().filter(|path| self.is_file(path)).collect();
        }
        ["/usr/local/bin", "/usr/bin", "/bin", "/sbin"]
            .iter()
            .map(|dir| Path::new(dir).join(name))
            .filter(|path| self.is_file(path))
            .collect()
    }

    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        let mut path = path.to_owned();
        for _ in 0..8 {
            match self.links.get(&path) {
                Some(to) => path = path.parent()?.join(to),
                None => return Some(path),
            }
        }
        None
    }

    fn link(&self, path: &Path) -> Option<PathBuf> {
        self.links.get(path).cloned()
    }

    fn changed(&self, path: &Path) -> Option<i128> {
        let count =
            self.files.keys().chain(self.links.keys()).filter(|file| file.parent() == Some(path)).count();
        i128::try_from(count).ok()
    }

    fn is_writable(&self, _dir: &Path) -> bool {
        !self.read_only
    }

    fn machine(&self) -> String {
        self.machine.clone()
    }

    fn ask(&self, program: &Path, args: &[&str]) -> Option<String> {
        let name = program.file_name()?.to_string_lossy();
        self.answers
            .get(&std::iter::once(name.as_ref()).chain(args.iter().copied()).collect::<Vec<_>>().join(" "))
            .cloned()
    }

    fn why(&self, reason: fmt::Arguments<'_>) {
        self.reasons.borrow_mut().push(reason.to_string());
    }

    fn own_program(&self) -> Option<PathBuf> {
        self.own.clone().or_else(|| Some("/usr/bin/xx".into()))
    }
}

/// What a call prints and returns when its plan has no effects on the machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub code: u8,
    pub out: String,
    pub err: String,
}

pub fn answer(plan: Result<Plan, Failure>) -> Answer {
    let mut answer = Answer { code: 0, out: String::new(), err: String::new() };
    match plan {
        Ok(plan) => {
            for step in plan.steps {
                match step {
                    Step::Print(text) => answer.out.push_str(&text),
                    Step::Note(text) => answer.err.push_str(&format!("{text}\n")),
                    Step::Exit(code) => answer.code = code,
                    step => panic!("not an answer: {step}"),
                }
            }
        }
        Err(failure) => {
            answer.code = failure.code;
            let text = if failure.on_stdout { &mut answer.out } else { &mut answer.err };
            text.push_str(&format!("{}\n", failure.message));
        }
    }
    answer
}

/// How a plan, or a later stage of it, fails.
pub fn failure(plan: Result<Plan, Failure>, host: &dyn Host) -> Option<Failure> {
    let plan = match plan {
        Ok(plan) => plan,
        Err(failure) => return Some(failure),
    };
    let mut steps = plan.steps.into_iter();
    steps.find_map(|step| match step {
        Step::Next(stage) => failure(stage(host), host),
        _ => None,
    })
}

/// What a plan's last program, having failed, is explained by.
pub fn explained(plan: Result<Plan, Failure>, host: &dyn Host) -> String {
    let steps = plan.map(|plan| plan.steps).unwrap_or_default();
    let found = steps.into_iter().map(|step| match step {
        Step::Next(stage) => explained(stage(host), host),
        Step::ExecOr(_, stage) => dry_run(stage(host), host),
        _ => String::new(),
    });
    found.collect()
}

/// The lines of a plan's dry run, later stages included.
pub fn dry_run(plan: Result<Plan, Failure>, host: &dyn Host) -> String {
    let mut text = String::new();
    let mut waiting = match plan {
        Ok(plan) => plan.steps,
        Err(failure) => return format!("error {}: {}\n", failure.code, failure.message),
    };
    waiting.reverse();
    while let Some(step) = waiting.pop() {
        match step {
            Step::Next(stage) => match stage(host) {
                Ok(plan) => waiting.extend(plan.steps.into_iter().rev()),
                Err(failure) => text.push_str(&format!("error {}: {}\n", failure.code, failure.message)),
            },
            step => text.push_str(&format!("{step}\n")),
        }
    }
    text
}
