//! Counting much in little room: how many distinct ones there were, and which came most often. Both are exact until
//! their bound is reached, and say how wrong they may be from then on.
//!
//! Does not know: what is counted.

use std::collections::{BTreeSet, HashMap};
use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;

use crate::bounds;

/// How many distinct ones were seen, by the least of their hashes (Bar-Yossef and others, 2002): where the `most` least of
/// all lie close together, there are many. What comes again changes nothing.
pub struct Distinct {
    least: BTreeSet<u64>,
    most: usize,
    /// The greatest of them, once there are so many: most hashes lie above it.
    above: u64,
}

impl Default for Distinct {
    fn default() -> Distinct {
        Distinct::new(bounds::DISTINCT)
    }
}

impl Distinct {
    /// Exact up to `most`; beyond, with a standard error of 1/√`most`.
    pub fn new(most: usize) -> Distinct {
        Distinct { least: BTreeSet::new(), most: most.max(3), above: u64::MAX }
    }

    pub fn insert(&mut self, one: u128) {
        // Two runs over one log say the same, so no key is random.
        let mut hasher = SipHasher13::new();
        one.hash(&mut hasher);
        let hash = hasher.finish();
        if hash > self.above || !self.least.insert(hash) {
            return;
        }
        if self.least.len() > self.most {
            self.least.pop_last();
        }
        if self.least.len() == self.most {
            self.above = self.least.last().copied().unwrap_or(u64::MAX);
        }
    }

    pub fn count(&self) -> u64 {
        match self.least.last() {
            Some(last) if self.least.len() == self.most => {
                ((self.most - 1) as f64 / (*last as f64 / u64::MAX as f64)) as u64
            }
            _ => self.least.len() as u64,
        }
    }

    /// The standard error, in hundredths of the count; 0 where it is exact.
    pub fn error(&self) -> f64 {
        if self.least.len() < self.most { 0.0 } else { 100.0 / (self.most as f64).sqrt() }
    }
}

/// Which ones came most often, by Misra and Gries (1982): where there are too many, as much is taken from each as leaves the
/// `most` most frequent. So no count is too high, and none is too low by more than [`Frequent::missed`].
pub struct Frequent<N: ?Sized + ToOwned> {
    counts: HashMap<N::Owned, f64>,
    most: usize,
    missed: f64,
}

impl<N: ?Sized + ToOwned> Default for Frequent<N> {
    fn default() -> Frequent<N> {
        Frequent::new(bounds::FREQUENT)
    }
}

impl<N: ?Sized + ToOwned> Frequent<N> {
    pub fn new(most: usize) -> Frequent<N> {
        Frequent { counts: HashMap::new(), most: most.max(1), missed: 0.0 }
    }

    /// How much too low a count may be; 0 where all are exact.
    pub fn missed(&self) -> u64 {
        self.missed as u64
    }
}

impl<N: ?Sized + ToOwned + Hash + Eq> Frequent<N>
where
    N::Owned: Hash + Ord + Clone,
{
    pub fn add(&mut self, one: &N, weight: f64) {
        if let Some(count) = self.counts.get_mut(one) {
            *count += weight;
            return;
        }
        self.counts.insert(one.to_owned(), weight);
        if self.counts.len() > 2 * self.most {
            self.thin();
        }
    }

    fn thin(&mut self) {
        let mut all: Vec<f64> = self.counts.values().copied().collect();
        let (_, taken, _) = all.select_nth_unstable_by(self.most, |a, b| b.total_cmp(a));
        let taken = *taken;
        self.missed += taken;
        self.counts.retain(|_, count| {
            *count -= taken;
            *count > 0.0
        });
    }

    /// The first `n`, each with what it came to at least.
    pub fn top(&self, n: usize) -> Vec<(N::Owned, u64)> {
        let mut all: Vec<(&N::Owned, u64)> = self.counts.iter().map(|(one, count)| (one, *count as u64)).collect();
        all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        all.into_iter().take(n).map(|(one, count)| (one.clone(), count)).collect()
    }
}

/// So much of a name as is counted by.
pub fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(bounds::FREQUENT_NAME_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_ones_are_counted_exactly_and_then_well() {
        let mut few = Distinct::new(1024);
        for _ in 0..3 {
            (0..1000u128).for_each(|i| few.insert(i << 64));
        }
        assert_eq!((few.count(), few.error()), (1000, 0.0));
        for many in [5_000u64, 100_000, 1_000_000] {
            let mut distinct = Distinct::new(16_384);
            (0..many).chain(0..many / 2).for_each(|i| distinct.insert(u128::from(i)));
            let wrong = (distinct.count() as f64 / many as f64 - 1.0).abs() * 100.0;
            assert!(wrong <= 3.0 * distinct.error(), "{many}: {} is wrong by {wrong} %", distinct.count());
        }
    }

    #[test]
    fn what_comes_often_is_found_among_any_number_of_others() {
        let mut frequent: Frequent<str> = Frequent::new(64);
        for i in 0..100_000 {
            frequent.add(&format!("/{i}"), 1.0);
            if i % 10 == 0 {
                frequent.add("/login", 1.0);
            }
            if i % 20 == 0 {
                frequent.add("/pay", 2.0);
            }
        }
        assert!(frequent.counts.len() <= 128);
        let top = frequent.top(2);
        assert_eq!(top.iter().map(|t| t.0.as_str()).collect::<Vec<_>>(), ["/login", "/pay"], "{top:?}");
        for (_, count) in &top {
            assert!((10_000 - frequent.missed()..=10_000).contains(count), "{top:?} {}", frequent.missed());
        }
        assert!(frequent.missed() <= 120_000 / 64);
        assert_eq!(cut(&"é".repeat(1000)).len(), bounds::FREQUENT_NAME_BYTES);
    }
}
