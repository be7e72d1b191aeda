//! A byte stream that holds something for as long as it is open: a place among an origin's tunnels, a place in a limit.
//!
//! Does not know: which protocol goes through it, what is held.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub struct Held<P, H> {
    pipe: P,
    _held: H,
}

impl<P, H> Held<P, H> {
    pub fn new(pipe: P, held: H) -> Held<P, H> {
        Held { pipe, _held: held }
    }
}

impl<P: AsyncRead + Unpin, H: Unpin> AsyncRead for Held<P, H> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

impl<P: AsyncWrite + Unpin, H: Unpin> AsyncWrite for Held<P, H> {
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
