//! Connections to one origin: the idle ones, the newest first; the shared ones of HTTP/2; and the room for new ones.
//!
//! Does not know: requests, portals.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use h2::{Ping, PingPong};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OnceCell;

use super::dial::{Dialler, Tls, Transport};
use super::state::{Slot, State};
use super::{OriginFault, within};
use crate::bounds;
use crate::clock::{Alarm, Clock, Now};
use crate::http1::Link;
use crate::portal::OriginAddress;

pub struct Pool {
    pub state: Arc<State>,
    address: OriginAddress,
    dialler: Dialler,
    idle: RefCell<Vec<Idle>>,
    shared: RefCell<Vec<Rc<Shared>>>,
    most: u32,
    clock: Clock,
}

struct Idle {
    link: Link<Transport>,
    slot: Slot,
    since: Now,
    born: Now,
    alarm: Alarm,
}

/// An HTTP/1 connection that carries one request at a time.
pub struct Connection {
    pub link: Link<Transport>,
    /// It carried a request before, so the origin may have closed it meanwhile.
    pub reused: bool,
    /// For the answer.
    pub alarm: Alarm,
    slot: Slot,
    born: Now,
    pool: Weak<Pool>,
}

impl Connection {
    /// Puts the connection back, where there is room.
    pub fn give_back(mut self) {
        let Some(pool) = self.pool.upgrade() else { return };
        let mut idle = pool.idle.borrow_mut();
        let now = pool.clock.now();
        if idle.len() < bounds::ORIGIN_IDLE && is_young(self.born, now) {
            self.link.buf = BytesMut::new();
            idle.push(Idle { link: self.link, slot: self.slot, since: now, born: self.born, alarm: self.alarm });
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.link).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.link).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.link).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.link).poll_shutdown(cx)
    }
}

/// An HTTP/2 connection that carries many.
pub struct Shared {
    pub sender: RefCell<SendRequest<Bytes>>,
    pub open: Cell<usize>,
    /// Taken by the first that has to know the origin's settings, which are in force when a ping has come back.
    ping: RefCell<Option<PingPong>>,
    settled: OnceCell<()>,
    over: Cell<bool>,
    used: Cell<Now>,
    born: Now,
}

/// An origin's name may lead elsewhere by now, so no connection carries requests for ever.
fn is_young(born: Now, now: Now) -> bool {
    now.since(born) < bounds::ORIGIN_AGE.as_nanos() as u64
}

impl Shared {
    fn has_room(&self, now: Now) -> bool {
        !self.over.get()
            && is_young(self.born, now)
            && self.open.get() < self.sender.borrow().current_max_send_streams().min(256)
    }

    /// Whether a stream may carry another protocol (RFC 8441 section 3): the origin's settings say so, for which a new
    /// connection has to wait, at most for `deadline`.
    pub async fn takes_tunnels(&self, deadline: Duration) -> bool {
        let taken = || self.sender.borrow().is_extended_connect_protocol_enabled();
        if !taken() {
            let settle = self.settled.get_or_init(async || {
                let ping = self.ping.borrow_mut().take();
                if let Some(mut ping) = ping {
                    let _ = ping.ping(Ping::opaque()).await;
                }
            });
            within(deadline, settle).await;
        }
        taken()
    }

    /// Nothing more goes out on it.
    pub fn leave(&self) {
        self.over.set(true);
    }
}

impl Pool {
    pub fn new(address: OriginAddress, tls: Option<Tls>, state: Arc<State>, most: u32, clock: Clock) -> Pool {
        let dialler = Dialler::new(address.clone(), tls, clock.clone());
        Pool { state, address, dialler, idle: RefCell::default(), shared: RefCell::default(), most, clock }
    }

    /// A place for a tunnel to this origin.
    pub fn tunnel(&self) -> Option<Slot> {
        self.state.tunnel(self.most)
    }

    pub fn is_http2(&self) -> bool {
        self.address.scheme.http2()
    }

    pub fn is_tls(&self) -> bool {
        self.address.scheme.tls()
    }

    /// An idle connection that nothing came on since, as far as the runtime has heard; the system is asked as well, but where the
    /// request may be sent twice and the connection was in use just now.
    async fn idle(self: &Rc<Pool>, harmless: bool, now: Now) -> Option<Connection> {
        let in_use = |since: Now| now.since(since) < bounds::ORIGIN_LOOK_AFTER.as_nanos() as u64;
        loop {
            let Idle { mut link, slot, since, born, alarm } = self.idle.borrow_mut().pop()?;
            let fresh = now.since(since) < bounds::ORIGIN_IDLE_FOR.as_nanos() as u64 && is_young(born, now);
            let quiet = (harmless && in_use(since)) || link.stream.is_quiet();
            if fresh && quiet && poll_fn(|cx| Poll::Ready(link.poll_fill(cx).is_pending())).await {
                return Some(Connection { link, reused: true, alarm, slot, born, pool: Rc::downgrade(self) });
            }
        }
    }

    /// Closes what has idled too long.
    pub fn sweep(&self) {
        let now = self.clock.now();
        let most = bounds::ORIGIN_IDLE_FOR.as_nanos() as u64;
        self.idle.borrow_mut().retain(|i| now.since(i.since) < most);
        let stays = |s: &Rc<Shared>| {
            !s.over.get() && (s.open.get() > 0 || (now.since(s.used.get()) < most && is_young(s.born, now)))
        };
        self.shared.borrow_mut().retain(stays);
    }

    /// Large, with its TLS, and rare: to be put behind a pointer, or every request under way would hold room for it.
    async fn dial(&self, deadline: Duration) -> Result<(Transport, Slot), OriginFault> {
        let connect = async {
            let slot = loop {
                match self.state.connect(self.most) {
                    Some(slot) => break slot,
                    // Its connections may be other workers', which cannot be waited for; look again.
                    None => tokio::time::sleep(bounds::ORIGIN_WAIT).await,
                }
            };
            let transport = self.dialler.dial().await;
            transport.map(|t| (t, slot))
        };
        let before = self.state.connect(self.most).is_some();
        match within(deadline, connect).await {
            Some(Some(connected)) => Ok(connected),
            None if !before => Err(OriginFault::Full),
            _ => Err(OriginFault::Refused),
        }
    }

    /// A connection for one request; `fresh`: not one that has idled; `harmless`: it may be sent twice.
    ///
    /// # Errors
    /// [`OriginFault::Refused`], or [`OriginFault::Full`] where all connections stayed taken for `deadline`.
    pub async fn connect(
        self: &Rc<Pool>,
        (fresh, harmless): (bool, bool),
        deadline: Duration,
        now: Now,
    ) -> Result<Connection, OriginFault> {
        if !fresh && let Some(connection) = self.idle(harmless, now).await {
            return Ok(connection);
        }
        let (transport, slot) = Box::pin(self.dial(deadline)).await?;
        let born = self.clock.now();
        let (link, alarm) = (Link::new(transport), Alarm::default());
        Ok(Connection { link, reused: false, alarm, slot, born, pool: Rc::downgrade(self) })
    }

    /// A connection with room for another stream, and whether it is a new one.
    ///
    /// # Errors
    /// As [`Pool::connect`]; [`OriginFault::Nonsense`] where the origin does not speak HTTP/2.
    pub async fn share(self: &Rc<Pool>, fresh: bool, deadline: Duration) -> Result<(Rc<Shared>, bool), OriginFault> {
        let now = self.clock.now();
        let with_room = || self.shared.borrow().iter().find(|s| s.has_room(now)).cloned();
        if !fresh && let Some(shared) = with_room() {
            return Ok((shared, false));
        }
        if self.shared.borrow().len() >= bounds::H2_ORIGIN_CONNECTIONS {
            let least = self.shared.borrow().iter().filter(|s| !s.over.get()).min_by_key(|s| s.open.get()).cloned();
            return least.map(|s| (s, false)).ok_or(OriginFault::Full);
        }
        let (transport, slot) = Box::pin(self.dial(deadline)).await?;
        if let Transport::Tls(tls) = &transport
            && tls.get_ref().1.alpn_protocol() != Some(b"h2")
        {
            return Err(OriginFault::Nonsense);
        }
        let handshake = h2::client::Builder::new()
            .enable_push(false)
            .initial_window_size(bounds::H2_ORIGIN_WINDOW)
            .initial_connection_window_size(bounds::H2_ORIGIN_CONNECTION_WINDOW)
            .max_header_list_size(bounds::ORIGIN_HEAD_BYTES as u32)
            .max_send_buffer_size(bounds::H2_STREAM_WINDOW as usize)
            .handshake::<_, Bytes>(transport);
        let (sender, mut connection) = match within(deadline, Box::pin(handshake)).await {
            Some(Ok(pair)) => pair,
            _ => return Err(OriginFault::Nonsense),
        };
        let shared = Rc::new(Shared {
            sender: RefCell::new(sender),
            open: Cell::new(0),
            ping: RefCell::new(connection.ping_pong()),
            settled: OnceCell::new(),
            over: Cell::new(false),
            used: Cell::new(self.clock.now()),
            born: self.clock.now(),
        });
        let weak = Rc::downgrade(&shared);
        tokio::task::spawn_local(async move {
            // Its errors reach whoever waits for an answer.
            let _ = connection.await;
            if let Some(shared) = weak.upgrade() {
                shared.leave();
            }
            drop(slot);
        });
        self.shared.borrow_mut().push(shared.clone());
        Ok((shared, true))
    }

    pub fn used(&self, shared: &Shared) {
        shared.used.set(self.clock.now());
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::portal::Scheme;

    #[test]
    fn a_connection_is_used_again_but_not_for_ever() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = OriginAddress { scheme: Scheme::Http, host: "127.0.0.1".into(), port };
        let clock = Clock::manual(1_790_000_000);
        let pool = Rc::new(Pool::new(address, None, Arc::default(), 8, clock.clone()));
        runtime.block_on(async {
            let second = Duration::from_secs(1);
            let step = bounds::ORIGIN_IDLE_FOR - second;
            let mut new = Vec::new();
            let mut age = Duration::ZERO;
            while age < bounds::ORIGIN_AGE * 2 {
                let connection = pool.connect((false, false), second, clock.now()).await.unwrap();
                if !connection.reused {
                    new.push(age);
                }
                connection.give_back();
                clock.advance(step);
                age += step;
            }
            assert!(
                new.len() >= 2 && new[1] > bounds::ORIGIN_AGE / 2 && new[1] <= bounds::ORIGIN_AGE + step,
                "{new:?}"
            );
        });
        drop(listener);
    }
}
