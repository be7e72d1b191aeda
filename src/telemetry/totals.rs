//! Totals of each minute by portal, class and outcome: what the report on an attack is made of when logs are long gone.
//!
//! Does not know: files, why a request ended as it did.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::apart::Apart;
use crate::bounds;
use crate::plan::Level;
use crate::portal::Class;
use crate::uptime::{Fare, Served};

/// What a request ended with, as a citizen would tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The origin's own answer.
    Full,
    /// From a snapshot.
    Copy,
    /// From the cache.
    Cache,
    /// boma's own paths.
    Own,
    Challenged,
    Limited,
    Denied,
    Dropped,
    /// A statement or waiting page.
    Statement,
    /// The client left before an answer.
    Gone,
    /// Too many at once.
    Waiting,
    /// A challenge was passed.
    Solved,
    /// The origin's own error.
    Failed,
    /// The request itself was wrong.
    Faulty,
}

impl Outcome {
    pub const ALL: [(Outcome, &str); 14] = [
        (Outcome::Full, "full"),
        (Outcome::Copy, "copy"),
        (Outcome::Cache, "cache"),
        (Outcome::Own, "own"),
        (Outcome::Challenged, "challenged"),
        (Outcome::Limited, "limited"),
        (Outcome::Denied, "denied"),
        (Outcome::Dropped, "dropped"),
        (Outcome::Statement, "statement"),
        (Outcome::Gone, "gone"),
        (Outcome::Waiting, "waiting"),
        (Outcome::Solved, "solved"),
        (Outcome::Failed, "failed"),
        (Outcome::Faulty, "faulty"),
    ];

    pub fn named(name: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|(_, n)| *n == name).map(|(outcome, _)| outcome)
    }

    /// What it means, for reports.
    pub fn says(self) -> &'static str {
        match self {
            Outcome::Full => "answered by the origin",
            Outcome::Copy => "answered with a dated copy",
            Outcome::Cache => "answered from the cache",
            Outcome::Own => "boma's own paths, such as status page and checks",
            Outcome::Challenged => "given a check to pass first",
            Outcome::Limited => "refused by a limit",
            Outcome::Denied => "refused by a rule or a ban",
            Outcome::Dropped => "closed without an answer",
            Outcome::Statement => "told that the service cannot be had now",
            Outcome::Gone => "its sender left before the answer",
            Outcome::Waiting => "told to come again: too many at once",
            Outcome::Solved => "passed a check",
            Outcome::Failed => "the origin answered with an error of its own",
            Outcome::Faulty => "malformed, or for no portal",
        }
    }

    /// boma challenged, limited, denied or dropped it.
    pub fn is_sent_away(self) -> bool {
        matches!(self, Outcome::Challenged | Outcome::Limited | Outcome::Denied | Outcome::Dropped)
    }

    /// How it is for a citizen; `None`: it says nothing of the service.
    pub fn fare(self) -> Option<Fare> {
        match self {
            Outcome::Full => Some(Fare::Full),
            Outcome::Copy | Outcome::Cache => Some(Fare::Copies),
            Outcome::Challenged | Outcome::Solved | Outcome::Waiting => Some(Fare::Delayed),
            Outcome::Limited | Outcome::Denied | Outcome::Dropped | Outcome::Statement | Outcome::Failed => {
                Some(Fare::Refused)
            }
            Outcome::Own | Outcome::Gone | Outcome::Faulty => None,
        }
    }
}

const OUTCOMES: usize = Outcome::ALL.len();

/// One portal's counters: requests, of them those with a pass, and of them citizens' ([`crate::uptime::DEFINITION`]).
#[derive(Debug, Default)]
pub struct Totals {
    counts: Apart<[[[AtomicU64; 3]; OUTCOMES]; Class::ALL.len()]>,
    /// By name.
    deeds: ArcSwap<BTreeMap<String, Arc<Deed>>>,
    /// The generation of the rules that are counted.
    watched: AtomicU64,
}

/// What a rule, limit or measure has decided: requests, of them those sent away, and of these those with a pass and those of
/// citizens.
#[derive(Debug, Default)]
struct Deed {
    counts: [AtomicU64; 4],
    /// A measure is told of where it did nothing too.
    measure: AtomicBool,
    /// It is taken out; requests that came before may still go by it.
    over: AtomicBool,
}

/// What stands for those that decided too little to be told by name; no name of a rule has it.
pub const OTHERS: &str = "…";

impl Totals {
    /// `rule`: the rule or limit that decided.
    pub fn count(&self, class: Class, outcome: Outcome, (with_pass, citizens): (bool, bool), rule: Option<&str>) {
        if let Some(rule) = rule
            && let Some(deed) = self.deeds.load().get(rule)
        {
            let away = outcome.is_sent_away();
            let counts = deed.counts.iter().zip([true, away, away && with_pass, away && citizens]);
            for (place, _) in counts.filter(|(_, counts)| *counts) {
                place.fetch_add(1, Ordering::Relaxed);
            }
        }
        let place = &self.counts.mine()[class as usize][outcome as usize];
        place[0].fetch_add(1, Ordering::Relaxed);
        if with_pass {
            place[1].fetch_add(1, Ordering::Relaxed);
        }
        if citizens {
            place[2].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The rules, limits and measures in force, each with whether it is a measure; looked at once in each generation of the rules.
    pub fn watch<'m>(&self, generation: u64, in_force: impl Iterator<Item = (&'m str, bool)>) {
        if self.watched.swap(generation, Ordering::Relaxed) == generation {
            return;
        }
        let in_force: BTreeMap<&str, bool> = in_force.collect();
        let old = self.deeds.load();
        for (name, deed) in old.iter() {
            let found = in_force.get(name.as_str());
            deed.over.store(found.is_none(), Ordering::Relaxed);
            deed.measure.store(found.map_or(deed.measure.load(Ordering::Relaxed), |m| *m), Ordering::Relaxed);
        }
        if in_force.keys().any(|name| !old.contains_key(*name)) {
            self.deeds.rcu(|old| {
                let mut all = BTreeMap::clone(old);
                for (name, measure) in &in_force {
                    let new = || Arc::new(Deed { measure: (*measure).into(), ..Deed::default() });
                    all.entry((*name).to_owned()).or_insert_with(new);
                }
                all
            });
        }
    }

    /// Takes what was decided since the last call, by name: of measures that did nothing zeros, of others nothing; and of very
    /// many only those that decided the most.
    pub fn take_deeds(&self) -> Map<String, Value> {
        let all = self.deeds.load_full();
        let (mut told, mut gone) = (Vec::new(), Vec::new());
        for (name, deed) in all.iter() {
            let counts = [0, 1, 2, 3].map(|i: usize| deed.counts[i].swap(0, Ordering::Relaxed));
            if deed.over.load(Ordering::Relaxed) && counts[0] == 0 {
                gone.push(name);
            }
            let measure = deed.measure.load(Ordering::Relaxed);
            if measure || counts[0] > 0 {
                told.push((name.as_str(), measure, counts));
            }
        }
        if !gone.is_empty() {
            self.deeds.rcu(|old| {
                let stays = |name: &String| !gone.contains(&name);
                old.iter()
                    .filter(|(name, _)| stays(name))
                    .map(|(n, d)| (n.clone(), d.clone()))
                    .collect::<BTreeMap<_, _>>()
            });
        }
        told.sort_by_key(|(_, measure, counts)| (!measure, Reverse(counts[0])));
        let mut out = Map::new();
        let rest = told.split_off(told.len().min(bounds::TOTALS_DEEDS));
        if !rest.is_empty() {
            let sum = rest.iter().fold([0; 4], |sum, (_, _, counts)| [0, 1, 2, 3].map(|i| sum[i] + counts[i]));
            told.push((OTHERS, false, sum));
        }
        told.into_iter().for_each(|(name, _, counts)| drop(out.insert(name.to_owned(), counts.to_vec().into())));
        out
    }

    /// Takes what was counted since the last call: class → outcome → requests, of them with a pass, of them citizens'. What
    /// is zero is left out.
    pub fn take(&self) -> Map<String, Value> {
        let mut classes = Map::new();
        for class in Class::ALL {
            let mut outcomes = Map::new();
            for (outcome, name) in Outcome::ALL {
                let take = |i: usize| {
                    let places = self.counts.each().map(|counts| &counts[class as usize][outcome as usize][i]);
                    places.map(|n| n.swap(0, Ordering::Relaxed)).sum::<u64>()
                };
                let [all, with_pass, citizens] = [0, 1, 2].map(take);
                if all > 0 {
                    outcomes.insert(name.into(), json!([all, with_pass, citizens]));
                }
            }
            if !outcomes.is_empty() {
                classes.insert(class.as_str().into(), outcomes.into());
            }
        }
        classes
    }
}

/// The totals of all portals by name, so that a reload finds them again.
#[derive(Debug, Default)]
pub struct Registers(Mutex<HashMap<String, Arc<Totals>>>);

impl Registers {
    pub fn of(&self, portal: &str) -> Arc<Totals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(portal.to_owned()).or_default().clone()
    }
}

/// One minute of one portal, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Minute {
    /// Its beginning, in seconds since the Unix epoch. After a restart, and where one process takes over from another, a minute has several lines.
    pub at: u64,
    pub portal: String,
    /// The highest posture in it.
    pub posture: Level,
    /// Class → outcome → requests, of them with a pass, of them citizens'.
    pub counts: Map<String, Value>,
    /// Measure, rule or limit → requests that it decided, of them sent away, and of these with a pass and citizens'.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub deeds: Map<String, Value>,
}

impl Minute {
    /// Every count: class, outcome, and the three numbers.
    pub fn each(&self, mut see: impl FnMut(&str, Outcome, [u64; 3])) {
        for (class, outcomes) in &self.counts {
            for (name, numbers) in outcomes.as_object().into_iter().flatten() {
                let number = |i: usize| numbers.get(i).and_then(Value::as_u64).unwrap_or(0);
                if let Some(outcome) = Outcome::named(name) {
                    see(class, outcome, [0, 1, 2].map(number));
                }
            }
        }
    }

    /// What a rule, limit or measure decided in it; `None`: it is not named.
    pub fn deed(&self, name: &str) -> Option<[u64; 4]> {
        let numbers = self.deeds.get(name)?;
        Some([0, 1, 2, 3].map(|i| numbers.get(i).and_then(Value::as_u64).unwrap_or(0)))
    }

    /// How citizens fared in it.
    pub fn served(&self) -> Served {
        let mut served = Served::default();
        self.each(|_, outcome, [_, _, citizens]| {
            if let Some(fare) = outcome.fare() {
                served.add(fare, citizens);
            }
        });
        served
    }
}

/// Of the minutes of a day those that lie near a change of posture: what is worth keeping for longer.
pub fn near_changes(minutes: &[Minute], near: u64) -> Vec<Minute> {
    let mut last: HashMap<&str, Level> = HashMap::new();
    let mut changes: HashMap<&str, Vec<u64>> = HashMap::new();
    for minute in minutes {
        // What is not at the foot of the ladder at midnight is near a change that another day holds.
        let before = last.insert(&minute.portal, minute.posture).unwrap_or(Level::Normal);
        if before != minute.posture {
            changes.entry(&minute.portal).or_default().push(minute.at);
        }
    }
    let is_near =
        |m: &&Minute| changes.get(&*m.portal).is_some_and(|at| at.iter().any(|at| m.at.abs_diff(*at) <= near));
    minutes.iter().filter(is_near).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_or_measure_decides_is_counted_from_when_it_is_laid_to_its_last_request() {
        let totals = Totals::default();
        let decide = |outcome, with_pass, rule| totals.count(Class::Payment, outcome, (with_pass, with_pass), rule);
        decide(Outcome::Denied, false, Some("m"));
        assert!(totals.take_deeds().is_empty(), "nobody watches it");
        totals.watch(1, [("m", true), ("n", true), ("rule", false), ("idle", false)].into_iter());
        decide(Outcome::Denied, true, Some("m"));
        decide(Outcome::Challenged, false, Some("m"));
        decide(Outcome::Full, true, Some("m"));
        decide(Outcome::Denied, true, Some("other"));
        decide(Outcome::Denied, true, None);
        decide(Outcome::Waiting, true, Some("rule"));
        assert_eq!(
            Value::from(totals.take_deeds()),
            json!({ "m": [3, 2, 1, 1], "n": [0, 0, 0, 0], "rule": [1, 0, 0, 0] }),
            "of rules that did nothing nothing is told"
        );
        totals.watch(2, [("n", true), ("rule", false)].into_iter());
        decide(Outcome::Limited, false, Some("m"));
        assert_eq!(Value::from(totals.take_deeds()), json!({ "m": [1, 1, 0, 0], "n": [0, 0, 0, 0] }));
        assert_eq!(Value::from(totals.take_deeds()), json!({ "m": [0, 0, 0, 0], "n": [0, 0, 0, 0] }));
        decide(Outcome::Limited, false, Some("rule"));
        assert_eq!(Value::from(totals.take_deeds()), json!({ "n": [0, 0, 0, 0], "rule": [1, 1, 0, 0] }));
        let line =
            json!({ "at": 60, "portal": "p", "posture": "normal", "counts": {}, "deeds": { "m": [3, 2, 1, 1] } });
        let minute: Minute = serde_json::from_value(line).unwrap();
        assert_eq!((minute.deed("m"), minute.deed("n")), (Some([3, 2, 1, 1]), None));
        let old: Minute =
            serde_json::from_value(json!({ "at": 60, "portal": "p", "posture": "normal", "counts": {} })).unwrap();
        assert_eq!(old.deed("m"), None);
    }

    #[test]
    fn of_very_many_rules_those_that_decided_most_are_told_and_none_is_left_out_of_the_sum() {
        let totals = Totals::default();
        let names: Vec<String> = (0..bounds::TOTALS_DEEDS + 5).map(|n| format!("rule {n}")).collect();
        totals.watch(1, names.iter().map(|name| (name.as_str(), false)).chain([("idle measure", true)]));
        for (n, name) in names.iter().enumerate() {
            let times = if n < 6 { 1 } else { 2 };
            (0..times).for_each(|_| totals.count(Class::Payment, Outcome::Denied, (false, false), Some(name)));
        }
        let told = totals.take_deeds();
        assert_eq!(told.len(), bounds::TOTALS_DEEDS + 1);
        assert_eq!((&told[OTHERS], &told["idle measure"]), (&json!([6, 6, 0, 0]), &json!([0, 0, 0, 0])));
        assert!(!told.contains_key("rule 5") && told.contains_key("rule 6"));
    }

    #[test]
    fn what_is_counted_is_taken_once() {
        let totals = Registers::default().of("huduma");
        totals.count(Class::Payment, Outcome::Full, (true, true), None);
        totals.count(Class::Payment, Outcome::Full, (false, true), None);
        totals.count(Class::Payment, Outcome::Faulty, (false, true), None);
        totals.count(Class::Information, Outcome::Limited, (true, true), None);
        totals.count(Class::Information, Outcome::Limited, (false, false), Some("no measure"));
        let counts = totals.take();
        assert_eq!(
            Value::from(counts.clone()),
            json!({ "payment": { "full": [2, 1, 2], "faulty": [1, 0, 1] }, "information": { "limited": [2, 1, 1] } })
        );
        let minute =
            Minute { at: 0, portal: "huduma".into(), posture: Level::Normal, counts, deeds: totals.take_deeds() };
        assert_eq!(
            minute.served(),
            Served { full: 2, refused: 1, ..Served::default() },
            "what was malformed says nothing"
        );
        assert!(totals.take().is_empty());
        for (place, (outcome, _)) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, place);
        }
    }

    #[test]
    fn hours_around_a_change_of_posture_stay() {
        let minute = |n: u64, posture| Minute {
            at: n * 60,
            portal: "huduma".into(),
            posture,
            counts: Map::new(),
            deeds: Map::new(),
        };
        let day: Vec<Minute> =
            (0..1440).map(|n| minute(n, if (600..640).contains(&n) { Level::Attack } else { Level::Normal })).collect();
        let kept = near_changes(&day, 3600);
        assert_eq!((kept[0].at / 60, kept.last().unwrap().at / 60, kept.len()), (540, 700, 161));
        assert_eq!(near_changes(&day[..500], 3600), []);
    }
}
