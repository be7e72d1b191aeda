//! boma's own citizens' paths, under `/.well-known/boma/`: under drops and a limit of their own, before all other
//! rules. Unknown ones are boma's 404 and never reach the origin.
//!
//! Does not know: staff paths.

use crate::challenge::Unsolved;
use crate::facts::{Kind, Pass};
use crate::plan::{Plan, Refusal};
use crate::posture::origin_of;
use crate::reason::Reason;
use crate::telemetry::metrics::OutcomeLabel;
use crate::wire::{self, BodyBox, Head};
use crate::{bounds, pages};

use super::decide;
use super::read::{OWN, Request};
use super::respond::{self, Made};
use super::visit::Visit;

pub async fn answer(visit: &mut Visit<'_>, request: &Request, plan: &Plan<'_>, head: &dyn Head, body: BodyBox) -> Made {
    let name = request.path.strip_prefix(OWN).unwrap_or("");
    if name == "live" {
        // For balancers, on any host and before rules: whatever is done to traffic, boma itself is up.
        return Made::empty(204, Reason::Own);
    }
    if let Some((Refusal::Drop, rule)) = plan.refusal {
        visit.rule = Some(rule.to_owned());
        return respond::refusal(visit, head, Reason::Dropped);
    }
    if let Err(over) = decide::take_own(visit, &visit.house.own_paths) {
        return respond::limited(visit, head, over, None);
    }
    match (name, head.method()) {
        ("challenge", "GET" | "HEAD") => challenge(visit),
        ("challenge", "POST") => solution(visit, request, head, body).await,
        ("challenge", _) => {
            let mut made = Made::empty(405, Reason::OwnNotFound);
            made.fields.push("allow", "GET, HEAD, POST");
            made
        }
        _ => respond::refusal(visit, head, Reason::OwnNotFound),
    }
}

/// The page that `challenge_url` points to: for people whose program was asked for a pass.
fn challenge(visit: &mut Visit<'_>) -> Made {
    if visit.pass.is_some_and(|p| p.level > 0) {
        let mut made = Made::empty(303, Reason::Own);
        made.fields.push("location", "/");
        made.fields.push("cache-control", "no-store");
        return made;
    }
    visit.kind = Kind::Navigation;
    respond::challenge_page(visit, pages::Page::Challenge, Reason::ChallengeRule)
}

/// A solution: 204 and the pass to a script, a redirect to a form.
async fn solution(visit: &mut Visit<'_>, request: &Request, head: &dyn Head, body: BodyBox) -> Made {
    let Ok(form) = wire::read_whole(body, bounds::OWN_BODY_BYTES).await else {
        return respond::refusal(visit, head, Reason::BodyTooLarge);
    };
    match earn(visit, field(&form, b"seal"), field(&form, b"work")) {
        Ok(pass) => given(visit, request, pass),
        Err(_) => respond::refusal(visit, head, Reason::Unsolved),
    }
}

/// Makes a pass of a solution, by whichever way it came.
pub fn earn(visit: &Visit<'_>, seal: &[u8], work: &[u8]) -> Result<Pass, Unsolved> {
    let house = visit.house;
    let solved = house.challenge.load().solve(seal, work, house.now().unix());
    let outcome = match &solved {
        Ok(pass) => {
            house.settled.made(pass, origin_of(&visit.client), house.now().unix());
            if visit.portal.is_some() {
                visit.signals().solved(&visit.client);
            }
            "solved"
        }
        Err(Unsolved::Forged) => "forged",
        Err(Unsolved::Expired) => "expired",
        Err(Unsolved::Wrong) => "failed",
    };
    house.metrics.challenge.get_or_create(&OutcomeLabel { outcome }).inc();
    solved
}

fn given(visit: &mut Visit<'_>, request: &Request, pass: Pass) -> Made {
    // A form without a script ends at the front page; the script's own request stays where it is.
    let mut made = match visit.kind {
        Kind::Navigation => {
            let mut made = Made::empty(303, Reason::Solved);
            made.fields.push("location", "/");
            made
        }
        _ => Made::empty(204, Reason::Solved),
    };
    made.fields.push("set-cookie", respond::pass_cookie(visit, request, &pass));
    made.fields.push("cache-control", "no-store");
    visit.pass = Some(pass);
    made
}

/// A field of an urlencoded form. Seals and work hold no character that a form would encode.
fn field<'a>(form: &'a [u8], name: &[u8]) -> &'a [u8] {
    let value = |pair: &'a [u8]| pair.strip_prefix(name)?.strip_prefix(b"=");
    form.split(|b| *b == b'&').find_map(value).unwrap_or(b"")
}
