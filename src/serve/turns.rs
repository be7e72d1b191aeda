//! What comes before a gate at which others want in too: who goes on to it at once, who is given a copy, and who is told to wait; and
//! what each pass shows by what it asks for.
//!
//! Readers go on although there is a copy, for at the gate they come before all of whom less is known, and have the copy where it
//! takes them no better. A part of a page, of which the copy is as good, waits for nothing.
//!
//! Does not know: the order at the gate, the order of the line.

use std::sync::Arc;

use super::decide::Decision;
use super::kept::{self, Look};
use super::read::Request;
use super::respond::Made;
use super::visit::{Queue, Visit};
use super::wait::{self, Stands};
use super::{fallback, vouch};
use crate::admit::Who;
use crate::client::Prefix;
use crate::facts::Kind;
use crate::plan::Level;
use crate::reason::Reason;
use crate::wire::Head;
use crate::{cache, snapshot};

/// What becomes of a request that may go on.
pub enum Before {
    Gate,
    Answered(Made),
    Stopped(Decision),
}

/// Whether others come before a request that may go on.
pub fn before(visit: &mut Visit<'_>, request: &Request, head: &dyn Head, look: Option<&Look>) -> Before {
    let by_rule = matches!(visit.queue, Queue::Rule(_));
    let crowded = visit.room().is_busy() || visit.gate().is_full();
    if !by_rule && (!crowded || visit.queue == Queue::Never || !visit.may_be_challenged()) {
        return Before::Gate;
    }
    let kept = look.filter(|look| !look.personal).and_then(|look| look.kept.as_ref());
    let stands_in = kept.is_some_and(|kept| cache::stands_in(kept, visit.now));
    let page = if by_rule || stands_in { None } else { fallback::spare(visit, request, head) };
    visit.spared = !by_rule && request.safe && (stands_in || page.is_some());
    visit.exact = head.query() == request.query.as_deref() && (visit.spared || request.is_known(visit));
    // The copy of a part is as good, and here at once: what the origin can give is for pages.
    if visit.spared
        && visit.kind == Kind::Subresource
        && let Some(made) = copy(visit, request, head, look, page.clone())
    {
        return Before::Answered(made);
    }
    visit.first = vouch::is_first(visit);
    let ahead = !by_rule && vouch::standing(visit).0.is_ahead();
    if ahead && !visit.room().is_busy_for_readers() {
        return Before::Gate;
    }
    // What is free is for whoever comes: who has no copy is called as fast as the origin bears it all the same.
    if visit.spared && !visit.gate().is_full() {
        return Before::Gate;
    }
    let spared = visit.spared;
    match wait::stands(visit, head, spared) {
        Stands::No => Before::Gate,
        Stands::Yes(stop) => Before::Stopped(stop),
        Stands::Spared => match copy(visit, request, head, look, page) {
            Some(made) => Before::Answered(made),
            // It went away in this moment.
            None => Before::Gate,
        },
    }
}

/// For a part of a page before which the posture's challenge stands: what is kept, or a copy. A page that came as a copy, or
/// before the posture rose, has left its reader no pass, and a part can show no challenge.
pub fn part(visit: &mut Visit<'_>, request: &Request, head: &dyn Head, look: Option<&Look>) -> Option<Made> {
    if !request.safe || visit.kind != Kind::Subresource {
        return None;
    }
    let page = fallback::spare(visit, request, head);
    copy(visit, request, head, look, page)
}

/// What is kept, or this copy.
fn copy(
    visit: &mut Visit<'_>,
    request: &Request,
    head: &dyn Head,
    look: Option<&Look>,
    page: Option<Arc<snapshot::Page>>,
) -> Option<Made> {
    let look = look.filter(|look| !look.personal);
    let kept = look.and_then(|look| kept::stand_in(visit, request, head, look, Reason::Busy));
    kept.or_else(|| fallback::spares_line_by(visit, request, head, page))
}

/// Who asks, as the gate has it.
pub fn who(visit: &Visit<'_>) -> Who {
    let (standing, took) = vouch::standing(visit);
    Who {
        class: visit.route().class,
        standing,
        address: Prefix::of(visit.client.address, 32, 64).0,
        pass: vouch::known(visit).map(|pass| pass.id),
        took,
        spared: visit.spared,
    }
}

/// The origin is asked for something. Parts count for nothing, or who reads would have less than who does not.
pub fn took(visit: &Visit<'_>) {
    if let Some(pass) = visit.pass.filter(|_| visit.kind != Kind::Subresource) {
        visit.house.habits.took(pass.id, visit.now.unix());
    }
}

/// What an answer shows of the pass that it was asked for with.
pub fn saw(visit: &Visit<'_>, head: &dyn Head, made: &Made) {
    let (Some(pass), Some(_)) = (visit.pass, visit.portal) else { return };
    let is_the_portals = made.reason == Reason::Served || visit.cache == Some("snapshot");
    if !is_the_portals || head.method() != "GET" {
        return;
    }
    let (habits, now) = (&visit.house.habits, visit.now.unix());
    let came = matches!(made.status, 200 | 206 | 304);
    match visit.kind {
        kind if came && fallback::part_of_page(kind, head) => habits.part(pass.id, now),
        Kind::Navigation if came => {
            if let Some(reads) = habits.page(pass.id, now)
                && visit.level == Level::Normal
            {
                visit.usual().judged(reads);
            }
        }
        _ => {}
    }
}
