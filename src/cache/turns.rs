//! One fetch for many: who comes first for something leads, the others wait for what it brings. A leader that gives up
//! brings nothing, and the first of those who wait leads on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::keep::Kept;
use super::larder::Address;
use crate::bounds;
use crate::reason::Reason;

/// What came of a fetch.
#[derive(Clone, Debug)]
pub enum Landed {
    Kept(Arc<Kept>),
    /// It is for one request alone: the others fetch for themselves.
    NotShared,
    /// The origin failed, and would fail them too.
    Failed(Reason),
    /// The origin answered with an error, by this status; with it, where that is nobody's own.
    Trouble(u16, Option<Arc<Kept>>),
    /// Nobody knows: the leader gave up.
    GaveUp,
}

pub enum Joined {
    Lead(Leader),
    Wait(Waiter),
    /// More wait already than may.
    Full,
}

#[derive(Default)]
pub struct Turns {
    all: Mutex<HashMap<u128, Arc<Turn>>>,
    waiting: AtomicUsize,
    bytes: AtomicUsize,
}

struct Turn {
    address: Arc<Address>,
    landed: watch::Sender<Option<Landed>>,
    /// What it brings was made void on its way.
    void: AtomicBool,
}

impl Turns {
    fn all(&self) -> MutexGuard<'_, HashMap<u128, Arc<Turn>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn join(self: &Arc<Turns>, what: u128, address: &Arc<Address>) -> Joined {
        let mut all = self.all();
        if let Some(turn) = all.get(&what).filter(|turn| !turn.void.load(Ordering::Acquire)) {
            let more = |n: usize| (n < bounds::CACHE_WAITERS).then_some(n + 1);
            if self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_err() {
                return Joined::Full;
            }
            return Joined::Wait(Waiter { turns: self.clone(), landed: turn.landed.subscribe() });
        }
        let turn =
            Arc::new(Turn { address: address.clone(), landed: watch::Sender::new(None), void: AtomicBool::new(false) });
        all.insert(what, turn.clone());
        Joined::Lead(Leader { turns: self.clone(), what, turn, landed: false })
    }

    pub fn void(&self, names: impl Fn(&Address) -> bool) {
        for turn in self.all().values().filter(|turn| names(&turn.address)) {
            turn.void.store(true, Ordering::Release);
        }
    }

    pub fn gathers(&self, bytes: usize) -> bool {
        let more = |n: usize| n.checked_add(bytes).filter(|n| *n <= bounds::CACHE_GATHERED_BYTES);
        self.bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
    }

    pub fn gathered(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }
}

/// Who fetches.
pub struct Leader {
    turns: Arc<Turns>,
    what: u128,
    turn: Arc<Turn>,
    landed: bool,
}

impl Leader {
    /// Whether what is fetched may still be kept.
    pub fn is_void(&self) -> bool {
        self.turn.void.load(Ordering::Acquire)
    }

    /// Waits for its own landing, where the fetch goes on by itself.
    pub fn waiter(&self) -> Waiter {
        self.turns.waiting.fetch_add(1, Ordering::AcqRel);
        Waiter { turns: self.turns.clone(), landed: self.turn.landed.subscribe() }
    }

    pub fn land(mut self, landed: Landed) {
        self.end(landed);
    }

    fn end(&mut self, landed: Landed) {
        self.landed = true;
        {
            let mut all = self.turns.all();
            if all.get(&self.what).is_some_and(|turn| Arc::ptr_eq(turn, &self.turn)) {
                all.remove(&self.what);
            }
        }
        self.turn.landed.send_replace(Some(landed));
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if !self.landed {
            self.end(Landed::GaveUp);
        }
    }
}

/// Who waits.
pub struct Waiter {
    turns: Arc<Turns>,
    landed: watch::Receiver<Option<Landed>>,
}

impl Waiter {
    pub async fn landed(mut self) -> Landed {
        match self.landed.wait_for(Option::is_some).await {
            Ok(landed) => landed.clone().unwrap_or(Landed::GaveUp),
            Err(_) => Landed::GaveUp,
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.turns.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}
