//! What is counted of citizens.

use std::collections::BTreeMap;

use crate::link::What;

/// How often each kind of answer was the last word.
#[derive(Clone, Debug, Default)]
pub struct Kinds(BTreeMap<u8, u64>);

impl Kinds {
    pub fn add(&mut self, what: What) {
        *self.0.entry(what as u8).or_default() += 1;
    }

    pub fn of(&self, kinds: &[What]) -> u64 {
        kinds.iter().filter_map(|k| self.0.get(&(*k as u8))).sum()
    }

    pub fn all(&self) -> u64 {
        self.0.values().sum()
    }
}

/// A form that was sent in the flood.
#[derive(Clone, Debug)]
pub struct Form {
    pub number: u64,
    pub last: What,
    /// A challenge stood in its way.
    pub asked_again: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Every request of citizens in the flood.
    pub requests: u64,
    pub pages: Kinds,
    pub parts: Kinds,
    pub forms: Vec<Form>,
    /// Of pages and forms, those that met a challenge on the way.
    pub challenged: u64,
    pub by_mistake: u64,
    pub citizens: u64,
    pub citizens_challenged: u64,
    pub citizens_by_mistake: u64,
    pub citizens_refused: u64,
    /// Milliseconds for which boma and the origin let pages wait that came: in full, and as copies.
    pub in_full: Vec<u32>,
    pub copies: Vec<u32>,
    /// Those who wanted to send a form, and did not even get it.
    pub forms_missed: u64,
    pub solutions_refused: u64,
    /// Visits that were not begun because too many were under way, and those that had not ended at the end.
    pub not_begun: u64,
    pub open: u64,
}

/// The part of sorted values below which `share` of them lie.
pub fn percentile(values: &mut [u32], share: f64) -> Option<u32> {
    values.sort_unstable();
    let at = ((values.len() as f64 * share).ceil() as usize).saturating_sub(1);
    values.get(at).copied()
}
