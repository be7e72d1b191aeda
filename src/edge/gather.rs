//! The byte stream under HTTP/2: frames that come in are counted, and what goes out is gathered, so that the frames of all
//! streams that have something to say leave in one write, and in one TLS record.
//!
//! Does not know: what frames mean.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::{Account, Counter};
use super::tcp::Io;
use crate::settings::Caps;

/// As much as fits a TLS record. More is not gathered, and goes out with what was.
const MOST: usize = 16 * 1024;

/// What goes out, and the stream that it goes to.
pub struct Gather<S> {
    stream: S,
    waiting: Vec<u8>,
    /// How much of that is out.
    out: usize,
    /// Bytes sent and not yet told to the counter.
    sent: usize,
    /// Whoever writes also says when to send; before that every flush sends.
    lazy: bool,
    /// A write found no room.
    stuck: bool,
}

impl<S: Io> Gather<S> {
    /// From now on [`Gather::poll_send`] sends, and no flush does.
    pub fn lazy(&mut self) {
        self.lazy = true;
    }

    /// Sends what was gathered. A write that found no room is told to try again.
    ///
    /// # Errors
    /// The stream's.
    pub fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.out < self.waiting.len() {
            ready!(self.poll_write(cx, &[]))?;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if std::mem::take(&mut self.stuck) {
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    /// Nothing more is to be sent for a while: what waits holds no buffer.
    pub fn rest(&mut self) {
        if self.waiting.is_empty() {
            self.waiting = Vec::new();
        }
    }

    /// One write of what waits, and `more` behind it; how much of `more` it took.
    fn poll_write(&mut self, cx: &mut Context<'_>, more: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let before = self.waiting.len() - self.out;
        let stream = Pin::new(&mut self.stream);
        let n = if more.is_empty() {
            ready!(stream.poll_write(cx, &self.waiting[self.out..]))?
        } else {
            let mut slices: SmallVec<[IoSlice<'_>; 8]> = SmallVec::new();
            slices.push(IoSlice::new(&self.waiting[self.out..]));
            slices.extend(more.iter().filter(|m| !m.is_empty()).copied());
            ready!(stream.poll_write_vectored(cx, &slices))?
        };
        if n == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.sent += n;
        self.out += n.min(before);
        if self.out == self.waiting.len() {
            self.waiting.clear();
            self.out = 0;
        }
        Poll::Ready(Ok(n.saturating_sub(before)))
    }

    fn poll_take(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let all: usize = bufs.iter().map(|b| b.len()).sum();
        while self.waiting.len() + all > MOST {
            let sent = self.poll_write(cx, bufs);
            self.stuck |= sent.is_pending();
            match ready!(sent)? {
                0 if all > 0 => {}
                n => return Poll::Ready(Ok(n)),
            }
        }
        bufs.iter().for_each(|b| self.waiting.extend_from_slice(b));
        Poll::Ready(Ok(all))
    }
}

/// A byte stream whose incoming frames are counted. After an [`super::frames::Offence`] nothing more is read from it.
pub struct Counted<S> {
    gather: Rc<RefCell<Gather<S>>>,
    counter: Counter,
    account: Account,
    clock: Box<dyn Fn() -> u64>,
}

impl<S> Counted<S> {
    pub fn new(stream: S, caps: &Caps, account: Account, clock: impl Fn() -> u64 + 'static) -> Counted<S> {
        let gather = Gather { stream, waiting: Vec::new(), out: 0, sent: 0, lazy: false, stuck: false };
        Counted { gather: Rc::new(RefCell::new(gather)), counter: Counter::new(caps), account, clock: Box::new(clock) }
    }

    /// For whoever says when to send.
    pub fn gather(&self) -> Rc<RefCell<Gather<S>>> {
        self.gather.clone()
    }
}

impl<S: Io> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.account.offence().is_some() {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let gather = &mut *this.gather.borrow_mut();
        ready!(Pin::new(&mut gather.stream).poll_read(cx, buf))?;
        let now = (this.clock)();
        this.counter.sent(std::mem::take(&mut gather.sent));
        this.counter.sent_pieces(this.account.pieces.take());
        if let Err(offence) = this.counter.feed(&buf.filled()[before..], now) {
            this.account.offends(offence);
            buf.set_filled(before);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Io> AsyncWrite for Counted<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.gather.borrow_mut().poll_take(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.gather.borrow_mut().poll_take(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gather = &mut *self.gather.borrow_mut();
        if gather.lazy { Poll::Ready(Ok(())) } else { gather.poll_send(cx) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gather = &mut *self.gather.borrow_mut();
        ready!(gather.poll_send(cx))?;
        Pin::new(&mut gather.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, poll_fn};

    use super::*;

    type Writes = Rc<RefCell<Vec<Vec<u8>>>>;

    /// Takes up to `most` bytes in each write, and nothing for a while after `takes` of them.
    #[derive(Default)]
    struct Socket {
        most: usize,
        takes: usize,
        writes: Writes,
    }

    impl Io for Socket {
        const ENDS_BY_ITSELF: bool = true;

        fn abort(&self) {}
    }

    impl AsyncRead for Socket {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Socket {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            if self.takes == 0 {
                self.takes = 3;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.takes -= 1;
            let n = buf.len().min(self.most);
            self.writes.borrow_mut().push(buf[..n].to_vec());
            Poll::Ready(Ok(n))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let most = self.most;
            self.poll_write(cx, &bufs.iter().flat_map(|b| b.iter().copied()).take(most).collect::<Vec<u8>>())
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    fn counted(most: usize, takes: usize) -> (Counted<Socket>, Writes) {
        let socket = Socket { most, takes, ..Socket::default() };
        let writes = socket.writes.clone();
        (Counted::new(socket, &Caps::default(), Account::default(), || 0), writes)
    }

    async fn write(to: &mut Counted<Socket>, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (head, body) = bytes.split_at(bytes.len().min(9));
            let parts = [IoSlice::new(head), IoSlice::new(body)];
            let n = poll_fn(|cx| Pin::new(&mut *to).poll_write_vectored(cx, &parts)).await.unwrap();
            bytes = &bytes[n..];
        }
        poll_fn(|cx| Pin::new(&mut *to).poll_flush(cx)).await.unwrap();
    }

    #[test]
    fn frames_of_many_streams_leave_in_one_write() {
        let (mut counted, writes) = counted(usize::MAX, 3);
        let gather = counted.gather();
        run(async {
            write(&mut counted, b"settings, at once").await;
            assert_eq!(writes.borrow().len(), 1);
            gather.borrow_mut().lazy();
            for stream in 0..10 {
                write(&mut counted, &[stream; 1200]).await;
            }
            assert_eq!(writes.borrow().len(), 1, "nothing leaves before it is told to");
            poll_fn(|cx| gather.borrow_mut().poll_send(cx)).await.unwrap();
            assert_eq!(writes.borrow()[1..].iter().map(Vec::len).collect::<Vec<_>>(), [12_000]);
        });
    }

    #[test]
    fn whatever_the_socket_takes_all_of_it_arrives_in_order_and_little_is_held() {
        for most in [1, 7, 4096, usize::MAX] {
            let (mut counted, writes) = counted(most, 0);
            let gather = counted.gather();
            gather.borrow_mut().lazy();
            let mut all = Vec::new();
            run(async {
                for (nth, size) in [10, 3000, 16_384, 5, 40_000, 1, 20_000].into_iter().enumerate() {
                    let bytes: Vec<u8> = (0..size).map(|i| (i * 31 + nth) as u8).collect();
                    all.extend_from_slice(&bytes);
                    write(&mut counted, &bytes).await;
                    assert!(gather.borrow().waiting.len() <= MOST);
                }
                poll_fn(|cx| gather.borrow_mut().poll_send(cx)).await.unwrap();
                gather.borrow_mut().rest();
            });
            assert!(writes.borrow().concat() == all, "{most}");
            assert_eq!(gather.borrow().waiting.capacity(), 0, "what has nothing to send holds no buffer");
        }
    }
}
