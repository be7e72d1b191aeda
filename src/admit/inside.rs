//! What all workers count together of one portal: who is inside, who waits, how many came in of late.
//!
//! Does not know: lines, whose turn it is, how the limit is found.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tokio::sync::Notify;

use super::shares::Demand;
use crate::bounds;
use crate::clock::{Now, SECOND};
use crate::portal::Class;

/// How many classes there are.
pub const CLASSES: usize = Class::ALL.len();

/// Counted across reloads. What a request touches lies together.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Inside {
    all: AtomicU32,
    pub(super) slow: AtomicU32,
    by: [AtomicU32; CLASSES],
    waiting_all: AtomicU32,
    waiting: [AtomicU32; CLASSES],
    /// Permits given out of late, by class, and ever.
    came: [AtomicU32; CLASSES],
    ever: AtomicU32,
    /// How many came in per second, as bits of an f32.
    rates: [AtomicU32; CLASSES],
    /// For how many beats the line of a class has not been empty.
    stood: [AtomicU32; CLASSES],
    beaten: AtomicU64,
    /// Rung when a permit comes back while somebody waits.
    pub(super) bell: Notify,
}

impl Inside {
    pub(super) fn all(&self) -> u32 {
        self.all.load(Ordering::Relaxed)
    }

    /// Takes a permit of so many.
    pub(super) fn take(&self, class: Class, limit: u32) -> bool {
        let more = |n: u32| (n < limit).then_some(n + 1);
        let taken = self.all.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok();
        if taken {
            self.by[class as usize].fetch_add(1, Ordering::Relaxed);
            self.came[class as usize].fetch_add(1, Ordering::Relaxed);
            self.ever.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    pub(super) fn give_back(&self, class: Class) {
        self.by[class as usize].fetch_sub(1, Ordering::Relaxed);
        self.all.fetch_sub(1, Ordering::AcqRel);
        if self.anybody_waits() {
            self.bell.notify_waiters();
        }
    }

    pub(super) fn anybody_waits(&self) -> bool {
        self.waiting_all.load(Ordering::Relaxed) > 0
    }

    pub(super) fn waiting(&self, class: Class) -> u32 {
        self.waiting[class as usize].load(Ordering::Relaxed)
    }

    pub(super) fn joins(&self, class: Class) {
        self.waiting[class as usize].fetch_add(1, Ordering::Relaxed);
        self.waiting_all.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn goes(&self, class: Class) {
        self.waiting[class as usize].fetch_sub(1, Ordering::Relaxed);
        self.waiting_all.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn demand(&self) -> Demand {
        let all = |of: &[AtomicU32; CLASSES]| std::array::from_fn(|i| of[i].load(Ordering::Relaxed));
        Demand { inside: all(&self.by), waiting: all(&self.waiting), turn: self.ever.load(Ordering::Relaxed) }
    }

    /// How many of a class came in per second of late.
    pub(super) fn rate(&self, class: Class) -> f32 {
        f32::from_bits(self.rates[class as usize].load(Ordering::Relaxed))
    }

    /// Whether the line of a class has not been empty for a while: more want in than come in.
    pub(super) fn stands(&self, class: Class) -> bool {
        self.stood[class as usize].load(Ordering::Relaxed) >= bounds::STANDING_BEATS
    }

    /// Brings up to date what is reckoned by time; of all workers one does it. Says after how many nanoseconds it did.
    pub(super) fn beat(&self, now: Now) -> Option<u64> {
        let before = self.beaten.load(Ordering::Relaxed);
        let since = now.mono.saturating_sub(before);
        let due = since >= bounds::SWEEP.as_nanos() as u64 / 2;
        if !due || self.beaten.compare_exchange(before, now.mono, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return None;
        }
        let since = if before == 0 { bounds::SWEEP.as_nanos() as u64 } else { since };
        let seconds = since as f64 / SECOND as f64;
        let weight = 1.0 - (-seconds / bounds::RATE_MEMORY.as_secs_f64()).exp();
        for i in 0..CLASSES {
            let came = f64::from(self.came[i].swap(0, Ordering::Relaxed)) / seconds;
            let rate = f64::from(f32::from_bits(self.rates[i].load(Ordering::Relaxed)));
            self.rates[i].store(((rate + (came - rate) * weight) as f32).to_bits(), Ordering::Relaxed);
            let empty = self.waiting[i].load(Ordering::Relaxed) == 0;
            let stood = if empty { 0 } else { self.stood[i].load(Ordering::Relaxed).saturating_add(1) };
            self.stood[i].store(stood, Ordering::Relaxed);
        }
        Some(since)
    }
}
