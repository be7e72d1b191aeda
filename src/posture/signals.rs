//! What the ladder hears of one portal: counters that workers add to and the keeper takes once a second.
//!
//! Arrivals are counted by distinct prefixes, not by requests: one loud address, or a thousand citizens behind one,
//! weigh once in a second, so that nobody can raise a posture alone. The count is an estimate from a bitmap (linear
//! counting; Whang, Vander-Zanden and Taylor 1990): a look and seldom a write for each request, no lock, 8 KiB.
//!
//! Does not know: thresholds, what becomes of a request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bits of the bitmap: exact to a few hundredths up to some 100,000 prefixes a second, and growing beyond.
const BITS: usize = 65_536;

#[derive(Debug)]
pub struct Signals {
    seen: Box<[AtomicU64]>,
    answers: AtomicU64,
    errors: AtomicU64,
    /// Sum of the binary logarithms of latencies, in 256ths.
    latency: AtomicU64,
    busy: AtomicU64,
    issued: AtomicU64,
    solved: AtomicU64,
}

/// What was heard in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Distinct prefixes that asked for something.
    pub arrived: f64,
    /// What origins were asked, and how often they failed.
    pub answers: u64,
    pub errors: u64,
    /// Sum of the binary logarithms of their latencies in nanoseconds: a mean of it is a geometric mean, which one
    /// slow report does not move.
    pub latency: f64,
    /// Requests that no permit was free for.
    pub busy: u64,
    /// Challenges.
    pub issued: u64,
    pub solved: u64,
}

impl Default for Signals {
    fn default() -> Signals {
        Signals {
            seen: (0..BITS / 64).map(|_| AtomicU64::new(0)).collect(),
            answers: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            latency: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            issued: AtomicU64::new(0),
            solved: AtomicU64::new(0),
        }
    }
}

impl Signals {
    pub fn arrived(&self, prefix: u128) {
        let mixed = ((prefix ^ (prefix >> 64)) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bit = (mixed >> 48) as usize;
        let (word, mask) = (&self.seen[bit / 64], 1 << (bit % 64));
        if word.load(Ordering::Relaxed) & mask == 0 {
            word.fetch_or(mask, Ordering::Relaxed);
        }
    }

    /// An origin answered, or failed to, after this many nanoseconds.
    pub fn answered(&self, failed: bool, nanos: u64) {
        let nanos = nanos.max(1);
        let whole = u64::from(nanos.ilog2());
        // The fraction by a straight line between powers of two: a twelfth off at most.
        let part = ((u128::from(nanos) << 8 >> whole) as u64) & 255;
        self.latency.fetch_add(whole * 256 + part, Ordering::Relaxed);
        self.answers.fetch_add(1, Ordering::Relaxed);
        if failed {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn busy(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
    }

    pub fn issued(&self) {
        self.issued.fetch_add(1, Ordering::Relaxed);
    }

    pub fn solved(&self) {
        self.solved.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes what was heard since the last call.
    pub fn take(&self) -> Sample {
        let set: u32 = self.seen.iter().map(|word| word.swap(0, Ordering::Relaxed).count_ones()).sum();
        let empty = (BITS as f64 - f64::from(set)).max(1.0);
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        Sample {
            arrived: -(BITS as f64) * (empty / BITS as f64).ln(),
            answers: take(&self.answers),
            errors: take(&self.errors),
            latency: take(&self.latency) as f64 / 256.0,
            busy: take(&self.busy),
            issued: take(&self.issued),
            solved: take(&self.solved),
        }
    }
}

/// The signals of all portals by name, so that a reload finds them again.
#[derive(Debug, Default)]
pub struct Ears(Mutex<HashMap<String, Arc<Signals>>>);

impl Ears {
    pub fn of(&self, portal: &str) -> Arc<Signals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(portal.to_owned()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Prefix;

    #[test]
    fn each_prefix_weighs_once_and_the_count_is_near() {
        let signals = Signals::default();
        for n in [0u32, 1, 100, 5_000, 50_000] {
            for i in 0..n {
                let address = std::net::Ipv4Addr::from(0x0a00_0000 + i * 7);
                (0..3).for_each(|_| signals.arrived(Prefix::of(address.into(), 32, 64).0));
            }
            let (arrived, n) = (signals.take().arrived, f64::from(n));
            assert!((arrived - n).abs() <= n * 0.05 + 0.01, "{arrived} of {n}");
        }
        assert_eq!(signals.take().arrived, 0.0);
    }

    #[test]
    fn latency_is_a_geometric_mean() {
        let signals = Signals::default();
        [10_000_000, 20_000_000, 40_000_000].iter().for_each(|n| signals.answered(false, *n));
        let sample = signals.take();
        let mean = (sample.latency / 3.0).exp2();
        assert!((mean - 20e6).abs() < 2e6, "{mean}");
        assert_eq!((sample.answers, sample.errors), (3, 0));
    }
}
