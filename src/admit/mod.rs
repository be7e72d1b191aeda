//! Permits: at most `max_in_flight` requests of a portal are with its origins at once. [`Gate::enter`] gives a
//! proof that returns its permit when it is dropped.
//!
//! Does not know: the cache, the origin, why somebody wants in.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::proofs::Admitted;

/// The permits of one portal. Counted across reloads: a new limit does not forget who is inside.
#[derive(Clone, Debug)]
pub struct Gate {
    inside: Arc<AtomicU32>,
    most: u32,
}

/// Too many are inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl Gate {
    pub fn new(inside: Arc<AtomicU32>, most: u32) -> Gate {
        Gate { inside, most }
    }

    /// # Errors
    /// [`Busy`] when `max_in_flight` requests are inside.
    pub fn enter(&self) -> Result<Admitted, Busy> {
        let more = |n: u32| (n < self.most).then_some(n + 1);
        self.inside.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).map_err(|_| Busy)?;
        let inside = self.inside.clone();
        Ok(Admitted::assertion(move || {
            inside.fetch_sub(1, Ordering::AcqRel);
        }))
    }

    /// Whether so few permits are left that slow requests should make room.
    pub fn is_pressed(&self) -> bool {
        self.inside() >= self.most / 5 * 4
    }

    pub fn inside(&self) -> u32 {
        self.inside.load(Ordering::Relaxed)
    }
}

/// The counters of all portals by name, so that a reload finds them again.
#[derive(Debug, Default)]
pub struct Counters(Mutex<HashMap<String, Arc<AtomicU32>>>);

impl Counters {
    pub fn of(&self, portal: &str) -> Arc<AtomicU32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(portal.to_owned()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_than_the_limit_stays_outside_until_one_leaves() {
        let counters = Counters::default();
        let gate = Gate::new(counters.of("p"), 2);
        let first = gate.enter().ok();
        let _second = gate.enter().ok().unwrap();
        assert!(gate.enter().is_err());
        // A reload makes a new gate over the same count.
        assert!(Gate::new(counters.of("p"), 2).enter().is_err());
        drop(first);
        assert_eq!(gate.inside(), 1);
        assert!(gate.enter().is_ok());
    }
}
