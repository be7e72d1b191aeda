//! What matched, added up to a plan.
//!
//! Does not know: requests, what makes a rule match.

use smallvec::SmallVec;

use super::compile::{Compiled, Does};
use crate::plan::{Plan, Refusal};

/// The level of pass that a rule's challenge demands.
const CHALLENGE_LEVEL: u8 = 1;

/// Rules and limits by number, as they come. Numbers are in the order of names: of several with one verdict the lowest counts, so
/// that always the same is named.
pub struct Found {
    /// By [`Does`], up to where they are listed: the first rule, or [`NONE`]. An array, because which of them comes next
    /// cannot be guessed, and each wrong guess costs as much as all the rest.
    first: [u32; Does::Note as usize],
    ban: Option<(u64, u32)>,
    limits: SmallVec<[u32; 8]>,
    noted: SmallVec<[u32; 8]>,
}

const NONE: u32 = u32::MAX;

impl Found {
    pub fn new() -> Found {
        Found { first: [NONE; Does::Note as usize], ban: None, limits: SmallVec::new(), noted: SmallVec::new() }
    }

    pub fn add(&mut self, does: Does, number: u32) {
        match self.first.get_mut(does as usize) {
            Some(first) => *first = number.min(*first),
            None if does == Does::Note => self.noted.push(number),
            None => self.limits.push(number),
        }
    }

    /// For so many seconds; the longest of several counts.
    pub fn ban(&mut self, lasts: u64, number: u32) {
        if self.ban.is_none_or(|(most, n)| lasts > most || (lasts == most && number < n)) {
            self.ban = Some((lasts, number));
        }
    }

    fn first(&self, does: Does) -> Option<u32> {
        Some(self.first[does as usize]).filter(|n| *n != NONE)
    }

    fn refusal(&self) -> Option<(Refusal, u32)> {
        let worst = [(Does::Drop, Refusal::Drop), (Does::Deny, Refusal::Deny), (Does::Static, Refusal::Static)];
        worst.into_iter().find_map(|(does, refusal)| Some((refusal, self.first(does)?)))
    }

    pub fn plan(mut self, compiled: &Compiled) -> Plan<'_> {
        self.limits.sort_unstable_by_key(|n| compiled.limit_order[*n as usize]);
        self.noted.sort_unstable();
        let name = |number: u32| compiled.all[number as usize].name.as_str();
        Plan {
            refusal: self.refusal().map(|(refusal, number)| (refusal, name(number))),
            challenge: self.first(Does::Challenge).map(|number| (CHALLENGE_LEVEL, name(number))),
            queue: self.first(Does::Queue).map(name),
            allow: self.first(Does::Allow).map(name),
            limits: self.limits.iter().filter_map(|n| compiled.quota(*n)).collect(),
            ban: self.ban.map(|(lasts, number)| (lasts, name(number))),
            noted: self.noted.iter().map(|n| name(*n)).collect(),
        }
    }
}
