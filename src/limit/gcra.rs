//! The arithmetic of one bucket.

/// Spends one token of the bucket that is full again at `at`: its new time, or the wait until one token is back.
/// Times in nanoseconds; `interval` is one token's, `burst` at least 1.
pub fn take(at: u64, now: u64, interval: u64, burst: u64) -> Result<u64, u64> {
    let room = interval.saturating_mul(burst);
    // A debt made under a slower rate or a larger burst counts as an empty bucket under the new one, no worse.
    let next = at.clamp(now, now.saturating_add(room)).saturating_add(interval);
    let used = next - now;
    if used > room { Err(used - room) } else { Ok(next) }
}
