//! A connection over HTTP/1 in the middle of a request: what the corridor reads of the upload and says before the answer, and its end
//! of a tunnel.
//!
//! Does not know: the order of requests, guards.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::answer;
use super::conn::Seat;
use super::tcp::Io;
use crate::clock::Patience;
use crate::http1::{Decoder, Framing, Link, Parts, Step, write_field};
use crate::wire::{Body, Broken, Chunk, Fields, Line, Version};

/// A connection in the middle of a request.
pub struct Talk<S> {
    pub link: Link<S>,
    /// The upload's framing, and how far it is.
    pub body: Decoder,
    /// Informational answers on their way.
    pub early: Vec<u8>,
    /// The answer has begun: nothing informational may follow.
    pub answering: bool,
}

pub type Shared<S> = Rc<RefCell<Talk<S>>>;

impl<S: Io> Talk<S> {
    pub fn new(stream: S) -> Talk<S> {
        Talk { link: Link::new(stream), body: Decoder::new(Framing::Empty), early: Vec::new(), answering: false }
    }

    pub fn poll_early(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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
    pub fn skip_what_came(&mut self) -> bool {
        while let Ok(Step::Data(_) | Step::Trailers(_)) = self.body.step(&mut self.link.buf) {}
        self.body.is_done()
    }
}

/// The citizen's upload.
pub struct Upload<S> {
    talk: Shared<S>,
    seat: Rc<Seat>,
    patience: Patience,
    /// The client waits for leave to send (RFC 9110 section 10.1.1): given when somebody wants the body.
    asks: bool,
    waits: bool,
}

impl<S: Io> Upload<S> {
    pub fn new(talk: &Shared<S>, seat: &Rc<Seat>, asks: bool) -> Upload<S> {
        let patience = Patience::new(seat.post.house.town.load().settings.deadlines.upload);
        Upload { talk: talk.clone(), seat: seat.clone(), patience, asks, waits: false }
    }

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
pub struct Teller<'a, S> {
    pub talk: &'a Shared<S>,
    pub seat: &'a Seat,
    pub version: Version,
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
pub struct Outside<'a, S>(pub &'a Shared<S>);

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
