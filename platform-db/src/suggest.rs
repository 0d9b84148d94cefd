//! "Did you mean": the known name nearest to what was written.
//!
//! Only for messages. Nothing is ever decided from a suggestion.

/// Inputs longer than this are not worth a suggestion, in bytes.
const LONGEST: usize = 24;
/// Weight of an inserted, dropped or replaced letter.
const EDIT: usize = 3;
/// Weight of two neighbours in the wrong order: the likelier slip.
const SWAP: usize = 2;

/// Returns the known name nearest to `input`, if at most a third of its letters (and at least one) differ.
pub(crate) fn nearest<'a>(input: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if input.is_empty() || input.len() > LONGEST {
        return None;
    }
    let allowed = input.chars().count().max(EDIT);
    known
        .into_iter()
        .map(|name| (distance(input, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Weight of the edits between two strings.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().map(|letter| letter.to_ascii_lowercase()).collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).map(|edits| edits * EDIT).collect();
    let mut previous = '\0';
    for (row, letter) in left.chars().map(|letter| letter.to_ascii_lowercase()).enumerate() {
        let mut current = vec![(row + 1) * EDIT];
        let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX / 2);
        for (column, other) in right.iter().enumerate() {
            let substituted = at(&last, column) + if letter == *other { 0 } else { EDIT };
            let mut best = substituted.min(at(&last, column + 1) + EDIT).min(at(&current, column) + EDIT);
            let swapped = column > 0 && right.get(column - 1) == Some(&letter) && previous == *other;
            if swapped && row > 0 {
                best = best.min(at(&before_last, column - 1) + SWAP);
            }
            current.push(best);
        }
        previous = letter;
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{EDIT, SWAP, distance, nearest};

    #[test]
    fn edits_are_counted() {
        let cases = [
            ("arm64", "arm64", 0),
            ("amr64", "arm64", SWAP),
            ("arm6", "arm64", EDIT),
            ("", "386", 3 * EDIT),
            ("x", "amd64", 5 * EDIT),
        ];
        for (left, right, expected) in cases {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }

    #[test]
    fn only_near_names_are_offered() {
        let known = ["linux", "darwin", "windows"];
        assert_eq!(nearest("linus", known), Some("linux"));
        assert_eq!(nearest("window", known), Some("windows"));
        assert_eq!(nearest("solaris", known), None);
        assert_eq!(nearest("", known), None);
    }
}
