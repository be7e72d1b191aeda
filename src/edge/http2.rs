//! HTTP/2 with a citizen, over the h2 crate: each stream is one walk through the corridor, all of them in the
//! connection's own task.
//!
//! hyper's HTTP/2 was set aside: it buffers 400 KiB per answer, cannot send informational answers, and knows no idle
//! deadline; h2 under it does the protocol either way.
//!
//! Does not know: guards, the origin.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason as H2Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};

use super::conn::{Seat, in_place};
use super::crowd::Phase;
use super::frames::{Account, Offence};
use super::gather::{Counted, Gather};
use super::identify::identify;
use super::stream::StreamHead;
use super::tcp::Io;
use super::tunnel;
use crate::bounds;
use crate::clock::Now;
use crate::http2::{Inbound, Pieces, Pipe, Sender, map, put};
use crate::reason::Reason;
use crate::wire::{
    self, Answer, Body, BodyBox, Broken, Chunk, Common, Empty, Fields, Head, Line, Payload, Reply, Whole,
};

pub async fn serve<S: Io>(seat: Rc<Seat>, stream: S) {
    let caps = seat.post.house.town.load().settings.caps;
    let clock = seat.post.house.clock.clone();
    let account = Account::default();
    let counted = Counted::new(stream, &caps, account.clone(), move || clock.now().mono / 1_000_000);
    let gather = counted.gather();
    let handshake = Builder::new()
        .max_concurrent_streams(caps.streams)
        .initial_window_size(bounds::H2_STREAM_WINDOW)
        .initial_connection_window_size(bounds::H2_CONNECTION_WINDOW)
        .max_header_list_size(caps.head as u32)
        .max_send_buffer_size(bounds::H2_STREAM_WINDOW as usize)
        .enable_connect_protocol()
        .handshake::<_, Bytes>(counted);
    let Ok(connection) = handshake.await else { return };
    talk(&seat, connection, gather, account).await;
}

/// Accepts streams and drives them until the connection is over.
async fn talk<S: Io>(
    seat: &Rc<Seat>,
    mut connection: Connection<Counted<S>, Bytes>,
    gather: Rc<RefCell<Gather<S>>>,
    account: Account,
) {
    gather.borrow_mut().lazy();
    let mut streams = FuturesUnordered::new();
    let mut leaving = false;
    seat.ticket.phase(Phase::Idle);
    seat.ticket.says_goodbye();
    poll_fn(|cx| {
        if seat.post.draining() && !leaving {
            leaving = true;
            connection.graceful_shutdown();
        }
        loop {
            // Streams first: what they send, the connection then takes along.
            while let Poll::Ready(Some(())) = streams.poll_next_unpin(cx) {}
            match connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    seat.ticket.phase(Phase::Busy);
                    streams.push(in_place(|| one(seat.clone(), request, respond, account.pieces.clone())));
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        if account.offence().is_some() {
            return Poll::Ready(());
        }
        let mut gather = gather.borrow_mut();
        let sent = gather.poll_send(cx);
        if let Poll::Ready(Err(_)) = sent {
            return Poll::Ready(());
        }
        if sent.is_ready() && streams.is_empty() && !connection.has_streams() {
            seat.ticket.phase(Phase::Idle);
            gather.rest();
        }
        Poll::Pending
    })
    .await;
    drop(streams);
    if let Some(Offence(why)) = account.offence() {
        connection.abrupt_shutdown(why);
        let _ = tokio::time::timeout(bounds::LINGER, poll_fn(|cx| connection.poll_closed(cx))).await;
    }
}

async fn one(seat: Rc<Seat>, request: Request<RecvStream>, mut respond: SendResponse<Bytes>, pieces: Pieces) {
    let (parts, incoming) = request.into_parts();
    let head = StreamHead::new(parts);
    let deadlines = seat.post.house.town.load().settings.deadlines;
    let client = identify(&seat.post.house.town.load(), seat.peer, &head).with(seat.fingerprint);
    if head.parts.method == http::Method::CONNECT && head.protocol().is_none() {
        // Tunnels to anywhere are not opened here.
        return respond.send_reset(H2Reason::REFUSED_STREAM);
    }
    let mut incoming = Some(incoming);
    // Held to the end of the answer: a stream that is let go of earlier is reset, and an early answer lost with it.
    let mut held = None;
    let upload: BodyBox = if head.protocol().is_some() {
        Box::pin(Empty)
    } else {
        let length = head.text("content-length").and_then(|l| l.parse().ok());
        match incoming.take() {
            Some(stream) if !stream.is_end_stream() => {
                let waits = Waits { seat: seat.clone(), on: false };
                // Messages of gRPC come when there is something to say.
                let most = if wire::is_grpc(head.field("content-type")) { deadlines.tunnel } else { deadlines.upload };
                let body = Rc::new(RefCell::new(Box::pin(Inbound::new(stream, length, most))));
                held = Some(body.clone());
                Box::pin(Upload { body, waits })
            }
            _ => Box::pin(Empty),
        }
    };
    let respond = RefCell::new(respond);
    let reply = {
        let line = Teller { respond: &respond, seat: &seat };
        let fields = head.parts.headers.len();
        let caps = seat.post.house.town.load().settings.caps;
        let corridor = &seat.post.corridor;
        // Blanks around a value would be taken off by the next reader over HTTP/1 (RFC 9113 section 8.2.1).
        let blank = |b: Option<&u8>| b.is_some_and(|b| matches!(b, b' ' | b'\t'));
        let padded = |v: &HeaderValue| blank(v.as_bytes().first()) || blank(v.as_bytes().last());
        if head.parts.headers.values().any(padded) {
            Some(corridor.refuse(&head, client, seat.arrival(), Reason::BadRequest))
        } else if fields > caps.fields {
            Some(corridor.refuse(&head, client, seat.arrival(), Reason::HeadTooLarge))
        } else if head.protocol().is_some_and(|p| !p.eq_ignore_ascii_case("websocket")) {
            Some(corridor.refuse(&head, client, seat.arrival(), Reason::UnknownProtocol))
        } else {
            let walk = pin!(corridor.walk(&head, upload, client, seat.arrival(), &line));
            while_wanted(&respond, walk).await
        }
    };
    let mut respond = respond.into_inner();
    match reply {
        None => {}
        Some(Reply::Close) => respond.send_reset(H2Reason::REFUSED_STREAM),
        Some(Reply::Answer(answer)) => send(&seat, &head, respond, incoming, answer, pieces).await,
    }
    drop(held);
}

/// Walks the corridor until the client takes its request back; `None` when it has.
async fn while_wanted(
    respond: &RefCell<SendResponse<Bytes>>,
    mut walk: Pin<&mut impl Future<Output = Reply>>,
) -> Option<Reply> {
    poll_fn(|cx| {
        if let Poll::Ready(reply) = walk.as_mut().poll(cx) {
            return Poll::Ready(Some(reply));
        }
        respond.borrow_mut().poll_reset(cx).map(|_| None)
    })
    .await
}

async fn send(
    seat: &Rc<Seat>,
    head: &StreamHead,
    mut respond: SendResponse<Bytes>,
    incoming: Option<RecvStream>,
    answer: Answer,
    pieces: Pieces,
) {
    let to_head = head.parts.method == http::Method::HEAD;
    let Answer { made, status, common, fields, body } = answer;
    let bodiless = to_head || matches!(status, 204 | 304);
    let Ok(mut response) =
        response(status, common.as_deref(), &fields, || made.unwrap_or_else(|| seat.post.house.now()))
    else {
        return respond.send_reset(H2Reason::INTERNAL_ERROR);
    };
    let deadline = seat.post.house.town.load().settings.deadlines.download;
    let body: BodyBox = match body {
        Payload::Bytes(bytes) => {
            if !matches!(status, 204 | 304) {
                response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            }
            Box::pin(Whole(bytes))
        }
        Payload::Stream(body) => {
            if let (Some(length), false) = (body.exact(), bodiless) {
                response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            }
            body
        }
        Payload::Tunnel(inside) => {
            *response.status_mut() = StatusCode::OK;
            response.headers_mut().remove("sec-websocket-accept");
            let (Ok(outgoing), Some(incoming)) = (respond.send_response(response, false), incoming) else { return };
            let idle = seat.post.house.town.load().settings.deadlines.tunnel;
            let _open = Tunnelling::new(seat);
            let _ = tunnel::join(&mut Pipe::new(incoming, outgoing).counting(pieces), inside, idle).await;
            return;
        }
    };
    let if_broken = broken_grpc(response.headers());
    let over = bodiless || body.ended();
    let Ok(stream) = respond.send_response(response, over) else { return };
    if over {
        return;
    }
    let mut sender = Sender::new(stream, body, deadline).counting(pieces).if_broken(if_broken);
    let mut waits = Waits { seat: seat.clone(), on: false };
    let _ = poll_fn(|cx| {
        let polled = sender.poll(cx);
        waits.set(polled.is_pending() && sender.waits_on_window());
        polled
    })
    .await;
}

/// What ends a gRPC answer whose origin broke off: to a client the same as without boma between, and not "internal".
fn broken_grpc(headers: &HeaderMap) -> Option<HeaderMap> {
    let content_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    if !wire::is_grpc(content_type) || headers.contains_key(header::CONTENT_LENGTH) {
        return None;
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("14"));
    trailers.insert("grpc-message", HeaderValue::from_static("the service behind this address broke off"));
    Some(trailers)
}

fn response(
    status: u16,
    common: Option<&Common>,
    fields: &Fields,
    made: impl FnOnce() -> Now,
) -> Result<Response<()>, http::Error> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(status)?;
    let headers = response.headers_mut();
    // Connection fields have no place in HTTP/2 (RFC 9113 section 8.2.2).
    let of_connection = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];
    headers.reserve(fields.0.len() + common.map_or(0, |c| c.fields.0.len()) + 2);
    for fields in common.map(|c| &c.fields).into_iter().chain([fields]) {
        put(headers, fields, |name| !of_connection.contains(&name));
    }
    if !headers.contains_key(header::DATE) {
        let mut date = Vec::with_capacity(32);
        crate::http1::date(made().unix(), &mut date);
        headers.insert(header::DATE, HeaderValue::from_maybe_shared(Bytes::from(date))?);
    }
    Ok(response)
}

/// A citizen's upload.
struct Upload {
    body: Rc<RefCell<Pin<Box<Inbound>>>>,
    waits: Waits,
}

impl Body for Upload {
    fn poll_chunk(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        let chunk = self.body.borrow_mut().as_mut().poll_chunk(cx);
        self.waits.set(chunk.is_pending());
        chunk
    }

    fn exact(&self) -> Option<u64> {
        self.body.borrow().exact()
    }

    fn ended(&self) -> bool {
        self.body.borrow().ended()
    }
}

/// Says that a stream is a tunnel, for as long as it is.
struct Tunnelling(Rc<Seat>);

impl Tunnelling {
    fn new(seat: &Rc<Seat>) -> Tunnelling {
        seat.ticket.tunnels(true);
        Tunnelling(seat.clone())
    }
}

impl Drop for Tunnelling {
    fn drop(&mut self) {
        self.0.ticket.tunnels(false);
    }
}

/// Says that a transfer waits on the client, for as long as it does.
struct Waits {
    seat: Rc<Seat>,
    on: bool,
}

impl Waits {
    fn set(&mut self, on: bool) {
        if self.on != on {
            self.on = on;
            self.seat.ticket.waits(on);
        }
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.set(false);
    }
}

/// Lets the corridor speak before the answer.
struct Teller<'a> {
    respond: &'a RefCell<SendResponse<Bytes>>,
    seat: &'a Seat,
}

impl Line for Teller<'_> {
    fn inform(&self, status: u16, fields: &Fields) {
        let mut response = Response::new(());
        let Ok(status) = StatusCode::from_u16(status) else { return };
        *response.status_mut() = status;
        *response.headers_mut() = map(fields);
        let _ = self.respond.borrow_mut().send_informational(response);
    }

    fn showed(&self, pass: u128) {
        self.seat.ticket.showed(pass);
    }
}
