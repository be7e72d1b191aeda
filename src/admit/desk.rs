//! One worker's desk: it gives permits out in a fair order, sees whose transfers wait on their clients, and takes
//! permits back where slow clients hold more than their share.
//!
//! Does not know: sockets, bodies.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;

use slab::Slab;
use tokio::sync::Notify;

use super::inside::{CLASSES, Marks};
use super::line::{Line, Place, Standing};
use super::{Gate, Inside};
use crate::bounds;
use crate::clock::{Clock, Now};
use crate::portal::Class;
use crate::proofs::{Admitted, Permit};

/// Too many are inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// Whose request it is, as far as it matters for who comes first and who makes room.
#[derive(Clone, Copy, Debug)]
pub struct Who {
    pub class: Class,
    pub standing: Standing,
    /// The client's prefix.
    pub address: u128,
    /// Its pass's id.
    pub pass: Option<u128>,
    /// Pages that it had from the origin of late.
    pub took: u8,
    /// There is a copy for whom there is no room.
    pub spared: bool,
}

impl Who {
    /// Somebody of whom nothing is known.
    #[cfg(test)]
    pub(super) fn stranger(class: Class, address: u128) -> Who {
        Who { class, standing: Standing::Unknown, address, pass: None, took: 0, spared: false }
    }
}

/// The permits that one worker has given out, and who waits for one.
pub struct Desk {
    clock: Clock,
    held: RefCell<Slab<Rc<Held>>>,
    /// By gate and class; of a gate at which nobody waits there are none.
    lines: RefCell<HashMap<*const Inside, Lines>>,
    looked: Cell<Option<Now>>,
}

type Lines = [Line<Rc<Waiter>>; CLASSES];

struct Held {
    desk: Rc<Desk>,
    key: Cell<usize>,
    gate: Gate,
    who: Who,
    /// It waits on its client, as was first seen then.
    waits: Cell<bool>,
    since: Cell<Option<Now>>,
    /// How often it went on after it had waited.
    moved: Cell<u32>,
    /// It is counted among the slow.
    slow: Cell<bool>,
    taken: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// Somebody in a line.
#[derive(Default)]
struct Waiter {
    wake: Notify,
    sent_away: Cell<bool>,
    marks: Marks,
}

impl Desk {
    pub fn new(clock: Clock) -> Desk {
        Desk { clock, held: RefCell::default(), lines: RefCell::default(), looked: Cell::new(None) }
    }

    /// A permit of this gate. Where all that are for its class are given out, waits for one for up to
    /// [`bounds::PERMIT_WAIT`], in the order of [`Line`].
    ///
    /// # Errors
    /// [`Busy`] when none came back in time, or as many as make sense wait already that come before this one.
    pub async fn enter(self: &Rc<Desk>, gate: &Gate, who: Who) -> Result<Admitted, Busy> {
        if !self.has_line(gate, who.class) && !gate.is_for_others(who) && gate.take(who.class) {
            return Ok(self.hand_out(gate, who));
        }
        let spot = Spot::join(self, gate, who);
        let start = self.clock.now();
        loop {
            let patience = gate.patience(who.class);
            let patience = if who.spared { patience.min(bounds::COPY_PATIENCE) } else { patience };
            let look = patience.saturating_sub(waited(start, self.clock.now()));
            if spot.waiter.sent_away.get() || look.is_zero() {
                return Err(Busy);
            }
            if !spot.is_first() {
                let _woken = tokio::time::timeout(look, spot.waiter.wake.notified()).await;
                continue;
            }
            // Asked for before the look, so that no ring between the two is missed.
            let mut rung = pin!(gate.inside.bell.notified());
            rung.as_mut().enable();
            if (spot.is_chosen() || !gate.is_for_others(who)) && gate.take(who.class) {
                spot.let_in();
                return Ok(self.hand_out(gate, who));
            }
            self.look_for_slow();
            tokio::select! {
                () = spot.waiter.wake.notified() => {}
                () = rung => {}
                // A share that others leave is nobody's to ring for.
                () = tokio::time::sleep(look.min(bounds::PERMIT_LOOK)) => {}
            }
        }
    }

    fn has_line(&self, gate: &Gate, class: Class) -> bool {
        let lines = self.lines.borrow();
        lines.get(&Arc::as_ptr(&gate.inside)).is_some_and(|lines| lines[class as usize].len() > 0)
    }

    fn wake_first(&self, gate: &Gate, class: Class) {
        let lines = self.lines.borrow();
        if let Some((_, first)) = lines.get(&Arc::as_ptr(&gate.inside)).and_then(|lines| lines[class as usize].first())
        {
            first.wake.notify_one();
        }
    }

    /// [`Desk::beat`], but not at every ring of the bell.
    fn look_for_slow(&self) {
        let now = self.clock.now();
        if self.looked.get().is_none_or(|at| waited(at, now) >= bounds::PERMIT_LOOK) {
            self.beat();
        }
    }

    fn hand_out(self: &Rc<Desk>, gate: &Gate, who: Who) -> Admitted {
        let held = Rc::new(Held {
            desk: self.clone(),
            key: Cell::new(0),
            gate: gate.clone(),
            who,
            waits: Cell::new(false),
            since: Cell::new(None),
            moved: Cell::new(0),
            slow: Cell::new(false),
            taken: Cell::new(false),
            waker: RefCell::new(None),
        });
        held.key.set(self.held.borrow_mut().insert(held.clone()));
        Admitted::assertion(held)
    }

    /// Looks over all permits; to be called every [`bounds::SWEEP`]. Where slow clients hold more than their share of
    /// a gate, those go first that showed no pass, then those of the greediest address, then who has stood still
    /// longest for what it has moved: a newcomer on a long line and a phone that stalls now and then stay.
    pub fn beat(&self) {
        let now = self.clock.now();
        self.looked.set(Some(now));
        let mut slow = Vec::new();
        for (_, held) in self.held.borrow().iter().filter(|(_, held)| held.waits.get() && !held.taken.get()) {
            let stood = held.stood(now);
            if stood >= if held.gate.inside.anybody_waits() { bounds::SLOW_AFTER_WANTED } else { bounds::SLOW_AFTER } {
                held.slow(true);
                slow.push((stood, held.clone()));
            }
        }
        if !slow.iter().any(|(_, held)| held.is_too_many()) {
            return;
        }
        let mut greed: HashMap<u128, usize> = HashMap::new();
        slow.iter().for_each(|(_, held)| *greed.entry(held.who.address).or_default() += 1);
        slow.sort_by_cached_key(|(stood, held)| {
            let greed = greed.get(&held.who.address).copied().unwrap_or(0);
            let idle = stood.as_millis() / u128::from(held.moved.get() + 1);
            (held.who.pass.is_some(), usize::MAX - greed, u128::MAX - idle)
        });
        slow.iter().filter(|(_, held)| held.is_too_many()).for_each(|(_, held)| held.take_back());
    }
}

fn waited(since: Now, now: Now) -> Duration {
    Duration::from_nanos(now.since(since))
}

impl Held {
    /// For how long it has waited on its client, from the first look that saw it.
    fn stood(&self, now: Now) -> Duration {
        let since = self.since.get().unwrap_or(now);
        self.since.set(Some(since));
        waited(since, now)
    }

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
        if self.waits.replace(false) {
            self.moved.set(self.moved.get().saturating_add(1));
            self.since.set(None);
            self.slow(false);
        }
    }

    fn is_taken(&self) -> bool {
        self.taken.get()
    }

    fn leave(&self) {
        self.slow(false);
        self.desk.held.borrow_mut().try_remove(self.key.get());
        self.gate.inside.give_back(self.who.class);
    }
}

/// A place in a gate's line, left however the waiting ends.
struct Spot<'a> {
    desk: &'a Desk,
    gate: &'a Gate,
    class: Class,
    marks: Marks,
    place: Place,
    waiter: Rc<Waiter>,
}

impl<'a> Spot<'a> {
    fn join(desk: &'a Desk, gate: &'a Gate, who: Who) -> Spot<'a> {
        let (class, marks) = (who.class, Marks { spared: who.spared, ahead: who.standing.is_ahead() });
        let waiter = Rc::new(Waiter { marks, ..Waiter::default() });
        gate.inside.joins(class, marks);
        let mut lines = desk.lines.borrow_mut();
        let line = &mut lines.entry(Arc::as_ptr(&gate.inside)).or_default()[class as usize];
        let place = line.join(who, waiter.clone());
        // Counted over all workers, but each may have a few, or whoever meets the worker with nobody in line would be
        // sent away for the others' crowds.
        // Whoever is given a copy otherwise waits for a moment only, and takes nobody's place: where a line stands elsewhere few others
        // may wait, and a handful of readers at once would have copies although permits come back every few milliseconds.
        let most =
            gate.waiting_most(class).saturating_add(gate.inside.spared(class)).min(bounds::PERMIT_WAITERS as u32);
        while gate.inside.waiting(class) > most
            && line.len() > most as usize / bounds::LINE_OF_A_WORKER
            && let Some(last) = line.pop_last()
        {
            gate.inside.goes(class, last.marks);
            last.sent_away.set(true);
            last.wake.notify_one();
        }
        Spot { desk, gate, class, marks, place, waiter }
    }

    fn with_line<R>(&self, with: impl FnOnce(&mut Line<Rc<Waiter>>) -> R) -> Option<R> {
        let mut lines = self.desk.lines.borrow_mut();
        lines.get_mut(&Arc::as_ptr(&self.gate.inside)).map(|lines| with(&mut lines[self.class as usize]))
    }

    fn is_first(&self) -> bool {
        self.with_line(|line| line.first().is_some_and(|(place, _)| *place == self.place)) == Some(true)
    }

    /// Whether it is first although others go ahead of it: by its share.
    fn is_chosen(&self) -> bool {
        self.with_line(|line| line.has_ahead()) == Some(true)
    }

    fn let_in(&self) {
        self.with_line(|line| line.pass(self.place));
    }
}

impl Drop for Spot<'_> {
    fn drop(&mut self) {
        if !self.waiter.sent_away.get() {
            self.gate.inside.goes(self.class, self.marks);
        }
        self.with_line(|line| line.leave(self.place));
        let mut lines = self.desk.lines.borrow_mut();
        let gate = Arc::as_ptr(&self.gate.inside);
        if lines.get(&gate).is_some_and(|lines| lines.iter().all(|line| line.len() == 0)) {
            lines.remove(&gate);
        }
        drop(lines);
        self.desk.wake_first(self.gate, self.class);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::task::{Context, Poll};

    use super::super::Counters;
    use super::*;

    fn who(address: u128) -> Who {
        Who::stranger(Class::Information, address)
    }

    #[allow(dead_code)]
    fn filing(address: u128) -> Who {
        Who { class: Class::Filing, ..who(address) }
    }

    fn desk() -> Desk {
        Desk::new(Clock::manual(1))
    }

    /// Without waiting: the first look only.
    fn enter(desk: &Rc<Desk>, gate: &Gate, who: Who) -> Option<Admitted> {
        if !gate.take(who.class) {
            return None;
        }
        Some(desk.hand_out(gate, who))
    }

    #[test]
    fn one_more_than_the_limit_stays_outside_until_one_leaves() {
        let (desk, counters) = (Rc::new(desk()), Counters::default());
        let gate = Gate::new(counters.of("p"), Some(2));
        let first = enter(&desk, &gate, who(1));
        let _second = enter(&desk, &gate, who(1)).unwrap();
        assert!(enter(&desk, &gate, who(1)).is_none());
        // A reload makes a new gate over the same count.
        assert!(enter(&desk, &Gate::new(counters.of("p"), Some(2)), who(1)).is_none());
        drop(first);
        assert_eq!(gate.inside(), 1);
        assert!(enter(&desk, &gate, who(1)).is_some());
    }

    #[test]
    fn who_comes_to_a_full_gate_waits_a_moment_for_a_permit() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (desk, gate) = (Rc::new(desk()), Gate::new(Counters::default().of("p"), Some(1)));
            let first = desk.enter(&gate, who(1)).await.ok();
            let mut second = pin!(desk.enter(&gate, who(2)));
            assert!(second.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            drop(first);
            assert!(second.await.is_ok());
            assert!(desk.lines.borrow().is_empty());
        });
    }

    #[test]
    fn slow_clients_keep_their_share_and_the_greediest_without_a_pass_go_first() {
        let (desk, gate) = (Rc::new(desk()), Gate::new(Counters::default().of("p"), Some(8)));
        let mut held: Vec<Admitted> = (0..4).filter_map(|_| enter(&desk, &gate, who(1))).collect();
        held.push(enter(&desk, &gate, Who { pass: Some(9), ..who(1) }).unwrap());
        held.push(enter(&desk, &gate, who(2)).unwrap());
        let busy = enter(&desk, &gate, who(1)).unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        held.iter().for_each(|h| h.waits(&mut cx));
        desk.beat();
        for _ in 0..4 {
            assert!(held.iter().all(|h| !h.is_taken()));
            desk.clock.advance(bounds::SLOW_AFTER / 4);
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

    #[test]
    fn a_slow_citizen_who_moves_now_and_then_outlasts_who_stands_still() {
        let (desk, gate) = (Rc::new(desk()), Gate::new(Counters::default().of("p"), Some(4)));
        let held: Vec<Admitted> = (0..3).filter_map(|_| enter(&desk, &gate, who(1))).collect();
        let mut cx = Context::from_waker(Waker::noop());
        held[0].waits(&mut cx);
        for _ in 0..50 {
            held[0].moves();
            held[0].waits(&mut cx);
        }
        desk.beat();
        desk.clock.advance(Duration::from_secs(10));
        held[1..].iter().for_each(|h| h.waits(&mut cx));
        desk.beat();
        desk.clock.advance(bounds::SLOW_AFTER);
        desk.beat();
        assert!(!held[0].is_taken(), "it stood longest, for a moment of its road");
        assert_eq!(held[1..].iter().filter(|h| h.is_taken()).count(), 1);
    }

    /// Within a runtime, for its timers; no time passes.
    fn timed(test: impl FnOnce()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _guard = runtime.enter();
        test();
    }

    #[test]
    fn who_waits_comes_in_turn_by_address_and_nobody_steps_past() {
        timed(|| {
            let (desk, gate) = (Rc::new(desk()), Gate::new(Counters::default().of("p"), Some(1)));
            let mut inside = enter(&desk, &gate, who(1));
            let mut cx = Context::from_waker(Waker::noop());
            let ask = |address| Some(Box::pin(desk.enter(&gate, who(address))));
            let mut waiting = [1, 1, 1, 2].map(ask);
            for asked in waiting.iter_mut().flatten() {
                assert!(asked.as_mut().poll(&mut cx).is_pending());
            }
            let mut came = Vec::new();
            for _ in 0..4 {
                drop(inside.take());
                for at in [2, 1, 3, 0] {
                    if let Some(Poll::Ready(let_in)) = waiting[at].as_mut().map(|asked| asked.as_mut().poll(&mut cx)) {
                        waiting[at] = None;
                        inside = let_in.ok();
                        came.push((at, inside.is_some()));
                    }
                }
            }
            assert_eq!(came, [(0, true), (3, true), (1, true), (2, true)]);
            assert!(desk.lines.borrow().is_empty());
        });
    }

    #[test]
    fn filing_takes_the_next_permit_of_a_gate_full_of_information() {
        timed(|| {
            let (desk, gate) = (Rc::new(desk()), Gate::new(Counters::default().of("p"), Some(4)));
            let mut inside: Vec<Admitted> = (0..4).filter_map(|n| enter(&desk, &gate, who(n))).collect();
            let mut cx = Context::from_waker(Waker::noop());
            let mut flood: Vec<_> = (10..20).map(|n| Box::pin(desk.enter(&gate, who(n)))).collect();
            assert!(flood.iter_mut().all(|f| f.as_mut().poll(&mut cx).is_pending()));
            let mut files = Box::pin(desk.enter(&gate, filing(30)));
            assert!(files.as_mut().poll(&mut cx).is_pending());
            assert_eq!((gate.load(Class::Filing).waiting, gate.load(Class::Information).waiting), (1, 10));
            inside.pop();
            assert!(flood.iter_mut().all(|f| f.as_mut().poll(&mut cx).is_pending()), "it is filing's");
            let Poll::Ready(Ok(admitted)) = files.as_mut().poll(&mut cx) else { panic!("it comes in") };
            assert_eq!((gate.load(Class::Filing).inside, gate.load(Class::Filing).waiting), (1, 0));
            drop((flood, files, admitted, inside));
            assert_eq!((gate.inside(), gate.load(Class::Information).waiting), (0, 0));
        });
    }

    #[test]
    fn a_full_line_sends_the_last_away_at_once() {
        timed(|| {
            let (desk, gate) = (Rc::new(desk()), Gate::new(Counters::default().of("p"), Some(1)));
            let _inside = enter(&desk, &gate, who(1)).unwrap();
            let mut cx = Context::from_waker(Waker::noop());
            let ask = |address| Box::pin(desk.enter(&gate, who(address)));
            let mut flood: Vec<_> = (0..bounds::PERMIT_WAITERS).map(|_| ask(1)).collect();
            assert!(flood.iter_mut().all(|f| f.as_mut().poll(&mut cx).is_pending()));
            assert!(ask(2).as_mut().poll(&mut cx).is_pending(), "it comes before most of the flood");
            let last = flood.last_mut().unwrap().as_mut().poll(&mut cx);
            assert!(matches!(last, Poll::Ready(Err(Busy))));
            assert!(flood[0].as_mut().poll(&mut cx).is_pending());
        });
    }
}
