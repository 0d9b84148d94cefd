//! "Did you mean": the nearest of some known names.

use strsim::osa_distance;

/// Words longer than this are no typing mistakes, in bytes.
const LONGEST: usize = 64;

/// The nearest name at a distance that a typing mistake makes: one edit for short words, two for longer ones.
pub(crate) fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if word.len() > LONGEST {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    let limit = if lower.len() < 5 { 1 } else { 2 };
    names
        .into_iter()
        .map(|name| (osa_distance(&lower, &name.to_ascii_lowercase()), name))
        .filter(|(distance, name)| *distance <= limit && *distance < name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `did you mean ...?` for the nearest name.
pub fn hint<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<String> {
    nearest(word, names).map(|name| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_typing_mistakes_only() {
        let names = ["RUN", "COPY", "ENTRYPOINT", "ENV"];
        let cases = [
            ("RNU", Some("RUN")),
            ("copi", Some("COPY")),
            ("ENTRPOINT", Some("ENTRYPOINT")),
            ("EMV", Some("ENV")),
            ("BANANA", None),
            ("", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, names), expected, "{word}");
        }
    }
}
