//! Which passes are those of settled citizens: the ones whose harm is counted, and whom rules can name as
//! `pass = "settled"`. A pass is settled when it was made well before the attack and not as one of a mass, and has kept to
//! its budget; or when the origin has lately answered its session on a path that only those who are signed in see.
//!
//! An attacker can prepare passes too; but only before boma or staff have noticed anything, not many more in a minute than
//! citizens make, and previews count few of one prefix.
//!
//! Does not know: rules, pages, how a pass is made.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use crate::bounds;
use crate::facts::Pass;
use crate::known::Known;
use crate::seal::Secret;

/// Passes whose challenges were issued in one minute.
#[derive(Clone, Copy, Default)]
struct Minute {
    /// Since the Unix epoch, in minutes.
    at: u64,
    passes: u32,
    /// More than what is usual explains.
    mass: bool,
}

pub struct Settled {
    /// Passes that exceeded their budget in the last hour, and those that an origin vouched for.
    over: Known,
    vouched: Known,
    /// Sessions that an origin was seen to know, and the passes that they came with.
    sessions: Known,
    /// Passes that were made, so that each counts once, and how many of a prefix in one minute.
    made: Known,
    /// A day of minutes in which passes were made, the oldest first.
    minutes: Mutex<VecDeque<Minute>>,
    /// Those of them that were a mass, for the look that a request costs.
    masses: ArcSwap<Vec<u64>>,
}

impl Settled {
    /// Entries of all tables of full size.
    pub const ENTRIES: usize = bounds::OVER_BUDGET + 2 * bounds::VOUCHED + bounds::PASSES_MADE;

    /// With tables of `part` of their full size.
    pub fn new(secret: &Secret, part: f64) -> Settled {
        let key = secret.key("boma settled v1").mac(&[]);
        let table = |most: usize, lasts| Known::new(key, (most as f64 * part) as usize, lasts);
        Settled {
            over: table(bounds::OVER_BUDGET, bounds::OVER_BUDGET_FOR),
            vouched: table(bounds::VOUCHED, bounds::VOUCHED_FOR),
            sessions: table(bounds::VOUCHED, bounds::VOUCHED_FOR),
            made: table(bounds::PASSES_MADE, bounds::PASSES_MADE_FOR),
            minutes: Mutex::default(),
            masses: ArcSwap::default(),
        }
    }

    /// A pass was made for a prefix, of a challenge that was issued at its birth: who hoards challenges gains nothing, nor
    /// who sends one solution again and again, nor one address that makes many.
    pub fn made(&self, pass: &Pass, prefix: u128, now: u64) {
        if !self.made.note(pass.id, now) {
            return;
        }
        let at = pass.born / 60;
        if !(0..bounds::MASS_PER_PREFIX).any(|n| self.made.note((prefix, at, n), now)) {
            return;
        }
        let mut minutes = self.minutes();
        // A clock that was ahead and was set right leaves minutes of the future behind.
        while minutes.back().is_some_and(|m| m.at > now.max(pass.born) / 60) {
            minutes.pop_back();
        }
        let place = minutes.partition_point(|m| m.at < at);
        if minutes.get(place).is_none_or(|m| m.at != at) {
            minutes.insert(place, Minute { at, ..Minute::default() });
        }
        minutes[place].passes = minutes[place].passes.saturating_add(1);
        let passes = minutes[place].passes;
        // Looked at once in so many: the median costs some microseconds.
        let mut changed = false;
        if passes.is_multiple_of(bounds::MASS_LEAST) && !minutes[place].mass {
            minutes[place].mass = passes >= bounds::MASS_TIMES.saturating_mul(usual(&minutes, at));
            changed = minutes[place].mass;
        }
        let oldest = minutes.back().map_or(0, |m| m.at).saturating_sub(bounds::MASS_MEMORY.as_secs() / 60);
        while minutes.front().is_some_and(|m| m.at < oldest) {
            changed |= minutes.pop_front().is_some_and(|m| m.mass);
        }
        if changed {
            self.publish(&minutes);
        }
    }

    fn publish(&self, minutes: &VecDeque<Minute>) {
        self.masses.store(Arc::new(minutes.iter().filter(|m| m.mass).map(|m| m.at).collect()));
    }

    /// A pass exceeded its own budget.
    pub fn overspent(&self, pass: u128, now: u64) {
        self.over.note(pass, now);
    }

    /// The origin answered it where only those who are signed in are answered. A session vouches for a few passes: a
    /// citizen's of several devices, but not for a farm's.
    pub fn vouched_for(&self, pass: u128, session: &[u8], now: u64) {
        let known = self.sessions.is_known((session, pass), now);
        if known || (0..bounds::PASSES_PER_SESSION).any(|n| self.sessions.note((session, n), now)) {
            self.sessions.note((session, pass), now);
            self.vouched.note(pass, now);
        }
    }

    /// Whether an origin has vouched for a pass of late.
    pub fn is_vouched(&self, pass: u128, now: u64) -> bool {
        self.vouched.is_known(pass, now)
    }

    /// The origin said so itself of a request without a session to count by, as of one that signs in: so a prefix has only so
    /// many.
    pub fn vouched_alone(&self, pass: u128, prefix: u128, now: u64) {
        let known = self.vouched.is_known(pass, now);
        if known || (0..bounds::VOUCHED_PER_PREFIX).any(|n| self.sessions.note(("prefix", prefix, n), now)) {
            self.vouched.note(pass, now);
        }
    }

    /// Whether a pass exceeded its budget of late.
    pub fn is_over(&self, pass: u128, now: u64) -> bool {
        self.over.is_known(pass, now)
    }

    /// Whether nothing speaks against a pass: it has kept to its budget, and was not made as one of a mass.
    pub fn is_ordinary(&self, pass: &Pass, now: u64) -> bool {
        !self.over.is_known(pass.id, now) && self.masses.load().binary_search(&(pass.born / 60)).is_err()
    }

    /// Whether a pass is a settled citizen's; `attack`: when the posture rose, where it has.
    pub fn is(&self, pass: &Pass, attack: Option<u64>, now: u64) -> bool {
        if self.over.is_known(pass.id, now) {
            return false;
        }
        if self.vouched.is_known(pass.id, now) {
            return true;
        }
        let old = |least: u64, at: u64| pass.born.saturating_add(least) <= at;
        // In an attack of days nobody new would ever be settled: a day of keeping to the budget is worth as much.
        let attack = attack.map_or(now, |began| began.min(now));
        let aged = old(bounds::SETTLED.as_secs(), attack) || old(bounds::SETTLED_ANYWAY.as_secs(), now);
        aged && self.masses.load().binary_search(&(pass.born / 60)).is_err()
    }

    /// The minutes, to be kept over a restart.
    pub fn save(&self) -> Vec<u8> {
        let row = |m: &Minute| [m.at << 1 | u64::from(m.mass), u64::from(m.passes)].map(u64::to_le_bytes).concat();
        self.minutes().iter().flat_map(row).collect()
    }

    /// Passes that were vouched for, to be kept likewise.
    pub fn save_vouched(&self) -> Vec<u8> {
        self.vouched.save()
    }

    pub fn load_vouched(&self, bytes: &[u8]) {
        self.vouched.load(bytes);
    }

    /// What was kept; what is no such thing is left alone.
    pub fn load(&self, bytes: &[u8]) {
        let number = |b: &[u8]| b.try_into().map(u64::from_le_bytes).unwrap_or_default();
        let minute = |row: &[u8]| Minute {
            at: number(&row[..8]) >> 1,
            passes: u32::try_from(number(&row[8..])).unwrap_or(u32::MAX),
            mass: row[0] & 1 == 1,
        };
        let mut all: Vec<Minute> = bytes.chunks_exact(16).map(minute).collect();
        all.sort_by_key(|m| m.at);
        all.dedup_by_key(|m| m.at);
        let most = bounds::MASS_MEMORY.as_secs() as usize / 60 + 1;
        all.drain(..all.len().saturating_sub(most));
        let mut minutes = self.minutes();
        *minutes = all.into();
        self.publish(&minutes);
    }

    fn minutes(&self) -> MutexGuard<'_, VecDeque<Minute>> {
        self.minutes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The median of what other minutes made: an attack must last half a day to be what is usual.
fn usual(minutes: &VecDeque<Minute>, but: u64) -> u32 {
    let mut others: Vec<u32> = minutes.iter().filter(|m| m.at != but).map(|m| m.passes).collect();
    if others.len() < bounds::MASS_HISTORY {
        return bounds::MASS_UNKNOWN / bounds::MASS_TIMES;
    }
    let middle = others.len() / 2;
    *others.select_nth_unstable(middle).1
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000;
    const HOUR: u64 = 3600;

    fn pass(id: u128, born: u64) -> Pass {
        Pass::proven(id, 1, born, born + 12 * HOUR)
    }

    fn settled() -> Settled {
        Settled::new(&Secret::random().unwrap(), 1.0)
    }

    /// So many passes of as many prefixes, born then.
    fn made(settled: &Settled, passes: u128, born: u64) {
        (0..passes).for_each(|i| settled.made(&pass((u128::from(born) << 32) + i, born), i, born));
    }

    #[test]
    fn a_pass_is_settled_when_it_is_older_than_the_attack_or_vouched_for() {
        let settled = settled();
        assert!(settled.is(&pass(1, NOW - HOUR), None, NOW));
        assert!(!settled.is(&pass(1, NOW - 60), None, NOW), "too young");
        let attack = Some(NOW - HOUR);
        assert!(settled.is(&pass(1, NOW - 2 * HOUR), attack, NOW));
        assert!(!settled.is(&pass(1, NOW - HOUR + 60), attack, NOW), "made in the attack");
        assert!(!settled.is(&pass(1, NOW - HOUR - 60), attack, NOW), "made in the minutes in which it went unnoticed");
        assert!(settled.is(&pass(1, NOW - HOUR), Some(NOW - 30 * HOUR), NOW + 25 * HOUR), "an attack of days");
        assert!(!settled.is(&pass(1, NOW - 60), Some(NOW + HOUR), NOW), "a clock that was set back");
        settled.overspent(1, NOW);
        assert!(!settled.is(&pass(1, NOW - 2 * HOUR), attack, NOW), "over its budget");
        assert!(settled.is(&pass(1, NOW - 2 * HOUR), attack, NOW + 3 * HOUR), "forgiven");
    }

    #[test]
    fn a_session_vouches_for_a_few_passes_and_for_a_while() {
        let settled = settled();
        let attack = Some(NOW - HOUR);
        let is = |id, now| settled.is(&pass(id, NOW - 60), attack, now);
        (0..20_000).for_each(|id| settled.vouched_for(id, b"one account", NOW));
        let vouched = (0..20_000).filter(|id| is(*id, NOW)).count();
        assert_eq!(vouched, bounds::PASSES_PER_SESSION as usize, "one account is no farm");
        settled.vouched_for(0, b"one account", NOW);
        assert!(is(0, NOW), "again and again");
        settled.vouched_for(30_000, b"another", NOW);
        assert!(is(30_000, NOW) && !is(30_000, NOW + 20 * HOUR), "not for ever");
        let again = self::settled();
        again.load_vouched(&settled.save_vouched());
    }

    #[test]
    fn where_no_session_counts_the_prefix_does() {
        let settled = settled();
        (0..10_000).for_each(|id| settled.vouched_alone(id, 1, NOW));
        let is = |id| settled.is(&pass(id, NOW - 60), None, NOW);
        assert_eq!((0..10_000).filter(|id| is(*id)).count(), bounds::VOUCHED_PER_PREFIX as usize);
        settled.vouched_alone(0, 1, NOW);
        settled.vouched_alone(20_000, 2, NOW);
        assert!(is(0) && is(20_000), "again, and others");
    }

    #[test]
    fn passes_that_are_made_in_masses_are_nobody_s() {
        let settled = settled();
        let day = NOW - 20 * HOUR;
        // Ten a minute all day long, and a busy quarter of an hour.
        (0..1000).for_each(|m| made(&settled, 10, day + m * 60));
        (0..15).for_each(|m| made(&settled, 35, day + (1000 + m) * 60));
        assert!(settled.is(&pass(1, day + 1005 * 60), None, NOW + HOUR));
        let flood = day + 1020 * 60;
        (0..200).for_each(|second| made(&settled, 100, flood + second));
        assert!(!settled.is(&pass(2, flood + 30), None, flood + 12 * HOUR), "one of 20,000 in three minutes");
        assert!(settled.is(&pass(3, flood - 20 * 60), None, flood + 12 * HOUR));
        let again = self::settled();
        again.load(&settled.save());
        assert!(!again.is(&pass(2, flood + 30), None, flood + 12 * HOUR), "it is remembered over a restart");
        again.load(b"odd");
        (0..5000u64).for_each(|i| made(&again, 1, NOW + i * 60));
        assert!(again.minutes().len() <= 1441, "bounded");
    }

    #[test]
    fn nobody_alone_makes_a_minute_a_mass() {
        let settled = settled();
        let born = NOW - HOUR;
        (0..1000).for_each(|m| made(&settled, 3, born - (1000 - m) * 60 - 3600));
        (0..1000).for_each(|_| settled.made(&pass(7, born), 1, born));
        assert!(settled.is(&pass(1, born), None, NOW), "one solution, sent again and again");
        (0..1000).for_each(|id| settled.made(&pass(1000 + id, born), 1, born));
        assert!(settled.is(&pass(1, born), None, NOW), "one address");
    }

    #[test]
    fn a_new_portal_has_a_first_hour() {
        let settled = settled();
        (0..20).for_each(|m| made(&settled, 300, NOW + m * 60));
        assert!(settled.is(&pass(1, NOW + 600), None, NOW + 2 * HOUR));
        (0..200).for_each(|second| made(&settled, 100, NOW + 1300 + second));
        assert!(!settled.is(&pass(1, NOW + 1350), None, NOW + 2 * HOUR), "that it has no day behind it is no way in");
    }
}
