//! From drafts to an index: each distinct clause is a condition with a number, each field one column that tells all
//! conditions that a value satisfies, and a rule is only looked at when one of its own conditions holds.
//!
//! Does not know: TOML, verdicts' meaning.

use std::collections::{BTreeMap, HashMap};

use smallvec::SmallVec;

use super::clause::{Clause, Field};
use super::column::Column;
use super::lists::Lists;
use super::pattern::Pattern;
use super::{Asks, Draft, Meaning, values};
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
    columns: Vec<(Field, Column)>,
    /// By list: the conditions that name it.
    of_list: Vec<SmallVec<[u32; 2]>>,
    lists: Lists,
    /// By condition: the rules that wait for it.
    waiting: Vec<Vec<u32>>,
    /// Rules that only say what must not be: they are looked at always.
    always: Vec<u32>,
}

pub struct One {
    pub name: String,
    pub from: Level,
    pub shadow: bool,
    pub until: Option<u64>,
    pub meaning: Meaning,
    pub ban: Option<u64>,
    must: SmallVec<[u32; 4]>,
    must_not: SmallVec<[u32; 2]>,
}

/// # Errors
/// What is too large, in words.
pub fn compile(mut drafts: Vec<Draft>, lists: Lists) -> Result<Compiled, String> {
    drafts.retain(|d| !d.expired);
    drafts.sort_by(|a, b| a.name.cmp(&b.name));
    let mut conditions = Conditions::default();
    let mut compiled = Compiled { lists, ..Compiled::default() };
    for (number, draft) in drafts.into_iter().enumerate() {
        let wait = waits_for(&draft.clauses).map(|i| conditions.number(&draft.clauses[i]));
        let (not, yes): (Vec<&Clause>, Vec<&Clause>) = draft.clauses.iter().partition(|c| c.not);
        let besides: Vec<Clause> = draft.clauses.iter().filter_map(Clause::besides).collect();
        let must = yes.into_iter().chain(&besides).map(|c| conditions.number(c)).collect();
        compiled.asks.see(&draft);
        let must_not = not.into_iter().map(|c| conditions.number(c)).collect();
        match wait {
            Some(condition) => {
                let waiting = &mut compiled.waiting;
                waiting.resize(waiting.len().max(condition as usize + 1), Vec::new());
                waiting[condition as usize].push(number as u32);
            }
            None => compiled.always.push(number as u32),
        }
        compiled.has_budget |= matches!(&draft.meaning, Meaning::Limit(q) if q.budget);
        let Draft { name, from, shadow, until, meaning, ban, .. } = draft;
        compiled.all.push(One { name, from, shadow, until, meaning, ban, must, must_not });
    }
    compiled.waiting.resize(conditions.numbers.len(), Vec::new());
    compiled.limit_order = limit_order(&compiled.all);
    compiled.index(conditions)?;
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

/// The clause whose holding makes a rule worth looking at: a positive one, better one that can be looked up.
fn waits_for(clauses: &[Clause]) -> Option<usize> {
    let rank = |c: &Clause| match &c.field {
        Field::Path if c.patterns.iter().all(Pattern::selective) => 0,
        _ if c.patterns.iter().all(Pattern::selective) => 1,
        _ => 2,
    };
    (0..clauses.len()).filter(|i| !clauses[*i].not).min_by_key(|i| rank(&clauses[*i]))
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

/// Distinct conditions and their numbers.
#[derive(Default)]
struct Conditions {
    numbers: HashMap<(Field, Vec<Pattern>), u32>,
}

impl Conditions {
    fn number(&mut self, clause: &Clause) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry((clause.field.clone(), clause.patterns.clone())).or_insert(next)
    }
}

impl Compiled {
    fn index(&mut self, conditions: Conditions) -> Result<(), String> {
        let mut fields: BTreeMap<Field, BTreeMap<Pattern, SmallVec<[u32; 2]>>> = BTreeMap::new();
        self.of_list = vec![SmallVec::new(); self.lists.names().len()];
        for ((field, patterns), number) in conditions.numbers {
            for pattern in patterns {
                match (&field, &pattern) {
                    (Field::List, Pattern::Exact(name)) => {
                        if let Some(list) = self.lists.number(name) {
                            self.of_list[list as usize].push(number);
                        }
                    }
                    _ => fields.entry(field.clone()).or_default().entry(pattern).or_default().push(number),
                }
            }
        }
        for (field, patterns) in fields {
            let column = Column::new(&patterns, field.ignores_case());
            let column = column.map_err(|e| format!("the expressions of one field are too large together: {e}"))?;
            self.columns.push((field, column));
        }
        Ok(())
    }

    /// The rules whose every condition the request satisfies, in no order.
    pub fn matching(&self, facts: &Facts<'_>) -> Matched {
        let mut hold: SmallVec<[u32; 32]> = SmallVec::new();
        for (field, column) in &self.columns {
            values::each(field, facts, &mut |value| column.visit(value, &mut |c| hold.push(c)));
        }
        if !self.of_list.is_empty() {
            self.lists.visit(facts.client.address, |list| hold.extend(self.of_list[list as usize].iter().copied()));
        }
        hold.sort_unstable();
        hold.dedup();
        let mut matched = Matched::new();
        let waiting = hold.iter().flat_map(|c| &self.waiting[*c as usize]);
        for number in waiting.chain(&self.always) {
            let one = &self.all[*number as usize];
            let holds = |c: &u32| hold.binary_search(c).is_ok();
            if one.must.iter().all(holds) && !one.must_not.iter().any(holds) {
                matched.push(*number);
            }
        }
        matched
    }

    pub fn quota(&self, number: u32) -> Option<&Quota> {
        match &self.all[number as usize].meaning {
            Meaning::Limit(quota) => Some(quota),
            Meaning::Rule(_) => None,
        }
    }
}
