//! `boma.toml` as plain data: where things are. [`read`] names every fault at once; what it gives needs no further
//! checking, only acting upon.
//!
//! Does not know: sockets, certificates' insides, what any room does with its settings.

mod bots;
mod contacts;
mod looks;
mod parts;
mod portal;
mod routes;
mod server;
mod svg;
mod wire;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use crate::bot::Bot;
use crate::fault::{self, Read};
use crate::portal::Portal;

/// The whole file.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub server: Server,
    pub listen: Vec<Listen>,
    pub certificates: Vec<Certificate>,
    pub client: ClientSettings,
    pub admin: Admin,
    pub cache: Cache,
    pub challenge: Challenge,
    pub log: Log,
    pub deadlines: Deadlines,
    pub caps: Caps,
    pub bots: Vec<Bot>,
    pub portals: Vec<Portal>,
}

/// `[server]`
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// `None`: one per core.
    pub workers: Option<usize>,
    pub state_dir: PathBuf,
    /// Whether the file names the state directory; only then does it beat `$STATE_DIRECTORY`.
    pub state_dir_given: bool,
    pub rules: PathBuf,
    /// The folder of operators' files of languages.
    pub languages: Option<PathBuf>,
    /// A file that replaces the built-in table of postures as a whole.
    pub postures: Option<PathBuf>,
    pub drain: Duration,
    pub secret: Option<PathBuf>,
    /// Name servers by which bots are verified; none: the system's.
    pub resolvers: Vec<SocketAddr>,
    /// Bytes that the process should keep to; `None`: nine tenths of what its control group or the machine has.
    pub memory: Option<u64>,
    /// Bytes a second that the line to clients carries, where that is known.
    pub egress: Option<u64>,
}

/// `[[listen]]`
#[derive(Clone, Debug, PartialEq)]
pub struct Listen {
    pub address: SocketAddr,
    pub tls: bool,
    /// HTTP/2 by prior knowledge without TLS, beside HTTP/1.1.
    pub h2c: bool,
    pub redirect_https: bool,
    /// Every connection begins with a PROXY protocol header, version 1 or 2.
    pub proxy_protocol: bool,
}

/// `[deadlines]`: how long boma waits for whom. Where nothing moves (`upload`, `download`, `tunnel`, `origin_body`) the
/// end comes after one to two times as long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deadlines {
    /// From the connection to its first byte.
    pub first_byte: Duration,
    pub handshake: Duration,
    /// From a head's first byte to its last.
    pub head: Duration,
    /// A kept-alive connection without a request; HTTP/2 too.
    pub idle: Duration,
    /// No byte of an upload.
    pub upload: Duration,
    /// No byte of an answer taken by the client.
    pub download: Duration,
    /// A request that neither moves a body nor is answered.
    pub total: Duration,
    /// No byte either way after an upgrade; no event of a stream of events, no message of a gRPC call.
    pub tunnel: Duration,
    /// No byte of an origin's body.
    pub origin_body: Duration,
    /// Bytes per second that a transfer must keep up where its address or the house is crowded.
    pub least_rate: u64,
}

/// `[caps]`: how much of everything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Caps {
    pub connections: usize,
    pub per_address: usize,
    /// Beyond this many connections an address counts as crowded.
    pub crowded: usize,
    pub streams: u32,
    pub head: usize,
    pub fields: usize,
    /// HTTP/2 frames of one connection: those that continue one head; in ten seconds, those that do no work (more for
    /// each request) and requests taken back.
    pub h2_continuations: u32,
    pub h2_idle_frames: u32,
    pub h2_resets: u32,
    /// To one origin, of all workers together.
    pub origin_connections: u32,
}

/// `[[certificate]]`
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    pub chain: PathBuf,
    pub key: PathBuf,
}

/// `[client]`
#[derive(Clone, Debug, PartialEq)]
pub struct ClientSettings {
    pub trusted_proxies: Vec<IpNet>,
    /// Lower case.
    pub forwarded_header: String,
    pub ipv6_prefix: u8,
    /// Bytes.
    pub memory: u64,
    /// MMDB files.
    pub country_db: Option<PathBuf>,
    pub asn_db: Option<PathBuf>,
}

/// `[admin]`
#[derive(Clone, Debug, PartialEq)]
pub struct Admin {
    pub address: SocketAddr,
    /// The file of the staff's tokens.
    pub tokens: Option<PathBuf>,
}

/// `[cache]`
#[derive(Clone, Debug, PartialEq)]
pub struct Cache {
    /// Bytes of all that is kept.
    pub memory: u64,
}

/// `[challenge]`
#[derive(Clone, Debug, PartialEq)]
pub struct Challenge {
    pub status: u16,
    pub pass_lifetime: Duration,
    /// Bytes of the largest form that rides through; 0: none does.
    pub seal_max: usize,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    pub access: AccessSink,
    /// Apache's combined format instead of JSON.
    pub combined: bool,
    pub query: QueryLog,
    /// Of refused requests one line in this many is written, in postures that sample.
    pub refused: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub enum AccessSink {
    Stdout,
    File(PathBuf),
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum QueryLog {
    Names,
    Full,
    Off,
}

/// The tags of which there are words, with operators' files in the folder that the settings name.
pub type Spoken<'a> = &'a dyn Fn(Option<&Path>) -> Vec<String>;

/// Reads the text of `boma.toml`; relative paths start at `folder`. The value counts only where there are no faults. Nobody is
/// asked whether there are words in the portals' languages.
pub fn read(file: &str, text: &str, folder: &Path) -> Read<Settings> {
    read_with(file, text, folder, None)
}

/// The same; a language of which there are no words is a fault.
pub fn read_spoken(file: &str, text: &str, folder: &Path, spoken: Spoken<'_>) -> Read<Settings> {
    read_with(file, text, folder, Some(spoken))
}

fn read_with(file: &str, text: &str, folder: &Path, spoken: Option<Spoken<'_>>) -> Read<Settings> {
    fault::read(file, text, |top| {
        let certificates = server::certificates(top, folder);
        let server = server::server(top, folder);
        let spoken = spoken.map(|tags| tags(server.languages.as_deref()));
        let mut settings = Settings {
            server,
            listen: server::listen(top, certificates.is_empty()),
            certificates,
            client: server::client(top, folder),
            admin: server::admin(top, folder),
            cache: server::cache(top),
            challenge: server::challenge(top),
            log: server::log(top, folder),
            deadlines: wire::deadlines(top),
            caps: wire::caps(top),
            bots: bots::bots(top, folder),
            portals: portal::portals(top, folder, spoken.as_deref()),
        };
        let secure = settings.listen.iter().any(|l| l.tls || l.redirect_https);
        for portal in &mut settings.portals {
            portal.scheme = if secure { "https" } else { "http" };
            portal.body_timeout = settings.deadlines.origin_body;
            portal.stream_timeout = settings.deadlines.tunnel;
            portal.max_connections = settings.caps.origin_connections;
        }
        settings
    })
}

/// The keys that differ and need a restart; portals, routes, certificates, challenge and client policy reload live.
pub fn restart_needed(old: &Settings, new: &Settings) -> Vec<String> {
    let (a, b) = (&old.server, &new.server);
    let checks = [
        ("server.workers", a.workers == b.workers),
        ("server.state_dir", a.state_dir == b.state_dir),
        ("server.rules", a.rules == b.rules),
        ("server.postures", a.postures == b.postures),
        ("server.drain", a.drain == b.drain),
        ("server.secret", a.secret == b.secret),
        ("server.resolvers", a.resolvers == b.resolvers),
        ("server.memory", a.memory == b.memory),
        ("server.egress", a.egress == b.egress),
        ("listen", old.listen == new.listen),
        ("client.memory", old.client.memory == new.client.memory),
        ("cache.memory", old.cache == new.cache),
        ("admin.address", old.admin.address == new.admin.address),
        ("log", old.log == new.log),
    ];
    checks.into_iter().filter(|(_, same)| !same).map(|(key, _)| key.to_owned()).collect()
}

#[cfg(test)]
mod tests;
