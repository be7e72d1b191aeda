//! What helps when the origin does not, or may not be asked: snapshot, then statement. Total: it cannot fail.
//!
//! Does not know: why we are here, beyond the reason's name.

use std::sync::Arc;

use crate::facts::Kind;
use crate::pages::Page;
use crate::portal::Fallback;
use crate::reason::{Blame, Reason};
use crate::snapshot;
use crate::telemetry::metrics::OutcomeLabel;
use crate::wire::Head;

use super::copied;
use super::read::Request;
use super::respond::{self, Made};
use super::visit::Visit;
use super::vouch;
use super::wait::{self, Ride};

pub fn answer(visit: &mut Visit<'_>, request: &Request, head: &dyn Head, reason: Reason) -> Made {
    if let Some(made) = copy(visit, request, head, reason) {
        return made;
    }
    if matches!(reason, Reason::Posture | Reason::Closed)
        && let Some(told) = wait::stands_still(visit, head, reason)
    {
        return wait::page(visit, head, told, if request.safe { Ride::Nothing } else { Ride::Left });
    }
    let unsure = visit.unsafe_sent && reason.row().blame == Blame::Origin;
    let page = match reason {
        _ if unsure => Page::StatementUnsure,
        Reason::Busy | Reason::Strained => Page::Busy,
        _ => Page::Statement,
    };
    let status = match (visit.kind, visit.route().fallback, reason.row().blame) {
        (Kind::Navigation, Fallback::Off, Blame::Origin) => reason.row().status,
        (Kind::Navigation, _, _) => 503,
        _ => reason.row().status,
    };
    respond::error(visit, head, page, status, reason, None)
}

/// A copy instead of a place in line: it is there at once, and says when it was taken.
pub fn spares_line(visit: &mut Visit<'_>, request: &Request, head: &dyn Head) -> Option<Made> {
    let page = spare(visit, request, head);
    spares_line_by(visit, request, head, page)
}

/// The same, by one that was found in this moment, or was not.
pub fn spares_line_by(
    visit: &mut Visit<'_>,
    request: &Request,
    head: &dyn Head,
    page: Option<Arc<snapshot::Page>>,
) -> Option<Made> {
    tell(visit, page.is_some());
    copied::answer(visit, request, head, &*page?, Reason::Busy)
}

/// Whether there is such a copy, and which. Not for who is signed in, whose page is another, and not of a page on which something is
/// begun: whoever wants that wants a place.
///
/// Where the portal names no session cookies, any cookie may show who is signed in, but for those that everybody has: with them a
/// whole country would stand in line. Of parts of a page nobody has their own.
pub fn spare(visit: &Visit<'_>, request: &Request, head: &dyn Head) -> Option<Arc<snapshot::Page>> {
    let portal = visit.portal();
    if !request.safe || vouch::has_session(portal, head) {
        return None;
    }
    let page = snapshot_for(visit, request, head, Reason::Busy)?;
    let shown = match page.newest().about.location() {
        Some(to) => visit.house.board.find(&portal.name, to)?.newest().clone(),
        None => page.newest().clone(),
    };
    let is_own = visit.kind == Kind::Navigation && vouch::may_have_session(portal, head, &shown.about.given);
    (!is_own && !shown.about.has_something_to_send()).then_some(page)
}

fn copy(visit: &mut Visit<'_>, request: &Request, head: &dyn Head, reason: Reason) -> Option<Made> {
    let page = snapshot_for(visit, request, head, reason);
    tell(visit, page.is_some());
    copied::answer(visit, request, head, &*page.filter(|_| request.safe)?, reason)
}

fn tell(visit: &Visit<'_>, found: bool) {
    let outcome = if found { "snapshot" } else { "absent" };
    visit.house.metrics.cache.get_or_create(&OutcomeLabel { outcome }).inc();
}

/// Whether an origin's own 5xx is replaced for this request: for whom a fallback is made, and nobody else.
pub fn replaces(visit: &Visit<'_>, request: &Request, head: &dyn Head) -> bool {
    match (visit.kind, visit.route().fallback) {
        (_, Fallback::Off) => false,
        (Kind::Navigation, _) => true,
        (kind, _) if part_of_page(kind, head) => copied::exact(visit, request, head).is_some(),
        _ => false,
    }
}

/// Paths that are never challenged come from a snapshot where the posture spares the origin.
pub fn spared(visit: &mut Visit<'_>, request: &Request, head: &dyn Head) -> Option<Made> {
    if !request.spared || !visit.effects().spare_origin {
        return None;
    }
    let page = copied::exact(visit, request, head)?;
    copied::answer(visit, request, head, &page, Reason::Posture)
}

fn snapshot_for(visit: &Visit<'_>, request: &Request, head: &dyn Head, reason: Reason) -> Option<Arc<snapshot::Page>> {
    let wanted = match reason {
        // Closed serves statements only.
        Reason::Closed => false,
        // Where policy spares the origin, a program is served a copy as well; where the origin failed it is told so.
        Reason::Posture | Reason::StaticRule => true,
        _ => visit.kind == Kind::Navigation || part_of_page(visit.kind, head),
    };
    let wanted = wanted && visit.route().fallback.has_copies();
    wanted.then(|| copied::exact(visit, request, head)).flatten()
}

/// Over plain HTTP browsers send no `Sec-Fetch-*`; a style sheet or image then shows itself by what it accepts. It
/// decides whether a copy is served, and opens no road to the origin.
pub fn part_of_page(kind: Kind, head: &dyn Head) -> bool {
    let accepts = |v: &[u8]| v.starts_with(b"text/css") || v.starts_with(b"image/");
    kind == Kind::Subresource || (kind == Kind::Program && head.any("accept", &mut |v| accepts(v)))
}
