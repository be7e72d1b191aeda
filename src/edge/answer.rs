//! An answer on its way out over HTTP/1: framed, in as few writes as it takes, and never whole where its body broke.
//!
//! Does not know: how it was decided.

use std::cell::RefCell;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::conn::Seat;
use super::talk::Talk;
use super::tcp::Io;
use crate::clock::Patience;
use crate::http1::{Parts, chunk_prefix, date, last_chunk, reason_phrase, write_field};
use crate::pen;
use crate::wire::{Answer, BodyBox, Chunk, Fields, Head, Payload, Version, is_clean};

/// Up to this much of a body is copied behind its head, so that both leave as one piece.
const TOGETHER: usize = 4096;

pub enum Sent {
    Whole,
    /// The body broke: its framing shows that, once the connection ends.
    Cut,
    /// Only a reset shows that the body is not whole, or the client is gone.
    Broken,
}

/// How the body's end is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Plain,
    Chunked,
}

pub struct Outgoing<'a> {
    seat: &'a Seat,
    parts: Parts,
    body: Option<BodyBox>,
    frame: Frame,
    /// The body's end is the connection's.
    at_close: bool,
    cut: bool,
    /// From its first wait on.
    patience: Option<Patience>,
    waits: bool,
}

pub fn status_line(out: &mut Vec<u8>, status: u16) {
    if status == 200 {
        return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(&[b'0' + (status / 100) as u8, b'0' + (status / 10 % 10) as u8, b'0' + (status % 10) as u8]);
    out.push(b' ');
    out.extend_from_slice(reason_phrase(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Fields that this side writes itself.
fn is_framing(name: &str) -> bool {
    matches!(name, "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade" | "te")
}

impl<'a> Outgoing<'a> {
    /// `early` goes first.
    pub fn new(
        seat: &'a Seat,
        head: &dyn Head,
        answer: &Answer,
        body: Payload,
        keep: bool,
        early: &[u8],
    ) -> Outgoing<'a> {
        let house = &seat.post.house;
        let mut out = Vec::with_capacity(early.len() + room(answer, &body));
        out.extend_from_slice(early);
        status_line(&mut out, answer.status);
        let to_head = head.method() == "HEAD";
        let bodiless = to_head || matches!(answer.status, 204 | 304);
        let length = match &body {
            Payload::Bytes(bytes) => Some(bytes.len() as u64),
            Payload::Stream(body) if !bodiless => body.exact(),
            _ => None,
        };
        let chunked = !bodiless && length.is_none() && head.version() != Version::Http10;
        let ends_at_close = !bodiless && length.is_none() && !chunked;
        let own_length = length.is_some()
            && !matches!(answer.status, 204 | 304)
            && !(bodiless && matches!(body, Payload::Stream(_)));
        if let Some(common) = &answer.common {
            out.extend_from_slice(&common.lines);
        }
        fields(&mut out, &answer.fields, bodiless && !own_length && answer.status != 204);
        // What is shared has a date.
        if answer.common.is_none() && answer.fields.first("date").is_none() {
            out.extend_from_slice(b"date: ");
            date(answer.made.unwrap_or_else(|| house.now()).unix(), &mut out);
            out.extend_from_slice(b"\r\n");
        }
        if let (true, Some(length)) = (own_length, length) {
            out.extend_from_slice(b"content-length: ");
            pen::decimal(&mut out, length);
            out.extend_from_slice(b"\r\n");
        }
        if chunked {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
        }
        if !keep || ends_at_close {
            out.extend_from_slice(b"connection: close\r\n");
        } else if head.version() == Version::Http10 {
            out.extend_from_slice(b"connection: keep-alive\r\n");
        }
        out.extend_from_slice(b"\r\n");
        let (mut rest, mut stream) = (Bytes::new(), None);
        match body {
            _ if bodiless => {}
            Payload::Bytes(bytes) if bytes.len() <= TOGETHER => out.extend_from_slice(&bytes),
            Payload::Bytes(bytes) => rest = bytes,
            Payload::Stream(body) => stream = Some(body),
            Payload::Tunnel(_) => {}
        }
        let frame = if chunked { Frame::Chunked } else { Frame::Plain };
        let mut parts = Parts::from(out);
        parts.data = rest;
        Outgoing { seat, parts, body: stream, frame, at_close: ends_at_close, cut: false, patience: None, waits: false }
    }

    /// Whether the connection's end tells the body's.
    pub fn ends_at_close(&self) -> bool {
        self.at_close
    }

    /// Ready when all is with the system, or the answer broke.
    /// The link is borrowed for sending only: the body may read the rest of the upload from it.
    pub fn poll<S: Io>(&mut self, cx: &mut Context<'_>, talk: &RefCell<Talk<S>>) -> Poll<Sent> {
        loop {
            // The head waits for the body's first piece if that is there already, and leaves alone if it is not.
            let unsent = !self.parts.data.is_empty() || self.parts.front().len() > TOGETHER;
            if !unsent && let Some(body) = &mut self.body {
                match body.as_mut().poll_chunk(cx) {
                    Poll::Ready(Some(Ok(chunk))) => {
                        self.put(chunk);
                        if self.parts.data.is_empty() && self.body.is_some() && self.parts.front().len() <= TOGETHER {
                            continue;
                        }
                    }
                    Poll::Ready(Some(Err(_))) if self.at_close => return Poll::Ready(Sent::Broken),
                    // What came before goes out still.
                    Poll::Ready(Some(Err(_))) => (self.body, self.cut) = (None, true),
                    Poll::Ready(None) => self.end(&Fields::default()),
                    Poll::Pending if self.parts.front().is_empty() => return Poll::Pending,
                    Poll::Pending => {}
                }
            }
            let sent = talk.borrow_mut().link.poll_send(cx, &mut self.parts);
            self.waits(sent.is_pending());
            match sent {
                Poll::Ready(Ok(())) => self.patience.iter_mut().for_each(Patience::renew),
                Poll::Ready(Err(_)) => return Poll::Ready(Sent::Broken),
                Poll::Pending => {
                    let given_up = self.body.as_ref().is_some_and(|b| b.is_given_up());
                    if !given_up {
                        let most = || self.seat.post.house.town.load().settings.deadlines.download;
                        ready!(self.patience.get_or_insert_with(|| Patience::new(most())).poll(cx));
                    }
                    return Poll::Ready(Sent::Broken);
                }
            }
            if self.body.is_none() {
                return Poll::Ready(if self.cut { Sent::Cut } else { Sent::Whole });
            }
        }
    }

    fn put(&mut self, chunk: Chunk) {
        let data = match chunk {
            Chunk::Data(data) if data.is_empty() => return,
            Chunk::Data(data) => data,
            Chunk::Trailers(fields) => return self.end(&fields),
        };
        let ended = self.body.as_ref().is_none_or(|b| b.ended());
        if self.frame == Frame::Plain && data.len() > TOGETHER {
            self.parts.data = data;
        } else {
            let out = &mut self.parts.head;
            if self.frame == Frame::Chunked {
                chunk_prefix(data.len(), out);
            }
            if data.len() <= TOGETHER {
                out.extend_from_slice(&data);
                if self.frame == Frame::Chunked {
                    out.extend_from_slice(b"\r\n");
                }
            } else {
                self.parts.data = data;
                self.parts.tail = Bytes::from_static(b"\r\n");
            }
        }
        if ended {
            self.end(&Fields::default());
        }
    }

    fn end(&mut self, trailers: &Fields) {
        self.body = None;
        if self.frame == Frame::Chunked {
            if self.parts.data.is_empty() {
                return last_chunk(trailers, &mut self.parts.head);
            }
            let mut tail = self.parts.tail.to_vec();
            last_chunk(trailers, &mut tail);
            self.parts.tail = tail.into();
        }
    }

    fn waits(&mut self, on: bool) {
        if self.waits != on {
            self.waits = on;
            self.seat.ticket.waits(on);
        }
    }
}

impl Drop for Outgoing<'_> {
    fn drop(&mut self) {
        if self.waits {
            self.seat.ticket.waits(false);
        }
    }
}

/// Bytes that an answer's head takes, and as much of its body as goes with it.
fn room(answer: &Answer, body: &Payload) -> usize {
    let common = answer.common.as_ref().map_or(0, |common| common.lines.len());
    let own: usize = answer.fields.0.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    let body = match body {
        Payload::Bytes(bytes) => bytes.len(),
        Payload::Stream(body) => body.exact().unwrap_or(0).min(TOGETHER as u64) as usize,
        Payload::Tunnel(_) => 0,
    };
    // Status line, date, length, framing.
    192 + common + own + if body <= TOGETHER { body } else { 0 }
}

fn fields(out: &mut Vec<u8>, fields: &Fields, with_length: bool) {
    for (name, value) in &fields.0 {
        if is_clean(value) && !is_framing(name) && (with_length || name != "content-length") {
            write_field(out, name.as_bytes(), value);
        }
    }
}
