//! A law tried: what becomes of a request that is not answered, by the corridor's own rules and decision; and houses of their
//! own for laws that are tried at other times than now.
//!
//! Does not know: where requests come from, what is counted.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::decide::{self, Decision};
use super::read::Request;
use super::visit::Visit;
use crate::bounds;
use crate::clock::{Clock, Now};
use crate::force::{House, Law, Materials};
use crate::limit::Entered;
use crate::places::Places;
use crate::plan::{Ladder, Level, Plan, Quota};
use crate::posture::{Pin, Standing};
use crate::reason::Reason;
use crate::rules::RuleSet;
use crate::seal::Secret;
use crate::settings::Settings;
use crate::staff::Tokens;
use crate::store::Store;
use crate::telemetry::access::{AccessLog, Query, Sink};
use crate::telemetry::reading::Logged;
use crate::telemetry::{Fact, Metrics};
use crate::words::Words;

/// What a law is tried upon.
pub struct Ground {
    pub settings: Arc<Settings>,
    pub ladder: Ladder,
    pub places: Arc<Places>,
    pub posture: Level,
}

/// What a request meets on its way.
pub enum Met<'m> {
    /// A rule or limit that matches and is in force.
    Rule(&'m str),
    /// A limit that it would spend from, and a stamp of the key by which.
    Limit(&'m Quota, u64),
}

/// What happens to a request that was read, by the visit's own law; `but`: as if these of its rules were not there.
/// `decide` is the corridor's decision, with limits or without.
pub fn outcome<'h>(
    visit: &mut Visit<'h>,
    request: &Request,
    fact: &Fact,
    but: &[u32],
    meet: &mut dyn FnMut(Met<'_>),
    decide: impl FnOnce(&mut Visit<'h>, &Request, &Plan<'_>) -> Decision,
) -> Reason {
    let law = visit.law.clone();
    let facts = request.facts(visit, fact);
    let plan = law.rules.plan_seen(but, &facts, visit.level, visit.now.unix(), |name| meet(Met::Rule(name)));
    decide::counted(visit, &plan, fact, &mut |quota, key| meet(Met::Limit(quota, key)));
    match decide(visit, request, &plan) {
        Decision::Go(_) => decide::goes(visit),
        Decision::Wait(told) => told.reason,
        Decision::Challenge(reason) | Decision::Refuse(reason) | Decision::Fallback(reason) => reason,
        Decision::Limited(_) => Reason::OverLimit,
    }
}

/// One law with its own buckets, bans and known paths.
pub struct Trial {
    pub house: House,
    /// Requests that count in limits on how many are under way, by their ends.
    under_way: RefCell<BTreeMap<(u64, u64), Vec<Entered>>>,
    entered: Cell<u64>,
}

impl Trial {
    pub fn new(ground: &Ground, rules: RuleSet) -> Result<Trial, String> {
        let house = vacant(ground, rules, Clock::manual(0))?;
        Ok(Trial { house, under_way: RefCell::default(), entered: Cell::new(0) })
    }

    /// Takes in a visit that was to another house.
    pub fn receive<'h>(&'h self, visit: &mut Visit<'h>) {
        (visit.house, visit.law) = (&self.house, Rc::new(self.house.law.load_full()));
        (visit.rule, visit.noted) = (None, Vec::new());
        let asks = visit.law.rules.asks();
        if asks.country {
            visit.country = self.house.places.load().country(visit.client.address);
        }
        if asks.asn {
            visit.asn = self.house.places.load().asn(visit.client.address);
        }
    }

    /// What becomes of a request that was read, and everything that it spends.
    pub fn judge(
        &self,
        visit: &mut Visit<'_>,
        request: &Request,
        logged: &Logged,
        meet: &mut dyn FnMut(Met<'_>),
    ) -> Reason {
        let (house, fact, now) = (&self.house, &logged.fact, visit.now);
        let mut under_way = self.under_way.borrow_mut();
        while under_way.first_key_value().is_some_and(|((end, _), _)| *end <= now.mono) {
            under_way.pop_first();
        }
        if let Some(pass) = fact.pass.filter(|pass| pass.vouches(now.unix())) {
            house.bans.saw_pass(fact.address, pass.id);
        }
        let banned = house.bans.holds(fact.address, now.unix());
        let reason = outcome(visit, request, fact, &[], meet, |visit, request, plan| {
            if banned {
                return Decision::Refuse(Reason::Banned);
            }
            decide::decide(visit, request, plan, fact)
        });
        let (tallies, entered) = (std::mem::take(&mut visit.tallies), std::mem::take(&mut visit.entered));
        if reason != Reason::Served {
            return reason;
        }
        // Who is refused now was not at the origin, whatever it answered then.
        if let Some(status) = logged.origin {
            tallies.iter().for_each(|t| house.limits.answered(t, status, now.mono));
            if (200..300).contains(&status) {
                house.known.note((&*visit.portal().name, &*request.match_path), now.unix());
            }
        }
        if !entered.is_empty() {
            let end = now.mono.saturating_add(logged.took.unwrap_or(0));
            let number = self.entered.get();
            self.entered.set(number + 1);
            under_way.insert((end, number), entered);
            if under_way.len() > bounds::REPLAY_UNDER_WAY {
                under_way.pop_first();
            }
        }
        reason
    }
}

/// A house that nobody comes to: no log, no store, no origins.
pub fn vacant(ground: &Ground, rules: RuleSet, clock: Clock) -> Result<House, String> {
    let metrics = Metrics::default();
    let access = AccessLog::start(Sink::Off, false, Query::Off, metrics.log_dropped.clone());
    let (reason, by) = ("replay".to_owned(), "replay".to_owned());
    let pin = Pin { level: ground.posture, until: u64::MAX, reason, by, since: 0, then: None, portal: None };
    let house = House::new(Materials {
        clock,
        settings: ground.settings.clone(),
        law: Law { generation: 0, rules: Arc::new(rules), measures: Arc::new([]), ladder: ground.ladder.clone() },
        standing: Standing::default().pin(pin),
        metrics,
        access: access.map_err(|e| e.to_string())?,
        store: Store::none(),
        // Nothing is sealed by it; the same for each replay, so that two of them say the same.
        secret: Secret::parse(&"00".repeat(32)).ok_or("no secret")?,
        outbound: Vec::new(),
        places: Places::default(),
        tokens: Tokens::default(),
        words: Words::shipped(),
        troubles: Vec::new(),
    });
    house.places.store(ground.places.clone());
    Ok(house)
}

/// The log's own time, which never runs backwards for buckets.
#[derive(Debug, Default)]
pub struct Tape {
    wall: u64,
    mono: u64,
    in_a_row: u32,
    /// Lines that lay before the newest, and by how much at most.
    pub late: u64,
    pub latest: u64,
}

impl Tape {
    /// The time at which a line is judged: its own, or the newest where it is late.
    pub fn at(&mut self, at: u64) -> Now {
        let behind = self.wall.saturating_sub(at);
        let elsewhere = behind > bounds::REPLAY_LATE.as_nanos() as u64;
        self.in_a_row = if elsewhere { self.in_a_row + 1 } else { 0 };
        if self.mono == 0 || self.in_a_row >= bounds::REPLAY_LATE_IN_A_ROW {
            // The log begins here, or begins anew: another one follows, or the clock was set right.
            (self.wall, self.mono, self.in_a_row) = (at, self.mono.max(at).max(1), 0);
        } else if behind > 0 {
            self.late += 1;
            self.latest = self.latest.max(behind);
        } else {
            self.mono = self.mono.saturating_add(at - self.wall);
            self.wall = at;
        }
        Now { mono: self.mono, wall: self.wall }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;

    #[test]
    fn time_never_runs_backwards_and_nothing_stops_it() {
        let mut tape = Tape::default();
        let (start, late) = (1_790_000_000 * SECOND, bounds::REPLAY_LATE.as_nanos() as u64);
        let at = |tape: &mut Tape, seconds: i64| {
            let now = tape.at(start.saturating_add_signed(seconds * SECOND as i64));
            (now.mono - start) / SECOND
        };
        assert_eq!([0, 5, 3, 5, 6].map(|s| at(&mut tape, s)), [0, 5, 5, 5, 6]);
        assert_eq!((tape.late, tape.latest / SECOND), (1, 2));
        // A clock that was a year ahead for one line: the others are late, and then the log begins anew.
        let year = 365 * 86_400;
        assert_eq!(at(&mut tape, year), year as u64);
        for i in 1..bounds::REPLAY_LATE_IN_A_ROW {
            assert_eq!(at(&mut tape, 6 + i64::from(i) / 100), year as u64);
        }
        let anew = at(&mut tape, 17);
        assert_eq!([18, 20].map(|s| at(&mut tape, s)), [anew + 1, anew + 3]);
        assert_eq!(tape.wall, start + 20 * SECOND, "and people's time is the log's");
        // A download that took an hour is one late line among others.
        for _ in 0..2 * bounds::REPLAY_LATE_IN_A_ROW {
            assert_eq!([20 - late as i64 / SECOND as i64 - 1, 20].map(|s| at(&mut tape, s)), [anew + 3; 2]);
        }
    }
}
