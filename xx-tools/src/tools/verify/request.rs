//! The arguments of `xx-verify`.

use std::ffi::OsString;
use std::path::PathBuf;

use platform_db::Libc;

use crate::env::Env;
use crate::report::Failure;

/// What the arguments ask.
#[derive(Default)]
pub(super) struct Request {
    pub(super) static_only: bool,
    pub(super) setup: bool,
    pub(super) json: bool,
    pub(super) libc: Option<Libc>,
    pub(super) max_glibc: Option<(u32, u32)>,
    pub(super) needed_in: Option<PathBuf>,
    pub(super) files: Vec<PathBuf>,
}

pub(crate) const USAGE: &str = "\
Usage: xx-verify [--static] FILE [FILE]...

Checks that files, and the object files in folders, were built for the target.

  --static          programs must need no shared library
  --libc NAME       programs must be linked against gnu or musl
  --max-glibc X.Y   programs must run with this glibc
  --needed-in ROOT  interpreter and shared libraries must be in this root
  --json            print one object per file
";

pub(super) fn usage() -> Failure {
    Failure::new(USAGE)
}

impl Request {
    pub(super) fn read(env: &Env) -> Result<Self, Failure> {
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
                value.ok_or_else(|| {
                    Failure::new(format!("{flag} needs a value")).hint("`xx-verify --help` lists the flags")
                })
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
