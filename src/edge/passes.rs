//! Which passes were seen behind which address in the last hour: what an address's cap on connections grows by.
//!
//! Does not know: connections, whether a pass is good.

use std::collections::{HashMap, HashSet};

use crate::bounds;

/// In two generations of half an hour, each bounded.
#[derive(Default)]
pub struct Passes {
    since: u64,
    /// Hashes of address and pass, and how many of each address: this half hour's and the last one's.
    seen: [HashSet<u64>; 2],
    counts: [HashMap<u128, usize>; 2],
}

impl Passes {
    pub fn saw(&mut self, key: u128, hash: u64, at: u64) {
        if at.saturating_sub(self.since) > bounds::PASSES_GENERATION.as_millis() as u64 {
            self.since = at;
            self.seen.swap(0, 1);
            self.counts.swap(0, 1);
            self.seen[0].clear();
            self.counts[0].clear();
        }
        if self.seen[0].len() < bounds::PASSES_SEEN / 2 && self.seen[0].insert(hash) {
            *self.counts[0].entry(key).or_default() += 1;
        }
    }

    /// The larger of the two halves: most who were there in one are there in the other.
    pub fn live(&self, key: u128) -> usize {
        self.counts.iter().filter_map(|c| c.get(&key)).copied().max().unwrap_or(0)
    }
}
