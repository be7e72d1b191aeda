//! What the ladder hears of one portal: counters that workers add to and the keeper takes once a second.
//!
//! What matters is counted by distinct prefixes, not by requests: one loud address, or a thousand citizens behind one,
//! weigh once in a second, so that nobody can raise a posture alone. The counts are estimates from bitmaps (linear
//! counting; Whang, Vander-Zanden and Taylor 1990): a look and seldom a write for each request, no lock, 40 KiB a portal.
//!
//! Does not know: thresholds, what becomes of a request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::apart::Apart;
use crate::client::Client;

/// Bits of a bitmap: exact to a few hundredths up to some 100,000 prefixes a second, and growing beyond.
const BITS: usize = 65_536;

/// Distinct prefixes.
#[derive(Debug)]
struct Distinct(Box<[AtomicU64]>);

impl Default for Distinct {
    fn default() -> Distinct {
        Distinct((0..BITS / 64).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Distinct {
    fn add(&self, prefix: u128) {
        let mixed = ((prefix ^ (prefix >> 64)) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bit = (mixed >> 48) as usize;
        let (word, mask) = (&self.0[bit / 64], 1 << (bit % 64));
        if word.load(Ordering::Relaxed) & mask == 0 {
            word.fetch_or(mask, Ordering::Relaxed);
        }
    }

    fn take(&self) -> f64 {
        let take = |word: &AtomicU64| match word.load(Ordering::Relaxed) {
            0 => 0,
            _ => word.swap(0, Ordering::Relaxed).count_ones(),
        };
        let set: u32 = self.0.iter().map(take).sum();
        let empty = (BITS as f64 - f64::from(set)).max(1.0);
        -(BITS as f64) * (empty / BITS as f64).ln()
    }
}

/// Of answers.
#[derive(Debug, Default)]
struct Heard {
    answers: AtomicU64,
    errors: AtomicU64,
    /// Sum of the binary logarithms of latencies, in 256ths, and how many they are.
    latency: AtomicU64,
    timed: AtomicU64,
}

#[derive(Debug, Default)]
pub struct Signals {
    seen: Distinct,
    answered: Distinct,
    failed: Distinct,
    issued: Distinct,
    solved: Distinct,
    heard: Apart<Heard>,
    busy: AtomicU64,
}

/// Who is told from others: an address, or of IPv6 the /48, which one customer has.
pub fn origin_of(client: &Client) -> u128 {
    if client.address.is_ipv4() { client.prefix.0 } else { client.network.0 }
}

/// What was heard in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Distinct prefixes that asked for something.
    pub arrived: f64,
    /// What origins were asked, and how often they failed: requests, and the distinct prefixes behind them.
    pub answers: u64,
    pub errors: u64,
    pub answered: f64,
    pub failed: f64,
    /// Sum of the binary logarithms of their latencies in nanoseconds, and how many they are: a mean of it is a
    /// geometric mean, which one slow report does not move.
    pub latency: f64,
    pub timed: u64,
    /// Requests that no permit was free for.
    pub busy: u64,
    /// Distinct prefixes that got a challenge, and that solved one.
    pub issued: f64,
    pub solved: f64,
}

impl Signals {
    pub fn arrived(&self, client: &Client) {
        self.seen.add(origin_of(client));
    }

    /// An origin answered, or failed to; after how many nanoseconds, where that was not the client's doing.
    pub fn answered(&self, client: &Client, failed: bool, nanos: Option<u64>) {
        let heard = self.heard.mine();
        heard.answers.fetch_add(1, Ordering::Relaxed);
        self.answered.add(origin_of(client));
        if failed {
            heard.errors.fetch_add(1, Ordering::Relaxed);
            self.failed.add(origin_of(client));
        }
        if let Some(nanos) = nanos {
            let nanos = nanos.max(1);
            let whole = u64::from(nanos.ilog2());
            // The fraction by a straight line between powers of two: a twelfth off at most.
            let part = (((u128::from(nanos) << 8) >> whole) as u64) & 255;
            heard.latency.fetch_add(whole * 256 + part, Ordering::Relaxed);
            heard.timed.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn busy(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
    }

    pub fn issued(&self, client: &Client) {
        self.issued.add(origin_of(client));
    }

    pub fn solved(&self, client: &Client) {
        self.solved.add(origin_of(client));
    }

    /// Takes what was heard since the last call.
    pub fn take(&self) -> Sample {
        let take =
            |of: fn(&Heard) -> &AtomicU64| self.heard.each().map(|h| of(h).swap(0, Ordering::Relaxed)).sum::<u64>();
        Sample {
            arrived: self.seen.take(),
            answers: take(|h| &h.answers),
            errors: take(|h| &h.errors),
            answered: self.answered.take(),
            failed: self.failed.take(),
            latency: take(|h| &h.latency) as f64 / 256.0,
            timed: take(|h| &h.timed),
            busy: self.busy.swap(0, Ordering::Relaxed),
            issued: self.issued.take(),
            solved: self.solved.take(),
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

    fn client(address: u32) -> Client {
        let address = std::net::Ipv4Addr::from(address).into();
        Client::new(address, address, 64, false)
    }

    #[test]
    fn each_prefix_weighs_once_and_the_count_is_near() {
        let signals = Signals::default();
        for n in [0u32, 1, 100, 5_000, 50_000] {
            for i in 0..n {
                let client = client(0x0a00_0000 + i * 7);
                (0..3).for_each(|_| signals.arrived(&client));
            }
            let (arrived, n) = (signals.take().arrived, f64::from(n));
            assert!((arrived - n).abs() <= n * 0.05 + 0.01, "{arrived} of {n}");
        }
        assert_eq!(signals.take().arrived, 0.0);
    }

    #[test]
    fn latency_is_a_geometric_mean() {
        let signals = Signals::default();
        [10_000_000, 20_000_000, 40_000_000].iter().for_each(|n| signals.answered(&client(1), false, Some(*n)));
        let sample = signals.take();
        let mean = (sample.latency / 3.0).exp2();
        assert!((mean - 20e6).abs() < 2e6, "{mean}");
        assert_eq!((sample.answers, sample.errors, sample.answered.round()), (3, 0, 1.0));
    }
}
