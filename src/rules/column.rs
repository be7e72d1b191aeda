//! All patterns of one field, indexed so that one look at a value tells every condition that it satisfies. Whole texts,
//! beginnings and ends lie in tries; of globs and expressions only those are tried that have a word in the value.
//!
//! Does not know: which field it serves, what a condition is for.

use std::collections::BTreeMap;

use regex::{RegexSet, RegexSetBuilder};
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::{Input, util::syntax};
use smallvec::SmallVec;

use super::conditions::{Holding, Numbers};
use super::expression;
use super::pattern::Pattern;
use super::trie::{Ends, Trie, Way};
use super::words::Words;
use crate::bounds;

#[derive(Debug, Default)]
pub struct Column {
    beginnings: Trie,
    ends: Trie,
    words: Words,
    /// Expressions that are searched for in values that hold one of their words, and those that have none.
    worded: Option<Set>,
    wordless: Option<Set>,
    /// Texts, ends, globs and words are in lower case, values may not be.
    folds: bool,
}

#[derive(Debug)]
struct Set {
    /// Says whether any matches, where they are few and plain: a table alone, without the set's memory and its choices.
    table: Option<dense::DFA<Vec<u32>>>,
    set: RegexSet,
    conditions: Vec<Numbers>,
}

impl Column {
    /// # Errors
    /// What is too large, in words.
    pub fn new(patterns: &BTreeMap<Pattern, Numbers>, folds: bool, pause: &dyn Fn()) -> Result<Column, String> {
        let (mut beginnings, mut ends): (BTreeMap<_, Ends>, BTreeMap<_, Ends>) = Default::default();
        let (mut globs, mut worded, mut wordless) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut words = Vec::new();
        for (pattern, conditions) in patterns {
            let text = |text: &str| text.as_bytes().to_vec();
            match pattern {
                Pattern::Exact(exact) => beginnings.entry(text(exact)).or_default().whole = conditions.clone(),
                Pattern::Prefix(prefix) => beginnings.entry(text(prefix)).or_default().begun = conditions.clone(),
                Pattern::Suffix(suffix) => ends.entry(text(suffix)).or_default().begun = conditions.clone(),
                Pattern::Glob(glob) => drop(globs.insert(glob.as_str(), conditions)),
                Pattern::Expression(source) => {
                    let own = expression::words(source, folds);
                    let set = if own.is_empty() { &mut wordless } else { &mut worded };
                    set.insert(source.as_str(), conditions);
                    words.extend(own);
                }
            }
        }
        let (beginnings, ends) = (Trie::new(beginnings, Way::Forward), Trie::new(ends, Way::Backward));
        pause();
        let words = Words::new(&globs, words)?;
        pause();
        let worded = Set::new(&worded, folds)?;
        pause();
        let wordless = Set::new(&wordless, folds)?;
        Ok(Column { beginnings, ends, words, worded, wordless, folds })
    }

    /// Adds every condition that a pattern satisfied by `value` belongs to.
    pub fn visit(&self, value: &str, holding: &mut Holding) {
        if self.folds {
            let mut lower: SmallVec<[u8; 256]> = SmallVec::from_slice(value.as_bytes());
            lower.make_ascii_lowercase();
            self.look_up(&lower, value, holding);
        } else {
            self.look_up(value.as_bytes(), value, holding);
        }
    }

    fn look_up(&self, bytes: &[u8], value: &str, holding: &mut Holding) {
        let mut add = |conditions: &[u32]| holding.add_all(conditions);
        self.beginnings.visit(bytes, &mut add);
        self.ends.visit(bytes, &mut add);
        let found = self.words.visit(bytes, holding);
        if let Some(set) = &self.worded
            // Letters beyond ASCII may be another spelling of a word's.
            && (found || !value.is_ascii())
        {
            set.visit(value, holding);
        }
        if let Some(set) = &self.wordless {
            set.visit(value, holding);
        }
    }
}

impl Set {
    fn new(sources: &BTreeMap<&str, &Numbers>, ignores_case: bool) -> Result<Option<Set>, String> {
        if sources.is_empty() {
            return Ok(None);
        }
        let mut builder = RegexSetBuilder::new(sources.keys());
        builder.case_insensitive(ignores_case).size_limit(bounds::EXPRESSIONS_BYTES);
        let set = builder.dfa_size_limit(bounds::EXPRESSIONS_CACHE).build();
        let set = set.map_err(|e| e.to_string())?;
        let table = table(sources.keys().copied(), ignores_case);
        Ok(Some(Set { table, set, conditions: sources.values().map(|c| (*c).clone()).collect() }))
    }

    fn may_match(&self, value: &str) -> bool {
        let Some(table) = &self.table else { return self.set.is_match(value) };
        // A table may give up at what it was not made for.
        table.try_search_fwd(&Input::new(value).earliest(true)).map_or(true, |end| end.is_some())
    }

    fn visit(&self, value: &str, holding: &mut Holding) {
        // Asked first because it needs no memory, and most values match none.
        if self.may_match(value) {
            self.set.matches(value).iter().for_each(|i| holding.add_all(&self.conditions[i]));
        }
    }
}

fn table<'s>(sources: impl Iterator<Item = &'s str> + Clone, ignores_case: bool) -> Option<dense::DFA<Vec<u32>>> {
    if sources.clone().map(str::len).sum::<usize>() > bounds::TABLED_EXPRESSIONS {
        return None;
    }
    let sizes = dense::Config::new()
        .dfa_size_limit(Some(bounds::EXPRESSION_TABLE))
        .determinize_size_limit(Some(bounds::EXPRESSION_TABLE));
    let sources: Vec<&str> = sources.collect();
    dense::Builder::new()
        .syntax(syntax::Config::new().case_insensitive(ignores_case))
        .thompson(thompson::Config::new().nfa_size_limit(Some(bounds::EXPRESSION_TABLE)))
        .configure(sizes.start_kind(StartKind::Unanchored))
        .build_many(&sources)
        .ok()
}

#[cfg(test)]
mod tests {
    use regex::{Regex, RegexBuilder};

    use super::*;
    use crate::rules::clause::Field;
    use crate::rules::expression::Expressions;

    fn hits(field: &Field, patterns: &[&str], value: &str) -> Vec<u32> {
        let mut by: BTreeMap<Pattern, Numbers> = BTreeMap::new();
        for (i, p) in patterns.iter().enumerate() {
            let pattern = Pattern::of(field, p, &mut Expressions::default()).unwrap();
            by.entry(pattern).or_default().push(i as u32);
        }
        let mut holding = Holding::new(patterns.len());
        Column::new(&by, field.ignores_case(), &|| {}).unwrap().visit(value, &mut holding);
        let mut found = holding.all().to_vec();
        found.sort_unstable();
        found
    }

    #[test]
    fn every_pattern_that_matches_is_found_at_once() {
        let patterns = ["ab", "a*", "abc*", "*", "b*", "ab*d", "*bc*", "re:c.?$", "aba*", "abb*", "*d", "*", "a*a"];
        let hits = |value| hits(&Field::Portal, &patterns, value);
        assert_eq!(hits("ab"), [0, 1, 3, 11]);
        assert_eq!(hits("abcd"), [1, 2, 3, 5, 6, 7, 10, 11]);
        assert_eq!(hits("abc"), [1, 2, 3, 6, 7, 11]);
        assert_eq!(hits("b"), [3, 4, 11]);
        assert_eq!(hits(""), [3, 11]);
        assert_eq!(hits("abz"), [1, 3, 11]);
        assert_eq!(hits("ab\n\nd"), [1, 3, 5, 10, 11]);
        assert_eq!(hits("a"), [1, 3, 11], "two ends of a pattern never share a letter");
    }

    /// What a pattern means, said by one expression.
    fn meaning(pattern: &str, ignores_case: bool) -> Regex {
        let source = match pattern.strip_prefix("re:") {
            Some(source) => source.to_owned(),
            None => {
                let pieces: Vec<String> = pattern.split('*').map(regex::escape).collect();
                format!(r"\A{}\z", pieces.join("(?s:.*)"))
            }
        };
        RegexBuilder::new(&source).case_insensitive(ignores_case).build().unwrap()
    }

    /// Patterns and values of a few letters, so that they meet often, each pattern beside its meaning.
    #[test]
    fn a_column_finds_what_each_pattern_alone_would() {
        let mut random: u64 = 88_172_645_463_325_252;
        let mut next = |n: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % n as u64) as usize
        };
        let expressions = [
            "re:abc|cab",
            "re:^(abc|bca)+$",
            "re:(?i)aBc",
            "re:a(bc)?abc",
            "re:[aA]bc",
            "re:ab{2,3}c",
            "re:^a",
            "re:c$",
            "re:(?:abcs|cbak)",
            "re:sk[^b]b",
            r"re:\babc\b",
            "re:(abc){0}",
            "re:(?-i:ABC)",
            "re:",
            "re:.b..",
            "re:ab.*bc",
        ];
        let letters = ["a", "b", "c", "s", "k", "A", "B", "é", "\u{212a}", "\u{17f}", "*", "\n", " "];
        let mut text = |most: usize, stars: bool| {
            let mut text = String::new();
            for _ in 0..next(most) {
                let letter = letters[if next(8) == 0 { next(letters.len()) } else { next(4) }];
                text.push_str(if letter == "*" && !stars { "a" } else { letter });
            }
            text
        };
        let mut met = 0;
        for round in 0..60 {
            let field = if round % 2 == 0 { Field::UserAgent } else { Field::Portal };
            let mut patterns: Vec<String> = expressions.map(str::to_owned).to_vec();
            // Few enough words to be scouted for, or too many.
            for _ in 0..if round % 4 < 2 { 5 } else { 40 } {
                let (a, b, c) = (text(4, false), text(4, false), text(3, false));
                patterns.extend([format!("*{a}*"), format!("{a}*{b}"), format!("*{a}*{b}*{c}"), text(6, true)]);
            }
            let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
            let meanings: Vec<Regex> = patterns.iter().map(|p| meaning(p, field.ignores_case())).collect();
            for _ in 0..40 {
                // Some long enough to be scouted.
                let value = text(if round % 3 == 0 { 12 } else { 150 }, true);
                // Of globs case is ignored in letters of ASCII alone.
                let ascii = |p: &str| p.is_ascii() && value.is_ascii();
                let alike = |p: &str| p.starts_with("re:") || ascii(p) || !field.ignores_case();
                let found = hits(&field, &patterns, &value);
                for (i, meaning) in meanings.iter().enumerate().filter(|(i, _)| alike(patterns[*i])) {
                    let wanted = meaning.is_match(&value);
                    assert_eq!(found.contains(&(i as u32)), wanted, "{:?} on {value:?}", patterns[i]);
                    met += usize::from(wanted);
                }
            }
        }
        assert!(met > 5_000, "{met}");
    }
}
