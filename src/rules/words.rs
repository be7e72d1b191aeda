//! Words that stand anywhere in a value: one automaton looks for all of them at once, and only patterns whose word was
//! found are looked at more closely. Most values hold none.
//!
//! Does not know: which field it serves, expressions beyond their words.

use std::collections::{BTreeMap, HashMap};

use aho_corasick::packed::{self, Searcher};
use aho_corasick::{AhoCorasick, AhoCorasickKind, Input};
use memchr::memmem;
use smallvec::SmallVec;

use super::conditions::{Holding, Numbers};
use crate::bounds;

/// Bytes of words up to which the automaton is a table, which is the fastest and the largest of its kinds.
const TABLE: usize = 4096;

#[derive(Debug, Default)]
pub struct Words {
    automaton: Option<AhoCorasick>,
    /// Finds the first of a few dozen words many times faster; not there for more.
    scout: Option<Searcher>,
    /// By word.
    meant: Vec<Meant>,
    globs: Vec<Glob>,
}

/// What follows from a word.
#[derive(Clone, Debug, Default)]
struct Meant {
    conditions: Numbers,
    /// Numbers of globs to be tried.
    globs: Numbers,
    /// An expression may match.
    expression: bool,
}

/// A pattern with stars, in pieces.
#[derive(Debug)]
struct Glob {
    pieces: Box<[Box<[u8]>]>,
    conditions: Numbers,
}

impl Words {
    /// Of globs, and of the words of expressions.
    ///
    /// # Errors
    /// They are too many for an automaton, in words.
    pub fn new(globs: &BTreeMap<&str, &Numbers>, expressions: Vec<Vec<u8>>) -> Result<Words, String> {
        let mut shared: HashMap<&str, u32> = HashMap::new();
        globs.keys().flat_map(|g| g.split('*')).for_each(|piece| *shared.entry(piece).or_default() += 1);
        let mut words = Words::default();
        let mut numbers: BTreeMap<Vec<u8>, Meant> = BTreeMap::new();
        for (glob, conditions) in globs {
            let pieces: Vec<&str> = glob.split('*').collect();
            // The piece that the fewest others have: what many have is found often, and each of them tried then.
            let rarest = |p: &&&str| (u32::MAX - shared.get(**p).copied().unwrap_or(0), p.len());
            let Some(word) = pieces.iter().filter(|p| !p.is_empty()).max_by_key(rarest) else { continue };
            let meant = numbers.entry(word.as_bytes().to_vec()).or_default();
            if matches!(pieces[..], ["", _, ""]) {
                meant.conditions.extend_from_slice(conditions);
            } else {
                meant.globs.push(words.globs.len() as u32);
                let pieces = pieces.into_iter().map(|p| p.as_bytes().into()).collect();
                words.globs.push(Glob { pieces, conditions: (*conditions).clone() });
            }
        }
        for word in expressions {
            numbers.entry(word).or_default().expression = true;
        }
        // What builds it takes four times as long for twice as many.
        if numbers.len() > bounds::WORDS {
            return Err(format!("{} different words between stars, more than {}", numbers.len(), bounds::WORDS));
        }
        if !numbers.is_empty() {
            let bytes: usize = numbers.keys().map(Vec::len).sum();
            let kind = if bytes <= TABLE { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
            // Its own ways to skip ahead stop at every letter that a word begins with.
            let automaton = AhoCorasick::builder().kind(Some(kind)).prefilter(false).build(numbers.keys());
            words.automaton = Some(automaton.map_err(|e| e.to_string())?);
            words.scout = packed::Config::new().builder().extend(numbers.keys()).build();
            words.meant = numbers.into_values().collect();
        }
        Ok(words)
    }

    /// Adds what holds; whether an expression may match.
    pub fn visit(&self, value: &[u8], holding: &mut Holding) -> bool {
        let Some(automaton) = &self.automaton else { return false };
        let first = match &self.scout {
            Some(scout) => scout.find(value).map(|m| m.start()),
            None => automaton.is_match(value).then_some(0),
        };
        let Some(first) = first else { return false };
        let mut expression = false;
        let mut seen: SmallVec<[u64; 8]> = SmallVec::from_elem(0, self.meant.len().div_ceil(64));
        for found in automaton.find_overlapping_iter(Input::new(value).range(first..)) {
            let word = found.pattern().as_usize();
            if seen[word / 64] & 1 << (word % 64) != 0 {
                continue;
            }
            seen[word / 64] |= 1 << (word % 64);
            let meant = &self.meant[word];
            holding.add_all(&meant.conditions);
            for glob in meant.globs.iter().map(|g| &self.globs[*g as usize]) {
                if glob.matches(value) {
                    holding.add_all(&glob.conditions);
                }
            }
            expression |= meant.expression;
        }
        expression
    }
}

impl Glob {
    /// Whether the pieces stand in the value one after the other, the first at its start and the last at its end. To take
    /// each as early as it comes leaves the most for those behind it.
    fn matches(&self, value: &[u8]) -> bool {
        let [first, middle @ .., last] = &self.pieces[..] else { return false };
        let Some(mut rest) = value.strip_prefix(&first[..]).and_then(|v| v.strip_suffix(&last[..])) else {
            return false;
        };
        for piece in middle {
            let Some(at) = memmem::find(rest, piece) else { return false };
            rest = &rest[at + piece.len()..];
        }
        true
    }
}
