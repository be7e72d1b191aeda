//! Who waits, in the order of arrival: by minute, and within it by number. Those who go away make no gap, because whoever has not
//! renewed is not called; those who are called and do not come make the others wait for nobody.
//!
//! Does not know: passes, cookies, what is behind the door.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::asked::{Asked, Beat, Came, Holder, Turn, Waits};
use super::pace::{Pace, Space};
use crate::bounds;

const LAPSES: u64 = bounds::PLACE_LAPSES.as_secs();
const CHECKED: u64 = bounds::PLACE_CHECKED.as_secs();

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Called(u64),
    /// Since, and until.
    In(u64, u64),
    /// It is another pass's now ([`Line::moves`]): what this one still carries of it counts for nothing.
    Moved,
}

/// Whether a check has been before the holder of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    Never,
    /// Since the place was seen last; its holder cannot renew it meanwhile.
    Now,
    /// It was left without being done. No other lengthens a place, or to ask for checks would be to hold it.
    Left,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub minute: u32,
    pub nth: u32,
    pub crowd: Option<u64>,
    pub by_rule: bool,
    pub reads: bool,
    /// When it was renewed, and when the button was last pressed.
    pub seen: u64,
    pub pressed: u64,
    pub check: Check,
    pub state: State,
}

/// Readers' lines and others', of which each has its own order.
const READERS: usize = 0;
const OTHERS: usize = 1;

impl Held {
    /// Where a rule has people wait all stand in one line.
    fn kind(&self) -> usize {
        if self.reads && !self.by_rule { READERS } else { OTHERS }
    }

    /// Where time stood still until `moved`.
    fn lapsed(&self, moved: u64, now: u64) -> bool {
        let lapses = if self.check == Check::Now { CHECKED } else { LAPSES };
        self.seen.max(moved) + lapses < now
    }
}

#[derive(Debug, Default)]
pub(super) struct Minute {
    pub arrived: u32,
    pub let_in: u32,
    /// By number; a second of the same number is somebody who came in a second that a crash made forget.
    pub waiting: [BTreeSet<(u32, u128)>; 2],
}

impl Minute {
    pub fn is_empty(&self) -> bool {
        self.waiting.iter().all(BTreeSet::is_empty)
    }
}

#[derive(Debug, Default)]
pub struct Line {
    pub(super) held: HashMap<u128, Held>,
    pub(super) minutes: BTreeMap<u32, Minute>,
    pub(super) crowds: HashMap<u64, u32>,
    pub(super) waiting: [u32; 2],
    /// Those of them whom no rule has wait.
    at_gate: [u32; 2],
    /// Calls while both kinds waited.
    calls: u32,
    /// Those called of late, and how many of them are still to come.
    pub(super) recent: VecDeque<(u64, u128)>,
    pub(super) due: u32,
    /// Visits that began of late, and when: each has a row of its own on disk.
    pub(super) used: VecDeque<(u64, u128)>,
    /// How fast it goes, and of the calls those of others; of readers.
    pub(super) pace: Pace,
    pub(super) readers: Pace,
    /// Since when nobody is called, and the last span in which time stood still: places of before lapse from its end on.
    pub(super) still: Option<u64>,
    pub(super) stood: (u64, u64),
    swept: u64,
}

impl Line {
    /// How many wait for the gate, whom nobody must overtake: all, and the readers among them.
    pub fn at_gate(&self) -> (u32, u32) {
        (self.at_gate[READERS] + self.at_gate[OTHERS], self.at_gate[READERS])
    }

    pub fn ask(&mut self, asked: &Asked, now: u64) -> Turn {
        let id = asked.holder.id;
        self.leave_if_over(id, now);
        if self.held.get(&id).is_some_and(|held| held.state == State::Moved) {
            return if asked.stays { Turn::Full } else { Turn::Out };
        }
        let still = self.still.is_some();
        let may_go = |held: &Held| matches!(held.state, State::In(..)) || (held.state != State::Waiting && !still);
        if !asked.stays && !self.held.get(&id).is_some_and(may_go) {
            return Turn::Out;
        }
        let new = !self.held.contains_key(&id);
        if new && !self.join(asked, now) {
            return Turn::Full;
        }
        self.stand_earlier(asked, now);
        self.stand_with(id, asked.holder.reads);
        let Some(held) = self.held.get_mut(&id) else { return Turn::Full };
        if let State::In(since, until) = held.state {
            let most = since + bounds::PLACE_VISIT_MOST.as_secs();
            held.state = State::In(since, until.max(now + bounds::PLACE_VISIT.as_secs()).min(most));
            return Turn::In { used: false };
        }
        held.seen = now;
        if held.check == Check::Now {
            held.check = Check::Left;
        }
        let press_in = (held.pressed + bounds::PLACE_PRESS.as_secs()).saturating_sub(now);
        let presses = asked.enters && press_in == 0;
        if presses {
            held.pressed = now;
        }
        match held.state {
            State::Called(at) if presses && !still => {
                held.state = State::In(now, now + bounds::PLACE_VISIT.as_secs());
                if at + bounds::PLACE_DUE.as_secs() >= now {
                    self.due = self.due.saturating_sub(1);
                }
                self.minute(now).let_in += 1;
                self.note_used(id, now);
                Turn::In { used: true }
            }
            _ => {
                let press_in = if presses { bounds::PLACE_PRESS.as_secs() } else { press_in };
                self.waits(id, now).map_or(Turn::Full, |waits| Turn::Waits(Waits { press_in, new, ..waits }))
            }
        }
    }

    pub fn look(&self, holder: u128, now: u64) -> Option<Waits> {
        let held = self.held.get(&holder)?;
        let over = self.still.is_none() && held.lapsed(self.stood.1, now);
        let waits = matches!(held.state, State::Waiting | State::Called(_));
        if over || !waits { None } else { self.waits(holder, now) }
    }

    fn waits(&self, id: u128, now: u64) -> Option<Waits> {
        let held = self.held.get(&id)?;
        let place = match held.state {
            State::Waiting => self.ahead(held) + 1,
            State::Called(_) | State::In(..) | State::Moved => 0,
        };
        let estimate = match self.still {
            None if place > 0 && held.kind() == READERS => self.readers.estimate(place, now),
            None if place > 0 => self.pace.estimate(place, now),
            _ => None,
        };
        let (minute, nth, still) = (held.minute, held.nth, self.still.is_some());
        Some(Waits { minute, nth, place, estimate, press_in: 0, still, new: false })
    }

    /// How many of its kind wait before a place. Within its own minute by the share of the minute's numbers before it, which is exact where
    /// nobody has gone away: to count would cost more than the answer is worth.
    fn ahead(&self, held: &Held) -> u32 {
        let (minute, kind) = (held.minute, held.kind());
        let before: usize = self.minutes.range(..minute).map(|(_, m)| m.waiting[kind].len()).sum();
        let own = self.minutes.get(&minute).map_or(0, |m| {
            let line = &m.waiting[kind];
            let (first, last) = (line.first().map_or(0, |w| w.0), line.last().map_or(0, |w| w.0));
            let (before, all) = (u64::from(held.nth.saturating_sub(first)), u64::from(last - first) + 1);
            before * line.len() as u64 / all
        });
        (before as u64 + own) as u32
    }

    fn minute(&mut self, now: u64) -> &mut Minute {
        self.minutes.entry((now / 60) as u32).or_default()
    }

    /// Whether they have a place now.
    fn join(&mut self, asked: &Asked, now: u64) -> bool {
        let Holder { id, crowd, free, reads } = asked.holder;
        if self.held.len() >= bounds::PLACES || self.is_full_for(crowd) {
            return false;
        }
        let with = asked.with.filter(|with| self.holds(with, now));
        // Else a flood that never waits would stand in the line, each of its requests with a new pass.
        if free && with.is_none() && self.waiting[READERS] + self.waiting[OTHERS] >= bounds::PLACES_FREE {
            return false;
        }
        let (minute, nth) = match with {
            Some(with) => (with.minute, with.nth),
            None => {
                // A clock that was set back must not let newcomers stand before others.
                let latest = self.minutes.last_key_value().map_or(0, |(minute, _)| *minute);
                let minute = latest.max((now / 60) as u32);
                let counted = self.minutes.entry(minute).or_default();
                counted.arrived += 1;
                (minute, counted.arrived - 1)
            }
        };
        self.join_crowd(crowd);
        let by_rule = asked.by_rule;
        // Who comes with a place of before a restart has waited long enough for the button.
        let pressed = if asked.with.is_some() { 0 } else { now };
        let (seen, check, state) = (now, Check::Never, State::Waiting);
        self.put(id, Held { minute, nth, crowd, by_rule, reads, seen, pressed, check, state });
        true
    }

    pub(super) fn put(&mut self, id: u128, held: Held) {
        if held.state == State::Waiting {
            let kind = held.kind();
            let minute = self.minutes.entry(held.minute).or_default();
            minute.waiting[kind].insert((held.nth, id));
            // Of those whom a crash made forget: nobody who comes later gets the number of one who has come back.
            minute.arrived = minute.arrived.max(held.nth.saturating_add(1));
            self.waiting[kind] += 1;
            self.at_gate[kind] += u32::from(!held.by_rule);
        }
        self.held.insert(id, held);
    }

    /// Whether a place that somebody brings along still holds.
    fn holds(&self, with: &Came, now: u64) -> bool {
        let (from, until) = self.still.map_or(self.stood, |since| (since, now));
        let fresh = with.renewed + LAPSES >= now;
        let stood = with.renewed + LAPSES >= from && until + LAPSES >= now;
        (fresh || stood) && with.renewed <= now + 1 && with.minute <= (now / 60) as u32 + 1
    }

    /// Of two places of one holder the earlier one counts, and there is still one only.
    fn stand_earlier(&mut self, asked: &Asked, now: u64) {
        let Some(with) = asked.with.filter(|with| self.holds(with, now)) else { return };
        let id = asked.holder.id;
        let later = |held: &Held| held.state == State::Waiting && (held.minute, held.nth) > (with.minute, with.nth);
        let Some(held) = self.held.get(&id).copied().filter(later) else { return };
        self.take_out(id, &held);
        self.put(id, Held { minute: with.minute, nth: with.nth, ..held });
    }

    /// By what is known of them now: with the readers, or with the others.
    fn stand_with(&mut self, id: u128, reads: bool) {
        let other = |held: &Held| held.reads != reads;
        let Some(held) = self.held.get(&id).copied().filter(other) else { return };
        self.take_out(id, &held);
        self.put(id, Held { reads, ..held });
    }

    pub(super) fn take_out(&mut self, id: u128, held: &Held) {
        let kind = held.kind();
        if held.state == State::Waiting
            && let Some(minute) = self.minutes.get_mut(&held.minute)
            && minute.waiting[kind].remove(&(held.nth, id))
        {
            self.waiting[kind] -= 1;
            self.at_gate[kind] -= u32::from(!held.by_rule);
        }
    }

    pub(super) fn leave_if_over(&mut self, id: u128, now: u64) -> bool {
        if self.still.is_some() {
            return false;
        }
        let moved = self.stood.1;
        let over = |held: &Held| match held.state {
            // As long as its cookie may still be brought along.
            State::In(_, until) => until.max(moved + LAPSES) < now,
            State::Waiting | State::Called(_) | State::Moved => held.lapsed(moved, now),
        };
        let Some(held) = self.held.get(&id).copied().filter(over) else { return false };
        self.take_out(id, &held);
        self.held.remove(&id);
        self.leave_crowd(held.crowd);
        held.state == State::Waiting
    }

    pub fn beat(&mut self, space: &Space, still: bool, now: u64) -> Beat {
        match (still, self.still) {
            (true, None) => self.still = Some(now),
            (false, Some(since)) => {
                self.stood = (since, now);
                self.still = None;
            }
            _ => {}
        }
        if still || self.held.is_empty() {
            return Beat::default();
        }
        let lapsed = self.sweep(now);
        while let Some((at, id)) = self.recent.front().copied()
            && at + bounds::PLACE_DUE.as_secs() < now
        {
            self.recent.pop_front();
            let comes = self.held.get(&id).is_some_and(|h| h.state == State::Called(at));
            self.due = self.due.saturating_sub(u32::from(comes));
        }
        if self.waiting == [0; 2] {
            self.pace.rest();
            return Beat { called: 0, lapsed };
        }
        let most = (self.pace.rate() * bounds::PLACE_DUE.as_secs() as f32) as u32;
        let most = most.max(bounds::PLACE_DUE_LEAST).saturating_sub(self.due);
        let wanted = self.pace.calls(space).min(most);
        let (called, gone) = self.call(wanted, now);
        self.readers.called(called[READERS], now);
        self.pace.called(called[OTHERS], now);
        Beat { called: called.iter().sum(), lapsed: lapsed + gone }
    }

    /// Calls so many, the first to arrive first; who has gone away is called by nobody.
    fn call(&mut self, wanted: u32, now: u64) -> ([u32; 2], u32) {
        let (mut called, mut gone) = ([0; 2], 0);
        while called.iter().sum::<u32>() < wanted {
            let kind = match self.waiting {
                [0, _] => OTHERS,
                [_, 0] => READERS,
                _ if self.calls.is_multiple_of(bounds::PLACE_OTHERS) => OTHERS,
                _ => READERS,
            };
            let first = self.minutes.values().find_map(|m| m.waiting[kind].first().copied());
            let Some((_, id)) = first else { break };
            if self.leave_if_over(id, now) {
                gone += 1;
                continue;
            }
            let Some(mut held) = self.held.get(&id).copied() else { break };
            self.take_out(id, &held);
            held.state = State::Called(now);
            self.held.insert(id, held);
            self.recent.push_back((now, id));
            self.due += 1;
            self.calls = self.calls.wrapping_add(1);
            called[kind] += 1;
        }
        (called, gone)
    }

    /// Takes out who has gone away, and minutes that are of no use any more; every few seconds only.
    fn sweep(&mut self, now: u64) -> u32 {
        if now < self.swept + 5 && now >= self.swept {
            return 0;
        }
        self.swept = now;
        let ids: Vec<u128> = self.held.keys().copied().collect();
        let lapsed = ids.into_iter().filter(|id| self.leave_if_over(*id, now)).count() as u32;
        let oldest = ((now / 60) as u32).saturating_sub(bounds::PLACE_MINUTES as u32);
        self.minutes.retain(|at, m| *at >= oldest || !m.is_empty());
        lapsed
    }
}
