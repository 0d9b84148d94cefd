//! The store as commands see it: where it lies, the settings for what it keeps, and what a build tidies away.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::Environment;
use crate::config::{PolicySettings, Settings};
use crate::report::Report;
use xx_build_rootfs::Owners;
use xx_build_sandbox::userns;
use xx_build_store::policy::{BadSetting, Filter, Limit, Policy, default_policies, seconds};
use xx_build_store::{Removed, Store, StoreError, is_disk_full};

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

pub(super) fn bad(error: BadSetting) -> Report {
    Report::new(error)
        .hint("examples: `10GB`, `20%`; `48h`, `7d`; `type==exec.cachemount`, `description~=apt`")
}

/// Filters of the command line: `until=24h` is a duration, every other one a condition.
pub(super) fn filters(texts: &[String]) -> Result<(Vec<Filter>, i64), Report> {
    let (mut filters, mut duration) = (vec![], 0);
    for text in texts {
        match text.strip_prefix("until=") {
            Some(until) => duration = seconds(until).map_err(bad)?,
            None => filters.push(text.parse().map_err(bad)?),
        }
    }
    Ok((filters, duration))
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

/// Tidies the store after a build; says what was removed and why, if anything was.
pub(super) fn collect(
    environment: &Environment,
    store: &Store,
    own: &[Policy],
) -> Result<Option<String>, Report> {
    let defaults;
    let policies = if own.is_empty() {
        defaults = default_policies(store.disk().map_err(Report::new)?);
        &defaults
    } else {
        own
    };
    let removed = store.collect(policies, environment.seconds()).map_err(Report::new)?;
    let path = settings_path(environment);
    let whose = if own.is_empty() { Whose::Defaults { settings: &path } } else { Whose::Settings(&path) };
    Ok((!removed.is_empty()).then(|| removal(&removed, policies, &whose)))
}

/// Where policies are written down.
enum Whose<'a> {
    /// In this file.
    Settings(&'a Path),
    /// Nowhere; in this file there could be others.
    Defaults { settings: &'a Path },
}

/// What a build has removed, and for each limit that asked for it a line.
fn removal(removed: &[Removed], policies: &[Policy], whose: &Whose<'_>) -> String {
    let total = removed.iter().map(|removed| removed.record.size).sum();
    let records = if removed.len() == 1 { "record" } else { "records" };
    let mut out = format!("{} removed from the store ({} {records})", size(total), removed.len());
    let mut groups: BTreeMap<(usize, String), u64> = BTreeMap::new();
    for Removed { record, why } in removed {
        if let Some(why) = why {
            let policy = policies.get(why.policy);
            *groups.entry((why.policy, reason(policy, why.limit))).or_default() += record.size;
        }
    }
    for ((policy, reason), bytes) in groups {
        let _ = match whose {
            Whose::Settings(path) => {
                write!(
                    out,
                    "\n  {}: {reason} in [[gc.policy]] {} of {}",
                    size(bytes),
                    policy + 1,
                    path.display()
                )
            }
            Whose::Defaults { settings } => write!(
                out,
                "\n  {}: {reason} in the default policy {}; [[gc.policy]] in {} sets others",
                size(bytes),
                policy + 1,
                settings.display()
            ),
        };
    }
    out
}

/// The setting that a policy removed something for.
fn reason(policy: Option<&Policy>, limit: Option<Limit>) -> String {
    let age = policy.map_or(0, |policy| policy.keep_duration);
    match limit {
        Some(Limit::MaxUsed(bytes)) => format!("the store held more than {}, maxUsedSpace", size(bytes)),
        Some(Limit::MinFree(bytes)) => {
            format!("less than {} of the disk was free, minFreeSpace", size(bytes))
        }
        Some(Limit::Reserved(bytes)) => format!("the store held more than {}, reservedSpace", size(bytes)),
        None if age > 0 => format!("not used for {}, keepDuration", duration(age)),
        None => "all that its filters choose".to_owned(),
    }
}

fn duration(seconds: i64) -> String {
    let (number, unit) = match seconds {
        ..3600 => (seconds / 60, "minute"),
        3600..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// Bytes for a reader: `1.2GB`, in steps of 1000.
pub(super) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "B" { format!("{bytes}B") } else { format!("{value:.1}{unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1}TB")
}

#[cfg(test)]
mod tests {
    use super::*;
    use xx_build_store::policy::{Choice, Record, RecordKind};

    #[test]
    fn sizes_for_a_reader() {
        for (bytes, text) in
            [(0, "0B"), (999, "999B"), (1500, "1.5kB"), (2_345_678, "2.3MB"), (1 << 40, "1.1TB")]
        {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn a_removal_names_its_limits() {
        let removed = |size: u64, why: Option<(usize, Option<Limit>)>| Removed {
            record: Record {
                id: "a".to_owned(),
                parent: None,
                kind: RecordKind::Regular,
                description: String::new(),
                size,
                created: 0,
                used: 0,
                uses: 0,
                in_use: false,
            },
            why: why.map(|(policy, limit)| Choice { id: "a".to_owned(), policy, limit }),
        };
        let policies =
            [Policy::default(), Policy { keep_duration: 3 * 86_400, ..Policy::default() }, Policy::default()];
        let path = Path::new("/c/config.toml");
        let used = Some(Limit::MaxUsed(512_000_000));
        let free = Some(Limit::MinFree(20_000_000_000));
        for (list, whose, expected) in [
            (
                vec![removed(1000, Some((0, used))), removed(500, Some((0, used))), removed(9, None)],
                Whose::Settings(path),
                "1.5kB removed from the store (3 records)\n  1.5kB: the store held more than 512.0MB, maxUsedSpace in [[gc.policy]] 1 of /c/config.toml",
            ),
            (
                vec![removed(1000, Some((2, free)))],
                Whose::Defaults { settings: path },
                "1.0kB removed from the store (1 record)\n  1.0kB: less than 20.0GB of the disk was free, minFreeSpace in the default policy 3; [[gc.policy]] in /c/config.toml sets others",
            ),
            (
                vec![removed(1000, Some((1, None))), removed(1, Some((2, Some(Limit::Reserved(10)))))],
                Whose::Settings(path),
                "1.0kB removed from the store (2 records)\n  1.0kB: not used for 3 days, keepDuration in [[gc.policy]] 2 of /c/config.toml\n  1B: the store held more than 10B, reservedSpace in [[gc.policy]] 3 of /c/config.toml",
            ),
        ] {
            assert_eq!(removal(&list, &policies, &whose), expected);
        }
    }
}
