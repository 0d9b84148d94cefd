//! All patterns that are more than a text, matched side by side.
//!
//! A pattern of n tokens is n + 1 places in a row; to stand at one means that the path up to here matches the tokens in
//! front of it. Places are bits: a character moves all of them in a few operations for 64 places each, whatever they
//! are.

use std::collections::HashMap;
use std::ops::Range;

use super::tokens::Token;

/// Where the matching stands.
#[derive(Debug, Clone, Default)]
pub(super) struct State(Vec<u64>);

/// A set of places.
type Places = Vec<u64>;

#[derive(Debug, Clone, Default)]
pub(super) struct Automaton {
    /// The places of each pattern.
    patterns: Vec<Range<usize>>,
    /// Where a path begins.
    start: Places,
    /// From which places a character leads to the next one: of ASCII all, one after the other.
    ascii: Places,
    /// The same for characters that a pattern names; those that it names by classes have their own list.
    others: HashMap<char, Places>,
    classes: Vec<(usize, Token)>,
    /// `?`, which any character but `/` leads on from.
    any: Places,
    /// `*`, where any character but `/` may stay.
    star: Places,
    /// Where any character may stay.
    rest: Places,
    /// From which places one is at the next one, or the one after that, too.
    next: Places,
    after_next: Places,
}

const BITS: usize = 64;

fn words(places: usize) -> usize {
    places.div_ceil(BITS)
}

fn add(places: &mut [u64], place: usize) {
    if let Some(word) = places.get_mut(place / BITS) {
        *word |= 1 << (place % BITS);
    }
}

fn has(places: &[u64], place: usize) -> bool {
    places.get(place / BITS).is_some_and(|word| word >> (place % BITS) & 1 == 1)
}

/// Whether a character lies in the brackets of a pattern.
fn is_in(token: &Token, character: char) -> bool {
    match token {
        Token::Class { negated, ranges } => {
            ranges.iter().any(|(low, high)| (*low..=*high).contains(&character)) != *negated
        }
        Token::Char(_) | Token::One | Token::Star | Token::Dirs | Token::InDirs | Token::Rest => false,
    }
}

impl Automaton {
    pub(super) fn new(patterns: &[Vec<Token>]) -> Self {
        let places = patterns.iter().map(|tokens| tokens.len() + 1).sum();
        let empty = vec![0; words(places)];
        let mut new = Self {
            start: empty.clone(),
            ascii: vec![0; 128 * empty.len()],
            any: empty.clone(),
            star: empty.clone(),
            rest: empty.clone(),
            next: empty.clone(),
            after_next: empty.clone(),
            ..Self::default()
        };
        let mut place = 0;
        for tokens in patterns {
            add(&mut new.start, place);
            new.patterns.push(place..place + tokens.len());
            for token in tokens {
                new.token(place, token, &empty);
                place += 1;
            }
            place += 1;
        }
        let mut start = State(std::mem::take(&mut new.start));
        new.skip(&mut start);
        Self { start: start.0, ..new }
    }

    fn token(&mut self, place: usize, token: &Token, empty: &Places) {
        match token {
            Token::Char(literal) if literal.is_ascii() => {
                self.step_on(place, |character| character == *literal)
            }
            Token::Char(literal) => {
                add(self.others.entry(*literal).or_insert_with(|| empty.clone()), place);
            }
            Token::One => {
                add(&mut self.any, place);
                self.step_on(place, |character| character != '/');
            }
            Token::Star => {
                add(&mut self.star, place);
                add(&mut self.next, place);
            }
            Token::Dirs => {
                add(&mut self.next, place);
                add(&mut self.after_next, place);
            }
            Token::InDirs => {
                add(&mut self.rest, place);
                self.step_on(place, |character| character == '/');
            }
            Token::Rest => {
                add(&mut self.rest, place);
                add(&mut self.next, place);
            }
            Token::Class { .. } => {
                self.classes.push((place, token.clone()));
                self.step_on(place, |character| is_in(token, character));
            }
        }
    }

    /// Notes from which characters of ASCII a place leads to the next one.
    fn step_on(&mut self, place: usize, leads: impl Fn(char) -> bool) {
        let length = self.any.len();
        for (row, character) in self.ascii.chunks_mut(length.max(1)).zip('\0'..) {
            if leads(character) {
                add(row, place);
            }
        }
    }

    /// Where the matching of a path begins.
    pub(super) fn start(&self) -> State {
        State(self.start.clone())
    }

    /// Whether what was read is all that a pattern stands for.
    pub(super) fn accepts(&self, state: &State, pattern: usize) -> bool {
        self.patterns.get(pattern).is_some_and(|places| has(&state.0, places.end))
    }

    /// Whether a pattern may come to match when more is read.
    pub(super) fn goes_on(&self, state: &State, pattern: usize) -> bool {
        self.patterns
            .get(pattern)
            .is_some_and(|places| (places.start..=places.end).any(|place| has(&state.0, place)))
    }

    /// Reads a piece of a path. Bytes that are not UTF-8 count as one character each, equal to no literal.
    pub(super) fn read(&self, state: &mut State, bytes: &[u8]) {
        for chunk in bytes.utf8_chunks() {
            chunk.valid().chars().for_each(|character| self.character(state, character));
            chunk.invalid().iter().for_each(|_| self.character(state, char::REPLACEMENT_CHARACTER));
        }
    }

    fn character(&self, state: &mut State, character: char) {
        let length = self.any.len();
        let row = usize::try_from(u32::from(character)).unwrap_or(usize::MAX).saturating_mul(length);
        let named;
        let steps = match self.ascii.get(row..row.saturating_add(length)) {
            Some(steps) if character.is_ascii() => steps,
            Some(_) | None => {
                named = self.unusual(character);
                &named
            }
        };
        let star = if character == '/' { 0 } else { u64::MAX };
        let mut carry = 0;
        let masks = steps.iter().zip(&self.star).zip(&self.rest);
        for (word, ((step, stars), rest)) in state.0.iter_mut().zip(masks) {
            let moved = *word & step;
            let stays = *word & (stars & star | rest);
            *word = moved << 1 | carry | stays;
            carry = moved >> (BITS - 1);
        }
        self.skip(state);
    }

    /// From which places a character outside ASCII leads to the next one.
    fn unusual(&self, character: char) -> Places {
        let mut steps = self.any.clone();
        for (word, named) in steps.iter_mut().zip(self.others.get(&character).into_iter().flatten()) {
            *word |= named;
        }
        for (place, _) in self.classes.iter().filter(|(_, class)| is_in(class, character)) {
            add(&mut steps, *place);
        }
        steps
    }

    /// Stars may stand for nothing.
    fn skip(&self, state: &mut State) {
        let mut carry = 0;
        for (word, (next, after_next)) in state.0.iter_mut().zip(self.next.iter().zip(&self.after_next)) {
            *word |= carry;
            loop {
                let more = *word | (*word & next) << 1 | (*word & after_next) << 2;
                if more == *word {
                    break;
                }
                *word = more;
            }
            carry = (*word & next) >> (BITS - 1) | (*word & after_next) >> (BITS - 2);
        }
    }
}
