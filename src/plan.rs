//! The treaty between the law and the guards: rules *produce* a [`Plan`], guards *obey* slices of it, and neither
//! knows the other.
//!
//! Does not know: who wrote a plan, who obeys it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::facts::Kind;
use crate::reason::Reason;

/// The steps of the posture ladder, mildest first. What each step does is a file ([`Effects`]); code compares
/// levels and never asks for one by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Normal,
    Guarded,
    Attack,
    Static,
    Closed,
}

impl Level {
    pub const ALL: [Level; 5] = [Level::Normal, Level::Guarded, Level::Attack, Level::Static, Level::Closed];
    pub const NAMES: [&str; 5] = ["normal", "guarded", "attack", "static", "closed"];

    pub fn as_str(self) -> &'static str {
        Level::NAMES[self as usize]
    }

    pub fn named(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|l| l.as_str() == name)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a limit counts by, narrowest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Per {
    /// The pass, else the client's prefix.
    Client,
    /// One header's value, its name in lower case; absent or too long: the client's prefix.
    Header(String),
    /// The client's address: /32, or `[client] ipv6_prefix`.
    Address,
    /// /24 or /48.
    Network,
    /// The autonomous system or country of the client's address; where it is not known, the network.
    Asn,
    Country,
    Portal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Challenge,
    Deny,
}

/// A token bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Quota {
    pub name: String,
    /// Which bucket a key has: made from the limit's name alone, so that a changed rate keeps the fill.
    pub id: u64,
    pub per: Per,
    /// Nanoseconds for one token to come back.
    pub interval: u64,
    /// Requests that may come at once; at least 1.
    pub burst: u32,
    pub then: Then,
    /// Counted and shown, not enforced.
    pub shadow: bool,
    /// The budget that passes have and postures scale: the built-in one, or the operator's own `per = "client"`
    /// limit that holds for every request.
    pub budget: bool,
    /// Only answers of these statuses count.
    pub count: Option<Arc<[u16]>>,
    /// Requests at once, in the place of tokens over time.
    pub concurrent: Option<u32>,
    /// Seconds for which whoever exceeds it again and again is banned.
    pub ban: Option<u64>,
}

/// How fast a bucket fills again, as the files write it: "20/s".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Nanoseconds for one token to come back.
    pub interval: u64,
    /// What comes back in one second, rounded up: the burst where none is written.
    pub per_second: u32,
}

impl Rate {
    /// The fastest rate: at a million a second a token takes a microsecond, still far from the clock's grain.
    const FASTEST: f64 = 1e6;
    /// The longest that an empty bucket may take to fill, ten years: what a bucket reckons with stays far inside
    /// 64 bits, and a slower one is a mistype.
    const LONGEST: u64 = 10 * 365 * 86_400 * 1_000_000_000;

    /// A number and what it is counted per: `s`, `m` or `h`.
    pub fn parse(text: &str) -> Option<Rate> {
        let (number, unit) = text.split_once('/')?;
        let seconds = match unit {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) {
            return None;
        }
        let number: f64 = number.parse().ok()?;
        let per_second = number / seconds;
        if number <= 0.0 || per_second > Rate::FASTEST {
            return None;
        }
        let interval = (seconds * 1e9 / number).round() as u64;
        Some(Rate { interval, per_second: per_second.ceil().max(1.0) as u32 }).filter(|r| r.fills(1))
    }

    /// Whether an empty bucket of this size fills again within ten years.
    pub fn fills(self, burst: u32) -> bool {
        self.interval.checked_mul(u64::from(burst)).is_some_and(|t| t <= Rate::LONGEST)
    }
}

/// How the posture ladder climbs by itself: `[posture]` of the rules.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Climb {
    pub auto: bool,
    /// The highest step that it takes by itself.
    pub max: Level,
    /// How many times what is usual must arrive, and how many distinct prefixes a second at least.
    pub requests: f64,
    pub min_requests: f64,
    /// The share of requests that the origin fails, or has no room for.
    pub origin_errors: f64,
    /// How many times its usual latency the origin takes.
    pub origin_latency: f64,
    /// The share of challenges that nobody solves.
    pub unsolved: f64,
    /// Seconds for which any of these must last.
    pub hold: u64,
    /// Seconds of quiet before a step down.
    pub lower_after: u64,
}

impl Default for Climb {
    fn default() -> Climb {
        Climb {
            auto: true,
            max: Level::Attack,
            requests: 4.0,
            min_requests: 200.0,
            origin_errors: 0.2,
            origin_latency: 4.0,
            unsolved: 0.9,
            hold: 10,
            lower_after: 300,
        }
    }
}

/// Why a request is refused by rule, mildest first; the most severe wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Served from snapshot or statement.
    Static,
    Deny,
    Drop,
}

/// What the rules want done with one request. Borrows from the rule set that the visit pinned.
#[derive(Debug, Default)]
pub struct Plan<'a> {
    /// The most severe refusal and the rule that said so.
    pub refusal: Option<(Refusal, &'a str)>,
    /// The level of pass demanded, and by which rule.
    pub challenge: Option<(u8, &'a str)>,
    /// The rule that has the request wait for its turn, after any challenge.
    pub queue: Option<&'a str>,
    /// The rule that allows the client everything that `allow` covers.
    pub allow: Option<&'a str>,
    /// Limits to take from, narrowest key first.
    pub limits: SmallVec<[&'a Quota; 4]>,
    /// The longest ban, in seconds, that a rule has for whoever hits it again and again, and which rule.
    pub ban: Option<(u64, &'a str)>,
    /// Rules that matched and only tell: `log`, and rules in shadow.
    pub noted: SmallVec<[&'a str; 4]>,
}

/// How far requests get in a posture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All routes reach the origin.
    All,
    /// Only routes with `stay_up`; others are answered from snapshots and statements.
    StayUp,
    /// None; statements only, and no snapshots.
    None,
}

impl Reach {
    /// Why a request of a route does not get there.
    pub fn bars(self, stay_up: bool) -> Option<Reason> {
        match self {
            Reach::None => Some(Reason::Closed),
            Reach::StayUp if !stay_up => Some(Reason::Posture),
            Reach::StayUp | Reach::All => None,
        }
    }
}

/// What one posture does; a row of `config/postures.toml`. Factors are in thousandths: 500 halves a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effects {
    pub with_pass: u32,
    pub without_pass: u32,
    pub programs: u32,
    /// The level of pass that each [`Kind`] needs, in the order of [`Kind::ALL`]; 0: none.
    pub needs: [u8; 4],
    /// The level of pass that a navigation with an unsafe method needs; 0: none.
    pub unsafe_needs: u8,
    /// How hard challenges are, a step of [`crate::challenge::Work`].
    pub work: u8,
    /// What all passes of one network have together that are not settled, as a factor on the budget; 0: no such bound.
    pub crowd: u32,
    /// Whether who comes gets a quiet pass.
    pub quiet: bool,
    pub reach: Reach,
    /// Whether paths that are never challenged (`/robots.txt` and its like) come from snapshots where possible.
    pub spare_origin: bool,
    /// Whether boma takes no snapshots, so that the origin has one visitor less.
    pub pause_snapshots: bool,
    /// Whether access-log lines of refused requests are sampled (`[log] refused`).
    pub sample_refused: bool,
}

impl Effects {
    pub fn needed(&self, kind: Kind, safe: bool) -> u8 {
        let by_kind = self.needs[kind as usize];
        if kind == Kind::Navigation && !safe { by_kind.max(self.unsafe_needs) } else { by_kind }
    }

    /// The factor on a client's budget, in thousandths.
    pub fn factor(&self, pass: bool, kind: Kind) -> u32 {
        match (pass, kind) {
            (true, _) => self.with_pass,
            (false, Kind::Program) => self.programs,
            (false, _) => self.without_pass,
        }
    }
}

/// The built-in law of postures: what each level does, and the budget that its factors scale.
#[derive(Clone, Debug, PartialEq)]
pub struct Ladder {
    pub levels: [Effects; 5],
    pub budget: Quota,
}

/// The id of a limit's buckets: FNV-1a of its name. Two limits never share a name, and the store's keys are
/// hashed once more under a secret, so a plain hash does.
pub fn quota_id(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_as_the_files_write_them() {
        let parsed = |t: &str| Rate::parse(t).map(|r| (r.interval, r.per_second));
        assert_eq!(parsed("20/s"), Some((50_000_000, 20)));
        assert_eq!(parsed("0.5/s"), Some((2_000_000_000, 1)));
        assert_eq!(parsed("100/m"), Some((600_000_000, 2)));
        assert_eq!(parsed("1000000/s"), Some((1000, 1_000_000)));
        assert_eq!(parsed("1/h"), Some((3_600_000_000_000, 1)));
        for bad in ["", "20", "20/d", "/s", "0/s", "-1/s", "1e3/s", "20 /s", "1000001/s", ".5/s", "5./s", "0.000001/h"]
        {
            assert_eq!(parsed(bad), None, "{bad:?}");
        }
        assert!(!Rate::parse("1/h").is_some_and(|r| r.fills(10_000_000)));
    }
}
