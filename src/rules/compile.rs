//! From drafts to an index: each distinct clause is a condition with a number, the index tells all conditions that a
//! request satisfies, and a rule is only looked at when the rarest of its own holds.
//!
//! Does not know: TOML, verdicts' meaning.

use std::collections::HashMap;

use super::clause::{Clause, Field};
use super::conditions::{Holding, Rows};
use super::index::Index;
use super::lists::Lists;
use super::pattern::Pattern;
use super::{Asks, Draft, Meaning, Verdict};
use crate::facts::Facts;
use crate::plan::{Level, Per, Quota};

#[derive(Default)]
pub struct Compiled {
    /// In the order of names.
    pub all: Vec<One>,
    /// By rule: the place of a limit among the limits, narrowest key first.
    pub limit_order: Vec<u32>,
    pub has_budget: bool,
    pub asks: Asks,
    /// By rule: what it does where it matches, apart from the rest, which is larger and seldom asked for.
    pub acts: Vec<Act>,
    /// By rule: the lowest posture in which it holds.
    from: Vec<Level>,
    index: Index,
    /// How many conditions there are.
    conditions: usize,
    /// By condition: the rules that wait for it, as [`Waiting`] packs them.
    waiting: Rows,
    /// Rules that only say what must not be, likewise: they are looked at always.
    always: Vec<u32>,
}

pub struct One {
    pub name: String,
    pub shadow: bool,
    pub meaning: Meaning,
    pub ban: Option<u64>,
}

/// What a rule does where it matches.
pub struct Act {
    /// Unix seconds at which its end comes; the highest number where none is set.
    pub until: u64,
    pub does: Does,
    /// A rule in force that has [`One::ban`].
    pub bans: bool,
}

/// First what only the first of its rules counts for, by [`Found`](super::found::Found)'s places.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Does {
    Challenge,
    Queue,
    Allow,
    Static,
    Deny,
    Drop,
    /// Also whatever is in shadow.
    Note,
    Limit,
}

impl Act {
    fn of(draft: &Draft) -> Act {
        let does = match draft.meaning {
            Meaning::Limit(_) => Does::Limit,
            Meaning::Rule(_) if draft.shadow => Does::Note,
            Meaning::Rule(Verdict::Log) => Does::Note,
            Meaning::Rule(Verdict::Challenge) => Does::Challenge,
            Meaning::Rule(Verdict::Queue) => Does::Queue,
            Meaning::Rule(Verdict::Allow) => Does::Allow,
            Meaning::Rule(Verdict::Static) => Does::Static,
            Meaning::Rule(Verdict::Deny) => Does::Deny,
            Meaning::Rule(Verdict::Drop) => Does::Drop,
        };
        let bans = draft.ban.is_some() && does != Does::Limit && !draft.shadow;
        Act { until: draft.until.unwrap_or(u64::MAX), does, bans }
    }
}

/// A rule that waits for a condition: its number, the lowest posture in which it holds, and whether that condition is all it
/// asks for. In one word; where it asks for more, how many other conditions must hold and must not, and which, follow it
/// in the same row: to read on is quicker than to look elsewhere.
struct Waiting(u32);

impl Waiting {
    fn record(number: u32, from: Level, must: &[u32], must_not: &[u32]) -> Vec<u32> {
        let sure = must.is_empty() && must_not.is_empty();
        let waiting = number << 4 | (from as u32) << 1 | u32::from(sure);
        if sure {
            return vec![waiting];
        }
        [&[waiting, must.len() as u32, must_not.len() as u32], must, must_not].concat()
    }

    /// By posture, so that a row is read up to the first that holds in higher ones only; the sure ones together, because a
    /// processor guesses well what is like the one before.
    fn row(mut records: Vec<Vec<u32>>) -> Vec<u32> {
        records.sort_by_key(|record| (record[0] >> 1 & 7, record.len() > 1));
        records.concat()
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
    let (mut waiting, mut always) = (Vec::new(), Vec::new());
    for (number, draft) in drafts.into_iter().enumerate() {
        if number.is_multiple_of(PIECE) {
            pause();
        }
        let from = draft.from;
        let wait = waits_for(&draft.clauses).map(|i| conditions.number(&draft.clauses[i], from));
        let (not, yes): (Vec<&Clause>, Vec<&Clause>) = draft.clauses.iter().partition(|c| c.not);
        let besides: Vec<Clause> = draft.clauses.iter().filter_map(Clause::besides).collect();
        let must = yes.into_iter().chain(&besides).map(|c| conditions.number(c, from));
        let must: Vec<u32> = must.filter(|c| Some(*c) != wait).collect();
        let must_not: Vec<u32> = not.into_iter().map(|c| conditions.number(c, from)).collect();
        compiled.asks.see(&draft);
        let row = match wait {
            Some(condition) => {
                let condition = condition as usize;
                waiting.resize(waiting.len().max(condition + 1), Vec::new());
                &mut waiting[condition]
            }
            None => &mut always,
        };
        row.push(Waiting::record(number as u32, from, &must, &must_not));
        compiled.has_budget |= matches!(&draft.meaning, Meaning::Limit(q) if q.budget);
        compiled.acts.push(Act::of(&draft));
        compiled.from.push(from);
        let Draft { name, shadow, meaning, ban, .. } = draft;
        compiled.all.push(One { name, shadow, meaning, ban });
    }
    waiting.resize(conditions.numbers.len(), Vec::new());
    compiled.conditions = waiting.len();
    compiled.always = Waiting::row(always);
    for records in waiting {
        compiled.waiting.push(&Waiting::row(records));
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
    /// Gives the rules in force at a posture whose every condition the request satisfies, in no order.
    pub fn matching(&self, facts: &Facts<'_>, level: Level, mut each: impl FnMut(u32)) {
        let mut holding = Holding::new(self.conditions);
        self.index.look(facts, level, &mut holding);
        let rows = holding.all().iter().map(|condition| self.waiting.row(*condition));
        for mut row in rows.chain([self.always.as_slice()]) {
            while let Some((waiting, rest)) = row.split_first() {
                let waiting = Waiting(*waiting);
                if !waiting.holds_at(level) {
                    break;
                }
                if waiting.is_sure() {
                    row = rest;
                    each(waiting.number());
                    continue;
                }
                let [must, must_not, rest @ ..] = rest else { break };
                let (must, rest) = rest.split_at(*must as usize);
                let (must_not, rest) = rest.split_at(*must_not as usize);
                row = rest;
                if must.iter().all(|c| holding.has(*c)) && !must_not.iter().any(|c| holding.has(*c)) {
                    each(waiting.number());
                }
            }
        }
    }

    /// The lowest posture in which a rule holds.
    pub fn from(&self, number: u32) -> Level {
        self.from[number as usize]
    }

    pub fn quota(&self, number: u32) -> Option<&Quota> {
        match &self.all[number as usize].meaning {
            Meaning::Limit(quota) => Some(quota),
            Meaning::Rule(_) => None,
        }
    }
}
