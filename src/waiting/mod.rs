//! The waiting room: who finds a class's gate full, or is told to by a rule, gets a place in the order of arrival and is called
//! when the origin has room. [`Room::ask`] is the one question: in, or wait, where and for how long.
//!
//! A place belongs to a pass and lapses unless it is renewed; it is used once, for a visit of some minutes. It rides, sealed, in
//! a cookie ([`Seals`]), so that whoever holds it keeps their minute of arrival whatever is lost here; what is kept here says
//! that a pass has one place only, and that it was used.
//!
//! Does not know: pages, cookies, gates, rules, the clock.

mod asked;
mod line;
mod moved;
mod pace;
mod place;
mod saved;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use asked::{Asked, Beat, Came, Holder, Turn, Waits};
use line::Line;
pub use pace::{Estimate, Space};
pub use place::{Place, Seals};
pub use saved::{Count, Counts, used_key};

use crate::portal::Class;

/// Those who wait for one class of one portal.
#[derive(Debug, Default)]
pub struct Room {
    line: Mutex<Line>,
    /// As many as wait for the gate and are not called, for the look that each request costs; and the readers among them.
    at_gate: AtomicU32,
    readers: AtomicU32,
}

impl Room {
    /// Whether somebody waits for the gate, whom a newcomer must not overtake.
    pub fn is_busy(&self) -> bool {
        self.at_gate.load(Ordering::Relaxed) > 0
    }

    /// Whether readers do, whom no other reader must overtake.
    pub fn is_busy_for_readers(&self) -> bool {
        self.readers.load(Ordering::Relaxed) > 0
    }

    /// Whether this holder's visit goes on, or their turn has come; else their place, made where they have none. `now` in seconds
    /// since the Unix epoch, as all times here.
    pub fn ask(&self, asked: &Asked, now: u64) -> Turn {
        self.with(|line| line.ask(asked, now))
    }

    /// The place of a holder who has one; nothing is made, renewed or used.
    pub fn look(&self, holder: u128, now: u64) -> Option<Waits> {
        self.with(|line| line.look(holder, now))
    }

    /// One second's work: who has not renewed goes, and as many are called as there is space for.
    pub fn beat(&self, space: &Space, still: bool, now: u64) -> Beat {
        self.with(|line| line.beat(space, still, now))
    }

    /// A check stands before this holder: their place, if they have one, holds for as long as people take for that. Once, until they
    /// have another pass for it: places are not to be held by asking for checks.
    pub fn checks(&self, holder: u128, now: u64) {
        self.with(|line| line.checks(holder, now));
    }

    /// Whoever held `from` has another pass now: place or visit go with them, unless that has its own. `from` holds nothing until all
    /// that was sealed for it has lapsed, so that of one place never come two. If a visit went along: since when it goes on.
    pub fn moves(&self, from: u128, to: &Holder, now: u64) -> Option<u64> {
        self.with(|line| line.moves(from, to, now))
    }

    /// Some of those whose use was noted on disk one by one so long ago that the note says nothing any more; each is told once.
    pub fn outdated(&self, now: u64) -> Vec<u128> {
        self.with(|line| line.outdated(now))
    }

    /// What is told of the room.
    pub fn counts(&self) -> Counts {
        self.with(|line| line.counts())
    }

    /// All places, to be kept over a restart.
    pub fn save(&self) -> Vec<u8> {
        self.with(|line| line.save())
    }

    /// Takes up what was kept by a process that ended at about `until`: time stood still since.
    pub fn restore(&self, counts: Counts, places: &[u8], used: &[(u128, u64)], until: u64, now: u64) {
        self.with(|line| line.restore(counts, places, used, until, now));
    }

    fn with<R>(&self, work: impl FnOnce(&mut Line) -> R) -> R {
        let mut line = self.line();
        let done = work(&mut line);
        let (all, readers) = line.at_gate();
        self.at_gate.store(all, Ordering::Relaxed);
        self.readers.store(readers, Ordering::Relaxed);
        done
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rooms of one portal, by class.
pub type Suite = [Room; Class::ALL.len()];

/// The rooms of all portals by name, so that a reload finds them again.
#[derive(Debug, Default)]
pub struct Rooms(Mutex<HashMap<String, Arc<Suite>>>);

impl Rooms {
    pub fn of(&self, portal: &str) -> Arc<Suite> {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.entry(portal.to_owned()).or_default().clone()
    }
}

#[cfg(test)]
mod tests;
