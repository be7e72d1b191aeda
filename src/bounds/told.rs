//! Of what citizens are told.
//!
//! Does not know: who tells it.

use std::time::Duration;

/// Incidents that are kept, the oldest that ended go first, and how many are open at once: more than anybody reads.
pub const INCIDENTS: usize = 200;
pub const INCIDENTS_OPEN: usize = 10;
/// Updates of one incident: every ten minutes for a night and a day; and corrections of one update.
pub const INCIDENT_UPDATES: usize = 150;
pub const INCIDENT_CORRECTIONS: usize = 5;
/// Characters of what an update says, so that its page stays within a first flight of packets: title, text (more of what was learned), answers to what
/// people ask, what to do instead of a service, and an office's name; how many services it names, and how many languages.
pub const INCIDENT_TITLE_CHARS: usize = 120;
pub const INCIDENT_TEXT_CHARS: usize = 500;
pub const INCIDENT_POSTMORTEM_CHARS: usize = 1000;
pub const INCIDENT_ANSWER_CHARS: usize = 250;
pub const INCIDENT_INSTEAD_CHARS: usize = 160;
pub const INCIDENT_OFFICE_CHARS: usize = 80;
pub const INCIDENT_AFFECTS: usize = 20;
pub const INCIDENT_INSTEAD: usize = 8;
pub const INCIDENT_LANGUAGES: usize = 16;
/// How long an incident that ended is on the status page, and entries of the feed.
pub const INCIDENT_SHOWN: Duration = Duration::from_secs(14 * 86_400);
pub const FEED_ENTRIES: usize = 50;
/// Bytes of a page, packed or not: a first flight of packets.
pub const PAGE_BYTES: usize = 14_000;
/// How long a status page may be taken from a cache.
pub const STATUS_AGE: Duration = Duration::from_secs(15);
