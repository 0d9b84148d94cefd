//! `xx-build du`: what the store holds.

use std::fmt::Write as _;
use std::io::Write as _;

use serde::Serialize;

use super::Environment;
use super::args::{DiskUsage, Format};
use super::execute::enter_namespaces;
use super::storage::{filters, open_store, size};
use crate::progress::terminal;
use crate::report::Report;
use xx_build_frontend::oci::time::rfc3339;
use xx_build_store::Usage;
use xx_build_store::policy::{Filter, Record, RecordKind};

/// Runs `xx-build du`.
pub(super) fn du(environment: &Environment, args: &DiskUsage) -> Result<(), Report> {
    let (filters, _) = filters(&args.filter)?;
    let mode = enter_namespaces(environment)?;
    let store = open_store(environment, args.store.as_deref(), &mode)?;
    let usage = store.usage().map_err(Report::new)?;
    let text = match args.format {
        Format::Json => lines(&usage, &filters)?,
        Format::Table => table(&usage, &filters, environment.seconds(), args.verbose),
    };
    terminal::stdout().write_all(text.as_bytes()).map_err(Report::new)
}

/// The records that one of the filters chooses.
fn chosen<'a>(usage: &'a Usage, filters: &[Filter]) -> Vec<&'a Record> {
    let chosen = |record: &&Record| {
        let shared = usage.bases.contains(&record.id);
        filters.is_empty() || filters.iter().any(|filter| filter.matches(record, shared))
    };
    usage.records.iter().filter(chosen).collect()
}

/// The records as JSON, a line each, with the names of `docker buildx du`; sizes are in bytes.
fn lines(usage: &Usage, filters: &[Filter]) -> Result<String, Report> {
    let mut out = String::new();
    for record in chosen(usage, filters) {
        let line = Line {
            id: &record.id,
            parents: record.parent.as_slice(),
            kind: record.kind.name(),
            description: &record.description,
            mutable: record.kind == RecordKind::CacheMount,
            in_use: record.in_use,
            reclaimable: !record.in_use,
            shared: usage.bases.contains(&record.id),
            size: record.size,
            created_at: rfc3339(record.created),
            last_used_at: rfc3339(record.used),
            usage_count: record.uses,
        };
        out.push_str(&serde_json::to_string(&line).map_err(Report::new)?);
        out.push('\n');
    }
    Ok(out)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Line<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    parents: &'a [String],
    #[serde(rename = "Type")]
    kind: &'a str,
    description: &'a str,
    mutable: bool,
    in_use: bool,
    reclaimable: bool,
    shared: bool,
    size: u64,
    created_at: String,
    last_used_at: String,
    usage_count: u64,
}

/// The records as a table, in the form of `docker buildx du`.
fn table(usage: &Usage, filters: &[Filter], now: i64, verbose: bool) -> String {
    let shared = |record: &Record| usage.bases.contains(&record.id);
    let records = chosen(usage, filters);
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

fn age(seconds: i64) -> String {
    let (number, unit) = match seconds {
        ..60 => return "just now".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{} ago", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_for_a_reader() {
        for (seconds, text) in
            [(-5, "just now"), (61, "1 minute ago"), (7200, "2 hours ago"), (200_000, "2 days ago")]
        {
            assert_eq!(age(seconds), text);
        }
    }
}
