//! What is kept for a request, and how it is given: fresh, stale where the origin fails or must be spared, and what a
//! request that changes something makes void.
//!
//! Does not know: the rules of keeping, who waits for whom.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::read::Request;
use super::respond::{self, Made};
use super::visit::Visit;
use super::{decide, fallback, mint, read};
use crate::bounds;
use crate::cache::{self, Address, Asking, At, Given, Kept, Key, Place, Use, Why, Wish, Word};
use crate::clock::Now;
use crate::facts::Kind;
use crate::origin::Answer;
use crate::pen::Values;
use crate::plan::Plan;
use crate::portal::{Caching, Portal};
use crate::reason::Reason;
use crate::telemetry::metrics::OutcomeLabel;
use crate::wire::{Head, Payload};

/// What the cache has to do with a request.
pub struct Look {
    pub word: Word,
    pub key: Key,
    pub place: Option<Arc<Place>>,
    pub kept: Option<Arc<Kept>>,
    pub how: Option<Use>,
    pub wish: Wish,
    /// It shows who asks.
    pub personal: bool,
    /// How the origin is asked to pack it, in the place of what the client wrote.
    pub encoding: Option<&'static str>,
    /// What boma fetched as nobody is no answer to who is signed in, but where the origin cannot give theirs, or may not be
    /// asked for it, a copy of the page that everybody gets.
    pub only_stands_in: bool,
}

/// The authority as the citizen wrote it; in one spelling where the answer may be another's.
pub fn authority(shared: bool, request: &Request) -> Cow<'_, str> {
    if shared && request.authority.bytes().any(|b| b.is_ascii_uppercase()) {
        return Cow::Owned(request.authority.to_ascii_lowercase());
    }
    Cow::Borrowed(&request.authority)
}

fn portal_of<'a>(visit: &'a Visit<'_>) -> &'a Portal {
    &visit.town.portals.list[visit.portal.unwrap_or(0)]
}

/// The authority that the origin is asked for: by boma's own word the portal's host alone, whatever port somebody wrote.
fn asked_for<'a>(portal: &'a Portal, word: Word, request: &'a Request) -> Cow<'a, str> {
    match word {
        Word::Fill(_) => Cow::Borrowed(portal.own_host(&request.host)),
        Word::Origin => authority(true, request),
    }
}

fn at<'a>(visit: &'a Visit<'_>, request: &'a Request, word: Word, authority: &'a str) -> At<'a> {
    At {
        portal: visit.portal.map_or("", |p| &visit.town.portals.list[p].name),
        scheme: request.scheme,
        authority,
        path: &request.path,
        query: request.query.as_deref(),
        own: word != Word::Origin,
    }
}

impl Look {
    pub fn address(&self, visit: &Visit<'_>, request: &Request) -> Arc<Address> {
        Arc::new(at(visit, request, self.word, &asked_for(portal_of(visit), self.word, request)).address())
    }

    pub fn asking<'a>(&self, head: &'a dyn Head) -> Asking<'a> {
        Asking { head, encoding: self.encoding }
    }

    pub fn usable(&self) -> Option<&Arc<Kept>> {
        let usable = !self.only_stands_in && matches!(self.how, Some(Use::Fresh | Use::Behind | Use::Taken));
        self.kept.as_ref().filter(|_| usable)
    }
}

/// Whether a request carries a cookie by which somebody is known: the portal's session cookies, or any where it names
/// none.
fn is_personal(visit: &Visit<'_>, head: &dyn Head) -> bool {
    if head.field("authorization").is_some() {
        return true;
    }
    let Some(cookies) = read::foreign_cookies(head) else { return false };
    let names = &visit.town.portals.list[visit.portal.unwrap_or(0)].session_cookies;
    let is_session = |pair: &[u8]| {
        let name = pair.split(|b| *b == b'=').next().unwrap_or(pair).trim_ascii();
        names.iter().any(|s| s.as_bytes() == name)
    };
    names.is_empty() || cookies.split(|b| *b == b';').any(is_session)
}

/// Looks whether anything is kept; `None` where the cache has nothing to do with the request.
pub fn look(visit: &Visit<'_>, request: &Request, head: &dyn Head, bodiless: bool) -> Option<Look> {
    let word = match visit.route().cache {
        Caching::Off => return None,
        Caching::Origin => Word::Origin,
        Caching::Fill(time) => Word::Fill(time.as_secs()),
    };
    let asks = matches!(head.method(), "GET" | "HEAD") && bodiless && head.upgrade().is_none();
    if !asks || cache::is_for_the_origin(head) {
        return None;
    }
    let (own, personal) = (word != Word::Origin, is_personal(visit, head));
    if own && personal && head.field("authorization").is_some() {
        return None;
    }
    let wish = Wish::of(head);
    // By boma's own word nobody gets anything newer, and while the origin is to be spared neither.
    let wish = if own || visit.effects().spare_origin { wish.spared() } else { wish };
    let gzip = respond::takes_gzip(head);
    let encoding = match word {
        Word::Fill(_) => Some(if gzip { "gzip" } else { "identity" }),
        // However browsers write what else they take, it is one page for all of them; one that is packed otherwise cannot be looked
        // into, and would be kept for nobody.
        Word::Origin => (gzip && visit.kind == Kind::Navigation).then_some("gzip"),
    };
    let authority = asked_for(portal_of(visit), word, request);
    let key = visit.house.cache.key(at(visit, request, word, &authority));
    let mut look = Look {
        word,
        key,
        place: None,
        kept: None,
        how: None,
        wish,
        personal,
        encoding,
        only_stands_in: own && personal,
    };
    look.find(visit, head, visit.now);
    Some(look)
}

/// Whether a kept answer goes out before anything is spent.
pub fn is_free(visit: &Visit<'_>, plan: &Plan<'_>, kept: &Kept) -> bool {
    kept.body.len() <= bounds::CACHE_FREE_BYTES && decide::lets_kept(visit, plan)
}

impl Look {
    pub fn again(&mut self, visit: &Visit<'_>, head: &dyn Head) {
        self.find(visit, head, visit.house.now());
    }

    fn find(&mut self, visit: &Visit<'_>, head: &dyn Head, now: Now) {
        self.place = visit.house.cache.find(self.key);
        self.kept = self.place.as_ref().and_then(|p| p.select(&self.asking(head), now)).cloned();
        self.how = self.kept.as_ref().map(|kept| cache::reuse(kept, &self.wish, now));
    }

    /// Why the request goes on to the origin (RFC 9211 section 2.2).
    pub fn forwarded(&self) -> &'static str {
        match (self.how, &self.place) {
            (Some(Use::Ask(Why::Request)), _) => "request",
            (Some(_), _) => "stale",
            (None, Some(place)) if place.has_others() => "vary-miss",
            (None, _) => "uri-miss",
        }
    }
}

pub fn note(visit: &mut Visit<'_>, outcome: &'static str) {
    visit.cache = Some(outcome);
    let metrics = &visit.house.metrics;
    match outcome {
        "hit" => metrics.cache_hit.inc(),
        _ => metrics.cache.get_or_create(&OutcomeLabel { outcome }).inc(),
    };
}

/// A kept answer, given.
pub fn given(visit: &mut Visit<'_>, request: &Request, head: &dyn Head, kept: &Kept, status: impl Into<Bytes>) -> Made {
    let now = visit.house.now();
    given_at(visit, request, head, kept, (status.into(), now))
}

fn given_at(
    visit: &mut Visit<'_>,
    request: &Request,
    head: &dyn Head,
    kept: &Kept,
    (status, now): (Bytes, Now),
) -> Made {
    if kept.status >= 500 && fallback::replaces(visit, request, head) {
        return fallback::answer(visit, request, head, Reason::OriginError);
    }
    let Given { status, common, mut fields, body } = cache::give(kept, head, now, status);
    if visit.kind == Kind::Navigation && kept.fields().first("cache-control").is_none() {
        mint::keep(visit, request, head, status, &mut fields);
    }
    Made { status, common, fields, body: Payload::Bytes(body), reason: Reason::Served, close: false }
}

pub fn hit(visit: &mut Visit<'_>, request: &Request, head: &dyn Head, kept: &Kept) -> Made {
    hit_at(visit, request, head, kept, visit.house.now())
}

pub fn hit_at(visit: &mut Visit<'_>, request: &Request, head: &dyn Head, kept: &Kept, now: Now) -> Made {
    let left = kept.times.left(now);
    note(visit, if left > 0 { "hit" } else { "stale" });
    visit.from_cache = true;
    let mut status = Values::default();
    status.text("boma; hit; ttl=").text(if left < 0 { "-" } else { "" }).number(left.unsigned_abs());
    given_at(visit, request, head, kept, (status.take(), now))
}

/// What is kept stands in where the origin fails or may not be asked.
pub fn stand_in(
    visit: &mut Visit<'_>,
    request: &Request,
    head: &dyn Head,
    look: &Look,
    reason: Reason,
) -> Option<Made> {
    let kept = look.kept.clone().filter(|kept| cache::stands_in(kept, visit.house.now()))?;
    let left = kept.times.left(visit.house.now());
    note(visit, if left > 0 { "hit" } else { "stale" });
    visit.from_cache = true;
    let status = match reason {
        Reason::Posture | Reason::StaticRule => format!("boma; hit; ttl={left}; detail=spared"),
        _ => format!("boma; fwd=stale; ttl={left}; detail={}", reason.row().name),
    };
    Some(given(visit, request, head, &kept, status))
}

/// Forgets what a request that changed something makes void (RFC 9111 section 4.4).
pub fn void(visit: &Visit<'_>, request: &Request, head: &dyn Head, answer: &Answer) {
    if !cache::voids(head.method(), answer.status) {
        return;
    }
    let portal = visit.portal();
    if portal.routes.all().iter().all(|r| r.cache == Caching::Off) {
        return;
    }
    let named = cache::named(&answer.fields, request.scheme, &request.authority, &request.path);
    for target in named.into_iter().chain([request.target.to_string()]) {
        let (path, query) = target.split_once('?').map_or((&*target, None), |(path, query)| (path, Some(query)));
        let Ok(path) = crate::path::normalise(path) else { continue };
        let route = portal.routes.find(&crate::path::for_matching(&path)).1;
        let query = query.and_then(|q| route.query_of(q));
        let own = portal.own_host(&request.host).to_owned();
        for authority in [own, request.host.to_string(), request.authority.to_ascii_lowercase()] {
            let (portal, scheme, path, query) = (portal.name.clone(), request.scheme, path.to_string(), query.clone());
            visit.house.cache.void(&Address { portal, scheme, authority, path, query, own: false });
        }
    }
}
