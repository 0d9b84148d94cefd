//! What garbage collection removes: BuildKit's policies, as a function of the records and the disk.
//!
//! Policies are applied in order, each to what the ones before it left. One without any space limit removes
//! everything that its filters and its duration allow; one with limits removes the least recently used first,
//! until the limits hold. What others lie on goes only after them.
//! Not here: reading sizes, and removing anything.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::str::FromStr;

use thiserror::Error;

/// What kind of thing a record is, under BuildKit's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// A layer: of a step, or of a base image.
    Regular,
    /// The directory of a cache mount.
    CacheMount,
    /// A checkout of git.
    GitCheckout,
    /// What the store needs for itself: blobs that belong to no layer, and what is in the making.
    Internal,
}

impl RecordKind {
    /// BuildKit's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::CacheMount => "exec.cachemount",
            Self::GitCheckout => "source.git.checkout",
            Self::Internal => "internal",
        }
    }
}

/// One thing that takes space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its name: that of its directory.
    pub id: String,
    /// What it lies on.
    pub parent: Option<String>,
    /// What it is.
    pub kind: RecordKind,
    /// The step it came from.
    pub description: String,
    /// Bytes on the disk.
    pub size: u64,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970.
    pub used: i64,
    /// In how many builds.
    pub uses: u64,
    /// A build that is running has it mounted.
    pub in_use: bool,
}

/// A space limit: bytes, or a part of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// Bytes.
    Bytes(u64),
    /// Percent of the disk.
    Percent(u64),
}

/// The disk that a store lies on, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// All of it.
    pub total: u64,
    /// What an ordinary user could still write.
    pub free: u64,
}

impl Space {
    /// The limit in bytes.
    #[must_use]
    pub fn bytes(self, disk: Disk) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => disk.total / 100 * percent,
        }
    }
}

/// A setting that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is no {what}")]
pub struct BadSetting {
    /// What was written.
    pub text: String,
    /// What was expected there.
    pub what: &'static str,
}

impl FromStr for Space {
    type Err = BadSetting;

    /// Reads `512MB`, `10GiB`, `1024` or `10%`. As in BuildKit, `MB` is 1000 kB and `MiB` is 1024 KiB.
    fn from_str(text: &str) -> Result<Self, BadSetting> {
        let bad = || BadSetting { text: text.to_owned(), what: "amount of space" };
        let (digits, unit) =
            text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
        let number: f64 = digits.parse().map_err(|_| bad())?;
        let factor = match unit.trim().to_ascii_lowercase().as_str() {
            "%" if (0.0..=100.0).contains(&number) => return Ok(Self::Percent(number as u64)),
            "" | "b" => 1.0,
            "k" | "kb" => 1e3,
            "m" | "mb" => 1e6,
            "g" | "gb" => 1e9,
            "t" | "tb" => 1e12,
            "kib" => 1024.0,
            "mib" => 1024.0 * 1024.0,
            "gib" => 1024.0 * 1024.0 * 1024.0,
            "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
            _ => return Err(bad()),
        };
        Ok(Self::Bytes((number * factor) as u64))
    }
}

/// Reads a duration in seconds: `48h`, `1h30m`, `90s`, `7d`, or a plain number of seconds.
///
/// # Errors
/// When it is something else.
pub fn seconds(text: &str) -> Result<i64, BadSetting> {
    let bad = || BadSetting { text: text.to_owned(), what: "duration" };
    if let Ok(number) = text.parse::<u32>() {
        return Ok(i64::from(number));
    }
    let (mut total, mut rest) = (0_i64, text);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let (number, tail) = rest.split_at(end);
        let factor = match tail.bytes().next() {
            Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 3600,
            Some(b'd') => 86_400,
            _ => return Err(bad()),
        };
        let number: i64 = number.parse().map_err(|_| bad())?;
        total = number.checked_mul(factor).and_then(|part| total.checked_add(part)).ok_or_else(bad)?;
        rest = tail.get(1..).unwrap_or_default();
    }
    Ok(total)
}

/// Chooses records: `type==regular,description~=apt` asks for both.
#[derive(Debug, Clone)]
pub struct Filter(Vec<Condition>);

#[derive(Debug, Clone)]
struct Condition {
    field: Field,
    test: Test,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Id,
    Parents,
    Description,
    Kind,
    InUse,
    Mutable,
    Immutable,
    Shared,
    Private,
}

#[derive(Debug, Clone)]
enum Test {
    Present,
    Is(String),
    IsNot(String),
    Like(regex_lite::Regex),
}

const FIELDS: [(&str, Field); 9] = [
    ("description", Field::Description),
    ("id", Field::Id),
    ("immutable", Field::Immutable),
    ("inuse", Field::InUse),
    ("mutable", Field::Mutable),
    ("parents", Field::Parents),
    ("private", Field::Private),
    ("shared", Field::Shared),
    ("type", Field::Kind),
];

impl FromStr for Filter {
    type Err = BadSetting;

    /// Reads conditions apart by commas: a field alone, or with `==` (or `=`), `!=` or `~=` and a value.
    fn from_str(text: &str) -> Result<Self, BadSetting> {
        text.split(',').map(condition).collect::<Result<_, _>>().map(Self)
    }
}

fn condition(text: &str) -> Result<Condition, BadSetting> {
    let bad = || BadSetting { text: text.to_owned(), what: "filter" };
    let end = text.find(['=', '!', '~']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let field = FIELDS.iter().find(|(known, _)| *known == name).map(|(_, field)| *field).ok_or_else(bad)?;
    let value = |rest: &str| rest.trim_matches('"').to_owned();
    let test = if rest.is_empty() {
        Test::Present
    } else if let Some(rest) = rest.strip_prefix("==") {
        Test::Is(value(rest))
    } else if let Some(rest) = rest.strip_prefix("!=") {
        Test::IsNot(value(rest))
    } else if let Some(rest) = rest.strip_prefix("~=") {
        Test::Like(regex_lite::Regex::new(&value(rest)).map_err(|_| bad())?)
    } else if let Some(rest) = rest.strip_prefix('=') {
        Test::Is(value(rest))
    } else {
        return Err(bad());
    };
    Ok(Condition { field, test })
}

impl Filter {
    /// Whether it chooses `record`.
    #[must_use]
    pub fn matches(&self, record: &Record, shared: bool) -> bool {
        self.0.iter().all(|Condition { field, test }| {
            let is_mutable = record.kind == RecordKind::CacheMount;
            // A field without a value is there or not.
            let flag = |set: bool| set.then_some("");
            let value = match field {
                Field::Id => Some(record.id.as_str()),
                Field::Parents => record.parent.as_deref(),
                Field::Description => Some(record.description.as_str()).filter(|text| !text.is_empty()),
                Field::Kind => Some(record.kind.name()),
                Field::InUse => flag(record.in_use),
                Field::Mutable => flag(is_mutable),
                Field::Immutable => flag(!is_mutable),
                Field::Shared => flag(shared),
                Field::Private => flag(!shared),
            };
            match test {
                Test::Present => value.is_some(),
                Test::Is(wanted) if value == Some("") => wanted == "true",
                Test::Is(wanted) if value.is_none() => wanted == "false",
                Test::Is(wanted) => value == Some(wanted),
                Test::IsNot(wanted) => value != Some(wanted),
                Test::Like(pattern) => value.is_some_and(|value| pattern.is_match(value)),
            }
        })
    }
}

/// One rule, under BuildKit's names.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Only records that one of these chooses; all when empty.
    pub filters: Vec<Filter>,
    /// Only records that were not used for so many seconds.
    pub keep_duration: i64,
    /// So much is always kept.
    pub reserved_space: Option<Space>,
    /// More than so much is not.
    pub max_used_space: Option<Space>,
    /// So much of the disk is to be free.
    pub min_free_space: Option<Space>,
    /// Base images too.
    pub all: bool,
}

/// BuildKit's policies for a store of which nothing is said.
#[must_use]
pub fn default_policies(disk: Disk) -> Vec<Policy> {
    let at_most =
        |percent: u64, bytes: u64| Some(Space::Bytes(Space::Percent(percent).bytes(disk).min(bytes)));
    let limits = Policy {
        reserved_space: at_most(10, 10_000_000_000),
        max_used_space: at_most(75, 100_000_000_000),
        min_free_space: Some(Space::Percent(20)),
        ..Policy::default()
    };
    let reproducible = ["type==exec.cachemount", "type==source.git.checkout"];
    vec![
        // What is easily made again, when it takes more than 512 MB and was not used for two days.
        Policy {
            filters: reproducible.iter().filter_map(|filter| filter.parse().ok()).collect(),
            keep_duration: 48 * 3600,
            max_used_space: Some(Space::Bytes(512_000_000)),
            ..Policy::default()
        },
        Policy { keep_duration: 60 * 86_400, ..limits.clone() },
        limits.clone(),
        Policy { all: true, ..limits },
    ]
}

/// A limit that does not hold, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// More than this is used.
    MaxUsed(u64),
    /// Less than this is free.
    MinFree(u64),
    /// Nothing else is limited, and more than this is used.
    Reserved(u64),
}

/// A record that is to go, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The record.
    pub id: String,
    /// Which policy chose it, from 0.
    pub policy: usize,
    /// The limit of the policy; without one it is the record's age, or all of its kind.
    pub limit: Option<Limit>,
}

impl Policy {
    /// The bytes down to which records may be removed, and for which limit; `None` when there is no limit to hold.
    fn keep(&self, used: u64, disk: Disk) -> Option<(u64, Limit)> {
        let bytes = |space: Option<Space>| space.map(|space| space.bytes(disk)).filter(|bytes| *bytes > 0);
        let (max, reserved, min_free) =
            (bytes(self.max_used_space), bytes(self.reserved_space), bytes(self.min_free_space));
        if max.is_none() && reserved.is_none() && min_free.is_none() {
            return None;
        }
        let (mut keep, mut limit) = match (max, min_free) {
            (Some(max), _) => (max, Limit::MaxUsed(max)),
            (None, Some(min)) => (u64::MAX, Limit::MinFree(min)),
            // Only the reserve is given: everything beyond it may go.
            (None, None) => (0, Limit::Reserved(reserved.unwrap_or(0))),
        };
        if let Some(wanted) = min_free
            && let Some(excess) = wanted.checked_sub(disk.free).filter(|excess| *excess > 0)
            && used.saturating_sub(excess) < keep
        {
            (keep, limit) = (used.saturating_sub(excess), Limit::MinFree(wanted));
        }
        Some((keep.max(reserved.unwrap_or(0)), limit))
    }

    fn allows(&self, record: &Record, base: bool, now: i64) -> bool {
        !record.in_use
            && (self.all || !(base || record.kind == RecordKind::Internal))
            && (self.keep_duration == 0 || record.used <= now - self.keep_duration)
            && (self.filters.is_empty() || self.filters.iter().any(|filter| filter.matches(record, base)))
    }
}

/// The records that `policies` remove, in the order in which they go. `bases` are the records of
/// base images, which others share.
#[must_use]
pub fn select(
    records: &[Record],
    bases: &HashSet<String>,
    policies: &[Policy],
    disk: Disk,
    now: i64,
) -> Vec<Choice> {
    let index: HashMap<&str, usize> =
        records.iter().enumerate().map(|(index, record)| (record.id.as_str(), index)).collect();
    let parent = |record: &Record| record.parent.as_deref().and_then(|parent| index.get(parent)).copied();
    let mut children = vec![0_usize; records.len()];
    for parent in records.iter().filter_map(parent) {
        children.get_mut(parent).into_iter().for_each(|count| *count += 1);
    }
    let mut gone = vec![false; records.len()];
    let mut order = vec![];
    let mut used: u64 = records.iter().map(|record| record.size).sum();
    let mut disk = disk;
    for (number, policy) in policies.iter().enumerate() {
        // Limits are held against what is left when the policy's turn comes.
        let keep = policy.keep(used, disk);
        let removable = |at: usize, gone: &[bool], children: &[usize]| {
            let record = records.get(at)?;
            let is_leaf = gone.get(at) == Some(&false) && children.get(at) == Some(&0);
            let allowed = is_leaf && policy.allows(record, bases.contains(&record.id), now);
            allowed.then_some(Reverse((record.used, record.uses, at)))
        };
        let mut queue: BinaryHeap<_> =
            (0..records.len()).filter_map(|at| removable(at, &gone, &children)).collect();
        while keep.is_none_or(|(keep, _)| used > keep) {
            let Some(Reverse((_, _, at))) = queue.pop() else { break };
            let Some(record) = records.get(at) else { break };
            gone.get_mut(at).into_iter().for_each(|gone| *gone = true);
            let limit = keep.map(|(_, limit)| limit);
            order.push(Choice { id: record.id.clone(), policy: number, limit });
            used -= record.size;
            disk.free += record.size;
            if let Some(parent) = parent(record) {
                children.get_mut(parent).into_iter().for_each(|count| *count -= 1);
                queue.extend(removable(parent, &gone, &children));
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;
    const DAY: i64 = 86_400;
    const NOW: i64 = 1000 * DAY;

    /// `ID[<PARENT] KIND SIZE-IN-MB DAYS-UNUSED [base] [busy]`, apart by `;`.
    fn records(text: &str) -> (Vec<Record>, HashSet<String>) {
        let mut bases = HashSet::new();
        let records = text.split("; ").map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let (id, parent) =
                words[0].split_once('<').map_or((words[0], None), |(id, parent)| (id, Some(parent)));
            if words.contains(&"base") {
                bases.insert(id.to_owned());
            }
            let kinds =
                [RecordKind::Regular, RecordKind::CacheMount, RecordKind::GitCheckout, RecordKind::Internal];
            Record {
                id: id.to_owned(),
                parent: parent.map(str::to_owned),
                kind: kinds.into_iter().find(|kind| kind.name() == words[1]).expect("a kind"),
                description: format!("RUN {id}"),
                size: words[2].parse::<u64>().expect("a size") * MB,
                created: 0,
                used: NOW - words[3].parse::<i64>().expect("days") * DAY,
                uses: 1,
                in_use: words.contains(&"busy"),
            }
        });
        (records.collect(), bases)
    }

    fn ids(choices: &[Choice]) -> Vec<String> {
        choices.iter().map(|choice| choice.id.clone()).collect()
    }

    const TREE: &str = "b regular 50 1 base; x<b regular 100 30; y<x regular 10 3; z<x regular 20 2; \
                        m exec.cachemount 600 3; n exec.cachemount 100 0; i internal 0 9";

    #[test]
    fn policies_choose_records() {
        let mb = |megabytes: u64| Some(Space::Bytes(megabytes * MB));
        let filter = |text: &str| vec![text.parse::<Filter>().expect(text)];
        let policy = Policy::default;
        let cases: Vec<(&str, Policy, u64, &str)> = vec![
            ("everything but bases", policy(), 900, "x y z m n"),
            (
                "bases too, what lies on others after them",
                Policy { all: true, ..policy() },
                900,
                "y z x b m n i",
            ),
            ("enough space", Policy { max_used_space: mb(1000), ..policy() }, 900, ""),
            ("the oldest leaf first", Policy { max_used_space: mb(800), ..policy() }, 900, "m y"),
            ("until the limit holds", Policy { max_used_space: mb(280), ..policy() }, 900, "m y"),
            (
                "a reserve is kept",
                Policy { max_used_space: mb(10), reserved_space: mb(270), ..policy() },
                900,
                "m y",
            ),
            ("beyond the reserve", Policy { reserved_space: mb(275), ..policy() }, 900, "m y"),
            ("the disk is full", Policy { min_free_space: mb(150), ..policy() }, 100, "m y"),
            ("the disk is not full", Policy { min_free_space: mb(150), ..policy() }, 900, ""),
            ("by time", Policy { keep_duration: 3 * DAY, ..policy() }, 900, "y m"),
            ("by kind", Policy { filters: filter("type==exec.cachemount"), ..policy() }, 900, "m n"),
            (
                "by kind, not that",
                Policy { filters: filter("type!=exec.cachemount"), ..policy() },
                900,
                "x y z",
            ),
            ("by pattern", Policy { filters: filter("description~=RUN [yn]"), ..policy() }, 900, "y n"),
            ("mutable", Policy { filters: filter("mutable=true"), ..policy() }, 900, "m n"),
            (
                "internal ones with bases",
                Policy { filters: filter("type==internal"), all: true, ..policy() },
                900,
                "i",
            ),
            ("both conditions", Policy { filters: filter("immutable,id=y"), ..policy() }, 900, "y"),
        ];
        let (records, bases) = records(TREE);
        for (name, policy, free, expected) in cases {
            let disk = Disk { total: 1000 * MB, free: free * MB };
            let mut found = ids(&select(&records, &bases, &[policy], disk, NOW));
            let mut expected: Vec<&str> = expected.split(' ').filter(|id| !id.is_empty()).collect();
            for record in &records {
                let position = |id: &str| found.iter().position(|found| found == id);
                if let (Some(parent), Some(own)) =
                    (record.parent.as_deref().and_then(position), position(&record.id))
                {
                    assert!(own < parent, "{name}: {} goes before what it lies on", record.id);
                }
            }
            found.sort();
            expected.sort_unstable();
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn what_is_in_use_stays_and_so_does_what_it_lies_on() {
        let (records, bases) = records("a regular 1 9; b<a regular 1 9 busy; c regular 1 9");
        let disk = Disk { total: 1, free: 1 };
        let all = [Policy { all: true, ..Policy::default() }];
        assert_eq!(ids(&select(&records, &bases, &all, disk, NOW)), ["c"]);
    }

    #[test]
    fn by_default_old_cache_mounts_go_first_and_a_small_store_is_left_alone() {
        let (records, bases) = records(TREE);
        let disk = Disk { total: 1_000_000 * MB, free: 10 * MB };
        assert_eq!(ids(&select(&records, &bases, &default_policies(disk), disk, NOW)), ["m"]);
        let (records, bases) = self::records("a regular 9000 1; b regular 9000 2; m exec.cachemount 400 9");
        let found = select(&records, &bases, &default_policies(disk), disk, NOW);
        assert_eq!(ids(&found), ["m", "b"]);
        let why: Vec<_> = found.iter().map(|choice| (choice.policy, choice.limit)).collect();
        let limits = [Limit::MaxUsed(512 * MB), Limit::MinFree(200_000 * MB)];
        assert_eq!(why, [(0, Some(limits[0])), (2, Some(limits[1]))]);
    }

    #[test]
    fn settings_are_read_as_buildkit_reads_them() {
        for (text, bytes) in [
            ("512MB", 512 * MB),
            ("1GiB", 1 << 30),
            ("1024", 1024),
            ("10%", 100 * MB),
            ("1.5k", 1500),
            ("0", 0),
        ] {
            let disk = Disk { total: 1000 * MB, free: 0 };
            assert_eq!(text.parse::<Space>().map(|space| space.bytes(disk)), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "-1", "1XB", "200%", "1 0"] {
            assert!(text.parse::<Space>().is_err(), "{text}");
        }
        for (text, expected) in [("48h", 172_800), ("90", 90), ("1h30m", 5400), ("7d", 7 * DAY)] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in ["h", "1", "1y", "-1h", "1h1"] {
            assert_eq!(seconds(text).is_ok(), text == "1", "{text}");
        }
        for text in ["", "nosuch", "type===x=", "id~=[", "type<3", "type==a,"] {
            assert_eq!(text.parse::<Filter>().is_ok(), text == "type===x=", "{text}");
        }
    }
}
