//! boma's own JSON lines, as [`crate::telemetry::access`] writes them.
//!
//! Does not know: other servers.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Deserialize;

use super::{Holds, Logged, Query, Unread, guess};
use crate::client::Fingerprint;
use crate::facts::{Kind, Pass};
use crate::telemetry::Fact;

/// A line of boma's own.
#[derive(Deserialize)]
struct Json<'a> {
    #[serde(rename = "@timestamp", borrow)]
    at: Cow<'a, str>,
    #[serde(rename = "client.ip", borrow)]
    client: Cow<'a, str>,
    #[serde(rename = "http.request.method")]
    method: Box<str>,
    #[serde(rename = "url.domain")]
    host: Box<str>,
    #[serde(rename = "url.path")]
    path: Box<str>,
    #[serde(rename = "url.query")]
    query: Option<Box<str>>,
    #[serde(rename = "url.scheme", default, borrow)]
    scheme: Cow<'a, str>,
    #[serde(rename = "user_agent.original")]
    user_agent: Option<String>,
    #[serde(rename = "http.request.referrer")]
    referrer: Option<String>,
    #[serde(rename = "http.response.status_code")]
    status: u16,
    #[serde(rename = "boma.portal", borrow)]
    portal: Cow<'a, str>,
    #[serde(rename = "boma.reason", borrow)]
    reason: Cow<'a, str>,
    #[serde(rename = "boma.kind", default, borrow)]
    kind: Cow<'a, str>,
    #[serde(rename = "boma.pass")]
    pass: Option<u8>,
    #[serde(rename = "tls.client.ja4", default, borrow)]
    fingerprint: Cow<'a, str>,
    #[serde(rename = "event.duration")]
    took: Option<u64>,
}

pub fn read(bytes: &[u8]) -> Result<Logged, Unread> {
    let read: Json<'_> =
        serde_json::from_slice(bytes).map_err(|_| Unread::Wrong("no JSON line of boma's access log"))?;
    let time = read.at.parse::<jiff::Timestamp>().ok().and_then(|t| u64::try_from(t.as_nanosecond()).ok());
    let at = time.ok_or(Unread::Wrong("\"@timestamp\" is no time"))?;
    let address = read.client.parse().map_err(|_| Unread::Wrong("\"client.ip\" is no address"))?;
    if matches!(&*read.reason, "own" | "own.not_found" | "challenge.solved" | "challenge.failed") {
        return Err(Unread::Own);
    }
    if read.portal.is_empty() {
        return Err(Unread::NoPortal);
    }
    let kind = Kind::ALL.into_iter().find(|k| k.as_str() == read.kind);
    let agent = read.user_agent.as_deref().unwrap_or_default();
    let known = kind.unwrap_or_else(|| guess(&read.method, &read.path, agent.as_bytes()));
    let query = match &read.query {
        Some(query) if query.contains('=') => Query::Whole,
        Some(_) => Query::Names,
        None => Query::Nothing,
    };
    let holds = Holds {
        host: true,
        scheme: !read.scheme.is_empty(),
        query,
        user_agent: true,
        referrer: true,
        kind: kind.is_some(),
        pass: true,
        took: read.took.is_some(),
        fingerprint: !read.fingerprint.is_empty(),
    };
    let pass = read.pass.map(|level| pass(address, agent.as_bytes(), level, at));
    let mut fields = Vec::with_capacity(2);
    for (name, value) in [("user-agent", read.user_agent), ("referer", read.referrer)] {
        fields.extend(value.map(|v| (name.into(), v.into_bytes().into())));
    }
    let fingerprint = Fingerprint::of(&read.fingerprint);
    let scheme = if read.scheme == "http" { "http" } else { "https" };
    let Json { method, host: authority, path, query, .. } = read;
    let fact = Fact { method, scheme, authority, path, query, fields, address, fingerprint, pass };
    let origin = matches!(&*read.reason, "served" | "origin.error").then_some(read.status);
    Ok(Logged { at, fact, kind: known, origin, took: read.took, holds })
}

/// Whose pass it was no log says: those of one address and one browser count as one.
fn pass(address: IpAddr, agent: &[u8], level: u8, at: u64) -> Pass {
    use std::hash::{Hash, Hasher};
    let hash = |seed: u8| {
        let mut hasher = siphasher::sip::SipHasher13::new();
        (seed, address, agent).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    // As young as can be: nobody is taken for a citizen of long standing on a guess.
    let born = at / crate::clock::SECOND;
    Pass::proven(hash(0) << 64 | hash(1), level, born, u64::MAX)
}
