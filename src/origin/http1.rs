//! One request and its answer over HTTP/1: the upload goes out while the answer comes in, and a connection goes back
//! to its pool only when both are whole and nothing is left over.
//!
//! Does not know: which origin, why.

use std::future::poll_fn;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;

use super::OriginFault;
use super::ask::Ask;
use super::headers;
use super::pool::Connection;
use super::state::At;
use super::websocket::Key;
use crate::bounds;
use crate::clock::Patience;
use crate::http1::{
    Decoder, Framing, Parts, ResponseHead, Step, chunk_prefix, last_chunk, response_framing, write_field,
};
use crate::proofs::Admitted;
use crate::wire::{Body, BodyBox, Broken, Chunk, Fields, Line};

/// Pieces of an upload up to this size are copied behind its head, so that both leave as one.
const TOGETHER: usize = 4096;

/// A request under way.
pub struct Exchange {
    connection: Connection,
    /// Half a request went out on it, so it cannot be used again.
    spoilt: bool,
    parts: Parts,
    /// What is still to be sent.
    upload: Option<BodyBox>,
    chunked: bool,
    patience: Patience,
}

/// How an exchange failed.
pub struct Failed {
    pub fault: OriginFault,
    /// Not a byte of an answer had come.
    pub silent: bool,
}

impl Exchange {
    pub fn new(ask: &Ask<'_>, connection: Connection, body: BodyBox) -> Exchange {
        let length = body.exact();
        let empty = body.ended();
        let mut out = Vec::with_capacity(1024);
        for piece in [ask.method, " ", ask.target, " HTTP/1.1\r\nhost: ", ask.host, "\r\n"] {
            out.extend_from_slice(piece.as_bytes());
        }
        (ask.fields)(&mut |name, value| write_field(&mut out, name.as_bytes(), value));
        if let Some(protocol) = ask.upgrade {
            // Writing into a Vec cannot fail.
            let _ = write!(out, "connection: upgrade\r\nupgrade: {protocol}\r\n");
            if let Some(Key::Own(key)) = &ask.key {
                write_field(&mut out, b"sec-websocket-key", key.as_bytes());
            }
        }
        let chunked = !empty && length.is_none();
        match length {
            _ if chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            // RFC 9110 section 8.6: a method that means something with a body says that there is none.
            Some(0) | None if !matches!(ask.method, "POST" | "PUT" | "PATCH") => {}
            length => {
                let _ = write!(out, "content-length: {}\r\n", length.unwrap_or(0));
            }
        }
        out.extend_from_slice(b"\r\n");
        Exchange {
            connection,
            spoilt: false,
            parts: out.into(),
            upload: (!empty).then_some(body),
            chunked,
            patience: Patience::new(ask.response_timeout),
        }
    }

    /// Sends what there is to send; ready when all of it is with the system.
    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), OriginFault>> {
        loop {
            let Parts { data, tail, .. } = &self.parts;
            let unsent = data.len() + tail.len() > 0 || self.parts.front().len() > TOGETHER;
            if !unsent && let Some(body) = &mut self.upload {
                match body.as_mut().poll_chunk(cx) {
                    Poll::Ready(Some(Ok(chunk))) => {
                        self.put(chunk);
                        continue;
                    }
                    Poll::Ready(Some(Err(broken))) => return Poll::Ready(Err(OriginFault::Upload(broken))),
                    Poll::Ready(None) => self.end(&Fields::default()),
                    Poll::Pending if self.parts.front().is_empty() => return Poll::Pending,
                    Poll::Pending => {}
                }
            }
            match self.connection.link.poll_send(cx, &mut self.parts) {
                Poll::Ready(Ok(())) => self.patience.renew(),
                // It may have answered before it stopped reading: the answer counts.
                Poll::Ready(Err(_)) => {
                    self.give_up();
                    return Poll::Ready(Ok(()));
                }
                Poll::Pending => {
                    ready!(self.patience.poll(cx));
                    return Poll::Ready(Err(OriginFault::Hung));
                }
            }
            if self.upload.is_none() && self.parts.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Whether it is the client that has to go on. With an upload of unknown length it may be the origin's turn to
    /// speak, so that one is never called slow.
    fn waits_on_client(&self) -> bool {
        !self.chunked && self.upload.is_some() && self.parts.is_empty()
    }

    fn give_up(&mut self) {
        self.upload = None;
        self.parts = Parts::default();
        self.spoilt = true;
    }

    fn put(&mut self, chunk: Chunk) {
        let data = match chunk {
            Chunk::Data(data) if data.is_empty() => return,
            Chunk::Data(data) => data,
            Chunk::Trailers(fields) => return self.end(&fields),
        };
        let out = &mut self.parts.head;
        if self.chunked {
            chunk_prefix(data.len(), out);
        }
        if data.len() <= TOGETHER {
            out.extend_from_slice(&data);
            if self.chunked {
                out.extend_from_slice(b"\r\n");
            }
        } else {
            self.parts.data = data;
            if self.chunked {
                self.parts.tail = Bytes::from_static(b"\r\n");
            }
        }
        if !self.chunked && self.upload.as_ref().is_some_and(|b| b.ended()) {
            self.end(&Fields::default());
        }
    }

    fn end(&mut self, trailers: &Fields) {
        self.upload = None;
        if self.chunked {
            last_chunk(trailers, &mut self.parts.head);
        }
    }

    /// Sends the request and reads the answer's head.
    ///
    /// # Errors
    /// [`Failed`]; the connection is closed by it.
    pub async fn answer(
        &mut self,
        ask: &Ask<'_>,
        line: Option<&dyn Line>,
        admitted: Option<&Admitted>,
    ) -> Result<ResponseHead, Failed> {
        let (mut scanned, mut informed, mut came) = (0, 0, false);
        let mut waiting = false;
        let fault = |fault, came: bool| Failed { fault, silent: !came };
        poll_fn(|cx| {
            admitted.inspect(|permit| permit.moves());
            let uploaded = match self.poll_upload(cx) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(f)) => return Poll::Ready(Err(fault(f, true))),
                Poll::Pending => false,
            };
            loop {
                match ResponseHead::take(&mut self.connection.link.buf, &mut scanned) {
                    Ok(Some(head)) if head.status >= 200 || head.status == 101 => return Poll::Ready(Ok(head)),
                    Ok(Some(head)) => {
                        informed += 1;
                        if informed > bounds::INFORMATIONAL {
                            return Poll::Ready(Err(fault(OriginFault::Nonsense, true)));
                        }
                        // boma has said 100 itself where it was asked for.
                        if let Some(line) = line.filter(|_| head.status != 100) {
                            line.inform(head.status, &headers::early(headers::answer_fields(&head)));
                        }
                        continue;
                    }
                    Err(_) => return Poll::Ready(Err(fault(OriginFault::Nonsense, true))),
                    Ok(None) => {}
                }
                match self.connection.link.poll_fill(cx) {
                    Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => {
                        return Poll::Ready(Err(fault(OriginFault::Broke, came)));
                    }
                    Poll::Ready(Ok(_)) => came = true,
                    Poll::Pending => break,
                }
            }
            if !uploaded {
                return match admitted.filter(|_| self.waits_on_client()) {
                    Some(permit) if permit.is_taken() => {
                        Poll::Ready(Err(fault(OriginFault::Upload(Broken::Idle), true)))
                    }
                    permit => {
                        permit.inspect(|p| p.waits(cx));
                        Poll::Pending
                    }
                };
            }
            // The origin's time runs from the end of the upload.
            if !std::mem::replace(&mut waiting, true) {
                self.connection.alarm.set(ask.response_timeout);
            }
            ready!(self.connection.alarm.poll(cx));
            Poll::Ready(Err(fault(OriginFault::Hung, true)))
        })
        .await
    }

    /// The answer's body; `to_head`: the request was HEAD.
    ///
    /// # Errors
    /// [`OriginFault::Nonsense`] where its framing can be read in two ways.
    pub fn body(
        self,
        head: &ResponseHead,
        to_head: bool,
        deadline: Duration,
        admitted: Option<Admitted>,
        at: At,
    ) -> Result<Relay, OriginFault> {
        let framing = response_framing(head, to_head).map_err(|_| OriginFault::Nonsense)?;
        let reusable = head.keeps_alive() && framing != Framing::UntilClose;
        let mut relay = Relay {
            exchange: Some(self),
            decoder: Decoder::new(framing),
            reusable,
            queued: None,
            patience: Patience::new(deadline),
            admitted,
            at: Some(at),
        };
        if relay.decoder.is_done() {
            relay.finish();
        }
        Ok(relay)
    }

    /// The connection, after the origin agreed to another protocol.
    pub fn into_tunnel(self) -> Connection {
        self.connection
    }
}

/// An origin's body on its way to the citizen. When it has come whole its connection goes back to the pool and the
/// permit to the gate, however slowly the citizen reads; when it is dropped earlier the connection is closed.
pub struct Relay {
    /// `None` when the body has come whole.
    exchange: Option<Exchange>,
    decoder: Decoder,
    reusable: bool,
    queued: Option<Chunk>,
    patience: Patience,
    admitted: Option<Admitted>,
    at: Option<At>,
}

impl Relay {
    fn finish(&mut self) {
        self.admitted = None;
        self.at = None;
        let Some(exchange) = self.exchange.take() else { return };
        let sent = !exchange.spoilt && exchange.upload.is_none() && exchange.parts.is_empty();
        let link = &exchange.connection.link;
        // Bytes that nobody asked for would be taken for the next answer.
        if self.reusable && sent && link.buf.is_empty() && !link.ended {
            exchange.connection.give_back();
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        if let Some(chunk) = self.queued.take() {
            return Poll::Ready(Some(Ok(chunk)));
        }
        let Some(exchange) = &mut self.exchange else { return Poll::Ready(None) };
        // The rest of the upload, where the origin answered before it had come.
        if exchange.upload.is_some()
            && let Poll::Ready(Err(OriginFault::Upload(broken))) = exchange.poll_upload(cx)
        {
            return Poll::Ready(Some(Err(broken)));
        }
        loop {
            let link = &mut exchange.connection.link;
            match self.decoder.step(&mut link.buf) {
                Err(_) => return Poll::Ready(Some(Err(Broken::Malformed))),
                Ok(Step::Data(data)) => {
                    // The last chunk often came along: then the body is whole now, and not a read later.
                    if !self.decoder.is_done() && !link.buf.is_empty() {
                        match self.decoder.step(&mut link.buf) {
                            Ok(Step::Data(data)) => self.queued = Some(Chunk::Data(data)),
                            Ok(Step::Trailers(fields)) => self.queued = Some(Chunk::Trailers(fields)),
                            Ok(Step::End | Step::More) => {}
                            Err(_) => return Poll::Ready(Some(Err(Broken::Malformed))),
                        }
                    }
                    if self.decoder.is_done() {
                        self.finish();
                    }
                    return Poll::Ready(Some(Ok(Chunk::Data(data))));
                }
                Ok(Step::Trailers(fields)) => {
                    self.finish();
                    return Poll::Ready(Some(Ok(Chunk::Trailers(fields))));
                }
                Ok(Step::End) => {
                    self.finish();
                    return Poll::Ready(None);
                }
                Ok(Step::More) => {}
            }
            match ready!(link.poll_fill(cx)) {
                Ok(1..) => {}
                Ok(0) if self.decoder.ends_at_close() => {
                    self.finish();
                    return Poll::Ready(None);
                }
                Ok(0) | Err(_) => return Poll::Ready(Some(Err(Broken::Gone))),
            }
        }
    }
}

impl Body for Relay {
    fn poll_chunk(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        let this = &mut *self;
        this.admitted.iter().for_each(Admitted::moves);
        if let Poll::Ready(chunk) = this.poll(cx) {
            this.patience.renew();
            // Until it asks for more.
            this.admitted.iter().for_each(|permit| permit.waits(cx));
            return Poll::Ready(chunk);
        }
        ready!(this.patience.poll(cx));
        Poll::Ready(Some(Err(Broken::Idle)))
    }

    fn exact(&self) -> Option<u64> {
        // A queued piece is one of a chunked body, whose length nobody knows.
        if self.queued.is_none() { self.decoder.exact() } else { None }
    }

    fn ended(&self) -> bool {
        self.decoder.is_done() && self.queued.is_none()
    }

    fn is_given_up(&self) -> bool {
        self.admitted.as_ref().is_some_and(Admitted::is_taken)
    }
}
