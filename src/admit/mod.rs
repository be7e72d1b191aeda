//! Permits: at most `max_in_flight` requests of a portal are with its origins at once. [`Desk::enter`] gives a
//! proof that returns its permit when it is dropped, and takes permits back from those who keep them by being slow.
//!
//! Does not know: the cache, the origin, why somebody wants in.

mod desk;
mod line;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use desk::{Busy, Desk, Who};

use crate::bounds;

/// The permits of one portal. Counted across reloads: a new limit does not forget who is inside.
#[derive(Clone, Debug)]
pub struct Gate {
    inside: Arc<Inside>,
    most: u32,
}

/// How many hold a permit, and how many of those wait on a slow client.
#[derive(Debug, Default)]
pub struct Inside {
    all: AtomicU32,
    slow: AtomicU32,
}

impl Gate {
    pub fn new(inside: Arc<Inside>, most: u32) -> Gate {
        Gate { inside, most }
    }

    fn take(&self) -> bool {
        let more = |n: u32| (n < self.most).then_some(n + 1);
        self.inside.all.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
    }

    /// How many permits slow clients may keep.
    fn slow_most(&self) -> u32 {
        self.most / bounds::SLOW_SHARE
    }

    /// Whether so few permits are left, or so many are with slow clients, that slow requests should make room.
    pub fn is_pressed(&self) -> bool {
        self.inside() >= self.most / 5 * 4 || self.inside.slow.load(Ordering::Relaxed) > self.slow_most() / 2
    }

    pub fn inside(&self) -> u32 {
        self.inside.all.load(Ordering::Relaxed)
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
