//! How fast a line moves: as many are called as the origin really takes in, felt for second by second, and from what was called
//! of late an honest range of how long it still takes.
//!
//! Does not know: who waits.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::bounds;

/// What there is behind the door, as the gate says it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Space {
    /// Permits that nobody holds or waits for.
    pub free: u32,
    /// How many wait at the gate itself, of how many that may.
    pub queued: u32,
    pub queued_most: u32,
    /// How many the gate let in per second of late, and the most of some minutes in which all was well.
    pub per_second: f32,
    pub sustained: f32,
}

/// Whole minutes, between which it lies most likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Estimate {
    pub from: u32,
    pub to: u32,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Pace {
    /// Calls a second; 0 before the first.
    rate: f32,
    /// Of a call that is not whole yet.
    part: f32,
    /// Calls by slots of [`bounds::PLACE_SLOT`] seconds, the newest last.
    slots: VecDeque<(u64, u32)>,
}

impl Pace {
    /// How many to call in this second. Up while there is room and down where the gate's own line is long: what the origin
    /// sustains shows itself there, whatever each who is let in asks for.
    pub fn calls(&mut self, room: &Space) -> u32 {
        let shown = room.per_second.max(1.0);
        // What is due to the line, whoever else comes.
        let least = (room.per_second / bounds::PLACE_SHARE as f32).max(0.1);
        if self.rate <= 0.0 {
            // What it bore a moment ago and is not asked for now is there to be given at once.
            let spare = if room.free > 0 { room.sustained - room.per_second } else { 0.0 };
            self.rate = spare.max(shown * 0.25).max(1.0);
        }
        if room.queued_most > 0 && room.queued >= room.queued_most {
            (self.rate, self.part) = ((self.rate * 0.7).max(least), 0.0);
            if room.per_second < bounds::PLACE_SHARE as f32 {
                return 0;
            }
            return least.round() as u32;
        }
        if room.free > 0 {
            self.rate += 1.0 + self.rate * 0.1;
            if room.queued == 0 {
                // Half of what it bore of late and is not asked for.
                self.rate = self.rate.max((room.sustained - room.per_second) * 0.5);
            }
        } else if room.queued * 4 <= room.queued_most {
            self.rate += 0.5 + self.rate * 0.05;
        } else if room.queued * 2 > room.queued_most {
            self.rate *= 0.9;
        }
        // More than this it has not shown that it can.
        self.rate = self.rate.clamp(least, (shown * 1.5).max(room.sustained) + room.free as f32);
        let whole = self.rate + self.part;
        self.part = whole.fract();
        whole as u32
    }

    /// Nobody waits: who comes next finds things as they will be then.
    pub fn rest(&mut self) {
        (self.rate, self.part) = (0.0, 0.0);
    }

    /// Calls a second, now.
    pub fn rate(&self) -> f32 {
        self.rate
    }

    /// `n` were called. Told every second while somebody waits, or a line that stands would look as fast as before.
    pub fn called(&mut self, n: u32, now: u64) {
        let slot = now / bounds::PLACE_SLOT;
        match self.slots.back_mut() {
            Some((at, calls)) if *at == slot => *calls += n,
            _ => self.slots.push_back((slot, n)),
        }
        while self.slots.front().is_some_and(|(at, _)| at + (bounds::PLACE_SLOTS as u64) <= slot) {
            self.slots.pop_front();
        }
    }

    /// How long it takes until `ahead` more have been called; `None` where nobody can know.
    pub fn estimate(&self, ahead: u32, now: u64) -> Option<Estimate> {
        let slot = now / bounds::PLACE_SLOT;
        let (all, long) = self.since(slot.saturating_sub(bounds::PLACE_SLOTS as u64), now)?;
        if all < bounds::PLACE_TOLD_AFTER.0 || long < bounds::PLACE_TOLD_AFTER.1 as f32 {
            return None;
        }
        let whole = all as f32 / long;
        let recent = self.since(slot.saturating_sub(6), now).map_or(whole, |(n, t)| n as f32 / t.max(1.0));
        let (slow, fast) = (whole.min(recent) * 0.7, whole.max(recent) * 1.3);
        let minutes = |rate: f32| ahead as f32 / rate / 60.0;
        let to = minutes(slow).ceil();
        if !to.is_finite() || to > bounds::PLACE_MINUTES_TOLD as f32 {
            return None;
        }
        let from = (minutes(fast) as u32).max(1);
        Some(Estimate { from, to: (to as u32).max(from + 1) })
    }

    /// Calls from a slot on, and the seconds since its beginning.
    fn since(&self, slot: u64, now: u64) -> Option<(u32, f32)> {
        let of_it = || self.slots.iter().filter(|(at, _)| *at >= slot);
        let first = of_it().next()?.0 * bounds::PLACE_SLOT;
        Some((of_it().map(|(_, n)| n).sum(), (now.saturating_sub(first) + 1) as f32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An origin of so many a second, with so many permits, behind a gate with a line of its own.
    fn run(pace: &mut Pace, capacity: f32, each: f32, seconds: u64, from: u64) -> Vec<(u32, u32)> {
        let (mut queued, mut done) = (0.0_f32, 0.0);
        (from..from + seconds)
            .map(|now| {
                let free = ((capacity - done) * 2.0).max(0.0) as u32;
                let room = Space { free, queued: queued as u32, queued_most: 100, per_second: done, sustained: 0.0 };
                let calls = pace.calls(&room);
                pace.called(calls, now);
                queued += calls as f32 * each;
                done = queued.min(capacity);
                queued -= done;
                (calls, queued as u32)
            })
            .collect()
    }

    #[test]
    fn a_line_moves_as_fast_as_the_origin_takes_people_in() {
        for (capacity, each) in [(200.0, 1.0), (200.0, 5.0), (5.0, 1.0)] {
            let mut pace = Pace::default();
            let seen = run(&mut pace, capacity, each, 120, 1_000);
            let late: u32 = seen[60..].iter().map(|(n, _)| n).sum();
            let part = late as f32 * each / 60.0 / capacity;
            assert!((0.85..=1.05).contains(&part), "{capacity} by {each}: {part} of what it can");
            assert!(seen.iter().all(|(_, queued)| *queued < 220), "the gate's line stays short: {seen:?}");
        }
    }

    #[test]
    fn a_line_begins_to_move_as_fast_as_was_sustained_a_moment_ago() {
        let idle = Space { free: 20, queued: 0, queued_most: 10, per_second: 10.0, sustained: 200.0 };
        assert!(Pace::default().calls(&idle) >= 190);
        let busy = Space { free: 0, per_second: 190.0, ..idle };
        assert!(Pace::default().calls(&busy) <= 60, "what others take is not there to be given");
        let unknown = Space { free: 20, sustained: 0.0, ..idle };
        assert!(Pace::default().calls(&unknown) <= 5, "felt for, where nothing is known");
        // Whoever comes later finds things as they are then.
        let mut pace = Pace::default();
        (0..60).for_each(|_| {
            let _ = pace.calls(&Space { queued: 10, ..busy });
        });
        assert!((80..110).contains(&pace.calls(&idle)), "who stands there when it gets better does not wait for long");
        pace.rest();
        assert!(pace.calls(&idle) >= 190);
    }

    #[test]
    fn a_share_is_the_line_s_however_many_come_who_need_not_wait() {
        let full = Space { free: 0, queued: 10, queued_most: 10, per_second: 150.0, sustained: 150.0 };
        let mut pace = Pace::default();
        let called: u32 = (0..60).map(|_| pace.calls(&full)).sum();
        assert!((300..=420).contains(&called), "{called} in a minute of 9,000");
        let dead = Space { per_second: 0.0, ..full };
        assert_eq!((0..60).map(|_| pace.calls(&dead)).sum::<u32>(), 0, "nobody is called to what lets nobody in");
    }

    #[test]
    fn an_estimate_is_a_range_that_holds_or_none() {
        let mut pace = Pace::default();
        assert_eq!(pace.estimate(10, 1_000), None, "nobody was called yet");
        (0..10).for_each(|s| pace.called(2, 1_000 + s));
        assert_eq!(pace.estimate(10, 1_010), None, "too early to tell");
        (10..600).for_each(|s| pace.called(2, 1_000 + s));
        let told = pace.estimate(1_200, 1_600).unwrap();
        assert!(told.from < 10 && told.to > 10 && told.to <= 15, "ten minutes at two a second: {told:?}");
        let near = pace.estimate(1, 1_600).unwrap();
        assert_eq!((near.from, near.to), (1, 2));
        // It slows down: the range widens to what is now, and at a stand it is none.
        (600..700).for_each(|s| pace.called(u32::from(s % 2 == 0), 1_000 + s));
        let told = pace.estimate(600, 1_700).unwrap();
        assert!(told.from <= 5 && told.to >= 20, "{told:?}");
        (700..1_100).for_each(|s| pace.called(0, 1_000 + s));
        assert_eq!(pace.estimate(600, 2_100), None);
    }
}
