//! A look at HTTP/2 frames as they come in, so that a client which keeps boma busy for nothing is cut off: resets,
//! settings, pings, window updates, priorities, empty data, continuations without end. Each has cost a proxy its
//! memory or its cores (CVE-2019-9512 to 9518, CVE-2023-44487, the CONTINUATION flood of 2024); what they have in
//! common is many frames for little work, and that is what is counted.
//!
//! Does not know: what frames mean beyond their kind and length.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::tcp::Io;
use crate::bounds;
use crate::settings::Caps;

/// Counts frames in a stream of bytes that comes in any pieces.
#[derive(Debug, Default)]
pub struct Counter {
    /// Bytes of the preface still to come.
    preface: usize,
    head: [u8; 9],
    have: usize,
    /// Payload still to come.
    payload: usize,
    /// Continuations since the last HEADERS.
    continuations: u32,
    idle: u32,
    resets: u32,
    requests: u32,
    window: u64,
    most: Most,
}

/// What one connection may do, from `[caps]`.
#[derive(Clone, Copy, Debug, Default)]
struct Most {
    continuations: u32,
    idle: u32,
    resets: u32,
}

/// The client sends too many frames for too little work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooBusy;

const PREFACE: usize = 24;

impl Counter {
    pub fn new(caps: &Caps) -> Counter {
        let most = Most { continuations: caps.h2_continuations, idle: caps.h2_idle_frames, resets: caps.h2_resets };
        Counter { preface: PREFACE, most, ..Counter::default() }
    }

    /// Looks at the next bytes; `now` in milliseconds.
    ///
    /// # Errors
    /// [`TooBusy`]: the connection should end.
    pub fn feed(&mut self, mut bytes: &[u8], now: u64) -> Result<(), TooBusy> {
        if now.saturating_sub(self.window) > bounds::H2_FRAME_WINDOW.as_millis() as u64 {
            (self.window, self.idle, self.resets, self.requests) = (now, 0, 0, 0);
        }
        let skipped = self.preface.min(bytes.len());
        self.preface -= skipped;
        bytes = &bytes[skipped..];
        while !bytes.is_empty() {
            if self.payload > 0 {
                let n = self.payload.min(bytes.len());
                self.payload -= n;
                bytes = &bytes[n..];
                continue;
            }
            let n = (self.head.len() - self.have).min(bytes.len());
            self.head[self.have..self.have + n].copy_from_slice(&bytes[..n]);
            self.have += n;
            bytes = &bytes[n..];
            if self.have == self.head.len() {
                self.have = 0;
                self.payload =
                    usize::from(self.head[0]) << 16 | usize::from(self.head[1]) << 8 | usize::from(self.head[2]);
                self.count()?;
            }
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), TooBusy> {
        const END_STREAM: u8 = 1;
        const END_HEADERS: u8 = 4;
        let flags = self.head[4];
        match self.head[3] {
            // Data that carries something is work; a byte at a time is not.
            0 if self.payload >= 64 || flags & END_STREAM != 0 => {}
            1 => {
                self.requests += 1;
                self.continuations = 0;
            }
            9 => {
                self.continuations += 1;
                if self.continuations > self.most.continuations {
                    return Err(TooBusy);
                }
                if flags & END_HEADERS != 0 {
                    self.continuations = 0;
                }
            }
            3 => self.resets += 1,
            _ => self.idle += 1,
        }
        let idle = self.most.idle.saturating_add(self.requests.saturating_mul(bounds::H2_FRAMES_PER_REQUEST));
        if self.idle > idle || self.resets > self.most.resets { Err(TooBusy) } else { Ok(()) }
    }
}

/// A byte stream whose incoming frames are counted.
pub struct Counted<S> {
    stream: S,
    counter: Counter,
    clock: Box<dyn Fn() -> u64>,
}

impl<S> Counted<S> {
    pub fn new(stream: S, caps: &Caps, clock: impl Fn() -> u64 + 'static) -> Counted<S> {
        Counted { stream, counter: Counter::new(caps), clock: Box::new(clock) }
    }
}

impl<S: Io> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        let now = (this.clock)();
        let busy = this.counter.feed(&buf.filled()[before..], now);
        Poll::Ready(busy.map_err(|_| io::Error::new(io::ErrorKind::ConnectionAborted, "too many frames for nothing")))
    }
}

impl<S: Io> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        let mut bytes = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        bytes.resize(9 + usize::from(length), 0);
        bytes
    }

    /// How many frames are let through, fed in pieces of `size`.
    fn let_through(frames: &[Vec<u8>], size: usize) -> usize {
        let mut counter = Counter::new(&Caps::default());
        counter.feed(&[0; PREFACE], 0).unwrap();
        let through = |f: &Vec<u8>| f.chunks(size).all(|p| counter.feed(p, 0).is_ok());
        frames.iter().map(through).take_while(|t| *t).count()
    }

    #[test]
    fn floods_end_and_work_does_not() {
        let flood = |kind, flags, length| vec![frame(kind, flags, length); 10_000];
        for (name, kind, flags, length) in
            [("ping", 6, 0, 8), ("settings", 4, 0, 0), ("window", 8, 0, 4), ("empty data", 0, 0, 0), ("rst", 3, 0, 4)]
        {
            for size in [1, 7, 1000] {
                assert!(let_through(&flood(kind, flags, length), size) < 1000, "{name}");
            }
        }
        assert!(let_through(&flood(9, 0, 10), 1000) <= 32, "continuations");
        let reset = [frame(1, 5, 20), frame(3, 0, 4)].into_iter().cycle().take(10_000).collect::<Vec<_>>();
        assert!(let_through(&reset, 1000) < 500, "rapid reset");
        // Who leaves a page takes back all that it had asked for, and may do so again.
        let asked = vec![frame(1, 5, 20); 100];
        let leaves = [asked.clone(), vec![frame(3, 0, 4); 100], asked, vec![frame(3, 0, 4); 100]].concat();
        assert_eq!(let_through(&leaves, 1000), 400);
        let work = [frame(1, 4, 20), frame(0, 0, 200), frame(8, 0, 4), frame(0, 1, 1)];
        let work = work.into_iter().cycle().take(40_000).collect::<Vec<_>>();
        assert_eq!(let_through(&work, 1000), 40_000);
    }
}
