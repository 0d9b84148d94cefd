//! The properties of `fuzz/`, on mutations of the recorded cases: a fixed seed, a short run.

use builder::dockerfile::ignore::{Matched, Matcher, patterns};
use builder::dockerfile::{self, expand};
use builder::lint::{Context, check};
use builder::lower::{BuildConfig, LowerError, lower};
use builder::source_text::SourceText;

/// Xorshift: the same numbers on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end.max(1) as u64).unwrap()
    }
}

/// Pieces that mean something somewhere.
const PIECES: [&str; 32] = [
    "${",
    "}",
    "$",
    ":-",
    "#",
    "%%",
    "//",
    "\\",
    "\n",
    "\"",
    "'",
    "<<EOF\n",
    "EOF\n",
    "[\"",
    "\"]",
    "--from=",
    "--mount=",
    "type=cache,",
    " ",
    "\t",
    "\\\n",
    "ONBUILD ",
    "FROM a AS b\n",
    "COPY --from=b a c\n",
    "é",
    "\r\n",
    "=",
    ",",
    "`",
    "--platform=$TARGETPLATFORM ",
    "**/",
    "!",
];

fn mutate(text: &str, random: &mut Random) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(6) {
        let at = random.below(chars.len() + 1);
        match random.below(4) {
            0 => drop(chars.drain(at..(at + random.below(12)).min(chars.len()))),
            1 => drop(chars.splice(at..at, PIECES[random.below(PIECES.len())].chars())),
            2 => chars.truncate(at),
            _ => {
                let from = random.below(chars.len() + 1);
                let piece: Vec<char> = chars[from..(from + random.below(30)).min(chars.len())].to_vec();
                drop(chars.splice(at..at, piece));
            }
        }
    }
    chars.into_iter().collect()
}

#[test]
fn any_text_is_read_or_refused() {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let images = super::graphs::images();
    let cases = super::graphs::cases();
    let mut read = 0;
    for round in 0..3000 {
        let text = mutate(&cases[round % cases.len()].1, &mut random);
        let source = SourceText::new("Dockerfile", text.as_str());
        match dockerfile::parse(&source) {
            Err(problems) => {
                assert!(!problems.is_empty());
                for problem in problems {
                    assert!(problem.span.end <= text.len(), "{problem:?}\n{text}");
                    assert!(problem.render(&source, false).contains("Dockerfile:"), "{problem:?}");
                }
            }
            Ok(file) => {
                read += 1;
                let platform = "linux/amd64".parse().unwrap();
                assert!(!dockerfile::sexpr::dump(&file).is_empty());
                let _either = check(&file, &Context::new(platform));
                let config = BuildConfig::new("linux/amd64".parse().unwrap());
                if let Err(LowerError::Invalid(problem)) = lower(&file, &config, &images) {
                    assert!(problem.span.end <= text.len(), "{problem:?}\n{text}");
                    let _picture = problem.render(&source, false);
                }
            }
        }
    }
    assert!(read > 300, "only {read} of 3000 were read: the mutations are too coarse");
}

#[test]
fn any_word_is_expanded_or_refused() {
    let mut random = Random(42);
    let variables: std::collections::BTreeMap<String, String> =
        [("a", "x.y.z"), ("E", "")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    for _ in 0..20_000 {
        let word = mutate("${a:-\"x\"}$E'${a%.*}'", &mut random);
        let rules = expand::Rules { keep_unset: random.below(2) == 0, ..expand::Rules::new('\\') };
        if let Err(error) = expand::expand(&word, &variables, rules) {
            assert!(error.offset <= word.len(), "{word}");
        }
    }
}

#[test]
fn walking_is_asking() {
    let mut random = Random(7);
    let alphabet =
        ["a", "b", "a*", "*", "**", "?", "[ab]", "ab", "!a", "!**/b", "a/**", "a/b", "!a/b/a", "**/a*/b"];
    let names = ["a", "b", "ab", "ba", "c"];
    for _ in 0..20_000 {
        let list: Vec<&str> = (0..=random.below(4)).map(|_| alphabet[random.below(alphabet.len())]).collect();
        let Ok(matcher) = Matcher::new(&patterns(&list.join("\n"))) else { continue };
        let parts: Vec<&str> = (0..=random.below(4)).map(|_| names[random.below(names.len())]).collect();
        let path = parts.join("/");
        let mut above = Matched::default();
        let mut last = false;
        for depth in 1..=parts.len() {
            let part = parts[..depth].join("/");
            if depth < parts.len() {
                let all = matcher.excludes_all_below(part.as_bytes());
                assert!(!all || matcher.matches(path.as_bytes()), "{list:?} {path}: pruned at {part}");
                let none = !matcher.may_match_below(part.as_bytes());
                assert!(!none || !matcher.matches(path.as_bytes()), "{list:?} {path}: not entered at {part}");
            }
            (last, above) = matcher.matches_below(part.as_bytes(), &above);
        }
        assert_eq!(last, matcher.matches(path.as_bytes()), "{list:?} {path}");
    }
}
