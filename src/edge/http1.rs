//! HTTP/1 with a citizen: requests one after the other, the corridor, the answer's way out.
//!
//! One task serves a connection. The upload that the corridor reads and the answer that is written share the link by
//! turns, never across a wait.
//!
//! Does not know: guards, the origin.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::answer::{self, Outgoing, Sent};
use super::conn::{Seat, in_place};
use super::crowd::Phase;
use super::identify::identify;
use super::tcp::Io;
use super::tunnel;
use crate::bounds;
use crate::clock::Patience;
use crate::http1::{Decoder, Framing, HeadFault, Link, Parts, RequestHead, Step, request_framing, write_field};
use crate::reason::Reason;
use crate::wire::{Body, BodyBox, Broken, Chunk, Empty, Fields, Head, Line, NoHead, Payload, Reply, Version};

/// A connection in the middle of a request.
pub struct Talk<S> {
    pub link: Link<S>,
    /// The upload's framing, and how far it is.
    body: Decoder,
    /// Informational answers on their way.
    early: Vec<u8>,
    /// The answer has begun: nothing informational may follow.
    answering: bool,
}

type Shared<S> = Rc<RefCell<Talk<S>>>;

/// Serves a connection to its end. The stream goes behind a pointer before the future is made, or every idle
/// connection would hold its size twice.
pub fn serve<S: Io>(seat: Rc<Seat>, stream: S) -> impl Future<Output = ()> {
    let talk =
        Talk { link: Link::new(stream), body: Decoder::new(Framing::Empty), early: Vec::new(), answering: false };
    talking(seat, Rc::new(RefCell::new(talk)))
}

async fn talking<S: Io>(seat: Rc<Seat>, talk: Shared<S>) {
    loop {
        let Some(turn) = next(&seat, &talk).await else { return };
        match turn.await {
            Keep::Open => {}
            Keep::Close => return Box::pin(close(&talk)).await,
            Keep::Over => return Box::pin(part(&talk)).await,
            Keep::Cut => return talk.borrow().link.stream.abort(),
        }
        let begun = !talk.borrow().link.buf.is_empty();
        seat.ticket.phase(if begun { Phase::Head } else { Phase::Idle });
    }
}

/// A request's way through the house. Behind a pointer, like its head: both are large, and most connections are idle
/// most of the time.
type Turn<'a> = Pin<Box<dyn Future<Output = Keep> + 'a>>;

/// What becomes of a connection after an answer.
enum Keep {
    Open,
    Close,
    /// Both sides have said all: there is nothing to linger for.
    Over,
    /// The answer broke off: it must not look whole.
    Cut,
}

/// Waits for the next request; `None` where the client has left.
async fn next<'a, S: Io>(seat: &'a Rc<Seat>, talk: &'a Shared<S>) -> Option<Turn<'a>> {
    let mut scanned = 0;
    let (bytes, fields) = {
        let caps = &seat.post.house.town.load().settings.caps;
        (caps.head, caps.fields)
    };
    poll_fn(|cx| {
        let link = &mut talk.borrow_mut().link;
        loop {
            let turn: Turn<'a> = match RequestHead::take(&mut link.buf, &mut scanned, bytes, fields) {
                Ok(Some(head)) => in_place(|| one(seat, talk, head)),
                Err(fault) => Box::pin(unreadable(seat, talk, fault)),
                Ok(None) => match ready!(link.poll_fill(cx)) {
                    Ok(0) | Err(_) => return Poll::Ready(None),
                    Ok(_) if seat.ticket.is(Phase::Idle) => {
                        seat.ticket.phase(Phase::Head);
                        continue;
                    }
                    Ok(_) => continue,
                },
            };
            seat.ticket.phase(Phase::Busy);
            return Poll::Ready(Some(turn));
        }
    })
    .await
}

async fn unreadable<S: Io>(seat: &Seat, talk: &Shared<S>, fault: HeadFault) -> Keep {
    let reason = match fault {
        HeadFault::Malformed => Reason::BadRequest,
        HeadFault::TooLarge => Reason::HeadTooLarge,
        HeadFault::Version => Reason::BadVersion,
    };
    let client = identify(&seat.post.house.town.load(), seat.peer, &NoHead).with(seat.fingerprint);
    let reply = seat.post.corridor.refuse(&NoHead, client, seat.arrival(), reason);
    send(seat, talk, &NoHead, reply, false).await
}

async fn one<S: Io>(seat: &Rc<Seat>, talk: &Shared<S>, head: RequestHead) -> Keep {
    let client = identify(&seat.post.house.town.load(), seat.peer, &head).with(seat.fingerprint);
    let framing = match request_framing(&head) {
        Ok(framing) => framing,
        Err(_) => {
            let reply = seat.post.corridor.refuse(&head, client, seat.arrival(), Reason::BadRequest);
            return send(seat, talk, &head, reply, false).await;
        }
    };
    {
        let talk = &mut *talk.borrow_mut();
        (talk.body, talk.answering) = (Decoder::new(framing), false);
    }
    let upload: BodyBox = match framing {
        Framing::Empty => Box::pin(Empty),
        _ => Box::pin(Upload {
            talk: talk.clone(),
            seat: seat.clone(),
            patience: Patience::new(seat.post.house.town.load().settings.deadlines.upload),
            asks: head.expects_continue(),
            waits: false,
        }),
    };
    let line = Teller { talk, seat, version: head.version() };
    let walk = pin!(seat.post.corridor.walk(&head, upload, client, seat.arrival(), &line));
    let Some(reply) = while_listening(talk, walk).await else { return Keep::Close };
    send(seat, talk, &head, reply, head.keeps_alive()).await
}

/// Walks the corridor while listening for a client that leaves; `None` when it has.
async fn while_listening<S: Io>(talk: &Shared<S>, mut walk: Pin<&mut impl Future<Output = Reply>>) -> Option<Reply> {
    let mut left: Option<Patience> = None;
    poll_fn(|cx| {
        if let Poll::Ready(reply) = walk.as_mut().poll(cx) {
            return Poll::Ready(Some(reply));
        }
        let talk = &mut *talk.borrow_mut();
        if let Poll::Ready(Err(_)) = talk.poll_early(cx) {
            return Poll::Ready(None);
        }
        // What comes after the body is the next request's, or the client's end.
        while talk.body.is_done() && !talk.link.ended && talk.link.buf.len() < bounds::OWN_BODY_BYTES {
            match talk.link.poll_fill(cx) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(None),
                Poll::Pending => break,
            }
        }
        if !talk.link.ended {
            return Poll::Pending;
        }
        left.get_or_insert_with(|| Patience::new(bounds::HALF_CLOSED)).poll(cx).map(|()| None)
    })
    .await
}

impl<S: Io> Talk<S> {
    fn poll_early(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.early.is_empty() {
            let mut parts = Parts::from(std::mem::take(&mut self.early));
            let sent = self.link.poll_send(cx, &mut parts);
            if sent.is_pending() {
                self.early.extend_from_slice(parts.front());
            }
            ready!(sent)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Takes what has come of a body that nobody wants; whether that was all of it.
    fn skip_what_came(&mut self) -> bool {
        while let Ok(Step::Data(_) | Step::Trailers(_)) = self.body.step(&mut self.link.buf) {}
        self.body.is_done()
    }
}

async fn send<S: Io>(seat: &Seat, talk: &Shared<S>, head: &dyn Head, reply: Reply, keep: bool) -> Keep {
    let Reply::Answer(mut answer) = reply else { return Keep::Cut };
    if let Payload::Tunnel(_) = &answer.body {
        return pass_through(seat, talk, answer).await;
    }
    let whole = talk.borrow_mut().skip_what_came();
    // After what could not be read, the two sides may differ on where they are.
    let lost =
        matches!(answer.status, 400 | 408 | 413 | 431 | 501 | 505) && answer.fields.first("proxy-status").is_some();
    let over = !keep && whole && !lost;
    let keep = keep && whole && !lost && !seat.post.draining();
    let prefix = {
        let talk = &mut *talk.borrow_mut();
        talk.answering = true;
        std::mem::take(&mut talk.early)
    };
    let body = std::mem::replace(&mut answer.body, Payload::Bytes(Bytes::new()));
    let mut out = Outgoing::new(seat, head, &answer, body, keep, &prefix);
    let sent = poll_fn(|cx| out.poll(cx, talk)).await;
    match sent {
        Sent::Whole if keep && !out.ends_at_close() => Keep::Open,
        // The client said that this was its last request, and nothing more came of it.
        Sent::Whole if over && talk.borrow().link.buf.is_empty() => Keep::Over,
        Sent::Whole | Sent::Cut => Keep::Close,
        Sent::Broken => Keep::Cut,
    }
}

async fn pass_through<S: Io>(seat: &Seat, talk: &Shared<S>, answer: crate::wire::Answer) -> Keep {
    let Payload::Tunnel(inside) = answer.body else { return Keep::Close };
    let mut bytes = Vec::with_capacity(256);
    answer::status_line(&mut bytes, 101);
    bytes.extend_from_slice(b"connection: upgrade\r\n");
    for (name, value) in &answer.fields.0 {
        write_field(&mut bytes, name.as_bytes(), value);
    }
    bytes.extend_from_slice(b"\r\n");
    let mut parts = Parts::from(bytes);
    if poll_fn(|cx| talk.borrow_mut().link.poll_send(cx, &mut parts)).await.is_err() {
        return Keep::Cut;
    }
    seat.ticket.phase(Phase::Tunnel);
    let idle = seat.post.house.town.load().settings.deadlines.tunnel;
    match tunnel::join(&mut Outside(talk), inside, idle).await {
        Ok(()) => Keep::Close,
        Err(_) => Keep::Cut,
    }
}

/// Says the last word, where the stream has one, and waits for nothing more.
async fn part<S: Io>(talk: &Shared<S>) {
    if !S::ENDS_BY_ITSELF {
        let last = poll_fn(|cx| Pin::new(&mut talk.borrow_mut().link.stream).poll_shutdown(cx));
        let _ = tokio::time::timeout(bounds::LINGER, last).await;
    }
}

/// Says goodbye, and reads on for a moment: closing on unread bytes would reset the connection and take the answer
/// with it.
async fn close<S: Io>(talk: &Shared<S>) {
    let linger = async {
        poll_fn(|cx| Pin::new(&mut talk.borrow_mut().link.stream).poll_shutdown(cx)).await?;
        let mut left = bounds::LINGER_BYTES;
        while left > 0 {
            let n = poll_fn(|cx| {
                let link = &mut talk.borrow_mut().link;
                link.buf.clear();
                link.poll_fill(cx)
            })
            .await?;
            if n == 0 {
                break;
            }
            left = left.saturating_sub(n);
        }
        io::Result::Ok(())
    };
    let _ = tokio::time::timeout(bounds::LINGER, linger).await;
}

/// The citizen's upload.
struct Upload<S> {
    talk: Shared<S>,
    seat: Rc<Seat>,
    patience: Patience,
    /// The client waits for leave to send (RFC 9110 section 10.1.1): given when somebody wants the body.
    asks: bool,
    waits: bool,
}

impl<S: Io> Upload<S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        let talk = &mut *self.talk.borrow_mut();
        loop {
            match talk.body.step(&mut talk.link.buf) {
                Err(_) => return Poll::Ready(Some(Err(Broken::Malformed))),
                Ok(Step::End) => return Poll::Ready(None),
                Ok(Step::Data(data)) => return Poll::Ready(Some(Ok(Chunk::Data(data)))),
                Ok(Step::Trailers(fields)) => return Poll::Ready(Some(Ok(Chunk::Trailers(fields)))),
                Ok(Step::More) => {}
            }
            if std::mem::take(&mut self.asks) && talk.link.buf.is_empty() && !talk.answering {
                talk.early.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                let _ = talk.poll_early(cx);
            }
            match ready!(talk.link.poll_fill(cx)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(Some(Err(Broken::Gone))),
            }
        }
    }

    fn waits(&mut self, on: bool) {
        if self.waits != on {
            self.waits = on;
            self.seat.ticket.waits(on);
        }
    }
}

impl<S: Io> Body for Upload<S> {
    fn poll_chunk(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        let chunk = self.poll(cx);
        self.waits(chunk.is_pending());
        if chunk.is_ready() {
            self.patience.renew();
            return chunk;
        }
        ready!(self.patience.poll(cx));
        Poll::Ready(Some(Err(Broken::Idle)))
    }

    fn exact(&self) -> Option<u64> {
        self.talk.borrow().body.exact()
    }
}

impl<S> Drop for Upload<S> {
    fn drop(&mut self) {
        if self.waits {
            self.seat.ticket.waits(false);
        }
    }
}

/// Lets the corridor speak before the answer.
struct Teller<'a, S> {
    talk: &'a Shared<S>,
    seat: &'a Seat,
    version: Version,
}

impl<S> Line for Teller<'_, S> {
    fn inform(&self, status: u16, fields: &Fields) {
        if self.version != Version::Http11 {
            return;
        }
        let mut bytes = Vec::with_capacity(128);
        answer::status_line(&mut bytes, status);
        for (name, value) in &fields.0 {
            write_field(&mut bytes, name.as_bytes(), value);
        }
        bytes.extend_from_slice(b"\r\n");
        self.talk.borrow_mut().early.extend_from_slice(&bytes);
    }

    fn showed(&self, pass: u128) {
        self.seat.ticket.showed(pass);
    }
}

/// The citizen's side of a tunnel.
struct Outside<'a, S>(&'a Shared<S>);

impl<S: Io> AsyncRead for Outside<'_, S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().link).poll_read(cx, buf)
    }
}

impl<S: Io> AsyncWrite for Outside<'_, S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0.borrow_mut().link).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().link).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().link).poll_shutdown(cx)
    }
}
