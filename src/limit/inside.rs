//! How many requests of a key are under way at once.
//!
//! An entry lives as long as one of its requests does, so there are never more than requests under way, and those
//! have bounds of their own (`[caps]`).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Locks, so that workers seldom meet.
const SHARDS: usize = 64;

type Shard = Mutex<HashMap<u128, u32>>;

pub struct Inside {
    shards: [Shard; SHARDS],
}

/// One request under way, until it is dropped.
pub struct Entered {
    inside: Arc<Inside>,
    key: u128,
}

impl Inside {
    pub fn new() -> Arc<Inside> {
        Arc::new(Inside { shards: std::array::from_fn(|_| Mutex::default()) })
    }

    /// `None` where `most` of the key are under way.
    pub fn enter(self: &Arc<Inside>, key: u128, most: u32) -> Option<Entered> {
        let mut shard = self.shard(key);
        let count = shard.entry(key).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Entered { inside: self.clone(), key })
    }

    fn shard(&self, key: u128) -> MutexGuard<'_, HashMap<u128, u32>> {
        self.shards[key as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut shard = self.inside.shard(self.key);
        if let Entry::Occupied(mut entry) = shard.entry(self.key) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_allowed_are_inside_and_nothing_stays_behind() {
        let inside = Inside::new();
        let first = inside.enter(7, 2).unwrap();
        let second = inside.enter(7, 2);
        assert!(second.is_some() && inside.enter(7, 2).is_none() && inside.enter(8, 2).is_some());
        drop(first);
        let third = inside.enter(7, 2);
        assert!(third.is_some());
        drop((second, third));
        assert!(inside.shards.iter().all(|s| s.lock().unwrap().is_empty()));
    }
}
