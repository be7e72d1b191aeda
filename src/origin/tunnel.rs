//! The origin's side of a tunnel, with what it holds while it is open.
//!
//! Does not know: which protocol goes through it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::state::{At, Slot};

/// A tunnel that is counted for as long as it is open. It holds no permit: those are for requests, and a few hundred
/// pages that listen would keep everybody else out.
pub struct Held<P> {
    pipe: P,
    _held: (Slot, At),
}

impl<P> Held<P> {
    pub fn new(pipe: P, slot: Slot, at: At) -> Held<P> {
        Held { pipe, _held: (slot, at) }
    }
}

impl<P: AsyncRead + Unpin> AsyncRead for Held<P> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

impl<P: AsyncWrite + Unpin> AsyncWrite for Held<P> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}
