//! One worker's desk: it gives permits out, sees at each beat whose transfers wait on their clients, and takes permits
//! back where slow clients hold more than their share.
//!
//! Does not know: sockets, bodies.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use slab::Slab;

use super::Gate;
use crate::bounds;
use crate::proofs::{Admitted, Permit};

/// Too many are inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// Whose request it is, as far as it matters for who makes room.
#[derive(Clone, Copy, Debug)]
pub struct Who {
    /// The client's prefix.
    pub address: u128,
    pub pass: bool,
}

/// The permits that one worker has given out.
#[derive(Default)]
pub struct Desk {
    held: RefCell<Slab<Rc<Held>>>,
    waiting: Cell<usize>,
}

struct Held {
    desk: Rc<Desk>,
    key: Cell<usize>,
    gate: Gate,
    who: Who,
    /// It waits on its client, for so many beats.
    waits: Cell<bool>,
    beats: Cell<u32>,
    /// It is counted among the slow.
    slow: Cell<bool>,
    taken: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Desk {
    /// A permit of this gate. Where all are given out, waits for one for up to [`bounds::PERMIT_WAIT`].
    ///
    /// # Errors
    /// [`Busy`] when none came back in time, or too many wait already.
    pub async fn enter(self: &Rc<Desk>, gate: &Gate, who: Who) -> Result<Admitted, Busy> {
        if gate.take() {
            return Ok(self.hand_out(gate, who));
        }
        if self.waiting.get() >= bounds::PERMIT_WAITERS {
            return Err(Busy);
        }
        let _waiting = Waiting::new(self);
        let tries = bounds::PERMIT_WAIT.as_millis() / bounds::PERMIT_LOOK.as_millis();
        for _ in 0..tries {
            // Who gives one back may be another worker, which cannot be waited for; look again.
            tokio::time::sleep(bounds::PERMIT_LOOK).await;
            if gate.take() {
                return Ok(self.hand_out(gate, who));
            }
        }
        Err(Busy)
    }

    fn hand_out(self: &Rc<Desk>, gate: &Gate, who: Who) -> Admitted {
        let held = Rc::new(Held {
            desk: self.clone(),
            key: Cell::new(0),
            gate: gate.clone(),
            who,
            waits: Cell::new(false),
            beats: Cell::new(0),
            slow: Cell::new(false),
            taken: Cell::new(false),
            waker: RefCell::new(None),
        });
        held.key.set(self.held.borrow_mut().insert(held.clone()));
        Admitted::assertion(held)
    }

    /// Looks over all permits; to be called every [`bounds::SWEEP`]. Where slow clients hold more than their share of
    /// a gate, those go first that showed no pass, then those of the greediest address, then who has stood longest.
    pub fn beat(&self) {
        let mut slow = Vec::new();
        let most = if self.waiting.get() > 0 { bounds::SLOW_BEATS_WANTED } else { bounds::SLOW_BEATS };
        for (_, held) in self.held.borrow().iter().filter(|(_, held)| held.waits.get() && !held.taken.get()) {
            held.beats.set(held.beats.get().saturating_add(1));
            if held.beats.get() >= most {
                held.slow(true);
                slow.push(held.clone());
            }
        }
        if !slow.iter().any(|held| held.is_too_many()) {
            return;
        }
        let mut greed: HashMap<u128, usize> = HashMap::new();
        slow.iter().for_each(|held| *greed.entry(held.who.address).or_default() += 1);
        slow.sort_unstable_by_key(|held| {
            let greed = greed.get(&held.who.address).copied().unwrap_or(0);
            (held.who.pass, usize::MAX - greed, u32::MAX - held.beats.get())
        });
        slow.iter().filter(|held| held.is_too_many()).for_each(|held| held.take_back());
    }
}

impl Held {
    fn slow(&self, on: bool) {
        if self.slow.replace(on) == on {
            return;
        }
        match on {
            true => self.gate.inside.slow.fetch_add(1, Ordering::Relaxed),
            false => self.gate.inside.slow.fetch_sub(1, Ordering::Relaxed),
        };
    }

    /// Asked anew for each, as taking one back changes the answer, for other workers too.
    fn is_too_many(&self) -> bool {
        self.gate.inside.slow.load(Ordering::Relaxed) > self.gate.slow_most()
    }

    fn take_back(&self) {
        self.slow(false);
        self.taken.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Permit for Held {
    fn waits(&self, waker: &Waker) {
        self.waits.set(true);
        let mut kept = self.waker.borrow_mut();
        if !kept.as_ref().is_some_and(|w| w.will_wake(waker)) {
            *kept = Some(waker.clone());
        }
    }

    fn moves(&self) {
        self.waits.set(false);
        self.beats.set(0);
        self.slow(false);
    }

    fn is_taken(&self) -> bool {
        self.taken.get()
    }

    fn leave(&self) {
        self.slow(false);
        self.desk.held.borrow_mut().try_remove(self.key.get());
        self.gate.inside.all.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Counts who waits for a permit, however the waiting ends.
struct Waiting<'a>(&'a Desk);

impl Waiting<'_> {
    fn new(desk: &Desk) -> Waiting<'_> {
        desk.waiting.set(desk.waiting.get() + 1);
        Waiting(desk)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::Context;

    use super::super::Counters;
    use super::*;

    fn who(address: u128) -> Who {
        Who { address, pass: false }
    }

    /// Without waiting: the first look only.
    fn enter(desk: &Rc<Desk>, gate: &Gate, who: Who) -> Option<Admitted> {
        if !gate.take() {
            return None;
        }
        Some(desk.hand_out(gate, who))
    }

    #[test]
    fn one_more_than_the_limit_stays_outside_until_one_leaves() {
        let (desk, counters) = (Rc::new(Desk::default()), Counters::default());
        let gate = Gate::new(counters.of("p"), 2);
        let first = enter(&desk, &gate, who(1));
        let _second = enter(&desk, &gate, who(1)).unwrap();
        assert!(enter(&desk, &gate, who(1)).is_none());
        // A reload makes a new gate over the same count.
        assert!(enter(&desk, &Gate::new(counters.of("p"), 2), who(1)).is_none());
        drop(first);
        assert_eq!(gate.inside(), 1);
        assert!(enter(&desk, &gate, who(1)).is_some());
    }

    #[test]
    fn who_comes_to_a_full_gate_waits_a_moment_for_a_permit() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (desk, gate) = (Rc::new(Desk::default()), Gate::new(Counters::default().of("p"), 1));
            let first = desk.enter(&gate, who(1)).await.ok();
            let mut second = pin!(desk.enter(&gate, who(2)));
            assert!(second.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            drop(first);
            assert!(second.await.is_ok());
            let _third = desk.enter(&gate, who(1)).await.ok();
            assert_eq!(desk.enter(&gate, who(2)).await.err(), Some(Busy));
            assert_eq!(desk.waiting.get(), 0);
        });
    }

    #[test]
    fn slow_clients_keep_their_share_and_the_greediest_without_a_pass_go_first() {
        let (desk, gate) = (Rc::new(Desk::default()), Gate::new(Counters::default().of("p"), 8));
        let mut held: Vec<Admitted> = (0..4).filter_map(|_| enter(&desk, &gate, who(1))).collect();
        held.push(enter(&desk, &gate, Who { address: 1, pass: true }).unwrap());
        held.push(enter(&desk, &gate, who(2)).unwrap());
        let busy = enter(&desk, &gate, who(1)).unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..bounds::SLOW_BEATS {
            assert!(held.iter().all(|h| !h.is_taken()));
            held.iter().for_each(|h| h.waits(&mut cx));
            desk.beat();
        }
        let taken: Vec<bool> = held.iter().map(Admitted::is_taken).collect();
        assert_eq!(taken.iter().filter(|t| **t).count(), 2, "half of the gate is theirs");
        assert!(taken[..4].iter().filter(|t| **t).count() == 2, "of the greediest, without a pass");
        assert!(!busy.is_taken());
        assert_eq!(gate.inside.slow.load(Ordering::Relaxed), 4);
        // Who moves is slow no more, and a permit that is let go of is counted nowhere.
        held[5].moves();
        assert_eq!(gate.inside.slow.load(Ordering::Relaxed), 3);
        drop(held);
        assert_eq!((gate.inside.slow.load(Ordering::Relaxed), gate.inside(), desk.held.borrow().len()), (0, 1, 1));
    }
}
