//! Every hard bound, by name, with the reason for its value. What an operator may change is in `boma.toml`
//! instead; what stands here nobody should need to.
//!
//! Does not know: everything else.

mod copied;
mod habit;
mod kept;
mod known;
mod reported;
mod stored;
mod told;
mod waiting;

use std::time::Duration;

pub use copied::*;
pub use habit::*;
pub use kept::*;
pub use known::*;
pub use reported::*;
pub use stored::*;
pub use told::*;
pub use waiting::*;

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
/// over. How often the first in line looks, and how many of one class wait at one gate: about as many as come in within
/// that time where half of 256 permits change hands every 90 ms; some 8 KiB each.
pub const PERMIT_WAIT: Duration = Duration::from_secs(5);
pub const PERMIT_LOOK: Duration = Duration::from_millis(15);
pub const PERMIT_WAITERS: usize = 4096;
/// One worker alone may have a line of one in so many of those.
pub const LINE_OF_A_WORKER: usize = 16;
/// How many passes and addresses a line remembers.
pub const PERMIT_FLOWS: usize = 4 * PERMIT_WAITERS;
/// A line that has not been empty for so many sweeps stands: then half as many wait as are inside, these at least, and
/// nobody longer than that. A longer one gets nobody in who would not get in, and makes all wait.
pub const STANDING_BEATS: u32 = 5;
pub const STANDING_WAITERS: u32 = 8;
pub const STANDING_PATIENCE: Duration = Duration::from_secs(2);
/// How long an answer may still come that had begun when a posture began to keep requests from its origin: as long as a large form or
/// a film's piece takes a phone. What has no end of its own, as streams of events, ends at once.
pub const BARRED_ANSWER_ENDS: Duration = Duration::from_secs(2 * 60);
/// How long a request waits for a trial of an origin that fails.
pub const FAILING_PATIENCE: Duration = Duration::from_millis(500);
/// Over which time a gate's rates are averaged.
pub const RATE_MEMORY: Duration = Duration::from_secs(5);
/// How long the most of them fades: an attack that is noticed within a minute should not make a better time forgotten.
pub const SUSTAINED_MEMORY: Duration = Duration::from_secs(300);
/// How often deadlines and caps are looked at: one look over all connections instead of a timer for each.
pub const SWEEP: Duration = Duration::from_millis(200);
/// Between requests a connection is kept this long where the machine is strained: as long as one reader takes for one page.
pub const STRAINED_IDLE: Duration = Duration::from_secs(5);
/// Readings, one a second, that raise a strain where a busy second is no sign, and that ease it by a step.
pub const STRAIN_UP: u8 = 3;
pub const STRAIN_DOWN: u8 = 5;
/// A connection younger than this is not evicted for want of a head: its bytes may be on the way.
pub const EVICT_AGE: Duration = Duration::from_secs(1);
/// When the house is full, one connection in this many makes room at once, so that looking for them pays.
pub const EVICT_SHARE: usize = 64;
/// Connections that each live pass of the last hour adds to its address's cap: browsers open six.
pub const CONNECTIONS_PER_PASS: usize = 8;
/// Passes remembered for that, in two generations of half an hour; 16 bytes each, and 70 where each has an address of its own.
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
/// Requests over which failures are counted: half of them open its circuit too, from a quarter of so many on. And how many
/// may try it at once while that is open, and must be answered in a row to close it.
pub const BREAKER_WINDOW: u32 = 100;
pub const TRIALS: u32 = 3;
/// How long an answer to a trial is waited for.
pub const TRIAL_DEADLINE: Duration = Duration::from_secs(10);
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
/// Bytes of a configuration file, a list's among them.
pub const FILE_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes of a text of TOML: ten thousand rules are under 2 MiB. How many tables, keys and values it may have, of which each
/// may take a kilobyte or 150 bytes while it is read; and up to which size they are not counted.
pub const TOML_BYTES: usize = 4 * 1024 * 1024;
pub const TOML_TABLES: usize = 200_000;
pub const TOML_VALUES: usize = 1_000_000;
pub const TOML_UNCOUNTED: usize = 256 * 1024;
/// Beyond this size only the first fault of syntax is told: each may take as many bytes again as a line.
pub const SYNTAX_BYTES: usize = 1024 * 1024;
/// Faults of one file that are told, and characters of each: more than anybody mends at once.
pub const FAULTS: usize = 300;
pub const FAULT_CHARACTERS: usize = 1000;
/// Rules and limits in one file: more than this is a list that wants to be a `[[list]]`.
pub const RULES: usize = 10_000;
/// Lists, networks in them, and bytes of their files: the lists on the market have half a million lines at most. A network
/// takes some 30 bytes in force.
pub const LISTS: usize = 1000;
pub const NETWORKS: usize = 1_000_000;
pub const LISTS_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of one pattern: no path and no field that a browser sends is longer.
pub const PATTERN_BYTES: usize = 8 * 1024;
/// What one expression and all of a file may weigh, in parts of some 64 bytes and half a microsecond to build; and the
/// same in bytes, for what builds them. A request that is made for it may cost a few microseconds for each part.
pub const EXPRESSION_WEIGHT: u64 = 16 * 1024;
pub const EXPRESSIONS_WEIGHT: u64 = 64 * 1024;
pub const EXPRESSIONS_BYTES: usize = 16 * 1024 * 1024;
/// Bytes in which a worker remembers how far the expressions of one field had come; without enough it begins anew
/// again and again.
pub const EXPRESSIONS_CACHE: usize = 8 * 1024 * 1024;
/// Bytes that expressions may have together for a table of their own, and what that may weigh, done and while it is made: the
/// few plain ones that a file begins with. More, and the table would leave the processor's nearest cache.
pub const TABLED_EXPRESSIONS: usize = 256;
pub const EXPRESSION_TABLE: usize = 64 * 1024;
/// Patterns of one field that have a star before their end, or are expressions: what looks for their words takes
/// the square of the time to be built.
pub const WORDS: usize = 10_000;
/// Header fields, cookies and parameters that rules ask for by name.
pub const NAMED_FIELDS: usize = 1000;
/// Bytes of a header value that a `header:NAME` limit takes as a key; longer ones count on the client's prefix.
pub const LIMIT_KEY_BYTES: usize = 1024;
/// Requests of a portal that may be with its origins at once, where boma finds that out: at first, at least, and at most.
/// Portals have some dozens of processes; and even one of two is kept busy by three.
pub const LIMIT_FIRST: u32 = 100;
pub const LIMIT_LEAST: u32 = 3;
pub const LIMIT_MOST: u32 = 2000;
/// Idle origin connections that one worker keeps per origin, and for how long: as many as a few clients of HTTP/2 have
/// streams, or each burst of theirs would make its connections anew. nginx closes idle ones after 75 s, many Java servers
/// after 20 s: leave before they do.
pub const ORIGIN_IDLE: usize = 256;
pub const ORIGIN_IDLE_FOR: Duration = Duration::from_secs(15);
/// Who has been idle for less is not looked at once more before a request that may be sent twice: origins close what has idled
/// for seconds, and the look costs such a request a system call of five.
pub const ORIGIN_LOOK_AFTER: Duration = Duration::from_secs(1);
/// How old an origin's connection may be that carries another request: for that long a name that leads elsewhere may go
/// unheard. A new one each minute costs nothing that could be measured.
pub const ORIGIN_AGE: Duration = Duration::from_secs(60);
/// How long an origin name's addresses are used before they are asked for again.
pub const RESOLVE_FRESH: Duration = Duration::from_secs(30);
/// How long one look-up of an origin's name may take.
pub const RESOLVE_DEADLINE: Duration = Duration::from_secs(5);
/// How long boma's own fetch of one page may take in all.
pub const OWN_FETCH_DEADLINE: Duration = Duration::from_secs(30);
/// Bytes of a body that boma itself reads from a citizen (a challenge's solution).
pub const OWN_BODY_BYTES: usize = 16 * 1024;
/// Bytes of a body that the staff door reads (a rules file).
pub const ADMIN_BODY_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of a TLS client's first message that are read for its fingerprint: post-quantum keys make it two or three thousand.
pub const HELLO_BYTES: usize = 16 * 1024;
/// Pieces in which it may come and still be read for it: each is read anew from the beginning.
pub const HELLO_READS: usize = 64;
/// Bytes of a request's head at the staff door, and how long it may take.
pub const ADMIN_HEAD_BYTES: usize = 32 * 1024;
pub const ADMIN_HEAD_DEADLINE: Duration = Duration::from_secs(30);
/// Connections that the staff door holds at once, how many of these places only addresses in the list `staff` get, and how
/// long a connection may be on which no byte moves: four beats of an event stream.
pub const ADMIN_CONNECTIONS: usize = 256;
pub const ADMIN_STAFF_PLACES: usize = 64;
pub const ADMIN_STILL: Duration = Duration::from_secs(60);
/// How often the staff door looks for connections that stand still.
pub const ADMIN_SWEEP: Duration = Duration::from_secs(5);
/// Wrong tokens that one address may send at once, and how long until one more is allowed: nobody mistypes more often.
/// Bytes of the table that counts them, for some thousands of addresses.
pub const WRONG_TOKENS: u32 = 10;
pub const WRONG_TOKEN_EVERY: Duration = Duration::from_secs(6);
pub const WRONG_TOKENS_BYTES: u64 = 256 * 1024;
/// From this length on nobody guesses a token, and it is looked at even where its address has sent too many wrong ones:
/// one script with an old token must not shut out all who share its address.
pub const UNGUESSABLE: usize = 32;
/// Tokens in the staff's file, and the longest that one holds where it has an end.
pub const TOKENS: usize = 500;
pub const TOKEN_LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);
/// Events that are kept for listeners that were away or are slow, a few KiB each at most, and how many listen at once.
pub const EVENTS: usize = 1024;
pub const EVENT_LISTENERS: usize = 64;
/// Between two signs of life on an event stream: balancers cut what is silent for a minute.
pub const EVENT_BEAT: Duration = Duration::from_secs(15);
/// Events that are sent at once, and bans by themselves that one event names.
pub const EVENT_BATCH: usize = 64;
pub const EVENT_BANS: usize = 3;
/// How long a challenge may be worked on before it is void. A slow phone may sleep in between.
pub const CHALLENGE_LIFE: Duration = Duration::from_secs(30 * 60);
/// How long a form that is sealed into a page goes on by itself once the check is done, and for how long it is kept at all:
/// in between, and wherever it cannot be known whether it was sent already, the citizen is asked to press Send. Kept for a
/// day: a portal may be closed from one office hour to the next, and it is the page that keeps it, not boma. Longer no
/// origin's session lasts, and an old paper should not be found in a tab and sent by chance.
pub const FORM_LIFE: Duration = Duration::from_secs(10 * 60);
pub const FORM_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Bytes of what is sealed beside a form's body: address, cookies and a dozen fields. More than origins take as a head.
pub const FORM_HEAD_BYTES: usize = 16 * 1024;
/// Bytes of forms that are held at once, from the first that is read until the page or the form has gone out, and how often
/// a form's length that is: itself, its sealed text and the page around that.
pub const FORMS_BYTES: usize = 64 * 1024 * 1024;
pub const FORM_WEIGHT: usize = 3;
/// How long a form may take to come in: one of 64 KiB at 2 kB/s, and a dead spot.
pub const FORM_DEADLINE: Duration = Duration::from_secs(60);
/// Forms of ten minutes that are remembered as sent on, some 20 bytes each, twice over: 200 every second; and as many again of
/// those whose citizens were asked.
pub const FORMS_SPENT: usize = 131_072;
/// How long one key seals challenges: whoever learns a key learns minutes.
pub const CHALLENGE_EPOCH: Duration = Duration::from_secs(600);
/// After its end a pass still carries background requests and forms that were opened before; and in an attack one that is
/// older carries them without proof for as long.
pub const PASS_GRACE: Duration = Duration::from_secs(3600);
/// How long a pass takes to earn the whole of its budget: a page's parts soon come through, and passes that are made and
/// thrown away never get there.
pub const PASS_EARNS: Duration = Duration::from_secs(300);
/// Passes that get a budget of their own: so many at once for one prefix, and one more in so long; of the network around it
/// four times that. Thousands may share a mobile operator's address; beyond, passes of a prefix share one budget.
pub const MINTED: u32 = 120;
pub const MINTED_EVERY: Duration = Duration::from_millis(500);
pub const MINTED_OF_NETWORK: u32 = 4;
/// Quiet passes likewise, and where a gate is crowded first pages of people without a pass.
pub const QUIET: u32 = 120;
pub const QUIET_EVERY: Duration = Duration::from_secs(1);
/// Bytes of a User-Agent that tell browsers apart.
pub const AGENT_BYTES: usize = 256;
/// Access-log lines waiting for the writer, in batches of up to [`LOG_BATCH_BYTES`]: beyond it lines are dropped
/// and counted, never waited for.
pub const LOG_BATCHES: usize = 256;
pub const LOG_BATCH_BYTES: usize = 32 * 1024;
pub const LOG_FLUSH: Duration = Duration::from_millis(200);
/// How often the files are hashed although no event came (NFS and bind mounts send none), and how long a file
/// must stay the same before it is believed to be whole.
pub const WATCH_POLL: Duration = Duration::from_millis(400);
pub const WATCH_SETTLE: Duration = Duration::from_millis(200);
/// The longest that a posture may be pinned, and the longest text of a reason.
pub const PIN_LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
pub const REASON_BYTES: usize = 500;
/// How far threads that work for staff step aside: a tenth of a core is theirs however busy workers are, so that large
/// rules are in force within a second all the same.
pub const STAFF_NICE: i32 = 10;
/// How long such work goes on before it sleeps for a moment: the system lets whoever runs go on for most of a millisecond,
/// however urgent what wakes meanwhile, and a request takes as long as that.
pub const STAFF_PIECE: Duration = Duration::from_micros(200);
pub const STAFF_BREATH: Duration = Duration::from_micros(50);
/// Past changes that `status` shows.
pub const HISTORY: usize = 50;
/// How far back drafts of rules are tried, and how many requests of a second are kept for it, of those with a pass and of
/// those without; of each at most so many bytes of fields: 19,200 requests and some 25 MB at most.
pub const RECENT: Duration = Duration::from_secs(600);
pub const RECENT_PER_SECOND: usize = 16;
pub const RECENT_FIELD_BYTES: usize = 768;
/// A pass that was this old when the attack began is a citizen's: floods are noticed within a minute, and bots are armed
/// shortly before.
pub const SETTLED: Duration = Duration::from_secs(600);
/// One as old as this is, whenever the attack began.
pub const SETTLED_ANYWAY: Duration = Duration::from_secs(24 * 3600);
/// Settled passes that previews count of one prefix: a few would do to see harm, and one who has prepared thousands behind
/// one address is not thousands.
pub const SETTLED_PER_PREFIX: usize = 64;
/// Passes that exceeded their budget, and that an origin vouched for: how many are remembered, eight bytes each, and how long.
pub const OVER_BUDGET: usize = 65_536;
pub const OVER_BUDGET_FOR: Duration = Duration::from_secs(3600);
pub const VOUCHED: usize = 262_144;
/// Passes that one session vouches for: of several devices and of one that was lost.
pub const PASSES_PER_SESSION: u32 = 4;
pub const VOUCHED_FOR: Duration = Duration::from_secs(12 * 3600);
/// Passes of one minute that are a mass: so many at least, and so many times the median minute of so long.
pub const MASS_LEAST: u32 = 20;
/// Passes of one prefix that count in one minute: a crowd behind one address is none by itself.
pub const MASS_PER_PREFIX: u32 = 8;
/// Passes that are remembered as made, and the prefixes that they were made for: as long as a solution can be sent again.
pub const PASSES_MADE: usize = 131_072;
pub const PASSES_MADE_FOR: Duration = Duration::from_secs(3600);
pub const MASS_TIMES: u32 = 4;
/// Where fewer minutes than this are known: so many passes.
pub const MASS_HISTORY: usize = 60;
pub const MASS_UNKNOWN: u32 = 600;
pub const MASS_MEMORY: Duration = Duration::from_secs(24 * 3600);
/// How many of those, and how many hundredths of a portal's, a draft may hit before it must be forced; and of how many prefixes
/// they must be for a measure in force to be taken back: nobody alone does that.
pub const HARM_PREFIXES: usize = 5;
pub const HARM_LEAST: u64 = 20;
pub const HARM_SHARE: f64 = 5.0;
/// Between two looks at what a measure in force has done, one measure a time: a look costs a tenth of a second at most.
pub const HARM_EVERY: Duration = Duration::from_secs(5);
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
/// One part in so many of `[client] memory` is for prefixes that are watched or banned: 57,344 of them at 64 MiB. One in so
/// many is for paths, passes and sessions that are known, as far as they need it; the rest is limits' buckets.
pub const BANS_SHARE: u64 = 5;
pub const KNOWN_SHARE: u64 = 8;
/// Bans by hand.
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
