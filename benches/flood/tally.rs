//! What is counted of citizens.

use std::collections::BTreeMap;

use crate::link::{Answer, What};
use crate::origin::FILING;

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

/// What became of pages and forms of one class of routes.
#[derive(Clone, Debug, Default)]
pub struct OfClass {
    pub asked: u64,
    pub full: u64,
    /// Milliseconds until those came that came in full.
    pub waited: Vec<u32>,
}

/// What became of a wish, for the plot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Full,
    Copy,
    /// A page that says what is going on, a place in line that was given up among them.
    Told,
    Refused,
    /// An error of the origin's or a peer's, or no answer.
    Broken,
}

pub const FATES: usize = 5;

impl Fate {
    fn of(answer: &Answer) -> Fate {
        match answer.what {
            What::OriginFailed if answer.own => Fate::Told,
            What::Origin => Fate::Full,
            What::Copy => Fate::Copy,
            What::Busy | What::Waits | What::Posture => Fate::Told,
            What::Challenge | What::Limited | What::NoPage | What::Denied => Fate::Refused,
            What::OriginFailed | What::Broken => Fate::Broken,
        }
    }
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
    /// Pages before which there was a line, and milliseconds in it of those who came in.
    pub queued: u64,
    pub line: Vec<u32>,
    /// By the second of the run in which they came: last words on pages and forms, by [`Fate`].
    pub fates: Vec<[u32; FATES]>,
    /// Milliseconds for which boma and the origin let pages wait that came: in full, and as copies.
    pub in_full: Vec<u32>,
    pub copies: Vec<u32>,
    /// The same by class: filing, and information.
    pub classes: [OfClass; 2],
    /// Those who wanted to send a form, and did not even get it.
    pub forms_missed: u64,
    pub solutions_refused: u64,
    /// Visits that were not begun because too many were under way, and those that had not ended at the end.
    pub not_begun: u64,
    pub open: u64,
}

impl Tally {
    pub fn of_class(&mut self, path: &str, what: What, waited: u32) {
        let class = &mut self.classes[usize::from(!path.starts_with(FILING))];
        class.asked += 1;
        if what == What::Origin {
            class.full += 1;
            class.waited.push(waited);
        }
    }

    pub fn happened(&mut self, second: usize, answer: &Answer) {
        if self.fates.len() <= second {
            self.fates.resize(second + 1, [0; FATES]);
        }
        self.fates[second][Fate::of(answer) as usize] += 1;
    }
}

/// The part of sorted values below which `share` of them lie.
pub fn percentile(values: &mut [u32], share: f64) -> Option<u32> {
    values.sort_unstable();
    let at = ((values.len() as f64 * share).ceil() as usize).saturating_sub(1);
    values.get(at).copied()
}
