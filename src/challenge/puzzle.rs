//! The puzzle: many small searches instead of one large one, so that luck evens out. For each of `count` numbers i
//! find a counter c with SHA-256(seal "." i "." c) beginning with `bits` zero bits.
//!
//! With one search the slowest of twenty citizens waits three times the mean; with sixteen, one and a half times.

use aws_lc_rs::digest::{Context, SHA256};
use smallvec::SmallVec;

use super::keys::Epochs;
use super::{Ask, Work};
use crate::bounds;
use crate::seal;

/// Characters of a seal; pages leave a hole of this width.
pub const SEAL_WIDTH: usize = 96;
const VERSION: u8 = 2;
/// `BB.CC.` before the opaque part.
const FRONT: usize = 6;
/// version, level, wait, issued (4), browser (4), nonce (16)
const BODY: usize = 27;
const BYTES: usize = BODY + 16;
const TEXT: usize = 58;
/// Digits of one counter: 2^32 tries are beyond any puzzle that boma issues.
const DIGITS: usize = 10;

pub struct Opened {
    pub level: u8,
    pub issued: u64,
    /// Seconds that who sends no work waits at least.
    pub wait: u8,
    pub browser: u32,
    pub nonce: [u8; 16],
    pub work: Work,
}

/// Why a seal does not open.
#[derive(Debug, PartialEq, Eq)]
pub enum Sealed {
    Forged,
    Expired,
}

pub fn issue(keys: &Epochs, ask: &Ask, now_unix: u64, out: &mut [u8]) {
    out.fill(b'-');
    let (bits, count) = (ask.work.bits.min(32), ask.work.count.min(64));
    let front = [b'0' + bits / 10, b'0' + bits % 10, b'.', b'0' + count / 10, b'0' + count % 10, b'.'];
    let mut bytes = [0; BYTES];
    bytes[..3].copy_from_slice(&[VERSION, ask.level, ask.wait]);
    bytes[3..7].copy_from_slice(&(now_unix as u32).to_le_bytes());
    bytes[7..11].copy_from_slice(&ask.browser.to_le_bytes());
    if out.len() != SEAL_WIDTH || !seal::random(&mut bytes[11..BODY]) {
        return;
    }
    let mac = keys.at(now_unix).1.mac(&[&front, &bytes[..BODY]]);
    bytes[BODY..].copy_from_slice(&mac);
    out[..FRONT].copy_from_slice(&front);
    seal::base64_into(&bytes, &mut out[FRONT..FRONT + TEXT]);
}

/// Opens a seal.
///
/// # Errors
/// Where it is not exactly one that was issued under these keys, within [`bounds::CHALLENGE_LIFE`].
pub fn open(keys: &Epochs, text: &[u8], now_unix: u64) -> Result<Opened, Sealed> {
    if text.len() != SEAL_WIDTH || text[FRONT + TEXT..].iter().any(|b| *b != b'-') {
        return Err(Sealed::Forged);
    }
    let mut bytes = [0; BYTES];
    seal::unbase64(&text[FRONT..FRONT + TEXT], &mut bytes).ok_or(Sealed::Forged)?;
    let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let issued = u64::from(number(3));
    // Said by whoever sends it, and believed only once the seal holds: it chooses among few keys.
    let age = now_unix.checked_sub(issued).ok_or(Sealed::Forged)?;
    if age > bounds::CHALLENGE_LIFE.as_secs() {
        return Err(Sealed::Expired);
    }
    if bytes[0] != VERSION || !keys.at(issued).1.holds(&[&text[..FRONT], &bytes[..BODY]], &bytes[BODY..]) {
        return Err(Sealed::Forged);
    }
    let mut nonce = [0; 16];
    nonce.copy_from_slice(&bytes[11..BODY]);
    let work = asked(text).ok_or(Sealed::Forged)?;
    Ok(Opened { level: bytes[1], issued, wait: bytes[2], browser: number(7), nonce, work })
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
        context.update(number(i).as_ref());
        context.update(counter);
        if leading_zeros(context.finish().as_ref()) < u32::from(work.bits) {
            return false;
        }
        found += 1;
    }
    found == usize::from(work.count)
}

/// `.i.`, for numbers below a hundred.
fn number(i: usize) -> SmallVec<[u8; 4]> {
    let mut text = SmallVec::new();
    text.push(b'.');
    if i > 9 {
        text.push(b'0' + (i / 10) as u8);
    }
    text.extend([b'0' + (i % 10) as u8, b'.']);
    text
}

fn leading_zeros(digest: &[u8]) -> u32 {
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first).leading_zeros()
}

/// What a seal says that there is to do; who alters it has a seal that does not open.
pub fn asked(seal: &[u8]) -> Option<Work> {
    let two = |at: usize| match seal.get(at..at + 2)? {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some((a - b'0') * 10 + b - b'0'),
        _ => None,
    };
    Some(Work { bits: two(0)?, count: two(3)? })
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
