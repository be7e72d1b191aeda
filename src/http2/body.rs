//! Bodies over HTTP/2 streams: read as the reader asks, sent as the window allows.
//!
//! Does not know: heads.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use http::header::InvalidHeaderValue;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::clock::Patience;
use crate::http1::may_trail;
use crate::wire::{Body, BodyBox, Broken, Chunk, Fields};

use super::Pieces;

/// A body as it arrives; nothing for `most` ends it. What was taken gives its window back.
pub struct Inbound {
    stream: RecvStream,
    patience: Patience,
    left: Option<u64>,
    data_over: bool,
}

impl Inbound {
    /// `length` as the Content-Length field says, which h2 holds the sender to.
    pub fn new(stream: RecvStream, length: Option<u64>, most: Duration) -> Inbound {
        Inbound { stream, patience: Patience::new(most), left: length, data_over: false }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        while !self.data_over {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    self.left = self.left.map(|n| n.saturating_sub(data.len() as u64));
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(Chunk::Data(data))));
                    }
                }
                Some(Err(_)) => return Poll::Ready(Some(Err(Broken::Gone))),
                None => self.data_over = true,
            }
        }
        Poll::Ready(match ready!(self.stream.poll_trailers(cx)) {
            Ok(Some(map)) => Some(Ok(Chunk::Trailers(trailers(&map)))),
            Ok(None) => None,
            Err(_) => Some(Err(Broken::Gone)),
        })
    }
}

impl Body for Inbound {
    fn poll_chunk(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        let this = &mut *self;
        if let Poll::Ready(chunk) = this.poll(cx) {
            this.patience.renew();
            return Poll::Ready(chunk);
        }
        ready!(this.patience.poll(cx));
        Poll::Ready(Some(Err(Broken::Idle)))
    }

    fn exact(&self) -> Option<u64> {
        if self.stream.is_end_stream() { Some(0) } else { self.left }
    }

    fn ended(&self) -> bool {
        self.stream.is_end_stream()
    }
}

/// A body on its way out. A body that breaks resets the stream, so that it never looks whole, unless its protocol has
/// words for that.
pub struct Sender {
    stream: SendStream<Bytes>,
    body: Option<BodyBox>,
    waiting: Bytes,
    patience: Patience,
    refused: bool,
    pieces: Option<Pieces>,
    if_broken: Option<HeaderMap>,
}

impl Sender {
    pub fn new(stream: SendStream<Bytes>, body: BodyBox, most: Duration) -> Sender {
        Sender {
            stream,
            body: Some(body),
            waiting: Bytes::new(),
            patience: Patience::new(most),
            refused: false,
            pieces: None,
            if_broken: None,
        }
    }

    /// Counts what goes out.
    pub fn counting(self, pieces: Pieces) -> Sender {
        Sender { pieces: Some(pieces), ..self }
    }

    /// Trailers that end a body which breaks, in place of a reset.
    pub fn if_broken(self, trailers: Option<HeaderMap>) -> Sender {
        Sender { if_broken: trailers, ..self }
    }

    pub fn is_done(&self) -> bool {
        self.body.is_none()
    }

    /// Whether it was the other side that wanted no more of it.
    pub fn was_refused(&self) -> bool {
        self.refused
    }

    /// Whether it is the other side that has to move.
    pub fn waits_on_window(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Ready when all has been handed over, or why not.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let outcome = ready!(self.drive(cx));
        self.body = None;
        if outcome.is_err() {
            self.stream.send_reset(Reason::INTERNAL_ERROR);
        }
        Poll::Ready(outcome)
    }

    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        loop {
            if self.stream.poll_reset(cx).is_ready() {
                self.refused = true;
                return Poll::Ready(Err(Broken::Gone));
            }
            if !self.waiting.is_empty() {
                match poll_window(&mut self.stream, self.waiting.len(), cx) {
                    Poll::Ready(Some(n)) => {
                        self.patience.renew();
                        let part = self.waiting.split_to(n.min(self.waiting.len()));
                        let last = self.waiting.is_empty() && self.body.as_ref().is_none_or(|b| b.ended());
                        if self.waiting.is_empty() {
                            self.pieces.as_ref().inspect(|n| n.set(n.get() + 1));
                        }
                        if self.stream.send_data(part, last).is_err() {
                            return Poll::Ready(Err(Broken::Gone));
                        }
                        if last {
                            return Poll::Ready(Ok(()));
                        }
                    }
                    Poll::Ready(None) => return Poll::Ready(Err(Broken::Gone)),
                    Poll::Pending => {
                        let given_up = self.body.as_ref().is_some_and(|b| b.is_given_up());
                        if !given_up {
                            ready!(self.patience.poll(cx));
                        }
                        return Poll::Ready(Err(Broken::Idle));
                    }
                }
                continue;
            }
            let Some(body) = &mut self.body else { return Poll::Ready(Ok(())) };
            let sent = match ready!(body.as_mut().poll_chunk(cx)) {
                Some(Ok(Chunk::Data(data))) => {
                    self.waiting = data;
                    continue;
                }
                Some(Ok(Chunk::Trailers(fields))) => self.stream.send_trailers(map(&fields)),
                Some(Err(broken)) => match self.if_broken.take() {
                    Some(trailers) => self.stream.send_trailers(trailers),
                    None => return Poll::Ready(Err(broken)),
                },
                None => self.stream.send_data(Bytes::new(), true),
            };
            return Poll::Ready(sent.map_err(|_| Broken::Gone));
        }
    }
}

/// How much may be sent now, once it is something; `None` when the stream is over.
pub fn poll_window(stream: &mut SendStream<Bytes>, wanted: usize, cx: &mut Context<'_>) -> Poll<Option<usize>> {
    stream.reserve_capacity(wanted);
    loop {
        // h2 wakes for new capacity only, so what is there already counts first.
        match stream.capacity() {
            0 => {}
            n => return Poll::Ready(Some(n)),
        }
        if !matches!(ready!(stream.poll_capacity(cx)), Some(Ok(_))) {
            return Poll::Ready(None);
        }
    }
}

fn trailers(map: &HeaderMap) -> Fields {
    let mut fields = Fields::with_capacity(map.len());
    for (name, value) in map.iter().filter(|(name, _)| may_trail(name.as_str())) {
        fields.push(name.as_str().to_owned(), Bytes::copy_from_slice(value.as_bytes()));
    }
    fields
}

/// Fields as h2 wants them; what is no field is left out.
pub fn map(fields: &Fields) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(fields.0.len() + 2);
    put(&mut map, fields, |_| true);
    map
}

/// The same, behind what is there already, of those names that are wanted.
pub fn put(map: &mut HeaderMap, fields: &Fields, wanted: impl Fn(&str) -> bool) {
    for (name, value) in fields.0.iter().filter(|(name, _)| wanted(name)) {
        append(map, name, HeaderValue::from_maybe_shared(value.clone()));
    }
}

/// Fields that are others each time.
const NEW_EACH_TIME: [&str; 2] = ["x-request-id", "x-forwarded-for"];

/// Appends a field; what is none is left out. What is new each time the other side is not to remember (RFC 7541 section
/// 6.2.3): it would push out what does come again, and h2 compares it with all that is remembered by its name.
pub fn append(map: &mut HeaderMap, name: &str, value: Result<HeaderValue, InvalidHeaderValue>) {
    if let (Ok(field), Ok(mut value)) = (HeaderName::from_bytes(name.as_bytes()), value) {
        value.set_sensitive(NEW_EACH_TIME.contains(&name));
        map.append(field, value);
    }
}
