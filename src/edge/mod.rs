//! The citizens' door: sockets, TLS, who is asking, and the two versions of HTTP, spoken by hyper. [`work`] runs one
//! worker: accept, TLS, client, then the corridor.
//!
//! Does not know: rules, what an answer means.

mod body;
mod conn;
mod identify;
mod listen;

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

pub use identify::{Field, believed};
pub use listen::{BindFault, Door, Sockets, bind};

use crate::bounds;
use crate::certificate::Keyring;
use crate::force::House;
use crate::serve::Corridor;

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Serving,
    /// No new connections; those there are finish.
    Draining,
}

/// One worker's connections.
pub(crate) struct Tally {
    open: Cell<usize>,
    left: Notify,
}

/// Runs one worker until the house drains and its last connection has ended, or `drain` is over.
pub async fn work(
    house: Arc<House>,
    doors: Vec<(Door, std::net::TcpListener)>,
    keyring: Arc<Keyring>,
    phase: watch::Receiver<Phase>,
    drain: Duration,
) {
    let corridor = Rc::new(Corridor::new(house.clone()));
    let tally = Rc::new(Tally { open: Cell::new(0), left: Notify::new() });
    let mut accepting = Vec::new();
    for (door, socket) in doors {
        let listener = match TcpListener::from_std(socket) {
            Ok(listener) => listener,
            Err(e) => {
                house.trouble(format!("a worker cannot listen on {}: {e}", door.address));
                continue;
            }
        };
        let post = Post {
            corridor: corridor.clone(),
            house: house.clone(),
            keyring: keyring.clone(),
            tally: tally.clone(),
            phase: phase.clone(),
            tls: door.tls,
        };
        accepting.push(tokio::task::spawn_local(post.accept(listener)));
    }
    let ticking = tokio::task::spawn_local(tick(corridor.clone()));
    for task in accepting {
        let _ = task.await;
    }
    let finish = async {
        while tally.open.get() > 0 {
            tally.left.notified().await;
        }
    };
    let _ = tokio::time::timeout(drain, finish).await;
    ticking.abort();
    corridor.tick();
}

async fn tick(corridor: Rc<Corridor>) {
    let mut beat = tokio::time::interval(bounds::LOG_FLUSH);
    loop {
        beat.tick().await;
        corridor.tick();
    }
}

/// What a connection needs of its worker.
#[derive(Clone)]
pub(crate) struct Post {
    corridor: Rc<Corridor>,
    house: Arc<House>,
    keyring: Arc<Keyring>,
    tally: Rc<Tally>,
    phase: watch::Receiver<Phase>,
    tls: bool,
}

impl Post {
    async fn accept(mut self, listener: TcpListener) {
        let mut phase = self.phase.clone();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = phase.wait_for(|p| *p == Phase::Draining) => break,
            };
            match accepted {
                Ok((stream, peer)) => self.welcome(stream, peer),
                Err(e) => {
                    tracing::warn!(error = %e, "no connection could be accepted");
                    tokio::time::sleep(bounds::ACCEPT_PAUSE).await;
                }
            }
        }
        // Closing a listening socket resets what waits in its queue: serve those first.
        while let Ok(Ok((stream, peer))) = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await {
            self.welcome(stream, peer);
        }
    }

    fn welcome(&mut self, stream: TcpStream, peer: SocketAddr) {
        let open = self.tally.open.get();
        if open >= bounds::CONNECTIONS_PER_WORKER {
            return;
        }
        self.tally.open.set(open + 1);
        self.house.metrics.connections.inc();
        let leave = Leave(self.tally.clone(), self.house.clone());
        let post = self.clone();
        tokio::task::spawn_local(async move {
            conn::serve(post, stream, peer).await;
            drop(leave);
        });
    }
}

/// Counts a connection out, however it ended.
struct Leave(Rc<Tally>, Arc<House>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.left.notify_one();
        self.1.metrics.connections.dec();
    }
}
