//! Bytes both ways after another protocol has taken over, until both sides have ended. A tunnel on which nothing moves
//! holds no buffer, unlike tokio's `copy_bidirectional`, which holds two of 8 KiB.
//!
//! Does not know: which protocol, who is at either end.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::Patience;
use crate::http1::with_scratch;
use crate::wire::TunnelBox;

/// Passes bytes on in both directions; one that has ended is shut while the other goes on.
///
/// # Errors
/// Either side's, or `TimedOut` when nothing has moved for `idle`.
pub async fn join<S: AsyncRead + AsyncWrite + Unpin>(
    outside: &mut S,
    mut inside: TunnelBox,
    idle: Duration,
) -> io::Result<()> {
    let (mut up, mut down) = (Way::default(), Way::default());
    let mut patience = Patience::new(idle);
    poll_fn(|cx| {
        let upward = up.poll(cx, Pin::new(&mut *outside), inside.as_mut(), &mut patience)?;
        let downward = down.poll(cx, inside.as_mut(), Pin::new(&mut *outside), &mut patience)?;
        if upward.is_ready() && downward.is_ready() {
            return Poll::Ready(Ok(()));
        }
        ready!(patience.poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    })
    .await
}

/// One direction.
#[derive(Default)]
struct Way {
    /// Read, and not taken yet by the other side.
    waiting: BytesMut,
    unflushed: bool,
    ended: bool,
    shut: bool,
}

impl Way {
    /// Ready when the one side has ended and the other has been told.
    fn poll<R: AsyncRead + ?Sized, W: AsyncWrite + ?Sized>(
        &mut self,
        cx: &mut Context<'_>,
        mut from: Pin<&mut R>,
        mut to: Pin<&mut W>,
        patience: &mut Patience,
    ) -> Poll<io::Result<()>> {
        while !self.shut {
            while !self.waiting.is_empty() {
                let n = wrote(ready!(to.as_mut().poll_write(cx, &self.waiting))?)?;
                self.waiting.advance(n);
                patience.renew();
            }
            self.waiting = BytesMut::new();
            if self.ended {
                ready!(to.as_mut().poll_shutdown(cx))?;
                self.shut = true;
                break;
            }
            let polled = with_scratch(|room| {
                let mut read = ReadBuf::new(room);
                ready!(from.as_mut().poll_read(cx, &mut read))?;
                let came = read.filled();
                self.ended = came.is_empty();
                let n = match came {
                    [] => 0,
                    came => match to.as_mut().poll_write(cx, came) {
                        Poll::Ready(n) => wrote(n?)?,
                        Poll::Pending => 0,
                    },
                };
                self.unflushed |= !came.is_empty();
                self.waiting.extend_from_slice(&came[n..]);
                Poll::Ready(io::Result::Ok(()))
            });
            if polled.is_pending() && self.unflushed {
                ready!(to.as_mut().poll_flush(cx))?;
                self.unflushed = false;
            }
            ready!(polled)?;
            patience.renew();
        }
        Poll::Ready(Ok(()))
    }
}

fn wrote(n: usize) -> io::Result<usize> {
    if n == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(n) }
}
