//! A citizen's upload before it takes anything from others: capped by its route, and gathered as far as a form goes.
//!
//! Does not know: the origin, framing.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use crate::wire::{Body, BodyBox, Broken, Chunk, Empty};

/// The body under the route's `max_body`.
///
/// # Errors
/// Where the head already says that it is larger: nothing of it need be read.
pub fn capped(body: BodyBox, most: u64) -> Result<BodyBox, Broken> {
    match body.exact() {
        Some(0) => Ok(body),
        Some(n) if n > most => Err(Broken::TooLarge),
        Some(_) => Ok(body),
        None => Ok(Box::pin(Capped { body, left: most })),
    }
}

struct Capped {
    body: BodyBox,
    left: u64,
}

impl Body for Capped {
    fn poll_chunk(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        let chunk = ready!(self.body.as_mut().poll_chunk(cx));
        if let Some(Ok(Chunk::Data(data))) = &chunk {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(Broken::TooLarge))),
            }
        }
        Poll::Ready(chunk)
    }

    fn exact(&self) -> Option<u64> {
        self.body.exact()
    }

    fn ended(&self) -> bool {
        self.body.ended()
    }
}

/// Waits for the first `most` bytes of an upload whose length is known. One of unknown length may be a
/// conversation, in which the other side waits for an answer to each piece: that goes on at once.
///
/// # Errors
/// Whatever breaks it meanwhile.
pub async fn gathered(mut body: BodyBox, most: usize) -> Result<Upload, Broken> {
    if body.ended() || body.exact().is_none() {
        return Ok(Upload { first: VecDeque::new(), rest: body });
    }
    let (mut first, mut length) = (VecDeque::new(), 0);
    while length < most && !body.ended() {
        match poll_fn(|cx| body.as_mut().poll_chunk(cx)).await {
            Some(Ok(chunk)) => {
                if let Chunk::Data(data) = &chunk {
                    length += data.len();
                }
                first.push_back(chunk);
            }
            Some(Err(broken)) => return Err(broken),
            None => break,
        }
    }
    Ok(Upload { first, rest: body })
}

/// An upload of which the first pieces are here.
pub struct Upload {
    first: VecDeque<Chunk>,
    rest: BodyBox,
}

impl Upload {
    /// Bytes that are in the house already, from its owner's memory.
    pub fn of(bytes: Bytes) -> Upload {
        Upload { first: VecDeque::from([Chunk::Data(bytes)]), rest: Box::pin(Empty) }
    }

    pub fn starts_with(&self, mark: &[u8]) -> bool {
        self.pieces().flatten().take(mark.len()).eq(mark)
    }

    /// All of it, where all is here.
    pub fn whole(&self) -> Option<Vec<Bytes>> {
        self.rest.ended().then(|| self.pieces().cloned().collect())
    }

    pub fn exact(&self) -> Option<u64> {
        let first = self.pieces().map(|data| data.len() as u64);
        self.rest.exact().map(|rest| rest + first.sum::<u64>())
    }

    fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        self.first.iter().filter_map(|chunk| match chunk {
            Chunk::Data(data) => Some(data),
            Chunk::Trailers(_) => None,
        })
    }

    pub fn body(self) -> BodyBox {
        let Upload { first, rest } = self;
        if first.is_empty() { rest } else { Box::pin(Gathered { first, rest }) }
    }
}

struct Gathered {
    first: VecDeque<Chunk>,
    rest: BodyBox,
}

impl Body for Gathered {
    fn poll_chunk(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        match self.first.pop_front() {
            Some(chunk) => Poll::Ready(Some(Ok(chunk))),
            None => self.rest.as_mut().poll_chunk(cx),
        }
    }

    fn exact(&self) -> Option<u64> {
        let first = self.first.iter().map(|chunk| match chunk {
            Chunk::Data(data) => data.len() as u64,
            Chunk::Trailers(_) => 0,
        });
        self.rest.exact().map(|rest| rest + first.sum::<u64>())
    }

    fn ended(&self) -> bool {
        self.first.is_empty() && self.rest.ended()
    }
}
