//! A short run of the fuzzer with a fixed seed: its properties on its corpora, and on mutations of them.

use std::path::Path;

#[path = "../../fuzz/properties.rs"]
mod properties;

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

/// Changes some bytes: for input that is no text.
fn mutate_bytes(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let value = u8::try_from(random.below(256)).unwrap();
        match random.below(4) {
            0 => drop(bytes.drain(at..(at + random.below(8)).min(bytes.len()))),
            1 => bytes.insert(at, value),
            2 => bytes.truncate(at),
            _ => bytes.get_mut(at).into_iter().for_each(|byte| *byte = value),
        }
    }
    bytes
}

/// The files of a corpus in the order of their names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 10, "the corpus of {target} has only {} files", paths.len());
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn any_text_is_read_or_refused() {
    let images = super::graphs::images();
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let recorded = super::graphs::cases().into_iter().map(|(_, text, _)| text.into_bytes());
    let seeds: Vec<Vec<u8>> = corpus("dockerfile").into_iter().chain(recorded).collect();
    let good = seeds.iter().filter(|seed| properties::dockerfile(seed, &images)).count();
    assert!(good > 50, "only {good} seeds are read");
    let mut read = 0;
    for round in 0..1000 {
        let text = mutate(&String::from_utf8_lossy(&seeds[round % seeds.len()]), &mut random);
        read += usize::from(properties::dockerfile(text.as_bytes(), &images));
    }
    assert!(read > 100, "only {read} of 1000 were read: the mutations are too coarse");
}

#[test]
fn any_word_is_expanded_or_refused() {
    let mut random = Random(42);
    let seeds = corpus("expand");
    seeds.iter().for_each(|seed| properties::expander(seed));
    for round in 0..20_000 {
        let Some((bits, word)) = seeds[round % seeds.len()].split_first() else { continue };
        let word = mutate(&String::from_utf8_lossy(word), &mut random);
        properties::expander(&[&[*bits], word.as_bytes()].concat());
    }
}

#[test]
fn walking_is_asking() {
    let mut random = Random(7);
    let seeds = corpus("ignore");
    seeds.iter().for_each(|seed| properties::ignore(seed));
    for round in 0..2000 {
        let text = mutate(&String::from_utf8_lossy(&seeds[round % seeds.len()]), &mut random);
        properties::ignore(text.as_bytes());
    }
    let alphabet =
        ["a", "b", "a*", "*", "**", "?", "[ab]", "ab", "!a", "!**/b", "a/**", "a/b", "!a/b/a", "**/a*/**b"];
    let names = ["a", "b", "ab", "ba", "c"];
    for _ in 0..8000 {
        let list: Vec<&str> = (0..=random.below(4)).map(|_| alphabet[random.below(alphabet.len())]).collect();
        let path: Vec<&str> = (0..=random.below(4)).map(|_| names[random.below(names.len())]).collect();
        properties::ignore(format!("{}\0{}", list.join("\n"), path.join("/")).as_bytes());
    }
}

#[test]
fn any_definition_is_taken_or_refused() {
    let mut random = Random(3);
    let seeds = corpus("definition");
    let taken = seeds.iter().filter(|seed| properties::definition(seed)).count();
    assert!(taken > 5, "only {taken} of the corpus are taken");
    for round in 0..5000 {
        properties::definition(&mutate_bytes(&seeds[round % seeds.len()], &mut random));
    }
}

#[test]
fn corpora_are_small() {
    let size: usize = ["dockerfile", "expand", "ignore", "definition"]
        .into_iter()
        .flat_map(corpus)
        .map(|file| file.len())
        .sum();
    assert!(size < 200_000, "{size} bytes: run cmin");
}
