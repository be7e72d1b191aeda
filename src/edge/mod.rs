//! The citizens' door: sockets, TLS, who is asking, and the two versions of HTTP. [`work`] runs one
//! worker: accept, TLS, client, then the corridor.
//!
//! Does not know: rules, what an answer means.

mod addresses;
mod answer;
mod attend;
mod conn;
mod crowd;
mod frames;
mod gather;
mod hello;
mod http1;
mod http2;
mod identify;
mod listen;
mod passes;
mod proxy;
mod stream;
mod talk;
mod tcp;
mod tunnel;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub use addresses::Crowd;
pub use frames::{Counter, Offence};
pub use hello::{Hello, parse as parse_hello};
pub use identify::{Field, believed};
pub use listen::{BindFault, Door, Sockets, bind};
pub use proxy::{Parsed, Source, parse as parse_proxy};

use attend::Attended;
use crowd::Room;

use crate::admit::Gate;
use crate::bounds;
use crate::certificate::Keyring;
use crate::force::House;
use crate::serve::Corridor;
use crate::strain::Strain;

const MILLISECOND: u64 = 1_000_000;

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Serving,
    /// No new connections; those there are finish.
    Draining,
}

/// What all workers' doors share.
pub struct Shared {
    pub house: Arc<House>,
    pub keyring: Arc<Keyring>,
    pub crowd: Arc<Crowd>,
    pub phase: watch::Receiver<Phase>,
    pub drain: Duration,
}

/// Runs one worker until the house drains and its last connection has ended, or `drain` is over.
pub async fn work(shared: Shared, doors: Vec<(Door, std::net::TcpListener)>) {
    let Shared { house, keyring, crowd, phase, drain } = shared;
    let corridor = Rc::new(Corridor::new(house.clone()));
    let room = Room::new(crowd, house.now().mono / MILLISECOND);
    let mut accepting = Vec::new();
    for (door, socket) in doors {
        let listener = match TcpListener::from_std(socket) {
            Ok(listener) => listener,
            Err(e) => {
                house.trouble(format!("a worker cannot listen on {}: {e}", door.address));
                continue;
            }
        };
        let post = Rc::new(Post {
            corridor: corridor.clone(),
            house: house.clone(),
            keyring: keyring.clone(),
            room: room.clone(),
            door,
        });
        accepting.push(tokio::task::spawn_local(accept(post, listener, phase.clone())));
    }
    let ticking = tokio::task::spawn_local(tick(corridor.clone(), house.clone(), room.clone()));
    for task in accepting {
        let _ = task.await;
    }
    room.drain();
    let finish = async {
        while room.open() > 0 {
            tokio::time::sleep(bounds::SWEEP).await;
        }
    };
    let _ = tokio::time::timeout(drain, finish).await;
    ticking.abort();
    corridor.tick();
}

async fn tick(corridor: Rc<Corridor>, house: Arc<House>, room: Rc<Room>) {
    let mut beat = tokio::time::interval(bounds::SWEEP);
    let mut last = house.now();
    loop {
        beat.tick().await;
        let late = house.now().since(last).saturating_sub(bounds::SWEEP.as_nanos() as u64);
        last = house.now();
        house.pulse.beat(late / MILLISECOND, room.take_sent());
        corridor.tick();
        let town = house.town.load();
        let strained = house.pulse.strain() > Strain::None;
        let pressed = strained || town.gates.iter().any(Gate::is_pressed);
        let mut deadlines = town.settings.deadlines;
        if strained {
            deadlines.idle = deadlines.idle.min(bounds::STRAINED_IDLE);
        }
        room.sweep(house.now().mono / MILLISECOND, pressed, &deadlines, &town.settings.caps);
    }
}

/// What a door's connections need of their worker.
pub(crate) struct Post {
    corridor: Rc<Corridor>,
    house: Arc<House>,
    keyring: Arc<Keyring>,
    room: Rc<Room>,
    door: Door,
}

/// Takes connections in until the house drains.
async fn accept(post: Rc<Post>, listener: TcpListener, mut phase: watch::Receiver<Phase>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = phase.wait_for(|p| *p == Phase::Draining) => break,
        };
        match accepted {
            Ok((stream, peer)) => post.welcome(stream, peer),
            Err(e) => {
                tracing::warn!(error = %e, "no connection could be accepted");
                tokio::time::sleep(bounds::ACCEPT_PAUSE).await;
            }
        }
    }
    // Closing a listening socket resets what waits in its queue: serve those first.
    while let Ok(Ok((stream, peer))) = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await {
        post.welcome(stream, peer);
    }
}

impl Post {
    fn welcome(self: &Rc<Post>, stream: TcpStream, peer: SocketAddr) {
        let town = self.house.town.load();
        // Behind a balancer that speaks PROXY, its own address says nothing of whom it brings.
        let trusted = self.door.proxy_protocol || town.trusts(peer.ip());
        if !trusted && self.house.bans.holds(peer.ip(), self.house.now().unix()) {
            self.house.metrics.banned.inc();
            // Nothing of it is to stay in the system's tables either.
            let _ = stream.set_zero_linger();
            return;
        }
        if !trusted && self.house.pulse.strain() == Strain::Spent {
            self.house.metrics.connections_refused.inc();
            let _ = stream.set_zero_linger();
            return;
        }
        let Some(ticket) = self.room.admit(peer.ip(), trusted, &town.settings.caps) else {
            self.house.metrics.connections_refused.inc();
            return;
        };
        self.house.metrics.connections.inc();
        let leave = Leave(self.house.clone());
        let post = self.clone();
        let opening = conn::in_place(|| conn::open(post, stream, peer, ticket.clone()));
        tokio::task::spawn_local(Attended::new(ticket, opening, leave));
    }

    fn draining(&self) -> bool {
        self.room.draining()
    }
}

/// Counts a connection out, however it ended.
struct Leave(Arc<House>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.metrics.connections.dec();
    }
}
