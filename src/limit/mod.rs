//! Token buckets over a table of fixed size. [`Limits::take`] spends one token of a quota for a key, or says when
//! one will be there.
//!
//! A bucket is one number, the time at which it will be full again (GCRA, ITU-T I.371 and RFC 2697's kin; the same
//! arithmetic as governor's, which is the tests' oracle: its own store grows without end and keeps times relative
//! to a private start, so neither a bound nor a changed rate could be had with it).
//!
//! Does not know: rules, HTTP, who the client is.

mod gcra;
mod store;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use store::{Found, Store};

use crate::plan::Quota;

/// What a bucket belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key<'a> {
    Pass(u128),
    Prefix(u128),
    Network(u128),
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
    /// Two independent keyed hashes make the 128-bit key, so that nobody can aim two clients at one bucket.
    hashers: [RandomState; 2],
    shared: AtomicU64,
}

impl Limits {
    /// A table of at most `memory` bytes.
    pub fn new(memory: u64) -> Limits {
        Limits {
            store: Store::new(memory),
            hashers: [RandomState::new(), RandomState::new()],
            shared: AtomicU64::new(0),
        }
    }

    /// Spends one token of `quota`, its rate and burst scaled by `factor` thousandths.
    /// Where the table has no room for a new `key`, it shares the bucket of `coarse`, the network around it.
    ///
    /// # Errors
    /// [`Limited`]; nothing is spent then.
    pub fn take(&self, quota: &Quota, key: Key<'_>, coarse: Key<'_>, factor: u32, now: u64) -> Result<(), Limited> {
        let factor = u64::from(factor.max(1));
        let interval = quota.interval.saturating_mul(1000) / factor;
        let burst = (u64::from(quota.burst) * factor / 1000).max(1);
        let spend = |at: u64| gcra::take(at, now, interval, burst);
        match self.store.update(self.hash(quota.id, key), now, false, spend) {
            Found::Done(verdict) => verdict,
            Found::Full => {
                self.shared.fetch_add(1, Ordering::Relaxed);
                match self.store.update(self.hash(quota.id, coarse), now, true, spend) {
                    Found::Done(verdict) => verdict,
                    Found::Full => Ok(()),
                }
            }
        }
        .map_err(|retry_after| Limited { retry_after })
    }

    fn hash(&self, quota: u64, key: Key<'_>) -> u128 {
        let half = |h: &RandomState| u128::from(h.hash_one((quota, key)));
        // 0 marks an empty slot.
        ((half(&self.hashers[0]) << 64) | half(&self.hashers[1])).max(1)
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

#[cfg(test)]
mod tests;
