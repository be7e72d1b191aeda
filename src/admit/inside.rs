//! What all workers count together of one portal: who is inside, who waits, how many came in of late.
//!
//! Does not know: lines, whose turn it is, how the limit is found.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::gradient::{Ear, Gradient, Learnt};
use super::recovery::Recovery;
use super::shares::Demand;
use crate::bounds;
use crate::clock::{Now, SECOND};
use crate::portal::Class;

/// How many classes there are.
pub const CLASSES: usize = Class::ALL.len();

/// Counted across reloads. What a request touches lies together.
#[derive(Debug)]
#[repr(align(64))]
pub struct Inside {
    all: AtomicU32,
    /// The most since the last beat.
    peak: AtomicU32,
    /// As many as were found to be good.
    learned: AtomicU32,
    /// As many as may come in while the origins come back, and the step in hundredths; all where they are well.
    cap: AtomicU32,
    percent: AtomicU32,
    /// Seconds since the Unix epoch at which they began to come back; 0: they are well, or fail.
    back_since: AtomicU64,
    pub(super) slow: AtomicU32,
    by: [AtomicU32; CLASSES],
    waiting_all: AtomicU32,
    waiting: [AtomicU32; CLASSES],
    /// Those of them who get a copy otherwise, and who go ahead of those of whom little is known.
    spared: [AtomicU32; CLASSES],
    ahead: [AtomicU32; CLASSES],
    /// Permits given out of late, by class, and ever.
    came: [AtomicU32; CLASSES],
    ever: AtomicU32,
    /// How many came in per second, as bits of an f32.
    rates: [AtomicU32; CLASSES],
    /// The most of it in some minutes, likewise.
    sustained: [AtomicU32; CLASSES],
    /// For how many beats the line of a class has not been empty.
    stood: [AtomicU32; CLASSES],
    beaten: AtomicU64,
    /// Rung when a permit comes back while somebody waits.
    pub(super) bell: Notify,
    pub(super) ear: Ear,
    mind: Mutex<Mind>,
}

/// What is counted apart of somebody who waits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    pub spared: bool,
    pub ahead: bool,
}

/// What the beat reckons with.
#[derive(Debug, Default)]
struct Mind {
    gradient: Gradient,
    recovery: Recovery,
}

/// Hundredths where all is well.
const ALL: u32 = u32::MAX;

impl Default for Inside {
    fn default() -> Inside {
        let zeros = || std::array::from_fn(|_| AtomicU32::new(0));
        Inside {
            all: AtomicU32::new(0),
            peak: AtomicU32::new(0),
            learned: AtomicU32::new(bounds::LIMIT_FIRST),
            cap: AtomicU32::new(u32::MAX),
            percent: AtomicU32::new(ALL),
            back_since: AtomicU64::new(0),
            slow: AtomicU32::new(0),
            by: zeros(),
            waiting_all: AtomicU32::new(0),
            waiting: zeros(),
            spared: zeros(),
            ahead: zeros(),
            came: zeros(),
            ever: AtomicU32::new(0),
            rates: zeros(),
            sustained: zeros(),
            stood: zeros(),
            beaten: AtomicU64::new(0),
            bell: Notify::new(),
            ear: Ear::default(),
            mind: Mutex::default(),
        }
    }
}

impl Inside {
    pub(super) fn learned(&self) -> u32 {
        self.learned.load(Ordering::Relaxed)
    }

    pub(super) fn learnt(&self) -> Learnt {
        self.mind().gradient.save()
    }

    pub(super) fn learn(&self, learnt: &Learnt) {
        let mut mind = self.mind();
        mind.gradient.load(learnt);
        self.learned.store(mind.gradient.now(), Ordering::Relaxed);
    }

    fn mind(&self) -> MutexGuard<'_, Mind> {
        self.mind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn all(&self) -> u32 {
        self.all.load(Ordering::Relaxed)
    }

    /// Takes a permit of so many.
    pub(super) fn take(&self, class: Class, limit: u32) -> bool {
        let more = |n: u32| (n < limit).then_some(n + 1);
        let taken = self.all.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        if let Ok(before) = taken {
            if before >= self.peak.load(Ordering::Relaxed) {
                self.peak.store(before + 1, Ordering::Relaxed);
            }
            self.by[class as usize].fetch_add(1, Ordering::Relaxed);
            self.came[class as usize].fetch_add(1, Ordering::Relaxed);
            self.ever.fetch_add(1, Ordering::Relaxed);
        }
        taken.is_ok()
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

    pub(super) fn spared(&self, class: Class) -> u32 {
        self.spared[class as usize].load(Ordering::Relaxed)
    }

    /// On whatever worker they wait.
    pub(super) fn ahead(&self, class: Class) -> u32 {
        self.ahead[class as usize].load(Ordering::Relaxed)
    }

    pub(super) fn joins(&self, class: Class, marks: Marks) {
        self.spared[class as usize].fetch_add(u32::from(marks.spared), Ordering::Relaxed);
        self.ahead[class as usize].fetch_add(u32::from(marks.ahead), Ordering::Relaxed);
        self.waiting[class as usize].fetch_add(1, Ordering::Relaxed);
        self.waiting_all.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn goes(&self, class: Class, marks: Marks) {
        self.spared[class as usize].fetch_sub(u32::from(marks.spared), Ordering::Relaxed);
        self.ahead[class as usize].fetch_sub(u32::from(marks.ahead), Ordering::Relaxed);
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

    /// The most that came in per second in some minutes; nothing while the origins fail or come back.
    pub(super) fn sustained(&self, class: Class) -> f32 {
        match self.returning() {
            Some(_) => 0.0,
            None => f32::from_bits(self.sustained[class as usize].load(Ordering::Relaxed)),
        }
    }

    /// Whether the line of a class has not been empty for a while: more want in than come in.
    pub(super) fn stands(&self, class: Class) -> bool {
        self.stood[class as usize].load(Ordering::Relaxed) >= bounds::STANDING_BEATS
    }

    /// Brings up to date what is reckoned by time; of all workers one does it.
    pub(super) fn beat(&self, now: Now, most: Option<u32>) {
        let before = self.beaten.load(Ordering::Relaxed);
        let since = now.mono.saturating_sub(before);
        let due = since >= bounds::SWEEP.as_nanos() as u64 / 2;
        if !due || self.beaten.compare_exchange(before, now.mono, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return;
        }
        let since = if before == 0 { bounds::SWEEP.as_nanos() as u64 } else { since };
        let seconds = since as f64 / SECOND as f64;
        let weight = 1.0 - (-seconds / bounds::RATE_MEMORY.as_secs_f64()).exp();
        for i in 0..CLASSES {
            let came = f64::from(self.came[i].swap(0, Ordering::Relaxed)) / seconds;
            let rate = f64::from(f32::from_bits(self.rates[i].load(Ordering::Relaxed)));
            let rate = rate + (came - rate) * weight;
            self.rates[i].store((rate as f32).to_bits(), Ordering::Relaxed);
            let fades = (-seconds / bounds::SUSTAINED_MEMORY.as_secs_f64()).exp();
            let most = f64::from(f32::from_bits(self.sustained[i].load(Ordering::Relaxed))) * fades;
            self.sustained[i].store((most.max(rate) as f32).to_bits(), Ordering::Relaxed);
            let empty = self.waiting[i].load(Ordering::Relaxed) == 0;
            let stood = if empty { 0 } else { self.stood[i].load(Ordering::Relaxed).saturating_add(1) };
            self.stood[i].store(stood, Ordering::Relaxed);
        }
        let peak = self.peak.swap(self.all(), Ordering::Relaxed);
        let window = self.ear.take(peak, since);
        let mut mind = self.mind();
        let learned = mind.gradient.hear(&window);
        self.learned.store(learned, Ordering::Relaxed);
        // What is wanted of a fixed limit is that it holds; its latency is watched for the way back all the same.
        let strain = mind.gradient.strain();
        mind.recovery.hear(&window, most.unwrap_or(learned), strain);
        self.cap.store(mind.recovery.cap().unwrap_or(u32::MAX), Ordering::Relaxed);
        self.percent.store(mind.recovery.percent().unwrap_or(ALL), Ordering::Relaxed);
        match (mind.recovery.is_back(), self.back_since.load(Ordering::Relaxed)) {
            (false, _) => self.back_since.store(0, Ordering::Relaxed),
            (true, 0) => self.back_since.store(now.unix(), Ordering::Relaxed),
            (true, _) => {}
        }
    }

    pub(super) fn cap(&self) -> u32 {
        self.cap.load(Ordering::Relaxed)
    }

    /// Hundredths of the last good limit that are let in, and since when the origins answer again; `None`: all is well.
    pub(super) fn returning(&self) -> Option<(u32, Option<u64>)> {
        let percent = self.percent.load(Ordering::Relaxed);
        let since = self.back_since.load(Ordering::Relaxed);
        (percent != ALL).then_some((percent, (since > 0).then_some(since)))
    }
}
