//! The permits of one portal, and how many of them there are.
//!
//! Does not know: who waits in which order, requests.

use std::sync::Arc;
use std::time::Duration;

use super::Who;
use super::inside::Inside;
use crate::bounds;
use crate::clock::Now;
use crate::portal::Class;

/// The permits of one portal. Counted across reloads: a new limit does not forget who is inside.
#[derive(Clone, Debug)]
pub struct Gate {
    pub(super) inside: Arc<Inside>,
    /// `None`: adaptive.
    most: Option<u32>,
}

/// What an origin's answer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// So many nanoseconds after it was asked; what takes as long as that is told by its kind. 0: that was not the
    /// origin's doing, or not all of it.
    Answer { kind: usize, nanos: u64 },
    /// It has too much to do: 503, 429, or no answer in time.
    Pushed,
    /// It failed.
    Failed,
}

/// How it goes with one class at a gate, of all workers together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Requests of this class that hold a permit.
    pub inside: u32,
    /// How many may, while all that want in want as much as now; others may have lent it more.
    pub limit: u32,
    /// Who waits at the gate, and how many may.
    pub waiting: u32,
    pub waiting_most: u32,
    /// Those of them who get a copy otherwise.
    pub spared: u32,
    /// How many of this class the gate let in per second of late.
    pub per_second: f32,
    /// The most of it in some minutes, where nothing has failed since.
    pub sustained: f32,
}

impl Gate {
    /// With so many permits; `None`: as many as its answers' latency bears.
    pub fn new(inside: Arc<Inside>, most: Option<u32>) -> Gate {
        Gate { inside, most }
    }

    /// How it goes with a class.
    pub fn load(&self, class: Class) -> Load {
        let demand = self.inside.demand();
        Load {
            inside: demand.inside[class as usize],
            limit: demand.share(class as usize, self.limit()),
            waiting: demand.waiting[class as usize],
            waiting_most: self.waiting_most(class),
            spared: self.inside.spared(class),
            per_second: self.inside.rate(class),
            sustained: self.inside.sustained(class),
        }
    }

    /// How many may be inside now, of all classes.
    pub fn limit(&self) -> u32 {
        self.most.unwrap_or_else(|| self.inside.learned()).min(self.inside.cap())
    }

    /// Whether the limit is found by boma.
    pub fn is_adaptive(&self) -> bool {
        self.most.is_none()
    }

    /// Hundredths of the last good limit that are let in after a failure, and since when the origins answer again, in
    /// seconds since the Unix epoch, where they do; `None`: all is well.
    pub fn returning(&self) -> Option<(u32, Option<u64>)> {
        self.inside.returning()
    }

    /// Learns of an answer.
    pub fn hear(&self, heard: Heard) {
        self.inside.ear.hear(heard);
    }

    pub(super) fn take(&self, class: Class) -> bool {
        let limit = self.limit();
        let turn = || self.inside.demand().may(class as usize, limit);
        (!self.inside.anybody_waits() || turn()) && self.inside.take(class, limit)
    }

    /// How many of a class may wait. Where the line never empties, waiting longer gets nobody in who would not get in
    /// anyway: then only half as many as may be inside, so that nobody waits longer than an answer takes.
    pub(super) fn waiting_most(&self, class: Class) -> u32 {
        let most = bounds::PERMIT_WAITERS as u32;
        if self.inside.stands(class) { (self.limit() / 2).clamp(bounds::STANDING_WAITERS, most) } else { most }
    }

    /// For how long waiting makes sense.
    pub(super) fn patience(&self, class: Class) -> Duration {
        match self.inside.returning() {
            // It fails: a copy or a statement at once is worth more.
            Some((_, None)) => bounds::FAILING_PATIENCE,
            _ if self.inside.stands(class) => bounds::STANDING_PATIENCE,
            _ => bounds::PERMIT_WAIT,
        }
    }

    /// Brings up to date what is reckoned by time; to be called by each worker every [`bounds::SWEEP`].
    pub fn beat(&self, now: Now) {
        self.inside.beat(now, self.most);
    }

    /// Whether what is free is for others, who wait on whatever worker.
    pub(super) fn is_for_others(&self, who: Who) -> bool {
        !who.standing.is_ahead() && self.inside.ahead(who.class) > 0
    }

    /// Whether somebody who comes now waits.
    pub fn is_full(&self) -> bool {
        self.inside.anybody_waits() || self.inside() >= self.limit()
    }

    /// How many permits slow clients may keep.
    pub(super) fn slow_most(&self) -> u32 {
        self.limit() / bounds::SLOW_SHARE
    }

    /// Whether so few permits are left, or so many are with slow clients, that slow requests should make room.
    pub fn is_pressed(&self) -> bool {
        let slow = self.inside.slow.load(std::sync::atomic::Ordering::Relaxed);
        let inside = u64::from(self.inside());
        (inside > 0 && inside * 5 >= u64::from(self.limit()) * 4) || slow > self.slow_most() / 2
    }

    pub fn inside(&self) -> u32 {
        self.inside.all()
    }
}
