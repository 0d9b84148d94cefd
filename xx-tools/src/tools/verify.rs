//! `xx-verify`: whether files were built for the target.
//!
//! Files are read natively, while planning: reading is all this tool does, and its plan is the answer. `XX_VERIFY_FILE_CMD_OUTPUT` replaces that by a text in the words of file(1), which
//! `verify/file_words.rs` matches; the files need not exist then.

mod file_words;
mod needed;
mod tree;

use std::fs::File;
use std::path::{Path, PathBuf};

use platform_db::object::{self, Aspect, Facts, Kind};
use platform_db::{Libc, Os, Platform};

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
    files: Vec<String>,
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
    let results: Vec<(String, Result<String, String>)> = if words.is_empty() {
        let found = request.files.iter().flat_map(|file| tree::files(Path::new(file)));
        let check = |file: tree::Found| (file.name(), check_file(&file, &target, &request));
        found.map(check).filter_map(|(name, result)| Some((name, result.transpose()?))).collect()
    } else {
        let check = |file: &String| {
            let result = file_words::check(file, words, &target.os, &target.arch, request.static_only);
            (file.clone(), result.map(|()| words.to_owned()))
        };
        request.files.iter().map(check).collect()
    };
    let failed = results.iter().any(|(_, result)| result.is_err());
    let steps = if request.json { json(results) } else { lines(results) };
    let plan = Plan::new(steps);
    Ok(if failed { plan.then(Step::Exit(1)) } else { plan })
}

fn lines(results: Vec<(String, Result<String, String>)>) -> Vec<Step> {
    results.into_iter().filter_map(|(_, result)| result.err()).map(Step::Note).collect()
}

fn json(results: Vec<(String, Result<String, String>)>) -> Vec<Step> {
    let object = |(file, result): (String, Result<String, String>)| match result {
        Ok(facts) => serde_json::json!({ "file": file, "fits": true, "facts": facts }),
        Err(reason) => serde_json::json!({ "file": file, "fits": false, "reason": reason }),
    };
    let all: Vec<serde_json::Value> = results.into_iter().map(object).collect();
    vec![Step::Print(format!("{}\n", serde_json::Value::Array(all)))]
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
        let mut args = env.args.iter().map(|arg| arg.to_string_lossy());
        while let Some(arg) = args.next() {
            let (flag, mut value) = match arg.split_once('=').filter(|_| arg.starts_with("--")) {
                Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
                None => (arg.into_owned(), None),
            };
            let mut needs = || {
                let value = value.take().or_else(|| args.next().map(|next| next.into_owned()));
                value.ok_or_else(|| Failure::new(format!("{flag} needs a value")))
            };
            match flag.as_str() {
                "--setup" => request.setup = true,
                "--static" => request.static_only = true,
                "--json" => request.json = true,
                "--libc" => request.libc = Some(libc(&needs()?)?),
                "--max-glibc" => request.max_glibc = Some(version(&needs()?)?),
                "--needed-in" => request.needed_in = Some(needs()?.into()),
                "--help" => return Err(usage()),
                flag if flag.starts_with('-') => {
                    return Err(Failure::new(format!("invalid flag {flag}"))
                        .hint("`xx-verify --help` lists the flags"));
                }
                file => request.files.push(file.to_owned()),
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

/// Checks one file; `None` for one in a folder that is no object file.
fn check_file(found: &tree::Found, target: &Target, request: &Request) -> Result<Option<String>, String> {
    let file = found.name();
    let platform = match &target.platform {
        Some(platform) => platform,
        None if Os::from_name(&target.os).is_none() => {
            return Err(format!("unsupported target os {}", target.os));
        }
        None => return Err(format!("unsupported target architecture {} for xx-verify", target.arch)),
    };
    if let Some(error) = &found.error {
        return Err(format!("cannot read {file}: {error}"));
    }
    if !found.path.is_file() {
        return Err(format!("file not found: {file}"));
    }
    let opened = File::open(&found.path).map_err(|error| format!("cannot open {file}: {error}"))?;
    match object::read(&opened) {
        Ok(Some(facts)) => {
            fits(&file, &facts, platform, request.static_only)?;
            needed::check(&file, &opened, &facts, request)?;
            Ok(Some(facts.to_string()))
        }
        Ok(None) if found.in_folder => Ok(None),
        Ok(None) => {
            Err(format!("file {file} does not match expected target OS {}: it is no object file", target.os))
        }
        Err(error) => Err(format!("cannot verify {file}: {error}")),
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
