//! Every hard bound, by name, with the reason for its value. What an operator may change is in `boma.toml`
//! instead; what stands here nobody should need to.
//!
//! Does not know: everything else.

use std::time::Duration;

/// Bytes of one request head. Large enough for the cookie jars that old portals grow, small enough that
/// 10,000 half-sent heads stay under half a GiB.
pub const HEAD_BYTES: usize = 32 * 1024;
/// Fields in one request head; hyper's own default, which no browser comes near.
pub const HEAD_FIELDS: usize = 100;
/// Streams per HTTP/2 connection, as Envoy's guide for edge proxies has it.
pub const H2_STREAMS: u32 = 100;
/// Flow-control window of one HTTP/2 stream (Envoy's edge guide).
pub const H2_STREAM_WINDOW: u32 = 64 * 1024;
/// Flow-control window of one HTTP/2 connection (Envoy's edge guide).
pub const H2_CONNECTION_WINDOW: u32 = 1024 * 1024;
/// How long a client may take over a request head, and how long an idle kept-alive connection is held: hyper
/// uses one timer for both.
pub const HEAD_DEADLINE: Duration = Duration::from_secs(30);
/// A TLS handshake on a bad mobile link takes seconds; one that takes longer is a slow attack.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(15);
/// No byte of a body for this long, in either direction: the transfer is dead.
pub const BODY_IDLE: Duration = Duration::from_secs(60);
/// Connections held per worker. Each holds a descriptor; the unit file allows a million, this keeps memory in
/// hand until the per-address caps come.
pub const CONNECTIONS_PER_WORKER: usize = 20_000;
/// How long boma pauses accepting after the system refused a socket (out of descriptors), rather than spin.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Waiting connections per listening socket; the kernel caps it at `net.core.somaxconn`.
pub const BACKLOG: i32 = 4096;
/// Bytes of a configuration file. Ten thousand rules are under 2 MiB.
pub const FILE_BYTES: u64 = 16 * 1024 * 1024;
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
