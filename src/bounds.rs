//! Every hard bound, by name, with the reason for its value. What an operator may change is in `boma.toml`
//! instead; what stands here nobody should need to.
//!
//! Does not know: everything else.

use std::time::Duration;

/// Fields in one request head that `[caps] fields` may ask for: room for them lies on the stack while parsing.
pub const HEAD_FIELDS_MOST: usize = 256;
/// Bytes and fields of an origin's head. Origins are not attackers, but a broken one must not fill the memory.
pub const ORIGIN_HEAD_BYTES: usize = 64 * 1024;
pub const ORIGIN_HEAD_FIELDS: usize = 200;
/// Informational answers that an origin may send before the real one.
pub const INFORMATIONAL: u32 = 16;
/// Bytes of the line before a chunk, and of all chunk extensions of one body: nobody uses them, attackers do.
pub const CHUNK_LINE_BYTES: usize = 4096;
pub const CHUNK_EXTENSION_BYTES: usize = 16 * 1024;
/// Bytes and fields of a trailer section.
pub const TRAILER_BYTES: usize = 8 * 1024;
pub const TRAILER_FIELDS: usize = 32;
/// Flow-control window of one HTTP/2 stream (Envoy's edge guide).
pub const H2_STREAM_WINDOW: u32 = 64 * 1024;
/// Flow-control window of one HTTP/2 connection (Envoy's edge guide).
pub const H2_CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Windows towards an origin: its answers are wanted as fast as they come, and a slow reader pins one stream's.
pub const H2_ORIGIN_WINDOW: u32 = 64 * 1024;
pub const H2_ORIGIN_CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// Connections to one HTTP/2 origin that a worker opens when all streams of the others are taken.
pub const H2_ORIGIN_CONNECTIONS: usize = 8;
/// How long a client that has closed its half of the connection may wait for an answer. It cannot be told from one
/// that has left, and a permit that nobody waits for is lost to others.
pub const HALF_CLOSED: Duration = Duration::from_secs(5);
/// After an answer to a request whose body was not read: how long and how much is read and thrown away, so that the
/// answer is not lost in a reset (RFC 9112 section 9.6).
pub const LINGER: Duration = Duration::from_secs(3);
pub const LINGER_BYTES: usize = 4 * 1024 * 1024;
/// How much of an upload of known length is gathered before it takes a permit and an origin's connection: most forms
/// whole, so that one sent byte by byte keeps nobody else out. 16 KiB for each connection in the worst case.
pub const GATHERED_BYTES: usize = 16 * 1024;
/// Bytes of a PROXY protocol header: version 2 with every TLV that balancers send.
pub const PROXY_HEADER_BYTES: usize = 4096;
/// How slowly a transfer may go is judged over this span, so that a phone's dead spots do not count against it.
pub const RATE_WINDOW: Duration = Duration::from_secs(60);
/// Where permits run short, a transfer that waits on its client may stand still this long: more than the dead spots
/// of 20 s that phones have on the road.
pub const STILL_UNDER_PRESSURE: Duration = Duration::from_secs(25);
/// Of a portal's permits slow clients may keep one in this many: the others stay for who takes what it asked for.
pub const SLOW_SHARE: u32 = 2;
/// A transfer that has waited on its client for this long is slow: more than a mobile round trip.
pub const SLOW_AFTER: Duration = Duration::from_secs(1);
/// While others wait for a permit it is slow after this long, so that half of the usual 256 permits let a thousand
/// newcomers a second in.
pub const SLOW_AFTER_WANTED: Duration = Duration::from_millis(75);
/// How long a request waits for a permit where all are given out: as long as it takes to see who is slow, a few times
/// over. How often the first in line looks, and how many of one worker wait at one gate: about as many as come in within
/// that time where half of 256 permits change hands every 90 ms; some 8 KiB each.
pub const PERMIT_WAIT: Duration = Duration::from_secs(5);
pub const PERMIT_LOOK: Duration = Duration::from_millis(15);
pub const PERMIT_WAITERS: usize = 4096;
/// A pass waits this many turns less than a new address does, and how many passes and addresses a line remembers.
pub const PASS_LEAD: u64 = 8;
pub const PERMIT_FLOWS: usize = 4 * PERMIT_WAITERS;
/// How often deadlines and caps are looked at: one look over all connections instead of a timer for each.
pub const SWEEP: Duration = Duration::from_millis(200);
/// A connection younger than this is not evicted for want of a head: its bytes may be on the way.
pub const EVICT_AGE: Duration = Duration::from_secs(1);
/// When the house is full, one connection in this many makes room at once, so that looking for them pays.
pub const EVICT_SHARE: usize = 64;
/// Connections that each live pass of the last hour adds to its address's cap: browsers open six.
pub const CONNECTIONS_PER_PASS: usize = 8;
/// Passes remembered for that, in two generations of half an hour; 16 bytes each.
pub const PASSES_SEEN: usize = 500_000;
pub const PASSES_GENERATION: Duration = Duration::from_secs(30 * 60);
/// Descriptors kept for everything that is no client: origins, files, the staff door.
pub const DESCRIPTORS_KEPT: usize = 2048;
/// HTTP/2 frames that do no work and that each request earns its connection, and the span over which they count.
pub const H2_FRAMES_PER_REQUEST: u32 = 16;
/// Streams of one connection remembered as such on which the client may go on: more than it may have open at once.
pub const H2_SENDING: usize = 256;
pub const H2_FRAME_WINDOW: Duration = Duration::from_secs(10);
/// Retries that an origin's portal may make at once, and what each request adds to that: one in five.
pub const RETRY_BURST: u32 = 10;
pub const RETRY_SHARE: u32 = 5;
/// Failures in a row after which an origin is left out, for how long at first and at most, and how long it takes to
/// get its full share back.
pub const EJECT_AFTER: u32 = 5;
pub const EJECT_FIRST: Duration = Duration::from_secs(5);
pub const EJECT_LONGEST: Duration = Duration::from_secs(60);
pub const RETURN_OVER: Duration = Duration::from_secs(20);
/// How often an origin's health is asked, and how long its answer may take.
pub const HEALTH_EVERY: Duration = Duration::from_secs(2);
pub const HEALTH_DEADLINE: Duration = Duration::from_secs(2);
/// How often a full origin is looked at again by a request that waits for a connection.
pub const ORIGIN_WAIT: Duration = Duration::from_millis(10);
/// How long the process that takes over may take until it serves.
pub const TAKEOVER_DEADLINE: Duration = Duration::from_secs(30);
/// How long boma pauses accepting after the system refused a socket (out of descriptors), rather than spin.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Waiting connections per listening socket; the kernel caps it at `net.core.somaxconn`.
pub const BACKLOG: i32 = 4096;
/// Bytes of a configuration file. Ten thousand rules are under 2 MiB.
pub const FILE_BYTES: u64 = 16 * 1024 * 1024;
/// Faults of one file that are told one by one, and bytes of what is said of each.
pub const FAULTS: usize = 200;
pub const FAULT_BYTES: usize = 1000;
/// Expressions (`re:`) in one file: each is compiled by itself before all are compiled together.
pub const EXPRESSIONS: usize = 1000;
/// Rules and limits in one file: more than this is a list that wants to be a `[[list]]`.
pub const RULES: usize = 10_000;
/// Compiled size of one pattern and of all patterns of one field.
pub const PATTERN_BYTES: usize = 1024 * 1024;
pub const PATTERNS_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of a header value that a `header:NAME` limit takes as a key; longer ones count on the client's prefix.
pub const LIMIT_KEY_BYTES: usize = 1024;
/// In-flight requests per portal towards its origins until the adaptive limit is built.
pub const IN_FLIGHT_DEFAULT: u32 = 256;
/// Idle origin connections that one worker keeps per origin, and for how long. nginx closes idle ones after
/// 75 s, many Java servers after 20 s: leave before they do.
pub const ORIGIN_IDLE: usize = 64;
pub const ORIGIN_IDLE_FOR: Duration = Duration::from_secs(15);
/// How old an origin's connection may be that carries another request: for that long a name that leads elsewhere may go
/// unheard. A new one each minute costs nothing that could be measured.
pub const ORIGIN_AGE: Duration = Duration::from_secs(60);
/// How long an origin name's addresses are used before they are asked for again.
pub const RESOLVE_FRESH: Duration = Duration::from_secs(30);
/// How long one look-up of an origin's name may take.
pub const RESOLVE_DEADLINE: Duration = Duration::from_secs(5);
/// Bytes of one snapshot, of all snapshots in memory, and how many one portal keeps.
pub const SNAPSHOT_BYTES: usize = 2 * 1024 * 1024;
pub const SNAPSHOTS_BYTES: usize = 128 * 1024 * 1024;
pub const SNAPSHOTS_PER_PORTAL: usize = 5_000;
/// How long boma's own fetch of one page may take in all.
pub const OWN_FETCH_DEADLINE: Duration = Duration::from_secs(30);
/// Bytes of a body that boma itself reads from a citizen (a challenge's solution).
pub const OWN_BODY_BYTES: usize = 16 * 1024;
/// Bytes of a body that the staff door reads (a rules file).
pub const ADMIN_BODY_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of a request's head at the staff door, and how long it may take.
pub const ADMIN_HEAD_BYTES: usize = 32 * 1024;
pub const ADMIN_HEAD_DEADLINE: Duration = Duration::from_secs(30);
/// Connections that the staff door holds at once.
pub const ADMIN_CONNECTIONS: usize = 256;
/// How long a challenge may be worked on before it is void. A slow phone may sleep in between.
pub const CHALLENGE_LIFE: Duration = Duration::from_secs(30 * 60);
/// Access-log lines waiting for the writer, in batches of up to [`LOG_BATCH_BYTES`]: beyond it lines are dropped
/// and counted, never waited for.
pub const LOG_BATCHES: usize = 256;
pub const LOG_BATCH_BYTES: usize = 32 * 1024;
pub const LOG_FLUSH: Duration = Duration::from_millis(200);
/// Jobs waiting for the store's writer thread.
pub const STORE_JOBS: usize = 1024;
/// How often the files are hashed although no event came (NFS and bind mounts send none), and how long a file
/// must stay the same before it is believed to be whole.
pub const WATCH_POLL: Duration = Duration::from_millis(400);
pub const WATCH_SETTLE: Duration = Duration::from_millis(200);
/// The longest that a posture may be pinned, and the longest text of a reason.
pub const PIN_LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
pub const REASON_BYTES: usize = 500;
/// Past changes that `status` shows.
pub const HISTORY: usize = 50;
/// How far back drafts of rules are tried, and how many requests of a second are kept for it, of those with a pass and of
/// those without; of each at most so many bytes of fields: 19,200 requests and some 25 MB at most.
pub const RECENT: Duration = Duration::from_secs(600);
pub const RECENT_PER_SECOND: usize = 16;
pub const RECENT_FIELD_BYTES: usize = 768;
/// A pass as old as this is a citizen's, not one made for an attack that has just begun.
pub const SETTLED: Duration = Duration::from_secs(600);
/// How many of those, and how many hundredths, a draft may hit before it must be forced.
pub const HARM_LEAST: u64 = 20;
pub const HARM_SHARE: f64 = 5.0;
/// Paths that are remembered as known, eight bytes each, and for how long.
pub const KNOWN_PATHS: usize = 262_144;
pub const KNOWN_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
/// Between two times that limits and known paths are kept, beside the end of the process.
pub const KEEP_EVERY: Duration = Duration::from_secs(60);
/// Buckets up to which that is done in between: more take too long for it.
pub const KEEP_BUCKETS: u64 = 200_000;
/// The largest file of what is kept so.
pub const KEPT_BYTES: u64 = 1024 * 1024 * 1024;
/// The largest MMDB file: the largest on the market have half of that.
pub const PLACES_BYTES: u64 = 512 * 1024 * 1024;
/// Seconds of a minute with a strike that ban: "again and again".
pub const BAN_STRIKES: u32 = 10;
/// The longest ban that nobody laid by hand.
pub const BAN_LONGEST: Duration = Duration::from_secs(24 * 3600);
/// The longest by hand: what is to stay longer is a rule.
pub const BAN_BY_HAND_LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long after its end a ban makes the next one longer, and how long a prefix that did wrong once is watched.
pub const BAN_MEMORY: Duration = Duration::from_secs(24 * 3600);
pub const BAN_WATCH: Duration = Duration::from_secs(3600);
/// Prefixes watched or banned at once, some 128 bytes each; a few thousand bans by hand besides.
pub const BANS: usize = 131_072;
pub const BANS_BY_HAND: usize = 2048;
/// How long a measure lasts where nobody says, and at most: longer is a rule, and belongs into the file.
pub const MEASURE_STANDARD: Duration = Duration::from_secs(4 * 3600);
pub const MEASURE_LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long before its end a measure says so.
pub const MEASURE_WARNING: Duration = Duration::from_secs(15 * 60);
/// Measures at once: more than staff can keep in mind.
pub const MEASURES: usize = 200;
/// Versions of the rules that are kept.
pub const VERSIONS: usize = 100;
/// The longest line of the journal: a name, a reason and a first fault fit many times over.
pub const JOURNAL_LINE_BYTES: u64 = 64 * 1024;
/// Distinct ones that are counted exactly, and of each limit; beyond, the count is wrong by some 0.4 and 3 hundredths.
pub const DISTINCT: usize = 65_536;
pub const DISTINCT_OF_LIMIT: usize = 1024;
/// Names that are counted for a list of the most frequent, and of each limit, and bytes of a name. With so many no count
/// of a replay is too low by more than a sixteen-thousandth of all requests, and a list takes 13 MiB at most.
pub const FREQUENT: usize = 16_384;
pub const FREQUENT_OF_LIMIT: usize = 1024;
pub const FREQUENT_NAME_BYTES: usize = 256;
/// The longest line of an access log that is read back: heads are smaller (`[caps] head`), and escapes take four bytes for one.
pub const REPLAY_LINE_BYTES: usize = 256 * 1024;
/// How much of an access log is looked at to see what it holds.
pub const REPLAY_SAMPLE_BYTES: u64 = 1024 * 1024;
/// A line is late where it lies before the newest: boma writes it when the answer is over. So many in a row that are later
/// than this are another log's, or of a clock that was set right.
pub const REPLAY_LATE: Duration = Duration::from_secs(600);
pub const REPLAY_LATE_IN_A_ROW: u32 = 1000;
/// Requests that are under way at once in a replay, for limits on that: more than any house holds.
pub const REPLAY_UNDER_WAY: usize = 262_144;
