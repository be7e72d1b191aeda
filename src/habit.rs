//! How a pass is used: whether its holder reads as people do, whose browsers load a page's parts (style sheets, scripts, pictures,
//! fonts), and how many pages it had from the origin of late. It decides who comes first where the origin cannot serve all, and
//! nothing else: nobody is refused for it, and who loads no parts (text browsers, programs) comes after those who do.
//!
//! What anybody can do a robot can do: one that loads parts is a reader, and has a reader's share, which is one pass's: those who
//! had the least of late come first. Where pages have no parts of the portal's own nobody would be a reader but robots; so it
//! counts only where those who came while all was quiet were ([`Usual`]).
//!
//! A table of fixed size, without locks, as `known`: who was not seen for longest goes.
//!
//! Does not know: requests, portals, what a reader is given.

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use siphasher::sip::SipHasher13;

use crate::bounds;
use crate::seal::Secret;

const WAYS: usize = 8;
/// Of a slot, from below: what the pass had of late, its pages, its parts, the span in which it was last seen; the rest is the hash.
const TOOK: u32 = 8;
const FEW: u32 = 3;
const SPAN: u32 = 14;
const TAG: u32 = TOOK + 2 * FEW + SPAN;

/// What is known of one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habit {
    /// Pages that came, and parts of pages, as far as they matter.
    pages: u8,
    parts: u8,
    /// Pages that the origin was asked for of late.
    pub took: u8,
}

impl Habit {
    pub fn reads(&self) -> bool {
        self.parts >= bounds::HABIT_PARTS
    }

    /// Whether its holder has had, or asked for, a page.
    pub fn is_here(&self) -> bool {
        self.pages > 0 || self.took > 0
    }

    /// Whether it has had so many pages that loading no parts of them says something.
    pub fn is_judged(&self) -> bool {
        self.pages.max(self.took) >= bounds::HABIT_PAGES
    }
}

pub struct Habits {
    slots: Box<[AtomicU64]>,
    keys: (u64, u64),
}

impl Habits {
    /// With a table of `part` of its full size.
    pub fn new(secret: &Secret, part: f64) -> Habits {
        let key = secret.key("boma habits v1").mac(&[]);
        let half = |at: usize| u64::from_le_bytes(key[at..at + 8].try_into().unwrap_or_default());
        let most = ((bounds::HABITS as f64 * part) as usize).max(1).next_multiple_of(WAYS);
        Habits { slots: (0..most).map(|_| AtomicU64::new(0)).collect(), keys: (half(0), half(8)) }
    }

    pub fn look(&self, pass: u128, now: u64) -> Habit {
        let (set, tag) = self.place(pass);
        set.iter().find_map(|slot| opened(slot.load(Ordering::Relaxed), tag, now)).unwrap_or_default()
    }

    /// A page came. At the page at which that is judged: whether its holder reads.
    pub fn page(&self, pass: u128, now: u64) -> Option<bool> {
        let before = self.look(pass, now);
        if before.pages >= bounds::HABIT_PAGES {
            return None;
        }
        let after = self.change(pass, now, |habit| Habit { pages: habit.pages + 1, ..habit });
        (after.pages == bounds::HABIT_PAGES).then(|| after.reads())
    }

    /// A part of a page came.
    pub fn part(&self, pass: u128, now: u64) {
        if !self.look(pass, now).reads() {
            self.change(pass, now, |habit| Habit { parts: habit.parts + 1, ..habit });
        }
    }

    /// The origin was asked for a page.
    pub fn took(&self, pass: u128, now: u64) {
        self.change(pass, now, |habit| Habit { took: habit.took.saturating_add(1), ..habit });
    }

    /// Whoever had this pass has that one now.
    pub fn moved(&self, from: u128, to: u128, now: u64) {
        let habit = self.look(from, now);
        if habit != Habit::default() {
            self.change(from, now, |_| Habit::default());
            self.change(to, now, |_| habit);
        }
    }

    fn change(&self, pass: u128, now: u64, with: impl Fn(Habit) -> Habit) -> Habit {
        let (set, tag) = self.place(pass);
        let of = |slot: &AtomicU64| opened(slot.load(Ordering::Relaxed), tag, now);
        // Of those who were not seen for as long a reader goes last: a flood of passes should not make readers forgotten.
        let worth = |slot: &&AtomicU64| {
            let slot = slot.load(Ordering::Relaxed);
            (age(slot, now), !opened(slot, slot >> TAG, now).unwrap_or_default().reads())
        };
        let oldest = || set.iter().max_by_key(worth);
        let Some(slot) = set.iter().find(|slot| of(slot).is_some()).or_else(oldest) else { return Habit::default() };
        let changed = |old: u64| with(opened(old, tag, now).unwrap_or_default());
        // Of two at once one may be lost, where the slot changes hands: it is a count of what is many.
        let old = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |old| Some(sealed(changed(old), tag, now)));
        changed(old.unwrap_or_default())
    }

    fn place(&self, pass: u128) -> (&[AtomicU64], u64) {
        let mut hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
        hasher.write_u128(pass);
        let hash = hasher.finish();
        let set = (hash as usize % (self.slots.len() / WAYS)) * WAYS;
        (&self.slots[set..set + WAYS], (hash >> TAG).max(1))
    }
}

fn span(now: u64) -> u64 {
    (now / bounds::HABIT_SPAN.as_secs()) & ((1 << SPAN) - 1)
}

/// In spans since a slot was last seen; an empty one is older than any. The spans begin anew after twelve days, long after all
/// is forgotten; what seems to be of the second half of them is of a clock that was ahead.
fn age(slot: u64, now: u64) -> u64 {
    let since = span(now).wrapping_sub(slot >> (TOOK + 2 * FEW)) & ((1 << SPAN) - 1);
    match slot {
        0 => u64::MAX,
        _ if since >> (SPAN - 1) == 1 => 0,
        _ => since,
    }
}

fn opened(slot: u64, tag: u64, now: u64) -> Option<Habit> {
    let age = age(slot, now);
    if slot >> TAG != tag || age > bounds::HABIT_FOR.as_secs() / bounds::HABIT_SPAN.as_secs() {
        return None;
    }
    let few = |at: u32| (slot >> at) as u8 & ((1 << FEW) - 1);
    let took = (slot as u8).checked_shr(u32::try_from(age).unwrap_or(u32::MAX)).unwrap_or(0);
    Some(Habit { pages: few(TOOK), parts: few(TOOK + FEW), took })
}

fn sealed(habit: Habit, tag: u64, now: u64) -> u64 {
    let few = |n: u8| u64::from(n.min((1 << FEW) - 1));
    tag << TAG
        | span(now) << (TOOK + 2 * FEW)
        | few(habit.parts) << (TOOK + FEW)
        | few(habit.pages) << TOOK
        | u64::from(habit.took)
}

/// Whether those who come to a portal load parts of its pages, as was seen while all was quiet: how many came to the page at which
/// that is judged, and how many of them read.
#[derive(Debug, Default)]
pub struct Usual(AtomicU64);

impl Usual {
    pub fn judged(&self, reads: bool) {
        let add = |both: u64| {
            let (mut all, mut readers) = (both >> 32, both & u64::from(u32::MAX));
            if all >= u64::from(bounds::HABIT_HALVED) {
                (all, readers) = (all / 2, readers / 2);
            }
            Some((all + 1) << 32 | (readers + u64::from(reads)))
        };
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Whether to be a reader says anything.
    pub fn tells(&self) -> bool {
        let both = self.0.load(Ordering::Relaxed);
        let (all, readers) = (both >> 32, both & u64::from(u32::MAX));
        all >= u64::from(bounds::HABIT_LEAST) && readers * 2 >= all
    }
}

/// Of all portals by name, so that a reload finds them again.
#[derive(Debug, Default)]
pub struct Usuals(Mutex<HashMap<String, Arc<Usual>>>);

impl Usuals {
    pub fn of(&self, portal: &str) -> Arc<Usual> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(portal.to_owned()).or_default().clone()
    }

    /// To be kept over a restart.
    pub fn save(&self) -> Vec<u8> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen: HashMap<&String, u64> =
            all.iter().map(|(name, usual)| (name, usual.0.load(Ordering::Relaxed))).collect();
        serde_json::to_vec(&seen).unwrap_or_default()
    }

    /// Takes up what was kept; what is no such thing is left alone.
    pub fn load(&self, bytes: &[u8]) {
        let seen: HashMap<String, u64> = serde_json::from_slice(bytes).unwrap_or_default();
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (usual, seen) in seen.iter().filter_map(|(name, seen)| Some((all.get(name)?, seen))) {
            usual.0.store(*seen, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000;

    fn habits() -> Habits {
        Habits::new(&Secret::random().unwrap(), 1.0)
    }

    #[test]
    fn who_has_loaded_parts_is_a_reader_for_as_long_as_a_pass_holds() {
        let habits = habits();
        for _ in 0..bounds::HABIT_PARTS {
            assert!(!habits.look(1, NOW).reads());
            habits.part(1, NOW);
        }
        assert!(habits.look(1, NOW).reads() && !habits.look(2, NOW).reads());
        assert!(habits.look(1, NOW + 11 * 3600).reads() && !habits.look(1, NOW + 13 * 3600).reads());
        habits.took(1, NOW + 11 * 3600);
        assert!(habits.look(1, NOW + 20 * 3600).reads(), "who is seen again and again stays one");
        habits.moved(1, 3, NOW);
        assert!(habits.look(3, NOW).reads() && !habits.look(1, NOW).reads(), "one holder has one reader's pass");
    }

    #[test]
    fn what_somebody_had_of_late_counts_half_after_a_while() {
        let habits = habits();
        (0..1000).for_each(|_| habits.took(1, NOW));
        (0..4).for_each(|_| habits.took(2, NOW));
        let later = |spans: u64| NOW + spans * bounds::HABIT_SPAN.as_secs();
        assert_eq!((habits.look(1, NOW).took, habits.look(2, NOW).took), (255, 4));
        assert_eq!(
            (habits.look(2, later(1)).took, habits.look(2, later(3)).took, habits.look(2, later(600)).took),
            (2, 0, 0)
        );
        assert_eq!(habits.look(3, NOW).took, 0);
    }

    #[test]
    fn readers_are_told_apart_only_where_citizens_are_readers() {
        let (habits, usual) = (habits(), Usual::default());
        let visits = |from: u128, reads: bool| {
            for pass in from..from + 100 {
                habits.part(pass, NOW);
                (0..u8::from(reads)).for_each(|_| habits.part(pass, NOW));
                let judged: Vec<bool> = (0..10).filter_map(|_| habits.page(pass, NOW)).collect();
                assert_eq!(judged, [reads], "each once");
                usual.judged(judged[0]);
            }
        };
        assert!(!usual.tells(), "nothing is known yet");
        visits(0, true);
        assert!(usual.tells());
        visits(1000, false);
        assert!(usual.tells(), "every second one");
        visits(2000, false);
        assert!(!usual.tells(), "pages without parts of the portal's own");
        (0..10_000).for_each(|_| usual.judged(true));
        assert!(usual.tells(), "what is old counts less");
    }

    #[test]
    fn what_is_usual_outlasts_a_restart() {
        let (before, after) = (Usuals::default(), Usuals::default());
        (0..50).for_each(|_| before.of("huduma").judged(true));
        let usual = after.of("huduma");
        after.load(&before.save());
        assert!(usual.tells() && !after.of("tax").tells());
        after.load(b"odd");
        assert!(usual.tells());
    }

    #[test]
    fn a_flood_of_passes_stays_within_the_table_and_readers_that_are_seen_stay_in_it() {
        let habits = Habits::new(&Secret::random().unwrap(), 0.01);
        (0..bounds::HABIT_PARTS).for_each(|_| habits.part(7, NOW));
        for pass in 1000..50_000_u128 {
            let now = NOW + (pass as u64) / 20;
            habits.took(pass, now);
            habits.took(7, now);
        }
        assert!(habits.look(7, NOW + 2500).reads());
    }
}
