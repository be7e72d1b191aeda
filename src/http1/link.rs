//! A connection with a read buffer that exists only while there is something in it.
//!
//! Does not know: which side it serves.

use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// One read's worth. Small heads and bodies fit, so an idle or slow connection holds none of it.
const READ: usize = 16 * 1024;
/// The same where much comes: a body of 64 KiB, as many are, can go in two reads and two writes. Twice as much saves no more.
const AMPLE: usize = 64 * 1024;

/// What is to be sent, one piece behind the other.
#[derive(Default)]
pub struct Parts {
    /// What is written here; behind its own bytes more can be written as long as nothing follows.
    pub head: Vec<u8>,
    /// How much of that is sent.
    sent: usize,
    pub data: Bytes,
    pub tail: Bytes,
}

impl Parts {
    /// What is left of the head.
    pub fn front(&self) -> &[u8] {
        &self.head[self.sent..]
    }

    pub fn is_empty(&self) -> bool {
        self.front().is_empty() && self.data.is_empty() && self.tail.is_empty()
    }

    fn advance(&mut self, n: usize) {
        let of_head = n.min(self.front().len());
        self.sent += of_head;
        if self.front().is_empty() {
            self.head.clear();
            self.sent = 0;
        }
        let of_data = (n - of_head).min(self.data.len());
        self.data.advance(of_data);
        self.tail.advance(n - of_head - of_data);
    }
}

impl From<Vec<u8>> for Parts {
    fn from(head: Vec<u8>) -> Parts {
        Parts { head, ..Parts::default() }
    }
}

/// A byte stream and what was read of it but not used.
pub struct Link<S> {
    pub stream: S,
    pub buf: BytesMut,
    /// The other side has sent its last byte.
    pub ended: bool,
    /// The last read filled its buffer, so the next one goes straight into place.
    ample: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    pub fn new(stream: S) -> Link<S> {
        Link { stream, buf: BytesMut::new(), ended: false, ample: false }
    }

    /// Reads more into the buffer; 0 at the stream's end.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.ended {
            return Poll::Ready(Ok(0));
        }
        let read = if self.ample { self.read_in_place(cx) } else { self.read_by_the_way(cx) };
        if read.is_pending() && self.buf.is_empty() {
            // Nothing is held while waiting.
            self.buf = BytesMut::new();
        }
        let n = ready!(read)?;
        self.ended = n == 0;
        Poll::Ready(Ok(n))
    }

    /// Into the thread's buffer, and from there just what came: one small copy instead of a buffer per waiting
    /// connection.
    fn read_by_the_way(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        with_scratch(|scratch| {
            let mut read = ReadBuf::new(scratch);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
            let came = read.filled();
            self.ample = came.len() == READ;
            self.buf.extend_from_slice(came);
            Poll::Ready(Ok(came.len()))
        })
    }

    fn read_in_place(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.ample = false;
        self.buf.reserve(AMPLE);
        let mut room = (&mut self.buf).limit(AMPLE);
        // What has not come yet is not lost with this future: it keeps nothing.
        let n = ready!(pin!(self.stream.read_buf(&mut room)).poll(cx))?;
        self.ample = n >= READ;
        Poll::Ready(Ok(n))
    }

    /// Writes the parts one after the other, in one call where the system takes them all; they are used up when it is
    /// ready.
    pub fn poll_send(&mut self, cx: &mut Context<'_>, parts: &mut Parts) -> Poll<io::Result<()>> {
        loop {
            let stream = Pin::new(&mut self.stream);
            let all = [parts.front(), &parts.data, &parts.tail];
            let mut full = all.iter().filter(|p| !p.is_empty());
            let n = match (full.next(), full.next()) {
                (None, _) => return Pin::new(&mut self.stream).poll_flush(cx),
                (Some(only), None) => ready!(stream.poll_write(cx, only))?,
                _ => ready!(stream.poll_write_vectored(cx, &all.map(io::IoSlice::new)))?,
            };
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            parts.advance(n);
        }
    }
}

/// Lends this thread's read buffer, of which there is one: it may not be asked for again within `with`.
pub fn with_scratch<R>(with: impl FnOnce(&mut [u8]) -> R) -> R {
    thread_local!(static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into()));
    SCRATCH.with_borrow_mut(|scratch| with(scratch))
}

/// What was read and not used comes first.
impl<S: AsyncRead + Unpin> AsyncRead for Link<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.buf.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let n = self.buf.len().min(buf.remaining());
        buf.put_slice(&self.buf[..n]);
        self.buf.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Link<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Whether a comma-separated list names `word`, without regard to case.
pub fn lists(value: &[u8], word: &[u8]) -> bool {
    value.split(|b| *b == b',').any(|w| w.trim_ascii().eq_ignore_ascii_case(word))
}
