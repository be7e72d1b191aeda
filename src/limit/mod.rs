//! Token buckets over a table of fixed size. [`Limits::take`] spends one token of a quota for a key, or says when
//! one will be there.
//!
//! A bucket is one number, the time at which it will be full again (GCRA, ITU-T I.371 and RFC 2697's kin; the same
//! arithmetic as governor's, which is the tests' oracle: its own store grows without end and keeps times relative
//! to a private start, so neither a bound nor a changed rate could be had with it).
//!
//! Does not know: rules, HTTP, who the client is.

mod gcra;
mod inside;
mod store;

use std::cell::Cell;
use std::hash::Hash as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use inside::Entered;
use inside::Inside;
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use store::{Found, Store};

use crate::facts::Lane;
use crate::plan::Quota;

/// What a bucket belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key<'a> {
    Pass(u128),
    /// Of a quiet pass: anybody gets those, so it does not insist on a slot.
    Visitor(u128),
    /// Of all passes of one kind that were made for one prefix.
    Lane(Lane, u32),
    Prefix(u128),
    Network(u128),
    Asn(u32),
    Country(&'a str),
    Portal(&'a str),
    Header(&'a [u8]),
}

/// A refusal: how long until one token is back, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    pub retry_after: u64,
}

/// All buckets of all limits.
pub struct Limits {
    store: Store,
    /// The key of the hash, the installation's own: nobody can aim two clients at one bucket, and after a restart each
    /// has the bucket that it had.
    keys: (u64, u64),
    shared: AtomicU64,
    inside: Arc<Inside>,
}

#[derive(Clone, Copy, Debug)]
struct Name {
    hash: u128,
    /// It gets a slot even of a full table.
    insists: bool,
}

/// A token that is spent when an answer turns out to be of the kind that is counted.
#[derive(Debug)]
pub struct Tally {
    key: Name,
    coarse: u128,
    interval: u64,
    burst: u64,
    statuses: Arc<[u16]>,
}

impl Limits {
    /// A table of at most `memory` bytes.
    pub fn new(memory: u64, key: [u8; 16]) -> Limits {
        let half = |at: usize| u64::from_le_bytes(key[at..at + 8].try_into().unwrap_or_default());
        Limits { store: Store::new(memory), keys: (half(0), half(8)), shared: AtomicU64::new(0), inside: Inside::new() }
    }

    /// Spends one token of `quota`, its rate and burst scaled by `factor` thousandths.
    /// Where the table has no room for a new `key`, it shares the bucket of `coarse`, the network around it; a pass does not.
    ///
    /// # Errors
    /// [`Limited`]; nothing is spent then.
    pub fn take(&self, quota: &Quota, key: Key<'_>, coarse: Key<'_>, factor: u32, now: u64) -> Result<(), Limited> {
        let (interval, burst) = scaled(quota, factor);
        let coarse = || self.hash(quota.id, coarse);
        self.at(self.name(quota, key), coarse, now, |at| gcra::take(at, now, interval, burst))
    }

    /// Gives a token back that was taken a moment ago.
    pub fn give_back(&self, quota: &Quota, key: Key<'_>, coarse: Key<'_>, factor: u32, now: u64) {
        let (interval, _) = scaled(quota, factor);
        let coarse = || self.hash(quota.id, coarse);
        let _ = self.at(self.name(quota, key), coarse, now, |at| (at.saturating_sub(interval), Ok(())));
    }

    /// How much of a bucket is used, in thousandths; nothing is spent.
    pub fn used(&self, quota: &Quota, key: Key<'_>, now: u64) -> u32 {
        let found = Cell::new(0);
        let _ = self.store.update(self.hash(quota.id, key), now, false, |at| {
            found.set(at.saturating_sub(now));
            (at, Ok(()))
        });
        let whole = quota.interval.saturating_mul(u64::from(quota.burst)).max(1);
        (u128::from(found.get()) * 1000 / u128::from(whole)).min(1000) as u32
    }

    /// Whether a token is there, for a quota that counts answers of some statuses only. It is spent by
    /// [`Limits::answered`].
    ///
    /// # Errors
    /// [`Limited`].
    pub fn look(
        &self,
        quota: &Quota,
        statuses: &Arc<[u16]>,
        (key, coarse): (Key<'_>, Key<'_>),
        factor: u32,
        now: u64,
    ) -> Result<Tally, Limited> {
        let (interval, burst) = scaled(quota, factor);
        let (key, coarse) = (self.name(quota, key), self.hash(quota.id, coarse));
        self.at(key, || coarse, now, |at| (at, gcra::look(at, now, interval, burst)))?;
        Ok(Tally { key, coarse, interval, burst, statuses: statuses.clone() })
    }

    /// Spends a token where the answer is one that counts.
    pub fn answered(&self, tally: &Tally, status: u16, now: u64) {
        if tally.statuses.contains(&status) {
            let charge = |at| (gcra::charge(at, now, tally.interval, tally.burst), Ok(()));
            let _ = self.at(tally.key, || tally.coarse, now, charge);
        }
    }

    /// Counts a request as under way for as long as what is returned lives; `None` where `most` are.
    pub fn enter(&self, quota: &Quota, key: Key<'_>, most: u32) -> Option<Entered> {
        self.inside.enter(self.hash(quota.id, key), most)
    }

    /// A bucket's name in the table. A pass is nobody's to make up, so there are never many of them, and whoever holds one
    /// has a bucket of their own whatever others do.
    fn name(&self, quota: &Quota, key: Key<'_>) -> Name {
        Name { hash: self.hash(quota.id, key), insists: matches!(key, Key::Pass(_)) }
    }

    fn at(
        &self,
        key: Name,
        coarse: impl Fn() -> u128,
        now: u64,
        spend: impl Fn(u64) -> (u64, Result<(), u64>),
    ) -> Result<(), Limited> {
        match self.store.update(key.hash, now, key.insists, &spend) {
            Found::Done(verdict) => verdict,
            Found::Full => {
                self.shared.fetch_add(1, Ordering::Relaxed);
                match self.store.update(coarse(), now, true, &spend) {
                    Found::Done(verdict) => verdict,
                    Found::Full => Ok(()),
                }
            }
        }
        .map_err(|retry_after| Limited { retry_after })
    }

    fn hash(&self, quota: u64, key: Key<'_>) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
        (quota, key).hash(&mut hasher);
        // 0 marks an empty slot.
        hasher.finish128().as_u128().max(1)
    }

    /// All buckets that are not full, to be kept over a restart: 24 bytes each.
    pub fn save(&self, now: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.store.each(now, |key, at| {
            bytes.extend_from_slice(&key.to_le_bytes());
            bytes.extend_from_slice(&(at - now).to_le_bytes());
        });
        bytes
    }

    /// What was kept `ago` nanoseconds ago; what would be full by now is left out.
    pub fn load(&self, bytes: &[u8], ago: u64, now: u64) {
        for entry in bytes.chunks_exact(24) {
            let (key, left) = entry.split_at(16);
            let key = u128::from_le_bytes(key.try_into().unwrap_or_default());
            let left = u64::from_le_bytes(left.try_into().unwrap_or_default()).saturating_sub(ago);
            if left > 0 && key > 0 {
                let at = now.saturating_add(left);
                let _ = self.store.update(key, now, false, |_| (at, Ok(())));
            }
        }
    }

    /// Buckets in use, as of each set's last touch.
    pub fn keys(&self) -> u64 {
        self.store.keys()
    }

    pub fn capacity(&self) -> u64 {
        self.store.capacity()
    }

    /// Buckets given up to make room.
    pub fn evictions(&self) -> u64 {
        self.store.evictions()
    }

    /// Requests that counted on their network's bucket because the table was full.
    pub fn shared(&self) -> u64 {
        self.shared.load(Ordering::Relaxed)
    }
}

/// A quota's interval and burst, scaled by `factor` thousandths.
fn scaled(quota: &Quota, factor: u32) -> (u64, u64) {
    let factor = u64::from(factor.max(1));
    (quota.interval.saturating_mul(1000) / factor, (u64::from(quota.burst) * factor / 1000).max(1))
}

#[cfg(test)]
mod tests;
