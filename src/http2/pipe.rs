//! One HTTP/2 stream as a byte pipe, for protocols that took it over (RFC 8441).
//!
//! Does not know: which protocol.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Pieces;
use super::body::poll_window;

pub struct Pipe {
    incoming: RecvStream,
    outgoing: SendStream<Bytes>,
    rest: Bytes,
    pieces: Option<Pieces>,
}

impl Pipe {
    pub fn new(incoming: RecvStream, outgoing: SendStream<Bytes>) -> Pipe {
        Pipe { incoming, outgoing, rest: Bytes::new(), pieces: None }
    }

    /// Counts what goes out.
    pub fn counting(mut self, pieces: Pieces) -> Pipe {
        self.pieces = Some(pieces);
        self
    }
}

fn broken(error: h2::Error) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}

impl AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(self.incoming.poll_data(cx)) {
                Some(data) => self.rest = data.map_err(broken)?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let n = self.rest.len().min(buf.remaining());
        buf.put_slice(&self.rest[..n]);
        self.rest.advance(n);
        let _ = self.incoming.flow_control().release_capacity(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if let Poll::Ready(reason) = self.outgoing.poll_reset(cx) {
            return Poll::Ready(Err(reason.map_or_else(broken, |r| broken(r.into()))));
        }
        let Some(n) = ready!(poll_window(&mut self.outgoing, buf.len(), cx)) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let n = n.min(buf.len());
        if n == buf.len() {
            self.pieces.as_ref().inspect(|sent| sent.set(sent.get() + 1));
        }
        self.outgoing.send_data(Bytes::copy_from_slice(&buf[..n]), false).map_err(broken)?;
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.outgoing.send_data(Bytes::new(), true).map_err(broken))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // Ending the stream is a matter for `poll_shutdown`; whoever drops it earlier breaks it off.
        if !self.incoming.is_end_stream() {
            self.outgoing.send_reset(Reason::CANCEL);
        }
    }
}
