//! Bounds of what is kept of each minute and day, and of reports that are made of it.
//!
//! Does not know: everything else.

use std::time::Duration;

/// Days of minutes that are kept whole, and days for which the hour before and after each change of posture is.
pub const TOTALS_DAYS: u64 = 30;
pub const TOTALS_KEPT_DAYS: u64 = 400;
pub const TOTALS_NEAR: Duration = Duration::from_secs(3600);
/// Minutes that one question is answered with: a week of two portals. Bytes of a day that are read: fifty portals' lines.
pub const TOTALS_AT_ONCE: usize = 20_160;
pub const TOTALS_BYTES: u64 = 64 * 1024 * 1024;
/// Groups of lines that wait for room on a full disk: of a day, and some MB.
pub const TOTALS_UNWRITTEN: usize = 1_440;
/// Rules, limits and measures that a minute names; what others decided is one sum.
pub const TOTALS_DEEDS: usize = 100;
/// The longest span of a report, lines of the journal in it, and distinct networks, paths and browsers of which it adds up samples.
pub const REPORT_LONGEST: Duration = Duration::from_secs(14 * 86_400);
pub const REPORT_LINES: usize = 1000;
pub const REPORT_NETWORKS: usize = 65_536;
/// Lines of changes of the rules that a report shows, and that it holds of one version.
pub const REPORT_CHANGES: usize = 200;
pub const REPORT_CHANGES_KEPT: usize = 2000;
/// An incident's span begins so long before the posture rose; minutes with a raised posture that lie so near belong to it; and
/// citizens count as spared again after so much calm.
pub const REPORT_LEAD: Duration = Duration::from_secs(900);
pub const REPORT_NEAR: Duration = Duration::from_secs(1800);
pub const REPORT_CALM: Duration = Duration::from_secs(300);
/// A minute with fewer of citizens' requests is the worst only where no minute has so many: of one request that had to wait
/// nothing follows.
pub const REPORT_WORST: u64 = 10;
/// Where it is not known how much is usual, minutes with such a part of the peak's requests are told as the rush.
pub const REPORT_RUSH: u64 = 4;
/// Networks that a report names beside the indicators; and the least hundredths of the sample for a path to stand in the summary.
pub const REPORT_OTHERS: usize = 10;
pub const REPORT_MUCH: u64 = 10;
/// Days for which it is kept what minutes were made of in which a posture had risen, and bytes of a day: three thousand minutes.
pub const SEEN_DAYS: u64 = 90;
pub const SEEN_BYTES: u64 = 16 * 1024 * 1024;
/// Of one minute: networks, and of paths and browsers each; characters of a name; and how often the sample must hold a path
/// or a browser for it to be kept: what one person alone asked for is nobody's business.
pub const SEEN_NETWORKS: usize = 30;
pub const SEEN_NAMES: usize = 10;
pub const SEEN_NAME_CHARS: usize = 120;
pub const SEEN_LEAST: u64 = 3;
/// A network is an indicator where the sample held so many of its requests and they stand for so many that were sent away: below it
/// lies a household that was checked twice. And for how long it is one: an address is soon somebody else's.
pub const INDICATOR_SAMPLE: u64 = 5;
pub const INDICATOR_SENT_AWAY: u64 = 60;
pub const INDICATOR_LASTS: Duration = Duration::from_secs(30 * 86_400);
/// Days for which it is kept how citizens were served, and bytes of totals that one look reads to add them up: some 10 ms.
pub const UPTIME_DAYS: usize = 90;
pub const UPTIME_READ: u64 = 1024 * 1024;
/// How often pages are made anew for the day that is under way, and how often what was added up is written down.
pub const UPTIME_TOLD: Duration = Duration::from_secs(300);
pub const UPTIME_KEPT: Duration = Duration::from_secs(3600);
/// Days that the status page shows.
pub const UPTIME_SHOWN: usize = 7;
/// For how long security.txt is good from the day on which it is asked for: RFC 9116 wants less than a year, and that it is looked
/// after. It comes from settings that boma has just read.
pub const SECURITY_LASTS: Duration = Duration::from_secs(30 * 86_400);
