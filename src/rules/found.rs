//! What matched, added up to a plan.
//!
//! Does not know: requests, what makes a rule match.

use smallvec::SmallVec;

use super::Verdict;
use super::compile::Compiled;
use crate::plan::{Plan, Refusal};

/// The level of pass that a rule's challenge demands.
const CHALLENGE_LEVEL: u8 = 1;

/// Rules and limits by number, as they come. Numbers are in the order of names: of several with one verdict the lowest counts, so
/// that always the same is named.
#[derive(Default)]
pub struct Found {
    refusal: Option<(Refusal, u32)>,
    challenge: Option<u32>,
    allow: Option<u32>,
    ban: Option<(u64, u32)>,
    pub limits: SmallVec<[u32; 8]>,
    pub noted: SmallVec<[u32; 8]>,
}

impl Found {
    pub fn add(&mut self, verdict: Verdict, ban: Option<u64>, number: u32) {
        let first = |slot: Option<u32>| Some(slot.map_or(number, |n| n.min(number)));
        match verdict {
            Verdict::Log => self.noted.push(number),
            Verdict::Allow => self.allow = first(self.allow),
            Verdict::Challenge => self.challenge = first(self.challenge),
            Verdict::Static => self.refuse(Refusal::Static, number),
            Verdict::Deny => self.refuse(Refusal::Deny, number),
            Verdict::Drop => self.refuse(Refusal::Drop, number),
        }
        if let Some(lasts) = ban
            && self.ban.is_none_or(|(most, n)| lasts > most || (lasts == most && number < n))
        {
            self.ban = Some((lasts, number));
        }
    }

    fn refuse(&mut self, refusal: Refusal, number: u32) {
        if self.refusal.is_none_or(|(worst, n)| refusal > worst || (refusal == worst && number < n)) {
            self.refusal = Some((refusal, number));
        }
    }

    pub fn plan(mut self, compiled: &Compiled) -> Plan<'_> {
        self.limits.sort_unstable_by_key(|n| compiled.limit_order[*n as usize]);
        self.noted.sort_unstable();
        let name = |number: u32| compiled.all[number as usize].name.as_str();
        Plan {
            refusal: self.refusal.map(|(refusal, number)| (refusal, name(number))),
            challenge: self.challenge.map(|number| (CHALLENGE_LEVEL, name(number))),
            allow: self.allow.map(name),
            limits: self.limits.iter().filter_map(|n| compiled.quota(*n)).collect(),
            ban: self.ban.map(|(lasts, number)| (lasts, name(number))),
            noted: self.noted.iter().map(|n| name(*n)).collect(),
        }
    }
}
