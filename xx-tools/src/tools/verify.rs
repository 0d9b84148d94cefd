//! `xx-verify`: whether files were built for the target.
//!
//! Files are read natively, while planning: reading is all this tool does, and its plan is the answer.
//! `XX_VERIFY_FILE_CMD_OUTPUT` replaces that by a text in the words of file(1), which `verify/file_words.rs` matches;
//! the files need not exist then.

mod file_words;
mod json;
mod needed;
mod root;
mod tree;

use std::ffi::OsString;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use platform_db::object::{self, Aspect, Facts, Kind};
use platform_db::{Libc, Os, Platform};
use rustix::fs::{Mode, OFlags};

use crate::env::Env;
use crate::host::Host;
use crate::plan::{Plan, Step};
use crate::report::Failure;
use crate::target::Target;

/// What the arguments ask.
#[derive(Default)]
struct Request {
    static_only: bool,
    setup: bool,
    json: bool,
    libc: Option<Libc>,
    max_glibc: Option<(u32, u32)>,
    needed_in: Option<PathBuf>,
    files: Vec<PathBuf>,
}

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
            let answer = fits.map(|()| Fit { facts: None, words: words.to_owned() });
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
type Answer = (String, Result<Fit, String>);

fn lines(results: Vec<Answer>) -> Vec<Step> {
    results.into_iter().filter_map(|(_, result)| result.err()).map(Step::Note).collect()
}

fn usage() -> Failure {
    Failure::new(
        "Usage: xx-verify [--static] FILE [FILE]...\n\n\
         Checks that files, and the object files in folders, were built for the target.\n\n\
         \x20 --static          programs must need no shared library\n\
         \x20 --libc NAME       programs must be linked against gnu or musl\n\
         \x20 --max-glibc X.Y   programs must run with this glibc\n\
         \x20 --needed-in ROOT  interpreter and shared libraries must be in this root\n\
         \x20 --json            print one object per file\n",
    )
}

impl Request {
    fn read(env: &Env) -> Result<Self, Failure> {
        let mut request = Self { static_only: env.var("XX_VERIFY_STATIC") == "1", ..Self::default() };
        let mut args = env.args.iter();
        while let Some(arg) = args.next() {
            let text = arg.to_string_lossy();
            let (flag, mut value) = match text.split_once('=').filter(|_| text.starts_with("--")) {
                Some((flag, value)) => (flag, Some(OsString::from(value))),
                None => (text.as_ref(), None),
            };
            let mut needs = || {
                let value = value.take().or_else(|| args.next().cloned());
                value.ok_or_else(|| Failure::new(format!("{flag} needs a value")))
            };
            match flag {
                "--setup" => request.setup = true,
                "--static" => request.static_only = true,
                "--json" => request.json = true,
                "--libc" => request.libc = Some(libc(&needs()?.to_string_lossy())?),
                "--max-glibc" => request.max_glibc = Some(version(&needs()?.to_string_lossy())?),
                "--needed-in" => request.needed_in = Some(needs()?.into()),
                "--help" => return Err(usage()),
                flag if flag.starts_with('-') => {
                    return Err(Failure::new(format!("invalid flag {flag}"))
                        .hint("`xx-verify --help` lists the flags"));
                }
                _ => request.files.push(arg.into()),
            }
        }
        Ok(request)
    }
}

fn libc(name: &str) -> Result<Libc, Failure> {
    let known = Libc::from_name(name).filter(|libc| matches!(libc, Libc::Gnu | Libc::Musl));
    known.ok_or_else(|| Failure::new(format!("`{name}` is no C library")).hint("known: gnu musl"))
}

fn version(text: &str) -> Result<(u32, u32), Failure> {
    let numbers =
        text.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    numbers.ok_or_else(|| {
        Failure::new(format!("`{text}` is no glibc version")).hint("write it as in `--max-glibc 2.31`")
    })
}

/// Checks what an argument names: a file, or every object file below a folder.
fn check_argument(argument: &Path, target: &Target, request: &Request, results: &mut Vec<Answer>) {
    let name = argument.display().to_string();
    let platform = match platform(target) {
        Ok(platform) => platform,
        Err(reason) => return results.push((name, Err(reason))),
    };
    let result = match open(argument) {
        Ok(file) => match check_file(&name, &file, platform, request) {
            Checked::Object(result) => result,
            Checked::Folder => return check_folder(argument, platform, request, results),
            Checked::Other => {
                let what = what_else(&file);
                Err(format!("file {name} does not match expected target OS {}: {what}", target.os))
            }
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Err(format!("file not found: {name}")),
        Err(error) => Err(format!("cannot read {name}: {error}")),
    };
    results.push((name, result));
}

fn check_folder(folder: &Path, platform: &Platform, request: &Request, results: &mut Vec<Answer>) {
    tree::walk(folder, &mut |path, opened| {
        let name = path.display().to_string();
        match opened.map(|file| check_file(&name, &file, platform, request)) {
            Ok(Checked::Object(result)) => results.push((name, result)),
            Ok(Checked::Other | Checked::Folder) => {}
            Err(error) => results.push((name.clone(), Err(format!("cannot read {name}: {error}")))),
        }
    });
}

fn platform(target: &Target) -> Result<&Platform, String> {
    match &target.platform {
        Some(platform) => Ok(platform),
        None if Os::from_name(&target.os).is_none() => Err(format!("unsupported target os {}", target.os)),
        None => Err(format!("unsupported target architecture {} for xx-verify", target.arch)),
    }
}

/// Opens without waiting for a writer, should it be a pipe.
pub(crate) fn open(path: &Path) -> std::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// What a file turned out to be.
enum Checked {
    /// An object file, or one that cannot be read as what it starts like.
    Object(Result<Fit, String>),
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
        Err(error) => Checked::Object(Err(format!("cannot verify {name}: {error}"))),
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
fn fits(file: &str, facts: &Facts, platform: &Platform, static_only: bool) -> Result<(), String> {
    if let Some(mismatch) = facts.mismatch(platform) {
        let (os, arch) = (platform.os(), platform.arch());
        return Err(match mismatch.aspect {
            Aspect::Format | Aspect::Os => {
                format!("file {file} does not match expected target OS {os}: {facts}")
            }
            Aspect::Arch => {
                format!("file {file} does not match expected target architecture {arch}: {facts}")
            }
            Aspect::Endian => format!("file {file} does not match expected endianness for {arch}: {facts}"),
            Aspect::Variant => format!("file {file} does not match expected target variant: {mismatch}"),
            Aspect::FloatAbi => format!("file {file} does not match expected float ABI: {mismatch}"),
        });
    }
    let os = platform.os_id();
    if names_itself(os) && facts.os.is_none() && facts.kind != Kind::Relocatable {
        return Err(format!("file {file} does not match expected target OS {}: {facts}", platform.os()));
    }
    if static_only && matches!(os, Os::Linux | Os::Freebsd) && !facts.is_static {
        return Err(format!("file {file} is not statically linked: {facts}"));
    }
    Ok(())
}

/// Programs of the BSDs always carry a note or an OS/ABI byte of their system.
fn names_itself(os: Os) -> bool {
    matches!(os, Os::Freebsd | Os::Netbsd | Os::Openbsd | Os::Dragonfly)
}
