//! What outlives a restart: how many arrived and were let in, minute by minute, and all places.
//!
//! Does not know: where it is kept.

use bytes::{Buf, BufMut};
use serde::{Deserialize, Serialize};

use super::line::{Check, Held, Line, Minute, State};
use super::pace::Pace;
use crate::bounds;
use crate::portal::Class;

/// The row that says of a holder that their place was used. What is saved of all places may be some seconds older.
pub fn used_key(portal: &str, class: Class, holder: u128) -> String {
    format!("used\n{portal}\n{}\n{holder:032x}", class.as_str())
}

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
    #[serde(default)]
    pub(super) readers: Pace,
}

impl Counts {
    /// Calls a second, as it goes now.
    pub fn rate(&self) -> f32 {
        self.pace.rate()
    }
}

impl Line {
    pub fn counts(&self) -> Counts {
        let count = |(at, m): (&u32, &Minute)| Count { minute: *at, arrived: m.arrived, let_in: m.let_in };
        Counts {
            waiting: self.waiting.iter().sum(),
            due: self.due,
            visiting: self.held.values().filter(|h| matches!(h.state, State::In(..))).count() as u32,
            still: self.still.is_some(),
            oldest: self.minutes.iter().find(|(_, m)| !m.is_empty()).map(|(at, _)| u64::from(*at) * 60),
            minutes: self.minutes.iter().map(count).collect(),
            pace: self.pace.clone(),
            readers: self.readers.clone(),
        }
    }

    /// As [`super::Room::restore`].
    pub fn restore(&mut self, counts: Counts, places: &[u8], used: &[(u128, u64)], until: u64, now: u64) {
        for Count { minute, arrived, let_in } in counts.minutes {
            let m = self.minutes.entry(minute).or_default();
            (m.arrived, m.let_in) = (arrived, let_in);
        }
        (self.pace, self.readers) = (counts.pace, counts.readers);
        self.stood = (until.min(now), now);
        for (id, held) in read(places) {
            if self.held.contains_key(&id) || self.held.len() >= bounds::PLACES + bounds::PLACES_MOVED {
                continue;
            }
            self.join_crowd(held.crowd);
            self.put(id, held);
        }
        for (id, since) in used {
            self.note_used(*id, *since);
            self.restore_used(*id, *since);
        }
        self.used.make_contiguous().sort_unstable();
    }

    /// What was saved later than a place was used knows better what became of it.
    fn restore_used(&mut self, id: u128, since: u64) {
        let end = since + bounds::PLACE_VISIT.as_secs();
        let state = State::In(since, end);
        match self.held.get(&id).copied() {
            None if end >= self.stood.0 && self.held.len() < bounds::PLACES => {
                let (minute, nth, seen, pressed) = (0, 0, since, 0);
                let (crowd, by_rule, reads, check) = (None, true, false, Check::Never);
                self.put(id, Held { minute, nth, crowd, by_rule, reads, seen, pressed, check, state });
            }
            Some(held) if matches!(held.state, State::Waiting | State::Called(_)) && held.seen <= since => {
                self.take_out(id, &held);
                self.put(id, Held { state, ..held });
            }
            _ => {}
        }
    }

    /// A visit began, which has a row of its own on disk. Of more than can be kept in mind here the row stays until a restart.
    pub(super) fn note_used(&mut self, id: u128, since: u64) {
        if self.used.len() < bounds::PLACES {
            self.used.push_back((since, id));
        }
    }

    /// As [`super::Room::outdated`]: once a visit is over that nobody has prolonged, or earlier where there are very many.
    pub fn outdated(&mut self, now: u64) -> Vec<u128> {
        let most = bounds::PLACES / 2;
        let mut ids = Vec::new();
        while ids.len() < bounds::PLACES_FORGOTTEN
            && let Some((since, id)) = self.used.front().copied()
            && (since + bounds::PLACE_VISIT.as_secs() < now || self.used.len() > most)
        {
            self.used.pop_front();
            ids.push(id);
        }
        ids
    }

    pub fn save(&self) -> Vec<u8> {
        write(self.held.iter())
    }
}

const WIDTH: usize = 16 + 4 + 4 + 9 + 1 + 8 + 8 + 17;

fn write<'h>(held: impl Iterator<Item = (&'h u128, &'h Held)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (id, h) in held {
        out.put_u128_le(*id);
        out.put_u32_le(h.minute);
        out.put_u32_le(h.nth);
        out.put_u8(u8::from(h.crowd.is_some()));
        out.put_u64_le(h.crowd.unwrap_or(0));
        let check = match h.check {
            Check::Never => 0,
            Check::Now => 1,
            Check::Left => 2,
        };
        out.put_u8(u8::from(h.by_rule) | check << 1);
        out.put_u64_le(h.seen);
        out.put_u64_le(h.pressed);
        let (state, one, other) = match h.state {
            State::Waiting => (0, 0, 0),
            State::Called(at) => (1, at, 0),
            State::In(since, until) => (2, since, until),
            State::Moved => (3, 0, 0),
        };
        out.put_u8(state);
        out.put_u64_le(one);
        out.put_u64_le(other);
    }
    out
}

/// What [`write`] wrote; a broken end is left out.
fn read(bytes: &[u8]) -> impl Iterator<Item = (u128, Held)> {
    bytes.chunks_exact(WIDTH).map(|mut one| {
        let (id, minute, nth) = (one.get_u128_le(), one.get_u32_le(), one.get_u32_le());
        let (has, crowd) = (one.get_u8() == 1, one.get_u64_le());
        let flags = one.get_u8();
        let check = match flags >> 1 {
            0 => Check::Never,
            1 => Check::Now,
            _ => Check::Left,
        };
        let (seen, pressed) = (one.get_u64_le(), one.get_u64_le());
        let (state, a, b) = (one.get_u8(), one.get_u64_le(), one.get_u64_le());
        let state = match state {
            0 => State::Waiting,
            1 => State::Called(a),
            2 => State::In(a, b),
            _ => State::Moved,
        };
        // Whether they read is seen when they ask again.
        let (crowd, by_rule) = (has.then_some(crowd), flags & 1 == 1);
        (id, Held { minute, nth, crowd, by_rule, reads: false, seen, pressed, check, state })
    })
}
