//! `--chmod`: permission bits as a number, or as changes in the notation of chmod(1).
//!
//! Changes are applied to the mode of each source, with no umask: `+x` is `a+x`.

use std::str::FromStr;

use thiserror::Error;

/// Permission bits to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModeChange {
    /// Exactly these.
    Bits(u32),
    /// Those of the source, changed step by step.
    Symbolic(Vec<Clause>),
}

/// One `[ugoa]*[+-=][rwxXst|ugo]*` of a symbolic mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clause {
    /// The bits that may change.
    who: u32,
    operator: Operator,
    /// The bits that are named, for everybody.
    bits: u32,
    /// `X`: execution for directories, and for files that somebody may execute already.
    conditional: bool,
    /// `u`, `g` or `o`: the permissions of that class, as the shift that they have.
    from: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Add,
    Remove,
    Set,
}

/// A mode that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no mode")]
pub struct BadMode(pub String);

const ALL: u32 = 0o7777;
const STICKY: u32 = 0o1000;
/// What belongs to somebody: all but the sticky bit.
const EVERYBODY: u32 = ALL & !STICKY;

impl FromStr for ModeChange {
    type Err = BadMode;

    /// Reads `0755` or `u=rwX,go-w`.
    fn from_str(text: &str) -> Result<Self, BadMode> {
        let bad = || BadMode(text.to_owned());
        if text.starts_with(|first: char| first.is_ascii_digit()) {
            let bits = u32::from_str_radix(text, 8).ok().filter(|bits| bits & !ALL == 0);
            return bits.map(Self::Bits).ok_or_else(bad);
        }
        let mut clauses = vec![];
        for part in text.split(',') {
            let start = part.find(['+', '-', '=']).ok_or_else(bad)?;
            let (classes, mut rest) = part.split_at(start);
            let who = who(classes).ok_or_else(bad)?;
            while let Some(operator) = rest.chars().next() {
                let after = rest.get(1..).unwrap_or_default();
                let end = after.find(['+', '-', '=']).unwrap_or(after.len());
                let (names, next) = after.split_at(end);
                clauses.push(clause(who, operator, names).ok_or_else(bad)?);
                rest = next;
            }
        }
        Ok(Self::Symbolic(clauses))
    }
}

/// The bits of the named classes; with none named, of everybody.
fn who(classes: &str) -> Option<u32> {
    let mut who = 0;
    for class in classes.chars() {
        who |= match class {
            'u' => 0o4700,
            'g' => 0o2070,
            'o' => 0o0007,
            'a' => EVERYBODY,
            _ => return None,
        };
    }
    Some(if who == 0 { EVERYBODY } else { who })
}

fn clause(who: u32, operator: char, names: &str) -> Option<Clause> {
    let operator = match operator {
        '+' => Operator::Add,
        '-' => Operator::Remove,
        '=' => Operator::Set,
        _ => return None,
    };
    let mut clause = Clause { who, operator, bits: 0, conditional: false, from: None };
    if let "u" | "g" | "o" = names {
        clause.from = Some(if names == "u" {
            6
        } else if names == "g" {
            3
        } else {
            0
        });
        return Some(clause);
    }
    for name in names.chars() {
        match name {
            'r' => clause.bits |= 0o444,
            'w' => clause.bits |= 0o222,
            'x' => clause.bits |= 0o111,
            'X' if operator == Operator::Remove => clause.bits |= 0o111,
            'X' => clause.conditional = true,
            's' => clause.bits |= 0o6000,
            // The sticky bit belongs to no class, and means nothing to "others" alone.
            't' if who & !0o0007 != 0 => {
                clause.bits |= STICKY;
                clause.who |= STICKY;
            }
            't' => {}
            _ => return None,
        }
    }
    Some(clause)
}

impl ModeChange {
    /// The permission bits of something that had `mode`.
    #[must_use]
    pub fn apply(&self, mode: u32, is_directory: bool) -> u32 {
        let clauses = match self {
            Self::Bits(bits) => return *bits,
            Self::Symbolic(clauses) => clauses,
        };
        let old = mode & ALL;
        clauses.iter().fold(old, |mode, clause| {
            let mut bits = clause.bits;
            if clause.conditional && (is_directory || old & 0o111 != 0) {
                bits |= 0o111;
            }
            if let Some(shift) = clause.from {
                bits = (mode >> shift & 0o7) * 0o111;
            }
            let bits = bits & clause.who;
            match clause.operator {
                Operator::Add => mode | bits,
                Operator::Remove => mode & !bits,
                // What is taken over from another class are permissions alone.
                Operator::Set if clause.from.is_some() => mode & !(clause.who & 0o777) | bits,
                Operator::Set => mode & !clause.who | bits,
            }
        })
    }

    /// The bits, when they do not depend on the source.
    #[must_use]
    pub fn bits(&self) -> Option<u32> {
        match self {
            Self::Bits(bits) => Some(*bits),
            Self::Symbolic(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_change_as_chmod_changes_them() {
        let cases: &[(&str, u32, bool, u32)] = &[
            ("755", 0o600, false, 0o755),
            ("4755", 0o600, false, 0o4755),
            ("u+x", 0o644, false, 0o744),
            ("+x", 0o644, false, 0o755),
            ("go-w", 0o666, false, 0o644),
            ("u=rwX,go=rX", 0o600, false, 0o644),
            ("u=rwX,go=rX", 0o700, false, 0o755),
            ("u=rwX,go=rX", 0o600, true, 0o755),
            ("a=r", 0o4777, false, 0o444),
            ("go=", 0o777, false, 0o700),
            ("=", 0o7777, true, 0o1000),
            ("=r", 0o1755, true, 0o1444),
            ("=rt", 0o755, true, 0o1444),
            ("-t", 0o1755, true, 0o755),
            ("g-t", 0o1755, true, 0o755),
            ("go=u-w", 0o740, false, 0o755),
            ("g=o", 0o604, false, 0o644),
            ("go=u-w", 0o2750, true, 0o2755),
            ("u=g", 0o4050, false, 0o4550),
            ("g=", 0o2750, true, 0o700),
            ("u+s", 0o755, false, 0o4755),
            ("g+s", 0o755, true, 0o2755),
            ("o+s", 0o755, false, 0o755),
            ("+t", 0o777, true, 0o1777),
            ("o+t", 0o777, true, 0o777),
            ("u+rw,g+r,o-rwx", 0o007, false, 0o640),
            ("a-X", 0o755, false, 0o644),
        ];
        for (text, mode, is_directory, expected) in cases {
            let change: ModeChange = text.parse().expect(text);
            assert_eq!(
                change.apply(*mode, *is_directory),
                *expected,
                "{text} on {mode:o}: {:o}",
                change.apply(*mode, *is_directory)
            );
        }
    }

    #[test]
    fn other_text_is_no_mode() {
        for text in ["", "u", "x", "u+q", "z+x", "u+x,", ",u+x", "888", "17777", "u=rg", "-1z"] {
            assert!(text.parse::<ModeChange>().is_err(), "{text}");
        }
    }
}
