//! `xx-verify`: whether files were built for the target.
//!
//! Files are read natively. `XX_VERIFY_FILE_CMD_OUTPUT` replaces that by a text in the words of file(1), which
//! `verify/file_words.rs` matches; the files need not exist then.

mod file_words;

use std::fs::File;
use std::path::Path;

use platform_db::object::{self, Aspect, Facts, Kind};
use platform_db::{Os, Platform};

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
    files: Vec<String>,
}

/// Plans the answer: nothing when every file fits, else one line per file that does not.
///
/// # Errors
/// When an argument is wrong or the target is not supported.
pub fn plan(env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    let request = Request::read(&env)?;
    if request.files.is_empty() {
        return if request.setup && env.args.len() == 1 { Ok(Plan::default()) } else { Err(usage()) };
    }
    let target = Target::read(&env, host);
    let words = env.var("XX_VERIFY_FILE_CMD_OUTPUT");
    let check = |file: &str| -> Result<(), String> {
        if words.is_empty() {
            check_file(file, &target, request.static_only)
        } else {
            file_words::check(file, words, &target.os, &target.arch, request.static_only)
        }
    };
    let wrong: Vec<Step> =
        request.files.iter().filter_map(|file| check(file).err()).map(Step::Note).collect();
    let failed = !wrong.is_empty();
    Ok(if failed { Plan::new(wrong).then(Step::Exit(1)) } else { Plan::default() })
}

fn usage() -> Failure {
    Failure::new("Usage: xx-verify [--static] FILE [FILE]...\n")
}

impl Request {
    fn read(env: &Env) -> Result<Self, Failure> {
        let mut request = Self { static_only: env.var("XX_VERIFY_STATIC") == "1", ..Self::default() };
        for arg in &env.args {
            let arg = arg.to_string_lossy();
            match arg.as_ref() {
                "--setup" => request.setup = true,
                "--static" => request.static_only = true,
                "--help" => return Err(usage()),
                flag if flag.starts_with('-') => return Err(Failure::new(format!("invalid flag {flag}"))),
                file => request.files.push(file.to_owned()),
            }
        }
        Ok(request)
    }
}

fn check_file(file: &str, target: &Target, static_only: bool) -> Result<(), String> {
    let platform = match &target.platform {
        Some(platform) => platform,
        None if Os::from_name(&target.os).is_none() => {
            return Err(format!("unsupported target os {}", target.os));
        }
        None => return Err(format!("unsupported target architecture {} for xx-verify", target.arch)),
    };
    if !Path::new(file).is_file() {
        return Err(format!("file not found: {file}"));
    }
    let opened = File::open(file).map_err(|error| format!("cannot open {file}: {error}"))?;
    match object::read(&opened) {
        Ok(Some(facts)) => fits(file, &facts, platform, static_only),
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
