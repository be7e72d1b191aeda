//! What is known of a request before any decision: plain facts, each with one spelling.
//!
//! Does not know: how a request came in, what will be decided.

use std::fmt;

use crate::client::Client;
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

/// A valid pass, opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Whose budget it is; the same for every copy and renewal.
    pub id: u128,
    /// The level of proof behind it; 0 is a quiet pass, a solved challenge is 1 or more.
    pub level: u8,
    /// When its challenge was issued, seconds since the Unix epoch.
    pub born: u64,
    /// When it ends unless renewed, seconds since the Unix epoch.
    pub expires: u64,
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
