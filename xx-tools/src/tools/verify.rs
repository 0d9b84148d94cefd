//! `xx-verify`: whether files were built for the target.
//!
//! Files are read natively, while planning: reading is all this tool does, and its plan is the answer.
//! `XX_VERIFY_FILE_CMD_OUTPUT` replaces that by a text in the words of file(1), which `verify/file_words.rs` matches;
//! the files need not exist then.

mod fault;
mod file_words;
mod json;
mod needed;
mod request;
mod root;
mod tree;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use fault::{BUILT_ELSEWHERE, Fault, NO_OBJECT, NO_PLATFORM, NOT_STATIC, UNREADABLE};
use platform_db::object::{self, Aspect, Facts, Kind};
use platform_db::{Os, Platform};
pub(crate) use request::USAGE;
use request::{Request, usage};
use rustix::fs::{Mode, OFlags};

use crate::env::Env;
use crate::host::Host;
use crate::plan::{Plan, Step};
use crate::report::Failure;
use crate::target::Target;

/// Plans the answer: nothing when every file fits, else one line per file that does not.
///
/// # Errors
/// When an argument is wrong.
pub fn plan(env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    let request = Request::read(&env)?;
    if request.files.is_empty() {
        return if request.setup && env.args.len() == 1 { Ok(Plan::default()) } else { Err(usage()) };
    }
    let target = Target::read(&env, host);
    let words = env.var("XX_VERIFY_FILE_CMD_OUTPUT");
    let mut results = Vec::new();
    for file in &request.files {
        if words.is_empty() {
            check_argument(file, &target, &request, &mut results);
        } else {
            let name = file.display().to_string();
            let fits = file_words::check(&name, words, &target.os, &target.arch, request.static_only);
            let answer = fits.map_err(Fault::from).map(|()| Fit { facts: None, words: words.to_owned() });
            results.push((name, answer));
        }
    }
    let failed = results.iter().any(|(_, result)| result.is_err());
    let steps = if request.json { vec![json::print(results)] } else { lines(results) };
    let plan = Plan::new(steps);
    Ok(if failed { plan.then(Step::Exit(1)) } else { plan })
}

/// A file that fits: what it is, and the same in words.
struct Fit {
    facts: Option<Facts>,
    words: String,
}

/// One file's answer: its name, and why it does not fit.
type Answer = (String, Result<Fit, Fault>);

/// One line per file that does not fit, and what to do about them.
fn lines(results: Vec<Answer>) -> Vec<Step> {
    let faults: Vec<Fault> = results.into_iter().filter_map(|(_, result)| result.err()).collect();
    let hints: BTreeSet<&str> = faults.iter().filter_map(|fault| fault.hint).collect();
    let hints = hints.into_iter().map(|hint| format!("hint: {hint}"));
    faults.iter().map(|fault| fault.reason.clone()).chain(hints).map(Step::Note).collect()
}

/// Checks what an argument names: a file, or every object file below a folder.
fn check_argument(argument: &Path, target: &Target, request: &Request, results: &mut Vec<Answer>) {
    let name = argument.display().to_string();
    let platform = match platform(target) {
        Ok(platform) => platform,
        Err(fault) => return results.push((name, Err(fault))),
    };
    let result = match open(argument) {
        Ok(file) => match check_file(&name, &file, platform, request) {
            Checked::Object(result) => result,
            Checked::Folder => return check_folder(argument, platform, request, results),
            Checked::Other => {
                let what = what_else(&file);
                let reason = format!("file {name} does not match expected target OS {}: {what}", target.os);
                Err(Fault::new(reason, NO_OBJECT))
            }
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Fault::new(format!("file not found: {name}"), UNREADABLE))
        }
        Err(error) => Err(Fault::new(format!("cannot read {name}: {error}"), UNREADABLE)),
    };
    results.push((name, result));
}

fn check_folder(folder: &Path, platform: &Platform, request: &Request, results: &mut Vec<Answer>) {
    tree::walk(folder, &mut |path, opened| {
        let name = path.display().to_string();
        match opened.map(|file| check_file(&name, &file, platform, request)) {
            Ok(Checked::Object(result)) => results.push((name, result)),
            Ok(Checked::Other | Checked::Folder) => {}
            Err(error) => {
                let fault = Fault::new(format!("cannot read {name}: {error}"), UNREADABLE);
                results.push((name, Err(fault)));
            }
        }
    });
}

fn platform(target: &Target) -> Result<&Platform, Fault> {
    target.platform.as_ref().ok_or_else(|| {
        let reason = match Os::from_name(&target.os) {
            None => format!("unsupported target os {}", target.os),
            Some(_) => format!("unsupported target architecture {} for xx-verify", target.arch),
        };
        Fault::new(reason, NO_PLATFORM)
    })
}

/// Opens without waiting for a writer, should it be a pipe.
pub(crate) fn open(path: &Path) -> std::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// What a file turned out to be.
enum Checked {
    /// An object file, or one that cannot be read as what it starts like.
    Object(Result<Fit, Fault>),
    /// No object file.
    Other,
    /// A folder.
    Folder,
}

fn check_file(name: &str, file: &File, platform: &Platform, request: &Request) -> Checked {
    match object::read(file) {
        Ok(Some(facts)) => {
            let fits = fits(name, &facts, platform, request.static_only)
                .and_then(|()| needed::check(name, file, &facts, request));
            Checked::Object(fits.map(|()| Fit { words: facts.to_string(), facts: Some(facts) }))
        }
        Ok(None) => Checked::Other,
        Err(object::ObjectError::Io(error)) if error.kind() == ErrorKind::IsADirectory => Checked::Folder,
        Err(error) => Checked::Object(Err(Fault::of(name, &error))),
    }
}

/// Words for a named file that is no object file.
fn what_else(file: &File) -> &'static str {
    let mut start = [0; 4];
    let read = file.read_at(&mut start, 0).unwrap_or(0);
    match start.get(..read).unwrap_or_default() {
        [] => "it is empty",
        [b'#', b'!', ..] => "it is a script, which runs on every architecture or none",
        [b'!', b'<', b'a', b'r'] => "it is an archive without object files",
        [b'B', b'C', 0xc0, 0xde] => "it is LLVM bitcode, which is not compiled yet",
        [b'P', b'K', ..] | [0x1f, 0x8b, ..] | [0xfd, b'7', ..] | [0x28, 0xb5, 0x2f, 0xfd] => {
            "it is a compressed archive"
        }
        _ => "it is no object file",
    }
}

/// Holds one file's facts against the platform, in the words of the original.
fn fits(file: &str, facts: &Facts, platform: &Platform, static_only: bool) -> Result<(), Fault> {
    if let Some(mismatch) = facts.mismatch(platform) {
        let (os, arch) = (platform.os(), platform.arch());
        let reason = match mismatch.aspect {
            Aspect::Format | Aspect::Os => {
                format!("file {file} does not match expected target OS {os}: {facts}")
            }
            Aspect::Arch => {
                format!("file {file} does not match expected target architecture {arch}: {facts}")
            }
            Aspect::Endian => format!("file {file} does not match expected endianness for {arch}: {facts}"),
            Aspect::Variant => format!("file {file} does not match expected target variant: {mismatch}"),
            Aspect::FloatAbi => format!("file {file} does not match expected float ABI: {mismatch}"),
        };
        return Err(Fault::new(reason, BUILT_ELSEWHERE));
    }
    let os = platform.os_id();
    if names_itself(os) && facts.os.is_none() && facts.kind != Kind::Relocatable {
        let reason = format!("file {file} does not match expected target OS {}: {facts}", platform.os());
        return Err(Fault::new(reason, BUILT_ELSEWHERE));
    }
    if static_only && matches!(os, Os::Linux | Os::Freebsd) && !facts.is_static {
        return Err(Fault::new(format!("file {file} is not statically linked: {facts}"), NOT_STATIC));
    }
    Ok(())
}

/// Programs of the BSDs always carry a note or an OS/ABI byte of their system.
fn names_itself(os: Os) -> bool {
    matches!(os, Os::Freebsd | Os::Netbsd | Os::Openbsd | Os::Dragonfly)
}
