//! Which fields go to the origin and which come back.
//!
//! Does not know: connections, decisions.

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::client::Client;
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
    /// The Cookie field without boma's own; `None` where nothing is left.
    pub cookie: Option<Cow<'a, [u8]>>,
}

/// Fields that belong to one hop (RFC 9110 section 7.6.1), and `Expect`, which boma answers itself.
const HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
    "expect",
];

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

impl Forward<'_> {
    pub fn headers(&self, portal: &Portal) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(24);
        let named = connection_names(self.head);
        self.head.each(&mut |name, value| {
            let own = matches!(name, "host" | "cookie" | "x-request-id" | "boma-pass");
            let hop = HOP.contains(&name) || named.iter().any(|n| n == name);
            let forged = !self.client.peer_trusted && (name.starts_with("x-forwarded-") || FORGED.contains(&name));
            if !own && !hop && !forged {
                append(&mut map, name, value);
            }
        });
        let canonical = portal.host.as_deref().filter(|_| portal.canonical_host_header);
        set(&mut map, header::HOST, canonical.unwrap_or(self.host).as_bytes());
        if let Some(cookie) = &self.cookie {
            set(&mut map, header::COOKIE, cookie);
        }
        set(&mut map, HeaderName::from_static("x-request-id"), self.request_id.as_bytes());
        self.forwarded(&mut map);
        map
    }

    /// `X-Forwarded-For` grows by the peer; scheme and host are the citizen's own, as a trusted peer knew them.
    fn forwarded(&self, map: &mut HeaderMap) {
        let name = HeaderName::from_static("x-forwarded-for");
        let mut chain = String::new();
        for value in map.get_all(&name) {
            if let Ok(text) = value.to_str() {
                chain.push_str(text);
                chain.push_str(", ");
            }
        }
        let _ = write!(chain, "{}", self.client.peer);
        set(map, name, chain.as_bytes());
        let proto = HeaderName::from_static("x-forwarded-proto");
        set(map, proto, self.scheme.as_bytes());
        let host = HeaderName::from_static("x-forwarded-host");
        if !map.contains_key(&host) {
            set(map, host, self.host.as_bytes());
        }
    }
}

/// The head of boma's own fetch: no more than a page needs, and nothing of anybody's.
pub fn own_fetch(portal: &Portal) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(8);
    let host = portal.host.clone().or_else(|| portal.origins.first().map(|o| o.authority())).unwrap_or_default();
    set(&mut map, header::HOST, host.as_bytes());
    set(&mut map, header::ACCEPT, b"text/html,application/xhtml+xml,*/*;q=0.8");
    set(&mut map, header::ACCEPT_ENCODING, b"identity");
    set(&mut map, header::USER_AGENT, concat!("boma/", env!("CARGO_PKG_VERSION"), " (snapshot)").as_bytes());
    set(&mut map, HeaderName::from_static("x-forwarded-host"), host.as_bytes());
    map
}

/// An answer's fields without those of its hop.
pub fn answer_fields(map: &HeaderMap) -> Fields {
    let mut fields = Fields::with_capacity(map.len() + 2);
    let named: Vec<String> =
        map.get_all(header::CONNECTION).iter().filter_map(|v| v.to_str().ok()).flat_map(tokens).collect();
    for (name, value) in map {
        let name = name.as_str();
        if !HOP.contains(&name) && !named.iter().any(|n| n == name) {
            fields.push(known(name), Bytes::copy_from_slice(value.as_bytes()));
        }
    }
    fields
}

pub fn to_map(fields: &Fields) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(fields.0.len());
    for (name, value) in &fields.0 {
        append(&mut map, name, value);
    }
    map
}

fn connection_names(head: &dyn Head) -> Vec<String> {
    let mut named = Vec::new();
    head.any("connection", &mut |value| {
        named.extend(std::str::from_utf8(value).iter().flat_map(|v| tokens(v)));
        false
    });
    named.retain(|n| n != "close" && n != "keep-alive");
    named
}

fn tokens(list: &str) -> impl Iterator<Item = String> + '_ {
    list.split(',').map(|t| t.trim().to_ascii_lowercase()).filter(|t| !t.is_empty())
}

fn append(map: &mut HeaderMap, name: &str, value: &[u8]) {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
        map.append(name, value);
    }
}

fn set(map: &mut HeaderMap, name: HeaderName, value: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(value) {
        map.insert(name, value);
    }
}

/// The names that nearly every answer carries need no allocation.
fn known(name: &str) -> Cow<'static, str> {
    const COMMON: [&str; 20] = [
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
    ];
    match COMMON.iter().find(|c| **c == name) {
        Some(common) => Cow::Borrowed(common),
        None => Cow::Owned(name.to_owned()),
    }
}
