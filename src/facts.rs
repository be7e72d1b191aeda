//! What is known of a request before any decision: plain facts, each with one spelling.
//!
//! Does not know: how a request came in, what will be decided.

use std::fmt;

use crate::bounds;
use crate::client::{Client, Prefix};
use crate::portal::Service;
use crate::wire::Head;

/// What kind of thing asks, by fetch metadata and `Accept` (DESIGN 4.4). Easily forged: it decides what an answer
/// looks like, and never opens a road to the origin by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A person's browser goes to a page.
    Navigation,
    /// A script in a page asks.
    Background,
    /// A part of a page: style, image, script, font.
    Subresource,
    /// Everything else.
    Program,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Navigation, Kind::Background, Kind::Subresource, Kind::Program];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Navigation => "navigation",
            Kind::Background => "background",
            Kind::Subresource => "subresource",
            Kind::Program => "program",
        }
    }

    pub fn of(head: &dyn Head) -> Kind {
        let mode = head.text("sec-fetch-mode");
        if mode == Some("navigate") {
            return Kind::Navigation;
        }
        let dest = head.text("sec-fetch-dest");
        if mode.is_none() && dest.is_none() && head.field("sec-fetch-site").is_none() {
            let html = head.any("accept", &mut |v| {
                let v = v.to_ascii_lowercase();
                contains(&v, b"text/html") || contains(&v, b"application/xhtml+xml")
            });
            return if html { Kind::Navigation } else { Kind::Program };
        }
        match dest {
            None | Some("empty") => Kind::Background,
            Some(_) => Kind::Subresource,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle)
}

/// How a pass was come by, the better budgets first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// By work that a script did.
    Script,
    /// By a code that staff gave out.
    Code,
    /// Given with a page while all was quiet; nothing was proven.
    Quiet,
    /// By waiting and pressing a button.
    Button,
    /// By work, where more of the kind were made for one prefix than get a budget each.
    Shared,
}

impl Lane {
    pub const ALL: [Lane; 5] = [Lane::Script, Lane::Code, Lane::Quiet, Lane::Button, Lane::Shared];
}

/// A valid pass, opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The same for every copy and renewal.
    pub id: u128,
    /// The level of proof behind it; 0 is a quiet pass, a solved challenge is 1 or more.
    pub level: u8,
    pub lane: Lane,
    /// When its challenge was issued, seconds since the Unix epoch.
    pub born: u64,
    /// When it ends unless renewed, seconds since the Unix epoch.
    pub expires: u64,
    /// A mark of the prefix that it was made for; 0: of none. Of an access code, which is nobody's alone: when that ends.
    pub home: u32,
    /// A mark of the browser that it was made for.
    pub browser: u32,
}

/// Whose budget a pass spends from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    Own(u128),
    /// Of a quiet pass: anybody gets one, so a full table need not keep it.
    Visitor(u128),
    /// Of all passes of this lane that were made for one prefix, or of [`Lane::Shared`] for one network.
    Shared(Lane, u32),
}

impl Pass {
    /// A pass that is at home everywhere, for those who ask what one would change.
    pub fn proven(id: u128, level: u8, born: u64, expires: u64) -> Pass {
        let lane = if level == 0 { Lane::Quiet } else { Lane::Script };
        Pass { id, level, lane, born, expires, home: 0, browser: 0 }
    }

    pub fn bucket(&self) -> Bucket {
        match self.lane {
            Lane::Quiet => Bucket::Visitor(self.id),
            Lane::Script | Lane::Code => Bucket::Own(self.id),
            Lane::Button | Lane::Shared => Bucket::Shared(self.lane, self.home),
        }
    }

    /// Whether it says something of its holder: something was proven, or it is old. Anybody gets a fresh quiet pass.
    pub fn vouches(&self, now_unix: u64) -> bool {
        self.level > 0 || self.born.saturating_add(bounds::SETTLED.as_secs()) <= now_unix
    }

    pub fn is_lapsed(&self, now_unix: u64) -> bool {
        self.expires <= now_unix
    }

    pub fn is_at_home(&self, client: &Client) -> bool {
        let place = if self.lane == Lane::Shared { client.network } else { client.prefix };
        self.home == 0 || self.lane == Lane::Code || self.home == home(place)
    }
}

/// The mark of a prefix; never 0. Thirty-two bits: two prefixes in some billions share one, and a budget with it.
pub fn home(prefix: Prefix) -> u32 {
    let folded = (prefix.0 ^ (prefix.0 >> 64)) as u64;
    ((folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32).max(1)
}

/// The mark of a browser: its User-Agent without digits, so that an update of the browser is no other browser.
pub fn browser(head: &dyn Head) -> u32 {
    let agent = head.field("user-agent").unwrap_or_default();
    let letters = agent.iter().take(bounds::AGENT_BYTES).filter(|b| !b.is_ascii_digit());
    letters.fold(0x811c_9dc5, |h, b| (h ^ u32::from(*b)).wrapping_mul(0x0100_0193))
}

/// A request as the rules see it.
pub struct Facts<'a> {
    pub method: &'a str,
    /// `http` or `https`: what the citizen's browser speaks.
    pub scheme: &'static str,
    /// Lower case, without port.
    pub host: &'a str,
    /// Normalised ([`crate::path::normalise`]); what the origin gets.
    pub path: &'a str,
    /// The same without `;parameters`; what patterns match.
    pub match_path: &'a str,
    pub query: Option<&'a str>,
    pub kind: Kind,
    pub client: &'a Client,
    pub pass: Option<Pass>,
    /// The pass is a settled citizen's; false where no rule asks.
    pub settled: bool,
    /// Name of the portal, and the path of the route as the settings write it.
    pub portal: &'a str,
    pub route: &'a str,
    pub class: &'static str,
    /// Of the client's address; `None` where it is not known, or no rule asks.
    pub country: Option<&'a str>,
    pub asn: Option<u32>,
    /// The origin answered 2xx there of late; false where no rule asks.
    pub known_path: bool,
    /// Of the portal, whether or not this request is theirs.
    pub services: &'a [Service],
    pub head: &'a dyn Head,
}

impl Facts<'_> {
    /// Safe by RFC 9110 section 9.2.1.
    pub fn safe(&self) -> bool {
        safe(self.method)
    }
}

/// Safe by RFC 9110 section 9.2.1.
pub fn safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}
