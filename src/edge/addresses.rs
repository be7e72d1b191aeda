//! The addresses that people are connected from, shared between workers: how many from each, and with which passes.
//!
//! Does not know: connections, deadlines.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::passes::Passes;
use crate::bounds;

/// Shared between workers: counts by address, and the passes seen lately.
pub struct Crowd {
    pub open: AtomicUsize,
    shards: Vec<Mutex<HashMap<u128, Arc<Address>>>>,
    passes: Mutex<Passes>,
    hasher: RandomState,
    /// What the process's descriptors allow.
    pub most: usize,
}

/// An address that somebody is connected from.
pub struct Address {
    pub key: u128,
    pub open: AtomicUsize,
    /// Different passes seen there in the last hour.
    pub passes: AtomicUsize,
    /// Until when it counts as crowded, in milliseconds of the sweeps.
    crowded_until: AtomicU64,
}

impl Address {
    /// Whether more than `crowded` are connected from it, or were lately: who came with the crowd is judged with it,
    /// also when the first of it are gone.
    pub fn is_crowded(&self, now: u64, crowded: usize) -> bool {
        if self.open.load(Ordering::Relaxed) > crowded {
            self.crowded_until.store(now + 2 * bounds::RATE_WINDOW.as_millis() as u64, Ordering::Relaxed);
        }
        now < self.crowded_until.load(Ordering::Relaxed)
    }
}

const SHARDS: usize = 64;

impl Crowd {
    /// `descriptors`: how many the process may open.
    pub fn new(descriptors: usize) -> Crowd {
        Crowd {
            open: AtomicUsize::new(0),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            passes: Mutex::default(),
            hasher: RandomState::new(),
            most: descriptors.saturating_sub(bounds::DESCRIPTORS_KEPT).max(64),
        }
    }

    fn shard(&self, key: u128) -> &Mutex<HashMap<u128, Arc<Address>>> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }

    pub fn enter(&self, key: u128) -> Arc<Address> {
        self.open.fetch_add(1, Ordering::Relaxed);
        let mut shard = self.shard(key).lock().unwrap_or_else(PoisonError::into_inner);
        let address = shard.entry(key).or_insert_with(|| {
            let passes = self.passes.lock().unwrap_or_else(PoisonError::into_inner).live(key);
            Arc::new(Address {
                key,
                open: AtomicUsize::new(0),
                passes: AtomicUsize::new(passes),
                crowded_until: AtomicU64::new(0),
            })
        });
        address.open.fetch_add(1, Ordering::Relaxed);
        address.clone()
    }

    pub fn leave(&self, address: &Address) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        let mut shard = self.shard(address.key).lock().unwrap_or_else(PoisonError::into_inner);
        if address.open.fetch_sub(1, Ordering::Relaxed) == 1 {
            shard.remove(&address.key);
        }
    }

    pub fn saw(&self, address: &Address, pass: u128, at: u64) {
        let hash = self.hasher.hash_one((address.key, pass));
        let mut passes = self.passes.lock().unwrap_or_else(PoisonError::into_inner);
        passes.saw(address.key, hash, at);
        address.passes.store(passes.live(address.key), Ordering::Relaxed);
    }
}
