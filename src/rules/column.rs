//! All patterns of one field, indexed so that one look at a value tells every condition that it satisfies: exact
//! texts in a map, prefixes in a sorted list, everything else in one set of expressions that is searched once.
//!
//! Does not know: which field it serves, what a condition is for.

use std::collections::{BTreeMap, HashMap};

use regex::{RegexSet, RegexSetBuilder};
use smallvec::SmallVec;

use super::pattern::Pattern;
use crate::bounds;

/// Numbers of conditions.
type Conditions = SmallVec<[u32; 2]>;

#[derive(Debug, Default)]
pub struct Column {
    exact: HashMap<Box<[u8]>, Conditions>,
    prefixes: Vec<Prefix>,
    expressions: Option<(RegexSet, Vec<Conditions>)>,
    /// Exact texts and prefixes are in lower case, values may not be.
    folds: bool,
    /// Bytes of the longest exact text or prefix: no more of a value needs to be folded.
    longest: usize,
}

#[derive(Debug)]
struct Prefix {
    text: Box<[u8]>,
    /// The longest other prefix that this one begins with.
    parent: Option<usize>,
    conditions: Conditions,
}

impl Column {
    /// # Errors
    /// The expressions together are larger than [`bounds::PATTERNS_BYTES`].
    pub fn new(patterns: &BTreeMap<Pattern, Conditions>, folds: bool) -> Result<Column, regex::Error> {
        let mut column = Column { folds, ..Column::default() };
        let (mut sources, mut meant) = (Vec::new(), Vec::new());
        // In the order of patterns, so that prefixes come sorted.
        for (pattern, conditions) in patterns {
            match pattern {
                Pattern::Exact(text) => {
                    column.longest = column.longest.max(text.len());
                    column.exact.insert(text.as_bytes().into(), conditions.clone());
                }
                Pattern::Prefix(text) => {
                    column.longest = column.longest.max(text.len());
                    column.add_prefix(text.as_bytes(), conditions.clone());
                }
                Pattern::Expression(source) => {
                    sources.push(source);
                    meant.push(conditions.clone());
                }
            }
        }
        if !sources.is_empty() {
            let mut builder = RegexSetBuilder::new(sources);
            let set = builder.case_insensitive(folds).size_limit(bounds::PATTERNS_BYTES).build()?;
            column.expressions = Some((set, meant));
        }
        Ok(column)
    }

    fn add_prefix(&mut self, text: &[u8], conditions: Conditions) {
        let mut parent = self.prefixes.len().checked_sub(1);
        while let Some(i) = parent {
            if text.starts_with(&self.prefixes[i].text) {
                break;
            }
            parent = self.prefixes[i].parent;
        }
        self.prefixes.push(Prefix { text: text.into(), parent, conditions });
    }

    /// Calls `hit` with every condition that a pattern satisfied by `value` belongs to; with some more than once.
    pub fn visit(&self, value: &str, hit: &mut dyn FnMut(u32)) {
        if !self.exact.is_empty() || !self.prefixes.is_empty() {
            let bytes = value.as_bytes();
            if self.folds {
                let enough = &bytes[..bytes.len().min(self.longest + 1)];
                let lower: SmallVec<[u8; 256]> = enough.iter().map(u8::to_ascii_lowercase).collect();
                self.look_up(&lower, hit);
            } else {
                self.look_up(bytes, hit);
            }
        }
        if let Some((set, meant)) = &self.expressions
            // Asked first because it needs no memory, and most requests match no expression at all.
            && set.is_match(value)
        {
            set.matches(value).iter().flat_map(|i| &meant[i]).for_each(|c| hit(*c));
        }
    }

    fn look_up(&self, value: &[u8], hit: &mut dyn FnMut(u32)) {
        if let Some(conditions) = self.exact.get(value) {
            conditions.iter().for_each(|c| hit(*c));
        }
        // Whatever sorts between a prefix of the value and the value begins with that prefix, so all that match
        // are the greatest entry not above the value, or its forebears.
        let mut at = self.prefixes.partition_point(|p| *p.text <= *value).checked_sub(1);
        while let Some(i) = at {
            let prefix = &self.prefixes[i];
            if value.starts_with(&prefix.text) {
                prefix.conditions.iter().for_each(|c| hit(*c));
            }
            at = prefix.parent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::clause::Field;

    fn hits(patterns: &[&str], value: &str) -> Vec<u32> {
        let mut by: BTreeMap<Pattern, Conditions> = BTreeMap::new();
        for (i, p) in patterns.iter().enumerate() {
            by.entry(Pattern::of(&Field::Portal, p).unwrap()).or_default().push(i as u32);
        }
        let mut found = Vec::new();
        Column::new(&by, false).unwrap().visit(value, &mut |c| found.push(c));
        found.sort_unstable();
        found
    }

    #[test]
    fn every_pattern_that_matches_is_found_at_once() {
        let patterns = ["ab", "a*", "abc*", "*", "b*", "ab*d", "*bc*", "re:c.?$", "aba*", "abb*"];
        assert_eq!(hits(&patterns, "ab"), [0, 1, 3]);
        assert_eq!(hits(&patterns, "abcd"), [1, 2, 3, 5, 6, 7]);
        assert_eq!(hits(&patterns, "abc"), [1, 2, 3, 6, 7]);
        assert_eq!(hits(&patterns, "b"), [3, 4]);
        assert_eq!(hits(&patterns, ""), [3]);
        assert_eq!(hits(&patterns, "abz"), [1, 3]);
        assert_eq!(hits(&patterns, "ab\n\nd"), [1, 3, 5]);
    }
}
