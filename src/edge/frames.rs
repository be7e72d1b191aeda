//! A look at HTTP/2 frames as they come in, so that a client which keeps boma busy for nothing is cut off: resets,
//! settings, pings, window updates, priorities, empty data, continuations without end. Each has cost a proxy its
//! memory or its cores (CVE-2019-9512 to 9518, CVE-2023-44487, the CONTINUATION flood of 2024); what they have in
//! common is many frames for little work, and that is what is counted.
//!
//! And at what h2 lets pass where RFC 9113 wants the connection's end: trailers that begin with a pseudo-field (section
//! 8.1), and more on a stream that the client had ended (section 5.1).
//!
//! Does not know: what frames mean beyond that.

use std::cell::Cell;
use std::rc::Rc;

use h2::Reason;
use smallvec::SmallVec;

use crate::bounds;
use crate::http2::Pieces;
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
    /// The latest stream that a request opened; those on which the client may go on, in order; and the latest of those
    /// that were too many to remember.
    stream: u32,
    sending: SmallVec<[u32; 4]>,
    forgotten: u32,
    /// The beginning of trailers.
    trailers: Option<Beginning>,
    /// Continuations since the last HEADERS.
    continuations: u32,
    /// Idle frames in the window, in shares of [`FRAME`], and the bytes that boma sent in it, which earn as many.
    idle: u64,
    sent: u64,
    resets: u32,
    requests: u32,
    window: u64,
    most: Most,
}

/// What a frame for nothing costs. A byte that boma sent earns one, as whoever downloads says again and again how much
/// more may come; a pong is smaller than what it answers, so pings earn no pings.
const FRAME: u64 = 64;
/// What a piece of an answer earns besides its bytes: some clients say after each message, however short, that another
/// may come on the stream and on the connection (gRPC's own do). A piece that the client's window cuts is none, or a
/// window of one byte would pay for itself.
const PIECE: u64 = 2 * FRAME;
/// What a frame of a few bytes costs: chat, telemetry and games consist of them.
const SMALL: u64 = 4;

/// What one connection may do, from `[caps]`.
#[derive(Clone, Copy, Debug, Default)]
struct Most {
    continuations: u32,
    idle: u32,
    resets: u32,
}

/// The first bytes of a frame's payload.
#[derive(Clone, Copy, Debug, Default)]
struct Beginning {
    flags: u8,
    bytes: [u8; 9],
    have: usize,
}

impl Beginning {
    /// Whether a field block (RFC 7541 section 6) begins with a pseudo-field: by an index of the static table, or by a
    /// name that begins with a colon. One that the dynamic table holds is not seen, and left out by h2. Pseudo-fields
    /// stand before all others or h2 refuses them, so the first field is the only one to look at.
    fn is_pseudo(&self) -> bool {
        const PADDED: u8 = 0x8;
        const PRIORITY: u8 = 0x20;
        let skip = usize::from(self.flags & PADDED != 0) + if self.flags & PRIORITY != 0 { 5 } else { 0 };
        let block = &self.bytes[skip.min(self.have)..self.have];
        let name = |index: u8| match (index, block) {
            (0, [_, length, first, ..]) if length & 0x80 == 0 => *first == b':',
            // By Huffman's code a colon is the seven bits 1011100.
            (0, [_, _, first, ..]) => first >> 1 == 0b101_1100,
            (index, _) => (1..=14).contains(&index),
        };
        match block.first() {
            Some(b) if b & 0x80 != 0 => (1..=14).contains(&(b & 0x7f)),
            Some(b) if b & 0x40 != 0 => name(b & 0x3f),
            // A new size of the table comes first: legal, and nobody sends it with trailers.
            Some(b) if b & 0x20 != 0 => false,
            Some(b) => name(b & 0xf),
            None => false,
        }
    }
}

/// The client sends too many frames for too little work, or what none may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offence(pub Reason);

const PREFACE: usize = 24;

impl Counter {
    pub fn new(caps: &Caps) -> Counter {
        let most = Most { continuations: caps.h2_continuations, idle: caps.h2_idle_frames, resets: caps.h2_resets };
        Counter { preface: PREFACE, most, ..Counter::default() }
    }

    /// Looks at the next bytes; `now` in milliseconds.
    ///
    /// # Errors
    /// [`Offence`]: the connection should end.
    pub fn feed(&mut self, mut bytes: &[u8], now: u64) -> Result<(), Offence> {
        if now.saturating_sub(self.window) > bounds::H2_FRAME_WINDOW.as_millis() as u64 {
            (self.window, self.idle, self.sent, self.resets, self.requests) = (now, 0, 0, 0, 0);
        }
        let skipped = self.preface.min(bytes.len());
        self.preface -= skipped;
        bytes = &bytes[skipped..];
        while !bytes.is_empty() {
            if self.payload > 0 {
                let n = self.payload.min(bytes.len());
                self.payload -= n;
                self.look(&bytes[..n])?;
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

    /// `n` bytes went out.
    pub fn sent(&mut self, n: usize) {
        self.sent += n as u64;
    }

    /// `n` pieces of answers did.
    pub fn sent_pieces(&mut self, n: u32) {
        self.sent += u64::from(n) * PIECE;
    }

    /// More comes on a stream, or its end.
    ///
    /// # Errors
    /// Where the client had ended it.
    fn goes_on(&mut self, stream: u32, last: bool) -> Result<(), Offence> {
        let at = self.sending.binary_search(&stream);
        match at {
            Ok(at) if last => drop(self.sending.remove(at)),
            Err(_) if (self.forgotten + 1..=self.stream).contains(&stream) => {
                return Err(Offence(Reason::STREAM_CLOSED));
            }
            _ => {}
        }
        Ok(())
    }

    fn opens(&mut self, stream: u32, last: bool) {
        self.stream = stream;
        if last {
            return;
        }
        if self.sending.len() >= bounds::H2_SENDING {
            self.forgotten = self.sending.remove(0);
        }
        self.sending.push(stream);
    }

    /// Looks at a piece of a payload.
    fn look(&mut self, piece: &[u8]) -> Result<(), Offence> {
        let Some(beginning) = &mut self.trailers else { return Ok(()) };
        let n = piece.len().min(beginning.bytes.len() - beginning.have);
        beginning.bytes[beginning.have..beginning.have + n].copy_from_slice(&piece[..n]);
        beginning.have += n;
        if beginning.have < beginning.bytes.len() && self.payload > 0 {
            return Ok(());
        }
        let pseudo = beginning.is_pseudo();
        self.trailers = None;
        if pseudo { Err(Offence(Reason::PROTOCOL_ERROR)) } else { Ok(()) }
    }

    fn count(&mut self) -> Result<(), Offence> {
        const END_STREAM: u8 = 1;
        const END_HEADERS: u8 = 4;
        let flags = self.head[4];
        let last = flags & END_STREAM != 0;
        let stream = u32::from_be_bytes([self.head[5] & 0x7f, self.head[6], self.head[7], self.head[8]]);
        if self.head[3] == 0 {
            self.goes_on(stream, last)?;
        }
        match self.head[3] {
            0 if last => {}
            0 if self.payload == 0 => self.idle += FRAME,
            0 if (self.payload as u64) < FRAME => self.idle += SMALL,
            0 => {}
            1 => {
                if stream > self.stream {
                    self.opens(stream, last);
                } else {
                    self.goes_on(stream, last)?;
                    self.trailers = Some(Beginning { flags, ..Beginning::default() });
                }
                self.requests += 1;
                self.continuations = 0;
            }
            9 => {
                self.continuations += 1;
                if self.continuations > self.most.continuations {
                    return Err(Offence(Reason::ENHANCE_YOUR_CALM));
                }
                if flags & END_HEADERS != 0 {
                    self.continuations = 0;
                }
            }
            3 => self.resets += 1,
            _ => self.idle += FRAME,
        }
        let frames = u64::from(self.most.idle) + u64::from(self.requests) * u64::from(bounds::H2_FRAMES_PER_REQUEST);
        if self.idle > frames * FRAME + self.sent || self.resets > self.most.resets {
            return Err(Offence(Reason::ENHANCE_YOUR_CALM));
        }
        Ok(())
    }
}

/// What a connection's counter and its streams tell each other.
#[derive(Clone, Default)]
pub struct Account {
    /// Sent, and not yet credited.
    pub pieces: Pieces,
    offence: Rc<Cell<Option<Offence>>>,
}

impl Account {
    /// What the client did that ends the connection.
    pub fn offence(&self) -> Option<Offence> {
        self.offence.get()
    }

    pub fn offends(&self, offence: Offence) {
        self.offence.set(Some(offence));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        let mut bytes = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        bytes.resize(9 + usize::from(length), b'x');
        bytes
    }

    /// HEADERS on stream 1.
    fn headers(flags: u8, payload: &[u8]) -> Vec<u8> {
        [&[0, 0, payload.len() as u8, 1, flags, 0, 0, 0, 1], payload].concat()
    }

    #[test]
    fn trailers_that_begin_with_a_pseudo_field_are_refused() {
        let open = headers(4, &[0x82, 0x84]);
        for (name, trailers, fine) in [
            ("a plain field", headers(5, b"\x40\x05x-sum\x011"), true),
            ("a name of the static table", headers(5, b"\x0f\x10\x011"), true),
            ("a name by Huffman's code", headers(5, b"\x40\x84\xf2\xb4\x25\x1f\x011"), true),
            ("nothing", headers(5, b""), true),
            ("padding", headers(0xd, b"\x02\x40\x01a\x011\0\0"), true),
            ("an indexed field", headers(5, &[0x83]), false),
            ("an indexed name", headers(5, b"\x42\x03200"), false),
            ("an indexed name, not kept", headers(5, b"\x02\x03200"), false),
            ("an indexed name, never kept", headers(5, b"\x14\x01/"), false),
            ("a name in full", headers(5, b"\x40\x05:path\x01/"), false),
            ("a colon by Huffman's code", headers(5, b"\x40\x84\xb9\x58\xd3\x3f\x01/"), false),
            ("behind padding", headers(0xd, b"\x02\x83\0\0"), false),
            ("behind a priority", headers(0x25, b"\0\0\0\0\x0f\x83"), false),
        ] {
            for size in [1, 3, 1000] {
                let through = let_through(&[open.clone(), trailers.clone()], size);
                assert_eq!(through, if fine { 2 } else { 1 }, "{name}, in pieces of {size}");
            }
        }
    }

    #[test]
    fn a_stream_that_the_client_has_ended_stays_so() {
        let open = |stream: u32| [&[0, 0, 2, 1, 4][..], &stream.to_be_bytes(), &[0x82, 0x84]].concat();
        let data = |stream: u32, flags| [&[0, 0, 1, 0, flags][..], &stream.to_be_bytes(), b"x"].concat();
        let through = |frames: &[Vec<u8>]| let_through(frames, 1000);
        assert_eq!(through(&[open(1), open(3), data(3, 0), data(1, 1), data(3, 1)]), 5);
        assert_eq!(through(&[open(1), data(1, 1), data(1, 1)]), 2);
        assert_eq!(through(&[headers(5, &[0x82]), headers(5, b"\x40\x01a\x01b")]), 1);
        // Those that are too many to remember are let be, and what is remembered is bounded.
        let many = (0..3 * bounds::H2_SENDING as u32).map(|i| open(2 * i + 1)).collect::<Vec<_>>();
        let late = [many, vec![data(1, 1), data(1, 1)]].concat();
        assert_eq!(through(&late), late.len());
        let mut counter = Counter::new(&Caps::default());
        assert!(late.iter().all(|f| counter.feed(f, 0).is_ok()));
        assert!(counter.sending.len() <= bounds::H2_SENDING);
    }

    #[test]
    fn who_downloads_may_say_how_much_more_may_come_and_small_pieces_are_work() {
        let mut counter = Counter::new(&Caps::default());
        counter.feed(&[0; PREFACE], 0).unwrap();
        counter.feed(&frame(1, 5, 20), 0).unwrap();
        for _ in 0..100_000 {
            counter.sent(16 * 1024 + 9);
            (0..4).for_each(|_| counter.feed(&frame(8, 0, 4), 0).unwrap());
        }
        // Messages of ten bytes, and after each two window updates.
        let mut counter = Counter::new(&Caps::default());
        counter.feed(&[0; PREFACE], 0).unwrap();
        counter.feed(&headers(4, &[0x82]), 0).unwrap();
        for _ in 0..100_000 {
            counter.sent(9 + 10);
            counter.sent_pieces(1);
            [frame(8, 0, 4), frame(8, 0, 4), frame(0, 0, 10)].iter().for_each(|f| counter.feed(f, 0).unwrap());
        }
        // A window of one byte that opens again and again: what it lets out are no pieces.
        let dribble = (0..10_000).take_while(|_| {
            counter.sent(10);
            counter.feed(&frame(8, 0, 4), 100_000).is_ok()
        });
        assert!(dribble.count() < 1000);
        // Five hundred messages a second.
        let talk = [vec![headers(4, &[0x82])], vec![frame(0, 0, 20); 5000]].concat();
        assert_eq!(let_through(&talk, 1000), 5001);
        // A pong earns less than its ping costs.
        let mut counter = Counter::new(&Caps::default());
        counter.feed(&[0; PREFACE], 0).unwrap();
        let pings = (0..10_000).take_while(|_| {
            counter.sent(17);
            counter.feed(&frame(6, 0, 8), 0).is_ok()
        });
        assert!(pings.count() < 1000);
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
        let on = |request: u32, mut frame: Vec<u8>| {
            frame[5..9].copy_from_slice(&(2 * request + 1).to_be_bytes());
            frame
        };
        let reset: Vec<_> = (0..5000).flat_map(|i| [on(i, frame(1, 5, 20)), on(i, frame(3, 0, 4))]).collect();
        assert!(let_through(&reset, 1000) < 500, "rapid reset");
        // Who leaves a page takes back all that it had asked for, and may do so again.
        let page = |from: u32| {
            let asked = (from..from + 100).map(|i| on(i, frame(1, 5, 20)));
            asked.chain((from..from + 100).map(|i| on(i, frame(3, 0, 4))))
        };
        let leaves: Vec<_> = page(0).chain(page(100)).collect();
        assert_eq!(let_through(&leaves, 1000), 400);
        let work = |i| [frame(1, 4, 20), frame(0, 0, 200), frame(8, 0, 4), frame(0, 1, 1)].map(|f| on(i, f));
        let work: Vec<_> = (0..10_000).flat_map(work).collect();
        assert_eq!(let_through(&work, 1000), 40_000);
    }
}
