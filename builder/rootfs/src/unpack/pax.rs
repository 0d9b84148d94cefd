//! The records of a PAX header: `LENGTH KEY=VALUE\n`, where the value may hold anything, line feeds too.

use std::collections::BTreeMap;
use std::io;

/// Records by their key. Of several with one key the last counts; an empty value takes an earlier one back.
#[derive(Debug, Default)]
pub(super) struct Records(BTreeMap<Vec<u8>, Vec<u8>>);

/// The map of a sparse file in the form of GNU tar 1.13.90 to 1.14: a record for each number. Kept in the later one.
const OFFSET: &[u8] = b"GNU.sparse.offset";
const LENGTH: &[u8] = b"GNU.sparse.numbytes";
const MAP: &[u8] = b"GNU.sparse.map";

pub(super) fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Records {
    /// Reads the content of a header.
    pub(super) fn parse(mut bytes: &[u8]) -> io::Result<Self> {
        let mut records = Self::default();
        let mut map: Vec<&[u8]> = vec![];
        while !bytes.is_empty() {
            let (key, value, rest) = record(bytes).ok_or_else(|| broken("a malformed extended header"))?;
            bytes = rest;
            if key == OFFSET || key == LENGTH {
                if value.contains(&b',') || (key == OFFSET) != map.len().is_multiple_of(2) {
                    return Err(broken("a malformed map of a sparse file"));
                }
                map.push(value);
            } else {
                records.0.insert(key.to_owned(), value.to_owned());
            }
        }
        if !map.is_empty() {
            records.0.insert(MAP.to_owned(), map.join(&b','));
        }
        Ok(records)
    }

    /// The value of a record, if there is one.
    pub(super) fn get(&self, key: &str) -> Option<&[u8]> {
        self.0.get(key.as_bytes()).map(Vec::as_slice).filter(|value| !value.is_empty())
    }

    /// The number that a record holds.
    pub(super) fn number(&self, key: &str) -> io::Result<Option<u64>> {
        self.get(key)
            .map(|value| number(value).ok_or_else(|| broken("no number in an extended header")))
            .transpose()
    }

    /// The records whose key begins with `prefix`, which is left out.
    pub(super) fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let below = |(key, value): (&'a Vec<u8>, &'a Vec<u8>)| {
            key.strip_prefix(prefix.as_bytes()).map(|name| (name, value.as_slice()))
        };
        self.0.iter().filter_map(below)
    }
}

/// The first record, and what follows it.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(number(bytes.get(..space)?)?).ok()?;
    let (record, rest) = bytes.split_at_checked(length)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=').filter(|at| *at > 0)?;
    let (key, value) = (record.get(..equals)?, record.get(equals + 1..)?);
    // A name that ends early would be another one for others.
    let is_name = [&b"path"[..], b"linkpath", b"uname", b"gname"].contains(&key);
    (!(key.contains(&0) || is_name && value.contains(&0))).then_some((key, value, rest))
}

/// A decimal number.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(records: &[(&str, &str)]) -> Vec<u8> {
        let mut tar = tar::Builder::new(vec![]);
        tar.append_pax_extensions(records.iter().map(|(key, value)| (*key, value.as_bytes())))
            .expect("written");
        let length = tar.get_ref().get(124..135).expect("a header");
        let length =
            usize::from_str_radix(std::str::from_utf8(length).expect("digits"), 8).expect("a number");
        tar.get_ref().get(512..512 + length).expect("content").to_vec()
    }

    #[test]
    fn values_hold_anything() {
        let records = written(&[
            ("path", "a\n17 path=elsewhere\n"),
            ("SCHILY.xattr.user.x", "=\n\0 1"),
            ("mtime", "1"),
            ("mtime", "2.5"),
            ("gname", ""),
            ("GNU.sparse.offset", "0"),
            ("GNU.sparse.numbytes", "5"),
            ("GNU.sparse.offset", "9"),
            ("GNU.sparse.numbytes", "1"),
        ]);
        let records = Records::parse(&records).expect("records");
        for (key, expected) in [
            ("path", Some("a\n17 path=elsewhere\n")),
            ("mtime", Some("2.5")),
            ("gname", None),
            ("nothing", None),
            ("GNU.sparse.map", Some("0,5,9,1")),
        ] {
            assert_eq!(records.get(key), expected.map(str::as_bytes), "{key}");
        }
        let below: Vec<_> = records.below("SCHILY.xattr.").collect();
        assert_eq!(below, [(&b"user.x"[..], &b"=\n\0 1"[..])]);
    }

    #[test]
    fn malformed_records_are_refused() {
        for text in [
            "x",
            "5",
            "5 a=b",
            "6 a=b\n7",
            "7 a=b\n",
            "5 a=b\n",
            "6 =ab\n",
            "06 a=b\nx",
            "-6 a=b\n",
            "99999999999999999999999 a=b\n",
            "12 path=a\0b\n",
            "7 a\0=b\n",
            "22 GNU.sparse.offset=0\n22 GNU.sparse.offset=0\n",
            "24 GNU.sparse.numbytes=0\n",
            "24 GNU.sparse.offset=0,1\n",
        ] {
            assert!(Records::parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(Records::parse(b"").is_ok() && Records::parse(b"6 a=b\n").is_ok());
    }
}
