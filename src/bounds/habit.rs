//! The bounds of what is remembered of how passes are used.

use std::time::Duration;

/// Passes whose use is remembered, eight bytes each, and for how long after they were last seen: as long as a pass holds, for who
/// comes back has a page's parts already and does not ask for them again.
pub const HABITS: usize = 262_144;
pub const HABIT_FOR: Duration = Duration::from_secs(12 * 3600);
/// Parts of pages that a reader has loaded: nearly every page has as many.
pub const HABIT_PARTS: u8 = 2;
/// At a pass's so-many-eth page it is judged whether those who come to a portal load parts: by then they have, if they ever do. So
/// many must have been seen, and half of them must have been readers; what is older than so many counts half.
pub const HABIT_PAGES: u8 = 3;
pub const HABIT_LEAST: u32 = 20;
pub const HABIT_HALVED: u32 = 4096;
/// What a pass had from the origin counts half after so long.
pub const HABIT_SPAN: Duration = Duration::from_secs(64);
/// How long whoever could be given a copy waits for the page itself: hardly longer than anybody notices.
pub const COPY_PATIENCE: Duration = Duration::from_millis(200);
