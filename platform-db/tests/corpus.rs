//! The fuzz targets' properties over their corpus, and over a fixed set of mutations of it.
#![cfg(feature = "object")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

mod properties;

use std::path::Path;

/// Mutations of each object file.
const OBJECTS: u64 = 64;
/// Mutations of each text; looking for what was meant takes longer.
const TEXTS: u64 = 12;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 20, "{target}: {} files", paths.len());
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Numbers that depend on the seed alone (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ mixed >> 31) % end.max(1) as u64).unwrap()
    }

    /// Changes bytes, cuts, or puts a piece somewhere else.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        const WORTH_TRYING: &[u8] = &[0, 1, 2, 4, 8, 0x20, 0x7f, 0x80, 0xfe, 0xff];
        let at = self.below(bytes.len());
        match self.below(6) {
            0 => bytes.truncate(at),
            1 => {
                let piece: Vec<u8> = bytes.iter().skip(at).take(8).copied().collect();
                let to = self.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => {
                for _ in 0..=self.below(4) {
                    let (at, which) = (self.below(bytes.len()), self.below(WORTH_TRYING.len()));
                    if let (Some(byte), Some(value)) = (bytes.get_mut(at), WORTH_TRYING.get(which)) {
                        *byte = *value;
                    }
                }
            }
        }
    }
}

#[test]
fn object_files() {
    for (seed, file) in corpus("object").into_iter().enumerate() {
        properties::object(&file);
        let mut numbers = Numbers(seed as u64);
        for _ in 0..OBJECTS {
            let mut mutated = file.clone();
            numbers.mutate(&mut mutated);
            properties::object(&mutated);
        }
    }
}

#[test]
fn platform_texts() {
    for (seed, text) in corpus("platform").into_iter().enumerate() {
        properties::platform(&String::from_utf8_lossy(&text));
        let mut numbers = Numbers(seed as u64);
        for _ in 0..TEXTS {
            let mut mutated = text.clone();
            numbers.mutate(&mut mutated);
            properties::platform(&String::from_utf8_lossy(&mutated));
        }
    }
}
