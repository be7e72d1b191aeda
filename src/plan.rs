//! The treaty between the law and the guards: rules *produce* a [`Plan`], guards *obey* slices of it, and neither
//! knows the other.
//!
//! Does not know: who wrote a plan, who obeys it.

use std::fmt;

use smallvec::SmallVec;

use crate::facts::Kind;

/// The steps of the posture ladder, mildest first. What each step does is a file ([`Effects`]); code compares
/// levels and never asks for one by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// The rule that allows the client everything that `allow` covers.
    pub allow: Option<&'a str>,
    /// Limits to take from, narrowest key first.
    pub limits: SmallVec<[&'a Quota; 4]>,
    /// Rules that matched and only tell: `log`, and rules in shadow.
    pub noted: SmallVec<[&'a str; 2]>,
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
    pub reach: Reach,
    /// Whether paths that are never challenged (`/robots.txt` and its like) come from snapshots where possible.
    pub spare_origin: bool,
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
