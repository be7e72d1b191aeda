//! The hall behind the staff door: who sits in it, and who makes room when it is full. Some places are the staff's alone
//! (by the list `staff`); where there is none left, whoever is not of them goes, the idle before the busy and the
//! address with the most places first.
//!
//! Does not know: what is asked, what a token says.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::bounds;
use crate::clock::Clock;

/// One connection.
pub struct Seat {
    pub address: IpAddr,
    staff: bool,
    /// It has shown a token.
    known: AtomicBool,
    /// A request of it is being answered.
    busy: AtomicBool,
    /// When a byte moved last.
    last: AtomicU64,
    leave: Notify,
}

impl Seat {
    pub fn has_shown_a_token(&self) {
        self.known.store(true, Relaxed);
    }

    pub fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Relaxed);
    }

    /// Returns when it must make room.
    pub async fn must_leave(&self) {
        self.leave.notified().await;
    }
}

/// All connections. On the door's own thread.
#[derive(Default)]
pub struct Hall(RefCell<Vec<Arc<Seat>>>);

impl Hall {
    /// A place for whoever comes, made where there is none; `None` where nobody may be sent away for them.
    pub fn enter(&self, address: IpAddr, staff: bool, now: u64) -> Option<Arc<Seat>> {
        let mut seats = self.0.borrow_mut();
        let others = seats.iter().filter(|s| !s.staff).count();
        let room = seats.len() < bounds::ADMIN_CONNECTIONS
            && (staff || others < bounds::ADMIN_CONNECTIONS - bounds::ADMIN_STAFF_PLACES);
        if !room {
            let at = goes(&seats, staff)?;
            seats.swap_remove(at).leave.notify_one();
        }
        let seat = Arc::new(Seat {
            address,
            staff,
            known: AtomicBool::new(false),
            busy: AtomicBool::new(false),
            last: AtomicU64::new(now),
            leave: Notify::new(),
        });
        seats.push(seat.clone());
        Some(seat)
    }

    pub fn leave(&self, seat: &Arc<Seat>) {
        self.0.borrow_mut().retain(|s| !Arc::ptr_eq(s, seat));
    }

    /// Sends away whoever stands still: not a byte came or was taken.
    pub fn sweep(&self, now: u64) {
        let still = bounds::ADMIN_STILL.as_nanos() as u64;
        self.0.borrow_mut().retain(|s| {
            let stays = now.saturating_sub(s.last.load(Relaxed)) < still;
            if !stays {
                s.leave.notify_one();
            }
            stays
        });
    }
}

/// Who goes for somebody new.
fn goes(seats: &[Arc<Seat>], for_staff: bool) -> Option<usize> {
    let mut held: HashMap<IpAddr, usize> = HashMap::new();
    seats.iter().for_each(|s| *held.entry(s.address).or_default() += 1);
    // For one of the staff anybody else goes, and of themselves whoever is idle; others only take the places of idle ones.
    let may_go = |s: &&(usize, &Arc<Seat>)| {
        let (staff, busy) = (s.1.staff, s.1.busy.load(Relaxed));
        if for_staff { !(staff && busy) } else { !staff && !busy }
    };
    let order = |s: &&(usize, &Arc<Seat>)| {
        let seat = s.1;
        let held = held.get(&seat.address).copied().unwrap_or(0);
        (seat.staff, seat.busy.load(Relaxed), seat.known.load(Relaxed), Reverse(held), seat.last.load(Relaxed))
    };
    let all: Vec<(usize, &Arc<Seat>)> = seats.iter().enumerate().collect();
    all.iter().filter(may_go).min_by_key(order).map(|(at, _)| *at)
}

/// A connection that notes on its seat when a byte moves.
pub struct Watched {
    stream: TcpStream,
    seat: Arc<Seat>,
    clock: Clock,
}

impl Watched {
    pub fn new(stream: TcpStream, seat: Arc<Seat>, clock: Clock) -> Watched {
        Watched { stream, seat, clock }
    }

    fn moved<T>(&self, polled: Poll<T>) -> Poll<T> {
        if polled.is_ready() {
            self.seat.last.store(self.clock.now().mono, Relaxed);
        }
        polled
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.moved(polled)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.moved(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = bounds::ADMIN_CONNECTIONS;
    const OTHERS: usize = MOST - bounds::ADMIN_STAFF_PLACES;

    fn address(n: usize) -> IpAddr {
        IpAddr::from([127, 1, (n / 256) as u8, (n % 256) as u8])
    }

    fn sits(hall: &Hall, seat: &Arc<Seat>) -> bool {
        hall.0.borrow().iter().any(|s| Arc::ptr_eq(s, seat))
    }

    #[test]
    fn some_places_are_the_staffs_and_the_greedy_make_room_first() {
        let hall = Hall::default();
        let prometheus = hall.enter(address(1), false, 0).unwrap();
        let greedy: Vec<_> = (1..=1000).map(|now| hall.enter(address(2), false, now).unwrap()).collect();
        assert_eq!(hall.0.borrow().len(), OTHERS);
        assert!(sits(&hall, &prometheus), "one place against 191");
        assert!(!sits(&hall, &greedy[0]) && sits(&hall, &greedy[999]));
        let newcomer = hall.enter(address(3), false, 1001).unwrap();
        assert!(sits(&hall, &newcomer) && hall.0.borrow().len() == OTHERS);
        let staff: Vec<_> = (0..bounds::ADMIN_STAFF_PLACES).map(|_| hall.enter(address(9), true, 5).unwrap()).collect();
        assert_eq!(hall.0.borrow().len(), MOST);
        let one_more = hall.enter(address(9), true, 1002).unwrap();
        assert!(sits(&hall, &one_more) && staff.iter().all(|s| sits(&hall, s)), "staff stays while others can go");
        assert!(sits(&hall, &prometheus) && sits(&hall, &newcomer) && hall.0.borrow().len() == MOST);
    }

    #[test]
    fn the_busy_stay_but_for_staff_and_who_showed_a_token_goes_late() {
        let hall = Hall::default();
        let all: Vec<_> = (0..OTHERS).map(|n| hall.enter(address(n), false, 10).unwrap()).collect();
        all.iter().for_each(|s| s.set_busy(true));
        assert!(hall.enter(address(999), false, 11).is_none(), "nobody idle, nobody of the staff");
        all[7].set_busy(false);
        all[7].has_shown_a_token();
        all[8].set_busy(false);
        hall.enter(address(999), false, 12).unwrap();
        assert!(sits(&hall, &all[7]) && !sits(&hall, &all[8]));
        let staff: Vec<_> = (0..MOST).map(|n| hall.enter(address(n), true, 13).unwrap()).collect();
        assert!(staff.iter().all(|s| sits(&hall, s)), "for staff the busy go too");
        staff.iter().for_each(|s| s.set_busy(true));
        assert!(hall.enter(address(5), true, 14).is_none(), "all are staff's and busy");
        staff[3].set_busy(false);
        assert!(hall.enter(address(5), true, 15).is_some() && !sits(&hall, &staff[3]));
        staff[5].last.store(15 + bounds::ADMIN_STILL.as_nanos() as u64, Relaxed);
        hall.sweep(15 + bounds::ADMIN_STILL.as_nanos() as u64);
        assert_eq!(hall.0.borrow().len(), 1, "who stands still goes");
        hall.leave(&staff[5]);
        assert!(hall.0.borrow().is_empty());
    }
}
