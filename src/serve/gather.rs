//! An answer that is passed on while it is gathered to be kept. It comes in as fast as the origin gives it, whether its
//! first reader is slow, or leaves: those who wait for it are not to wait for a phone on a bad line.
//!
//! Does not know: what becomes of what was gathered.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};

use crate::force::House;
use crate::wire::{Body, BodyBox, Broken, Chunk};

/// Why nothing whole came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spilt {
    Broke(Broken),
    /// More than may be kept: the reader reads on by itself.
    TooLarge,
}

/// What has come so far.
struct Pot {
    house: Arc<House>,
    body: Option<BodyBox>,
    pieces: Vec<Bytes>,
    bytes: usize,
    most: usize,
    ended: Option<Result<(), Broken>>,
    over: bool,
    reader: Option<Waker>,
}

#[derive(Clone)]
pub struct Gathering(Rc<RefCell<Pot>>);

impl Gathering {
    pub fn new(house: &Arc<House>, body: BodyBox) -> Gathering {
        let most = house.cache.largest;
        let pot = Pot {
            house: house.clone(),
            body: Some(body),
            pieces: Vec::new(),
            bytes: 0,
            most,
            ended: None,
            over: false,
            reader: None,
        };
        Gathering(Rc::new(RefCell::new(pot)))
    }

    /// Takes what there is already; `None` where more is to come.
    pub async fn at_once(&self) -> Option<Result<Bytes, Spilt>> {
        poll_fn(|cx| {
            Poll::Ready(match self.0.borrow_mut().poll(cx) {
                Poll::Ready(done) => Some(done),
                Poll::Pending => None,
            })
        })
        .await
    }

    /// Takes all of it.
    ///
    /// # Errors
    /// [`Spilt`].
    pub async fn whole(&self) -> Result<Bytes, Spilt> {
        poll_fn(|cx| self.0.borrow_mut().poll(cx)).await
    }

    /// The same as a body for the first reader.
    pub fn reader(&self) -> BodyBox {
        Box::pin(Reader { gathering: self.clone(), at: 0 })
    }
}

impl Pot {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Spilt>> {
        while !self.over && self.ended.is_none() {
            let Some(body) = &mut self.body else { break };
            match ready!(body.as_mut().poll_chunk(cx)) {
                Some(Ok(Chunk::Data(data))) => {
                    let fits = self.bytes + data.len() <= self.most && self.house.cache.gathers(data.len());
                    if fits {
                        self.bytes += data.len();
                    }
                    self.over = !fits;
                    self.pieces.push(data);
                }
                // Trailers are for whoever reads along, and hardly anybody does (RFC 9111 section 3.1).
                Some(Ok(Chunk::Trailers(_))) => {}
                Some(Err(broken)) => self.ended = Some(Err(broken)),
                None => self.ended = Some(Ok(())),
            }
            if self.ended.is_some() {
                // The permit that it holds goes back.
                self.body = None;
            }
            self.reader.take().into_iter().for_each(Waker::wake);
        }
        Poll::Ready(match self.ended {
            _ if self.over => Err(Spilt::TooLarge),
            Some(Err(broken)) => Err(Spilt::Broke(broken)),
            _ => Ok(self.together()),
        })
    }

    fn together(&self) -> Bytes {
        match &self.pieces[..] {
            [only] => only.clone(),
            pieces => {
                let mut all = BytesMut::with_capacity(self.bytes);
                pieces.iter().for_each(|piece| all.extend_from_slice(piece));
                all.freeze()
            }
        }
    }
}

impl Drop for Pot {
    fn drop(&mut self) {
        self.house.cache.gathered(self.bytes);
    }
}

/// Reads what is gathered; beyond what may be kept it reads the origin's body itself.
struct Reader {
    gathering: Gathering,
    at: usize,
}

impl Body for Reader {
    fn poll_chunk(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        let at = self.at;
        let next = {
            let pot = &mut *self.gathering.0.borrow_mut();
            match (pot.pieces.get_mut(at), pot.ended) {
                (Some(piece), _) => {
                    // What is not kept is not held twice.
                    let data = if pot.over { std::mem::take(piece) } else { piece.clone() };
                    Some(Ok(Chunk::Data(data)))
                }
                (None, Some(Ok(()))) => None,
                (None, Some(Err(broken))) => Some(Err(broken)),
                (None, None) if pot.over => match &mut pot.body {
                    Some(body) => return body.as_mut().poll_chunk(cx),
                    None => None,
                },
                (None, None) => {
                    pot.reader = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        };
        self.at += 1;
        Poll::Ready(next)
    }

    fn exact(&self) -> Option<u64> {
        let pot = self.gathering.0.borrow();
        let here: usize = pot.pieces.iter().skip(self.at).map(Bytes::len).sum();
        match (&pot.body, pot.ended) {
            (_, Some(Ok(()))) => Some(here as u64),
            (Some(body), None) => body.exact().map(|n| n + here as u64),
            _ => None,
        }
    }
}
