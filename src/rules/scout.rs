//! Where in a value one of a few dozen words may begin: long values are searched many bytes at a time, short ones through
//! three small tables that do not leave the nearest memory.
//!
//! Does not know: what a word means, what a value is looked at for.

use aho_corasick::Span;
use aho_corasick::packed::{Config, MatchKind, Searcher};

/// First bytes of a word that the tables tell it by.
const TOLD_BY: usize = 3;

#[derive(Debug)]
pub struct Scout {
    /// Slow at values that are shorter than its own step.
    long: Searcher,
    /// By place in a word and byte: the groups of words, each a bit, that have that byte there.
    tables: Box<[[u8; 256]; TOLD_BY]>,
}

/// What may be in the rest of a value.
pub enum Next {
    Nothing,
    /// A word, of those that begin at one place the longest, at this place.
    Word(u32, usize),
    /// None begins before this place.
    NotBefore(usize),
}

impl Scout {
    /// Of words in their order; none of them is empty. None where they are too many.
    pub fn new<'w>(words: impl Iterator<Item = &'w Vec<u8>> + Clone) -> Option<Scout> {
        let long = Config::new().match_kind(MatchKind::LeftmostLongest).builder().extend(words.clone()).build()?;
        let mut tables = Box::new([[0; 256]; TOLD_BY]);
        for word in words {
            // Alike beginnings in one group, or it would say yes to more mixtures of words.
            let sum = word.iter().take(TOLD_BY).fold(0, |sum: usize, b| sum.wrapping_mul(31) + usize::from(*b));
            let group = 1 << (sum % 8);
            for (place, table) in tables.iter_mut().enumerate() {
                match word.get(place) {
                    Some(byte) => table[usize::from(*byte)] |= group,
                    None => table.iter_mut().for_each(|groups| *groups |= group),
                }
            }
        }
        Some(Scout { long, tables })
    }

    /// The first thing not before `at`.
    pub fn next(&self, value: &[u8], at: usize) -> Next {
        if value.len() - at < self.long.minimum_len() {
            return self.glance(&value[at..]).map_or(Next::Nothing, |place| Next::NotBefore(at + place));
        }
        let found = self.long.find_in(value, Span { start: at, end: value.len() });
        found.map_or(Next::Nothing, |f| Next::Word(f.pattern().as_u32(), f.start()))
    }

    fn glance(&self, rest: &[u8]) -> Option<usize> {
        let [first, second, third] = &*self.tables;
        let of = |table: &[u8; 256], byte: u8| table[usize::from(byte)];
        let here = |w: &[u8]| of(first, w[0]) & of(second, w[1]) & of(third, w[2]) != 0;
        if let Some(place) = rest.windows(TOLD_BY).position(here) {
            return Some(place);
        }
        // What is too short for all tables is told by its first byte.
        let last = rest.len().saturating_sub(TOLD_BY - 1);
        rest[last..].iter().position(|b| of(first, *b) != 0).map(|place| last + place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_word_begins_is_passed_over() {
        let words: Vec<Vec<u8>> = ["a", "ab", "abab", "b0b", "babab", "caba"].map(|w| w.as_bytes().to_vec()).into();
        let scout = Scout::new(words.iter()).unwrap();
        let mut seen = [0; 3];
        // Every text of six of the letters, at the end of texts short and long.
        for number in 0..4_usize.pow(6) {
            let tail: Vec<u8> = (0..6).map(|i| b"ab0x"[number >> (2 * i) & 3]).collect();
            for before in [0, 60] {
                let value = [vec![b'x'; before], tail.clone()].concat();
                let longest = |at: usize| words.iter().filter(|w| value[at..].starts_with(w)).max_by_key(|w| w.len());
                let first = (0..value.len()).find(|at| longest(*at).is_some());
                match scout.next(&value, 0) {
                    Next::Nothing => {
                        assert_eq!(first, None, "{value:?}");
                        seen[0] += 1;
                    }
                    Next::Word(word, at) => {
                        assert_eq!((first, longest(at)), (Some(at), Some(&words[word as usize])), "{value:?}");
                        seen[1] += 1;
                    }
                    Next::NotBefore(at) => {
                        assert!(first.is_none_or(|f| f >= at), "{value:?}");
                        seen[2] += 1;
                    }
                }
            }
        }
        assert!(seen.iter().all(|n| *n > 100), "{seen:?}");
    }
}
