//! What was seen of late, by its hash: paths that an origin has answered with 2xx (what rules ask for as `known_path`; a
//! flood of made-up addresses asks for others), passes that overspent, passes that the origin vouched for.
//!
//! A table of fixed size, without locks: each slot is a hash beside the hour (or another span) in which it was last seen.
//! When a set is full what was not seen for longest goes.
//!
//! Does not know: rules, requests, what it is that was seen.

use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use siphasher::sip::SipHasher13;

const WAYS: usize = 8;
/// Bits of a slot that hold the span since the Unix epoch, which is an hour or some minutes; the others hold the hash.
const HOUR_BITS: u32 = 24;
const HOUR: u64 = (1 << HOUR_BITS) - 1;
const AN_HOUR: Duration = Duration::from_secs(3600);

pub struct Known {
    slots: Box<[AtomicU64]>,
    keys: (u64, u64),
    /// Seconds that are not told apart: 24 bits of five minutes last until the year 2129.
    span: u64,
    /// In such spans.
    lasts: u64,
}

impl Known {
    /// What a table for so many things takes.
    pub fn bytes(most: usize) -> u64 {
        (most * size_of::<AtomicU64>()) as u64
    }

    /// `key` is the installation's own, so that nobody can aim two things at one slot. Room for `most` things, eight bytes
    /// each, each known for `lasts`, to the hour.
    pub fn new(key: [u8; 16], most: usize, lasts: Duration) -> Known {
        Known::to_the(AN_HOUR, key, most, lasts)
    }

    /// The same, to another span than the hour.
    pub fn to_the(span: Duration, key: [u8; 16], most: usize, lasts: Duration) -> Known {
        let half = |at: usize| u64::from_le_bytes(key[at..at + 8].try_into().unwrap_or_default());
        let slots = (0..most.max(1).next_multiple_of(WAYS)).map(|_| AtomicU64::new(0)).collect();
        let span = span.as_secs().max(1);
        Known { slots, keys: (half(0), half(8)), span, lasts: lasts.as_secs() / span }
    }

    /// It was seen; whether that is new.
    pub fn note(&self, what: impl Hash, now_unix: u64) -> bool {
        let (set, tag) = self.place(what);
        let recent = self.oldest(now_unix);
        let slot = tag | ((now_unix / self.span) & HOUR);
        let found = set.iter().find(|s| s.load(Ordering::Relaxed) & !HOUR == tag);
        let new = found.is_none_or(|s| s.load(Ordering::Relaxed) & HOUR < recent);
        let oldest = || set.iter().min_by_key(|s| s.load(Ordering::Relaxed) & HOUR);
        if let Some(place) = found.or_else(oldest)
            // Most requests find it noted in this hour already.
            && place.load(Ordering::Relaxed) != slot
        {
            place.store(slot, Ordering::Relaxed);
        }
        new
    }

    /// The oldest hour that is of late.
    fn oldest(&self, now_unix: u64) -> u64 {
        (now_unix / self.span).saturating_sub(self.lasts)
    }

    /// Whether it was of late.
    pub fn is_known(&self, what: impl Hash, now_unix: u64) -> bool {
        let (set, tag) = self.place(what);
        let oldest = self.oldest(now_unix);
        set.iter().map(|s| s.load(Ordering::Relaxed)).any(|s| s & !HOUR == tag && s & HOUR >= oldest)
    }

    /// How long ago it was seen, in seconds, where it was of late.
    pub fn since(&self, what: impl Hash, now_unix: u64) -> Option<u64> {
        let (set, tag) = self.place(what);
        let oldest = self.oldest(now_unix);
        let seen = set.iter().map(|s| s.load(Ordering::Relaxed)).find(|s| s & !HOUR == tag && s & HOUR >= oldest)?;
        Some(now_unix.saturating_sub((seen & HOUR) * self.span))
    }

    /// It counts as never seen.
    pub fn forget(&self, what: impl Hash) {
        let (set, tag) = self.place(what);
        for slot in set {
            let seen = slot.load(Ordering::Relaxed);
            if seen & !HOUR == tag {
                // Whoever notes it in this very moment wins.
                let _ = slot.compare_exchange(seen, 0, Ordering::Relaxed, Ordering::Relaxed);
            }
        }
    }

    fn place(&self, what: impl Hash) -> (&[AtomicU64], u64) {
        let mut hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
        what.hash(&mut hasher);
        let hash = hasher.finish();
        let set = (hash as usize % (self.slots.len() / WAYS).max(1)) * WAYS;
        // 0 is an empty slot.
        (&self.slots[set..set + WAYS], (hash & !HOUR).max(1 << HOUR_BITS))
    }

    /// Everything, to be kept over a restart.
    pub fn save(&self) -> Vec<u8> {
        self.slots.iter().flat_map(|s| s.load(Ordering::Relaxed).to_le_bytes()).collect()
    }

    /// What was kept; anything of another size is left alone.
    pub fn load(&self, bytes: &[u8]) {
        if bytes.len() == self.slots.len() * 8 {
            for (slot, bytes) in self.slots.iter().zip(bytes.chunks_exact(8)) {
                slot.store(u64::from_le_bytes(bytes.try_into().unwrap_or_default()), Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds;

    fn table() -> Known {
        Known::new([7; 16], bounds::KNOWN_PATHS, bounds::KNOWN_FOR)
    }

    #[test]
    fn minutes_are_told_apart_where_that_matters_and_what_is_forgotten_is_new() {
        let (now, minutes) = (1_790_000_100, |n: u64| Duration::from_secs(n * 60));
        let known = Known::to_the(minutes(5), [7; 16], 1000, minutes(10));
        assert!(known.note("a", now) && !known.note("a", now + 600) && known.note("b", now));
        assert_eq!(
            (known.since("b", now + 599), known.since("b", now + 1000), known.since("c", now)),
            (Some(599), None, None)
        );
        known.forget("a");
        assert!(!known.is_known("a", now + 600) && known.is_known("b", now) && known.note("a", now + 600));
    }

    #[test]
    fn a_path_is_known_for_a_week_and_a_flood_of_paths_stays_within_the_table() {
        let now = 1_790_000_000;
        let known = table();
        assert!(known.note(("huduma", "/pay"), now) && !known.note(("huduma", "/pay"), now), "new once");
        assert!(known.is_known(("huduma", "/pay"), now) && known.is_known(("huduma", "/pay"), now + 6 * 86_400));
        assert!(!known.is_known(("tax", "/pay"), now) && !known.is_known(("huduma", "/pa"), now));
        assert!(!known.is_known(("huduma", "/pay"), now + 8 * 86_400));
        let again = table();
        again.load(&known.save());
        assert!(again.is_known(("huduma", "/pay"), now));
        again.load(b"short");
        // What is used again and again stays, whatever else comes.
        for i in 0..2 * bounds::KNOWN_PATHS as u64 {
            let at = now + i / 20;
            known.note(("huduma", "/pay"), at);
            known.note(("huduma", &format!("/{i}")), at);
        }
        assert!(known.is_known(("huduma", "/pay"), now + 20_000));
    }
}
