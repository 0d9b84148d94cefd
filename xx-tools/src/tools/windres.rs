//! `xx-windres`: GNU windres's command line on clang and LLVM's resource tools.
//!
//! The messages that begin with `invalid` have no hint: the original's tests take them to be the whole output.

use std::path::Path;

use crate::env::Env;
use crate::host::Host;
use crate::plan::{CommandPlan, Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::family;

pub(crate) const USAGE: &str = "\
Usage: xx-windres [OPTION]... [INPUT-FILE] [OUTPUT-FILE]
  -i, --input=FILE             input file
  -o, --output=FILE            output file
  -J, --input-format=FORMAT    rc or res
  -O, --output-format=FORMAT   coff or res
  -F, --target=TARGET          COFF target
      --preprocessor=PROGRAM   program that preprocesses the input
      --preprocessor-arg=ARG   one argument for it
  -I, --include-dir=DIR        folder with headers
  -D, --define=NAME[=VALUE]    define a macro
  -U, --undefine=NAME          undefine a macro
  -c, --codepage=PAGE          default code page
  -l, --language=VALUE         default language
  -r, -v, --verbose, --use-temp-file, --no-use-temp-file   ignored
  -h, --help                   this text
  -V, --version                version
Formats follow from the file names when not given: rc in, coff out.
";

/// Options that take a value: short, long spellings.
const OPTIONS: &[(char, &[&str])] = &[
    ('i', &["input"]),
    ('o', &["output"]),
    ('J', &["input-format"]),
    ('O', &["output-format"]),
    ('F', &["target"]),
    ('P', &["preprocessor"]),
    ('A', &["preprocessor-arg"]),
    ('I', &["include-dir", "include-path"]),
    ('l', &["language"]),
    ('c', &["codepage"]),
    ('D', &["define"]),
    ('U', &["undefine"]),
];
/// Of the options above, those that have no short spelling.
const LONG_ONLY: &[char] = &['P', 'A'];
const IGNORED: &[&str] = &["-r", "-v", "--verbose", "--use-temp-file", "--no-use-temp-file"];

/// The command line, taken apart.
#[derive(Default)]
struct Request {
    input: String,
    output: String,
    input_format: String,
    output_format: String,
    target: String,
    preprocessor: String,
    preprocessor_args: Vec<String>,
    rc_args: Vec<String>,
}

/// Plans preprocessing, compiling and converting a resource file.
///
/// # Errors
/// When an argument is wrong, or one of LLVM's tools is missing.
pub fn plan(env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    let args: Vec<String> = env.args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    for arg in args.iter().take_while(|arg| *arg != "--") {
        match arg.as_str() {
            "-h" | "--help" => return Ok(Plan::new(vec![Step::Note(USAGE.to_owned())])),
            "-V" | "--version" => return Ok(Plan::line("xx-windres 0.1")),
            _ => {}
        }
    }
    let request = Request::read(&args)?.completed(&env, host)?;
    let steps = request.steps(&env, host)?;
    let steps = if env.is_set("XX_WINDRES_DRYRUN") {
        vec![Step::Print(steps.iter().filter_map(original_line).collect())]
    } else {
        steps
    };
    Ok(Plan::new(steps))
}

/// A step as the original prints it, which calls `cp`.
fn original_line(step: &Step) -> Option<String> {
    let words = |command: &CommandPlan| {
        let args = command.args.iter().map(|arg| format!(" {}", arg.to_string_lossy()));
        format!("{}{}\n", command.program.display(), args.collect::<String>())
    };
    if let Step::Run(command) = step {
        return Some(words(command));
    }
    let Step::Copy { from, to } = step else { return None };
    Some(words(&CommandPlan::new("cp").args([from, to])))
}

impl Request {
    fn read(args: &[String]) -> Result<Self, Failure> {
        let mut request = Self::default();
        let mut files = Vec::new();
        let mut args = args.iter();
        let mut files_only = false;
        while let Some(arg) = args.next() {
            if files_only || !arg.starts_with('-') || arg == "-" {
                files.push(arg.clone());
            } else if arg == "--" {
                files_only = true;
            } else if !IGNORED.contains(&arg.as_str()) {
                let (option, value) = option(arg)?;
                let value = match value {
                    Some(value) => value,
                    None => args.next().filter(|value| !value.is_empty()).cloned().ok_or_else(|| {
                        Failure::new(format!("error: argument to {arg} is missing"))
                            .hint("`xx-windres --help` lists the options")
                    })?,
                };
                request.set(option, value);
            }
        }
        let mut files = files.into_iter();
        request.input = files.next().unwrap_or(request.input);
        request.output = files.next().unwrap_or(request.output);
        if files.next().is_some() {
            return Err(Failure::new("too many arguments").hint("one input file, and one output file"));
        }
        Ok(request)
    }

    fn set(&mut self, option: char, value: String) {
        match option {
            'i' => self.input = value,
            'o' => self.output = value,
            'J' => self.input_format = value,
            'O' => self.output_format = value,
            'F' => self.target = value,
            'P' => self.preprocessor = value,
            'A' => self.preprocessor_args.push(value),
            'I' => self.preprocessor_args.push(format!("-I{value}")),
            'l' => self.rc_args.extend(["-L".to_owned(), value]),
            'c' => self.rc_args.extend(["-C".to_owned(), value]),
            define => self.preprocessor_args.extend([format!("-{define}"), value]),
        }
    }

    /// Fills what was not given, and refuses what is no format.
    fn completed(mut self, env: &Env, host: &dyn Host) -> Result<Self, Failure> {
        let or = |text: &mut String, other: &str| {
            if text.is_empty() {
                other.clone_into(text);
            }
        };
        or(&mut self.input, "/dev/stdin");
        or(&mut self.output, "/dev/stdout");
        let is_res = |path: &str| path.ends_with(".res");
        let (input_format, output_format) = (is_res(&self.input), is_res(&self.output));
        or(&mut self.input_format, if input_format { "res" } else { "rc" });
        or(&mut self.output_format, if output_format { "res" } else { "coff" });
        if !matches!(self.input_format.as_str(), "rc" | "res") {
            return Err(Failure::new(format!("invalid input format {}", self.input_format)));
        }
        if !matches!(self.output_format.as_str(), "coff" | "res") {
            return Err(Failure::new(format!("invalid output format {}", self.output_format)));
        }
        if self.target.is_empty() {
            Target::read(env, host).c_triple()?.clone_into(&mut self.target);
        }
        let clang = if host.program("clang").is_some() { "clang" } else { "gcc" };
        or(&mut self.preprocessor, if env.is_set("CC") { env.var("CC") } else { clang });
        Ok(self)
    }

    /// The programs in order. What they pass to each other is removed at the end.
    fn steps(&self, env: &Env, host: &dyn Host) -> Result<Vec<Step>, Failure> {
        let machine = machine(&self.target)
            .ok_or_else(|| Failure::new(format!("invalid target {} for xx-windres", self.target)))?;
        let mut steps = Vec::new();
        let mut resource = self.input.clone();
        if self.input_format == "rc" {
            let rc = needed(host, "llvm-rc")?;
            let (text, compiled) = temporary(env);
            steps.extend([&text, &compiled].map(|path| Step::Temporary(path.into())));
            // The preprocessor is a command line, as in CC="clang -m32".
            let mut words = self.preprocessor.split_ascii_whitespace();
            let preprocess = CommandPlan::new(words.next().unwrap_or("clang"))
                .args(words)
                .args(["-E", "-xc", "-D", "RC_INVOKED=1"])
                .args(self.preprocessor_args.clone())
                .args(["-o", &text, &self.input]);
            let dir = Path::new(&self.input).parent().filter(|dir| !dir.as_os_str().is_empty());
            let dir = dir.map_or_else(|| ".".to_owned(), |dir| dir.display().to_string());
            let compile =
                CommandPlan::new(rc).args(self.rc_args.clone()).args(["-fo", &compiled, "-I", &dir, &text]);
            steps.extend([Step::Run(preprocess), Step::Run(compile)]);
            resource = compiled;
        }
        steps.push(if self.output_format == "res" {
            Step::Copy { from: resource.into(), to: self.output.clone().into() }
        } else {
            let out = format!("-out:{}", self.output);
            let convert = [format!("-machine:{machine}"), out, resource];
            Step::Run(CommandPlan::new(needed(host, "llvm-cvtres")?).args(convert))
        });
        Ok(steps)
    }
}

/// The option that a word spells, and its value when it is in the same word.
fn option(arg: &str) -> Result<(char, Option<String>), Failure> {
    let invalid = || Failure::new(format!("invalid option {arg}"));
    if let Some(long) = arg.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (long, None),
        };
        let found = OPTIONS.iter().find(|(_, names)| names.contains(&name));
        return found.map(|(option, _)| (*option, value)).ok_or_else(invalid);
    }
    let mut letters = arg.strip_prefix('-').unwrap_or(arg).chars();
    let letter = letters.next().ok_or_else(invalid)?;
    let known = OPTIONS.iter().any(|(option, _)| *option == letter && !LONG_ONLY.contains(&letter));
    let value = letters.as_str();
    if known { Ok((letter, (!value.is_empty()).then(|| value.to_owned()))) } else { Err(invalid()) }
}

/// LLVM's word for the machine of a GNU target or triple.
fn machine(target: &str) -> Option<&'static str> {
    let cpu = target.strip_prefix("pe-").or_else(|| target.strip_prefix("pei-")).unwrap_or(target);
    let starts = |names: &[&str]| names.iter().any(|name| cpu.starts_with(name));
    if starts(&["i386", "i586", "i686"]) {
        Some("X86")
    } else if starts(&["x86_64", "x86-64"]) {
        Some("X64")
    } else if starts(&["aarch64", "arm64"]) {
        Some("ARM64")
    } else if starts(&["arm"]) {
        Some("ARM")
    } else {
        None
    }
}

fn needed(host: &dyn Host, name: &str) -> Result<&'static str, Failure> {
    let name = if name == "llvm-rc" { "llvm-rc" } else { "llvm-cvtres" };
    match host.program(name) {
        Some(_) => Ok(name),
        None => Err(Failure::new(format!("{name} not installed")).hint(family(host).install("llvm"))),
    }
}

/// Names for the preprocessed text and the compiled resources.
fn temporary(env: &Env) -> (String, String) {
    let fixed = env.var("XX_TMP_FILE_FIXED");
    if !fixed.is_empty() {
        return (fixed.to_owned(), format!("{fixed}_"));
    }
    let dir = if env.is_set("TMPDIR") { env.var("TMPDIR") } else { "/tmp" };
    let name = format!("{dir}/xx-windres-{}", std::process::id());
    (format!("{name}.rc"), format!("{name}.res"))
}
