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

use super::answer::{self, Outgoing, Sent};
use super::conn::{Seat, in_place};
use super::crowd::Phase;
use super::identify::identify;
use super::talk::{Outside, Shared, Talk, Teller, Upload};
use super::tcp::Io;
use super::tunnel;
use crate::bounds;
use crate::clock::Patience;
use crate::http1::{Decoder, Framing, HeadFault, Parts, RequestHead, request_framing, write_field};
use crate::reason::Reason;
use crate::serve::{Entered, Going};
use crate::wire::{BodyBox, Empty, Head, NoHead, Payload, Reply};

/// Serves a connection to its end. The stream goes behind a pointer before the future is made, or every idle
/// connection would hold its size twice.
pub fn serve<S: Io>(seat: Rc<Seat>, stream: S) -> impl Future<Output = ()> {
    talking(seat, Rc::new(RefCell::new(Talk::new(stream))))
}

async fn talking<S: Io>(seat: Rc<Seat>, talk: Shared<S>) {
    loop {
        let Some(turn) = next(&seat, &talk).await else { return };
        let keep = match turn {
            Turn::Over(keep) => keep,
            Turn::On(rest) => rest.await,
        };
        match keep {
            Keep::Open => {}
            Keep::Close => return Box::pin(close(&talk)).await,
            Keep::Over => return Box::pin(part(&talk)).await,
            Keep::Cut => return talk.borrow().link.stream.abort(),
        }
        let begun = !talk.borrow().link.buf.is_empty();
        seat.ticket.phase(if begun { Phase::Head } else { Phase::Idle });
    }
}

/// A request's way through the house.
enum Turn<'a> {
    /// It was answered on the spot, and the system took the answer.
    Over(Keep),
    /// Behind a pointer, like its head: both are large, and most connections are idle most of the time.
    On(Pin<Box<dyn Future<Output = Keep> + 'a>>),
}

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
        let caps = &seat.post.corridor.town().settings.caps;
        (caps.head, caps.fields)
    };
    poll_fn(|cx| {
        let head = loop {
            let link = &mut talk.borrow_mut().link;
            match RequestHead::take(&mut link.buf, &mut scanned, bytes, fields) {
                Ok(Some(head)) => break Ok(head),
                Err(fault) => break Err(fault),
                Ok(None) => match ready!(link.poll_fill(cx)) {
                    Ok(0) | Err(_) => return Poll::Ready(None),
                    Ok(_) if seat.ticket.is(Phase::Idle) => seat.ticket.phase(Phase::Head),
                    Ok(_) => {}
                },
            }
        };
        seat.ticket.phase(Phase::Busy);
        Poll::Ready(Some(match head {
            Ok(head) => begin(seat, talk, head, cx),
            Err(fault) => unreadable(seat, talk, fault, cx),
        }))
    })
    .await
}

fn unreadable<'a, S: Io>(seat: &'a Seat, talk: &'a Shared<S>, fault: HeadFault, cx: &mut Context<'_>) -> Turn<'a> {
    let reason = match fault {
        HeadFault::Malformed => Reason::BadRequest,
        HeadFault::TooLarge => Reason::HeadTooLarge,
        HeadFault::Version => Reason::BadVersion,
    };
    let corridor = &seat.post.corridor;
    let client = identify(&corridor.town(), seat.peer, &NoHead).with(seat.fingerprint);
    let reply = corridor.refuse(&NoHead, client, seat.arrival(), reason);
    answered(seat, talk, &NoHead, (reply, false), cx)
}

/// A request as far as it goes without waiting.
fn begin<'a, S: Io>(seat: &'a Rc<Seat>, talk: &'a Shared<S>, head: RequestHead, cx: &mut Context<'_>) -> Turn<'a> {
    let corridor = &seat.post.corridor;
    let client = identify(&corridor.town(), seat.peer, &head).with(seat.fingerprint);
    let Ok(framing) = request_framing(&head) else {
        let reply = corridor.refuse(&head, client, seat.arrival(), Reason::BadRequest);
        return answered(seat, talk, &head, (reply, false), cx);
    };
    let bodiless = {
        let talk = &mut *talk.borrow_mut();
        (talk.body, talk.answering) = (Decoder::new(framing), false);
        talk.body.exact() == Some(0)
    };
    let line = Teller { talk, seat, version: head.version() };
    match corridor.enter(&head, bodiless, (client, seat.arrival()), &line) {
        Entered::Answered(reply) => answered(seat, talk, &head, (reply, head.keeps_alive()), cx),
        Entered::Goes(going) => Turn::On(in_place(|| rest(seat, talk, head, framing, going))),
    }
}

/// An answer that is there already goes out at once, where the system takes it.
fn answered<'a, S: Io>(
    seat: &'a Seat,
    talk: &'a Shared<S>,
    head: &dyn Head,
    (reply, keep): (Reply, bool),
    cx: &mut Context<'_>,
) -> Turn<'a> {
    match Sending::new(seat, talk, head, reply, keep) {
        Err(Unsent::Tunnel(answer)) => Turn::On(Box::pin(pass_through(seat, talk, answer))),
        Err(Unsent::Close) => Turn::Over(Keep::Cut),
        Ok(mut sending) => match sending.poll(cx, talk) {
            Poll::Ready(keep) => Turn::Over(keep),
            Poll::Pending => Turn::On(Box::pin(poll_fn(move |cx| sending.poll(cx, talk)))),
        },
    }
}

/// What is left of a request once it has to wait.
async fn rest<S: Io>(seat: &Rc<Seat>, talk: &Shared<S>, head: RequestHead, framing: Framing, going: Going<'_>) -> Keep {
    let upload: BodyBox = match framing {
        Framing::Empty => Box::pin(Empty),
        _ => Box::pin(Upload::new(talk, seat, head.expects_continue())),
    };
    let line = Teller { talk, seat, version: head.version() };
    let going = pin!(seat.post.corridor.go(going, &head, upload, &line));
    let Some(reply) = while_listening(talk, going).await else { return Keep::Close };
    match Sending::new(seat, talk, &head, reply, head.keeps_alive()) {
        Err(Unsent::Tunnel(answer)) => pass_through(seat, talk, answer).await,
        Err(Unsent::Close) => Keep::Cut,
        Ok(mut sending) => poll_fn(|cx| sending.poll(cx, talk)).await,
    }
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

/// An answer on its way out, and what becomes of the connection behind it.
struct Sending<'a> {
    out: Outgoing<'a>,
    keep: bool,
    over: bool,
}

/// What is no answer to be sent.
enum Unsent {
    Tunnel(crate::wire::Answer),
    Close,
}

impl<'a> Sending<'a> {
    fn new<S: Io>(
        seat: &'a Seat,
        talk: &Shared<S>,
        head: &dyn Head,
        reply: Reply,
        keep: bool,
    ) -> Result<Sending<'a>, Unsent> {
        let Reply::Answer(mut answer) = reply else { return Err(Unsent::Close) };
        if let Payload::Tunnel(_) = &answer.body {
            return Err(Unsent::Tunnel(answer));
        }
        let talk = &mut *talk.borrow_mut();
        let whole = talk.skip_what_came();
        // After what could not be read, the two sides may differ on where they are.
        let lost =
            matches!(answer.status, 400 | 408 | 413 | 431 | 501 | 505) && answer.fields.first("proxy-status").is_some();
        let over = !keep && whole && !lost;
        let keep = keep && whole && !lost && !seat.post.draining();
        talk.answering = true;
        let prefix = std::mem::take(&mut talk.early);
        let body = std::mem::replace(&mut answer.body, Payload::Bytes(Bytes::new()));
        Ok(Sending { out: Outgoing::new(seat, head, &answer, body, keep, &prefix), keep, over })
    }

    fn poll<S: Io>(&mut self, cx: &mut Context<'_>, talk: &Shared<S>) -> Poll<Keep> {
        Poll::Ready(match ready!(self.out.poll(cx, talk)) {
            Sent::Whole if self.keep && !self.out.ends_at_close() => Keep::Open,
            // The client said that this was its last request, and nothing more came of it.
            Sent::Whole if self.over && talk.borrow().link.buf.is_empty() => Keep::Over,
            Sent::Whole | Sent::Cut => Keep::Close,
            Sent::Broken => Keep::Cut,
        })
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

/// Says the last word, where the stream has one, and waits for nothing more; but what lies there unread would reset the connection.
async fn part<S: Io>(talk: &Shared<S>) {
    if S::ENDS_BY_ITSELF {
        return;
    }
    let last = poll_fn(|cx| Pin::new(&mut talk.borrow_mut().link.stream).poll_shutdown(cx));
    let _ = tokio::time::timeout(bounds::LINGER, last).await;
    let more = poll_fn(|cx| Poll::Ready(talk.borrow_mut().link.poll_fill(cx))).await;
    if matches!(more, Poll::Ready(Ok(1..))) {
        close(talk).await;
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
