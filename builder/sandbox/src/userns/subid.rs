//! `/etc/subuid` and `/etc/subgid`: which further ids a user may map.

/// A run of ids delegated to a user, in host numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubIdRange {
    /// First id.
    pub start: u32,
    /// How many.
    pub count: u32,
}

/// The ranges `text` (the content of `/etc/subuid` or `/etc/subgid`) gives to a user, by name or by number, in
/// the order of the file. Lines that are not `user:start:count` are passed over, as `newuidmap` does.
#[must_use]
pub fn ranges(text: &str, name: Option<&str>, uid: u32) -> Vec<SubIdRange> {
    let number = uid.to_string();
    text.lines()
        .filter_map(|line| {
            let mut fields = line.trim().split(':');
            let (user, start, count) = (fields.next()?, fields.next()?, fields.next()?);
            let range = SubIdRange { start: start.parse().ok()?, count: count.parse().ok()? };
            let ours = Some(user) == name || user == number;
            let sound = range.count > 0 && range.start.checked_add(range.count).is_some();
            (ours && sound && fields.next().is_none()).then_some(range)
        })
        .collect()
}

/// The arguments of `newuidmap` after the process id: 0 is the user itself, 1 and up are the ranges in turn.
#[must_use]
pub fn map_arguments(own: u32, ranges: &[SubIdRange]) -> Vec<String> {
    let mut words = vec!["0".to_owned(), own.to_string(), "1".to_owned()];
    let mut inside: u32 = 1;
    for range in ranges {
        let count = range.count.min(u32::MAX - inside);
        if count == 0 {
            break;
        }
        words.extend([inside.to_string(), range.start.to_string(), count.to_string()]);
        inside += count;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_a_user() {
        let table: &[(&str, &[(u32, u32)])] = &[
            ("", &[]),
            ("alice:100000:65536\n", &[(100_000, 65_536)]),
            ("1000:5:6\nbob:1:2\nalice:7:8", &[(5, 6), (7, 8)]),
            ("alicex:1:2\nxalice:1:2\n10000:1:2\n", &[]),
            ("alice:1\nalice:a:b\nalice:1:2:3\nalice:1:0\n#alice:1:1", &[]),
            ("alice:4294967295:2", &[]),
            ("alice:-1:2", &[]),
            ("  alice:3:4  ", &[(3, 4)]),
        ];
        for (text, expected) in table {
            let expected: Vec<_> =
                expected.iter().map(|&(start, count)| SubIdRange { start, count }).collect();
            assert_eq!(ranges(text, Some("alice"), 1000), expected, "{text:?}");
        }
        assert_eq!(ranges(":1:2", None, 1000), [], "no name is not the empty name");
    }

    #[test]
    fn arguments_number_the_ranges_upwards() {
        let ranges = [SubIdRange { start: 100_000, count: 65_536 }, SubIdRange { start: 7, count: 3 }];
        assert_eq!(map_arguments(1000, &ranges).join(" "), "0 1000 1 1 100000 65536 65537 7 3");
        assert_eq!(map_arguments(0, &[]).join(" "), "0 0 1");
        let huge = [SubIdRange { start: 1, count: u32::MAX - 1 }, SubIdRange { start: 5, count: 5 }];
        assert_eq!(map_arguments(9, &huge).join(" "), "0 9 1 1 1 4294967294");
    }
}
