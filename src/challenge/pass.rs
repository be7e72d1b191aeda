//! A pass as text: what a cookie holds. It has a key of its own, which no epoch ends, so that a change of the challenges'
//! keys logs nobody out.
//!
//! Does not know: cookies, how a pass is earned.

use crate::bounds;
use crate::facts::{Lane, Pass};
use crate::seal::{self, Key};

/// Characters of a pass's text form.
pub const PASS_WIDTH: usize = 68;
const VERSION: u8 = 2;
const BODY: usize = 35;
const BYTES: usize = BODY + 16;

pub fn seal(key: &Key, pass: &Pass) -> String {
    let mut bytes = [0; BYTES];
    bytes[0] = VERSION;
    bytes[1] = pass.level;
    bytes[2] = pass.lane as u8;
    bytes[3..19].copy_from_slice(&pass.id.to_le_bytes());
    let numbers = [pass.born as u32, pass.expires as u32, pass.home, pass.browser];
    for (at, number) in numbers.into_iter().enumerate() {
        bytes[19 + 4 * at..23 + 4 * at].copy_from_slice(&number.to_le_bytes());
    }
    let mac = key.mac(&[&bytes[..BODY]]);
    bytes[BODY..].copy_from_slice(&mac);
    seal::base64(&bytes)
}

/// `None` where it is not ours, altered, or longer out of date than [`bounds::PASS_GRACE`].
pub fn open(key: &Key, text: &[u8], now_unix: u64) -> Option<Pass> {
    let mut bytes = [0; BYTES];
    seal::unbase64(text, &mut bytes)?;
    let (body, mac) = bytes.split_at(BODY);
    if body[0] != VERSION || !key.holds(&[body], mac) {
        return None;
    }
    let number = |at: usize| u32::from_le_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
    let mut id = [0; 16];
    id.copy_from_slice(&body[3..19]);
    let pass = Pass {
        id: u128::from_le_bytes(id),
        level: body[1],
        lane: *Lane::ALL.get(usize::from(body[2]))?,
        born: u64::from(number(19)),
        expires: u64::from(number(23)),
        home: number(27),
        browser: number(31),
    };
    (pass.expires.saturating_add(bounds::PASS_GRACE.as_secs()) > now_unix).then_some(pass)
}
