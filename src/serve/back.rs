//! What a page of boma's sent back: a solution, a form, or both. A form goes to the origin once, as it was sent at first;
//! nothing of the request that brings it back speaks for it.
//!
//! Does not know: how forms are sealed, what a challenge demands, how the origin is reached.

use std::cmp::Reverse;

use super::decide::{self, Decision};
use super::form::{self, Lane};
use super::inside::Inside;
use super::read::{self, Request};
use super::respond::{self, Filling, Made};
use super::upload::Upload;
use super::visit::Visit;
use super::wait::{self, Ride};
use super::{Call, Corridor, mint, own};
use crate::bounds;
use crate::challenge::{Form, Room, SEAL_WIDTH, Tie, Turn, Unsolved};
use crate::facts::Pass;
use crate::pages::Page;
use crate::reason::Reason;
use crate::wire::{Empty, Head, Line};

/// A form that was taken out of its page, and its place in the house.
struct Opened {
    form: Form,
    room: Room,
}

impl Corridor {
    /// What a page of boma's sent back: a solution, a form, or both.
    pub(super) async fn back(&self, visit: &mut Visit<'_>, call: Call<'_>, lane: Lane) -> Made {
        let Call { request: outer, head, line } = call;
        let Lane { bytes, room } = lane;
        let void = |visit: &mut Visit<'_>, earned: Option<Pass>| {
            let mut made = respond::refusal(visit, head, Reason::FormVoid);
            // What goes with a pass is on the new one already.
            if let Some(pass) = earned {
                mint::set(visit, outer, &pass, &mut made.fields);
            }
            made
        };
        let shown = shows_own_page(head, outer);
        let Some((seal, work, text)) = form::parts(&bytes).filter(|_| shown != Some(false)) else {
            return void(visit, None);
        };
        // A seal of another length is none that could be shown again.
        if !matches!(seal.len(), 0 | SEAL_WIDTH) {
            return void(visit, None);
        }
        let held = visit.pass;
        let solved = (!seal.is_empty()).then(|| own::solve(visit, head, seal, work));
        visit.pass = held;
        let earned = solved.and_then(Result::ok);
        let challenge = match solved {
            // Who pressed too early goes on waiting, and does not begin anew.
            Some(Err(Unsolved::Early(left))) => Some((seal, left)),
            _ => None,
        };
        let Some(text) = text else {
            return self.answered_as_get(visit, call, (earned, challenge)).await;
        };
        let Some(form) = visit.house.forms.open(text).filter(|f| is_here(f, visit, outer)) else {
            return void(visit, earned);
        };
        let (now, tie) = (visit.house.now().unix(), form.tie);
        if now.saturating_sub(tie.born) > bounds::FORM_KEPT.as_secs() {
            return void(visit, earned);
        }
        let (home, name) = (visit.client.prefix.0, visit.house.forms.name(seal));
        let opened = Opened { form, room };
        let lets = tie.lets(earned.map(|_| name), held.map(|p| p.id), home);
        // Their place is the new pass's by now.
        let young = is_young(visit, head, stronger(held, earned), &tie, now);
        let knows = young && (shown.is_some() || home == tie.home);
        let mut made = match (lets, tie.challenge) {
            (true, _) if knows => {
                decide::give_back(visit, outer, head);
                visit.pass = stronger(held, earned);
                self.send_on(visit, head, opened, (earned, challenge.filter(|_| tie.challenge == name)), line).await
            }
            (true, _) => ask(visit, head, opened, earned),
            // Whose pass has ended meanwhile comes without one; and a browser that shows this page in a tab of yesterday may have got
            // another one in a second tab.
            (false, 0) if tie.holder == 0 || shown == Some(true) || (held.is_none() && !young) => {
                ask(visit, head, opened, earned)
            }
            // Its own challenge, not solved yet.
            (false, own) if own != 0 && own == name => {
                challenge_again(visit, head, opened, challenge, Reason::Unsolved)
            }
            (false, _) => return void(visit, earned),
        };
        visit.pass = stronger(held, earned);
        if let Some(pass) = earned {
            mint::set(visit, outer, &pass, &mut made.fields);
        }
        made
    }

    /// The form through the whole corridor, as it was sent at first.
    async fn send_on(
        &self,
        visit: &mut Visit<'_>,
        outer: &dyn Head,
        opened: Opened,
        (earned, challenge): (Option<Pass>, Option<(&[u8], u8)>),
        line: &dyn Line,
    ) -> Made {
        let body = opened.form.body.clone();
        let form = opened.form.clone();
        let head = Inside { outer, method: &form.method, fields: &form.fields };
        let (request, decision) = match self.inside(visit, &head) {
            Ok(decided) => decided,
            Err(reason) => return respond::refusal(visit, &head, reason),
        };
        let cleared = match decision {
            Decision::Go(cleared) => cleared,
            stop => return self.stays(visit, (outer, &head), opened, (earned, challenge), stop),
        };
        if let wait::Stands::Yes(stop) = wait::stands(visit, &head, false) {
            return self.stays(visit, (outer, &head), opened, (earned, challenge), stop);
        }
        let admitted = match self.admitted(visit).await {
            Ok(admitted) => admitted,
            Err(reason) => {
                let stop = wait::kept_back(visit, &head, reason);
                return self.stays(visit, (outer, &head), opened, (earned, challenge), stop);
            }
        };
        let tie = opened.form.tie;
        match visit.house.forms.turn(&tie, visit.house.now().unix()) {
            Turn::First => {}
            Turn::Again => {
                return respond::error(visit, &head, Page::SentForm, 409, Reason::FormSent, None);
            }
            Turn::Unknown => return ask(visit, &head, opened, earned),
        }
        mint::count(visit, "form_sent_on");
        let upload = Upload::of(body);
        let call = Call { request: &request, head: &head, line };
        let made = self.origin(visit, call, upload.body(), (cleared, admitted)).await;
        if !form::never_left(&made) {
            return made;
        }
        // Nothing of it has left the house.
        visit.house.forms.take_back(&tie);
        again(visit, &head, opened, earned, (made.status, made.reason))
    }

    /// A form that may not go on, in the page of what stands before it.
    fn stays(
        &self,
        visit: &mut Visit<'_>,
        (outer, head): (&dyn Head, &dyn Head),
        opened: Opened,
        (earned, challenge): (Option<Pass>, Option<(&[u8], u8)>),
        stop: Decision,
    ) -> Made {
        match stop {
            Decision::Challenge(reason) => challenge_again(visit, outer, opened, challenge, reason),
            Decision::Limited(over) => {
                let (text, room) = free(visit, opened, earned);
                let ride = text.as_deref().map_or(Ride::Left, Ride::Form);
                form::hold(respond::limited(visit, head, over, ride), room)
            }
            Decision::Wait(told) => {
                let mut opened = opened;
                opened.form.tie = Tie { queued: true, issued: visit.now.unix(), ..opened.form.tie };
                let (text, room) = free(visit, opened, earned);
                form::hold(wait::page(visit, head, told, Ride::Form(&text.unwrap_or_default())), room)
            }
            Decision::Fallback(reason) => again(visit, head, opened, earned, (503, reason)),
            Decision::Refuse(reason) => respond::refusal(visit, head, reason),
            // Nobody stops what may go on.
            Decision::Go(_) => respond::refusal(visit, head, Reason::BadRequest),
        }
    }

    /// The address itself, for whom a check stood before it: by one more hop where cookies are kept, and at once where
    /// they are not.
    async fn answered_as_get(
        &self,
        visit: &mut Visit<'_>,
        call: Call<'_>,
        (earned, challenge): (Option<Pass>, Option<(&[u8], u8)>),
    ) -> Made {
        let Call { request: outer, head, line } = call;
        let Some(pass) = earned else {
            let Some((seal, wait)) = challenge else {
                return respond::challenge_page(visit, head, Page::Challenge, Reason::Unsolved);
            };
            let filling = Filling { seal, wait, gzip: respond::takes_gzip(head), ..Filling::default() };
            return respond::challenge_again(visit, Page::Challenge, Reason::Unsolved, filling);
        };
        decide::give_back(visit, outer, head);
        visit.pass = stronger(visit.pass, Some(pass));
        let mut made = if head.field("cookie").is_some() {
            let mut made = Made::empty(303, Reason::Solved);
            // Whole: of a path like `//elsewhere` browsers would make another host.
            made.fields.push("location", format!("{}://{}{}", outer.scheme, outer.authority, outer.target));
            made
        } else {
            let head = Inside { outer: head, method: "GET", fields: &[] };
            match self.inside(visit, &head) {
                Ok((request, decision)) => {
                    let call = Call { request: &request, head: &head, line };
                    self.decided(visit, call, Box::pin(Empty), decision).await
                }
                Err(reason) => respond::refusal(visit, &head, reason),
            }
        };
        mint::set(visit, outer, &pass, &mut made.fields);
        made
    }

    /// The corridor's beginning, for a request that came inside another one; with the pass that the visit has.
    fn inside(&self, visit: &mut Visit<'_>, head: &dyn Head) -> Result<(Request, Decision), Reason> {
        let pass = visit.pass;
        (visit.rule, visit.noted) = (None, Vec::new());
        let request = read::read(visit, head)?;
        visit.pass = pass;
        let law = visit.law.clone();
        let plan = law.rules.plan(&request.facts(visit, head), visit.level, visit.now.unix());
        visit.note(&plan);
        let decision = decide::decide(visit, &request, &plan, head);
        Ok((request, decision))
    }
}

/// Whether a form still goes on by itself. Who stands in line for its sake has not forgotten it, however long that takes; their place is
/// used with the form, so that it goes so once.
fn is_young(visit: &Visit<'_>, head: &dyn Head, pass: Option<Pass>, tie: &Tie, now: u64) -> bool {
    let young = now.saturating_sub(tie.issued) <= bounds::FORM_LIFE.as_secs();
    let stands = || pass.and_then(|pass| wait::stands_since(visit, head, &pass));
    young || (tie.queued && stands().is_some_and(|since| since <= tie.issued))
}

fn stronger(a: Option<Pass>, b: Option<Pass>) -> Option<Pass> {
    a.into_iter().chain(b).max_by_key(|p| (p.level, Reverse(p.lane), p.expires))
}

/// Whether a form belongs to the address that it comes to.
fn is_here(form: &Form, visit: &Visit<'_>, outer: &Request) -> bool {
    form.portal == visit.portal().name
        && (&*form.scheme, &*form.authority, &*form.target) == (outer.scheme, &*outer.authority, &*outer.target)
}

/// Whether the browser says that a page of this very address sent the request; `None` where it says nothing. Else anybody's
/// page could have somebody's browser send a form that is not theirs.
fn shows_own_page(head: &dyn Head, outer: &Request) -> Option<bool> {
    let own = format!("{}://{}", outer.scheme, outer.authority);
    let is_own = |value: &[u8]| value.eq_ignore_ascii_case(own.as_bytes());
    let said = |name: &str| head.field(name).is_some();
    let (site, origin, referer) = (said("sec-fetch-site"), said("origin"), said("referer"));
    let elsewhere = head.any("sec-fetch-site", &mut |v| v != b"same-origin") || head.any("origin", &mut |v| !is_own(v));
    match (site || origin, referer) {
        (true, _) => Some(!elsewhere),
        (false, true) => {
            let from_own = |v: &[u8]| v.len() > own.len() && is_own(&v[..own.len()]) && v[own.len()] == b'/';
            Some(!head.any("referer", &mut |v| !from_own(v)))
        }
        (false, false) => None,
    }
}

/// The same form behind the challenge whose button was pressed too early, or else behind another one.
fn challenge_again(
    visit: &mut Visit<'_>,
    head: &dyn Head,
    mut opened: Opened,
    challenge: Option<(&[u8], u8)>,
    reason: Reason,
) -> Made {
    if let Some(challenge) = challenge {
        return form::challenge_page(visit, head, reason, challenge, Some((opened.form, opened.room)));
    }
    let asks = mint::ask(visit, head);
    let seal = mint::issue(visit, head, &asks);
    opened.form.tie.challenge = visit.house.forms.name(&seal);
    form::challenge_page(visit, head, reason, (&seal, asks.wait), Some((opened.form, opened.room)))
}

/// Asks to press Send, where it cannot be known whether the form was sent on already.
fn ask(visit: &mut Visit<'_>, head: &dyn Head, mut opened: Opened, earned: Option<Pass>) -> Made {
    let (house, tie) = (visit.house, opened.form.tie);
    if house.forms.is_spent(&tie, house.now().unix()) {
        return respond::error(visit, head, Page::SentForm, 409, Reason::FormSent, None);
    }
    opened.form.tie = house.forms.asks(&tie, keeper(visit, earned), visit.client.prefix.0, house.now().unix());
    mint::count(visit, "form_asked");
    let text = house.forms.seal(&opened.form).unwrap_or_default();
    form::hold(respond::form_page(visit, head, Page::AskForm, (409, Reason::FormAsks), None, &text), opened.room)
}

/// An exit's page with the form, which was not sent on.
fn again(visit: &mut Visit<'_>, head: &dyn Head, opened: Opened, earned: Option<Pass>, end: (u16, Reason)) -> Made {
    let (text, room) = free(visit, opened, earned);
    form::hold(form::again_page(visit, head, end, &text.unwrap_or_default()), room)
}

/// The text of a form behind which no challenge stands any more.
fn free(visit: &Visit<'_>, mut opened: Opened, earned: Option<Pass>) -> (Option<String>, Room) {
    let holder = keeper(visit, earned).unwrap_or(0);
    opened.form.tie = Tie { challenge: 0, holder, home: visit.client.prefix.0, ..opened.form.tie };
    (visit.house.forms.seal(&opened.form), opened.room)
}

/// The pass that will surely come again with the form: one that came. A new one may be given to a phone that keeps no cookies.
fn keeper(visit: &Visit<'_>, earned: Option<Pass>) -> Option<u128> {
    let pass = visit.pass.filter(|p| earned.is_none_or(|e| e.id != p.id));
    pass.map(|p| p.id)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::house;
    use super::*;
    use crate::client::Client;
    use crate::force::House;
    use crate::waiting::{Asked, Holder, Space, Turn};
    use crate::wire::{Arrival, NoHead};

    fn visit(house: &House) -> Visit<'_> {
        let from = "203.0.113.7".parse().unwrap();
        let client = Client::new(from, from, 64, false);
        let mut visit = Visit::open(house, String::new(), client, Arrival { scheme: "http", redirect_https: false });
        (visit.portal, visit.pass) = (Some(0), Some(Pass::proven(7, 1, 0, u64::MAX)));
        visit
    }

    /// As the page's script does, or its button.
    fn asks(house: &House, enters: bool) -> Turn {
        let holder = Holder { id: 7, crowd: None, free: false, reads: false };
        let asked = Asked { holder, with: None, enters, stays: true, by_rule: false };
        visit(house).room().ask(&asked, house.now().unix())
    }

    fn waits(house: &House, minutes: u64) {
        for _ in 0..minutes {
            assert!(matches!(asks(house, false), Turn::Waits(_)));
            house.clock.advance(Duration::from_secs(60));
        }
        assert!(matches!(asks(house, false), Turn::Waits(_)));
    }

    fn young(house: &House, id: u128, tie: &Tie) -> bool {
        let pass = Pass::proven(id, 1, 0, u64::MAX);
        is_young(&visit(house), &NoHead, Some(pass), tie, house.now().unix())
    }

    #[test]
    fn a_form_is_not_old_while_its_sender_stands_in_line_for_it_and_goes_once() {
        let house = house("");
        waits(&house, 1);
        let tie = Tie { queued: true, ..house.forms.tie(b"", Some(7), 9, house.now().unix()) };
        let elsewhere = Tie { queued: false, ..tie };
        let young = |tie: &Tie| young(&house, 7, tie);
        waits(&house, 45);
        assert!(young(&tie) && !young(&elsewhere), "one that met a check has no place to be young by");
        let space = Space { free: 1, queued: 0, queued_most: 8, per_second: 1.0, sustained: 0.0 };
        assert_eq!(visit(&house).room().beat(&space, false, house.now().unix()).called, 1);
        assert!(young(&tie), "called");
        assert_eq!(asks(&house, true), Turn::In { used: true });
        assert!(!young(&tie), "its place is used, and so is it");
        house.clock.advance(bounds::PLACE_VISIT + Duration::from_secs(5));
        waits(&house, 1);
        assert!(!young(&tie), "another place is for another form");
    }

    #[test]
    fn a_form_is_as_young_after_a_check_that_stood_before_its_senders_place() {
        let house = house("");
        waits(&house, 1);
        let tie = Tie { queued: true, ..house.forms.tie(b"", Some(7), 9, house.now().unix()) };
        waits(&house, 45);
        let other = Holder { id: 8, crowd: None, free: false, reads: false };
        visit(&house).room().moves(7, &other, house.now().unix());
        assert!(young(&house, 8, &tie) && !young(&house, 7, &tie));
    }
}
