//! Totals of each minute by portal, class and outcome: what the report on an attack is made of when logs are long gone.
//!
//! Does not know: files, why a request ended as it did.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

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
    counts: [[[AtomicU64; 3]; OUTCOMES]; Class::ALL.len()],
    deeds: ArcSwap<Vec<Arc<Deed>>>,
}

/// What a measure has decided: requests, of them those sent away, and of these those with a pass and those of citizens.
#[derive(Debug, Default)]
struct Deed {
    name: String,
    counts: [AtomicU64; 4],
    /// It is taken out; requests that came before may still go by it.
    over: AtomicBool,
}

impl Totals {
    /// `rule`: the rule or limit that decided.
    pub fn count(&self, class: Class, outcome: Outcome, (with_pass, citizens): (bool, bool), rule: Option<&str>) {
        if let Some(rule) = rule
            && let Some(deed) = self.deeds.load().iter().find(|deed| deed.name == rule)
        {
            let away = outcome.is_sent_away();
            for (place, counts) in deed.counts.iter().zip([true, away, away && with_pass, away && citizens]) {
                place.fetch_add(u64::from(counts), Ordering::Relaxed);
            }
        }
        let place = &self.counts[class as usize][outcome as usize];
        place[0].fetch_add(1, Ordering::Relaxed);
        if with_pass {
            place[1].fetch_add(1, Ordering::Relaxed);
        }
        if citizens {
            place[2].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The measures that are in force.
    pub fn watch<'m>(&self, measures: impl Iterator<Item = &'m str> + Clone) {
        let old = self.deeds.load();
        let is_in_force = |deed: &Deed| measures.clone().any(|name| name == deed.name);
        old.iter().for_each(|deed| deed.over.store(!is_in_force(deed), Ordering::Relaxed));
        let is_new = |old: &[Arc<Deed>], name: &str| !old.iter().any(|deed| deed.name == name);
        if measures.clone().any(|name| is_new(&old, name)) {
            self.deeds.rcu(|old| {
                let new = measures.clone().filter(|name| is_new(old, name));
                let new = new.map(|name| Arc::new(Deed { name: name.to_owned(), ..Deed::default() }));
                old.iter().cloned().chain(new).collect::<Vec<_>>()
            });
        }
    }

    /// Takes what measures have decided since the last call, by name; of one that did nothing zeros.
    pub fn take_deeds(&self) -> Map<String, Value> {
        let all = self.deeds.load_full();
        let (mut told, mut gone) = (Map::new(), Vec::new());
        for deed in all.iter() {
            let counts: Vec<u64> = deed.counts.iter().map(|n| n.swap(0, Ordering::Relaxed)).collect();
            if deed.over.load(Ordering::Relaxed) && counts[0] == 0 {
                gone.push(deed);
            }
            told.insert(deed.name.clone(), counts.into());
        }
        if !gone.is_empty() {
            let stays = |deed: &&Arc<Deed>| !gone.iter().any(|gone| Arc::ptr_eq(gone, deed));
            self.deeds.rcu(|old| old.iter().filter(stays).cloned().collect::<Vec<_>>());
        }
        told
    }

    /// Takes what was counted since the last call: class → outcome → requests, of them with a pass, of them citizens'. What
    /// is zero is left out.
    pub fn take(&self) -> Map<String, Value> {
        let mut classes = Map::new();
        for class in Class::ALL {
            let mut outcomes = Map::new();
            for (outcome, name) in Outcome::ALL {
                let [all, with_pass, citizens] =
                    [0, 1, 2].map(|i| self.counts[class as usize][outcome as usize][i].swap(0, Ordering::Relaxed));
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
    /// Measure → requests that it decided, of them sent away, and of these with a pass and citizens'.
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

    /// What a measure decided in it; `None`: it is not named.
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
    fn what_a_measure_decides_is_counted_from_when_it_is_laid_to_its_last_request() {
        let totals = Totals::default();
        let decide = |outcome, with_pass, rule| totals.count(Class::Payment, outcome, (with_pass, with_pass), rule);
        decide(Outcome::Denied, false, Some("m"));
        assert!(totals.take_deeds().is_empty(), "nobody watches it");
        totals.watch(["m", "n"].into_iter());
        decide(Outcome::Denied, true, Some("m"));
        decide(Outcome::Challenged, false, Some("m"));
        decide(Outcome::Full, true, Some("m"));
        decide(Outcome::Denied, true, Some("other"));
        decide(Outcome::Denied, true, None);
        totals.watch(["m", "n"].into_iter());
        assert_eq!(Value::from(totals.take_deeds()), json!({ "m": [3, 2, 1, 1], "n": [0, 0, 0, 0] }));
        totals.watch(["n"].into_iter());
        decide(Outcome::Limited, false, Some("m"));
        assert_eq!(Value::from(totals.take_deeds()), json!({ "m": [1, 1, 0, 0], "n": [0, 0, 0, 0] }));
        assert_eq!(Value::from(totals.take_deeds()), json!({ "m": [0, 0, 0, 0], "n": [0, 0, 0, 0] }));
        assert_eq!(Value::from(totals.take_deeds()), json!({ "n": [0, 0, 0, 0] }));
        let line =
            json!({ "at": 60, "portal": "p", "posture": "normal", "counts": {}, "deeds": { "m": [3, 2, 1, 1] } });
        let minute: Minute = serde_json::from_value(line).unwrap();
        assert_eq!((minute.deed("m"), minute.deed("n")), (Some([3, 2, 1, 1]), None));
        let old: Minute =
            serde_json::from_value(json!({ "at": 60, "portal": "p", "posture": "normal", "counts": {} })).unwrap();
        assert_eq!(old.deed("m"), None);
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
