//! The puzzle: many small searches instead of one large one, so that luck evens out. For each of `count` numbers i
//! find a counter c with SHA-256(seal "." i "." c) beginning with `bits` zero bits.
//!
//! With one search the slowest of twenty citizens waits three times the mean; with sixteen, one and a half times.

use aws_lc_rs::digest::{Context, SHA256};

use crate::seal::{self, Key};

/// Characters of a seal; pages leave a hole of this width.
pub const SEAL_WIDTH: usize = 96;
const VERSION: u8 = 1;
/// `BB.CC.` before the opaque part.
const FRONT: usize = 6;
/// version, level, issued (4), nonce (16), mac (16)
const BYTES: usize = 38;
const TEXT: usize = 51;
/// Digits of one counter: 2^32 tries are beyond any puzzle that boma issues.
const DIGITS: usize = 10;

/// How much there is to do: `count` searches, each 2^`bits` tries on average.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    pub bits: u8,
    pub count: u8,
}

impl Work {
    /// About 33,000 hashes: a tenth of a second on a laptop, one on a phone that does 30,000 a second.
    pub const SHIPPED: Work = Work { bits: 11, count: 16 };
}

pub struct Opened {
    pub level: u8,
    pub issued: u64,
    pub nonce: [u8; 16],
    pub work: Work,
}

pub fn issue(key: &Key, level: u8, work: Work, now_unix: u64, out: &mut [u8]) {
    out.fill(b'-');
    let front = format!("{:02}.{:02}.", work.bits.min(32), work.count.min(64));
    let mut bytes = [0; BYTES];
    bytes[0] = VERSION;
    bytes[1] = level;
    bytes[2..6].copy_from_slice(&(now_unix as u32).to_le_bytes());
    if out.len() != SEAL_WIDTH || !seal::random(&mut bytes[6..22]) {
        return;
    }
    let mac = key.mac(&[front.as_bytes(), &bytes[..22]]);
    bytes[22..].copy_from_slice(&mac);
    out[..FRONT].copy_from_slice(front.as_bytes());
    out[FRONT..FRONT + TEXT].copy_from_slice(seal::base64(&bytes).as_bytes());
}

/// Opens a seal; `None` where it is not exactly one that was issued under this key.
pub fn open(key: &Key, text: &[u8]) -> Option<Opened> {
    if text.len() != SEAL_WIDTH || text[FRONT + TEXT..].iter().any(|b| *b != b'-') {
        return None;
    }
    let mut bytes = [0; BYTES];
    seal::unbase64(&text[FRONT..FRONT + TEXT], &mut bytes)?;
    if bytes[0] != VERSION || !key.holds(&[&text[..FRONT], &bytes[..22]], &bytes[22..]) {
        return None;
    }
    let two = |at: usize| std::str::from_utf8(&text[at..at + 2]).ok()?.parse().ok();
    let mut nonce = [0; 16];
    nonce.copy_from_slice(&bytes[6..22]);
    let issued = u64::from(u32::from_le_bytes([bytes[2], bytes[3], bytes[4], bytes[5]]));
    Some(Opened { level: bytes[1], issued, nonce, work: Work { bits: two(0)?, count: two(3)? } })
}

/// Whether `counters` ("c0.c1.…", decimal, one for each search) solve the puzzle of a seal.
pub fn solved(seal: &[u8], work: Work, counters: &[u8]) -> bool {
    let mut prefix = Context::new(&SHA256);
    prefix.update(seal);
    let mut found = 0;
    for (i, counter) in counters.split(|b| *b == b'.').enumerate() {
        let plain = !counter.is_empty() && counter.len() <= DIGITS && counter.iter().all(u8::is_ascii_digit);
        if i >= usize::from(work.count) || !plain {
            return false;
        }
        let mut context = prefix.clone();
        context.update(format!(".{i}.").as_bytes());
        context.update(counter);
        if leading_zeros(context.finish().as_ref()) < u32::from(work.bits) {
            return false;
        }
        found += 1;
    }
    found == usize::from(work.count)
}

fn leading_zeros(digest: &[u8]) -> u32 {
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first).leading_zeros()
}

/// Solves a seal as a browser would: for tests and benches.
pub fn work(seal: &[u8], work: Work) -> String {
    let one = |i: u8| {
        let mut prefix = Context::new(&SHA256);
        prefix.update(seal);
        prefix.update(format!(".{i}.").as_bytes());
        let hit = |c: &u64| {
            let mut context = prefix.clone();
            context.update(c.to_string().as_bytes());
            leading_zeros(context.finish().as_ref()) >= u32::from(work.bits)
        };
        (0..).find(hit).unwrap_or(0).to_string()
    };
    (0..work.count).map(one).collect::<Vec<_>>().join(".")
}
