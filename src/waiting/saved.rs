//! What outlives a restart: how many arrived and were let in, minute by minute, and all places.
//!
//! Does not know: where it is kept.

use bytes::{Buf, BufMut};
use serde::{Deserialize, Serialize};

use super::line::{Held, State};
use super::pace::Pace;

/// One minute since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub minute: u32,
    pub arrived: u32,
    pub let_in: u32,
}

/// What is told of a room, and kept of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Who waits, and who was called of late and has not come yet.
    pub waiting: u32,
    pub due: u32,
    /// Whose visit goes on.
    pub visiting: u32,
    /// Nobody is called for now.
    pub still: bool,
    /// Since when the first in the line waits, to the minute, in seconds since the Unix epoch.
    pub oldest: Option<u64>,
    pub minutes: Vec<Count>,
    pub(super) pace: Pace,
}

impl Counts {
    /// Calls a second, as it goes now.
    pub fn rate(&self) -> f32 {
        self.pace.rate()
    }
}

const WIDTH: usize = 16 + 4 + 4 + 9 + 1 + 8 + 8 + 17;

pub(super) fn write<'h>(held: impl Iterator<Item = (&'h u128, &'h Held)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (id, h) in held {
        out.put_u128_le(*id);
        out.put_u32_le(h.minute);
        out.put_u32_le(h.nth);
        out.put_u8(u8::from(h.crowd.is_some()));
        out.put_u64_le(h.crowd.unwrap_or(0));
        out.put_u8(u8::from(h.by_rule));
        out.put_u64_le(h.seen);
        out.put_u64_le(h.pressed);
        let (state, one, other) = match h.state {
            State::Waiting => (0, 0, 0),
            State::Called(at) => (1, at, 0),
            State::In(since, until) => (2, since, until),
        };
        out.put_u8(state);
        out.put_u64_le(one);
        out.put_u64_le(other);
    }
    out
}

/// What [`write`] wrote; a broken end is left out.
pub(super) fn read(bytes: &[u8]) -> impl Iterator<Item = (u128, Held)> {
    bytes.chunks_exact(WIDTH).map(|mut one| {
        let (id, minute, nth) = (one.get_u128_le(), one.get_u32_le(), one.get_u32_le());
        let (has, crowd) = (one.get_u8() == 1, one.get_u64_le());
        let by_rule = one.get_u8() == 1;
        let (seen, pressed) = (one.get_u64_le(), one.get_u64_le());
        let (state, a, b) = (one.get_u8(), one.get_u64_le(), one.get_u64_le());
        let state = match state {
            0 => State::Waiting,
            1 => State::Called(a),
            _ => State::In(a, b),
        };
        (id, Held { minute, nth, crowd: has.then_some(crowd), by_rule, seen, pressed, state })
    })
}
