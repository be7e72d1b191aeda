//! boma's own citizens' paths, under `/.well-known/boma/`: under drops and a limit of their own, before all other
//! rules. Unknown ones are boma's 404 and never reach the origin.
//!
//! Does not know: staff paths.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::json;

use crate::challenge::Unsolved;
use crate::facts::{Kind, Pass};
use crate::pages::Sheet;
use crate::plan::{Plan, Refusal};
use crate::reason::Reason;
use crate::wire::{self, BodyBox, Head, Payload};
use crate::{bounds, pages};

use super::code;
use super::decide;
use super::holder;
use super::mint;
use super::read::{OWN, Request, SECURITY};
use super::respond::{self, Made};
use super::security;
use super::switch;
use super::visit::Visit;
use super::wait::{self, Ride};

/// What the JSON pair calls the puzzle: `count` searches for the smallest c with SHA-256(seal "." i "." c) beginning with
/// `bits` zero bits.
const ALGORITHM: &str = "boma-sha256-v1";

pub async fn answer(visit: &mut Visit<'_>, request: &Request, plan: &Plan<'_>, head: &dyn Head, body: BodyBox) -> Made {
    let name = request.path.strip_prefix(OWN).unwrap_or(&request.path);
    if name == "live" {
        // For balancers, on any host and before rules: whatever is done to traffic, boma itself is up.
        return Made::empty(204, Reason::Own);
    }
    if let Some((Refusal::Drop, rule)) = plan.refusal {
        visit.rule = Some(rule.to_owned());
        return respond::refusal(visit, head, Reason::Dropped);
    }
    if name == "place" && visit.pass.is_some() && visit.portal.is_some() && matches!(head.method(), "GET" | "HEAD") {
        return wait::told(visit, head);
    }
    if let Err(over) = decide::take_own(visit, &visit.house.own_paths) {
        return respond::limited(visit, head, over, Ride::Nothing);
    }
    if visit.portal.is_some() {
        visit.needed = visit.effects().needed(Kind::Navigation, false).max(1);
    }
    match (name, head.method()) {
        ("challenge", "GET" | "HEAD") if wants_json(head) => challenge_for_program(visit, head),
        ("challenge", "GET" | "HEAD") if code::is_asked(head) => code::page(visit, head),
        ("challenge", "GET" | "HEAD") => challenge(visit, head),
        ("challenge", "POST") => solution(visit, request, head, body).await,
        ("status", "GET" | "HEAD") => respond::sheet(visit, head, Sheet::Page),
        ("status.json", "GET" | "HEAD") => respond::sheet(visit, head, Sheet::Json),
        ("status.atom", "GET" | "HEAD") => respond::sheet(visit, head, Sheet::Atom),
        ("lang", "GET" | "HEAD") => switch::answer(visit, request, head),
        (SECURITY, "GET" | "HEAD") => security::answer(visit),
        ("place", "GET" | "HEAD") => wait::none(),
        ("challenge", _) => only("GET, HEAD, POST"),
        (SECURITY | "lang" | "place" | "status" | "status.json" | "status.atom", _) => only("GET, HEAD"),
        _ => respond::refusal(visit, head, Reason::OwnNotFound),
    }
}

fn only(methods: &'static str) -> Made {
    let mut made = Made::empty(405, Reason::OwnNotFound);
    made.fields.push("allow", methods);
    made
}

/// Whether a program speaks, by what it sends or by what it takes.
fn wants_json(head: &dyn Head) -> bool {
    let names = |v: &[u8]| v.to_ascii_lowercase().windows(16).any(|w| w == b"application/json");
    head.any("accept", &mut |v| names(v)) || sends_json(head)
}

fn sends_json(head: &dyn Head) -> bool {
    head.text("content-type")
        .is_some_and(|t| t.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json"))
}

/// The page that `challenge_url` points to: for people whose program was asked for a pass.
fn challenge(visit: &mut Visit<'_>, head: &dyn Head) -> Made {
    if visit.pass.is_some_and(|p| p.level >= visit.needed) {
        let mut made = Made::empty(303, Reason::Own);
        made.fields.push("location", "/");
        made.fields.push("cache-control", "no-store");
        return made;
    }
    visit.kind = Kind::Navigation;
    respond::challenge_page(visit, head, pages::Page::Challenge, Reason::ChallengeRule)
}

fn challenge_for_program(visit: &mut Visit<'_>, head: &dyn Head) -> Made {
    let ask = mint::ask(visit, head);
    let seal = mint::issue(visit, head, &ask);
    let body = json!({
        "seal": String::from_utf8_lossy(&seal),
        "algorithm": ALGORITHM,
        "bits": ask.work.bits,
        "count": ask.work.count,
        "level": ask.level,
        "wait": ask.wait,
        "expires_in": bounds::CHALLENGE_LIFE.as_secs(),
    });
    json(200, Reason::Own, &body)
}

pub fn json(status: u16, reason: Reason, body: &serde_json::Value) -> Made {
    let mut made = Made::empty(status, reason);
    made.body = Payload::Bytes(body.to_string().into());
    made.fields.push("content-type", "application/json");
    made.fields.push("cache-control", "no-store");
    made
}

/// A solution as a program sends it.
#[derive(Deserialize)]
struct Solution<'a> {
    #[serde(borrow)]
    seal: Cow<'a, str>,
    #[serde(borrow, default)]
    work: Cow<'a, str>,
}

/// A solution: 204 and the pass to a script, the pass as JSON to a program, a redirect to a form.
async fn solution(visit: &mut Visit<'_>, request: &Request, head: &dyn Head, body: BodyBox) -> Made {
    let Ok(form) = wire::read_whole(body, bounds::OWN_BODY_BYTES).await else {
        return respond::refusal(visit, head, Reason::BodyTooLarge);
    };
    if let Some(typed) = code::sent(&form, sends_json(head)) {
        return code::answer(visit, request, head, &typed);
    }
    let sent = if sends_json(head) {
        match serde_json::from_slice::<Solution<'_>>(&form) {
            Ok(sent) => sent,
            Err(_) => return respond::refusal(visit, head, Reason::BadRequest),
        }
    } else {
        Solution {
            seal: String::from_utf8_lossy(field(&form, b"seal")),
            work: String::from_utf8_lossy(field(&form, b"work")),
        }
    };
    match solve(visit, head, sent.seal.as_bytes(), sent.work.as_bytes()) {
        Ok(pass) => given(visit, request, head, pass),
        Err(_) => respond::refusal(visit, head, Reason::Unsolved),
    }
}

/// Checks a solution and takes the pass in; what became of it is counted.
///
/// # Errors
/// [`Unsolved`].
pub fn solve(visit: &mut Visit<'_>, head: &dyn Head, seal: &[u8], work: &[u8]) -> Result<Pass, Unsolved> {
    let challenge = visit.house.challenge.load();
    match challenge.solve(seal, work, &mint::asker(visit, head), visit.house.now().unix()) {
        Ok(pass) => {
            let before = visit.pass;
            let pass = mint::earned(visit, pass);
            holder::moves(visit, head, before, &pass);
            Ok(pass)
        }
        Err(why) => {
            mint::count(
                visit,
                match why {
                    Unsolved::Forged => "forged",
                    Unsolved::Expired => "expired",
                    Unsolved::Wrong => "failed",
                    Unsolved::Foreign => "foreign",
                    Unsolved::Early(_) => "early",
                },
            );
            Err(why)
        }
    }
}

pub fn given(visit: &mut Visit<'_>, request: &Request, head: &dyn Head, pass: Pass) -> Made {
    let mut made = match visit.kind {
        _ if wants_json(head) => {
            let body = json!({
                "pass": visit.house.challenge.load().seal_pass(&pass),
                "header": "Boma-Pass",
                "level": pass.level,
                "expires": pass.expires,
                "expires_in": pass.expires.saturating_sub(visit.now.unix()),
            });
            json(200, Reason::Solved, &body)
        }
        // A form without a script ends at the front page; the script's own request stays where it is.
        Kind::Navigation => {
            let mut made = Made::empty(303, Reason::Solved);
            made.fields.push("location", "/");
            made.fields.push("cache-control", "no-store");
            made
        }
        _ => {
            let mut made = Made::empty(204, Reason::Solved);
            made.fields.push("cache-control", "no-store");
            made
        }
    };
    mint::set(visit, request, &pass, &mut made.fields);
    made
}

/// A field of an urlencoded form. Seals and work hold no character that a form would encode.
fn field<'a>(form: &'a [u8], name: &[u8]) -> &'a [u8] {
    let value = |pair: &'a [u8]| pair.strip_prefix(name)?.strip_prefix(b"=");
    form.split(|b| *b == b'&').find_map(value).unwrap_or(b"")
}
