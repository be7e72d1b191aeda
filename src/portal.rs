//! A portal and its routes as plain data: what the settings say, ready to be asked.
//!
//! Does not know: TOML, sockets, rules.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::bounds;
use crate::quick::Table;

mod hosts;
mod looks;

pub use hosts::{Portals, bare};
pub use looks::{Colour, Looks, Palette};

/// Texts per language tag, such as `en` or `sw`.
pub type Texts = Vec<(String, String)>;

/// One portal.
#[derive(Clone, Debug, PartialEq)]
pub struct Portal {
    pub name: String,
    /// Exact names, `*.suffix`, or `*`; lower case.
    pub hosts: Vec<String>,
    /// Canonical host, for boma's own fetches.
    pub host: Option<String>,
    /// Send the canonical host to the origin, not the one the citizen asked for.
    pub canonical_host_header: bool,
    /// What citizens come by, as far as the listeners tell: `https` where one speaks TLS, or sends to one that does.
    pub scheme: &'static str,
    pub title: String,
    pub looks: Looks,
    pub timezone: String,
    /// At least one; the first is the default.
    pub languages: Vec<String>,
    /// At least one.
    pub origins: Vec<OriginAddress>,
    pub connect_timeout: Duration,
    pub response_timeout: Duration,
    /// No byte of an origin's body for this long: it has broken.
    pub body_timeout: Duration,
    /// The same where the body is made of events or of gRPC's messages.
    pub stream_timeout: Duration,
    /// Path that is asked to see whether an origin is well.
    pub health: Option<String>,
    pub tls: OriginTls,
    /// Connections to one origin, of all workers together.
    pub max_connections: u32,
    /// `None`: as many as its origins do well with.
    pub max_in_flight: Option<u32>,
    pub pass_domain: Option<String>,
    pub snapshot: SnapshotPlan,
    pub services: Vec<Service>,
    /// Whom to ask where no service is named; its name is empty.
    pub contact: Option<Service>,
    /// What `/.well-known/security.txt` says; `None`: the origin is asked.
    pub security: Option<Security>,
    /// Cookies by which the origin knows who is signed in.
    pub session_cookies: Vec<String>,
    /// Paths that the origin answers with 2xx only to those who are signed in.
    pub session_proof: Vec<String>,
    pub routes: Routes,
}

/// What is spoken with an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
    /// HTTP/2 over TLS.
    H2,
    /// HTTP/2 by prior knowledge without TLS.
    H2c,
}

impl Scheme {
    pub fn tls(self) -> bool {
        matches!(self, Scheme::Https | Scheme::H2)
    }

    pub fn http2(self) -> bool {
        matches!(self, Scheme::H2 | Scheme::H2c)
    }

    pub fn port(self) -> u16 {
        if self.tls() { 443 } else { 80 }
    }
}

/// TLS towards the origins of a portal: the system's roots, and no certificate of boma's own, where not said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OriginTls {
    /// PEM file of the roots that are believed instead of the system's.
    pub roots: Option<PathBuf>,
    /// PEM files of the chain and key that boma shows.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The name that the origin's certificate must bear, where it is not the address's.
    pub name: Option<String>,
}

/// Where an origin is: `scheme://name-or-address[:port]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OriginAddress {
    pub scheme: Scheme,
    /// Host name, or an IP address without brackets.
    pub host: String,
    pub port: u16,
}

impl OriginAddress {
    /// The address, where no name needs to be resolved.
    pub fn literal(&self) -> Option<SocketAddr> {
        self.host.parse().ok().map(|ip| SocketAddr::new(ip, self.port))
    }

    /// As a Host field spells it.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Of which pages copies are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotPlan {
    /// Paths to begin with, besides every exact path of a route with `fallback = "snapshot"`.
    pub start: Vec<String>,
    /// Where the portal lists its pages.
    pub sitemap: Option<String>,
    pub every: Duration,
    /// At most this many pages.
    pub pages: usize,
    /// How many links away from those that are declared; 0: only these.
    pub depth: u8,
    /// Every page has this text.
    pub expect: Option<String>,
    /// Every page has so many bytes.
    pub min_size: usize,
}

impl Default for SnapshotPlan {
    fn default() -> SnapshotPlan {
        SnapshotPlan {
            start: Vec::new(),
            sitemap: None,
            every: Duration::from_secs(900),
            pages: 500,
            depth: bounds::SNAPSHOT_DEPTH_STANDARD,
            expect: None,
            min_size: 1,
        }
    }
}

/// What citizens call a service, and what they can do instead.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Service {
    pub name: Texts,
    pub paths: Vec<String>,
    pub phone: Option<String>,
    pub office: Option<String>,
    pub ussd: Option<String>,
    /// What people can do instead.
    pub instead: Texts,
    /// Names in the place of which staff gave it others: who means it by one of them means it still.
    pub known_as: Vec<String>,
}

/// Whom to tell of a vulnerability (RFC 9116).
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Security {
    /// The preferred one first; at least one.
    pub contact: Vec<String>,
    pub policy: Option<String>,
    pub encryption: Option<String>,
    pub acknowledgments: Option<String>,
}

impl Service {
    /// Whether a path (normalised, without parameters) belongs to it.
    pub fn holds(&self, path: &str) -> bool {
        any_holds(&self.paths, path)
    }

    /// Whether it can be had by phone, at an office or by a code.
    pub fn has_way(&self) -> bool {
        self.phone.is_some() || self.office.is_some() || self.ussd.is_some()
    }
}

impl Portal {
    /// The paths that the settings name of those whose pages are to be kept, each once.
    pub fn declared(&self) -> Vec<String> {
        let exact = self.routes.all().iter().filter(|r| r.fallback == Fallback::Snapshot && !r.path.ends_with('*'));
        let mut paths: Vec<String> = self.snapshot.start.iter().cloned().chain(exact.map(|r| r.path.clone())).collect();
        let mut seen = std::collections::HashSet::new();
        paths.retain(|p| seen.insert(p.clone()));
        paths.truncate(self.snapshot.pages);
        paths
    }

    /// The host whose answers these are: where the origin hears one name alone, all exact names are one site.
    pub fn own_host<'a>(&'a self, host: &'a str) -> &'a str {
        let is_named = |name: &str| self.hosts.iter().any(|h| h == name);
        self.host.as_deref().filter(|own| self.canonical_host_header && is_named(own) && is_named(host)).unwrap_or(host)
    }

    /// Whether copies are of what this host (lower case, without port) shows. The names that a portal lists whole are taken for names
    /// of one site, as is everything where it is for `*`; what a wildcard like `*.huduma.example` holds may be another one.
    pub fn is_copied(&self, host: &str) -> bool {
        let listed = self.hosts.iter().any(|h| h == "*" || h == host);
        listed || self.host.as_deref().is_some_and(|own| bare(own) == host)
    }

    /// Whether copies of any pages are kept.
    pub fn keeps_copies(&self) -> bool {
        self.snapshot.sitemap.is_some() || !self.declared().is_empty()
    }

    /// Whether an answer at this path tells that who asked is signed in.
    pub fn proves_session(&self, path: &str) -> bool {
        any_holds(&self.session_proof, path)
    }
}

/// Exact paths, and prefixes that end in `*`.
fn any_holds(paths: &[String], path: &str) -> bool {
    paths.iter().any(|p| match p.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => path == p,
    })
}

/// What a navigation gets when the origin fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// Nothing is said: a copy where there is one, or else the statement.
    Unsaid,
    /// The statement, even where there could be a copy: of what must not be read when it is old.
    Statement,
    Snapshot,
    Off,
}

impl Fallback {
    /// Whether copies are taken and given.
    pub fn has_copies(self) -> bool {
        matches!(self, Fallback::Unsaid | Fallback::Snapshot)
    }
}

/// Who is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    Emergency,
    Payment,
    Filing,
    Information,
}

impl Class {
    pub const ALL: [Class; 4] = [Class::Emergency, Class::Payment, Class::Filing, Class::Information];
    pub const NAMES: [&str; 4] = ["emergency", "payment", "filing", "information"];

    pub fn as_str(self) -> &'static str {
        Class::NAMES[self as usize]
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// As the settings write it: exact, or a prefix that ends in `*`. `*` for what no route names.
    pub path: String,
    pub class: Class,
    pub fallback: Fallback,
    /// `challenge = "auto"`; false for "never": call-backs and APIs.
    pub challenge: bool,
    /// Still goes to the origin when the posture spares it otherwise.
    pub stay_up: bool,
    pub max_body: u64,
    pub cache: Caching,
    /// The only parameters of a query that count; `None`: all do.
    pub query: Option<Vec<String>>,
    /// The text by which a copy of a page is known to be good, in the place of the portal's.
    pub expect: Option<String>,
}

/// By whose word a route's answers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    Off,
    /// The origin's (RFC 9111).
    Origin,
    /// So long, where the origin says nothing of it.
    Fill(Duration),
}

impl Route {
    /// What holds where no route is named.
    pub fn unnamed() -> Route {
        Route {
            path: "*".into(),
            class: Class::Information,
            fallback: Fallback::Unsaid,
            challenge: true,
            stay_up: false,
            max_body: 32 << 20,
            cache: Caching::Off,
            query: None,
            expect: None,
        }
    }

    /// What counts of a query; `None` where nothing is left.
    pub fn query_of(&self, query: &str) -> Option<String> {
        let Some(names) = &self.query else { return Some(query.to_owned()) };
        let counts = |pair: &&str| names.iter().any(|n| n == pair.split('=').next().unwrap_or(pair));
        let kept: Vec<&str> = query.split('&').filter(counts).collect();
        (!kept.is_empty()).then(|| kept.join("&"))
    }
}

/// Routes of one portal: exact beats prefix, the longest prefix wins.
#[derive(Clone, Debug, PartialEq)]
pub struct Routes {
    exact: Table<String, usize>,
    /// Prefixes without their `*`, longest first.
    prefixes: Vec<(String, usize)>,
    /// The last one is the unnamed route.
    all: Vec<Route>,
}

impl Routes {
    pub fn new(mut all: Vec<Route>) -> Routes {
        let mut exact = Table::default();
        let mut prefixes = Vec::new();
        for (i, route) in all.iter().enumerate() {
            match route.path.strip_suffix('*') {
                Some(prefix) => prefixes.push((prefix.to_owned(), i)),
                None => {
                    exact.insert(route.path.clone(), i);
                }
            }
        }
        prefixes.sort_by_key(|(p, _)| std::cmp::Reverse(p.len()));
        all.push(Route::unnamed());
        Routes { exact, prefixes, all }
    }

    /// The route of a path (normalised, without parameters), and its number.
    pub fn find(&self, path: &str) -> (usize, &Route) {
        let at = self
            .exact
            .get(path)
            .copied()
            .or_else(|| self.prefixes.iter().find(|(p, _)| path.starts_with(p.as_str())).map(|(_, i)| *i));
        let at = at.unwrap_or(self.all.len() - 1);
        (at, &self.all[at])
    }

    pub fn all(&self) -> &[Route] {
        &self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str) -> Route {
        Route { path: path.into(), ..Route::unnamed() }
    }

    #[test]
    fn exact_beats_prefix_and_the_longest_prefix_wins() {
        let routes = Routes::new(vec![route("/a/*"), route("/a/b/*"), route("/a/b/c"), route("/s*")]);
        let found = |p: &str| routes.find(p).1.path.clone();
        assert_eq!(found("/a/b/c"), "/a/b/c");
        assert_eq!(found("/a/b/d"), "/a/b/*");
        assert_eq!(found("/a/x"), "/a/*");
        assert_eq!(found("/a"), "*");
        assert_eq!(found("/search"), "/s*");
    }
}
