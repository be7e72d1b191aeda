//! One request and its answer over HTTP/2.
//!
//! Does not know: which origin, why.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use tokio::time::Sleep;

use super::OriginFault;
use super::ask::Ask;
use super::headers;
use super::pool::Shared;
use super::state::At;
use crate::http2::{Inbound, Pipe, Sender, append};
use crate::proofs::Admitted;
use crate::wire::{Body, BodyBox, Broken, Chunk, Empty, Fields, Line};

/// A stream counts as open from its request to the end of its answer.
struct Open(Rc<Shared>);

impl Open {
    fn new(shared: Rc<Shared>) -> Open {
        shared.open.set(shared.open.get() + 1);
        Open(shared)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

/// An answer's head, and what its body comes by.
pub struct Answered {
    pub status: u16,
    pub fields: Fields,
    length: Option<u64>,
    stream: RecvStream,
    sender: Option<Sender>,
    /// The way out of a stream that another protocol took over.
    tunnel: Option<SendStream<Bytes>>,
    open: Open,
}

/// How an exchange failed.
pub struct Failed {
    pub fault: OriginFault,
    /// The origin says that it did nothing with the request, or the connection was over before it could.
    pub untouched: bool,
}

fn fail(fault: OriginFault) -> Failed {
    Failed { fault, untouched: false }
}

/// Of an h2 error: what it means, and whether the stream was never looked at (RFC 9113 section 8.7).
fn failed(error: &h2::Error) -> Failed {
    let untouched = error.reason() == Some(h2::Reason::REFUSED_STREAM);
    let fault = match error.reason() {
        Some(h2::Reason::PROTOCOL_ERROR) if !error.is_remote() => OriginFault::Nonsense,
        _ => OriginFault::Broke,
    };
    Failed { fault, untouched }
}

fn request(ask: &Ask<'_>, scheme: &str, length: Option<u64>) -> Option<Request<()>> {
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(ask.method.as_bytes()).ok()?;
    let uri = Uri::builder().scheme(scheme).authority(ask.host).path_and_query(ask.target);
    *request.uri_mut() = uri.build().ok()?;
    *request.version_mut() = http::Version::HTTP_2;
    let mut map = HeaderMap::with_capacity(24);
    (ask.fields)(&mut |name, value| append(&mut map, name, HeaderValue::from_bytes(value)));
    if let Some(length) = length {
        map.insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    *request.headers_mut() = map;
    if let Some(protocol) = ask.upgrade {
        *request.method_mut() = Method::CONNECT;
        request.headers_mut().remove("sec-websocket-key");
        request.extensions_mut().insert(h2::ext::Protocol::from(protocol));
    }
    Some(request)
}

/// Sends a request and waits for its answer's head. With an upgrade, `body` is left alone.
///
/// # Errors
/// [`Failed`].
pub async fn exchange(
    ask: &Ask<'_>,
    shared: Rc<Shared>,
    tls: bool,
    body: BodyBox,
    (line, admitted): (Option<&dyn Line>, Option<&Admitted>),
) -> Result<Answered, Failed> {
    let empty = body.ended() && ask.upgrade.is_none();
    let length = body.exact().filter(|n| ask.upgrade.is_none() && (*n > 0 || !empty || ask.method == "POST"));
    let request = request(ask, if tls { "https" } else { "http" }, length).ok_or(fail(OriginFault::Nonsense))?;
    let unsent = |_| Failed { fault: OriginFault::Broke, untouched: true };
    poll_fn(|cx| shared.sender.borrow_mut().poll_ready(cx)).await.map_err(|e| {
        shared.leave();
        unsent(e)
    })?;
    if ask.upgrade.is_some() && !shared.takes_tunnels(ask.response_timeout).await {
        return Err(fail(OriginFault::NotSwitched));
    }
    let sent = shared.sender.borrow_mut().send_request(request, empty);
    let (mut response, stream) = sent.map_err(|e| {
        shared.leave();
        unsent(e)
    })?;
    let open = Open::new(shared);
    let body: BodyBox = if ask.upgrade.is_some() { Box::pin(Empty) } else { body };
    let mut outgoing = Some(stream);
    let mut sender = match (empty, ask.upgrade) {
        (false, None) => outgoing.take().map(|s| Sender::new(s, body, ask.response_timeout)),
        _ => None,
    };
    let answer = wait(ask, &mut response, &mut sender, (line, admitted.filter(|_| length.is_some()))).await?;
    let (parts, stream) = answer.into_parts();
    let length = parts.headers.get("content-length").and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    let fields = headers::map_fields(&parts.headers);
    let sender = sender.filter(|s| !s.is_done());
    let mut answered = Answered { status: parts.status.as_u16(), fields, length, stream, sender, tunnel: None, open };
    if ask.upgrade.is_some() && answered.status == 200 {
        answered.status = 101;
        answered.tunnel = outgoing;
    }
    Ok(answered)
}

async fn wait(
    ask: &Ask<'_>,
    response: &mut ResponseFuture,
    sender: &mut Option<Sender>,
    (line, admitted): (Option<&dyn Line>, Option<&Admitted>),
) -> Result<http::Response<RecvStream>, Failed> {
    let mut waiting: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        let mut uploaded = true;
        admitted.inspect(|permit| permit.moves());
        if let Some(s) = sender.as_mut().filter(|s| !s.is_done()) {
            match s.poll(cx) {
                Poll::Ready(Ok(())) => {}
                // A reset may follow an early answer, which counts.
                Poll::Ready(Err(_)) if s.was_refused() => {}
                Poll::Ready(Err(broken)) => return Poll::Ready(Err(fail(OriginFault::Upload(broken)))),
                Poll::Pending => uploaded = false,
            }
        }
        while let Poll::Ready(Some(Ok(early))) = response.poll_informational(cx) {
            if let Some(line) = line.filter(|_| early.status() != 100) {
                line.inform(early.status().as_u16(), &headers::early(headers::map_fields(early.headers())));
            }
        }
        if let Poll::Ready(answer) = Pin::new(&mut *response).poll(cx) {
            return Poll::Ready(answer.map_err(|e| failed(&e)));
        }
        if !uploaded {
            let on_client = sender.as_ref().is_some_and(|s| !s.waits_on_window());
            return match admitted.filter(|_| on_client) {
                Some(permit) if permit.is_taken() => Poll::Ready(Err(fail(OriginFault::Upload(Broken::Idle)))),
                permit => {
                    permit.inspect(|p| p.waits(cx));
                    Poll::Pending
                }
            };
        }
        let sleep = waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(ask.response_timeout)));
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Err(fail(OriginFault::Hung)))
    })
    .await
}

impl Answered {
    pub fn body(self, deadline: Duration, admitted: Option<Admitted>, at: At) -> Relay {
        let ended = self.stream.is_end_stream();
        let mut relay = Relay {
            body: Box::pin(Inbound::new(self.stream, self.length, deadline)),
            sender: self.sender,
            held: Some((self.open, admitted, at)),
        };
        if ended {
            relay.held = None;
        }
        relay
    }

    /// The stream as a pipe, where the origin agreed to another protocol.
    pub fn into_tunnel(self) -> Option<Pipe> {
        Some(Pipe::new(self.stream, self.tunnel?))
    }
}

/// An origin's body on its way to the citizen.
pub struct Relay {
    body: Pin<Box<Inbound>>,
    sender: Option<Sender>,
    /// Given back when the body has come whole.
    held: Option<(Open, Option<Admitted>, At)>,
}

impl Body for Relay {
    fn poll_chunk(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        if let Some(sender) = &mut self.sender
            && sender.poll(cx).is_ready()
        {
            self.sender = None;
        }
        self.held.iter().filter_map(|held| held.1.as_ref()).for_each(Admitted::moves);
        let chunk = ready!(self.body.as_mut().poll_chunk(cx));
        if chunk.is_none() || self.body.ended() {
            self.held = None;
        }
        // Until it asks for more.
        self.held.iter().filter_map(|held| held.1.as_ref()).for_each(|permit| permit.waits(cx));
        Poll::Ready(chunk)
    }

    fn exact(&self) -> Option<u64> {
        self.body.exact()
    }

    fn ended(&self) -> bool {
        self.body.ended()
    }

    fn is_given_up(&self) -> bool {
        self.held.as_ref().and_then(|held| held.1.as_ref()).is_some_and(Admitted::is_taken)
    }
}
