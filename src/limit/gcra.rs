//! The arithmetic of one bucket.

/// Whether a token is there, and how long until one is: of a bucket that [`charge`] may have left in debt.
pub fn look(at: u64, now: u64, interval: u64, burst: u64) -> Result<(), u64> {
    let room = interval.saturating_mul(burst);
    let used = at.clamp(now, now.saturating_add(room.saturating_mul(2))).saturating_add(interval) - now;
    if used > room { Err(used - room) } else { Ok(()) }
}

/// Spends one token that was promised already, into a debt of one more burst at most: who sends many at once before the
/// first is answered gains nothing by it.
pub fn charge(at: u64, now: u64, interval: u64, burst: u64) -> u64 {
    let room = interval.saturating_mul(burst);
    at.max(now).saturating_add(interval).min(now.saturating_add(room.saturating_mul(2)))
}

/// Spends one token of the bucket that is full again at `at`: the bucket's time afterwards, and `Err` with the wait
/// until one token is back. Times in nanoseconds; `interval` is one token's, `burst` at least 1.
pub fn take(at: u64, now: u64, interval: u64, burst: u64) -> (u64, Result<(), u64>) {
    let room = interval.saturating_mul(burst);
    // A debt made under a slower rate or a larger burst is an empty bucket under the new one, no worse.
    let at = at.clamp(now, now.saturating_add(room));
    let next = at.saturating_add(interval);
    let used = next - now;
    if used > room { (at, Err(used - room)) } else { (next, Ok(())) }
}
