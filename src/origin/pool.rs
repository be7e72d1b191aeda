//! Connections to one origin: the idle ones, the newest first, and how new ones are made.
//!
//! hyper-util's client was set aside: it caps idle connections only and knows no deadlines.
//!
//! Does not know: requests, portals.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::body::Outbound;
use super::{OriginFault, within};
use crate::bounds;
use crate::clock::{Clock, Now};
use crate::portal::OriginAddress;

pub struct Pool {
    address: OriginAddress,
    idle: RefCell<Vec<Idle>>,
    resolved: RefCell<Option<Resolved>>,
    clock: Clock,
}

struct Idle {
    sender: http1::SendRequest<Outbound>,
    since: Now,
}

struct Resolved {
    addresses: Vec<SocketAddr>,
    at: Now,
}

/// A connection that carries one request at a time.
pub struct Connection {
    pub sender: http1::SendRequest<Outbound>,
    /// It carried a request before, so the origin may have closed it meanwhile.
    pub reused: bool,
    pool: Weak<Pool>,
}

impl Connection {
    /// Puts the connection back, where it is still good and there is room.
    pub fn give_back(self) {
        let Some(pool) = self.pool.upgrade() else { return };
        let mut idle = pool.idle.borrow_mut();
        if !self.sender.is_closed() && idle.len() < bounds::ORIGIN_IDLE {
            idle.push(Idle { sender: self.sender, since: pool.clock.now() });
        }
    }
}

impl Pool {
    pub fn new(address: OriginAddress, clock: Clock) -> Pool {
        Pool { address, idle: RefCell::default(), resolved: RefCell::default(), clock }
    }

    pub fn idle(self: &Rc<Self>) -> Option<Connection> {
        let now = self.clock.now();
        let mut idle = self.idle.borrow_mut();
        while let Some(Idle { sender, since }) = idle.pop() {
            if sender.is_ready() && now.since(since) < bounds::ORIGIN_IDLE_FOR.as_nanos() as u64 {
                return Some(Connection { sender, reused: true, pool: Rc::downgrade(self) });
            }
        }
        None
    }

    pub fn sweep(&self) {
        let now = self.clock.now();
        let most = bounds::ORIGIN_IDLE_FOR.as_nanos() as u64;
        self.idle.borrow_mut().retain(|i| !i.sender.is_closed() && now.since(i.since) < most);
    }

    pub async fn connect(self: &Rc<Self>) -> Result<Connection, OriginFault> {
        let stream = self.dial(self.clock.now()).await?;
        let _ = stream.set_nodelay(true);
        let handshake = http1::Builder::new().max_headers(bounds::HEAD_FIELDS).handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|_| OriginFault::Broke)?;
        tokio::task::spawn_local(async move {
            // Its errors reach whoever waits for the answer.
            let _ = connection.await;
        });
        Ok(Connection { sender, reused: false, pool: Rc::downgrade(self) })
    }

    async fn dial(&self, now: Now) -> Result<TcpStream, OriginFault> {
        for address in self.addresses(now).await {
            if let Ok(stream) = TcpStream::connect(address).await {
                return Ok(stream);
            }
        }
        Err(OriginFault::Refused)
    }

    /// Addresses of the origin's name. Where asking again fails, the last good ones stay in use: a broken resolver
    /// must not take down a portal whose origin is where it was.
    async fn addresses(&self, now: Now) -> Vec<SocketAddr> {
        if let Some(address) = self.address.literal() {
            return vec![address];
        }
        if let Some(resolved) = &*self.resolved.borrow()
            && now.since(resolved.at) < bounds::RESOLVE_FRESH.as_nanos() as u64
            && !resolved.addresses.is_empty()
        {
            return resolved.addresses.clone();
        }
        let found = look_up(&self.address).await;
        let mut resolved = self.resolved.borrow_mut();
        match found {
            Some(addresses) if !addresses.is_empty() => {
                *resolved = Some(Resolved { addresses: addresses.clone(), at: now });
                addresses
            }
            _ => resolved.as_ref().map(|r| r.addresses.clone()).unwrap_or_default(),
        }
    }
}

pub async fn look_up(address: &OriginAddress) -> Option<Vec<SocketAddr>> {
    let ask = tokio::net::lookup_host((address.host.as_str(), address.port));
    match within(bounds::RESOLVE_DEADLINE, ask).await {
        Some(Ok(found)) => Some(found.collect()),
        _ => None,
    }
}
