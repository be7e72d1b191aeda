//! The bounds of snapshots and of the crawl that takes them.

use std::time::Duration;

/// Redirects in a row that are followed from a page that is declared.
pub const SNAPSHOT_HOPS: u8 = 4;
/// How long a copy of a page is kept where the page has become a redirect: longer than most troubles last.
pub const SNAPSHOT_MOVED: Duration = Duration::from_secs(86_400);
/// Bytes of one snapshot: an image or a document that is larger is not what a page needs on a bad day.
pub const SNAPSHOT_BYTES: usize = 2 * 1024 * 1024;
/// Bytes of all snapshots as they are held, earlier versions included; those give way first.
pub const SNAPSHOTS_BYTES: usize = 128 * 1024 * 1024;
/// Bytes of pages that are held unpacked as well, for clients that take no gzip: few do, and most of those are programs.
pub const SNAPSHOTS_PLAIN_BYTES: usize = 32 * 1024 * 1024;
/// Pages of one portal that `snapshot.pages` may ask for, and of style sheets, images, fonts and scripts besides.
pub const SNAPSHOTS_PER_PORTAL: usize = 5_000;
pub const SNAPSHOT_PARTS: usize = 5_000;
/// Versions of one page.
pub const SNAPSHOT_VERSIONS: usize = 4;
/// How far from the declared pages links may be followed at most (`snapshot.depth`), and how far where nothing is said.
pub const SNAPSHOT_DEPTH: u64 = 16;
pub const SNAPSHOT_DEPTH_STANDARD: u8 = 4;
/// Bytes of an address, more than any that servers take; and addresses that one page may name.
pub const SNAPSHOT_ADDRESS_BYTES: usize = 4 * 1024;
pub const SNAPSHOT_LINKS: usize = 5_000;
/// Addresses that one round remembers, so that a calendar with a link to its next month has an end.
pub const SNAPSHOT_KNOWN: usize = 50_000;
/// Forms of one page that are followed by a word of why they cannot be sent: nobody scrolls past more.
pub const SNAPSHOT_NOTES: usize = 8;
/// How long a copy is kept that no round has come by any more: pages that are moved or taken off the portal.
pub const SNAPSHOT_FORGOTTEN: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often it is written down that a page is still as it was kept.
pub const SNAPSHOT_NOTED: Duration = Duration::from_secs(300);
/// Sitemaps that one round reads, how deep their indexes may lie in one another, and bytes of one, unpacked: a fifth of what
/// the protocol allows, and twenty times what a portal of thousands of pages needs.
pub const SITEMAPS: usize = 64;
pub const SITEMAP_DEPTH: u8 = 3;
pub const SITEMAP_BYTES: usize = 10 * 1024 * 1024;
/// Bytes of `robots.txt` that are read (RFC 9309 section 2.5 asks for 500 KiB at least), and the longest pause that it may ask for.
pub const ROBOTS_BYTES: usize = 512 * 1024;
pub const ROBOTS_DELAY: Duration = Duration::from_secs(10);
/// Between two fetches of one portal: at least so long, and so many times as long as the last fetch took, so that boma never takes more
/// than a third of what one connection gets; and at most.
pub const CRAWL_PAUSE: Duration = Duration::from_millis(20);
pub const CRAWL_PAUSES: u32 = 2;
pub const CRAWL_PAUSE_MOST: Duration = Duration::from_secs(10);
/// After a fetch that failed; twice as long after each one more, up to the last. So many in a row end the round.
pub const CRAWL_BACKOFF: Duration = Duration::from_secs(1);
pub const CRAWL_BACKOFF_MOST: Duration = Duration::from_secs(30);
pub const CRAWL_FAILURES: u32 = 5;
/// A round that did not come to its end begins again after this, or after `every` where that is shorter: at the start the origin
/// may come up after boma.
pub const CRAWL_AGAIN: Duration = Duration::from_secs(10);
/// Between two looks at what is due.
pub const CRAWL_BEAT: Duration = Duration::from_millis(250);
/// Bytes of a difference between two versions, as it is shown; and how long it may be looked for before it is told roughly.
pub const DIFF_BYTES: usize = 1024 * 1024;
pub const DIFF_TIME: Duration = Duration::from_millis(500);
/// Names of cookies that are kept of an answer, and the longest of them: an origin sets a few.
pub const SNAPSHOT_COOKIES: usize = 16;
pub const SNAPSHOT_COOKIE_NAME: usize = 64;
