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
    /// Read already, and to be read again first; behind a pointer, as nearly all have none.
    before: Option<Box<BytesMut>>,
    ticket: Rc<Ticket>,
    /// What the first byte begins.
    first: Phase,
}

impl Tcp {
    pub fn new(stream: TcpStream, ticket: Rc<Ticket>, first: Phase) -> Tcp {
        Tcp { stream, before: None, ticket, first }
    }

    /// Has `came` read again, before whatever is still to be read again.
    pub fn put_back(&mut self, mut came: BytesMut) {
        if let Some(before) = self.before.take() {
            came.unsplit(*before);
        }
        self.before = (!came.is_empty()).then(|| Box::new(came));
    }
}

/// A byte stream whose end can be made to look broken.
pub trait Io: AsyncRead + AsyncWrite + Unpin + 'static {
    /// Its end is the system's to tell, and needs no last word.
    const ENDS_BY_ITSELF: bool;
    /// Has the connection reset when it is closed, so that what was cut cannot look whole.
    fn abort(&self);
}

impl Io for Tcp {
    const ENDS_BY_ITSELF: bool = true;

    fn abort(&self) {
        let _ = self.stream.set_zero_linger();
    }
}

impl Io for TlsStream<Tcp> {
    const ENDS_BY_ITSELF: bool = false;

    fn abort(&self) {
        self.get_ref().0.abort();
    }
}

impl AsyncRead for Tcp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        match &mut this.before {
            None => ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?,
            Some(bytes) => {
                let n = bytes.len().min(buf.remaining());
                buf.put_slice(&bytes[..n]);
                bytes.advance(n);
                if bytes.is_empty() {
                    this.before = None;
                }
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
        self.ticket.sent(n);
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let n = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs))?;
        self.ticket.sent(n);
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
