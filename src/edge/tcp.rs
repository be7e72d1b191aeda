//! A citizen's socket: counted, with what was read of it before anybody knew what it speaks.
//!
//! Does not know: protocols.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::crowd::{Phase, Ticket};

pub struct Tcp {
    stream: TcpStream,
    /// Read already, and to be read again first.
    pub before: BytesMut,
    ticket: Rc<Ticket>,
    /// What the first byte begins.
    first: Phase,
}

impl Tcp {
    pub fn new(stream: TcpStream, ticket: Rc<Ticket>, first: Phase) -> Tcp {
        Tcp { stream, before: BytesMut::new(), ticket, first }
    }
}

/// A byte stream whose end can be made to look broken.
pub trait Io: AsyncRead + AsyncWrite + Unpin + 'static {
    /// Has the connection reset when it is closed, so that what was cut cannot look whole.
    fn abort(&self);
}

impl Io for Tcp {
    fn abort(&self) {
        let _ = self.stream.set_zero_linger();
    }
}

impl Io for TlsStream<Tcp> {
    fn abort(&self) {
        self.get_ref().0.abort();
    }
}

impl AsyncRead for Tcp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        if this.before.is_empty() {
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        } else {
            let n = this.before.len().min(buf.remaining());
            buf.put_slice(&this.before[..n]);
            this.before.advance(n);
            if this.before.is_empty() {
                this.before = BytesMut::new();
            }
        }
        let n = buf.filled().len() - before;
        if n > 0 && this.ticket.is(Phase::Fresh) {
            this.ticket.phase(this.first);
        }
        this.ticket.moved(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let n = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.ticket.moved(n);
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let n = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs))?;
        self.ticket.moved(n);
        Poll::Ready(Ok(n))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
