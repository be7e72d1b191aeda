//! gzip (RFC 1952) in pieces: each piece of a text is deflated so that it refers to nothing before it, and the checksum of a
//! whole is put together from those of its pieces. So a text that is packed once can be given with other words between
//! its pieces, and costs no second compression.
//!
//! Does not know: what is packed.

use std::ops::Range;

use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress, create_comp_flags_from_zip_params,
};
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use serde::{Deserialize, Serialize};

/// No name, no time, "best", an unknown system.
pub const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
/// Bytes after the last block.
pub const TAIL: usize = 8;
const LEVEL: i32 = 9;
/// Below zero: without zlib's own header.
const WINDOW: i32 = -15;
/// CRC-32's polynomial, lowest bit first.
const POLYNOMIAL: u32 = 0xedb8_8320;
/// x^0 in the same order.
const ONE: u32 = 1 << 31;

/// A piece of a packed text: its bytes packed and plain, and the remainder of its plain bytes alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    pub packed: usize,
    pub plain: usize,
    pub crc: u32,
}

/// What goes after a piece, or is the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    More,
    End,
}

/// Appends one piece; `None` where the compressor gives up, which it has no reason to.
pub fn pack(text: &[u8], after: After, out: &mut Vec<u8>) -> Option<Piece> {
    let flush = if after == After::More { TDEFLFlush::Full } else { TDEFLFlush::Finish };
    let mut compressor = CompressorOxide::new(create_comp_flags_from_zip_params(LEVEL, WINDOW, 0));
    // What does not get shorter is stored in blocks of 32 KiB with five bytes each.
    let mut room = vec![0; text.len() + text.len() / 1024 + 64];
    let (status, read, written) = compress(&mut compressor, text, &mut room, flush);
    out.extend_from_slice(&room[..written]);
    let whole = read == text.len() && matches!(status, TDEFLStatus::Okay | TDEFLStatus::Done);
    whole.then(|| Piece { packed: written, plain: text.len(), crc: advance(0, text) })
}

/// The remainder of a whole, put together from its pieces in order.
#[derive(Clone, Copy, Debug)]
pub struct Sum {
    register: u32,
    plain: usize,
}

impl Default for Sum {
    fn default() -> Sum {
        Sum { register: !0, plain: 0 }
    }
}

impl Sum {
    pub fn add(&mut self, piece: &Piece) {
        self.register = zeros(self.register, piece.plain) ^ piece.crc;
        self.plain += piece.plain;
    }

    pub fn plain(&self) -> usize {
        self.plain
    }

    /// The bytes after the last block.
    pub fn tail(self) -> [u8; TAIL] {
        let mut tail = [0; TAIL];
        tail[..4].copy_from_slice(&(!self.register).to_le_bytes());
        tail[4..].copy_from_slice(&(self.plain as u32).to_le_bytes());
        tail
    }
}

/// A place of fixed width in a packed text that is filled anew for whoever reads it: a stored block, zeros in it at first.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Within the packed bytes.
    pub at: Range<usize>,
    /// What each bit of the slot's own remainder has become at the end of what follows it.
    carried: [u32; 32],
}

impl Slot {
    /// `rest`: how many plain bytes follow it.
    pub fn new(at: Range<usize>, rest: usize) -> Slot {
        Slot { at, carried: std::array::from_fn(|bit| zeros(1 << bit, rest)) }
    }

    /// Appends the block to what is packed; where its zeros are.
    pub fn open(width: u16, out: &mut Vec<u8>) -> Range<usize> {
        out.extend(stored(width));
        let at = out.len()..out.len() + usize::from(width);
        out.resize(at.end, 0);
        at
    }

    /// What a filling changes in the remainder of the whole. A remainder is linear: what a filling adds to that of zeros does not
    /// depend on what stands around it.
    pub fn adds(&self, filling: &[u8]) -> u32 {
        let own = advance(0, filling);
        (0..32).filter(|bit| own >> bit & 1 == 1).fold(0, |sum, bit| sum ^ self.carried[bit])
    }
}

/// How a stored block begins that is not the last one (RFC 1951 section 3.2.4).
pub fn stored(length: u16) -> [u8; 5] {
    let [low, high] = length.to_le_bytes();
    [0, low, high, !low, !high]
}

/// The text of blocks without gzip's head and tail; `None` beyond `most` bytes, or where they are none.
pub fn inflate(blocks: &[u8], most: usize) -> Option<Vec<u8>> {
    decompress_to_vec_with_limit(blocks, most).ok()
}

/// The text of one gzip member; `None` beyond `most` bytes. Its checksum is not looked at.
pub fn unpack(member: &[u8], most: usize) -> Option<Vec<u8>> {
    let [0x1f, 0x8b, 8, flags, ..] = member else { return None };
    let mut rest = member.get(HEAD.len()..)?;
    if flags & 4 != 0 {
        let length = usize::from(u16::from_le_bytes([*rest.first()?, *rest.get(1)?]));
        rest = rest.get(2 + length..)?;
    }
    for text in [8, 16] {
        if flags & text != 0 {
            rest = rest.get(rest.iter().position(|b| *b == 0)? + 1..)?;
        }
    }
    if flags & 2 != 0 {
        rest = rest.get(2..)?;
    }
    inflate(rest, most)
}

/// CRC-32 of RFC 1952 section 8, without its first and last inversion.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let (mut c, mut bit) = (i as u32, 0);
        while bit < 8 {
            c = if c & 1 == 1 { POLYNOMIAL ^ (c >> 1) } else { c >> 1 };
            bit += 1;
        }
        table[i] = c;
        i += 1;
    }
    table
};

pub fn advance(crc: u32, text: &[u8]) -> u32 {
    text.iter().fold(crc, |c, b| TABLE[(c as u8 ^ b) as usize] ^ (c >> 8))
}

/// What a remainder becomes by so many bytes of zero: its product with x^(8n).
pub fn zeros(crc: u32, bytes: usize) -> u32 {
    let (mut power, mut square, mut n) = (ONE, ONE >> 8, bytes);
    while n > 0 {
        if n & 1 == 1 {
            power = product(power, square);
        }
        square = product(square, square);
        n >>= 1;
    }
    product(power, crc)
}

/// Of two polynomials, modulo the checksum's.
const fn product(a: u32, mut b: u32) -> u32 {
    let (mut sum, mut bit) = (0, ONE);
    while bit != 0 {
        if a & bit != 0 {
            sum ^= b;
        }
        b = if b & 1 == 1 { (b >> 1) ^ POLYNOMIAL } else { b >> 1 };
        bit >>= 1;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_reckoned_as_if_they_came() {
        for crc in [0, 1, !0, 0x1234_5678] {
            for n in [0, 1, 7, 255, 4096, 100_001] {
                assert_eq!(zeros(crc, n), advance(crc, &vec![0; n]), "{crc} {n}");
            }
        }
    }

    #[test]
    fn pieces_make_a_member_with_other_words_between_them() {
        let noise: Vec<u8> = (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for words in [&b""[..], b"words between", &noise] {
            let (mut blocks, mut sum) = (HEAD.to_vec(), Sum::default());
            for (text, after) in [(&noise[..150_000], After::More), (words, After::More), (&b"the end"[..], After::End)]
            {
                sum.add(&pack(text, after, &mut blocks).unwrap());
            }
            blocks.extend(sum.tail());
            let whole = [&noise[..150_000], words, b"the end"].concat();
            assert_eq!(unpack(&blocks, 1 << 20).unwrap(), whole);
            assert_eq!(blocks[blocks.len() - 8..][..4], (!advance(!0, &whole)).to_le_bytes());
            assert_eq!(unpack(&blocks, whole.len() - 1), None, "beyond the bound");
        }
        assert_eq!(unpack(b"\x1f\x8b\x08\x08", 9), None);
    }

    #[test]
    fn a_slot_is_filled_and_the_whole_is_a_member_still() {
        let (mut blocks, mut sum) = (HEAD.to_vec(), Sum::default());
        sum.add(&pack(b"before, ", After::More, &mut blocks).unwrap());
        let after = " and after, ".repeat(40);
        let slot = Slot::new(Slot::open(4, &mut blocks), after.len());
        sum.add(&Piece { packed: 9, plain: 4, crc: 0 });
        sum.add(&pack(after.as_bytes(), After::End, &mut blocks).unwrap());
        blocks.extend(sum.tail());
        let tail = blocks.len() - TAIL;
        for filling in [b"\0\0\0\0", b"code", b"\xff\0\x80A"] {
            let mut filled = blocks.clone();
            filled[slot.at.clone()].copy_from_slice(filling);
            let adds = slot.adds(filling).to_le_bytes();
            (0..4).for_each(|i| filled[tail + i] ^= adds[i]);
            let whole = [b"before, ", &filling[..], after.as_bytes()].concat();
            assert_eq!(unpack(&filled, 1 << 20).unwrap(), whole);
            assert_eq!(filled[tail..][..4], (!advance(!0, &whole)).to_le_bytes(), "{filling:?}");
        }
    }
}
