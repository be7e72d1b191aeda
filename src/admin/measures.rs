//! `/api/v1/measures`, and the rules' history.
//!
//! Does not know: how a change is made.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use super::Desk;
use super::auth::Badge;
use super::routes::{aside, problem, propose, refused};
use crate::control::{Change, Force, Office, Rejected};
use crate::rules::Measure;
use crate::serve::Preview;
use crate::serve::preview;
use crate::{bounds, units};

pub async fn list(State(desk): State<Desk>) -> Response {
    Json(json!({ "measures": desk.office.measures() })).into_response()
}

/// What staff send: the end, reason and owner (left out: who sends it), and everything else is the rule or limit as
/// `rules.toml` has it.
#[derive(Deserialize)]
struct Wish {
    name: String,
    #[serde(rename = "for")]
    lasts: Option<String>,
    reason: Option<String>,
    owner: Option<String>,
    /// Although it would harm citizens or staff.
    #[serde(default)]
    force: bool,
    #[serde(flatten)]
    table: Map<String, Value>,
}

pub async fn add(State(desk): State<Desk>, badge: Badge, body: Bytes) -> Response {
    let example = r#"write {"name": "m1", "match": {"path": "/search*"}, "then": "challenge", "for": "2h", "reason": "INC-42", "owner": "soc"}"#;
    let wish: Wish = match serde_json::from_slice(&body) {
        Ok(wish) => wish,
        Err(e) => return problem(StatusCode::UNPROCESSABLE_ENTITY, &format!("{e}; {example}")),
    };
    if let Some(response) = badge.may_not_force(wish.force, &desk) {
        return response;
    }
    let measure = match wish.measure(desk.office.house.now().unix(), &badge) {
        Ok(measure) => measure,
        Err(help) => return problem(StatusCode::UNPROCESSABLE_ENTITY, &help),
    };
    let response = propose(&desk, &badge, Change::AddMeasure(measure)).await;
    if response.status() == StatusCode::OK { (StatusCode::CREATED, response).into_response() } else { response }
}

/// What a measure would have done; it is not laid.
pub async fn preview(State(desk): State<Desk>, badge: Badge, body: Bytes) -> Response {
    let wish = serde_json::from_slice::<Wish>(&body).map_err(|e| e.to_string());
    match wish.and_then(|w| w.measure(desk.office.house.now().unix(), &badge)) {
        Ok(measure) => match tried(&desk, measure).await {
            Ok(preview) => told(&preview),
            Err(response) => response,
        },
        Err(help) => problem(StatusCode::UNPROCESSABLE_ENTITY, &help),
    }
}

/// What a rules file would have done; it is not put in force.
pub async fn preview_rules(State(desk): State<Desk>, body: Bytes) -> Response {
    let Ok(text) = String::from_utf8(body.to_vec()) else {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "the body is not UTF-8: send the TOML text of rules.toml");
    };
    match on_the_side(move || Ok(preview::preview(&desk.office.house, desk.office.draft_rules(&text)?))).await {
        Ok(preview) => told(&preview),
        Err(response) => response,
    }
}

pub fn told(preview: &Preview) -> Response {
    let mut value = serde_json::to_value(preview).unwrap_or_default();
    value["harm"] = json!(preview.harm());
    Json(value).into_response()
}

async fn tried(desk: &Desk, measure: Measure) -> Result<Preview, Response> {
    let office = desk.office.clone();
    on_the_side(move || Ok(preview::preview(&office.house, office.draft_measure(&measure)?))).await
}

/// Ten minutes of requests take a moment, for which the probes must not wait.
pub async fn on_the_side<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Rejected> + Send + 'static,
) -> Result<T, Response> {
    // One at a time: it is a core's work for as long as it takes.
    static TURN: Mutex<()> = Mutex::const_new(());
    let _turn = TURN.lock().await;
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(refused),
        Err(_) => Err(problem(StatusCode::INTERNAL_SERVER_ERROR, "the preview could not be made; see the log")),
    }
}

impl Wish {
    fn measure(mut self, now: u64, badge: &Badge) -> Result<Measure, String> {
        let said = |what: &str, text: Option<String>| {
            let text = text.unwrap_or_default().trim().to_owned();
            let fit = !text.is_empty() && text.len() <= bounds::REASON_BYTES;
            fit.then_some(text).ok_or_else(|| {
                format!("\"{what}\" is missing or longer than {} bytes: a measure has one", bounds::REASON_BYTES)
            })
        };
        let reason = said("reason", self.reason.take())?;
        let owner = said("owner", self.owner.take().or_else(|| Some(badge.name.clone())))?;
        let until = now + lasts(self.lasts.as_deref())?.as_secs();
        let kind = if self.table.contains_key("per") { "limit" } else { "rule" };
        self.table.insert("name".into(), self.name.clone().into());
        let text = toml::to_string(&json!({ kind: [self.table] }))
            .map_err(|e| format!("this cannot be a rule or limit: {e}"))?;
        let by = badge.who().to_string();
        Ok(Measure { name: self.name, text, since: now, until, reason, owner, by, forced: self.force })
    }
}

/// A reason to force what harms; an empty one is none.
pub fn meant(force: Force) -> Force {
    force.map(|reason| reason.trim().chars().take(bounds::REASON_BYTES).collect()).filter(|r: &String| !r.is_empty())
}

/// How long a measure lasts.
fn lasts(text: Option<&str>) -> Result<Duration, String> {
    let Some(text) = text else { return Ok(bounds::MEASURE_STANDARD) };
    let most = bounds::MEASURE_LONGEST;
    let fit = units::duration(text).filter(|d| *d >= Duration::from_secs(1) && *d <= most);
    fit.ok_or_else(|| {
        format!(
            "\"for\" is {text:?}: write a time from \"1s\" to \"{}\"; what is to stay longer belongs into rules.toml",
            units::human(most)
        )
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Extension {
    #[serde(rename = "for")]
    lasts: Option<String>,
}

pub async fn extend(State(desk): State<Desk>, badge: Badge, Path(name): Path<String>, body: Bytes) -> Response {
    let wish = serde_json::from_slice::<Extension>(&body).map_err(|e| format!("{e}; write {{\"for\": \"2h\"}}"));
    // What only a lead may force only a lead may force for longer.
    let forced = desk.office.house.law.load().measures.iter().any(|m| m.name == name && m.forced);
    if let Some(refusal) = badge.may_not_force(forced, &desk) {
        return refusal;
    }
    match wish.and_then(|w| lasts(w.lasts.as_deref())) {
        Ok(more) => {
            let until = desk.office.house.now().unix() + more.as_secs();
            propose(&desk, &badge, Change::ExtendMeasure { name, until }).await
        }
        Err(help) => problem(StatusCode::UNPROCESSABLE_ENTITY, &help),
    }
}

pub async fn remove(State(desk): State<Desk>, badge: Badge, Path(name): Path<String>) -> Response {
    propose(&desk, &badge, Change::RemoveMeasure(name)).await
}

pub async fn history(State(desk): State<Desk>) -> Response {
    let versions = match aside(&desk, Office::versions).await {
        Ok(versions) => versions,
        Err(response) => return response,
    };
    let newest = versions.last().map(|v| v.version);
    let line = |v: &crate::control::Version| json!({ "version": v.version, "at": v.at, "who": v.who, "bytes": v.text.len(), "in_force": Some(v.version) == newest });
    Json(json!({ "versions": versions.iter().map(line).collect::<Vec<_>>() })).into_response()
}

pub async fn version(State(desk): State<Desk>, Path(version): Path<u64>) -> Response {
    let versions = match aside(&desk, Office::versions).await {
        Ok(versions) => versions,
        Err(response) => return response,
    };
    match versions.into_iter().find(|v| v.version == version) {
        Some(found) => ([(CONTENT_TYPE, "application/toml")], found.text).into_response(),
        None => problem(StatusCode::NOT_FOUND, &format!("there is no version {version} of the rules")),
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Back {
    version: Option<u64>,
    /// Why, although it would harm citizens or staff.
    force: Force,
}

pub async fn roll_back(State(desk): State<Desk>, badge: Badge, body: Bytes) -> Response {
    let back = if body.is_empty() { Ok(Back::default()) } else { serde_json::from_slice::<Back>(&body) };
    match back {
        Ok(Back { version, force }) => propose(&desk, &badge, Change::RollBack { version, force: meant(force) }).await,
        Err(e) => problem(StatusCode::UNPROCESSABLE_ENTITY, &format!("{e}; write {{\"version\": 3}}")),
    }
}
