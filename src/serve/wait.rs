//! Who has to wait for their turn before the gate, and what they are told: a page with a place, an estimate and a button; as
//! JSON to programs and to the page's own script.
//!
//! A place belongs to a pass. Who comes without one gets a quiet pass with the page, of which a prefix has only so many, or is
//! challenged first. Call-backs, APIs (`challenge = "never"`) and verified bots hold no places: the gate alone sees to them.
//!
//! Does not know: the order of the line, how fast it moves, by what a pass is known there.

use serde_json::json;

use super::decide::Decision;
use super::own;
use super::problem::problem;
use super::read::{self, OWN, PLACE_COOKIE, Request};
use super::respond::{self, Filling, Made};
use super::visit::{Queue, Visit};
use super::{fallback, holder, mint};
use crate::bounds;
use crate::facts::{Kind, Lane, Pass};
use crate::pages::{HIDDEN, Page};
use crate::path;
use crate::reason::Reason;
use crate::store::Table;
use crate::telemetry::metrics::OutcomeLabel;
use crate::waiting::{Asked, Place, Turn, Waits, used_key};
use crate::wire::{Head, Hole};

/// How long a browser keeps a place's cookie: longer than it holds, because places outlast a posture in which the line stands
/// still.
const COOKIE_AGE: u64 = 3600;
/// Names of the estimate's fields, for programs in seconds.
const MINUTE: u32 = 60;

/// Somebody who has to wait.
pub struct Told {
    /// `None` for who can hold no place.
    pub waits: Option<Waits>,
    pub reason: Reason,
    /// The pass that they get for it.
    pass: Option<Pass>,
    holder: u128,
}

/// What of a form goes with the page.
#[derive(Clone, Copy)]
pub enum Ride<'a> {
    Nothing,
    /// Its sealed text.
    Form(&'a str),
    /// It could not be taken along.
    Left,
}

/// Whether others come before a request that may go on.
fn has_to(visit: &Visit<'_>) -> bool {
    if visit.queue == Queue::Never || !visit.may_be_challenged() {
        return false;
    }
    let full = || {
        let load = visit.gate().load(visit.route().class);
        load.waiting_most > 0 && load.waiting >= load.waiting_most
    };
    let by_rule = matches!(visit.queue, Queue::Rule(_));
    by_rule || visit.room().is_busy() || (visit.kind == Kind::Navigation && full())
}

/// Whether a request that may go on has to wait first.
pub enum Stands {
    No,
    /// What it is told.
    Yes(Decision),
    /// It has to, and there is a copy for it.
    Spared,
}

/// Whether a request that may go on has to wait first, and what it is told then. Where there is a copy for it nobody gets a place:
/// that is for whom nothing else helps.
pub fn stands(visit: &mut Visit<'_>, head: &dyn Head, spared: bool) -> Stands {
    if !has_to(visit) {
        return Stands::No;
    }
    let stands = take(visit, head, matches!(visit.kind, Kind::Navigation | Kind::Program), !spared);
    if let Stands::Yes(stop) = &stands {
        // Who waits already has been counted, however often they ask.
        let again = matches!(stop, Decision::Wait(Told { waits: Some(waits), .. }) if !waits.new);
        if !again && !matches!(visit.queue, Queue::Rule(_)) {
            visit.signals().busy();
        }
    }
    stands
}

/// For whom there was no permit: a place, where they can hold one.
pub fn after_busy(visit: &mut Visit<'_>, head: &dyn Head) -> Decision {
    let waits = visit.kind == Kind::Navigation && visit.queue != Queue::Never && visit.may_be_challenged();
    match waits.then(|| take(visit, head, false, true)) {
        Some(Stands::Yes(stop)) => stop,
        _ => Decision::Fallback(Reason::Busy),
    }
}

/// What becomes of whom the gate gave no permit, for this reason.
pub fn kept_back(visit: &mut Visit<'_>, head: &dyn Head, reason: Reason) -> Decision {
    if reason == Reason::Busy { after_busy(visit, head) } else { Decision::Fallback(reason) }
}

/// The same as an answer, for a request that changes nothing.
pub fn turned_away(visit: &mut Visit<'_>, request: &Request, head: &dyn Head, reason: Reason) -> Made {
    if reason == Reason::Busy
        && let Some(copy) = fallback::spares_line(visit, request, head)
    {
        return copy;
    }
    match kept_back(visit, head, reason) {
        Decision::Wait(told) => page(visit, head, told, Ride::Nothing),
        Decision::Challenge(reason) => respond::challenge(visit, request, head, reason),
        _ => fallback::answer(visit, request, head, reason),
    }
}

/// The place of whoever asks, in one look at the room. Who only `enters` and does not stay is spared the line otherwise.
fn take(visit: &mut Visit<'_>, head: &dyn Head, enters: bool, stays: bool) -> Stands {
    let rule = match &visit.queue {
        Queue::Rule(rule) => Some(rule.clone()),
        Queue::IfFull | Queue::Never => None,
    };
    let (reason, challenge) = match rule {
        Some(_) => (Reason::WaitRule, Reason::ChallengeRule),
        None => (Reason::WaitFull, Reason::ChallengePosture),
    };
    let (mut new, mut pass) = (None, visit.pass);
    if pass.is_none() {
        if !stays {
            return Stands::Spared;
        }
        if visit.kind != Kind::Navigation {
            visit.rule = rule.or(visit.rule.take());
            return Stands::Yes(Decision::Wait(Told { waits: None, reason, pass: None, holder: 0 }));
        }
        (new, pass) = match mint::newcomer(visit, head) {
            Some(made) => (Some(made), Some(made)),
            None => (None, None),
        };
    }
    let Some(pass) = pass else {
        visit.rule = rule.or(visit.rule.take());
        visit.needed = visit.needed.max(1);
        return Stands::Yes(Decision::Challenge(challenge));
    };
    let holder = holder::of(visit, head, &pass);
    let with = holder::came(visit, head, holder.id);
    let asked = Asked { holder, with, enters, stays, by_rule: rule.is_some() };
    let stop = match visit.room().ask(&asked, visit.now.unix()) {
        Turn::In { used } => {
            visit.called |= used;
            if used {
                note_used(visit, holder.id);
            }
            return Stands::No;
        }
        Turn::Out => return Stands::Spared,
        Turn::Waits(waits) => {
            visit.rule = rule.or(visit.rule.take());
            count(visit, if waits.press_in == bounds::PLACE_PRESS.as_secs() { "told" } else { "early" });
            Decision::Wait(Told { waits: Some(waits), reason, pass: new, holder: holder.id })
        }
        // Passes that anybody may have many of are not worth a place each.
        Turn::Full if pass.lane == Lane::Quiet => {
            visit.needed = visit.needed.max(1);
            count(visit, "full");
            Decision::Challenge(challenge)
        }
        Turn::Full => {
            count(visit, "full");
            Decision::Fallback(Reason::Busy)
        }
    };
    Stands::Yes(stop)
}

/// A place was used for a visit: noted at once, so that no crash lets it be used again.
fn note_used(visit: &Visit<'_>, holder: u128) {
    count(visit, "let_in");
    let key = used_key(&visit.portal().name, visit.route().class, holder);
    visit.house.store.put(Table::Waiting, &key, visit.now.unix().to_le_bytes().to_vec());
}

fn count(visit: &Visit<'_>, outcome: &'static str) {
    visit.house.metrics.waiting.get_or_create(&OutcomeLabel { outcome }).inc();
}

/// When to ask again, in seconds: soon where the turn is near, and often enough for the place to hold.
fn poll(waits: &Waits) -> u64 {
    let (soon, late) = bounds::PLACE_POLL;
    match (waits.place, waits.estimate) {
        (0, _) => soon,
        (_, Some(estimate)) if estimate.to > 2 => (u64::from(estimate.to) * 60 / 20).clamp(soon, late),
        (place, _) => (u64::from(place) / 10).clamp(soon, late / 2),
    }
}

/// The page of the waiting room; JSON to whoever is no browser.
pub fn page(visit: &mut Visit<'_>, head: &dyn Head, told: Told, ride: Ride<'_>) -> Made {
    let wait = told.waits.as_ref().map(poll);
    let retry = respond::retry_after(visit, told.reason, wait);
    let scheme = read::scheme(visit, head);
    let mut made = if visit.kind == Kind::Navigation {
        let (page, form) = match ride {
            Ride::Nothing => (Page::Waiting, ""),
            Ride::Form(text) => (Page::WaitingForm, text),
            Ride::Left => (Page::WaitingResend, ""),
        };
        if matches!(ride, Ride::Form(_)) {
            mint::count(visit, "form_returned");
        }
        let press_in = told.waits.map_or(bounds::PLACE_PRESS.as_secs(), |w| w.press_in) as u8;
        let gzip = respond::takes_gzip(head);
        let filling = Filling { wait: press_in, gzip, form, waits: told.waits.as_ref(), ..Filling::default() };
        respond::html(visit, page, (503, told.reason), retry, filling)
    } else {
        let more = match &told.waits {
            Some(waits) => format!(",\"place\":{},\"estimate\":{}", waits.place, estimate(waits)),
            None => challenge_url(visit, head),
        };
        problem(visit, head, 503, told.reason, retry, &more)
    };
    if let Some(waits) = &told.waits {
        made.fields.push("set-cookie", cookie(visit, scheme, told.holder, waits));
    }
    if let Some(pass) = &told.pass {
        mint::set_by(visit, scheme, pass, &mut made.fields);
    }
    made
}

/// Where a program gets a pass, which can hold a place.
fn challenge_url(visit: &Visit<'_>, head: &dyn Head) -> String {
    let host = head.authority().or_else(|| head.text("host")).unwrap_or(&visit.host);
    let url = format!("{}://{host}{OWN}challenge", read::scheme(visit, head));
    format!(",\"challenge_url\":{}", serde_json::Value::from(url))
}

fn estimate(waits: &Waits) -> serde_json::Value {
    waits.estimate.map_or(serde_json::Value::Null, |e| json!({ "from": e.from * MINUTE, "to": e.to * MINUTE }))
}

fn cookie(visit: &Visit<'_>, scheme: &str, holder: u128, waits: &Waits) -> String {
    let class = visit.route().class;
    let (minute, nth, renewed) = (waits.minute, waits.nth, visit.now.unix());
    let place = Place { class, holder, minute, nth, renewed };
    let value = visit.house.seats.seal(&visit.portal().name, &place);
    mint::own_cookie(visit, scheme, PLACE_COOKIE, &value, COOKIE_AGE)
}

/// `GET /.well-known/boma/place?at=PATH`: the place of whoever holds a pass, for the page's script and for apps. It is renewed,
/// and neither made nor used.
pub fn told(visit: &mut Visit<'_>, head: &dyn Head) -> Made {
    let at = head.query().and_then(|q| q.split('&').find_map(|p| p.strip_prefix("at="))).unwrap_or("/");
    if let Ok(path) = path::normalise(&decoded(at)) {
        visit.route = visit.portal().routes.find(&path::for_matching(&path)).0;
    }
    let Some(pass) = visit.pass else { return none() };
    let (holder, now) = (holder::of(visit, head, &pass), visit.now.unix());
    let with = holder::came(visit, head, holder.id);
    if with.is_none() && visit.room().look(holder.id, now).is_none() {
        return none();
    }
    let waits = match visit.room().ask(&Asked { holder, with, enters: false, stays: true, by_rule: true }, now) {
        Turn::Waits(waits) => waits,
        Turn::In { .. } => return own::json(200, Reason::Own, &json!({ "state": "called" })),
        Turn::Full | Turn::Out => return none(),
    };
    let state = match waits {
        Waits { still: true, .. } => "still",
        Waits { place: 0, .. } => "called",
        _ => "waiting",
    };
    let retry = poll(&waits);
    let body = json!({ "state": state, "place": waits.place, "estimate": estimate(&waits), "retry_after": retry });
    let mut made = own::json(200, Reason::Own, &body);
    made.fields.push("retry-after", retry.to_string());
    made.fields.push("set-cookie", cookie(visit, read::scheme(visit, head), holder.id, &waits));
    made
}

/// Whoever has no place.
pub fn none() -> Made {
    own::json(200, Reason::Own, &json!({ "state": "none" }))
}

/// `%` and two digits as the byte that they mean; what is none stays.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let digits = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match digits.and_then(|d| u8::from_str_radix(d, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Since when the holder of a pass has a place that is not used yet, to the minute.
pub fn stands_since(visit: &Visit<'_>, head: &dyn Head, pass: &Pass) -> Option<u64> {
    let waits = visit.room().look(holder::of(visit, head, pass).id, visit.now.unix())?;
    Some(u64::from(waits.minute) * u64::from(MINUTE))
}

/// Whether somebody who gets a statement holds a place, which stands still meanwhile.
pub fn stands_still(visit: &mut Visit<'_>, head: &dyn Head, reason: Reason) -> Option<Told> {
    if visit.kind != Kind::Navigation {
        return None;
    }
    let pass = visit.pass?;
    let (holder, now) = (holder::of(visit, head, &pass), visit.now.unix());
    visit.room().look(holder.id, now)?;
    let (with, enters, stays) = (holder::came(visit, head, holder.id), false, true);
    let asked = Asked { holder, with, enters, stays, by_rule: true };
    let Turn::Waits(waits) = visit.room().ask(&asked, now) else { return None };
    Some(Told { waits: Some(Waits { still: true, ..waits }), reason, pass: None, holder: holder.id })
}

/// Fills what a page says of a place.
pub fn fill(waits: Option<&Waits>, hole: Hole, out: &mut [u8]) {
    let (place, estimate, still) =
        waits.map_or((1, None, false), |w| (w.place.max(1), w.estimate.filter(|_| !w.still), w.still));
    let number = |n: Option<u32>| n.map_or(String::new(), |n| n.to_string()).into_bytes();
    let hidden = |hides: bool| if hides { HIDDEN.to_vec() } else { Vec::new() };
    let text = match hole {
        Hole::Place => number(Some(place)),
        Hole::From => number(estimate.map(|e| e.from)),
        Hole::To => number(estimate.map(|e| e.to)),
        Hole::Known => hidden(estimate.is_none()),
        Hole::Unknown => hidden(estimate.is_some() || still),
        Hole::Still => hidden(!still),
        _ => return,
    };
    out.fill(b' ');
    let length = text.len().min(out.len());
    out[..length].copy_from_slice(&text[..length]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::waiting::Estimate;

    #[test]
    fn a_page_says_one_thing_of_how_long_it_takes() {
        let waits = Waits { minute: 1, nth: 0, place: 12, estimate: None, press_in: 5, still: false, new: false };
        let filled = |waits: &Waits, hole, width| {
            let mut out = vec![b'~'; width];
            fill(Some(waits), hole, &mut out);
            String::from_utf8(out).unwrap()
        };
        let shown = |waits: &Waits| {
            [Hole::Known, Hole::Unknown, Hole::Still].map(|hole| filled(waits, hole, 7).trim().is_empty())
        };
        let told = Waits { estimate: Some(Estimate { from: 4, to: 9 }), ..waits };
        assert_eq!(filled(&told, Hole::Place, 7), "12     ");
        assert_eq!([Hole::From, Hole::To].map(|hole| filled(&told, hole, 3)), ["4  ", "9  "]);
        assert_eq!(shown(&told), [true, false, false]);
        assert_eq!(shown(&waits), [false, true, false]);
        assert_eq!(shown(&Waits { still: true, ..told }), [false, false, true]);
    }

    #[test]
    fn paths_are_decoded_as_a_script_encodes_them() {
        for (text, path) in [("%2Ffile%20a", "/file a"), ("/x", "/x"), ("%zz%2", "%zz%2"), ("%C3%A9é%", "éé%")] {
            assert_eq!(decoded(text), path);
        }
    }
}
