//! Bodies across the border to hyper: a citizen's upload on its way out, an origin's answer on its way in.
//!
//! Does not know: heads, pools' insides.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::Notify;

use super::headers;
use super::pool::Connection;
use crate::bounds;
use crate::clock::Patience;
use crate::proofs::Admitted;
use crate::wire::{Body, BodyBox, Broken, Chunk};

/// How far an upload has come, shared between the request's body and whoever waits for its answer.
#[derive(Clone)]
pub struct Upload(Rc<Progress>);

struct Progress {
    done: Cell<bool>,
    broken: Cell<Option<Broken>>,
    ended: Notify,
}

impl Upload {
    pub fn new(done: bool) -> Upload {
        Upload(Rc::new(Progress { done: Cell::new(done), broken: Cell::new(None), ended: Notify::new() }))
    }

    pub fn is_done(&self) -> bool {
        self.0.done.get()
    }

    pub fn broken(&self) -> Option<Broken> {
        self.0.broken.get()
    }

    /// Waits until the upload has ended; from then on the origin's time runs.
    pub async fn done(&self) {
        while !self.is_done() {
            self.0.ended.notified().await;
        }
    }

    fn end(&self, broken: Option<Broken>) {
        self.0.done.set(true);
        self.0.broken.set(broken);
        self.0.ended.notify_waiters();
        self.0.ended.notify_one();
    }
}

/// A citizen's body as hyper's client wants it.
pub struct Outbound {
    body: BodyBox,
    upload: Upload,
}

impl Outbound {
    pub fn new(body: BodyBox, upload: Upload) -> Outbound {
        Outbound { body, upload }
    }
}

/// What hyper is told when an upload breaks: it then cuts the connection, which is the point.
#[derive(Debug)]
pub struct UploadBroken(pub Broken);

impl std::fmt::Display for UploadBroken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the upload broke off: {:?}", self.0)
    }
}

impl std::error::Error for UploadBroken {}

impl http_body::Body for Outbound {
    type Data = Bytes;
    type Error = UploadBroken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadBroken>>> {
        Poll::Ready(match ready!(self.body.as_mut().poll_chunk(cx)) {
            Some(Ok(Chunk::Data(data))) => Some(Ok(Frame::data(data))),
            Some(Ok(Chunk::Trailers(fields))) => Some(Ok(Frame::trailers(headers::to_map(&fields)))),
            Some(Err(broken)) => {
                self.upload.end(Some(broken));
                Some(Err(UploadBroken(broken)))
            }
            None => {
                self.upload.end(None);
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        let ended = self.body.ended();
        if ended && !self.upload.is_done() {
            self.upload.end(None);
        }
        ended
    }

    fn size_hint(&self) -> SizeHint {
        self.body.exact().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// An origin's body on its way to the citizen. When it has been read whole its connection goes back to the pool;
/// when it is dropped earlier the connection is closed.
pub struct Relay {
    incoming: Incoming,
    connection: Option<Connection>,
    admitted: Option<Admitted>,
    patience: Patience,
}

impl Relay {
    pub fn new(incoming: Incoming, connection: Option<Connection>, admitted: Option<Admitted>) -> Relay {
        let mut relay = Relay { incoming, connection, admitted, patience: Patience::new(bounds::BODY_IDLE) };
        if http_body::Body::is_end_stream(&relay.incoming) {
            relay.finish();
        }
        relay
    }

    fn finish(&mut self) {
        self.admitted = None;
        if let Some(connection) = self.connection.take() {
            connection.give_back();
        }
    }
}

impl Body for Relay {
    fn poll_chunk(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        loop {
            let polled = http_body::Body::poll_frame(Pin::new(&mut self.incoming), cx);
            let Poll::Ready(frame) = polled else {
                ready!(self.patience.poll(cx));
                return Poll::Ready(Some(Err(Broken::Idle)));
            };
            self.patience.renew();
            match frame {
                Some(Ok(frame)) => {
                    if http_body::Body::is_end_stream(&self.incoming) {
                        self.finish();
                    }
                    match frame.into_data() {
                        Ok(data) => return Poll::Ready(Some(Ok(Chunk::Data(data)))),
                        Err(frame) => {
                            if let Ok(trailers) = frame.into_trailers() {
                                return Poll::Ready(Some(Ok(Chunk::Trailers(headers::answer_fields(&trailers)))));
                            }
                        }
                    }
                }
                Some(Err(_)) => return Poll::Ready(Some(Err(Broken::Gone))),
                None => {
                    self.finish();
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn exact(&self) -> Option<u64> {
        http_body::Body::size_hint(&self.incoming).exact()
    }

    fn ended(&self) -> bool {
        http_body::Body::is_end_stream(&self.incoming)
    }
}
