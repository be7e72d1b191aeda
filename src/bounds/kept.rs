//! The bounds of the cache.

use std::time::Duration;

/// The longest time that an answer may be kept for, by anybody's word: what RFC 9111 section 1.2.2 names.
pub const CACHE_SECONDS: u64 = 1 << 31;
/// The longest that is guessed where an origin says only when a page was changed: a portal's page that was right for a year is
/// changed one morning, and citizens should not read the old one all day.
pub const CACHE_GUESS: Duration = Duration::from_secs(3600);
/// How long past its time an answer is kept for bad days, where it says nothing of that itself.
pub const CACHE_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Bytes of the largest answer that is kept, and the part of `[cache] memory` that it may be at most.
pub const CACHE_ANSWER_BYTES: usize = 8 * 1024 * 1024;
pub const CACHE_ANSWER_SHARE: u64 = 16;
/// Answers of one address that differ by what `Vary` names, and how many names those may be: an attacker invents languages.
pub const CACHE_VARIANTS: usize = 16;
pub const CACHE_VARY_NAMES: usize = 8;
/// Tags of one answer and bytes of one: an answer with more could not be purged by all of them, and is not kept.
pub const CACHE_TAGS: usize = 128;
pub const CACHE_TAG_BYTES: usize = 256;
/// How much of a packed page is unpacked to see whether it tells its visitor.
pub const CACHE_SCANNED_BYTES: usize = 16 * 1024 * 1024;
/// How long it is remembered that answers at an address are for one request each.
pub const CACHE_PASS: Duration = Duration::from_secs(60);
/// Requests that wait for another's fetch at once, in all, and each how long: whoever waited that long goes on alone.
pub const CACHE_WAITERS: usize = 32_768;
pub const CACHE_WAIT: Duration = Duration::from_secs(15);
/// Bytes of answers that are coming in to be kept, in all: beyond, they are passed on and not kept.
pub const CACHE_GATHERED_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of an origin's error page that all are given who waited for the answer.
pub const CACHE_ERROR_BYTES: u64 = 64 * 1024;
/// Bytes of what is looked for in one: an address has seven at least.
pub const CACHE_NAMES_BYTES: usize = 7;
/// Up to this many bytes a fresh answer spends nothing of any limit.
pub const CACHE_FREE_BYTES: usize = 64 * 1024;
