//! What becomes of a request for which an answer is kept (RFC 9111 section 4, RFC 5861).

use super::keep::Kept;
use super::wish::Wish;
use crate::bounds;
use crate::clock::Now;

/// How a kept answer may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// As it is.
    Fresh,
    /// As it is, and a new one is to be fetched behind it (RFC 5861 section 3).
    Behind,
    /// As it is although it is stale: the client takes it so.
    Taken,
    /// The origin is to be asked, because of its age or of the request.
    Ask(Why),
}

/// Why a request goes on although an answer is kept (RFC 9211 section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Stale,
    Request,
}

pub fn reuse(kept: &Kept, wish: &Wish, now: Now) -> Use {
    let (age, left) = (kept.age(now), kept.times.left(now));
    if wish.no_cache || wish.max_age.is_some_and(|most| age > most || most == 0) {
        return Use::Ask(Why::Request);
    }
    if kept.said.no_cache {
        return Use::Ask(Why::Stale);
    }
    if left > 0 {
        let enough = wish.min_fresh.is_none_or(|least| left.unsigned_abs() >= least);
        return if enough { Use::Fresh } else { Use::Ask(Why::Request) };
    }
    if kept.said.forbids_stale() || wish.min_fresh.is_some() {
        return Use::Ask(Why::Stale);
    }
    let over = left.unsigned_abs();
    if kept.said.while_revalidate.is_some_and(|window| over < window) {
        return Use::Behind;
    }
    if wish.max_stale.is_some_and(|most| over <= most) {
        return Use::Taken;
    }
    Use::Ask(Why::Stale)
}

/// Whether a kept answer may stand in where the origin fails or may not be asked (RFC 9111 section 4.2.4, RFC 5861
/// section 4): as long as it says itself, or else as long as boma keeps it for bad days. That something is not there, or not
/// to be had, may be so for a moment: past its time such an answer stands in only where it says so itself.
pub fn stands_in(kept: &Kept, now: Now) -> bool {
    let left = kept.times.left(now);
    if kept.status >= 500 || kept.said.no_cache {
        return false;
    }
    if left > 0 {
        return true;
    }
    let unsaid = if kept.status < 400 { bounds::CACHE_KEPT.as_secs() } else { 0 };
    let most = kept.said.if_error.unwrap_or(unsaid);
    !kept.said.forbids_stale() && left.unsigned_abs() < most
}

/// Whether nothing can come of it any more.
pub fn is_over(kept: &Kept, now: Now) -> bool {
    let longest = |n: Option<u64>| n.unwrap_or(0).min(bounds::CACHE_KEPT.as_secs());
    let most = bounds::CACHE_KEPT.as_secs().max(longest(kept.said.if_error)).max(longest(kept.said.while_revalidate));
    kept.times.left(now) < 0 && kept.times.left(now).unsigned_abs() > most
}

/// Whether an answer's status says that the origin is in trouble, so that an older one helps more (RFC 5861 section 4).
pub fn is_trouble(status: u16) -> bool {
    status >= 500 && !matches!(status, 501 | 505)
}
