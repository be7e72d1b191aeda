//! Of who is known without a challenge: good bots, name servers, access codes, sessions that an origin vouches for.
//!
//! Does not know: how any of them is checked.

use std::time::Duration;

/// Good bots that the settings may name, patterns of one, and what all patterns together may weigh when they are built.
pub const BOTS: usize = 100;
pub const BOT_PATTERNS: usize = 20;
pub const BOT_PATTERNS_BYTES: usize = 1024 * 1024;
/// Networks in one file of a bot's ranges: the large search engines publish some thousands.
pub const BOT_RANGES: usize = 100_000;
/// Addresses that were verified as a bot's, and that were not or may be asked about soon, eight bytes each: crawlers have
/// some thousands, a flood that dresses up as one tens of thousands.
pub const BOTS_VERIFIED: usize = 16_384;
pub const BOTS_REFUTED: usize = 65_536;
/// How long a good answer is used before it is asked for again, and how long it is kept where name servers fail meanwhile.
pub const BOT_FRESH: Duration = Duration::from_secs(6 * 3600);
pub const BOT_LAST_GOOD: Duration = Duration::from_secs(48 * 3600);
/// How long a bad answer holds, how soon a question may be asked again, and what is told apart of both: an address changes
/// hands rarely, a name server fails for minutes.
pub const BOT_REFUTED: Duration = Duration::from_secs(3600);
pub const BOT_AGAIN: Duration = Duration::from_secs(600);
pub const BOT_SPAN: Duration = Duration::from_secs(300);
/// Questions that wait for the keeper, and how many it asks at once: beyond, who asks again later is answered later.
pub const BOT_QUEUE: usize = 1024;
pub const BOT_LOOKUPS: usize = 32;
/// How long one name server may take, how often each is asked, how many there are, and bytes of an answer over UDP.
pub const DNS_WAIT: Duration = Duration::from_millis(1500);
pub const DNS_TRIES: usize = 2;
pub const DNS_SERVERS: usize = 3;
pub const DNS_BYTES: usize = 4096;
/// Names of one address that are looked up again: honest ones have one.
pub const DNS_NAMES: usize = 4;
/// How long the system's list of name servers is used before it is read again.
pub const DNS_SERVERS_FRESH: Duration = Duration::from_secs(30);
/// Access codes that one call gives out, how long one holds, and the level of its pass: the highest that boma asks for
/// by itself.
pub const CODES_AT_ONCE: usize = 100;
pub const CODE_SHORTEST: Duration = Duration::from_secs(15 * 60);
pub const CODE_LONGEST: Duration = Duration::from_secs(365 * 86_400);
pub const CODE_LEVEL: u8 = 3;
/// Wrong access codes that one prefix may send at once, and how long until one more is looked at: nobody mistypes more often,
/// and many may sit behind one address.
pub const WRONG_CODES: u32 = 20;
pub const WRONG_CODE_EVERY: Duration = Duration::from_secs(10);
/// Passes of one prefix that an origin vouches for without a session to count them by.
pub const VOUCHED_PER_PREFIX: u32 = 64;
/// Challenges that a network (/24, /48) is given before it gets a button alone, one more in so long, and for how long an answer
/// makes up for it. Where thousands share a network one of the first dozens answers within seconds, and whoever meets the
/// button until then gets through by it; 2,000 networks of bots that never answer get 33 whole pages a second between them.
pub const UNANSWERED: u32 = 30;
pub const UNANSWERED_EVERY: Duration = Duration::from_secs(60);
pub const ANSWERED_FOR: Duration = Duration::from_secs(600);
