//! The only clock. Everything that decides by time is handed a [`Now`], so tests never sleep to be right.
//!
//! Does not know: what anybody does with the time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::time::Sleep;

use crate::bounds;

/// One reading of the clock, taken once per request and pinned in its visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Nanoseconds that never run backwards, counted from the Unix epoch as it stood when the clock was made.
    /// Limits and durations are reckoned in these.
    pub mono: u64,
    /// Nanoseconds since the Unix epoch by the wall clock: what people and expiries mean by "when".
    pub wall: u64,
}

impl Now {
    /// Whole seconds since the Unix epoch.
    pub fn unix(self) -> u64 {
        self.wall / SECOND
    }

    /// Nanoseconds from `earlier` to this reading; 0 where `earlier` is later.
    pub fn since(self, earlier: Now) -> u64 {
        self.mono.saturating_sub(earlier.mono)
    }
}

/// One second, in the nanoseconds that [`Now`] counts.
pub const SECOND: u64 = 1_000_000_000;

/// The system's clock, or one that a test moves by hand.
#[derive(Clone, Debug)]
pub enum Clock {
    System(Arc<Watch>),
    Manual(Arc<AtomicU64>),
}

impl Clock {
    pub fn system() -> Clock {
        Clock::System(Arc::new(Watch::new()))
    }

    /// A clock that stands at `unix` seconds until [`Clock::advance`] moves it.
    pub fn manual(unix: u64) -> Clock {
        Clock::Manual(Arc::new(AtomicU64::new(unix * SECOND)))
    }

    /// Moves a manual clock on; the system's clock takes no orders.
    pub fn advance(&self, by: Duration) {
        if let Clock::Manual(at) = self {
            at.fetch_add(by.as_nanos() as u64, Ordering::Relaxed);
        }
    }

    pub fn now(&self) -> Now {
        match self {
            Clock::System(watch) => watch.now(),
            Clock::Manual(at) => {
                let at = at.load(Ordering::Relaxed);
                Now { mono: at, wall: at }
            }
        }
    }
}

/// The system's two clocks, of which one is asked each time. The wall's is the other and how far apart they were when that
/// was last looked at: it may be set, and then runs on as steadily.
#[derive(Debug)]
pub struct Watch {
    start: Instant,
    epoch: u64,
    /// What is to be added to [`Now::mono`], and until which of it.
    apart: AtomicU64,
    until: AtomicU64,
}

/// Nanoseconds after which the two clocks are compared again.
const COMPARED_FOR: u64 = 10_000_000;

impl Watch {
    fn new() -> Watch {
        Watch { start: Instant::now(), epoch: wall(), apart: AtomicU64::new(0), until: AtomicU64::new(0) }
    }

    fn now(&self) -> Now {
        let mono = self.epoch + self.start.elapsed().as_nanos() as u64;
        if mono >= self.until.load(Ordering::Acquire) {
            self.apart.store(wall().wrapping_sub(mono), Ordering::Relaxed);
            self.until.store(mono + COMPARED_FOR, Ordering::Release);
        }
        Now { mono, wall: mono.wrapping_add(self.apart.load(Ordering::Relaxed)) }
    }
}

fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
}

/// Long work in pieces: between them those who wait for the core get it.
#[derive(Debug)]
pub struct Breath {
    clock: Clock,
    last: AtomicU64,
}

impl Breath {
    pub fn new(clock: Clock) -> Breath {
        Breath { clock, last: AtomicU64::new(0) }
    }

    /// Sleeps for a moment where the last time was some while ago; asked often.
    pub fn take(&self) {
        let since = self.clock.now().mono.saturating_sub(self.last.load(Ordering::Relaxed));
        if since >= bounds::STAFF_PIECE.as_nanos() as u64 {
            std::thread::sleep(bounds::STAFF_BREATH);
            self.last.store(self.clock.now().mono, Ordering::Relaxed);
        }
    }
}

/// A moment at which something is too late. Set again and again it is armed once: it rings for the earlier one, finds that
/// there is time left, and sleeps on.
pub struct Alarm {
    at: tokio::time::Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Default for Alarm {
    fn default() -> Alarm {
        Alarm { at: tokio::time::Instant::now(), sleep: None }
    }
}

impl Alarm {
    /// So far from now.
    pub fn set(&mut self, most: Duration) {
        self.at = tokio::time::Instant::now() + most;
        if self.sleep.as_ref().is_some_and(|sleep| sleep.deadline() > self.at) {
            self.sleep = None;
        }
    }

    /// Ready when it is time.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(self.at)));
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= self.at {
                self.sleep = None;
                return Poll::Ready(());
            }
            sleep.as_mut().reset(self.at);
        }
        Poll::Pending
    }
}

/// How long nothing may move. Armed at the first wait only and pushed on lazily, because most transfers never wait:
/// it runs out after one to two times its length.
pub struct Patience {
    most: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    moved: bool,
}

impl Patience {
    pub fn new(most: Duration) -> Patience {
        Patience { most, sleep: None, moved: false }
    }

    /// Something moved.
    pub fn renew(&mut self) {
        self.moved = true;
    }

    /// Ready when nothing has moved for too long.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.most)));
            ready!(sleep.as_mut().poll(cx));
            if !std::mem::take(&mut self.moved) {
                return Poll::Ready(());
            }
            self.sleep = None;
        }
    }
}
