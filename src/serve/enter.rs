//! How far a request comes before it has to wait for anybody: what is denied, limited or kept is answered on the spot, and only the
//! rest needs a future, which is large.
//!
//! Does not know: how any stage works, what comes after a wait.

use super::decide::{self, Decision};
use super::kept::{self, Look};
use super::read::{self, Request};
use super::record::{InFlight, Unanswered};
use super::respond::{self, Made};
use super::visit::{Pinned, Visit};
use super::{Call, Corridor, form, own, turns};
use crate::client::Client;
use crate::force::Town;
use crate::reason::Reason;
use crate::wire::{Arrival, BodyBox, Head, Line, Reply};

/// What becomes of a request without waiting.
pub enum Entered<'h> {
    Answered(Reply),
    Goes(Going<'h>),
}

/// A request that is not answered yet, and how far it is.
pub struct Going<'h> {
    visit: Box<Visit<'h>>,
    in_flight: InFlight,
    next: Box<Next>,
}

struct Next {
    request: Request,
    /// Nothing on a path of boma's own.
    decided: Option<(Decision, Option<Look>)>,
}

impl Corridor {
    /// Answers one request. Every exit passes `respond` and is recorded once.
    pub async fn walk(
        &self,
        head: &dyn Head,
        body: BodyBox,
        client: Client,
        arrival: Arrival,
        line: &dyn Line,
    ) -> Reply {
        match self.enter(head, body.exact() == Some(0), (client, arrival), line) {
            Entered::Answered(reply) => reply,
            Entered::Goes(going) => self.go(going, head, body, line).await,
        }
    }

    /// As far as it goes without waiting; `bodiless`: the request has no body.
    pub fn enter(
        &self,
        head: &dyn Head,
        bodiless: bool,
        (client, arrival): (Client, Arrival),
        line: &dyn Line,
    ) -> Entered<'_> {
        let (mut in_flight, mut visit) = self.opened(head, client, arrival);
        match self.at_once(&mut visit, head, bodiless, line) {
            Ok(made) => {
                let made = finished(&mut visit, head, made);
                in_flight.entered = std::mem::take(&mut visit.entered);
                Entered::Answered(self.recorder.send(&mut visit, head, made, in_flight))
            }
            Err(next) => Entered::Goes(Going { visit: Box::new(visit), in_flight, next }),
        }
    }

    /// The rest of the way, with the same head.
    pub async fn go(&self, going: Going<'_>, head: &dyn Head, body: BodyBox, line: &dyn Line) -> Reply {
        let Going { visit, in_flight, next } = going;
        let mut unanswered = Unanswered { recorder: &self.recorder, visit, head, in_flight: Some(in_flight) };
        let visit = &mut *unanswered.visit;
        let Next { request, decided } = *next;
        let made = match decided {
            Some(decided) => self.goes(visit, Call { request: &request, head, line }, body, decided).await,
            None => {
                let law = visit.law.clone();
                let plan = law.rules.plan(&request.facts(visit, head), visit.level, visit.now.unix());
                own::answer(visit, &request, &plan, head, body).await
            }
        };
        let made = finished(visit, head, made);
        unanswered.answer(made)
    }

    /// Answers what could not be read as a request; `head` is what is known of it.
    pub fn refuse(&self, head: &dyn Head, client: Client, arrival: Arrival, reason: Reason) -> Reply {
        let (in_flight, mut visit) = self.opened(head, client, arrival);
        visit.path = head.path().into();
        let made = respond::refusal(&mut visit, head, reason);
        self.recorder.send(&mut visit, head, made, in_flight)
    }

    /// What is in force for whoever comes now.
    pub fn town(&self) -> Pinned<Town> {
        self.pins.town()
    }

    #[inline]
    fn opened(&self, head: &dyn Head, client: Client, arrival: Arrival) -> (InFlight, Visit<'_>) {
        let id = self.recorder.next_id(head, &client);
        let visit = Visit::pinned((self.pins.law(), self.pins.town()), &self.house, id, client, arrival);
        (self.recorder.in_flight(), visit)
    }

    fn at_once(
        &self,
        visit: &mut Visit<'_>,
        head: &dyn Head,
        bodiless: bool,
        line: &dyn Line,
    ) -> Result<Made, Box<Next>> {
        let trusted_itself = visit.client.peer_trusted && visit.client.address == visit.client.peer;
        if !trusted_itself && self.house.bans.holds(visit.client.address, visit.now.unix()) {
            return Ok(respond::refusal(visit, head, Reason::Banned));
        }
        let request = match read::read(visit, head) {
            Ok(request) => request,
            Err(reason) => return Ok(respond::refusal(visit, head, reason)),
        };
        if let Some(pass) = visit.vouched() {
            line.showed(pass.id);
            self.house.bans.saw_pass(visit.client.address, pass.id);
        }
        if let Some(claim) = &visit.claim {
            self.house.bots.ask(claim, visit.now.unix());
        }
        if visit.portal.is_some() {
            visit.signals().arrived(&visit.client);
        }
        let law = visit.law.clone();
        let plan = law.rules.plan(&request.facts(visit, head), visit.level, visit.now.unix());
        visit.note(&plan);
        if visit.arrival.redirect_https && request.scheme == "http" && !request.stays_http() {
            return Ok(respond::to_https(&request));
        }
        if request.own {
            return Err(Box::new(Next { request, decided: None }));
        }
        let look = kept::look(visit, &request, head, bodiless);
        if let Some(made) = look.as_ref().and_then(|look| self.free(visit, &request, &plan, head, look)) {
            return Ok(made);
        }
        let decision = decide::decide(visit, &request, &plan, head);
        match said(visit, Call { request: &request, head, line }, look.as_ref(), decision) {
            Ok(made) => Ok(made),
            Err(decision) => Err(Box::new(Next { request, decided: Some((decision, look)) })),
        }
    }
}

/// What can be said of a decision at once; else what it is.
pub fn said(visit: &mut Visit<'_>, call: Call<'_>, look: Option<&Look>, decision: Decision) -> Result<Made, Decision> {
    let Call { request, head, .. } = call;
    if let (Decision::Fallback(reason @ (Reason::Posture | Reason::StaticRule | Reason::Strained)), Some(look)) =
        (&decision, look)
        && let Some(made) = kept::stand_in(visit, request, head, look, *reason)
    {
        return Ok(made);
    }
    if let Decision::Challenge(Reason::ChallengePosture) = decision
        && let Some(made) = turns::part(visit, request, head, look)
    {
        return Ok(made);
    }
    match decision {
        Decision::Go(_) => Err(decision),
        Decision::Refuse(reason) => Ok(respond::refusal(visit, head, reason)),
        // A form may ride along.
        stop if head.method() == "POST" => Err(stop),
        stop => Ok(form::ended(visit, request, head, None, stop)),
    }
}

fn finished(visit: &mut Visit<'_>, head: &dyn Head, made: Made) -> Made {
    let made = respond::unmistaken(visit, head, made);
    turns::saw(visit, head, &made);
    made
}
