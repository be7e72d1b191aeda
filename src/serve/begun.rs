//! An origin's answer that has begun: its first pieces are looked at before the citizen is promised anything.
//!
//! Does not know: what becomes of a failure.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use smallvec::SmallVec;

use super::open::{self, Open};
use crate::origin::{Answer, Came, OriginFault};
use crate::wire::{Body, BodyBox, Broken, Chunk, Empty};

/// An answer whose body breaks before a byte of it went out is none yet: there is still time for a better one. So its
/// first two pieces are looked for, but never waited for. What is still to come then is one of those that are `open`.
///
/// # Errors
/// The fault, as if the origin had never answered.
pub async fn begun(
    sent: Result<Answer, OriginFault>,
    open: &Rc<Open>,
    of: open::Of<'_>,
) -> Result<Answer, OriginFault> {
    let Answer { status, fields, body } = sent?;
    let mut body = match body {
        Came::Body(body) => body,
        Came::Tunnel(pipe) => return Ok(Answer { status, fields, body: Came::Tunnel(open.tunnel(pipe, of)) }),
    };
    let mut first = SmallVec::new();
    while first.len() < 2 && !body.ended() {
        match poll_fn(|cx| Poll::Ready(body.as_mut().poll_chunk(cx))).await {
            Poll::Ready(Some(Ok(chunk))) => first.push(chunk),
            Poll::Ready(Some(Err(Broken::Malformed))) => return Err(OriginFault::Nonsense),
            Poll::Ready(Some(Err(_))) => return Err(OriginFault::Broke),
            Poll::Ready(None) => {
                body = Box::pin(Empty);
                break;
            }
            Poll::Pending => break,
        }
    }
    if !body.ended() {
        body = open.body(body, &fields, of);
    }
    if !first.is_empty() {
        first.reverse();
        body = Box::pin(Begun { first, rest: body });
    }
    Ok(Answer { status, fields, body: Came::Body(body) })
}

/// A body of which the first pieces have been taken; the next one is the last in the list.
struct Begun {
    first: SmallVec<[Chunk; 2]>,
    rest: BodyBox,
}

impl Body for Begun {
    fn poll_chunk(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        match self.first.pop() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None => self.rest.as_mut().poll_chunk(cx),
        }
    }

    fn exact(&self) -> Option<u64> {
        let length = |chunk: &Chunk| match chunk {
            Chunk::Data(data) => Some(data.len() as u64),
            Chunk::Trailers(_) => None,
        };
        self.first.iter().try_fold(self.rest.exact()?, |n, chunk| Some(n + length(chunk)?))
    }

    fn ended(&self) -> bool {
        self.first.is_empty() && self.rest.ended()
    }

    fn is_given_up(&self) -> bool {
        self.rest.is_given_up()
    }
}
