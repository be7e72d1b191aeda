//! From drafts to an index: each distinct clause is a condition with a number, the index tells all conditions that a
//! request satisfies, and a rule is only looked at when the rarest of its own holds.
//!
//! Does not know: TOML, verdicts' meaning.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::clause::{Clause, Field};
use super::conditions::{Holding, Rows};
use super::index::Index;
use super::lists::Lists;
use super::pattern::Pattern;
use super::{Asks, Draft, Meaning};
use crate::facts::Facts;
use crate::plan::{Level, Per, Quota};

/// Numbers of rules that match.
pub type Matched = SmallVec<[u32; 16]>;

#[derive(Default)]
pub struct Compiled {
    /// In the order of names.
    pub all: Vec<One>,
    /// By rule: the place of a limit among the limits, narrowest key first.
    pub limit_order: Vec<u32>,
    pub has_budget: bool,
    pub asks: Asks,
    /// By rule.
    terms: Vec<Terms>,
    index: Index,
    /// How many conditions there are.
    conditions: usize,
    /// By condition: the rules that wait for it, as [`Waiting`] packs them.
    waiting: Rows,
    /// Rules that only say what must not be: they are looked at always.
    always: Vec<u32>,
}

pub struct One {
    pub name: String,
    pub shadow: bool,
    pub until: Option<u64>,
    pub meaning: Meaning,
    pub ban: Option<u64>,
}

/// When a rule matches besides the condition that it waits for; apart from what it means, so that many are looked at in
/// little memory.
struct Terms {
    from: Level,
    must: SmallVec<[u32; 4]>,
    must_not: SmallVec<[u32; 2]>,
}

/// A rule that waits for a condition: its number, the lowest posture in which it holds, and whether that condition is all it
/// asks for. In one word, so that most rules need no look at their terms.
struct Waiting(u32);

impl Waiting {
    fn new(number: u32, terms: &Terms) -> Waiting {
        let sure = terms.must.is_empty() && terms.must_not.is_empty();
        Waiting(number << 4 | (terms.from as u32) << 1 | u32::from(sure))
    }

    fn number(&self) -> u32 {
        self.0 >> 4
    }

    fn holds_at(&self, level: Level) -> bool {
        self.0 >> 1 & 7 <= level as u32
    }

    fn is_sure(&self) -> bool {
        self.0 & 1 == 1
    }
}

/// Rules that are compiled before others may have the core.
const PIECE: usize = 32;

/// `pause` is called between the pieces of the work.
///
/// # Errors
/// What is too large, in words.
pub fn compile(mut drafts: Vec<Draft>, lists: Lists, pause: &dyn Fn()) -> Result<Compiled, String> {
    drafts.retain(|d| !d.expired);
    drafts.sort_by(|a, b| a.name.cmp(&b.name));
    let mut conditions = Conditions::default();
    let mut compiled = Compiled::default();
    let mut waiting: Vec<SmallVec<[u32; 4]>> = Vec::new();
    for (number, draft) in drafts.into_iter().enumerate() {
        if number.is_multiple_of(PIECE) {
            pause();
        }
        let from = draft.from;
        let wait = waits_for(&draft.clauses).map(|i| conditions.number(&draft.clauses[i], from));
        let (not, yes): (Vec<&Clause>, Vec<&Clause>) = draft.clauses.iter().partition(|c| c.not);
        let besides: Vec<Clause> = draft.clauses.iter().filter_map(Clause::besides).collect();
        let must = yes.into_iter().chain(&besides).map(|c| conditions.number(c, from));
        let must = must.filter(|c| Some(*c) != wait).collect();
        let must_not = not.into_iter().map(|c| conditions.number(c, from)).collect();
        let terms = Terms { from, must, must_not };
        compiled.asks.see(&draft);
        match wait {
            Some(condition) => {
                waiting.resize(waiting.len().max(condition as usize + 1), SmallVec::new());
                waiting[condition as usize].push(Waiting::new(number as u32, &terms).0);
            }
            None => compiled.always.push(number as u32),
        }
        compiled.has_budget |= matches!(&draft.meaning, Meaning::Limit(q) if q.budget);
        let Draft { name, shadow, until, meaning, ban, .. } = draft;
        compiled.all.push(One { name, shadow, until, meaning, ban });
        compiled.terms.push(terms);
    }
    compiled.conditions = conditions.numbers.len();
    waiting.resize(compiled.conditions, SmallVec::new());
    for rules in &waiting {
        compiled.waiting.push(rules);
    }
    compiled.limit_order = limit_order(&compiled.all);
    let asked = conditions.numbers.into_iter().map(|(clause, (number, from))| (number, (clause, from)));
    compiled.index = Index::new(asked.collect(), lists, pause)?;
    Ok(compiled)
}

impl Asks {
    fn see(&mut self, draft: &Draft) {
        let per = match &draft.meaning {
            Meaning::Limit(quota) => Some(&quota.per),
            Meaning::Rule(_) => None,
        };
        self.country |= draft.clauses.iter().any(|c| c.field == Field::Country) || per == Some(&Per::Country);
        self.known_path |= draft.clauses.iter().any(|c| c.field == Field::KnownPath);
        self.settled |= draft.clauses.iter().any(|c| c.field == Field::Settled);
        self.asn |= draft.clauses.iter().any(|c| c.field == Field::Asn) || per == Some(&Per::Asn);
    }
}

/// The clause whose holding makes a rule worth looking at: the positive one that the fewest requests satisfy.
fn waits_for(clauses: &[Clause]) -> Option<usize> {
    let commonness = |c: &Clause| {
        let field = match &c.field {
            Field::Path => 0,
            Field::Method | Field::Host | Field::Scheme | Field::Kind | Field::Class | Field::Portal => 2,
            Field::Pass | Field::KnownPath | Field::CountryKnown | Field::AsnKnown | Field::FingerprintKnown => 2,
            _ => 1,
        };
        (c.patterns.contains(&Pattern::any()), field, !c.patterns.iter().all(Pattern::selective))
    };
    (0..clauses.len()).filter(|i| !clauses[*i].not).min_by_key(|i| commonness(&clauses[*i]))
}

fn limit_order(all: &[One]) -> Vec<u32> {
    let mut limits: Vec<(&Quota, usize)> = Vec::new();
    for (i, one) in all.iter().enumerate() {
        if let Meaning::Limit(quota) = &one.meaning {
            limits.push((quota, i));
        }
    }
    limits.sort_by(|(a, _), (b, _)| (&a.per, &a.name).cmp(&(&b.per, &b.name)));
    let mut order = vec![0; all.len()];
    for (place, (_, i)) in limits.into_iter().enumerate() {
        order[i] = place as u32;
    }
    order
}

impl Terms {
    fn hold(&self, holding: &Holding) -> bool {
        self.must.iter().all(|c| holding.has(*c)) && !self.must_not.iter().any(|c| holding.has(*c))
    }
}

/// Distinct conditions, their numbers, and the lowest posture in which a rule asks for each.
#[derive(Default)]
struct Conditions {
    numbers: HashMap<(Field, Vec<Pattern>), (u32, Level)>,
}

impl Conditions {
    fn number(&mut self, clause: &Clause, from: Level) -> u32 {
        let next = self.numbers.len() as u32;
        let (number, lowest) =
            self.numbers.entry((clause.field.clone(), clause.patterns.clone())).or_insert((next, from));
        *lowest = from.min(*lowest);
        *number
    }
}

impl Compiled {
    /// The rules in force at a posture whose every condition the request satisfies, in no order.
    pub fn matching(&self, facts: &Facts<'_>, level: Level) -> Matched {
        let mut holding = Holding::new(self.conditions);
        self.index.look(facts, level, &mut holding);
        let mut matched = Matched::new();
        for condition in holding.all() {
            for waiting in self.waiting.row(*condition) {
                let waiting = Waiting(*waiting);
                if waiting.holds_at(level)
                    && (waiting.is_sure() || self.terms[waiting.number() as usize].hold(&holding))
                {
                    matched.push(waiting.number());
                }
            }
        }
        for number in &self.always {
            let terms = &self.terms[*number as usize];
            if terms.from <= level && terms.hold(&holding) {
                matched.push(*number);
            }
        }
        matched
    }

    /// The lowest posture in which a rule holds.
    pub fn from(&self, number: u32) -> Level {
        self.terms[number as usize].from
    }

    pub fn quota(&self, number: u32) -> Option<&Quota> {
        match &self.all[number as usize].meaning {
            Meaning::Limit(quota) => Some(quota),
            Meaning::Rule(_) => None,
        }
    }
}
