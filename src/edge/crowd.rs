//! Everybody who is connected: how many, from where, how long each may take, and who goes first when there is no
//! room. Deadlines are looked at all together every [`bounds::SWEEP`], so a waiting connection needs no timer.
//!
//! Whoever is ended is ended from outside: its whole future is dropped, whatever it was doing.
//!
//! Does not know: what is spoken on a connection.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::num::NonZeroU64;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};
use std::time::Duration;

use slab::Slab;

use super::addresses::{Address, Crowd};
use crate::bounds;
use crate::client::Prefix;
use crate::settings::{Caps, Deadlines};

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing has come yet.
    Fresh,
    Handshake,
    /// A head has begun.
    Head,
    /// Between requests.
    Idle,
    /// Requests are being answered.
    Busy,
    Tunnel,
}

/// One connection's place in the crowd.
pub struct Ticket {
    room: Rc<Room>,
    key: Cell<u32>,
    address: RefCell<Arc<Address>>,
    /// A trusted proxy carries many people: no cap per address, and never evicted for being slow.
    trusted: Cell<bool>,
    phase: Cell<Phase>,
    since: Cell<u64>,
    /// Bytes moved in either direction, and when the last one did.
    moved: Cell<u64>,
    moved_at: Cell<u64>,
    /// Waits of this connection on its client, by its streams.
    waits: Cell<u32>,
    /// How many of its streams are tunnels.
    tunnels: Cell<u16>,
    /// The last time its pace was judged, what had been moved then, and what came out.
    judged: Cell<(u64, u64)>,
    slow: Cell<bool>,
    /// Of the pass that was shown last, enough to know it again.
    pass: Cell<Option<NonZeroU64>>,
    ended: Cell<bool>,
    /// It says goodbye itself when the house drains.
    graceful: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Ticket {
    pub fn phase(&self, phase: Phase) {
        if self.phase.get() != phase {
            self.phase.set(phase);
            self.since.set(self.room.at.get());
        }
    }

    pub fn is(&self, phase: Phase) -> bool {
        self.phase.get() == phase
    }

    /// `n` bytes went in or out.
    pub fn moved(&self, n: usize) {
        self.moved.set(self.moved.get() + n as u64);
        self.moved_at.set(self.room.at.get());
    }

    /// `n` bytes went out.
    pub fn sent(&self, n: usize) {
        self.moved(n);
        self.room.sent.set(self.room.sent.get() + n as u64);
    }

    /// A transfer waits on the client, until the guard is dropped.
    pub fn waits(&self, on: bool) {
        self.waits.set(if on { self.waits.get() + 1 } else { self.waits.get().saturating_sub(1) });
    }

    /// One of its streams became a tunnel, or was one.
    pub fn tunnels(&self, on: bool) {
        self.tunnels.set(if on { self.tunnels.get() + 1 } else { self.tunnels.get().saturating_sub(1) });
    }

    pub fn showed(&self, pass: u128) {
        let mark = NonZeroU64::new(pass as u64 | 1);
        if self.pass.replace(mark) != mark {
            self.room.crowd.saw(&self.address.borrow(), pass, self.room.at.get());
        }
    }

    pub fn says_goodbye(&self) {
        self.graceful.set(true);
    }

    /// The connection stands for another address, as its PROXY header says; false where that has no room for it.
    pub fn speaks_for(&self, address: IpAddr, trusted: bool, caps: &Caps) -> bool {
        let new = self.room.crowd.enter(key_of(address));
        let old = self.address.replace(new);
        self.room.crowd.leave(&old);
        self.trusted.set(trusted);
        self.room.fits(&self.address.borrow().clone(), trusted, caps)
    }

    /// Whether it has been ended; else who asks is woken when it is.
    pub fn is_over(&self, cx: &mut Context<'_>) -> bool {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        self.ended.get()
    }

    pub fn leave(&self) {
        self.room.tickets.borrow_mut().try_remove(self.key.get() as usize);
    }

    fn end(&self) {
        self.ended.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn age(&self) -> u64 {
        self.room.at.get().saturating_sub(self.since.get())
    }

    /// Whether its time is over.
    fn overdue(&self, deadlines: &Deadlines) -> bool {
        let most = |d: Duration| self.age() > d.as_millis() as u64;
        let still = |d: Duration| self.room.at.get().saturating_sub(self.moved_at.get()) > d.as_millis() as u64;
        match self.phase.get() {
            Phase::Fresh => most(deadlines.first_byte),
            Phase::Handshake => most(deadlines.handshake),
            Phase::Head => most(deadlines.head),
            Phase::Idle => most(deadlines.idle),
            Phase::Busy => self.tunnels.get() == 0 && most(deadlines.total) && still(deadlines.total),
            // It has a patience of its own.
            Phase::Tunnel => false,
        }
    }

    /// Judges the pace of a transfer that waits on its client, over a window long enough for a phone's dead spots.
    fn judge(&self, least_rate: u64) {
        let (at, moved) = self.judged.get();
        let now = self.room.at.get();
        let window = bounds::RATE_WINDOW.as_millis() as u64;
        if self.phase.get() != Phase::Busy || self.waits.get() == 0 {
            self.slow.set(false);
            self.judged.set((now, self.moved.get()));
        } else if now.saturating_sub(at) >= window {
            self.slow.set((self.moved.get() - moved) * 1000 < least_rate * window);
            self.judged.set((now, self.moved.get()));
        }
    }

    /// Whether a transfer waits on a client that moves nothing.
    fn stands_still(&self) -> bool {
        let still = self.room.at.get().saturating_sub(self.moved_at.get());
        self.phase.get() == Phase::Busy
            && self.waits.get() > 0
            && still > bounds::STILL_UNDER_PRESSURE.as_millis() as u64
    }

    /// Whether it may make room for another, and how soon it must: lower goes first.
    fn dispensable(&self) -> Option<(bool, u8, u64)> {
        if self.trusted.get() || self.ended.get() {
            return None;
        }
        let rank = match self.phase.get() {
            Phase::Fresh | Phase::Handshake | Phase::Head => {
                if self.age() < bounds::EVICT_AGE.as_millis() as u64 {
                    return None;
                }
                0
            }
            Phase::Busy if self.slow.get() => 0,
            Phase::Idle => 1,
            Phase::Busy | Phase::Tunnel => return None,
        };
        Some((self.pass.get().is_some(), rank, self.since.get()))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.room.crowd.leave(&self.address.borrow());
    }
}

/// One worker's connections.
pub struct Room {
    crowd: Arc<Crowd>,
    tickets: RefCell<Slab<Rc<Ticket>>>,
    /// Milliseconds, as of the last sweep: near enough for deadlines.
    at: Cell<u64>,
    /// Bytes sent to clients since they were last asked for.
    sent: Cell<u64>,
    draining: Cell<bool>,
}

fn key_of(address: IpAddr) -> u128 {
    Prefix::of(address, 32, 64).0
}

impl Room {
    pub fn new(crowd: Arc<Crowd>, at: u64) -> Rc<Room> {
        Rc::new(Room {
            crowd,
            tickets: RefCell::default(),
            at: Cell::new(at),
            sent: Cell::new(0),
            draining: Cell::new(false),
        })
    }

    pub fn open(&self) -> usize {
        self.tickets.borrow().len()
    }

    pub fn take_sent(&self) -> u64 {
        self.sent.take()
    }

    pub fn draining(&self) -> bool {
        self.draining.get()
    }

    /// No more requests: connections that have none end now, others are woken to hear of it.
    pub fn drain(&self) {
        self.draining.set(true);
        let tickets: Vec<Rc<Ticket>> = self.tickets.borrow().iter().map(|(_, t)| t.clone()).collect();
        for ticket in tickets {
            if ticket.is(Phase::Idle) && !ticket.graceful.get() {
                ticket.end();
            } else if let Some(waker) = ticket.waker.borrow().as_ref() {
                waker.wake_by_ref();
            }
        }
    }

    /// A place for a new connection; `None` where there is no room and nobody makes any.
    pub fn admit(self: &Rc<Room>, address: IpAddr, trusted: bool, caps: &Caps) -> Option<Rc<Ticket>> {
        let address = self.crowd.enter(key_of(address));
        let at = self.at.get();
        let ticket = Rc::new(Ticket {
            room: self.clone(),
            key: Cell::new(u32::MAX),
            address: RefCell::new(address.clone()),
            trusted: Cell::new(trusted),
            phase: Cell::new(Phase::Fresh),
            since: Cell::new(at),
            moved: Cell::new(0),
            moved_at: Cell::new(at),
            waits: Cell::new(0),
            tunnels: Cell::new(0),
            judged: Cell::new((at, 0)),
            slow: Cell::new(false),
            pass: Cell::new(None),
            ended: Cell::new(false),
            graceful: Cell::new(false),
            waker: RefCell::new(None),
        });
        let total = caps.connections.min(self.crowd.most);
        let full = self.crowd.open.load(Ordering::Relaxed) > total;
        if full && self.evict(None, total / bounds::EVICT_SHARE) == 0 {
            return None;
        }
        if !self.fits(&address, trusted, caps) {
            return None;
        }
        // Far fewer than descriptors, which are counted in 31 bits.
        ticket.key.set(self.tickets.borrow_mut().insert(ticket.clone()) as u32);
        Some(ticket)
    }

    fn fits(&self, address: &Arc<Address>, trusted: bool, caps: &Caps) -> bool {
        let cap = cap_of(address, caps);
        trusted
            || address.open.load(Ordering::Relaxed) <= cap
            || self.evict(Some(address.key), cap / bounds::EVICT_SHARE) > 0
    }

    /// Ends up to `wanted` connections (at least one) that can be spared, of one address or of the greediest ones.
    fn evict(&self, of: Option<u128>, wanted: usize) -> usize {
        let tickets = self.tickets.borrow();
        let mut spare: Vec<_> = tickets
            .iter()
            .filter_map(|(_, ticket)| {
                let address = ticket.address.borrow();
                if of.is_some_and(|key| key != address.key) {
                    return None;
                }
                let (pass, rank, since) = ticket.dispensable()?;
                let greed = usize::MAX - address.open.load(Ordering::Relaxed);
                Some(((pass, greed, rank, since), ticket.clone()))
            })
            .collect();
        drop(tickets);
        let wanted = wanted.max(1).min(spare.len());
        if wanted == 0 {
            return 0;
        }
        spare.select_nth_unstable_by_key(wanted - 1, |(key, _)| *key);
        spare[..wanted].iter().for_each(|(_, ticket)| ticket.end());
        wanted
    }

    /// Ends what is overdue, and where it is crowded, or the gates are `pressed`, what is slow. `now` in milliseconds.
    pub fn sweep(&self, now: u64, pressed: bool, deadlines: &Deadlines, caps: &Caps) {
        self.at.set(now);
        let total = caps.connections.min(self.crowd.most);
        let short = pressed;
        let pressed = pressed || self.crowd.open.load(Ordering::Relaxed) > total / 5 * 4;
        let tickets: Vec<Rc<Ticket>> = self.tickets.borrow().iter().map(|(_, t)| t.clone()).collect();
        for ticket in tickets {
            ticket.judge(deadlines.least_rate);
            let crowded = ticket.address.borrow().is_crowded(now, caps.crowded);
            let spared = ticket.trusted.get() || ticket.pass.get().is_some();
            let slow = !spared && ticket.slow.get() && (pressed || crowded);
            let still = !spared && short && ticket.stands_still();
            if slow || still || ticket.overdue(deadlines) {
                ticket.end();
            }
        }
    }
}

/// Grows with the passes that live behind an address: a mobile operator's carries thousands of people.
fn cap_of(address: &Address, caps: &Caps) -> usize {
    caps.per_address + address.passes.load(Ordering::Relaxed) * bounds::CONNECTIONS_PER_PASS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps() -> Caps {
        Caps { connections: 1000, per_address: 10, crowded: 5, ..Caps::default() }
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_full_address_gives_up_its_idle_ones_and_passes_make_it_wider() {
        let crowd = Arc::new(Crowd::new(100_000));
        let room = Room::new(crowd, 0);
        let mut held: Vec<_> = (0..10).filter_map(|_| room.admit(ip(1), false, &caps())).collect();
        assert_eq!(held.len(), 10);
        held.iter().for_each(|t| t.phase(Phase::Busy));
        assert!(room.admit(ip(1), false, &caps()).is_none(), "busy ones stay, and a new one finds no room");
        held[3].phase(Phase::Idle);
        held[4].phase(Phase::Idle);
        held[3].showed(7);
        // The pass widened the cap, so take that room first.
        for _ in 0..bounds::CONNECTIONS_PER_PASS {
            let ticket = room.admit(ip(1), false, &caps()).unwrap();
            ticket.phase(Phase::Busy);
            held.push(ticket);
        }
        assert!(room.admit(ip(1), false, &caps()).is_some());
        assert!(held[4].ended.get() && !held[3].ended.get(), "whoever showed a pass goes last");
        assert!(room.admit(ip(2), false, &caps()).is_some(), "another address has its own");
        assert!((0..50).all(|_| room.admit(ip(3), true, &caps()).is_some()), "a trusted proxy has none");
    }

    #[test]
    fn a_full_house_takes_from_the_greediest() {
        let crowd = Arc::new(Crowd::new(100_000));
        let room = Room::new(crowd, 0);
        let caps = Caps { connections: 20, per_address: 100, ..caps() };
        let greedy: Vec<_> = (0..15).filter_map(|_| room.admit(ip(1), false, &caps)).collect();
        let modest: Vec<_> = (2..7).filter_map(|n| room.admit(ip(n), false, &caps)).collect();
        greedy.iter().chain(&modest).for_each(|t| t.phase(Phase::Idle));
        assert!(room.admit(ip(9), false, &caps).is_some());
        assert_eq!(greedy.iter().filter(|t| t.ended.get()).count(), 1);
        assert!(modest.iter().all(|t| !t.ended.get()));
    }

    #[test]
    fn deadlines_and_slowness_are_judged_by_phase() {
        let crowd = Arc::new(Crowd::new(100_000));
        let room = Room::new(crowd, 0);
        let deadlines = Deadlines::default();
        let head = room.admit(ip(1), false, &caps()).unwrap();
        head.phase(Phase::Head);
        let slow: Vec<_> = (0..6).filter_map(|_| room.admit(ip(2), false, &caps())).collect();
        let citizen = room.admit(ip(3), false, &caps()).unwrap();
        for ticket in slow.iter().chain([&citizen]) {
            ticket.phase(Phase::Busy);
            ticket.waits(true);
        }
        slow[0].showed(1);
        room.sweep(deadlines.head.as_millis() as u64, false, &deadlines, &caps());
        assert!(!head.ended.get());
        room.sweep(deadlines.head.as_millis() as u64 + 1, false, &deadlines, &caps());
        assert!(head.ended.get());
        let window = bounds::RATE_WINDOW.as_millis() as u64;
        slow[1].moved(256 * 61);
        room.sweep(window + 1, false, &deadlines, &caps());
        assert!(!slow[0].ended.get() && !slow[1].ended.get() && slow[2].ended.get());
        assert!(!citizen.ended.get(), "nobody is pressed for slowness where there is room");
    }

    #[test]
    fn who_came_with_a_crowd_is_judged_with_it_when_most_have_left() {
        let room = Room::new(Arc::new(Crowd::new(100_000)), 0);
        let mut many: Vec<_> = (0..6).filter_map(|_| room.admit(ip(2), false, &caps())).collect();
        let last = many.pop().unwrap();
        last.phase(Phase::Busy);
        last.waits(true);
        room.sweep(1, false, &Deadlines::default(), &caps());
        many.drain(..).for_each(|ticket| ticket.leave());
        assert_eq!(last.address.borrow().open.load(Ordering::Relaxed), 1);
        room.sweep(bounds::RATE_WINDOW.as_millis() as u64 + 1, false, &Deadlines::default(), &caps());
        assert!(last.ended.get());
    }
}
