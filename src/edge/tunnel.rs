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

/// Passes bytes on in both directions; one that has ended is shut while the other goes on. Who takes nothing any more
/// may have said something last, so that is still passed on.
///
/// # Errors
/// A side's that broke off, or `TimedOut` when nothing has moved for `idle`.
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
    /// The other side has been told, or takes nothing any more.
    shut: bool,
}

impl Way {
    /// Ready when it is over.
    ///
    /// # Errors
    /// The one side's, which is lost for both directions.
    fn poll<R: AsyncRead + ?Sized, W: AsyncWrite + ?Sized>(
        &mut self,
        cx: &mut Context<'_>,
        mut from: Pin<&mut R>,
        mut to: Pin<&mut W>,
        patience: &mut Patience,
    ) -> Poll<io::Result<()>> {
        while !self.shut {
            match ready!(self.send(cx, to.as_mut())) {
                Ok(true) => patience.renew(),
                Ok(false) => {}
                Err(_) => {
                    self.shut = true;
                    self.waiting = BytesMut::new();
                    break;
                }
            }
            if self.ended {
                let _ = ready!(to.as_mut().poll_shutdown(cx));
                self.shut = true;
                break;
            }
            let read = with_scratch(|room| {
                let mut read = ReadBuf::new(room);
                ready!(from.as_mut().poll_read(cx, &mut read))?;
                let came = read.filled();
                self.ended = came.is_empty();
                let n = match came {
                    [] => 0,
                    // An error shows again in `send`.
                    came => match to.as_mut().poll_write(cx, came) {
                        Poll::Ready(Ok(n)) => n,
                        Poll::Ready(Err(_)) | Poll::Pending => 0,
                    },
                };
                self.unflushed |= !came.is_empty();
                self.waiting.extend_from_slice(&came[n..]);
                Poll::Ready(io::Result::Ok(()))
            });
            if read.is_pending() && self.unflushed {
                self.unflushed = false;
                match to.as_mut().poll_flush(cx) {
                    Poll::Pending => self.unflushed = true,
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => {
                        self.shut = true;
                        break;
                    }
                }
            }
            ready!(read)?;
            patience.renew();
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when nothing waits, and whether something did.
    fn send<W: AsyncWrite + ?Sized>(&mut self, cx: &mut Context<'_>, mut to: Pin<&mut W>) -> Poll<io::Result<bool>> {
        if self.waiting.is_empty() {
            return Poll::Ready(Ok(false));
        }
        while !self.waiting.is_empty() {
            let n = ready!(to.as_mut().poll_write(cx, &self.waiting))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(n);
        }
        self.waiting = BytesMut::new();
        Poll::Ready(Ok(true))
    }
}
