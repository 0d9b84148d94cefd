//! `xx-build prune`: makes room in the store.

use std::fmt::Write as _;
use std::io::{BufRead, Write};

use super::Environment;
use super::args::Prune;
use super::execute::enter_namespaces;
use super::storage::{bad, filters, open_store, size};
use crate::progress::terminal;
use crate::report::Report;
use xx_build_store::Removed;
use xx_build_store::policy::{Policy, seconds};

/// Runs `xx-build prune`.
pub(super) fn prune(environment: &Environment, args: &Prune) -> Result<(), Report> {
    let (filters, until) = filters(&args.filter)?;
    let space = |text: &Option<String>| text.as_deref().map(str::parse).transpose().map_err(bad);
    let keep_duration = args.keep_duration.as_deref().map(seconds).transpose().map_err(bad)?;
    let policy = Policy {
        filters,
        keep_duration: keep_duration.unwrap_or(until),
        reserved_space: space(&args.reserved_space)?,
        max_used_space: space(&args.keep_storage)?,
        min_free_space: space(&args.min_free_space)?,
        all: args.all,
    };
    if !args.force && !confirmed(args.all, &mut std::io::stdin().lock(), &mut std::io::stdout())? {
        return Ok(());
    }
    let mode = enter_namespaces(environment)?;
    let store = open_store(environment, args.store.as_deref(), &mode)?;
    let now = environment.seconds();
    let removed = store.prune(&[policy], now).map_err(Report::new)?;
    let mut out = String::new();
    for Removed { record, .. } in &removed {
        let _ = writeln!(out, "{:<66}{:>10}  {}", record.id, size(record.size), record.description);
    }
    let total = removed.iter().map(|removed| removed.record.size).sum();
    let _ = writeln!(out, "Total:\t{}", size(total));
    terminal::stdout().write_all(out.as_bytes()).map_err(Report::new)
}

/// Asks as `docker buildx prune` does, whatever the answer comes from: only `y` is yes, and no answer is no.
fn confirmed(all: bool, from: &mut impl BufRead, to: &mut impl Write) -> Result<bool, Report> {
    let what = if all { "all build cache" } else { "all dangling build cache" };
    write!(to, "WARNING! This will remove {what}. Are you sure you want to continue? [y/N] ")
        .and_then(|()| to.flush())
        .map_err(Report::new)?;
    let mut answer = String::new();
    from.read_line(&mut answer).map_err(Report::new)?;
    let yes = answer.trim().eq_ignore_ascii_case("y");
    if !answer.ends_with('\n') {
        writeln!(to).map_err(Report::new)?;
    }
    if !yes {
        writeln!(to, "nothing is removed; `--force` removes without asking").map_err(Report::new)?;
    }
    Ok(yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        for (answer, expected) in [
            ("y\n", true),
            ("Y\n", true),
            (" y \r\n", true),
            ("y", true),
            ("yes\n", false),
            ("n\n", false),
            ("\n", false),
            ("", false),
        ] {
            for (all, what) in [(false, "all dangling build cache"), (true, "all build cache")] {
                let mut said = vec![];
                let found = confirmed(all, &mut answer.as_bytes(), &mut said).ok();
                assert_eq!(found, Some(expected), "{answer:?}");
                let said = String::from_utf8(said).expect("text");
                assert!(said.starts_with(&format!("WARNING! This will remove {what}. ")), "{said}");
                assert_eq!(said.contains("--force"), !expected, "{answer:?}");
            }
        }
    }
}
