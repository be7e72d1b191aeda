//! A prepared page as gzip (RFC 1952), its holes still open: what stands between them is deflated once, a hole is a stored
//! block, and the checksum of the whole is put together from parts when the holes are filled. So a page under flood goes
//! out at half its size and costs no compression.
//!
//! Does not know: what a page says.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress, create_comp_flags_from_zip_params,
};

use crate::wire::{Hole, Prepared};

/// No name, no time, "best", an unknown system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
const LEVEL: i32 = 9;
/// Below zero: without zlib's own header.
const WINDOW: i32 = -15;

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
        let mut bytes = HEAD.to_vec();
        let (mut holes, mut crc, mut from) = (Vec::new(), !0, 0);
        for (hole, range) in &page.holes {
            let width = u16::try_from(range.len()).ok().filter(|_| *hole != Hole::Form)?;
            let text = &page.bytes[from..range.start];
            deflate(text, TDEFLFlush::Full, &mut bytes)?;
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
        deflate(&page.bytes[from..], TDEFLFlush::Finish, &mut bytes)?;
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

/// Appends one run of blocks that refer to nothing before them, so that what fills a hole is never referred to.
fn deflate(text: &[u8], flush: TDEFLFlush, out: &mut Vec<u8>) -> Option<()> {
    let flags = create_comp_flags_from_zip_params(LEVEL, WINDOW, 0);
    let mut compressor = CompressorOxide::new(flags);
    // Longer than any text that would be worth it, with room for the marks of a flush.
    let mut room = vec![0; text.len() + 64];
    let (status, read, written) = compress(&mut compressor, text, &mut room, flush);
    let whole = read == text.len() && matches!(status, TDEFLStatus::Okay | TDEFLStatus::Done);
    out.extend_from_slice(&room[..written]);
    whole.then_some(())
}

/// CRC-32 of RFC 1952 section 8, without its first and last inversion.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let (mut c, mut bit) = (i as u32, 0);
        while bit < 8 {
            c = if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 };
            bit += 1;
        }
        table[i] = c;
        i += 1;
    }
    table
};

fn advance(crc: u32, text: &[u8]) -> u32 {
    text.iter().fold(crc, |c, b| TABLE[(c as u8 ^ b) as usize] ^ (c >> 8))
}

fn zeros(crc: u32, n: usize) -> u32 {
    (0..n).fold(crc, |c, _| TABLE[c as u8 as usize] ^ (c >> 8))
}
