//! Which fields go to the origin and which come back.
//!
//! Does not know: connections, decisions.

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderMap;

use crate::client::Client;
use crate::http1::{ResponseHead, lists};
use crate::pen;
use crate::portal::Portal;
use crate::wire::{Fields, Head};

/// A citizen's request on its way to the origin.
pub struct Forward<'a> {
    pub head: &'a dyn Head,
    /// Normalised path, and the query as it came.
    pub target: &'a str,
    pub client: &'a Client,
    pub scheme: &'static str,
    /// The Host field as the citizen sent it.
    pub host: &'a str,
    pub request_id: &'a str,
    /// What `Via` calls this boma.
    pub pseudonym: &'a str,
    /// The Cookie field without boma's own; `None` where nothing is left.
    pub cookie: Option<Cow<'a, [u8]>>,
    /// The protocol to go on with, where it is one that boma passes.
    pub upgrade: Option<&'a str>,
    /// The answer may be kept for others: nothing that is not in its address goes into links.
    pub shared: bool,
    /// Fields that stay behind, and those that come instead.
    pub without: &'static [&'static str],
    pub with: &'a [(&'static str, Vec<u8>)],
}

/// Whether a field belongs to one hop (RFC 9110 section 7.6.1), or is `Expect`, which boma answers itself. A pattern, because that
/// goes by lengths first, and nearly no field is one.
fn is_hop(name: &[u8]) -> bool {
    matches!(
        name,
        b"connection"
            | b"keep-alive"
            | b"proxy-connection"
            | b"proxy-authenticate"
            | b"proxy-authorization"
            | b"te"
            | b"transfer-encoding"
            | b"upgrade"
            | b"expect"
            | b"http2-settings"
    )
}

/// Fields by which a client could speak for another, or ask the origin for another address than the rules saw.
const FORGED: [&str; 8] = [
    "forwarded",
    "x-real-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-client-ip",
    "x-cluster-client-ip",
];

/// Fields that origins build links or answers from as if they were the address, whoever sends them.
const LINKS: [&str; 26] = [
    "forwarded",
    "x-original-url",
    "x-rewrite-url",
    "x-original-host",
    "x-host",
    "x-http-host-override",
    "x-forwarded-host",
    "x-forwarded-server",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-path",
    "x-forwarded-scheme",
    "x-forwarded-ssl",
    "x-forwarded-uri",
    "x-forwarded-url",
    "x-forwarded-base",
    "x-forwarded-context",
    "x-forwarded-protocol",
    "x-url-scheme",
    "x-scheme",
    "x-original-scheme",
    "x-original-uri",
    "front-end-https",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
];

/// By this field of an answer an origin says that the request's session is one of its own, signed in. It is for boma alone.
pub const SESSION_FIELD: &str = "boma-session";

/// Fields that boma writes itself, or takes from origins only.
const OWN: [&str; 8] =
    ["host", "cookie", "x-request-id", "boma-pass", SESSION_FIELD, "via", "content-length", "forwarded"];

/// Whether a name could be taken for one of those above by an origin that, like CGI, makes `_` of whatever is no
/// letter: `X_Forwarded_For`, `Content.Length`. Those that links are made from count only where answers are `shared`.
fn looks_alike(name: &str, shared: bool) -> bool {
    if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return false;
    }
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let plain = plain.trim_matches('-');
    let known = |list: &[&str]| list.contains(&plain);
    let links = shared && known(&LINKS);
    links
        || is_hop(plain.as_bytes())
        || known(&FORGED)
        || known(&OWN)
        || plain.starts_with("x-forwarded-")
        || plain == "content-type"
}

impl Forward<'_> {
    /// Every field but Host and those that frame the body.
    pub fn fields(&self, put: &mut dyn FnMut(&str, &[u8])) {
        let all = self.head;
        // Room for one hop of each, which is what there is mostly.
        let (mut chain, mut forwarded, mut via) =
            (Vec::with_capacity(48), Vec::with_capacity(64 + self.host.len()), Vec::with_capacity(32));
        let mut host = false;
        let named = all.field("connection").is_some();
        let names_it = |name: &str| {
            named
                && !matches!(name, "close" | "keep-alive")
                && all.any("connection", &mut |v| lists(v, name.as_bytes()))
        };
        let trusted = self.client.peer_trusted;
        let join = |to: &mut Vec<u8>, value: &[u8]| {
            if std::str::from_utf8(value).is_ok() {
                to.extend_from_slice(value);
                to.extend_from_slice(b", ");
            }
        };
        all.each(&mut |name, value| match name {
            _ if self.without.contains(&name) || (self.shared && LINKS.contains(&name)) => {}
            "via" => join(&mut via, value),
            "x-forwarded-for" if trusted => join(&mut chain, value),
            "forwarded" if trusted => join(&mut forwarded, value),
            "x-forwarded-proto" => {}
            _ if OWN.contains(&name) || is_hop(name.as_bytes()) || names_it(name) || looks_alike(name, self.shared) => {
            }
            _ if !trusted && (name.starts_with("x-forwarded-") || FORGED.contains(&name)) => {}
            _ => {
                host |= name == "x-forwarded-host";
                put(name, value);
            }
        });
        if let Some(cookie) = &self.cookie {
            put("cookie", cookie);
        }
        self.with.iter().for_each(|(name, value)| put(name, value));
        if all.any("te", &mut |v| lists(v, b"trailers")) {
            put("te", b"trailers");
        }
        put("x-request-id", self.request_id.as_bytes());
        // Scheme and host are the citizen's own, as a trusted peer knew them.
        let before = chain.len();
        pen::address(&mut chain, self.client.peer);
        let peer = &chain[before..];
        put("x-forwarded-for", &chain);
        put("x-forwarded-proto", self.scheme.as_bytes());
        if !host {
            put("x-forwarded-host", self.host.as_bytes());
        }
        // RFC 7239: an IPv6 address stands in brackets and quotes.
        let (open, close): (&[u8], &[u8]) = if self.client.peer.is_ipv4() { (b"", b"") } else { (b"\"[", b"]\"") };
        let says =
            [b"for=", open, peer, close, b";host=\"", self.host.as_bytes(), b"\";proto=", self.scheme.as_bytes()];
        says.iter().for_each(|piece| forwarded.extend_from_slice(piece));
        put("forwarded", &forwarded);
        let hop = [self.head.version().as_str(), " ", self.pseudonym];
        hop.iter().for_each(|piece| via.extend_from_slice(piece.as_bytes()));
        put("via", &via);
    }

    /// The Host field that the origin gets.
    pub fn host<'h>(&'h self, portal: &'h Portal) -> &'h str {
        let canonical = portal.host.as_deref().filter(|_| portal.canonical_host_header);
        canonical.unwrap_or(self.host)
    }
}

/// The host that boma's own fetches ask for.
pub fn own_host(portal: &Portal) -> String {
    portal.host.clone().or_else(|| portal.origins.first().map(|o| o.authority())).unwrap_or_default()
}

/// The head of boma's own fetch: no more than a page needs, and nothing of anybody's.
pub fn own_fields(host: &str, scheme: &str, purpose: &str, put: &mut dyn FnMut(&str, &[u8])) {
    put("accept", b"text/html,application/xhtml+xml,*/*;q=0.8");
    put("accept-encoding", b"identity");
    put("user-agent", format!("boma/{} ({purpose})", env!("CARGO_PKG_VERSION")).as_bytes());
    put("x-forwarded-host", host.as_bytes());
    put("x-forwarded-proto", scheme.as_bytes());
}

/// A fetch of boma's own that brings what is kept: it says nothing but what tells its answer from others.
pub struct Own<'a> {
    /// Path and query.
    pub target: &'a str,
    pub host: &'a str,
    pub scheme: &'static str,
    /// What `Via` calls this boma.
    pub pseudonym: &'a str,
    /// By which answers at its address are told apart, and conditions.
    pub fields: &'a [(String, Vec<u8>)],
}

impl Own<'_> {
    pub fn fields(&self, put: &mut dyn FnMut(&str, &[u8])) {
        let says = |name: &str| self.fields.iter().any(|(n, _)| n == name);
        if !says("accept") {
            put("accept", b"*/*");
        }
        if !says("user-agent") {
            put("user-agent", concat!("boma/", env!("CARGO_PKG_VERSION"), " (cache)").as_bytes());
        }
        self.fields.iter().for_each(|(name, value)| put(name, value));
        put("x-forwarded-host", self.host.as_bytes());
        put("x-forwarded-proto", self.scheme.as_bytes());
        put("via", format!("1.1 {}", self.pseudonym).as_bytes());
    }
}

/// An answer's fields without those of its hop; the length stays where it says something.
pub fn answer_fields(head: &ResponseHead) -> Fields {
    let mut fields = Fields::with_capacity(18);
    // Mostly it names no field.
    let plain = |v: &[u8]| v.eq_ignore_ascii_case(b"keep-alive") || v.eq_ignore_ascii_case(b"close");
    let named = head.all("connection").any(|v| !plain(v));
    head.each(|name, value| {
        let hop = is_hop(name) || (named && head.all("connection").any(|v| lists(v, name)));
        if !hop {
            fields.push(known(name), value);
        }
    });
    fields
}

/// The same for an answer over HTTP/2, and for trailers.
pub fn map_fields(map: &HeaderMap) -> Fields {
    let mut fields = Fields::with_capacity(map.len() + 2);
    for (name, value) in map {
        if !is_hop(name.as_str().as_bytes()) {
            fields.push(known(name.as_str().as_bytes()), Bytes::copy_from_slice(value.as_bytes()));
        }
    }
    fields
}

/// What an informational answer may bring to the client.
pub fn early(mut fields: Fields) -> Fields {
    fields.remove(SESSION_FIELD);
    fields
}

/// The names that nearly every answer carries need no allocation.
fn known(name: &[u8]) -> Cow<'static, str> {
    const COMMON: [&str; 21] = [
        "date",
        "server",
        "content-type",
        "content-length",
        "last-modified",
        "etag",
        "accept-ranges",
        "cache-control",
        "vary",
        "set-cookie",
        "content-encoding",
        "location",
        "expires",
        "age",
        "link",
        "pragma",
        "strict-transport-security",
        "content-security-policy",
        "x-frame-options",
        "x-content-type-options",
        "x-powered-by",
    ];
    match COMMON.iter().find(|c| c.as_bytes() == name) {
        Some(common) => Cow::Borrowed(common),
        None => Cow::Owned(String::from_utf8_lossy(name).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_are_seen_and_others_left_alone() {
        for name in ["x_forwarded_for", "content_length", "transfer.encoding", "host_", "x_real_ip", "_forwarded"] {
            assert!(looks_alike(name, false), "{name}");
        }
        for name in ["x_host", "x.original.host", "x_http_method_override"] {
            assert!(looks_alike(name, true) && !looks_alike(name, false), "{name}");
        }
        for name in ["x-forwarded-for", "x_custom", "session_id", "host"] {
            assert!(!looks_alike(name, true), "{name}");
        }
    }
}
