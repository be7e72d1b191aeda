//! How old an answer is and how long it is fresh (RFC 9111 sections 4.2 and 5.1). Ages run by the clock that never runs
//! backwards.

use std::time::{Duration, UNIX_EPOCH};

use crate::bounds;
use crate::clock::{Now, SECOND};
use crate::said::{Said, digits};
use crate::wire::Fields;

/// When an answer was asked for and when its head came.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub asked: Now,
    pub came: Now,
}

/// An answer's times, in seconds but for the clock's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How old it was when it came.
    born: u64,
    /// The clock's nanoseconds when it came.
    came: u64,
    /// From its birth.
    pub lifetime: u64,
    /// Nobody said how long; it was guessed.
    pub guessed: bool,
}

/// How long it is fresh, and whether that is a guess; `None`: nobody says, and nothing can be guessed.
pub type Lifetime = Option<(u64, bool)>;

impl Times {
    pub fn new(fields: &Fields, at: Asked, (lifetime, guessed): (u64, bool)) -> Times {
        // Who says nothing readable of an age has been kept somewhere, and nobody knows for how long.
        let lifetime = if fields.first("age").is_some_and(|age| said_age(age).is_none()) { 0 } else { lifetime };
        Times { born: born(fields, at), came: at.came.mono, lifetime, guessed }
    }

    /// Of what boma keeps by its own word: it counts from when it came.
    pub fn from_now(at: Asked, lifetime: u64) -> Times {
        Times { born: 0, came: at.came.mono, lifetime, guessed: false }
    }

    pub fn age(&self, now: Now) -> u64 {
        self.born.saturating_add(now.mono.saturating_sub(self.came) / SECOND)
    }

    /// Seconds of freshness that are left; less than none where it is stale.
    pub fn left(&self, now: Now) -> i64 {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        signed(self.lifetime).saturating_sub(signed(self.age(now)))
    }

    pub fn is_fresh(&self, now: Now) -> bool {
        self.left(now) > 0
    }
}

/// The corrected initial age of RFC 9111 section 4.2.3.
fn born(fields: &Fields, Asked { asked, came }: Asked) -> u64 {
    let apparent = date(fields, "date").map_or(0, |date| came.unix().saturating_sub(date));
    let delay = came.since(asked) / SECOND;
    let said = fields.first("age").and_then(said_age).unwrap_or(0);
    apparent.max(said.saturating_add(delay))
}

/// The first of what may be a list (RFC 9111 section 5.1).
fn said_age(value: &[u8]) -> Option<u64> {
    value.split(|b| *b == b',').next().map(<[u8]>::trim_ascii).and_then(digits)
}

/// An HTTP-date as seconds since the Unix epoch, in any of its three forms (RFC 9110 section 5.6.7).
pub fn parse_date(text: &[u8]) -> Option<u64> {
    let time = httpdate::parse_http_date(std::str::from_utf8(text).ok()?).ok()?;
    Some(time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()))
}

pub fn write_date(unix: u64) -> String {
    // Beyond the year 9999 there are no HTTP-dates.
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(unix.min(253_402_300_799)))
}

/// The date in a field that stands once.
pub fn date(fields: &Fields, name: &str) -> Option<u64> {
    let mut values = fields.all(name);
    let value = values.next()?;
    values.next().is_none().then(|| parse_date(value)).flatten()
}

/// The lifetime that an answer says, or that can be guessed of it (RFC 9111 sections 4.2.1 and 4.2.2).
pub fn lifetime(status: u16, fields: &Fields, said: &Said, came: Now) -> Lifetime {
    if let Some(seconds) = said.s_maxage.or(said.max_age) {
        return Some((seconds, false));
    }
    let date = date(fields, "date").unwrap_or(came.unix());
    if !said.targeted
        && let Some(expires) = expires(fields)
    {
        return Some((expires.saturating_sub(date), false));
    }
    if !is_guessable(status) && !said.public {
        return None;
    }
    let modified = self::date(fields, "last-modified")?;
    let tenth = date.checked_sub(modified)? / 10;
    Some((tenth.min(bounds::CACHE_GUESS.as_secs()), true))
}

/// When it expires by its field; long ago where that says nothing that could be read, or two things.
fn expires(fields: &Fields) -> Option<u64> {
    let mut values = fields.all("expires");
    let first = values.next()?;
    Some(parse_date(first).filter(|_| values.all(|other| other == first)).unwrap_or(0))
}

/// Statuses of which a cache may guess how long they hold (RFC 9110 section 15.1).
pub fn is_guessable(status: u16) -> bool {
    matches!(status, 200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}
