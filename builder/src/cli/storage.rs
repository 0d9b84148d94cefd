//! `xx-build du` and `xx-build prune`: what the store holds, and making room; the settings for both.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::Environment;
use super::args::{DiskUsage, Prune};
use super::execute::enter_namespaces;
use crate::config::{PolicySettings, Settings};
use crate::progress::terminal;
use crate::report::Report;
use crate::rootfs::Owners;
use crate::sandbox::userns;
use crate::store::policy::{BadSetting, Filter, Policy, Record, default_policies, seconds};
use crate::store::{Store, StoreError, Usage, is_disk_full};

/// Opens the store at `path`, or where it lies when nobody says.
pub(super) fn open_store(
    environment: &Environment,
    path: Option<&Path>,
    mode: &userns::Mode,
) -> Result<Store, Report> {
    let owners = match mode {
        userns::Mode::Root | userns::Mode::SubIds { .. } => Owners::Real,
        userns::Mode::SingleUid { .. } => Owners::Pretended,
    };
    let path = path.map_or_else(|| environment.store(), Path::to_owned);
    let store = Store::open(&path, environment.seconds(), owners);
    store.map(|store| store.with_threads(environment.processors)).map_err(|error| {
        let hint = if matches!(error, StoreError::Open { .. }) {
            "give a folder that is the store's alone with `--store DIR`; it is made when it is not there"
        } else if is_disk_full(&error) {
            "the disk is full: free some space, or keep the store elsewhere with `--store DIR`"
        } else {
            "another place can be chosen with `--store DIR`"
        };
        Report::new(&error).hint(hint)
    })
}

fn bad(error: BadSetting) -> Report {
    Report::new(error)
        .hint("examples: `10GB`, `20%`; `48h`, `7d`; `type==exec.cachemount`, `description~=apt`")
}

/// Filters of the command line: `until=24h` is a duration, every other one a condition.
fn filters(texts: &[String]) -> Result<(Vec<Filter>, i64), Report> {
    let (mut filters, mut duration) = (vec![], 0);
    for text in texts {
        match text.strip_prefix("until=") {
            Some(until) => duration = seconds(until).map_err(bad)?,
            None => filters.push(text.parse().map_err(bad)?),
        }
    }
    Ok((filters, duration))
}

/// Runs `xx-build du`.
pub(super) fn du(environment: &Environment, args: &DiskUsage) -> Result<(), Report> {
    let (filters, _) = filters(&args.filter)?;
    let mode = enter_namespaces(environment)?;
    let store = open_store(environment, args.store.as_deref(), &mode)?;
    let usage = store.usage().map_err(Report::new)?;
    let text = table(&usage, &filters, environment.seconds(), args.verbose);
    terminal::stdout().write_all(text.as_bytes()).map_err(Report::new)
}

/// The records as a table, in the form of `docker buildx du`.
fn table(usage: &Usage, filters: &[Filter], now: i64, verbose: bool) -> String {
    let shared = |record: &Record| usage.bases.contains(&record.id);
    let chosen = |record: &&Record| {
        filters.is_empty() || filters.iter().any(|filter| filter.matches(record, shared(record)))
    };
    let records: Vec<&Record> = usage.records.iter().filter(chosen).collect();
    let mut out = String::new();
    // Writing to a string does not fail.
    if !verbose {
        let _ = writeln!(out, "{:<66}{:<13}{:>10}  LAST ACCESSED", "ID", "RECLAIMABLE", "SIZE");
    }
    for record in &records {
        let Record { id, description, uses, .. } = record;
        let (size, age) = (size(record.size), age(now - record.used));
        let _ = if verbose {
            writeln!(
                out,
                "ID:\t\t{id}\nParent:\t\t{}\nType:\t\t{}\nReclaimable:\t{}\nShared:\t\t{}\nSize:\t\t{size}\nDescription:\t{description}\nUsage count:\t{uses}\nLast used:\t{age}\n",
                record.parent.as_deref().unwrap_or("-"),
                record.kind.name(),
                !record.in_use,
                shared(record),
            )
        } else {
            writeln!(out, "{id:<66}{:<13}{size:>10}  {age}", !record.in_use)
        };
    }
    let sum = |keep: &dyn Fn(&Record) -> bool| -> u64 {
        records.iter().filter(|record| keep(record)).map(|record| record.size).sum()
    };
    for (name, bytes) in [
        ("Shared", sum(&shared)),
        ("Private", sum(&|record| !shared(record))),
        ("Reclaimable", sum(&|record| !record.in_use)),
        ("Total", sum(&|_| true)),
    ] {
        let _ = writeln!(out, "{:<16}{}", format!("{name}:"), size(bytes));
    }
    out
}

/// Bytes for a reader: `1.2GB`, in steps of 1000.
fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "B" { format!("{bytes}B") } else { format!("{value:.1}{unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1}TB")
}

fn age(seconds: i64) -> String {
    let (number, unit) = match seconds {
        ..60 => return "just now".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{} ago", if number == 1 { "" } else { "s" })
}

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
    let mode = enter_namespaces(environment)?;
    let store = open_store(environment, args.store.as_deref(), &mode)?;
    let now = environment.seconds();
    let removed = store.prune(&[policy], now).map_err(Report::new)?;
    let mut out = String::new();
    for record in &removed {
        let _ = writeln!(out, "{:<66}{:>10}  {}", record.id, size(record.size), record.description);
    }
    let total = removed.iter().map(|record| record.size).sum();
    let _ = writeln!(out, "Total:\t{}", size(total));
    terminal::stdout().write_all(out.as_bytes()).map_err(Report::new)
}

/// Where the settings lie: `$XX_BUILD_CONFIG`, or `xx-build/config.toml` in the user's settings folder.
fn settings_path(environment: &Environment) -> PathBuf {
    if let Some(path) = environment.variable("XX_BUILD_CONFIG") {
        return PathBuf::from(path);
    }
    let folder = environment.variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = folder
        .unwrap_or_else(|| PathBuf::from(environment.variable("HOME").unwrap_or("/root")).join(".config"));
    folder.join("xx-build/config.toml")
}

/// What the settings file says; nothing when there is none.
pub(super) fn settings(environment: &Environment) -> Result<Settings, Report> {
    let path = settings_path(environment);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Report::new(format!("cannot read `{}`: {error}", path.display()))),
    };
    Settings::parse(&text).map_err(|error| Report::new(format!("`{}`, {error}", path.display())))
}

/// The policies of the settings file; `None` when a build is not to tidy up.
pub(super) fn policies(environment: &Environment) -> Result<Option<Vec<Policy>>, Report> {
    let settings = settings(environment)?;
    if !settings.gc.enabled {
        return Ok(None);
    }
    settings.gc.policy.iter().map(policy).collect::<Result<_, _>>().map(Some).map_err(bad)
}

fn policy(settings: &PolicySettings) -> Result<Policy, BadSetting> {
    let space = |amount: &crate::config::Amount| amount.text().as_deref().map(str::parse).transpose();
    Ok(Policy {
        filters: settings.filters.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
        keep_duration: settings.keep_duration.text().as_deref().map_or(Ok(0), seconds)?,
        reserved_space: space(&settings.reserved_space)?,
        max_used_space: space(&settings.max_used_space)?,
        min_free_space: space(&settings.min_free_space)?,
        all: settings.all,
    })
}

/// Tidies the store after a build; says what was removed, if anything was.
pub(super) fn collect(store: &Store, policies: &[Policy], now: i64) -> Result<Option<String>, Report> {
    let defaults;
    let policies = if policies.is_empty() {
        defaults = default_policies(store.disk().map_err(Report::new)?);
        &defaults
    } else {
        policies
    };
    let removed = store.collect(policies, now).map_err(Report::new)?;
    let total: u64 = removed.iter().map(|record| record.size).sum();
    Ok((!removed.is_empty())
        .then(|| format!("{} removed from the store ({} records)", size(total), removed.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_for_a_reader() {
        for (bytes, text) in
            [(0, "0B"), (999, "999B"), (1500, "1.5kB"), (2_345_678, "2.3MB"), (1 << 40, "1.1TB")]
        {
            assert_eq!(size(bytes), text);
        }
        for (seconds, text) in
            [(-5, "just now"), (61, "1 minute ago"), (7200, "2 hours ago"), (200_000, "2 days ago")]
        {
            assert_eq!(age(seconds), text);
        }
    }
}
