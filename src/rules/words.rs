//! Words that stand anywhere in a value: one automaton looks for all of them at once, and only patterns whose word was
//! found are looked at more closely. Most values hold none.
//!
//! Does not know: which field it serves, expressions beyond their words.

use std::collections::{BTreeMap, HashMap};

use aho_corasick::automaton::Automaton;
use aho_corasick::packed::{Config, MatchKind, Searcher};
use aho_corasick::{Anchored, BuildError, Span, dfa, nfa::contiguous};
use memchr::memmem;
use smallvec::SmallVec;

use super::conditions::{Holding, Numbers};
use crate::bounds;

/// Bytes of words up to which the automaton is a table, which is the fastest and the largest of its kinds.
const TABLE: usize = 4096;
/// Words that are scouted for in one value before the automaton goes over the rest of it.
const SCOUTED: usize = 12;

#[derive(Debug, Default)]
pub struct Words {
    automaton: Option<Kind>,
    /// Finds the next of a few dozen words many times faster, of those that begin at one place the longest; not there for
    /// more.
    scout: Option<Searcher>,
    /// By word.
    meant: Vec<Meant>,
    globs: Vec<Glob>,
}

#[derive(Debug)]
enum Kind {
    Table(dfa::DFA),
    Compact(contiguous::NFA),
}

/// What follows from a word.
#[derive(Clone, Debug, Default)]
struct Meant {
    conditions: Numbers,
    /// Numbers of globs to be tried.
    globs: Numbers,
    /// An expression may match.
    expression: bool,
    /// The longest other word that this one begins with.
    begins_with: Option<u32>,
}

/// One value being looked at.
struct Look<'w, 'v> {
    words: &'w Words,
    value: &'v [u8],
    seen: SmallVec<[u64; 8]>,
    expression: bool,
}

/// A pattern with stars, in pieces.
#[derive(Debug)]
struct Glob {
    pieces: Box<[Box<[u8]>]>,
    conditions: Numbers,
}

impl Kind {
    fn of<'w>(words: impl Iterator<Item = &'w Vec<u8>>, bytes: usize) -> Result<Kind, BuildError> {
        Ok(if bytes <= TABLE {
            Kind::Table(dfa::Builder::new().prefilter(false).build(words)?)
        } else {
            Kind::Compact(contiguous::Builder::new().prefilter(false).build(words)?)
        })
    }
}

impl Words {
    /// Of globs, and of the words of expressions.
    ///
    /// # Errors
    /// They are too many for an automaton.
    pub fn new(globs: &BTreeMap<&str, &Numbers>, expressions: Vec<Vec<u8>>) -> Result<Words, String> {
        if globs.len() + expressions.len() > bounds::WORDS {
            return Err(format!("more than {} patterns with a star before their end", bounds::WORDS));
        }
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
        if !numbers.is_empty() {
            let bytes: usize = numbers.keys().map(Vec::len).sum();
            words.automaton = Some(Kind::of(numbers.keys(), bytes).map_err(|e| e.to_string())?);
            words.scout = Config::new().match_kind(MatchKind::LeftmostLongest).builder().extend(numbers.keys()).build();
            let begins = begins_with(&numbers.keys().collect::<Vec<_>>());
            words.meant =
                numbers.into_values().zip(begins).map(|(m, begins_with)| Meant { begins_with, ..m }).collect();
        }
        Ok(words)
    }

    /// Adds what holds; whether an expression may match.
    pub fn visit(&self, value: &[u8], holding: &mut Holding) -> bool {
        let Some(automaton) = &self.automaton else { return false };
        let (mut look, mut at) = (None, 0);
        if let Some(scout) = &self.scout {
            for _ in 0..SCOUTED {
                // It is slow at what is shorter than its own step.
                if value.len() - at < scout.minimum_len() {
                    break;
                }
                let Some(found) = scout.find_in(value, Span { start: at, end: value.len() }) else {
                    return look.is_some_and(|l: Look<'_, '_>| l.expression);
                };
                at = found.start() + 1;
                let look = look.get_or_insert_with(|| Look::new(self, value));
                let mut word = Some(found.pattern().as_u32());
                while let Some(w) = word {
                    look.found(w, holding);
                    word = self.meant[w as usize].begins_with;
                }
            }
        }
        let mut see = |word| look.get_or_insert_with(|| Look::new(self, value)).found(word, holding);
        match automaton {
            Kind::Table(table) => go_over(table, &value[at..], &mut see),
            Kind::Compact(compact) => go_over(compact, &value[at..], &mut see),
        }
        look.is_some_and(|l| l.expression)
    }
}

impl<'w, 'v> Look<'w, 'v> {
    fn new(words: &'w Words, value: &'v [u8]) -> Look<'w, 'v> {
        let seen = SmallVec::from_elem(0, words.meant.len().div_ceil(64));
        Look { words, value, seen, expression: false }
    }

    /// Whether the word was not found before.
    fn found(&mut self, word: u32, holding: &mut Holding) -> bool {
        let (at, bit) = (word as usize / 64, 1 << (word % 64));
        if self.seen[at] & bit != 0 {
            return false;
        }
        self.seen[at] |= bit;
        let meant = &self.words.meant[word as usize];
        holding.add_all(&meant.conditions);
        for glob in meant.globs.iter().map(|g| &self.words.globs[*g as usize]) {
            if glob.matches(self.value) {
                holding.add_all(&glob.conditions);
            }
        }
        self.expression |= meant.expression;
        true
    }
}

/// Sees every word in the value, of those that end at one place the longest first, until it was seen before: what that one
/// ends with was seen then too, or a value of one letter would show each of a thousand words at each of its places.
fn go_over(automaton: &impl Automaton, value: &[u8], see: &mut dyn FnMut(u32) -> bool) {
    let Ok(mut state) = automaton.start_state(Anchored::No) else { return };
    for byte in value {
        state = automaton.next_state(Anchored::No, state, *byte);
        if automaton.is_special(state) && automaton.is_match(state) {
            let mut words = (0..automaton.match_len(state)).map(|i| automaton.match_pattern(state, i).as_u32());
            while words.next().is_some_and(&mut *see) {}
        }
    }
}

/// Of each of sorted words the longest other one that it begins with.
fn begins_with(words: &[&Vec<u8>]) -> Vec<Option<u32>> {
    let mut all: Vec<Option<u32>> = Vec::new();
    for (i, word) in words.iter().enumerate() {
        // It is the word before, or one that that one begins with.
        let mut before = i.checked_sub(1).map(|b| b as u32);
        while let Some(b) = before
            && !word.starts_with(words[b as usize])
        {
            before = all[b as usize];
        }
        all.push(before);
    }
    all
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
