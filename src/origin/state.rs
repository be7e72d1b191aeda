//! How an origin has been doing, as all workers see it together: requests with it, connections to it, failures in a
//! row, whether it is left out for a while, and what the active checks say.
//!
//! Does not know: sockets, requests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::bounds;
use crate::clock::Now;
use crate::portal::OriginAddress;

/// The states of all origins, by portal and address: they outlive reloads.
#[derive(Debug, Default)]
pub struct Fleet(Mutex<HashMap<(String, OriginAddress), Arc<State>>>);

impl Fleet {
    pub fn state(&self, portal: &str, address: &OriginAddress) -> Arc<State> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry((portal.to_owned(), address.clone())).or_default().clone()
    }
}

#[derive(Debug, Default)]
pub struct State {
    /// Requests that it is at.
    in_flight: AtomicU32,
    connections: AtomicU32,
    tunnels: AtomicU32,
    /// Failures without a success between.
    failures: AtomicU32,
    /// Answers and failures of late, halved now and then.
    asked: AtomicU32,
    missed: AtomicU32,
    ejections: AtomicU32,
    /// Its circuit is open: few may try it at once, until as many answers came in a row.
    open: AtomicBool,
    proven: AtomicU32,
    /// Monotonic nanoseconds until which it is left out, and from which it gets its share back; 0: never was.
    out_until: AtomicU64,
    /// By the active checks: misses, or hits, in a row.
    sick: AtomicBool,
    streak: AtomicU32,
}

/// An active check's answers in a row that change its mind.
const MISSES: u32 = 2;
const HITS: u32 = 2;

impl State {
    /// It answered; when that was is asked only where it has been out.
    pub fn succeeded(&self, now: impl FnOnce() -> Now) {
        if self.failures.load(Ordering::Relaxed) > 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        self.counted(false);
        if self.is_open() {
            if self.proven.fetch_add(1, Ordering::Relaxed) + 1 < bounds::TRIALS {
                return;
            }
            self.open.store(false, Ordering::Relaxed);
            // From now on it gets its share back.
            self.out_until.store(now().mono, Ordering::Relaxed);
            return;
        }
        if self.ejections.load(Ordering::Relaxed) > 0 {
            let back = self.out_until.load(Ordering::Relaxed) + bounds::RETURN_OVER.as_nanos() as u64;
            if now().mono > back {
                self.ejections.store(0, Ordering::Relaxed);
            }
        }
    }

    /// It refused, broke off, hung or talked nonsense.
    pub fn failed(&self, now: Now) {
        let in_a_row = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        let often = self.counted(true);
        self.proven.store(0, Ordering::Relaxed);
        // Whose circuit is open has one chance: what was under way when it opened is no further failure.
        let again = self.is_open() && now.mono >= self.out_until.load(Ordering::Relaxed);
        if in_a_row >= bounds::EJECT_AFTER || often || again {
            self.failures.store(0, Ordering::Relaxed);
            self.asked.store(0, Ordering::Relaxed);
            self.missed.store(0, Ordering::Relaxed);
            self.open.store(true, Ordering::Relaxed);
            let times = self.ejections.fetch_add(1, Ordering::Relaxed).min(8);
            let out = bounds::EJECT_FIRST.saturating_mul(1 << times).min(bounds::EJECT_LONGEST);
            self.out_until.store(now.mono + out.as_nanos() as u64, Ordering::Relaxed);
        }
    }

    /// Counts what came of a request; whether too many fail, of enough.
    fn counted(&self, failed: bool) -> bool {
        let missed = if failed { self.missed.fetch_add(1, Ordering::Relaxed) + 1 } else { 0 };
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        if asked >= bounds::BREAKER_WINDOW {
            self.asked.store(asked / 2, Ordering::Relaxed);
            self.missed.store(self.missed.load(Ordering::Relaxed) / 2, Ordering::Relaxed);
        }
        asked >= bounds::BREAKER_WINDOW / 4 && missed * 2 >= asked
    }

    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether there is room for one more: an open circuit has it for a few trials only.
    fn takes(&self) -> bool {
        !self.is_open() || self.in_flight.load(Ordering::Relaxed) < bounds::TRIALS
    }

    /// The active check's answer.
    pub fn checked(&self, well: bool) {
        if well != self.sick.load(Ordering::Relaxed) {
            self.streak.store(0, Ordering::Relaxed);
            return;
        }
        let needed = if well { HITS } else { MISSES };
        if self.streak.fetch_add(1, Ordering::Relaxed) + 1 >= needed {
            self.streak.store(0, Ordering::Relaxed);
            self.sick.store(!well, Ordering::Relaxed);
        }
    }

    pub fn usable(&self, now: Now) -> bool {
        !self.sick.load(Ordering::Relaxed) && now.mono >= self.out_until.load(Ordering::Relaxed) && self.takes()
    }

    /// How loaded it is for its share: one that comes back is given a tenth of its share first, then more.
    pub fn load(&self, now: Now) -> u64 {
        let busy = u64::from(self.in_flight.load(Ordering::Relaxed)) + 1;
        let back = self.out_until.load(Ordering::Relaxed);
        let over = bounds::RETURN_OVER.as_nanos() as u64;
        let since = now.mono.saturating_sub(back);
        let share = if back == 0 || since >= over { 100 } else { 10 + since * 90 / over };
        busy * 10_000 / share
    }

    /// A place among its connections; `None` where all are taken.
    pub fn connect(self: &Arc<State>, most: u32) -> Option<Slot> {
        self.slot(|state| &state.connections, most)
    }

    /// A place among its tunnels. They may be half of its connections: they stay open for days, and requests need
    /// the others.
    pub fn tunnel(self: &Arc<State>, connections: u32) -> Option<Slot> {
        self.slot(|state| &state.tunnels, connections.div_ceil(2))
    }

    fn slot(self: &Arc<State>, of: fn(&State) -> &AtomicU32, most: u32) -> Option<Slot> {
        let more = |n: u32| (n < most).then_some(n + 1);
        of(self).fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Slot(self.clone(), of))
    }

    pub fn enter(self: &Arc<State>) -> At {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        At(self.clone())
    }
}

/// One of an origin's connections, or of its tunnels.
#[derive(Debug)]
pub struct Slot(Arc<State>, fn(&State) -> &AtomicU32);

impl Drop for Slot {
    fn drop(&mut self) {
        self.1(&self.0).fetch_sub(1, Ordering::AcqRel);
    }
}

/// One of the requests that an origin is at.
#[derive(Debug)]
pub struct At(Arc<State>);

impl Drop for At {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Which of the origins to ask: the least loaded of those that are well, else of all that were not tried, where an open
/// circuit takes a few at a time and no more; equal ones take turns. `None`: nobody may be asked now.
pub fn choose(states: &[Arc<State>], tried: &[usize], turn: usize, now: Now) -> Option<usize> {
    let left = || (0..states.len()).map(|i| (i + turn) % states.len()).filter(|i| !tried.contains(i));
    let least = |well: bool| {
        left()
            .filter(|i| if well { states[*i].usable(now) } else { states[*i].takes() })
            .min_by_key(|i| states[*i].load(now))
    };
    least(true).or_else(|| least(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        let mono = seconds * crate::clock::SECOND;
        Now { mono, wall: mono }
    }

    #[test]
    fn the_least_loaded_is_asked_and_the_broken_left_out() {
        let states: Vec<Arc<State>> = (0..3).map(|_| Arc::default()).collect();
        let mut asked: Vec<_> = (0..3).map(|turn| choose(&states, &[], turn, at(1)).unwrap()).collect();
        asked.sort_unstable();
        assert_eq!(asked, [0, 1, 2], "equal ones take turns");
        let _busy = (states[0].enter(), states[1].enter());
        assert_eq!(choose(&states, &[], 0, at(1)), Some(2));
        assert_eq!(choose(&states, &[2], 0, at(1)), Some(0));
        for _ in 0..bounds::EJECT_AFTER {
            states[2].failed(at(10));
        }
        assert_eq!(choose(&states, &[], 0, at(11)), Some(0));
        assert_eq!(choose(&states[2..], &[], 0, at(11)), Some(0), "the only one is asked all the same");
        let back = 10 + bounds::EJECT_FIRST.as_secs();
        assert!(states[2].usable(at(back)));
        assert!(states[2].load(at(back)) > states[0].load(at(back)), "it returns slowly");
        assert!(states[2].load(at(back + 60)) < states[0].load(at(back + 60)));
        states[0].checked(false);
        assert!(states[0].usable(at(100)));
        states[0].checked(false);
        assert!(!states[0].usable(at(100)));
        states[0].checked(true);
        states[0].checked(true);
        assert!(states[0].usable(at(100)));
    }

    #[test]
    fn an_open_circuit_takes_a_few_trials_at_a_time_and_closes_by_answers() {
        let states: Vec<Arc<State>> = vec![Arc::default()];
        let asked = |at_: u64| choose(&states, &[], 0, at(at_));
        // Half of its answers fail, never many in a row.
        let mut n = 0;
        while !states[0].is_open() && n < bounds::BREAKER_WINDOW {
            if n % 2 == 0 {
                states[0].succeeded(|| at(1))
            } else {
                states[0].failed(at(1))
            }
            n += 1;
        }
        let trials: Vec<At> = (0..bounds::TRIALS).map(|_| (asked(2), states[0].enter()).1).collect();
        assert_eq!(asked(2), None, "no more at once");
        assert_eq!(asked(1000), None, "however long they hang");
        drop(trials);
        assert_eq!(asked(2), Some(0));
        (1..bounds::TRIALS).for_each(|_| states[0].succeeded(|| at(10)));
        states[0].failed(at(10));
        assert!(!states[0].usable(at(11)), "one failure among the trials, and it waits longer");
        (0..bounds::TRIALS).for_each(|_| states[0].succeeded(|| at(40)));
        let _many: Vec<At> = (0..100).map(|_| states[0].enter()).collect();
        assert_eq!(asked(41), Some(0), "it is closed");
    }

    #[test]
    fn connections_are_capped() {
        let state: Arc<State> = Arc::default();
        let held = state.connect(1);
        assert!(held.is_some() && state.connect(1).is_none());
        drop(held);
        assert!(state.connect(1).is_some());
        let tunnels = [state.tunnel(4), state.tunnel(4)];
        assert!(tunnels.iter().all(Option::is_some) && state.tunnel(4).is_none());
        drop(tunnels);
        assert!(state.tunnel(1).is_some());
    }
}
