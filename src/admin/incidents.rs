//! `/api/v1/incidents`.
//!
//! Does not know: who keeps incidents, what pages look like.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Desk;
use super::auth::Badge;
use super::routes::{aside, problem, refused};
use crate::control::{Office, Rejected, Telling};
use crate::fault::Fault;
use crate::incident::{self, Author, Draft, Incident, RESOLVED, Spoken, State as Stage, Texts};
use crate::pages::{self, Shown};

const EXAMPLE: &str =
    r#"write {"template": "flood", "next": "30m"}, or {"title": {"en": "…"}, "text": {"en": "…"}, "next": "30m"}"#;

/// All that are kept, the newest first.
pub async fn list(State(desk): State<Desk>) -> Response {
    let all = desk.office.house.incidents.load();
    Json(json!({ "incidents": all.iter().rev().map(|i| shown(&desk.office, i)).collect::<Vec<_>>() })).into_response()
}

pub async fn one(State(desk): State<Desk>, Path(id): Path<String>) -> Response {
    match desk.office.house.incidents.load().iter().find(|i| i.id.to_string() == id) {
        Some(incident) => Json(shown(&desk.office, incident)).into_response(),
        None => unknown(&id),
    }
}

/// An incident as it is kept, and what follows from it now.
fn shown(office: &Office, incident: &Incident) -> Value {
    let now = office.house.now().unix();
    let mut value = serde_json::to_value(incident).unwrap_or_default();
    value["title"] = json!(office.first_title(incident));
    value["state"] = json!(incident.state());
    value["present"] = json!(incident.present());
    value["current"] = json!(incident.is_current(now));
    value["overdue"] = json!(incident.is_late(now));
    value
}

fn unknown(id: &str) -> Response {
    problem(StatusCode::NOT_FOUND, &format!("there is no incident {id:?}: `boma incident list` shows them"))
}

fn draft(body: &[u8]) -> Result<Draft, String> {
    serde_json::from_slice(body).map_err(|e| format!("{e}; {EXAMPLE}"))
}

fn author(badge: &Badge, office: Option<String>) -> Author {
    Author { by: badge.who().to_string(), office }
}

fn wrong(why: &str) -> Rejected {
    Rejected::Faults(vec![Fault::whole("incident", why, "")])
}

/// Where an incident is of one portal: which.
fn portal_of(office: &Office, id: u64) -> Option<String> {
    office.house.incidents.load().iter().find(|i| i.id == id).and_then(|i| i.portal.clone())
}

/// With the words of the languages in which a portal, or all of them, are told.
fn spoken<T>(office: &Office, portal: Option<&str>, with: impl FnOnce(Spoken<'_>) -> T) -> T {
    let (words, tags) = (office.house.words.load(), office.languages_of(portal));
    with(Spoken { words: &words, tags: &tags })
}

/// What a draft would tell: of a new incident, or of one that is known.
fn telling(office: &Office, badge: &Badge, id: Option<u64>, mut draft: Draft) -> Result<Telling, Rejected> {
    let now = office.house.now().unix();
    let portal = match id {
        None => draft.portal.take(),
        Some(id) => portal_of(office, id),
    };
    let (of, correct) = (draft.office.take(), draft.correct.take());
    let zone = office.zone(portal.as_deref());
    let said = spoken(office, portal.as_deref(), |spoken| draft.said(now, &zone, spoken)).map_err(|why| wrong(&why))?;
    let author = author(badge, of);
    match (id, correct) {
        (None, None) => Ok(Telling::Open { portal, said, author }),
        (Some(id), None) => Ok(Telling::Update { id, said, author }),
        (Some(id), Some(n)) => Ok(Telling::Correct { id, n, said, by: author.by }),
        (None, Some(_)) => Err(wrong("a correction is of an incident: send it to that one's updates")),
    }
}

/// Tells it, and answers with the incident as it is then.
async fn publish(
    desk: &Desk,
    badge: Badge,
    made: impl FnOnce(&Office, &Badge) -> Result<Telling, Rejected> + Send + 'static,
    code: StatusCode,
) -> Response {
    let told = aside(desk, move |office| {
        let telling = made(office, &badge)?;
        let applied = office.propose(crate::control::Change::Incident(telling), &badge.who())?;
        let all = office.house.incidents.load();
        let incident = all.iter().find(|i| Some(i.id) == applied.incident).cloned();
        let mut value = incident.map(|i| shown(office, &i)).unwrap_or_default();
        value["warnings"] = json!(applied.warnings);
        Ok(value)
    });
    match told.await {
        Ok(Ok(value)) => (code, Json(value)).into_response(),
        Ok(Err(rejected)) => refused(rejected),
        Err(response) => response,
    }
}

pub async fn open(State(desk): State<Desk>, badge: Badge, body: Bytes) -> Response {
    match draft(&body) {
        Ok(draft) => publish(&desk, badge, |o, b| telling(o, b, None, draft), StatusCode::CREATED).await,
        Err(help) => problem(StatusCode::UNPROCESSABLE_ENTITY, &help),
    }
}

pub async fn update(State(desk): State<Desk>, badge: Badge, Path(id): Path<String>, body: Bytes) -> Response {
    let Ok(number) = id.parse() else { return unknown(&id) };
    match draft(&body) {
        Ok(draft) => publish(&desk, badge, move |o, b| telling(o, b, Some(number), draft), StatusCode::OK).await,
        Err(help) => problem(StatusCode::UNPROCESSABLE_ENTITY, &help),
    }
}

/// With the prepared words where there are none in the body.
pub async fn resolve(State(desk): State<Desk>, badge: Badge, Path(id): Path<String>, body: Bytes) -> Response {
    let Ok(number) = id.parse() else { return unknown(&id) };
    let own = if body.is_empty() { Ok(Draft::default()) } else { draft(&body) };
    let mut own = match own {
        Ok(own) => own,
        Err(help) => return problem(StatusCode::UNPROCESSABLE_ENTITY, &help),
    };
    own.state = Some(Stage::Resolved);
    let made = move |office: &Office, badge: &Badge| {
        if own.text.is_empty() {
            let portal = portal_of(office, number);
            own.text = spoken(office, portal.as_deref(), |s| incident::template(RESOLVED, s)).unwrap_or_default().text;
        }
        telling(office, badge, Some(number), own)
    };
    publish(&desk, badge, made, StatusCode::OK).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Withdrawal {
    text: Texts,
}

pub async fn withdraw(State(desk): State<Desk>, badge: Badge, Path(id): Path<String>, body: Bytes) -> Response {
    let Ok(id) = id.parse() else { return unknown(&id) };
    match serde_json::from_slice::<Withdrawal>(&body) {
        Ok(Withdrawal { text: reason }) => {
            let made =
                move |_: &Office, badge: &Badge| Ok(Telling::Withdraw { id, reason, by: badge.who().to_string() });
            publish(&desk, badge, made, StatusCode::OK).await
        }
        Err(e) => {
            let help = format!("{e}; citizens are told why: write {{\"text\": {{\"en\": \"This was not so.\"}}}}");
            problem(StatusCode::UNPROCESSABLE_ENTITY, &help)
        }
    }
}

/// How it would read, in every language of every portal that it concerns; nothing is published.
pub async fn preview(State(desk): State<Desk>, badge: Badge, body: Bytes) -> Response {
    let asked = serde_json::from_slice::<Value>(&body).map_err(|e| format!("{e}; {EXAMPLE}"));
    let asked = asked.and_then(|mut value| {
        let id = value.as_object_mut().and_then(|o| o.remove("id")).and_then(|id| id.as_u64());
        let draft: Draft = serde_json::from_value(value).map_err(|e| format!("{e}; {EXAMPLE}"))?;
        Ok((id, draft))
    });
    let (id, draft) = match asked {
        Ok(asked) => asked,
        Err(help) => return problem(StatusCode::UNPROCESSABLE_ENTITY, &help),
    };
    let tried = aside(&desk, move |office| {
        let incident = office.told(telling(office, &badge, id, draft)?)?;
        let warnings = office.warnings(&incident);
        let shown = Shown { current: true, late: false, incident: incident.into() };
        let town = office.house.town.load();
        let portals = town.portals.list.iter().filter(|p| shown.incident.concerns(&p.name));
        let words = office.house.words.load();
        let read: Vec<Value> = portals
            .map(|p| json!({ "portal": p.name, "languages": pages::preview(&words, &office.told_of(p), &shown) }))
            .collect();
        Ok(json!({ "portals": read, "warnings": warnings }))
    });
    match tried.await {
        Ok(Ok(value)) => Json(value).into_response(),
        Ok(Err(rejected)) => refused(rejected),
        Err(response) => response,
    }
}
