//! A prepared page as gzip (RFC 1952), its holes still open: what stands between them is deflated once, a hole is a stored
//! block, and the checksum of the whole is put together from parts when the holes are filled. So a page under flood goes
//! out at half its size and costs no compression. A form, which has any length, goes in stored as well: it is sealed, and
//! nothing would make it shorter.
//!
//! Does not know: what a page says.

use bytes::{Bytes, BytesMut};

use crate::gzip::{self, After, Slot, advance, stored, zeros};
use crate::wire::{Hole, Prepared};

/// The most that one stored block holds.
const STORED: usize = u16::MAX as usize;

#[derive(Clone, Debug)]
pub struct Packed {
    /// Without a form.
    bytes: Bytes,
    /// Each carried to the gap, or to the end where that does not follow.
    holes: Vec<(Hole, Slot)>,
    /// The remainder up to the gap, or to the end where there is none, with zeros in its holes.
    crc: u32,
    plain: usize,
    gap: Option<Gap>,
}

/// Where a form goes.
#[derive(Clone, Debug)]
struct Gap {
    at: usize,
    /// The remainder of what follows alone, with zeros in its holes, and how long that is.
    crc: u32,
    plain: usize,
}

impl Packed {
    /// `None` where a page cannot be packed: of forms it may hold one.
    pub fn new(page: &Prepared) -> Option<Packed> {
        let forms = || page.holes.iter().filter(|(hole, _)| *hole == Hole::Form);
        if forms().count() > 1 {
            return None;
        }
        let (form, end) = (forms().map(|(_, range)| range.clone()).next(), page.bytes.len());
        let mut bytes = gzip::HEAD.to_vec();
        let (mut holes, mut crc, mut plain, mut from, mut gap) = (Vec::new(), !0, 0, 0, None);
        for (hole, range) in &page.holes {
            let text = &page.bytes[from..range.start];
            gzip::pack(text, After::More, &mut bytes)?;
            (crc, plain, from) = (advance(crc, text), plain + text.len(), range.end);
            if *hole == Hole::Form {
                gap = Some((bytes.len(), crc, plain));
                (crc, plain) = (0, 0);
                continue;
            }
            let width = range.len();
            let rest = form.as_ref().filter(|f| f.start >= range.end).map_or(end, |f| f.start) - range.end;
            let at = Slot::open(u16::try_from(width).ok()?, &mut bytes);
            holes.push((*hole, Slot::new(at, rest)));
            (crc, plain) = (zeros(crc, width), plain + width);
        }
        let text = &page.bytes[from..];
        gzip::pack(text, After::End, &mut bytes)?;
        (crc, plain) = (advance(crc, text), plain + text.len());
        bytes.extend(tail(crc, plain));
        let bytes = bytes.into();
        Some(match gap {
            None => Packed { bytes, holes, crc, plain, gap: None },
            Some((at, front, length)) => {
                Packed { bytes, holes, crc: front, plain: length, gap: Some(Gap { at, crc, plain }) }
            }
        })
    }

    /// Bytes as they are sent, a form aside.
    pub fn sent(&self) -> usize {
        self.bytes.len()
    }

    /// With its holes filled; without holes it is a reference to what was packed, no copy.
    pub fn fill(&self, form: &[u8], mut filling: impl FnMut(Hole, &mut [u8])) -> Bytes {
        if self.holes.is_empty() && self.gap.is_none() {
            return self.bytes.clone();
        }
        let mut copy = BytesMut::from(self.bytes.as_ref());
        let (gap, mut crc, mut plain) = (self.gap.as_ref(), self.crc, self.plain);
        let mut behind = gap.map_or(0, |gap| gap.crc);
        for (hole, slot) in &self.holes {
            let at = &slot.at;
            filling(*hole, &mut copy[at.clone()]);
            let added = slot.adds(&copy[at.clone()]);
            *if gap.is_some_and(|gap| at.start >= gap.at) { &mut behind } else { &mut crc } ^= added;
        }
        if let Some(gap) = gap {
            crc = zeros(advance(crc, form), gap.plain) ^ behind;
            plain += form.len() + gap.plain;
            copy = with(&copy, gap.at, form);
        }
        let end = copy.len() - gzip::TAIL;
        copy[end..].copy_from_slice(&tail(crc, plain));
        copy.freeze()
    }
}

fn tail(crc: u32, plain: usize) -> [u8; gzip::TAIL] {
    let mut tail = [0; gzip::TAIL];
    tail[..4].copy_from_slice(&(!crc).to_le_bytes());
    tail[4..].copy_from_slice(&(plain as u32).to_le_bytes());
    tail
}

/// The blocks with a form's own among them.
fn with(blocks: &[u8], at: usize, form: &[u8]) -> BytesMut {
    let heads = form.len().div_ceil(STORED) * stored(0).len();
    let mut out = BytesMut::with_capacity(blocks.len() + heads + form.len());
    out.extend_from_slice(&blocks[..at]);
    for piece in form.chunks(STORED) {
        out.extend_from_slice(&stored(piece.len() as u16));
        out.extend_from_slice(piece);
    }
    out.extend_from_slice(&blocks[at..]);
    out
}

/// Whether an `Accept-Encoding` value takes gzip (RFC 9110 section 12.5.3). `*` is left aside: who means gzip says so.
pub fn takes_gzip(accept_encoding: &[u8]) -> bool {
    accept_encoding.split(|b| *b == b',').any(|coding| {
        let mut parts = coding.split(|b| *b == b';').map(<[u8]>::trim_ascii);
        let refused = |p: &[u8]| matches!(p, [b'q' | b'Q', b'=', b'0', rest @ ..] if rest.iter().all(|b| matches!(b, b'.' | b'0')));
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case(b"gzip")) && !parts.any(refused)
    })
}
