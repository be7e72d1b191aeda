//! The bounds of what is written to disk.

use std::time::Duration;

/// Jobs waiting for the store's writer thread.
pub const STORE_JOBS: usize = 1024;
/// Rows whose removal waits for a disk that has no room: more come back with a restart, as old as they are.
pub const STORE_GONE: usize = 16_384;
/// Between two tries to write down what a full disk refused: at first, and after many in vain.
pub const STORE_AGAIN: Duration = Duration::from_secs(5);
pub const STORE_AGAIN_MOST: Duration = Duration::from_secs(60);
/// Characters of a measure's rule that the journal holds.
pub const JOURNAL_RULE_CHARS: usize = 2000;
/// Lines of the journal that wait for room: hours of the busiest day.
pub const JOURNAL_UNWRITTEN: usize = 2000;
/// Bytes of all last good copies that wait for room; settings and rules are a few KiB each.
pub const LAST_GOOD_UNWRITTEN: usize = 8 * 1024 * 1024;
