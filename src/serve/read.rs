//! From a head to facts: host, path, kind, pass. What is ambiguous ends here with 400.
//!
//! Does not know: rules.

use std::borrow::Cow;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::rc::Rc;

use crate::facts::{self, Facts, Kind, Pass};
use crate::force::House;
use crate::pages;
use crate::path;
use crate::places::Country;
use crate::portal::Class;
use crate::reason::Reason;
use crate::wire::Head;

use super::visit::Visit;

/// Where boma's own citizens' paths lie.
pub const OWN: &str = "/.well-known/boma/";
/// Whom to tell of a vulnerability; boma's own where the settings say it, or the origin's.
pub const SECURITY: &str = "/.well-known/security.txt";
pub const LIVE: &str = "/.well-known/boma/live";
/// The cookie of a pass, and the field by which a program may send one.
pub const COOKIE: &str = "boma_pass";
/// The cookie of a place in the waiting room.
pub const PLACE_COOKIE: &str = "boma_place";
/// The cookie of the language that a reader chose.
pub const LANGUAGE_COOKIE: &str = "boma_lang";
/// How the names of boma's own cookies begin.
const OWN_COOKIES: &[u8] = b"boma_";
pub const PASS_FIELD: &str = "boma-pass";

/// A request, read. Host, authority and the paths are mostly the same text, and then share it.
pub struct Request {
    /// Lower case, without port.
    pub host: Rc<str>,
    /// As the citizen sent it.
    pub authority: Rc<str>,
    pub scheme: &'static str,
    pub path: Rc<str>,
    pub match_path: Rc<str>,
    /// What counts of the query on this route.
    pub query: Option<String>,
    /// Normalised path and query: what the origin gets.
    pub target: Rc<str>,
    /// A path of boma's own.
    pub own: bool,
    /// A path or preflight that no challenge may stand before (DESIGN 4.4).
    pub spared: bool,
    pub safe: bool,
}

impl Request {
    /// What must be answered without TLS: certificates are renewed by it, and balancers ask for life.
    pub fn stays_http(&self) -> bool {
        self.path.starts_with("/.well-known/acme-challenge/") || &*self.path == LIVE
    }

    /// Whether an origin has answered it of late.
    pub fn is_known(&self, visit: &Visit<'_>) -> bool {
        let portal = visit.portal.map(|p| &visit.town.portals.list[p]);
        portal.is_some_and(|p| visit.house.known.is_known((&*p.name, &*self.match_path), visit.now.unix()))
    }

    pub fn facts<'a>(&'a self, visit: &'a Visit<'_>, head: &'a dyn Head) -> Facts<'a> {
        Facts {
            method: head.method(),
            scheme: self.scheme,
            host: &self.host,
            path: &self.path,
            match_path: &self.match_path,
            query: head.query(),
            kind: visit.kind,
            client: &visit.client,
            pass: visit.pass,
            settled: visit.law.rules.asks().settled && visit.is_settled(),
            portal: visit.portal.map_or("", |p| &visit.town.portals.list[p].name),
            route: visit.portal.map_or("*", |_| &visit.route().path),
            country: visit.country.as_ref().map(Country::as_str),
            asn: visit.asn,
            known_path: visit.law.rules.asks().known_path && self.is_known(visit),
            class: visit.portal.map_or(Class::Information, |_| visit.route().class).as_str(),
            services: visit.portal.map_or(&[], |p| &visit.town.portals.list[p].services),
            head,
        }
    }
}

/// Reads a head, and notes in the visit what the log and the pages need even when it is refused.
///
/// # Errors
/// [`Reason::BadRequest`] or [`Reason::WrongHost`].
pub fn read(visit: &mut Visit<'_>, head: &dyn Head) -> Result<Request, Reason> {
    visit.kind = Kind::of(head);
    visit.path = head.path().into();
    // An origin that took it for a tunnel would read what comes next as something else than boma does.
    if head.method() == "CONNECT" {
        return Err(Reason::UnknownProtocol);
    }
    let authority = authority(head)?;
    let (authority, host) = spelt(authority).ok_or(Reason::BadRequest)?;
    visit.host = host.clone();
    let path: Rc<str> = match &*visit.path {
        // OPTIONS of the server as a whole (RFC 9110 section 9.3.7).
        "*" if head.method() == "OPTIONS" => visit.path.clone(),
        path => or_as_it_is(path::normalise(path).map_err(|_| Reason::BadRequest)?, &visit.path),
    };
    let match_path = or_as_it_is(path::for_matching(&path), &path);
    // A program's mistake, or a rule's: what came through here already must not go round.
    if head.any("via", &mut |v| passed(v, &visit.house.pseudonym)) {
        return Err(Reason::Loop);
    }
    visit.path = path.clone();
    let live = &*path == LIVE;
    match visit.town.portals.find(&host) {
        Some((at, portal)) => {
            visit.portal = Some(at);
            visit.route = portal.routes.find(&match_path).0;
            visit.level = visit.house.standing.load().level(&portal.name, visit.now.unix());
            // Nothing else than a page or boma's own paths is said in a language.
            if visit.kind == Kind::Navigation || path.starts_with(OWN) {
                let kept = language_cookie(head);
                (visit.language, visit.choice) =
                    pages::choose(&portal.languages, head.query(), kept.as_deref(), head.text("accept-language"));
            }
        }
        None if live => {}
        None => return Err(Reason::WrongHost),
    }
    let asks = visit.law.rules.asks();
    if asks.country {
        visit.country = visit.house.places.load().country(visit.client.address);
    }
    if asks.asn {
        visit.asn = visit.house.places.load().asn(visit.client.address);
    }
    visit.claim = visit.house.bots.claim(head.field("user-agent"), visit.client.address, visit.now.unix());
    let security = || visit.portal.is_some_and(|p| visit.town.portals.list[p].security.is_some());
    let own = path.starts_with(OWN) || (&*path == SECURITY && security());
    let safe = crate::facts::safe(head.method());
    visit.pass = best_pass(visit.house, head, visit.now.unix()).filter(|pass| {
        // What was opened while it held may still be finished.
        let finishes = visit.kind != Kind::Navigation || !safe;
        finishes || !pass.is_lapsed(visit.now.unix())
    });
    let counted = |query: &str| match visit.portal {
        Some(_) => visit.route().query_of(query),
        None => Some(query.to_owned()),
    };
    let query = head.query().and_then(counted);
    let target = query.as_ref().map_or_else(|| path.clone(), |query| [&*path, "?", query].concat().into());
    let spared = is_spared(head, &match_path);
    let scheme = scheme(visit, head);
    Ok(Request { host, authority, scheme, path, match_path, query, target, own, spared, safe })
}

/// What became of a text, which mostly is what it was and then borrowed.
fn or_as_it_is(text: Cow<'_, str>, was: &Rc<str>) -> Rc<str> {
    match text {
        Cow::Borrowed(_) => was.clone(),
        Cow::Owned(text) => text.into(),
    }
}

/// The authority, and the host in it; `None` where there is none. Most requests are for the host of the one before, and share its texts.
fn spelt(authority: &str) -> Option<(Rc<str>, Rc<str>)> {
    thread_local!(static LAST: RefCell<Option<(Rc<str>, Rc<str>)>> = const { RefCell::new(None) });
    LAST.with_borrow_mut(|last| {
        if let Some(last) = last.as_ref().filter(|(before, _)| **before == *authority) {
            return Some(last.clone());
        }
        let host: Rc<str> = (&*host_of(authority)?).into();
        let authority = if *host == *authority { host.clone() } else { authority.into() };
        last.replace((authority, host));
        last.clone()
    })
}

/// Whether a `Via` names this boma.
fn passed(via: &[u8], pseudonym: &str) -> bool {
    via.split(|b| *b == b',').any(|hop| {
        let mut words = hop.trim_ascii().split(u8::is_ascii_whitespace);
        words.nth(1) == Some(pseudonym.as_bytes())
    })
}

/// The protocols that a client may go on with; any other request to upgrade is left unheard, as RFC 9110 section 7.8
/// allows: `h2c` most of all, behind which requests would go unseen.
pub fn upgrade(head: &dyn Head) -> Option<&str> {
    head.upgrade().filter(|p| p.eq_ignore_ascii_case("websocket"))
}

/// Exactly one authority, and no two that differ (RFC 9112 section 3.2).
fn authority(head: &dyn Head) -> Result<&str, Reason> {
    let host = match head.count("host") {
        0 => None,
        1 => Some(head.text("host").ok_or(Reason::BadRequest)?),
        _ => return Err(Reason::BadRequest),
    };
    match (head.authority(), host) {
        (Some(a), Some(b)) if !a.eq_ignore_ascii_case(b) => Err(Reason::BadRequest),
        (Some(a), _) | (None, Some(a)) => Ok(a),
        (None, None) => Err(Reason::BadRequest),
    }
}

/// The host of an authority: lower case, without port; `None` where it is none.
pub fn host_of(authority: &str) -> Option<Cow<'_, str>> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (inside, after) = rest.split_once(']')?;
            inside.parse::<std::net::Ipv6Addr>().ok()?;
            (&authority[..inside.len() + 2], after.strip_prefix(':').or(after.is_empty().then_some(""))?)
        }
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let named = !host.is_empty() && host.len() <= 253 && (host.starts_with('[') || host.bytes().all(plain));
    let numbered = port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
    let host = host.trim_end_matches('.');
    let spelt =
        || if host.bytes().any(|b| b.is_ascii_uppercase()) { host.to_ascii_lowercase().into() } else { host.into() };
    (named && numbered && !host.is_empty()).then(spelt)
}

/// What the citizen's browser speaks: a trusted peer's word counts.
pub fn scheme(visit: &Visit<'_>, head: &dyn Head) -> &'static str {
    let said = visit.client.peer_trusted.then(|| head.text("x-forwarded-proto")).flatten();
    match said {
        Some(proto) if proto.eq_ignore_ascii_case("https") => "https",
        Some(proto) if proto.eq_ignore_ascii_case("http") => "http",
        _ => visit.arrival.scheme,
    }
}

fn is_spared(head: &dyn Head, path: &str) -> bool {
    let preflight = || {
        head.method() == "OPTIONS"
            && head.field("origin").is_some()
            && head.field("access-control-request-method").is_some()
    };
    path == "/robots.txt" || path == SECURITY || path.starts_with("/.well-known/acme-challenge/") || preflight()
}

/// The strongest of the passes that came: tabs and hosts may have left several cookies of the name.
fn best_pass(house: &House, head: &dyn Head, now_unix: u64) -> Option<Pass> {
    if head.field("cookie").is_none() && head.field(PASS_FIELD).is_none() {
        return None;
    }
    let challenge = house.challenge.load();
    let browser = facts::browser(head);
    let worth = |pass: &Pass| (!pass.is_lapsed(now_unix), pass.level, Reverse(pass.lane), pass.expires);
    let mut best: Option<Pass> = None;
    let mut consider = |text: &[u8]| {
        let opened = challenge.open_pass(text, now_unix).filter(|pass| pass.browser == browser);
        best = opened.filter(|pass| best.is_none_or(|b| worth(pass) > worth(&b))).or(best);
    };
    head.any(PASS_FIELD, &mut |value| {
        consider(value.trim_ascii());
        false
    });
    // A client may send a field full of them: only the first few are worth opening.
    let mut left = 8;
    head.any("cookie", &mut |value| {
        for value in value.split(|b| *b == b';').filter_map(|pair| cookie(pair, COOKIE)).take(left) {
            left = left.saturating_sub(1);
            consider(value);
        }
        false
    });
    best
}

/// The value of a cookie of this name.
pub fn cookie<'p>(pair: &'p [u8], name: &str) -> Option<&'p [u8]> {
    pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")
}

/// The language that a reader chose before.
fn language_cookie(head: &dyn Head) -> Option<String> {
    let mut found = None;
    head.any("cookie", &mut |value| {
        found = value.split(|b| *b == b';').find_map(|pair| cookie(pair, LANGUAGE_COOKIE)).map(<[u8]>::to_vec);
        found.is_some()
    });
    found.and_then(|tag| String::from_utf8(tag).ok())
}

fn is_own_cookie(pair: &[u8]) -> bool {
    [COOKIE, PLACE_COOKIE, LANGUAGE_COOKIE].into_iter().any(|name| cookie(pair, name).is_some())
}

/// The cookies that are the origin's: all but boma's own, in one field as HTTP/1 has it.
pub fn foreign_cookies(head: &dyn Head) -> Option<Cow<'_, [u8]>> {
    let only = head.field("cookie")?;
    if head.count("cookie") == 1 && !only.windows(OWN_COOKIES.len()).any(|w| w == OWN_COOKIES) {
        return Some(Cow::Borrowed(only));
    }
    let mut kept: Vec<u8> = Vec::new();
    head.any("cookie", &mut |value| {
        for pair in value.split(|b| *b == b';').map(<[u8]>::trim_ascii).filter(|p| !p.is_empty() && !is_own_cookie(p)) {
            if !kept.is_empty() {
                kept.extend_from_slice(b"; ");
            }
            kept.extend_from_slice(pair);
        }
        false
    });
    (!kept.is_empty()).then_some(Cow::Owned(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_spelt_by_itself_whoever_asked_before() {
        let hosts =
            [("Huduma.Example:80", "huduma.example"), ("b.example", "b.example"), ("b.example:80", "b.example")];
        for (authority, host) in hosts.into_iter().cycle().take(20) {
            assert_eq!(spelt(""), None);
            for _ in 0..2 {
                let (whole, bare) = spelt(authority).unwrap();
                assert_eq!((&*whole, &*bare), (authority, host));
                assert_eq!(spelt("a/b"), None);
            }
        }
    }

    #[test]
    fn a_host_has_one_spelling_or_none() {
        for (authority, host) in [
            ("Huduma.Example", Some("huduma.example")),
            ("huduma.example:8080", Some("huduma.example")),
            ("huduma.example.", Some("huduma.example")),
            ("[2001:DB8::1]:80", Some("[2001:db8::1]")),
            ("127.0.0.1", Some("127.0.0.1")),
            ("", None),
            (":80", None),
            (".", None),
            ("a b", None),
            ("a,b", None),
            ("a/b", None),
            ("user@a", None),
            ("a:80:90", None),
            ("a:8x", None),
            ("[::1", None),
            ("[zz]", None),
            ("[::1]x", None),
        ] {
            assert_eq!(host_of(authority).as_deref(), host, "{authority}");
        }
    }
}
