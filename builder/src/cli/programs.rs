//! `--verify`: whether the programs of a result are for its platform, and what that means for the build.

use std::os::unix::ffi::OsStrExt as _;

use super::args::{Run, Verify};
use crate::report::Report;
use xx_build_engine::{PlatformResult, Solved};
use xx_build_export::verify::{self, Misfit};
use xx_build_frontend::dockerfile::ignore::Matcher;
use xx_build_store::Store;

/// Holds the executables of the results against their platforms; gives what is worth a warning.
pub(super) fn check(
    store: &Store,
    results: &[PlatformResult],
    solved: &Solved,
    options: &Run,
    of_file: &[String],
) -> Result<Vec<String>, Report> {
    if options.verify == Verify::Off {
        return Ok(vec![]);
    }
    let allowed = [matcher(&options.allow_foreign, "--allow-foreign")?, matcher(of_file, "# verify=allow=")?];
    let mut misfits = verify::verify(store, results, &solved.origins).map_err(Report::new)?;
    misfits.retain(|misfit| {
        let path = misfit.path.as_os_str().as_bytes();
        let path = path.strip_prefix(b"/").unwrap_or(path);
        !allowed.iter().any(|allowed| allowed.matches(path))
    });
    let (wrong, others): (Vec<&Misfit>, Vec<&Misfit>) =
        misfits.iter().partition(|misfit| misfit.used.is_some());
    let others = verify::others(others.into_iter());
    if wrong.is_empty() {
        return Ok(others.into_iter().collect());
    }
    let wrong = verify::wrong(wrong.into_iter());
    match options.verify {
        Verify::Error => Err(Report::new(wrong).hint(verify::HINT)),
        Verify::Warn | Verify::Off => Ok(std::iter::once(wrong).chain(others).collect()),
    }
}

fn matcher(globs: &[String], of: &str) -> Result<Matcher, Report> {
    let globs: Vec<&str> = globs.iter().map(|glob| glob.trim_start_matches('/')).collect();
    Matcher::new(&globs).map_err(|bad| {
        Report::new(format!("`{of}`: {bad}"))
            .hint("write paths with `*`, `?`, `[a-z]` and `**`, such as `/opt/cross/**`")
    })
}
