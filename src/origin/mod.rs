//! The way to the origin. [`Origins::send`] takes both proofs by value: a request that skipped the challenge or
//! holds no permit does not compile. [`Origins::fetch`] is the second door, for boma's own fetches: no client field
//! and no body can go through it.
//!
//! One `Origins` per worker, with idle connections of its own; nothing here crosses threads.
//!
//! Does not know: why a request was admitted, what becomes of a failure.

mod body;
mod headers;
mod pool;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use hyper::body::Incoming;

use body::{Outbound, Relay, Upload};
pub use headers::Forward;
use pool::{Connection, Pool};

use crate::bounds;
use crate::clock::Clock;
use crate::portal::{OriginAddress, Portal};
use crate::proofs::{Admitted, Cleared};
use crate::wire::{self, BodyBox, Broken, Empty, Fields};

/// What came back.
pub struct Answer {
    pub status: u16,
    pub fields: Fields,
    /// Holds the permit until it has been read or dropped.
    pub body: BodyBox,
}

/// Why nothing usable came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginFault {
    /// No connection: refused, unreachable, the name does not resolve, the connect timed out.
    Refused,
    /// The connection ended before an answer.
    Broke,
    /// What came is no HTTP.
    Nonsense,
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
}

/// The origins as one worker sees them.
pub struct Origins {
    pools: RefCell<HashMap<OriginAddress, Rc<Pool>>>,
    /// Where the next request of any portal begins its round.
    turn: Cell<usize>,
    clock: Clock,
}

/// Whether an origin's name resolves now; a literal address always does.
pub async fn resolves(address: &OriginAddress) -> bool {
    address.literal().is_some() || !pool::look_up(address).await.unwrap_or_default().is_empty()
}

impl Origins {
    pub fn new(clock: Clock) -> Origins {
        Origins { pools: RefCell::default(), turn: Cell::new(0), clock }
    }

    /// Sends a citizen's request on.
    ///
    /// # Errors
    /// [`OriginFault`]. A request is sent a second time only where nothing of it can have been acted upon: it never
    /// left, or it is safe, without a body, and its kept-alive connection died under it.
    pub async fn send(
        &self,
        portal: &Portal,
        request: Forward<'_>,
        body: BodyBox,
        cleared: Cleared,
        admitted: Admitted,
    ) -> Result<Answer, OriginFault> {
        let _ = cleared;
        let method = Method::from_bytes(request.head.method().as_bytes()).map_err(|_| OriginFault::Nonsense)?;
        let uri: Uri = request.target.parse().map_err(|_| OriginFault::Nonsense)?;
        let headers = request.headers(portal);
        let upload = Upload::new(body.ended());
        let outbound = Outbound::new(body, upload.clone());
        let again = crate::facts::safe(method.as_str()) && upload.is_done();
        let call = Call { method, uri, headers, again, response_timeout: portal.response_timeout };
        let (response, connection) = self.exchange(portal, call, outbound, &upload).await?;
        let (parts, incoming) = response.into_parts();
        let fields = headers::answer_fields(&parts.headers);
        Ok(Answer {
            status: parts.status.as_u16(),
            fields,
            body: Box::pin(Relay::new(incoming, Some(connection), Some(admitted))),
        })
    }

    /// Fetches a page for boma itself: GET, identity encoding, no cookie, nothing of any citizen's.
    ///
    /// # Errors
    /// [`OriginFault`]; [`OriginFault::Nonsense`] also where the body is larger than `most`.
    pub async fn fetch(&self, portal: &Portal, path: &str, most: usize) -> Result<Fetched, OriginFault> {
        let uri: Uri = path.parse().map_err(|_| OriginFault::Nonsense)?;
        let headers = headers::own_fetch(portal);
        let upload = Upload::new(true);
        let call = Call { method: Method::GET, uri, headers, again: true, response_timeout: portal.response_timeout };
        let whole = async {
            let (response, connection) =
                self.exchange(portal, call, Outbound::new(Box::pin(Empty), upload.clone()), &upload).await?;
            let (parts, incoming) = response.into_parts();
            let fields = headers::answer_fields(&parts.headers);
            let body: BodyBox = Box::pin(Relay::new(incoming, Some(connection), None));
            let body = wire::read_whole(body, most).await.map_err(|broken| match broken {
                Broken::TooLarge => OriginFault::Nonsense,
                Broken::Gone => OriginFault::Broke,
                Broken::Idle => OriginFault::Hung,
            })?;
            Ok(Fetched { status: parts.status.as_u16(), fields, body })
        };
        within(bounds::OWN_FETCH_DEADLINE, whole).await.unwrap_or(Err(OriginFault::Hung))
    }

    async fn exchange(
        &self,
        portal: &Portal,
        call: Call,
        body: Outbound,
        upload: &Upload,
    ) -> Result<(Response<Incoming>, Connection), OriginFault> {
        let mut body = Some(body);
        let mut reuse = true;
        loop {
            let mut connection = self.connect(portal, reuse).await?;
            let reused = connection.reused;
            let request = call.request(body.take().unwrap_or_else(|| Outbound::new(Box::pin(Empty), upload.clone())));
            let sent = connection.sender.try_send_request(request);
            let patience = async {
                upload.done().await;
                tokio::time::sleep(call.response_timeout).await;
            };
            let outcome = tokio::select! {
                outcome = sent => outcome,
                () = patience => return Err(OriginFault::Hung),
            };
            let mut error = match outcome {
                Ok(response) => return Ok((response, connection)),
                Err(error) => error,
            };
            if let Some(broken) = upload.broken() {
                return Err(OriginFault::Upload(broken));
            }
            if let Some(unsent) = error.take_message() {
                if !reused {
                    return Err(OriginFault::Broke);
                }
                body = Some(unsent.into_body());
            } else if !(reused && call.again) {
                let error = error.error();
                return Err(if error.is_parse() { OriginFault::Nonsense } else { OriginFault::Broke });
            }
            reuse = false;
        }
    }

    /// A connection to one of the portal's origins: an idle one, else a new one to the first that takes it.
    async fn connect(&self, portal: &Portal, reuse: bool) -> Result<Connection, OriginFault> {
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let count = portal.origins.len();
        let mut last = OriginFault::Refused;
        for i in 0..count {
            let pool = self.pool(&portal.origins[(turn + i) % count]);
            if reuse && let Some(connection) = pool.idle() {
                return Ok(connection);
            }
            match within(portal.connect_timeout, pool.connect()).await {
                Some(Ok(connection)) => return Ok(connection),
                Some(Err(fault)) => last = fault,
                None => last = OriginFault::Refused,
            }
        }
        Err(last)
    }

    fn pool(&self, address: &OriginAddress) -> Rc<Pool> {
        if let Some(pool) = self.pools.borrow().get(address) {
            return pool.clone();
        }
        let pool = Rc::new(Pool::new(address.clone(), self.clock.clone()));
        self.pools.borrow_mut().insert(address.clone(), pool.clone());
        pool
    }

    /// Closes connections that have idled too long, and forgets origins that no portal names any more.
    pub fn sweep(&self, portals: &[std::sync::Arc<Portal>]) {
        let mut pools = self.pools.borrow_mut();
        pools.retain(|address, _| portals.iter().any(|p| p.origins.contains(address)));
        pools.values().for_each(|pool| pool.sweep());
    }
}

struct Call {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    again: bool,
    response_timeout: Duration,
}

impl Call {
    fn request(&self, body: Outbound) -> Request<Outbound> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

async fn within<T>(most: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(most, work).await.ok()
}
