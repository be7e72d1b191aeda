//! Permits: so many requests of a portal are with its origins at once. [`Desk::enter`] gives a proof that returns its
//! permit when it is dropped, and takes permits back from those who keep them by being slow. Who comes to a full gate
//! waits: by class first (`shares`), then by standing and in turn (`line`). How many may be inside is the settings' word,
//! or is found by how long answers take (`gradient`); after a
//! failure it comes back in steps (`recovery`).
//!
//! Does not know: the cache, the origin, why somebody wants in.

mod desk;
mod gate;
mod gradient;
mod inside;
mod line;
mod recovery;
mod shares;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use gradient::Learnt;

pub use desk::{Busy, Desk, Who};
pub use gate::{Gate, Heard, Load};
pub use inside::Inside;
pub use line::Standing;

/// The counters of all portals by name, so that a reload finds them again.
#[derive(Debug, Default)]
pub struct Counters(Mutex<HashMap<String, Arc<Inside>>>);

impl Counters {
    pub fn of(&self, portal: &str) -> Arc<Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(portal.to_owned()).or_default().clone()
    }

    /// What was learnt of each portal's origins, to be kept over a restart.
    pub fn save(&self) -> Vec<u8> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let learnt: HashMap<&String, Learnt> = all.iter().map(|(name, inside)| (name, inside.learnt())).collect();
        serde_json::to_vec(&learnt).unwrap_or_default()
    }

    /// Takes up what was kept; what is no such thing is left alone.
    pub fn load(&self, bytes: &[u8]) {
        let learnt: HashMap<String, Learnt> = serde_json::from_slice(bytes).unwrap_or_default();
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        learnt.iter().filter_map(|(name, learnt)| Some((all.get(name)?, learnt))).for_each(|(i, l)| i.learn(l));
    }
}
