//! Permits: so many requests of a portal are with its origins at once. [`Desk::enter`] gives a proof that returns its
//! permit when it is dropped, and takes permits back from those who keep them by being slow. Who comes to a full gate
//! waits: by class first (`shares`), then by standing and in turn (`line`).
//!
//! Does not know: the cache, the origin, why somebody wants in.

mod desk;
mod inside;
mod line;
mod shares;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use desk::{Busy, Desk, Who};
pub use inside::Inside;
pub use line::Standing;

use crate::bounds;
use crate::clock::Now;
use crate::portal::Class;

/// The permits of one portal. Counted across reloads: a new limit does not forget who is inside.
#[derive(Clone, Debug)]
pub struct Gate {
    inside: Arc<Inside>,
    most: u32,
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
    /// How many of this class the gate let in per second of late.
    pub per_second: f32,
}

impl Gate {
    pub fn new(inside: Arc<Inside>, most: u32) -> Gate {
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
            per_second: self.inside.rate(class),
        }
    }

    /// How many may be inside now, of all classes.
    pub fn limit(&self) -> u32 {
        self.most
    }

    fn take(&self, class: Class) -> bool {
        let limit = self.limit();
        let turn = || self.inside.demand().may(class as usize, limit);
        (!self.inside.anybody_waits() || turn()) && self.inside.take(class, limit)
    }

    /// How many of a class may wait. Where the line never empties, waiting longer gets nobody in who would not get in
    /// anyway: then only as many as come in within [`bounds::STANDING_WAIT`].
    fn waiting_most(&self, class: Class) -> u32 {
        if !self.inside.stands(class) {
            return bounds::PERMIT_WAITERS as u32;
        }
        let soon = self.inside.rate(class) * bounds::STANDING_WAIT.as_secs_f32();
        (soon as u32).clamp(bounds::STANDING_WAITERS, bounds::PERMIT_WAITERS as u32)
    }

    /// For how long waiting makes sense.
    fn patience(&self, class: Class) -> Duration {
        if self.inside.stands(class) { bounds::STANDING_PATIENCE } else { bounds::PERMIT_WAIT }
    }

    /// Brings up to date what is reckoned by time; to be called by each worker every [`bounds::SWEEP`].
    pub fn beat(&self, now: Now) {
        self.inside.beat(now);
    }

    /// How many permits slow clients may keep.
    fn slow_most(&self) -> u32 {
        self.limit() / bounds::SLOW_SHARE
    }

    /// Whether so few permits are left, or so many are with slow clients, that slow requests should make room.
    pub fn is_pressed(&self) -> bool {
        let slow = self.inside.slow.load(std::sync::atomic::Ordering::Relaxed);
        self.inside() >= self.limit() / 5 * 4 || slow > self.slow_most() / 2
    }

    pub fn inside(&self) -> u32 {
        self.inside.all()
    }
}

/// The counters of all portals by name, so that a reload finds them again.
#[derive(Debug, Default)]
pub struct Counters(Mutex<HashMap<String, Arc<Inside>>>);

impl Counters {
    pub fn of(&self, portal: &str) -> Arc<Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(portal.to_owned()).or_default().clone()
    }
}
