//! A prepared page as gzip (RFC 1952), its holes still open: what stands between them is deflated once, a hole is a stored
//! block, and the checksum of the whole is put together from parts when the holes are filled. So a page under flood goes
//! out at half its size and costs no compression.
//!
//! Does not know: what a page says.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::gzip::{self, After, advance, zeros};
use crate::wire::{Hole, Prepared};

#[derive(Clone, Debug)]
pub struct Packed {
    bytes: Bytes,
    holes: Vec<Opening>,
    /// Of the text with zeros in its holes.
    crc: u32,
}

#[derive(Clone, Debug)]
struct Opening {
    hole: Hole,
    at: Range<usize>,
    /// What each bit of a hole's own remainder has become at the end of the text.
    carried: [u32; 32],
}

impl Packed {
    /// `None` where a page cannot be packed: what fills the hole of a form has no width that is known before.
    pub fn new(page: &Prepared) -> Option<Packed> {
        let mut bytes = gzip::HEAD.to_vec();
        let (mut holes, mut crc, mut from) = (Vec::new(), !0, 0);
        for (hole, range) in &page.holes {
            let width = u16::try_from(range.len()).ok().filter(|_| *hole != Hole::Form)?;
            let text = &page.bytes[from..range.start];
            gzip::pack(text, After::More, &mut bytes)?;
            bytes.push(0);
            bytes.extend(width.to_le_bytes());
            bytes.extend((!width).to_le_bytes());
            let at = bytes.len()..bytes.len() + range.len();
            bytes.resize(at.end, 0);
            crc = zeros(advance(crc, text), range.len());
            from = range.end;
            let rest = page.bytes.len() - from;
            holes.push(Opening { hole: *hole, at, carried: std::array::from_fn(|bit| zeros(1 << bit, rest)) });
        }
        gzip::pack(&page.bytes[from..], After::End, &mut bytes)?;
        let crc = !advance(crc, &page.bytes[from..]);
        bytes.extend([0; 4]);
        bytes.extend((page.bytes.len() as u32).to_le_bytes());
        Some(Packed { bytes: bytes.into(), holes, crc })
    }

    /// Bytes as they are sent.
    pub fn sent(&self) -> usize {
        self.bytes.len()
    }

    pub fn fill(&self, mut filling: impl FnMut(Hole, &mut [u8])) -> Bytes {
        let mut copy = BytesMut::from(self.bytes.as_ref());
        let mut crc = self.crc;
        for Opening { hole, at, carried } in &self.holes {
            filling(*hole, &mut copy[at.clone()]);
            // A remainder is linear: what a filling adds to that of zeros does not depend on what stands around it.
            let own = advance(0, &copy[at.clone()]);
            crc ^= (0..32).filter(|bit| own >> bit & 1 == 1).fold(0, |sum, bit| sum ^ carried[bit]);
        }
        let end = copy.len() - 8;
        copy[end..end + 4].copy_from_slice(&crc.to_le_bytes());
        copy.freeze()
    }
}

/// Whether an `Accept-Encoding` value takes gzip (RFC 9110 section 12.5.3). `*` is left aside: who means gzip says so.
pub fn takes_gzip(accept_encoding: &[u8]) -> bool {
    accept_encoding.split(|b| *b == b',').any(|coding| {
        let mut parts = coding.split(|b| *b == b';').map(<[u8]>::trim_ascii);
        let refused = |p: &[u8]| matches!(p, [b'q' | b'Q', b'=', b'0', rest @ ..] if rest.iter().all(|b| matches!(b, b'.' | b'0')));
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case(b"gzip")) && !parts.any(refused)
    })
}
