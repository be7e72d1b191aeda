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
/// Characters of a portal's title: a challenge that is a button alone says it twice.
pub const TITLE_CHARS: usize = 80;
/// Characters of what a service is called, and of a phone, an office or a code; and services of one portal that staff may speak of
/// otherwise than the settings: more belong into these.
pub const SERVICE_NAME_CHARS: usize = 120;
pub const SERVICE_LINE_CHARS: usize = 80;
pub const WORDINGS: usize = 100;
/// Bytes of a page, packed or not: a first flight of packets.
pub const PAGE_BYTES: usize = 14_000;
/// Bytes of a challenge as it is sent, a form in it not counted.
pub const CHALLENGE_BYTES: usize = 6000;
/// Bytes of a challenge that is a button alone, packed or not, a form in it not counted.
pub const BARE_BYTES: usize = 1500;
/// The same of a place in line where the line to citizens is near full: it is told in more words.
pub const SMALL_LINE_BYTES: usize = 2000;
/// Bytes of a logo as it is written into the settings, with what editors leave in it, and as it stands in every page: half of that
/// when it is packed, so that a challenge goes out in 6 kB still; one that an incident fills leaves it out.
pub const LOGO_WRITTEN_BYTES: usize = 64 * 1024;
pub const LOGO_BYTES: usize = 1536;
/// Operators' files of languages: more than any state has official ones, and each costs pages of every portal that speaks it.
pub const LANGUAGES: usize = 64;
/// Characters of a language's own name, and of a sentence: so many times those of the English one, and so many more, because short
/// words grow the most. The longest that is shipped has 2.6 times as many.
pub const LANGUAGE_NAME_CHARS: usize = 40;
pub const SENTENCE_TIMES: usize = 3;
pub const SENTENCE_MORE: usize = 40;
/// How long a status page may be taken from a cache.
pub const STATUS_AGE: Duration = Duration::from_secs(15);
/// How long a reference code goes on standing for what its reader's browser is not sent again.
pub const REFERENCE_HELD: Duration = Duration::from_secs(3600);
