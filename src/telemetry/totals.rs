//! Totals of each minute by portal, class and outcome: what the report on an attack is made of when logs are long gone.
//!
//! Does not know: files, why a request ended as it did.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::plan::Level;
use crate::portal::Class;

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
}

impl Outcome {
    const ALL: [(Outcome, &str); 10] = [
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
    ];
}

const OUTCOMES: usize = Outcome::ALL.len();

/// One portal's counters: requests, and of them those with a pass.
#[derive(Debug, Default)]
pub struct Totals([[[AtomicU64; 2]; OUTCOMES]; Class::ALL.len()]);

impl Totals {
    pub fn count(&self, class: Class, outcome: Outcome, with_pass: bool) {
        let place = &self.0[class as usize][outcome as usize];
        place[0].fetch_add(1, Ordering::Relaxed);
        if with_pass {
            place[1].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes what was counted since the last call: class → outcome → requests, and of them with a pass. What is zero is
    /// left out.
    pub fn take(&self) -> Map<String, Value> {
        let mut classes = Map::new();
        for class in Class::ALL {
            let mut outcomes = Map::new();
            for (outcome, name) in Outcome::ALL {
                let [all, with_pass] =
                    [0, 1].map(|i| self.0[class as usize][outcome as usize][i].swap(0, Ordering::Relaxed));
                if all > 0 {
                    outcomes.insert(name.into(), json!([all, with_pass]));
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
    /// Class → outcome → requests, and of them with a pass.
    pub counts: Map<String, Value>,
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
    fn what_is_counted_is_taken_once() {
        let totals = Registers::default().of("huduma");
        totals.count(Class::Payment, Outcome::Full, true);
        totals.count(Class::Payment, Outcome::Full, false);
        totals.count(Class::Information, Outcome::Limited, false);
        assert_eq!(
            Value::from(totals.take()),
            json!({ "payment": { "full": [2, 1] }, "information": { "limited": [1, 0] } })
        );
        assert!(totals.take().is_empty());
        for (place, (outcome, _)) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, place);
        }
    }

    #[test]
    fn hours_around_a_change_of_posture_stay() {
        let minute = |n: u64, posture| Minute { at: n * 60, portal: "huduma".into(), posture, counts: Map::new() };
        let day: Vec<Minute> =
            (0..1440).map(|n| minute(n, if (600..640).contains(&n) { Level::Attack } else { Level::Normal })).collect();
        let kept = near_changes(&day, 3600);
        assert_eq!((kept[0].at / 60, kept.last().unwrap().at / 60, kept.len()), (540, 700, 161));
        assert_eq!(near_changes(&day[..500], 3600), []);
    }
}
