//! The way to the origin. [`Origins::send`] takes both proofs by value: a request that skipped the challenge or
//! holds no permit does not compile. [`Origins::fetch`] is the second door, for boma's own fetches: no client field
//! and no body can go through it.
//!
//! One `Origins` per worker, with connections of its own; how origins have been doing is shared ([`Fleet`]).
//!
//! Does not know: why a request was admitted, what becomes of a failure.

mod ask;
mod dial;
mod group;
mod headers;
mod http1;
mod http2;
mod pool;
mod state;
mod websocket;

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::ClientConfig;

use ask::Ask;
use group::Group;
pub use headers::{Forward, Own, SESSION_FIELD};
use pool::Pool;
pub use state::{Fleet, State};
use websocket::Key;

use crate::bounds;
use crate::clock::{Clock, Now};
use crate::held::Held;
use crate::portal::{OriginAddress, Portal};
use crate::proofs::{Admitted, Cleared};
use crate::quick::Table;
use crate::wire::{self, BodyBox, Broken, Empty, Fields, Line, TunnelBox};

/// What came back.
pub struct Answer {
    pub status: u16,
    pub fields: Fields,
    pub body: Came,
}

pub enum Came {
    /// Holds the permit until it has come whole or is dropped.
    Body(BodyBox),
    /// The other protocol, after 101. It holds no permit: those are for requests, and a few hundred pages that listen
    /// would keep everybody else out.
    Tunnel(TunnelBox),
}

/// Why nothing usable came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginFault {
    /// No connection: refused, unreachable, the name does not resolve, the connect timed out, TLS failed.
    Refused,
    /// Every connection that the origin may have stayed taken.
    Full,
    /// The connection ended before an answer.
    Broke,
    /// What came is no HTTP.
    Nonsense,
    /// It does not go on with the other protocol.
    NotSwitched,
    /// No answer within `response_timeout` of the end of the upload.
    Hung,
    /// The client's upload broke off; the origin's connection was cut, never ended as if whole.
    Upload(Broken),
}

/// A page that boma fetched for itself.
pub struct Fetched {
    pub status: u16,
    pub fields: Fields,
    pub body: Bytes,
    /// There was more of it than was asked for, and nothing of it is here.
    pub too_large: bool,
}

/// The origins as one worker sees them.
pub struct Origins {
    portals: RefCell<Table<String, Rc<Group>>>,
    fleet: Arc<Fleet>,
    clock: Clock,
}

/// Whether an origin's name resolves now; a literal address always does.
pub async fn resolves(address: &OriginAddress) -> bool {
    address.literal().is_some() || !dial::look_up(address).await.unwrap_or_default().is_empty()
}

/// What came of one try.
enum Outcome {
    Answer(Answer),
    /// It may be tried again elsewhere: nothing of it can have been acted upon, or doing so twice is harmless. The
    /// body is whole and here.
    Again(OriginFault, BodyBox, bool),
    Fault(OriginFault),
}

impl Origins {
    pub fn new(fleet: Arc<Fleet>, clock: Clock) -> Origins {
        Origins { portals: RefCell::default(), fleet, clock }
    }

    /// Sends a citizen's request on.
    ///
    /// # Errors
    /// [`OriginFault`]. A request is sent a second time only where nothing of it can have been acted upon (it never
    /// left, or the origin says so), or where it is idempotent, without a body, and its connection died under it.
    pub async fn send(
        &self,
        portal: &Arc<Portal>,
        tls: Option<&Arc<ClientConfig>>,
        request: Forward<'_>,
        body: BodyBox,
        line: &dyn Line,
        (cleared, admitted): (Cleared, Admitted),
    ) -> Result<Answer, OriginFault> {
        let _ = cleared;
        let key = || request.head.field("sec-websocket-key").map_or_else(Key::own, Key::Client);
        let fields = |put: &mut dyn FnMut(&str, &[u8])| request.fields(put);
        let group = self.group(portal, tls);
        let mut ask = Ask {
            method: request.head.method(),
            target: request.target,
            host: request.host(portal),
            fields: &fields,
            upgrade: request.upgrade,
            key: request.upgrade.map(|_| key()),
            response_timeout: portal.response_timeout,
            body_timeout: portal.body_timeout,
            stream_timeout: portal.stream_timeout,
        };
        // A trial that hangs must not keep others from trying; what may have been acted upon is not given up early.
        if ask.is_idempotent() && group.states.iter().all(|state| state.is_open()) {
            ask.response_timeout = ask.response_timeout.min(bounds::TRIAL_DEADLINE);
        }
        self.exchange(&group, &ask, body, Some(line), Some(admitted)).await
    }

    /// Fetches a page for boma itself, as if by `scheme`: GET, identity encoding, no cookie, nothing of any citizen's.
    ///
    /// # Errors
    /// [`OriginFault`].
    pub async fn fetch(
        &self,
        portal: &Arc<Portal>,
        tls: Option<&Arc<ClientConfig>>,
        (path, scheme): (&str, &'static str),
        most: usize,
    ) -> Result<Fetched, OriginFault> {
        let group = self.group(portal, tls);
        let host = headers::own_host(portal);
        let fields = |put: &mut dyn FnMut(&str, &[u8])| headers::own_fields(&host, scheme, "snapshot", put);
        let ask = Ask::own(portal, path, &host, &fields);
        let whole = async {
            let answer = self.exchange(&group, &ask, Box::pin(Empty), None, None).await?;
            read(answer, most).await
        };
        within(bounds::OWN_FETCH_DEADLINE, whole).await.unwrap_or(Err(OriginFault::Hung))
    }

    /// Fetches for the cache: GET, and nothing of any citizen's.
    ///
    /// # Errors
    /// [`OriginFault`].
    pub async fn fill(
        &self,
        portal: &Arc<Portal>,
        tls: Option<&Arc<ClientConfig>>,
        own: Own<'_>,
        admitted: Admitted,
    ) -> Result<Answer, OriginFault> {
        let group = self.group(portal, tls);
        let fields = |put: &mut dyn FnMut(&str, &[u8])| own.fields(put);
        let ask = Ask::own(portal, own.target, own.host, &fields);
        self.exchange(&group, &ask, Box::pin(Empty), None, Some(admitted)).await
    }

    /// Asks each origin of a portal how it is; each answer goes to its state.
    pub async fn check(&self, portal: &Arc<Portal>, tls: Option<&Arc<ClientConfig>>, path: &str) {
        let group = self.group(portal, tls);
        let host = headers::own_host(portal);
        let fields = |put: &mut dyn FnMut(&str, &[u8])| headers::own_fields(&host, portal.scheme, "health", put);
        let ask = Ask::own(portal, path, &host, &fields);
        for pool in &group.pools {
            let how = (true, portal.connect_timeout, self.clock.now());
            let asked = async {
                match self.attempt(pool, &ask, Box::pin(Empty), None, &mut None, how).await {
                    Outcome::Answer(answer) => {
                        read(answer, bounds::OWN_BODY_BYTES * 16).await.is_ok_and(|f| (200..400).contains(&f.status))
                    }
                    _ => false,
                }
            };
            pool.state.checked(within(bounds::HEALTH_DEADLINE, asked).await.unwrap_or(false));
        }
    }

    async fn exchange(
        &self,
        group: &Rc<Group>,
        ask: &Ask<'_>,
        mut body: BodyBox,
        line: Option<&dyn Line>,
        mut admitted: Option<Admitted>,
    ) -> Result<Answer, OriginFault> {
        group.earn_retry();
        let turn = group.turn.get();
        group.turn.set(turn.wrapping_add(1));
        let (mut tried, mut fresh) = (Vec::new(), false);
        let mut last = OriginFault::Refused;
        loop {
            let now = self.clock.now();
            let Some(i) = state::choose(&group.states, &tried, turn, now) else { return Err(last) };
            let pool = &group.pools[i];
            let how = (fresh, group.made_of.connect_timeout, now);
            match self.attempt(pool, ask, body, line, &mut admitted, how).await {
                Outcome::Answer(answer) => {
                    pool.state.succeeded(|| self.clock.now());
                    return Ok(answer);
                }
                Outcome::Fault(fault) => {
                    self.judge(pool, fault);
                    return Err(fault);
                }
                Outcome::Again(fault, whole, stale) => {
                    (body, last) = (whole, fault);
                    // A kept-alive connection that the origin closed meanwhile says nothing against it.
                    if stale {
                        fresh = true;
                    } else {
                        self.judge(pool, fault);
                        tried.push(i);
                        if !group.spend_retry() {
                            return Err(fault);
                        }
                    }
                }
            }
        }
    }

    fn judge(&self, pool: &Pool, fault: OriginFault) {
        if !matches!(fault, OriginFault::Upload(_) | OriginFault::Full | OriginFault::NotSwitched) {
            pool.state.failed(self.clock.now());
        }
    }

    async fn attempt(
        &self,
        pool: &Rc<Pool>,
        ask: &Ask<'_>,
        body: BodyBox,
        line: Option<&dyn Line>,
        admitted: &mut Option<Admitted>,
        (fresh, deadline, now): (bool, Duration, Now),
    ) -> Outcome {
        let at = pool.state.enter();
        let harmless = ask.is_idempotent() && body.ended() && ask.upgrade.is_none();
        let tunnel = ask.upgrade.and_then(|_| pool.tunnel());
        if ask.upgrade.is_some() && tunnel.is_none() {
            return Outcome::Fault(OriginFault::Full);
        }
        if pool.is_http2() {
            // Behind a pointer, or each request over HTTP/1 would hold room for it.
            let how = (fresh, deadline, harmless);
            return Box::pin(attempt2(pool, ask, body, line, admitted, how, (at, tunnel))).await;
        }
        let connection = match pool.connect((fresh, harmless), deadline, now).await {
            Ok(connection) => connection,
            Err(fault) => return Outcome::Again(fault, body, false),
        };
        let reused = connection.reused;
        let mut exchange = http1::Exchange::new(ask, connection, body);
        let head = match exchange.answer(ask, line, admitted.as_ref()).await {
            Ok(head) => head,
            // Nothing came: a reused connection was closed by the origin, a new one it broke.
            Err(failed) if failed.silent && harmless => {
                return Outcome::Again(failed.fault, Box::pin(Empty), reused && !fresh);
            }
            Err(failed) => return Outcome::Fault(failed.fault),
        };
        let mut fields = headers::answer_fields(&head);
        if head.status == 101 {
            let (Some(protocol), Some(slot)) = (ask.agreed(&head), tunnel) else {
                return Outcome::Fault(OriginFault::NotSwitched);
            };
            fields.push("upgrade", protocol);
            let tunnel = Held::new(exchange.into_tunnel(), (slot, at));
            return Outcome::Answer(Answer { status: 101, fields, body: Came::Tunnel(Box::pin(tunnel)) });
        }
        let silence = ask.silence(&fields);
        match exchange.body(&head, ask.method == "HEAD", silence, admitted.take(), at) {
            Ok(relay) => Outcome::Answer(Answer { status: head.status, fields, body: Came::Body(Box::pin(relay)) }),
            Err(fault) => Outcome::Fault(fault),
        }
    }

    fn group(&self, portal: &Arc<Portal>, tls: Option<&Arc<ClientConfig>>) -> Rc<Group> {
        let old = self.portals.borrow().get(&portal.name).cloned();
        let old = match old {
            Some(group) if Arc::ptr_eq(&group.made_of, portal) => return group,
            old => old,
        };
        let group = Rc::new(Group::new(portal, tls, old.as_deref(), &self.fleet, &self.clock));
        self.portals.borrow_mut().insert(portal.name.clone(), group.clone());
        group
    }

    /// Closes connections that have idled too long, and forgets portals that are no more.
    pub fn sweep(&self, portals: &[Arc<Portal>]) {
        let mut groups = self.portals.borrow_mut();
        groups.retain(|name, _| portals.iter().any(|p| p.name == *name));
        groups.values().flat_map(|g| &g.pools).for_each(|pool| pool.sweep());
    }
}

async fn attempt2(
    pool: &Rc<Pool>,
    ask: &Ask<'_>,
    body: BodyBox,
    line: Option<&dyn Line>,
    admitted: &mut Option<Admitted>,
    (fresh, deadline, harmless): (bool, Duration, bool),
    (at, tunnel): (state::At, Option<state::Slot>),
) -> Outcome {
    let (shared, new) = match pool.share(fresh, deadline).await {
        Ok(shared) => shared,
        Err(fault) => return Outcome::Again(fault, body, false),
    };
    pool.used(&shared);
    let bodiless = body.ended();
    match http2::exchange(ask, shared, pool.is_tls(), body, (line, admitted.as_ref())).await {
        Ok(mut answered) => {
            let status = answered.status;
            let mut fields = std::mem::take(&mut answered.fields);
            if status != 101 {
                let body = Came::Body(Box::pin(answered.body(ask.silence(&fields), admitted.take(), at)));
                return Outcome::Answer(Answer { status, fields, body });
            }
            fields.push("upgrade", ask.upgrade.unwrap_or_default().to_owned());
            if let Some(Key::Client(key)) = &ask.key {
                fields.push("sec-websocket-accept", websocket::accept(key));
            }
            let (Some(pipe), Some(slot)) = (answered.into_tunnel(), tunnel) else {
                return Outcome::Fault(OriginFault::Nonsense);
            };
            let tunnel = Held::new(pipe, (slot, at));
            Outcome::Answer(Answer { status, fields, body: Came::Tunnel(Box::pin(tunnel)) })
        }
        Err(failed) if bodiless && (failed.untouched || (harmless && failed.fault == OriginFault::Broke)) => {
            Outcome::Again(failed.fault, Box::pin(Empty), !new && !fresh)
        }
        Err(failed) => Outcome::Fault(failed.fault),
    }
}

async fn read(answer: Answer, most: usize) -> Result<Fetched, OriginFault> {
    let Answer { status, fields, body: Came::Body(body) } = answer else { return Err(OriginFault::Nonsense) };
    let large = Ok(Fetched { status, fields: Fields::default(), body: Bytes::new(), too_large: true });
    if body.exact().is_some_and(|n| n > most as u64) {
        return large;
    }
    match wire::read_whole(body, most).await {
        Ok(body) => Ok(Fetched { status, fields, body, too_large: false }),
        Err(Broken::TooLarge) => large,
        Err(Broken::Malformed) => Err(OriginFault::Nonsense),
        Err(Broken::Gone | Broken::Barred) => Err(OriginFault::Broke),
        Err(Broken::Idle) => Err(OriginFault::Hung),
    }
}

async fn within<T>(most: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(most, work).await.ok()
}
