//! Buckets by 128-bit key in a table of fixed size: sets of sixteen slots, each set under its own lock.
//!
//! A slot whose bucket is full again carries no knowledge and is free. Where a set has no free slot a new key is
//! turned away to a coarser one; only that, or a key that may insist, pushes a slot out, and then the one that was asked
//! for least: a flood of keys that come once each cannot make whoever comes all the time forgotten. How long buckets take
//! to fill says nothing of that: a limit by the hour leaves longer debts than any that a fast one can make.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

const WAYS: usize = 16;
/// Sets are made in blocks when first touched, so that a large bound costs nothing at start; in small ones, as keys fall
/// anywhere, and each of the first ones makes a block.
const BLOCK: usize = 16;
/// The allocator's sizes for a block are so far apart.
const STEP: usize = 1024;

struct Set {
    keys: [u128; WAYS],
    /// When each bucket is full again, in nanoseconds.
    at: [u64; WAYS],
    /// How often each was asked for again, less how often one was pushed out of this set meanwhile.
    heat: [u8; WAYS],
    /// Slots whose bucket was not full when the set was last touched.
    live: u32,
}

type Block = Box<[Mutex<Set>]>;

pub struct Store {
    blocks: Box<[OnceLock<Block>]>,
    keys: AtomicU64,
    evictions: AtomicU64,
}

pub enum Found {
    Done(Result<(), u64>),
    Full,
}

impl Store {
    pub fn new(memory: u64) -> Store {
        let block = (size_of::<Mutex<Set>>() * BLOCK).next_multiple_of(STEP) + size_of::<OnceLock<Block>>();
        let blocks = (memory / block as u64).max(1) as usize;
        Store {
            blocks: (0..blocks).map(|_| OnceLock::new()).collect(),
            keys: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
        }
    }

    /// Finds or makes the bucket of `key` and lets `spend` move its time.
    pub fn update(&self, key: u128, now: u64, force: bool, spend: impl Fn(u64) -> (u64, Result<(), u64>)) -> Found {
        let at = (key >> 64) as usize;
        let block = self.blocks[at % self.blocks.len()].get_or_init(fresh);
        let set = &block[(at / self.blocks.len()) % BLOCK];
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(slot) = self.slot(&mut set, key, now, force) else { return Found::Full };
        let (at, verdict) = spend(set.at[slot]);
        set.at[slot] = at;
        let live = set.at.iter().filter(|at| **at > now).count() as u32;
        let before = std::mem::replace(&mut set.live, live);
        // Most requests change nothing, and then need not wait for other workers.
        if live != before {
            self.keys.fetch_add(u64::from(live).wrapping_sub(u64::from(before)), Ordering::Relaxed);
        }
        Found::Done(verdict)
    }

    fn slot(&self, set: &mut Set, key: u128, now: u64, force: bool) -> Option<usize> {
        if let Some(slot) = set.keys.iter().position(|k| *k == key) {
            set.heat[slot] = set.heat[slot].saturating_add(1);
            return Some(slot);
        }
        let slot = match set.at.iter().position(|at| *at <= now) {
            Some(free) => free,
            None if force => {
                self.evictions.fetch_add(1, Ordering::Relaxed);
                let coldest = (0..WAYS).min_by_key(|i| (set.heat[*i], set.at[*i])).unwrap_or(0);
                set.heat.iter_mut().for_each(|heat| *heat = heat.saturating_sub(1));
                coldest
            }
            None => return None,
        };
        (set.keys[slot], set.at[slot], set.heat[slot]) = (key, 0, 0);
        Some(slot)
    }

    /// Every bucket that is not full.
    pub fn each(&self, now: u64, mut see: impl FnMut(u128, u64)) {
        for block in self.blocks.iter().filter_map(OnceLock::get) {
            for set in block {
                let set = set.lock().unwrap_or_else(PoisonError::into_inner);
                let live = set.keys.iter().zip(&set.at).filter(|(_, at)| **at > now);
                live.for_each(|(key, at)| see(*key, *at));
            }
        }
    }

    pub fn keys(&self) -> u64 {
        self.keys.load(Ordering::Relaxed)
    }

    pub fn capacity(&self) -> u64 {
        (self.blocks.len() * BLOCK * WAYS) as u64
    }

    pub fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }
}

fn fresh() -> Block {
    (0..BLOCK).map(|_| Mutex::new(Set { keys: [0; WAYS], at: [0; WAYS], heat: [0; WAYS], live: 0 })).collect()
}
